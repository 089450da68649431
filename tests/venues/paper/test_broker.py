"""Orders with legs, trailing stops, auctions and fill models, each against quotes and trades written by hand."""

from decimal import Decimal

import pytest
from small_exchange import OPEN, SECOND, Desk, daily, market, quote, trade

from qtw_lab.ledger import Costs
from qtw_lab.venues.paper.models import FillModel

BEFORE = (daily(0, "2023-12-29", 100.0), daily(1, "2023-12-29", 50.0))


def path(*prices, spread=0.05, step=10, size=100):
    """A quote around each price, every ten seconds, and a trade at it half a step later."""
    rows = []
    for place, price in enumerate(prices):
        rows += [
            quote(0, place * step, round(price - spread, 4), round(price + spread, 4), size),
            trade(0, (place + 0.5) * step, price, number=place + 1),
        ]
    return market(*rows, days=BEFORE)


def bracket(desk, qty=10, **more):
    body = {
        "order_class": "bracket", "take_profit": {"limit_price": "105"}, "stop_loss": {"stop_price": "95"},
        "time_in_force": "gtc",
    } | more  # fmt: skip
    return desk.order("buy", qty, **body)


def statuses(desk, order_id):
    seen = desk.now(order_id)
    return [seen["status"], *(leg["status"] for leg in seen["legs"] or ())]


def test_the_legs_of_a_bracket_live_once_its_entry_is_filled_and_the_target_cancels_the_stop():
    desk = Desk(path(100, 100, 103, 106, 90), 1)
    sent = bracket(desk)
    assert [(leg["type"], leg["side"], leg["status"]) for leg in sent["legs"]] == [
        ("limit", "sell", "held"), ("stop", "sell", "held"),
    ]  # fmt: skip
    assert statuses(desk.at(2), sent["id"]) == ["filled", "new", "held"]
    assert statuses(desk.at(60), sent["id"]) == ["filled", "filled", "canceled"]
    assert desk.exchange.book.held("AAA") == 0
    # bought at 100.05, sold at the target, which rested
    assert desk.exchange.book.cash == 100_000 + 10 * (105 - Decimal("100.05"))
    events = [
        (event, order["type"])
        for update in desk.exchange.updates
        for event, order in [(update["event"], update["order"])]
    ]
    assert events == [
        ("new", "market"), ("fill", "market"), ("new", "limit"), ("fill", "limit"), ("canceled", "stop"),
    ]  # fmt: skip


def test_a_target_that_is_reached_already_fills_at_once():
    desk = Desk(path(100, 100), 1)
    sent = bracket(desk, type="limit", limit_price="101", take_profit={"limit_price": "99.9"})
    assert statuses(desk.at(2), sent["id"]) == ["filled", "filled", "canceled"]
    assert desk.exchange.book.cash == 100_000 - 10 * (Decimal("100.05") - Decimal("99.95"))


def test_the_stop_of_a_bracket_cancels_its_target():
    desk = Desk(path(100, 98, 94, 106), 1)
    sent = bracket(desk)
    assert statuses(desk.at(60), sent["id"]) == ["filled", "canceled", "filled"]
    assert desk.exchange.book.cash == 100_000 - 10 * (Decimal("100.05") - Decimal("93.95"))


def test_a_short_bracket_is_its_mirror():
    desk = Desk(path(100, 102, 105.5, 94), 1)
    sent = desk.order(
        "sell", 10, order_class="bracket", take_profit={"limit_price": "95"}, stop_loss={"stop_price": "105"}
    )
    assert statuses(desk.at(60), sent["id"]) == ["filled", "canceled", "filled"]
    assert desk.exchange.book.held("AAA") == 0


def test_legs_are_canceled_with_an_entry_that_never_fills():
    desk = Desk(path(100, 100, 100), 1)
    sent = bracket(desk, type="limit", limit_price="97", time_in_force="day")
    desk.ask("DELETE", f"/v2/orders/{sent['id']}", status=204)
    assert statuses(desk, sent["id"]) == ["canceled", "canceled", "canceled"]


