"""Rows of market data in the words of the REST side: the wire's fields without symbol and type."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from qtw_lab.venues.market import UPDATES
from qtw_lab.venues.ticks import Rows, condition_letters
from qtw_lab.venues.wire.values import moment_text


def trades(rows: Rows) -> list[dict[str, Any]]:
    """Trades: `t`, `x`, `p`, `s`, `c`, `i`, `z`, and `u` where something became of one.

    Examples
    --------
    >>> import numpy as np
    >>> from qtw_lab.venues.ticks import TICK
    >>> row = np.zeros(1, TICK)
    >>> row["price"], row["size"], row["exchange"], row["tape"], row["id"] = 10.5, 100, ord("V"), ord("C"), 7
    >>> trades(row)
    [{'t': '1970-01-01T00:00:00Z', 'x': 'V', 'p': 10.5, 's': 100, 'c': [], 'i': 7, 'z': 'C'}]
    """
    said = []
    for row in _lists(rows, "time", "exchange", "price", "size", "conditions", "id", "tape", "flag"):
        at, exchange, price, size, conditions, number, tape, flag = row
        words: dict[str, Any] = {
            "t": moment_text(at),
            "x": _letter(exchange),
            "p": _number(price),
            "s": _count(size),
            "c": _letters(conditions),
            "i": number,
            "z": _letter(tape),
        }
        if flag in UPDATES:
            words["u"] = UPDATES[flag]
        said.append(words)
    return said


def quotes(rows: Rows) -> list[dict[str, Any]]:
    """Quotes: `t`, `ax`, `ap`, `as`, `bx`, `bp`, `bs`, `c`, `z`."""
    names = ("time", "flag", "other_price", "other_size", "exchange", "price", "size", "conditions", "tape")
    return [
        {
            "t": moment_text(at),
            "ax": _letter(ask_exchange),
            "ap": _number(ask),
            "as": _count(ask_size),
            "bx": _letter(bid_exchange),
            "bp": _number(bid),
            "bs": _count(bid_size),
            "c": _letters(conditions),
            "z": _letter(tape),
        }
        for at, ask_exchange, ask, ask_size, bid_exchange, bid, bid_size, conditions, tape in _lists(rows, *names)
    ]


def bars(rows: Rows) -> list[dict[str, Any]]:
    """Bars: `t`, `o`, `h`, `l`, `c`, `v`, `n`, `vw`."""
    names = ("time", "open", "high", "low", "close", "volume", "count", "vwap")
    return [
        {
            "t": moment_text(at),
            "o": _number(first),
            "h": _number(high),
            "l": _number(low),
            "c": _number(last),
            "v": _count(volume),
            "n": count,
            "vw": _number(vwap),
        }
        for at, first, high, low, last, volume, count, vwap in _lists(rows, *names)
    ]


def _lists(rows: Rows, *names: str) -> Any:
    # Columns become Python numbers at once: row by row it takes ten times as long.
    return zip(*(rows[name].tolist() for name in names), strict=True)


@lru_cache(maxsize=4096)
def _letters(mask: int) -> list[str]:
    return condition_letters(mask)


def _letter(byte: int) -> str:
    return chr(byte) if byte else ""


def _number(value: float) -> float | None:
    """JSON has no NaN: what is missing is null."""
    return round(value, 6) if math.isfinite(value) else None


def _count(value: float) -> float | int | None:
    """Shares: whole where they are whole."""
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else round(value, 6)
