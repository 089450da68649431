"""One simulation's inputs: complete, checked, and the same for every engine."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.actions import Actions
from qtw_lab.backtest.case import Carry
from qtw_lab.backtest.engine import case_of
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import DataError, Order
from qtw_lab.ledger import Entry
from qtw_lab.strategies.order_list import OrderList

BEFORE = pd.Timestamp("2023-12-31", tz="UTC")


def _case(strategy, bars, **given):
    known = {name: given.pop(name) for name in ("orders", "actions", "vwap") if name in given}
    return case_of(strategy, bars, Terms.given(**given), **known)


def test_a_case_holds_the_decisions_and_their_kind(bars_of, told, told_weights):
    bars = bars_of(X=[1.0, 2.0, 3.0])
    case = _case(told(1, 0, -1), bars)
    assert case.kind == "signals"
    assert case.decisions[:, 0].tolist() == [1, 0, -1]
    assert (case.seen, case.asked, case.orders) == (bars, None, ())
    weights = _case(told_weights(0.5, 0.5, 0.1), bars)
    assert weights.kind == "weights"
    assert weights.rules.weights
    assert not case.rules.weights


def test_the_optimistic_case_is_the_same_but_for_its_path(bars_of, told):
    case = _case(told(1, 0), bars_of(X=[1.0, 2.0]), stops=qtw.Stops(stop_loss=0.1))
    best = case.optimistic()
    assert (case.rules.optimistic, best.rules.optimistic) == (False, True)
    assert best.rules == case.rules._replace(optimistic=True)
    for name in ("strategy", "bars", "decisions", "kind", "market", "seen", "orders", "asked"):
        assert getattr(best, name) is getattr(case, name)


def test_an_order_for_another_symbol_is_refused_before_anything_runs(bars_of):
    order = Order("Z", "buy", 1, BEFORE)
    with pytest.raises(DataError, match="An order is for Z; these bars have X, Y"):
        _case(OrderList([order]), bars_of(X=[1.0, 2.0], Y=[1.0, 2.0]))


def test_many_symbols_are_not_all_listed_in_a_refusal(bars_of):
    bars = bars_of(**{f"S{place:02d}": [1.0, 2.0] for place in range(20)})
    with pytest.raises(DataError) as caught:
        _case(OrderList([Order("Z", "buy", 1, BEFORE)]), bars)
    assert "S07" in str(caught.value)
    assert "S08" not in str(caught.value)


def test_orders_of_the_list_come_before_those_given_beside_it(bars_of):
    one, two = Order("X", "buy", 1, BEFORE), Order("X", "sell", 1, BEFORE)
    assert _case(OrderList([one]), bars_of(X=[1.0, 2.0]), orders=[two]).orders == (one, two)


def test_a_measured_sizing_is_worked_into_the_decisions_and_remembered_as_asked(bars_of, told):
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 60)))
    sizing = qtw.Sizing.volatility_target(0.1)
    case = _case(told(*[1.0] * 60), bars_of(X=closes), sizing=sizing)
    assert case.asked.sizing == sizing
    assert not case.terms.sizing.measured
    result = qtw.backtest(told(*[1.0] * 60), bars_of(X=closes), sizing=sizing)
    assert result.terms.sizing == sizing


def test_with_actions_the_strategy_sees_adjusted_prices_and_trades_raw_ones(bars_of, told):
    bars = bars_of(X=[100.0, 100.0, 50.0, 50.0])
    actions = Actions(bars.index, bars.symbols, np.array([[1.0], [1.0], [2.0], [1.0]]), np.zeros((4, 1)))
    case = _case(told(1, 1, 1, 1), bars, actions=actions)
    assert case.seen.close["X"].tolist() == [50.0, 50.0, 50.0, 50.0]
    assert case.bars.close["X"].tolist() == [100.0, 100.0, 50.0, 50.0]
    assert case.market.close[:, 0].tolist() == [100.0, 100.0, 50.0, 50.0]
    assert case.market.split[:, 0].tolist() == [1, 1, 2, 1]


def test_entry_orders_are_refused_for_weights(bars_of, told_weights):
    with pytest.raises(DataError, match="gives weights; entry orders are for strategies that give signals"):
        _case(told_weights(0.5, 0.5), bars_of(X=[1.0, 2.0]), entry=Entry.limit(0.01))


def test_the_markets_arrays_cannot_be_written(bars_of, told):
    market = _case(told(1, 0), bars_of(X=[1.0, 2.0])).market
    for array in market:
        assert not array.flags.writeable


def test_a_case_is_frozen(bars_of, told):
    case = _case(told(1, 0), bars_of(X=[1.0, 2.0]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        case.kind = "weights"


def test_nothing_is_carried_unless_said():
    assert Carry() == Carry(borrow=0.0, margin_interest=0.0, cash_interest=0.0, dividends=0.0)
