"""Whether the best of many strategies is better than chance would make the best of as many.

All three tests resample the same bars of every strategy together, so that strategies may be as alike as they are, and
compare the best one with what the best of the resamples would be if none had an edge. They correct for the strategies
in the table only: those that were tried and thrown away before belong in it too. Higher returns are better.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.stats.bootstrap import (
    IntArray,
    block_within,
    optimal_block_length,
    resample_counts,
    stationary_bootstrap_indices,
)
from qtw_lab.stats.columns import Columns, Figure, FloatArray, Returns, beside, columns, deviation, number, ratio, whole

#: Cells of one block of resampled means, some ten megabytes.
_CELLS = 1 << 20
#: Returns that differ by less were computed from the same prices in another order.
_ROUNDING = 1e-13


@dataclass(frozen=True, slots=True)
class RealityCheck:
    """What `reality_check` found.

    Parameters
    ----------
    p_value : float
        Probability that the best of as many strategies without an edge would have done as well, at most.
    statistic : float
        Root of the bars times the largest mean difference to the benchmark.
    best : Hashable
        Column with that mean: its label, or its number from 0.
    reps : int
        Number of resamples.
    block : float
        Mean length of a block, in bars.
    """

    p_value: float
    statistic: float
    best: Hashable
    reps: int
    block: float


@dataclass(frozen=True, slots=True)
class SuperiorAbility:
    """What `spa_test` found.

    Parameters
    ----------
    lower, consistent, upper : float
        P-values, in this order from smallest to largest: with every strategy that did worse than the benchmark left
        as bad as it looked; with those only that did significantly worse; and with none. The consistent one is meant.
    statistic : float
        Largest mean difference to the benchmark in its standard errors; not studentised, as of `reality_check`.
    best : Hashable
        Column with the largest: its label, or its number from 0.
    reps : int
        Number of resamples.
    block : float
        Mean length of a block, in bars.
    """

    lower: float
    consistent: float
    upper: float
    statistic: float
    best: Hashable
    reps: int
    block: float


@dataclass(frozen=True, slots=True)
class Stepwise:
    """What `step_m` found.

    Parameters
    ----------
    superior : tuple of Hashable
        Columns better than the benchmark, best first: labels, or numbers from 0.
    p_values : float, ndarray or Series
        For each column the smallest `size` at which it would be among them.
    size : float
        Probability of naming one column or more that is no better, at most.
    reps : int
        Number of resamples.
    block : float
        Mean length of a block, in bars.
    """

    superior: tuple[Hashable, ...]
    p_values: Figure
    size: float
    reps: int
    block: float


@dataclass(frozen=True, slots=True)
class _Contest:
    """Differences to the benchmark (T, N), and the resamples to judge them by."""

    given: Columns
    apart: FloatArray
    resamples: Iterable[IntArray]
    reps: int
    block: float

    def label(self, place: int) -> Hashable:
        return place if self.given.names is None else self.given.names[place]

    def scale(self, *, studentize: bool) -> FloatArray:
        """What makes a mean a statistic (N,): the root of T, over the deviation if studentised.

        A strategy that is the benchmark has no deviation and statistic 0.
        """
        root = np.sqrt(len(self.apart))
        if not studentize:
            return np.full(self.apart.shape[1], root)
        return np.asarray(np.nan_to_num(ratio(root, np.sqrt(self.variance()))))

    def variance(self) -> FloatArray:
        """Variance (N,) that the root of T times the mean of a stationary resample has; exactly 0 if none.

        Politis and Romano (1994), lemma 1: autocovariances around the circle, weighted by (1 - lag / T) (1 - 1 / block)
        to the lag; summed over frequencies, where that is one product.
        """
        size = len(self.apart)
        lag = np.arange(size)
        kernel = (1.0 - lag / size) * (1.0 - 1.0 / self.block) ** lag
        weight = 2.0 * np.fft.rfft(kernel).real - 1.0
        weight[1 : (size + 1) // 2] *= 2.0  # a frequency and its mirror image
        weight[0] = 0.0  # the mean does not count
        parts = [
            weight @ np.abs(np.fft.rfft(self.apart[:, part], axis=0)) ** 2
            for part in _parts(self.apart.shape[1], max(1, _CELLS // size))
        ]
        return np.where((self.apart == 0.0).all(axis=0), 0.0, np.concatenate(parts) / size**2)

    def counts(self) -> Iterator[FloatArray]:
        """For portions of resamples, the weight of each bar (R, T)."""
        for indices in self.resamples:
            yield resample_counts(indices) / len(self.apart)

    def means(self, counts: FloatArray, order: IntArray) -> Iterator[tuple[slice, FloatArray]]:
        """Means (R, n) in these resamples of portions of the columns in `order`."""
        for part in _parts(len(order), max(1, _CELLS // max(counts.shape))):
            yield part, counts @ self.apart[:, order[part]]


def reality_check(
    returns_matrix: Returns,
    benchmark: Returns | None = None,
    reps: int = 1000,
    block: float | None = None,
    seed: int = 0,
    indices: npt.ArrayLike | None = None,
) -> RealityCheck:
    """The p-value of the best strategy's mean return, with all the others counted as tries.

    White, "A Reality Check for Data Snooping" (2000). Strategies much worse than the benchmark and strategies of large
    variance make it less able to see an edge; `spa_test` is better at both.

    Parameters
    ----------
    returns_matrix : array_like or DataFrame
        Returns of each bar as fractions, (T, N), a column a strategy, finite, at least 3 bars.
    benchmark : array_like or Series, optional
        Returns (T,) of what has to be beaten, on the same bars; nothing earned if not given.
    reps : int
        Number of resamples.
    block : float, optional
        Mean length of a block, from 1 to T bars. By default the median over the strategies of `optimal_block_length`
        of their differences to the benchmark, at least 1: the bars are drawn together, so one length serves all, and a
        single strategy's is a noisy estimate.
    seed : int
        What the random numbers start from.
    indices : array_like, optional
        Resamples drawn before, bar numbers (reps, T), in place of `reps` and `seed`; to compare tests on the same ones.

    Raises
    ------
    DataError
        If the returns are empty, not numeric, or somewhere NaN or infinite; if a column's label comes twice; if a
        column beats or trails the benchmark by the same in every bar; if the benchmark is of other bars; or if an
        argument is out of range.

    Notes
    -----
    p-values are ``(1 + count) / (1 + reps)``, never 0; `count` is the number of resamples that do at least as well.

    Examples
    --------
    >>> noise = 0.01 * np.random.default_rng(7).standard_normal((500, 20))
    >>> reality_check(noise).p_value > 0.05
    True
    >>> noise[:, 4] += 0.002
    >>> found = reality_check(noise)
    >>> found.best, found.p_value < 0.05
    (4, True)
    """
    contest = _contest(returns_matrix, benchmark, reps, block, seed, indices)
    scale, mean = contest.scale(studentize=False), contest.apart.mean(axis=0)
    place = int(np.argmax(mean))
    statistic = float(scale[0] * mean[place])
    [p_value] = _p_values(contest, scale, mean[None, :], statistic)
    return RealityCheck(p_value, statistic, contest.label(place), contest.reps, contest.block)


def spa_test(
    returns_matrix: Returns,
    benchmark: Returns | None = None,
    reps: int = 1000,
    block: float | None = None,
    seed: int = 0,
    studentize: bool = True,
    indices: npt.ArrayLike | None = None,
) -> SuperiorAbility:
    """Three p-values of the best strategy's studentised mean return, with all the others counted as tries.

    Hansen, "A Test for Superior Predictive Ability" (2005). A difference that varies little counts as much as one that
    varies much, and strategies significantly worse than the benchmark do not blur the comparison. The variance is that
    of the stationary bootstrap itself. Where the paper puts 0 for the statistic because the best is worse than the
    benchmark, the negative one is kept, which changes no p-value of a best that is better.

    Parameters
    ----------
    returns_matrix, benchmark, reps, block, seed, indices
        As for `reality_check`; with `indices`, give the `block` they were drawn with.
    studentize : bool
        Whether differences count in their standard errors, or as they are.

    Raises
    ------
    DataError
        As for `reality_check`.

    Notes
    -----
    p-values as of `reality_check`. "Significantly worse" is a mean more than ``sqrt(2 log log T)`` standard errors
    below the benchmark's. Of a thousand tables of independent noise, the consistent p-value was at most 5% in 5.0% for
    50 strategies and 500 bars, and in 6.3% for 20 strategies and 250 bars: with few bars take it as a little too small.

    Examples
    --------
    >>> returns = 0.01 * np.random.default_rng(7).standard_normal((500, 20))
    >>> returns[:, 4] += 0.002
    >>> found = spa_test(returns)
    >>> found.best, found.consistent < 0.05, found.lower <= found.consistent <= found.upper
    (4, True, True)
    """
    contest = _contest(returns_matrix, benchmark, reps, block, seed, indices)
    scale, mean = contest.scale(studentize=studentize), contest.apart.mean(axis=0)
    size = len(contest.apart)
    place = int(np.argmax(scale * mean))
    statistic = float((scale * mean)[place])
    hopeless = mean < -np.sqrt(contest.variance() / size * 2.0 * np.log(np.log(size)))
    centres = np.stack([np.maximum(mean, 0.0), np.where(hopeless, 0.0, mean), mean])
    lower, consistent, upper = _p_values(contest, scale, centres, statistic)
    return SuperiorAbility(lower, consistent, upper, statistic, contest.label(place), contest.reps, contest.block)


def step_m(
    returns_matrix: Returns,
    benchmark: Returns | None = None,
    size: float = 0.05,
    reps: int = 1000,
    block: float | None = None,
    seed: int = 0,
    studentize: bool = True,
    indices: npt.ArrayLike | None = None,
) -> Stepwise:
    """The strategies that are better than the benchmark, with a bound on the probability of naming a wrong one.

    Romano and Wolf, "Stepwise Multiple Testing as Formalized Data Snooping" (2005): once the best are named, the others
    are judged among themselves. The p-values are those of Romano and Wolf, "Efficient Computation of Adjusted P-Values
    for Resampling-Based Stepdown Multiple Testing" (2016); `superior` are the columns whose p-value is at most `size`.
    Deviations are those of the returns in every resample too.

    Parameters
    ----------
    returns_matrix, benchmark, reps, block, seed, indices
        As for `reality_check`; with `indices`, give the `block` they were drawn with.
    size : float
        Accepted probability of naming one column or more that is no better, strictly between 0 and 1.
    studentize : bool
        Whether differences count in their standard errors, or as they are.

    Raises
    ------
    DataError
        As for `reality_check`, or if there are so few resamples that no p-value can be as small as `size`.

    Examples
    --------
    >>> returns = 0.01 * np.random.default_rng(7).standard_normal((500, 20))
    >>> returns[:, [4, 9]] += 0.003
    >>> sorted(step_m(returns).superior)
    [4, 9]
    """
    level = number("size", size)
    if not 0.0 < level < 1.0:
        raise DataError(f"size={size!r} must lie strictly between 0 and 1, such as 0.05.")
    contest = _contest(returns_matrix, benchmark, reps, block, seed, indices)
    if 1.0 / (1.0 + contest.reps) > level:
        raise DataError(f"{contest.reps} resamples cannot show a p-value of {level}; take {int(np.ceil(20 / level))}.")
    mean = contest.apart.mean(axis=0)
    scale = contest.scale(studentize=studentize)
    order = np.argsort(scale * mean, kind="stable")
    counts = _as_good_among_the_rest(contest, scale, mean, order)
    p_values = np.empty(len(order))
    p_values[order[::-1]] = np.maximum.accumulate((1.0 + counts[::-1]) / (1.0 + contest.reps))
    superior = tuple(contest.label(int(place)) for place in order[::-1] if p_values[place] <= level)
    return Stepwise(superior, contest.given.answer(p_values), level, contest.reps, contest.block)


def _contest(
    returns_matrix: Returns,
    benchmark: Returns | None,
    reps: int,
    block: float | None,
    seed: int,
    indices: npt.ArrayLike | None,
) -> _Contest:
    given = columns(returns_matrix, "returns_matrix")
    apart = given.values if benchmark is None else _difference(given, benchmark)
    size = len(apart)
    if size < 3:
        raise DataError(f"Nothing can be said of strategies from {size} bars: give at least 3, better hundreds.")
    _refuse_unfit_columns(given, apart)
    length = _common_block(apart) if block is None else block_within(block, size)
    if indices is None:
        rows = whole("reps", reps)
        return _Contest(given, apart, stationary_bootstrap_indices(size, length, rows, seed), rows, length)
    drawn = np.asarray(indices)
    if drawn.ndim != 2 or drawn.shape[1] != size or not len(drawn):
        raise DataError(f"indices of shape {drawn.shape} do not fit {size} bars: give (resamples, {size}).")
    portions = [drawn[part] for part in _parts(len(drawn), max(1, _CELLS // size))]
    return _Contest(given, apart, portions, len(drawn), length)


def _difference(given: Columns, benchmark: Returns) -> FloatArray:
    """Differences to the benchmark, exactly 0 for a column that differs from it by rounding alone."""
    apart = given.values - beside(given, benchmark)
    return np.where((np.abs(apart) < _ROUNDING).all(axis=0), 0.0, apart)


def _refuse_unfit_columns(given: Columns, apart: FloatArray) -> None:
    if given.names is not None and not given.names.is_unique:
        twice = given.names[given.names.duplicated()][0]
        raise DataError(f"The column {twice!r} comes twice in returns_matrix; give every strategy a name of its own.")
    steady = (deviation(apart) == 0.0) & (apart != 0.0).any(axis=0)
    if steady.any():
        place = int(steady.argmax())
        name = place if given.names is None else given.names[place]
        raise DataError(
            f"Column {name!r} differs from the benchmark by the same {apart[0, place]:g} in every bar: no strategy of "
            "the market does, so there is nothing to test. Leave it out."
        )


def _common_block(apart: FloatArray) -> float:
    """One mean block length for all columns; columns that are the benchmark have none."""
    found = np.asarray(optimal_block_length(apart).stationary)
    varied = found[~np.isnan(found)]
    return max(1.0, float(np.median(varied))) if varied.size else 1.0


def _p_values(contest: _Contest, scale: FloatArray, centres: FloatArray, statistic: float) -> list[float]:
    """For each way to centre (C, N): how often the best resampled statistic is at least `statistic`."""
    every = np.arange(contest.apart.shape[1])
    count = np.zeros(len(centres))
    for counts in contest.counts():
        best = np.full((len(centres), len(counts)), -np.inf)
        for part, means in contest.means(counts, every):
            for row, centre in zip(best, centres, strict=True):
                np.maximum(row, ((means - centre[part]) * scale[part]).max(axis=1), out=row)
        count += (best >= statistic).sum(axis=1)
    return [float(p) for p in (1.0 + count) / (1.0 + contest.reps)]


def _as_good_among_the_rest(contest: _Contest, scale: FloatArray, mean: FloatArray, order: IntArray) -> FloatArray:
    """For each column, from worst to best: how often it or a worse one does as well in a resample as it did."""
    found = np.zeros(len(order))
    for counts in contest.counts():
        best = np.full(len(counts), -np.inf)
        for part, means in contest.means(counts, order):
            places = order[part]
            statistics = (means - mean[places]) * scale[places]
            np.maximum(statistics[:, 0], best, out=statistics[:, 0])
            np.maximum.accumulate(statistics, axis=1, out=statistics)
            best = statistics[:, -1]
            found[part] += (statistics >= (scale * mean)[places]).sum(axis=0)
    return found


def _parts(size: int, most: int) -> Iterator[slice]:
    """Slices of at most `most` that together are `size`."""
    for start in range(0, size, most):
        yield slice(start, min(start + most, size))
