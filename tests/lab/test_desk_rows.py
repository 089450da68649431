"""Orders, fills and positions of an account as rows: whose each is, and which of two words about it is the later."""

from dataclasses import replace
from decimal import Decimal

import pytest

from qtw_lab.lab import desk_rows
from qtw_lab.lab.desk_books import Account
from qtw_lab.lab.desk_rows import BY_HAND, ELSEWHERE, Standing
from qtw_lab.lab.desk_venue import Said
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.live.trading.state import DeskState
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.brokers import AccountView, OrderView
from qtw_lab.venues.paper.events import Event, ticket_json

D = Decimal
BANK = AccountView("a", D(1000), D(500), D(2000), D(990), blocked=False)
HAND = Ticket("Y", "sell", "limit", "gtc", qty=D(7), limit_price=D("9.5"), client_order_id="hand-1")
OWN = Ticket("X", "buy", "market", "day", qty=D(20), client_order_id="desk-1")


def known(number, name, symbol, status="new", filled="0", at=100):
    said = {"client_order_id": name, "symbol": symbol, "status": status, "filled_qty": filled, "created": at}
    return Event("order", at, number, {**said, "updated": at, "external": not name.startswith(("hand-", "desk-"))})


def fill(number, symbol, side, qty, price, at):
    said = {"id": f"f{at}", "symbol": symbol, "side": side, "qty": qty, "price": price, "cumulative": qty, "fee": "0.5"}
    return Event("fill", at, number, {**said, "at": at})


def intended(ticket):
    return Event("intended", 90, ticket.client_order_id, {"ticket": ticket_json(ticket)})


def desk():
    """Two sessions with parts of one order, of which 20 filled; another that was refused."""
    yield Event("opened", 1, "first", {"terms": SessionTerms.given("first", "sma_cross", "X").written(), "cash": "900"})
    yield Event("opened", 1, "second", {"terms": SessionTerms.given("second", "macd", "X").written(), "cash": "900"})
    yield Event("ordered", 2, "desk-1", {"symbol": "X", "parts": {"first": "30", "second": "-10"}, "bar": 1})
    yield Event("filled", 3, "desk-1", {"execution": "e1", "qty": "20", "price": "10", "fee": "0", "time": 101})
    yield Event("ended", 3, "desk-1", {"status": "filled"})
    yield Event("ordered", 4, "desk-2", {"symbol": "X", "parts": {"second": "-5"}, "bar": 2})
    yield Event("ended", 4, "desk-2", {"status": "refused", "reason": "too much"})


@pytest.fixture
def standing():
    account = Account()
    account.take(
        [intended(OWN), intended(HAND)],
        [
            known("o1", "desk-1", "X", "filled", "20", 101), fill("o1", "X", "buy", "20", "10", 101),
            known("o2", "hand-1", "Y", "new", "0", 102), known("o3", "theirs", "Z", "filled", "3", 103),
            fill("o3", "Z", "buy", "3", "100", 103),
        ],
    )  # fmt: skip
    return Standing(DeskState.of(desk()), account)


def view(number, name, symbol, status, filled, at):
    return OrderView(number, name, symbol, "sell", "limit", status, D(7), D(filled), None, 100, at)


def said(*views, prices=None, **held):
    held = {symbol: D(qty) for symbol, qty in held.items()}
    return Said(BANK, held, {one.id: one for one in views}, {name: D(one) for name, one in (prices or {}).items()})


def rows(standing, *names):
    table = desk_rows.orders(standing)[list(names)].astype(object)
    return table.where(table.notna(), None).to_numpy().tolist()


def test_orders_that_are_open_come_first_with_their_terms_and_whose_they_are(standing):
    assert rows(standing, "order", "who", "side", "type", "qty", "filled", "price", "status", "open", "cancel") == [
        ["hand-1", BY_HAND, "sell", "limit", 7.0, 0.0, 9.5, "new", True, True],
        ["theirs", ELSEWHERE, "", "", None, 3.0, None, "filled", False, False],
        ["desk-1", "first, second", "buy", "market", 20.0, 20.0, None, "filled", False, False],
        ["desk-2", "second", "sell", "market", 5.0, 0.0, None, "rejected", False, False],
    ]
    table = desk_rows.orders(standing).set_index("order")
    assert table["reason"]["desk-2"] == "too much"
    assert len(desk_rows.orders(standing, 2)) == 2


