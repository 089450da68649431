"""Laws of the account that hold in any world: for decisions and orders, accounts and costs of every kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.backtest.actions import Actions
from qtw_lab.core import Bars, Order
from qtw_lab.ledger import Account, Entry
from qtw_lab.strategies import Panel, Strategy
from qtw_lab.strategies.order_list import OrderList

BEFORE = pd.Timestamp("2023-12-31", tz="UTC")
DAY = pd.Timedelta(days=1)
CASH = 100_000.0

SEEDS = st.integers(0, 2**32 - 1)
EXECUTIONS = st.sampled_from(["next_open", "next_close", "same_close", "next_typical"])
ACCOUNTS = st.sampled_from(
    [Account(), Account(leverage=2), Account.cash(), Account.reg_t(), Account.reg_t(lot=10), Account(shorting=False)]
)
COSTS = st.sampled_from(
    [
        qtw.Costs(),
        qtw.Costs(commission_bps=8, spread_bps=4, slippage_bps=2, maker_bps=1),
        qtw.Costs(commission_per_share=0.01, commission_min=1, commission_per_order=0.5, sell_fee_bps=0.3, impact=0.5),
        qtw.Costs(spread_bps=10, borrow_bps_per_year=500, margin_rate=0.1, cash_rate=0.03, sell_fee_per_share=0.01),
    ]
)
STOPS = st.sampled_from(
    [
        qtw.Stops(),
        qtw.Stops(stop_loss=0.02, take_profit=0.03),
        qtw.Stops(trailing=0.03),
        qtw.Stops(trailing_amount=2.5, take_profit=0.05),
    ]
)
ENTRIES = st.sampled_from([Entry(), Entry(), Entry.limit(0.01), Entry.stop(0.005, good_for=3)])
PARTICIPATIONS = st.sampled_from([0.0, 0.0, 0.1, 0.5])


class Scripted(Strategy):
    """Gives the signals it was made with."""

    holds = True
    script: tuple = ()

    def signals(self, prices: Panel) -> Any:
        return np.array(self.script, dtype=float).reshape(prices.close.shape)


@dataclass(frozen=True)
class World:
    """Bars, decisions on them and orders beside them."""

    bars: Bars
    strategy: Strategy
    orders: tuple[Order, ...]

    def run(self, **given: Any) -> qtw.Result:
        return qtw.backtest(self.strategy, self.bars, orders=self.orders, cash=CASH, **given)


def _bars(rng: np.random.Generator, length: int, symbols: int) -> Bars:
    shape = (length, symbols)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, shape))
    high = np.maximum(open_, close) * (1 + rng.random(shape) * 0.02)
    low = np.minimum(open_, close) * (1 - rng.random(shape) * 0.02)
    volume = rng.integers(0, 4000, shape).astype(float)
    index = pd.date_range("2024-01-01", periods=length, tz="UTC")
    fields = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
    names = [f"S{place}" for place in range(symbols)]
    frames = {name: pd.DataFrame(array, index=index, columns=names) for name, array in fields.items()}
    return Bars.from_frame(pd.concat(frames, axis=1), calendar="XNYS")


def _given(rng: np.random.Generator, bars: Bars) -> Order:
    place, symbol = int(rng.integers(len(bars))), str(rng.choice(bars.symbols))
    price = float(bars.close[symbol].iloc[place])
    near = price * (1 + float(rng.normal(0, 0.02)))
    side = str(rng.choice(["buy", "sell"]))
    away = 1 if side == "buy" else -1
    kinds: list[dict[str, Any]] = [
        {"type": "market", "time_in_force": str(rng.choice(["gtc", "ioc", "fok", "opg", "cls"]))},
        {"type": "limit", "limit_price": near, "time_in_force": str(rng.choice(["gtc", "day", "ioc", "cls"]))},
        {"type": "stop", "stop_price": near},
        {"type": "stop_limit", "stop_price": near, "limit_price": near * (1 + away * 0.01), "good_for": 5},
        {"type": "trailing_stop", "trail_percent": 2.0},
        {"take_profit": 0.02, "stop_loss": 0.03, "legs_relative": True},
    ]
    chosen = kinds[int(rng.integers(len(kinds)))]
    group = {"oco": "g"} if rng.random() < 0.2 else {}
    return Order(symbol, side, float(rng.integers(1, 800)), bars.index[place] - DAY, **chosen, **group)


def _world(seed: int, *, symbols: int = 2, orders: int = 6, length: int = 24) -> World:
    rng = np.random.default_rng(seed)
    bars = _bars(rng, length, symbols)
    script = rng.choice([-1.0, 0.0, 1.0, np.nan], (length, symbols), p=[0.15, 0.15, 0.2, 0.5])
    given = tuple(_given(rng, bars) for _ in range(orders))
    return World(bars, Scripted(script=tuple(script.reshape(-1).tolist())), given)


def _signed(result: qtw.Result) -> pd.Series:
    return result.orders["quantity"].where(result.orders["side"] == "buy", -result.orders["quantity"])


def _places(result: qtw.Result) -> tuple[np.ndarray, np.ndarray]:
    orders = result.orders
    return result.bars.index.get_indexer(orders["time"]), pd.Index(result.bars.symbols).get_indexer(orders["symbol"])


@settings(deadline=None, max_examples=40)
@given(SEEDS, EXECUTIONS, ACCOUNTS, COSTS, STOPS, ENTRIES, PARTICIPATIONS)
def test_the_money_adds_up(seed, execution, account, costs, stops, entry, participation):
    """Equity is cash and shares; cash is what fills and holding left; parts of the costs are what was lost by them."""
    result = _world(seed).run(
        execution=execution, account=account, costs=costs, stops=stops, entry=entry, participation=participation
    )
    marked = (result.positions * result.bars.close).sum(axis=1)
    np.testing.assert_allclose(result.equity, result.cash + marked, rtol=1e-12, atol=1e-6)
    signed, orders, carry = _signed(result), result.orders, result.carry
    holding = carry.cash_interest + carry.dividends - carry.borrow - carry.margin_interest
    spent = float((signed * orders["price"] + orders["commission"]).sum())
    assert result.cash.iloc[-1] == pytest.approx(CASH - spent + holding, abs=1e-5)
    shares = np.zeros(result.bars.shape)
    np.add.at(shares, _places(result), signed.to_numpy())
    np.testing.assert_allclose(np.cumsum(shares, axis=0), result.positions, atol=1e-7)
    frictionless = CASH - float((signed * orders["quoted"]).sum()) + carry.cash_interest
    assert result.costs["paid"].sum() == pytest.approx(frictionless - result.cash.iloc[-1], abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(SEEDS, EXECUTIONS, ACCOUNTS, COSTS, STOPS, ENTRIES, PARTICIPATIONS)
def test_every_fill_is_at_a_price_of_its_bar_and_slips_against_the_order(
    seed, execution, account, costs, stops, entry, participation
):
    result = _world(seed).run(
        execution=execution, account=account, costs=costs, stops=stops, entry=entry, participation=participation
    )
    orders, at = result.orders, _places(result)
    room = 1e-9 * orders["quoted"]
    assert (orders["quoted"] >= result.bars.low.to_numpy()[at] - room).all()
    assert (orders["quoted"] <= result.bars.high.to_numpy()[at] + room).all()
    worse = (orders["price"] - orders["quoted"]) * np.where(orders["side"] == "buy", 1.0, -1.0)
    assert (worse >= -room).all()
    assert (orders["quantity"] > 0).all()
    assert (orders["commission"] >= 0).all()


@settings(deadline=None, max_examples=40)
@given(SEEDS, EXECUTIONS, ACCOUNTS, COSTS, STOPS, ENTRIES, st.sampled_from([0.05, 0.3]))
def test_the_fills_of_a_symbol_in_a_bar_stay_within_their_part_of_the_volume(
    seed, execution, account, costs, stops, entry, participation
):
    result = _world(seed).run(
        execution=execution, account=account, costs=costs, stops=stops, entry=entry, participation=participation
    )
    free = result.orders[result.orders["reason"] != "margin_call"]
    traded = free.pivot_table(index="time", columns="symbol", values="quantity", aggfunc="sum")
    traded = traded.reindex(index=result.bars.index, columns=list(result.bars.symbols)).fillna(0.0)
    assert (traded <= participation * result.bars.volume * (1 + 1e-9) + 1e-9).all(axis=None)


@settings(deadline=None, max_examples=40)
@given(
    SEEDS, EXECUTIONS, st.sampled_from([Account.cash(), Account(shorting=False)]), COSTS, STOPS, ENTRIES, PARTICIPATIONS
)
def test_an_account_without_shorts_or_credit_has_neither(seed, execution, account, costs, stops, entry, participation):
    result = _world(seed).run(
        execution=execution, account=account, costs=costs, stops=stops, entry=entry, participation=participation
    )
    assert result.positions.min(axis=None) >= -1e-9
    assert result.cash.min() >= -1e-6


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.sampled_from([Account.reg_t(), Account(leverage=1.5, buying_power="gross")]), COSTS, st.booleans())
def test_gross_exposure_is_within_leverage_right_after_the_fills_that_add_to_it(seed, account, costs, by_hand):
    """At the open, where all of these orders fill, prices are known and equity is that before the first order."""
    world = _world(seed, orders=0)
    rng = np.random.default_rng(seed)
    if by_hand:
        bars = world.bars
        orders = tuple(
            Order(
                str(rng.choice(bars.symbols)), str(rng.choice(["buy", "sell"])), float(rng.integers(1, 2500)),
                bars.index[int(rng.integers(len(bars)))] - DAY, time_in_force="opg",
            )
            for _ in range(12)
        )  # fmt: skip
        world = replace(world, strategy=OrderList(orders))
    result = world.run(account=account, costs=costs)
    opens = result.bars.open.to_numpy()
    before = np.vstack([np.zeros(opens.shape[1]), result.positions.to_numpy()[:-1]])
    signed, (bars_at, symbols_at) = _signed(result).to_numpy(), _places(result)
    opening = (result.orders["reason"] != "margin_call").to_numpy()
    for t in np.unique(bars_at[opening]):
        held, cash = before[t].copy(), CASH if t == 0 else result.cash.iloc[t - 1]
        worth = cash + held @ opens[t]
        for place in np.flatnonzero(opening & (bars_at == t)):
            gross = np.abs(held) @ opens[t]
            held[symbols_at[place]] += signed[place]
            if np.abs(held) @ opens[t] > gross * (1 + 1e-9):
                interest = 1e-3  # earned since the bar before, at most
                assert np.abs(held) @ opens[t] <= account.leverage * worth * (1 + interest)


@settings(deadline=None, max_examples=40)
@given(SEEDS, EXECUTIONS, st.sampled_from([7.0, 10.0, 100.0]), COSTS, STOPS, ENTRIES, PARTICIPATIONS)
def test_fills_are_whole_lots_unless_they_close(seed, execution, lot, costs, stops, entry, participation):
    result = _world(seed).run(
        execution=execution, account=Account(lot=lot, leverage=2), costs=costs, stops=stops, entry=entry,
        participation=participation,
    )  # fmt: skip
    lots = result.orders["quantity"] / lot
    after = _signed(result).groupby(result.orders["symbol"]).cumsum()
    assert ((lots - lots.round()).abs().lt(1e-6) | after.abs().lt(1e-9)).all()


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.sampled_from([qtw.Stops(stop_loss=0.02, take_profit=0.02), qtw.Stops(trailing=0.02)]), COSTS)
def test_where_the_two_paths_part_first_the_optimistic_account_is_worth_more(seed, stops, costs):
    result = _world(seed, symbols=1).run(stops=stops, costs=costs)
    apart = (result.optimistic.equity - result.equity).to_numpy()
    first = np.flatnonzero(np.abs(apart) > 1e-7 * CASH)
    if first.size:
        assert apart[first[0]] > 0
    assert result.optimistic.case.decisions is result.case.decisions


@settings(deadline=None, max_examples=40)
@given(SEEDS, ACCOUNTS, STOPS, PARTICIPATIONS)
def test_what_became_of_the_orders_is_what_the_fills_say(seed, account, stops, participation):
    world = _world(seed, orders=12)
    told = tuple(replace(order, reason=f"own {place}") for place, order in enumerate(world.orders))
    result = replace(world, orders=told).run(account=account, stops=stops, participation=participation)
    table = result.submitted
    for place, row in table.iterrows():
        fills = result.orders[result.orders["reason"] == f"own {place}"]
        assert fills["quantity"].sum() == pytest.approx(row["filled"], abs=1e-9)
        assert row["filled"] <= row["quantity"] * (1 + 1e-9)
        if len(fills):
            assert (fills["quantity"] * fills["price"]).sum() / row["filled"] == pytest.approx(row["price"])
            assert set(fills["side"]) == {row["side"]}
        else:
            assert np.isnan(row["price"])
            assert row["state"] != "filled"
        if row["state"] == "rejected":
            assert row["filled"] == 0


def _twins(seed: int, at: int) -> tuple[World, World, Actions]:
    """The same history on adjusted prices, and on raw ones that were twice as high until a share became two."""
    adjusted = _world(seed, symbols=1, orders=0, length=40)
    bars = adjusted.bars
    old = (np.arange(len(bars)) < at)[:, None]
    values = {
        name: np.where(old, array * (0.5 if name == "volume" else 2.0), array) for name, array in bars.values.items()
    }
    ratio = np.ones(bars.shape)
    ratio[at] = 2.0
    raw = replace(adjusted, bars=replace(bars, values=values, adjustment="raw"))
    return adjusted, raw, Actions(bars.index, bars.symbols, ratio, np.zeros(bars.shape))


@settings(deadline=None, max_examples=40)
@given(SEEDS, EXECUTIONS, STOPS.filter(lambda stops: stops.trailing_amount is None), ENTRIES, st.integers(1, 39))
def test_a_split_with_its_action_leaves_the_account_as_adjusted_prices_do(seed, execution, stops, entry, at):
    adjusted, raw, actions = _twins(seed, at)
    given = {
        "execution": execution, "stops": stops, "entry": entry, "participation": 0.3,
        "costs": qtw.Costs(commission_bps=5, spread_bps=4, borrow_bps_per_year=300, cash_rate=0.02),
    }  # fmt: skip
    plain, split = adjusted.run(**given), raw.run(actions=actions, **given)
    np.testing.assert_allclose(split.equity, plain.equity, rtol=1e-9)
    np.testing.assert_allclose(split.cash, plain.cash, rtol=1e-9, atol=1e-4)
    assert split.trades["pnl"].tolist() == pytest.approx(plain.trades["pnl"].tolist(), abs=1e-4)


def test_impact_does_not_take_a_split_for_volatility():
    """A split is no move of the price: past volatility and volume are those of shares as they are now."""
    adjusted, raw, actions = _twins(seed=0, at=22)
    costs = qtw.Costs(impact=0.5)
    plain, split = adjusted.run(costs=costs), raw.run(costs=costs, actions=actions)
    np.testing.assert_allclose(split.equity, plain.equity, rtol=1e-9)


@settings(deadline=None, max_examples=40)
@given(SEEDS, EXECUTIONS, ACCOUNTS, COSTS, STOPS, ENTRIES, PARTICIPATIONS)
def test_the_kernel_agrees_with_the_reference_engine(seed, execution, account, costs, stops, entry, participation):
    result = _world(seed, orders=8).run(
        execution=execution, account=account, costs=costs, stops=stops, entry=entry, participation=participation,
        verify=True,
    )  # fmt: skip
    assert result.agreement.agrees, result.agreement.text


# Single cases, worked by hand.


def _order(side: str, quantity: float, *, symbol: str = "X", at: int = 0, **given: Any) -> Order:
    """Live in bar `at`."""
    return Order(symbol, side, quantity, BEFORE + at * DAY, **given)


def _filled(result: qtw.Result) -> list[tuple[int, float, float]]:
    """Bar, signed shares and commission of every fill."""
    return list(zip(_places(result)[0].tolist(), _signed(result), result.orders["commission"], strict=True))


GROSS = Account(leverage=2, buying_power="gross")


@pytest.mark.parametrize("other", ["X", "Y"])
@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_an_order_counts_against_the_gross_room_of_the_next_at_the_same_open(bars_of, other, side, sign):
    """1000 of equity at leverage 2 carry 20 shares of 100: the second order finds no room."""
    orders = [_order(side, 15), _order(side, 15, symbol=other)]
    bars = bars_of(X=[100.0, 100.0], Y=[100.0, 100.0])
    result = qtw.backtest(OrderList(orders), bars, cash=1000.0, account=GROSS)
    assert _filled(result) == [(0, sign * 15, 0), (0, sign * 5, 0)]


def test_what_closes_a_position_gives_gross_room_to_the_next_order(bars_of):
    orders = [_order("buy", 20), _order("sell", 20, at=1), _order("buy", 20, symbol="Y", at=1)]
    bars = bars_of(X=[100.0, 100.0], Y=[100.0, 100.0])
    result = qtw.backtest(OrderList(orders), bars, cash=1000.0, account=GROSS)
    assert _filled(result) == [(0, 20, 0), (1, -20, 0), (1, 20, 0)]


def test_a_sale_that_brings_less_than_its_fee_lends_the_account_nothing(bars_of):
    """100 less 5 and 10 of fee; the sale brings 5 and costs 10: 80 are left, which buy 14 at 5 and their fee."""
    orders = [_order("buy", 1), _order("sell", 1, at=1), _order("buy", 100, at=1)]
    result = qtw.backtest(
        OrderList(orders), bars_of(X=[5.0, 5.0]), cash=100.0, account=Account.cash(),
        costs=qtw.Costs(commission_min=10),
    )  # fmt: skip
    assert result.cash.min() >= 0
    assert _filled(result) == [(0, 1, 10), (1, -1, 10), (1, 14, 10)]


EMPTY = {"volume": [1e6, 0.0, 1e6, 1e6]}


def test_the_flat_fee_is_paid_with_the_first_fill_even_if_the_first_bar_has_no_volume(bars_of):
    bars = bars_of(X={"close": [100.0] * 4, **EMPTY})
    given = {"participation": 0.5, "sizing": qtw.Sizing.fixed_shares(5), "costs": qtw.Costs(commission_per_order=7)}
    assert _filled(qtw.backtest(Scripted(script=(1.0,) * 4), bars, **given)) == [(2, 5, 7)]


def test_a_protective_exit_pays_the_flat_fee_even_if_its_own_bar_has_no_volume(bars_of):
    bars = bars_of(X={"close": [100.0, 95.0, 96.0, 96.0], "low": [100.0, 90.0, 96.0, 96.0], **EMPTY})
    given = {"participation": 0.5, "sizing": qtw.Sizing.fixed_shares(5), "costs": qtw.Costs(commission_per_order=7)}
    result = qtw.backtest(
        Scripted(script=(1.0,) * 4), bars, execution="same_close", stops=qtw.Stops(stop_loss=0.05), **given
    )
    assert _filled(result) == [(0, 5, 7), (2, -5, 7)]


@pytest.mark.parametrize("price", [60.0, 61.0, 62.5, 63.0, 64.0])
def test_a_margin_call_that_was_met_is_not_made_again_at_the_same_price(bars_of, price):
    """The cut leaves equity equal to the requirement; what then is missing is rounding, not margin."""
    result = qtw.backtest(
        Scripted(script=(1.0,) * 6), bars_of(X=[100.0] + [price] * 5), cash=1000.0, execution="same_close",
        account=Account.reg_t(), sizing=qtw.Sizing.fixed_shares(20),
    )  # fmt: skip
    equity, needed = 1000 - 20 * (100 - price), 20 * price * 0.25
    assert _filled(result) == [(0, 20, 0), (1, pytest.approx(-20 * (1 - equity / needed)), 0)]


def test_no_decision_and_no_order_is_no_trade(bars_of):
    result = qtw.backtest(Scripted(script=(np.nan,) * 3), bars_of(X=[1.0, 2.0, 3.0]))
    assert result.orders.empty
    assert result.equity.tolist() == [CASH] * 3


def test_the_kernel_writes_neither_the_decisions_nor_the_prices(bars_of):
    bars = bars_of(X=[100.0, 110.0, 90.0])
    strategy = Scripted(script=(1.0, -1.0, 0.0))
    before = {name: array.copy() for name, array in bars.values.items()}
    first = qtw.backtest(strategy, bars, orders=[_order("buy", 5, take_profit=120.0)], stops=qtw.Stops(trailing=0.1))
    again = first.again(first.case)
    assert again.order_hash == first.order_hash
    pd.testing.assert_frame_equal(again.submitted, first.submitted)
    for name, array in bars.values.items():
        np.testing.assert_array_equal(array, before[name])
