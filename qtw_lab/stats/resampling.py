"""Resamples of bars in blocks, which keep the dependence of near bars, and how long such blocks should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.stats.columns import (
    Figure,
    FloatArray,
    Returns,
    columns,
    deviation,
    generator,
    number,
    numeric,
    ratio,
    whole,
)

IntArray = npt.NDArray[np.intp]

#: Cells of one portion of resamples: what keeps memory at some ten megabytes whatever is asked for.
_CELLS = 1 << 20
#: Consecutive lags without correlation that end the search for dependence: the authors' max(5, sqrt(log10 T)), which is
#: 5 for every series shorter than 10 ** 25 bars.
_QUIET_LAGS = 5


@dataclass(frozen=True, slots=True)
class BlockLength:
    """Block lengths with which the variance of a resampled mean has the smallest mean squared error, in bars.

    Parameters
    ----------
    stationary : float, ndarray or Series
        Mean length for blocks of random length, a figure a column. Below 1 it says that bars may be drawn singly.
    circular : float, ndarray or Series
        Length for blocks of one length.
    """

    stationary: Figure
    circular: Figure


def stationary_bootstrap_indices(length: int, block: float, reps: int, seed: int = 0) -> Iterator[IntArray]:
    """Bars drawn in blocks of geometric length that start anywhere and wrap around, some resamples at a time.

    A block goes on with probability ``1 - 1 / block``, so that resamples of a stationary series are stationary. The
    first resamples are the same however many are asked for. Politis and Romano, "The Stationary Bootstrap" (1994).

    Parameters
    ----------
    length : int
        Bars of the series, T.
    block : float
        Mean length of a block, from 1 (single bars) to T.
    reps : int
        Number of resamples.
    seed : int
        What the random numbers start from.

    Yields
    ------
    ndarray
        Bar numbers (R, T), a row a resample; the rows of all portions are `reps`.

    Raises
    ------
    DataError
        If an argument is not a number in its range; at the call, not at the first portion.

    Examples
    --------
    >>> [rows] = stationary_bootstrap_indices(length=6, block=3, reps=2, seed=1)
    >>> rows.shape
    (2, 6)
    """
    bars, rows = whole("length", length), whole("reps", reps)
    return _stationary(bars, 1.0 / block_within(block, bars), rows, generator(seed))


def circular_bootstrap_indices(length: int, block: int, reps: int, seed: int = 0) -> Iterator[IntArray]:
    """Bars drawn in blocks of one length that start anywhere and wrap around, some resamples at a time.

    The last block is cut off where the resample is full. Politis and Romano, "A Circular Block-Resampling Procedure
    for Stationary Data" (1992).

    Parameters
    ----------
    length, reps, seed
        As for `stationary_bootstrap_indices`.
    block : int
        Length of a block, from 1 to T.

    Yields
    ------
    ndarray
        As of `stationary_bootstrap_indices`.

    Raises
    ------
    DataError
        As for `stationary_bootstrap_indices`.

    Examples
    --------
    >>> [rows] = circular_bootstrap_indices(length=6, block=3, reps=2, seed=1)
    >>> (np.diff(rows) % 6 == 1).sum(axis=1) >= 4
    array([ True,  True])
    """
    bars, rows = whole("length", length), whole("reps", reps)
    block_within(whole("block", block), bars)
    return _circular(bars, block, rows, generator(seed))


def resample_counts(indices: npt.ArrayLike) -> FloatArray:
    """How often each resample holds each bar, (R, T), as floats.

    The means of R resamples of N series (T, N) are then one matrix product, ``resample_counts(indices) @ series / T``,
    and no (R, T, N) array is needed.

    Parameters
    ----------
    indices : array_like
        Bar numbers (R, T), each from 0 to T - 1.

    Raises
    ------
    DataError
        If they are not that.

    Examples
    --------
    >>> resample_counts([[0, 0, 2]])
    array([[2., 0., 1.]])
    """
    rows = numeric(indices, "indices")
    if rows.dtype.kind not in "iu" or rows.ndim != 2 or not rows.size:
        raise DataError(f"indices must be whole numbers (resamples, bars), not {rows.dtype} of shape {rows.shape}.")
    reps, bars = rows.shape
    if rows.min() < 0 or rows.max() >= bars:
        raise DataError(
            f"indices run from {rows.min()} to {rows.max()}; a resample of {bars} bars holds bars from 0 to {bars - 1}."
        )
    flat = rows.astype(np.intp) + bars * np.arange(reps)[:, None]
    return np.bincount(flat.ravel(), minlength=reps * bars).reshape(reps, bars).astype(np.float64)


def optimal_block_length(x: Returns) -> BlockLength:
    """Block lengths for the mean of a series, chosen from its autocorrelations; NaN for a series that never varies.

    Politis and White, "Automatic Block-Length Selection for the Dependent Bootstrap" (2004), with the correction of
    Patton, Politis and White (2009). As in the authors' program, the bandwidth is twice the first of five consecutive
    lags without significant correlation, and the length at most ``ceil(min(3 sqrt(T), T / 3))``.

    Parameters
    ----------
    x : array_like, Series or DataFrame
        Numbers of each bar, (T,) or (T, K), finite, at least 11 bars.

    Raises
    ------
    DataError
        If they are empty, not numeric, somewhere NaN or infinite, or fewer than 11.

    Examples
    --------
    >>> found = optimal_block_length(np.random.default_rng(1).standard_normal(2000).cumsum()[::40])
    >>> round(found.stationary, 2), round(found.circular, 2)
    (8.94, 10.24)
    """
    given = columns(x, "x")
    size = len(given.values)
    if size < 11:
        raise DataError(f"A block length cannot be chosen from {size} bars: give at least 11, or a block of your own.")
    cov, width = _dependence(given.values)
    lag = np.arange(len(cov))[:, None]
    window = np.clip(2.0 * (1.0 - lag / width), 0.0, 1.0)
    slope = 2.0 * (window * lag * cov).sum(axis=0)
    level = cov[0] + 2.0 * (window * cov)[1:].sum(axis=0)
    longest = np.ceil(min(3.0 * np.sqrt(size), size / 3.0))
    flat = deviation(given.values) == 0.0

    def best(factor: float) -> Figure:
        bars = np.where(level == 0.0, np.inf, np.cbrt(2.0 * ratio(slope, level) ** 2 / factor * size))
        return given.answer(np.where(flat, np.nan, np.minimum(bars, longest)))

    return BlockLength(stationary=best(2.0), circular=best(4.0 / 3.0))


def block_within(block: float, length: int) -> float:
    """The block length as a float.

    Raises
    ------
    DataError
        If it is not a number from 1 to `length`.
    """
    value = number("block", block)
    if not 1.0 <= value <= length:
        raise DataError(f"block={block!r} must be a number of bars from 1 to {length}, the length of the series.")
    return value


def _portions(reps: int, length: int) -> Iterator[int]:
    """Numbers of resamples that together are `reps` and each fit into memory."""
    rows = max(1, _CELLS // length)
    for start in range(0, reps, rows):
        yield min(rows, reps - start)


def _stationary(length: int, jump: float, reps: int, rng: np.random.Generator) -> Iterator[IntArray]:
    bars = np.arange(length)
    for rows in _portions(reps, length):
        chance = rng.random((rows, 2, length))
        fresh = chance[:, 0] < jump
        fresh[:, 0] = True
        since = np.maximum.accumulate(np.where(fresh, bars, 0), axis=1)
        start = (np.take_along_axis(chance[:, 1], since, axis=1) * length).astype(np.intp)
        yield (start + bars - since) % length


def _circular(length: int, block: int, reps: int, rng: np.random.Generator) -> Iterator[IntArray]:
    blocks = -(-length // block)
    for rows in _portions(reps, length):
        start = (rng.random((rows, blocks)) * length).astype(np.intp)
        drawn = (start[:, :, None] + np.arange(block)) % length
        yield drawn.reshape(rows, blocks * block)[:, :length]


def _dependence(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Autocovariances (L, K) and the bandwidth (K,) up to which they count."""
    size = len(values)
    away = values - values.mean(axis=0)
    most = int(np.ceil(np.sqrt(size))) + _QUIET_LAGS
    cross = np.stack([np.einsum("tk,tk->k", away[lag:], away[: size - lag]) for lag in range(most + 1)])
    squares = away**2
    total = squares.sum(axis=0)
    head = total - np.cumsum(squares[: most + 1], axis=0)  # without the first bars
    tail = total - np.cumsum(squares[::-1][: most + 1], axis=0)  # without the last bars
    norm = np.sqrt(np.maximum(head, 0.0) * np.maximum(tail, 0.0))
    quiet = np.abs(ratio(cross, norm)) < 2.0 * np.sqrt(np.log10(size) / size)
    runs = np.lib.stride_tricks.sliding_window_view(quiet[:most], _QUIET_LAGS, axis=0).all(axis=-1)
    first = np.maximum(runs.argmax(axis=0), 1)
    return cross / size, np.where(runs.any(axis=0), np.minimum(2 * first, most), most).astype(np.float64)
