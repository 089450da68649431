"""The probability that choosing the best backtest chose noise, by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, Lopez de Prado and Zhu, "The Probability of Backtest Overfitting", Journal of Computational Finance
(2017). The bars are cut into S partitions. Every half of them is once the sample in which the best strategy is chosen,
and the other half the one in which the choice is judged. A statistic of any half follows from the sums and squares of
its partitions, so the returns are read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Columns, FloatArray, Returns, choice, columns, deviation

#: Figures of one chunk of splits, halves times strategies: 4 MB an array, of which a handful are alive at a time.
_CHUNK = 500_000
#: Points of the table of distributions.
_POINTS = 201
#: Figures that differ by less than this share are equal but for rounding.
_EQUAL = 1e-12
#: Statistics of a half that a strategy can be chosen by.
_STATISTICS = ("sharpe", "mean")


@dataclass(frozen=True, slots=True)
class Degradation:
    """How far the chosen strategies fell from the sample of the choice to the other one.

    The two halves of a split share one history, so what is in one is missing from the other: even for a single
    strategy without skill the slope is negative. Read it beside `probability_of_loss`, not by itself.

    Parameters
    ----------
    splits : DataFrame
        A row a split: ``chosen``, the column's label (its number for an array); ``in_sample`` and ``out_of_sample``,
        its statistic per bar in either half.
    slope, intercept : float
        Of the least-squares line of ``out_of_sample`` on ``in_sample``; NaN if the latter never varies.
    r_squared : float
        Share of the variance explained by the line; NaN if either never varies.
    probability_of_loss : float
        Share of splits whose chosen strategy is below 0 out of sample.
    """

    splits: pd.DataFrame
    slope: float
    intercept: float
    r_squared: float
    probability_of_loss: float


@dataclass(frozen=True, slots=True)
class Dominance:
    """Whether the choice did better out of sample than picking a strategy at random, throughout the distribution.

    Parameters
    ----------
    table : DataFrame
        Index ``statistic``, 201 evenly spaced values from the smallest to the largest statistic of any strategy out of
        sample. ``chosen`` and ``all``: shares of the chosen strategies and of all strategies that do not exceed the
        value. ``chosen_shortfall`` and ``all_shortfall``: the areas under these shares up to the value, which are the
        mean amounts they fall short of it by.
    first_order : bool
        Whether the share of the chosen is nowhere above that of all, and somewhere below, at the values of the table.
    second_order : bool
        The same of the shortfalls: every investor who dislikes risk would rather have the choice.
    """

    table: pd.DataFrame
    first_order: bool
    second_order: bool


@dataclass(frozen=True, slots=True)
class BacktestOverfitting:
    """What `probability_of_backtest_overfitting` found.

    Parameters
    ----------
    pbo : float
        Share of splits whose chosen strategy ranks at or below the median out of sample (logit 0 or less): near 0 if
        choosing works, near a half if it is a lottery.
    logits : ndarray, (splits,)
        ``log(w / (1 - w))`` of the relative rank ``w = rank / (strategies + 1)`` out of sample, in the order in which
        `itertools.combinations` gives the partitions to choose in.
    degradation : Degradation
        Performance in and out of sample.
    dominance : Dominance
        Distribution of the choice beside that of all.
    statistic : str
        What was compared.
    strategies, partitions, bars : int
        Columns compared, partitions, and bars used: what does not fill the partitions is left out at the start.
    """

    pbo: float
    logits: FloatArray
    degradation: Degradation
    dominance: Dominance
    statistic: str
    strategies: int
    partitions: int
    bars: int


def probability_of_backtest_overfitting(
    returns_matrix: Returns, n_partitions: int = 16, statistic: str = "sharpe"
) -> BacktestOverfitting:
    """How often the strategy that is best in half of the history is no better than the median in the other half.

    Rules where the paper leaves a choice. Partitions are equally long: the oldest ``T mod n_partitions`` bars are left
    out. Of strategies equal in sample the first column is chosen. Equal strategies out of sample share their average
    rank. Exactly the median counts as overfit, which for a handful of strategies lifts the figure of pure noise above
    one half (to 2/3 for three). A strategy that held nothing (all returns 0) in a half has statistic 0 there.

    Parameters
    ----------
    returns_matrix : array_like or DataFrame
        Simple returns of each bar as fractions, (T, K), finite; a column for every configuration tried, 2 at least.
    n_partitions : int
        Even, 2 to 20; there are 12,870 splits for 16. Each must get 2 bars.
    statistic : str
        ``"sharpe"``, mean over standard deviation (ddof 1) per bar, or ``"mean"``, the mean return per bar.

    Raises
    ------
    DataError
        If there are too few columns or bars, the returns are not numeric or somewhere NaN or infinite, two columns have
        one name, an option is out of range, or a strategy earns the same return, not 0, in every bar of half of the
        partitions or more: it may have no Sharpe ratio in a half.

    Examples
    --------
    The first strategy gains more than the second in every partition:

    >>> r = np.array([[0.03, 0.01], [0.01, -0.01]] * 8)
    >>> found = probability_of_backtest_overfitting(r, n_partitions=4)
    >>> found.pbo, found.logits.round(3).tolist(), found.dominance.first_order
    (0.0, [0.693, 0.693, 0.693, 0.693, 0.693, 0.693], True)
    """
    given = _checked(returns_matrix, n_partitions, statistic)
    halves = _Halves.of(given, n_partitions, statistic)
    inside, outside, picks, ranks = (np.empty(halves.splits) for _ in range(4))
    low, high = np.inf, -np.inf
    for first, half, other in halves.pairs():
        low, high = min(low, half.min(), other.min()), max(high, half.max(), other.max())
        places = np.arange(first, first + len(half))
        # The complement of a half is itself a half: the one as far from the end of the list of combinations.
        for at, chosen_in, judged_in in ((places, half, other), (halves.splits - 1 - places, other, half)):
            pick = _best(chosen_in, halves.unit)
            lines = np.arange(len(pick))
            inside[at], outside[at], picks[at] = chosen_in[lines, pick], judged_in[lines, pick], pick
            ranks[at] = _rank(judged_in, outside[at], halves.unit)
    logits = np.log(ranks / (given.values.shape[1] + 1.0 - ranks))
    labels = np.arange(given.values.shape[1]) if given.names is None else given.names
    splits = pd.DataFrame(
        {"chosen": labels[picks.astype(np.intp)], "in_sample": inside, "out_of_sample": outside},
        index=pd.RangeIndex(halves.splits, name="split"),
    )
    return BacktestOverfitting(
        pbo=float(np.mean(logits <= 0.0)),
        logits=logits,
        degradation=_degradation(splits),
        dominance=_dominance(halves, outside, low, high),
        statistic=statistic,
        strategies=given.values.shape[1],
        partitions=int(n_partitions),
        bars=halves.bars * int(n_partitions),
    )


@dataclass(frozen=True, slots=True)
class _Halves:
    """Sums of each partition, and from them the statistic of every strategy in every half of the partitions.

    Sums are of returns less the strategy's mean over all bars, so that squares lose no digits to a large mean.
    """

    sums: FloatArray  # (S, K)
    squares: FloatArray  # (S, K)
    moves: FloatArray  # (S, K): 1 where a return is not 0
    centre: FloatArray  # (K,)
    bars: int  # of a partition
    statistic: str
    unit: float  # what a statistic of ordinary size comes to

    @classmethod
    def of(cls, given: Columns, partitions: int, statistic: str) -> _Halves:
        """Sums of the last bars, as many as fill the partitions."""
        bars = len(given.values) // partitions
        used = given.values[len(given.values) - bars * partitions :]
        centre = used.mean(axis=0)
        shape = (partitions, bars, used.shape[1])
        blocks = (used - centre).reshape(shape)
        moves = (used.reshape(shape) != 0.0).any(axis=1).astype(np.float64)
        unit = 1.0 if statistic == "sharpe" else float(np.abs(used).mean())
        return cls(blocks.sum(axis=1), np.einsum("sbk,sbk->sk", blocks, blocks), moves, centre, bars, statistic, unit)

    @property
    def splits(self) -> int:
        return len(self._members())

    def pairs(self) -> Iterator[tuple[int, FloatArray, FloatArray]]:
        """Statistics (M, K) of halves that hold the first partition, and of their complements, with their number."""
        partitions = len(self.sums)
        members = self._members()[: self.splits // 2]
        size = max(1, _CHUNK // self.sums.shape[1])
        for first in range(0, len(members), size):
            some = members[first : first + size]
            holds = np.zeros((len(some), partitions))
            np.put_along_axis(holds, some, 1.0, axis=1)
            yield first, self._of(holds), self._of(1.0 - holds)

    def _members(self) -> npt.NDArray[np.intp]:
        """Partitions of every half, (splits, S / 2), in lexicographic order."""
        partitions = len(self.sums)
        return np.array(list(combinations(range(partitions), partitions // 2)), dtype=np.intp)

    def _of(self, holds: FloatArray) -> FloatArray:
        """Statistic (M, K) of the halves whose partitions are marked by 1 in `holds` (M, S)."""
        count = self.bars * len(self.sums) // 2
        sums = holds @ self.sums
        figures = sums / count + self.centre
        if self.statistic == "sharpe":
            variance = (holds @ self.squares - sums**2 / count) / (count - 1)
            # A variance of no more than rounding is that of an unmoved account, whose figure is set to 0 below.
            figures /= np.sqrt(np.maximum(variance, np.finfo(np.float64).tiny))
        if (self.moves.sum(axis=0) <= len(self.sums) / 2).any():
            figures[holds @ self.moves == 0.0] = 0.0
        return figures


def _checked(returns: Returns, partitions: int, statistic: str) -> Columns:
    given = columns(returns, "returns_matrix")
    bars, strategies = given.values.shape
    if strategies < 2:
        raise DataError(
            "returns_matrix has one strategy; there is nothing to choose from. Give (bars, strategies), a column for "
            "every configuration tried."
        )
    whole = isinstance(partitions, (int, np.integer)) and not isinstance(partitions, bool)
    if not whole or partitions % 2 or not 2 <= partitions <= 20:
        raise DataError(f"n_partitions={partitions!r} must be an even whole number from 2 to 20.")
    if bars < 2 * partitions:
        raise DataError(f"{bars} bars are too few for {partitions} partitions of at least 2; give {2 * partitions}.")
    choice("statistic", statistic, _STATISTICS)
    if statistic == "sharpe":
        _refuse_constants(given, partitions)
    return given


def _refuse_constants(given: Columns, partitions: int) -> None:
    """An error for a strategy that may earn the same return, not 0, in every bar of a half."""
    bars = len(given.values) // partitions
    blocks = np.split(given.values[len(given.values) - bars * partitions :], partitions)
    earns = sum((deviation(block) == 0.0) & (block[0] != 0.0) for block in blocks)
    wrong = np.flatnonzero(np.asarray(earns) >= partitions / 2)
    if wrong.size:
        name = wrong[0] if given.names is None else given.names[wrong[0]]
        raise DataError(
            f"returns_matrix column {name!s} earns the same return in every bar of {np.asarray(earns)[wrong[0]]} of "
            f"{partitions} partitions, so it may have no Sharpe ratio in a half. Leave it out, or use statistic='mean'."
        )


def _best(figures: FloatArray, unit: float) -> npt.NDArray[np.intp]:
    """The first column at the maximum of each row (M,)."""
    top = figures.max(axis=1)
    return np.asarray((figures >= (top - _slack(top, unit))[:, None]).argmax(axis=1), dtype=np.intp)


def _rank(figures: FloatArray, of: FloatArray, unit: float) -> FloatArray:
    """Rank (M,) of a figure in its row, 1 for the smallest; equal figures share the mean of their ranks."""
    slack = _slack(of, unit)
    below = (figures < (of - slack)[:, None]).sum(axis=1)
    upto = (figures <= (of + slack)[:, None]).sum(axis=1)
    return np.asarray((below + upto + 1.0) / 2.0, dtype=np.float64)


def _slack(figures: FloatArray, unit: float) -> FloatArray:
    """How far apart equal figures may be by rounding: copies of a strategy must tie on every processor."""
    return np.asarray(_EQUAL * (np.abs(figures) + unit), dtype=np.float64)


def _degradation(splits: pd.DataFrame) -> Degradation:
    inside, outside = splits["in_sample"].to_numpy(), splits["out_of_sample"].to_numpy()
    slope = r_squared = np.nan
    if deviation(inside[:, None])[0] > 0.0:
        x, y = inside - inside.mean(), outside - outside.mean()
        slope = float(x @ y / (x @ x))
        r_squared = float((x @ y) ** 2 / (x @ x) / (y @ y)) if deviation(outside[:, None])[0] > 0.0 else np.nan
    return Degradation(
        splits=splits,
        slope=slope,
        intercept=float(outside.mean() - slope * inside.mean()),
        r_squared=r_squared,
        probability_of_loss=float(np.mean(outside < 0.0)),
    )


def _dominance(halves: _Halves, chosen: FloatArray, low: float, high: float) -> Dominance:
    """Both distributions, the statistics computed once more: all of them together would not fit into memory."""
    values = np.linspace(low, high, _POINTS)
    counts, sums = np.zeros(_POINTS), np.zeros(_POINTS)
    for _, half, other in halves.pairs():
        for figures in (half, other):
            found = _binned(figures.ravel(), values)
            counts += found[0]
            sums += found[1]
    everyone, everyone_short = _distribution(counts, sums, values)
    choice, choice_short = _distribution(*_binned(chosen, values), values)
    table = pd.DataFrame(
        {"chosen": choice, "all": everyone, "chosen_shortfall": choice_short, "all_shortfall": everyone_short},
        index=pd.Index(values, name="statistic"),
    )
    size = max(abs(low), abs(high))
    return Dominance(table, _under(choice, everyone, 1.0), _under(choice_short, everyone_short, size))


def _binned(figures: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Number and sum of the figures above one value and up to the next, at the latter's place."""
    step = (values[-1] - values[0]) / (len(values) - 1)
    if step == 0.0:
        place = np.zeros(len(figures), dtype=np.intp)
    else:
        place = np.clip(np.ceil((figures - values[0]) / step), 0, len(values) - 1).astype(np.intp)
    counts = np.bincount(place, minlength=len(values)).astype(np.float64)
    return counts, np.bincount(place, weights=figures, minlength=len(values)).astype(np.float64)


def _distribution(counts: FloatArray, sums: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of figures up to each value, and the mean amount by which figures fall short of it."""
    total = counts.sum()
    share = np.cumsum(counts) / total
    return share, np.maximum(values * share - np.cumsum(sums) / total, 0.0)


def _under(line: FloatArray, other: FloatArray, size: float) -> bool:
    """Whether a line is nowhere above another and somewhere below, rounding aside."""
    apart = other - line
    slack = _EQUAL * size
    return bool((apart >= -slack).all() and (apart > slack).any())
