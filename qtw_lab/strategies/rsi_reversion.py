"""Buying weakness, measured by Wilder's relative strength index."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.stances import reversion


class RsiReversion(Strategy):
    """Buy when the relative strength index is below `low`, leave when it has risen above `exit`, keep in between.

    Parameters
    ----------
    window : int
        Wilder's smoothing window in bars.
    low, exit, high : float
        Levels of the index, 0 to 100, ``low < exit < high``.
    short : bool
        Also sell short when the index is above `high` and cover when it has fallen to `exit`; without it `high` has no
        effect.

    Notes
    -----
    Wilder (1978), "New Concepts in Technical Trading Systems", with his window of 14 and levels of 30 and 70.

    Examples
    --------
    >>> RsiReversion(low=25).holds
    True
    """

    holds = True
    window: int = param(default=14, low=2, high=1000, label="window (bars)")
    low: float = param(default=30.0, low=0, high=100, label="buy below")
    exit: float = param(default=50.0, low=0, high=100, label="leave at")
    high: float = param(default=70.0, low=0, high=100, label="sell short above")
    short: bool = param(default=False, label="sell short")

    def check(self) -> None:
        """Refuse levels out of order."""
        if np.any(self.low >= self.exit) or np.any(self.exit >= self.high):  # a sweep asks for whole columns at once
            raise DataError(
                f"{self.name}: low={self.low:g}, exit={self.exit:g} and high={self.high:g} must rise in this order."
            )

    @property
    def warmup(self) -> int:
        """The index needs one bar more than its window, and the bar before is looked at too."""
        return self.window + 1

    @property
    def memory(self) -> int:
        """The memory of Wilder's averages, one bar for the first price change and one for the bar before."""
        return int(ind.wilder_memory(self.window)) + 2

    def signals(self, prices: Panel) -> FloatArray:
        """1 below `low`, 0 past `exit`, -1 above `high` if short, else keep."""
        index = ind.rsi(prices.close, self.window)
        return reversion(index, low=self.low, middle=self.exit, high=self.high, short=self.short)
