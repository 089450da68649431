"""Bars as a tap hands them over, written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from qtw_lab.live.trading.tap import Bars

SECOND = 10**9
MINUTE = 60 * SECOND
#: 09:30 in New York on a Tuesday, when daily bars from 2024-01-02 open, and the close of that day.
OPEN = pd.Timestamp("2024-01-02 14:30", tz="UTC").value
CLOSE = pd.Timestamp("2024-01-02 21:00", tz="UTC").value


def closed(*, end: int, late: float = 0.0, numbers: Sequence[int] | None = None, seconds: int = 60,
           bid: Sequence[float] | None = None, ask: Sequence[float] | None = None, **closes) -> Bars:  # fmt: skip
    """Bars of so many seconds with these closes, the last of which ends at `end` and is told `late` seconds later."""
    prices = np.array(list(closes.values()), dtype=float).T
    count, nothing = len(prices), [np.nan] * len(closes)
    times = end - np.arange(count, 0, -1) * seconds * SECOND
    return Bars(
        open=prices, high=prices, low=prices, close=prices, volume=np.full(prices.shape, 1000.0), times=times,
        flags=np.zeros(prices.shape, np.uint32), names=tuple(closes), seconds=seconds, now=end + int(late * SECOND),
        numbers=np.arange(len(closes)) if numbers is None else np.array(numbers),
        bid=np.array(nothing if bid is None else bid), ask=np.array(nothing if ask is None else ask),
    )  # fmt: skip
