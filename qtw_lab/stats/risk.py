"""How much a bad bar may lose, by four methods, and whether such forecasts held."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray, Returns, columns, deviation, number, numeric, ratio, whole

_NORMAL: Final = NormalDist()

#: Weight of the former variance in the next one, of daily returns (RiskMetrics Technical Document, 1996).
DECAY: Final = 0.94

#: Bars whose mean square starts the variance of the filtered method; they give no residual themselves.
_START: Final = 20

#: A volatility below this share of the largest comes of bars without any move: residuals of it say nothing.
_STILL: Final = 0.01

#: Deviations within which the Cornish-Fisher quantile must rise; a normal bar in 1.7 million lies outside.
_WITHIN: Final = 5.0


@dataclass(frozen=True, slots=True)
class Tail:
    """The bad end of the distribution of one bar's return, by column.

    Parameters
    ----------
    edge : ndarray, (K,)
        Value at risk: the return undercut with probability ``1 - level``; negative for a loss.
    mean : ndarray, (K,)
        Expected shortfall: the mean return at or below the edge.
    """

    edge: FloatArray
    mean: FloatArray


def tail(values: FloatArray, level: float, method: str) -> Tail:
    """Value at risk and expected shortfall of the columns by the method named; `METHODS` lists them.

    Parameters
    ----------
    values : ndarray, (T, K)
        Simple returns of each bar as fractions, finite.
    level : float
        Confidence, strictly between 0 and 1.
    method : str
        "historical": the empirical quantile (linear interpolation), and the mean of the returns at or below it.
        "gaussian": those of the normal distribution with the sample's mean and deviation (ddof 1); NaN for one bar.
        "cornish_fisher": the normal quantile bent by sample skewness and kurtosis (Favre and Galeano, 2002), the
        shortfall by integrating it; NaN where the bent quantile would not rise with the normal one within 5 deviations
        (Maillard, "A User's Guide to the Cornish Fisher Expansion", 2012, asks so of the whole line, which excludes
        samples that are all but normal), for one bar and for returns that never vary.
        "filtered": historical simulation of the next bar, with past returns brought to the volatility forecast for it
        by `rescaled` (Hull and White, 1998; Barone-Adesi, Giannopoulos and Vosper, 1999); NaN where that is.

    Returns
    -------
    Tail
        Figures by column.

    Raises
    ------
    DataError
        If the values are not such a table, the level is no probability or there is no such method.

    Examples
    --------
    >>> tail(np.arange(-10, 11)[:, None] / 100, 0.95, "gaussian").edge.round(4)
    array([-0.1021])
    """
    if not isinstance(method, str) or method not in METHODS:
        raise DataError(f"method={method!r} is unknown; it can be {', '.join(METHODS)}.")
    return METHODS[method](_table(values), _share(level))


def rescaled(values: FloatArray, decay: float = DECAY) -> FloatArray:
    """Returns of the past at the volatility forecast for the bar after the last, (T - 20, K); NaN where it is unknown.

    Each return is divided by the volatility known before it and multiplied by the forecast (Hull and White,
    "Incorporating Volatility Updating into the Historical Simulation Method for Value-at-Risk", 1998). The variance is
    ``decay x variance + (1 - decay) x return ** 2``, means taken as zero, and starts with the mean square of the first
    20 bars, which give no residual. A column is NaN if there are no more bars than those, or if the volatility ever
    falls to a hundredth of its largest: the returns of an account that was long out of the market have no residuals.

    Parameters
    ----------
    values : ndarray, (T, K)
        Simple returns of each bar as fractions, finite.
    decay : float
        Strictly between 0 and 1; 0.94 for daily bars.

    Raises
    ------
    DataError
        If the values are not such a table, or the decay is not strictly between 0 and 1.

    Examples
    --------
    >>> steady = np.tile([0.01, -0.01], 15)[:, None]
    >>> rescaled(steady)[:2, 0].round(6)
    array([ 0.01, -0.01])
    """
    weight = _share(decay, "decay")
    values = _table(values)
    if values.shape[0] <= _START:
        return np.full((1, values.shape[1]), np.nan)
    squares = np.vstack([np.mean(values[:_START] ** 2, axis=0), values[_START:] ** 2])
    variance = pd.DataFrame(squares).ewm(alpha=1.0 - weight, adjust=False).mean().to_numpy()
    volatility = np.sqrt(variance)
    moves = volatility.min(axis=0) > _STILL * volatility.max(axis=0)
    volatility = np.where(moves, volatility, np.nan)
    return np.asarray(values[_START:] / volatility[:-1] * volatility[-1], dtype=np.float64)


def standard_moment(values: FloatArray, order: int) -> FloatArray:
    """Mean of ``((r - mean) / population deviation) ** order`` down the columns, (K,); NaN for equal numbers.

    Parameters
    ----------
    values : ndarray, (T, K)
        Numbers, finite.
    order : int
        3 for the skewness, 4 for the kurtosis (3 for a normal distribution).

    Raises
    ------
    DataError
        If the values are not such a table, or the order is no whole number.

    Examples
    --------
    >>> standard_moment(np.array([[-1.0], [1.0]]), 4)
    array([1.])
    """
    power, values = whole("order", order), _table(values)
    away = values - values.mean(axis=0)
    spread = np.where(deviation(values) > 0.0, np.sqrt(np.mean(away**2, axis=0)), np.nan)
    return np.asarray(np.mean((away / spread) ** power, axis=0), dtype=np.float64)


def quantile(values: FloatArray, share: float) -> FloatArray:
    """Empirical quantile down the columns, (K,), interpolated linearly (Hyndman and Fan, 1996, type 7).

    NaN for a column that has one.

    Parameters
    ----------
    values : ndarray, (T, K)
        Numbers, finite or NaN.
    share : float
        From 0 to 1.

    Raises
    ------
    DataError
        If there are no numbers, or the share is not from 0 to 1.

    Examples
    --------
    >>> quantile(np.array([[1.0], [2.0]]), 0.25)
    array([1.25])
    """
    if not 0.0 <= number("share", share) <= 1.0:
        raise DataError(f"share={share!r} must lie from 0 to 1, such as 0.05.")
    return np.asarray(np.quantile(_table(values, gaps=True), share, axis=0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class CoverageTest:
    """Whether losses beyond a value at risk came as often as it said, and apart from each other.

    Statistics are likelihood ratios. A small p-value speaks against the forecasts; a large one does not prove them.

    Parameters
    ----------
    bars, breaches : int
        Bars tested, and those with a return below the forecast.
    expected : float
        Breaches that the level lets expect.
    frequency, frequency_p : float
        Of Kupiec's test that the share of breaches is ``1 - level``; chi-square with 1 degree of freedom.
    independence, independence_p : float
        Of Christoffersen's test that a breach is as likely after a breach as after none; 1 degree of freedom. NaN
        where no bar followed a breach, or none followed a bar without one.
    both, both_p : float
        Of the sum of the two; 2 degrees of freedom. NaN where the second is.
    """

    bars: int
    breaches: int
    expected: float
    frequency: float
    frequency_p: float
    independence: float
    independence_p: float
    both: float
    both_p: float


def var_coverage_test(returns: Returns, forecasts: Returns, level: float = 0.95) -> CoverageTest:
    """Back-test of value-at-risk forecasts: were they undercut as often as they said, and without clusters?

    Kupiec, "Techniques for Verifying the Accuracy of Risk Measurement Models" (1995); Christoffersen, "Evaluating
    Interval Forecasts" (1998). The p-values are those of large samples: with fewer than some ten breaches expected
    they are rough.

    Parameters
    ----------
    returns : array_like or Series, (T,)
        Simple returns of each bar as fractions, finite.
    forecasts : array_like or Series, (T,)
        Value at risk of the same bars (negative for a loss), each known before its bar: of a `rolling_value_at_risk`
        the one of the bar before (``shift(1)``), without the bars that have none yet.
    level : float
        Confidence of the forecasts, strictly between 0 and 1.

    Returns
    -------
    CoverageTest
        Counts, statistics and p-values.

    Raises
    ------
    DataError
        If either is not one finite series, if they are not of the same bars, or the level is no probability.

    Examples
    --------
    >>> test = var_coverage_test([-0.03 if k % 20 == 7 else 0.01 for k in range(200)], [-0.02] * 200)
    >>> test.breaches, round(test.expected, 4), round(test.frequency_p, 4)
    (10, 10.0, 1.0)
    """
    given, known = columns(returns), columns(forecasts, "forecasts")
    if not given.single or not known.single or len(given.values) != len(known.values):
        raise DataError(
            f"returns {given.values.shape} and forecasts {known.values.shape} do not fit: give one series of each, "
            "of the same bars."
        )
    if given.index is not None and known.index is not None and not given.index.equals(known.index):
        raise DataError("returns and forecasts have different times; align them first, such as with reindex.")
    rare = 1.0 - _share(level)
    hit = given.values[:, 0] < known.values[:, 0]
    count, breaches = len(hit), int(hit.sum())
    frequency = _surprise(breaches, count, rare)
    independence = _clusters(hit)
    return CoverageTest(
        bars=count,
        breaches=breaches,
        expected=rare * count,
        frequency=frequency,
        frequency_p=math.erfc(math.sqrt(frequency / 2.0)),  # upper tail of chi-square with one degree of freedom
        independence=independence,
        independence_p=math.erfc(math.sqrt(independence / 2.0)),
        both=frequency + independence,
        both_p=math.exp(-(frequency + independence) / 2.0),  # and with two
    )


def _table(values: FloatArray, *, gaps: bool = False) -> FloatArray:
    """The numbers if they are (T, K) and finite, or NaN where gaps may be; else an error."""
    table = numeric(values, "values")
    if table.ndim != 2 or not table.size or not (np.isfinite(table) | (np.isnan(table) & gaps)).all():
        raise DataError(f"values must be finite numbers (bars, columns), not {table.dtype} of shape {table.shape}.")
    return np.asarray(table, dtype=np.float64)


def _historical(values: FloatArray, level: float) -> Tail:
    edge = quantile(values, 1.0 - level)
    beyond = values <= edge
    mean = ratio((values * beyond).sum(axis=0), beyond.sum(axis=0))
    return Tail(edge, np.minimum(mean, edge))  # the mean of equal numbers may be rounded above them


def _gaussian(values: FloatArray, level: float) -> Tail:
    z = _NORMAL.inv_cdf(1.0 - level)
    mean, spread = values.mean(axis=0), deviation(values)
    return Tail(mean + z * spread, mean - _NORMAL.pdf(z) / (1.0 - level) * spread)


def _cornish_fisher(values: FloatArray, level: float) -> Tail:
    """Quantile ``z + (z^2 - 1) S / 6 + (z^3 - 3 z) K / 24 - (2 z^3 - 5 z) S^2 / 36``, and its mean beyond z."""
    z = _NORMAL.inv_cdf(1.0 - level)
    mean, spread = values.mean(axis=0), deviation(values)
    skew, excess = standard_moment(values, 3), standard_moment(values, 4) - 3.0
    spread = np.where(_rises(skew, excess, max(_WITHIN, abs(z))), spread, np.nan)
    bent = z + (z**2 - 1.0) * skew / 6.0 + (z**3 - 3.0 * z) * excess / 24.0 - (2.0 * z**3 - 5.0 * z) * skew**2 / 36.0
    factor = 1.0 + z * skew / 6.0 + (z**2 - 1.0) * excess / 24.0 - (2.0 * z**2 - 1.0) * skew**2 / 36.0
    return Tail(mean + bent * spread, mean - _NORMAL.pdf(z) / (1.0 - level) * factor * spread)


def _filtered(values: FloatArray, level: float) -> Tail:
    return _historical(rescaled(values), level)


def _rises(skew: FloatArray, excess: FloatArray, reach: float) -> npt.NDArray[np.bool_]:
    """Whether the Cornish-Fisher quantile has a slope of at least 0 for all normal quantiles within `reach`."""
    square, slope = excess / 8.0 - skew**2 / 6.0, skew / 3.0
    constant = 1.0 - excess / 8.0 + 5.0 * skew**2 / 36.0
    lowest = np.clip(ratio(-slope, 2.0 * square), -reach, reach)  # where a parabola that opens upwards turns
    places = (np.full_like(skew, -reach), np.full_like(skew, reach), np.where(square > 0.0, lowest, reach))
    slopes = np.array([square * z**2 + slope * z + constant for z in places])
    return np.asarray((slopes >= 0.0).all(axis=0))


def _surprise(hits: int, count: int, chance: float) -> float:
    """Twice the log-likelihood that hits of `count` trials gain by their own share over `chance`; at least 0."""
    missed = count - hits
    gained = hits * math.log(hits / count / chance) if hits else 0.0
    gained += missed * math.log(missed / count / (1.0 - chance)) if missed else 0.0
    return max(2.0 * gained, 0.0)


def _clusters(hit: npt.NDArray[np.bool_]) -> float:
    """Twice the log-likelihood that bars gain by one chance after a breach and another after none."""
    before, now = hit[:-1], hit[1:]
    after = int(before.sum())
    if after in (0, len(before)):
        return float("nan")
    share = float(now.mean())
    if share in (0.0, 1.0):
        return 0.0
    return _surprise(int(now[before].sum()), after, share) + _surprise(
        int(now[~before].sum()), len(before) - after, share
    )


def _share(value: float, name: str = "level") -> float:
    checked = number(name, value)
    if not 0.0 < checked < 1.0:
        raise DataError(
            f"{name}={value!r} must lie strictly between 0 and 1, such as {0.95 if name == 'level' else DECAY}."
        )
    return checked


#: Method of a value at risk -> the function that estimates the tail.
METHODS: Final[Mapping[str, Callable[[FloatArray, float], Tail]]] = {
    "historical": _historical,
    "gaussian": _gaussian,
    "cornish_fisher": _cornish_fisher,
    "filtered": _filtered,
}
