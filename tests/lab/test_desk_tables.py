"""What is known at a desk as tables: sessions, fills, orders, refusals, and whose the shares are."""

from decimal import Decimal

import pandas as pd
import pytest

from qtw_lab.core import DataError, Settings
from qtw_lab.lab import desk_tables
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.ledger.limits import Breach
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.live.trading.state import DeskState
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import SqliteStore
from qtw_lab.venues.refused import NotAllowedError, refusal_event

D = Decimal
TERMS = SessionTerms.given("first", "sma_cross", "SAAAA", "5s", allocation=0.5)


@pytest.fixture
def settings(tmp_path):
    return Settings(qtw_storage_dir=tmp_path, _env_file=None)


def events():
    """A session that bought 30 of one symbol with another, which sold 10, and was refused an order of another."""
    yield Event("opened", 1, "first", {"terms": TERMS.written(), "cash": "1000"})
    second = SessionTerms.given("second", "macd", "SAAAA,SAAAB", "1min")
    yield Event("opened", 1, "second", {"terms": second.written(), "cash": "2000"})
    yield Event("ordered", 2, "desk-1", {"symbol": "SAAAA", "parts": {"first": "30", "second": "-10"}, "bar": 1})
    fill = {"execution": "e1", "qty": "20", "price": "10", "fee": "0.4", "time": 10**18}
    yield Event("filled", 3, "desk-1", fill)
    yield Event("ended", 3, "desk-1", {"status": "filled"})
    yield Event("ordered", 4, "desk-2", {"symbol": "SAAAB", "parts": {"second": "5"}, "bar": 2})
    yield Event("ended", 4, "desk-2", {"status": "refused", "reason": "insufficient buying power"})
    yield Event("marked", 10**18 + 1, "first", {"prices": {"SAAAA": "11"}})
    yield Event("status", 6, "second", {"status": "paused", "why": ""})


def held():
    """Sessions that hold 20 and 10 more of the first symbol, and 10 of the second."""
    found = DeskState.of(list(events())[:3])
    found.apply(Event("filled", 3, "desk-1", {"execution": "e", "qty": "20", "price": "1", "fee": "0", "time": 3}))
    found.apply(Event("ordered", 4, "o", {"symbol": "SAAAA", "parts": {"second": "10"}, "bar": 3}))
    found.apply(Event("filled", 5, "o", {"execution": "f", "qty": "10", "price": "1", "fee": "0", "time": 3}))
    found.apply(Event("ordered", 6, "p", {"symbol": "SAAAB", "parts": {"second": "10"}, "bar": 3}))
    found.apply(Event("filled", 7, "p", {"execution": "g", "qty": "10", "price": "1", "fee": "0", "time": 3}))
    return found


def test_sessions_as_a_table():
    first, second = desk_tables.sessions(DeskState.of(events())).to_dict("records")
    # 1000 - 300 - three quarters of 0.4, and 30 shares at 11
    assert first == {
        "session": "first", "status": "running", "strategy": "sma_cross", "interval": "5s", "symbols": "SAAAA",
        "equity": 1029.7, "gain": 29.7, "fills": 1, "held": "30 SAAAA",
    }  # fmt: skip
    assert (second["status"], second["symbols"], second["held"], second["gain"]) == (
        "paused", "SAAAA,SAAAB", "-10 SAAAA", -0.1,
    )  # fmt: skip


def test_fills_and_orders_as_tables():
    found = DeskState.of(events())
    fills = desk_tables.fills(found)
    assert fills[["session", "side", "qty", "price", "fee"]].to_numpy().tolist() == [
        ["first", "buy", 30.0, 10.0, 0.3], ["second", "sell", 10.0, 10.0, 0.1],
    ]  # fmt: skip
    assert list(desk_tables.fills(found, "second")["qty"]) == [10.0]
    assert fills["time"][0] == pd.Timestamp(10**18, tz="UTC")
    orders = desk_tables.orders(found)
    assert orders[["symbol", "qty", "filled", "status", "sessions", "reason"]].to_numpy().tolist() == [
        ["SAAAA", 20.0, 20.0, "filled", "first, second", ""],
        ["SAAAB", 5.0, 0.0, "refused", "second", "insufficient buying power"],
    ]


def test_the_curve_of_a_session():
    found = DeskState.of(events())
    curve = desk_tables.curve(found, "first")
    assert curve.index.tolist() == [pd.Timestamp(10**18 + 1, tz="UTC")]
    assert curve.to_dict("records") == [{"equity": 1029.7, "cash": 699.7}]
    assert len(desk_tables.curve(found, "second")) == 0
    with pytest.raises(DataError, match=r"There is no session 'frist'\. Did you mean 'first'\?"):
        desk_tables.curve(found, "frist")


def test_tables_of_nothing_have_their_columns():
    for table in (desk_tables.sessions, desk_tables.fills, desk_tables.orders):
        assert len(table(DeskState())) == 0
        assert len(table(DeskState()).columns) > 6


def test_a_damaged_book_is_said(settings):
    places = DeskPlaces.of(settings, "aaaaaaaa")
    with SqliteStore(places.file("desk")) as store:
        store.append([Event("danced", 1, "", {})])
    with pytest.raises(DataError, match="An event of kind 'danced' is none of a desk"):
        desk_tables.state(settings)


class Broker:
    """An account with positions."""

    def __init__(self, **held):
        self.held = held

    def positions(self):
        return {symbol: D(qty) for symbol, qty in self.held.items()}


def test_shares_are_those_of_the_sessions_and_of_others():
    empty = desk_tables.reconcile(Broker(), DeskState())
    assert (len(empty), list(empty.columns)) == (0, ["symbol", "sessions", "others", "broker"])
    assert desk_tables.reconcile(Broker(SAAAA=5), held()).to_dict("records") == [
        {"symbol": "SAAAA", "sessions": 30.0, "others": -25.0, "broker": 5.0},
        {"symbol": "SAAAB", "sessions": 10.0, "others": -10.0, "broker": 0.0},
    ]


def test_what_was_refused_is_told_with_its_reasons(settings):
    places = DeskPlaces.of(settings, "aaaaaaaa")
    sent = Ticket("SAAAA", "buy", "market", "day", qty=D(5), client_order_id="desk-1")
    with SqliteStore(places.file("guard")) as store:
        store.append([refusal_event(10**18, "broker", sent, RefusedError(403, "insufficient buying power"))])
        store.append([refusal_event(10**18, "limits", None, NotAllowedError([Breach("terms", "a", "b", "Why.")]))])
    assert desk_tables.refusals(settings).to_dict("list") == {
        "time": [pd.Timestamp(10**18, tz="UTC")] * 2, "by": ["broker", "limits"], "symbol": ["SAAAA", ""],
        "side": ["buy", ""], "qty": [5.0, pytest.approx(float("nan"), nan_ok=True)],
        "reason": ["insufficient buying power", "The order is not sent. Why."], "order": ["desk-1", ""],
    }  # fmt: skip
