"""Stored bytes that changed are never read as prices."""

from pathlib import Path

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


def object_of(store: Store, key: SeriesKey = KEY) -> Path:
    return store.folder / "objects" / f"{store.versions(key)[-1].content}.parquet"


@pytest.mark.parametrize("spoil", [lambda b: b[:-7], lambda b: b"", lambda b: b[:50] + bytes([b[50] ^ 1]) + b[51:]])
def test_a_damaged_object_is_refused_with_its_name_and_the_remedy(store, spoil):
    store.write(KEY, frame(3))
    path = object_of(store)
    path.write_bytes(spoil(path.read_bytes()))
    for read in (lambda: store.bars("AAPL"), lambda: store.query("SELECT 1"), lambda: store.write(KEY, frame(4))):
        with pytest.raises(DataError, match=f"{path.name}.*afresh=True"):
            read()
    store.write(KEY, frame(4), afresh=True)
    assert len(store.bars("AAPL")) == 4


def test_a_missing_object_is_refused_and_can_be_written_afresh(store):
    store.write(KEY, frame(3))
    object_of(store).unlink()
    with pytest.raises(DataError, match="missing"):
        store.bars("AAPL")
    store.write(KEY, frame(3), afresh=True)
    assert len(store.bars("AAPL")) == 3
