import json
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_exchange import OPEN, SECOND, Desk, daily, market, quote, trade

from qtw_lab.venues.moments import is_identity
from qtw_lab.venues.simulator.asking import Request, reply

TWO = 3600.0


@pytest.fixture
def desk() -> Desk:
    played = market(
        quote(0, 0, 99.9, 100.1), trade(0, 1, 100.0, number=1),
        quote(0, 60, 98.9, 99.1), trade(0, 61, 99.0, number=2),
        quote(1, 0, 49.9, 50.1), trade(1, 2, 50.0, number=1),
        trade(0, 24 * TWO, 99.0, number=9),
        days=(daily(0, "2023-12-29", 98.0), daily(1, "2023-12-29", 50.0)),
    )  # fmt: skip
    return Desk(played, 5)


def refused(desk: Desk, status: int, **body):
    """Code and message of what is said to an order that differs by `body` from a good one."""
    good = {"symbol": "AAA", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    said = desk.ask("POST", "/v2/orders", {k: v for k, v in {**good, **body}.items() if v is not None}, status)
    return said["code"], said["message"]


def test_the_account_begins_with_its_cash_and_twice_that_in_buying_power(desk):
    account = desk.ask("GET", "/v2/account")
    assert (account["cash"], account["equity"], account["buying_power"]) == ("100000", "100000", "200000")
    assert (account["multiplier"], account["status"], account["last_equity"]) == ("2", "ACTIVE", "100000")
    assert is_identity(account["id"])


def test_the_account_has_no_field_of_pattern_day_trading(desk):
    ended = {"pattern_day_trader", "daytrade_count", "daytrading_buying_power", "bod_dtbp"}
    assert not ended & set(desk.ask("GET", "/v2/account"))


def test_equity_margin_and_buying_power_follow_the_last_prices(desk):
    desk.order("buy", 100)
    desk.at(61)
    account = desk.ask("GET", "/v2/account")
    # 100 bought at 100.1 leave 89,990; at 99.0 they are worth 9,900, half of it is bound, 30% must be kept
    assert (account["cash"], account["long_market_value"], account["equity"]) == ("89990", "9900", "99890")
    assert (account["initial_margin"], account["maintenance_margin"]) == ("4950", "2970")
    assert account["buying_power"] == "189880"  # twice 99,890 - 4,950


def test_an_open_order_reserves_buying_power(desk):
    desk.order("buy", 100, "limit", limit_price="50")
    assert desk.ask("GET", "/v2/account")["buying_power"] == "195000"


def test_a_position_says_what_it_gained_since_it_was_opened(desk):
    desk.order("buy", 100)
    desk.at(61)
    desk.order("sell", 30, "limit", limit_price="120")
    position = desk.ask("GET", "/v2/positions/AAA")
    assert (position["qty"], position["qty_available"], position["side"]) == ("100", "70", "long")
    assert (position["avg_entry_price"], position["cost_basis"], position["market_value"]) == ("100.1", "10010", "9900")
    assert (position["unrealized_pl"], position["unrealized_plpc"]) == ("-110", "-0.01098901")
    assert position["unrealized_intraday_pl"] == "-110"  # bought today: the close of Friday is not its base
    # 99 / 98 - 1
    assert (position["lastday_price"], position["current_price"], position["change_today"]) == (
        "98",
        "99",
        "0.01020408",
    )
    assert desk.ask("GET", f"/v2/positions/{position['asset_id']}") == position
    assert desk.ask("GET", "/v2/positions") == [position]


def test_what_was_held_overnight_gained_today_only_what_it_gained_since_the_last_close():
    played = market(
        quote(0, 0, 99.9, 100.1), trade(0, 1, 100.0, number=1), trade(0, TWO, 104.0, number=2),
        quote(0, 24 * TWO, 104.9, 105.1), trade(0, 24 * TWO + 1, 105.0, number=3),
        days=(daily(0, "2023-12-29", 98.0),),
    )  # fmt: skip
    desk = Desk(played, 5)
    desk.order("buy", 10)
    desk.at(24 * TWO + 2).order("buy", 10)
    desk.at(24 * TWO + 3)
    position = desk.ask("GET", "/v2/positions/AAA")
    # cost 10 * 100.1 + 10 * 105.1 = 2052, entry 102.6; today: 10 * (105 - 104) + 10 * (105 - 102.6)
    assert (position["unrealized_pl"], position["unrealized_intraday_pl"]) == ("48", "34")
    assert desk.ask("GET", "/v2/account")["last_equity"] == "100039"  # 10 shares from 100.1 to 104.0


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"symbol": "ZZZ"}, 422, 42210000, 'asset "ZZZ" not found'),
        ({"symbol": None}, 422, 40010001, "symbol is required"),
        ({"side": "hold"}, 422, 40010001, "invalid side: hold; it is one of buy, sell"),
        ({"type": "trailing_stop"}, 422, 42210000,
         "trailing stop orders must specify one of trail_price or trail_percent"),
        ({"order_class": "bracket"}, 422, 42210000,
         "bracket orders require take_profit.limit_price and stop_loss.stop_price"),
        ({"order_class": "mleg"}, 422, 42210000,
         "order_class mleg is not simulated; this exchange takes simple, bracket, oco, oto"),
        ({"time_in_force": "opg"}, 422, 42210000,
         "opg orders cannot be submitted between 09:28 and 19:00 New York time"),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"notional": "10"}, 400, 40010001, "only one of qty or notional is accepted"),
        ({"qty": "0"}, 422, 42210000, "qty must be > 0"),
        ({"qty": "NaN"}, 422, 40010001, "invalid qty: 'NaN' is no number"),
        ({"qty": "0.0000000001"}, 422, 42210000, "qty must have no more than 9 decimal places"),
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        ({"qty": "0.5", "side": "sell"}, 422, 42210000, "fractional orders cannot be sold short"),
        ({"qty": None, "notional": "0.99"}, 422, 42210000, "notional amount must be >= 1.00"),
        ({"type": "limit"}, 422, 42210000, "limit orders require a limit price"),
        ({"limit_price": "1"}, 422, 42210000, "market orders require no limit price"),
        ({"type": "stop_limit", "limit_price": "1"}, 422, 42210000, "stop limit orders require a stop price"),
        ({"type": "limit", "limit_price": "-1"}, 422, 42210000, "limit_price must be > 0"),
        ({"type": "limit", "limit_price": "100.125"}, 422, 42210000,
         "invalid limit_price 100.125. sub-penny increment does not fulfill minimum pricing criteria"),
        ({"extended_hours": True}, 422, 42210000, "extended hours order must be DAY or GTC limit orders"),
        ({"client_order_id": "x" * 129}, 422, 40010001, "client_order_id must be no more than 128 characters"),
        ({"qty": "3000"}, 403, 40310000, "insufficient buying power"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_is_refused_in_the_venues_words(desk, body, status, code, message):
    assert refused(desk, status, **body) == (code, message)
    assert not desk.exchange.orders
    assert not desk.exchange.updates


def test_below_a_dollar_hundredths_of_a_cent_are_prices(desk):
    desk.order("buy", 1, "limit", limit_price="0.1234")
    assert refused(desk, 422, type="limit", limit_price="0.12345")[0] == 42210000


def test_a_refusal_for_want_of_money_says_how_much_there_is_and_how_much_is_wanted(desk):
    said = desk.order("buy", 2000, status=403)
    assert said == {
        "code": 40310000, "message": "insufficient buying power", "buying_power": "200000", "cost_basis": "200200",
    }  # fmt: skip


def test_a_client_order_id_serves_once(desk):
    desk.order("buy", 1, client_order_id="mine")
    assert refused(desk, 422, client_order_id="mine") == (40010001, "client_order_id must be unique")
    found = desk.ask("GET", "/v2/orders:by_client_order_id?client_order_id=mine")
    assert found["client_order_id"] == "mine"
    desk.ask("GET", "/v2/orders:by_client_order_id?client_order_id=other", status=404)


def test_shares_that_an_order_holds_cannot_be_sold_again(desk):
    desk.order("buy", 10)
    desk.at(6)
    held = desk.order("sell", 7, "limit", limit_price="120")
    said = desk.order("sell", 4, status=403)
    assert said == {
        "available": "3", "code": 40310000, "existing_qty": "10", "held_for_orders": "7",
        "message": "insufficient qty available for order (requested: 4, available: 3)",
        "related_orders": [held["id"]], "symbol": "AAA",
    }  # fmt: skip


def test_an_order_that_could_trade_with_ones_own_is_refused(desk):
    desk.order("buy", 10)
    desk.at(6)
    own = desk.order("sell", 5, "limit", limit_price="101")
    said = desk.order("buy", 1, status=403)
    assert (said["code"], said["existing_order_id"]) == (40310000, own["id"])
    assert said["message"] == "potential wash trade detected. use complex orders"
    desk.order("buy", 1, "limit", status=403, limit_price="101")
    desk.order("buy", 1, "limit", limit_price="100.9")


def test_a_body_that_is_no_object_is_refused(desk):
    for body in (b"", b"[]", b"{", b"\xff"):
        assert desk.ask("POST", "/v2/orders", body, 400)["code"] == 40010000


def test_orders_are_listed_by_status_time_side_and_symbol(desk):
    first = desk.order("buy", 1)["id"]
    second = desk.at(6).order("buy", 1, "limit", limit_price="50")["id"]
    third = desk.at(7).order("sell", 1, symbol="BBB")["id"]
    desk.at(8)

    def listed(query):
        return [order["id"] for order in desk.ask("GET", f"/v2/orders?{query}")]

    assert listed("") == [second]
    assert listed("status=closed") == [third, first]
    assert listed("status=all&direction=asc") == [first, second, third]
    assert listed("status=all&limit=1") == [third]
    assert listed("status=all&after=2024-01-02T14:30:05Z") == [third, second]
    assert listed("status=all&until=2024-01-02T14:30:06Z") == [first]
    assert listed("status=all&symbols=BBB,CCC") == [third]
    assert listed("status=all&side=sell") == [third]
    for wrong in ("status=odd", "direction=up", "limit=0", "limit=501", "after=soon"):
        desk.ask("GET", f"/v2/orders?{wrong}", status=422)


def test_all_orders_are_canceled_at_once(desk):
    ids = [desk.order("buy", 1, "limit", limit_price=price)["id"] for price in ("50", "51")]
    said = desk.ask("DELETE", "/v2/orders", status=207)
    assert said == [{"id": one, "status": 200} for one in ids]
    assert desk.ask("GET", "/v2/orders") == []
    desk.ask("DELETE", f"/v2/orders/{ids[0]}", status=422)
    desk.ask("DELETE", "/v2/orders/0b842ef4-a056-5e10-8205-01dd90fa3f06", status=404)


def test_a_replacement_is_refused_where_the_order_is_over_or_waits(desk):
    done = desk.order("buy", 1)
    assert desk.ask("PATCH", f"/v2/orders/{done['id']}", {"qty": "2"}, 422)["message"].endswith('"filled" state')
    waiting = desk.at(7 * TWO).order("buy", 1, "limit", limit_price="50")
    said = desk.ask("PATCH", f"/v2/orders/{waiting['id']}", {"qty": "2"}, 422)
    assert said["message"] == "cannot replace order in accepted status"


def test_a_replacement_that_cannot_be_leaves_the_order_as_it_was(desk):
    old = desk.order("buy", 10, "limit", limit_price="50")
    for body, status in (({"qty": "9999999"}, 403), ({"limit_price": "50.001"}, 422), ({"trail": "1"}, 422)):
        desk.ask("PATCH", f"/v2/orders/{old['id']}", body, status)
    assert desk.now(old["id"])["status"] == "new"


def test_a_position_is_closed_whole_or_in_part(desk):
    desk.order("buy", 10)
    desk.at(6)
    assert desk.ask("DELETE", "/v2/positions/AAA?percentage=25")["qty"] == "2.5"
    assert desk.ask("DELETE", "/v2/positions/AAA?qty=1")["qty"] == "1"
    desk.ask("DELETE", "/v2/positions/AAA?qty=1&percentage=1", status=422)
    desk.ask("DELETE", "/v2/positions/AAA?qty=many", status=422)
    assert desk.at(7).ask("DELETE", "/v2/positions/AAA")["qty"] == "6.5"
    assert desk.at(8).ask("GET", "/v2/positions") == []
    said = desk.ask("GET", "/v2/positions/AAA", status=404)
    assert said == {"code": 40410000, "message": "position does not exist"}


def test_every_position_is_closed_and_open_orders_stand_in_the_way_unless_they_are_canceled(desk):
    desk.order("buy", 10)
    desk.order("sell", 10, symbol="BBB")
    desk.at(6).order("sell", 10, "limit", limit_price="120")
    said = desk.ask("DELETE", "/v2/positions", status=207)
    assert [(one["symbol"], one["status"]) for one in said] == [("AAA", 403), ("BBB", 200)]
    said = desk.ask("DELETE", "/v2/positions?cancel_orders=True", status=207)
    assert [(one["symbol"], one["status"]) for one in said] == [("AAA", 200)]
    assert desk.at(7).ask("GET", "/v2/positions") == []


def test_activities_come_in_pages_the_latest_first(desk):
    for qty in (1, 2, 3):
        desk.order("buy", qty)
        desk.at(5 + qty)
    said = desk.ask("GET", "/v2/account/activities")
    assert [(one["qty"], one["cum_qty"], one["leaves_qty"], one["type"]) for one in said] == [
        ("3", "3", "0", "fill"), ("2", "2", "0", "fill"), ("1", "1", "0", "fill"),
    ]  # fmt: skip
    first = desk.ask("GET", "/v2/account/activities/FILL?page_size=2")
    rest = desk.ask("GET", f"/v2/account/activities/FILL?page_size=2&page_token={first[-1]['id']}")
    assert first + rest == said
    assert desk.ask("GET", "/v2/account/activities?direction=asc") == said[::-1]
    assert desk.ask("GET", "/v2/account/activities/DIV") == []
    assert desk.ask("GET", "/v2/account/activities?activity_types=DIV,FILL") == said
    assert desk.ask("GET", "/v2/account/activities?date=2024-01-02") == said
    assert desk.ask("GET", "/v2/account/activities?date=2024-01-03") == []
    assert desk.ask("GET", f"/v2/account/activities?after={said[-1]['transaction_time']}") == said[:2]
    for wrong in ("page_size=101", "page_token=none", "date=today", "until=then"):
        desk.ask("GET", f"/v2/account/activities?{wrong}", status=422)


def test_the_history_of_the_accounts_worth_follows_fills_and_bars(desk):
    desk.order("buy", 100)
    desk.at(180)
    said = desk.ask("GET", "/v2/account/portfolio/history?period=1D&timeframe=1Min")
    assert said["timestamp"] == [OPEN // SECOND + second for second in (0, 60, 120, 180)]
    # bought at 100.1; the first minute ended at 100.0, the second at 99.0
    assert said["equity"] == [99990.0, 99890.0, 99890.0, 99890.0]
    assert said["profit_loss"] == [-10.0, -110.0, -110.0, -110.0]
    assert (said["base_value"], said["timeframe"]) == (100000.0, "1Min")
    assert desk.ask("GET", "/v2/account/portfolio/history?period=1M&timeframe=1D")["equity"][-1] == 99890.0
    for wrong in ("period=1X", "timeframe=2Min", "end=never", "start=2025-01-01"):
        desk.ask("GET", f"/v2/account/portfolio/history?{wrong}", status=422)


def test_assets_are_listed_and_found_by_symbol_and_id(desk):
    said = desk.ask("GET", "/v2/assets?status=active&asset_class=us_equity")
    assert [asset["symbol"] for asset in said] == ["AAA", "BBB"]
    assert desk.ask("GET", "/v2/assets?exchange=NYSE") == []
    assert desk.ask("GET", "/v2/assets?attributes=ptp_no_exception") == []
    assert desk.ask("GET", "/v2/assets/AAA") == desk.ask("GET", f"/v2/assets/{said[0]['id']}") == said[0]
    assert desk.ask("GET", "/v2/assets/ZZZ", status=404) == {"code": 40410000, "message": "asset not found for ZZZ"}


def test_the_clock_knows_sessions_and_half_days(desk):
    assert desk.ask("GET", "/v2/clock") == {
        "timestamp": "2024-01-02T09:30:05-05:00", "is_open": True,
        "next_open": "2024-01-03T09:30:00-05:00", "next_close": "2024-01-02T16:00:00-05:00",
    }  # fmt: skip
    assert desk.at(6.5 * TWO).ask("GET", "/v2/clock")["is_open"] is False
    days = desk.ask("GET", "/v2/calendar?start=2024-11-27&end=2024-11-29")
    assert [(one["date"], one["open"], one["close"]) for one in days] == [
        ("2024-11-27", "09:30", "16:00"), ("2024-11-29", "09:30", "13:00"),
    ]  # fmt: skip
    assert desk.ask("GET", "/v2/calendar?start=2024-11-29&end=2024-11-27") == []
    assert desk.ask("GET", "/v2/calendar")[-1]["date"] > "2024-12-01"
    assert desk.ask("GET", "/v2/calendar?start=2029-12-31&end=9999-12-31")[-1]["date"] == "2029-12-31"
    desk.ask("GET", "/v2/calendar?start=soon", status=422)


def test_configurations_change_what_is_taken(desk):
    assert desk.ask("GET", "/v2/account/configurations")["no_shorting"] is False
    desk.ask("PATCH", "/v2/account/configurations", {"no_shorting": True, "pdt_check": "both"})
    assert refused(desk, 422, side="sell") == (42210000, 'asset "AAA" cannot be sold short')
    desk.ask("PATCH", "/v2/account/configurations", {"suspend_trade": True})
    assert refused(desk, 403)[1] == "new orders are rejected by user request"
    for wrong in ({"suspend_trade": "yes"}, {"suspend_trade": 1}, {"unknown": True}, {"max_margin_multiplier": "3"},
                  {"max_options_trading_level": True}, {"trade_confirm_email": []}):  # fmt: skip
        desk.ask("PATCH", "/v2/account/configurations", wrong, 422)


def test_without_margin_there_is_the_cash_to_spend(desk):
    desk.ask("PATCH", "/v2/account/configurations", {"max_margin_multiplier": "1"})
    account = desk.ask("GET", "/v2/account")
    assert (account["multiplier"], account["buying_power"]) == ("1", "100000")
    assert refused(desk, 403, qty="1000") == (40310000, "insufficient buying power")


WORDS = ["1", "0.5", "-1", "1e30", "1e-30", "AAA", "buy", "sell", "limit", "stop", "day", "ioc", "5"]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(WORDS),
)
FIELDS = ("symbol", "side", "type", "time_in_force", "qty", "notional", "limit_price", "stop_price", "extended_hours",
          "client_order_id", "order_class", "take_profit", "trail")  # fmt: skip
GOOD = {"symbol": "AAA", "side": "buy", "type": "limit", "time_in_force": "day", "qty": "1", "limit_price": "99"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=5), st.booleans())
def test_whatever_is_sent_as_an_order_is_taken_or_refused_and_never_breaks_anything(desk, junk, change):
    body = json.dumps({**GOOD, **junk}).encode()
    if change:
        for order in desk.exchange.open_orders()[-1:]:
            answer = reply(desk.routes, Request.of("PATCH", f"/v2/orders/{order.id}", body))
            assert answer.status in {200, 400, 403, 422}
    answer = reply(desk.routes, Request.of("POST", "/v2/orders", body))
    assert answer.status in {200, 400, 403, 422}
    answer.content()
    assert reply(desk.routes, Request.of("GET", "/v2/account")).status == 200


