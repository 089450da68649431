"""Returns beside those of a benchmark."""

from __future__ import annotations

import numpy as np

from qtw_lab.stats.columns import Figure, FloatArray, Returns, beside, columns, deviation, number, ratio


def beta(returns: Returns, benchmark: Returns) -> Figure:
    """Covariance of the returns with the benchmark's over the variance of the benchmark's.

    NaN for one bar and for a benchmark that never varies.

    Parameters
    ----------
    returns, benchmark : array_like, Series or DataFrame
        Simple returns of each bar as fractions, (T,) or (T, K), finite; the benchmark on the same bars, one column or
        one for each.

    Returns
    -------
    float, ndarray or Series
        A float for one series, (K,) for an array of columns, a Series by column for a DataFrame.

    Raises
    ------
    DataError
        If either is empty, not numeric, or somewhere NaN or infinite, or the two are not of the same bars.

    Examples
    --------
    >>> round(beta([0.02, -0.02, 0.04], [0.01, -0.01, 0.02]), 4)
    2.0
    """
    given = columns(returns)
    return given.answer(_slope(given.values, beside(given, benchmark)))


def correlation(returns: Returns, benchmark: Returns) -> Figure:
    """Pearson's correlation with the benchmark, -1 to 1; NaN for one bar and where either never varies.

    Parameters, shape and errors as for `beta`.

    Examples
    --------
    >>> round(correlation([0.02, -0.02, 0.04], [0.01, -0.01, 0.02]), 4)
    1.0
    """
    given = columns(returns)
    market = beside(given, benchmark)
    away, apart = given.values - given.values.mean(axis=0), market - market.mean(axis=0)
    spread = np.sqrt((away**2).sum(axis=0)) * np.sqrt((apart**2).sum(axis=0))
    varies = (deviation(given.values) > 0.0) & (deviation(market) > 0.0)
    found = ratio((away * apart).sum(axis=0), np.where(varies, spread, np.nan))
    return given.answer(np.clip(found, -1.0, 1.0))  # rounding may exceed one


def alpha(
    returns: Returns, benchmark: Returns, periods_per_year: float | None = None, risk_free: float = 0.0
) -> Figure:
    """Jensen's alpha: mean return a year beyond what `beta` times the benchmark's excess return explains.

    ``periods_per_year x (mean(r - f) - beta x mean(b - f))`` with ``f = risk_free / periods_per_year``; arithmetic, not
    compounded. NaN where beta is. Jensen, "The Performance of Mutual Funds in the Period 1945-1964" (1968).

    Parameters
    ----------
    returns, benchmark
        As for `beta`.
    periods_per_year : float, optional
        Bars a year. Needed for plain numbers; a Series or DataFrame with times says it itself (252 for daily bars).
    risk_free : float
        Rate a year, as a fraction.

    Raises
    ------
    DataError
        As for `beta`, or if nothing says how many bars make a year.

    Examples
    --------
    >>> round(alpha([0.021, -0.019, 0.041], [0.01, -0.01, 0.02], periods_per_year=252), 4)
    0.252
    """
    given = columns(returns)
    yearly, market = given.yearly(periods_per_year), beside(given, benchmark)
    rate = number("risk_free", risk_free) / yearly
    explained = _slope(given.values, market) * (market.mean(axis=0) - rate)
    return given.answer(yearly * (given.values.mean(axis=0) - rate - explained))


def tracking_error(returns: Returns, benchmark: Returns, periods_per_year: float | None = None) -> Figure:
    """Standard deviation (ddof 1) of the difference to the benchmark times the root of the bars a year, a fraction.

    Parameters and errors as for `alpha`.

    Examples
    --------
    >>> round(tracking_error([0.02, 0.03], [0.01, 0.0], periods_per_year=252), 4)
    0.2245
    """
    given = columns(returns)
    apart = given.values - beside(given, benchmark)
    return given.answer(deviation(apart) * np.sqrt(given.yearly(periods_per_year)))


def information_ratio(returns: Returns, benchmark: Returns, periods_per_year: float | None = None) -> Figure:
    """Mean over standard deviation (ddof 1) of the difference to the benchmark, times the root of the bars a year.

    NaN for one bar and for a difference that never varies. Grinold and Kahn, "Active Portfolio Management" (1999).
    Parameters and errors as for `alpha`.

    Examples
    --------
    >>> round(information_ratio([0.02, 0.03], [0.01, 0.0], periods_per_year=252), 4)
    22.4499
    """
    given = columns(returns)
    apart = given.values - beside(given, benchmark)
    return given.answer(ratio(apart.mean(axis=0), deviation(apart)) * np.sqrt(given.yearly(periods_per_year)))


def _slope(values: FloatArray, market: FloatArray) -> FloatArray:
    """Covariance over variance, down the columns; NaN where the market never varies."""
    away = market - market.mean(axis=0)
    covariance = ((values - values.mean(axis=0)) * away).sum(axis=0)
    variance = np.where(deviation(market) > 0.0, (away**2).sum(axis=0), np.nan)
    return np.asarray(covariance / variance, dtype=np.float64)
