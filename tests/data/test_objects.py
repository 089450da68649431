"""Stored bytes that changed are never read as prices."""

from pathlib import Path

import pytest
from stored import KEY, frame

from qtw_lab.core import DataError
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store


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
