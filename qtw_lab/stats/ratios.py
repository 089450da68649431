"""Reward against risk, and the shape of the distribution, from the returns alone."""

from __future__ import annotations

import numpy as np

from qtw_lab.stats.columns import Figure, FloatArray, Returns, columns, deviation, number, ratio
from qtw_lab.stats.risk import quantile, standard_moment, tail


def volatility(returns: Returns, periods_per_year: float | None = None) -> Figure:
    """Standard deviation (ddof 1) of the returns times the root of the bars a year, as a fraction; NaN for one bar.

    Parameters
    ----------
    returns : array_like, Series or DataFrame
        Simple returns of each bar as fractions, (T,) or (T, K), finite.
    periods_per_year : float, optional
        Bars a year. Needed for plain numbers; a Series or DataFrame with times says it itself (252 for daily bars).

    Returns
    -------
    float, ndarray or Series
        A float for one series, (K,) for an array of columns, a Series by column for a DataFrame.

    Raises
    ------
    DataError
        If the returns are empty, not numeric, or somewhere NaN or infinite, or nothing says how many bars make a year.

    Examples
    --------
    >>> round(volatility([0.01, 0.03], periods_per_year=252), 4)
    0.2245
    """
    given = columns(returns)
    return given.answer(deviation(given.values) * np.sqrt(given.yearly(periods_per_year)))


def sharpe_ratio(returns: Returns, periods_per_year: float | None = None, risk_free: float = 0.0) -> Figure:
    """Mean over standard deviation (ddof 1) of the returns above the risk-free rate, times the root of the bars a year.

    NaN for one bar and for returns that never vary. Sharpe, "The Sharpe Ratio" (1994); scaling by the root assumes that
    returns are not correlated in time.

    Parameters
    ----------
    returns, periods_per_year
        As for `volatility`.
    risk_free : float
        Rate a year as a fraction; a bar earns ``risk_free / periods_per_year``.

    Returns
    -------
    float, ndarray or Series
        Ratio a year, in the shape `volatility` has.

    Raises
    ------
    DataError
        As for `volatility`, or if the rate is not finite.

    Examples
    --------
    >>> round(sharpe_ratio([0.01, 0.03], periods_per_year=252), 4)
    22.4499
    """
    given = columns(returns)
    yearly = given.yearly(periods_per_year)
    mean = given.values.mean(axis=0) - number("risk_free", risk_free) / yearly
    return given.answer(ratio(mean, deviation(given.values)) * np.sqrt(yearly))


def sortino_ratio(returns: Returns, periods_per_year: float | None = None, target: float = 0.0) -> Figure:
    """Mean return above a target over the downside deviation from it, times the root of the bars a year.

    The downside deviation is ``sqrt(mean(min(r - target, 0) ** 2))`` over all bars, gains counted as 0. NaN if no bar
    falls short. Sortino and Price, "Performance Measurement in a Downside Risk Framework" (1994).

    Parameters
    ----------
    returns, periods_per_year
        As for `volatility`.
    target : float
        Return wanted a year as a fraction; of a bar, ``target / periods_per_year`` is wanted.

    Returns
    -------
    float, ndarray or Series
        Ratio a year, in the shape `volatility` has.

    Raises
    ------
    DataError
        As for `volatility`, or if the target is not finite.

    Examples
    --------
    >>> round(sortino_ratio([0.03, -0.01], periods_per_year=2), 4)
    2.0
    """
    given = columns(returns)
    yearly = given.yearly(periods_per_year)
    excess = given.values - number("target", target) / yearly
    short = np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2, axis=0))
    return given.answer(ratio(excess.mean(axis=0), short) * np.sqrt(yearly))


def omega_ratio(returns: Returns, threshold: float = 0.0) -> Figure:
    """Sum of what returns exceed a threshold by, over the sum of what they fall short of it by.

    Infinite if none falls short, NaN if moreover none exceeds it. Keating and Shadwick, "A Universal Performance
    Measure" (2002). Returns, shape and errors as for `volatility`.

    Parameters
    ----------
    returns
        As for `volatility`.
    threshold : float
        Return of one bar, as a fraction.

    Examples
    --------
    >>> round(omega_ratio([0.03, -0.01, -0.01]), 4)
    1.5
    """
    given = columns(returns)
    excess = given.values - number("threshold", threshold)
    return given.answer(_gain_to_loss(np.maximum(excess, 0.0).sum(axis=0), np.maximum(-excess, 0.0).sum(axis=0)))


