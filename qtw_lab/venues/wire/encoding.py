"""Rows as messages of the market-data stream: msgpack bytes, or dicts that JSON can carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.venues.ticks import BAR, TICK, Rows, Symbols, condition_letters, unpacked
from qtw_lab.venues.wire import layout, packing
from qtw_lab.venues.wire.values import moment_text

#: What a status says beside its code: words for the codes of statuses and of their reasons, as the tapes have them
#: (UTP Binary Output Specification, trading actions; CTS Pillar Output Specification, halt reasons).
TEXTS: Final[Mapping[str, str]] = {
    "H": "Trading Halt", "P": "Volatility Trading Pause", "Q": "Quotation Resumption", "T": "Trading Resumption",
    "2": "Trading Halt", "3": "Resume", "5": "Price Indication",
    "T1": "Halt News Pending", "T2": "Halt News Dissemination", "T3": "News and Resumption Times",
    "T5": "Single Stock Trading Pause In Effect", "T6": "Regulatory Halt Extraordinary Market Activity",
    "T12": "Trading Halted; For Information Requested by Nasdaq", "LUDP": "Volatility Trading Pause",
    "LUDS": "Volatility Trading Pause Straddle Condition", "MWC1": "Market Wide Circuit Breaker Halt Level 1",
    "MWC2": "Market Wide Circuit Breaker Halt Level 2", "MWC3": "Market Wide Circuit Breaker Halt Level 3",
    "M": "Volatility Trading Pause", "D": "News Released", "I": "Order Imbalance",
}  # fmt: skip

_LETTERS: Final = np.frombuffer(
    "".join((condition_letters(1 << bit) or ["?"])[0] for bit in range(64)).encode("ascii"), dtype=np.uint8
).copy()
_KNOWN_BITS: Final = np.uint64(sum(1 << bit for bit in range(64) if condition_letters(1 << bit)))
_TICKS: Final = np.array([ord(kind) in map(ord, "tqcxsl") for kind in map(chr, range(256))])
_BARS: Final = np.array([chr(kind) in layout.BARS for kind in range(256)])


def encode(ticks: Rows, symbols: Symbols, texts: Mapping[str, str] | None = None) -> bytes:
    r"""Ticks as one msgpack array of messages.

    Parameters
    ----------
    ticks : array of TICK, shape (M,)
        In the order they shall have on the wire.
    symbols : Symbols
        The names of their numbers.
    texts : mapping, optional
        Words for the codes of statuses and reasons; `TEXTS` by default. A code without words has itself as its words.

    Returns
    -------
    bytes
        Trades, quotes and the rest with the fields of Alpaca's stream. NaN is nil, which is read as a missing field. A
        correction has its new conditions as its original ones too: a row keeps only the former.

    Raises
    ------
    DataError
        If the array is not of `TICK`, or a row has a kind that is none of its own, a symbol without a name, or a time
        before 1970.

    Examples
    --------
    >>> symbols = Symbols(["IBM"])
    >>> row = np.zeros(1, dtype=TICK)
    >>> row["kind"], row["price"], row["size"], row["time"] = ord("t"), 101.5, 100, 10**9
    >>> encode(row, symbols)[:9]
    b'\x91\x89\xa1T\xa1t\xa1S\xa3'
    """
    ticks = _checked(ticks, TICK, _TICKS, symbols)
    words = TEXTS if texts is None else texts
    out = np.empty(packing.ROOM * len(ticks) + 16, dtype=np.uint8)
    parts, place = [_array_head(len(ticks))], 0
    while place < len(ticks):
        place, end = packing.put_ticks(ticks, place, out, 0, symbols.keys, _LETTERS)
        parts.append(out[:end].tobytes())
        if place < len(ticks):
            parts.append(_status(ticks[place], symbols, words))
            place += 1
    return b"".join(parts)


def encode_bars(bars: Rows, symbols: Symbols) -> bytes:
    r"""Bars as one msgpack array of messages; as `encode`.

    Examples
    --------
    >>> encode_bars(np.zeros(0, dtype=BAR), Symbols())
    b'\x90'
    """
    bars = _checked(bars, BAR, _BARS, symbols)
    out = np.empty(packing.ROOM * len(bars) + 16, dtype=np.uint8)
    end = packing.put_bars(bars, out, symbols.keys)
    return _array_head(len(bars)) + out[:end].tobytes()


def _checked(rows: Rows, form: Any, kinds: Any, symbols: Symbols) -> Rows:
    if not isinstance(rows, np.ndarray) or rows.dtype != form or rows.ndim != 1:
        raise DataError(f"Rows of {'TICK' if form is TICK else 'BAR'} in one dimension are needed, not {rows!r:.80}.")
    if len(rows):
        if not kinds[rows["kind"]].all():
            raise DataError(f"Row {int(np.argmin(kinds[rows['kind']]))} has a kind that no message of this sort has.")
        if not 0 <= rows["symbol"].min() <= rows["symbol"].max() < len(symbols):
            raise DataError(f"A row's symbol is none of the {len(symbols)} that have names.")
        if rows["time"].min() < 0:
            raise DataError("A row's time is before 1970.")
    rows = np.ascontiguousarray(rows)
    if form is TICK and (odd := rows["conditions"] & ~_KNOWN_BITS).any():
        rows = rows.copy()
        known = rows["kind"] == ord("s")
        rows["conditions"] = np.where(known | (odd == 0), rows["conditions"], rows["conditions"] & _KNOWN_BITS)
    return rows


def _array_head(count: int) -> bytes:
    if count < 16:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2) if count < 1 << 16 else b"\xdd" + count.to_bytes(4)


def _text(content: str) -> bytes:
    raw = content.encode()[:255]
    return (bytes([0xA0 | len(raw)]) if len(raw) < 32 else bytes([0xD9, len(raw)])) + raw


def _status(row: Any, symbols: Symbols, words: Mapping[str, str]) -> bytes:
    message = _status_fields(row, symbols, words)
    out = np.empty(16, dtype=np.uint8)
    when = out[: packing.put_time(out, 0, int(row["time"]))].tobytes()
    fields = [_text(key) + (when if key == "t" else _text(value)) for key, value in message.items()]
    return bytes([0x80 | len(fields)]) + b"".join(fields)


def _status_fields(row: Any, symbols: Symbols, words: Mapping[str, str]) -> dict[str, Any]:
    code, reason = _letter(row["flag"]), unpacked(row["conditions"])
    return {
        "T": "s",
        "S": symbols.names[row["symbol"]],
        "sc": code,
        "sm": words.get(code, code),
        "rc": reason,
        "rm": words.get(reason, reason),
        "t": moment_text(row["time"]),
        "z": _letter(row["tape"]),
    }


def plain(rows: Rows, symbols: Symbols, texts: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Ticks or bars as dicts that JSON can carry, with the fields of the stream.

    Parameters
    ----------
    rows : array of TICK or BAR, shape (M,)
        What `encode` or `encode_bars` take.
    symbols, texts
        As for `encode`.

    Returns
    -------
    list of dict
        Moments are RFC 3339 texts with as many digits as they need; NaN is None.

    Raises
    ------
    DataError
        As `encode`.

    Examples
    --------
    >>> row = np.zeros(1, dtype=TICK)
    >>> row["kind"], row["price"], row["size"], row["time"] = ord("t"), 101.5, 100, 10**9
    >>> plain(row, Symbols(["IBM"]))[0]["t"]
    '1970-01-01T00:00:01Z'
    """
    words = TEXTS if texts is None else texts
    if getattr(rows, "dtype", None) == BAR:
        return [_bar_fields(row, symbols) for row in _checked(rows, BAR, _BARS, symbols)]
    checked = _checked(rows, TICK, _TICKS, symbols)
    return [
        _status_fields(row, symbols, words) if row["kind"] == ord("s") else _fields(row, symbols) for row in checked
    ]


