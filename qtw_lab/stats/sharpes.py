"""Inference about one Sharpe ratio: how probable skill is, how long it must last, what is left of it after many trials.

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
from qtw_lab.stats.columns import Figure, Returns, columns, number
from qtw_lab.stats.sharpe_errors import (
    NOTHING,
    SharpeInterval,
    lo_annualisation_factor,
    shape,
    sharpe_interval,
    sharpe_standard_error,
)

#: How sure a ratio is belongs to the inference that is asked for here.
__all__ = [
    "SharpeInterval", "TrackRecord", "deflated_sharpe_ratio", "expected_maximum_sharpe", "lo_annualisation_factor",
    "minimum_track_record_length", "probabilistic_sharpe_ratio", "sharpe_interval", "sharpe_standard_error",
]  # fmt: skip

_NORMAL = NormalDist()


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
        return value if value > NOTHING else math.nan

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


def _of_each(returns: Returns, figure: Callable[[TrackRecord], float]) -> Figure:
    """The figure of every column's record, in the caller's shape."""
    given = columns(returns)
    if len(given.values) < 2:
        return given.answer(np.full(given.values.shape[1], np.nan))
    ratios, skews, kurts = shape(given.values)
    records = (
        TrackRecord(float(s), len(given.values), float(g3), float(g4))
        for s, g3, g4 in zip(ratios, skews, kurts, strict=True)
    )
    return given.answer(np.array([figure(record) for record in records]))


def _below(score: float) -> float:
    return math.nan if math.isnan(score) else _NORMAL.cdf(score)
