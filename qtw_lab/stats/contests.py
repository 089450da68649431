"""Many strategies beside one benchmark, and the resamples that tell what the best of them is worth."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Columns, FloatArray, Returns, beside, columns, deviation, numeric, ratio, whole
from qtw_lab.stats.resampling import (
    IntArray,
    block_within,
    optimal_block_length,
    resample_counts,
    stationary_bootstrap_indices,
)

#: Cells of one block of resampled means, some ten megabytes.
_CELLS = 1 << 20
#: Returns that differ by less were computed from the same prices in another order.
_ROUNDING = 1e-13


@dataclass(frozen=True, slots=True)
class Contest:
    """Differences to the benchmark, and the resamples to judge them by.

    Parameters
    ----------
    given : Columns
        Returns of the strategies, as given.
    apart : ndarray, (T, N)
        Their differences to the benchmark.
    resamples : iterable of ndarray
        Bar numbers (R, T) of some resamples at a time.
    reps : int
        Number of resamples.
    block : float
        Mean length of a block, in bars.
    """

    given: Columns
    apart: FloatArray
    resamples: Iterable[IntArray]
    reps: int
    block: float

    def place(self, label: Hashable) -> int:
        """The number of a column.

        Raises
        ------
        DataError
            If there is none of that label or number.
        """
        known = range(self.apart.shape[1]) if self.given.names is None else self.given.names
        found = [place for place, name in enumerate(known) if name == label]
        if len(found) != 1:
            raise DataError(f"There is no column {label!r} among the {self.apart.shape[1]} compared.")
        return found[0]

    def label(self, place: int) -> Hashable:
        """What the column at this place is called."""
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


def contest_of(
    returns_matrix: Returns,
    benchmark: Returns | None,
    reps: int,
    block: float | None,
    seed: int,
    indices: npt.ArrayLike | None,
) -> Contest:
    """The strategies beside the benchmark, checked; arguments and errors as of `snooping.reality_check`."""
    given = columns(returns_matrix, "returns_matrix")
    apart = given.values if benchmark is None else _difference(given, benchmark)
    size = len(apart)
    if size < 3:
        raise DataError(f"Nothing can be said of strategies from {size} bars: give at least 3, better hundreds.")
    _refuse_unfit_columns(given, apart)
    length = _common_block(apart) if block is None else block_within(block, size)
    if indices is None:
        rows = whole("reps", reps)
        return Contest(given, apart, stationary_bootstrap_indices(size, length, rows, seed), rows, length)
    drawn = numeric(indices, "indices")
    if drawn.ndim != 2 or drawn.shape[1] != size or not len(drawn):
        raise DataError(f"indices of shape {drawn.shape} do not fit {size} bars: give (resamples, {size}).")
    portions = [drawn[part] for part in _parts(len(drawn), max(1, _CELLS // size))]
    return Contest(given, apart, portions, len(drawn), length)


def _difference(given: Columns, benchmark: Returns) -> FloatArray:
    """Differences to the benchmark, exactly 0 for a column that differs from it by rounding alone."""
    apart = given.values - beside(given, benchmark)
    return np.where((np.abs(apart) < _ROUNDING).all(axis=0), 0.0, apart)


def _refuse_unfit_columns(given: Columns, apart: FloatArray) -> None:
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


def p_values(contest: Contest, scale: FloatArray, centres: FloatArray, statistic: float) -> list[float]:
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


def as_good_among_the_rest(contest: Contest, scale: FloatArray, mean: FloatArray, order: IntArray) -> FloatArray:
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
