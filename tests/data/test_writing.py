"""What one write refuses to join, and what it leaves alone."""

import pytest
from stored import KEY, frame

from qtw_lab.core import DataError
from qtw_lab.data.series import SeriesKey


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
