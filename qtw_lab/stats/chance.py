"""Whether the timing of positions is better than the same positions held at other times.

Everywhere here the position of bar t is decided with what is known when bar t closes, and earns the return of bar
t + 1, the next. The return of the first bar and the position of the last one therefore do not count. Positions that
were shifted already must be shifted back, else they are tested a bar late. Costs are left out: as many trades cost as
much whenever they are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray, Returns, columns, deviation, generator, whole
from qtw_lab.stats.resampling import IntArray, optimal_block_length

Shuffle = Literal["rotate", "blocks"]


@dataclass(frozen=True, slots=True)
class ChanceTest:
    """How positions did beside the same positions at other times.

    Parameters
    ----------
    p_value : float
        Probability that timing without skill would have done as well: ``(1 + count) / (1 + reps)``, never 0.
    statistic : float
        Mean return a bar that the positions earned, as a fraction.
    distribution : ndarray
        Mean returns (reps,) of the positions at other times.
    reps : int
        Number of these.
    """

    p_value: float
    statistic: float
    distribution: FloatArray
    reps: int


@dataclass(frozen=True, slots=True)
class _Trades:
    """Stretches with a position of one side: where each starts, how long it lasts, whether it is long."""

    starts: IntArray
    lengths: IntArray
    long: IntArray


def permutation_test(
    returns: Returns,
    positions: Returns,
    method: Shuffle = "rotate",
    reps: int = 1000,
    block: int | None = None,
    seed: int = 0,
) -> ChanceTest:
    """The p-value of the mean return that positions earned, against the same positions moved in time.

    ``"rotate"`` moves all positions by the same number of bars around the circle, which keeps the dependence in time of
    both the positions and the returns; there are T - 2 ways to, and all are taken if `reps` is not less. ``"blocks"``
    cuts the positions into blocks and puts these into another order, which gives more ways but breaks the dependence
    at the cuts. The mean position is kept, so that holding much of a rising asset is no skill here. The p-value counts
    the positions as they were among the copies: Phipson and Smyth, "Permutation P-values Should Never Be Zero" (2010).

    Parameters
    ----------
    returns : array_like or Series
        Simple returns of the asset, (T,), finite, at least 3 bars.
    positions : array_like or Series
        Share of capital held at the close of each bar, (T,), on the same bars: bar t's earns the return of bar t + 1.
    method : {"rotate", "blocks"}
        How positions are moved.
    reps : int
        Number of moved copies.
    block : int, optional
        Bars of a block, for ``"blocks"`` only, at most half of T - 1; by default what `optimal_block_length` has for
        the positions in blocks of one length, within that.
    seed : int
        What the random numbers start from.

    Raises
    ------
    DataError
        If either is not one finite series, the two are not of the same bars, the positions never change, or an
        argument is out of range.

    Examples
    --------
    >>> r = 0.01 * np.random.default_rng(3).standard_normal(300)
    >>> knows = np.sign(np.append(r[1:], 0.0))
    >>> permutation_test(r, knows).p_value < 0.01
    True
    >>> permutation_test(r, np.sign(r)).p_value > 0.05  # the sign of the bar itself says nothing of the next
    True
    """
    earned, held = _earning(returns, positions)
    copies = whole("reps", reps)
    rng = generator(seed)
    if method == "rotate":
        if block is not None:
            raise DataError("block is for method='blocks'; a rotation has none.")
        distribution = _rotated(earned, held, copies, rng)
    elif method == "blocks":
        distribution = _reordered(earned, held, copies, _cut(held, block), rng)
    else:
        raise DataError(f"method={method!r} is none; choose 'rotate' or 'blocks'.")
    return _judge(float(held @ earned) / len(held), distribution, earned, held)


def random_entry_test(asset_returns: Returns, positions: Returns, reps: int = 1000, seed: int = 0) -> ChanceTest:
    """The p-value of the mean return that positions earned, against the same trades entered at random.

    A trade is a stretch of bars with positions of one side, and keeps its length and its sizes. The trades of each side
    change places among themselves, the sequence of sides is kept or reversed, and the bars without a position are
    spread over the gaps so that all ways are as likely; trades of one side never touch, so that there are as many.
    Returns are taken to be as good in one bar as in another: the dependence of returns in time is not kept, for which
    `permutation_test` is there.

    Parameters
    ----------
    asset_returns, positions
        As `returns` and `positions` of `permutation_test`: bar t's position earns the return of bar t + 1.
    reps : int
        Number of random histories.
    seed : int
        What the random numbers start from.

    Raises
    ------
    DataError
        As for `permutation_test`, or if the trades fit in one way only.

    Examples
    --------
    >>> r = 0.01 * np.random.default_rng(3).standard_normal(300)
    >>> knows = (np.append(r[1:], 0.0) > 0.01).astype(float)
    >>> random_entry_test(r, knows).p_value < 0.01
    True
    """
    earned, held = _earning(asset_returns, positions)
    copies = whole("reps", reps)
    trades = _trades(held)
    spare = _spare(trades, len(held))
    if not spare and len(set(zip(trades.lengths.tolist(), trades.long.tolist(), strict=True))) == 1:
        raise DataError("These trades fill all bars and are alike: there is no other time to enter them.")
    rng = generator(seed)
    distribution = np.empty(copies)
    for k in range(copies):
        from_bar, to_bar = _placed(trades, spare, rng)
        distribution[k] = held[from_bar] @ earned[to_bar]
    return _judge(float(held @ earned) / len(held), distribution / len(held), earned, held)


def _earning(returns: Returns, positions: Returns) -> tuple[FloatArray, FloatArray]:
    """Returns of bars 1 to T - 1, and the positions of the bars before, which earn them."""
    asset, held = columns(returns), columns(positions, "positions")
    if asset.values.shape[1] != 1 or asset.values.shape != held.values.shape:
        raise DataError(
            f"returns {asset.values.shape} and positions {held.values.shape} must be one series each, of the same bars."
        )
    if asset.index is not None and held.index is not None and not asset.index.equals(held.index):
        raise DataError("returns and positions have different times; align them first, such as with positions.reindex.")
    if isinstance(asset.index, pd.Index) and not asset.index.is_monotonic_increasing:
        raise DataError("returns and positions must be in order of time; sort them first.")
    if len(asset.values) < 3:
        raise DataError(f"Timing cannot be judged from {len(asset.values)} bars: give at least 3, better hundreds.")
    before = held.values[:-1, 0]
    if deviation(before[:, None])[0] == 0.0:
        raise DataError(f"The positions are {before[0]:g} in every bar that earns: there is no timing to test.")
    return asset.values[1:, 0], before


def _judge(statistic: float, distribution: FloatArray, earned: FloatArray, held: FloatArray) -> ChanceTest:
    """The test's result; what differs by rounding alone counts as just as good."""
    rounding = 1e-14 * float(np.linalg.norm(earned) * np.linalg.norm(held))
    count = int((distribution >= statistic - rounding).sum())
    reps = len(distribution)
    return ChanceTest((1 + count) / (1 + reps), statistic, distribution, reps)


