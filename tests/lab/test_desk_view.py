"""A desk as pages see it: in every state it can have, without waiting and without disturbing anybody."""

import time
from decimal import Decimal

import pandas as pd
import pytest

from qtw_lab.core import Settings
from qtw_lab.lab import desk, desk_halting, desk_view, order_ticket, paper, realtime
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.lab.desk_view import DeskView, shared
from qtw_lab.lab.order_ticket import Draft
from qtw_lab.live.lease import Lease
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.feeds import steady
from qtw_lab.venues.killswitch import Heartbeat
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

D = Decimal
START = pd.Timestamp("2024-01-05 15:00", tz="UTC")
OPEN = {"do": "open", "terms": SessionTerms.given("first", "sma_cross", "SAAAA", "5s", allocation=0.5).written()}


@pytest.fixture
def bare(tmp_path):
    return Settings(qtw_storage_dir=tmp_path, _env_file=None)


@pytest.fixture
def settings(bare):
    with Simulator(chosen_market(symbols=3), start=START, rate_limit=0) as served:
        yield realtime.pointed_to(bare, served)


def until(view, true, seconds=20.0):
    """A picture of which something is true."""
    end = time.monotonic() + seconds
    while True:
        seen = view.wait()
        if true(seen):
            return seen
        assert time.monotonic() < end, seen


def test_without_keys_and_desk_both_are_said(bare):
    seen = until(DeskView(bare), lambda seen: seen.link != "unknown")
    assert (seen.stage, seen.link, seen.switch, seen.account) == ("none", "no keys", None, None)
    assert "qtw simulator serve" in seen.trouble
    assert not seen.reachable
    assert not seen.halted
    assert not seen.known


def test_looking_returns_at_once(settings):
    view = DeskView(settings)
    began = time.monotonic()
    for _ in range(50):
        view.poke()
    assert time.monotonic() - began < 0.5
    assert view.wait() is not None


def test_an_account_without_a_desk_has_its_figures(settings):
    seen = until(DeskView(settings), lambda seen: seen.account is not None)
    assert (seen.stage, seen.link, seen.account["equity"], seen.account["day"]) == ("none", "answers", 100_000.0, 0.0)
    assert seen.known
    paper.remote(settings).submit(paper.ticket("SAAAA", "buy", "mine", qty=5))
    seen = until(DeskView(settings), lambda seen: len(seen.positions) > 0)
    assert seen.positions["shares"].tolist() == [5.0]
    assert seen.positions["gain"].isna().all()  # nobody here knows what they cost


def test_a_desk_that_is_not_at_work_and_what_changes_there(settings):
    view = DeskView(settings)
    desk.ask(settings, OPEN)
    DeskPlaces.current(settings).limits.write_text('{"max_leverage": 2}')
    seen = until(view, lambda seen: len(seen.sessions) and seen.link == "answers")
    assert (seen.stage, seen.process, seen.silent) == ("asleep", 0, None)
    assert seen.sessions["session"].tolist() == ["first"]
    assert seen.limits.to_dict("records") == [{"rule": "max_leverage", "bound": "2.00x"}]
    assert not seen.halted
    desk.ask(settings, {"do": "pause", "session": "first"})
    assert until(view, lambda seen: seen.sessions["status"].tolist() == ["paused"]).trouble == ""


def test_what_did_not_change_is_the_same_object(settings):
    view = DeskView(settings)
    desk.ask(settings, OPEN)
    one = until(view, lambda seen: len(seen.sessions) and seen.account is not None)
    two = view.wait()
    assert one is not two
    for name in ("sessions", "orders", "fills", "refusals", "positions", "together"):
        assert getattr(one, name) is getattr(two, name), name


def test_an_order_by_hand_is_followed_to_its_end_though_no_desk_is_at_work(settings):
    view = DeskView(settings)
    ticket = Draft("SAAAA", size="5").ticket()
    order_ticket.send(settings, ticket)
    low = Draft("SAAAB", kind="limit", size="1", limit_price="1").ticket()
    order_ticket.send(settings, low)
    seen = until(view, lambda seen: len(seen.orders) == 2 and len(seen.positions) and seen.link == "answers")
    assert seen.orders["status"].tolist() == ["new", "filled"]
    until(view, lambda seen: seen.positions["last"].notna().all())
    broker = paper.remote(settings)
    broker.cancel(broker.find(low.client_order_id).id)  # by somebody else, of which no book tells
    seen = until(view, lambda seen: seen.orders["status"].tolist() == ["canceled", "filled"])
    assert seen.orders["open"].tolist() == [False, False]
    assert seen.fills["who"].tolist() == ["by hand"]


