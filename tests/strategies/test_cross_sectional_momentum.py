"""On paper: five symbols whose past returns are known."""

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.strategies import CrossSectionalMomentum

#: Five symbols growing by these factors a bar; 40 daily bars from 2024-01-01, so that 1 February is bar 31.
GROWTH = np.array([1.01, 1.05, 0.99, 1.03, 1.02])
CLOSE = 100 * GROWTH ** np.arange(40)[:, None]


def decide(panel, close=CLOSE, **parameters):
    return CrossSectionalMomentum(lookback=10, skip=2, **parameters).decide(panel(close))


def test_the_best_fifth_is_held_from_the_first_bar_of_a_month(panel):
    decisions = decide(panel, top=0.2)
    assert decisions[31].tolist() == [0, 1, 0, 0, 0]
    assert np.isnan(np.delete(decisions, 31, axis=0)).all()


def test_winners_and_losers_share_the_account(panel):
    assert decide(panel, top=0.4, short=True)[31].tolist() == [-0.25, 0.25, -0.25, 0.25, 0.0]


@pytest.mark.parametrize(("top", "held"), [(0.001, 1), (0.39, 1), (0.4, 2), (0.6, 3), (1.0, 5)])
def test_a_share_is_rounded_down_to_whole_symbols_but_never_to_none(panel, top, held):
    weights = decide(panel, top=top)[31]
    assert (weights > 0).sum() == held
    assert weights.sum() == pytest.approx(1.0)


def test_the_latest_bars_are_skipped(panel):
    close = CLOSE.copy()
    close[30:32, 2] *= 100.0  # the last of the skipped bars and the present one
    assert decide(panel, close, top=0.2)[31].tolist() == [0, 1, 0, 0, 0]
    close[29, 2] *= 100.0  # the bar the past return ends at
    assert decide(panel, close, top=0.2)[31].tolist() == [0, 0, 1, 0, 0]


def test_a_symbol_without_a_past_is_not_ranked_and_left_alone(panel):
    close = CLOSE.copy()
    close[:25, 1] = np.nan
    decisions = decide(panel, close, top=0.2)
    assert np.isnan(decisions[31, 1])
    assert decisions[31, [0, 2, 3, 4]].tolist() == [0, 0, 1, 0]


def test_one_symbol_alone_is_never_sold_against_itself(panel):
    assert decide(panel, CLOSE[:, :1], short=True)[31].tolist() == [0.0]
    assert decide(panel, CLOSE[:, :1])[31].tolist() == [1.0]


def test_ties_go_to_the_symbol_that_comes_first(panel):
    assert decide(panel, np.ones((40, 5)), top=0.4, short=True)[31].tolist() == [0.25, 0.25, 0.0, -0.25, -0.25]


@pytest.mark.parametrize(
    ("period", "rows"),
    [
        ("bar", range(10, 40)),
        ("week", [14, 21, 28, 35]),  # 2024-01-01 was a Monday
        ("month", [31]),
        ("quarter", []),
        ("year", []),
    ],
)
def test_periods_are_those_of_the_calendar(panel, period, rows):
    decided = np.flatnonzero(np.isfinite(decide(panel, rebalance=period)).all(axis=1))
    assert decided.tolist() == list(rows)


@pytest.mark.parametrize(("period", "rows"), [("quarter", [31, 122, 213, 305, 397]), ("year", [31, 397])])
def test_quarters_and_years_begin_in_january(panel, period, rows):
    strategy = CrossSectionalMomentum(lookback=10, skip=2, rebalance=period)
    decisions = strategy.decide(panel(np.ones((400, 2)), start="2023-12-01"))  # 1 January 2024 is bar 31
    assert np.flatnonzero(np.isfinite(decisions).all(axis=1)).tolist() == rows


def test_a_misspelt_period_and_a_skip_beyond_the_lookback_are_refused():
    with pytest.raises(DataError, match="Did you mean 'month'"):
        CrossSectionalMomentum(rebalance="monthly")
    with pytest.raises(DataError, match="skip=21 must be below lookback=21"):
        CrossSectionalMomentum(lookback=21)
