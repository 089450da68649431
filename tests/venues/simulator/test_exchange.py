from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_exchange import OPEN, SECOND, Desk, daily, market, quote, trade

from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.wire.values import moment_text

CLOSE = 6.5 * 3600


def tuesday():
    return market(
        quote(0, 0, 99.9, 100.1), trade(0, 1, 100.0, number=1),
        quote(0, 60, 98.9, 99.1), trade(0, 61, 99.0, number=2),
        quote(0, 120, 100.9, 101.1), trade(0, 121, 101.0, number=3),
        quote(1, 0, 49.9, 50.1), trade(1, 2, 50.0, number=1),
        quote(0, 24 * 3600 + 5, 89.9, 90.1), trade(0, 24 * 3600 + 6, 90.0, number=4),
        days=(daily(0, "2023-12-29", 98.0), daily(1, "2023-12-29", 50.0)),
    )  # fmt: skip


def test_a_market_order_fills_at_the_quote_of_the_moment_it_is_sent_however_late_it_is_looked_at():
    desk = Desk(tuesday(), 5)
    sent = desk.order("buy", 10)
    assert (sent["status"], sent["filled_qty"], sent["submitted_at"]) == (
        "pending_new",
        "0",
        moment_text(OPEN + 5 * SECOND),
    )
    seen = desk.at(200).now(sent["id"])
    assert (seen["status"], seen["filled_avg_price"], seen["filled_at"]) == (
        "filled",
        "100.1",
        moment_text(OPEN + 5 * SECOND),
    )
    assert desk.told() == [("new", moment_text(OPEN + 5 * SECOND)), ("fill", moment_text(OPEN + 5 * SECOND))]
    fill = desk.exchange.updates[-1]
    assert (fill["price"], fill["qty"], fill["position_qty"], fill["order"]["status"]) == (
        "100.1",
        "10",
        "10",
        "filled",
    )
    assert desk.exchange.book.cash == Decimal(98999)


def test_a_limit_order_that_rests_fills_at_its_own_price_and_one_that_is_marketable_at_the_quote():
    desk = Desk(tuesday(), 5)
    resting = desk.order("buy", 1, "limit", limit_price="99.5")
    marketable = desk.order("buy", 1, "limit", limit_price="100.5")
    desk.at(59.9)
    assert desk.now(resting["id"])["status"] == "new"
    assert desk.now(marketable["id"])["filled_avg_price"] == "100.1"
    seen = desk.at(60).now(resting["id"])
    assert (seen["filled_avg_price"], seen["filled_at"]) == ("99.5", moment_text(OPEN + 60 * SECOND))


def test_a_limit_sells_at_the_bid_once_that_reaches_it():
    desk = Desk(tuesday(), 5)
    desk.order("buy", 2)
    desk.at(6)
    sent = desk.order("sell", 2, "limit", limit_price="100.5")
    assert desk.at(119).now(sent["id"])["status"] == "new"
    assert desk.at(120).now(sent["id"])["filled_avg_price"] == "100.5"


def test_a_stop_is_elected_by_a_trade_and_not_by_a_quote():
    desk = Desk(tuesday(), 5)
    desk.order("buy", 1)
    stop = desk.at(6).order("sell", 1, "stop", stop_price="99")
    assert desk.at(60.5).now(stop["id"])["status"] == "new"  # the bid is 98.9, but nothing traded
    seen = desk.at(61).now(stop["id"])
    assert (seen["status"], seen["filled_avg_price"], seen["filled_at"]) == (
        "filled",
        "98.9",
        moment_text(OPEN + 61 * SECOND),
    )


def test_an_odd_lot_elects_no_stop():
    desk = Desk(market(quote(0, 0, 99.9, 100.1), trade(0, 10, 98.0, number=1, letters="I")), 5)
    desk.order("buy", 1)
    stop = desk.at(6).order("sell", 1, "stop", stop_price="99")
    assert desk.at(60).now(stop["id"])["status"] == "new"


def test_a_stop_limit_rests_at_its_limit_after_election():
    desk = Desk(tuesday(), 5)
    desk.order("buy", 1)
    stop = desk.at(6).order("sell", 1, "stop_limit", stop_price="99", limit_price="99.5")
    assert desk.at(100).now(stop["id"])["status"] == "new"
    assert desk.at(130).now(stop["id"])["filled_avg_price"] == "99.5"


@pytest.mark.parametrize("time_in_force", ["ioc", "fok"])
def test_what_must_be_done_at_once_and_cannot_is_canceled(time_in_force):
    desk = Desk(tuesday(), 5)
    missed = desk.order("buy", 1, "limit", limit_price="99.5", time_in_force=time_in_force)
    done = desk.order("buy", 1, "limit", limit_price="100.1", time_in_force=time_in_force)
    assert (desk.now(missed["id"])["status"], desk.now(done["id"])["status"]) == ("canceled", "filled")


