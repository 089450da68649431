"""What the machine of orders found, each in its smallest case."""

from decimal import Decimal

import pytest
from small_exchange import Desk, daily, market, quote, trade

from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore

BEFORE = (daily(0, "2023-12-29", 100.0), daily(1, "2023-12-29", 50.0))
DAY, CLOSE = 86_400, 23_400
EXITS = {"take_profit": {"limit_price": "105"}, "stop_loss": {"stop_price": "95"}}


def opened(*rows):
    """A market at 100 that goes on with these rows."""
    return market(quote(0, 0, 99.9, 100.0), trade(0, 1, 100.0, number=1), *rows, days=BEFORE)


@pytest.mark.parametrize("stopped", [False, True])
def test_only_the_first_quote_of_a_session_gives_an_order_its_own_price(stopped):
    tape = market(
        trade(0, -100, 100.0, number=9), quote(0, 2, 99.9, 100.0, 4), quote(0, 4, 99.9, 100.0, 4), days=BEFORE
    )
    terms = {"model": FillModel(sized=True), "store": MemoryStore()}
    desk = Desk(tape, -60, **terms)
    desk.order("buy", 8, "limit", limit_price="101")
    desk = Desk(tape, 3, **terms).at(3) if stopped else desk
    fills = desk.at(10).exchange.book.fills
    assert [fill.price for fill in fills] == [Decimal(100), Decimal(101)]


def test_a_leg_that_is_replaced_at_night_reaches_the_market_with_the_next_opening():
    desk = Desk(opened(quote(0, DAY, 99.9, 100.0)), 5)
    sent = desk.order("buy", 1, order_class="bracket", time_in_force="gtc", **EXITS)
    target = desk.at(CLOSE + 60).now(sent["id"])["legs"][0]
    new = desk.ask("PATCH", f"/v2/orders/{target['id']}", {"limit_price": "106"})
    assert desk.at(CLOSE + 90).now(new["id"])["status"] == "accepted"
    assert desk.at(DAY + 5).now(new["id"])["status"] == "new"


def test_the_legs_of_an_entry_last_as_long_as_the_one_that_took_its_place():
    desk = Desk(opened(quote(0, DAY + 5, 97.9, 98.0), quote(0, DAY + 60, 97.9, 98.0)), 5)
    sent = desk.order("buy", 1, "limit", limit_price="98", order_class="bracket", **EXITS)
    new = desk.at(10).ask("PATCH", f"/v2/orders/{sent['id']}", {"time_in_force": "gtc"})
    seen = desk.at(DAY + 50).now(new["id"])
    assert seen["status"] == "filled"
    assert [leg["status"] for leg in seen["legs"]] == ["new", "held"]


def test_a_leg_cannot_be_replaced_by_one_for_more_than_it_exits():
    desk = Desk(opened(quote(0, 20, 105.0, 105.1)), 5, cash=1000)
    sent = desk.order("buy", 5, order_class="bracket", time_in_force="gtc", **EXITS)
    target = desk.at(6).now(sent["id"])["legs"][0]
    desk.ask("PATCH", f"/v2/orders/{target['id']}", {"qty": "500"}, 422)
    assert desk.at(30).exchange.book.held("AAA") == 0


def test_both_exits_of_a_pair_stay_for_the_same_shares_when_it_is_replaced():
    rows = [quote(0, 20, 94.0, 94.1), trade(0, 21, 94.05, number=3)]
    desk = Desk(opened(*rows), 5)
    desk.order("buy", 10)
    pair = desk.at(6).order("sell", 10, "limit", order_class="oco", **EXITS)
    desk.at(7).ask("PATCH", f"/v2/orders/{pair['id']}", {"qty": "2"})
    desk.at(8).order("sell", 8)
    assert desk.at(40).exchange.book.held("AAA") == 0


@pytest.mark.parametrize(("stop", "most"), [("100.13", "104.13"), ("0.12", "0.1248")])
def test_a_stop_to_buy_pays_no_more_than_four_percent_above_it_in_steps_of_its_price(stop, most):
    """Not the machine's: its stops are chosen so that four percent of them are whole cents."""
    at = float(stop)
    rows = [quote(0, 4, at - 0.01, 2 * at), trade(0, 5, at, number=3), quote(0, 9, at, round(at * 1.039, 4))]
    desk = Desk(market(quote(0, 0, at / 2, at / 2), trade(0, 1, at / 2, number=1), *rows, days=BEFORE), 2)
    sent = desk.order("buy", 1, "stop", stop_price=stop)
    desk.at(20)
    assert desk.exchange.orders[sent["id"]].limit == Decimal(most)
    assert desk.now(sent["id"])["filled_avg_price"] == most
