"""Laws that hold for any prices and any decisions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import Bars
from qtw_lab.strategies import Panel, Strategy


class Scripted(Strategy):
    """Gives the signals it was made with."""

    holds = True
    script: tuple = ()

    def signals(self, prices: Panel) -> Any:
        return np.array(self.script, dtype=float).reshape(prices.close.shape)


@st.composite
def worlds(
    draw: st.DrawFn, symbols: int = 2, stances: tuple[float, ...] = (-1.0, 0.0, 1.0, np.nan)
) -> tuple[Bars, Strategy]:
    """Random bars with holes, and random signals on them."""
    bars = draw(st.integers(3, 25))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, (bars, symbols)), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, close.shape))
    high = np.maximum(open_, close) * (1 + rng.random(close.shape) * 0.02)
    low = np.minimum(open_, close) * (1 - rng.random(close.shape) * 0.02)
    holes = rng.random(close.shape) < draw(st.sampled_from([0.0, 0.15]))
    holes[0] = False
    fields = {"open": open_, "high": high, "low": low, "close": close, "volume": np.full(close.shape, 1e6)}
    names = [f"S{j}" for j in range(symbols)]
    index = pd.date_range("2024-01-01", periods=bars, tz="UTC")
    parts = {f: pd.DataFrame(np.where(holes, np.nan, v), index=index, columns=names) for f, v in fields.items()}
    frame = pd.concat(parts, axis=1)
    signals = draw(st.lists(st.sampled_from(stances), min_size=bars * symbols, max_size=bars * symbols))
    return Bars.from_frame(frame, holes="keep", calendar="XNYS"), Scripted(script=tuple(signals))


executions = st.sampled_from(["next_open", "next_close", "same_close"])
costs = st.builds(
    qtw.Costs,
    commission_bps=st.sampled_from([0.0, 7.0]),
    commission_per_share=st.sampled_from([0.0, 0.01]),
    commission_min=st.sampled_from([0.0, 1.0]),
    spread_bps=st.sampled_from([0.0, 5.0]),
    borrow_bps_per_year=st.sampled_from([0.0, 300.0]),
)
stops = st.builds(
    qtw.Stops, stop_loss=st.sampled_from([None, 0.02]), take_profit=st.sampled_from([None, 0.03]),
    trailing=st.sampled_from([None, 0.025]),
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(world=worlds(), execution=executions, cost=costs, stop=stops)
def test_equity_is_cash_and_positions_at_every_bar(world, execution, cost, stop):
    bars, strategy = world
    result = qtw.backtest(strategy, bars, execution=execution, costs=cost, stops=stop)
    marked = (result.positions * bars.close.ffill()).sum(axis=1)
    np.testing.assert_allclose(result.equity, result.cash + marked, rtol=1e-12)


@settings(deadline=None, max_examples=150)
@given(world=worlds(), execution=executions, cost=costs, stop=stops)
def test_cash_and_positions_follow_from_the_order_list_alone(world, execution, cost, stop):
    bars, strategy = world
    result = qtw.backtest(strategy, bars, execution=execution, costs=cost, stops=stop)
    orders = result.orders
    signed = np.where(orders["side"] == "buy", 1.0, -1.0) * orders["quantity"]
    paid = float((signed * orders["price"] + orders["commission"]).sum()) + result.holding_costs
    assert np.isclose(result.cash.iloc[-1], 100_000.0 - paid, rtol=1e-9, atol=1e-6)
    held = signed.groupby(orders["symbol"]).sum().reindex(list(bars.symbols), fill_value=0.0)
    np.testing.assert_allclose(result.positions.iloc[-1], held, rtol=1e-9, atol=1e-9)
    pnl = float(result.trades["pnl"].sum()) - result.holding_costs
    assert np.isclose(result.equity.iloc[-1] - 100_000.0, pnl, rtol=1e-7, atol=1e-5)


@settings(deadline=None, max_examples=150)
@given(world=worlds(), execution=executions)
def test_no_trade_happens_without_a_change_of_decision_before_it(world, execution):
    bars, strategy = world
    result = qtw.backtest(strategy, bars, execution=execution)
    decided = result.decisions.ffill().fillna(0.0)
    changed = decided.diff().fillna(decided) != 0
    lag = 0 if execution == "same_close" else 1
    for symbol, fills in result.orders.groupby("symbol"):
        moments = np.flatnonzero(changed[symbol])
        places = bars.index.get_indexer(fills["time"])
        assert len(fills) <= len(moments)
        present = bars.present[:, bars.symbols.index(symbol)]
        for place in places:
            before = moments[moments <= place - lag]
            assert before.size, "an order without any earlier decision"
            # Between the decision and its fill the symbol had no bar to trade at.
            assert not present[before[-1] + lag : place].any()


@settings(deadline=None, max_examples=100)
@given(world=worlds(stances=(0.0, 1.0, -1.0, np.nan)), execution=executions, cost=costs)
def test_costs_never_raise_equity_for_the_same_fills(world, execution, cost):
    bars, strategy = world
    run = {"execution": execution, "sizing": qtw.Sizing.fixed_shares(10.0), "cash": 1e7}
    free, dear = qtw.backtest(strategy, bars, **run), qtw.backtest(strategy, bars, costs=cost, **run)
    assert dear.orders["quantity"].tolist() == free.orders["quantity"].tolist()
    assert (dear.equity <= free.equity + 1e-6).all()


@settings(deadline=None, max_examples=100)
@given(world=worlds(symbols=1, stances=(0.0, 1.0, np.nan)), execution=executions, cost=costs)
def test_costs_never_raise_the_equity_of_an_all_in_long_account(world, execution, cost):
    bars, strategy = world
    free = qtw.backtest(strategy, bars, execution=execution)
    dear = qtw.backtest(strategy, bars, execution=execution, costs=cost)
    assert (dear.equity <= free.equity * (1 + 1e-12)).all()


@settings(deadline=None, max_examples=100)
@given(world=worlds(), execution=executions, stop=stops, scale=st.sampled_from([0.01, 3.7, 1000.0]))
def test_scaling_prices_and_cash_together_scales_equity(world, execution, stop, scale):
    bars, strategy = world
    scaled = replace(bars, values={f: a * (1.0 if f == "volume" else scale) for f, a in bars.values.items()})
    run = {"execution": execution, "costs": qtw.Costs(commission_bps=8, spread_bps=4), "stops": stop}
    small = qtw.backtest(strategy, bars, cash=1e5, **run)
    large = qtw.backtest(strategy, scaled, cash=1e5 * scale, **run)
    np.testing.assert_allclose(large.equity, small.equity * scale, rtol=1e-9)
    np.testing.assert_allclose(large.orders["quantity"], small.orders["quantity"], rtol=1e-9)


@settings(deadline=None, max_examples=60)
@given(world=worlds(), execution=executions, cost=costs, stop=stops, cut=st.integers(2, 24))
def test_the_past_of_an_account_does_not_depend_on_the_future(world, execution, cost, stop, cut):
    bars, strategy = world
    cut = min(cut, len(bars))
    whole = qtw.backtest(strategy, bars, execution=execution, costs=cost, stops=stop)
    script = np.array(strategy.script).reshape(bars.shape)[:cut]
    part = qtw.backtest(
        Scripted(script=tuple(script.reshape(-1))), bars.head(cut), execution=execution, costs=cost, stops=stop
    )
    np.testing.assert_array_equal(part.equity, whole.equity.iloc[:cut])


@settings(deadline=None, max_examples=40)
@given(world=worlds(), execution=executions, cost=costs, stop=stops)
def test_the_same_question_gets_the_same_order_hash(world, execution, cost, stop):
    bars, strategy = world
    run = {"execution": execution, "costs": cost, "stops": stop}
    assert qtw.backtest(strategy, bars, **run).order_hash == qtw.backtest(strategy, bars, **run).order_hash
