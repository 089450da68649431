from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.venues.moments import DAY, eastern, identity, instant, is_identity, local
from qtw_lab.venues.wire.values import moment_text

MOMENTS = st.integers(pd.Timestamp("1980-01-01", tz="UTC").value, pd.Timestamp("2100-01-01", tz="UTC").value)


@given(MOMENTS)
def test_a_moment_is_read_as_it_was_written(moment):
    assert instant(moment_text(moment)) == moment


@given(MOMENTS)
def test_pandas_reads_the_same_moment(moment):
    assert pd.Timestamp(moment_text(moment)).value == moment
    assert pd.Timestamp(local(moment)).value == moment // 1000 * 1000


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001  (zones come below)
def test_offsets_are_taken_into_account(naive, minutes):
    sign, ahead = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{naive.isoformat()}{sign}{ahead // 60:02d}:{ahead % 60:02d}"
    moment = naive.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    assert instant(text) == int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


@pytest.mark.parametrize("date", ["2024-03-10", "2024-11-03", "2024-07-04"])
def test_a_date_is_its_midnight_in_new_york_and_its_end_the_next(date):
    begins, ends = instant(date), instant(date, last=True)
    hours = {"2024-03-10": 23, "2024-11-03": 25}.get(date, 24)  # clocks change on the first two
    assert ends + 1 - begins == hours * DAY // 24
    assert (eastern(begins).date().isoformat(), eastern(begins).hour) == (date, 0)


@pytest.mark.parametrize(
    "text", ["", "soon", "2024-02-30", "2024-01-02T09:30", "2024-01-02T25:00:00Z", "20240102", "1e9"]
)
def test_what_names_no_moment_is_none(text):
    assert instant(text) is None


def test_identities_are_the_same_in_every_process():
    assert identity("order", 1) == "9c86662f-59bc-50b5-bb26-9129be34b15a"
    assert is_identity(identity("order", 1))
    assert identity("a", "b") != identity("ab")
    assert not is_identity("AAPL")
