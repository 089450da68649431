"""Market data as rows of numbers: trades, quotes, corrections, statuses and a venue's own bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError

#: Rows of `TICK` or `BAR`.
Rows = npt.NDArray[Any]

#: Kinds of rows: the letter that the wire gives a message (its field T), as a byte.
TRADE: Final = ord("t")
QUOTE: Final = ord("q")
CORRECTION: Final = ord("c")
CANCEL: Final = ord("x")
STATUS: Final = ord("s")
LIMITS: Final = ord("l")
MINUTE_BAR: Final = ord("b")
UPDATED_BAR: Final = ord("u")
DAILY_BAR: Final = ord("d")

#: One event of a symbol. What its columns hold:
#:
#: ============  ==================  ==================  ============  ============  =================  ==============
#: column        trade               quote               correction    cancel        status             price limits
#: ============  ==================  ==================  ============  ============  =================  ==============
#: exchange      where               of the bid          where         where         0                  0
#: flag          0                   exchange of the ask 0             action letter status code        indicator
#: time          when it traded      when it was quoted  of the trade  of the trade  when               when
#: id            trade id            0                   original id   trade id      0                  0
#: second_id     0                   0                   corrected id  0             0                  0
#: conditions    of the trade        of the quote        corrected     0             reason code, text  0
#: price         price               bid                 corrected     price         NaN                limit down
#: size          shares              bid size            corrected     shares        NaN                NaN
#: other_price   NaN                 ask                 original      NaN           NaN                limit up
#: other_size    NaN                 ask size            original      NaN           NaN                NaN
#: ============  ==================  ==================  ============  ============  =================  ==============
#:
#: Times are nanoseconds since 1970, UTC. Letters (exchange, tape, flag) are bytes, 0 where there is none. Conditions
#: are bits (`condition_mask`); a status carries up to eight letters of its reason code instead (`packed`).
TICK: Final = np.dtype(
    [
        ("kind", "u1"), ("exchange", "u1"), ("tape", "u1"), ("flag", "u1"), ("symbol", "i4"), ("time", "i8"),
        ("id", "i8"), ("second_id", "i8"), ("conditions", "u8"), ("price", "f8"), ("size", "f8"),
        ("other_price", "f8"), ("other_size", "f8"),
    ]
)  # fmt: skip

#: One bar as the venue itself made it; `time` is its start.
BAR: Final = np.dtype(
    [
        ("kind", "u1"), ("symbol", "i4"), ("time", "i8"), ("open", "f8"), ("high", "f8"), ("low", "f8"),
        ("close", "f8"), ("volume", "f8"), ("vwap", "f8"), ("count", "i8"),
    ],
    align=True,
)  # fmt: skip

#: Longest name of a symbol that the wire may carry.
LONGEST: Final = 16

#: The bit of a condition that has none of its own.
OTHER_BIT: Final = 63

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@ "


def condition_bit(letter: str) -> int:
    """The bit that a condition letter has in a mask; letters without a bit of their own share the last."""
    place = _LETTERS.find(letter) if len(letter) == 1 else -1
    return place if place >= 0 else OTHER_BIT


def condition_mask(letters: Iterable[str]) -> int:
    """Condition letters as bits.

    Examples
    --------
    >>> condition_mask(["@", "I"]) == 1 << condition_bit("@") | 1 << condition_bit("I")
    True
    """
    mask = 0
    for letter in letters:
        mask |= 1 << condition_bit(letter)
    return mask


def condition_letters(mask: int) -> list[str]:
    """The letters of a mask in the order of their bits; "?" for any that has no bit of its own.

    Examples
    --------
    >>> condition_letters(condition_mask(["I", "@"]))
    ['I', '@']
    """
    known = [letter for place, letter in enumerate(_LETTERS) if mask >> place & 1]
    return [*known, "?"] if mask >> OTHER_BIT & 1 else known


def packed(text: str) -> int:
    """Up to eight Latin letters as one number, first letter lowest.

    Examples
    --------
    >>> unpacked(packed("LUDP"))
    'LUDP'
    """
    return int.from_bytes(text.encode("latin-1", "replace")[:8], "little")


def unpacked(number: int) -> str:
    """The letters that `packed` made a number of."""
    return int(number).to_bytes(8, "little").rstrip(b"\0").decode("latin-1")


class Symbols:
    """Numbers for symbols, given in order of appearance and never taken back.

    Compiled code finds a number through `slots` and `keys`: an open-addressing hash table of the name's bytes, packed
    into two words of eight.

    Parameters
    ----------
    names : iterable of str
        Names known from the start.

    Examples
    --------
    >>> symbols = Symbols(["AAPL", "MSFT"])
    >>> symbols.number("MSFT"), symbols.number("IBM"), symbols.names
    (1, 2, ['AAPL', 'MSFT', 'IBM'])
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names: list[str] = []
        self.keys = np.zeros((1024, 2), dtype=np.uint64)
        self.slots = np.full(4096, -1, dtype=np.int32)
        self._numbers: dict[str, int] = {}
        for name in names:
            self.number(name)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def number(self, name: str) -> int:
        """The number of a symbol, a new one if it has none yet.

        Raises
        ------
        DataError
            If the name is empty, not ASCII, or longer than `LONGEST`.
        """
        found = self._numbers.get(name)
        if found is not None:
            return found
        if not name or not name.isascii() or len(name) > LONGEST:
            raise DataError(f"{name!r} is no symbol: 1 to {LONGEST} ASCII letters are.")
        number = len(self.names)
        if number == len(self.keys):
            self.keys = np.concatenate([self.keys, np.zeros_like(self.keys)])
        if 4 * (number + 1) > len(self.slots):
            self._widen()
        content = name.encode().ljust(LONGEST, b"\0")
        self.keys[number] = np.frombuffer(content, dtype="<u8")
        self._place(number)
        self.names.append(name)
        self._numbers[name] = number
        return number

    def numbers(self, names: Iterable[str]) -> npt.NDArray[np.int32]:
        """The numbers of several."""
        return np.array([self.number(name) for name in names], dtype=np.int32)

    def _place(self, number: int) -> None:
        size = len(self.slots) - 1
        place = slot_of(int(self.keys[number, 0]), int(self.keys[number, 1])) & size
        while self.slots[place] >= 0:
            place = (place + 1) & size
        self.slots[place] = number

    def _widen(self) -> None:
        self.slots = np.full(4 * len(self.slots), -1, dtype=np.int32)
        for number in range(len(self.names)):
            self._place(number)


def slot_of(low: int, high: int) -> int:
    """The hash of a packed name; compiled code computes the same with 64-bit words."""
    mixed = (low ^ (high * 0x9E3779B97F4A7C15)) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return mixed ^ (mixed >> 32)
