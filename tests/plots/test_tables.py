from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots.tables import milliseconds, moments, number_format, numbers

DAYS = pd.date_range("2024-01-01", periods=3)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (DAYS[:0], "no rows"),
        (pd.RangeIndex(3), "needs times as its index"),
        (DAYS[::-1], "missing, repeated or unsorted"),
        (DAYS[[0, 0, 1]], "missing, repeated or unsorted"),
        (pd.DatetimeIndex(["2024-01-01", None, "2024-01-03"]), "missing, repeated or unsorted"),
    ],
)
def test_times_that_cannot_be_an_axis_are_refused(index: pd.Index, message: str) -> None:
    with pytest.raises(DataError, match=f"The thing .*{message}"):
        moments(pd.Series(np.ones(len(index)), index=index), "thing")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b"], "must be numbers"),
        ([True, False], "must be numbers"),
        ([1.0, np.inf], "infinite value, first at"),
    ],
)
def test_what_is_no_number_is_refused(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        numbers(pd.Series(values), "column")


def test_nullable_integers_become_floats_with_nan() -> None:
    np.testing.assert_array_equal(numbers(pd.Series([1, None], dtype="Int64"), "x"), [1.0, np.nan])


def test_a_browser_is_given_the_wall_clock_of_the_index() -> None:
    index = pd.DatetimeIndex(["2024-01-02 09:30"]).tz_localize("America/New_York")
    assert milliseconds(index).tolist() == [1_704_187_800_000]  # 2024-01-02 09:30 as if it were UTC


@pytest.mark.parametrize(("size", "pattern"), [(50_000, "0,0.00"), (1.5, "0,0.00"), (0.02, "0,0.0000"), (0, "0,0.00")])
def test_decimals_follow_the_size_of_the_numbers(size: float, pattern: str) -> None:
    assert number_format(np.array([size, np.nan])) == pattern
