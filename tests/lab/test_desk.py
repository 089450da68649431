"""The trading desk of this machine: where it is, its limits, its switch, and what it is asked."""

import json
from decimal import Decimal

import pandas as pd
import pytest

from qtw_lab.core import DataError, LabError, Settings, SetupError, VenueError
from qtw_lab.lab import desk, desk_halting, desk_places, desk_tables, paper, realtime
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.ledger.limits import Limits
from qtw_lab.live.lease import Lease
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

D = Decimal
START = pd.Timestamp("2024-01-05 15:00", tz="UTC")
TERMS = SessionTerms.given("first", "sma_cross", "SAAAA", "5s", allocation=0.5)
OPEN = {"do": "open", "terms": TERMS.written()}


@pytest.fixture
def settings(tmp_path):
    return Settings(qtw_storage_dir=tmp_path, _env_file=None)


@pytest.fixture
def exchange(settings):
    """A simulator, and the settings that point to it."""
    with Simulator(chosen_market(symbols=3), start=START, rate_limit=0) as served:
        yield served, realtime.pointed_to(settings, served)


# Places


def test_there_is_no_desk_before_one_was_used(settings):
    for look in (
        DeskPlaces.current,
        desk_tables.state,
        desk_halting.halted,
        lambda s: desk_halting.resume(s, by="Ann", reason="fine"),
    ):
        with pytest.raises(SetupError, match="There is no desk here yet; `qtw paper run` begins one"):
            look(settings)


def test_the_desk_of_the_account_that_was_used_last_is_the_one_that_is_meant(settings, tmp_path):
    first, second = DeskPlaces.of(settings, "aaaaaaaa-aaaa-1111"), DeskPlaces.of(settings, "bbbbbbbb-bbbb-2222")
    assert first.root == tmp_path / "paper" / "desks" / "aaaaaaaa-aaaa"
    assert DeskPlaces.current(settings) == second
    assert DeskPlaces.of(settings, "aaaaaaaa-aaaa-1111") == first == DeskPlaces.current(settings)
    assert (first.file("desk").name, first.stop.name, first.limits.name) == ("desk.sqlite", "stop", "limits.json")


@pytest.mark.parametrize("text", ["", "{", "{}", pytest.param("[]")])
def test_a_note_of_the_desk_that_cannot_be_read_is_none(settings, tmp_path, text):
    DeskPlaces.of(settings, "aaaaaaaa")
    (tmp_path / "paper" / "desks" / "current.json").write_text(text)
    with pytest.raises(SetupError, match="There is no desk here yet"):
        DeskPlaces.current(settings)


# Limits


def limited(tmp_path, said):
    places = DeskPlaces(tmp_path)
    places.limits.write_text(said if isinstance(said, str) else json.dumps(said), encoding="utf-8")
    return desk_places.limits_of(places)


def test_limits_are_those_of_the_file_or_none(tmp_path):
    assert desk_places.limits_of(DeskPlaces(tmp_path)) == Limits()
    said = {"max_daily_loss": 0.02, "max_order_value": 5000, "banned": ["GME"], "symbols": None, "allow_short": False}
    assert limited(tmp_path, said) == Limits(
        max_daily_loss=D("0.02"), max_order_value=D(5000), banned=frozenset({"GME"}), allow_short=False
    )
    assert limited(tmp_path, {}) == Limits()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("{", "Expecting property name"),
        ([], "Limits are a mapping of names to figures, not list"),
        ({"max_dayly_loss": 0.02}, "There is no limit 'max_dayly_loss'. Did you mean 'max_daily_loss'"),
        ({"max_daily_loss": 2}, "must be a fraction above 0 and at most 1"),
        ({"max_gross": "much"}, "must be a number above 0"),
        ({"max_gross": True}, "must be a number above 0"),
        ({"symbols": "AAA"}, "must be a set of symbols"),
        ({"allow_short": "no"}, "must be True or False"),
    ],
)
def test_limits_that_cannot_be_read_are_no_limits_at_all(tmp_path, said, why):
    with pytest.raises(DataError) as caught:
        limited(tmp_path, said)
    assert str(caught.value).startswith("The limits in limits.json cannot be read: ")
    assert why in str(caught.value)


def test_symbols_that_are_no_names_are_refused(tmp_path):
    with pytest.raises(DataError):
        limited(tmp_path, {"symbols": [["AAA"]]})


def test_a_desk_does_not_open_with_limits_that_cannot_be_read(exchange):
    _, settings = exchange
    desk.ask(settings, OPEN)
    DeskPlaces.current(settings).limits.write_text("{")
    with pytest.raises(DataError, match=r"The limits in limits.json cannot be read"):
        desk.ask(settings, {"do": "pause", "session": "first"})
    assert desk_tables.state(settings).sleeves["first"].status == "running"


# Asked


def test_a_desk_that_is_not_at_work_is_opened_for_a_moment(exchange):
    _, settings = exchange
    assert desk.ask(settings, OPEN) == "The session first begins with 50,000.00."
    assert desk.ask(settings, {"do": "pause", "session": "first"}) == "The session first is paused."
    found = desk_tables.state(settings).sleeves["first"]
    assert (found.terms, found.status) == (TERMS, "paused")
    with pytest.raises(DataError, match="There was a session first before"):
        desk.ask(settings, OPEN)


