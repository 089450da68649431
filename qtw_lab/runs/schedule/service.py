"""The loop of a scheduler or a worker: keep time, hand out what waits, watch over what runs, take over orphans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pandas as pd

from qtw_lab.core.errors import LabError
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.attendance import Attendance
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.pools import Eye, Pool
from qtw_lab.runs.schedule.settling import Records, fail
from qtw_lab.runs.schedule.timekeeping import Timekeeper
from qtw_lab.runs.schedule.trees import lives
from qtw_lab.runs.schedule.watching import Watch

_STEP: Final = 0.25  # seconds between two turns
_TICK: Final = pd.Timedelta(seconds=1)
_ROUND: Final = pd.Timedelta(seconds=3)
#: A process of another machine (its name may have changed) is given up when it has been silent for so long.
_LEASE: Final = pd.Timedelta(minutes=2)


@dataclass
class Stop:
    """The wish that a service ends.

    Parameters
    ----------
    asked : bool
        Begin nothing new, and end when what runs has ended.
    at_once : bool
        End now; what runs goes on by itself.
    """

    asked: bool = False
    at_once: bool = False

    def ask(self) -> None:
        """Ask once more: the first time for an orderly end, then for one at once."""
        self.asked, self.at_once = True, self.asked


@dataclass
class Service:
    """A scheduler, a worker, or both.

    Parameters
    ----------
    records : Records
        Where everything is kept.
    keeper : Timekeeper or None
        Puts what is due into the agenda; a worker has none.
    pool : Pool or None
        Executes it; one that only keeps time has none.
    say : callable
        Told, in a sentence, what happens.
    """

    records: Records
    keeper: Timekeeper | None
    pool: Pool | None
    say: Callable[[str], object] = lambda _: None
    _me: Process = field(default_factory=Process.current)
    _eyes: list[Eye] = field(default_factory=list)
    _begun: int = 0
    _ticked: pd.Timestamp | None = None
    _round: pd.Timestamp | None = None
    _fault: str | None = None

    @property
    def task(self) -> str:
        """What the service does: "keeps time", "works", or both."""
        does = [word for word, part in (("keeps time", self.keeper), ("works", self.pool)) if part is not None]
        return " and ".join(does)

    def run(self, stop: Stop, *, until: pd.Timestamp | None = None, once: bool = False) -> None:
        """Go on until told to stop.

        Parameters
        ----------
        stop : Stop
            The wish to end, which another thread or a signal may change.
        until : pandas.Timestamp, optional
            Ask for an orderly end then.
        once : bool
            End when nothing waits that could be run, and nothing runs.
        """
        try:
            self._go_on(stop, until, once)
        finally:
            Attendance(self.records.agenda).leave(self._me, self.records.clock.now())

    def _go_on(self, stop: Stop, until: pd.Timestamp | None, once: bool) -> None:
        while not stop.at_once:
            now = self.records.clock.now()
            if until is not None and now >= until:
                stop.asked = True
            begun = self.turn(working=not stop.asked)
            if not self._eyes and (stop.asked or (once and not begun)):
                return
            self.records.clock.sleep(_STEP)
        if self._eyes:
            self.say(f"{', '.join(eye.one.name for eye in self._eyes)}: goes on without being watched over.")

    def turn(self, *, working: bool = True) -> int:
        """Do everything that is to be done now, and say how many attempts were begun.

        What a fault of the moment prevents, such as a full disk, is named once and done at a later turn.
        """
        now, before = self.records.clock.now(), self._begun
        if self._round is None or abs(now - self._round) >= _ROUND:
            self._round = now
            self._tried(lambda: self._take_over(now))
        if self.keeper is not None and working and (self._ticked is None or abs(now - self._ticked) >= _TICK):
            self._ticked = now
            keeper = self.keeper
            self._tried(lambda: keeper.tick(now))
        for eye in tuple(self._eyes):
            self._tried(partial(self._look, eye))
        if working and self.pool is not None:
            self._tried(partial(self._hand_out, self.pool))
        return self._begun - before

    def _tried(self, work: Callable[[], object]) -> None:
        try:
            work()
        except LabError as err:
            if str(err) != self._fault:
                self._fault = str(err)
                self.say(f"Put off for a moment: {err}")

    def _look(self, eye: Eye) -> None:
        if eye.look():
            self._eyes.remove(eye)
            ended = self.records.agenda.get(eye.one.id)
            self.say(f"{ended.name}: {ended.state}{'' if ended.reason is None else f' ({ended.reason})'}")

    def _hand_out(self, pool: Pool) -> None:
        while len(self._eyes) < pool.places():
            one = self.records.agenda.claim(self._me, self.records.clock.now())
            if one is None:
                return
            self._begun += 1
            self.say(f"{one.name}: begun{'' if one.attempts == 1 else f', attempt {one.attempts}'}")
            try:
                self._eyes.append(pool.start(one))
            except LabError as err:
                fail(self.records, one, str(err))
                self.say(f"{one.name}: could not be begun ({err})")

    def _take_over(self, now: pd.Timestamp) -> None:
        """See to attempts that nobody watches over: those that live are watched, the others buried."""
        Attendance(self.records.agenda).attend(self._me, self.task, now)
        for one in self.records.agenda.running():
            if one.watcher is None or not _orphaned(one.watcher, one, self._me, now):
                continue
            mine = self.records.agenda.inherit(one, self._me)
            if mine is None:
                continue
            eye = Watch(self.records, mine)
            self._eyes.append(eye)
            self.say(f"{mine.name}: {'goes on, watched over from here' if lives(mine.owner) else 'was cut off'}")


def _orphaned(watcher: Process, one: Occurrence, me: Process, now: pd.Timestamp) -> bool:
    """Whether the watcher of an attempt is certainly not there any more."""
    if watcher.host == me.host:
        return watcher.gone
    return one.beat is None or now - one.beat > _LEASE
