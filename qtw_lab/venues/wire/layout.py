"""Which field of which message goes into which column: the one table that decoding in every form goes by.

Source: Alpaca's documentation of the real-time stock stream (docs.alpaca.markets/docs/real-time-stock-pricing-data).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.ticks import condition_bit

#: Forms of a field's value. A positive one is a price that may not be 0 (a quote or a limit may have no price). Those
#: from `SYMBOL` on share the first word of a row.
PRICE, POSITIVE, SIZE, WHOLE, TIME, CONDITIONS, TEXT, SYMBOL, LETTER = range(1, 10)

#: A row of `TICK` or `BAR` is nine words of 64 bits. The first begins with the kind; these are the places of the rest
#: of it, in bits.
EXCHANGE, TAPE, FLAG, NUMBER = 8, 16, 24, 32
#: Places of the other words in both.
MOMENT: Final = 1
#: In ticks.
ID, SECOND_ID, BITS, FIRST_PRICE, FIRST_SIZE, OTHER_PRICE, OTHER_SIZE = range(2, 9)
#: In bars.
OPEN, HIGH, LOW, LAST, VOLUME, VWAP, COUNT = range(2, 9)
WORDS: Final = 9

#: Dearest price that is believed, in dollars, and largest size, in shares (a day's volume of a market is about 1e10). A
#: message beyond is quarantined: no sum of a bar may be spoilt by one broken number.
DEAREST: Final = 1e8
LARGEST: Final = 1e12

_SYMBOL: Final = ("S", SYMBOL, NUMBER, True)
_ENDING: Final = (("t", TIME, MOMENT, True), ("z", LETTER, TAPE, False), _SYMBOL)
_BAR: Final = (
    ("o", POSITIVE, OPEN, True), ("h", POSITIVE, HIGH, True), ("l", POSITIVE, LOW, True), ("c", POSITIVE, LAST, True),
    ("v", SIZE, VOLUME, True), ("vw", PRICE, VWAP, False), ("n", WHOLE, COUNT, False), ("t", TIME, MOMENT, True),
    _SYMBOL,
)  # fmt: skip

#: By message: field, form, place, whether it must be there. The symbol is last, so that only a message that is good
#: otherwise gives a new symbol its number.
FIELDS: Final[dict[str, tuple[tuple[str, int, int, bool], ...]]] = {
    "t": (
        ("i", WHOLE, ID, False), ("x", LETTER, EXCHANGE, False), ("p", POSITIVE, FIRST_PRICE, True),
        ("s", SIZE, FIRST_SIZE, True), ("c", CONDITIONS, BITS, False), *_ENDING,
    ),
    "q": (
        ("bx", LETTER, EXCHANGE, False), ("bp", PRICE, FIRST_PRICE, True), ("bs", SIZE, FIRST_SIZE, True),
        ("ax", LETTER, FLAG, False), ("ap", PRICE, OTHER_PRICE, True), ("as", SIZE, OTHER_SIZE, True),
        ("c", CONDITIONS, BITS, False), *_ENDING,
    ),
    "c": (
        ("x", LETTER, EXCHANGE, False), ("oi", WHOLE, ID, True), ("op", PRICE, OTHER_PRICE, False),
        ("os", SIZE, OTHER_SIZE, False), ("ci", WHOLE, SECOND_ID, True), ("cp", POSITIVE, FIRST_PRICE, True),
        ("cs", SIZE, FIRST_SIZE, True), ("cc", CONDITIONS, BITS, False), *_ENDING,
    ),
    "x": (
        ("i", WHOLE, ID, True), ("x", LETTER, EXCHANGE, False), ("p", PRICE, FIRST_PRICE, False),
        ("s", SIZE, FIRST_SIZE, False), ("a", LETTER, FLAG, False), *_ENDING,
    ),
    "s": (("sc", LETTER, FLAG, True), ("rc", TEXT, BITS, False), *_ENDING),
    "l": (
        ("u", PRICE, OTHER_PRICE, True), ("d", PRICE, FIRST_PRICE, True), ("i", LETTER, FLAG, False), *_ENDING,
    ),
    "b": _BAR,
    "u": _BAR,
    "d": _BAR,
}  # fmt: skip

#: Messages that become rows of `BAR`.
BARS: Final = "bud"


def place_bit(form: int, place: int) -> int:
    """The bit of a place in the record of what a message had."""
    return 1 << (place + (form >= SYMBOL))


def key_slot(first: int, second: int) -> int:
    """Where a field of one or two letters (bytes, the second 0 for one) stands in `plan`; several may share a slot."""
    return (first & 63) | (second & 31) << 6


@dataclass(frozen=True, slots=True)
class Plan:
    """`FIELDS` for compiled code.

    Parameters
    ----------
    fields : array of int32, shape (128, 2048)
        By the byte of a kind and the slot of a key: the key's bytes (16 bits), its form (4), its place; 0 for none.
    wanted : array of int64, shape (128,)
        By the byte of a kind: the bits of the places that a message must fill, 0 for kinds that are not known.
    bits : array of uint64, shape (256,)
        By the byte of a condition letter: its bit.
    """

    fields: npt.NDArray[np.int32]
    wanted: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]


def plan() -> Plan:
    """The plan of `FIELDS`."""
    fields = np.zeros((128, 2048), dtype=np.int32)
    wanted = np.zeros(128, dtype=np.int64)
    for kind, entries in FIELDS.items():
        for key, form, place, must in entries:
            first, second = ord(key[0]), ord(key[1]) if len(key) > 1 else 0
            fields[ord(kind), key_slot(first, second)] = first | second << 8 | form << 16 | place << 20
            wanted[ord(kind)] |= place_bit(form, place) if must else 0
    bits = np.array([1 << condition_bit(chr(byte)) for byte in range(256)], dtype=np.uint64)
    return Plan(fields, wanted, bits)
