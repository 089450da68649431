"""Two averages of one series, the upper one long: a rule that a sweep can work out without an array for each pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from qtw_lab.strategies.base import FloatArray, Panel, Strategy
from qtw_lab.strategies.stances import stance


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Long while the fast average is above the slow one.

    Parameters
    ----------
    average : callable
        ``average(x, window)``, one of `indicators.moving.AVERAGES`.
    x : ndarray, (T, N)
        What is averaged.
    fast, slow : int or array_like of int
        Windows: one, or one for each of K columns.
    otherwise : float or array_like
        The stance while it is not above: one, or one for each column.

    Examples
    --------
    >>> import numpy as np
    >>> from qtw_lab import indicators as ind
    >>> close = np.array([[1.0], [2.0], [3.0], [1.0]])
    >>> Crossing(ind.sma, close, fast=1, slow=2, otherwise=0.0).stances()[:, 0].tolist()
    [nan, 1.0, 1.0, 0.0]
    """

    average: Callable[..., FloatArray]
    x: FloatArray
    fast: Any
    slow: Any
    otherwise: npt.ArrayLike

    def stances(self) -> FloatArray:
        """The stance in each bar, (T, N) or (T, K); NaN while an average is not known."""
        fast, slow = self.average(self.x, self.fast), self.average(self.x, self.slow)
        return stance((fast > slow, 1.0), otherwise=self.otherwise, given=(fast, slow))


@runtime_checkable
class Crosser(Protocol):
    """A strategy that can tell its rule as a `Crossing`."""

    def crossing(self, prices: Panel) -> Crossing:
        """The rule on these prices; `signals` must be its `Crossing.stances`."""


def crossing_of(strategy: Strategy, prices: Panel) -> Crossing | None:
    """The rule of a strategy whose signals are those of its `crossing`; None for any other.

    A subclass that has signals of its own is another strategy, whatever it inherits.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 11.0, 12.0]}, index=pd.date_range("2024-01-02", periods=3))
    >>> prices = qtw.Panel.of(qtw.Bars.from_frame(df, symbol="X"))
    >>> crossing_of(qtw.strategies.SmaCross(fast=1, slow=2), prices).slow
    2
    >>> crossing_of(qtw.strategies.BuyAndHold(), prices) is None
    True
    """
    owner = next(kind for kind in type(strategy).__mro__ if "signals" in vars(kind))
    return strategy.crossing(prices) if isinstance(strategy, Crosser) and "crossing" in vars(owner) else None