def test_a_desk_at_work_that_does_not_answer_is_said(exchange, monkeypatch):
    _, settings = exchange
    desk.ask(settings, OPEN)
    monkeypatch.setattr(desk, "_PATIENCE", 0.1)
    places = DeskPlaces.current(settings)
    for said in ({"do": "pause", "session": "first"}, OPEN):
        with Lease(places.root, 1), pytest.raises(LabError, match="The desk does not answer"):
            desk.ask(settings, said)
    assert list((places.root / "commands").iterdir()) == []


def test_one_desk_at_a_time_works_on_an_account(exchange):
    _, settings = exchange
    broker = paper.remote(settings)
    places = DeskPlaces.of(settings, broker.account().id)
    with (
        desk.opened(broker, settings, places, updates=False),
        pytest.raises(SetupError, match="process"),
        desk.opened(broker, settings, places, updates=False),
    ):
        pass
    with desk.opened(broker, settings, places, updates=False) as opened:
        assert opened.state.sleeves == {}


# Halted


def test_a_halt_lasts_until_a_person_resumes(exchange):
    served, settings = exchange
    desk.ask(settings, OPEN)
    broker = paper.remote(settings)
    broker.submit(paper.ticket("SAAAA", "buy", "mine", qty=5, kind="limit", limit_price=1))
    assert desk_halting.halted(settings).as_dict()["facts"][0]["value"] == "allowed"
    assert desk_halting.halt(settings, by="Ann Lee", reason="odd") == "Trading is halted, and open orders are canceled."
    assert broker.orders() == []
    facts = {fact["name"]: fact for fact in desk_halting.halted(settings).as_dict()["facts"]}
    assert (facts["trading"]["value"], facts["by"]["value"]) == ("halted", "Ann Lee")
    with desk.opened(broker, settings, DeskPlaces.current(settings), updates=False) as opened:
        assert opened.trader.halted
    with pytest.raises(DataError, match="give your name"):
        desk_halting.resume(settings, by="", reason="fine")
    assert desk_halting.resume(settings, by="Ann Lee", reason="fine") == "Trading may go on."
    with desk.opened(broker, settings, DeskPlaces.current(settings), updates=False) as opened:
        assert not opened.trader.halted
    assert served.exchange.open_orders() == []


def test_a_halt_can_close_everything_as_well(exchange):
    _, settings = exchange
    desk.ask(settings, OPEN)
    broker = paper.remote(settings)
    broker.submit(paper.ticket("SAAAA", "buy", "mine", qty=5))
    assert broker.positions() == {"SAAAA": D(5)}
    said = desk_halting.halt(settings, by="Ann Lee", reason="odd", flatten=True)
    assert said == "Trading is halted; open orders are canceled, 1 positions are being closed."
    assert broker.positions() == {}


class Silent:
    """A venue that does not answer."""

    def orders(self):
        raise VenueError("no answer")


def test_a_halt_holds_though_the_venue_does_not_answer(exchange, monkeypatch):
    _, settings = exchange
    desk.ask(settings, OPEN)
    monkeypatch.setattr(paper, "remote", lambda settings: Silent())
    with pytest.raises(VenueError, match="Trading is halted, but open orders may be left: no answer"):
        desk_halting.halt(settings, by="Ann Lee", reason="odd")
    assert desk_halting.halted(settings).as_dict()["facts"][0]["value"] == "halted"


def test_the_watcher_is_given_the_desks_folder_limits_and_keys(exchange, monkeypatch):
    served, settings = exchange
    desk.ask(settings, OPEN)
    places = DeskPlaces.current(settings)
    places.limits.write_text('{"max_daily_loss": 0.02, "max_gross": 5000}')
    called = []
    monkeypatch.setattr(desk_halting.os, "execve", lambda *words: called.append(words))
    desk_halting.watch(settings, flatten=True)
    ((_, command, environment),) = called
    assert command[1:4] == ["-m", "qtw_lab.venues.killswitch", "run"]
    assert command[4:9] == ["--folder", str(places.stop), "--url", served.url, "--calendar"]
    assert command[9:] == ["XNYS", "--flatten", "--max-daily-loss", "0.02"]
    assert environment["ALPACA_API_SECRET_KEY"] == "sim-secret"
    places.limits.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        desk_halting.watch(settings)


# Terms


def test_terms_are_read_from_a_file_of_one_or_of_some(tmp_path):
    path = tmp_path / "sessions.json"
    for said, count in ((TERMS.written(), 1), ([TERMS.written()] * 2, 2), ([], 0)):
        path.write_text(json.dumps(said))
        assert desk.terms_from(path) == desk.terms_from(str(path)) == [TERMS] * count
    assert desk.terms_from(TERMS.written()) == [TERMS]
    path.write_text("{")
    with pytest.raises(DataError, match=r"The sessions in .*sessions.json cannot be read"):
        desk.terms_from(path)
    with pytest.raises(DataError, match="cannot be read"):
        desk.terms_from(tmp_path / "none.json")


def test_terms_from_plain_words():
    found = desk.plain_terms("a", "sma_cross", "saaaa", "5s", {"fast": 3, "slow": 8}, 0.5, 1.0)
    assert (found.symbols, found.account.lot, found.strategy.parameters["fast"]) == (("SAAAA",), 1.0, 3)
