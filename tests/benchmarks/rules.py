"""What every side computes alike: parameter pairs, trading rules in plain NumPy, and statistics of an equity path."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Results = dict[str, FloatArray]

FEE_BPS = 10.0
CASH = 100_000.0
#: (stop loss, take profit) pairs of the sweep with stops; None is off.
STOPS = ((0.05, 0.10), (0.08, None), (None, 0.06))
#: The part of the account the portfolio invests, so that no side runs out of cash through its fees.
INVESTED = 0.95


@dataclass(frozen=True)
class Size:
    """How much work a side is given.

    Parameters
    ----------
    windows : int
        Fast and slow windows run from 2 to this, fast below slow.
    market : {"goog", "synthetic"}
        Google's 2,148 daily bars, or a seeded random walk.
    bars, symbols : int
        Of the synthetic market; `bars` also cuts the real one.
    window, count : int
        Of the portfolio: bars of momentum, and how many symbols are held.
    """

    windows: int = 101
    market: str = "goog"
    bars: int = 2148
    symbols: int = 1
    window: int = 126
    count: int = 100

    def tiny(self) -> Size:
        """The same work, small enough for a warm-up."""
        return dataclasses.replace(
            self, windows=5, bars=min(self.bars, 400), symbols=min(self.symbols, 6), count=min(self.count, 2)
        )

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
