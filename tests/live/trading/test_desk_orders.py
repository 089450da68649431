"""Orders of the desk that are refused, lost, halted, or stay open: no decision is lost by it, and none traded twice."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from by_hand import Rig, Wrapped, bars_of, shares

from qtw_lab.core import Bars, VenueError
from qtw_lab.ledger.limits import Limits
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.brokers import LostAnswerError
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.killswitch import KillSwitch
from qtw_lab.venues.paper.account_rules import AlpacaRules
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore

D = Decimal

#: Ten shares at each of a bar's four quotes: orders for more stay open.
THIN = FillModel(sized=True, participation=1e-8)


def hours(*opens):
    """Hourly bars of X that do not move within the hour, from 09:30 in New York."""
    index = pd.date_range("2024-01-02 14:30", periods=len(opens), freq="h", tz="UTC")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), np.array(opens, float)), index=index)
    return Bars.from_frame(frame.assign(volume=1e6), symbol="X", calendar="XNYS")


def thin(*sessions, count=7):
    return Rig(hours(*[10] * count), *sessions, model=THIN)


def hourly(name, count):
    return shares(name, count, interval="1h")


def wrapped(*sessions, prices=(10, 11, 12, 13, 14)):
    return Rig(bars_of(X=prices, Y=prices), *sessions, broker=Wrapped)


def guarded(tmp_path, **limits):
    """Two sessions and a guard before every order."""

    def guard(rig, outbox, mirror):
        return Guard(
            Limits(**limits), rig.broker, outbox, mirror, MemoryStore(), now=rig.paper.now, session=rig.paper.now,
            prices=lambda symbol: rig.desk.prices[symbol], switch=KillSwitch(tmp_path / "stop"),
        )  # fmt: skip

    return Rig(bars_of(X=[10] * 6, Y=[10] * 6), shares("a", 30, "X,Y"), shares("b", 10), allow=guard)


# Refused


def test_what_the_broker_refuses_is_over_with_its_reason_and_waits_for_another_decision():
    rig = wrapped(shares("a", 5))
    rig.bar(0, {"a": {"X": 1}})
    rig.broker.error = RefusedError(403, "insufficient buying power")
    (order,) = rig.bar(1)
    assert (order.status, order.reason, rig.state.open) == ("refused", "insufficient buying power", {})
    rig.broker.error = None
    assert rig.bar(2, {"a": {"X": 1}}) == []  # the same as before
    assert rig.bar(3, {"a": {"X": -1}}) == []
    rig.bar(4)
    assert (rig.held("a"), rig.sent()) == ({"X": D(-5)}, [("X", "sell", D(5))])
    rig.sound()


def test_one_order_that_is_refused_does_not_keep_the_others_back():
    rig = wrapped(shares("a", 5, "X,Y"))
    rig.bar(0, {"a": {"X": 1, "Y": 1}})
    sent = rig.broker.submit
    rig.broker.submit = lambda ticket: _refuse("no") if ticket.symbol == "X" else sent(ticket)
    orders = {order.symbol: (order.status, order.reason) for order in rig.bar(1)}
    assert orders == {"X": ("refused", "no"), "Y": ("filled", "")}
    assert rig.held("a") == {"Y": D(5)}


def _refuse(why):
    raise RefusedError(403, why)


def test_what_breaks_a_limit_is_not_sent(tmp_path):
    rig = guarded(tmp_path, max_order_shares=30)
    rig.bar(0, {"a": {"X": 1}, "b": {"X": 1}})
    (order,) = rig.bar(1)
    assert (order.status, rig.sent()) == ("refused", [])
    assert order.reason.startswith("The order is not sent.")
    rig.closes(1)
    assert rig.bar(2, {"b": {"X": -1}}) == []
    (order,) = rig.bar(3)
    assert (order.status, rig.held("b")) == ("filled", {"X": D(-10)})
    rig.sound()


def test_a_session_that_closes_tries_again_where_its_order_is_refused():
    rig = wrapped(shares("a", 5))
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1)
    rig.desk.change("a", "closing")
    rig.broker.error = RefusedError(403, "not now")
    rig.bar(2)
    rig.broker.error = None
    rig.bar(3)
    assert (rig.held("a"), rig.state.sleeves["a"].status) == ({}, "stopped")


def test_a_session_can_turn_its_position_under_alpacas_rules():
    rig = Rig(bars_of(X=[10] * 6), shares("a", 30), rules=AlpacaRules(), model=FillModel())
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1, {"a": {"X": -1}})
    for t in (2, 3, 4):
        rig.bar(t)
    assert rig.held("a") == {"X": D(-30)}


def test_a_session_can_sell_what_it_holds_while_another_is_short_under_alpacas_rules():
    rig = Rig(bars_of(X=[10] * 6), shares("a", 30), shares("b", 10), rules=AlpacaRules(), model=FillModel())
    rig.bar(0, {"a": {"X": 1}, "b": {"X": -1}})
    rig.bar(1, {"a": {"X": 0}})
    for t in (2, 3, 4):
        rig.bar(t)
    assert (rig.held("a"), rig.held("b")) == ({}, {"X": D(-10)})


# Lost


def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again():
    rig = wrapped(shares("a", 5))
    rig.bar(0, {"a": {"X": 1}})
    rig.broker.error, rig.broker.after = LostAnswerError("no answer"), True
    rig.bar(1)
    rig.broker.error = None
    rig.bar(2)
    assert (rig.sent(), rig.held("a")) == ([("X", "buy", D(5))], {"X": D(5)})
    rig.sound()


LOST = [LostAnswerError("no answer"), VenueError("Alpaca answered 429: it was not carried out.")]


@pytest.mark.parametrize("error", LOST)
def test_an_order_that_never_got_there_is_tried_again(error):
    rig = wrapped(shares("a", 5))
    rig.bar(0, {"a": {"X": 1}})
    rig.broker.error = error
    rig.bar(1)
    rig.broker.error = None
    rig.bar(2)
    rig.bar(3)
    assert (rig.sent(), rig.held("a")) == ([("X", "buy", D(5))], {"X": D(5)})
    rig.sound()


@pytest.mark.parametrize("error", LOST)
def test_an_order_that_never_got_there_is_tried_again_after_a_start(error):
    rig = wrapped(shares("a", 5))
    rig.bar(0, {"a": {"X": 1}})
    rig.broker.error = error
    rig.bar(1)
    rig.broker.error = None
    rig.trader.compare()
    rig.desk.recover()
    assert rig.state.sleeves["a"].waiting == {"X": 1.0}
    rig.bar(2)
    assert (rig.sent(), rig.held("a")) == ([("X", "buy", D(5))], {"X": D(5)})
    assert [order.status for order in rig.state.orders.values()] == ["abandoned", "filled"]
    rig.sound()


def test_after_a_lost_answer_what_was_to_be_sent_next_waits():
    rig = wrapped(shares("a", 5, "X,Y"))
    rig.bar(0, {"a": {"X": 1, "Y": 1}})
    rig.broker.error, rig.broker.after = LostAnswerError("no answer"), True
    rig.broker.find, found = lambda name: None, rig.broker.find
    rig.opens(1)
    rig.broker.error, rig.broker.find = None, found
    rig.closes(1)
    assert rig.sent() == [("X", "buy", D(5))]
    assert rig.state.sleeves["a"].waiting == {"Y": 1.0}
    rig.bar(2)
    assert rig.sent() == [("X", "buy", D(5)), ("Y", "buy", D(5))]
    assert rig.held("a") == {"X": D(5), "Y": D(5)}
    rig.sound()


# Not reconciled, or halted


def test_nothing_is_sent_while_the_account_is_not_reconciled():
    rig = wrapped(shares("a", 5))
    rig.bar(0, {"a": {"X": 1}})
    rig.trader.mirror.doubt()
    rig.at(rig.market.opens[1])
    assert rig.desk.trade(rig.seen(1)) == []
    assert (rig.sent(), rig.state.orders, rig.state.sleeves["a"].waiting) == ([], {}, {"X": 1.0})
    rig.trader.compare()
    rig.bar(2)
    assert rig.sent() == [("X", "buy", D(5))]


def test_while_the_kill_switch_is_tripped_decisions_wait_and_then_they_are_traded(tmp_path):
    rig = guarded(tmp_path)
    KillSwitch(tmp_path / "stop").trip("somebody", "a test")
    rig.bar(0, {"a": {"X": 1}, "b": {"X": 1}})
    rig.bar(1, {"b": {"X": -1}})
    assert (rig.sent(), rig.state.orders) == ([], {})
    KillSwitch(tmp_path / "stop").reset("somebody", "over")
    rig.bar(2)
    assert rig.sent() == [("X", "buy", D(20))]
    assert (rig.held("a"), rig.held("b")) == ({"X": D(30)}, {"X": D(-10)})
    rig.sound()


def test_a_switch_that_is_tripped_between_two_orders_lets_the_second_wait(tmp_path):
    rig = guarded(tmp_path)
    rig.bar(0, {"a": {"X": 1, "Y": 1}})
    switch, submit = KillSwitch(tmp_path / "stop"), rig.trader.outbox.submit
    rig.trader.outbox.submit = lambda ticket: (submit(ticket), switch.trip("somebody", "a test"))[0]
    assert [order.status for order in rig.opens(1)] == ["filled", "abandoned"]
    rig.closes(1)
    assert (rig.sent(), rig.state.sleeves["a"].waiting) == ([("X", "buy", D(30))], {"Y": 1.0})
    rig.trader.outbox.submit = submit
    rig.bar(2)
    switch.reset("somebody", "over")
    rig.bar(3)
    assert rig.held("a") == {"X": D(30), "Y": D(30)}
    rig.sound()


# Open


def test_an_order_that_fills_in_parts_is_given_out_part_by_part():
    rig = thin(hourly("a", 60), hourly("b", 20))
    rig.bar(0, {"a": {"X": 1}, "b": {"X": -1}})
    (order,) = rig.opens(1)
    assert (order.filled, rig.held("a"), rig.held("b")) == (D(10), {"X": D(15)}, {"X": D(-5)})
    rig.closes(1)
    assert (order.filled, order.status) == (D(40), "filled")
    assert (rig.held("a"), rig.held("b")) == ({"X": D(60)}, {"X": D(-20)})
    assert len(rig.state.executions) == 4
    rig.sound()


def test_a_new_decision_cancels_the_order_before_and_counts_what_it_had_filled():
    rig = thin(hourly("a", 100))
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1, {"a": {"X": -1}})
    (second,) = rig.opens(2)
    first = next(iter(rig.state.orders.values()))
    assert (first.status, first.filled) == ("canceled", D(50))  # four quotes of its bar, and the first of this
    assert second.parts == {"a": D(-150)}
    assert list(rig.state.open) == [second.name]
    rig.closes(2)
    rig.sound()


def test_a_new_decision_of_one_session_takes_nothing_from_another():
    rig = thin(hourly("a", 60), hourly("b", 60))
    rig.bar(0, {"a": {"X": 1}, "b": {"X": 1}})
    rig.bar(1, {"a": {"X": 0}})
    for t in range(2, 7):
        rig.bar(t)
    assert (rig.held("a"), rig.held("b")) == ({}, {"X": D(60)})
    rig.sound()


def test_what_was_decided_while_the_broker_does_not_cancel_waits():
    rig = Rig(hours(*[10] * 7), hourly("a", 200), model=THIN, broker=Wrapped)
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1, {"a": {"X": 0}})
    rig.broker.cancel = lambda order_id: _refuse("not now")
    assert rig.bar(2) == []
    assert (rig.state.sleeves["a"].waiting, len(rig.state.orders)) == ({"X": 0.0}, 1)
    del rig.broker.cancel
    for t in (3, 4, 5, 6):
        rig.bar(t)
    assert [side for _, side, _ in rig.sent()] == ["buy", "sell"]
    assert rig.held("a") == {}
    rig.sound()


def test_what_the_venue_ends_in_part_is_over_with_the_part_that_filled():
    rig = Rig(bars_of(X=[10] * 4), shares("a", 100), model=THIN)
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1)
    rig.bar(2)
    (order,) = rig.state.orders.values()
    assert (order.status, order.filled, rig.held("a")) == ("expired", D(40), {"X": D(40)})
    assert rig.account.positions() == rig.together()
    rig.sound()
