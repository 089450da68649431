"""Locates: asked for by REST and by a client, used up by short sales, gone at 20:00, and still there after a stop."""

import warnings
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_exchange import OPEN, SECOND, STILL, Desk, daily, market, quote, trade

from qtw_lab.core import VirtualClock
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.moments import instant
from qtw_lab.venues.paper.account_rules import AlpacaRules
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.lending import Lending
from qtw_lab.venues.paper.locates import Wanted, roll, trading_date
from qtw_lab.venues.paper.store import MemoryStore, SqliteStore
from qtw_lab.venues.paper.terms import AccountTerms
from qtw_lab.venues.simulator.asking import Request, reply
from qtw_lab.venues.simulator.server import Simulator

with warnings.catch_warnings():
    # alpaca-py imports websockets.legacy, which says loudly that it is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import MarketOrderRequest

D = Decimal
HOUR = 3600
#: Seconds after the opening of the Tuesday at which its locates end: 20:00.
EVENING = 10.5 * HOUR
#: Ten cents a share at a close of 100, and 500 shares a day.
RULES = AlpacaRules(lending=Lending(shares=550, fee=D("0.001")))


def lent(**statuses):
    """A market that stands still: AAA at 100 (hard to borrow unless said otherwise), BBB at 50, which has no close."""
    rows = [quote(0, 0, 99.9, 100.1), quote(1, 0, 49.9, 50.1), trade(0, 1, 100.0, number=1)]
    played = market(*rows, trade(0, 40 * HOUR, 100.0, number=2), days=(daily(0, "2023-12-29", 100.0),))
    turn(played, **{"AAA": "hard_to_borrow", **statuses})
    return played


def turn(played, **statuses):
    """Let names become easy or hard to borrow, or neither."""
    found = [
        {**asset, "borrow_status": now, "shortable": now != "not_shortable", "easy_to_borrow": now == "easy_to_borrow"}
        for asset in type(played).assets(played)
        for now in [statuses.get(asset["symbol"], asset["borrow_status"])]
    ]
    played.assets = lambda: found


@pytest.fixture
def desk():
    return Desk(lent(), 5, rules=RULES)


def ask(desk, qty=200, status=201, key="", **more):
    """The answer to a question for a locate of AAA."""
    body = {"symbol": "AAA", "qty": qty, **more}
    answer = reply(desk.routes, Request.of("POST", "/v1/locates", body, key))
    assert answer.status == status, (answer.status, answer.body)
    return answer.body


# Quotes


def test_a_quote_says_what_there_is_and_why_there_is_none(desk):
    said = desk.ask("GET", "/v1/locates/quotes?symbols=aaa,BBB,ZZZ,AAA")
    assert said["quotes"] == [
        {"symbol": "AAA", "available_qty": 500, "price": "0.1", "quoted_at": "2024-01-02T14:30:05Z"}
    ]
    assert [(one["symbol"], one["code"]) for one in said["errors"]] == [
        ("BBB", "easy_to_borrow"), ("ZZZ", "symbol_not_found"),
    ]  # fmt: skip
    ask(desk, 500)
    said = desk.ask("GET", "/v1/locates/quotes?symbols=AAA")["quotes"][0]
    assert said == {"symbol": "AAA", "available_qty": 0, "quoted_at": "2024-01-02T14:30:05Z"}


def test_what_has_no_close_has_no_quote_and_what_nobody_lends_is_never_there():
    desk = Desk(lent(AAA="not_shortable", BBB="hard_to_borrow"), 5, rules=RULES)
    said = desk.ask("GET", "/v1/locates/quotes?symbols=AAA,BBB")
    assert (said["quotes"][0]["available_qty"], said["errors"][0]["code"]) == (0, "quote_unavailable")
    assert ask(desk)["status"] == "rejected"
    assert desk.order("sell", 1, status=422)["message"] == 'asset "AAA" cannot be sold short'


