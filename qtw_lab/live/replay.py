"""Runs a recorded session again, and compares what comes of it with what came of it then, byte by byte."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.live.begun import read_begun
from qtw_lab.live.engine import Engine
from qtw_lab.live.journal import Journal, read_journal
from qtw_lab.live.journal_kinds import Entry, packed_rows
from qtw_lab.live.outlets import written
from qtw_lab.live.profile import checked
from qtw_lab.live.recording import read_recording, session_of

#: What of a journal must come out the same: everything that is made of market data.
_SAME: Final = (Entry.ROWS, Entry.DECISIONS, Entry.SIGNALS)

_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """A session that was run again.

    Parameters
    ----------
    recording : Path
        Its folder.
    journal : Path or None
        Where its new journal is, if it was kept.
    things : int
        Things that had come in.
    bars, decisions, signals : int
        What came of them.
    span : float
        Seconds the session had lasted.
    seconds : float
        Seconds the replay took.
    digest : str
        SHA-256 of bars, decisions and signals, in order: equal for equal results.
    same : bool or None
        Whether the session's own journal has the same; None if there is none.
    difference : str or None
        Where it first has not.
    missing : int
        Entries at the end that the session's own journal lacks, because it was killed before it had written them.
    """

    recording: Path
    journal: Path | None
    things: int
    bars: int
    decisions: int
    signals: int
    span: float
    seconds: float
    digest: str
    same: bool | None
    difference: str | None
    missing: int

    def facts(self) -> Facts:
        """It as labelled numbers."""
        same = "no journal" if self.same is None else "yes" if self.same else "no"
        return Facts(
            f"Replay of {self.recording.name}",
            (
                Fact("things", self.things, "count", "Things that came in"),
                Fact("bars", self.bars, "count", "Bars", "closed, revised or fetched"),
                Fact("decisions", self.decisions, "count", "Decisions", "of a symbol on a bar"),
                Fact("signals", self.signals, "count", "Signals", "changes of stance, and those held back"),
                Fact("span", self.span, "ratio", "The session lasted, seconds"),
                Fact("seconds", self.seconds, "ratio", "The replay took, seconds"),
                Fact("faster", self.span / max(self.seconds, 1e-9), "ratio", "Times as fast"),
                Fact("digest", self.digest, "text", "SHA-256 of the results"),
                Fact("same", same, "text", "Same as then", "bars, decisions and signals, byte by byte, in order"),
                Fact("missing", self.missing, "count", "Entries not yet written when it was killed"),
            ),
            () if self.difference is None else (self.difference,),
        )

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**kwargs)


def replayed(recording: str | Path, into: str | Path | None = None) -> Replayed:
    """Run a recorded session through the engine again, as fast as it goes.

    Parameters
    ----------
    recording : path
        The folder of a session, as an engine keeps them under ``recordings`` of its state folder.
    into : path, optional
        A folder without a journal where the new one is kept.

    Raises
    ------
    DataError
        If there is no recording, it is damaged, or `into` has a journal already.
    """
    folder = Path(recording)
    if into is not None and any(Path(into).glob("journal.*.log")):
        raise DataError(f"There is a journal in {into} already; give an empty folder.")
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) if into is None else Path(into)
        began = time.perf_counter()
        things, first, last = _run(folder, target)
        seconds = time.perf_counter() - began
        counts, digest = _summed(target)
        original = folder.parent.parent / "journal"
        same, difference, missing = _compared(folder, original, target)
    return Replayed(
        folder, None if into is None else target, things, *counts, (last - first) / _NS, seconds, digest, same,
        difference, missing,
    )  # fmt: skip


def _run(folder: Path, target: Path) -> tuple[int, int, int]:
    """Write the journal of the session anew; how much came in, and when first and last."""
    session = session_of(folder)
    begun = read_begun(folder)
    engine = Engine(
        checked(session["profile"]), calendar=session["calendar"], speed=session["speed"], resumed=begun,
        assets=session["assets"], asking=session["asking"],
    )  # fmt: skip
    things, first, last = 0, 0, 0
    with Journal(target, sync_seconds=None) as journal:
        for one in read_recording(folder):
            things, first, last = things + 1, first or one.received, one.received
            engine.take(one)
            steps = engine.outcome().steps
            if steps:
                journal.write_symbols(one.received, engine.symbols.names)
            for step in steps:
                written(journal, one.received, step)
    return things, first, last


def _results(folder: Path) -> Iterator[tuple[Entry, bytes]]:
    """What of a journal must come out the same."""
    for entry in read_journal(folder):
        if entry.kind in _SAME:
            yield Entry(entry.kind), packed_rows(Entry(entry.kind), entry.content)


def _summed(folder: Path) -> tuple[tuple[int, int, int], str]:
    """How many bars, decisions and signals a journal has, and their digest."""
    counts = dict.fromkeys(_SAME, 0)
    digest = hashlib.sha256()
    for entry in read_journal(folder):
        if entry.kind in _SAME:
            kind = Entry(entry.kind)
            counts[kind] += len(entry.content)
            digest.update(bytes([kind]) + packed_rows(kind, entry.content))
    return (counts[Entry.ROWS], counts[Entry.DECISIONS], counts[Entry.SIGNALS]), digest.hexdigest()


@dataclass
class _Session:
    """What a journal has of the session that began then, up to the next start; read once."""

    folder: Path
    began: int
    found: bool = False
    stopped: bool = False

    def __iter__(self) -> Iterator[tuple[Entry, bytes]]:
        for entry in read_journal(self.folder):
            if entry.kind == Entry.START:
                if self.found:
                    return
                self.found = entry.received == self.began
            elif self.found and entry.kind == Entry.STOP:
                self.stopped = True
            elif self.found and entry.kind in _SAME:
                yield Entry(entry.kind), packed_rows(Entry(entry.kind), entry.content)


def _compared(folder: Path, original: Path, again: Path) -> tuple[bool | None, str | None, int]:
    """Whether both have the same, where they first differ, and how many entries the original lacks at its end."""
    session = _Session(original, int(session_of(folder)["began"]))
    missing = 0
    for place, (then, now) in enumerate(zip_longest(session, _results(again))):
        if then is None:
            missing += 1
        elif then != now:
            what = then[0].name.lower()
            return False, f"the {what} of entry {place + 1} of bars, decisions and signals differ", missing
    if not session.found:
        return None, None, 0
    if missing and session.stopped:
        return False, f"the session stopped cleanly, and {missing} entries at its end are not in its journal", missing
    return True, None, missing