def _rotated(earned: FloatArray, held: FloatArray, copies: int, rng: np.random.Generator) -> FloatArray:
    """Mean returns of the positions moved by some or all numbers of bars."""
    size = len(earned)
    shifts = np.arange(1, size) if copies >= size - 1 else 1 + rng.choice(size - 1, copies, replace=False)
    every = np.fft.irfft(np.fft.rfft(earned) * np.conj(np.fft.rfft(held)), n=size)
    return np.asarray(every[shifts] / size)


def _cut(held: FloatArray, block: int | None) -> int:
    """Bars of a block: as given, or as the positions suggest."""
    most = len(held) // 2
    if block is None:
        return int(np.clip(np.ceil(optimal_block_length(held).circular), 1, most))
    if whole("block", block) > most:
        raise DataError(f"block={block} leaves less than two blocks of {len(held)} bars: give at most {most}.")
    return block


def _reordered(earned: FloatArray, held: FloatArray, copies: int, block: int, rng: np.random.Generator) -> FloatArray:
    """Mean returns of the positions cut into blocks, from a random bar on around the circle, in random order."""
    size = len(held)
    blocks = -(-size // block)
    found = np.empty(copies)
    for k in range(copies):
        order = rng.permutation(blocks)[:, None] * block + np.arange(block)
        bars = order[order < size] + rng.integers(size)
        found[k] = held[bars % size] @ earned
    return found / size


def _trades(held: FloatArray) -> _Trades:
    side = np.sign(held)
    edges = np.flatnonzero(np.diff(side)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(held)]])
    busy = side[starts] != 0.0
    return _Trades(starts[busy], (ends - starts)[busy], (side[starts[busy]] > 0.0).astype(np.intp))


def _spare(trades: _Trades, size: int) -> int:
    """Bars without a position that may lie anywhere: those between trades of one side may not."""
    return int(size - trades.lengths.sum() - (trades.long[1:] == trades.long[:-1]).sum())


def _placed(trades: _Trades, spare: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Bars of all trades, and the bars they are moved to."""
    number = len(trades.lengths)
    long = trades.long[::-1] if rng.random() < 0.5 else trades.long
    order = np.empty(number, dtype=np.intp)
    for side in (0, 1):
        order[long == side] = rng.permutation(np.flatnonzero(trades.long == side))
    lengths = trades.lengths[order]
    # `spare` bars and `number` bars that divide them, in a row: every choice of dividers is one way, and as likely.
    dividers = np.sort(rng.choice(spare + number, number, replace=False))
    gaps = np.diff(dividers, prepend=-1) - 1
    gaps[1:] += long[1:] == long[:-1]
    starts = np.cumsum(gaps) + np.cumsum(lengths) - lengths
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(trades.starts[order], lengths) + step, np.repeat(starts, lengths) + step
