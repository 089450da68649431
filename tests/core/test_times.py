"""Times are read in one way only, and what could be misread is refused."""

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import Bars, DataError
from qtw_lab.core.times import are_numbers, check_times, in_utc, infer_timeframe, moment, session_dates

NEW_YORK = "America/New_York"


def read(times, tz: str | None = None, dated: bool = True) -> list[str]:
    index = in_utc(pd.Series(times), tz, dated)
    assert str(index.tz) == "UTC"
    assert index.unit == "ns"
    return [str(at)[:19] for at in index]


def refusal(times, tz: str | None = None, dated: bool = True) -> str:
    with pytest.raises(DataError) as caught:
        in_utc(pd.Series(times), tz, dated)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [None, "UTC", NEW_YORK, "Asia/Tokyo", "Australia/Lord_Howe"])
def test_whole_dates_of_any_zone_are_session_dates(zone):
    days = pd.DatetimeIndex(["2024-03-08", "2024-03-11"]).tz_localize(zone)
    assert read(days) == ["2024-03-08 00:00:00", "2024-03-11 00:00:00"]


def test_naive_whole_dates_are_session_dates_even_with_a_zone():
    """A Tokyo date must not become the afternoon of the day before."""
    assert read(["2024-03-08", "2024-03-11"], tz="Asia/Tokyo") == ["2024-03-08 00:00:00", "2024-03-11 00:00:00"]


def test_midnights_of_intraday_bars_are_moments():
    """New York midnight is 05:00 UTC in winter."""
    midnight = [pd.Timestamp("2024-01-02", tz=NEW_YORK)]
    assert read(midnight, dated=False) == ["2024-01-02 05:00:00"]
    assert read(["2024-01-02"], tz=NEW_YORK, dated=False) == ["2024-01-02 05:00:00"]
    assert "no time zone" in refusal(["2024-01-02"], dated=False)


def test_a_single_hourly_bar_at_midnight_stays_where_it_is():
    frame = pd.DataFrame({"close": [1.0]}, index=[pd.Timestamp("2024-01-02", tz=NEW_YORK)])
    assert str(Bars.from_frame(frame, "X", timeframe="1h").index[0]) == "2024-01-02 05:00:00+00:00"
    assert str(Bars.from_frame(frame, "X", timeframe="1D").index[0]) == "2024-01-02 00:00:00+00:00"


def test_a_midnight_the_clock_skipped_breaks_nothing():
    """In São Paulo 2018-11-04 began at 01:00."""
    days = pd.DatetimeIndex(["2018-11-03 00:00", "2018-11-04 01:00"]).tz_localize("America/Sao_Paulo")
    assert read(days) == ["2018-11-03 03:00:00", "2018-11-04 03:00:00"]


def test_naive_moments_need_a_zone():
    """New York is at UTC-5 on the Friday and at UTC-4 on the Monday after the clocks changed on 2024-03-10."""
    times = ["2024-03-08 09:30", "2024-03-11 09:30"]
    assert "tz='America/New_York' or tz='UTC'" in refusal(times)
    assert read(times, tz=NEW_YORK) == ["2024-03-08 14:30:00", "2024-03-11 13:30:00"]


def test_moments_with_a_zone_keep_it_whatever_tz_says():
    times = ["2024-03-08T14:30:00Z", "2024-03-08T14:31:00Z"]
    assert read(times) == read(times, tz="Asia/Tokyo") == ["2024-03-08 14:30:00", "2024-03-08 14:31:00"]


def test_an_hour_that_happens_twice_is_refused_with_a_way_out():
    message = refusal(["2024-11-03 00:30", "2024-11-03 01:30", "2024-11-03 02:30"], tz=NEW_YORK)
    assert "2024-11-03 01:30" in message
    assert "ambiguous='infer'" in message


def test_an_hour_that_never_was_is_refused_with_a_way_out():
    message = refusal(["2024-03-10 01:30", "2024-03-10 02:30"], tz=NEW_YORK)
    assert "2024-03-10 02:30" in message
    assert "nonexistent=" in message


MIXED = {
    "offsets": ["2024-01-02T09:30:00-05:00", "2024-01-02T16:00:00+01:00"],
    "offsets of one zone": ["2024-03-08T00:00:00-05:00", "2024-03-11T00:00:00-04:00"],
    "aware and naive text": ["2024-01-02T09:30:00-05:00", "2024-01-02T09:31:00"],
    "aware and naive": [pd.Timestamp("2024-01-02", tz="UTC"), pd.Timestamp("2024-01-03")],
    "two zones": [pd.Timestamp("2024-01-02", tz="UTC"), pd.Timestamp("2024-01-03", tz="Asia/Tokyo")],
}


@pytest.mark.parametrize("kind", MIXED)
def test_mixed_zones_are_refused_with_the_line_that_mends_them(kind):
    message = refusal(pd.Series(MIXED[kind], dtype=object))
    assert "mix time zones" in message
    assert "pd.to_datetime(times, utc=True)" in message


