"""Moving average convergence/divergence."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.stances import down, stance


class Macd(Strategy):
    """Long while the MACD line (fast less slow exponential average) is above its signal line, else flat (or short).

    Parameters
    ----------
    fast, slow : int
        Spans of the two averages in bars, ``fast < slow``.
    signal : int
        Span of the average of the line.
    short : bool
        Short instead of flat while the line is not above.

    Notes
    -----
    Appel (2005), "Technical Analysis: Power Tools for Active Investors", with his 12, 26 and 9 bars.

    Examples
    --------
    >>> Macd().warmup
    33
    """

    fast: int = param(default=12, low=1, high=5000, label="fast span (bars)")
    slow: int = param(default=26, low=2, high=10_000, label="slow span (bars)")
    signal: int = param(default=9, low=1, high=5000, label="signal span (bars)")
    short: bool = param(default=False, label="sell short")

    def check(self) -> None:
        """Refuse a fast span that is not the shorter one."""
        if np.any(self.fast >= self.slow):  # a sweep asks for whole columns at once
            raise DataError(f"{self.name}: fast={self.fast} must be below slow={self.slow}.")

    @property
    def warmup(self) -> int:
        """The slow average, then the signal made from it."""
        return self.slow + self.signal - 2

    @property
    def memory(self) -> int:
        """The slow average has to have forgotten its start before the signal can."""
        return int(ind.macd_memory(self.slow, self.signal))

    def signals(self, prices: Panel) -> FloatArray:
        """1 while the line is above the signal, else 0 or -1."""
        lines = ind.macd(prices.close, self.fast, self.slow, self.signal)
        return stance((lines.line > lines.signal, 1.0), otherwise=down(self.short), given=(lines.line, lines.signal))
