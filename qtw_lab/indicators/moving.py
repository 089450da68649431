"""Moving averages, sums, extremes and spreads of one column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.indicators import recursions, rolling
from qtw_lab.indicators.columns import FloatArray, IntArray, Kernel, Window, compute, distinct, whole


def rolling_sum(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Sum of the last `window` values, in the unit of `x`; NaN until there are that many.

    Parameters
    ----------
    x : array_like
        (T,) or (T, N), NaN where a bar does not exist.
    window : int or array_like of int
        Bars, at least 1; one for all columns or one for each.

    Raises
    ------
    DataError
        If `x` is not numeric or is infinite somewhere, or `window` does not fit it.

    Examples
    --------
    >>> rolling_sum([1.0, 2.0, float("nan"), 3.0], 2)
    array([nan,  3., nan,  5.])
    """
    return compute(rolling.rolling_sum, {"x": x}, {"window": window})[0]


def rolling_max(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Largest of the last `window` values; NaN until there are that many.

    Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> rolling_max([1.0, 3.0, 2.0, 1.0], 2)
    array([nan,  3.,  3.,  2.])
    """
    return compute(rolling.rolling_max, {"x": x}, {"window": window})[0]


def rolling_min(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Smallest of the last `window` values; NaN until there are that many.

    Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> rolling_min([1.0, 3.0, 2.0, 4.0], 2)
    array([nan,  1.,  2.,  2.])
    """
    return compute(rolling.rolling_min, {"x": x}, {"window": window})[0]


def rolling_std(x: npt.ArrayLike, window: Window, ddof: int = 1) -> FloatArray:
    """Standard deviation of the last `window` values, in the unit of `x`; exactly 0 where they are equal.

    Parameters
    ----------
    x, window
        As for `rolling_sum`.
    ddof : int
        Degrees of freedom taken off: 1 for the sample, 0 for the population. A window no longer than that gives NaN.

    Raises
    ------
    DataError
        As for `rolling_sum`, or if `ddof` is not a whole number from 0.

    Examples
    --------
    >>> rolling_std([1.0, 2.0, 3.0, 3.0], 3).round(4)
    array([   nan,    nan, 1.    , 0.5774])
    """
    taken = int(whole("ddof + 1", np.asarray(ddof) + 1))
    return compute(rolling.rolling_std, {"x": x}, {"window": window, "ddof": taken})[0]


def sma(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Simple moving average of the last `window` values; NaN until there are that many.

    Equal, bit for bit, to pandas' ``rolling(window).mean()`` on a column without gaps: a crossing of two averages must
    not depend on how a sum was rounded.

    Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> sma([1.0, 2.0, 3.0, 4.0], 2)
    array([nan, 1.5, 2.5, 3.5])
    >>> sma([[1.0], [2.0], [3.0]], [1, 2])
    array([[1. , nan],
           [2. , 1.5],
           [3. , 2.5]])
    """
    return compute(rolling.rolling_mean, {"x": x}, {"window": window})[0]


def ema(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Exponential moving average with weight ``2 / (window + 1)``, started by the mean of the first `window` values.

    TA-Lib's EMA. Its memory has no end; `memory.ema_memory` says after how many bars the start no longer matters.
    Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> ema([1.0, 2.0, 3.0, 6.0], 3)
    array([nan, nan,  2.,  4.])
    """
    return compute(recursions.exponential, {"x": x}, {"window": window})[0]


def wma(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Mean of the last `window` values with weights 1 (oldest) to `window` (newest).

    TA-Lib's WMA. Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> wma([1.0, 2.0, 5.0], 2).round(4)
    array([   nan, 1.6667, 4.    ])
    """
    return compute(rolling.weighted_mean, {"x": x}, {"window": window})[0]


#: Averages of one window and what computes them, for `averages`.
AVERAGES: Final[Mapping[Callable[..., Any], Kernel]] = {
    sma: rolling.rolling_mean, ema: recursions.exponential, wma: rolling.weighted_mean,
}  # fmt: skip


def averages(average: Callable[..., FloatArray], x: npt.ArrayLike, window: Window) -> tuple[FloatArray, IntArray]:
    """The distinct columns of ``average(x, window)``, (R, T), and which of them each of its K columns is, (K,).

    A grid of windows asks for the same averages again and again; here each is computed, and kept, once.

    Parameters
    ----------
    average : callable
        One of `AVERAGES`.
    x : array_like
        (T,) or (T, 1).
    window : int or array_like of int
        One, or (K,).

    Raises
    ------
    DataError
        As for `rolling_sum`.

    Examples
    --------
    >>> rows, places = averages(sma, [1.0, 2.0, 3.0], [2, 1, 2])
    >>> rows[places].tolist()
    [[nan, 1.5, 2.5], [1.0, 2.0, 3.0], [nan, 1.5, 2.5]]
    """
    return distinct(AVERAGES[average], {"x": x}, {"window": window})


def kama(x: npt.ArrayLike, window: Window, fast: Window = 2, slow: Window = 30) -> FloatArray:
    """Kaufman's adaptive average: an exponential one whose weight follows the efficiency of the last `window` moves.

    The weight is ``(efficiency x (2/(fast+1) - 2/(slow+1)) + 2/(slow+1)) ** 2``, where efficiency is the net move over
    the length of the path, 1 for a path of no length. TA-Lib's KAMA; Kaufman, "Smarter Trading" (1995). The first value
    is that of bar `window`.

    Parameters
    ----------
    x, window
        As for `rolling_sum`.
    fast, slow : int or array_like of int
        Spans of the exponential averages at efficiency 1 and 0.

    Raises
    ------
    DataError
        As for `rolling_sum`.

    Examples
    --------
    >>> kama([1.0, 2.0, 3.0, 4.0], 2).round(4)
    array([   nan,    nan, 2.4444, 3.1358])
    """
    return compute(recursions.kaufman, {"x": x}, {"window": window, "fast": fast, "slow": slow})[0]


def wilder(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Wilder's smoothing: an exponential average with weight ``1 / window``, started by the mean of the first values.

    Wilder, "New Concepts in Technical Trading Systems" (1978). Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> wilder([1.0, 3.0, 4.0], 2)
    array([nan, 2., 3.])
    """
    return compute(recursions.wilder, {"x": x}, {"window": window})[0]


def z_score(x: npt.ArrayLike, window: Window) -> FloatArray:
    """By how many sample standard deviations (ddof 1) `x` lies above its mean over the last `window` bars.

    NaN where the values are equal: nothing is then far from anything. Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> z_score([1.0, 2.0, 3.0], 3)
    array([nan, nan,  1.])
    """
    (values,) = compute(rolling.rolling_sum, {"x": x}, {"window": np.ones_like(np.asarray(window))})
    mean, spread = sma(x, window), rolling_std(x, window)
    return (values - mean) / np.where(spread > 0.0, spread, np.nan)


def slope(x: npt.ArrayLike, window: Window) -> FloatArray:
    """Least-squares slope of the last `window` values against time, in units of `x` a bar; NaN for a window of 1.

    TA-Lib's LINEARREG_SLOPE. Parameters and errors as for `rolling_sum`.

    Examples
    --------
    >>> slope([1.0, 3.0, 5.0, 6.0], 3)
    array([nan, nan, 2. , 1.5])
    """
    return compute(rolling.rolling_slope, {"x": x}, {"window": window})[0]


def rolling_beta(x: npt.ArrayLike, y: npt.ArrayLike, window: Window) -> FloatArray:
    """Covariance of `x` and `y` over the variance of `y` in the last `window` bars: the slope of `x` on `y`.

    Give returns of an asset and of its benchmark for a market beta, log prices of a pair for a hedge ratio. (TA-Lib's
    BETA is another quantity: it takes prices.) NaN where `y` does not vary.

    Parameters
    ----------
    x, y : array_like
        (T,), (T, 1) or (T, N). A bar counts if both have it.
    window : int or array_like of int
        Bars, at least 1 (2 for an answer); one for all columns or one for each.

    Raises
    ------
    DataError
        As for `rolling_sum`, or if the shapes do not fit.

    Examples
    --------
    >>> rolling_beta([1.0, 3.0, 5.0], [0.0, 1.0, 2.0], 3)
    array([nan, nan,  2.])
    """
    return compute(rolling.rolling_beta, {"x": x, "y": y}, {"window": window})[0]


def rolling_correlation(x: npt.ArrayLike, y: npt.ArrayLike, window: Window) -> FloatArray:
    """Pearson correlation of `x` and `y` over the last `window` bars, -1 to 1; NaN where one does not vary.

    Parameters and errors as for `rolling_beta`.

    Examples
    --------
    >>> rolling_correlation([1.0, 3.0, 5.0], [2.0, 1.0, 0.0], 3)
    array([nan, nan, -1.])
    """
    return compute(rolling.rolling_correlation, {"x": x, "y": y}, {"window": window})[0]