def test_canceling_one_leg_cancels_the_pair():
    desk = Desk(path(100, 100, 100), 1)
    sent = bracket(desk)
    stop = desk.at(2).now(sent["id"])["legs"][1]
    desk.ask("DELETE", f"/v2/orders/{stop['id']}", status=204)
    assert statuses(desk, sent["id"]) == ["filled", "canceled", "canceled"]


def test_a_target_that_fills_in_parts_shrinks_the_stop():
    rows = [quote(0, 0, 99.95, 100.05, 100), quote(0, 10, 105.5, 105.6, 4), quote(0, 20, 99, 99.1, 100)]
    desk = Desk(market(*rows, days=BEFORE), 1, model=FillModel(sized=True))
    sent = bracket(desk)
    target, stop = desk.at(15).now(sent["id"])["legs"]
    assert (target["status"], target["filled_qty"], stop["qty"]) == ("partially_filled", "4", "6")


def test_a_leg_can_be_replaced_and_keeps_its_place_in_the_pair():
    desk = Desk(path(100, 100, 103, 106, 90), 1)
    sent = bracket(desk)
    old = desk.at(2).now(sent["id"])["legs"][1]
    new = desk.ask("PATCH", f"/v2/orders/{old['id']}", {"stop_price": "99"})
    assert (new["replaces"], new["stop_price"], new["status"]) == (old["id"], "99", "held")
    assert desk.at(60).now(new["id"])["status"] == "canceled"  # the target was filled


def test_an_entry_that_is_replaced_hands_its_legs_over_and_they_exit_all_that_was_bought():
    rows = [quote(0, 0, 99.9, 100.0, 4), quote(0, 20, 99.9, 100.5, 100), quote(0, 30, 106, 106.1, 100)]
    desk = Desk(market(*rows, days=BEFORE), 1, model=FillModel(sized=True))
    old = bracket(desk, type="limit", limit_price="100")
    new = desk.at(2).ask("PATCH", f"/v2/orders/{old['id']}", {"qty": "12", "limit_price": "100.5"})
    assert (new["qty"], [leg["status"] for leg in new["legs"]]) == ("8", ["held", "held"])
    assert statuses(desk, old["id"]) == ["replaced"]
    assert statuses(desk.at(25), new["id"]) == ["filled", "new", "held"]
    assert [leg["qty"] for leg in desk.now(new["id"])["legs"]] == ["12", "12"]
    assert statuses(desk.at(40), new["id"]) == ["filled", "filled", "canceled"]
    assert desk.exchange.book.holdings == {}


def test_one_cancels_other_is_two_exits_of_what_is_held():
    desk = Desk(path(100, 100, 94, 106), 1)
    refused = desk.order(
        "sell", 10, "limit", order_class="oco", take_profit={"limit_price": "105"}, stop_loss={"stop_price": "95"},
        status=422,
    )  # fmt: skip
    assert refused["message"] == "oco orders must be exit orders"
    desk.order("buy", 10)
    sent = desk.at(2).order(
        "sell", 10, "limit", order_class="oco", take_profit={"limit_price": "105"}, stop_loss={"stop_price": "95"}
    )
    assert statuses(desk.at(3), sent["id"]) == ["new", "held"]
    assert desk.ask("GET", "/v2/positions/AAA")["qty_available"] == "0"
    assert statuses(desk.at(60), sent["id"]) == ["canceled", "filled"]


