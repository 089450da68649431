from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError
from qtw_lab.research import leaks
from qtw_lab.research.allocation import Allocator
from qtw_lab.research.rebalancing import Allocation, laid_out
from qtw_lab.strategies import Panel

TRAIN, STEP = 30, 10


def closes(bars: int = 100, symbols: int = 4, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.001, 1.0, (bars, symbols)) * np.linspace(0.005, 0.02, symbols) + rng.normal(
        0, 0.004, (bars, 1)
    )
    return 50 * np.exp(np.cumsum(steps, axis=0))


def strategy(name: str = "inverse_volatility", **options) -> Allocation:
    return Allocation.of(Allocator(name=name, **options), TRAIN, STEP, anchored=False)


def named(values: np.ndarray) -> dict[str, np.ndarray]:
    return {f"S{place}": values[:, place] for place in range(values.shape[1])}


def test_fits_fall_on_every_step_from_the_first_full_window():
    fits = strategy().fitted(closes())
    assert [fit.bar for fit in fits] == [30, 40, 50, 60, 70, 80, 90]


def test_a_fit_sees_the_returns_up_to_its_own_bar_by_hand():
    close = closes()
    fit = strategy().fitted(close)[2]
    window = close[21:51] / close[20:50] - 1  # thirty returns, the last that of bar 50
    inverse = 1 / window.std(axis=0, ddof=1)
    np.testing.assert_allclose(fit.weights, inverse / inverse.sum(), rtol=1e-10)
    assert fit.expected == pytest.approx((window @ fit.weights).std(ddof=1))
    assert fit.symbols == 4


def test_an_anchored_fit_sees_every_return_from_the_first():
    close = closes()
    fit = strategy().replaced(anchored=True).fitted(close)[2]
    inverse = 1 / (close[1:51] / close[:50] - 1).std(axis=0, ddof=1)
    np.testing.assert_allclose(fit.weights, inverse / inverse.sum(), rtol=1e-10)


def test_decisions_stand_at_the_fits_alone():
    close = closes()
    laid = laid_out(strategy().fitted(close), close, STEP)
    decided = np.flatnonzero(~np.isnan(laid).all(axis=1))
    assert decided.tolist() == [30, 40, 50, 60, 70, 80, 90]
    np.testing.assert_allclose(laid[decided].sum(axis=1), 1.0)


def test_a_late_listing_joins_with_its_first_full_window():
    """Its first close is at bar 25: 31 closes, so 30 returns, are there at bar 55; the next fit is at bar 60."""
    close = closes()
    close[:25, 3] = np.nan
    fits = strategy().fitted(close)
    assert [fit.symbols for fit in fits] == [3, 3, 3, 4, 4, 4, 4]
    assert [fit.weights[3] > 0 for fit in fits] == [False] * 3 + [True] * 4
    close[25, 3] = np.nan
    assert [fit.symbols for fit in strategy().fitted(close)] == [3, 3, 3, 4, 4, 4, 4]
    close[:31, 3] = np.nan  # one too few
    assert [fit.symbols for fit in strategy().fitted(close)] == [3, 3, 3, 3, 4, 4, 4]


def test_an_anchored_window_begins_where_all_its_symbols_have_begun():
    close = closes()
    close[:25, 3] = np.nan
    fit = strategy().replaced(anchored=True).fitted(close)[4]
    inverse = 1 / (close[26:71] / close[25:70] - 1).std(axis=0, ddof=1)
    np.testing.assert_allclose(fit.weights, inverse / inverse.sum(), rtol=1e-10)


def test_a_hole_keeps_a_symbol_out_until_its_window_is_full_again():
    close = closes()
    close[45, 1] = np.nan
    assert [fit.symbols for fit in strategy().fitted(close)] == [4, 4, 3, 3, 3, 4, 4]


def test_a_symbol_that_is_gone_is_left_out_and_one_that_returns_is_sold_at_once():
    close = closes()
    close[48:53, 1] = np.nan  # absent at the fit of bar 50, back at bar 53
    laid = laid_out(strategy().fitted(close), close, STEP)
    assert np.isnan(laid[50, 1])
    assert laid[53, 1] == 0.0
    assert laid[50, [0, 2, 3]].sum() == pytest.approx(1.0)
    assert np.isnan(laid[54:60, 1]).all()