PATHS = (
    "/v2/orders", "/v2/account/activities", "/v2/account/portfolio/history", "/v2/calendar", "/v2/assets",
    "/v2/stocks/bars", "/v2/stocks/trades", "/v2/stocks/snapshots", "/v1beta1/screener/stocks/movers",
)  # fmt: skip
QUERY = (
    "status", "limit", "after", "until", "start", "end", "page_size", "page_token", "period", "timeframe", "symbols",
    "sort", "top", "date", "direction", "feed",
)  # fmt: skip
VALUES = (
    "1Min", "1Day", "3Month", "AAA", "2024-01-02", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z", "1", "99", "9999A", "9999D", "1D", "asc", "desc", "all",
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(PATHS),
    st.dictionaries(st.sampled_from(QUERY), st.one_of(st.text(max_size=12), st.sampled_from(VALUES))),
)
def test_whatever_is_asked_is_answered_or_refused(desk, path, query):
    answer = reply(desk.routes, Request.of("GET", f"{path}?{urlencode(query)}"))
    assert answer.status in {200, 400, 404, 422}
    answer.content()


def test_watchlists_are_made_changed_and_deleted_by_id_and_by_name(desk):
    made = desk.ask("POST", "/v2/watchlists", {"name": "mine", "symbols": ["BBB"]})
    assert [asset["symbol"] for asset in made["assets"]] == ["BBB"]
    where, named = f"/v2/watchlists/{made['id']}", "/v2/watchlists:by_name?name=mine"
    assert desk.ask("GET", where) == desk.ask("GET", named) == made
    assert "assets" not in desk.ask("GET", "/v2/watchlists")[0]
    added = desk.ask("POST", where, {"symbol": "AAA"})
    assert [asset["symbol"] for asset in added["assets"]] == ["BBB", "AAA"]
    desk.ask("POST", named, {"symbol": "AAA"}, 422)
    assert [asset["symbol"] for asset in desk.ask("DELETE", f"{where}/BBB")["assets"]] == ["AAA"]
    desk.ask("DELETE", f"{where}/BBB", status=404)
    assert desk.ask("PUT", where, {"symbols": ["BBB"]})["name"] == "mine"
    assert desk.ask("PUT", named, {"name": "other"})["name"] == "other"
    desk.ask("GET", named, status=404)
    desk.ask("POST", "/v2/watchlists", {"name": "other"}, 422)
    desk.ask("POST", "/v2/watchlists", {"name": ""}, 422)
    desk.ask("POST", "/v2/watchlists", {"name": "more", "symbols": ["ZZZ"]}, 422)
    desk.ask("DELETE", "/v2/watchlists:by_name?name=other", status=204)
    desk.ask("DELETE", where, status=404)


def test_no_path_is_answered_but_those_there_are(desk):
    assert reply(desk.routes, Request.of("GET", "/v2/nothing")).status == 404
    assert reply(desk.routes, Request.of("POST", "/v2/account")).status == 405


def test_money_is_never_a_binary_fraction(desk):
    for _ in range(3):
        desk.order("buy", "0.1", symbol="BBB")
    desk.at(6)
    assert desk.exchange.book.cash == Decimal("99984.97")  # three tenths of 50.1 are 15.03
