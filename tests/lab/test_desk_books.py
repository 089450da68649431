"""Books of a desk, followed while it writes: only news are read, and what cannot be read is said."""

import sqlite3
from decimal import Decimal

import pytest

from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.lab.desk_books import Books, Tail
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.paper.events import Event, ticket_json
from qtw_lab.venues.paper.store import SqliteStore
from qtw_lab.venues.refused import refusal_event

D = Decimal
TICKET = Ticket("X", "buy", "market", "day", qty=D(5), client_order_id="hand-1")


def fill(number, qty="5", side="buy", price="10"):
    said = {"id": f"f{number}", "symbol": "X", "side": side, "qty": qty, "price": price, "cumulative": qty, "fee": "0"}
    return Event("fill", 10 + number, f"o{number}", {**said, "at": 10 + number})


def known(status="new", filled="0", number=1):
    said = {"client_order_id": f"hand-{number}", "symbol": "X", "status": status, "filled_qty": filled}
    return Event("order", 5, f"o{number}", {**said, "created": 5, "updated": 5, "external": False})


OPENED = Event("opened", 1, "first", {"terms": SessionTerms.given("first", "sma_cross", "X").written(), "cash": "9"})
SENT = Event("intended", 4, "hand-1", {"ticket": ticket_json(TICKET)})


@pytest.fixture
def settings(tmp_path):
    return Settings(qtw_storage_dir=tmp_path, _env_file=None)


@pytest.fixture
def books(settings):
    return Books(settings)


@pytest.fixture
def desk(settings):
    """Writes into the books of a desk, which stay open meanwhile, as a desk at work has them."""
    places, opened = DeskPlaces.of(settings, "aaaaaaaa-aaaa-1"), {}

    def write(name, *events):
        if name not in opened:
            opened[name] = SqliteStore(places.file(name))
        opened[name].append(list(events))

    yield write
    for store in opened.values():
        store.close()


def test_there_is_nothing_to_look_at_before_a_desk(books):
    with pytest.raises(SetupError, match="There is no desk here yet"):
        books.look()


def test_what_is_written_is_seen_and_nothing_else_is_read(books, desk):
    desk("desk", OPENED)
    assert books.look()
    assert not books.look()
    assert list(books.state.sleeves) == ["first"]
    desk("outbox", SENT)
    desk("mirror", known())
    assert books.look()
    assert books.account.outbox.intents["hand-1"].ticket == TICKET
    assert books.account.mirror.orders["o1"].status == "new"
    desk("mirror", known("filled", "5"), fill(1))
    assert books.look()
    assert books.account.mirror.orders["o1"].status == "filled"
    assert not books.look()


def test_what_shares_cost_comes_of_the_fills(books, desk):
    desk("mirror", known(), fill(1, "5", price="10"), known(number=2), fill(2, "5", price="20"))
    books.look()
    assert books.account.entry("X") == 15
    desk("mirror", known(number=3), fill(3, "4", "sell", "30"))
    books.look()
    assert (books.account.entry("X"), books.account.mirror.positions()) == (15, {"X": D(6)})
    assert books.account.entry("Y") is None


def test_nobody_knows_what_shares_cost_that_came_by_no_fill(books, desk):
    desk("mirror", known(), fill(1), Event("adjusted", 9, "", {"id": "a", "symbol": "X", "shares": "5", "reason": "?"}))
    books.look()
    assert (books.account.entry("X"), books.account.mirror.positions()) == (None, {"X": D(10)})


def test_refusals_are_taken_in_one_by_one(books, desk):
    desk("desk", OPENED)
    for count in (1, 2):
        desk("guard", refusal_event(5, "broker", TICKET, RefusedError(403, "no")))
        books.look()
        assert [one.reason for one in books.refused] == ["no"] * count


def test_a_desk_of_another_account_is_read_from_its_beginning(books, desk, settings):
    desk("desk", OPENED)
    books.look()
    DeskPlaces.of(settings, "bbbbbbbb-bbbb-1")
    assert books.look()
    assert books.state.sleeves == {}
    DeskPlaces.of(settings, "aaaaaaaa-aaaa-1")
    books.look()
    assert list(books.state.sleeves) == ["first"]


def test_a_book_that_another_took_the_place_of_is_read_from_its_beginning(books, settings):
    places = DeskPlaces.of(settings, "aaaaaaaa-aaaa-1")
    for _ in range(2):
        with SqliteStore(places.file("desk")) as store:
            store.append([OPENED])
        assert books.look()
        assert list(books.state.sleeves) == ["first"]
        kept = places.file("desk").rename(places.root / "kept.sqlite")  # so that its number is not given out again
        books.look()
    assert kept.exists()


def test_a_damaged_book_is_said(tmp_path):
    path = tmp_path / "desk.sqlite"
    path.write_bytes(b"this is no SQLite file, and long enough for one" * 20)
    with pytest.raises(DataError, match=r"desk\.sqlite cannot be read"):
        Tail(path).news()


def test_a_book_that_lacks_events_is_said(tmp_path):
    path = tmp_path / "desk.sqlite"
    with SqliteStore(path) as store:
        store.append([OPENED, OPENED, OPENED])
    with sqlite3.connect(path) as changed:
        changed.execute("DELETE FROM events WHERE number = 2")
    with pytest.raises(DataError, match="lacks event 2"):
        Tail(path).news()


def test_a_book_that_is_only_being_made_has_nothing_yet(tmp_path):
    tail = Tail(tmp_path / "desk.sqlite")
    assert tail.news() == []
    sqlite3.connect(tmp_path / "desk.sqlite").close()
    (tmp_path / "desk.sqlite").touch()
    assert tail.news() == []
    (tmp_path / "desk.sqlite").unlink()
    with SqliteStore(tmp_path / "desk.sqlite") as store:
        store.append([OPENED])
    assert [event.kind for event in tail.news()] == ["opened"]
