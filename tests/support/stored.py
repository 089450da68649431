"""Bars to put into a store, for the tests of the store's parts."""

import numpy as np
import pandas as pd

from qtw_lab.data.series import SeriesKey

KEY = SeriesKey("files", "AAPL", "1D")
MOMENT = pd.Timestamp("2024-06-03 12:00", tz="UTC")


def frame(days: int = 5, start: str = "2024-01-01", close: float = 100.0, **columns) -> pd.DataFrame:
    """Weekday bars whose close rises by one a day from `close`."""
    index = pd.bdate_range(start, periods=days, tz="UTC")
    closes = close + np.arange(days, dtype=float)
    table = pd.DataFrame(
        {"open": closes, "high": closes + 1, "low": closes - 1, "close": closes, "volume": 1000.0}, index
    )
    return table.assign(**columns)
