"""Whether the best of many strategies is better than chance would make the best of as many.

All three tests resample the same bars of every strategy together, so that strategies may be as alike as they are, and
compare the best one with what the best of the resamples would be if none had an edge. They correct for the strategies
in the table only: those that were tried and thrown away before belong in it too. Higher returns are better.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Figure, Returns, number
from qtw_lab.stats.contests import as_good_among_the_rest, contest_of, p_values


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
    contest = contest_of(returns_matrix, benchmark, reps, block, seed, indices)
    scale, mean = contest.scale(studentize=False), contest.apart.mean(axis=0)
    place = int(np.argmax(mean))
    statistic = float(scale[0] * mean[place])
    [p_value] = p_values(contest, scale, mean[None, :], statistic)
    return RealityCheck(p_value, statistic, contest.label(place), contest.reps, contest.block)


def spa_test(
    returns_matrix: Returns,
    benchmark: Returns | None = None,
    reps: int = 1000,
    block: float | None = None,
    seed: int = 0,
    studentize: bool = True,
    of: Hashable = None,
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

    of : Hashable, optional
        A column (its label, or its number from 0) that was chosen for another reason than this statistic: the p-values
        are then those of finding one as good as it, which no choice makes too small.

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
    contest = contest_of(returns_matrix, benchmark, reps, block, seed, indices)
    scale, mean = contest.scale(studentize=studentize), contest.apart.mean(axis=0)
    size = len(contest.apart)
    place = int(np.argmax(scale * mean)) if of is None else contest.place(of)
    statistic = float((scale * mean)[place])
    hopeless = mean < -np.sqrt(contest.variance() / size * 2.0 * np.log(np.log(size)))
    centres = np.stack([np.maximum(mean, 0.0), np.where(hopeless, 0.0, mean), mean])
    lower, consistent, upper = p_values(contest, scale, centres, statistic)
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
    contest = contest_of(returns_matrix, benchmark, reps, block, seed, indices)
    if 1.0 / (1.0 + contest.reps) > level:
        raise DataError(f"{contest.reps} resamples cannot show a p-value of {level}; take {int(np.ceil(20 / level))}.")
    mean = contest.apart.mean(axis=0)
    scale = contest.scale(studentize=studentize)
    order = np.argsort(scale * mean, kind="stable")
    counts = as_good_among_the_rest(contest, scale, mean, order)
    adjusted = np.empty(len(order))
    adjusted[order[::-1]] = np.maximum.accumulate((1.0 + counts[::-1]) / (1.0 + contest.reps))
    superior = tuple(contest.label(int(place)) for place in order[::-1] if adjusted[place] <= level)
    return Stepwise(superior, contest.given.answer(adjusted), level, contest.reps, contest.block)