def test_a_later_word_of_the_broker_counts_and_an_earlier_one_does_not(standing):
    for status, filled, at, shown in (
        ("partially_filled", 3, 200, ["partially_filled", 3.0]), ("filled", 7, 200, ["filled", 7.0]),
        ("pending_new", 0, 50, ["new", 0.0]), ("held", 0, 200, ["new", 0.0]),
    ):  # fmt: skip
        told = replace(standing, said=said(view("o2", "hand-1", "Y", status, filled, at)))
        found = {row[0]: row[1:] for row in rows(told, "order", "status", "filled")}
        assert found["hand-1"] == shown, status


def test_an_order_that_no_book_knows_is_shown_by_the_brokers_word(standing):
    told = replace(standing, said=said(view("o9", "other", "Y", "new", 0, 300)))
    assert rows(told, "order", "who", "side", "type", "qty", "cancel")[0] == [
        "other", ELSEWHERE, "sell", "limit", 7.0, True
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("news", "status"),
    [
        ([], "intended"),
        ([Event("acknowledged", 91, "hand-2", {"order": "o7"})], "accepted"),
        ([Event("absent", 91, "hand-2", {})], "canceled"),
        ([Event("refused", 91, "hand-2", {"reason": "no", "status": 403, "code": None})], "rejected"),
    ],
)
def test_an_order_on_its_way_is_shown_before_anybody_tells_of_it(standing, news, status):
    standing.account.take([intended(replace(HAND, client_order_id="hand-2")), *news], [])
    found = {row[0]: row[1:] for row in rows(standing, "order", "status", "who")}
    assert found["hand-2"] == [status, BY_HAND]


def test_every_status_that_is_shown_has_a_place_among_those_that_are_known(standing):
    assert set(desk_rows.orders(standing)["status"]) <= set(desk_rows.STATUSES)


def test_fills_are_those_of_the_account_latest_first(standing):
    found = desk_rows.fills(standing)[["order", "who", "symbol", "qty", "price", "value", "fee"]].to_numpy().tolist()
    assert found == [
        ["theirs", ELSEWHERE, "Z", 3.0, 100.0, 300.0, 0.5], ["desk-1", "first, second", "X", 20.0, 10.0, 200.0, 0.5],
    ]  # fmt: skip


def test_positions_have_an_owner_a_cost_and_a_gain(standing):
    told = replace(standing, said=said(X=20, Z=3, prices={"X": 12, "Z": 90}))
    assert desk_rows.positions(told).to_dict("records") == [
        {"symbol": "X", "shares": 20.0, "sessions": 20.0, "others": 0.0, "entry": 10.0, "last": 12.0, "value": 240.0,
         "gain": 40.0, "part": 0.2},
        {"symbol": "Z", "shares": 3.0, "sessions": 0.0, "others": 3.0, "entry": 100.0, "last": 90.0, "value": 270.0,
         "gain": -30.0, "part": -0.1},
    ]  # fmt: skip


def test_before_the_broker_answers_the_books_are_believed(standing):
    found = desk_rows.positions(standing).set_index("symbol")
    assert found["shares"].to_dict() == {"X": 20.0, "Z": 3.0}
    assert found["last"]["X"] == 10.0  # what the sessions were valued at
    assert found["gain"].isna().tolist() == [False, True]


def test_while_a_desk_is_told_of_everything_its_books_know_first(standing):
    late = replace(standing, said=replace(said(), positions=None))
    assert desk_rows.positions(late).set_index("symbol")["shares"].to_dict() == {"X": 20.0, "Z": 3.0}


def test_shares_of_sessions_that_the_broker_does_not_have_are_seen(standing):
    found = desk_rows.positions(replace(standing, said=said())).to_dict("records")
    assert [(one["symbol"], one["shares"], one["sessions"], one["others"]) for one in found] == [
        ("X", 0.0, 20.0, -20.0)
    ]


def test_of_nothing_there_are_columns_all_the_same():
    nothing = Standing(DeskState(), Account())
    for table, names in (
        (desk_rows.orders, desk_rows.ORDERS), (desk_rows.fills, desk_rows.FILLS),
        (desk_rows.positions, desk_rows.POSITIONS),
    ):  # fmt: skip
        assert table(nothing).columns.tolist() == list(names)
        assert table(nothing).empty
