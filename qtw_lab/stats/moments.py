"""Performance figures of many accounts from running sums of their equity, without the equity itself.

A sweep measures thousands of accounts and keeps no path of any. What the figures of `stats.performance` need of a path
fits in a few numbers, its `Moments`; the functions here turn them into the same figures by the same definitions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray, deviation, number, numeric, ratio


@dataclass(frozen=True, slots=True)
class Moments:
    """What K equity paths of T bars come to.

    The return of a bar is ``equity / equity before - 1``, the first one against the starting money; it counts as 0
    while the equity before is not above zero.

    Parameters
    ----------
    bars : int
        T, at least 1.
    start : float
        Money at the start, above 0, in account currency.
    last : ndarray, (K,)
        Equity at the last bar.
    gains : ndarray, (K,)
        Sum of the returns.
    squares : ndarray, (K,)
        Sum of the squared deviations of the returns from their mean; exactly 0 where they are equal but for rounding.
    shortfalls : ndarray, (K,)
        Sum of the squares of the negative returns.
    worst : ndarray, (K,)
        Deepest drawdown from the highest equity before, the start included, as a negative fraction, or 0.
    equity : ndarray, (K,)
        Sum of the equity over all bars.

    Examples
    --------
    >>> m = Moments.of(np.array([[110.0, 99.0]]), 100.0)
    >>> round(float(total_return(m)[0]), 10), round(float(max_drawdown(m)[0]), 10)
    (-0.01, -0.1)
    """

    bars: int
    start: float
    last: FloatArray
    gains: FloatArray
    squares: FloatArray
    shortfalls: FloatArray
    worst: FloatArray
    equity: FloatArray

    @classmethod
    def of(cls, equity: npt.ArrayLike, start: float) -> Moments:
        """The moments of equity paths (K, T), in plain NumPy: what compiled code is checked against.

        Raises
        ------
        DataError
            If the paths are not numbers of shape (K, T) with T at least 1, or `start` is not above 0.
        """
        paths = numeric(equity, "Equity paths")
        if paths.ndim != 2 or not paths.shape[1] or not np.isfinite(paths).all():
            raise DataError(
                f"Equity paths must be finite numbers of shape (accounts, bars), not {paths.dtype} {paths.shape}."
            )
        if number("start", start) <= 0.0:
            raise DataError(f"The starting money must be a finite amount above 0, not {start!r}.")
        before = np.column_stack([np.full(len(paths), float(start)), paths[:, :-1]])
        returns = np.where(before > 0.0, paths / np.where(before > 0.0, before, 1.0) - 1.0, 0.0)
        spread = deviation(returns.T) if paths.shape[1] > 1 else np.zeros(len(paths))
        peak = np.maximum(np.maximum.accumulate(paths, axis=1), start)
        return cls(
            bars=paths.shape[1], start=float(start), last=paths[:, -1].astype(np.float64), gains=returns.sum(axis=1),
            squares=spread**2 * (paths.shape[1] - 1), shortfalls=(np.minimum(returns, 0.0) ** 2).sum(axis=1),
            worst=(paths / peak).min(axis=1) - 1.0, equity=paths.sum(axis=1, dtype=np.float64),
        )  # fmt: skip


def total_return(moments: Moments) -> FloatArray:
    """Growth of one unit of capital over all bars, as a fraction, (K,): `performance.total_return`.

    Examples
    --------
    >>> total_return(Moments.of([[150.0, 120.0]], 100.0)).round(10)
    array([0.2])
    """
    return moments.last / moments.start - 1.0


def cagr(moments: Moments, periods_per_year: float) -> FloatArray:
    """Compound annual growth rate, (K,); -1 if nothing is left: `performance.cagr`.

    Parameters
    ----------
    moments : Moments
        Of K accounts.
    periods_per_year : float
        Bars a year.

    Raises
    ------
    DataError
        If the bars a year are not a positive, finite number.

    Examples
    --------
    >>> cagr(Moments.of([[110.0, 121.0], [50.0, -1.0]], 100.0), 1.0).round(10)
    array([ 0.1, -1. ])
    """
    wealth = moments.last / moments.start
    years = moments.bars / _bars_a_year(periods_per_year)
    return np.asarray(np.where(wealth > 0.0, np.maximum(wealth, 1e-300) ** (1.0 / years), 0.0) - 1.0)


def volatility(moments: Moments, periods_per_year: float) -> FloatArray:
    """Standard deviation (ddof 1) of the returns times the root of the bars a year, (K,); NaN for one bar.

    `performance.volatility`; parameters as for `cagr`.

    Examples
    --------
    >>> volatility(Moments.of([[101.0, 104.03]], 100.0), 252.0).round(4)
    array([0.2245])
    """
    return _deviation(moments) * math.sqrt(_bars_a_year(periods_per_year))


def sharpe_ratio(moments: Moments, periods_per_year: float) -> FloatArray:
    """Mean over standard deviation of the returns, times the root of the bars a year, (K,).

    NaN for one bar and for returns that never vary: `performance.sharpe_ratio` without a risk-free rate. Parameters as
    for `cagr`.

    Examples
    --------
    >>> sharpe_ratio(Moments.of([[101.0, 104.03], [100.0, 100.0]], 100.0), 252.0).round(4)
    array([22.4499,     nan])
    """
    return ratio(moments.gains / moments.bars, _deviation(moments)) * math.sqrt(_bars_a_year(periods_per_year))


def sortino_ratio(moments: Moments, periods_per_year: float) -> FloatArray:
    """Mean return over the downside deviation from 0, times the root of the bars a year, (K,); NaN if no bar lost.

    `performance.sortino_ratio` with a target of 0; parameters as for `cagr`.

    Examples
    --------
    >>> sortino_ratio(Moments.of([[103.0, 101.97]], 100.0), 2.0).round(4)
    array([2.])
    """
    short = np.sqrt(moments.shortfalls / moments.bars)
    return ratio(moments.gains / moments.bars, short) * math.sqrt(_bars_a_year(periods_per_year))


def max_drawdown(moments: Moments) -> FloatArray:
    """Deepest drawdown as a negative fraction, (K,); 0 if capital never fell: `performance.max_drawdown`.

    Examples
    --------
    >>> max_drawdown(Moments.of([[75.0, 82.5]], 100.0))
    array([-0.25])
    """
    return moments.worst


def calmar_ratio(moments: Moments, periods_per_year: float) -> FloatArray:
    """`cagr` over the size of `max_drawdown`, (K,); NaN without a drawdown: `performance.calmar_ratio`.

    Parameters as for `cagr`.

    Examples
    --------
    >>> calmar_ratio(Moments.of([[150.0, 112.5, 135.0]], 100.0), 3.0).round(4)
    array([1.4])
    """
    return ratio(cagr(moments, periods_per_year), -moments.worst)


def mean_equity(moments: Moments) -> FloatArray:
    """Mean equity over all bars in account currency, (K,).

    Examples
    --------
    >>> mean_equity(Moments.of([[110.0, 99.0]], 100.0))
    array([104.5])
    """
    return moments.equity / moments.bars


def _bars_a_year(periods_per_year: float) -> float:
    if number("periods_per_year", periods_per_year) <= 0.0:
        raise DataError(f"periods_per_year={periods_per_year!r} must be a positive, finite number of bars a year.")
    return float(periods_per_year)


def _deviation(moments: Moments) -> FloatArray:
    """Sample standard deviation of the returns; NaN for one bar."""
    if moments.bars < 2:
        return np.full(moments.last.shape, np.nan)
    return np.sqrt(moments.squares / (moments.bars - 1))
