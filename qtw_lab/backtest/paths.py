"""From equity paths to the sums their figures need, compiled: most of what a sweep computes, it computes here.

A path is laid out in rows of 64 bars. In each row the returns, their squares and the extremes are sums and comparisons
that the processor does several at a time; a row in which nothing happens costs next to nothing; and where the extremes
of a row show that it cannot hold a deeper drawdown, its bars are not looked at one by one. Every path is summed in one
fixed order, so that results depend neither on threads nor on how accounts are cut into blocks.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.compiled import compiled

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: What is written for each path, in this order; see `stats.moments.Moments`.
SUMS: Final = ("last", "gains", "squares", "shortfalls", "worst", "equity")

#: Bars in a row: enough for wide registers, few enough that most rows cannot hold a deeper drawdown.
_ROW: Final = 64
#: Where the squares about the mean are a smaller share of the squares, digits are lost and they are summed anew.
_LOST: Final = 1e-2
#: Returns that differ by less than this share of the largest are equal, as in `stats.columns`.
_ROUNDING: Final = 1e-14


class Paper(NamedTuple):
    """Room for one path, start first, seen as rows of `_ROW` bars: each equity, and the one before it.

    The same numbers read as whole numbers keep the order of positive ones, and least and most of them are found side
    by side.
    """

    path: FloatArray
    before: FloatArray
    now: FloatArray
    bits: IntArray
    least_bits: IntArray
    most_bits: IntArray
    least: FloatArray
    most: FloatArray


@compiled
def paper_for(bars: int) -> Paper:
    """Room for a path of that many bars."""
    rows = (bars + _ROW - 1) // _ROW
    path = np.empty(rows * _ROW + 1)
    before, now = path[: rows * _ROW].reshape(rows, _ROW), path[1:].reshape(rows, _ROW)
    least, most = np.empty(rows), np.empty(rows)
    return Paper(path, before, now, now.view(np.int64), least.view(np.int64), most.view(np.int64), least, most)


@compiled
def sums_of(equity: FloatArray, start: float, figures: FloatArray) -> None:
    """Write the `SUMS` (K, 6 or more) of equity paths (K, T)."""
    bars = equity.shape[1]
    sheet = paper_for(bars)
    for k in range(equity.shape[0]):
        sheet.path[0] = start
        sheet.path[1 : bars + 1] = equity[k]
        sheet.path[bars + 1 :] = equity[k, bars - 1]
        write_sums(sheet, bars, figures[k])


@compiled
def write_sums(paper: Paper, bars: int, out: FloatArray) -> None:
    """Write the `SUMS` of the path on the paper; bars beyond the last repeat its equity."""
    before, now = paper.before, paper.now
    rows = now.shape[0]
    start, last = before[0, 0], now[rows - 1, _ROW - 1]
    gains, squares, shortfalls, total, peak, trough = 0.0, 0.0, 0.0, 0.0, start, 1.0
    _extremes(paper.bits, paper.least_bits, paper.most_bits)
    for c in range(rows):
        low, high = paper.least[c], paper.most[c]
        if low == high and before[c, 0] == low:
            total += _ROW * low
            continue
        if low > 0.0 and before[c, 0] > 0.0:
            a, b, d, e = _sums(before, now, c)
        else:
            a, b, d, e = _careful_sums(before, now, c)
        gains, squares, shortfalls, total = gains + a, squares + b, shortfalls + d, total + e
        if low > 0.0 and low >= trough * max(peak, high):
            peak = max(peak, high)
            continue
        for i in range(_ROW):
            if now[c, i] > peak:
                peak = now[c, i]
            elif now[c, i] < trough * peak:
                trough = now[c, i] / peak
    total -= last * (rows * _ROW - bars)
    about = squares - gains * (gains / bars)
    if about < _LOST * squares:
        about = _squares(paper.path, bars, gains / bars)
    out[0], out[1], out[2], out[3], out[4], out[5] = last, gains, about, shortfalls, trough - 1.0, total


@compiled
def _extremes(bits: IntArray, least: IntArray, most: IntArray) -> None:
    """Least and most of each row."""
    for c in range(bits.shape[0]):
        low = high = bits[c, 0]
        for i in range(_ROW):
            low, high = min(low, bits[c, i]), max(high, bits[c, i])
        least[c], most[c] = low, high


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc"})
def _sums(before: FloatArray, now: FloatArray, c: int) -> tuple[float, float, float, float]:
    """Returns, their squares, the squares of negative ones and equity, summed over row c; additions may be reordered.

    Without that leave nothing here runs side by side.
    """
    gains, squares, shortfalls, total = 0.0, 0.0, 0.0, 0.0
    for i in range(_ROW):
        gain = now[c, i] / before[c, i] - 1.0
        loss = min(0.0, gain)
        gains += gain
        squares += gain * gain
        shortfalls += loss * loss
        total += now[c, i]
    return gains, squares, shortfalls, total


@compiled
def _careful_sums(before: FloatArray, now: FloatArray, c: int) -> tuple[float, float, float, float]:
    """`_sums` where some equity is not above zero."""
    gains, squares, shortfalls, total = 0.0, 0.0, 0.0, 0.0
    for i in range(_ROW):
        gain = now[c, i] / before[c, i] - 1.0 if before[c, i] > 0.0 else 0.0
        gains += gain
        squares += gain * gain
        shortfalls += gain * gain if gain < 0.0 else 0.0
        total += now[c, i]
    return gains, squares, shortfalls, total


@compiled
def _squares(path: FloatArray, bars: int, mean: float) -> float:
    """Squared deviations of the returns from their mean, in a pass of its own; 0 if they differ by rounding alone."""
    low, high, squares, rest = math.inf, -math.inf, 0.0, 0.0
    for t in range(bars):
        gain = path[t + 1] / path[t] - 1.0 if path[t] > 0.0 else 0.0
        low, high = min(low, gain), max(high, gain)
        squares += (gain - mean) * (gain - mean)
        rest += gain - mean
    if high - low <= _ROUNDING * max(abs(high), abs(low)):
        return 0.0
    return max(squares - rest * rest / bars, 0.0)
