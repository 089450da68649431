"""Bars by the book: from the final list of trades, in decimal numbers; nothing of it is shared with the engine."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from qtw_lab.venues.conditions import effects
from qtw_lab.venues.ticks import CANCEL, CORRECTION, TRADE

SECOND = 10**9
MILLIONTH = Decimal("0.000001")
EMPTY = 1
FIELDS = ("open", "high", "low", "close", "volume", "vwap", "count", "empty")


@dataclass(frozen=True)
class Trade:
    symbol: int
    exchange: int
    id: int
    time: int
    price: Decimal
    size: Decimal
    conditions: int
    tape: int


def _trade(tick, number):
    return Trade(
        int(tick["symbol"]),
        int(tick["exchange"]),
        int(number),
        int(tick["time"]),
        Decimal(repr(float(tick["price"]))),
        Decimal(repr(float(tick["size"]))),
        int(tick["conditions"]),
        int(tick["tape"]),
    )


def final_trades(ticks):
    """The trades that stand when everything has come, in whatever order. Corrections have the time of their trade."""
    known, unnamed, second, dead = {}, [], {}, set()
    for tick in ticks:
        key = (int(tick["symbol"]), int(tick["exchange"]), int(tick["id"]))
        if tick["kind"] == TRADE:
            if key[2] == 0:
                unnamed.append(_trade(tick, 0))
            else:
                known.setdefault((*key, int(tick["time"])), _trade(tick, key[2]))
        elif tick["kind"] == CORRECTION:
            key = (*key, int(tick["time"]))
            second[key] = (*key[:2], int(tick["second_id"]), key[3])
            known.setdefault(second[key], _trade(tick, tick["second_id"]))
        elif tick["kind"] == CANCEL:
            dead.add((*key, int(tick["time"])))
    for key in list(dead):
        follower = second.get(key)
        while follower is not None:
            dead.add(follower)
            follower = second.get(follower)
    standing = [trade for key, trade in known.items() if key not in dead and key not in second]
    return standing + unnamed


def bar(trades, before, carry=True):
    """One bar of one symbol, by field; `before` is the last price before it."""
    extended = True
    trades = sorted(trades, key=lambda t: (t.time, t.id, t.price))
    bits = [effects(np.uint64(t.conditions), t.tape, extended) for t in trades]
    last = [t.price for t, b in zip(trades, bits, strict=True) if b & 1]
    ranged = [t.price for t, b in zip(trades, bits, strict=True) if b & 2]
    counted = [t for t, b in zip(trades, bits, strict=True) if b & 4]
    weighed = [t for t, b in zip(trades, bits, strict=True) if b & 6 == 6]
    worth = sum(((t.price * t.size).quantize(MILLIONTH, ROUND_HALF_UP) for t in weighed), Decimal(0))
    shares = sum((t.size for t in weighed), Decimal(0))
    if last:
        reached = [*ranged, last[0], last[-1]]
        prices = [last[0], max(reached), min(reached), last[-1]]
    else:
        prices = [before if carry else None] * 4
    return (
        *(float("nan") if p is None else float(p) for p in prices),
        float(sum((t.size for t in counted), Decimal(0))),
        float(worth / MILLIONTH) / float(shares / MILLIONTH) if shares else float("nan"),
        len(counted),
        not last,
    ), (last[-1] if last else before)


def bars(trades, symbols, seconds, start, end, carry=True):
    """Bars of a length that start in [start, end), by (symbol, start), every one, empty ones too."""
    found, length = {}, seconds * SECOND
    for symbol in symbols:
        mine, before = [t for t in trades if t.symbol == symbol], None
        for begin in range(start // length * length, end, length):
            if begin + length > end:
                break
            inside = [t for t in mine if begin <= t.time < begin + length and t.time >= start]
            found[symbol, begin], before = bar(inside, before, carry)
    return found
