"""Inference about one Sharpe ratio: how sure it is, how long it must last, and what is left of it after many trials.

Every Sharpe ratio here is per bar: mean over standard deviation (ddof 1), not annualised. Divide an annual ratio by the
root of the bars a year before it is given as a benchmark or as the spread of trials.

Skewness and kurtosis are those of the sample, not corrected for its size, as in `ratios.skewness`: the variance formula
is an asymptotic one in the central moments, which are what a sample estimates in this way. (The published examples
state their moments and settle nothing; the difference is of the order 1/T.) Kurtosis is raw here, 3 for a normal
distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Figure, FloatArray, Returns, columns, deviation, number, ratio
from qtw_lab.stats.ratios import kurtosis, sharpe_ratio, skewness

_NORMAL = NormalDist()

#: Variance of a Sharpe ratio, in units of 1/T, below which it is nothing but rounding.
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A Sharpe ratio and what its precision depends on, for figures from moments alone.

    Parameters
    ----------
    sharpe : float
        Per bar. NaN (no Sharpe ratio is defined) makes every figure NaN.
    observations : int
        Bars T, at least 2.
    skewness : float
        Third standardised moment of the returns.
    kurtosis : float
        Raw fourth standardised moment, 3 for a normal distribution; at least ``1 + skewness ** 2``, as of every
        distribution.

    Raises
    ------
    DataError
        If a number cannot be what it should be.

    Examples
    --------
    The hedge fund of Bailey and Lopez de Prado (2012), 24 months:

    >>> fund = TrackRecord(0.458, 24, skewness=-2.448, kurtosis=10.164)
    >>> round(fund.probability_above(0.0), 3)
    0.913
    """

    sharpe: float
    observations: int
    skewness: float = 0.0
    kurtosis: float = 3.0

    def __post_init__(self) -> None:
        whole = isinstance(self.observations, (int, np.integer)) and not isinstance(self.observations, bool)
        if not whole or self.observations < 2:
            raise DataError(f"observations={self.observations!r} must be a whole number of at least 2 bars.")
        if isinstance(self.sharpe, float) and math.isnan(self.sharpe):
            return
        number("sharpe", self.sharpe)
        least = 1.0 + number("skewness", self.skewness) ** 2
        if number("kurtosis", self.kurtosis) < least * (1.0 - 1e-9):
            raise DataError(
                f"kurtosis={self.kurtosis!r} is impossible beside skewness={self.skewness!r}: it is always at "
                f"least {least:g}. Give the raw kurtosis (3 for a normal distribution), not the excess."
            )

    @property
    def spread(self) -> float:
        """Asymptotic variance of the Sharpe ratio times T; NaN if it is nothing but rounding.

        ``1 - g3 SR + (g4 - 1) / 4 SR ** 2``: Mertens (2002); Bailey and Lopez de Prado (2012).
        """
        value = 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        return value if value > _NOTHING else math.nan

    def probability_above(self, benchmark_sharpe: float = 0.0) -> float:
        """Probability that the true Sharpe ratio exceeds the benchmark; see `probabilistic_sharpe_ratio`."""
        away = self.sharpe - number("benchmark_sharpe", benchmark_sharpe)
        return _below(away * math.sqrt((self.observations - 1) / self.spread))

    def deflated(self, *, n_trials: float, trial_sharpe_std: float) -> float:
        """Probability that it exceeds the best of as many trials without skill; see `deflated_sharpe_ratio`."""
        return self.probability_above(expected_maximum_sharpe(n_trials, trial_sharpe_std))

    def minimum_length(self, benchmark_sharpe: float = 0.0, confidence: float = 0.95) -> float:
        """Bars after which it would be significant; see `minimum_track_record_length`. `observations` do not matter."""
        away = self.sharpe - number("benchmark_sharpe", benchmark_sharpe)
        level = number("confidence", confidence)
        if not 0.5 < level < 1.0:
            raise DataError(f"confidence={confidence!r} must lie strictly between 0.5 and 1, such as 0.95.")
        if away <= 0.0:
            return math.inf
        return 1.0 + self.spread * (_NORMAL.inv_cdf(level) / away) ** 2


@dataclass(frozen=True, slots=True)
class SharpeInterval:
    """A Sharpe ratio per bar and the bounds it lies between with the confidence asked for.

    Each figure is a float for one series, (K,) for an array of columns, a Series by column for a DataFrame.

    Parameters
    ----------
    sharpe : float, ndarray or Series
        The estimate.
    lower, upper : float, ndarray or Series
        The bounds.
    confidence : float
        Probability that bounds found in this way enclose the true ratio.
    """

    sharpe: Figure
    lower: Figure
    upper: Figure
    confidence: float


