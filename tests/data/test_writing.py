"""What one write refuses to join, and what it leaves alone."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError, VirtualClock
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store

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


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store", clock=VirtualClock(MOMENT))


def test_writing_the_same_again_stores_nothing(store):
    first = store.write(KEY, frame(3))
    again = store.write(KEY, frame(3))
    assert (again.content, again.changed, again.added) == (first.content, False, 0)
    assert len(store.versions(KEY)) == 1


def test_bars_with_and_without_factors_do_not_mix(store):
    store.write(KEY, frame(3, split_factor=1.0, factor=1.0))
    with pytest.raises(DataError, match="have none"):
        store.write(KEY, frame(3, start="2024-01-04"))
    other = SeriesKey("files", "IBM")
    store.write(other, frame(3))
    with pytest.raises(DataError, match="do not cover"):
        store.write(other, frame(3, start="2024-01-04", split_factor=1.0, factor=1.0))
    assert store.write(other, frame(4, split_factor=1.0, factor=0.5)).rows == 4


def test_another_calendar_is_refused(store):
    store.write(KEY, frame(3), calendar="XNYS")
    with pytest.raises(DataError, match="calendar XNYS"):
        store.write(KEY, frame(3), calendar="XLON")
