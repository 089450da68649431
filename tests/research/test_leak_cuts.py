"""Cuts lie where leaks show, and a replaced future leaves the past alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import Bars, DataError, Timeframe
from qtw_lab.core.bars import FIELDS
from qtw_lab.research import leak_cuts
from qtw_lab.research.leak_cuts import ALTERATIONS, TRUNCATED


def bars_with(gone=(), length: int = 80, width: int = 2) -> Bars:
    close = 50 + np.arange(float(length))[:, None] + np.arange(width) * 10
    for row, column in gone:
        close[row, column] = np.nan
    values = {"open": close, "high": close * 1.02, "low": close * 0.97, "close": close * 1.01, "volume": close * 100}
    index = pd.date_range("2024-01-01", periods=length, tz="UTC")
    return Bars(index, tuple("ABCDE"[:width]), values, Timeframe(1, "D"))


GAPPED = [*((row, 1) for row in range(25)), (40, 0), (41, 0), (41, 1)]


@pytest.mark.parametrize("kind", ALTERATIONS)
@given(cut=st.integers(0, 79), seed=st.integers(0, 20), gapped=st.booleans())
def test_a_replaced_future_is_another_one_and_keeps_the_past(kind, cut, seed, gapped):
    bars = bars_with(GAPPED if gapped else ())
    other = leak_cuts.altered(bars, cut, kind, np.random.default_rng(seed))
    assert other.index.equals(bars.index)
    for name in FIELDS:
        np.testing.assert_array_equal(other.values[name][:cut], bars.values[name][:cut])
    assert not np.array_equal(other.values["close"][cut:], bars.values["close"][cut:], equal_nan=True)
    low, high = other.values["low"], other.values["high"]
    assert np.all((low <= high) | np.isnan(low))


def test_mirrored_prices_fall_where_they_rose():
    """After a close of 51 x 1.01 a price of p becomes its square over p; highs become lows."""
    bars = bars_with(width=1)
    other = leak_cuts.altered(bars, 2, "future mirrored", np.random.default_rng(0))
    last = 51 * 1.01
    assert other.values["close"][2, 0] == pytest.approx(last**2 / (52 * 1.01))
    assert other.values["high"][2, 0] == pytest.approx(last**2 / (52 * 0.97))


def test_the_next_three_bars_go_missing():
    other = leak_cuts.altered(bars_with(), 10, "future missing", np.random.default_rng(0))
    assert not other.present[10:13].any()
    assert other.present[:10].all()
    assert other.present[13:].any()


def test_a_struck_bar_is_the_only_one_changed():
    bars = bars_with()
    other = leak_cuts.struck(bars, 7, 1.4)
    assert np.flatnonzero((other.values["open"] != bars.values["open"]).any(axis=1)).tolist() == [7]
    assert other.values["volume"][7, 0] == pytest.approx(1.4 * bars.values["volume"][7, 0])


def test_holes_are_a_late_listing_and_gaps_inside():
    holed = leak_cuts.with_holes(bars_with(length=100))
    assert np.flatnonzero(~holed.present[:, 1]).tolist() == [*range(20), 80]
    assert np.flatnonzero(~holed.present[:, 0]).tolist() == [60, 61, 62, 63]


@given(length=st.integers(30, 300), warmup=st.integers(0, 40), count=st.integers(12, 40))
def test_cuts_leave_some_bars_on_either_side(length, warmup, count):
    full = np.arange(float(length))[:, None]
    full[: min(warmup, length - 1)] = np.nan
    cuts = leak_cuts.spread_cuts(full, np.ones((length, 1), dtype=bool), count)
    assert cuts == sorted(set(cuts))
    assert cuts[0] == 1
    assert cuts[-1] == length - 1
    assert len(cuts) <= count


def test_cuts_lie_inside_a_leading_gap_inside_a_hole_in_the_warm_up_and_late():
    holed = leak_cuts.with_holes(bars_with(length=100))
    cuts = leak_cuts.hole_cuts(holed.present)
    assert any(0 < cut < 20 for cut in cuts)
    assert any(60 < cut < 64 for cut in cuts)
    assert any(cut > 90 for cut in cuts)
    full = np.where(np.arange(100) < 30, np.nan, np.arange(100.0))[:, None]
    assert {15, 30, 31} <= set(leak_cuts.spread_cuts(full, np.ones((100, 1), dtype=bool), 24))


def test_a_rare_signal_is_cut_right_after_it_appears():
    full = np.zeros((100, 1))
    full[57] = 1.0
    assert {58, 59} <= set(leak_cuts.spread_cuts(full, np.ones((100, 1), dtype=bool), 24))


def test_consecutive_cuts_avoid_holes():
    present = np.ones((100, 1), dtype=bool)
    present[55] = False
    assert leak_cuts.consecutive_cuts(present, 10) == list(range(58, 68))


def test_period_cuts_lie_between_weeks_and_between_months():
    index = pd.date_range("2024-01-01", periods=120, tz="UTC")
    cuts = leak_cuts.period_cuts(index)
    weeks, months = (leak_cuts.period_numbers(index, period) for period in "WM")
    assert sum(weeks[cut - 1] != weeks[cut] for cut in cuts) >= 3
    assert sum(months[cut - 1] != months[cut] for cut in cuts) >= 2


def test_every_other_future_is_asked_twice_and_every_cut_once():
    asked = leak_cuts.questions(list(range(10, 70)), [5, 6])
    assert [q.cut for q in asked if q.world == 0 and q.kind == TRUNCATED] == list(range(10, 70))
    assert [q.cut for q in asked if q.world == 1] == [5, 6]
    for kind in ALTERATIONS:
        assert len({q.cut for q in asked if q.kind == kind}) == 2


def test_closer_questions_try_every_future_where_a_shorter_history_changed_something():
    asked = leak_cuts.closer_questions(0, bars_with(), [20, 30, 70])
    assert {(q.kind, q.cut) for q in asked if q.kind != TRUNCATED} == {(k, c) for k in ALTERATIONS for c in (30, 70)}
    assert all(q.kind == TRUNCATED for q in leak_cuts.closer_questions(0, bars_with(), []))


def test_chosen_cuts_are_sorted_and_checked():
    assert leak_cuts.chosen_cuts(iter([9, np.int64(3), 9]), 10) == [3, 9]
    for wrong in ([10], [0], ["3"], [], [None], 4.5):
        with pytest.raises(DataError, match="whole numbers from 1 to 9"):
            leak_cuts.chosen_cuts(wrong, 10)
