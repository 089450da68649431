"""Bands around a price, and how far it moves within a bar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.indicators import recursions
from qtw_lab.indicators.changes import log_returns
from qtw_lab.indicators.columns import FloatArray, Level, Window, compute, level, together, whole
from qtw_lab.indicators.moving import ema, rolling_max, rolling_min, rolling_std, rolling_sum, sma


class Bands(NamedTuple):
    """A channel: three arrays of one shape, in the unit of the price."""

    lower: FloatArray
    middle: FloatArray
    upper: FloatArray


def bollinger(close: npt.ArrayLike, window: Window = 20, deviations: Level = 2.0) -> Bands:
    """Simple average of the last `window` closes and bands `deviations` population standard deviations around it.

    TA-Lib's BBANDS with a simple average; Bollinger, "Bollinger on Bollinger Bands" (2001).

    Parameters
    ----------
    close : array_like
        (T,) or (T, N), NaN where a bar does not exist.
    window : int or array_like of int
        Bars, at least 1; one for all columns or one for each.
    deviations : float or array_like of float
        Half width of the channel; one for all columns or one for each.

    Raises
    ------
    DataError
        If `close` is not numeric or is infinite somewhere, or a parameter does not fit it.

    Examples
    --------
    >>> bollinger([1.0, 3.0, 5.0], 2, 2.0).upper
    array([nan, 4., 6.])
    """
    window, width = _matched(window, deviations, "deviations")
    middle = sma(close, window)
    reach = width * rolling_std(close, window, ddof=0)
    return Bands(middle - reach, middle, middle + reach)


def true_range(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike) -> FloatArray:
    """The bar's range with the gap from the last close counted in; NaN in a first bar, which has no last close.

    TA-Lib's TRANGE; Wilder (1978).

    Parameters
    ----------
    high, low, close : array_like
        (T,) or (T, N). A bar counts if all three have it.

    Raises
    ------
    DataError
        If the shapes do not fit or an array is infinite somewhere.

    Examples
    --------
    >>> true_range([2.0, 6.0], [1.0, 5.0], [2.0, 5.0])
    array([nan,  4.])
    """
    return compute(recursions.true_range, {"high": high, "low": low, "close": close}, {})[0]


def atr(high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, window: Window = 14) -> FloatArray:
    """Average true range: Wilder's smoothing of `true_range`; the first value is that of bar `window`.

    TA-Lib's ATR; Wilder (1978). Prices as for `true_range`, `window` and errors as for `bollinger`.

    Examples
    --------
    >>> atr([2.0, 3.0, 5.0], [1.0, 2.0, 2.0], [2.0, 3.0, 4.0], 2)
    array([nan, nan,  2.])
    """
    return compute(recursions.average_range, {"high": high, "low": low, "close": close}, {"window": window})[0]


def donchian(high: npt.ArrayLike, low: npt.ArrayLike, window: Window = 20) -> Bands:
    """Lowest low and highest high of the last `window` bars, this bar included, and their middle.

    This bar never closes above its own channel: a breakout rule compares with the channel of the bar before, `lag` 1.
    Prices as for `true_range`, `window` and errors as for `bollinger`.

    Examples
    --------
    >>> donchian([2.0, 3.0, 4.0], [1.0, 2.0, 3.0], 2).upper
    array([nan,  3.,  4.])
    """
    tops, bottoms = together(high=high, low=low)
    upper, lower = rolling_max(tops, window), rolling_min(bottoms, window)
    return Bands(lower, 0.5 * (lower + upper), upper)


def keltner(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, window: Window = 20, multiplier: Level = 2.0
) -> Bands:
    """Exponential average of the closes and bands `multiplier` average true ranges around it.

    Keltner's channel as Raschke draws it, with one window for both averages. The middle is known a bar
    before the bands. Prices as for `true_range`, parameters and errors as for `bollinger`.

    Examples
    --------
    >>> keltner([2.0, 3.0, 4.0], [1.0, 2.0, 3.0], [1.5, 2.5, 3.5], 2, 1.0).upper
    array([nan, nan, 4.5])
    """
    window, width = _matched(window, multiplier, "multiplier")
    tops, bottoms, closes = together(high=high, low=low, close=close)
    middle, reach = ema(closes, window), width * atr(tops, bottoms, closes, window)
    return Bands(middle - reach, middle, middle + reach)


def vwap(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, volume: npt.ArrayLike, window: Window
) -> FloatArray:
    """Mean of the typical price ``(high + low + close) / 3`` over the last `window` bars, weighted by volume.

    NaN where no volume traded. A bar counts if all four inputs have it; prices as for `true_range`, `window` and errors
    as for `bollinger`.

    Examples
    --------
    >>> vwap([1.0, 3.0], [1.0, 3.0], [1.0, 3.0], [100.0, 300.0], 2)
    array([nan, 2.5])
    """
    tops, bottoms, closes, shares = together(high=high, low=low, close=close, volume=volume)
    traded = rolling_sum(shares, window)
    money = rolling_sum((tops + bottoms + closes) / 3.0 * shares, window)
    return money / np.where(traded > 0.0, traded, np.nan)


def volatility(close: npt.ArrayLike, window: Window, periods_per_year: float) -> FloatArray:
    """Sample standard deviation of the last `window` logarithmic returns, as a fraction a year.

    Hull, "Options, Futures, and Other Derivatives", on estimating volatility from historical data.

    Parameters
    ----------
    close, window
        As for `bollinger`.
    periods_per_year : float
        Bars a year, positive.

    Raises
    ------
    DataError
        As for `bollinger`, or if `periods_per_year` is not positive.

    Examples
    --------
    >>> volatility([1.0, 1.1, 1.21, 1.0], 2, 252.0).round(3)
    array([ nan,  nan, 0.  , 3.21])
    """
    scale = level("periods_per_year", periods_per_year)
    if scale.ndim or scale <= 0.0:
        raise DataError(f"periods_per_year={periods_per_year!r} must be a positive number of bars a year.")
    return rolling_std(log_returns(close), window) * np.sqrt(scale)


def _matched(window: Window, factor: Level, name: str) -> tuple[Window, FloatArray]:
    """The window and a factor that is not whole, both spread over K columns if either is."""
    width = level(name, factor)
    if not width.ndim:
        return window, width
    bars = whole("window", window)
    if bars.ndim and bars.size != width.size:
        raise DataError(
            f"window has {bars.size} entries and {name} {width.size}; give arrays of one length, or a number."
        )
    return np.broadcast_to(bars, width.shape), width