def test_a_price_that_did_not_move_cannot_be_weighed():
    close = closes()
    close[20:61, 2] = close[20, 2]
    fits = strategy().fitted(close)
    assert [fit.still for fit in fits] == [(), (), (2,), (2,), (), (), ()]
    assert fits[2].weights[2] == 0.0
    assert fits[2].symbols == 3


def test_a_fit_that_finds_nothing_decides_nothing_and_says_why():
    """After bar 50 every price falls at each bar: no ratio of mean to risk is above zero."""
    close = closes()
    close[50:] = close[50] * np.cumprod(0.98 + 0.01 * np.random.default_rng(0).random((50, 4)), axis=0)
    own = strategy("maximum_sharpe")
    fits = own.fitted(close)
    assert [bool(fit.reason) for fit in fits][-2:] == [True, True]
    assert "maximum_sharpe found no weights for 30 returns of 4 symbols" in fits[-1].reason
    assert np.isnan(fits[-1].weights).all()
    assert np.isnan(laid_out(fits, close, STEP)[80:]).all()


def test_one_symbol_is_nothing_to_divide():
    close = closes()
    close[:75, 1:] = np.nan
    fits = strategy().fitted(close)
    assert all("at least two symbols" in fit.reason for fit in fits)


@pytest.mark.parametrize("name", ["minimum_variance", "hrp"])
def test_what_comes_later_changes_no_fit(name):
    close = closes()
    later = close.copy()
    later[65:] *= np.random.default_rng(9).uniform(0.5, 2.0, (35, 4))
    later[70:, 2] = np.nan
    before = [fit.weights for fit in strategy(name).fitted(close) if fit.bar < 65]
    again = [fit.weights for fit in strategy(name).fitted(later) if fit.bar < 65]
    np.testing.assert_array_equal(before, again)


def test_the_leak_detector_finds_none(bars_of):
    gapped = closes()
    gapped[:25, 3] = np.nan
    gapped[48:53, 1] = np.nan
    bars = bars_of(**named(gapped))

    def weights(known: Bars) -> pd.DataFrame:
        return pd.DataFrame(strategy().weights(Panel.of(known)), index=known.index, columns=list(known.symbols))

    assert not leaks.detect(weights, bars).leaking


def test_it_is_a_strategy_that_any_backtest_can_follow(bars_of):
    bars = bars_of(**named(closes()))
    result = qtw.backtest(Allocation(allocator="risk_parity", train=TRAIN, rebalance=STEP), bars)
    assert (result.positions.iloc[:31] == 0).all(axis=None)
    assert (result.positions.iloc[31:] > 0).all(axis=None)
    assert result.verify().agreement.agrees


def test_its_parameters_give_the_allocator_again():
    told = Allocator(name="mean_cvar", max_weight=0.4, confidence=0.9)
    own = Allocation.of(told, 60, 5, anchored=True)
    assert own.rule == told
    assert Allocation(**own.parameters) == own


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allocator": "hpr"}, "hrp"),
        ({"allocator": "mean_cvar", "train": 15}, "train=15 is too short: mean_cvar needs at least 20"),
        ({"train": 2}, "between 3"),
        ({"rebalance": 0}, "between 1"),
        ({"covariance": "oas"}, "uses no covariance"),
        ({"allocator": "hrp", "min_weight": 0.6, "max_weight": 0.5}, "min_weight <= max_weight"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        Allocation(**options)


def test_the_last_bar_of_all_can_be_a_fit():
    close = closes(bars=51)
    assert [fit.bar for fit in strategy().fitted(close)] == [30, 40, 50]
    assert [fit.bar for fit in strategy().fitted(close[:50])] == [30, 40]


def test_too_few_bars_are_refused():
    with pytest.raises(DataError, match="too few"):
        strategy().fitted(closes(bars=30))
