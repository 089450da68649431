"""Closing bars, making longer ones of them, and revising both. Compiled."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from qtw_lab.live.kernels_board import CLOSED, UNIT, Board
from qtw_lab.live.kernels_cells import EMPTY, HALTED, HOLE, LATEST, PARTIAL, clear, differ, join, show
from qtw_lab.live.kernels_compiled import compiled, inlined
from qtw_lab.live.rows import Flag

#: Places in `Shelf.info`.
COUNT: Final = 0  # rows shown so far
LENGTH: Final = 1  # of a bar, nanoseconds
SECONDS: Final = 2  # of a bar
RATIO: Final = 3  # bars of the level below in one

_OWN: Final = int(Flag.LATE | Flag.CORRECTED)
_BLANK: Final = EMPTY | HOLE


class Shelf(NamedTuple):
    """The bars of one level: cells in a ring of slots, and what is shown of them in a ring of rows, twice in a row.

    `bars` is the number of the bar in a slot and `rows` the number of the row it was shown in, -1 for none; `prices`
    are open, high, low, close and volume as (5, 2 R, columns), `flags` (2 R, columns), `times` (2 R,): a row stands at
    its number modulo R and again R further on, so that the last rows are one piece. `revisions` is (R, columns).
    """

    cells: Any
    quotes: Any
    bars: Any
    rows: Any
    prices: Any
    flags: Any
    revisions: Any
    times: Any
    info: Any


class Listeners(NamedTuple):
    """By column: the symbol's number, since when it is listened to (nanoseconds), and its last price."""

    symbols: Any
    since: Any
    last: Any


@inlined
def _write(shelf: Shelf, number: int, column: int, row: Any) -> None:
    half = len(shelf.times) // 2
    if number < 0 or number < shelf.info[COUNT] - half:
        return
    here = number % half
    shelf.revisions[here, column] = row.revision
    for place in (here, here + half):
        shelf.prices[0, place, column] = row.open
        shelf.prices[1, place, column] = row.high
        shelf.prices[2, place, column] = row.low
        shelf.prices[3, place, column] = row.close
        shelf.prices[4, place, column] = row.volume
        shelf.flags[place, column] = row.flags


@inlined
def blank(shelf: Shelf, number: int, column: int) -> None:
    """Show that nothing is known of a symbol in a row."""
    half = len(shelf.times) // 2
    here = number % half
    shelf.revisions[here, column] = 0
    for place in (here, here + half):
        for part in range(5):
            shelf.prices[part, place, column] = np.nan
        shelf.flags[place, column] = _BLANK


@inlined
def _name(shelf: Shelf, listeners: Listeners, column: int, bar: int, row: Any) -> None:
    row.level = shelf.info[SECONDS]
    row.symbol = listeners.symbols[column]
    row.time = bar * shelf.info[LENGTH]


@inlined
def _begin(shelf: Shelf, bar: int) -> Any:
    """Take the next row for a bar and give its number."""
    number, half = shelf.info[COUNT], len(shelf.times) // 2
    shelf.info[COUNT] = number + 1
    here, slot = number % half, bar & (len(shelf.bars) - 1)
    shelf.times[here] = shelf.times[here + half] = bar * shelf.info[LENGTH]
    shelf.bars[slot], shelf.rows[slot] = bar, number
    return number


@compiled
def close_base(
    board: Board, shelf: Shelf, listeners: Listeners, out: Any, columns: int, carry: bool, flags: int
) -> int:
    """Close the next bar of the shortest level for all columns; the number of rows written to `out`."""
    bar = board.state[CLOSED]
    slot, start = bar & (len(shelf.bars) - 1), bar * shelf.info[LENGTH]
    number, used = _begin(shelf, bar), 0
    for column in range(columns):
        if bar < board.first[column]:
            blank(shelf, number, column)
            continue
        cell, quote = shelf.cells[slot, column], shelf.quotes[slot, column]
        _settle_quote(board.latest[column], quote, cell)
        cell.before = listeners.last[column]
        if cell.open_time != LATEST:
            listeners.last[column] = cell.close
        cell.flags |= np.uint32(flags | (PARTIAL if start < listeners.since[column] else 0))
        row = out[used]
        _name(shelf, listeners, column, bar, row)
        show(cell, quote, carry, row)
        _write(shelf, number, column, row)
        used += 1
    board.state[CLOSED] = bar + 1
    return used


@inlined
def _settle_quote(latest: Any, quote: Any, cell: Any) -> None:
    """Let a bar that closes have the last quote at its end, and flag it if the symbol was halted when it began.

    A trade that sets a price ends a halt that was before it, should the message that ends it have been missed.
    """
    if latest.status & 1:
        cell.flags |= np.uint32(HALTED)
        if cell.close_time > latest.status // 2:  # it traded, so it was resumed, though nothing said so
            latest.status = 2 * cell.close_time
    latest.status = max(latest.status, quote.status)
    if quote.time >= latest.time:
        latest.bid, latest.ask, latest.time = quote.bid, quote.ask, quote.time
    else:
        quote.bid, quote.ask, quote.time = latest.bid, latest.ask, latest.time


@inlined
def _is_there(shelf: Shelf, bar: int) -> Any:
    slot = bar & (len(shelf.bars) - 1)
    return shelf.bars[slot] == bar and shelf.rows[slot] >= 0


