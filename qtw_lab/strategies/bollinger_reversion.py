"""Buying below the lower Bollinger band."""

from __future__ import annotations

from qtw_lab import indicators as ind
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.stances import reversion


class BollingerReversion(Strategy):
    """Buy when the close is below the lower band, leave when it is above the middle, keep in between.

    Parameters
    ----------
    window : int
        Bars of the moving average and standard deviation.
    width : float
        Distance of the bands from the middle in standard deviations.
    short : bool
        Also sell short above the upper band and cover at the middle.

    Notes
    -----
    Bollinger (2001), "Bollinger on Bollinger Bands", with his 20 bars and 2 deviations.

    Examples
    --------
    >>> BollingerReversion(width=2.5).warmup
    20
    """

    holds = True
    window: int = param(default=20, low=2, high=5000, label="window (bars)")
    width: float = param(default=2.0, low=0.1, high=10, label="width (standard deviations)")
    short: bool = param(default=False, label="sell short")

    @property
    def warmup(self) -> int:
        """The window, because the bar before the present one is looked at too."""
        return self.window

    @property
    def memory(self) -> int:
        """The window and the bar before it."""
        return self.window + 1

    def signals(self, prices: Panel) -> FloatArray:
        """1 below the lower band, 0 past the middle, -1 above the upper band if short, else keep."""
        bands = ind.bollinger(prices.close, self.window, self.width)
        return reversion(prices.close, low=bands.lower, middle=bands.middle, high=bands.upper, short=self.short)
