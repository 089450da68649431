"""The loop over a payload's messages, compiled: what is regular becomes rows, what is not is handed back."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.wire.layout import SYMBOL
from qtw_lab.venues.wire.memory import byte_at, eight_at, four_at, put_eight, within
from qtw_lab.venues.wire.unpacking import Tables, big, kind_of, skipped, value

Bytes = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]

#: Places of the state that `unpacked_rows` keeps between calls: next byte, end of the frame, messages left in its
#: array, rows of ticks and of bars, quarantined messages, what to look at from and to, and how many looks are left.
AT, END, LEFT, TICKS, BARS, FAULTS, FROM, TO, LOOKS = range(9)
#: What `unpacked_rows` stopped for: nothing is left; a message, or a frame of text, has to be looked at; no room.
DONE, MESSAGE, WORDS, FULL = range(4)
#: NaN as 64 bits.
_NAN: Final = 0x7FF8000000000000
#: Kinds of bars.
_MINUTE, _UPDATED, _DAILY = 98, 117, 100


@within
def read_message(
    data: int, at: int, end: int, count: int, row: int, fields: int, wanted: int, tables: Tables
) -> tuple[int, int]:
    """Read a message of `count` fields into the nine words at address `row`.

    Returns
    -------
    kind : int
        The byte of its letter; 0 if it is quarantined, -1 if it has to be looked at.
    after : int
        The place after it where the kind is not -1.
    """
    kind, where = kind_of(data, at, end, count)
    needed = eight_at(wanted, 8 * kind) if kind > 0 else 0
    if needed == 0:
        return 0 if kind == 0 else -1, where
    clear(row, is_bar(kind))
    head, seen = kind, 0
    for _ in range(count):
        if at + 3 > end:
            return -1, at
        size = byte_at(data, at) - 0xA0
        key = byte_at(data, at + 1)
        if size == 2:
            key |= byte_at(data, at + 2) << 8
        field = four_at(fields, 4 * (kind << 11 | (key >> 8 & 31) << 6 | (key & 63)))
        if field & 0xFFFF == key and size == 1 + (key > 255):
            form, place = field >> 16 & 15, field >> 20
            found, at = value(data, at + 1 + size, end, form, tables)
            if form >= SYMBOL:
                head |= found << place
                place += 1
            else:
                put_eight(row, 8 * place, found)
            if at < 0 or seen >> place & 1:
                return -1, at
            seen |= 1 << place
        elif at == where - 2:
            at += 4
        else:
            at = passed(data, at, end, size, key)
            if at < 0:
                return -1, at
    put_eight(row, 0, head)
    return kind if seen & needed == needed else 0, at


@compiled
def passed(data: int, at: int, end: int, size: int, key: int) -> int:
    """The place after a field that is not asked for; -1 if its name is irregular, or is T once more."""
    if size < 0 or size > 31 or (size == 1 and key == 84):
        return -1
    at += 1 + size
    return skipped(data, at, end) if at < end else -1


@within
def is_bar(kind: int) -> bool:
    """Whether messages of this kind are bars."""
    return kind == _MINUTE or kind == _UPDATED or kind == _DAILY  # noqa: PLR1714  (a set is slow in compiled code)


@within
def is_map(tag: int) -> bool:
    """Whether a value that begins so is a map."""
    return tag & 0xF0 == 0x80 or tag == 0xDE or tag == 0xDF  # noqa: PLR1714  (as above)


@within
def clear(row: int, bar: bool) -> None:
    """A row of which nothing is known: numbers with a point are NaN, others 0."""
    for place in range(1, 9):
        known = place < 2 or place == 8 if bar else place < 5
        put_eight(row, 8 * place, 0 if known else _NAN)


@compiled
def open_frame(data: int, size: int, state: Array) -> int:
    """Go into the next frame of `size` bytes in all; what it stopped for, -1 if for nothing.

    A frame that is cut, that has another opcode, or that holds neither an array nor a map, is one quarantined message.
    """
    at = state[AT]
    length = four_at(data, at) if at + 5 <= size else 0
    end = at + 5 + length
    if end > size:
        state[FAULTS] += at < size
        state[AT] = size
        return DONE
    opcode = byte_at(data, at + 4)
    at += 5
    state[AT], state[END] = at, end
    if opcode == 1:
        state[AT], state[FROM], state[TO] = end, at, end
        return WORDS
    tag = byte_at(data, at) if opcode == 2 and at < end else 0
    order = 1 if tag == 0xDC else 2 if tag == 0xDD else 0
    if is_map(tag):
        state[LEFT] = 1
    elif tag & 0xF0 == 0x90:
        state[LEFT], state[AT] = tag & 15, at + 1
    elif order and at + 1 + (1 << order) <= end:
        state[LEFT], state[AT] = big(data, at + 1, order), at + 1 + (1 << order)
    else:
        state[FAULTS] += 1
        state[AT] = end
    return -1


@within
def read_frame(data: int, state: Array, ticks: Array, bars: Array, fields: int, wanted: int, tables: Tables) -> int:
    """Read the messages of the frame that is open; what it stopped for, -1 if for nothing."""
    at, end, left, rows = state[AT], state[END], state[LEFT], state[TICKS]
    stopped = -1
    while left > 0 and stopped < 0:
        if rows == len(ticks) or state[BARS] == len(bars):
            stopped = FULL
            break
        row = ticks.ctypes.data + 72 * rows
        tag = byte_at(data, at) if at < end else 0
        kind, after = -1, -1
        if tag & 0xF0 == 0x80:
            kind, after = read_message(data, at + 1, end, tag & 15, row, fields, wanted, tables)
        left -= 1
        if kind <= 0:
            after = skipped(data, at, end)
            if kind < 0 <= after and state[LOOKS] > 0 and is_map(tag):
                state[FROM], state[TO] = at, after
                state[LOOKS] -= 1
                stopped = MESSAGE
            else:
                state[FAULTS] += 1
            if after < 0:
                left, after = 0, end
        elif is_bar(kind):
            bars[state[BARS]] = ticks[rows]
            state[BARS] += 1
        else:
            rows += 1
        at = after
    state[AT], state[LEFT], state[TICKS] = at, left, rows
    return stopped


@compiled
def unpacked_rows(
    data: Bytes, state: Array, ticks: Array, bars: Array, plan: tuple[int, int, int], keys: Array, slots: Array
) -> int:
    """Go on through a payload until it ends or something has to be seen to; say what.

    Rows are read into `ticks`, nine words each; those of bars are moved to `bars`. `plan` has the addresses of the
    arrays of a `Plan`, `keys` and `slots` are those of the symbols.
    """
    address: Any = np.int64(data.ctypes.data)
    tables: Any = plan[2], np.int64(keys.ctypes.data), np.int64(slots.ctypes.data), np.int64(len(slots) - 1)
    stopped = -1
    while stopped < 0:
        if state[LEFT] == 0:
            if state[AT] < state[END]:
                state[FAULTS] += 1
                state[AT] = state[END]
            stopped = open_frame(address, len(data), state)
        else:
            stopped = read_frame(address, state, ticks, bars, plan[0], plan[1], tables)
    return stopped
