"""Bars that were made anew of fetched trades, put in the place of those that were shown."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.live.bars_closing import Closing
from qtw_lab.live.kernels_board import CLOSED, OLDEST_SLOT
from qtw_lab.live.kernels_cells import EMPTY, LATEST
from qtw_lab.live.kernels_restore import merged, revisions_of, shown_times
from qtw_lab.live.rows import Flag

Rows = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]

_BACKFILL: Final = np.uint32(int(Flag.BACKFILL))
_HALTED: Final = np.uint32(int(Flag.HALTED))


class Renewing(Closing):
    """Closed bars that other bars, made beside them of all trades of a span, take the place of.

    Parameters
    ----------
    intervals, shown, options
        As for `Closing`.
    """

    def _carry_on(self, columns: list[int], prices: list[float], begin: int) -> None:
        """Let the empty bars from one on, that can be revised in place, repeat the price before them."""
        board, touched = self._columns.board, []
        bars = self._slotted(begin, int(self._state[CLOSED])).tolist()
        for column, price in zip(columns, prices, strict=True):
            for bar in bars:
                cell = board.cells[bar & self._mask, column]
                if cell["before"] == price or np.isnan(price):
                    break
                cell["before"] = price
                if cell["open_time"] != LATEST:
                    break
                touched.append((column, bar, int(Flag.BACKFILL), 0))
            else:
                self._columns.listeners.last[column] = price
        self._revise_all(np.array(touched, dtype=np.int64).reshape(-1, 4))

    def _lend_prices(self, side: Closing, start: int) -> None:
        """Give the side bars the last prices before an event time, as far as rows of bars that begin before show them.

        The bar that it lies in is among those: where no later trade of it sets a price, its close is carried on.
        """
        shelf = self._columns.shelves[0]
        shown = self._columns.window(0, len(shelf.times) // 2)
        before = int(np.searchsorted(shown.times, start))
        if before:
            there = side._columns  # noqa: SLF001  (bars like these, made for a moment)
            columns = self._columns.board.place[there.numbers]
            there.listeners.last[: len(columns)] = shown.close[before - 1, columns]

    def _take_over(self, rows: Rows, cells: Rows, start: int, end: int, edge: int) -> None:
        length = rows["level"].astype(np.int64) * 10**9
        whole = (rows["time"] >= start) & (rows["time"] + length <= end) & (rows["time"] < edge)
        rows, cells = rows[whole], cells[whole]
        rows["flags"] = rows["flags"] & ~np.uint32(int(Flag.PARTIAL)) | _BACKFILL
        for shelf in self._columns.shelves:
            level = rows["level"] == shelf.info[2]
            some, made = rows[level], cells[level]
            shown = np.isin(some["time"], shown_times(shelf))
            news = shown | (some["flags"] & np.uint32(EMPTY) == 0) | (some["volume"] > 0)
            some, made = some[news], made[news]
            if not len(some):
                continue
            column = self._columns.board.place[some["symbol"]].astype(np.int64)
            some["revision"] = revisions_of(shelf, some["time"], column) + 1
            self._know_of_cells(shelf, some, column)
            merged(shelf, some, column)
            self._revised.append(some)
            self._renew_cells(shelf, some, made, column)

    @staticmethod
    def _in_slots(shelf: Any, rows: Rows) -> tuple[Numbers, Numbers]:
        """The places of rows whose bars still have a slot, and those slots."""
        bars = rows["time"] // shelf.info[1]
        slots = bars & (len(shelf.bars) - 1)
        places = np.flatnonzero((shelf.bars[slots] == bars) & (shelf.rows[slots] >= 0))
        return places, slots[places]

    def _know_of_cells(self, shelf: Any, rows: Rows, columns: Numbers) -> None:
        """Let rows made of trades alone have the quotes and halts of their bars, where those are still known."""
        places, slots = self._in_slots(shelf, rows)
        held = shelf.quotes[slots, columns[places]]
        rows["bid"][places], rows["ask"][places] = held["bid"], held["ask"]
        rows["flags"][places] |= shelf.cells["flags"][slots, columns[places]] & _HALTED

    def _renew_cells(self, shelf: Any, rows: Rows, cells: Rows, columns: Numbers) -> None:
        """Put cells in the place of those whose bars were made anew; their trades are not remembered."""
        places, slots = self._in_slots(shelf, rows)
        made = cells[places]
        made["head"], made["revision"] = -1, rows["revision"][places]
        made["flags"] = rows["flags"][places] & ~np.uint32(EMPTY)
        shelf.cells[slots, columns[places]] = made

    def _slotted(self, begin: int, end: int) -> Numbers:
        """Those bars of a span that have a slot and, if closed, were shown."""
        oldest, board = int(self._state[OLDEST_SLOT]), self._columns.board
        bars = np.arange(max(begin, oldest), min(end, oldest + self._mask + 1))
        shown = (bars >= self._state[CLOSED]) | (board.rows[bars & self._mask] >= 0)
        found: Numbers = bars[shown]
        return found
