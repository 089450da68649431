"""The tables of a synthetic day, and its prices from moment to moment, compiled."""

from __future__ import annotations

from math import exp, sqrt
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.simulator.synthetic_chance import keyed, rough_normal
from qtw_lab.venues.ticks import Rows

Floats = npt.NDArray[np.float64]

#: What a hash is for, as in `synthetic_kernels`, whose purposes are 1 to 3.
_BRIDGE: Final = 4

#: What a day's rows need to know of a stock: standard deviation of a day's log return; close of the day before; dollars
#: between bid and ask in a calm moment; rows a second and shares a trade, both mean; bounds of the session's prices;
#: letters of exchange and tape; the seconds from which and until which it is halted, -1 if it is not.
STOCK: Final = np.dtype(
    [
        ("volatility", "f8"), ("price", "f8"), ("spread", "f8"), ("rate", "f8"), ("size", "f8"), ("low", "f8"),
        ("high", "f8"), ("halted", "i8"), ("resumed", "i8"), ("exchange", "u1"), ("tape", "u1"),
    ],
    align=True,
)  # fmt: skip


class Day(NamedTuple):
    """The tables of a day of N stocks and S seconds in M minutes.

    `begin` is the first second (nanoseconds), `opens` and `closes` the session's, counted from there. `curve`, shape
    (S,), is the activity of each second, 1 in the session's mean, and `hustle`, shape (M,), its sum over each minute;
    `widening`, shape (S,), how many times its calm self the spread is. `path`, shape (M + 1, N), is the log price at
    each minute's start, relative to the close before; `pace`, shape (M,), the part of a day's standard deviation that
    falls into each minute. `stocks`, shape (N,), are rows of `STOCK`.
    """

    seed: np.uint64
    begin: int
    opens: int
    closes: int
    curve: Floats
    hustle: Floats
    widening: Floats
    path: npt.NDArray[np.float32]
    pace: Floats
    stocks: Rows


@compiled
def bridge(seed: np.uint64, symbol: int, minute: int, second: int) -> float:
    """How far a Brownian bridge over a minute, of unit variance a minute, is from its line at a second, 0 to 60.

    By halving (Levy's construction): each midpoint is drawn given the ends of its stretch.
    """
    left, right, low, high = 0, 60, 0.0, 0.0
    while True:
        if second == left:
            return low
        if second == right:
            return high
        middle = (left + right) // 2
        span = right - left
        chance = rough_normal(keyed(seed, _BRIDGE, symbol * 2048 + minute, middle))
        value = (low * (right - middle) + high * (middle - left)) / span
        value += sqrt((middle - left) * (right - middle) / (span * 60.0)) * chance
        if second < middle:
            right, high = middle, value
        else:
            left, low = middle, value


@compiled
def middle(day: Day, symbol: int, second: int) -> float:
    """The price between bid and ask at the start of a second, before rounding."""
    minute = second // 60
    into = second - 60 * minute
    here = float(day.path[minute, symbol])
    if into:
        line = (float(day.path[minute + 1, symbol]) - here) * into / 60.0
        here += line + day.stocks[symbol].volatility * day.pace[minute] * bridge(day.seed, symbol, minute, into)
    return float(day.stocks[symbol].price * exp(here))


@compiled
def stopped(day: Day, symbol: int, second: int) -> bool:
    """Whether the symbol is halted in that second."""
    return bool(day.stocks[symbol].halted <= second < day.stocks[symbol].resumed)


@compiled
def regular(day: Day, second: int) -> bool:
    """Whether that second lies in the session."""
    return day.opens <= second < day.closes
