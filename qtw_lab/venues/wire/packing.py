"""Rows as msgpack, compiled (specification: github.com/msgpack/msgpack/blob/master/spec.md).

Every function writes from `at` on and returns where it ended. The caller has left enough room.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[Any]

#: More bytes than any row takes: a correction with all conditions twice has under 300.
ROOM: Final = 320


@compiled
def put_key(out: Bytes, at: int, first: int, second: int) -> int:
    """A field's name of one or two letters (the second 0 for one)."""
    out[at + 1] = first
    if second == 0:
        out[at] = 0xA1
        return at + 2
    out[at], out[at + 2] = 0xA2, second
    return at + 3


@compiled
def put_big(out: Bytes, at: int, tag: int, value: Any, width: int) -> int:
    """A tag and a number of `width` bytes, highest first."""
    out[at] = tag
    word = np.uint64(value)
    for place in range(width):
        out[at + width - place] = word & np.uint64(255)
        word >>= np.uint64(8)
    return at + 1 + width


@compiled
def put_whole(out: Bytes, at: int, value: Any) -> int:
    """A whole number in as few bytes as it takes."""
    if 0 <= value < 128:
        out[at] = value
        return at + 1
    if value < 0:
        return put_big(out, at, 0xD3, value, 8)
    if value < 1 << 8:
        return put_big(out, at, 0xCC, value, 1)
    if value < 1 << 16:
        return put_big(out, at, 0xCD, value, 2)
    if value < 1 << 32:
        return put_big(out, at, 0xCE, value, 4)
    return put_big(out, at, 0xCF, value, 8)


@compiled
def put_price(out: Bytes, at: int, value: float) -> int:
    """A number of 64 bits with a point; nil for NaN."""
    if value != value:  # noqa: PLR0124  (NaN is what differs from itself)
        out[at] = 0xC0
        return at + 1
    return put_big(out, at, 0xCB, np.float64(value).view(np.int64), 8)


@compiled
def put_size(out: Bytes, at: int, value: float) -> int:
    """A number that is whole where it can be, as sizes are on the wire."""
    if 0 <= value < 9007199254740992.0 and value == np.floor(value):
        return put_whole(out, at, np.int64(value))
    return put_price(out, at, value)


@compiled
def put_letter(out: Bytes, at: int, letter: int) -> int:
    """A text of one letter, or none for 0."""
    if letter == 0:
        out[at] = 0xA0
        return at + 1
    out[at], out[at + 1] = 0xA1, letter
    return at + 2


@compiled
def put_conditions(out: Bytes, at: int, mask: int, letters: Bytes) -> int:
    """The letters of a mask as an array of texts, lowest bit first."""
    left = np.uint64(mask)
    start = at
    at += 3
    count = 0
    while left:
        lowest = left & (~left + np.uint64(1))
        bit = np.int64(np.float64(lowest).view(np.uint64) >> np.uint64(52)) - 1023
        left ^= lowest
        out[at], out[at + 1] = 0xA1, letters[bit]
        at += 2
        count += 1
    if count > 15:
        out[start], out[start + 1], out[start + 2] = 0xDC, 0, count
        return at
    out[start] = 0x90 | count
    for place in range(2 * count):
        out[start + 1 + place] = out[start + 3 + place]
    return at - 2


@compiled
def put_time(out: Bytes, at: int, time: int) -> int:
    """A moment in nanoseconds since 1970 as a timestamp extension, of 4 bytes where the seconds are even, else of 8."""
    seconds = time // 1000000000
    fraction = time - seconds * 1000000000
    if fraction == 0 and seconds < 1 << 32:
        out[at] = 0xD6
        return put_big(out, at + 1, 0xFF, seconds, 4)
    out[at] = 0xD7
    return put_big(out, at + 1, 0xFF, np.uint64(fraction) << np.uint64(34) | np.uint64(seconds), 8)


@compiled
def put_start(out: Bytes, at: int, fields: int, kind: int, low: int, high: int) -> int:
    """The start of a message: how many fields it has, its kind, and its symbol (a packed name)."""
    out[at], out[at + 1], out[at + 2], out[at + 3], out[at + 4] = 0x80 | fields, 0xA1, 84, 0xA1, kind
    out[at + 5], out[at + 6] = 0xA1, 83
    at += 8
    first = at
    word = np.uint64(low)
    while word:
        out[at] = word & np.uint64(255)
        word >>= np.uint64(8)
        at += 1
    word = np.uint64(high)
    while word:
        out[at] = word & np.uint64(255)
        word >>= np.uint64(8)
        at += 1
    out[first - 1] = 0xA0 | (at - first)
    return at


@compiled
def put_end(out: Bytes, at: int, time: int, tape: int) -> int:
    """The fields that nearly all messages end with: moment and tape."""
    at = put_time(out, put_key(out, at, 116, 0), time)
    return put_letter(out, put_key(out, at, 122, 0), tape)


