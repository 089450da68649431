"""What may still fill: orders before anybody tells of them, exits, replacements, and orders of somebody else."""

from decimal import Decimal

import pytest
from guarded import falling, limit
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Exit, Ticket
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.refused import NotAllowedError

D = Decimal


def bracket(desk, name="a"):
    exits = {"target": Exit(limit=D(150)), "stop_loss": Exit(stop=D(80))}
    return desk.send(name, qty=10, shape="bracket", **exits)


def thin():
    """AAA at 100, then a bid for 4 shares at 150.9, then an offer of 4 at 89."""
    rows = [quote(0, 0, 99.9, 100.1), quote(0, 600, 150.9, 151.1, 4), quote(0, 1200, 88.9, 89, 4)]
    return market(*rows, trade(0, 7200, 100.0, number=9), days=(daily(0, "2023-12-29", 100.0),))


def parted(post, **limits):
    return post(thin(), model=FillModel(sized=True), **limits)


def sold(desk, how):
    """The name of an order to sell 10 of 10 at 150, of which 4 were sold."""
    exits = {"target": Exit(limit=D(150)), "stop_loss": Exit(stop=D(80))}
    if how == "bracket":
        desk.send("a", qty=10, shape="bracket", **exits)
    else:
        desk.send("a", qty=10)
    desk.trader.compare()
    if how == "oco":
        desk.send("b", "sell", 10, **limit(150), shape="oco", **exits)
    elif how == "outsider":
        desk.desk.exchange.submit(Ticket("AAA", "sell", "limit", "day", qty=D(10), limit_price=D(150)))
    desk.desk.at(700)
    desk.trader.compare()
    assert desk.mirror.positions() == {"AAA": D(6)}


def test_an_order_counts_before_anybody_has_told_of_it_and_once_when_it_has_filled(post):
    desk = post(max_symbol_value=1500)
    desk.send("a", qty=10)
    assert desk.mirror.orders == {}
    assert desk.refused("b", qty=6) == [("max_symbol_value", "1600")]
    desk.trader.compare()
    assert desk.guard.standing().working == []
    assert desk.refused("b", qty=6) == [("max_symbol_value", "1600")]
    desk.send("b", qty=5)


def test_an_order_of_somebody_else_blocks_what_opens_and_not_what_reduces(post):
    desk = post(max_gross=10_000)
    desk.send("a", qty=10)
    desk.desk.exchange.submit(Ticket("AAA", "sell", "limit", "day", qty=D(4), limit_price=D(150)))
    desk.trader.compare()
    assert desk.refused("b", symbol="BBB") == [("max_gross", "unknown")]
    assert desk.refused("b", "sell", 7) == [("max_gross", "unknown")]  # with the other that is more than is held
    desk.send("b", "sell", 6)


def test_somebody_elses_order_at_the_market_is_known_whole(post):
    desk = post(max_symbol_value=1000)
    desk.desk.exchange.submit(Ticket("AAA", "buy", "market", "cls", qty=D(4)))  # waits for the close
    desk.trader.compare()
    assert desk.guard.standing().working == [("AAA", D(4), D(0))]
    assert desk.refused("a", qty=7) == [("max_symbol_value", "1100")]
    desk.send("a", qty=6)


@pytest.mark.parametrize("known_by", ["its answer", "a question"])
def test_exits_count_as_one_order_that_closes(post, known_by):
    desk = post(max_symbol_value=1000, max_open_orders=2, allow_short=False)
    if known_by == "a question":  # as if its answer had been lost
        desk.guard.sent = lambda ticket, view: None
    bracket(desk)
    assert desk.guard.standing().working == [("AAA", D(10), D(0))]
    desk.trader.compare()
    for one in (desk, desk.start()):
        assert len([order for order in one.mirror.orders.values() if order.open]) == 2
        assert one.guard.standing().working == [("AAA", D(-10), D(150))]
        assert one.refused("b", "sell", 1) == [("allow_short", "1")]  # all that is held is on sale
        assert one.refused("b", "buy", 1) == [("max_symbol_value", "1100")]


def test_an_order_that_waits_with_its_exits_counts_without_them(post):
    desk = post(max_symbol_value=1000)
    exits = {"shape": "bracket", "target": Exit(limit=D(150)), "stop_loss": Exit(stop=D(80))}
    desk.send("a", qty=10, **limit(90), **exits)
    desk.trader.compare()
    assert desk.guard.standing().working == [("AAA", D(10), D(100))]
    desk.trader.cancel(desk.outbox.intents["a"].order_id)
    desk.trader.compare()
    assert desk.guard.standing().working == []


def test_a_pair_of_exits_counts_as_one_until_it_is_over(post):
    desk = post(falling())
    desk.send("a", qty=10)
    desk.trader.compare()
    pair = {"shape": "oco", "target": Exit(limit=D(150)), "stop_loss": Exit(stop=D(95))}
    desk.send("b", "sell", 10, **limit(150), **pair)
    desk.trader.compare()
    assert desk.guard.standing().working == [("AAA", D(-10), D(150))]
    desk.desk.at(700)  # the stop is reached
    desk.trader.compare()
    assert (desk.guard.standing().working, desk.mirror.positions()) == ([], {})


