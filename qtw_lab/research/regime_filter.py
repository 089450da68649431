"""A Markov-switching model with given parameters, run over returns: forward to filter, backward to smooth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Returns, columns, ratio

FloatArray = npt.NDArray[np.float64]

_SUM: Final = 1e-9
_LOG_ROOT_TAU: Final = 0.5 * float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class MarkovParameters:
    """A model whose returns are normal, with mean and volatility of a regime that follows a Markov chain.

    Hamilton, "A New Approach to the Economic Analysis of Nonstationary Time Series and the Business Cycle" (1989).

    Parameters
    ----------
    means, volatilities : array_like
        Mean and standard deviation of a bar's return in each regime, (K,), as fractions; K at least 2.
    transition : array_like
        Probability of the next bar's regime (column) given this bar's (row), (K, K).

    Raises
    ------
    DataError
        If shapes do not fit, a number is not finite, a volatility not positive, or a row is no distribution.

    Examples
    --------
    >>> MarkovParameters([0.0, 0.0], [0.01, 0.03], [[0.9, 0.1], [0.3, 0.7]]).stationary.round(12)
    array([0.75, 0.25])
    """

    means: npt.ArrayLike
    volatilities: npt.ArrayLike
    transition: npt.ArrayLike

    def __post_init__(self) -> None:
        for name in ("means", "volatilities", "transition"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            if not np.isfinite(array).all():
                raise DataError(f"The {name} of a Markov model must be finite numbers, not {array.tolist()}.")
            object.__setattr__(self, name, array)
        means, spreads, matrix = np.asarray(self.means), np.asarray(self.volatilities), np.asarray(self.transition)
        count = means.size
        if count < 2 or means.shape != (count,) or spreads.shape != (count,) or matrix.shape != (count, count):
            raise DataError(
                f"means {means.shape}, volatilities {spreads.shape} and transition {matrix.shape} do not fit: give "
                "(K,), (K,) and (K, K) for K of at least 2 regimes."
            )
        if (spreads <= 0.0).any():
            raise DataError(f"Volatilities must be positive, not {spreads.tolist()}.")
        if (matrix < 0.0).any() or (np.abs(matrix.sum(axis=1) - 1.0) > _SUM).any():
            raise DataError(f"Each row of the transition matrix must be probabilities of sum 1, not {matrix.tolist()}.")

    @property
    def stationary(self) -> FloatArray:
        """Long-run share of each regime, (K,): the distribution that the transition matrix leaves as it is.

        The least-squares solution of least length where there is more than one.
        """
        matrix = np.asarray(self.transition, dtype=np.float64)
        count = len(matrix)
        equations = np.vstack([np.eye(count) - matrix.T, np.ones(count)])
        share = np.clip(np.linalg.lstsq(equations, np.append(np.zeros(count), 1.0), rcond=None)[0], 0.0, None)
        return np.asarray(share / share.sum(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Filtered:
    """What a filter knows after each bar, for R models at once.

    Parameters
    ----------
    predicted, filtered : ndarray
        Probability of each regime before and after the bar's return is known, (T, R, K).
    log_likelihood : ndarray
        Of all returns, (R,).
    """

    predicted: FloatArray
    filtered: FloatArray
    log_likelihood: FloatArray


def filtered_probabilities(
    returns: Returns, parameters: MarkovParameters, *, before: npt.ArrayLike | None = None
) -> FloatArray:
    """Probability of each regime at each bar given the returns up to that bar, (T, K).

    Nothing is estimated: with parameters from earlier bars it is causal, and it goes on where it stopped by `before`.
    Hamilton, "Time Series Analysis" (1994), equations 22.4.5 and 22.4.6.

    Parameters
    ----------
    returns : array_like or Series
        Returns of each bar as fractions, (T,), finite, of the kind the parameters are of.
    parameters : MarkovParameters
        The model.
    before : array_like, optional
        Probabilities at the bar before the first, (K,), such as the last row of an earlier call; the long-run shares
        if not given.

    Raises
    ------
    DataError
        If returns are not finite numbers of one series, or `before` is no distribution over the regimes.

    Examples
    --------
    >>> model = MarkovParameters([0.0, 0.0], [0.01, 0.03], [[0.9, 0.1], [0.3, 0.7]])
    >>> filtered_probabilities([0.0, 0.06], model).round(3)
    array([[0.9, 0.1],
           [0. , 1. ]])
    """
    values = _one_series(returns)
    start = parameters.stationary if before is None else _distribution(before, len(parameters.stationary))
    return run_filter(values, [parameters], start[None, :]).filtered[:, 0]


def smoothed_probabilities(returns: Returns, parameters: MarkovParameters) -> FloatArray:
    """Probability of each regime at each bar given *all* returns, later ones too, (T, K): hindsight, not for trading.

    Kim, "Dynamic Linear Models with Markov-Switching" (1994). Parameters and errors as for `filtered_probabilities`.

    Examples
    --------
    >>> model = MarkovParameters([0.0, 0.0], [0.01, 0.03], [[0.9, 0.1], [0.3, 0.7]])
    >>> smoothed_probabilities([0.0, 0.06], model).round(3)
    array([[0.563, 0.437],
           [0.   , 1.   ]])
    """
    values = _one_series(returns)
    seen = run_filter(values, [parameters], parameters.stationary[None, :])
    matrix = np.asarray(parameters.transition, dtype=np.float64)
    smoothed = seen.filtered[:, 0].copy()
    for bar in range(len(values) - 2, -1, -1):  # each bar needs the one after it
        ahead = np.nan_to_num(ratio(smoothed[bar + 1], seen.predicted[bar + 1, 0]))
        smoothed[bar] *= matrix @ ahead
        smoothed[bar] /= smoothed[bar].sum()
    return smoothed


def run_filter(values: FloatArray, models: Sequence[MarkovParameters], start: FloatArray) -> Filtered:
    """Every model over the same returns (T,), from probabilities `start` (R, K) at the bar before the first."""
    means, spreads = (np.stack([getattr(model, name) for model in models]) for name in ("means", "volatilities"))
    matrices = np.stack([np.asarray(model.transition, dtype=np.float64) for model in models])
    with np.errstate(over="ignore"):  # a return far out of a tiny volatility: a density of zero
        density = -0.5 * ((values[:, None, None] - means) / spreads) ** 2 - np.log(spreads) - _LOG_ROOT_TAU
    predicted, filtered = np.empty_like(density), np.empty_like(density)
    evidence, now = np.zeros(len(models)), start
    with np.errstate(divide="ignore"):  # a regime that cannot be has the logarithm of zero
        for bar in range(len(values)):  # each bar needs the one before it; all models go at once
            before = (now[:, None, :] @ matrices)[:, 0]
            joint = np.log(before) + density[bar]
            top = joint.max(axis=1, keepdims=True)
            scaled = np.exp(joint - top)
            total = scaled.sum(axis=1, keepdims=True)
            now = scaled / total
            predicted[bar], filtered[bar] = before, now
            evidence += (top + np.log(total))[:, 0]
    return Filtered(predicted, filtered, evidence)


def _one_series(returns: Returns) -> FloatArray:
    values = columns(returns).values
    if values.shape[1] != 1:
        raise DataError(f"A Markov model is of one series of returns, not of {values.shape[1]}; ask for each column.")
    return values[:, 0]


def _distribution(before: npt.ArrayLike, count: int) -> FloatArray:
    array = np.asarray(before, dtype=np.float64)
    if array.shape != (count,) or not np.isfinite(array).all() or (array < 0.0).any() or abs(array.sum() - 1.0) > _SUM:
        raise DataError(f"before={before!r} must be {count} probabilities of sum 1.")
    return array
