"""The strategy that follows an allocator: weights fitted anew every few bars on the window before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.research.allocation import Allocator
from qtw_lab.stats import performance as p
from qtw_lab.stats.columns import deviation
from qtw_lab.stats.splits import WalkForward
from qtw_lab.strategies import Panel, Strategy
from qtw_lab.strategies.base import param

FloatArray = npt.NDArray[np.float64]

#: What every other allocator has to beat.
BENCHMARK: Final = "equal_weight"


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What was found at one rebalance.

    Parameters
    ----------
    bar : int
        Its place.
    weights : ndarray
        (N,), 0 for symbols that were left out; NaN throughout where nothing was found.
    symbols : int
        How many were in the fit.
    expected : float
        Standard deviation a bar (ddof 1) that these weights had in their own training window.
    reason : str
        Why nothing was found; empty if something was.
    still : tuple of int
        Columns left out because their price did not move in the window.
    """

    bar: int
    weights: FloatArray = field(repr=False)
    symbols: int
    expected: float
    reason: str = ""
    still: tuple[int, ...] = ()


class Allocation(Strategy):
    """Weights fitted anew at every `rebalance`-th bar on the `train` returns up to it, and left alone in between.

    A symbol joins at the first rebalance at which it has a price at each of the last ``train + 1`` bars and has moved
    within them; one that has not is sold, at its next bar if it has none now. Where an allocator finds no weights,
    nothing is traded and the holdings stay.

    Parameters
    ----------
    allocator, min_weight, max_weight, covariance, confidence
        As of `allocation.Allocator`; an empty covariance is the rule's own.
    train : int
        Returns of a training window; of the first one, if `anchored`.
    rebalance : int
        Bars from one fit to the next, counted from the first bar of all.
    anchored : bool
        Whether the window reaches back to the first bar from which on all symbols of the fit have prices.

    Examples
    --------
    >>> Allocation(allocator="hrp", train=126).warmup
    126
    """

    scope = "universe"
    holds = True
    allocator: str = param(BENCHMARK, label="allocator")
    min_weight: float = param(0.0, low=0, high=1, label="least weight")
    max_weight: float = param(1.0, low=0, high=1, label="greatest weight")
    covariance: str = param("", label="covariance")
    confidence: float = param(0.95, low=0.5, high=1, label="confidence of the shortfall")
    train: int = param(252, low=3, high=100_000, label="training bars")
    rebalance: int = param(21, low=1, high=100_000, label="bars between fits")
    anchored: bool = param(default=False, label="anchored")

    @classmethod
    def of(cls, rule: Allocator, train: int, rebalance: int, *, anchored: bool) -> Allocation:
        """The strategy that follows an allocator.

        Raises
        ------
        DataError
            If a number is out of range.
        """
        options = {entry.name: getattr(rule, entry.name) for entry in fields(rule) if entry.name != "name"}
        return cls(allocator=rule.name, train=train, rebalance=rebalance, anchored=anchored, **options)

    def check(self) -> None:
        """Refuse what `Allocator` refuses, and a window too short for it."""
        least = self.rule.least
        if self.train < least:
            raise DataError(f"train={self.train} is too short: {self.allocator} needs at least {least} returns.")

    @property
    def rule(self) -> Allocator:
        """The allocator with its options."""
        return Allocator(
            name=self.allocator, min_weight=self.min_weight, max_weight=self.max_weight,
            covariance=self.covariance or None, confidence=self.confidence,
        )  # fmt: skip

    @property
    def warmup(self) -> int:
        """The training window: so many returns need one bar more."""
        return self.train

    def weights(self, prices: Panel) -> FloatArray:
        """Weights at each rebalance, NaN ("leave alone") at all other bars."""
        return laid_out(self.fitted(prices.close), prices.close, self.rebalance)

    def fitted(self, close: FloatArray) -> list[Fit]:
        """What is found at each rebalance, from closes (T, N) with NaN where a symbol has no bar.

        Raises
        ------
        DataError
            If there are too few bars for one window.
        """
        returns, rule, found = close[1:] / close[:-1] - 1.0, self.rule, []
        gap = np.maximum.accumulate(np.where(np.isnan(close), np.arange(len(close))[:, None], -1), axis=0)
        # Split by bars, of which there is one more than returns: a fit on the last bar of all is wanted too.
        for train, _ in WalkForward(self.train, self.rebalance, self.anchored, partial=True).split(close):
            bar = int(train[-1]) + 1  # return i is that of bar i + 1
            whole = gap[bar] < bar - self.train
            moved = whole & (deviation(returns[bar - self.train : bar]) > 0.0)
            start = max(int(train[0]), int(gap[bar, moved].max(initial=-1)) + 1)
            still = tuple(np.flatnonzero(whole & ~moved).tolist())
            found.append(_fit(rule, bar, returns[start:bar], moved, still))
        return found


def laid_out(fits: Sequence[Fit], close: FloatArray, rebalance: int) -> FloatArray:
    """The weights of all rebalances by bar, (T, N); NaN where nothing is decided.

    A symbol without a bar at a rebalance gets its 0 at its next bar before the next rebalance.

    Parameters
    ----------
    fits : sequence of Fit
        In order of time.
    close : ndarray
        (T, N), NaN where a symbol has no bar.
    rebalance : int
        Bars from one rebalance to the next.

    Examples
    --------
    >>> close = np.array([[5.0, np.nan], [6.0, np.nan], [6.0, 2.0], [6.0, 2.0]])
    >>> laid_out([Fit(1, np.array([1.0, 0.0]), 1, 0.01)], close, rebalance=3)
    array([[nan, nan], [ 1., nan], [nan, 0.], [nan, nan]])
    """
    laid = np.full(close.shape, np.nan)
    for fit in fits:
        if fit.reason:
            continue
        present = ~np.isnan(close[fit.bar : fit.bar + rebalance])
        laid[fit.bar] = np.where(present[0], fit.weights, np.nan)
        late = np.flatnonzero(~present[0] & present.any(axis=0))
        laid[fit.bar + present[:, late].argmax(axis=0), late] = 0.0
    return laid


def _fit(rule: Allocator, bar: int, window: FloatArray, joined: npt.NDArray[np.bool_], still: tuple[int, ...]) -> Fit:
    """One rebalance, on the returns (train, N) of the symbols that joined."""
    returns, weights = window[:, joined], np.full(len(joined), np.nan)
    try:
        found = rule.weights(pd.DataFrame(returns)).to_numpy()
    except DataError as err:
        return Fit(bar, weights, returns.shape[1], float("nan"), str(err), still)
    weights[:] = 0.0
    weights[joined] = found
    return Fit(bar, weights, returns.shape[1], float(p.volatility(returns @ found, 1.0)), "", still)
