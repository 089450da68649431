"""An order that makes no sense does not exist, and a position adds up to the cent."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, Fill, Order, Position

NOW = pd.Timestamp("2024-01-02 14:30", tz="UTC")


def order(**changes) -> Order:
    return Order(**{"symbol": "X", "side": "buy", "quantity": 10, "submitted_at": NOW} | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"side": "sell", "quantity": 0.5},
        {"quantity": np.int64(3)},
        {"quantity": np.float64(3.5)},
        {"type": "limit", "limit_price": 100.0},
        {"type": "stop", "stop_price": 99.0},
        {"type": "stop_limit", "stop_price": 99.0, "limit_price": 98.5},
        {"type": "trailing_stop", "trail_price": 5.0},
        {"type": "trailing_stop", "trail_percent": 99.9},
        *({"time_in_force": life} for life in ("gtc", "day", "ioc", "fok", "opg", "cls")),
        {"type": "limit", "limit_price": 100.0, "time_in_force": "cls"},
        {"type": "stop", "stop_price": 99.0, "time_in_force": "day"},
        {"good_for": 1},
        {"good_for": None, "time_in_force": "day"},
        {"take_profit": 110.0, "stop_loss": 90.0},
        {"side": "sell", "take_profit": 90.0, "stop_loss": 110.0},
        {"take_profit": 110.0},
        {"stop_loss": 90.0},
        {"take_profit": 3.0, "stop_loss": 0.99, "legs_relative": True},
        {"side": "sell", "take_profit": 0.99, "stop_loss": 3.0, "legs_relative": True},
        {"oco": "exit"},
    ],
    ids=str,
)
def test_an_order_that_says_all_it_needs_is_taken(changes):
    assert order(**changes).symbol == "X"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"side": "hold"}, "neither 'buy' nor 'sell'"),
        ({"side": None}, "neither"),
        ({"type": "trailing"}, "'trailing' is not known; use one of market, limit, stop, stop_limit"),
        ({"submitted_at": pd.Timestamp("2024-01-02")}, "no time zone"),
        ({"submitted_at": pd.NaT}, "no time zone"),
        ({"submitted_at": "2024-01-02"}, "no time zone"),
        ({"type": "limit"}, "positive limit_price, not None"),
        ({"type": "stop"}, "positive stop_price, not None"),
        ({"type": "stop_limit", "limit_price": 10.0}, "stop_price"),
        ({"type": "stop_limit", "stop_price": 10.0}, "limit_price"),
        ({"type": "limit", "limit_price": -1.0}, "positive limit_price, not -1.0"),
        ({"type": "limit", "limit_price": math.nan}, "positive limit_price, not nan"),
        ({"type": "limit", "limit_price": "100"}, "positive limit_price, not '100'"),
        ({"type": "trailing_stop"}, "either trail_price .* or trail_percent .* not trail_price=None and trail_percent"),
        ({"type": "trailing_stop", "trail_price": 5.0, "trail_percent": 5.0}, "trail_price=5.0 and trail_percent=5.0"),
        ({"type": "trailing_stop", "trail_price": 0.0}, "trail_price=0.0"),
        ({"type": "trailing_stop", "trail_price": math.inf}, "trail_price=inf"),
        ({"type": "trailing_stop", "trail_percent": 100}, r"\(above 0, below 100\)"),
        ({"type": "trailing_stop", "trail_percent": -1}, "trail_percent=-1"),
        ({"type": "trailing_stop", "trail_percent": True}, "trail_percent=True"),
        ({"trail_price": 5.0}, "A market order for X does not trail; use type='trailing_stop'"),
        ({"type": "stop", "stop_price": 9.0, "trail_percent": 5.0}, "A stop order for X does not trail"),
        ({"time_in_force": "GTC"}, "'GTC' is not known; use one of gtc, day, ioc, fok, opg, cls"),
        ({"time_in_force": None}, "not known"),
        ({"good_for": 0}, "good_for=0 must be a whole number of bars of at least 1, or None"),
        ({"good_for": -2}, "good_for=-2"),
        ({"good_for": 2.0}, "good_for=2.0"),
        ({"good_for": True}, "good_for=True"),
        ({"good_for": "3"}, "good_for='3'"),
        ({"good_for": 3, "time_in_force": "day"}, "good_for=3 is for 'gtc' orders; this one is 'day'"),
        ({"take_profit": 0.0}, "take_profit=0.0 for X must be a positive, finite number"),
        ({"stop_loss": -1}, "stop_loss=-1 for X"),
        ({"stop_loss": math.nan}, "stop_loss=nan"),
        ({"take_profit": "110"}, "take_profit='110'"),
        ({"stop_loss": 1.0, "legs_relative": True}, "a fraction of 1.0 below the fill is no price"),
        ({"side": "sell", "take_profit": 1.5, "legs_relative": True}, "a fraction of 1.5 below the fill"),
        ({"take_profit": 90.0, "stop_loss": 110.0}, "wrong sides of each other for a buy"),
        ({"side": "sell", "take_profit": 110.0, "stop_loss": 90.0}, "wrong sides of each other for a sell"),
        ({"take_profit": 100.0, "stop_loss": 100.0}, "wrong sides"),
    ],
    ids=str,
)
def test_an_order_that_lacks_something_is_refused(changes, words):
    with pytest.raises(DataError, match=words):
        order(**changes)


@pytest.mark.parametrize("quantity", [0, -1, math.nan, math.inf, True, "10", None, 1j])
def test_a_quantity_is_positive_and_finite(quantity):
    with pytest.raises(DataError, match="positive, finite"):
        order(quantity=quantity)


@pytest.mark.parametrize("life", ["ioc", "fok", "opg", "cls"])
@pytest.mark.parametrize(
    "changes",
    [
        {"type": "stop", "stop_price": 99.0},
        {"type": "stop_limit", "stop_price": 99.0, "limit_price": 98.5},
        {"type": "trailing_stop", "trail_price": 1.0},
    ],
    ids=lambda changes: changes["type"],
)
def test_an_order_that_waits_for_a_stop_cannot_live_at_once_only(changes, life):
    with pytest.raises(DataError, match=f"A {changes['type']} order for X cannot be '{life}': only market and limit"):
        order(time_in_force=life, **changes)


def test_an_order_is_at_the_market_until_cancelled_without_legs_or_group_unless_it_says_so():
    plain = order()
    assert (plain.type, plain.time_in_force, plain.reason) == ("market", "gtc", "signal")
    others = ("good_for", "trail_price", "trail_percent", "take_profit", "stop_loss", "oco")
    assert [getattr(plain, name) for name in others] == [None] * len(others)
    assert not plain.legs_relative


@pytest.mark.parametrize("count", [np.int64(3), np.int32(1)])
def test_a_count_of_bars_may_come_from_numpy_as_a_quantity_may(count):
    assert order(good_for=count).good_for == count


def test_orders_fills_and_positions_are_frozen():
    for thing in (order(), Fill("X", 1, 1.0, 0.0, NOW), Position("X")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            thing.symbol = "Y"


def after(*trades: tuple[float, float]) -> Position:
    position = Position("X")
    for quantity, price in trades:
        position = position.after(Fill("X", quantity, price, 1.0, NOW))
    return position


@pytest.mark.parametrize(
    ("trades", "quantity", "average", "realized"),
    [
        ([(10, 100.0)], 10, 100.0, 0.0),
        ([(10, 100.0), (10, 110.0)], 20, 105.0, 0.0),  # (1000 + 1100) / 20
        ([(10, 100.0), (-4, 110.0)], 6, 100.0, 40.0),  # 4 x 10
        ([(10, 100.0), (-10, 90.0)], 0, 0.0, -100.0),
        ([(10, 100.0), (-15, 120.0)], -5, 120.0, 200.0),  # closes 10, opens 5 short at the fill's price
        ([(-10, 100.0), (-10, 90.0)], -20, 95.0, 0.0),
        ([(-10, 100.0), (4, 90.0)], -6, 100.0, 40.0),
        ([(-10, 100.0), (10, 110.0)], 0, 0.0, -100.0),
        ([(-10, 100.0), (15, 80.0)], 5, 80.0, 200.0),
        ([(10, 100.0), (0, 500.0)], 10, 100.0, 0.0),
        ([(0, 500.0)], 0, 0.0, 0.0),
        ([(10, 100.0), (-10, 110.0), (5, 50.0)], 5, 50.0, 100.0),
    ],
)
def test_a_position_after_fills_is_the_one_on_paper(trades, quantity, average, realized):
    assert after(*trades) == Position("X", float(quantity), average, realized)


def test_a_fill_of_another_symbol_is_refused():
    with pytest.raises(DataError, match="A fill in Y cannot change a position in X"):
        Position("X").after(Fill("Y", 1, 1.0, 0.0, NOW))


TRADES = st.lists(
    st.tuples(st.integers(-1000, 1000), st.integers(1, 100_000).map(lambda cents: cents / 100)), min_size=1, max_size=30
)


@given(TRADES, st.floats(0.01, 1000))
def test_profit_booked_and_open_is_what_the_cash_says(trades, mark):
    """At any price: realized + open profit = value held - money paid, whatever the order of trades."""
    position = after(*trades)
    paid = math.fsum(quantity * price for quantity, price in trades)
    held = sum(quantity for quantity, _ in trades)
    assert position.quantity == held
    booked = position.realized + position.quantity * (mark - position.average_price)
    assert booked == pytest.approx(held * mark - paid, rel=1e-9, abs=1e-5)


@given(TRADES)
def test_the_mean_price_lies_between_the_prices_paid(trades):
    position = after(*trades)
    prices = [price for _, price in trades]
    if position.quantity:
        assert min(prices) * (1 - 1e-12) <= position.average_price <= max(prices) * (1 + 1e-12)
    else:
        assert position.average_price == 0.0
