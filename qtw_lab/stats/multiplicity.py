"""How many trials a search really was, how much they spread, and which discoveries survive their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Columns, FloatArray, Returns, choice, columns, deviation, number, numeric
from qtw_lab.stats.ratios import sharpe_ratio

IntArray = npt.NDArray[np.intp]

#: Trials farther apart than this, a correlation below a half, are never counted as one.
_FARTHEST = 0.5
#: Distance of uncorrelated trials.
_UNCORRELATED = np.sqrt(0.5)


@dataclass(frozen=True, slots=True)
class FalseDiscoveries:
    """Which of many hypotheses are rejected, in the order and with the labels of the p-values.

    Parameters
    ----------
    adjusted : ndarray or Series
        Smallest level at which each would be rejected, 0 to 1.
    rejected : ndarray or Series
        Whether each is, at the level: ``adjusted <= level``.
    level : float
        Error rate that is held.
    method : str
        By which method.
    """

    adjusted: Any
    rejected: Any
    level: float
    method: str


def effective_number_of_trials(returns_matrix: Returns, method: str = "clusters") -> float:
    """The number of independent trials that as many correlated ones amount to, 1 to K.

    What `sharpes.expected_maximum_sharpe` takes. The methods agree on K independent trials (K, or little less) and on
    K copies of one (1), and differ between; a larger number is the more careful one.

    Parameters
    ----------
    returns_matrix : array_like or DataFrame
        Simple returns of each bar as fractions, (T, K), finite; a column for every configuration tried, each varying.
    method : str
        ``"clusters"``: the clusters of `trial_clusters`. ``"eigenvalues"``: ``sum(sqrt(l)) ** 2 / sum(l)`` over the
        eigenvalues l of the correlation matrix, Galwey, "A New Measure of the Effective Number of Tests" (2009).
        ``"average_correlation"``: ``r + (1 - r) K`` with the mean correlation r of pairs, Bailey and Lopez de Prado,
        "The Deflated Sharpe Ratio" (2014), appendix; K if that is negative.

    Raises
    ------
    DataError
        If there are fewer than 3 bars or 2 columns, a column is somewhere NaN or infinite or never varies, two columns
        have one name, or the method is unknown.

    Examples
    --------
    >>> r = np.random.default_rng(0).normal(size=(500, 2))
    >>> effective_number_of_trials(np.column_stack([r, r, r]))  # two trials, each counted three times
    2.0
    """
    return _COUNTS[choice("method", method, _COUNTS)](_correlation(_trials(returns_matrix)))


def trial_clusters(returns_matrix: Returns) -> Any:
    """The cluster of each trial, numbered from 0 in the order of the columns: trials alike enough to count as one.

    Agglomerative clustering by average linkage of the distance ``sqrt((1 - correlation) / 2)``, cut where the mean
    silhouette (Rousseeuw, 1987) is highest, following Lopez de Prado and Lewis, "Detection of False Investment
    Strategies Using Unsupervised Learning Methods" (2019), who use k-means. Two rules keep the count from flattering:
    clusters whose mean distance is above 0.5, a correlation of 0.5, are never joined; and of cuts of equal silhouette
    the one with more clusters is taken. One single cluster, which has no silhouette, is compared with trials that
    correlate with nothing.

    Parameters
    ----------
    returns_matrix
        As for `effective_number_of_trials`.

    Returns
    -------
    ndarray or Series
        Integers, (K,), a Series by column for a DataFrame.

    Raises
    ------
    DataError
        As for `effective_number_of_trials`.

    Examples
    --------
    >>> r = np.random.default_rng(0).normal(size=(500, 2))
    >>> trial_clusters(np.column_stack([r, r + 0.01, r * 2])).tolist()
    [0, 1, 0, 1, 0, 1]
    """
    given = _trials(returns_matrix)
    labels = _clusters(_correlation(given))
    return labels if given.names is None else pd.Series(labels, index=given.names)


def trial_sharpe_std(returns_matrix: Returns) -> float:
    """Standard deviation (ddof 1) across trials of their Sharpe ratios per bar.

    What `sharpes.expected_maximum_sharpe` takes. Give every trial, not only the good ones.

    Parameters
    ----------
    returns_matrix
        As for `effective_number_of_trials`.

    Raises
    ------
    DataError
        As for `effective_number_of_trials`: a trial that never varies has no Sharpe ratio.

    Examples
    --------
    >>> round(trial_sharpe_std([[0.03, 0.01], [0.01, 0.03], [0.02, -0.01]]), 4)
    1.0607
    """
    ratios = sharpe_ratio(_trials(returns_matrix).values, periods_per_year=1.0)
    return float(deviation(ratios[:, None])[0])


def false_discoveries(
    p_values: npt.ArrayLike | pd.Series, level: float = 0.05, method: str = "benjamini_hochberg"
) -> FalseDiscoveries:
    """The hypotheses rejected when many are tested at once, with p-values adjusted for their number.

    Parameters
    ----------
    p_values : array_like or Series
        One for each hypothesis tested, (K,), from 0 to 1; those that disappoint too, for they are part of the number.
    level : float
        Error rate to hold, strictly between 0 and 1.
    method : str
        Share of false ones among the rejected, on average: ``"benjamini_hochberg"`` (1995), for tests that are
        independent or positively dependent, or ``"benjamini_yekutieli"`` (2001), for any dependence. Probability of a
        single false one, for any dependence: ``"holm"`` (1979), or ``"bonferroni"``, which never rejects more.

    Raises
    ------
    DataError
        If the p-values are not numbers from 0 to 1 in one dimension, or the level or the method is wrong.

    Examples
    --------
    >>> found = false_discoveries([0.01, 0.02, 0.5])
    >>> found.adjusted.round(3).tolist(), found.rejected.tolist()
    ([0.03, 0.03, 0.5], [True, True, False])
    """
    values = numeric(p_values, "p_values")
    if values.ndim != 1 or not values.size:
        raise DataError(f"p_values must be numbers, (K,), not {values.dtype} of shape {values.shape}.")
    wrong = np.flatnonzero(~((values >= 0.0) & (values <= 1.0)))
    if wrong.size:
        raise DataError(f"p_values have {values[wrong[0]]} at place {wrong[0]}; each must lie between 0 and 1.")
    if not 0.0 < number("level", level) < 1.0:
        raise DataError(f"level={level!r} must lie strictly between 0 and 1, such as 0.05.")
    choice("method", method, _ADJUSTMENTS)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(_ADJUSTMENTS[method](values[order].astype(np.float64)), 1.0)
    rejected = adjusted <= level
    if isinstance(p_values, pd.Series):
        index = p_values.index
        return FalseDiscoveries(pd.Series(adjusted, index), pd.Series(rejected, index), float(level), method)
    return FalseDiscoveries(adjusted, rejected, float(level), method)


def _trials(returns: Returns) -> Columns:
    given = columns(returns, "returns_matrix")
    bars, trials = given.values.shape
    if bars < 3 or trials < 2:
        raise DataError(f"returns_matrix {given.values.shape} needs at least 3 bars and 2 trials, (bars, trials).")
    still = np.flatnonzero(deviation(given.values) == 0.0)
    if still.size:
        name = still[0] if given.names is None else given.names[still[0]]
        raise DataError(
            f"returns_matrix column {name!s} never varies ({still.size} such): it has neither correlation nor Sharpe "
            "ratio. Leave out trials that never traded, and say so."
        )
    return given


def _correlation(given: Columns) -> FloatArray:
    """Correlation matrix (K, K), exactly symmetric with ones on the diagonal."""
    away = given.values - given.values.mean(axis=0)
    away /= np.sqrt(np.einsum("tk,tk->k", away, away))
    matrix = np.clip(away.T @ away, -1.0, 1.0)
    matrix = (matrix + matrix.T) / 2.0
    np.fill_diagonal(matrix, 1.0)
    return np.asarray(matrix, dtype=np.float64)


def _by_clusters(correlation: FloatArray) -> float:
    return float(_clusters(correlation).max() + 1)


def _by_eigenvalues(correlation: FloatArray) -> float:
    values = np.maximum(np.linalg.eigvalsh(correlation), 0.0)
    # Rounding leaves a copy of a trial an eigenvalue of 1e-16, whose root would count.
    values[values < values.max() * len(values) * np.finfo(np.float64).eps] = 0.0
    return float(np.sqrt(values).sum() ** 2 / values.sum())


def _by_average(correlation: FloatArray) -> float:
    count = len(correlation)
    mean = (correlation.sum() - count) / (count * (count - 1))
    return float(min(mean + (1.0 - mean) * count, count))


def _clusters(correlation: FloatArray) -> IntArray:
    """Cluster (K,) of each trial: the cut of the tree with the highest mean silhouette."""
    distance = np.sqrt(np.maximum((1.0 - correlation) / 2.0, 0.0))
    distance[distance < 1e-7] = 0.0  # the root of rounding: copies of one trial
    merges = [merge for merge in _tree(distance) if merge[2] <= _FARTHEST]
    scores = _silhouettes(distance, merges)
    return _cut(len(distance), merges[: int(np.argmax(np.round(scores, 12)))])


def _tree(distance: FloatArray) -> list[tuple[int, int, float]]:
    """Merges of an average-linkage tree, nearest first: two trials whose clusters join, and their mean distance.

    Found by chains of nearest neighbours, in time of K ** 2 (Murtagh, 1983).
    """
    apart = distance.copy()
    np.fill_diagonal(apart, np.inf)
    sizes = np.ones(len(apart))
    merges: list[tuple[int, int, float]] = []
    chain: list[int] = []
    while len(merges) < len(distance) - 1:
        if not chain:
            chain.append(int(np.argmax(sizes > 0.0)))
        last = chain[-1]
        near = int(np.argmin(apart[last]))
        if len(chain) > 1 and apart[last, chain[-2]] <= apart[last, near]:
            near = chain[-2]  # of equally near clusters the one behind, or the chain would run in a circle
            merges.append((near, last, float(apart[last, near])))
            _join(apart, sizes, near, last)
            del chain[-2:]
        else:
            chain.append(near)
    return sorted(merges, key=lambda merge: merge[2])


def _join(apart: FloatArray, sizes: FloatArray, kept: int, gone: int) -> None:
    """Let a cluster take in another: mean distances are averaged by size."""
    joined = (sizes[kept] * apart[kept] + sizes[gone] * apart[gone]) / (sizes[kept] + sizes[gone])
    joined[[kept, gone]] = np.inf
    apart[kept] = apart[:, kept] = joined
    apart[gone] = apart[:, gone] = np.inf
    sizes[kept] += sizes[gone]
    sizes[gone] = 0.0


def _cut(count: int, merges: list[tuple[int, int, float]]) -> IntArray:
    """Cluster (K,) of each trial after these merges, numbered by first member."""
    labels = np.arange(count)
    for one, other, _ in merges:
        labels[labels == labels[other]] = labels[one]
    _, firsts, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(firsts))[places], dtype=np.intp)


def _silhouettes(distance: FloatArray, merges: list[tuple[int, int, float]]) -> FloatArray:
    """Mean silhouette after 0, 1, 2, ... merges; 0 for a trial by itself."""
    labels = np.arange(len(distance))
    sums, sizes = distance.copy(), np.ones(len(distance))  # of distances to, and of, each cluster
    scores = np.zeros(len(merges) + 1)
    for step, (one, other, _) in enumerate(merges, start=1):
        kept, gone = labels[one], labels[other]
        labels[labels == gone] = kept
        sums[:, kept] += sums[:, gone]
        sizes[kept] += sizes[gone]
        sums[:, gone], sizes[gone] = np.inf, 1.0
        scores[step] = _silhouette(sums, sizes, labels)
    return scores


def _silhouette(sums: FloatArray, sizes: FloatArray, labels: IntArray) -> float:
    """Mean over trials of ``(b - a) / max(a, b)``: mean distance a to the own cluster, b to the nearest other one."""
    own = np.arange(len(labels)), labels
    members = sizes[labels]
    inside = sums[own] / np.maximum(members - 1.0, 1.0)
    means = sums / sizes
    means[own] = np.inf
    nearest = means.min(axis=1)
    nearest[np.isinf(nearest)] = _UNCORRELATED  # one cluster only
    larger = np.maximum(inside, nearest)
    alone = (members == 1.0) | (larger == 0.0)
    return float(np.mean(np.where(alone, 0.0, (nearest - inside) / np.where(larger == 0.0, 1.0, larger))))


def _step_up(ordered: FloatArray, weight: float = 1.0) -> FloatArray:
    """Benjamini and Hochberg: ``p K / rank``, never above that of a larger p."""
    scaled = ordered * weight * len(ordered) / np.arange(1, len(ordered) + 1)
    return np.asarray(np.minimum.accumulate(scaled[::-1])[::-1])


def _step_up_any(ordered: FloatArray) -> FloatArray:
    """Benjamini and Yekutieli: the same times ``1 + 1/2 + ... + 1/K``."""
    return _step_up(ordered, float(np.sum(1.0 / np.arange(1, len(ordered) + 1))))


def _step_down(ordered: FloatArray) -> FloatArray:
    """Holm: p times the number of hypotheses not yet rejected, never below that of a smaller p."""
    return np.asarray(np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)))


def _bonferroni(ordered: FloatArray) -> FloatArray:
    return ordered * len(ordered)


_COUNTS: dict[str, Callable[[FloatArray], float]] = {
    "clusters": _by_clusters,
    "eigenvalues": _by_eigenvalues,
    "average_correlation": _by_average,
}
#: Adjusted p-values, not yet cut off at 1, of p-values in ascending order.
_ADJUSTMENTS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "benjamini_hochberg": _step_up,
    "benjamini_yekutieli": _step_up_any,
    "holm": _step_down,
    "bonferroni": _bonferroni,
}