def probabilistic_sharpe_ratio(returns: Returns, benchmark_sharpe: float = 0.0) -> Figure:
    """Probability, 0 to 1, that the true Sharpe ratio exceeds a benchmark, given the length and shape of the record.

    ``Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR ** 2))``: Bailey and Lopez de Prado, "The Sharpe
    Ratio Efficient Frontier" (2012). It takes returns to be independent in time. NaN for one bar, for
    returns that never vary, and for two-valued returns whose estimate has no variance.

    Parameters
    ----------
    returns : array_like, Series or DataFrame
        Simple returns of each bar as fractions, above the risk-free rate if that matters, (T,) or (T, K), finite.
    benchmark_sharpe : float
        Sharpe ratio per bar to exceed.

    Returns
    -------
    float, ndarray or Series
        A float for one series, (K,) for an array of columns, a Series by column for a DataFrame.

    Raises
    ------
    DataError
        If the returns are empty, not numeric, or somewhere NaN or infinite, or the benchmark is not finite.

    Examples
    --------
    >>> round(probabilistic_sharpe_ratio([0.02, -0.01, 0.03, -0.02, 0.01]), 4)
    0.7133
    """
    number("benchmark_sharpe", benchmark_sharpe)
    return _of_each(returns, lambda record: record.probability_above(benchmark_sharpe))


def expected_maximum_sharpe(n_trials: float, trial_sharpe_std: float) -> float:
    """The best Sharpe ratio per bar to be expected of independent trials without skill.

    ``sigma ((1 - gamma) Phi^-1(1 - 1/N) + gamma Phi^-1(1 - 1/(N e)))``, gamma = 0.5772... (Euler): Bailey and Lopez de
    Prado, "The Deflated Sharpe Ratio" (2014). An approximation for many trials: 0.520 sigma for two, where
    the exact value is 0.564 sigma. Below N = 1.28 it would be negative, which no best of trials is: 0 is given.

    Parameters
    ----------
    n_trials : float
        Independent trials N, at least 1; need not be whole (`multiplicity.effective_number_of_trials`).
    trial_sharpe_std : float
        Standard deviation of the Sharpe ratios per bar across trials (`multiplicity.trial_sharpe_std`), 0 or more.

    Raises
    ------
    DataError
        If there is less than one trial, the deviation is negative, or a number is not finite.

    Examples
    --------
    >>> round(expected_maximum_sharpe(100, (1 / 2 / 250) ** 0.5), 4)
    0.1132
    """
    trials, sigma = number("n_trials", n_trials), number("trial_sharpe_std", trial_sharpe_std)
    if trials < 1.0:
        raise DataError(f"n_trials={n_trials!r} must be at least 1; the strategy itself is a trial.")
    if sigma < 0.0:
        raise DataError(f"trial_sharpe_std={trial_sharpe_std!r} is a standard deviation and cannot be negative.")
    if trials == 1.0:
        return 0.0
    # Phi^-1(1 - p) = -Phi^-1(p), which stays exact where 1 - p would round to 1.
    whole, part = -_NORMAL.inv_cdf(1.0 / trials), -_NORMAL.inv_cdf(1.0 / (trials * math.e))
    return sigma * max(0.0, (1.0 - np.euler_gamma) * whole + np.euler_gamma * part)


def deflated_sharpe_ratio(returns: Returns, *, n_trials: float, trial_sharpe_std: float) -> Figure:
    """Probability, 0 to 1, that the true Sharpe ratio exceeds the best to be expected of trials without skill.

    `probabilistic_sharpe_ratio` with `expected_maximum_sharpe` as the benchmark: Bailey and Lopez de Prado, "The
    Deflated Sharpe Ratio" (2014). Shape and NaN as for `probabilistic_sharpe_ratio`.

    Parameters
    ----------
    returns
        Of the chosen strategy, as for `probabilistic_sharpe_ratio`.
    n_trials, trial_sharpe_std
        As for `expected_maximum_sharpe`: every configuration ever tried counts, not only those reported.

    Raises
    ------
    DataError
        As for `probabilistic_sharpe_ratio` and `expected_maximum_sharpe`.

    Examples
    --------
    >>> r = [0.02, -0.01, 0.03, -0.02, 0.01]
    >>> round(deflated_sharpe_ratio(r, n_trials=10, trial_sharpe_std=0.1), 4)
    0.6013
    """
    benchmark = expected_maximum_sharpe(n_trials, trial_sharpe_std)
    return _of_each(returns, lambda record: record.probability_above(benchmark))