UNREADABLE = {
    "no dates": ["Tuesday", "Wednesday"],
    "times of day": ["09:30:00", "09:31:00"],
    "words": ["hello", "world"],
    "quarters": ["2024Q1", "2024Q2"],
    "two forms": ["2024-01-02", "Jan 3 2024"],
    "a month of 13": ["2024-13-01", "2024-13-02"],
    "day and month swapped": ["01/12/2024", "01/13/2024", "13/01/2024"],
    "a far year": ["2024-01-02", "99999-01-04"],
    "before 1677": [pd.Timestamp("1600-01-01").to_pydatetime(), pd.Timestamp("1600-01-02").to_pydatetime()],
    "after 2262": pd.to_datetime(["2500-01-01", "2500-01-02"]),
    "things": [object(), object()],
    "periods": pd.period_range("2024-01", periods=2, freq="M"),
    "spans": pd.to_timedelta(["1D", "2D"]),
    "clock times": [dt.time(9, 30), dt.time(9, 31)],
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_times_that_can_be_misread_are_refused(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever a user's filters are
        assert refusal(UNREADABLE[kind]).startswith("The bar times cannot be read: ")


def test_dates_written_the_european_way_are_read_where_there_is_one_way_only():
    assert read(["15/01/2024", "16/01/2024"]) == ["2024-01-15 00:00:00", "2024-01-16 00:00:00"]


@pytest.mark.parametrize("tz", ["Mars", "", " ", "America", "../../etc", "\0", 5, True, object()])
def test_a_zone_nobody_keeps_is_refused(tz):
    message = refusal(["2024-01-02 09:30"], tz=tz)
    assert "'America/New_York'" in message


@pytest.mark.parametrize("tz", [dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
def test_a_zone_may_be_an_object(tz):
    assert read(["2024-01-02 09:30"], tz=tz)[0] in ("2024-01-02 09:30:00", "2024-01-02 14:30:00")


NUMBERS = {
    "seconds": [1_704_153_600, 1_704_240_000],
    "milliseconds": [1_704_153_600_000.0, 1_704_240_000_000.0],
    "dates": [20240102, 20240103],
    "objects": pd.Series([1, 2], dtype=object),
    "nullable": pd.Series([1, None], dtype="Int64"),
    "truth": [True, False],
    "mixed with text": pd.Series([1, "2024-01-02"], dtype=object),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_time_column_of_numbers_is_refused_because_nobody_knows_what_they_count(kind):
    """pandas would take each for nanoseconds since 1970, and give a zone, be silent about it."""
    assert are_numbers(pd.Series(NUMBERS[kind]))
    frame = pd.DataFrame({"time": NUMBERS[kind], "close": [1.0, 2.0]})
    with pytest.raises(DataError, match="unit='s'"):
        Bars.from_frame(frame, "X", tz="UTC")


@pytest.mark.parametrize("index", [[0, 1], [1.5, 2.5], pd.Index([20240102, 20240103], dtype=object), [True, False]])
def test_a_numbered_index_is_no_time(index):
    with pytest.raises(DataError, match="its index is numbers"):
        Bars.from_frame(pd.DataFrame({"close": [1.0, 2.0]}, index=index), "X", tz="UTC")


# --- order ----------------------------------------------------------------------------------------------------------


def test_times_must_be_known_zoned_unique_and_in_order():
    good = pd.DatetimeIndex(["2024-01-02", "2024-01-03"], tz="UTC")
    check_times(good)
    check_times(good[:0])
    faults = {
        "no time zone": good.tz_localize(None),
        "missing": good.append(pd.DatetimeIndex([pd.NaT], tz="UTC")),
        "appear more than once": good.append(good[-1:]),
        "out of order, first at row 1": good[::-1],
    }
    for words, index in faults.items():
        with pytest.raises(DataError, match=words):
            check_times(index)


# --- length of a bar ------------------------------------------------------------------------------------------------

SPACINGS = [
    ("1s", "1s"), ("30s", "30s"), ("1min", "1min"), ("5min", "5min"), ("90min", "90min"), ("1h", "1h"), ("4h", "4h"),
    ("12h", "12h"), ("1D", "1D"), ("1B", "1D"), ("7D", "1W"), ("W-FRI", "1W"), ("2W-MON", "2W"), ("ME", "1ME"),
    ("MS", "1ME"), ("QE", "3ME"), ("YE", "12ME"),
]  # fmt: skip


@pytest.mark.parametrize(("spacing", "wanted"), SPACINGS)
@pytest.mark.parametrize("count", [2, 3, 30])
def test_the_length_of_a_bar_follows_from_the_spacing(spacing, wanted, count):
    index = pd.date_range("2024-03-04 14:00", periods=count, freq=spacing, tz="UTC")
    assert str(infer_timeframe(index)) == wanted


@pytest.mark.parametrize(
    ("days", "wanted"),
    [
        (["2024-01-05", "2024-01-08"], "1D"),  # Friday, Monday
        (["2024-01-04", "2024-01-05", "2024-01-08"], "1D"),
        (["2024-01-05", "2024-01-08", "2024-01-09"], "1D"),
        (["2024-01-06", "2024-01-07", "2024-01-08"], "1D"),  # a market without weekends
        (["2024-01-01", "2024-01-03", "2024-01-05", "2024-01-09"], "2D"),  # every other trading day
    ],
)
def test_a_weekend_is_no_part_of_a_daily_bar(days, wanted):
    assert str(infer_timeframe(pd.DatetimeIndex(days, tz="UTC"))) == wanted


def test_a_night_between_two_bars_is_no_part_of_them():
    """Two bars a session, four hours apart: steps of 4, 20, 4 and 20 hours."""
    days = pd.bdate_range("2024-01-08", periods=3, tz="UTC")
    index = pd.DatetimeIndex([day + pd.Timedelta(hours=hour) for day in days for hour in (14, 18)])[:5]
    assert str(infer_timeframe(index)) == "4h"


def test_daily_bars_at_new_york_midnight_in_utc_are_daily_across_the_clock_change():
    index = pd.bdate_range("2024-03-06", "2024-03-14", tz=NEW_YORK).tz_convert("UTC")
    assert str(infer_timeframe(index)) == "1D"


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_bars_have_no_length(count):
    with pytest.raises(DataError, match="at least 2 bars"):
        infer_timeframe(pd.date_range("2024-01-02", periods=count, tz="UTC"))


def test_bars_within_a_second_are_refused():
    with pytest.raises(DataError, match="less than a second"):
        infer_timeframe(pd.date_range("2024-01-02", periods=5, freq="100ms", tz="UTC"))


# --- session dates --------------------------------------------------------------------------------------------------


def test_new_york_midnights_become_session_dates_across_the_clock_change():
    days = pd.bdate_range("2024-03-06", "2024-03-14", tz=NEW_YORK)
    dates = session_dates(days.tz_convert("UTC"), "XNYS")
    assert [str(date)[:19] for date in dates] == [f"{day:%Y-%m-%d} 00:00:00" for day in days]


def test_utc_dates_stay_and_other_stamps_are_left_alone():
    dates = pd.date_range("2024-01-02", periods=3, tz="UTC")
    assert list(session_dates(dates, "XNYS")) == list(dates)
    closes = dates + pd.Timedelta(hours=21)
    assert list(session_dates(closes, "XNYS")) == list(closes)


@given(st.dates(dt.date(1980, 1, 1), dt.date(2035, 1, 1)))
def test_any_new_york_midnight_has_its_own_date(date):
    index = pd.DatetimeIndex([pd.Timestamp(date, tz=NEW_YORK).tz_convert("UTC")])
    assert session_dates(index, "XNYS")[0].date() == date


# --- one moment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["2012-03-04", dt.date(2012, 3, 4), pd.Timestamp("2012-03-04"), np.datetime64("2012-03-04"), "4 March 2012"],
)
def test_a_date_is_a_moment_in_utc_and_its_end_is_the_last_nanosecond(value):
    assert str(moment(value, "start")) == "2012-03-04 00:00:00+00:00"
    assert str(moment(value, "end", whole_day=True)) == "2012-03-04 23:59:59.999999999+00:00"


@pytest.mark.parametrize(
    ("text", "last"),
    [("2012", "2012-12-31"), (" 2012 ", "2012-12-31"), ("2012-02", "2012-02-29"), ("2012-02-28", "2012-02-28")],
)
def test_a_bare_year_or_month_ends_with_its_last_day(text, last):
    assert str(moment(text, "end", whole_day=True)) == f"{last} 23:59:59.999999999+00:00"


def test_a_moment_within_a_day_is_taken_as_it_is():
    assert str(moment("2012-03-04 09:30", "end", whole_day=True)) == "2012-03-04 09:30:00+00:00"
    assert str(moment("2012-03-04 09:30-05:00", "end", whole_day=True)) == "2012-03-04 14:30:00+00:00"


def test_no_moment_is_none_and_the_end_of_time_is_a_moment():
    assert moment(None, "start") is None
    for last in ("9999-12-31", pd.Timestamp.max, "9999"):
        assert moment(last, "end", whole_day=True) > pd.Timestamp("2200-01-01", tz="UTC")


@pytest.mark.parametrize(
    "value",
    [
        2010,
        2010.0,
        np.int64(2010),
        True,
        float("nan"),
        float("inf"),
        10**30,
        "yesteryear",
        "",
        "5",
        [2010],
        {},
        pd.NaT,
        b"2010",
    ],
)
def test_what_is_not_a_date_is_refused_and_a_year_as_a_number_too(value):
    with pytest.raises(DataError, match=r"start .* is not a date or time"):
        moment(value, "start")
