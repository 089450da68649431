"""`Live`: a notebook's hand on an engine that runs in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pandas as pd

from qtw_lab.core import Bars, Fact, Facts, SetupError
from qtw_lab.core.files import write_text
from qtw_lab.core.settings import environment
from qtw_lab.live.parity import Parity, parity
from qtw_lab.live.profile import Profile
from qtw_lab.live.reading import JournalReader
from qtw_lab.live.running import Places
from qtw_lab.live.status import Status, read_status

_POLL: Final = 0.1

#: What to do about an engine that is not well, by its state.
_REMEDIES: Final = {
    "hung": "It holds its folder but has not written its status for a while: its machine is overloaded, or it hangs. "
    "`stop()` asks it to end.",
    "dead": "It was killed, or its machine went down. Nothing that it wrote is lost: started again in the same place, "
    "it goes on from there and fetches what it missed.",
}
_PROFILE: Final = "realtime_profile.json"
_LOG: Final = "engine.log"


@dataclass
class Live:
    """An engine in a process of its own: started, watched and stopped from here. Reading never disturbs it.

    It goes on when the notebook ends; another notebook with the same settings finds it in the same place. A ``with``
    block starts it, unless it runs already, and stops it at the end in any case.

    Parameters
    ----------
    profile : Profile
        What it watches and how it decides.
    places : Places
        Where it keeps what it knows.
    arguments : sequence of str
        Further arguments of ``qtw realtime run``.
    environment : mapping of str to str
        Environment of its process, on top of this one's.

    Examples
    --------
    >>> import tempfile
    >>> from qtw_lab.live.profile import template
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     live = Live(template("retail_second"), Places(Path(folder, "state"), Path(folder, "data")))
    ...     live.status().state, live.bars().empty, live.recordings()
    ('stopped', True, [])
    """

    profile: Profile
    places: Places
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.journal = JournalReader(self.places.journal)

    def start(self, seconds: float | None = None, patience: float = 180.0) -> Self:
        """Start the engine and wait until it runs: seconds, or a minute where its code has to be compiled first.

        Parameters
        ----------
        seconds : float, optional
            End by itself after so long.
        patience : float
            How long to wait for its first sign of life.

        Raises
        ------
        SetupError
            If one runs there already, or it does not start; the message has its last words.
        """
        if self.status().holder is not None:
            raise SetupError(f"An engine works in {self.places.state} already. Watch that one, or stop it first.")
        path = write_text(self.places.state / _PROFILE, self.profile.to_json())
        command = [sys.executable, "-m", "qtw_lab", "realtime", "run", "--profile", str(path), *self.arguments]
        if seconds is not None:
            command += ["--max-seconds", str(seconds)]
        with (self.places.state / _LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter, arguments not through a shell)
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**environment(), **self.environment},
            )  # fmt: skip
        pid = self._process.pid
        self.wait(lambda: self._state_of(pid) == "running", patience, "started")
        return self

    def _state_of(self, pid: int) -> str:
        """The state, if it is that process's; one that ended a moment ago may have left a fresh status."""
        status = self.status()
        return status.state if status.holder is not None and status.holder.pid == pid else "other"

    def status(self) -> Status:
        """How it is: "running", "hung", "stopped" or "dead", and its own words."""
        return read_status(self.places.state)

    def wait(self, until: Callable[[], bool], seconds: float = 120.0, what: str = "done so") -> None:
        """Wait until something is true, looking ten times a second.

        Parameters
        ----------
        until : callable
            Says whether it is.
        seconds : float
            How long to wait.
        what : str
            What it is, for the error: "has not ... within 120 s".

        Raises
        ------
        SetupError
            If it is not within `seconds`, or the engine has ended meanwhile.
        """
        end = time.monotonic() + seconds
        while not until():
            ended = self.status().holder is None if self._process is None else self._process.poll() is not None
            if ended or time.monotonic() > end:
                how = "has ended" if ended else f"has not {what} within {seconds:g} s"
                raise SetupError(f"The engine {how}. Its last words: {self.words() or 'none'}")
            time.sleep(_POLL)

    def stop(self, seconds: float = 20.0) -> Status:
        """Ask it to stop (SIGTERM) and wait until it has: it writes everything down first.

        Raises
        ------
        SetupError
            If it has not stopped within `seconds`; nothing harsher is done to it.
        """
        holder = self.status().holder
        if holder is not None and holder.pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder.pid, signal.SIGTERM)
        end = time.monotonic() + seconds
        while self.status().holder is not None and time.monotonic() < end:
            time.sleep(_POLL)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.1, end - time.monotonic()))
        status = self.status()
        if status.holder is not None:
            raise SetupError(
                f"The engine (process {status.holder.pid}) has not stopped within {seconds:g} s. Wait longer, or kill "
                "that process: its journal stays whole."
            )
        return status

    def words(self, lines: int = 5) -> str:
        """The last lines it printed."""
        with contextlib.suppress(OSError):
            return " ".join((self.places.state / _LOG).read_text(errors="replace").splitlines()[-lines:])
        return ""

    def bars(
        self, symbols: str | Iterable[str] | None = None, interval: int | None = None, last: int | None = None
    ) -> pd.DataFrame:
        """Its bars; by default of the length it decides on. See `JournalReader.bars`.

        Parameters
        ----------
        symbols : str or iterable of str, optional
            Which; all by default.
        interval : int, optional
            Seconds.
        last : int, optional
            Only so many of the last times.
        """
        return self.journal.bars(interval or self.profile.engine.bar_aggregate_seconds, symbols, last)

    def panel(self, symbols: str | Iterable[str] | None = None, interval: int | None = None) -> Bars:
        """Its bars as `Bars`, to be backtested.

        Raises
        ------
        DataError
            If there are none yet.
        """
        return self.journal.panel(interval or self.profile.engine.bar_aggregate_seconds, symbols)

    def parity(self) -> Parity:
        """Its decisions beside those of one vectorised pass over its bars; see `qtw_lab.live.parity.parity`.

        Raises
        ------
        DataError
            If it has decided nothing yet.
        """
        rules = self.profile.engine
        return parity(
            self.places.journal, self.profile.built(), rules.bar_aggregate_seconds,
            calendar=self.journal.calendar, bar_limit=rules.bar_limit,
        )  # fmt: skip

    def signals(self) -> pd.DataFrame:
        """Its signals; see `JournalReader.signals`."""
        return self.journal.signals()

    def events(self) -> pd.DataFrame:
        """What happened: link, gaps, focus, warnings."""
        return self.journal.events()

    def recordings(self) -> list[Path]:
        """The folders of its recorded sessions, oldest first."""
        return sorted(self.places.recordings.glob("*")) if self.places.recordings.exists() else []

    def __enter__(self) -> Self:
        return self if self.status().state == "running" else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def facts(self) -> Facts:
        """How it is, as labelled figures, with what to do if it is not well."""
        status = self.status()
        said: Mapping[str, Any] = status.content
        counts = said.get("counts", {})
        link = {} if status.holder is None else said.get("link", {})  # nobody listens any more
        venue = said.get("venue_time")
        now = None if venue is None else f"{pd.Timestamp(venue, unit='ns', tz='America/New_York'):%Y-%m-%d %H:%M:%S}"
        facts = (
            Fact("state", status.state, "text", "Engine", "running, hung, stopped or dead"),
            Fact("age", status.age, "ratio", "Last heard of, seconds ago", "it writes its status every second"),
            Fact("link", str(link["state"]) if link else None, "text", "Stream", "of the connection to the venue"),
            Fact("venue_time", now, "text", "Time at the venue, New York", "learned from the events that come in"),
            Fact("universe", said.get("universe"), "count", "Symbols ranked", "those that passed the filters"),
            Fact("focus", said.get("focus"), "count", "Symbols listened to"),
            Fact("trades", counts.get("trades"), "count", "Trades", "since it was started"),
            Fact("quotes", counts.get("quotes"), "count", "Quotes", "since it was started"),
            Fact("gaps_open", len(said["gaps"]) if "gaps" in said else None, "count", "Gaps not filled yet"),
            Fact("gaps_mended", said.get("gaps_mended"), "count", "Gaps filled", "their trades were fetched"),
            Fact("long", said.get("long"), "count", "Long", "symbols with such a stance"),
            Fact("short", said.get("short"), "count", "Short", "symbols with such a stance"),
        )
        return Facts("Realtime engine", facts, tuple(self._notes(status)))

    def _notes(self, status: Status) -> Iterator[str]:
        if status.age is None:
            yield f"No engine has run in {self.places.state} yet."
        if status.state in _REMEDIES:
            yield _REMEDIES[status.state]
        if status.state == "running" and status.content.get("link", {}).get("reason"):
            yield f"Stream: {status.content['link']['reason']}."
        if status.content.get("caveat"):
            yield str(status.content["caveat"])
        yield from dict(status.content.get("faults_of_writing", {})).values()

    def table(self) -> pd.DataFrame:
        """`facts` as a table, indexed by name."""
        return self.facts().table()

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**kwargs)
