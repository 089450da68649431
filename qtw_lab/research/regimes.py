"""Regimes of a market: by rule, or as a Markov-switching model finds them; and what a strategy earned in each.

Labels of a bar use bars up to that bar, unless smoothing was asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError
from qtw_lab.core.extras import need
from qtw_lab.research.regime_filter import (
    FloatArray,
    MarkovParameters,
    filtered_probabilities,
    run_filter,
    smoothed_probabilities,
)
from qtw_lab.research.regime_labels import Regimes, equal_weight_returns, price_path, regimes_of, volatility_names
from qtw_lab.research.regime_performance import RegimePerformance, performance_by_regime
from qtw_lab.research.regime_rules import combined_regimes, log_moves, trend_regimes, volatility_regimes
from qtw_lab.stats.columns import Returns, columns, deviation, whole

__all__ = [
    "MarkovFit", "MarkovParameters", "RegimePerformance", "Regimes", "combined_regimes", "equal_weight_returns",
    "filtered_probabilities", "fit_markov", "markov_regimes", "performance_by_regime", "smoothed_probabilities",
    "trend_regimes", "volatility_regimes",
]  # fmt: skip

#: Returns a regime needs to be estimated at all.
_FEWEST: Final = 50
#: Probability of staying that the searches for the maximum start from.
_STAYS: Final = (0.9, 0.98)
#: A regime quieter than this share of all returns' deviation is a likelihood without bound, not a regime.
_COLLAPSED: Final = 1e-2
#: Log-likelihoods of two maxima that differ by more are two maxima.
_SAME: Final = 0.01

HINDSIGHT: Final = (
    "hindsight: parameters were estimated on all bars and smoothed probabilities use later bars; these labels describe "
    "the past, do not trade on them or test a strategy with them"
)


@dataclass(frozen=True, eq=False)
class MarkovFit:
    """A Markov-switching model estimated from returns.

    Parameters
    ----------
    parameters : MarkovParameters
        The estimates, the regime of the least volatility first.
    log_likelihood : float
        Of the returns, at the estimates.
    bic_gain : float
        By how much the Bayesian information criterion of the model is better than that of one normal distribution;
        below 0 the returns give no reason to believe in more than one regime.
    observations : int
        Returns used.
    converged : bool
        Whether the optimiser says that it reached a maximum.
    notes : tuple of str
        Warnings of the optimiser, a second maximum, no reason for regimes.
    """

    parameters: MarkovParameters
    log_likelihood: float
    bic_gain: float
    observations: int
    converged: bool
    notes: tuple[str, ...] = ()


def fit_markov(returns: Returns, k: int = 2) -> MarkovFit:
    """The Markov-switching model of `k` regimes, each with a mean and a variance, that makes the returns most likely.

    Regimes are ordered by volatility, whatever order the optimiser found them in. Two searches start from fixed places,
    so that equal returns give equal estimates, and the higher maximum is taken; a likelihood of this kind has several.
    Estimated by `statsmodels.tsa.regime_switching.MarkovRegression`; the model is that of `MarkovParameters`. Two
    regimes take about a second for a thousand returns, three some seconds.

    Parameters
    ----------
    returns : array_like or Series
        Returns of each bar as fractions, (T,), finite, at least 50 for each regime.
    k : {2, 3}
        Number of regimes.

    Raises
    ------
    DataError
        If the returns are too few, never vary or are not finite, if the optimiser failed, or if a regime collapsed onto
        returns of (nearly) one value.
    SetupError
        If statsmodels is not installed.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> spread = np.where(np.arange(600) // 100 % 2, 0.03, 0.01)
    >>> fit_markov(spread * rng.standard_normal(600)).parameters.volatilities.round(2)
    array([0.01, 0.03])
    """
    values = _checked(returns, k)
    centre, scale = float(values.mean()), float(deviation(values[:, None])[0])
    found, said = _searched((values - centre) / scale, k)
    best = max(found, key=lambda one: float(one.llf))
    parameters = _ordered(best, centre, scale, k)
    likelihood = float(best.llf) - len(values) * float(np.log(scale))
    gain = _bic_gain(values, likelihood, k)
    converged = bool(best.mle_retvals.get("converged", False))
    notes = [f"the optimiser of the Markov model warned: {text}" for text in said]
    if not converged:
        notes.append("the optimiser of the Markov model did not reach a maximum: its estimates may be far off")
    if max(float(one.llf) for one in found) - min(float(one.llf) for one in found) > _SAME:
        notes.append("the likelihood has more than one maximum; the higher of those found was taken")
    if gain < 0.0:
        notes.append(
            f"one normal distribution explains these returns better (BIC by {-gain:.1f}): regimes are doubtful"
        )
    return MarkovFit(parameters, likelihood, gain, len(values), converged, tuple(notes))


def markov_regimes(
    bars: Bars,
    symbol: str | None = None,
    *,
    k: int = 2,
    train: int = 1000,
    refit: int | None = None,
    smoothed: bool = False,
) -> Regimes:
    """The likeliest regime of each bar in a Markov-switching model of log returns, by its filtered probability.

    Parameters are estimated on the first `train` returns and applied to the bars after them, which are the first to
    have a label; with `refit` they are estimated again on all returns so far (anchored) every so many bars. A label of
    bar t therefore uses bars up to t only.

    Parameters
    ----------
    bars, symbol
        As for `volatility_regimes`.
    k : {2, 3}
        "calm" and "turbulent", or "calm", "normal" and "turbulent": ordered by volatility at every estimation.
    train : int
        Returns of the first estimation. A number and no share of the bars: a share would move when bars are added.
    refit : int, optional
        Bars between estimations; None estimates once.
    smoothed : bool
        Estimate on all returns and give smoothed probabilities, of every bar given all bars; `train` and `refit` do not
        apply. The result is marked as hindsight.

    Returns
    -------
    Regimes
        With the estimations in `fits`: first bar they apply to, returns used, log-likelihood, gain in BIC over one
        normal distribution, convergence, and by regime mean and volatility of a bar and probability of staying.

    Raises
    ------
    DataError
        As of `fit_markov`, or if no bar is left after the training part. A fit that failed is never skipped.
    SetupError
        If statsmodels is not installed.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> moves = np.where(np.arange(600) // 100 % 2, 0.03, 0.01) * rng.standard_normal(600)
    >>> times = pd.date_range("2024-01-01", periods=600, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": 100 * np.exp(moves.cumsum())}, times), symbol="X")
    >>> found = markov_regimes(bars, train=400)
    >>> str(found.labels.iloc[450]), str(found.labels.iloc[550])
    ('calm', 'turbulent')
    """
    path = price_path(bars, symbol)
    returns = log_moves(path)
    starts = _starts(len(returns), train, refit, smoothed=smoothed, name=path.name)
    fits = [fit_markov(returns[:start], k) for start in starts]
    models = [fit.parameters for fit in fits]
    chances = smoothed_probabilities(returns, models[0]) if smoothed else _forward(returns, models, starts)
    states = np.where(np.isnan(chances).any(axis=1), np.nan, np.nan_to_num(chances).argmax(axis=1))
    if smoothed:
        told = f"smoothed Markov switching of {k} regimes, estimated on all {len(returns)} log returns"
    else:
        again = "estimated once" if refit is None else f"estimated again every {refit} bars"
        told = f"filtered Markov switching of {k} regimes in log returns, {again}, first on {train} returns"
    names = volatility_names(k)
    return regimes_of(
        path,
        np.append(np.nan, states),
        names,
        method=told,
        probabilities=np.vstack([np.full(k, np.nan), chances]),
        transition=np.asarray(models[-1].transition),
        hindsight=smoothed,
        notes=(*((HINDSIGHT,) if smoothed else ()), *_noted(fits)),
        fits=_fit_table(fits, names, path.prices.index[[1] if smoothed else [start + 1 for start in starts]]),
    )


def _checked(returns: Returns, k: int) -> FloatArray:
    """One series that varies and is long enough."""
    if isinstance(k, bool) or k not in (2, 3):
        raise DataError(f"k={k!r} must be 2 or 3: more regimes cannot be told apart in returns of usual length.")
    table = columns(returns).values
    if table.shape[1] != 1:
        raise DataError(f"A Markov model is of one series of returns, not of {table.shape[1]}; fit each column.")
    if len(table) < _FEWEST * k:
        raise DataError(f"{len(table)} returns are too few for {k} regimes: give at least {_FEWEST * k}.")
    if deviation(table)[0] == 0.0:
        raise DataError(f"The {len(table)} returns are all {table[0, 0]:g}: there are no regimes in what never varies.")
    return table[:, 0]


def _searched(standard: FloatArray, k: int) -> tuple[list[Any], list[str]]:
    """The maxima that the searches found, and what the optimiser warned of."""
    library = need("statsmodels.tsa.regime_switching.markov_regression", "research")
    spread = {2: (0.5, 2.0), 3: (0.25, 1.0, 4.0)}[k]  # variances around 1, that of the standardised returns
    found, failures = [], []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for stays in _STAYS:
            leaves = (1.0 - stays) / (k - 1)
            chances = [stays if to == now else leaves for to in range(k - 1) for now in range(k)]
            try:
                model = library.MarkovRegression(standard, k_regimes=k, trend="c", switching_variance=True)
                start = np.array([*chances, *([0.0] * k), *spread])
                one = model.fit(start_params=start, em_iter=20, maxiter=200, disp=False, cov_type="none")
            except (ValueError, ArithmeticError, np.linalg.LinAlgError, RuntimeError, IndexError) as err:
                failures.append(f"{type(err).__name__}: {err}")
                continue
            if np.isfinite(one.llf) and np.isfinite(one.params).all():
                found.append(one)
    if not found:
        raise DataError(
            f"The Markov model of {k} regimes could not be estimated from {len(standard)} returns "
            f"({'; '.join(failures) or 'its likelihood is not finite'}). Give more returns or fewer regimes, and look "
            "for outliers and long runs of equal prices."
        )
    return found, list(dict.fromkeys(str(one.message).strip().split("\n")[0] for one in caught))


def _ordered(found: Any, centre: float, scale: float, k: int) -> MarkovParameters:
    """The estimates in units of the returns, the quietest regime first."""
    means, variances = np.asarray(found.params)[k * (k - 1) :].reshape(2, k)  # after the transition probabilities
    spreads = np.sqrt(variances)
    if not spreads.min() > _COLLAPSED:
        raise DataError(
            f"A regime of the Markov model collapsed: its volatility is {spreads.min():.1e} of that of all returns, as "
            "happens where many returns are (nearly) equal. Leave such stretches out, or take fewer regimes."
        )
    order = np.argsort(spreads, kind="stable")
    matrix = np.asarray(found.regime_transition)[:, :, 0].T  # statsmodels has this bar's regime in the columns
    matrix = np.clip(matrix, 0.0, 1.0)[np.ix_(order, order)]
    return MarkovParameters(
        centre + scale * means[order], scale * spreads[order], matrix / matrix.sum(axis=1, keepdims=True)
    )


def _bic_gain(values: FloatArray, likelihood: float, k: int) -> float:
    """BIC of one normal distribution less that of the model; BIC = parameters x ln(T) - 2 ln(likelihood)."""
    count = len(values)
    one = -0.5 * count * (np.log(2.0 * np.pi * values.var()) + 1.0)
    more = 2 * k + k * (k - 1) - 2
    return float(2.0 * (likelihood - one) - more * np.log(count))


def _starts(count: int, train: int, refit: int | None, *, smoothed: bool, name: str) -> list[int]:
    """How many returns each estimation uses; it applies from the return after them."""
    if smoothed:
        if refit is not None:
            raise DataError(f"smoothed=True estimates once on all bars; refit={refit!r} does not apply. Leave one out.")
        return [count]
    first = whole("train", train)
    if count <= first:
        raise DataError(
            f"{name} has {count} returns, so none is left to label after train={first}. Give more bars or a smaller "
            "train."
        )
    return [first] if refit is None else list(range(first, count, whole("refit", refit)))


def _forward(returns: FloatArray, models: Sequence[MarkovParameters], starts: Sequence[int]) -> FloatArray:
    """Filtered probabilities (T, K): each bar by the model estimated last before it; NaN before the first."""
    start = np.stack([model.stationary for model in models])
    filtered = run_filter(returns, models, start).filtered
    which = np.searchsorted(starts, np.arange(len(returns)), side="right") - 1
    chances = filtered[np.arange(len(returns)), np.maximum(which, 0)]
    return np.where(which[:, None] < 0, np.nan, chances)


def _fit_table(fits: Sequence[MarkovFit], names: Sequence[str], since: pd.Index) -> pd.DataFrame:
    """A row an estimation."""
    rows = []
    for fit in fits:
        made = fit.parameters
        row = {"returns": fit.observations, "log_likelihood": fit.log_likelihood, "bic_gain": fit.bic_gain,
               "converged": fit.converged}  # fmt: skip
        figures = (np.asarray(made.means), np.asarray(made.volatilities), np.diag(np.asarray(made.transition)))
        for name, mean, spread, stays in zip(names, *figures, strict=True):
            row |= {f"mean_{name}": mean, f"volatility_{name}": spread, f"stays_{name}": stays}
        rows.append(row)
    return pd.DataFrame(rows, index=since.rename("applies_from"))


def _noted(fits: Sequence[MarkovFit]) -> list[str]:
    """What the estimations warn of, each once, with how many say it."""
    said = [note for fit in fits for note in dict.fromkeys(note.split(" (BIC")[0] for note in fit.notes)]
    return [f"{text} [{said.count(text)} of {len(fits)} estimations]" for text in dict.fromkeys(said)]