def test_a_day_order_expires_at_the_close_and_a_gtc_order_fills_at_the_quote_of_the_next_session():
    desk = Desk(tuesday(), 5)
    day = desk.order("buy", 1, "limit", limit_price="95")
    held = desk.order("buy", 1, "limit", limit_price="95", time_in_force="gtc")
    desk.at(CLOSE - 1)
    assert desk.now(day["id"])["status"] == "new"
    desk.at(CLOSE)
    assert (desk.now(day["id"])["status"], desk.now(day["id"])["expired_at"]) == ("expired", "2024-01-02T21:00:00Z")
    seen = desk.at(30 * 3600).now(held["id"])
    assert (seen["status"], seen["filled_avg_price"], seen["filled_at"]) == ("filled", "90.1", "2024-01-03T14:30:05Z")
    assert [event for event, _ in desk.told()] == ["new", "new", "expired", "fill"]


def test_an_order_after_the_close_is_accepted_and_waits_for_the_first_quote_of_the_next_session():
    desk = Desk(tuesday(), CLOSE + 60)
    sent = desk.order("buy", 1)
    assert sent["status"] == "accepted"
    assert desk.at(20 * 3600).now(sent["id"])["status"] == "accepted"
    assert desk.at(24 * 3600 + 1).now(sent["id"])["status"] == "new"
    assert desk.at(24 * 3600 + 5).now(sent["id"])["filled_avg_price"] == "90.1"


def test_extended_hours_are_for_those_who_ask_for_them():
    played = market(quote(0, 0, 99.9, 100.1), quote(0, CLOSE + 600, 99.0, 99.2), trade(0, CLOSE + 601, 99.1, number=1))
    desk = Desk(played, CLOSE + 60)
    early = desk.order("buy", 1, "limit", limit_price="99.5", extended_hours=True)
    regular = desk.order("buy", 1, "limit", limit_price="99.5")
    desk.at(CLOSE + 600)
    assert (early["status"], regular["status"]) == ("pending_new", "accepted")
    assert (desk.now(early["id"])["status"], desk.now(regular["id"])["status"]) == ("filled", "accepted")


def test_quotes_that_show_too_little_fill_in_parts_where_that_is_asked_for():
    played = market(quote(0, 0, 9.9, 10.0, 30), quote(0, 10, 9.9, 10.0, 50), quote(0, 20, 9.9, 10.1, 50))
    desk = Desk(played, 1, model=FillModel(sized=True))
    sent = desk.order("buy", 100)
    desk.at(30)
    seen = desk.now(sent["id"])
    assert (seen["status"], seen["filled_qty"]) == ("filled", "100")
    # (30 + 50) * 10.0 + 20 * 10.1 over 100
    assert seen["filled_avg_price"] == "10.02"
    parts = [(u["event"], u["qty"], u["position_qty"]) for u in desk.exchange.updates if "qty" in u]
    assert parts == [("partial_fill", "30", "30"), ("partial_fill", "50", "80"), ("fill", "20", "100")]
    assert [fill.leaves for fill in desk.exchange.book.fills] == [70, 20, 0]


def test_fill_or_kill_takes_all_or_nothing_of_what_is_shown():
    desk = Desk(market(quote(0, 0, 9.9, 10.0, 30), quote(0, 10, 9.9, 10.0, 50)), 1, model=FillModel(sized=True))
    assert desk.now(desk.order("buy", 31, time_in_force="fok")["id"])["status"] == "canceled"
    some = desk.now(desk.order("buy", 31, time_in_force="ioc")["id"])
    assert (some["status"], some["filled_qty"]) == ("canceled", "30")


def test_an_order_for_dollars_buys_parts_of_a_share():
    desk = Desk(tuesday(), 5)
    sent = desk.ask("POST", "/v2/orders", {"symbol": "AAA", "notional": "50", "side": "buy", "type": "market",
                                           "time_in_force": "day"})  # fmt: skip
    seen = desk.now(sent["id"])
    assert (seen["qty"], seen["notional"], seen["status"]) == (None, "50", "filled")
    assert seen["filled_qty"] == "0.499500499"  # 50 / 100.1 is 0.4995004995, and no more than the dollars may be spent
    assert desk.exchange.book.cash == Decimal("99950.0000000501")  # 0.499500499 times 100.1 is 49.9999999499


def test_a_replaced_order_makes_a_new_one_that_counts_what_was_filled():
    played = market(quote(0, 0, 9.9, 10.0, 30), quote(0, 50, 9.9, 10.2, 500))
    desk = Desk(played, 1, model=FillModel(sized=True))
    old = desk.order("buy", 100, "limit", limit_price="10")
    new = desk.at(2).ask("PATCH", f"/v2/orders/{old['id']}", {"qty": "90", "limit_price": "10.2"})
    assert (new["replaces"], new["qty"], new["limit_price"]) == (old["id"], "60", "10.2")
    before = desk.now(old["id"])
    assert (before["status"], before["replaced_by"], before["filled_qty"]) == ("replaced", new["id"], "30")
    assert desk.at(60).now(new["id"])["status"] == "filled"
    assert desk.exchange.book.held("AAA") == 90
    assert [event for event, _ in desk.told()] == ["new", "partial_fill", "replaced", "new", "partial_fill", "fill"]