@compiled
def put_trade(out: Bytes, at: int, row: Any, letters: Bytes) -> int:
    """What a trade has between symbol and moment."""
    at = put_whole(out, put_key(out, at, 105, 0), row.id)
    at = put_letter(out, put_key(out, at, 120, 0), row.exchange)
    at = put_price(out, put_key(out, at, 112, 0), row.price)
    at = put_size(out, put_key(out, at, 115, 0), row.size)
    return put_conditions(out, put_key(out, at, 99, 0), row.conditions, letters)


@compiled
def put_quote(out: Bytes, at: int, row: Any, letters: Bytes) -> int:
    """What a quote has between symbol and moment."""
    at = put_letter(out, put_key(out, at, 98, 120), row.exchange)
    at = put_price(out, put_key(out, at, 98, 112), row.price)
    at = put_size(out, put_key(out, at, 98, 115), row.size)
    at = put_letter(out, put_key(out, at, 97, 120), row.flag)
    at = put_price(out, put_key(out, at, 97, 112), row.other_price)
    at = put_size(out, put_key(out, at, 97, 115), row.other_size)
    return put_conditions(out, put_key(out, at, 99, 0), row.conditions, letters)


@compiled
def put_correction(out: Bytes, at: int, row: Any, letters: Bytes) -> int:
    """What a correction has between symbol and moment; a row keeps no original conditions, so they are the new ones."""
    at = put_letter(out, put_key(out, at, 120, 0), row.exchange)
    at = put_whole(out, put_key(out, at, 111, 105), row.id)
    at = put_price(out, put_key(out, at, 111, 112), row.other_price)
    at = put_size(out, put_key(out, at, 111, 115), row.other_size)
    at = put_conditions(out, put_key(out, at, 111, 99), row.conditions, letters)
    at = put_whole(out, put_key(out, at, 99, 105), row.second_id)
    at = put_price(out, put_key(out, at, 99, 112), row.price)
    at = put_size(out, put_key(out, at, 99, 115), row.size)
    return put_conditions(out, put_key(out, at, 99, 99), row.conditions, letters)


@compiled
def put_cancel(out: Bytes, at: int, row: Any) -> int:
    """What a cancel has between symbol and moment."""
    at = put_whole(out, put_key(out, at, 105, 0), row.id)
    at = put_letter(out, put_key(out, at, 120, 0), row.exchange)
    at = put_price(out, put_key(out, at, 112, 0), row.price)
    at = put_size(out, put_key(out, at, 115, 0), row.size)
    return put_letter(out, put_key(out, at, 97, 0), row.flag)


@compiled
def put_limits(out: Bytes, at: int, row: Any) -> int:
    """What a band of price limits has between symbol and moment."""
    at = put_price(out, put_key(out, at, 117, 0), row.other_price)
    at = put_price(out, put_key(out, at, 100, 0), row.price)
    return put_letter(out, put_key(out, at, 105, 0), row.flag)


@compiled
def put_ticks(ticks: Rows, start: int, out: Bytes, at: int, keys: Words, letters: Bytes) -> tuple[int, int]:
    """Rows from `start` on, up to the first status or the end: where it stopped, and where the bytes end."""
    for place in range(start, len(ticks)):
        row = ticks[place]
        low, high = keys[row.symbol, 0], keys[row.symbol, 1]
        if row.kind == 116:
            at = put_trade(out, put_start(out, at, 9, 116, low, high), row, letters)
        elif row.kind == 113:
            at = put_quote(out, put_start(out, at, 11, 113, low, high), row, letters)
        elif row.kind == 99:
            at = put_correction(out, put_start(out, at, 13, 99, low, high), row, letters)
        elif row.kind == 120:
            at = put_cancel(out, put_start(out, at, 9, 120, low, high), row)
        elif row.kind == 108:
            at = put_limits(out, put_start(out, at, 7, 108, low, high), row)
        else:
            return place, at
        at = put_end(out, at, row.time, row.tape)
    return len(ticks), at


@compiled
def put_bars(bars: Rows, out: Bytes, keys: Words) -> int:
    """Rows of bars."""
    at = 0
    for row in bars:
        at = put_start(out, at, 10, row.kind, keys[row.symbol, 0], keys[row.symbol, 1])
        at = put_price(out, put_key(out, at, 111, 0), row.open)
        at = put_price(out, put_key(out, at, 104, 0), row.high)
        at = put_price(out, put_key(out, at, 108, 0), row.low)
        at = put_price(out, put_key(out, at, 99, 0), row.close)
        at = put_size(out, put_key(out, at, 118, 0), row.volume)
        at = put_whole(out, put_key(out, at, 110, 0), row.count)
        at = put_price(out, put_key(out, at, 118, 119), row.vwap)
        at = put_time(out, put_key(out, at, 116, 0), row.time)
    return at
