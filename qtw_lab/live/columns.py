"""The arrays that bars live in: a column for each symbol, rings of slots and rows, and windows over the last rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.live.kernels_board import ASKED, CLOSED, COUNTERS, COUNTS, OLDEST_SLOT, TOUCHED, Board, clear_quote
from qtw_lab.live.kernels_cells import CELL, EMPTY, HOLE, QUOTE_CELL, clear
from qtw_lab.live.kernels_roll import COUNT, Listeners, Shelf

FloatArray = npt.NDArray[np.float64]

#: Rows of the lists that kernels write to; when one is full it is worked off.
_LISTED: Final = 4096


@dataclass(frozen=True, eq=False)
class Window:
    """The last rows of one level, oldest first; views that are good until bars are closed or revised again.

    Parameters
    ----------
    open, high, low, close, volume : float64 array (T, N)
        NaN where nothing is known.
    times : int64 array (T,)
        Start of each row's bars, nanoseconds since 1970, UTC.
    flags : uint32 array (T, N)
        Bits of `qtw_lab.live.rows.Flag`.
    numbers : int32 array (N,)
        The symbol of each column.
    bid, ask : float64 array (N,)
        The last quotes at the end of the last row; NaN without any.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    times: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint32]
    numbers: npt.NDArray[np.int32]
    bid: FloatArray
    ask: FloatArray