def minimum_track_record_length(returns: Returns, benchmark_sharpe: float = 0.0, confidence: float = 0.95) -> Figure:
    """Bars of a record with this Sharpe ratio and shape that would put it above a benchmark with confidence.

    ``1 + (1 - g3 SR + (g4 - 1) / 4 SR ** 2) (z / (SR - SR*)) ** 2``: Bailey and Lopez de Prado (2012). Not rounded;
    take the next whole number. Infinite where the Sharpe ratio does not exceed the benchmark: no length would
    do. NaN and shape as for `probabilistic_sharpe_ratio`.

    Parameters
    ----------
    returns, benchmark_sharpe
        As for `probabilistic_sharpe_ratio`.
    confidence : float
        Probability wanted, strictly between 0.5 and 1.

    Raises
    ------
    DataError
        As for `probabilistic_sharpe_ratio`, or if the confidence is out of range.

    Examples
    --------
    >>> round(minimum_track_record_length([0.02, -0.01, 0.03, -0.02, 0.01]), 2)
    35.14
    """
    TrackRecord(0.0, 2).minimum_length(benchmark_sharpe, confidence)  # refuses wrong numbers whatever the returns
    return _of_each(returns, lambda record: record.minimum_length(benchmark_sharpe, confidence))


def sharpe_standard_error(returns: Returns, method: str = "iid", lags: int | None = None) -> Figure:
    """Asymptotic standard error of the Sharpe ratio per bar, for T observations.

    NaN for one bar and for returns that never vary. Shape as for `probabilistic_sharpe_ratio`, which divides by T - 1
    where this divides by T.

    Parameters
    ----------
    returns
        As for `probabilistic_sharpe_ratio`.
    method : str
        ``"normal"``: independent normal returns, ``sqrt((1 + SR ** 2 / 2) / T)``, Lo (2002) for IID returns. ``"iid"``:
        independent returns of any shape, ``sqrt((1 - g3 SR + (g4 - 1) / 4 SR ** 2) / T)``, Mertens (2002).
        ``"newey_west"``, also called ``"lo"``: stationary returns that may be correlated in time, Lo (2002) for
        non-IID returns: GMM and the delta method, long-run covariance of Newey and West (1987) with Bartlett weights.
    lags : int, optional
        Lags of ``"newey_west"``, 0 (the same as ``"iid"``) to T - 1. By default ``floor(4 (T / 100) ** (2 / 9))``.

    Raises
    ------
    DataError
        As for `probabilistic_sharpe_ratio`, or if the method is unknown or the lags do not fit.

    Examples
    --------
    >>> r = [0.02, -0.01, 0.03, -0.02, 0.01]
    >>> [round(sharpe_standard_error(r, m), 4) for m in ("normal", "iid", "newey_west")]
    [0.4565, 0.4596, 0.2578]
    """
    if method not in _SQUARED_ERRORS:
        raise DataError(f"method={method!r} is unknown; choose one of {', '.join(_SQUARED_ERRORS)}.")
    given = columns(returns)
    count = len(given.values)
    if lags is not None:
        if _SQUARED_ERRORS[method] is not _long_run:
            raise DataError(f"lags={lags!r} are for method='newey_west' only; {method!r} takes returns as independent.")
        if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or not 0 <= lags < count:
            raise DataError(f"lags={lags!r} must be a whole number from 0 to {count - 1}, less than the {count} bars.")
    chosen = min(int(4 * (count / 100) ** (2 / 9)), count - 1) if lags is None else int(lags)
    squared = _SQUARED_ERRORS[method](given.values, chosen)
    return given.answer(np.sqrt(np.where(squared > _NOTHING, squared, np.nan) / count))


def sharpe_interval(
    returns: Returns, confidence: float = 0.95, method: str = "iid", lags: int | None = None
) -> SharpeInterval:
    """The Sharpe ratio per bar with a symmetric interval, so many standard errors to each side.

    The asymptotic normal interval: too narrow for a few dozen bars. NaN as for `sharpe_standard_error`.

    Parameters
    ----------
    returns, method, lags
        As for `sharpe_standard_error`.
    confidence : float
        Probability of the interval, strictly between 0 and 1.

    Raises
    ------
    DataError
        As for `sharpe_standard_error`, or if the confidence is no probability.

    Examples
    --------
    >>> found = sharpe_interval([0.02, -0.01, 0.03, -0.02, 0.01])
    >>> round(found.lower, 3), round(found.sharpe, 3), round(found.upper, 3)
    (-0.612, 0.289, 1.19)
    """
    level = number("confidence", confidence)
    if not 0.0 < level < 1.0:
        raise DataError(f"confidence={confidence!r} must lie strictly between 0 and 1, such as 0.95.")
    away = _NORMAL.inv_cdf(0.5 + level / 2.0) * sharpe_standard_error(returns, method, lags)
    estimate = sharpe_ratio(returns, periods_per_year=1.0)
    return SharpeInterval(estimate, estimate - away, estimate + away, level)


