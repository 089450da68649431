"""What a trade, a quote and a status do to the bars they belong to. Compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from qtw_lab.live.kernels_amend import amend
from qtw_lab.live.kernels_board import (
    AHEAD,
    BEFORE,
    CLOSED,
    DONE,
    DUPLICATES,
    EXTENDED,
    FILLING_FROM,
    FILLING_TO,
    FLAG,
    FULL,
    INACTIVE,
    LATE,
    LIMIT,
    MOST_STEPS,
    OLDEST_SLOT,
    OUTLIERS,
    QUOTES,
    TOUCHED,
    TRADES,
    UNCHECKED,
    UNIT,
    UNMATCHED,
    Board,
    beyond,
    learn,
    touch,
    within_reach,
)
from qtw_lab.live.kernels_cells import HALTED, apply, believable
from qtw_lab.live.kernels_compiled import compiled, inlined
from qtw_lab.live.kernels_kept import CANCELLED, FORGOTTEN, KNOWN, REPLACED, STAMP, Memory, find, keep

#: Status codes of the tapes: 2 and 3 of CTA, H, P (volatility pause) and T of UTP.
_HALT_A, _HALT_B, _HALT_C = ord("2"), ord("H"), ord("P")
_RESUME_A, _RESUME_B = ord("3"), ord("T")


@compiled
def add(board: Board, memory: Memory, ticks: Any, begin: int) -> tuple[int, int]:  # noqa: C901  (a call for each kind)
    """Apply rows of `TICK` from the place `begin` on; the place it stopped at, and why."""
    state = board.state
    unit, limit, slots = state[UNIT], state[LIMIT], board.cells.shape[0]
    edge = state[OLDEST_SLOT] + slots
    bar, start = 0, 0
    for place in range(begin, len(ticks)):
        tick = ticks[place]
        symbol, time = tick.symbol, tick.time
        column = board.place[symbol] if 0 <= symbol < len(board.place) else -1
        if column < 0:
            state[INACTIVE] += 1
            continue
        if time > limit:
            state[OUTLIERS] += 1
            continue
        if time < start or time - start >= unit:
            bar = time // unit
            start = bar * unit
        if bar >= edge:
            return place, AHEAD
        kind = tick.kind
        if kind == 113:
            _quote(board, tick, column, bar)
            continue
        if state[TOUCHED] + MOST_STEPS > len(board.touched):
            return place, FULL
        if kind == 116:
            _trade(board, memory, tick, column, bar)
        elif kind == 99 or kind == 120:  # noqa: PLR1714  (a set is slow in compiled code)
            amend(board, memory, tick, column)
        elif kind == 115:
            _status(board, tick, column, bar)
    return len(ticks), DONE


@inlined
def _quote(board: Board, tick: Any, column: int, bar: int) -> None:
    state = board.state
    state[QUOTES] += 1
    if bar < state[CLOSED]:
        held = board.latest[column]
    else:
        slot = bar & (board.cells.shape[0] - 1)
        board.events[slot] += 1
        held = board.quotes[slot, column]
    if tick.time >= held.time:
        held.time = tick.time
        held.bid = tick.price if tick.price > 0.0 else np.nan
        held.ask = tick.other_price if tick.other_price > 0.0 else np.nan


@inlined
def _status(board: Board, tick: Any, column: int, bar: int) -> None:
    halted = tick.flag == _HALT_A or tick.flag == _HALT_B or tick.flag == _HALT_C  # noqa: PLR1714  (as above)
    if not halted and tick.flag != _RESUME_A and tick.flag != _RESUME_B:  # noqa: PLR1714  (as above)
        return
    moment = 2 * tick.time + (1 if halted else 0)
    if bar < board.state[CLOSED]:
        held = board.latest[column]
        held.status = max(held.status, moment)
        return
    slot = bar & (board.cells.shape[0] - 1)
    board.events[slot] += 1
    held = board.quotes[slot, column]
    held.status = max(held.status, moment)
    if halted:
        board.cells[slot, column].flags |= np.uint32(HALTED)


@inlined
def _trade(board: Board, memory: Memory, tick: Any, column: int, bar: int) -> None:
    state = board.state
    state[TRADES] += 1
    if bar < board.first[column]:
        state[BEFORE] += 1
        return
    if not believable(tick.price, tick.size):
        state[OUTLIERS] += 1
        return
    anew = state[FILLING_FROM] <= bar < state[FILLING_TO]
    sure = bar * state[UNIT] > memory.state[FORGOTTEN]
    if not within_reach(board, bar) or (bar < state[CLOSED] and not sure and not anew):
        beyond(board, tick.symbol, bar)
        return
    known = -1
    if tick.id != 0:
        known = _entry_of(memory, tick)
    if known >= 0 and not _is_news(board, memory, tick, known, anew):
        return
    if not sure and not anew:
        state[UNCHECKED] += 1
    if known < 0:
        known = keep(memory, tick.symbol, tick.exchange, tick.id, tick.time)
    learn(memory, known, tick, tick.time, state[EXTENDED] == 1)
    _enter(board, memory, known, column, bar)


@inlined
def _entry_of(memory: Memory, tick: Any) -> int:
    """The entry of a trade; also one that only says it was cancelled or replaced, at whatever time of the day."""
    exact, near = find(memory, tick.symbol, tick.exchange, tick.id, tick.time)
    if exact >= 0:
        return exact
    return near if near >= 0 and not memory.entries[near].state & KNOWN else -1


@inlined
def _is_news(board: Board, memory: Memory, tick: Any, place: int, anew: bool) -> bool:
    """Whether a trade whose entry is there already changes a bar: only when its bar is filled anew."""
    entry = memory.entries[place]
    if entry.state & (CANCELLED | REPLACED):
        if not entry.state & KNOWN:
            board.state[UNMATCHED] -= 1
            learn(memory, place, tick, entry.time, board.state[EXTENDED] == 1)
        else:
            board.state[DUPLICATES] += 1
        return False
    if anew and entry.stamp != memory.state[STAMP]:
        return True
    board.state[DUPLICATES] += 1
    return False


@inlined
def _enter(board: Board, memory: Memory, place: int, column: int, bar: int) -> None:
    """Add a known trade to its bar, and note the bar if it is closed."""
    state, entry = board.state, memory.entries[place]
    slot = bar & (board.cells.shape[0] - 1)
    cell = board.cells[slot, column]
    entry.next = cell.head
    cell.head = place
    apply(cell, entry)
    if bar < state[CLOSED]:
        state[LATE] += 1
        if entry.effect != 0:
            touch(board, column, bar, state[FLAG])
    else:
        board.events[slot] += 1
