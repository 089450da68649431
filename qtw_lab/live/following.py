"""`Follower`: the newest part of a journal in rings of fixed size, for pages that stand for weeks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.live.following_kept import GapSeen, Happened, Keep, Refresh
from qtw_lab.live.following_told import TOLD, earlier
from qtw_lab.live.journal import read_journal
from qtw_lab.live.journal_kinds import Entry, JournalEntry
from qtw_lab.live.log import Place
from qtw_lab.live.log_format import segment_path, segments
from qtw_lab.live.reading import said
from qtw_lab.live.resuming import NAME, names_with, resumed
from qtw_lab.live.rings import BAR, Rings

Rows = npt.NDArray[Any]

#: Bytes taken in by one call, and how far behind one begins anew near the end instead of catching up.
_MOST: Final = 4 << 20
_FAR: Final = 32 << 20

#: Symbols that are remembered by name of those that entered or left at a refresh.
_NAMED: Final = 12


class Follower:
    """Follows a journal and keeps its newest part, in memory that does not grow with the journal.

    It begins near the end, whatever the length: bars by the journal's own marks, events from its last segments. Each
    `follow` takes time proportional to what is new. Reading disturbs nobody. Several threads may call `follow`; one of
    them works, the others return at once.

    Parameters
    ----------
    folder : Path
        Of the journal. Nothing there yet is a journal without entries.
    keep : Keep
        How much is kept.

    Attributes
    ----------
    symbols : list of str
        By number.
    focus : dict of str to int
        Symbols in order of rank, and since when (nanoseconds since 1970, UTC).
    reasons : dict of str to str
        Why each entered, where that is still known.
    stances : dict of int to float
        The last stance by number of the symbol.
    signals, held : deque
        The last changes of stance, and the last that were held back; fields as of `qtw_lab.live.rows.SIGNAL`.
    events, refreshes : deque
        The last `Happened` and `Refresh`.
    started, universe : dict
        What the last start was given, and the last ranking; empty if not known.
    ended : str
        Why the last run ended; empty while one goes on, or if it did not say.
    version, told : int
        Change whenever something was taken in, and whenever something happened beside bars and signals.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     follower = Follower(Path(folder))
    ...     follower.follow(), follower.focus, list(follower.events)
    (True, {}, [])
    """

    def __init__(self, folder: Path, keep: Keep | None = None) -> None:
        self.folder, self.keep = Path(folder), keep or Keep()
        self.version = self.told = 0
        self._lock = threading.Lock()
        self._place: Place | None = None
        self._takes = {
            Entry.SYMBOLS: self._named, Entry.STANDING: self._stood, Entry.ROWS: self._rows,
            Entry.SIGNALS: self._decided, Entry.FOCUS: self._refocused, Entry.GAP: self._broke,
            Entry.START: self._began, Entry.STOP: self._stopped, Entry.UNIVERSE: self._ranked,
        }  # fmt: skip
        self._forget()

    def _forget(self) -> None:
        self.symbols: list[str] = []
        self.focus: dict[str, int] = {}
        self.reasons: dict[str, str] = {}
        self.stances: dict[int, float] = {}
        self.started: Mapping[str, Any] = {}
        self.universe: Mapping[str, Any] = {}
        self.ended = ""
        self.signals: deque[tuple[Any, ...]] = deque(maxlen=self.keep.signals)
        self.held: deque[tuple[Any, ...]] = deque(maxlen=self.keep.signals)
        self.events: deque[Happened] = deque(maxlen=self.keep.events)
        self.refreshes: deque[Refresh] = deque(maxlen=self.keep.refreshes)
        self._gaps: dict[int, GapSeen] = {}
        self._numbers: dict[str, int] = {}
        self._rings: dict[int, Rings] = {}
        self._fresh: list[Rows] = []

    @property
    def opened(self) -> bool:
        """Whether a journal was found and what it ends with is known."""
        return self._place is not None

    @property
    def behind(self) -> int:
        """Bytes that were written and not taken in yet; all of them before the first call."""
        place = self._place or Place(0, 0)
        numbers = [number for number in segments(self.folder, NAME) if number >= place.segment]
        sizes = [segment_path(self.folder, NAME, number).stat().st_size for number in numbers]
        return max(0, sum(sizes) - place.offset)

    @property
    def far(self) -> bool:
        """Whether the next `follow` begins near the end, which takes longer than following."""
        return (self._place is None or self._gone() or self.behind > _FAR) and bool(segments(self.folder, NAME))

    def follow(self) -> bool:
        """Take in what is new, a few megabytes at most; whether that was everything.

        Raises
        ------
        DataError
            If the journal was written by a version with another format or other columns.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self.far:
                self._begin()
            return self._follow()
        finally:
            self._lock.release()

    def _gone(self) -> bool:
        """Whether the journal is another one now: somebody removed the folder, and an engine began anew."""
        if self._place is None:
            return False
        path = segment_path(self.folder, NAME, self._place.segment)
        return not path.exists() or path.stat().st_size < self._place.offset

    def _begin(self) -> None:
        """Learn what the journal ends with."""
        was = resumed(self.folder, self.keep.bars)
        self._forget()
        for entry in earlier(self.folder, was.after, self.keep.events):
            self._take(entry)
        standing = was.standing
        self.symbols, self.stances, self.started = list(standing.symbols), dict(standing.stances), standing.started
        self._numbers = {name: number for number, name in enumerate(self.symbols)}
        self._hold(standing.focus)
        for rows in was.rows.values():
            self._put(rows)
        self._place = was.after
        self.version += 1

    def _follow(self) -> bool:
        start, read, whole = self._place, 0, True
        for entry in read_journal(self.folder, start):
            if self._place is not None:
                read += entry.after.offset - entry.place.offset
            self._place = entry.after
            self._take(entry)
            if read >= _MOST:
                whole = False
                break
        self._settle()
        self.version += self._place != start
        return whole

    def _take(self, entry: JournalEntry) -> None:
        if not isinstance(entry.kind, Entry):
            return
        self._tell(entry)
        take = self._takes.get(entry.kind)
        if take is not None:
            take(entry)

    def _tell(self, entry: JournalEntry) -> None:
        if entry.kind in TOLD and isinstance(entry.kind, Entry):
            self.events.append(Happened(entry.received, entry.kind.name.lower(), said(entry)))
            self.told += 1

    # What entries mean

    def _named(self, entry: JournalEntry) -> None:
        first, names = entry.content["first"], entry.content["names"]
        self.symbols = names_with(self.symbols, first, list(names))
        self._numbers |= {name: first + place for place, name in enumerate(names)}

    def _stood(self, entry: JournalEntry) -> None:
        self.symbols = list(entry.content["symbols"])
        self._numbers = {name: number for number, name in enumerate(self.symbols)}

    def _rows(self, entry: JournalEntry) -> None:
        self._fresh.append(entry.content)

    def _decided(self, entry: JournalEntry) -> None:
        rows = entry.content
        self.stances.update(zip(rows["symbol"].tolist(), rows["stance"].tolist(), strict=True))
        free = rows["gate"] == b""  # many are held back, and would push the others out
        for ring, some in ((self.signals, rows[free]), (self.held, rows[~free])):
            ring.extend(some[-self.keep.signals :].tolist())  # plain values: rows would hold the whole entry

    def _refocused(self, entry: JournalEntry) -> None:
        content = entry.content
        entered = [(one["symbol"], one["reason"]) for one in content["entered"]]
        left = [(one["symbol"], one["reason"]) for one in content["left"]]
        self.reasons |= dict(entered)
        named = tuple(entered[:_NAMED]), tuple(left[:_NAMED])
        self.refreshes.append(Refresh(entry.received, len(content["focus"]), *named, len(entered), len(left)))
        self._hold({one["symbol"]: one["since"] for one in content["focus"]})

    def _broke(self, entry: JournalEntry) -> None:
        content = entry.content
        self._gaps.pop(content["start"], None)
        self._gaps[content["start"]] = GapSeen(content["start"], content["end"], content["state"], content["reason"])
        while len(self._gaps) > self.keep.gaps:
            del self._gaps[next(iter(self._gaps))]

    def _began(self, entry: JournalEntry) -> None:
        self.started, self.ended = entry.content, ""

    def _stopped(self, entry: JournalEntry) -> None:
        self.ended = str(entry.content.get("reason", ""))

    def _ranked(self, entry: JournalEntry) -> None:
        self.universe = {**entry.content, "at": entry.received}

    # Bars

    def _hold(self, focus: Mapping[str, int]) -> None:
        """Keep bars of these symbols from now on, and of no others."""
        self._settle()
        self.focus = dict(focus)
        self.reasons = {name: why for name, why in self.reasons.items() if name in focus}
        for ring in self._rings.values():
            ring.hold(self._held())

    def _held(self) -> list[int]:
        return [self._numbers[name] for name in self.focus if name in self._numbers]

    def _settle(self) -> None:
        """Put rows that came into their rings."""
        if self._fresh:
            rows, self._fresh = np.concatenate(self._fresh), []
            self._put(rows)

    def _put(self, rows: Rows) -> None:
        for level in np.unique(rows["level"]).tolist():
            if level not in self._rings:
                self._rings[level] = Rings(level, self.keep.bars)
                self._rings[level].hold(self._held())
            self._rings[level].take(rows[rows["level"] == level])

    @property
    def levels(self) -> tuple[int, ...]:
        """Lengths of bars there are, in seconds, shortest first."""
        return tuple(sorted(self._rings))

    @property
    def gaps(self) -> tuple[GapSeen, ...]:
        """The last gaps, in the order in which there was news of them."""
        return tuple(self._gaps.values())

    def name(self, number: int) -> str:
        """The symbol of a number; empty if it has none."""
        return self.symbols[number] if 0 <= number < len(self.symbols) else ""

    def stance(self, symbol: str) -> float:
        """The last stance of a symbol; 0 if it never had one."""
        return self.stances.get(self._numbers.get(symbol, -1), 0.0)

    def bars(self, symbol: str, level: int) -> Rows:
        """The last bars of a symbol, rows of `qtw_lab.live.rings.BAR`, oldest first; none outside of the focus."""
        ring, number = self._rings.get(level), self._numbers.get(symbol)
        return Rings.none() if ring is None or number is None else ring.of(number)

    def last(self, level: int) -> Rows:
        """The last bar of each symbol of the focus, in its order; its time is 0 where there is none."""
        ring = self._rings.get(level)
        numbers = [self._numbers.get(name, -1) for name in self.focus]
        return np.zeros(len(numbers), BAR) if ring is None else ring.last(numbers)
