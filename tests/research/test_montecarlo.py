from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import qtw_lab as qtw
from qtw_lab.backtest.agreement import compare
from qtw_lab.core import DataError, Order
from qtw_lab.research.montecarlo import LEVELS, delayed_entries, resampled_paths, resampled_trades, stressed_costs
from qtw_lab.stats import performance as p
from qtw_lab.strategies import OrderList, Panel, Strategy, param


class EveryOther(Strategy):
    """Long for `hold` bars, flat for as many."""

    hold: int = param(1, low=1, high=10)

    def signals(self, prices: Panel):
        stance = (np.arange(len(prices.close)) // self.hold % 2 == 0).astype(float)
        return np.broadcast_to(stance[:, None], prices.close.shape)


class Once(Strategy):
    """Long at the first bar's close, flat at the second's."""

    def signals(self, prices: Panel):
        stance = np.zeros(prices.close.shape)
        stance[0] = 1.0
        return stance


@pytest.fixture(scope="module")
def result(bars_of):
    rng = np.random.default_rng(7)
    bars = bars_of(X=100 * np.exp(np.cumsum(rng.normal(0.002, 0.01, 60))))
    return qtw.backtest(EveryOther(hold=3), bars, costs=qtw.Costs(commission_bps=10, spread_bps=4))


def test_shuffles_take_every_order_about_as_often():
    """Three trades have six orders, whose drawdowns can be listed."""
    trades = [0.5, -0.2, -0.5]
    expected = Counter(round(p.max_drawdown(list(order)), 9) for order in permutations(trades))
    found = resampled_trades(trades, reps=6000, seed=2).table["shuffled_drawdown"].round(9)
    assert set(found) == set(expected)
    for drawdown, times in expected.items():
        assert (found == drawdown).mean() == pytest.approx(times / 6, abs=0.025)  # four standard errors


def test_draws_take_every_set_of_trades_about_as_often():
    """Two trades, drawn twice: wealth 4, 1 (two ways) and 0.25."""
    found = resampled_trades([1.0, -0.5], reps=4000, seed=3)
    share = found.table["drawn_wealth"].value_counts(normalize=True)
    for wealth, expected in {4.0: 0.25, 1.0: 0.5, 0.25: 0.25}.items():
        assert share[wealth] == pytest.approx(expected, abs=0.032)  # four standard errors
    assert found.observed["drawn_wealth"] == 1.0


def test_quantiles_and_shares_are_those_of_the_table():
    found = resampled_trades([0.1, -0.1, 0.05, -0.02], reps=300, seed=4)
    assert found.reps == 300
    for level in LEVELS:
        for name in found.table:
            assert found.quantiles.loc[level, name] == np.quantile(found.table[name], level)
    worse = (found.table["drawn_drawdown"] <= found.observed["drawn_drawdown"]).mean()
    assert found.as_bad["drawn_drawdown"] == worse


@given(arrays(float, st.integers(1, 12), elements=st.floats(-1, 2)), st.integers(0, 5))
def test_the_seed_alone_decides_and_outcomes_keep_their_bounds(trades, seed):
    one, two = (resampled_trades(trades, reps=20, seed=seed).table for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert one["shuffled_drawdown"].between(-1, 0).all()
    assert one["drawn_drawdown"].between(-1, 0).all()
    assert (one["drawn_wealth"] >= 0).all()
    assert (one["shuffled_drawdown"] <= min(0.0, trades.min()) + 1e-12).all()  # the worst trade is in every order


def test_more_resamples_than_fit_at_once_are_drawn_in_portions():
    found = resampled_trades(np.full(2000, 0.001), reps=1200, seed=0)
    assert len(found.table) == 1200
    np.testing.assert_allclose(found.table["drawn_wealth"], 1.001**2000)


def test_a_block_of_the_whole_length_only_turns_the_history():
    """Wealth does not change, drawdowns are those of the rotations."""
    returns = [0.3, -0.1, -0.2, 0.1]
    turned = {round(p.max_drawdown(returns[k:] + returns[:k]), 9) for k in range(4)}
    found = resampled_paths(returns, reps=200, block=4, seed=5, periods_per_year=252)
    assert set(found.table["drawdown"].round(9)) == turned
    np.testing.assert_allclose(found.table["wealth"], np.prod(1 + np.array(returns)))
    np.testing.assert_allclose(found.table["sharpe"], p.sharpe_ratio(returns, 252))
    assert found.observed["drawdown"] == pytest.approx(p.max_drawdown(returns))


def test_blocks_of_one_bar_draw_bars_singly():
    returns = [1.0, -0.5]
    found = resampled_paths(returns, reps=4000, block=1, seed=6, periods_per_year=252)
    expected = Counter(np.prod(np.array(draw) + 1) for draw in product(returns, repeat=2))
    for wealth, times in expected.items():
        assert (found.table["wealth"] == wealth).mean() == pytest.approx(times / 4, abs=0.032)  # four standard errors


def test_the_default_block_is_the_cube_root_of_the_length(result):
    assert resampled_paths(result.returns.iloc[:27], reps=5).block == 3
    assert resampled_paths(result.returns.iloc[:28], reps=5).block == 4
    one, two = (resampled_paths(result.returns, reps=50, seed=9).table for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("resampled", [resampled_trades, resampled_paths])
def test_returns_that_cannot_be_drawn_are_refused(resampled):
    year = {"periods_per_year": 252} if resampled is resampled_paths else {}
    with pytest.raises(DataError, match=r"-1\.5 at place 1"):
        resampled([0.1, -1.5], **year)
    with pytest.raises(DataError, match="one series"):
        resampled(np.zeros((3, 2)), **year)
    with pytest.raises(DataError, match="nan at bar 1"):
        resampled([0.1, np.nan], **year)
    with pytest.raises(DataError, match="empty"):
        resampled([], **year)
    for wrong in (0, 1.5, True):
        with pytest.raises(DataError, match="reps="):
            resampled([0.1, 0.2], reps=wrong, **year)
    with pytest.raises(DataError, match="seed="):
        resampled([0.1, 0.2], seed=-1, **year)
    if year:
        with pytest.raises(DataError, match="block="):
            resampled([0.1, 0.2], block=3, **year)
        with pytest.raises(DataError, match="periods_per_year"):
            resampled([0.1, 0.2])


def test_costs_by_hand(bars_of):
    """All in at 10, sold at 11: a commission of 1% and its double are charged on both fills."""
    bars = bars_of(X=[10.0, 10.0, 11.0, 11.0])
    result = qtw.backtest(Once(), bars, costs=qtw.Costs(commission_bps=100))
    found = stressed_costs(result, [2, 0, 1, 1])
    assert found.table.index.tolist() == [0.0, 1.0, 2.0]
    for multiple, gain in found.table["total_return"].items():
        fee = 0.01 * multiple
        assert gain == pytest.approx(1.1 * (1 - fee) / (1 + fee) - 1)
    pd.testing.assert_series_equal(found.table.loc[1.0], result.stats[found.table.columns], check_names=False)


def test_every_stressed_result_is_the_backtest_with_those_costs(result):
    found = stressed_costs(result, [0, 1, 2.5])
    for multiple, run in zip(found.table.index, found.results, strict=True):
        costs = qtw.Costs(commission_bps=10 * multiple, spread_bps=4 * multiple)
        plain = qtw.backtest(EveryOther(hold=3), result.bars, costs=costs)
        assert run.order_hash == plain.order_hash
        assert run.terms.costs == costs
        assert compare(run, plain).agrees
    assert found.results[1].verify().agreement.agrees
    assert found.table["total_return"].is_monotonic_decreasing
    assert found.quantiles.loc[0.5, "total_return"] == found.table["total_return"].iloc[1]


def test_caps_grow_with_their_fees_and_interest_earned_does_not(result):
    given_costs = {entry.name: 0.01 for entry in fields(qtw.Costs)}
    costs = qtw.Costs(**given_costs)
    run = stressed_costs(qtw.backtest("buy_and_hold", result.bars, costs=costs), [3]).results[0]
    for name in given_costs:
        expected = 0.01 if name == "cash_rate" else 0.03
        assert getattr(run.terms.costs, name) == pytest.approx(expected), name
    whole = stressed_costs(qtw.backtest("buy_and_hold", result.bars, costs=costs), [100]).results[0]
    assert whole.terms.costs.commission_max_fraction == 0.0


def test_break_even_lies_between_the_rows_where_the_gain_is_lost(bars_of):
    """A gain of 10% with fees of 1% each way: (1 - f) / (1 + f) = 1 / 1.1 at f = 4.76%, between 4 and 5 times."""
    bars = bars_of(X=[10.0, 10.0, 11.0, 11.0])
    result = qtw.backtest(Once(), bars, costs=qtw.Costs(commission_bps=100))
    assert stressed_costs(result, [1, 4, 5, 9]).break_even == pytest.approx(0.1 / 2.1 * 100, abs=0.01)
    assert np.isnan(stressed_costs(result, [0, 1]).break_even)


def test_measured_sizes_and_hand_written_orders_are_stressed_as_they_were(bars_of, result):
    sized = qtw.backtest(
        EveryOther(hold=5), result.bars, costs=qtw.Costs(commission_bps=5), sizing=qtw.Sizing.volatility_target(0.1, 5)
    )
    run = stressed_costs(sized, [2]).results[0]
    again = qtw.backtest(
        EveryOther(hold=5), result.bars, costs=qtw.Costs(commission_bps=10), sizing=qtw.Sizing.volatility_target(0.1, 5)
    )
    assert run.order_hash == again.order_hash
    assert run.terms.sizing == sized.terms.sizing
    order = Order("X", "buy", 5, result.bars.index[3])
    listed = qtw.backtest(OrderList([order]), result.bars, costs=qtw.Costs(commission_bps=5))
    assert len(stressed_costs(listed, [2]).results[0].orders) == 1
    with pytest.raises(DataError, match="decided nothing"):
        delayed_entries(listed)


def test_delays_by_hand(bars_of):
    """Buy at the open of bar 1, sell at that of bar 2; one bar later each, two bars later each."""
    bars = bars_of(X=[10.0, 10.0, 12.0, 9.0, 18.0, 18.0])
    result = qtw.backtest(Once(), bars)
    found = delayed_entries(result, [0, 1, 2])
    assert found.table["total_return"].tolist() == pytest.approx([0.2, -0.25, 1.0])
    assert found.break_even == pytest.approx(0.2 / 0.45)
    assert found.results[0].order_hash == result.order_hash


def test_a_delay_counts_the_symbols_own_bars(bars_of):
    """Y has no second bar: its decision after the first bar comes at its next one, the third."""
    bars = bars_of(X=[10.0] * 6, Y=[10.0, np.nan, 10.0, 10.0, 10.0, 10.0])
    result = qtw.backtest(Once(), bars)
    late = delayed_entries(result, [1]).results[0]
    bought = late.orders[late.orders["side"] == "buy"].set_index("symbol")["time"]
    assert bought["X"] == bars.index[2]
    assert bought["Y"] == bars.index[3]


def test_results_that_cannot_be_stressed_are_refused(result):
    with pytest.raises(DataError, match="no costs to multiply"):
        stressed_costs(qtw.backtest(EveryOther(), result.bars))
    with pytest.raises(DataError, match="multiple="):
        stressed_costs(result, [np.nan])
    with pytest.raises(DataError, match="below 0"):
        stressed_costs(result, [-1])
    with pytest.raises(DataError, match="multiples="):
        stressed_costs(result, [])
    with pytest.raises(DataError, match="delays=3"):
        delayed_entries(result, 3)
    with pytest.raises(DataError, match=r"delay=0\.5"):
        delayed_entries(result, [0.5])
    with pytest.raises(DataError, match="whole history of 60"):
        delayed_entries(result, [60])
    with pytest.raises(DataError, match="Result is needed, not DataFrame"):
        delayed_entries(result.trades)


def test_a_result_without_its_engine_is_run_by_the_kernel(result):
    bare = replace(result, again=None)
    assert stressed_costs(bare, [1]).results[0].order_hash == result.order_hash
