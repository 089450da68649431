"""What is known of all trials on a set of data, and what is left of a Sharpe ratio once they are counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.trials import Known, WordArray
from qtw_lab.core import Fact

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tried:
    """All trials on a set of data, in the three numbers that deflate a Sharpe ratio.

    Parameters
    ----------
    count : int
        Distinct configurations.
    effective : float
        The number of independent trials they amount to, 1 to `count`.
    sharpe_std : float
        Standard deviation (ddof 1) of their Sharpe ratios per bar; NaN if fewer than two are known.
    correlation : float
        Mean correlation of two of them; NaN if unknown, and `effective` is then the count.
    """

    count: int = 1
    effective: float = 1.0
    sharpe_std: float = math.nan
    correlation: float = math.nan

    @classmethod
    def of(cls, parts: Sequence[Known], periods_per_year: float) -> Tried:
        """What the parts say together.

        ``effective = r + (1 - r) count`` with the mean correlation r of two trials: Bailey and Lopez de Prado, "The
        Deflated Sharpe Ratio" (2014), appendix. The correlation is estimated from sketches, each counting for as many
        trials as it was drawn from; below 0 it counts as 0.
        """
        words, sharpes = cls.merged(parts)
        count = max(len(words), 1)
        known = sharpes[np.isfinite(sharpes)] / math.sqrt(periods_per_year)
        spread = float(np.std(known, ddof=1)) if len(known) > 1 else math.nan
        mean = _mean_correlation(parts)
        r = 0.0 if math.isnan(mean) else min(max(mean, 0.0), 1.0)
        return cls(count, r + (1.0 - r) * count, spread, mean)

    @staticmethod
    def merged(parts: Sequence[Known]) -> tuple[WordArray, FloatArray]:
        """Every configuration once, with its Sharpe ratio where any part knows it."""
        words = np.concatenate([part.identities for part in parts])
        sharpes = np.concatenate([part.sharpes for part in parts])
        order = np.lexsort((np.isnan(sharpes), words))  # of equal configurations the one with a ratio comes first
        first = np.ones(len(words), dtype=bool)
        first[1:] = np.diff(words[order]) != 0
        return words[order][first], sharpes[order][first]

    @property
    def maximum_of(self) -> float:
        """Number of tries of whose best a Sharpe ratio has to exceed the expected one.

        All of them where the spread of their ratios is known: tries alike have a small spread, so their likeness is in
        the product of spread and maximum already. Else the independent ones they amount to.
        """
        return float(self.count) if self.sharpe_std > 0 else self.effective

    def spread(self, bars: int) -> float:
        """The standard deviation of the trials' Sharpe ratios per bar that `deflated` uses.

        If fewer than two ratios are known it is what trials without skill have over `bars` bars, ``1 / sqrt(bars - 1)``
        (Lo 2002, for a ratio of 0).
        """
        return self.sharpe_std if self.sharpe_std > 0 else 1.0 / math.sqrt(max(bars - 1, 1))

    def deflated(self, returns: npt.ArrayLike) -> float:
        """The deflated Sharpe ratio of returns (T,): the probability that there is more to them than the best of luck.

        NaN where returns never vary. With a single trial it is the probabilistic Sharpe ratio.

        Examples
        --------
        >>> r = 0.001 + 0.01 * np.sin(np.arange(1000.0))
        >>> bool(Tried(100, 50.0, 0.03).deflated(r) < Tried().deflated(r))
        True
        """
        from qtw_lab.stats import performance as p
        from qtw_lab.stats import significance as g  # a first backtest need not wait for it

        values = np.asarray(returns, dtype=np.float64)
        if len(values) < 3 or math.isnan(float(p.sharpe_ratio(values, 1.0))):
            return math.nan
        if self.maximum_of <= 1.0:
            return float(g.probabilistic_sharpe_ratio(values))
        spread = self.spread(len(values))
        return float(g.deflated_sharpe_ratio(values, n_trials=self.maximum_of, trial_sharpe_std=spread))

    def facts(self, returns: npt.ArrayLike) -> tuple[Fact, Fact]:
        """What stands first in every report: how many were tried, and what is left once they are counted."""
        alike = f"amounting to {self.effective:,.1f} independent ones" if self.effective < self.count else ""
        basis = alike or ("all taken for independent" if self.count > 1 else "the only one on this data so far")
        definition = (
            "probability that the true Sharpe ratio exceeds the best that as many trials without skill would show; "
            "Bailey and Lopez de Prado (2014), from the ledger's count of trials and the spread of their Sharpe ratios"
        )
        return (
            Fact("trials", self.count, "count", "Configurations tried on this data", f"counted by the ledger, {basis}"),
            Fact("deflated_sharpe", self.deflated(returns), "fraction", "Deflated Sharpe ratio", definition),
        )


def _mean_correlation(parts: Sequence[Known]) -> float:
    """Mean correlation of two trials; NaN without two sketches of returns that vary."""
    weights, rows = [], []
    for part in parts:
        moving = part.sketches[(part.sketches != 0).any(axis=1)].astype(np.float64)
        if len(moving):
            rows.append(moving)
            weights.append(np.full(len(moving), part.weight / len(moving)))
    if sum(map(len, rows)) < 2:
        return math.nan
    drawn, weight = np.concatenate(rows), np.concatenate(weights)
    itself = float((weight**2).sum())
    together: Any = weight @ drawn
    return (float(together @ together) - itself) / (float(weight.sum()) ** 2 - itself)
