"""Following a market's own past return."""

from __future__ import annotations

from qtw_lab import indicators as ind
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.stances import down, stance


class TimeSeriesMomentum(Strategy):
    """Long after a rise over the last `lookback` bars, short (or flat) after a fall, flat if nothing changed.

    Parameters
    ----------
    lookback : int
        Bars the past return covers; twelve months of daily bars by default.
    short : bool
        Short after a fall; False gives the long-only form.

    Notes
    -----
    The sign rule of Moskowitz, Ooi and Pedersen (2012), "Time Series Momentum", without their monthly holding period.
    `VolatilityTrend` adds their scaling by volatility.

    Examples
    --------
    >>> TimeSeriesMomentum(short=False)
    TimeSeriesMomentum(lookback=252, short=False)
    """

    lookback: int = param(default=252, low=1, high=10_000, label="lookback (bars)")
    short: bool = param(default=True, label="sell short")

    @property
    def warmup(self) -> int:
        """The lookback."""
        return self.lookback

    @property
    def memory(self) -> int:
        """The lookback and the present bar."""
        return self.lookback + 1

    def signals(self, prices: Panel) -> FloatArray:
        """The sign of the past return, with 0 for its negative if not short."""
        past = ind.lag(prices.close, self.lookback)
        return stance(
            (prices.close > past, 1.0),
            (prices.close < past, down(self.short)),
            otherwise=0.0,
            given=(past,),
        )