def lo_annualisation_factor(returns: Returns, periods: int) -> Figure:
    """What a Sharpe ratio per bar is multiplied by to be that of so many bars, given the autocorrelation of returns.

    ``q / sqrt(q + 2 sum((q - k) rho_k))`` for k from 1 to q - 1, Lo, "The Statistics of Sharpe Ratios" (2002):
    ``sqrt(q)`` without autocorrelation, less if returns trend, more if they revert. Autocorrelations are those of the
    sample (mean removed, divided by T), so the root is never of a negative number. It is noisy unless T is many times
    `periods`: for daily bars go to a month (21) and scale by a root from there. NaN for returns that never vary.

    Parameters
    ----------
    returns
        As for `probabilistic_sharpe_ratio`.
    periods : int
        Bars q to aggregate, at least 1 and less than T.

    Returns
    -------
    float, ndarray or Series
        Shape as for `probabilistic_sharpe_ratio`.

    Raises
    ------
    DataError
        As for `probabilistic_sharpe_ratio`, or if `periods` does not fit.

    Examples
    --------
    >>> round(lo_annualisation_factor([0.01, 0.02, 0.03, 0.02, 0.01, 0.0], periods=2), 4)
    1.2318
    """
    given = columns(returns)
    count = len(given.values)
    if isinstance(periods, bool) or not isinstance(periods, (int, np.integer)) or not 1 <= periods < count:
        raise DataError(
            f"periods={periods!r} must be a whole number from 1 to {count - 1}, less than the {count} bars."
        )
    share = _bartlett(_standard(given.values), int(periods) - 1)
    return given.answer(np.sqrt(periods / np.where(share > _NOTHING, share, np.nan)))


def _of_each(returns: Returns, figure: Callable[[TrackRecord], float]) -> Figure:
    """The figure of every column's record, in the caller's shape."""
    given = columns(returns)
    if len(given.values) < 2:
        return given.answer(np.full(given.values.shape[1], np.nan))
    ratios, skews, kurts = _shape(given.values)
    records = (
        TrackRecord(float(s), len(given.values), float(g3), float(g4))
        for s, g3, g4 in zip(ratios, skews, kurts, strict=True)
    )
    return given.answer(np.array([figure(record) for record in records]))


def _shape(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sharpe ratio per bar, skewness and raw kurtosis of each column."""
    return sharpe_ratio(values, periods_per_year=1.0), skewness(values), kurtosis(values) + 3.0


def _below(score: float) -> float:
    return math.nan if math.isnan(score) else _NORMAL.cdf(score)


def _standard(values: FloatArray) -> FloatArray:
    """Returns less their mean, over their population deviation; NaN for a column that never varies."""
    spread = np.where(deviation(values) > 0.0, values.std(axis=0), 0.0)
    return ratio(values - values.mean(axis=0), spread)


def _bartlett(values: FloatArray, lags: int) -> FloatArray:
    """Long-run variance of columns of mean zero, the autocovariance at lag k weighted by ``1 - k / (lags + 1)``."""
    count = len(values)
    total = np.einsum("tk,tk->k", values, values)
    for k in range(1, lags + 1):
        total += 2.0 * (1.0 - k / (lags + 1)) * np.einsum("tk,tk->k", values[k:], values[:-k])
    return np.asarray(total / count, dtype=np.float64)


def _normal(values: FloatArray, _lags: int) -> FloatArray:
    return 1.0 + _shape(values)[0] ** 2 / 2.0


def _independent(values: FloatArray, _lags: int) -> FloatArray:
    ratios, skews, kurts = _shape(values)
    return 1.0 - skews * ratios + (kurts - 1.0) / 4.0 * ratios**2


def _long_run(values: FloatArray, lags: int) -> FloatArray:
    """Long-run variance of what each bar adds to the estimation error of the ratio: ``z - SR / 2 (z ** 2 - 1)``."""
    z = _standard(values)
    return _bartlett(z - _shape(values)[0] / 2.0 * (z**2 - 1.0), lags)


#: Squared standard error times T, by method.
_SQUARED_ERRORS: dict[str, Callable[[FloatArray, int], FloatArray]] = {
    "normal": _normal,
    "iid": _independent,
    "newey_west": _long_run,
    "lo": _long_run,
}