def test_a_replacement_is_judged_without_what_it_replaces_and_known_by_its_terms_ever_after(post):
    desk = post(max_symbol_value=1000)
    resting = desk.send("a", qty=6, **limit(90))
    with pytest.raises(NotAllowedError, match=r"\$1,100\.00"):
        desk.trader.amend(resting.id, qty=D(11))
    replaced = desk.trader.amend(resting.id, qty=D(10))
    desk.trader.compare()
    for one in (desk, desk.start()):
        assert one.guard.standing().working == [("AAA", D(10), D(100))]
        assert one.refused("b") == [("max_symbol_value", "1100")]
    with pytest.raises(RefusedError, match="limit_price"):
        desk.trader.amend(replaced.id, limit_price=D("90.001"))
    desk.trader.amend(replaced.id, qty=D(4))
    desk.trader.compare()
    desk.send("b", qty=6)
    assert [one.by for one in desk.log()] == ["limits", "limits", "limits", "broker"]


def test_an_order_whose_terms_are_not_known_cannot_be_replaced(post):
    desk = post()
    outside = desk.desk.exchange.submit(Ticket("AAA", "buy", "limit", "day", qty=D(4), limit_price=D(90)))
    entry = bracket(desk)
    desk.trader.compare()
    for order_id in (outside.id, entry.legs[0].id):
        with pytest.raises(NotAllowedError, match="Cancel it, and send another"):
            desk.trader.amend(order_id, qty=D(5))
    assert [(one.ticket, one.breaches[0].rule) for one in desk.log()] == [(None, "terms")] * 2


@pytest.mark.parametrize("how", ["bracket", "oco", "outsider"])
def test_what_an_exit_has_closed_is_no_longer_open(post, how):
    desk = parted(post, max_open_orders=2)
    sold(desk, how)
    ((symbol, left, price),) = desk.guard.standing().working
    assert (symbol, left) == ("AAA", D(-6))
    assert price.is_nan() if how == "outsider" else price == 150


def test_the_rest_of_a_replaced_order_counts_without_what_it_had_filled(post):
    desk = parted(post, max_order_shares=10)
    resting = desk.send("a", qty=10, **limit(90))
    desk.desk.at(1300)
    desk.trader.compare()
    assert desk.mirror.positions() == {"AAA": D(4)}
    with pytest.raises(NotAllowedError, match="11 shares"):
        desk.trader.amend(resting.id, qty=D(15))
    desk.trader.amend(resting.id, qty=D(14))
    desk.trader.compare()
    standing = desk.start().guard.standing()  # the rest has met the same offer of 4 again
    assert (standing.positions, standing.working) == ({"AAA": D(8)}, [("AAA", D(6), D(100))])


def test_a_replacement_counts_while_only_the_end_of_the_order_before_it_is_told(post):
    desk = post(max_symbol_value=1000)
    resting = desk.send("a", qty=6, **limit(90))
    desk.trader.compare()
    desk.trader.amend(resting.id, qty=D(10))
    desk.mirror.told({"event": "replaced", "order": desk.desk.now(resting.id)}, desk.outbox.intents)
    for one in (desk.guard, Guard(
        desk.guard.limits, desk.broker, desk.outbox, desk.mirror, desk.stores[2], now=desk.desk.exchange.now,
        session=lambda: OPEN, prices=desk.prices.get,
    )):  # fmt: skip
        assert one.standing().working == [("AAA", D(10), D(100))]


def test_an_order_that_has_filled_more_than_the_fills_that_are_known_makes_its_symbol_unknown(post):
    desk = post(max_symbol_value=10_000)
    desk.send("a", qty=5)
    order = desk.desk.now(desk.outbox.intents["a"].order_id)
    desk.mirror.told({"event": "canceled", "order": {**order, "status": "canceled"}}, desk.outbox.intents)
    assert desk.mirror.positions() == {}
    assert desk.refused("b") == [("max_symbol_value", "unknown")]
    desk.trader.compare()
    desk.send("b")


def test_positions_are_the_mirrors_through_a_new_session(post):
    desk = post()
    desk.send("a", qty=5)
    desk.trader.compare()
    said = {"id": "x", "symbol": "BBB", "shares": "3", "reason": "a transfer"}
    desk.mirror._keep([Event("adjusted", OPEN, "", said)])
    for start in (OPEN, OPEN + 6 * SECOND, None, OPEN):
        desk.session = start
        standing = desk.guard.standing()
        assert standing.positions == desk.mirror.positions() == {"AAA": D(5), "BBB": D(3)}
        assert str(standing.traded) == {OPEN: "500.5", None: "NaN"}.get(start, "0")
