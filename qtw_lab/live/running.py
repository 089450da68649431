"""Runs an engine: carries out what it concludes, writes everything down, and starts where the journal ends."""

from __future__ import annotations

import contextlib
import gc
import json
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import SetupError
from qtw_lab.core.files import write_text
from qtw_lab.live.asking import Asker
from qtw_lab.live.begun import write_begun
from qtw_lab.live.engine import LEAST_ROWS, Engine
from qtw_lab.live.journal import Journal
from qtw_lab.live.lease import Lease
from qtw_lab.live.outcome import Outcome
from qtw_lab.live.outlets import Outlets, written
from qtw_lab.live.profile import Profile
from qtw_lab.live.recording import Recording
from qtw_lab.live.resuming import resumed
from qtw_lab.live.status import write_status
from qtw_lab.live.warm import warm
from qtw_lab.venues.feeds import Feed, Inbound, Kind, Reference, steady

#: How long the loop waits for something to come, seconds; then time alone is told to the engine.
_WAIT: Final = 0.05

#: How often status, exports and metrics are written, seconds.
_EVERY: Final = 1.0

_ASSETS: Final = "assets_master.json"


@dataclass(frozen=True, slots=True)
class Places:
    """Where an engine keeps what it knows.

    Parameters
    ----------
    state : Path
        Journal, recordings, status and the latest state as JSON.
    data : Path
        NDJSON exports and metrics.
    """

    state: Path
    data: Path

    @property
    def journal(self) -> Path:
        """The folder of the journal."""
        return self.state / "journal"

    @property
    def recordings(self) -> Path:
        """The folder with a folder for each recorded session."""
        return self.state / "recordings"

    def assets(self) -> list[dict[str, Any]]:
        """The asset master that was saved last; empty if there is none."""
        with contextlib.suppress(OSError, ValueError):
            saved = json.loads((self.state / _ASSETS).read_text(encoding="utf-8"))
            return list(saved["assets"])
        return []

    def save_assets(self, assets: list[dict[str, Any]], now: int) -> Path:
        """Save an asset master."""
        content = {"updated_at": f"{pd.Timestamp(now, unit='ns', tz='UTC'):%Y-%m-%dT%H:%M:%SZ}", "assets": assets}
        return write_text(self.state / _ASSETS, json.dumps(content))


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run ended.

    Parameters
    ----------
    reason : str
        In words.
    failed : bool
        Whether it could not go on, rather than was asked to stop.
    """

    reason: str
    failed: bool = False


@dataclass
class Runner:
    """Runs an engine on a feed until it is told to stop.

    Parameters
    ----------
    profile : Profile
        What to watch and how to decide.
    feed : Feed
        The stream.
    reference : Reference, optional
        Who answers questions. Without one the profile names its symbols and gaps stay holes.
    places : Places
        Where everything is kept.
    outlets : Outlets, optional
        Who else is told: exports, metrics, Redis.
    calendar : str
        When there is trading.
    speed : float
        Seconds of the venue in a second of ours.
    now : callable
        The time in nanoseconds; one that never jumps.
    recorded : bool
        Whether the session is recorded.
    version : str
        Of the package, for the journal.
    listener : callable, optional
        Is given the engine, the length of a bar in seconds, its start and the venue's time, for each bar that closes.
    """

    profile: Profile
    feed: Feed
    reference: Reference | None
    places: Places
    outlets: Outlets | None = None
    calendar: str = "XNYS"
    speed: float = 1.0
    now: Callable[[], int] = steady
    recorded: bool = True
    version: str = ""
    listener: Callable[[Engine, int, int, int], None] | None = None

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._why = "asked to stop"
        self._fatal: str | None = None

    def stop(self, why: str = "asked to stop") -> None:
        """End the run soon; may be called from a signal handler or another thread."""
        self._why = why
        self._stopping.set()

    def run(self, seconds: float | None = None) -> Ending:
        """Run until told to stop, for at most so many seconds.

        Raises
        ------
        SetupError
            If another engine works in the same place, or it cannot be written.
        """
        began = self.now()
        with contextlib.ExitStack() as stack:
            stack.enter_context(Lease(self.places.state, began))
            journal = stack.enter_context(Journal(self.places.journal))
            was = resumed(self.places.journal, max(self.profile.engine.bar_limit, LEAST_ROWS))
            recording = self._recording(stack, began, was)
            engine = Engine(
                self.profile, calendar=self.calendar, speed=self.speed, resumed=was, assets=self.places.assets(),
                asking=self.reference is not None,
            )  # fmt: skip
            if self.listener is not None:
                engine.listen(partial(self.listener, engine))
            journal.write_start(began, self._facts())
            asker = Asker(self.reference, self.now) if self.reference is not None else None
            stack.callback(self.feed.close)
            warm(self.profile)  # compiling takes half a minute once, which no event may wait for
            stack.enter_context(_settled())
            self.feed.open()
            loop = Loop(self, engine, journal, recording, asker, began)
            try:
                ending = loop.work(None if seconds is None else self.now() + int(seconds * 1e9))
            finally:
                if asker is not None:
                    asker.close()
            journal.write_stop(self.now(), ending.reason)
            loop.tell(stopped=True)
        return ending

    def signalled(self) -> contextlib.AbstractContextManager[None]:
        """Within the block, SIGTERM and SIGINT end the run cleanly."""
        return signalled(self.stop)

    @property
    def stopping(self) -> str | None:
        """Why the run is to end; None if it is not."""
        return self._why if self._stopping.is_set() else None

    def _facts(self) -> dict[str, Any]:
        strategy = self.profile.built()
        return {
            "version": self.version, "python": platform.python_version(), "feed": self.feed.name,
            "calendar": self.calendar, "speed": self.speed, "asking": self.reference is not None,
            "profile": json.loads(self.profile.to_json()),
            "strategy": {"name": strategy.name, "parameters": strategy.parameters},
        }  # fmt: skip

    def _recording(self, stack: contextlib.ExitStack, began: int, was: Any) -> Recording | None:
        if not self.recorded:
            return None
        folder = self.places.recordings / f"{pd.Timestamp(began, unit='ns', tz='UTC'):%Y%m%dT%H%M%S%f}"
        session = {**self._facts(), "assets": self.places.assets(), "began": began}
        recording = stack.enter_context(Recording(folder, began, session))
        write_begun(folder, was)
        return recording


@contextlib.contextmanager
def signalled(stop: Callable[[str], None]) -> Iterator[None]:
    """Within the block, SIGTERM and SIGINT call `stop` with their name."""

    def told(number: int, _: FrameType | None) -> None:
        stop(signal.Signals(number).name)

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Loop:
    """One run of an engine: what comes in is recorded, taken in, and what follows is written down and done."""

    def __init__(
        self,
        runner: Runner,
        engine: Engine,
        journal: Journal,
        recording: Recording | None,
        asker: Asker | None,
        began: int,
    ) -> None:
        self.runner, self.engine, self.journal = runner, engine, journal
        self.recording, self.asker, self.began = recording, asker, began
        self.outlets = runner.outlets or Outlets()
        self._told = began
        self._assets = engine.selection.assets
        self._faults: dict[str, str] = {}

    def work(self, until: int | None) -> Ending:
        """Go round until there is a reason to end."""
        self._do(self.engine.outcome())
        while True:
            came = self._came()
            for one in came:
                if self.recording is not None:
                    self._trying("recording", partial(self.recording.write, one))
                self.engine.take(one)
                self.outlets.took(self.engine, self.runner.now())
            ending = self._do(self.engine.outcome()) or self._ended(until)
            now = self.runner.now()
            if now - self._told >= _EVERY * 1e9:
                self._told = now
                self.tell()
            if ending is not None:
                return ending

    def _came(self) -> list[Inbound]:
        came = [*self.runner.feed.read(_WAIT)]
        if self.asker is not None:
            came += self.asker.answers()
        return came or [Inbound(self.runner.now(), Kind.BEAT)]

    def _ended(self, until: int | None) -> Ending | None:
        if self.runner.stopping is not None:
            return Ending(self.runner.stopping)
        if until is not None and self.runner.now() >= until:
            return Ending("the time asked for is over")
        if self.engine.link.get("state") == "ended":
            return Ending("the feed ended")
        return None

    def _do(self, outcome: Outcome) -> Ending | None:
        received, names = self.engine.received or self.began, self.engine.symbols.names
        if outcome.steps:
            if self.recording is not None:  # what was concluded must never be known longer than what it was made of
                self._trying("recording", self.recording.flush)
            self._trying("journal", lambda: self.journal.write_symbols(received, names))
            for step in outcome.steps:
                self._trying("journal", partial(written, self.journal, received, step))
                self.outlets.step(received, step, self.engine)
            self._trying("journal", self.journal.flush)
        if outcome.wanted is not None:
            self.runner.feed.subscribe(outcome.wanted)
        for question in outcome.questions:
            if self.asker is not None:
                self.asker.ask(question)
        if outcome.reconnect is not None:
            self.runner.feed.reconnect(outcome.reconnect)
        return Ending(outcome.fatal, failed=True) if outcome.fatal is not None else None

    def tell(self, *, stopped: bool = False) -> None:
        """Write the status and everything that is written once a second."""
        now = self.runner.now()
        selection = self.engine.selection
        if selection.assets is not self._assets:
            self._assets = selection.assets
            self._trying("assets", lambda: self.runner.places.save_assets(selection.assets, now))
        content = {**status_of(self.engine, now), "began": self.began, "faults_of_writing": self._faults}
        self._trying("status", lambda: write_status(self.runner.places.state, content, stopped=stopped))
        self._trying("outlets", lambda: self.outlets.tell(now, content, self.engine))

    def _trying(self, what: str, work: Callable[[], Any]) -> None:
        """Do something that needs the disk. If the disk is full the engine goes on, and says so."""
        try:
            work()
            self._faults.pop(what, None)
        except SetupError as err:
            self._faults[what] = str(err)


@contextlib.contextmanager
def _settled() -> Iterator[None]:
    """Within the block the collector of garbage passes over what there was before.

    It looks for rings of objects; among the two hundred thousand of the modules that takes 0.1 s, which events would
    have to wait for.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def status_of(engine: Engine, now: int) -> dict[str, Any]:
    """How an engine is, as JSON can hold it."""
    venue = engine.now
    gaps = [{"start": gap.start, "end": gap.end, "reason": gap.reason} for gap in engine.gaps.open]
    stances = engine.board.stances(np.asarray(engine.columns.window(engine.decided_on, 1).numbers, dtype=np.int64))
    return {
        "time": now,
        "venue_time": venue,
        "link": dict(engine.link),
        "focus": len(engine.selection.focus),
        "universe": None if engine.selection.ranked is None else len(engine.selection.ranked),
        "closed": engine.columns.closed,
        "counts": engine.counts,
        "gaps": gaps,
        "gaps_mended": engine.gaps.mended,
        "long": int((stances > 0).sum()),
        "short": int((stances < 0).sum()),
        "strategy": {"name": engine.board.strategy.name, "parameters": _plain(engine.board.strategy.parameters)},
        "caveat": engine.board.caveat,
    }


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return dict(parameters.items())
