"""Values of msgpack, compiled (specification: github.com/msgpack/msgpack/blob/master/spec.md).

Functions read at place `at` of the bytes at address `data` and return what they found and the place after it. That
place is -1 where the value is not of the regular sort that the stream sends, or would end beyond `end`. Then nothing is
decided: the careful way (`values`) has the last word.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.wire.layout import (
    CONDITIONS,
    DEAREST,
    LARGEST,
    LETTER,
    POSITIVE,
    SIZE,
    SYMBOL,
    TIME,
    WHOLE,
)
from qtw_lab.venues.wire.memory import big_eight_at, big_four_at, byte_at, eight_at, four_at, within

#: Addresses of what values are looked up in: the bits of condition letters, a symbol table's keys and slots.
Tables = tuple[int, int, int, int]
#: Timestamps whose nanoseconds would not fit into 64 bits begin with this second.
_TOO_LATE: Final = 9223372036
_LOW_34: Final = (1 << 34) - 1
#: Bytes that follow the tags 0xca to 0xd8: numbers, and extensions of fixed size.
_WIDTHS: Final = np.array([4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17], dtype=np.int64)


@within
def signed(word: int, width: int) -> int:
    """A number of `width` bytes with its sign."""
    unused = 64 - 8 * width
    return word << unused >> unused


@within
def big(data: int, at: int, order: int) -> int:
    """A number of 1, 2, 4 or 8 bytes (`order` 0 to 3), highest first."""
    if order == 0:
        return byte_at(data, at)
    if order == 1:
        return byte_at(data, at) << 8 | byte_at(data, at + 1)
    return big_four_at(data, at) if order == 2 else big_eight_at(data, at)


@within
def whole(data: int, at: int, end: int) -> tuple[int, int]:
    """A whole number of 64 bits with a sign."""
    if at >= end:
        return 0, -1
    tag = byte_at(data, at)
    if tag < 0x80 or tag >= 0xE0:
        return signed(tag, 1), at + 1
    if tag < 0xCC or tag > 0xD3:
        return 0, -1
    order = tag & 3
    after = at + 1 + (1 << order)
    if after > end:
        return 0, -1
    word = big(data, at + 1, order)
    if tag >= 0xD0:
        return signed(word, 1 << order), after
    return word, after if word >= 0 else -1


@within
def number(data: int, at: int, end: int) -> tuple[float, int]:
    """A number, whole or with a point."""
    if at >= end:
        return 0.0, -1
    tag = byte_at(data, at)
    if tag == 0xCB:
        if at + 9 > end:
            return 0.0, -1
        return float(np.int64(big_eight_at(data, at + 1)).view(np.float64)), at + 9
    if tag == 0xCA:
        if at + 5 > end:
            return 0.0, -1
        return float(np.uint32(big_four_at(data, at + 1)).view(np.float32)), at + 5
    found, after = whole(data, at, end)
    return float(found), after


@within
def bits_of(amount: float) -> int:
    """The 64 bits of a number."""
    return np.float64(amount).view(np.int64)  # type: ignore[return-value]  # a number of 64 bits is an int when compiled


@within
def amount(data: int, at: int, end: int, form: int) -> tuple[int, int]:
    """The bits of a price or size, if it is one that can be."""
    found, after = number(data, at, end)
    most = LARGEST if form == SIZE else DEAREST
    if not 0 <= found <= most or (form == POSITIVE and found == 0):
        return 0, -1
    return bits_of(found), after


@within
def moment(data: int, at: int, end: int) -> tuple[int, int]:
    """Nanoseconds since 1970 from a timestamp extension of 4, 8 or 12 bytes."""
    if at + 6 > end:
        return 0, -1
    tag = byte_at(data, at)
    if tag == 0xD7 and byte_at(data, at + 1) == 0xFF and at + 10 <= end:
        word = big_eight_at(data, at + 2)
        fraction, seconds, after = word >> 34 & 0x3FFFFFFF, word & _LOW_34, at + 10
    elif tag == 0xD6 and byte_at(data, at + 1) == 0xFF:
        fraction, seconds, after = 0, big_four_at(data, at + 2), at + 6
    elif tag == 0xC7 and byte_at(data, at + 1) == 12 and byte_at(data, at + 2) == 0xFF and at + 15 <= end:
        fraction, seconds = big_four_at(data, at + 3), big_eight_at(data, at + 7)
        after = at + 15
    else:
        return 0, -1
    if fraction >= 1000000000 or seconds < 0 or seconds >= _TOO_LATE:
        return 0, -1
    return seconds * 1000000000 + fraction, after


@within
def slot_of(low: int, high: int) -> int:
    """As `ticks.slot_of`, which Python's long numbers compute: where the search for a packed name begins."""
    mixed = np.uint64(low) ^ (np.uint64(high) * np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.int64(mixed ^ (mixed >> np.uint64(32)))  # type: ignore[return-value]  # as above


@within
def symbol(data: int, at: int, end: int, tables: Tables) -> tuple[int, int]:
    """The number of a symbol that has one."""
    if at >= end:
        return 0, -1
    size = byte_at(data, at) - 0xA0
    after = at + 1 + size
    if size < 1 or size > 16 or after > end:
        return 0, -1
    low, high, odd = 0, 0, False
    for place in range(size):
        letter = byte_at(data, at + 1 + place)
        odd |= letter < 33 or letter > 126
        if place < 8:
            low |= letter << (8 * place)
        else:
            high |= letter << (8 * (place - 8))
    slot = slot_of(low, high)
    while not odd:
        found = signed(four_at(tables[2], 4 * (slot & tables[3])), 4)
        if found < 0:
            break
        if eight_at(tables[1], 16 * found) == low and eight_at(tables[1], 16 * found + 8) == high:
            return found, after
        slot += 1
    return 0, -1


@within
def letters(data: int, at: int, end: int, most: int) -> tuple[int, int]:
    """Up to `most` (at most 8) ASCII letters as one number, first letter lowest."""
    if at >= end:
        return 0, -1
    size = byte_at(data, at) - 0xA0
    after = at + 1 + size
    if size < 0 or size > most or after > end:
        return 0, -1
    word = 0
    for place in range(size):
        letter = byte_at(data, at + 1 + place)
        if letter > 127:
            return 0, -1
        word |= letter << (8 * place)
    return word, after


@within
def conditions(data: int, at: int, end: int, tables: Tables) -> tuple[int, int]:
    """Condition letters as bits."""
    if at >= end:
        return 0, -1
    count = byte_at(data, at) - 0x90
    at += 1
    if count < 0 or count > 15 or at + 2 * count > end:
        return 0, -1
    mask = 0
    for _ in range(count):
        if byte_at(data, at) != 0xA1:
            return 0, -1
        mask |= eight_at(tables[0], 8 * byte_at(data, at + 1))
        at += 2
    return mask, at


@within
def value(data: int, at: int, end: int, form: int, tables: Tables) -> tuple[int, int]:
    """A value of a form, as 64 bits."""
    if form <= SIZE:
        return amount(data, at, end, form)
    if form == LETTER:
        return letters(data, at, end, 1)
    if form == TIME:
        return moment(data, at, end)
    if form == SYMBOL:
        return symbol(data, at, end, tables)
    if form == CONDITIONS:
        return conditions(data, at, end, tables)
    return whole(data, at, end) if form == WHOLE else letters(data, at, end, 8)


@compiled
def skipped(data: int, at: int, end: int) -> int:
    """The place after a value of any kind; -1 if it has no end."""
    values = 1
    while values > 0:
        if at >= end:
            return -1
        tag = byte_at(data, at)
        at += 1
        values -= 1
        if tag < 0x80 or tag >= 0xE0:
            continue
        if tag < 0xC0:
            values += (tag & 15) << 1 if tag < 0x90 else tag & 15 if tag < 0xA0 else 0
            at += tag & 31 if tag >= 0xA0 else 0
        elif (0xC4 <= tag <= 0xC9) or tag >= 0xD9:
            at, more = _after_length(data, at, end, tag)
            values += more
        elif tag >= 0xCA:
            at += int(_WIDTHS[tag - 0xCA])
        if at < 0 or tag == 0xC1:
            return -1
    return at if at <= end else -1


@within
def _after_length(data: int, at: int, end: int, tag: int) -> tuple[int, int]:
    """For a value whose length follows its tag: the place after its content, and how many values are its content."""
    order = (tag - 0xC4) % 3 if tag < 0xD9 else tag - 0xD9 if tag < 0xDC else ((tag - 0xDC) & 1) + 1
    if at + (1 << order) > end:
        return -1, 0
    length = big(data, at, order)
    at += 1 << order
    if tag >= 0xDC:
        return at, length << (tag >= 0xDE)
    return at + length + (0xC7 <= tag <= 0xC9), 0


@within
def kind_of(data: int, at: int, end: int, fields: int) -> tuple[int, int]:
    """The kind of a message whose fields begin at `at`, and where its value stands.

    Returns
    -------
    kind : int
        The byte of its letter; -1 if it is irregular, 0 if the message has none.
    where : int
        Place of the value; of the message's end where it has no kind.
    """
    if fields > 0 and at + 4 <= end and byte_at(data, at) == 0xA1 and byte_at(data, at + 1) == 84:
        regular = byte_at(data, at + 2) == 0xA1 and byte_at(data, at + 3) < 128
        return byte_at(data, at + 3) if regular else -1, at + 2
    return _kind_later(data, at, end, fields)


@compiled
def _kind_later(data: int, at: int, end: int, fields: int) -> tuple[int, int]:
    """As `kind_of`, where the kind is not the first field."""
    for _ in range(fields):
        if at >= end or byte_at(data, at) < 0xA0 or byte_at(data, at) > 0xBF:
            return -1, at
        if at + 4 <= end and byte_at(data, at) == 0xA1 and byte_at(data, at + 1) == 84:
            regular = byte_at(data, at + 2) == 0xA1 and byte_at(data, at + 3) < 128
            return byte_at(data, at + 3) if regular else -1, at + 2
        at = skipped(data, at, end)
        at = skipped(data, at, end) if at >= 0 else -1
        if at < 0:
            return -1, at
    return 0, at
