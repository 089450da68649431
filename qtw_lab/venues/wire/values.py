"""Single values of the wire in Python: msgpack, moments in time, and a message as a row.

This is the careful way. Compiled code reads what is regular, and hands over here what is not.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.venues.ticks import LONGEST, Symbols, condition_mask, packed
from qtw_lab.venues.wire import layout

#: Deepest nesting of arrays and maps that is read.
DEEPEST: Final = 32
_SECOND: Final = 10**9
#: Last second whose nanoseconds fit into 64 bits.
LAST_SECOND: Final = (2**63 - 1) // _SECOND - 1
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,18}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Nanoseconds(int):
    """A moment as nanoseconds since 1970, UTC: what a timestamp of msgpack becomes."""

    __slots__ = ()


def moment(text: str) -> Nanoseconds:
    """A moment from its RFC 3339 text; digits beyond the nanosecond are cut off.

    Raises
    ------
    DataError
        If the text is none, or lies outside the years 1970 to 2261.

    Examples
    --------
    >>> moment("1970-01-01T00:00:01.5Z"), moment("1970-01-01T01:00:00+01:00")
    (1500000000, 0)
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise DataError(f"{text[:40]!r} is no moment: RFC 3339 such as 2024-01-02T14:30:00.123456789Z is.")
    seconds = _seconds(found[1], found[3])
    return Nanoseconds(seconds * _SECOND + int((found[2] or "").ljust(9, "0")[:9]))


@lru_cache(maxsize=4096)
def _seconds(second: str, offset: str) -> int:
    """Seconds since 1970; most texts share theirs with others, and this is what takes the time."""
    try:
        at = datetime.fromisoformat(f"{second[:10]}T{second[11:]}+00:00")
    except ValueError as err:
        raise DataError(f"{second + offset!r} is no moment: {err}.") from err
    seconds = int(at.timestamp())
    if offset not in "Zz":
        ahead = 3600 * int(offset[1:3]) + 60 * int(offset[4:])
        seconds -= ahead if offset[0] == "+" else -ahead
    if not 0 <= seconds <= LAST_SECOND:
        raise DataError(f"{second + offset!r} is outside the years 1970 to 2261.")
    return seconds


def moment_text(time: int) -> str:
    """RFC 3339 text of a moment (nanoseconds since 1970, UTC), with as many digits as it needs.

    Examples
    --------
    >>> moment_text(1_500_000_000), moment_text(0)
    ('1970-01-01T00:00:01.5Z', '1970-01-01T00:00:00Z')
    """
    seconds, fraction = divmod(int(time), _SECOND)
    text = _second_text(seconds)
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else text + "Z"


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def message_of(data: bytes) -> tuple[Any, int]:
    """One msgpack value and the number of bytes it took.

    Strings that are no UTF-8 are read with replacement characters; timestamps are `Nanoseconds`; other extensions are
    their bytes.

    Raises
    ------
    DataError
        If the bytes end too early, are no msgpack, or nest deeper than `DEEPEST`.

    Examples
    --------
    >>> message_of(bytes([0x81, 0xA1, 0x54, 0xA1, 0x74]))
    ({'T': 't'}, 5)
    """
    try:
        return _value(data, 0, DEEPEST)
    except (struct.error, IndexError) as err:
        raise DataError(f"The msgpack value of {len(data)} bytes ends too early: {err}.") from err


_NUMBERS: Final = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
_LENGTHS: Final = {1: ">B", 2: ">H", 4: ">I"}
_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}


def _value(data: bytes, at: int, deeper: int) -> tuple[Any, int]:
    tag = data[at]
    if tag < 0x80 or tag >= 0xE0:
        return (tag if tag < 0x80 else tag - 256), at + 1
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at + 1
    if tag in _NUMBERS:
        return struct.unpack_from(_NUMBERS[tag], data, at + 1)[0], at + 1 + struct.calcsize(_NUMBERS[tag])
    for first, last, fixed, read in _RUNS:
        if first <= tag <= last:
            if fixed:
                return read(data, at + 1, tag & fixed, deeper)
            width = 1 << (tag - first)
            width = width if read not in (_array, _map) else 2 * width
            return read(data, at + 1 + width, struct.unpack_from(_LENGTHS[width], data, at + 1)[0], deeper)
    if 0xD4 <= tag <= 0xD8:
        return _extension(data, at + 1, 1 << (tag - 0xD4), deeper)
    raise DataError("Byte 0xc1 is no msgpack.")


