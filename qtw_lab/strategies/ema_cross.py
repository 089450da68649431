"""Two exponential moving averages."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.crossings import Crossing
from qtw_lab.strategies.stances import down


class EmaCross(Strategy):
    """Long while the fast exponential moving average of the close is above the slow one, else flat (or short).

    Parameters
    ----------
    fast, slow : int
        Spans in bars, ``fast < slow``. One month against one quarter of daily bars by default.
    short : bool
        Short instead of flat while the fast average is not above.

    Notes
    -----
    The moving-average rule with averages that weigh the latest bars most. They never forget, so `memory` is where the
    start has less than 1e-9 of its weight left (`indicators.ema_memory`).

    Examples
    --------
    >>> EmaCross(fast=12, slow=26).parameters
    {'fast': 12, 'slow': 26, 'short': False}
    """

    fast: int = param(default=20, low=1, high=5000, label="fast span (bars)")
    slow: int = param(default=60, low=2, high=10_000, label="slow span (bars)")
    short: bool = param(default=False, label="sell short")

    def check(self) -> None:
        """Refuse a fast span that is not the shorter one."""
        if np.any(self.fast >= self.slow):  # a sweep asks for whole columns at once
            raise DataError(f"{self.name}: fast={self.fast} must be below slow={self.slow}.")

    @property
    def warmup(self) -> int:
        """The slow span less one."""
        return self.slow - 1

    @property
    def memory(self) -> int:
        """The memory of the slow average, which is the longer one."""
        return int(ind.ema_memory(self.slow))

    def crossing(self, prices: Panel) -> Crossing:
        """The rule: fast above slow."""
        return Crossing(ind.ema, prices.close, self.fast, self.slow, down(self.short))

    def signals(self, prices: Panel) -> FloatArray:
        """1 while fast is above slow, else 0 or -1."""
        return self.crossing(prices).stances()
