"""`Journal`: what an engine concluded, entry by entry; an engine starts by reading it and goes on from its end.

Entries are records of the log "journal" (see `qtw_lab.live.log_format`); their contents are in
`qtw_lab.live.journal_kinds`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.live.journal_kinds import (
    DECISION,
    Entry,
    JournalEntry,
    Rows,
    entry_of,
    packed_json,
    packed_rows,
)
from qtw_lab.live.log import LogWriter, Place, read_log
from qtw_lab.live.logged import Logged
from qtw_lab.live.resuming import NAME, Resumed, Standing, names_with, resumed, standing_of

__all__ = [
    "DECISION", "Entry", "Journal", "JournalEntry", "Resumed", "Standing", "read_journal", "resumed",
    "standing_of",
]  # fmt: skip

_SEGMENT: Final = 64 << 20


def read_journal(folder: Path, start: Place | None = None) -> Iterator[JournalEntry]:
    """The entries of a journal from `start` to its present end, in order; it may be in use meanwhile.

    Bytes that cannot be read show as an entry of kind `Entry.DAMAGE`. To follow a journal, ask again with the last
    entry's `after`.

    Parameters
    ----------
    folder : pathlib.Path
        Where the journal is; nothing there is a journal without entries.
    start : Place, optional
        Where to begin.

    Raises
    ------
    DataError
        If it was written by a version with another format or other columns.
    """
    return (entry_of(record) for record in read_log(folder, NAME, start))


class Journal(Logged):
    """The journal of an engine, opened to go on writing at its end. One thread may use it.

    `write_*` gathers entries; `flush` makes them visible to readers. What they do when the disk is full is told in
    `LogWriter`: they raise only when an entry was not taken, and `fault` says why writing does not succeed.

    Parameters
    ----------
    folder : pathlib.Path
        Where it is; made if missing.
    segment_bytes, sync_seconds
        As `LogWriter`.

    Raises
    ------
    SetupError
        If another process writes it, or the folder cannot be written.
    DataError
        If what is there was written by a version with another format or other columns.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Journal(Path(folder)) as journal:
    ...         journal.write_start(10**18, {"strategy": "momentum"})
    ...         journal.write_symbols(10**18, ["AAPL", "MSFT"])
    ...         journal.write_focus(10**18, {"AAPL": 10**18}, entered={"AAPL": "rank 1"})
    ...     again = resumed(Path(folder))
    ...     again.standing.symbols, again.standing.focus, again.standing.running
    (['AAPL', 'MSFT'], {'AAPL': 1000000000000000000}, True)
    """

    def __init__(self, folder: Path, segment_bytes: int = _SEGMENT, sync_seconds: float | None = 1.0) -> None:
        self.folder = Path(folder)
        #: What all entries so far add up to.
        self.standing = Standing()
        self._received = 0
        # The log is opened first: it keeps other writers out while the standing is read.
        super().__init__(LogWriter(self.folder, NAME, segment_bytes, sync_seconds, opening=self._opening))
        try:
            self.standing, _ = standing_of(self.folder)
        except BaseException:
            self._log.close()
            raise

    @property
    def place(self) -> Place:
        """Where the next entry will be written."""
        return self._log.place

    def write_start(self, received: int, facts: Mapping[str, Any]) -> None:
        """The engine begins; `facts` are what it was given, as JSON."""
        self._json(Entry.START, received, facts)

    def write_stop(self, received: int, reason: str) -> None:
        """The engine ends."""
        self._json(Entry.STOP, received, {"reason": reason})

    def write_symbols(self, received: int, names: Sequence[str]) -> None:
        """All symbols by number; only those that the journal has not named yet are entered.

        Raises
        ------
        DataError
            If numbers that were given before now belong to other symbols.
        """
        known = len(self.standing.symbols)
        names_with(self.standing.symbols, 0, list(names[:known]))
        if len(names) > known:
            self._json(Entry.SYMBOLS, received, {"first": known, "names": list(names[known:])})

    def write_rows(self, received: int, rows: Rows) -> None:
        """Finished bars, or finished bars that changed: rows of `qtw_lab.live.rows.ROW`."""
        self._table(Entry.ROWS, received, rows)

    def write_signals(self, received: int, rows: Rows) -> None:
        """Changes of stance and what was held back: rows of `SIGNAL`."""
        self._table(Entry.SIGNALS, received, rows)

    def write_decisions(
        self,
        received: int,
        level: int,
        time: int,
        symbols: Sequence[int] | npt.NDArray[Any],
        stances: Sequence[float] | npt.NDArray[Any],
    ) -> None:
        """Stances from the bar that starts at `time` on; a symbol not among them keeps what it had."""
        rows = np.zeros(len(symbols), DECISION)
        rows["level"], rows["time"], rows["symbol"], rows["stance"] = level, time, symbols, stances
        self._table(Entry.DECISIONS, received, rows)

    def write_focus(
        self,
        received: int,
        focus: Mapping[str, int],
        entered: Mapping[str, str] | None = None,
        left: Mapping[str, str] | None = None,
    ) -> None:
        """The focus as it is now (since when, by symbol), and who came and went and why."""
        self._json(
            Entry.FOCUS,
            received,
            {
                "time": received,
                "focus": [{"symbol": symbol, "since": since} for symbol, since in focus.items()],
                "entered": _reasons(entered),
                "left": _reasons(left),
            },
        )

    def write_universe(self, received: int, content: Mapping[str, Any]) -> None:
        """A ranking of the universe, as JSON."""
        self._json(Entry.UNIVERSE, received, {"time": received, **content})

    def write_gap(self, received: int, state: str, start: int, end: int | None, reason: str, **more: Any) -> None:
        """A gap of the stream: "open", then "filled" or "hole" with the same `start`."""
        self._json(Entry.GAP, received, {"state": state, "start": start, "end": end, "reason": reason, **more})

    def write_link(self, received: int, news: Mapping[str, Any]) -> None:
        """News of the link."""
        self._json(Entry.LINK, received, news)

    def write_warning(self, received: int, message: str, **more: Any) -> None:
        """Something a person should know."""
        self._json(Entry.WARNING, received, {"message": message, **more})

    def write_counts(self, received: int, counts: Mapping[str, Any]) -> None:
        """Counters as they are now."""
        self._json(Entry.COUNTS, received, counts)

    def write_mark(self, received: int, watermark: int) -> None:
        """All bars that end up to `watermark` are closed."""
        self._json(Entry.MARK, received, {"watermark": watermark})

    def write_note(self, received: int, content: Mapping[str, Any]) -> None:
        """Anything else worth keeping."""
        self._json(Entry.NOTE, received, content)

    def read(self, start: Place | None = None) -> Iterator[JournalEntry]:
        """As `read_journal`; what is not flushed yet is not among it."""
        return read_journal(self.folder, start)

    def _json(self, kind: Entry, received: int, content: Mapping[str, Any]) -> None:
        payload = packed_json(content)
        self._write(kind, received, payload, json.loads(payload))  # as a reader gets it, and nobody else's to change

    def _table(self, kind: Entry, received: int, rows: Rows) -> None:
        self._write(kind, received, packed_rows(kind, rows), rows)

    def _write(self, kind: Entry, received: int, payload: bytes, content: Any) -> None:
        self._received = received
        self._log.append(kind, received, payload)
        self.standing.add(kind, content)

    def _opening(self) -> tuple[int, int, bytes] | None:
        """What a new segment begins with: where things stand before the entry that comes next."""
        if not self._received:
            return None  # the journal is being opened: nothing was entered yet
        return Entry.STANDING, self._received, packed_json(self.standing.as_json())


def _reasons(changes: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"symbol": symbol, "reason": reason} for symbol, reason in (changes or {}).items()]
