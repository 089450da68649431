"""The default rule of a realtime profile: follow a move that is large enough, until it is over."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.strategies import Panel, Strategy, param
from qtw_lab.strategies.base import FloatArray
from qtw_lab.strategies.stances import stance


class MomentumThreshold(Strategy):
    """Long after a rise of at least `entry` over `lookback` bars, short after such a fall, flat again below `exit`.

    A long stance ends when the return over the lookback is below `exit` or no longer positive, a short one when it is
    above ``-exit`` or no longer negative; between the two thresholds the stance is kept.

    Parameters
    ----------
    lookback : int
        Bars the return covers.
    entry, exit : float
        Returns as fractions, ``exit <= entry``.
    short : bool
        Short after a fall; else flat.

    Notes
    -----
    The default rule of a realtime profile, made from its section `signals`. Two thresholds keep a return that
    trembles around one from opening and closing at every bar. No state has to be remembered: if the return one bar
    before was not on the same side beyond `exit`, a stance of that side cannot have been open, and the other one ends.

    Examples
    --------
    >>> rule = MomentumThreshold(lookback=1, entry=0.02, exit=0.01)
    >>> close = np.array([100, 100, 103, 104.5, 105, 101.5, 99.0])[:, None]  # returns 0, 3, 1.5, 0.5, -3.3, -2.5 %
    >>> panel = Panel(close, close, close, close, close, np.arange(7), 252.0)
    >>> rule.decide(panel)[:, 0].tolist()
    [nan, nan, 1.0, nan, 0.0, -1.0, -1.0]
    """

    holds = True
    lookback: int = param(default=3, low=1, high=5000, label="lookback (bars)")
    entry: float = param(default=0.002, low=1e-6, high=1, label="entry return")
    exit: float = param(default=0.001, low=0, high=1, label="exit return")
    short: bool = param(default=True, label="sell short")

    def check(self) -> None:
        """Refuse an exit above the entry: a stance would end in the bar that opens it."""
        if np.any(self.exit > self.entry):  # a sweep asks for whole columns at once
            raise DataError(f"{self.name}: exit={self.exit} must not be above entry={self.entry}.")

    @property
    def warmup(self) -> int:
        """The lookback and one bar, because the return of the bar before is looked at too."""
        return self.lookback + 1

    @property
    def memory(self) -> int:
        """The lookback, the bar before and the present one."""
        return self.lookback + 2

    def signals(self, prices: Panel) -> FloatArray:
        """1 from `entry` up, -1 (or 0) from ``-entry`` down, 0 where a stance has ended, else keep."""
        moved = prices.close / ind.lag(prices.close, self.lookback) - 1.0
        side = np.sign(moved) * (np.abs(moved) >= self.exit)
        before = ind.lag(side, 1)
        return stance(
            (moved >= self.entry, 1.0),
            (moved <= -np.asarray(self.entry), np.where(self.short, -1.0, 0.0)),
            ((side == 0) | (side != before), 0.0),
            otherwise=np.nan,
            given=(moved, before),
        )
