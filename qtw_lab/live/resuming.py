"""Where things stand according to a journal: what its entries add up to, and what to go on from after a stop."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.live.journal_kinds import PREFIX, Entry, Rows, entry_of
from qtw_lab.live.log_format import Place, picked_records, read_log, records_of, segments
from qtw_lab.live.rows import ROW

_SECOND: Final = 10**9

#: The name of a journal's log.
NAME: Final = "journal"


@dataclass
class Standing:
    """What the entries of a journal add up to, bars aside. Every entry may be added twice without harm.

    Attributes
    ----------
    symbols : list of str
        Names by number.
    closed : dict of int to int
        Start of the newest finished bar by level (seconds), nanoseconds.
    watermark : int
        Time up to which all bars are closed, 0 if never said.
    focus : dict of str to int
        Symbols in focus, in order, and since when.
    decisions : dict of int to float
        Last decision by number of the symbol.
    stances : dict of int to float
        Last stance after the gates by number of the symbol; 0 for one that never had another.
    decided : dict of int to int
        Start of the last bar that was decided on, by level.
    gap : dict or None
        The gap that is still open.
    counts : dict
        Last counters.
    started : dict
        What the last start was given.
    running : bool
        Whether a start was entered after the last stop.
    """

    symbols: list[str] = field(default_factory=list)
    closed: dict[int, int] = field(default_factory=dict)
    watermark: int = 0
    focus: dict[str, int] = field(default_factory=dict)
    decisions: dict[int, float] = field(default_factory=dict)
    stances: dict[int, float] = field(default_factory=dict)
    decided: dict[int, int] = field(default_factory=dict)
    gap: dict[str, Any] | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    started: dict[str, Any] = field(default_factory=dict)
    running: bool = False

    def add(self, kind: Entry | int, content: Any) -> None:
        """Take an entry into account."""
        apply = _MEANING.get(kind)
        if apply is not None:
            apply(self, content)

    def as_json(self) -> dict[str, Any]:
        """All of it as a JSON object; numbers that were keys become text."""
        return {
            "symbols": self.symbols, "closed": _texts(self.closed), "watermark": self.watermark, "focus": self.focus,
            "decisions": _texts(self.decisions), "stances": _texts(self.stances),
            "decided": _texts(self.decided), "gap": self.gap, "counts": self.counts, "started": self.started,
            "running": self.running,
        }  # fmt: skip


def standing_from(content: Mapping[str, Any]) -> Standing:
    """The standing that `Standing.as_json` described."""
    standing = Standing()
    _standing(standing, content)
    return standing


def names_with(known: list[str], first: int, names: list[str]) -> list[str]:
    """Names by number after those from number `first` on were given.

    Raises
    ------
    DataError
        If a number belongs to another name already, or numbers are left out.

    Examples
    --------
    >>> names_with(["AAPL", "MSFT"], 1, ["MSFT", "IBM"])
    ['AAPL', 'MSFT', 'IBM']
    """
    both = known[first : first + len(names)]
    if first > len(known) or both != names[: len(both)]:
        raise DataError(
            f"Symbols from number {first} on are to be {names[:3]}, but the journal has named {len(known)} symbols, "
            f"there {both[:3]}: part of it is missing, or it is another engine's. Begin a journal in an empty folder."
        )
    return known + names[len(both) :]


def newest(rows: Rows) -> dict[int, int]:
    """The latest time of each level among rows.

    Examples
    --------
    >>> rows = np.zeros(3, ROW)
    >>> rows["level"], rows["time"] = [1, 1, 5], [10, 20, 5]
    >>> newest(rows)
    {1: 20, 5: 5}
    """
    levels, times = rows["level"], rows["time"]
    if not len(rows):
        return {}
    if (levels == levels[0]).all():  # as nearly always: one level at a time is closed
        return {int(levels[0]): int(times.max())}
    return {level: int(times[levels == level].max()) for level in np.unique(levels).tolist()}


def _start(standing: Standing, content: dict[str, Any]) -> None:
    standing.started, standing.running = content, True


def _stop(standing: Standing, _: object) -> None:
    standing.running = False


def _symbols(standing: Standing, content: Mapping[str, Any]) -> None:
    standing.symbols = names_with(standing.symbols, content["first"], content["names"])


def _rows(standing: Standing, rows: Rows) -> None:
    for level, time in newest(rows).items():
        standing.closed[level] = max(standing.closed.get(level, 0), time)


def _decisions(standing: Standing, rows: Rows) -> None:
    standing.decisions.update(zip(rows["symbol"].tolist(), rows["stance"].tolist(), strict=True))
    for level, time in newest(rows).items():
        standing.decided[level] = max(standing.decided.get(level, 0), time)


def _signals(standing: Standing, rows: Rows) -> None:
    standing.stances.update(zip(rows["symbol"].tolist(), rows["stance"].tolist(), strict=True))


def _focus(standing: Standing, content: Mapping[str, Any]) -> None:
    standing.focus = {each["symbol"]: each["since"] for each in content["focus"]}


def _gap(standing: Standing, content: dict[str, Any]) -> None:
    if content["state"] == "open":
        standing.gap = content
    elif standing.gap is not None and standing.gap["start"] == content["start"]:
        standing.gap = None


def _counts(standing: Standing, content: dict[str, Any]) -> None:
    standing.counts = content


def _mark(standing: Standing, content: Mapping[str, Any]) -> None:
    standing.watermark = max(standing.watermark, content["watermark"])


def _standing(standing: Standing, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        numbered = name in ("closed", "decisions", "stances", "decided")
        if hasattr(standing, name):
            setattr(standing, name, _numbers(value) if numbered else value)


#: What the entries that matter do to a standing.
_MEANING: Final[Mapping[int, Callable[[Standing, Any], None]]] = {
    Entry.START: _start,
    Entry.STOP: _stop,
    Entry.SYMBOLS: _symbols,
    Entry.ROWS: _rows,
    Entry.DECISIONS: _decisions,
    Entry.SIGNALS: _signals,
    Entry.FOCUS: _focus,
    Entry.GAP: _gap,
    Entry.COUNTS: _counts,
    Entry.MARK: _mark,
    Entry.STANDING: _standing,
}


@dataclass(frozen=True)
class Resumed:
    """What an engine needs to go on from where a journal ends.

    Parameters
    ----------
    standing : Standing
        What its entries add up to.
    rows : dict of int to numpy.ndarray
        By level, the newest bars (rows of `ROW`, ordered by time and symbol, each bar in its last revision).
    after : Place
        Where the journal ends.
    """

    standing: Standing
    rows: dict[int, Rows]
    after: Place


def resumed(folder: Path, rows: int = 300) -> Resumed:
    """What a journal tells at its end; it may be in use.

    Only its newest segments are read: each begins with where things stood, and bars of a level are wanted for its
    newest `rows` intervals alone.

    Parameters
    ----------
    folder : pathlib.Path
        Where the journal is; nothing there is a journal without entries.
    rows : int
        How many intervals of each level to give back, counted in time from its newest bar.

    Raises
    ------
    DataError
        If `rows` is below 1, or the journal was written by a version with other columns.
    """
    if rows < 1:
        raise DataError(f"rows is {rows}; at least one interval of each level is given back.")
    standing, after = standing_of(folder)
    since = {level: time - (rows - 1) * level * _SECOND for level, time in standing.closed.items()}
    found = _rows_since(folder, since, after)
    return Resumed(standing, {level: _last_revisions(parts) for level, parts in sorted(found.items())}, after)


def standing_of(folder: Path) -> tuple[Standing, Place]:
    """What the entries of a journal add up to, bars aside, and where it ends.

    Raises
    ------
    DataError
        If entries are missing before its first segment, or it was written by a version with other columns.
    """
    standing, after = Standing(), Place(0, 0)
    numbers = segments(folder, NAME)
    first = next((n for n in reversed(numbers) if _standing_at(folder, n) is not None), 0)
    for record in read_log(folder, NAME, Place(first, 0)):
        if record.kind in _MEANING:
            standing.add(record.kind, entry_of(record).content)
        after = record.after
    return standing, after


def _standing_at(folder: Path, number: int) -> Standing | None:
    """Where things stood when a segment began; None if it does not say."""
    record = next(records_of(folder, NAME, number, sealed=False), None)
    if record is None or record.kind != Entry.STANDING:
        return None
    standing = Standing()
    standing.add(Entry.STANDING, entry_of(record).content)
    return standing


def _rows_since(folder: Path, since: Mapping[int, int], end: Place) -> dict[int, list[Rows]]:
    """Bars of each level from a time on, in the order they were entered, oldest segment first."""
    found: dict[int, deque[Rows]] = {level: deque() for level in since}
    for number in reversed([n for n in segments(folder, NAME) if n <= end.segment]):
        parts = _rows_in(folder, number, since, end)
        for level, arrays in parts.items():
            found[level].extendleft(reversed(arrays))
        before = _standing_at(folder, number)
        if before is not None and all(before.closed.get(level, 0) < start for level, start in since.items()):
            break
    return {level: list(arrays) for level, arrays in found.items()}


def _rows_in(folder: Path, number: int, since: Mapping[int, int], end: Place) -> dict[int, list[Rows]]:
    found: dict[int, list[Rows]] = {level: [] for level in since}

    def wanted(start: bytes) -> bool:
        _, level, _, last = PREFIX.unpack_from(start)
        return not level or (level in since and last >= since[level])

    for record in picked_records(folder, NAME, number, Entry.ROWS, wanted, PREFIX.size):
        if record.place >= end:
            break
        rows = entry_of(record).content
        _, level, first, _ = PREFIX.unpack_from(record.payload)
        if level and first >= since[level]:  # as nearly always: one roll of one level, all of it wanted
            found[level].append(rows)
            continue
        for each in newest(rows):
            if each in since:
                found[each].append(rows[(rows["level"] == each) & (rows["time"] >= since[each])])
    return found


def _last_revisions(parts: list[Rows]) -> Rows:
    """Bars ordered by time and symbol; of several entries of one bar the last."""
    # Joined as bytes: NumPy copies structured rows field by field, six times slower.
    rows = np.concatenate([part.view(np.uint8) for part in parts or [np.zeros(0, ROW)]]).view(ROW)
    times, symbols = np.ascontiguousarray(rows["time"]), np.ascontiguousarray(rows["symbol"])
    later = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (symbols[1:] > symbols[:-1]))
    if later.all():
        return rows
    order = np.lexsort((symbols, times))  # stable: entries of one bar keep their order
    times, symbols = times[order], symbols[order]
    last = np.ones(len(rows), bool)
    last[:-1] = (times[1:] != times[:-1]) | (symbols[1:] != symbols[:-1])
    return rows[order[last]]


def _texts(numbers: Mapping[int, Any]) -> dict[str, Any]:
    """Numbers by text, as JSON wants its keys, with null for NaN."""
    return {str(key): None if math.isnan(value) else value for key, value in numbers.items()}


def _numbers(texts: Mapping[str, Any]) -> dict[int, Any]:
    """What `_texts` made texts of."""
    return {int(key): math.nan if value is None else value for key, value in texts.items()}
