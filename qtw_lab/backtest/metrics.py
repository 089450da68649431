"""The figures a sweep can compute, each from an account's moments and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.stats import moments as m
from qtw_lab.stats.columns import ratio
from qtw_lab.stats.moments import Moments

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the runs of K accounts came to.

    Parameters
    ----------
    moments : Moments
        Of the K equity paths.
    orders, trades : ndarray, (K,)
        Number of fills, and of positions opened.
    traded : ndarray, (K,)
        Sum of the amounts of all fills, in account currency.
    costs : ndarray, (K,)
        Commission, slippage and holding costs paid, in account currency; NaN where they were not counted.
    exposed : ndarray, (K,)
        Number of bars that ended with a position; NaN where they were not counted.
    periods_per_year : float
        Bars a year.
    """

    moments: Moments
    orders: FloatArray
    trades: FloatArray
    traded: FloatArray
    costs: FloatArray
    exposed: FloatArray
    periods_per_year: float

    @property
    def years(self) -> float:
        """Length of the history."""
        return self.moments.bars / self.periods_per_year


Metric = Callable[[Measured], FloatArray]


def _yearly(amount: FloatArray, run: Measured) -> FloatArray:
    """An amount over mean equity, a year; NaN where mean equity is not above zero."""
    mean = m.mean_equity(run.moments)
    return ratio(amount, np.where(mean > 0.0, mean, np.nan)) / run.years


#: Every metric of a sweep, (K,) of `Measured`; the definitions are those of `stats.performance` and of `Result.stats`.
METRICS: Final[Mapping[str, Metric]] = {
    "total_return": lambda run: m.total_return(run.moments),
    "cagr": lambda run: m.cagr(run.moments, run.periods_per_year),
    "volatility": lambda run: m.volatility(run.moments, run.periods_per_year),
    "sharpe": lambda run: m.sharpe_ratio(run.moments, run.periods_per_year),
    "sortino": lambda run: m.sortino_ratio(run.moments, run.periods_per_year),
    "max_drawdown": lambda run: m.max_drawdown(run.moments),
    "calmar": lambda run: m.calmar_ratio(run.moments, run.periods_per_year),
    "trades": lambda run: run.trades,
    "orders": lambda run: run.orders,
    "exposure": lambda run: run.exposed / run.moments.bars,
    "turnover": lambda run: _yearly(run.traded / 2.0, run),
    "costs_paid": lambda run: run.costs,
    "cost_drag": lambda run: _yearly(run.costs, run),
    "final_equity": lambda run: run.moments.last,
}
