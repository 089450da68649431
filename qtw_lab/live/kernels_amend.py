"""What corrections and cancels do, in whatever order they come with the trades they are about. Compiled."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from qtw_lab.live.kernels_board import (
    BEFORE,
    CANCELS,
    CLOSED,
    CORRECTIONS,
    DUPLICATES,
    EXTENDED,
    MOST_STEPS,
    UNIT,
    UNMATCHED,
    Board,
    beyond,
    learn,
    touch,
    within_reach,
)
from qtw_lab.live.kernels_cells import apply, differ, reset
from qtw_lab.live.kernels_compiled import inlined
from qtw_lab.live.kernels_kept import CANCELLED, FORGOTTEN, KNOWN, REPLACED, Memory, find, keep, kill, room
from qtw_lab.live.rows import Flag

_CORRECTED_FLAG: Final = int(Flag.CORRECTED)


@inlined
def amend(board: Board, memory: Memory, tick: Any, column: int) -> None:
    """Apply a correction or a cancel, in whatever order it comes with the trades it is about."""
    state = board.state
    if tick.id == 0:
        beyond(board, tick.symbol, tick.time // state[UNIT])
        return
    room(memory, 2)
    exact, near = find(memory, tick.symbol, tick.exchange, tick.id, tick.time)
    old = exact if exact >= 0 else near
    time = memory.entries[old].time if old >= 0 else tick.time
    bar = time // state[UNIT]
    if bar < board.first[column]:
        state[BEFORE] += 1
        return
    if bar * state[UNIT] <= memory.state[FORGOTTEN] or not within_reach(board, bar):
        beyond(board, tick.symbol, bar)
        return
    done = CANCELLED if tick.kind == 120 else REPLACED
    if old >= 0 and memory.entries[old].state & done and tick.second_id != tick.id:
        state[DUPLICATES] += 1
        return
    if old < 0:
        old = keep(memory, tick.symbol, tick.exchange, tick.id, time)
        state[UNMATCHED] += 1
    if tick.kind == 120:
        state[CANCELS] += 1
        kill(memory, old)
    else:
        state[CORRECTIONS] += 1
        _replace(board, memory, tick, old, column, bar)
    _rebuild(board, memory, column, bar)
    _rebuild_chain(board, memory, old, column, bar)


@inlined
def _rebuild_chain(board: Board, memory: Memory, place: int, column: int, done: int) -> None:
    """Add those bars up again that hold trades put in the place of one, where they are other bars than its own."""
    steps = 0
    while memory.entries[place].state & REPLACED and steps < MOST_STEPS - 2:
        entry = memory.entries[place]
        exact, near = find(memory, entry.symbol, entry.exchange, entry.second, entry.time)
        place = exact if exact >= 0 else near
        if place < 0:
            return
        bar = memory.entries[place].time // board.state[UNIT]
        sure = bar * board.state[UNIT] > memory.state[FORGOTTEN]
        if bar != done and sure and bar >= board.first[column] and within_reach(board, bar):
            _rebuild(board, memory, column, bar)
        steps += 1


@inlined
def _replace(board: Board, memory: Memory, tick: Any, old: int, column: int, bar: int) -> None:
    """Put the corrected trade in the place of the original; its time is the original's."""
    entry, extended = memory.entries[old], board.state[EXTENDED] == 1
    if tick.second_id == 0 or tick.second_id == tick.id:  # noqa: PLR1714  (as above)
        if not entry.state & KNOWN:
            _hang(board, memory, old, column, bar)
        learn(memory, old, tick, entry.time, extended)
        return
    entry.state |= np.uint8(REPLACED)
    entry.second = tick.second_id
    new, near = find(memory, tick.symbol, tick.exchange, tick.second_id, entry.time)
    new = new if new >= 0 else near
    if new < 0:
        new = keep(memory, tick.symbol, tick.exchange, tick.second_id, entry.time)
        _hang(board, memory, new, column, bar)
    if not memory.entries[new].state & KNOWN:
        if memory.entries[new].state:
            board.state[UNMATCHED] -= 1
        learn(memory, new, tick, entry.time, extended)
    if entry.state & CANCELLED:
        kill(memory, new)


@inlined
def _hang(board: Board, memory: Memory, place: int, column: int, bar: int) -> None:
    cell = board.cells[bar & (board.cells.shape[0] - 1), column]
    memory.entries[place].next = cell.head
    cell.head = place


@inlined
def _rebuild(board: Board, memory: Memory, column: int, bar: int) -> None:
    """Add a bar up again from its kept trades, and note it if it is closed and differs."""
    slot = bar & (board.cells.shape[0] - 1)
    cell = board.cells[slot, column]
    board.scratch[0] = cell
    reset(cell)
    place = cell.head
    while place >= 0:
        entry = memory.entries[place]
        if entry.state == KNOWN:
            apply(cell, entry)
        place = entry.next
    if bar >= board.state[CLOSED]:
        board.events[slot] += 1
    elif differ(board.scratch[0], cell):
        touch(board, column, bar, _CORRECTED_FLAG)
