"""When bars close, which are skipped, and when closed ones are shown anew."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.live.columns import Columns, clean_shelf
from qtw_lab.live.kernels_board import CLOSED, EXTENDED, FLAG, LIMIT, OLDEST_SLOT, REACH, TOUCHED, UNIT, clear_slots
from qtw_lab.live.kernels_roll import close_base, close_upper, has_parts, revise_base, revise_upper
from qtw_lab.live.rows import ROW, Flag

Rows = npt.NDArray[Any]

_SECOND: Final = 10**9
#: Rows that one call of a revising kernel may write.
_AT_ONCE: Final = 65_536


class Closing:
    """The bars of all levels as time goes on: the part of `BarColumns` that does not know what a trade is.

    Parameters
    ----------
    intervals : tuple of int
        Lengths in seconds, each a multiple of the one before.
    shown : list of int
        Rows of a window, by level.
    carry : bool
        Whether empty bars repeat the last price.
    lateness, patience, idle, extended
        As in `BarColumns`.
    """

    def __init__(
        self,
        intervals: tuple[int, ...],
        shown: list[int],
        *,
        carry: bool,
        lateness: float,
        patience: float,
        idle: float,
        extended: bool,
    ) -> None:
        self.intervals = intervals
        self._carry = carry
        self._idle = max(1, int(np.ceil(idle / intervals[0])))
        self._ratios = [1] + [b // a for a, b in pairwise(intervals)]
        self._spare = self._ratios[1] if len(self._ratios) > 1 else 1
        self._open = int(np.ceil(patience / intervals[0])) + 2
        self._columns = Columns(
            [
                clean_shelf(length, self._ratios[k], self._slots(k, lateness), shown[k], 0)
                for k, length in enumerate(intervals)
            ]
        )
        state = self._columns.board.state
        state[UNIT], state[REACH] = intervals[0] * _SECOND, int(np.ceil(lateness / intervals[0])) + 1
        state[FLAG], state[LIMIT], state[EXTENDED] = int(Flag.LATE), np.iinfo(np.int64).max, int(extended)
        self._next = [-1] * len(intervals)
        self._event = -1
        self._held: int | None = None
        self._closed: list[Rows] = []
        #: Beside the rows that closed, the cells they were made of, for those who ask for them.
        self._cells: list[Rows] | None = None
        self._revised: list[Rows] = []

    @property
    def _state(self) -> npt.NDArray[np.int64]:
        state: npt.NDArray[np.int64] = self._columns.board.state
        return state

    @property
    def _unit(self) -> int:
        return self.intervals[0] * _SECOND

    def _listens(self, number: int) -> bool:
        place = self._columns.board.place
        return 0 <= number < len(place) and bool(place[number] >= 0)

    def _level(self, interval: int) -> int:
        if interval not in self.intervals:
            raise DataError(f"There are no bars of {interval} s; these lengths are made: {self.intervals}.")
        return self.intervals.index(interval)

    def _slots(self, level: int, lateness: float) -> int:
        length = self.intervals[level]
        needed = int(np.ceil(lateness / length)) + 2
        if level == 0:
            needed += self._open
        if level + 1 < len(self.intervals):
            needed += 2 * self._ratios[level + 1]
        return 1 << (needed - 1).bit_length()

    def _start(self, bar: int) -> None:
        self._state[CLOSED] = bar
        self._state[OLDEST_SLOT] = bar - int(self._state[REACH]) - self._spare
        self._next = [bar * self.intervals[0] // length for length in self.intervals]
        self._event = bar

    def _make_room(self, bar: int) -> None:
        """Close bars until one this far ahead has a slot, with a hole where they were being held."""
        self._settle()
        slots = len(self._columns.board.events)
        self._roll(bar - slots + 1 + int(self._state[REACH]) + self._spare, coming=bar)

    def _roll(self, target: int, coming: int | None = None) -> None:
        state = self._state
        while state[CLOSED] < target:
            bar = int(state[CLOSED])
            if bar > self._event + self._idle and not self._columns.board.events[bar & self._mask]:
                self._skip(self._eventful(bar, target, coming))
                continue
            self._close(bar)
        self._free()

    @property
    def _mask(self) -> int:
        return len(self._columns.board.events) - 1

    def _eventful(self, bar: int, target: int, coming: int | None) -> int:
        """The next bar that something happened in, or how far bars may be skipped."""
        end = min(target, int(self._state[OLDEST_SLOT]) + self._mask + 1)
        ahead = np.arange(bar, max(end, bar))
        found = np.flatnonzero(self._columns.board.events[ahead & self._mask])
        if len(found):
            return int(ahead[found[0]])
        return target if coming is None else max(target, coming)

    def _skip(self, bar: int) -> None:
        """Go on with a later bar; nothing happened before it."""
        self._state[CLOSED] = bar
        self._close_longer(skipping=True)
        self._free()

    def _close(self, bar: int) -> None:
        columns = self._columns
        flags = int(Flag.HOLE) if self._held is not None and bar >= self._held else 0
        if columns.board.events[bar & self._mask]:
            self._event = bar
        out = np.zeros(columns.used, dtype=ROW)
        used = close_base(columns.board, columns.shelves[0], columns.listeners, out, columns.used, self._carry, flags)
        self._take_down(columns.shelves[0], bar, out[:used])
        self._close_longer()
        self._free()

    def _close_longer(self, *, skipping: bool = False) -> None:
        columns, base = self._columns, int(self._state[CLOSED]) * self.intervals[0]
        for level in range(1, len(self.intervals)):
            end = base // self.intervals[level]
            if self._next[level] >= end:
                continue
            lower, upper = columns.shelves[level - 1], columns.shelves[level]
            for bar in range(self._next[level], self._next[level] + 1 if skipping else end):
                if not has_parts(lower, upper, bar):
                    continue
                out = np.zeros(columns.used, dtype=ROW)
                used = close_upper(lower, upper, columns.board, columns.listeners, out, columns.used, bar, self._carry)
                self._take_down(upper, bar, out[:used])
            self._next[level] = end

    def _take_down(self, shelf: Any, bar: int, rows: Rows) -> None:
        """Note the rows of a bar that closed."""
        self._closed.append(rows)
        if self._cells is not None:
            columns = self._columns.board.place[rows["symbol"]]
            self._cells.append(shelf.cells[bar & (len(shelf.bars) - 1), columns])

    def _free(self) -> None:
        """Give slots of bars that are too old to be revised to bars to come."""
        state, slots = self._state, self._mask + 1
        old = int(state[OLDEST_SLOT])
        new = int(state[CLOSED] - state[REACH]) - self._spare
        if new > old:
            clear_slots(self._columns.board, max(old, new - slots), new)
            state[OLDEST_SLOT] = new

    def _settle(self) -> None:
        """Show closed bars anew that were touched."""
        if not self._state[TOUCHED]:
            return
        self._revise_all(self._columns.worked_off())

    def _revise_all(self, touched: npt.NDArray[np.int64]) -> None:
        step = max(1, _AT_ONCE // (int(self._state[REACH]) + 2))
        for begin in range(0, len(touched), step):
            self._revise(touched[begin : begin + step])

    def _revise(self, touched: npt.NDArray[np.int64]) -> None:
        columns = self._columns
        shelves, board, listeners = columns.shelves, columns.board, columns.listeners
        out = np.zeros(len(touched) * (int(self._state[REACH]) + 2), dtype=ROW)
        used = revise_base(board, shelves[0], listeners, touched, out, self._carry)
        self._revised.append(out[:used].copy())
        for lower, upper in pairwise(shelves):
            used = revise_upper(lower, upper, board, listeners, touched, out, self._carry)
            self._revised.append(out[:used].copy())
