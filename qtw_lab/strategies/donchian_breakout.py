"""New highs and lows."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.stances import stance


class DonchianBreakout(Strategy):
    """Buy when the close is above the highest high of the `entry` bars before it, leave below the lowest low of `exit`.

    Parameters
    ----------
    entry : int
        Bars of the channel whose break opens a position; the present bar is not part of it.
    exit : int
        Bars of the channel whose break closes a long position.
    short : bool
        Stop and reverse instead: short below the lowest low of the `entry` bars before, long above their highest high,
        never flat in between; `exit` then has no effect.

    Notes
    -----
    20 and 10 bars are the faster Turtle system (Faith, 2007, "Way of the Turtle"); reversing at every break of one
    channel is Donchian's four-week rule.

    Examples
    --------
    >>> DonchianBreakout(entry=55, exit=20).memory
    56
    """

    holds = True
    entry: int = param(default=20, low=1, high=5000, label="entry channel (bars)")
    exit: int = param(default=10, low=1, high=5000, label="exit channel (bars)")
    short: bool = param(default=False, label="stop and reverse")

    @property
    def warmup(self) -> int:
        """The longer channel."""
        return max(self.entry, self.exit)

    @property
    def memory(self) -> int:
        """The longer channel and the present bar."""
        return max(self.entry, self.exit) + 1

    def signals(self, prices: Panel) -> FloatArray:
        """1 above the entry channel, 0 below the exit channel (-1 below the entry channel if short), else keep."""
        channel = ind.donchian(prices.high, prices.low, self.entry)
        upper, lower = ind.lag(channel.upper, 1), ind.lag(channel.lower, 1)
        floor = ind.lag(ind.rolling_min(prices.low, self.exit), 1)
        return stance(
            (prices.close > upper, 1.0),
            (np.asarray(self.short, dtype=bool) & (prices.close < lower), -1.0),
            (~np.asarray(self.short, dtype=bool) & (prices.close < floor), 0.0),
            otherwise=np.nan,
            given=(upper, floor),
        )