def test_a_canceled_order_is_never_filled_and_a_filled_one_never_canceled():
    desk = Desk(tuesday(), 5)
    resting, done = desk.order("buy", 1, "limit", limit_price="99.5"), desk.order("buy", 1)
    desk.ask("DELETE", f"/v2/orders/{resting['id']}", status=204)
    refused = desk.ask("DELETE", f"/v2/orders/{done['id']}", status=422)
    assert refused == {"code": 42210000, "message": 'order is already in "filled" state'}
    assert desk.at(100).now(resting["id"])["status"] == "canceled"


def test_a_short_sale_brings_cash_and_is_bought_back():
    desk = Desk(tuesday(), 5)
    desk.order("sell", 10)
    desk.at(61)
    assert (desk.exchange.book.held("AAA"), desk.exchange.book.cash) == (-10, Decimal(100_999))
    refused = desk.order("buy", 11, status=403)
    assert refused["message"] == "insufficient qty available for order (requested: 11, available: 10)"
    desk.order("buy", 10)
    desk.at(62)
    assert (desk.exchange.book.held("AAA"), desk.exchange.book.cash) == (0, Decimal(100008))


def test_nothing_is_known_of_an_exchange_before_a_quote():
    desk = Desk(market(quote(0, 10, 9.9, 10.0)), 1)
    assert desk.order("buy", 1, status=422)["message"] == 'asset "AAA" has no price yet'
    waiting = desk.order("buy", 1, "limit", limit_price="10")
    assert desk.now(waiting["id"])["status"] == "new"
    assert desk.at(10).now(waiting["id"])["filled_at"] == moment_text(OPEN + 10 * SECOND)


def test_a_late_clock_changes_nothing():
    desk = Desk(tuesday(), 100)
    desk.order("buy", 1)
    assert desk.exchange.poll(OPEN) == OPEN + 100 * SECOND


def test_ids_are_found_in_any_case_and_others_are_not():
    desk = Desk(tuesday(), 5)
    sent = desk.order("buy", 1, client_order_id="mine")
    assert desk.exchange.find(sent["id"].upper()).id == sent["id"]
    assert desk.exchange.find_client("mine").id == sent["id"]
    with pytest.raises(RefusedError, match="order not found for other"):
        desk.exchange.find("other")


ORDERS = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.sampled_from(["market", "limit", "stop", "stop_limit"]),
        st.sampled_from(["day", "gtc"]),
        st.integers(95, 105),
        st.integers(95, 105),
        st.integers(1, 80),
    ),
    min_size=1,
    max_size=6,
)
PRICES = st.lists(st.integers(9500, 10500), min_size=10, max_size=30)


@settings(max_examples=60, deadline=None)
@given(orders=ORDERS, prices=PRICES, sized=st.booleans(), looks=st.lists(st.floats(0, 40), max_size=12))
def test_what_becomes_of_orders_does_not_depend_on_how_often_they_are_looked_at(orders, prices, sized, looks):
    rows = [quote(0, 0, 99.9, 100.1, 20)]
    for place, cents in enumerate(prices):
        rows += [quote(0, place + 0.25, cents / 100 - 0.05, cents / 100 + 0.05, 20 + place)]
        rows += [trade(0, place + 0.5, cents / 100, number=place + 1)]
    played = market(*rows)

    def run(moments):
        desk = Desk(played, 0, model=FillModel(sized=sized), cash=10_000_000)
        sent = sorted(orders, key=lambda order: order[0])
        ids = []
        for second, kind, time_in_force, limit, stop, qty in sent:
            for moment in [m for m in moments if m <= second]:
                if moment * SECOND + OPEN > desk.clock.moment.value:
                    desk.at(moment)
            desk.at(second)
            more = {"limit_price": limit} if "limit" in kind else {}
            more |= {"stop_price": stop} if "stop" in kind else {}
            ids.append(desk.order("buy", qty, kind, time_in_force=time_in_force, **more)["id"])
        for moment in moments:
            if moment * SECOND + OPEN > desk.clock.moment.value:
                desk.at(moment)
        desk.at(60)
        book = desk.exchange.book
        assert book.held("AAA") == sum((fill.signed for fill in book.fills), Decimal(0))
        assert book.cash == 10_000_000 - sum((fill.signed * fill.price for fill in book.fills), Decimal(0))
        return list(desk.exchange.updates)

    assert run([]) == run(sorted(looks))