def clean_cells(shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Cells that hold nothing."""
    one = np.zeros(1, dtype=CELL)
    clear(one[0])
    return np.full(shape, one[0], dtype=CELL)


def clean_quotes(shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Quotes that there are none of."""
    one = np.zeros(1, dtype=QUOTE_CELL)
    clear_quote(one[0])
    return np.full(shape, one[0], dtype=QUOTE_CELL)


def clean_shelf(seconds: int, ratio: int, slots: int, rows: int, columns: int) -> Shelf:
    """A level without bars."""
    return Shelf(
        cells=clean_cells((slots, columns)),
        quotes=clean_quotes((slots, columns)),
        bars=np.full(slots, -1, dtype=np.int64),
        rows=np.full(slots, -1, dtype=np.int64),
        prices=np.full((5, 2 * rows, columns), np.nan),
        flags=np.full((2 * rows, columns), EMPTY | HOLE, dtype=np.uint32),
        revisions=np.zeros((rows, columns), dtype=np.uint32),
        times=np.zeros(2 * rows, dtype=np.int64),
        info=np.array([0, seconds * 10**9, seconds, ratio], dtype=np.int64),
    )


class Columns:
    """Which symbol has which column, and all arrays that have a column for each.

    Columns in use are the first ones; a symbol that leaves gives its column to the last.

    Parameters
    ----------
    shelves : list of Shelf
        The levels, shortest first.
    """

    def __init__(self, shelves: list[Shelf]) -> None:
        self.shelves = shelves
        self.used = 0
        self.listeners = Listeners(
            np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float64)
        )
        base = shelves[0]
        state = np.zeros(COUNTS + len(COUNTERS), dtype=np.int64)
        state[CLOSED] = state[OLDEST_SLOT] = -1
        self.board = Board(
            state=state,
            place=np.full(1024, -1, dtype=np.int32),
            first=np.zeros(0, dtype=np.int64),
            cells=base.cells,
            quotes=base.quotes,
            latest=clean_quotes((0,)),
            events=np.zeros(len(base.bars), dtype=np.int64),
            rows=base.rows,
            touched=np.zeros((_LISTED, 3), dtype=np.int64),
            asked=np.zeros((_LISTED, 2), dtype=np.int64),
            scratch=clean_cells((1, 1))[0],
        )

    @property
    def numbers(self) -> npt.NDArray[np.int32]:
        """The symbols that have a column, in the order of columns."""
        found: npt.NDArray[np.int32] = self.listeners.symbols[: self.used]
        return found

    def add(self, number: int, since: int, first: int) -> int:
        """Give a symbol a column, clean, and say which."""
        column = self.used
        self.used += 1
        self.board.place[number] = column
        self.board.first[column] = first
        self.listeners.symbols[column] = number
        self.listeners.since[column] = since
        self.listeners.last[column] = np.nan
        return column

    def remove(self, number: int) -> None:
        """Take a symbol's column away; the last column takes its place."""
        column, last = int(self.board.place[number]), self.used - 1
        if column != last:
            for array in self._arrays():
                array[..., column] = array[..., last]
            self.board.place[self.listeners.symbols[column]] = column
        self.board.place[number] = -1
        self._clean(last)  # here rather than in `add`: a whole market is added at once
        self.used = last

    def reserve(self, columns: int, symbols: int) -> None:
        """See to it that there is room for so many columns and so many numbers of symbols."""
        if symbols > len(self.board.place):
            wider = np.full(max(symbols, 2 * len(self.board.place)), -1, dtype=np.int32)
            wider[: len(self.board.place)] = self.board.place
            self.board = self.board._replace(place=wider)
        if columns > len(self.board.first):
            self._widen(columns if not self.used else max(columns, len(self.board.first) * 5 // 4))

    def worked_off(self) -> npt.NDArray[np.int64]:
        """The bars that were touched since last asked, (column, bar, flag, 0), each once and in order."""
        used = int(self.board.state[TOUCHED])
        self.board.state[TOUCHED] = 0
        listed = self.board.touched[:used]
        distinct, which = np.unique(listed[:, :2], axis=0, return_inverse=True)
        found = np.zeros((len(distinct), 4), dtype=np.int64)
        found[:, :2] = distinct
        np.bitwise_or.at(found[:, 2], which.ravel(), listed[:, 2])
        return found

    def chosen(self, numbers: Iterable[int] | None) -> npt.NDArray[np.int64]:
        """The columns of symbols in order, of all for None; symbols without one are passed over."""
        if numbers is None:
            return np.arange(self.used)
        asked = np.fromiter(numbers, dtype=np.int64)
        asked = asked[(asked >= 0) & (asked < len(self.board.place))]
        columns = np.unique(self.board.place[asked]).astype(np.int64)
        return columns[columns >= 0]

    def asked(self) -> npt.NDArray[np.int64]:
        """The (symbol, bar) that were too old to be revised since last asked, each once and in order."""
        used = int(self.board.state[ASKED])
        self.board.state[ASKED] = 0
        return np.unique(self.board.asked[:used], axis=0)

    def window(self, level: int, rows: int) -> Window:
        """The last rows of a level, at most as many as there are."""
        shelf, n = self.shelves[level], self.used
        half, count = len(shelf.times) // 2, int(shelf.info[COUNT])
        length = min(rows, count, half)
        begin = (count - length) % half
        span = slice(begin, begin + length)
        prices = shelf.prices[:, span, :n]
        quotes = self._last_quotes(shelf)
        return Window(
            open=prices[0],
            high=prices[1],
            low=prices[2],
            close=prices[3],
            volume=prices[4],
            times=shelf.times[span],
            flags=shelf.flags[span, :n],
            numbers=self.numbers,
            bid=quotes["bid"],
            ask=quotes["ask"],
        )

    def _last_quotes(self, shelf: Shelf) -> npt.NDArray[Any]:
        slot = int(np.argmax(shelf.rows))
        if shelf.rows[slot] < 0:
            return clean_quotes((self.used,))
        found: npt.NDArray[Any] = shelf.quotes[slot, : self.used]
        return found

    def _arrays(self) -> list[npt.NDArray[Any]]:
        """Every array whose last axis is columns."""
        found = [self.board.first, self.board.latest, *self.listeners]
        for shelf in self.shelves:
            found += [shelf.cells, shelf.quotes, shelf.prices, shelf.flags, shelf.revisions]
        return found

    def _clean(self, column: int) -> None:
        self.board.latest[column] = clean_quotes((1,))[0]
        self.listeners.last[column] = np.nan
        cell, quote = clean_cells((1, 1))[0, 0], clean_quotes((1,))[0]
        for shelf in self.shelves:
            shelf.cells[:, column] = cell
            shelf.quotes[:, column] = quote
            shelf.prices[..., column] = np.nan
            shelf.flags[:, column] = EMPTY | HOLE
            shelf.revisions[:, column] = 0

    def _widen(self, columns: int) -> None:
        more = columns - len(self.board.first)
        self.listeners = Listeners(*(np.concatenate([a, np.zeros(more, dtype=a.dtype)]) for a in self.listeners))
        for place, shelf in enumerate(self.shelves):
            slots, rows = len(shelf.bars), len(shelf.times)
            self.shelves[place] = shelf._replace(
                cells=np.concatenate([shelf.cells, clean_cells((slots, more))], axis=1),
                quotes=np.concatenate([shelf.quotes, clean_quotes((slots, more))], axis=1),
                prices=np.concatenate([shelf.prices, np.full((5, rows, more), np.nan)], axis=2),
                flags=np.concatenate([shelf.flags, np.full((rows, more), EMPTY | HOLE, dtype=np.uint32)], axis=1),
                revisions=np.concatenate([shelf.revisions, np.zeros((rows // 2, more), dtype=np.uint32)], axis=1),
            )
        self.board = self.board._replace(
            first=np.concatenate([self.board.first, np.zeros(more, dtype=np.int64)]),
            latest=np.concatenate([self.board.latest, clean_quotes((more,))]),
            cells=self.shelves[0].cells,
            quotes=self.shelves[0].quotes,
        )
