"""A list of orders decides nothing and is traded as it stands."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError, Order
from qtw_lab.strategies import Panel
from qtw_lab.strategies.order_list import OrderList

BEFORE = pd.Timestamp("2023-12-31", tz="UTC")


def _buy(quantity: float = 1.0, **given: object) -> Order:
    return Order(**{"symbol": "X", "side": "buy", "quantity": quantity, "submitted_at": BEFORE} | given)


def test_it_decides_nothing_at_any_bar(bars_of):
    bars = bars_of(X=[1.0, 2.0, 3.0], Y=[1.0, 2.0, 3.0])
    decisions = OrderList([_buy()]).decide(Panel.of(bars))
    assert decisions.shape == (3, 2)
    assert np.isnan(decisions).all()


def test_it_shows_how_many_orders_it_holds():
    assert repr(OrderList([_buy()])) == "OrderList(1 order)"
    assert repr(OrderList([_buy(), _buy()])) == "OrderList(2 orders)"
    assert OrderList([_buy(), _buy()]).parameters["orders"] == 2
    assert OrderList([_buy()]).name == "order_list"


def test_orders_may_come_from_anything_that_can_be_looped_over():
    orders = [_buy(1), _buy(2)]
    for given in (orders, tuple(orders), iter(orders), (order for order in orders)):
        assert OrderList(given).orders == tuple(orders)


@pytest.mark.parametrize("given", [[], (), iter([])])
def test_an_empty_list_is_refused(given):
    with pytest.raises(DataError, match=r"needs at least one qtw\.Order"):
        OrderList(given)


@pytest.mark.parametrize(("thing", "kind"), [("buy 10 X", "str"), (None, "NoneType"), ({"side": "buy"}, "dict")])
def test_what_is_no_order_is_refused_by_its_kind(thing, kind):
    with pytest.raises(DataError, match=rf"holds qtw\.Order objects, not {kind}"):
        OrderList([_buy(), thing])


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        OrderList([_buy()]).orders = ()


def test_an_order_for_a_symbol_without_bars_is_refused_with_those_there_are(bars_of):
    with pytest.raises(DataError, match="An order is for Z; these bars have X, Y"):
        qtw.backtest(OrderList([_buy(symbol="Z")]), bars_of(X=[1.0, 2.0], Y=[1.0, 2.0]))


def test_its_orders_come_before_those_given_beside_it(bars_of):
    bars = bars_of(X=[10.0, 10.0])
    result = qtw.backtest(OrderList([_buy(60)]), bars, orders=[_buy(60)], cash=1000.0)
    assert result.submitted["filled"].tolist() == [60.0, 40.0]


@pytest.mark.parametrize("execution", ["next_open", "next_close", "same_close", "next_typical"])
def test_execution_is_for_decisions_and_leaves_orders_alone(bars_of, execution):
    bars = bars_of(X={"open": [10.0, 10.0], "close": [12.0, 12.0], "high": [13.0, 13.0], "low": [9.0, 9.0]})
    result = qtw.backtest(OrderList([_buy(5)]), bars, execution=execution)
    assert result.orders["price"].tolist() == [10.0]


def test_a_reason_of_ones_own_is_in_the_order_list(bars_of):
    result = qtw.backtest(OrderList([_buy(reason="index inclusion"), _buy()]), bars_of(X=[10.0, 10.0]))
    assert result.orders["reason"].tolist() == ["index inclusion", "signal"]


def test_two_lists_are_equal_when_their_orders_are():
    assert OrderList([_buy(1)]) == OrderList([_buy(1)])
    assert OrderList([_buy(1)]) != OrderList([_buy(2)])


def test_a_list_survives_being_recorded_and_shown(bars_of):
    result = qtw.backtest(OrderList([_buy(5)]), bars_of(X=[10.0, 11.0, 12.0]))
    assert "OrderList(1 order)" in repr(result)
    assert result.to_dict()["parameters"]["orders"] == 1
