"""A desk and its engine in one process: the engine makes bars in a thread of its own, the desk trades on them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from qtw_lab.core import DataError, VenueError
from qtw_lab.live.running import Ending, Runner
from qtw_lab.live.trading import hand
from qtw_lab.live.trading.commands import Commands
from qtw_lab.live.trading.daily import DailyBars
from qtw_lab.live.trading.tap import Tap
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.live.trading.working import Working, recovered

#: Seconds to wait for a bar; then the broker is listened to all the same.
_WAIT: Final = 0.1
#: Seconds an engine has to end.
_PATIENCE: Final = 30.0

#: What a command may ask of a session, and the status that it then has.
CHANGES: Final = {"pause": "paused", "continue": "running", "close": "closing", "stop": "stopped"}

#: What a command may ask about orders by hand.
BY_HAND: Final = {"order": hand.order, "preview": hand.preview, "cancel": hand.cancel}

#: What each command says beside what is to be done.
_NEEDED: Final = {
    "open": "terms", **dict.fromkeys(CHANGES, "session"), "order": "ticket", "preview": "ticket", "cancel": "order",
}  # fmt: skip


@dataclass
class DeskRunner:
    """Runs a desk until it is told to stop.

    Parameters
    ----------
    working : Working
        The desk.
    engine : callable
        Makes the engine that closes bars: given a tap, the symbols, and the lengths of bars in seconds.
    commands : Commands, optional
        What people want of it while it runs.
    opening : sequence of SessionTerms
        Sessions to open at the start, where there are none of these names yet.
    beat : callable
        Called on every turn: a heartbeat.
    daily : DailyBars, optional
        Who has the bars of whole days; without it there can be no sessions on them.
    """

    working: Working
    engine: Callable[[Tap, tuple[str, ...], tuple[int, ...]], Runner]
    commands: Commands | None = None
    opening: Sequence[SessionTerms] = ()
    beat: Callable[[], None] = lambda: None
    daily: DailyBars | None = None
    _running: _Engine | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._why = "asked to stop"

    def stop(self, why: str = "asked to stop") -> None:
        """End soon; may be called from a signal handler or another thread."""
        self._why = why
        self._stopping.set()

    def run(self, seconds: float | None = None) -> Ending:
        """Run until told to stop, for at most so many seconds.

        Raises
        ------
        SetupError
            If something cannot be written.
        """
        until = None if seconds is None else time.monotonic() + seconds
        trader = self.working.desk.trader
        trader.open()
        try:
            recovered(self.working)
            for terms in self.opening:
                if terms.name not in self.working.desk.state.sleeves:
                    do(self.working, {"do": "open", "terms": terms.written()})
            return self._work(until)
        except VenueError as err:
            return Ending(str(err), failed=True)
        finally:
            self._end_engine()
            trader.close()

    def do(self, said: dict[str, Any]) -> str:
        """Carry out a command and say what was done.

        Raises
        ------
        DataError
            If there is no such command, or it cannot be done.
        """
        return do(self.working, said)

    def _work(self, until: float | None) -> Ending:
        while True:
            if self.commands is not None:
                self.commands.take(self.do)
            ending = self._kept_up()
            if ending is not None:
                return ending
            tap = self._running.tap if self._running is not None else None
            bars = tap.read(_WAIT) if tap is not None else None
            if tap is None:
                self._stopping.wait(_WAIT)
            self.working.turn(bars)
            self._day_by_day()
            self.beat()
            if self._stopping.is_set():
                return Ending(self._why)
            if until is not None and time.monotonic() >= until:
                return Ending("the time asked for is over")

    def _day_by_day(self) -> None:
        """Tell sessions on daily bars of the session before, once a day, while the market trades."""
        rows = self.working.rows(daily=True)
        if self.daily is None or not rows:
            return
        found = self.daily.due(self.working.symbols(daily=True), max(rows.values()))
        if found is not None:
            self.working.turn(*found)

    def _kept_up(self) -> Ending | None:
        """See that the engine that runs is the one the sessions need; why to end, if it cannot go on."""
        running = self._running
        if running is not None and running.ending is not None:
            return running.ending
        need = (self.working.symbols(), tuple(sorted(self.working.rows().items())))
        if running is not None and running.need == need:
            return None
        self._end_engine()
        if need[0]:
            tap = Tap(dict(need[1]), need[0])
            runner = self.engine(tap, need[0], tuple(length for length, _ in need[1]))
            self._running = _Engine(need, tap, runner)
            self._running.start()
        return None

    def _end_engine(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None


class _Engine:
    """An engine in a thread."""

    def __init__(self, need: Any, tap: Tap, runner: Runner) -> None:
        self.need, self.tap, self._runner = need, tap, runner
        self.ending: Ending | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Let it end, and wait for it."""
        self._runner.stop("the desk needs another engine or ends")
        with contextlib.suppress(RuntimeError):
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            self.ending = self._runner.run()
        except Exception as err:  # noqa: BLE001  (whatever it is, the desk has to know of it)
            self.ending = Ending(f"The engine ended: {err}", failed=True)


def do(working: Working, said: dict[str, Any]) -> str:
    """Carry out a command on a desk: open a session, or let one pause, continue, close what it holds, or stop.

    Orders by hand are commands as well: see `qtw_lab.live.trading.hand`.

    Raises
    ------
    DataError
        If there is no such command, or it cannot be done.
    VenueError
        If an order is refused, or the broker does not answer.
    """
    what = str(said.get("do"))
    needed = _NEEDED.get(what)
    if needed is None:
        raise DataError(f"A desk cannot {said.get('do')!r}; it can {', '.join(_NEEDED)}.")
    if needed not in said:
        raise DataError(f"The command {what!r} needs a {needed!r}.")
    if what in BY_HAND:
        return BY_HAND[what](working, said)
    if what == "open":
        terms = SessionTerms.read(said["terms"])
        working.check(terms)
        sleeve = working.desk.open(terms)
        return f"The session {sleeve.name} begins with {sleeve.book.cash:,.2f}."
    working.desk.change(str(said["session"]), CHANGES[what], str(said.get("why", "")))  # type: ignore[arg-type]  # one of them
    return f"The session {said['session']} is {working.desk.state.sleeves[said['session']].status}."
