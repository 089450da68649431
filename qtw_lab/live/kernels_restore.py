"""Bars made of rows again: from a journal, or made anew elsewhere. Compiled but for the merge."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab.live.kernels_cells import EMPTY, HALTED, HOLE, clear, millionths
from qtw_lab.live.kernels_compiled import compiled, inlined
from qtw_lab.live.kernels_roll import COUNT, LENGTH, Listeners, Shelf


@inlined
def cell_of(row: Any, length: int, cell: Any, quote: Any) -> None:
    """Make a bar from its row. What a row does not say, such as the volume that its vwap weighs, is lost."""
    clear(cell)
    if row.flags & np.uint32(EMPTY):
        cell.before = row.close
    else:
        cell.open, cell.high, cell.low, cell.close = row.open, row.high, row.low, row.close
        cell.open_time, cell.open_id = row.time, 0
        cell.close_time, cell.close_id = row.time + length - 1, 0
    if row.volume > 0.0:
        cell.volume = millionths(row.volume)
    if row.vwap > 0.0:
        cell.weighed = cell.volume
        cell.notional = np.int64(np.rint(row.vwap * cell.weighed))
    cell.count = row.count
    cell.flags = row.flags & ~np.uint32(EMPTY)
    cell.revision = row.revision
    quote.bid, quote.ask, quote.time = row.bid, row.ask, row.time + length - 1


@compiled
def put_back(shelf: Shelf, rows: Any, columns: Any, oldest: int) -> None:
    """Make cells of rows, by column and oldest bar first, whose bars have or can have a slot from `oldest` on."""
    length, mask = shelf.info[LENGTH], len(shelf.bars) - 1
    for place in range(len(rows)):
        bar = rows[place].time // length
        if bar >= oldest:
            slot = bar & mask
            shelf.bars[slot] = bar
            cell_of(rows[place], length, shelf.cells[slot, columns[place]], shelf.quotes[slot, columns[place]])


@compiled
def go_on(listeners: Listeners, latest: Any, rows: Any, columns: Any, length: int) -> None:
    """Let the last price, quote and halt of each column be those of its rows, oldest first."""
    for place in range(len(rows)):
        row, column = rows[place], columns[place]
        if not np.isnan(row.close):
            listeners.last[column] = row.close
        held, end = latest[column], row.time + length - 1
        held.bid, held.ask, held.time = row.bid, row.ask, end
        held.status = 2 * end + (1 if row.flags & np.uint32(HALTED) else 0)


def merged(shelf: Shelf, rows: npt.NDArray[Any], columns: npt.NDArray[np.int64]) -> None:
    """Show rows among those that are shown, by time; rows of a time and column that are there already are replaced.

    Numbers of rows are given anew, so that times stay in order; slots follow.
    """
    half, length = len(shelf.times) // 2, int(shelf.info[LENGTH])
    held = np.flatnonzero(shelf.rows >= 0)
    there = shown_times(shelf).copy()
    shown = len(there)
    begin = (int(shelf.info[COUNT]) - shown) % half
    times = np.unique(np.concatenate([there, rows["time"], shelf.bars[held] * length]))
    kept = times[max(0, len(times) - half) :]
    prices = np.full((5, len(kept), shelf.prices.shape[2]), np.nan)
    flags = np.full((len(kept), shelf.flags.shape[1]), EMPTY | HOLE, dtype=np.uint32)
    revisions = np.zeros_like(flags)
    at, old = np.isin(kept, there), np.isin(there, kept)
    prices[:, at] = shelf.prices[:, begin : begin + shown][:, old]
    flags[at] = shelf.flags[begin : begin + shown][old]
    revisions[at] = shelf.revisions[(begin + np.flatnonzero(old)) % half]
    fits = rows["time"] >= kept[0]
    place, column, new = np.searchsorted(kept, rows["time"][fits]), columns[fits], rows[fits]
    for part, name in enumerate(("open", "high", "low", "close", "volume")):
        prices[part, place, column] = new[name]
    flags[place, column], revisions[place, column] = new["flags"], new["revision"]
    shelf.info[COUNT] = len(times)
    shelf.rows[held] = np.searchsorted(times, shelf.bars[held] * length)
    here = np.arange(len(times) - len(kept), len(times)) % half
    for copy in (here, here + half):
        shelf.prices[:, copy], shelf.flags[copy], shelf.times[copy] = prices, flags, kept
    shelf.revisions[here] = revisions


def shown_times(shelf: Shelf) -> npt.NDArray[np.int64]:
    """Starts of the bars that are shown, oldest first."""
    half, count = len(shelf.times) // 2, int(shelf.info[COUNT])
    shown = min(half, count)
    begin = (count - shown) % half
    times: npt.NDArray[np.int64] = shelf.times[begin : begin + shown]
    return times


def revisions_of(shelf: Shelf, times: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """How often the bars of those times and columns were revised; 0 where one is not shown."""
    half, count, shown = len(shelf.times) // 2, int(shelf.info[COUNT]), shown_times(shelf)
    there = np.isin(times, shown)
    number = (count - len(shown) + np.where(there, np.searchsorted(shown, times), 0)) % half
    return np.where(there, shelf.revisions[number, columns], 0).astype(np.uint32)
