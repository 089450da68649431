"""A desk and its engine in one process: what it does on every turn, and a real one on a real simulator."""

import os
import signal
import threading
from decimal import Decimal

import pytest
from by_hand import Rig, Wrapped, bars_of, shares
from desk_at_work import Beside, exchange, state, until, whole
from minutes import MINUTE, OPEN, SECOND, closed

from qtw_lab.core import DataError, LabError
from qtw_lab.lab import desk, paper
from qtw_lab.live.running import Ending
from qtw_lab.live.trading.commands import Commands
from qtw_lab.live.trading.running import DeskRunner
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.live.trading.working import Working
from qtw_lab.venues.brokers import LostAnswerError

D = Decimal
UP = [10.0, 11.0, 12.0, 13.0]


class Engine:
    """Stands in for an engine: hands over what a test gives it, and ends when it is told to, or `how` it is to."""

    made: list["Engine"]

    def __init__(self, tap, symbols, lengths, bars=(), how=None):
        self.tap, self.symbols, self.lengths, self.how = tap, symbols, lengths, how
        self._bars, self.over = bars, threading.Event()

    def run(self):
        for bars in self._bars:
            self.tap._queue.put(bars)
        if isinstance(self.how, Exception):
            raise self.how
        if self.how is not None:
            return self.how
        assert self.over.wait(20)
        return Ending("stopped")

    def stop(self, why="asked to stop"):
        self.over.set()


def minute(name="one", symbols="X", interval="1min"):
    return shares(name, 5, symbols, interval=interval, parameters={"fast": 1, "slow": 2})


@pytest.fixture
def runner(tmp_path):
    """Makes a runner on a desk at a market made of bars; its engines are kept in `made`."""

    def make(*opening, bars=(), how=None, broker=None, beat=lambda: None):
        rig = Rig(bars_of(X=[10, 10], Y=[20, 20]), at=OPEN + 10 * MINUTE, broker=broker)
        said, made = [], []

        def engine(tap, symbols, lengths):
            made.append(Engine(tap, symbols, lengths, bars, how))
            return made[-1]

        runner = DeskRunner(
            Working(rig.desk, say=said.append), engine, Commands(tmp_path / "commands"), opening, beat
        )  # fmt: skip
        return rig, runner, made

    return make


def test_sessions_are_opened_once_and_their_bars_are_traded_on(runner):
    beats = []
    rig, run, made = runner(
        minute(), bars=[closed(X=UP, end=OPEN + 10 * MINUTE)], beat=lambda: beats.append(len(rig.sent()))
    )
    assert run.run(0.5) == Ending("the time asked for is over")
    assert rig.sent() == [("X", "buy", D(5))]
    assert beats[-1] == 1
    assert [(one.symbols, one.lengths) for one in made] == [(("X",), (60,))]
    assert made[0].over.is_set()
    assert run.run(0.1).reason == "the time asked for is over"  # the session is there already
    assert list(rig.state.sleeves) == ["one"]


def test_without_a_session_there_is_no_engine(runner):
    _, run, made = runner()
    assert run.run(0.2) == Ending("the time asked for is over")
    assert made == []


def test_commands_are_carried_out_and_a_new_session_gets_an_engine_of_its_own(runner, tmp_path):
    rig, run, made = runner(minute())
    commands = Commands(tmp_path / "commands")

    def people():
        until(lambda: made)
        name = commands.put({"do": "open", "terms": minute("two", "Y", "5min").written() | {"allocation": 0.25}}, 1)
        assert commands.answer(name, 10.0) == "The session two begins with 25,000.00."
        until(lambda: len(made) == 2)
        assert commands.answer(commands.put({"do": "stop", "session": "one"}, 2), 10.0) == "The session one is stopped."
        until(lambda: len(made) == 3)
        run.stop("enough")

    with Beside(people):
        assert run.run(30.0) == Ending("enough")
    assert [one.symbols for one in made] == [("X",), ("X", "Y"), ("Y",)]
    assert [one.lengths for one in made] == [(60,), (60, 300), (300,)]
    assert all(one.over.is_set() for one in made)
    assert rig.state.sleeves["one"].status == "stopped"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Ending("the feed ended"), "the feed ended"),
        (Ending("wrong keys", failed=True), "wrong keys"),
        (RuntimeError("a bug"), "The engine ended: a bug"),
    ],
)
def test_a_desk_ends_with_its_engine(runner, how, said):
    _, run, _ = runner(minute(), how=how)
    ending = run.run(20.0)
    assert (ending.reason, ending.failed) == (said, said != "the feed ended")


def test_it_does_not_begin_on_an_account_that_cannot_be_reconciled(runner):
    class Silent(Wrapped):
        def positions(self):
            raise LostAnswerError("no answer from the venue")

    rig, run, made = runner(minute(), broker=Silent)
    ending = run.run(5.0)
    assert (ending.failed, made, rig.state.sleeves) == (True, [], {})
    assert "no answer from the venue" in ending.reason


def test_a_session_that_cannot_be_opened_is_said_at_the_start(runner):
    _, run, made = runner(minute(), minute("two"), minute("three"))
    with pytest.raises(DataError, match=r"The session three is to have 50,000\.00, and 0\.00 of"):
        run.run(5.0)
    assert made == []


def test_its_own_door_for_commands_says_what_it_cannot_do(runner):
    _, run, _ = runner()
    with pytest.raises(DataError, match="A desk cannot 'dance'; it can open, pause, continue, close, stop"):
        run.do({"do": "dance"})


def test_a_desk_on_a_simulator_trades_obeys_and_adds_up(tmp_path):
    first = SessionTerms.given(
        "first", "sma_cross", "SAAAA,SAAAB", "5s", parameters={"fast": 2, "slow": 3, "short": False}, allocation=0.4,
    )  # fmt: skip
    pair = SessionTerms.given("pair", "pairs", "SAAAA,SAAAB,SAAAC", "5s", allocation=0.2)
    second = SessionTerms.given("second", "buy_and_hold", "SAAAC", "5s", allocation=0.3)
    with exchange(tmp_path) as (served, settings):
        lines, answers, began = [], [], served.clock.nanoseconds

        def people():
            until(lambda: any(one.filled for one in state(settings).orders.values()), what=f"nothing filled: {lines}")
            answers.append(desk.ask(settings, {"do": "open", "terms": second.written()}))
            until(lambda: len(state(settings).sleeves["second"].fills()) > 0, what=f"second did not buy: {lines}")
            answers.extend(desk.ask(settings, {"do": what, "session": "first"}) for what in ("pause", "continue"))
            with pytest.raises(LabError, match="There is no session 'third'"):
                desk.ask(settings, {"do": "pause", "session": "third"})
            answers.append(desk.ask(settings, {"do": "close", "session": "second"}))
            until(lambda: state(settings).sleeves["second"].status == "stopped", what=f"second did not close: {lines}")
            os.kill(os.getpid(), signal.SIGTERM)

        with Beside(people):
            ending = desk.run(
                settings, feed="simulator", speed=10, seconds=240, sessions=[first, pair], say=lines.append
            )
        assert ending == Ending("SIGTERM"), lines
        assert answers[0].startswith("The session second begins with ")
        assert answers[1:3] == ["The session first is paused.", "The session first is running."]
        assert [line for line in lines if line.startswith("The session pair decides nothing")] == lines[1:]
        found, broker = state(settings), paper.remote(settings)
        whole(found, broker)
        assert found.sleeves["second"].book.holdings == {}
        assert all(order.bar + 10 * SECOND > began for order in found.orders.values())  # on none of the past
