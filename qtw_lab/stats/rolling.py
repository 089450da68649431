"""Figures of the last bars at every bar: each is the plain figure of its window, nothing after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from qtw_lab.stats.columns import FloatArray, Returns, beside, columns, whole
from qtw_lab.stats.growth import max_drawdown
from qtw_lab.stats.ratios import sharpe_ratio, sortino_ratio, value_at_risk, volatility
from qtw_lab.stats.relative import beta, correlation

#: Numbers of overlapping windows that are worked on at once, to bound the memory of long windows.
_BLOCK: Final = 1_000_000


def rolling_volatility(returns: Returns, window: int, periods_per_year: float | None = None) -> Any:
    """`volatility` of the last `window` bars at every bar, a fraction a year; NaN until there are that many.

    Parameters
    ----------
    returns : array_like, Series or DataFrame
        Simple returns of each bar as fractions, (T,) or (T, K), finite.
    window : int
        Bars, at least 2.
    periods_per_year : float, optional
        Bars a year. Needed for plain numbers; a Series or DataFrame with times says it itself (252 for daily bars).

    Returns
    -------
    ndarray, Series or DataFrame
        In the shape and with the labels of `returns`.

    Raises
    ------
    DataError
        If the returns are empty, not numeric, or somewhere NaN or infinite, nothing says how many bars make a year, or
        the window is not a whole number of at least 2.

    Examples
    --------
    >>> rolling_volatility([0.01, 0.03, 0.03], 2, periods_per_year=252).round(4)
    array([   nan, 0.2245, 0.    ])
    """
    yearly = columns(returns).yearly(periods_per_year)
    return _rolling(lambda r: volatility(r, yearly), returns, window)


def rolling_sharpe(returns: Returns, window: int, periods_per_year: float | None = None, risk_free: float = 0.0) -> Any:
    """`sharpe_ratio` of the last `window` bars at every bar; NaN until there are that many, and where they are equal.

    Parameters, shape and errors as for `rolling_volatility`, and `risk_free` as for `sharpe_ratio`.

    Examples
    --------
    >>> rolling_sharpe([0.01, 0.03, 0.01], 2, periods_per_year=252).round(2)
    array([  nan, 22.45, 22.45])
    """
    yearly = columns(returns).yearly(periods_per_year)
    return _rolling(lambda r: sharpe_ratio(r, yearly, risk_free), returns, window)


def rolling_sortino(returns: Returns, window: int, periods_per_year: float | None = None, target: float = 0.0) -> Any:
    """`sortino_ratio` of the last `window` bars at every bar; NaN until there are that many, and where none fell short.

    Parameters, shape and errors as for `rolling_volatility`, and `target` as for `sortino_ratio`.

    Examples
    --------
    >>> rolling_sortino([0.03, -0.01, 0.03], 2, periods_per_year=2).round(2)
    array([nan,  2.,  2.])
    """
    yearly = columns(returns).yearly(periods_per_year)
    return _rolling(lambda r: sortino_ratio(r, yearly, target), returns, window)


def rolling_drawdown(returns: Returns, window: int) -> Any:
    """`max_drawdown` within the last `window` bars at every bar, 0 or negative; NaN until there are that many.

    Capital before the window's first bar counts as its first peak; higher capital of earlier times is forgotten.
    Parameters, shape and errors as for `rolling_volatility`.

    Examples
    --------
    >>> rolling_drawdown([-0.5, 0.1, -0.2], 2).round(2)
    array([ nan, -0.5, -0.2])
    """
    return _rolling(max_drawdown, returns, window)


def rolling_value_at_risk(returns: Returns, window: int, level: float = 0.95, method: str = "historical") -> Any:
    """`value_at_risk` of the last `window` bars at every bar; NaN until there are that many.

    What is known after a bar forecasts the next one: shift it by one before testing it with `var_coverage_test`.
    Parameters, shape and errors as for `rolling_volatility`, and `level` and `method` as for `value_at_risk`.

    Examples
    --------
    >>> rolling_value_at_risk([-0.01, 0.01, 0.03], 2, level=0.5).round(4)
    array([ nan, 0.  , 0.02])
    """
    return _rolling(lambda r: value_at_risk(r, level, method), returns, window)


def rolling_beta(returns: Returns, benchmark: Returns, window: int) -> Any:
    """`beta` of the last `window` bars at every bar; NaN until there are that many, and where the benchmark is still.

    Parameters
    ----------
    returns, benchmark
        As for `beta`.
    window : int
        Bars, at least 2.

    Returns
    -------
    ndarray, Series or DataFrame
        In the shape and with the labels of `returns`.

    Raises
    ------
    DataError
        As for `beta`, or if the window is not a whole number of at least 2.

    Examples
    --------
    >>> rolling_beta([0.02, -0.02, 0.01], [0.01, -0.01, 0.02], 2).round(2)
    array([nan,  2.,  1.])
    """
    return _rolling(beta, returns, window, beside(columns(returns), benchmark))


def rolling_correlation(returns: Returns, benchmark: Returns, window: int) -> Any:
    """`correlation` with a benchmark over the last `window` bars at every bar; NaN until there are that many.

    NaN also where either never varies within the window. Parameters, shape and errors as for `rolling_beta`.

    Examples
    --------
    >>> rolling_correlation([0.02, -0.02, 0.01], [0.01, -0.01, -0.02], 2).round(2)
    array([nan,  1., -1.])
    """
    return _rolling(correlation, returns, window, beside(columns(returns), benchmark))


def _rolling(figure: Callable[..., Any], returns: Returns, window: int, *others: FloatArray) -> Any:
    """The figure of every window, with all windows of a column given to it side by side as columns of their own."""
    given = columns(returns)
    whole("window", window, 2)
    bars, count = given.values.shape
    found = np.full((bars, count), np.nan)
    if window > bars:
        return given.paths(found)
    step = max(1, _BLOCK // int(window))
    for k in range(count):
        tables = (given.values, *others)
        views = [sliding_window_view(table[:, min(k, table.shape[1] - 1)], int(window)).T for table in tables]
        for first in range(0, bars - window + 1, step):
            block = [view[:, first : first + step] for view in views]
            found[window - 1 + first : window - 1 + first + step, k] = figure(*block)
    return given.paths(found)