def test_refusals_stand_with_their_reasons_latest_first(settings):
    view = DeskView(settings)
    DeskPlaces.of(settings, paper.remote(settings).account().id).root.mkdir(parents=True, exist_ok=True)
    DeskPlaces.current(settings).limits.write_text('{"max_order_shares": 2}')
    for size in ("3", "4"):
        with pytest.raises(Exception, match="The order is not sent"):
            order_ticket.send(settings, Draft("SAAAA", size=size).ticket())
    seen = until(view, lambda seen: len(seen.refusals) == 2)
    assert seen.refusals["qty"].tolist() == [4.0, 3.0]


def test_limits_that_cannot_be_read_are_said(settings):
    view = DeskView(settings)
    desk.ask(settings, OPEN)
    DeskPlaces.current(settings).limits.write_text("{")
    assert "limits.json cannot be read" in until(view, lambda seen: seen.limits_trouble).limits_trouble


def test_a_halt_is_seen_with_by_whom_and_why(settings):
    view = DeskView(settings)
    desk.ask(settings, OPEN)
    desk_halting.halt(settings, by="Ann Lee", reason="odd")
    seen = until(view, lambda seen: seen.halted)
    assert (seen.switch.by, seen.switch.reason) == ("Ann Lee", "odd")
    desk_halting.resume(settings, by="Ann Lee", reason="fine")
    until(view, lambda seen: seen.switch is not None and not seen.halted)


def test_a_desk_at_work_starts_beats_and_hangs(settings, monkeypatch):
    view = DeskView(settings)
    desk.ask(settings, OPEN)
    places = DeskPlaces.current(settings)
    heart = Heartbeat(places.stop / "heartbeat.json")
    with Lease(places.root, steady()):
        assert until(view, lambda seen: seen.stage != "asleep").stage == "starting"
        heart.beat(steady())
        seen = until(view, lambda seen: seen.stage == "at work")
        assert seen.process > 0
        assert seen.silent < 10
        heart.beat(steady() - 11 * 10**9)
        assert until(view, lambda seen: seen.stage == "hung").silent > 10
    until(view, lambda seen: seen.stage == "asleep")


def test_a_broker_that_does_not_answer_is_said_and_what_is_known_stays(bare):
    with Simulator(chosen_market(symbols=3), start=START, rate_limit=0) as served:
        settings = realtime.pointed_to(bare, served)
        view = DeskView(settings)
        desk.ask(settings, OPEN)
        until(view, lambda seen: seen.account is not None and len(seen.sessions))
    seen = until(view, lambda seen: seen.link == "silent")
    assert seen.unanswered > 0
    assert seen.account["equity"] == 100_000.0
    assert seen.sessions["session"].tolist() == ["first"]
    assert not seen.reachable


def test_books_and_broker_are_compared(settings):
    desk.ask(settings, OPEN)
    order_ticket.send(settings, Draft("SAAAA", size="5").ticket())
    found = desk_view.compared(settings)
    assert (found.agrees, found.table.to_dict("records")) == (
        True, [{"symbol": "SAAAA", "sessions": 0.0, "others": 5.0, "broker": 5.0, "books": 5.0}],
    )  # fmt: skip
    paper.remote(settings).submit(paper.ticket("SAAAA", "sell", "elsewhere", qty=5))
    found = desk_view.compared(settings)
    assert (found.agrees, found.table["books"].tolist(), found.table["broker"].tolist()) == (False, [5.0], [0.0])


def test_all_who_look_from_a_process_share_a_view(bare, tmp_path):
    assert shared(bare) is shared(bare.model_copy())
    other = bare.model_copy(update={"qtw_storage_dir": tmp_path / "other"})
    assert shared(other) is not shared(bare)