def _letter(byte: Any) -> str:
    return chr(byte) if byte else ""


def _price(value: Any) -> float | None:
    return float(value) if value == value else None  # noqa: PLR0124  (NaN is what differs from itself)


def _size(value: Any) -> float | int | None:
    number = float(value)
    return int(number) if number.is_integer() else _price(number)


#: Names of a tick's columns by their places, and how a value of a form is written.
_HEAD: Final = {layout.EXCHANGE: "exchange", layout.TAPE: "tape", layout.FLAG: "flag"}
_COLUMNS: Final = ("", *(TICK.names or ())[5:])
_WRITERS: Final[dict[int, Callable[[Any], Any]]] = {
    layout.PRICE: _price, layout.POSITIVE: _price, layout.SIZE: _size, layout.WHOLE: int, layout.TIME: moment_text,
    layout.LETTER: _letter, layout.CONDITIONS: lambda mask: condition_letters(int(mask)),
}  # fmt: skip


def _fields(row: Any, symbols: Symbols) -> dict[str, Any]:
    message: dict[str, Any] = {"T": chr(row["kind"]), "S": symbols.names[row["symbol"]]}
    for key, form, place, _ in layout.FIELDS[message["T"]]:
        if form != layout.SYMBOL:
            message[key] = _WRITERS[form](row[_HEAD[place] if form == layout.LETTER else _COLUMNS[place]])
    if "cc" in message:
        message["oc"] = list(message["cc"])
    return message


def _bar_fields(row: Any, symbols: Symbols) -> dict[str, Any]:
    message: dict[str, Any] = {"T": chr(row["kind"]), "S": symbols.names[row["symbol"]]}
    for key, name in zip("ohlc", BAR.names[3:7] if BAR.names else (), strict=True):
        message[key] = _price(row[name])
    message["v"], message["n"], message["vw"] = _size(row["volume"]), int(row["count"]), _price(row["vwap"])
    return {**message, "t": moment_text(row["time"])}