def test_as_many_symbols_are_quoted_as_the_venue_quotes(desk):
    many = ",".join(f"S{number}" for number in range(101))
    assert desk.ask("GET", f"/v1/locates/quotes?symbols={many}", status=400)["code"] == "invalid_symbols"
    assert desk.ask("GET", "/v1/locates/quotes", status=400)["code"] == "invalid_symbols"


# Asking for one


def test_a_locate_costs_its_fee_at_once_and_says_when_it_ends(desk):
    said = ask(desk, limit_price="0.1", all_or_none=True)
    assert said == {
        "id": said["id"], "symbol": "AAA", "requested_qty": 200, "limit_price": "0.1", "all_or_none": True,
        "status": "active", "created_at": "2024-01-02T14:30:05Z", "located_qty": 200, "located_price": "0.1",
        "total_fee": "20", "expires_at": "2024-01-03T01:00:00Z",
    }  # fmt: skip
    assert desk.exchange.book.cash == 100_000 - 20
    (fee,) = desk.ask("GET", "/v2/account/activities/FEE")
    assert (fee["net_amount"], fee["symbol"]) == ("-20", "AAA")
    assert desk.ask("GET", f"/v1/locates/{said['id']}") == said
    desk.ask("GET", "/v1/locates/none", status=404)