def _cut(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise IndexError(f"{length} bytes at {at} were announced")
    return data[at : at + length]


def _text(data: bytes, at: int, length: int, _: int) -> tuple[Any, int]:
    return _cut(data, at, length).decode("utf-8", "replace"), at + length


def _binary(data: bytes, at: int, length: int, _: int) -> tuple[Any, int]:
    return _cut(data, at, length), at + length


def _array(data: bytes, at: int, length: int, deeper: int) -> tuple[Any, int]:
    if not deeper:
        raise DataError(f"The msgpack value nests deeper than {DEEPEST}.")
    values = []
    for _ in range(length):
        value, at = _value(data, at, deeper - 1)
        values.append(value)
    return values, at


def _map(data: bytes, at: int, length: int, deeper: int) -> tuple[Any, int]:
    if not deeper:
        raise DataError(f"The msgpack value nests deeper than {DEEPEST}.")
    values: dict[Any, Any] = {}
    for _ in range(length):
        key, at = _value(data, at, deeper - 1)
        value, at = _value(data, at, deeper - 1)
        if isinstance(key, (list, dict)):
            raise DataError("A map's key is itself an array or a map.")
        values[key] = value
    return values, at


def _extension(data: bytes, at: int, length: int, _: int) -> tuple[Any, int]:
    kind = data[at]
    content = _cut(data, at + 1, length)
    after = at + 1 + length
    if kind != 0xFF or length not in (4, 8, 12):
        return content, after
    if length == 4:
        fraction, seconds = 0, int.from_bytes(content)
    elif length == 8:
        fraction, seconds = int.from_bytes(content) >> 34, int.from_bytes(content) & (1 << 34) - 1
    else:
        fraction, seconds = int.from_bytes(content[:4]), int.from_bytes(content[4:], signed=True)
    return (Nanoseconds(seconds * _SECOND + fraction) if fraction < _SECOND else content), after


#: Values with a length: first and last tag, the bits of the tag that hold the length (0: it follows), and who reads it.
_RUNS: Final = (
    (0x80, 0x8F, 0x0F, _map), (0x90, 0x9F, 0x0F, _array), (0xA0, 0xBF, 0x1F, _text), (0xC4, 0xC6, 0, _binary),
    (0xC7, 0xC9, 0, _extension), (0xD9, 0xDB, 0, _text), (0xDC, 0xDD, 0, _array), (0xDE, 0xDF, 0, _map),
)  # fmt: skip


def _number(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise DataError(f"{value!r} is no number from 0 to {most:g}.")
    return float(value)


def _price(value: Any, _: Symbols) -> float:
    return _number(value, layout.DEAREST)


def _positive(value: Any, _: Symbols) -> float:
    price = _number(value, layout.DEAREST)
    if not price:
        raise DataError("A price is 0.")
    return price


def _size(value: Any, _: Symbols) -> float:
    return _number(value, layout.LARGEST)


def _whole(value: Any, _: Symbols) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise DataError(f"{value!r} is no whole number of 64 bits.")
    return int(value)


def _time(value: Any, _: Symbols) -> int:
    time = moment(value) if isinstance(value, str) else value
    if not isinstance(time, Nanoseconds) or not 0 <= time < (LAST_SECOND + 1) * _SECOND:
        raise DataError(f"{value!r} is no moment of the years 1970 to 2261.")
    return int(time)


def _symbol(value: Any, symbols: Symbols) -> int:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not all("!" <= letter <= "~" for letter in value):
        raise DataError(f"{value!r} is no symbol.")
    return symbols.number(value)


def _letter(value: Any, _: Symbols) -> int:
    if not isinstance(value, str) or len(value) > 1 or not value.isascii():
        raise DataError(f"{value!r} is no letter.")
    return ord(value) if value else 0


def _conditions(value: Any, _: Symbols) -> int:
    if not isinstance(value, list) or not all(isinstance(letter, str) for letter in value):
        raise DataError(f"{value!r} is no list of conditions.")
    return condition_mask(value)


def _packed(value: Any, _: Symbols) -> int:
    if not isinstance(value, str):
        raise DataError(f"{value!r} is no text.")
    return packed(value)


_READERS: Final[dict[int, Callable[[Any, Symbols], Any]]] = {
    layout.PRICE: _price, layout.POSITIVE: _positive, layout.SIZE: _size, layout.WHOLE: _whole, layout.TIME: _time,
    layout.SYMBOL: _symbol, layout.LETTER: _letter, layout.CONDITIONS: _conditions, layout.TEXT: _packed,
}  # fmt: skip


_NAN: Final = float("nan")
#: What a row's words hold where a message says nothing: of a tick, of a bar.
_EMPTY: Final = ((0, 0, 0, 0, _NAN, _NAN, _NAN, _NAN), (0, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, 0))


def row_of(message: dict[Any, Any], symbols: Symbols) -> tuple[Any, ...]:
    """The content of a row of `TICK` that a message makes, or of `BAR` for bars.

    Parameters
    ----------
    message : dict
        A message whose field T is one of t, q, c, x, s, l, b, u, d.
    symbols : Symbols
        Gets a number for a symbol it does not know.

    Raises
    ------
    DataError
        If a field that it must have is missing, or one has a value of the wrong kind.

    Examples
    --------
    >>> limits = {"T": "l", "S": "IBM", "u": 101.0, "d": 99.0, "i": "B", "t": "1970-01-01T00:00:01Z", "z": "A"}
    >>> row_of(limits, Symbols())
    (108, 0, 65, 66, 0, 1000000000, 0, 0, 0, 99.0, nan, 101.0, nan)
    """
    kind = message["T"]
    head, words = [0, 0, 0, 0], [0, *_EMPTY[kind in layout.BARS]]
    for key, form, place, must in layout.FIELDS[kind]:
        value = message.get(key)
        if value is None:
            if must:
                raise DataError(f"A message {kind!r} has no {key!r}.")
        elif form >= layout.SYMBOL:
            head[place // 8 - 1] = _READERS[form](value, symbols)
        else:
            words[place] = _READERS[form](value, symbols)
    return (ord(kind), *(head[3:] if kind in layout.BARS else head), *words[1:])
