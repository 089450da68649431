"""Two simple moving averages."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.crossings import Crossing
from qtw_lab.strategies.stances import down


class SmaCross(Strategy):
    """Long while the fast simple moving average of the close is above the slow one, else flat (or short).

    Parameters
    ----------
    fast, slow : int
        Windows in bars, ``fast < slow``. Two weeks against ten weeks of daily bars by default.
    short : bool
        Short instead of flat while the fast average is not above.

    Notes
    -----
    The rule of Brock, Lakonishok and LeBaron (1992), "Simple Technical Trading Rules and the Stochastic Properties of
    Stock Returns", without their band.

    Examples
    --------
    >>> SmaCross(fast=20, slow=100).warmup
    99
    >>> SmaCross(fast=50, slow=20)
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: sma_cross: fast=50 must be below slow=20.
    """

    fast: int = param(default=10, low=1, high=5000, label="fast window (bars)")
    slow: int = param(default=50, low=2, high=10_000, label="slow window (bars)")
    short: bool = param(default=False, label="sell short")

    def check(self) -> None:
        """Refuse a fast window that is not the shorter one."""
        if np.any(self.fast >= self.slow):  # a sweep asks for whole columns at once
            raise DataError(f"{self.name}: fast={self.fast} must be below slow={self.slow}.")

    @property
    def warmup(self) -> int:
        """The slow window less one."""
        return self.slow - 1

    @property
    def memory(self) -> int:
        """The slow window."""
        return self.slow

    def crossing(self, prices: Panel) -> Crossing:
        """The rule: fast above slow."""
        return Crossing(ind.sma, prices.close, self.fast, self.slow, down(self.short))

    def signals(self, prices: Panel) -> FloatArray:
        """1 while fast is above slow, else 0 or -1."""
        return self.crossing(prices).stances()
