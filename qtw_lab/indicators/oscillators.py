"""Oscillators: momentum and trend brought to a fixed scale, and flows of volume."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.indicators import recursions
from qtw_lab.indicators.columns import FloatArray, Window, compute, together, whole


class Macd(NamedTuple):
    """Moving average convergence/divergence: three arrays of one shape, in the unit of the price."""

    line: FloatArray
    signal: FloatArray
    histogram: FloatArray


class Adx(NamedTuple):
    """Directional movement: three arrays of one shape, each 0 to 100."""

    adx: FloatArray
    plus_di: FloatArray
    minus_di: FloatArray


class Stochastic(NamedTuple):
    """Slow stochastic: two arrays of one shape, each 0 to 100."""

    k: FloatArray
    d: FloatArray


def rsi(close: npt.ArrayLike, window: Window = 14) -> FloatArray:
    """Relative strength index, 0 to 100: the share of gains in Wilder's averages of gains and losses.

    100 in a pure rise, 0 in a pure fall, and 0 where the price does not move at all (TA-Lib's RSI, whose rule that is);
    the first value is that of bar `window`. Wilder, "New Concepts in Technical Trading Systems" (1978).

    Parameters
    ----------
    close : array_like
        (T,) or (T, N), NaN where a bar does not exist.
    window : int or array_like of int
        Bars, at least 1; one for all columns or one for each.

    Raises
    ------
    DataError
        If `close` is not numeric or is infinite somewhere, or `window` does not fit it.

    Examples
    --------
    >>> rsi([1.0, 2.0, 1.0, 4.0], 2)
    array([ nan,  nan, 50. , 87.5])
    """
    return compute(recursions.strength, {"close": close}, {"window": window})[0]


def macd(close: npt.ArrayLike, fast: Window = 12, slow: Window = 26, signal: Window = 9) -> Macd:
    """Fast minus slow exponential average, its own exponential average, and the difference of the two.

    TA-Lib's MACD: both averages start on the slow one's first bar, and all three arrays on bar ``slow + signal - 2``.

    Parameters
    ----------
    close : array_like
        (T,) or (T, N), NaN where a bar does not exist.
    fast, slow, signal : int or array_like of int
        Spans in bars; fast must not exceed slow. Each is one for all columns or one for each.

    Raises
    ------
    DataError
        As for `rsi`, or if a fast span exceeds its slow one.

    Examples
    --------
    >>> macd([1.0, 2.0, 4.0, 8.0], 1, 2, 2).line.round(4)
    array([   nan,    nan, 0.8333, 1.6111])
    """
    spans = {"fast": whole("fast", fast), "slow": whole("slow", slow), "signal": whole("signal", signal)}
    if spans["fast"].size in (1, spans["slow"].size) or spans["slow"].size == 1:
        wrong = np.atleast_1d(spans["fast"] > spans["slow"])
        if wrong.any():
            column = int(np.argmax(wrong))
            pair = [int(np.broadcast_to(spans[name], wrong.shape)[column]) for name in ("fast", "slow")]
            raise DataError(f"macd: fast={pair[0]} exceeds slow={pair[1]}; the fast span must be the shorter one.")
    return Macd(*compute(recursions.convergence, {"close": close}, spans, outputs=3))


def adx(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, window: Window = 14) -> Adx:
    """Average directional index and the two directional indicators, 0 to 100.

    TA-Lib's ADX, PLUS_DI and MINUS_DI: the indicators start on bar `window`, the index on bar ``2 window - 1``. Where
    nothing moves the indicators are 0 and the index keeps its value. Wilder (1978).

    Parameters
    ----------
    high, low, close : array_like
        (T,) or (T, N). A bar counts if all three have it.
    window : int or array_like of int
        Bars, at least 1; one for all columns or one for each.

    Raises
    ------
    DataError
        As for `rsi`, or if the shapes do not fit.

    Examples
    --------
    >>> up = np.arange(1.0, 7.0)
    >>> adx(up + 1.0, up, up + 0.5, 2).adx
    array([ nan,  nan,  nan, 100., 100., 100.])
    """
    return Adx(
        *compute(recursions.directional, {"high": high, "low": low, "close": close}, {"window": window}, outputs=3)
    )


def stochastic(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    window: Window = 14,
    smooth: Window = 3,
    signal: Window = 3,
) -> Stochastic:
    """Slow stochastic, 0 to 100: where the close lies in the last `window` bars' span, averaged twice.

    %K is the simple average over `smooth` bars, %D that of %K over `signal` bars; both start with the first %D. A bar
    without a span counts 0. TA-Lib's STOCH with simple averages.

    Parameters
    ----------
    high, low, close
        As for `adx`.
    window, smooth, signal : int or array_like of int
        Bars, at least 1; each one for all columns or one for each.

    Raises
    ------
    DataError
        As for `adx`.

    Examples
    --------
    >>> stochastic([2.0, 3.0, 4.0], [1.0, 2.0, 3.0], [1.0, 3.0, 3.0], 2, 1, 1).k
    array([ nan, 100.,  50.])
    """
    prices = {"high": high, "low": low, "close": close}
    parts = {"window": window, "smooth": smooth, "signal": signal}
    return Stochastic(*compute(recursions.stochastic, prices, parts, outputs=2))


def cci(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, window: Window = 14) -> FloatArray:
    """Commodity channel index: distance of the typical price from its mean in units of 0.015 mean absolute deviations.

    0 where the typical price does not vary. TA-Lib's CCI; Lambert, "Commodity Channel Index" (1980). Parameters and
    errors as for `adx`.

    Examples
    --------
    >>> cci([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 3).round(4)
    array([ nan,  nan, 100.])
    """
    tops, bottoms, closes = together(high=high, low=low, close=close)
    return compute(recursions.commodity, {"price": (tops + bottoms + closes) / 3.0}, {"window": window})[0]


def williams_r(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, window: Window = 14) -> FloatArray:
    """Williams %R, -100 (close at the lowest low of the last `window` bars) to 0 (at the highest high).

    0 where there is no span. TA-Lib's WILLR. Parameters and errors as for `adx`.

    Examples
    --------
    >>> williams_r([2.0, 3.0], [1.0, 2.0], [1.5, 2.5], 2)
    array([ nan, -25.])
    """
    return compute(recursions.williams, {"high": high, "low": low, "close": close}, {"window": window})[0]


def mfi(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, volume: npt.ArrayLike, window: Window = 14
) -> FloatArray:
    """Money flow index, 0 to 100: the share of money traded on rising typical prices in the last `window` moves.

    0 where no money flowed; the first value is that of bar `window`. TA-Lib's MFI. A bar counts if all four inputs have
    it; parameters and errors as for `adx`.

    Examples
    --------
    >>> p = np.array([1.0, 2.0, 1.0])
    >>> mfi(p, p, p, [5.0, 3.0, 2.0], 2)
    array([nan, nan, 75.])
    """
    tops, bottoms, closes, shares = together(high=high, low=low, close=close, volume=volume)
    flow = {"price": (tops + bottoms + closes) / 3.0, "volume": shares}
    return compute(recursions.money_flow, flow, {"window": window})[0]


def obv(close: npt.ArrayLike, volume: npt.ArrayLike) -> FloatArray:
    """On-balance volume in shares: the running sum of volume, added in a rise and taken off in a fall.

    It starts with the first bar's volume, so its level means nothing unless the first bar is stated; its changes do.
    TA-Lib's OBV; Granville (1963).

    Parameters
    ----------
    close, volume : array_like
        (T,) or (T, N). A bar counts if both have it.

    Raises
    ------
    DataError
        If the shapes do not fit or an array is infinite somewhere.

    Examples
    --------
    >>> obv([1.0, 2.0, 2.0, 1.0], [10.0, 5.0, 7.0, 3.0])
    array([10., 15., 15., 12.])
    """
    return compute(recursions.balance, {"close": close, "volume": volume}, {})[0]
