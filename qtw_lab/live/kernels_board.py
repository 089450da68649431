"""What the kernels that take events work on: the open and the newest closed bars of the shortest level. Compiled."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from qtw_lab.live.kernels_cells import clear
from qtw_lab.live.kernels_compiled import compiled, inlined
from qtw_lab.live.kernels_kept import KNOWN, STAMP, Memory
from qtw_lab.venues.conditions import effects

#: Places in `Board.state`. Bars are numbered by their start divided by the length of the shortest.
CLOSED: Final = 0  # the next bar to close; those before it are closed
OLDEST_SLOT: Final = 1  # the oldest bar that has a slot
UNIT: Final = 2  # length of a bar, nanoseconds
REACH: Final = 3  # closed bars that may still be revised
LIMIT: Final = 4  # event times after it are not believed
FLAG: Final = 5  # what a closed bar is flagged with when a trade is added
EXTENDED: Final = 6  # whether Form T sets prices
TOUCHED: Final = 7  # used rows of `touched`
ASKED: Final = 8  # used rows of `asked`
FILLING_FROM: Final = 9  # bars from here, before the next, are filled anew: their trades are not duplicates
FILLING_TO: Final = 10
#: The first of the counters, in the order of `COUNTERS`.
COUNTS: Final = 16
#: trades and quotes of active symbols; duplicates; late, after their bar had closed; beyond, too late to revise it;
#: outliers, from the future or not positive; corrections and cancels applied, and those whose trade has not come; of
#: symbols not active; before a symbol was active; unchecked, added to an open bar of which trades are forgotten.
COUNTERS: Final = (
    "trades", "quotes", "duplicates", "late", "beyond", "outliers", "corrected", "cancelled", "unmatched", "inactive",
    "before", "unchecked",
)  # fmt: skip

#: Their places.
TRADES: Final = COUNTS
QUOTES: Final = COUNTS + 1
DUPLICATES: Final = COUNTS + 2
LATE: Final = COUNTS + 3
BEYOND: Final = COUNTS + 4
OUTLIERS: Final = COUNTS + 5
CORRECTIONS: Final = COUNTS + 6
CANCELS: Final = COUNTS + 7
UNMATCHED: Final = COUNTS + 8
INACTIVE: Final = COUNTS + 9
BEFORE: Final = COUNTS + 10
UNCHECKED: Final = COUNTS + 11

#: A chain of corrections is followed so many steps.
MOST_STEPS: Final = 64

#: Why `add` stopped: all is done; a bar too far ahead for the ring; the list of touched bars is full.
DONE: Final = 0
AHEAD: Final = 1
FULL: Final = 2


class Board(NamedTuple):
    """The shortest bars of all columns, in a ring of slots, and what belongs to them.

    `place` is the column of a symbol, -1 for none; `first` the first bar of a column; `cells` and `quotes` are (slots,
    columns); `latest` the last quote and status that closed bars know of, by column; `events` counts what came by slot;
    `rows` is the number of the row that a slot's bar was shown in, -1 for none; `touched` (column, bar, flag) and
    `asked` (symbol, bar) are lists; `scratch` is one cell.
    """

    state: Any
    place: Any
    first: Any
    cells: Any
    quotes: Any
    latest: Any
    events: Any
    rows: Any
    touched: Any
    asked: Any
    scratch: Any


@inlined
def beyond(board: Board, symbol: int, bar: int) -> None:
    """Note that something came too late to be applied to its bar."""
    state = board.state
    state[BEYOND] += 1
    used = state[ASKED]
    if used < len(board.asked):
        board.asked[used, 0], board.asked[used, 1] = symbol, bar
        state[ASKED] = used + 1


@inlined
def within_reach(board: Board, bar: int) -> Any:
    """Whether a bar is open, or closed and may still be revised."""
    state = board.state
    if bar >= state[CLOSED]:
        return True
    return bar >= state[CLOSED] - state[REACH] and board.rows[bar & (board.cells.shape[0] - 1)] >= 0


@inlined
def touch(board: Board, column: int, bar: int, flag: int) -> None:
    """Note that a closed bar changed."""
    used = board.state[TOUCHED]
    board.touched[used, 0], board.touched[used, 1], board.touched[used, 2] = column, bar, flag
    board.state[TOUCHED] = used + 1


@inlined
def learn(memory: Memory, place: int, tick: Any, time: int, extended: bool) -> None:
    """Enter into a trade's entry what is known of it."""
    entry = memory.entries[place]
    entry.state |= np.uint8(KNOWN)
    entry.time, entry.price, entry.size = time, tick.price, tick.size
    entry.effect = effects(tick.conditions, tick.tape, extended)
    entry.stamp = memory.state[STAMP]


@compiled
def clear_slots(board: Board, begin: int, end: int) -> None:
    """Make the slots of bars from `begin` on, before `end`, clean for other bars."""
    slots, columns = board.cells.shape
    for bar in range(begin, end):
        slot = bar & (slots - 1)
        board.events[slot] = 0
        board.rows[slot] = -1
        for column in range(columns):
            clear(board.cells[slot, column])
            clear_quote(board.quotes[slot, column])


@inlined
def clear_quote(quote: Any) -> None:
    """Make a quote one that never was."""
    quote.bid, quote.ask = np.nan, np.nan
    quote.time, quote.status = 0, 0