@pytest.mark.parametrize(
    ("qty", "more", "status", "located"),
    [
        (500, {}, "active", 500),
        (700, {}, "active", 500),  # what there is
        (700, {"all_or_none": True}, "rejected", None),
        (100, {"limit_price": "0.0999"}, "rejected", None),
        (100, {"limit_price": 0.1}, "active", 100),
    ],
)
def test_a_locate_is_for_what_there_is_at_the_price_there_is(desk, qty, more, status, located):
    said = ask(desk, qty, **more)
    assert (said["status"], said.get("located_qty"), said["requested_qty"]) == (status, located, qty)
    assert desk.exchange.book.cash == 100_000 - (located or 0) * D("0.1")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"qty": 150}, 400, "invalid_input"), ({"qty": 0}, 400, "invalid_input"), ({"qty": -100}, 400, "invalid_input"),
        ({"qty": "100.5"}, 400, "invalid_input"), ({"qty": None}, 400, "invalid_input"),
        ({"symbol": ""}, 400, "invalid_input"), ({"all_or_none": "yes"}, 400, "invalid_input"),
        ({"limit_price": "low"}, 400, "invalid_limit_price"), ({"limit_price": "-1"}, 400, "invalid_limit_price"),
        ({"symbol": "ZZZ"}, 422, "symbol_not_found"), ({"symbol": "BBB"}, 422, "easy_to_borrow"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_is_refused_with_a_code_and_changes_nothing(desk, body, status, code):
    assert desk.ask("POST", "/v1/locates", {"symbol": "AAA", "qty": 100, **body}, status)["code"] == code
    assert desk.exchange.state.locates == {}


def test_a_body_that_is_no_object_is_refused(desk):
    for body in (b"", b"[]", b"\xff"):
        assert desk.ask("POST", "/v1/locates", body, 400)["code"] == "invalid_request_body"


def test_who_may_not_sell_short_or_cannot_pay_gets_no_locate():
    poor = Desk(lent(), 5, rules=RULES, cash=1999)
    assert ask(poor, status=403)["message"] == "account is not allowed to short"
    desk = Desk(lent(), 5, rules=RULES)
    desk.order("buy", 999, "limit", limit_price="100")  # reserves all but 100,100
    desk.order("buy", 1001, "limit", limit_price="99.99")  # leaves 10.01
    assert ask(desk, status=422)["code"] == "insufficient_buying_power"
    assert ask(desk, 100)["total_fee"] == "10"


# The same question twice


def test_a_question_asked_again_under_its_key_is_answered_as_it_was_and_paid_once(desk):
    first = ask(desk, key="mine", limit_price="0.10")
    assert ask(desk, key="mine", limit_price="0.1") == first
    assert ask(desk, key="mine", status=422)["code"] == "idempotency_key_conflict"
    assert ask(desk, key="other")["id"] != first["id"]
    assert desk.exchange.book.cash == 100_000 - 40
    assert ask(desk, 300, key="late", all_or_none=True)["status"] == "rejected"
    assert ask(desk, 300, key="late", all_or_none=True)["status"] == "rejected"
    assert len(desk.ask("GET", "/v1/locates")["locates"]) == 3


# Selling short


def test_what_is_hard_to_borrow_is_sold_short_up_to_what_is_located_and_once(desk):
    said = desk.order("sell", 1, status=403)
    assert (said["code"], said["requested"], said["located"]) == (40310000, "1", "0")
    assert desk.order("sell", 1, symbol="BBB")["status"] == "pending_new"  # easy to borrow
    ask(desk)
    desk.order("sell", 120)
    resting = desk.at(6).order("sell", 60, "limit", limit_price="101")
    assert desk.order("sell", 21, status=403)["located"] == "20"
    changed = desk.at(7).ask("PATCH", f"/v2/orders/{resting['id']}", {"qty": "80"})
    desk.ask("PATCH", f"/v2/orders/{changed['id']}", {"qty": "81"}, 403)
    desk.ask("DELETE", f"/v2/orders/{changed['id']}", status=204)
    desk.order("buy", 120)
    desk.at(8)
    assert desk.order("sell", 81, status=403)["located"] == "80"  # what was covered is used up
    desk.order("sell", 80)
    assert desk.at(9).order("sell", 1, status=403)["located"] == "0"


def test_what_is_held_is_sold_without_a_locate(desk):
    desk.order("buy", 10)
    desk.at(6).order("sell", 10)
    assert desk.at(7).exchange.book.held("AAA") == 0


# The day's end


@pytest.mark.parametrize(
    ("moment", "day", "ends"),
    [
        ("2024-01-02T15:00:00-05:00", "2024-01-02", "2024-01-02T20:00:00-05:00"),
        ("2024-01-02T19:59:59-05:00", "2024-01-02", "2024-01-02T20:00:00-05:00"),
        ("2024-01-02T20:00:00-05:00", "2024-01-03", "2024-01-03T20:00:00-05:00"),
        ("2024-01-05T20:00:00-05:00", "2024-01-08", "2024-01-08T20:00:00-05:00"),  # Friday evening
        ("2024-01-07T12:00:00-05:00", "2024-01-08", "2024-01-08T20:00:00-05:00"),  # Sunday
        ("2024-03-10T12:00:00-04:00", "2024-03-11", "2024-03-11T20:00:00-04:00"),  # clocks went forward
    ],
)
def test_a_locate_is_for_the_session_that_trades_next(moment, day, ends):
    assert trading_date(Hours(lent()), instant(moment)) == day
    assert roll(day) == instant(ends)


def test_locates_end_at_eight_in_the_evening_and_short_sales_under_them_are_canceled(desk):
    located = ask(desk)
    resting = desk.order("sell", 60, "limit", limit_price="150", time_in_force="gtc")
    easy = desk.order("sell", 60, "limit", limit_price="150", time_in_force="gtc", symbol="BBB")
    assert desk.at(EVENING - 1).now(resting["id"])["status"] == "new"
    assert desk.ask("GET", f"/v1/locates/{located['id']}")["status"] == "active"
    over = desk.at(EVENING).now(resting["id"])
    assert (over["status"], over["canceled_at"]) == ("canceled", "2024-01-03T01:00:00Z")
    assert desk.ask("GET", f"/v1/locates/{located['id']}")["status"] == "expired"
    assert desk.now(easy["id"])["status"] == "new"
    assert desk.order("sell", 1, status=403)["located"] == "0"
    ask(desk, 500)  # of the next day
    waiting = desk.order("sell", 500, "limit", limit_price="150", time_in_force="gtc")
    assert desk.at(EVENING + 20 * HOUR).now(waiting["id"])["status"] == "new"


def test_an_open_short_sale_of_a_name_that_turns_hard_to_borrow_overnight_is_canceled():
    played = lent(AAA="easy_to_borrow")
    desk = Desk(played, 5, rules=RULES)
    sold = desk.order("sell", 10)
    entry = desk.at(6).order(
        "sell", 10, "limit", limit_price="150", time_in_force="gtc", order_class="bracket",
        take_profit={"limit_price": "90"}, stop_loss={"stop_price": "160"},
    )  # fmt: skip
    stop = desk.order("buy", 10, "limit", limit_price="50", time_in_force="gtc")
    turn(played, AAA="hard_to_borrow")
    assert desk.at(EVENING - 1).now(entry["id"])["status"] == "new"
    over = desk.at(EVENING + HOUR).now(entry["id"])
    assert [over["status"], *(leg["status"] for leg in over["legs"])] == ["canceled"] * 3
    assert desk.now(stop["id"])["status"] == "new"  # it covers
    assert desk.now(sold["id"])["status"] == "filled"
    assert desk.exchange.book.held("AAA") == -10
    assert desk.ask("GET", "/v2/assets/AAA")["borrow_status"] == "hard_to_borrow"


# Listing


def test_locates_are_listed_by_status_symbol_and_trading_date_in_pages(desk):
    ids = [ask(desk, 100)["id"] for _ in range(3)]
    ids.append(ask(desk, 900, all_or_none=True)["id"])
    ids.append(ask(desk.at(EVENING), 100)["id"])

    def listed(query=""):
        return [one["id"] for one in desk.ask("GET", f"/v1/locates?{query}")["locates"]]

    assert listed()[0] == ids[-1]
    assert set(listed()) == set(ids)
    assert listed("status=active") == ids[-1:]
    assert listed("status=rejected") == [ids[3]]
    assert set(listed("status=expired&symbol=aaa")) == set(ids[:3])
    assert listed("symbol=BBB") == []
    assert listed("start=2024-01-03") == listed("start=2024-01-03&end=2024-01-04") == ids[-1:]
    assert set(listed("end=2024-01-03")) == set(ids[:4])
    first = desk.ask("GET", "/v1/locates?limit=2")
    rest = desk.ask("GET", f"/v1/locates?page_token={first['next_page_token']}")
    assert [one["id"] for one in first["locates"] + rest["locates"]] == listed()
    assert rest["next_page_token"] is None
    for wrong in ("status=odd", "limit=0", "limit=10001", "start=soon", "page_token=none"):
        assert desk.ask("GET", f"/v1/locates?{wrong}", status=400)["code"] == "invalid_input"


# Stops


def test_a_stop_keeps_locates_and_what_was_used_of_them(tmp_path):
    played, clock = lent(), VirtualClock(STILL)

    def opened(store):
        return PaperBroker(played, clock, rules=RULES, store=store)

    store = SqliteStore(tmp_path / "book.db")
    before = opened(store)
    located = before.locate(Wanted("AAA", 200, key="mine"))
    before.submit(Ticket("AAA", "sell", "market", "day", qty=D(150)))
    before.poll()
    store.close()
    store = SqliteStore(tmp_path / "book.db")
    after = opened(store)
    assert list(after.state.locates.values()) == [located]
    assert after.locate(Wanted("AAA", 200, key="mine")) == located
    assert after.book.cash == before.book.cash == 100_000 - 20 + 150 * D("99.9")
    with pytest.raises(RefusedError, match="located: 50"):
        after.submit(Ticket("AAA", "sell", "market", "day", qty=D(51)))
    after.submit(Ticket("AAA", "sell", "limit", "gtc", qty=D(50), limit_price=D(150)))
    store.close()
    clock.moment = pd.Timestamp(OPEN + round((EVENING + HOUR) * SECOND), tz="UTC")
    store = SqliteStore(tmp_path / "book.db")
    late = opened(store)
    late.poll()
    assert [order.status for order in late.orders.values()] == ["filled", "canceled"]
    assert late.state.faults() == []
    store.close()


def test_a_stop_does_not_end_a_locate_twice():
    played, store = lent(), MemoryStore()
    desk = Desk(played, 5, rules=RULES, store=store)
    old = desk.order("buy", 1, "limit", limit_price="10", time_in_force="gtc")  # met again from the first day on
    ask(desk.at(EVENING + 1))
    new = desk.order("sell", 1, "limit", limit_price="150", time_in_force="gtc")
    again = Desk(played, EVENING + 2, rules=RULES, store=store)
    again.at(EVENING + 3)
    assert [again.now(order["id"])["status"] for order in (old, new)] == ["new", "accepted"]


doings = st.tuples(
    st.integers(0, 40), st.sampled_from(["locate", "sell", "rest", "buy", "cancel"]), st.integers(1, 400)
)


@given(st.lists(doings, max_size=25))
def test_no_more_is_ever_sold_short_than_was_located(done):
    desk = Desk(lent(), 5, rules=RULES)
    sold = located = 0
    for hours, what, size in sorted(done, key=lambda one: one[0]):
        desk.at(max(5.0, hours * HOUR))
        try:
            if what == "locate":
                located += desk.exchange.locate(Wanted("AAA", size // 100 * 100 + 100)).qty
            elif what == "cancel":
                for order in desk.exchange.open_orders():
                    desk.exchange.cancel(order.id)
            else:
                kind, limit = ("limit", D(150)) if what == "rest" else ("market", None)
                side = "buy" if what == "buy" else "sell"
                desk.exchange.submit(Ticket("AAA", side, kind, "day", qty=D(size), limit_price=limit))
        except RefusedError:
            continue
        desk.exchange.poll()
        assert desk.exchange.buying_power(desk.exchange.now()) >= 0
    held = short = D(0)
    for fill in desk.exchange.book.fills:
        sold += min(held, D(0)) - min(held + fill.signed, D(0)) if fill.signed < 0 else 0
        held += fill.signed
        short = min(short, held)
    assert sold <= located
    assert -short <= located
    assert desk.exchange.state.faults() == []


# By a client


def test_a_client_asks_for_a_locate_and_sells_short_under_it():
    with Simulator(
        lent(), start="2024-01-02T09:30:05", hold=True, rate_limit=0, account=AccountTerms(rules=RULES)
    ) as simulator:
        trading = TradingClient("sim-key", "sim-secret", paper=True, url_override=simulator.url, raw_data=True)

        def by_version_one(method, path, body=None):
            # alpaca-py 0.44 has no calls for locates, but it can name the version of the endpoint
            return trading._request(method, path, body, api_version="v1")

        short = MarketOrderRequest(symbol="AAA", qty=100, side=OrderSide.SELL, time_in_force=TimeInForce.DAY)
        with pytest.raises(APIError) as caught:
            trading.submit_order(short)
        assert (caught.value.status_code, caught.value.code) == (403, 40310000)
        assert by_version_one("GET", "/locates/quotes", {"symbols": "AAA"})["quotes"][0]["available_qty"] == 500
        trading._session.headers["Idempotency-Key"] = "mine"
        located = [by_version_one("POST", "/locates", {"symbol": "AAA", "qty": 100}) for _ in range(2)]
        assert located[0] == located[1]
        assert by_version_one("GET", "/locates")["locates"] == located[:1]
        trading.submit_order(short)
        assert trading.get_open_position("AAA")["qty"] == "-100"
        account = trading.get_account()
        assert (account["cash"], account["shorting_enabled"]) == (str(100_000 - 10 + 9990), True)
