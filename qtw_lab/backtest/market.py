"""The arrays a simulation reads besides the decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab import indicators as ind
from qtw_lab.core import Bars, DataError, Timeframe
from qtw_lab.ledger import Costs

FloatArray = npt.NDArray[np.float64]

#: Bars over which impact looks back for volatility and average daily volume.
IMPACT_WINDOW: Final = 20


@dataclass(frozen=True, slots=True)
class Market:
    """The arrays the kernel reads besides the decisions; see `kernel.simulate`."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    seconds: FloatArray
    volatility: FloatArray
    volume: FloatArray

    @classmethod
    def of(cls, bars: Bars, costs: Costs) -> Market:
        """The arrays of `bars`; volatility and volume only where market impact needs them.

        Raises
        ------
        DataError
            If there is impact but no volume to measure it by.
        """
        values = bars.values
        seconds = np.diff(bars.index.as_unit("ns").asi8, prepend=bars.index.as_unit("ns").asi8[:1]) / 1e9
        volatility = volume = np.empty((0, 0))
        if costs.impact > 0:
            volatility, volume = _impact_inputs(bars)
        return cls(values["open"], values["high"], values["low"], values["close"], seconds, volatility, volume)

    def column(self, place: int) -> Market:
        """One symbol's arrays, contiguous, (T, 1)."""

        def one(array: FloatArray) -> FloatArray:
            return np.ascontiguousarray(array[:, place : place + 1]) if array.size else array

        return Market(
            one(self.open), one(self.high), one(self.low), one(self.close), self.seconds,
            one(self.volatility), one(self.volume),
        )  # fmt: skip


def _impact_inputs(bars: Bars) -> tuple[FloatArray, FloatArray]:
    """Volatility of daily returns and average daily volume over the `IMPACT_WINDOW` bars before each bar, (T, N)."""
    volume = bars.values["volume"]
    if not np.isfinite(volume[bars.present]).any():
        raise DataError("Costs.impact needs volumes, and these bars have none. Set impact=0, or use data with volume.")
    per_day = math.sqrt(bars.periods_per_year / Timeframe(1, "D").periods_per_year(bars.calendar))
    returns = ind.returns(bars.values["close"])
    volatility = ind.lag(ind.rolling_std(returns, IMPACT_WINDOW), 1) * per_day
    average = ind.lag(ind.sma(volume, IMPACT_WINDOW), 1) * per_day**2
    return np.ascontiguousarray(volatility), np.ascontiguousarray(average)