def test_one_triggers_other_has_one_leg_that_works_at_once():
    desk = Desk(path(100, 100, 94), 1)
    sent = desk.order("buy", 5, order_class="oto", stop_loss={"stop_price": "95", "limit_price": "93"})
    assert statuses(desk.at(2), sent["id"]) == ["filled", "new"]
    assert statuses(desk.at(60), sent["id"]) == ["filled", "filled"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"stop_loss": {"stop_price": "110"}}, "take_profit.limit_price must be higher than stop_loss.stop_price"),
        ({"stop_loss": {"stop_price": "100.05"}}, "stop_loss.stop_price must be <= base_price - 0.01"),
        ({"take_profit": None}, "bracket orders require take_profit.limit_price and stop_loss.stop_price"),
        ({"time_in_force": "ioc"}, "bracket orders must be DAY or GTC orders"),
        ({"qty": "1.5", "time_in_force": "day"}, "fractional orders must be simple orders, not bracket"),
        ({"order_class": "simple"}, "simple orders take neither take_profit nor stop_loss; give an order_class"),
        ({"order_class": "oto"}, "oto orders require exactly one of take_profit and stop_loss"),
    ],
)
def test_legs_that_cannot_be_are_refused(more, said):
    desk = Desk(path(100, 100), 1)
    body = {"order_class": "bracket", "take_profit": {"limit_price": "105"}, "stop_loss": {"stop_price": "95"},
            "time_in_force": "gtc", "qty": 10} | more  # fmt: skip
    assert desk.order("buy", body.pop("qty"), status=422, **body)["message"] == said


def test_a_trailing_stop_follows_the_best_price_and_sells_when_it_falls_so_far():
    desk = Desk(path(100, 101, 104, 103, 102.5, 101.9, 101), 1)
    desk.order("buy", 10)
    sent = desk.at(6).order("sell", 10, "trailing_stop", trail_price="2")
    assert (sent["trail_price"], sent["status"]) == ("2", "pending_new")
    seen = desk.at(27).now(sent["id"])
    assert (seen["hwm"], seen["stop_price"], seen["status"]) == ("104", "102", "new")
    done = desk.at(90).now(sent["id"])
    assert (done["status"], done["filled_avg_price"], done["filled_at"]) == ("filled", "101.85", "2024-01-02T14:30:55Z")


def test_a_trailing_stop_in_percent_of_a_short_falls_with_the_price():
    desk = Desk(path(100, 90, 91, 93, 94.6), 1)
    desk.order("sell", 10)
    sent = desk.at(6).order("buy", 10, "trailing_stop", trail_percent="5")
    seen = desk.at(28).now(sent["id"])
    assert (seen["hwm"], seen["stop_price"]) == ("90", "94.5")
    assert desk.at(90).now(sent["id"])["status"] == "filled"
    refused = desk.ask("PATCH", f"/v2/orders/{sent['id']}", {"trail": "1"}, 422)
    assert 'already in "filled" state' in refused["message"]


def test_the_distance_of_a_trailing_stop_can_be_replaced():
    desk = Desk(path(100, 100, 100), 1)
    desk.order("buy", 10)
    sent = desk.at(6).order("sell", 10, "trailing_stop", trail_price="2")
    desk.at(7)
    new = desk.ask("PATCH", f"/v2/orders/{sent['id']}", {"trail": "3"})
    assert (new["trail_price"], new["replaces"]) == ("3", sent["id"])


def test_a_stop_to_buy_pays_no_more_than_four_percent_above_it():
    rows = [quote(0, 0, 99.9, 100.1), quote(0, 4, 100.9, 110), trade(0, 5, 101.0, number=1), quote(0, 20, 104, 104.9)]
    desk = Desk(market(*rows, days=BEFORE), 1)
    sent = desk.order("buy", 10, "stop", stop_price="101")
    assert desk.at(10).now(sent["id"])["status"] == "new"  # elected, but 110 is above 105.04
    assert desk.at(30).now(sent["id"])["filled_avg_price"] == "105.04"


def test_a_trade_outside_the_quote_elects_no_stop():
    rows = [quote(0, 0, 99.9, 100.1), trade(0, 5, 90.0, number=1), trade(0, 8, 99.95, number=2)]
    desk = Desk(market(*rows, days=BEFORE), 1)
    desk.order("buy", 10)
    sent = desk.at(2).order("sell", 10, "stop", stop_price="95")
    assert desk.at(30).now(sent["id"])["status"] == "new"


