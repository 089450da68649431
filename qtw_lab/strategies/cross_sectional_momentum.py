"""Last year's winners, and perhaps its losers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, TimeArray, param

#: Number of the calendar period (UTC) that a time in nanoseconds falls in.
_PERIODS: Final[dict[str, Callable[[TimeArray], TimeArray]]] = {
    "bar": lambda times: times,
    "week": lambda times: (times // 86_400_000_000_000 + 3) // 7,  # day 0 was a Thursday, weeks start on Mondays
    "month": lambda times: _months(times),  # noqa: PLW0108  (defined at the foot)
    "quarter": lambda times: _months(times) // 3,
    "year": lambda times: _months(times) // 12,
}


class CrossSectionalMomentum(Strategy):
    """Hold the `top` share of symbols by past return in equal weights, chosen anew at the first bar of each period.

    Parameters
    ----------
    lookback : int
        The past return runs from this many bars ago ...
    skip : int
        ... to this many bars ago, because the latest month tends to reverse.
    top : float
        Share of the ranked symbols to hold, at least one symbol.
    short : bool
        Also sell the same number of worst symbols short; each side then has half the weight.
    rebalance : {"bar", "week", "month", "quarter", "year"}
        Calendar periods in UTC; they do not depend on where the history begins, as "every 21 bars" would.

    Notes
    -----
    Jegadeesh and Titman (1993), "Returns to Buying Winners and Selling Losers", in the form of twelve months less the
    latest one (Fama and French's UMD). A symbol without a bar or enough past is not ranked and gets no new weight
    (NaN). Ties go to the symbol that comes first.

    Examples
    --------
    >>> CrossSectionalMomentum(top=0.3).warmup
    252
    """

    scope = "universe"
    holds = True
    lookback: int = param(default=252, low=1, high=10_000, label="lookback (bars)")
    skip: int = param(default=21, low=0, high=5000, label="skipped latest bars")
    top: float = param(default=0.2, low=0.001, high=1, label="share held")
    short: bool = param(default=False, label="sell losers short")
    rebalance: str = param(default="month", label="rebalanced every")

    def check(self) -> None:
        """Refuse an unknown period, and a skip that leaves nothing of the lookback."""
        lookup(self.rebalance, _PERIODS, f"rebalance period of {self.name}")
        if self.skip >= self.lookback:
            raise DataError(f"{self.name}: skip={self.skip} must be below lookback={self.lookback}.")

    @property
    def warmup(self) -> int:
        """The lookback."""
        return self.lookback

    @property
    def memory(self) -> int:
        """The lookback and the present bar."""
        return self.lookback + 1

    def weights(self, prices: Panel) -> FloatArray:
        """Weights at the first bar of each period, NaN ("leave alone") at all others."""
        start = ind.lag(prices.close, self.lookback)
        end = ind.lag(prices.close, self.skip) if self.skip else prices.close
        period = _PERIODS[self.rebalance](prices.times)
        first = np.flatnonzero(period[1:] != period[:-1]) + 1
        result = np.full(prices.close.shape, np.nan)
        result[first] = self._chosen((end / start - 1.0)[first])
        return result

    def _chosen(self, past: FloatArray) -> FloatArray:
        """Weights from past returns, (T, N)."""
        ranked = np.isfinite(past)
        count = ranked.sum(axis=1, keepdims=True)
        place = np.argsort(np.argsort(np.where(ranked, -past, np.inf), axis=1, kind="stable"), axis=1)
        held = np.maximum(1, np.floor(self.top * count + 1e-9))
        if self.short:
            held = np.minimum(held, count // 2)
        with np.errstate(divide="ignore"):
            each = (0.5 if self.short else 1.0) / held
        weights = np.where(place < held, each, 0.0)
        if self.short:
            weights = np.where(place >= count - held, -each, weights)
            weights = np.where(held == 0, 0.0, weights)
        return np.where(ranked, weights, np.nan)


def _months(times: TimeArray) -> TimeArray:
    """Months since January 1970."""
    months: npt.NDArray[np.int64] = times.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    return months
