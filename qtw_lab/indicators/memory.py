"""How many bars an indicator remembers.

An average that never forgets has to be started somewhere, and a live engine starts it at the edge of its window. With
weight w of each new value, two averages of the same prices that were started differently stand
``(1 - w) ** k`` of their first distance apart after k bars. That distance is at most the price itself, so that after

    k = ceil(ln(1e-9) / ln(1 - w))

bars less than 1e-9 of a price is left. The functions here add the bars the first value itself needs. A window of that
many last bars decides as the whole history does, unless two numbers are equal to nine digits.

Where one average feeds another (the signal of MACD, ADX), the inner one must have forgotten first, so that the bars add
up. The bound on RSI, ADX and ATR is in units of the moves at the start of the window; only a market whose moves shrink
by orders of magnitude within the window remembers longer.
"""

from __future__ import annotations

import math
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from qtw_lab.indicators.columns import IntArray, whole

#: What is left of the start, as a fraction, once it counts as forgotten.
FORGOTTEN = 1e-9

#: A whole number for a whole number, an array (K,) for an array (K,).
W = TypeVar("W", int, IntArray)


def ema_memory(window: W) -> W:
    """Bars after which an `ema` no longer knows how it was started: the first value plus ``ln 1e-9 / ln(1 - w)``.

    Parameters
    ----------
    window : int or ndarray of int
        Span of the average, (K,) if an array; the weight is ``2 / (window + 1)``.

    Returns
    -------
    int or ndarray of int64
        As given.

    Raises
    ------
    DataError
        If a window is not a whole number of at least 1.

    Examples
    --------
    >>> ema_memory(1), ema_memory(10)
    (1, 114)
    >>> ema_memory(np.array([1, 10]))
    array([  1, 114])
    """
    n = whole("window", window)
    return cast("W", _memory(n, 2.0 / (n + 1.0)))


def wilder_memory(window: W) -> W:
    """Bars after which `wilder` no longer knows how it was started; the weight is ``1 / window``.

    Parameters and errors as for `ema_memory`.

    Examples
    --------
    >>> wilder_memory(14)
    294
    """
    n = whole("window", window)
    return cast("W", _memory(n, 1.0 / n))


def kama_memory(window: W, slow: W | int = 30) -> W:
    """Bars after which `kama` no longer knows how it was started, in the worst case of no efficiency at all.

    The least weight is ``(2 / (slow + 1)) ** 2``: 4,969 bars beyond the first value for the usual 30. Parameters and
    errors as for `ema_memory`.

    Examples
    --------
    >>> kama_memory(10)
    4980
    """
    first = np.add(whole("window", window), 1)
    return cast("W", _memory(first, (2.0 / (whole("slow", slow) + 1.0)) ** 2))


def rsi_memory(window: W) -> W:
    """Bars after which `rsi` no longer knows how it was started: Wilder's averages of moves, and the move's first bar.

    Parameters and errors as for `ema_memory`.

    Examples
    --------
    >>> rsi_memory(14)
    295
    """
    return wilder_memory(window) + 1


def atr_memory(window: W) -> W:
    """Bars after which `atr` no longer knows how it was started; as `rsi_memory`.

    Parameters and errors as for `ema_memory`.

    Examples
    --------
    >>> atr_memory(14)
    295
    """
    return wilder_memory(window) + 1


def adx_memory(window: W) -> W:
    """Bars after which `adx` no longer knows how it was started: Wilder's sums of moves, then the average of the index.

    Parameters and errors as for `ema_memory`.

    Examples
    --------
    >>> adx_memory(14)
    589
    """
    return 2 * wilder_memory(window) + 1


def macd_memory(slow: W, signal: W) -> W:
    """Bars after which `macd` no longer knows how it was started: the slow average, then the signal.

    Parameters and errors as for `ema_memory`.

    Examples
    --------
    >>> macd_memory(26, 9)
    398
    """
    return ema_memory(slow) + ema_memory(signal)


def keltner_memory(window: W) -> W:
    """Bars after which `keltner` no longer knows how it was started: its average range forgets last.

    Parameters and errors as for `ema_memory`.

    Examples
    --------
    >>> keltner_memory(20)
    426
    """
    return atr_memory(window)


def _memory(first: IntArray, weight: npt.ArrayLike) -> int | IntArray:
    """Bars the first value needs, and those until less than `FORGOTTEN` of it is left (none if the weight is 1)."""
    share = np.asarray(weight, dtype=np.float64)
    kept = np.where(share >= 1.0, -0.5, -share)  # any value below 0: that branch is not used
    fading = np.where(share >= 1.0, 0.0, np.ceil(math.log(FORGOTTEN) / np.log1p(kept)))
    bars = np.add(first, fading).astype(np.int64)
    return bars if bars.ndim else int(bars)
