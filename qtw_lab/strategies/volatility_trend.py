"""Following a trend with a size that keeps the risk steady."""

from __future__ import annotations

import numpy as np

from qtw_lab import indicators as ind
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.stances import down


class VolatilityTrend(Strategy):
    """The sign of the past return times target over realised volatility, the account split evenly over the symbols.

    Parameters
    ----------
    lookback : int
        Bars of the past return whose sign is the trend; twelve months of daily bars by default.
    window : int
        Bars of realised volatility; one quarter of daily bars by default.
    target : float
        Annual volatility each symbol's part of the account is scaled to.
    cap : float
        Largest leverage of a part.
    short : bool
        Short in a falling trend; else flat.

    Notes
    -----
    Moskowitz, Ooi and Pedersen (2012), "Time Series Momentum", with a rolling standard deviation in place
    of their exponential one, and a cap. A part is 1/N of the account for N symbols, as with `Sizing.all_in`, so that
    a symbol not yet listed leaves its part in cash. The engine rebalances at every bar: give it a band
    (`Sizing.target_weights(0.05)`) where trading costs money.

    Examples
    --------
    >>> VolatilityTrend(cap=2.0).exposure
    2.0
    """

    scope = "universe"
    lookback: int = param(default=252, low=1, high=10_000, label="lookback (bars)")
    window: int = param(default=63, low=5, high=5000, label="volatility window (bars)")
    target: float = param(default=0.15, low=0.001, high=5, label="target volatility a year")
    cap: float = param(default=1.0, low=0.01, high=10, label="largest leverage")
    short: bool = param(default=True, label="sell short")

    @property
    def exposure(self) -> float:
        """The cap."""
        return self.cap

    @property
    def warmup(self) -> int:
        """The longer window."""
        return max(self.lookback, self.window)

    @property
    def memory(self) -> int:
        """The longer window and the present bar."""
        return max(self.lookback, self.window) + 1

    def weights(self, prices: Panel) -> FloatArray:
        """Trend times capped scale, over the number of symbols."""
        past = ind.lag(prices.close, self.lookback)
        realised = ind.volatility(prices.close, self.window, prices.periods_per_year)
        trend = np.sign(prices.close - past)
        with np.errstate(divide="ignore"):
            scale = np.minimum(self.cap, self.target / realised)
        side = np.where(trend < 0, down(self.short), trend)
        return np.asarray(side * scale / prices.close.shape[1], dtype=np.float64)
