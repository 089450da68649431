"""Rows of a synthetic day that have their moment: prints of the auctions, halts and their ends, price limits."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.market import SECOND, Arrivals
from qtw_lab.venues.simulator.synthetic_day import Halts, Hours
from qtw_lab.venues.simulator.synthetic_model import Stocks
from qtw_lab.venues.ticks import LIMITS, STATUS, TICK, TRADE, Rows, condition_mask, packed

FloatArray = npt.NDArray[np.float64]

#: Milliseconds after the opening and the close at which the auctions print, and the listing exchange states its
#: official price.
_PRINTS: Final = 20
_OFFICIAL: Final = 60
#: Minutes between one statement of the price limits and the next.
_LIMITS_EVERY: Final = 30
#: Limit up and limit down, as a part of the reference price: tier 1 stocks of more than three dollars, and tier 2 (Plan
#: to Address Extraordinary Market Volatility, 2012); doubled in the last 25 minutes for tier 1, which is left out here.
_TIERS: Final = (0.05, 0.10)
#: Taken for tier 1: a daily dollar volume of so much or more.
_TIER_1: Final = 50e6

_TAPE_C: Final = ord("C")
#: Codes and reasons of a status: tape C by the UTP specification, tapes A and B by that of CTS.
_HALT: Final = {True: ("H", "T1"), False: ("P", "LUDP")}
_RESUME: Final = ("T", "T3")
_CTS_HALT: Final = {True: ("2", "D"), False: ("2", "M")}
_CTS_RESUME: Final = ("3", " ")


def auction_prints(
    hours: Hours, stocks: Stocks, opening: tuple[FloatArray, FloatArray], closing: tuple[FloatArray, FloatArray]
) -> Arrivals:
    """The opening and closing print of each stock, given as price and size, each followed by the official price.

    The official prices (conditions Q and M) repeat the prints and count in no bar.
    """
    parts, number = [], 8100
    for second, (price, size), letters, official in (
        (hours.opens, opening, "O", "Q"),
        (hours.closes, closing, "6", "M"),
    ):
        for delay, letter in ((_PRINTS, letters), (_OFFICIAL, official)):
            rows = _blank(len(price), TRADE, hours, second * SECOND + delay * 1_000_000)
            rows["symbol"], rows["exchange"], rows["tape"] = np.arange(len(price)), stocks.exchange, stocks.tape
            rows["id"], rows["price"], rows["size"] = second * 8192 + number, price, size
            regular = np.where(stocks.tape == _TAPE_C, condition_mask("@"), condition_mask(" "))
            rows["conditions"] = regular.astype(np.uint64) | np.uint64(condition_mask(letter))
            parts.append(rows)
            number += 1
    return arriving(np.concatenate(parts), 1_000_000)


def statuses(hours: Hours, stocks: Stocks, halts: Halts) -> Arrivals:
    """A row for each halt, and one for its end."""
    begun = _blank(len(halts.symbol), STATUS, hours, halts.start * SECOND)
    ended = _blank(len(halts.symbol), STATUS, hours, halts.end * SECOND)
    tapes = stocks.tape[halts.symbol]
    for rows, words in (
        (
            begun,
            [
                (_HALT if tape == _TAPE_C else _CTS_HALT)[bool(news)]
                for tape, news in zip(tapes, halts.news, strict=True)
            ],
        ),
        (ended, [_RESUME if tape == _TAPE_C else _CTS_RESUME for tape in tapes]),
    ):
        rows["symbol"], rows["tape"] = halts.symbol, tapes
        rows["flag"] = [ord(code) for code, _ in words]
        rows["conditions"] = np.array([packed(reason) for _, reason in words], dtype=np.uint64)
    return arriving(np.concatenate([begun, ended]), 2_000_000)


def price_limits(hours: Hours, stocks: Stocks, path: npt.NDArray[np.float32]) -> Arrivals:
    """The limits of each stock, every half hour of the session, around the price of that minute."""
    parts = []
    wide = np.where(stocks.dollar_volume >= _TIER_1, *_TIERS)
    for minute in range(hours.opens // 60, hours.closes // 60, _LIMITS_EVERY):
        reference = stocks.price * np.exp(path[minute].astype(np.float64))
        rows = _blank(len(reference), LIMITS, hours, minute * 60 * SECOND + 500_000_000)
        rows["symbol"], rows["tape"], rows["flag"] = np.arange(len(reference)), stocks.tape, ord("B")
        rows["price"], rows["other_price"] = np.round(reference * (1 - wide), 2), np.round(reference * (1 + wide), 2)
        parts.append(rows)
    return arriving(np.concatenate(parts), 1_000_000)


def arriving(rows: Rows, lag: int) -> Arrivals:
    """Those rows, each so many nanoseconds after its time, in order."""
    order = np.argsort(rows["time"], kind="stable")
    return Arrivals(rows[order], rows["time"][order] + lag)


def together(*parts: Arrivals) -> Arrivals:
    """Several arrivals as one, in order."""
    times = np.concatenate([part.times for part in parts])
    order = np.argsort(times, kind="stable")
    return Arrivals(np.concatenate([part.rows for part in parts])[order], times[order])


def _blank(count: int, kind: int, hours: Hours, offset: int | npt.NDArray[np.int64]) -> Rows:
    rows = np.zeros(count, dtype=TICK)
    rows["kind"], rows["time"] = kind, hours.begin + offset
    for name in ("price", "size", "other_price", "other_size"):
        rows[name] = np.nan
    return rows
