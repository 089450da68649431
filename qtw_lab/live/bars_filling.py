"""What is put into bars other than by the stream: the trades of a gap, holes, and the rows of a journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.live.bars_renewing import Renewing
from qtw_lab.live.kernels_add import add
from qtw_lab.live.kernels_board import (
    AHEAD,
    CLOSED,
    FILLING_FROM,
    FILLING_TO,
    FLAG,
    LIMIT,
    OLDEST_SLOT,
    REACH,
)
from qtw_lab.live.kernels_cells import CELL, reset
from qtw_lab.live.kernels_kept import FORGOTTEN, STAMP, memory
from qtw_lab.live.kernels_restore import go_on, merged, put_back
from qtw_lab.live.rows import ROW, Flag
from qtw_lab.venues.ticks import TICK, TRADE

Rows = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]

#: Later than every event.
FOREVER: Final = np.iinfo(np.int64).max
_HOLE: Final = np.uint32(int(Flag.HOLE))
_BACKFILL: Final = np.uint32(int(Flag.BACKFILL))
_HALTED: Final = np.uint32(int(Flag.HALTED))

#: A span (nanoseconds, end excluded) of which a symbol's trades are to be asked for.
PLACE: Final = np.dtype([("symbol", "i4"), ("start", "i8"), ("end", "i8")], align=True)


class Filling(Renewing):
    """Bars that gaps can be filled in: the part of `BarColumns` that deals with what the stream did not bring.

    Parameters
    ----------
    intervals, shown, kept, options
        As for `Closing`; `kept` trades are remembered.
    """

    def __init__(self, intervals: tuple[int, ...], shown: list[int], *, kept: int, **options: Any) -> None:
        super().__init__(intervals, shown, **options)
        self._memory = memory(kept)
        self._options = options

    @property
    def unfinished(self) -> int:
        """Start of the oldest bar that is not closed at every level, nanoseconds; -1 before a symbol is active.

        After `restore`, trades from here on make the bars that were in progress exact: give them to `fill`.
        """
        if self._state[CLOSED] < 0:
            return -1
        starts = [bar * length for bar, length in zip(self._next[1:], self.intervals[1:], strict=True)]
        return min([int(self._state[CLOSED]) * self.intervals[0], *starts]) * 10**9

    def active(self, numbers: Iterable[int], since: int) -> None:
        """Listen to symbols from an event time on (nanoseconds); those already listened to stay as they are."""
        wanted = [n for n in dict.fromkeys(int(n) for n in numbers) if not self._listens(n)]
        if not wanted:
            return
        self._settle()
        columns, unit = self._columns, self._unit
        columns.reserve(columns.used + len(wanted), max(wanted) + 1)
        bar = since // unit
        if self._state[CLOSED] < 0:
            self._start(bar)
        closed = int(self._state[CLOSED])
        if bar < closed:
            bar, since = closed, max(since, closed * unit)
        for number in wanted:
            columns.add(number, since, bar)

    def inactive(self, numbers: Iterable[int]) -> None:
        """Listen to symbols no more; their bars and rows are given up."""
        self._settle()
        for number in numbers:
            if self._listens(int(number)):
                self._columns.remove(int(number))

    def hold(self, start: int) -> None:
        """Keep the bars open that end after an event time: trades of them may still be missing."""
        bar = start // self._unit
        self._held = bar if self._held is None else min(bar, self._held)

    def release(self) -> None:
        """Keep nothing open any longer; the next `advance` closes what is due."""
        self._held = None

    def hole(self, start: int, end: int, numbers: Iterable[int] | None = None) -> None:
        """Say that trades between two event times are missing for good: their bars are flagged `HOLE`.

        Parameters
        ----------
        start, end : int
            Nanoseconds; the end excluded.
        numbers : iterable of int, optional
            Of these symbols only.
        """
        self._settle()
        span = self._slotted(start // self._unit, -(-end // self._unit))
        self._flag(span, self._columns.chosen(numbers), int(Flag.HOLE))

    def fill(
        self, ticks: Rows, start: int, end: int, numbers: Iterable[int] | None = None, *, anew: bool = False
    ) -> None:
        """Add all trades between two event times, of which the stream may have brought some.

        Where the trades that came are remembered, those that are news are added. Older bars, and a journal's, are
        made anew of these trades alone if they lie wholly within the span. Bars that touch the span are flagged
        `BACKFILL` and no longer `HOLE`.

        Parameters
        ----------
        ticks : TICK rows
            The trades that stand (not those that were cancelled or replaced), in any order; repeated ones count once.
        start, end : int
            Nanoseconds; the end excluded.
        numbers : iterable of int, optional
            The symbols whose trades these are; all that are listened to for None.
        anew : bool
            Whether every bar that lies wholly within the span is made of these trades alone, also where the trades that
            came are remembered: some of them were not what they said.
        """
        if ticks.dtype != TICK:
            raise DataError(f"ticks have the columns {ticks.dtype.names}, not those of qtw_lab.venues.ticks.TICK.")
        if end <= start:
            raise DataError(f"A gap from {start} to {end} has no length; its end must be later than its start.")
        self._settle()
        columns = self._columns.chosen(numbers)
        symbols = self._columns.numbers[columns]
        given = ticks[
            (ticks["kind"] == TRADE)
            & (ticks["time"] >= start)
            & (ticks["time"] < end)
            & np.isin(ticks["symbol"], symbols)
        ]
        if self._state[CLOSED] < 0 or not len(columns):
            return
        self._make_anew(given, start, end, symbols)
        first = max(start // self._unit, int(self._state[CLOSED] - self._state[REACH]))
        span = self._slotted(first, -(-end // self._unit))
        emptied = self._emptied(span, columns, start, end, even_known=anew)
        self._flag(span, columns, int(Flag.BACKFILL))
        self._add_filling(given[given["time"] >= first * self._unit], emptied)

    def restore(self, rows: Rows, *, resuming: bool = True) -> None:
        """Put closed bars back: those of a journal before anything came, or the history of symbols.

        Parameters
        ----------
        rows : ROW rows
            In any order; of the same bar the highest revision counts. Rows of symbols that are not active, and of other
            lengths, are passed over.
        resuming : bool
            Whether closing goes on after the last of these rows at each level, so that none is missing and none comes
            twice; only before the first bar closes. If not, rows are shown in windows, and the last price is known.
        """
        self._settle()
        known = rows[np.isin(rows["symbol"], self._columns.numbers) & np.isin(rows["level"], self.intervals)]
        if not len(known):
            return
        order = np.lexsort((known["revision"], known["symbol"], known["time"], known["level"]))
        known = known[order]
        key = known[["level", "time", "symbol"]]
        known = known[np.append(key[1:] != key[:-1], True)]
        fresh = not any(shelf.info[0] for shelf in self._columns.shelves)
        if fresh and resuming:
            self._resume(known)
        for shelf in self._columns.shelves:
            some = known[known["level"] == shelf.info[2]]
            if len(some):
                merged(shelf, some, self._columns.board.place[some["symbol"]].astype(np.int64))
        if not resuming:
            self._know_last(known)

    # Inside

    def _apply(self, ticks: Rows) -> None:
        place, why = add(self._columns.board, self._memory, ticks, 0)
        while why:
            if why == AHEAD:
                self._make_room(int(ticks["time"][place]) // self._unit)
            else:
                self._settle()
            place, why = add(self._columns.board, self._memory, ticks, place)

    def _flag(self, bars: Numbers, columns: Numbers, flag: int) -> None:
        """Flag bars; closed ones are shown anew. Those that are filled have a hole no more."""
        if not len(bars) or not len(columns):
            return
        board = self._columns.board
        place = np.ix_(bars & self._mask, columns)
        listened = bars[:, None] >= board.first[columns]
        flags = board.cells["flags"][place]
        kept = flags & ~_HOLE if flag == _BACKFILL else flags
        board.cells["flags"][place] = np.where(listened, kept | np.uint32(flag), flags)
        row, column = np.nonzero(listened & (bars < self._state[CLOSED])[:, None])
        touched = np.zeros((len(row), 4), dtype=np.int64)
        touched[:, 0], touched[:, 1], touched[:, 2] = columns[column], bars[row], flag
        self._revise_all(touched[np.lexsort((touched[:, 1], touched[:, 0]))])

    def _emptied(self, bars: Numbers, columns: Numbers, start: int, end: int, *, even_known: bool) -> tuple[int, int]:
        """Take all trades out of the bars whose trades are not all remembered, or of all, and say which."""
        forgotten = FOREVER if even_known else int(self._memory.state[FORGOTTEN])
        whole = bars[(bars * self._unit >= start) & ((bars + 1) * self._unit <= end) & (bars * self._unit <= forgotten)]
        if not len(whole):
            return 0, 0
        cells = self._columns.board.cells
        for bar in whole.tolist():
            for column in columns.tolist():
                cell = cells[bar & self._mask, column]
                reset(cell)
                cell["head"] = -1
        return int(whole[0]), int(whole[-1]) + 1

    def _add_filling(self, ticks: Rows, anew: tuple[int, int]) -> None:
        state = self._state
        self._memory.state[STAMP] += 1
        state[FLAG], state[LIMIT] = int(Flag.BACKFILL), FOREVER
        state[FILLING_FROM], state[FILLING_TO] = anew
        try:
            self._apply(ticks)
        finally:
            self._settle()
            state[FLAG] = int(Flag.LATE)
            state[FILLING_FROM] = state[FILLING_TO] = 0

    def _make_anew(self, ticks: Rows, start: int, end: int, symbols: npt.NDArray[np.int32]) -> None:
        """Make the bars of a span anew that are too old to be revised in place, or that were skipped."""
        state, unit = self._state, self._unit
        edge = int(state[CLOSED] - state[REACH]) * unit
        if start >= edge:
            return
        side = self._beside()
        side.active(symbols.tolist(), start // unit * unit)
        self._lend_prices(side, start)
        rows, cells = self._made_by(side, ticks, min(-(-end // unit), int(state[CLOSED])))
        self._take_over(rows, cells, start, end, edge)
        if end >= edge:
            board = self._columns.board
            last = rows[(rows["level"] == self.intervals[0]) & (rows["time"] == edge - unit)]
            column = board.place[last["symbol"]]
            # Of symbols that came later nobody knows the trades between the edge and their first bar.
            heard = board.first[column] <= edge // unit
            self._carry_on(column[heard].tolist(), last["close"][heard].tolist(), edge // unit)

    def _beside(self) -> Filling:
        return Filling(self.intervals, [1] * len(self.intervals), kept=1 << 16, **self._options)

    @staticmethod
    def _made_by(side: Filling, ticks: Rows, end: int) -> tuple[Rows, Rows]:
        """The rows that other bars make of trades before the bar `end`, and the cell that each was made of."""
        side._cells = []
        before = ticks[ticks["time"] < end * side._unit]
        side._add_filling(before[np.argsort(before["time"], kind="stable")], (0, 0))
        side._roll(end)
        cells = np.concatenate([np.zeros(0, dtype=CELL), *side._cells])
        return np.concatenate([np.zeros(0, dtype=ROW), *side._closed]), cells

    def _know_last(self, rows: Rows) -> None:
        """The last price of symbols that have none yet, from their history."""
        last = self._columns.listeners.last
        base = rows[(rows["level"] == self.intervals[0]) & np.isfinite(rows["close"])]
        column = self._columns.board.place[base["symbol"]].astype(np.int64)
        unknown = np.isnan(last[column])
        last[column[unknown]] = base["close"][unknown]  # in order of time: the latest stays

    def _resume(self, rows: Rows) -> None:
        """Go on after the last rows of each level."""
        columns, unit = self._columns, self._unit
        ends = {int(level): int(rows["time"][rows["level"] == level].max()) for level in np.unique(rows["level"])}
        closed = (
            ends[self.intervals[0]] + unit
            if self.intervals[0] in ends
            else max(time + level * 10**9 for level, time in ends.items())
        )
        self._start(closed // unit)
        begun = max(int(rows["time"].min()) // unit, int(self._state[OLDEST_SLOT]))
        for level, length in enumerate(self.intervals):
            # A level without rows had no bar closed yet, or they were lost: it begins where the shortest bars do.
            self._next[level] = (
                ends[length] // (length * 10**9) + 1 if length in ends else begun * unit // length // 10**9
            )
        self._memory.state[FORGOTTEN] = closed - 1
        place = columns.board.place[rows["symbol"]].astype(np.int64)
        np.minimum.at(columns.listeners.since, place, rows["time"])
        columns.board.first[: columns.used] = columns.listeners.since[: columns.used] // unit
        for shelf in columns.shelves:
            some = rows["level"] == shelf.info[2]
            length = int(shelf.info[1])
            oldest = int(self._state[OLDEST_SLOT]) if length == unit else closed // length - len(shelf.bars) + 1
            put_back(shelf, rows[some], place[some], oldest)
            held = np.flatnonzero(shelf.bars >= oldest)
            held = held[np.isin(shelf.bars[held] * length, rows["time"][some])]
            shelf.rows[held] = 0
        by_end = np.argsort(rows["time"] + rows["level"].astype(np.int64) * 10**9, kind="stable")
        last = rows[by_end]
        for length in self.intervals[::-1]:
            some = last[last["level"] == length]
            if len(some):
                go_on(
                    columns.listeners, columns.board.latest, some, columns.board.place[some["symbol"]], length * 10**9
                )
