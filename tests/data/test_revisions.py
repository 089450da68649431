"""What counts as a revision, what as a readjustment, and who is told. All expected numbers are written out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import Facts, VirtualClock
from qtw_lab.data.revisions import LISTED, compare
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store

KEY = SeriesKey("alpaca-iex", "AAPL", "1D")


def frame(days: int = 6, start: str = "2024-01-01", close: float = 100.0, factor: float = 1.0) -> pd.DataFrame:
    index = pd.bdate_range(start, periods=days, tz="UTC")
    closes = close + np.arange(days, dtype=float)
    table = pd.DataFrame(
        {"open": closes, "high": closes + 5, "low": closes - 5, "close": closes, "volume": 1000.0}, index
    )
    return table.assign(split_factor=1.0, factor=factor)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path, clock=VirtualClock(pd.Timestamp("2024-06-03", tz="UTC")))


def test_a_changed_close_raises_the_alarm_and_names_the_versions_that_rest_on_it(store):
    first = store.write(KEY, frame(3))
    second = store.write(KEY, frame(6))
    changed = frame(6)
    changed.loc["2024-01-02", "close"] = 101.5  # was 101
    report = store.write(KEY, changed).revision
    assert report.alarm
    assert [(str(r.timestamp.date()), r.field, r.old, r.new) for r in report.changes] == [
        ("2024-01-02", "close", 101.0, 101.5)
    ]
    assert report.affected == (first.content, second.content)
    assert "first close of 2024-01-02 00:00 from 101 to 101.5" in report.message


def test_a_version_that_ends_before_the_change_is_not_affected(store):
    store.write(KEY, frame(3))  # to 2024-01-03
    second = store.write(KEY, frame(6))
    changed = frame(6)
    changed.loc["2024-01-05", "volume"] = 900.0
    assert store.write(KEY, changed).revision.affected == (second.content,)


def test_bars_added_at_the_ends_raise_nothing(store):
    whole = frame(12)
    store.write(KEY, whole.iloc[3:6])
    report = store.write(KEY, whole)
    assert report.revision is None
    assert report.added == 9


def test_floating_noise_is_not_a_revision(store):
    store.write(KEY, frame(3))
    noisy = frame(3)
    noisy["close"] *= 1 + 1e-12
    assert store.write(KEY, noisy).revision is None


@pytest.mark.parametrize("factor", [0.5, 0.9876, 2.0])
def test_one_ratio_over_the_whole_past_is_a_readjustment(store, factor):
    store.write(KEY, frame(6))
    report = store.write(KEY, frame(6, factor=factor)).revision
    assert not report.alarm
    assert [(r.field, r.ratio) for r in report.readjustments] == [("factor", pytest.approx(factor))]
    assert "new corporate action" in report.message


def test_a_readjustment_is_seen_through_the_vendors_rounding():
    closes = np.array([17.03, 17.11, 16.98, 17.40, 17.22])
    index = pd.bdate_range("2024-01-01", periods=5, tz="UTC")
    old = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), closes), index)
    old = old.assign(split_factor=1.0, factor=1.0)
    new = old.assign(factor=np.round(closes * 0.9931, 2) / closes)  # adjusted closes come in cents
    found = compare(old, new)
    assert not found.revisions
    assert found.readjustments[0].ratio == pytest.approx(0.9931, abs=3e-4)


def test_a_dividend_put_in_later_changes_a_return_and_is_a_revision(store):
    store.write(KEY, frame(6))
    late = frame(6)
    late.loc[:"2024-01-03", "factor"] = 0.9  # a step inside the stored span
    report = store.write(KEY, late).revision
    assert report.alarm
    assert report.changed == 3
    assert {r.field for r in report.changes} == {"factor"}
    assert not report.readjustments


def test_one_odd_factor_is_a_revision(store):
    store.write(KEY, frame(6, factor=0.5))
    odd = frame(6, factor=0.5)
    odd.loc["2024-01-03", "factor"] = 0.51
    assert [r.new for r in store.write(KEY, odd).revision.changes] == [0.51]


def test_a_revision_beside_a_readjustment_is_told_apart(store):
    store.write(KEY, frame(6))
    both = frame(6, factor=0.5)
    both.loc["2024-01-03", "volume"] = 1.0
    report = store.write(KEY, both).revision
    assert [(r.field, r.old, r.new) for r in report.changes] == [("volume", 1000.0, 1.0)]
    assert len(report.readjustments) == 1


def test_a_volume_that_becomes_known_or_unknown_is_a_revision(store):
    unknown = frame(3).assign(volume=np.nan)
    store.write(KEY, unknown)
    report = store.write(KEY, frame(3)).revision
    assert report.changed == 3
    assert np.isnan(report.changes[0].old)
    assert store.revisions(KEY)[0].changes[0].new == 1000.0  # and survives the trip through JSON


def test_filled_holes_and_withdrawn_bars_are_told(store):
    whole = frame(6)
    store.write(KEY, whole.drop(whole.index[2]))
    filled = store.write(KEY, whole)
    assert (filled.revision.inserted, filled.revision.alarm) == (1, False)
    gone = store.write(KEY, whole.drop(whole.index[3]))
    assert gone.revision.withdrawn == 1
    assert gone.rows == 6


def test_reports_are_kept_beside_the_series_newest_first(store):
    for close in (100.0, 101.0, 102.0):
        store.write(
            KEY, frame(3, close=close), written_at=pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(days=close)
        )
    other = Store(store.folder)
    reports = other.revisions()
    assert [r.changes[0].new for r in reports] == [102.0, 101.0]
    assert reports == other.revisions(KEY)
    assert reports[0].series == "alpaca-iex/AAPL 1D"
    assert other.list()["revisions"].tolist() == [2]


def test_a_report_lists_some_changes_and_counts_all(store):
    days = LISTED
    store.write(KEY, frame(days))
    report = store.write(KEY, frame(days, close=200.0)).revision
    assert report.changed == 4 * days  # open, high, low and close of every bar
    assert report.changed_bars == days
    assert len(report.changes) == LISTED
    assert len(report.table()) == LISTED


def test_the_facts_of_a_report_carry_its_figures(store):
    store.write(KEY, frame(3))
    changed = frame(3)
    changed.loc["2024-01-01", "close"] = 104.0  # +4%
    facts = store.write(KEY, changed).revision.facts()
    assert isinstance(facts, Facts)
    assert facts["changed_values"] == 1
    assert facts["largest_change"] == pytest.approx(0.04)
    assert "rest on the old values" in facts.notes[0]


def test_factors_learnt_later_are_no_revision(store):
    store.write(KEY, frame(3).drop(columns=["split_factor", "factor"]))
    assert store.write(KEY, frame(3, factor=0.5)).revision is None


@settings(max_examples=40, deadline=None)
@given(
    place=st.integers(0, 5),
    field=st.sampled_from(["open", "high", "low", "close", "volume"]),
    share=st.floats(-0.04, 0.04).filter(lambda x: abs(x) > 1e-8),
)
def test_any_single_change_above_noise_is_found_where_it_is(place, field, share):
    old = frame(6)
    new = old.copy()
    new.iloc[place, new.columns.get_loc(field)] *= 1 + share
    found = compare(old, new)
    assert [(r.timestamp, r.field) for r in found.revisions] == [(old.index[place], field)]
    assert not compare(old, old.copy()).notable
