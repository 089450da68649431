"""Minutes of some sessions, to put into a store."""

import numpy as np
import pandas as pd


def minutes(days: int = 2, start: str = "2024-03-04") -> pd.DataFrame:
    """Bars of a minute of some sessions, whose close rises by a cent a bar."""
    sessions = pd.bdate_range(start, periods=days)
    index = pd.DatetimeIndex(
        np.concatenate([pd.date_range(f"{day.date()} 14:30", periods=390, freq="min", tz="UTC") for day in sessions])
    ).tz_convert("UTC")
    close = 100.0 + 0.01 * np.arange(len(index))
    return pd.DataFrame({"open": close, "high": close, "low": close, "close": close, "volume": 10.0}, index)