def value_at_risk(returns: Returns, level: float = 0.95, method: str = "historical") -> Figure:
    """The return that one bar undercuts with probability ``1 - level``: negative for a loss.

    By default the empirical quantile of the returns, interpolated linearly (Hyndman and Fan, 1996, type 7). Returns,
    shape and errors as for `volatility`.

    Parameters
    ----------
    returns
        As for `volatility`.
    level : float
        Confidence, strictly between 0 and 1.
    method : str
        "historical", "gaussian", "cornish_fisher" (NaN outside its domain) or "filtered" (of the bar after the last, by
        exponentially weighted volatility; NaN for no more than 20 bars); `risk.tail` says how each is computed.

    Examples
    --------
    >>> round(value_at_risk(np.arange(-10, 11) / 100), 4)
    -0.09
    >>> round(value_at_risk(np.arange(-10, 11) / 100, method="gaussian"), 4)
    -0.1021
    """
    given = columns(returns)
    return given.answer(tail(given.values, level, method).edge)


def expected_shortfall(returns: Returns, level: float = 0.95, method: str = "historical") -> Figure:
    """Mean of the returns at or below `value_at_risk`: negative for a loss.

    Acerbi and Tasche, "On the Coherence of Expected Shortfall" (2002). Parameters, shape and errors as for
    `value_at_risk`.

    Examples
    --------
    >>> round(expected_shortfall(np.arange(-10, 11) / 100), 4)
    -0.095
    """
    given = columns(returns)
    return given.answer(tail(given.values, level, method).mean)


def tail_ratio(returns: Returns) -> Figure:
    """Size of the 95% quantile over that of the 5% quantile: above 1 if the large gains exceed the large losses.

    NaN if the 5% quantile is zero. Returns, shape and errors as for `volatility`.

    Examples
    --------
    >>> round(tail_ratio([-0.02, 0.0, 0.06]), 4)
    3.0
    """
    given = columns(returns)
    return given.answer(ratio(np.abs(quantile(given.values, 0.95)), np.abs(quantile(given.values, 0.05))))


def skewness(returns: Returns) -> Figure:
    """Third standardised moment of the sample, not corrected for its size; NaN for returns that never vary.

    Returns, shape and errors as for `volatility`.

    Examples
    --------
    >>> round(skewness([0.0, 0.0, 0.03]), 4)
    0.7071
    """
    given = columns(returns)
    return given.answer(standard_moment(given.values, 3))


def kurtosis(returns: Returns) -> Figure:
    """Fourth standardised moment of the sample less 3, not corrected for its size: 0 for a normal distribution.

    NaN for returns that never vary. Returns, shape and errors as for `volatility`.

    Examples
    --------
    >>> kurtosis([-0.01, 0.01])
    -2.0
    """
    given = columns(returns)
    return given.answer(standard_moment(given.values, 4) - 3.0)


def hit_rate(returns: Returns) -> Figure:
    """Share of gains among the bars that gained or lost; NaN if none did. Bars of no return (no position) do not count.

    Returns, shape and errors as for `volatility`.

    Examples
    --------
    >>> round(hit_rate([0.01, 0.0, 0.02, -0.01]), 4)
    0.6667
    """
    given = columns(returns)
    return given.answer(ratio((given.values > 0.0).sum(axis=0), (given.values != 0.0).sum(axis=0)))


def best(returns: Returns) -> Figure:
    """Largest return of a bar. Returns, shape and errors as for `volatility`.

    Examples
    --------
    >>> best([0.01, -0.02])
    0.01
    """
    given = columns(returns)
    return given.answer(given.values.max(axis=0))


def worst(returns: Returns) -> Figure:
    """Smallest return of a bar. Returns, shape and errors as for `volatility`.

    Examples
    --------
    >>> worst([0.01, -0.02])
    -0.02
    """
    given = columns(returns)
    return given.answer(given.values.min(axis=0))


def _gain_to_loss(gains: FloatArray, losses: FloatArray) -> FloatArray:
    """Gains over losses, both sizes; infinite without losses, NaN with neither."""
    return np.asarray(np.where((losses == 0.0) & (gains > 0.0), np.inf, ratio(gains, losses)), dtype=np.float64)
