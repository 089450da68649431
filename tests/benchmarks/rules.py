"""What every side computes alike: pairs, trading rules in plain NumPy, statistics of an equity path, distances."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Results = dict[str, FloatArray]

FEE_BPS = 10.0
CASH = 100_000.0
#: (stop loss, take profit) pairs of the sweep with stops; None is off.
STOPS = ((0.05, 0.10), (0.08, None), (None, 0.06))
#: The part of the account the portfolio invests, so that no side runs out of cash through its fees.
INVESTED = 0.95
#: Mean block of the bootstrap, in bars: given to every side, since each tool has a default of its own.
BLOCK = 10
#: Strategies that `skilled` makes good, and by how much a bar: far above what the best of a thousand has by chance.
SKILLED, EDGE = 20, 0.01
#: Groups that are tested together, bars a label looks ahead, and bars under embargo.
TESTED, HORIZON, EMBARGO = 2, 5, 10


@dataclass(frozen=True)
class Size:
    """How much work a side is given.

    Parameters
    ----------
    windows : int
        Fast and slow windows run from 2 to this, fast below slow.
    market : {"goog", "synthetic", "returns"}
        Google's 2,148 daily bars, a seeded random walk, or no prices but the returns of `symbols` strategies.
    bars, symbols : int
        Of the synthetic market; `bars` also cuts the real one.
    window, count : int
        Of the portfolio: bars of momentum, and how many symbols are held.
    reps, parts : int
        Of the validation: resamples, and partitions or groups of the bars.
    """

    windows: int = 101
    market: str = "goog"
    bars: int = 2148
    symbols: int = 1
    window: int = 126
    count: int = 100
    reps: int = 1000
    parts: int = 16

    def tiny(self) -> Size:
        """The same work, small enough for a warm-up."""
        return dataclasses.replace(
            self, windows=5, bars=min(self.bars, 400), symbols=min(self.symbols, 6), count=min(self.count, 2),
            reps=min(self.reps, 100), parts=min(self.parts, 4),
        )  # fmt: skip

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Every (fast, slow), in the order of the sweep's table."""
        span = range(2, self.windows + 1)
        return [(fast, slow) for fast in span for slow in span if fast < slow]

    @property
    def steps(self) -> int:
        """Bars simulated in all, every combination and symbol counted."""
        return len(self.pairs) * self.bars * self.symbols

    def dumps(self) -> str:
        """The size as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def loads(cls, text: str) -> Size:
        """The size written by `dumps`."""
        return cls(**json.loads(text))


def cumulative_mean(close: FloatArray, window: Any) -> FloatArray:
    """Mean of the last `window` closes by differences of a running sum; (T, N), or (T, K) for K windows and one symbol.

    The plain NumPy way, a rounding error away from a mean of the window alone.
    """
    total = np.vstack([np.zeros((1, close.shape[1])), np.cumsum(close, axis=0)])
    window = np.atleast_1d(window)
    last = np.arange(1, len(close) + 1)[:, None]
    first = last - window
    sums = np.take_along_axis(total, last, axis=0) - np.take_along_axis(total, np.maximum(first, 0), axis=0)
    return np.where(first >= 0, sums / window, np.nan)


def monthly_weights(close: FloatArray, times: npt.NDArray[np.int64], window: int, count: int) -> FloatArray:
    """Equal weights in the `count` symbols that rose most over `window` bars, at each month's first bar; else NaN."""
    months = times.astype("datetime64[ns]").astype("datetime64[M]")
    first = np.flatnonzero(months[1:] != months[:-1]) + 1
    weights = np.full(close.shape, np.nan)
    for bar in first[first >= window]:
        gain = close[bar] / close[bar - window]
        weights[bar] = 0.0
        weights[bar, np.argsort(-gain, kind="stable")[:count]] = INVESTED / count
    return weights


def statistics(equity: FloatArray, periods_per_year: float) -> tuple[float, float, float]:
    """Total return, Sharpe ratio and deepest drawdown of an equity path that started from `CASH`."""
    path = np.concatenate([[CASH], equity])
    returns = path[1:] / path[:-1] - 1.0
    deviation = returns.std(ddof=1)
    sharpe = returns.mean() / deviation * np.sqrt(periods_per_year) if deviation > 0 else np.nan
    return path[-1] / CASH - 1.0, sharpe, float((path / np.maximum.accumulate(path) - 1.0).min())


def strategy_returns(bars: int, strategies: int) -> FloatArray:
    """Returns (T, N) of strategies without much skill: partly alike, of different spread, some a good deal worse."""
    rng = np.random.default_rng(11)
    noise = rng.standard_normal((bars, strategies)) + 0.5 * rng.standard_normal((bars, 1))
    return 0.01 * (noise * rng.uniform(0.5, 2.0, strategies) + rng.normal(-0.02, 0.03, strategies))


def skilled(returns: FloatArray) -> FloatArray:
    """The same with the first `SKILLED` strategies so good that no resampling can miss them."""
    better = returns.copy()
    better[:, :SKILLED] += EDGE
    return better


def members(places: Iterable[int], size: int) -> FloatArray:
    """1 at these places of `size`, else 0."""
    chosen = np.zeros(size)
    chosen[list(places)] = 1.0
    return chosen


def splits_as_arrays(splits: Iterable[tuple[IntArray, IntArray]], paths: IntArray) -> Results:
    """Training and test bars of every split, joined; how many each has; and which splits make each path."""
    found = list(splits)
    arrays = {
        "train": np.concatenate([train for train, _ in found]),
        "test": np.concatenate([test for _, test in found]),
        "counts": np.array([[len(train), len(test)] for train, test in found]),
        "paths": paths,
    }
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def relative(one: FloatArray, other: FloatArray, size: Size) -> FloatArray:
    """Distances of figures, relative where they are above 1."""
    return np.asarray(np.abs(one - other) / np.maximum(1.0, np.abs(one)))


def standard_errors(one: FloatArray, other: FloatArray, size: Size) -> FloatArray:
    """Distances of p-values of `size.reps` resamples each, in the standard errors of such a difference.

    The angle ``2 arcsin sqrt(p)`` of a share of R draws has a variance of nearly 1 / R whatever p is (Anscombe 1948),
    so that the difference of two has 2 / R.
    """
    angles = [2.0 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))) for share in (one, other)]
    return np.asarray(np.abs(angles[0] - angles[1]) * np.sqrt(size.reps / 2.0))