@compiled
def has_parts(lower: Shelf, upper: Shelf, bar: int) -> bool:
    """Whether a longer bar has any part that was shown."""
    ratio = upper.info[RATIO]
    for part in range(bar * ratio, (bar + 1) * ratio):  # noqa: SIM110  (compiled code knows no generators)
        if _is_there(lower, part):
            return True
    return False


@inlined
def _put_together(lower: Shelf, upper: Shelf, bar: int, column: int, cell: Any) -> None:
    """Make a longer bar of its parts. Its `before` is that of the last: it counts only if all are empty."""
    ratio = upper.info[RATIO]
    clear(cell)
    for part in range(bar * ratio, (bar + 1) * ratio):
        if _is_there(lower, part):
            source = lower.cells[part & (len(lower.bars) - 1), column]
            join(cell, source)
            cell.before = source.before


@compiled
def close_upper(
    lower: Shelf, upper: Shelf, board: Board, listeners: Listeners, out: Any, columns: int, bar: int, carry: bool
) -> int:
    """Close a bar of a longer level for all columns; the number of rows written to `out`."""
    slot = bar & (len(upper.bars) - 1)
    start, end = bar * upper.info[LENGTH], (bar + 1) * upper.info[LENGTH]
    number, used = _begin(upper, bar), 0
    for column in range(columns):
        if end <= board.first[column] * board.state[UNIT]:
            clear(upper.cells[slot, column])
            blank(upper, number, column)
            continue
        cell, quote = upper.cells[slot, column], upper.quotes[slot, column]
        _put_together(lower, upper, bar, column, cell)
        _take_quote(lower, upper, bar, column, quote)
        if start < listeners.since[column]:
            cell.flags |= np.uint32(PARTIAL)
        row = out[used]
        _name(upper, listeners, column, bar, row)
        show(cell, quote, carry, row)
        _write(upper, number, column, row)
        used += 1
    return used


@inlined
def _take_quote(lower: Shelf, upper: Shelf, bar: int, column: int, quote: Any) -> None:
    """Give a longer bar the quote of its last part."""
    part, first = (bar + 1) * upper.info[RATIO] - 1, bar * upper.info[RATIO]
    while part > first and not _is_there(lower, part):
        part -= 1
    source = lower.quotes[part & (len(lower.bars) - 1), column]
    quote.bid, quote.ask, quote.time = source.bid, source.ask, source.time


@compiled
def revise_base(board: Board, shelf: Shelf, listeners: Listeners, touched: Any, out: Any, carry: bool) -> int:
    """Show closed bars anew whose trades or flags changed, and the empty ones that repeat their close.

    `touched` has a row (column, bar, flag, 0) for each, a bar once; the last place becomes the last bar that changed.
    """
    used, mask = 0, len(shelf.bars) - 1
    for place in range(len(touched)):
        column, bar, flag = touched[place, 0], touched[place, 1], np.uint32(touched[place, 2])
        cell = shelf.cells[bar & mask, column]
        used = _revise(shelf, listeners, column, bar, flag, carry, out, used)
        price = cell.close if cell.open_time != LATEST else cell.before
        last, after = bar, bar + 1
        while after < board.state[CLOSED]:
            if _is_there(shelf, after):
                cell = shelf.cells[after & mask, column]
                if cell.before == price or (np.isnan(cell.before) and np.isnan(price)):
                    break
                cell.before = price
                if cell.open_time != LATEST:
                    break
                last = after
                if carry:
                    used = _revise(shelf, listeners, column, after, flag, carry, out, used)
            after += 1
        if after == board.state[CLOSED]:
            listeners.last[column] = price
        touched[place, 3] = last
    return used


@inlined
def _revise(
    shelf: Shelf, listeners: Listeners, column: int, bar: int, flag: Any, carry: bool, out: Any, used: int
) -> int:
    slot = bar & (len(shelf.bars) - 1)
    cell = shelf.cells[slot, column]
    cell.flags |= flag
    cell.revision += np.uint32(1)
    row = out[used]
    _name(shelf, listeners, column, bar, row)
    show(cell, shelf.quotes[slot, column], carry, row)
    _write(shelf, shelf.rows[slot], column, row)
    return used + 1


@compiled
def revise_upper(
    lower: Shelf, upper: Shelf, board: Board, listeners: Listeners, touched: Any, out: Any, carry: bool
) -> int:
    """Make closed longer bars again of their parts, where `touched` (as `revise_base` leaves it) says those changed.

    The bars in `touched` become those of this level.
    """
    used, mask, ratio = 0, len(upper.bars) - 1, upper.info[RATIO]
    for place in range(len(touched)):
        column, flag = touched[place, 0], np.uint32(touched[place, 2])
        touched[place, 1] //= ratio
        touched[place, 3] //= ratio
        for bar in range(touched[place, 1], touched[place, 3] + 1):
            if not _is_there(upper, bar) or (bar + 1) * upper.info[LENGTH] <= board.first[column] * board.state[UNIT]:
                continue
            cell, made = upper.cells[bar & mask, column], board.scratch[0]
            _put_together(lower, upper, bar, column, made)
            made.flags |= cell.flags & np.uint32(_OWN)
            if bar * upper.info[LENGTH] < listeners.since[column]:
                made.flags |= np.uint32(PARTIAL)
            if differ(cell, made):
                made.revision = cell.revision
                upper.cells[bar & mask, column] = made
                used = _revise(upper, listeners, column, bar, flag, carry, out, used)
    return used
