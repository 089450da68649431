"""The benchmark every other strategy has to beat."""

from __future__ import annotations

import numpy as np

from qtw_lab.strategies.base import FloatArray, Panel, Strategy


class BuyAndHold(Strategy):
    """Long from the first bar to the last; it has no parameters.

    Examples
    --------
    >>> BuyAndHold()
    BuyAndHold()
    """

    @property
    def memory(self) -> int:
        """One bar: the present one."""
        return 1

    def signals(self, prices: Panel) -> FloatArray:
        """1 at every bar."""
        return np.ones_like(prices.close)