def test_orders_for_the_opening_get_its_first_price_and_for_the_close_its_last():
    rows = [
        quote(0, -1800, 99, 101), quote(0, 1, 99.9, 100.1), trade(0, 2, 100.25, number=1),
        trade(0, 23_000, 102.5, number=2), trade(0, 23_390, 102.75, number=3),
        trade(0, 23_500, 110, letters="T", number=4),
    ]  # fmt: skip
    desk = Desk(market(*rows, days=BEFORE), -1700)
    opening = desk.order("buy", 10, time_in_force="opg")
    low = desk.order("buy", 10, "limit", limit_price="90", time_in_force="opg")
    assert opening["status"] == "accepted"
    seen = desk.at(60).now(opening["id"])
    assert (seen["status"], seen["filled_avg_price"]) == ("filled", "100.25")
    assert desk.now(low["id"])["status"] == "canceled"
    assert "opg orders cannot be submitted" in desk.order("buy", 1, time_in_force="opg", status=422)["message"]
    closing = desk.order("sell", 10, time_in_force="cls")
    assert desk.at(23_399).now(closing["id"])["status"] == "new"
    seen = desk.at(23_401).now(closing["id"])
    assert (seen["status"], seen["filled_avg_price"]) == ("filled", "102.75")
    assert "cls orders cannot" in desk.at(23_450).order("buy", 1, time_in_force="cls", status=422)["message"]


def test_the_alpaca_model_fills_one_order_in_ten_in_random_parts_that_are_always_the_same():
    def partly(seed):
        desk = Desk(path(*[100] * 60, step=1), 1, model=FillModel.alpaca(), cash=10**7)
        ids = [desk.order("buy", 100, client_order_id=f"{seed}-{n}")["id"] for n in range(200)]
        desk.at(60)
        assert {desk.now(one)["status"] for one in ids} == {"filled"}
        assert desk.exchange.book.held("AAA") == 20_000
        return [fill.qty for fill in desk.exchange.book.fills], sum(desk.exchange.orders[one].fills > 1 for one in ids)

    fills, parts = partly(1)
    assert 8 <= parts <= 36  # of 200, 10% expected: 20 +- 4.2
    assert partly(1)[0] == fills
    assert all(qty == qty.to_integral_value() for qty in fills)


def test_the_conservative_model_takes_half_of_what_is_shown_and_waits_its_turn():
    rows = [
        quote(0, 0, 99.9, 100.0, 40), quote(0, 5, 99.9, 100.0, 40), quote(0, 9, 99.9, 100.1, 40),
        trade(0, 12, 99.9, 30, number=1), trade(0, 14, 99.9, 30, number=2), trade(0, 16, 99.9, 100, number=3),
        trade(0, 18, 99.8, 100, number=4),
    ]  # fmt: skip
    desk = Desk(market(*rows, days=BEFORE), 1, model=FillModel.conservative(Costs(commission_per_share=0.01)))
    sent = desk.order("buy", 50)
    assert (sent["status"], desk.exchange.orders[sent["id"]].live) == ("pending_new", OPEN + round(1.05 * SECOND))
    desk.at(6)
    assert [fill.qty for fill in desk.exchange.book.fills] == [20, 20]
    desk.ask("DELETE", f"/v2/orders/{sent['id']}", status=204)
    resting = desk.at(10).order("buy", 60, "limit", limit_price="99.9")
    desk.at(13)
    assert desk.now(resting["id"])["filled_qty"] == "0"  # 40 were before it, 30 traded
    assert desk.at(15).now(resting["id"])["filled_qty"] == "10"  # half of the 20 that were left of 60
    assert desk.at(17).now(resting["id"])["filled_qty"] == "60"
    assert [fill.price for fill in desk.exchange.book.fills[2:]] == [Decimal("99.9")] * 2
    assert [fill.fee for fill in desk.exchange.book.fills] == [
        Decimal("0.2"),
        Decimal("0.2"),
        Decimal("0.1"),
        Decimal("0.5"),
    ]
    assert desk.exchange.book.cash == 100_000 - 40 * 100 - 60 * Decimal("99.9") - 1
    assert desk.exchange.state.faults() == []
