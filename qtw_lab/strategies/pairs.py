"""Two prices that part and meet again."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.stances import reversion


class Pairs(Strategy):
    """Buy the first symbol and sell the second when their ratio is unusually low, the reverse when it is high.

    The score is the logarithm of first over second price, less its mean over `window` bars, in standard deviations. A
    position opens beyond `entry` and closes when the score has crossed zero. A bar counts if both symbols have it.

    Parameters
    ----------
    window : int
        Bars of mean and standard deviation; one quarter of daily bars by default.
    entry : float
        Distance from the mean, in standard deviations, at which a position opens.

    Raises
    ------
    DataError
        If the bars have not exactly two symbols.

    Notes
    -----
    After Gatev, Goetzmann and Rouwenhorst (2006), "Pairs Trading: Performance of a Relative-Value Arbitrage Rule":
    open at two standard deviations, close at the crossing, equal amounts on both sides. They fix mean and deviation
    in a formation year; here both roll with the window.

    Examples
    --------
    >>> Pairs(entry=2.5).scope
    'universe'
    """

    scope = "universe"
    holds = True
    window: int = param(default=63, low=5, high=5000, label="window (bars)")
    entry: float = param(default=2.0, low=0.1, high=10, label="entry (standard deviations)")

    @property
    def warmup(self) -> int:
        """The window, because the bar before the present one is looked at too."""
        return self.window

    @property
    def memory(self) -> int:
        """The window and the bar before it."""
        return self.window + 1

    def signals(self, prices: Panel) -> FloatArray:
        """1 and -1, -1 and 1, 0 and 0, or keep."""
        if prices.close.shape[1] != 2:
            raise DataError(f"{self.name} trades two symbols against each other; {prices.close.shape[1]} were given.")
        score = ind.z_score(np.log(prices.close[:, :1]) - np.log(prices.close[:, 1:]), self.window)
        first = reversion(score, low=-self.entry, middle=0.0, high=self.entry, short=True)
        return np.hstack((first, -first))
