from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.indicators.columns import compute, level, pack, spread, together


def test_equal_parameter_columns_are_computed_once():
    seen = []

    def kernel(values, counts, parameters, out):
        seen.append(parameters.tolist())
        out[0] = parameters[0][:, None]

    (found,) = compute(kernel, {"x": np.zeros((2, 1))}, {"window": [5, 3, 5, 5]})
    assert seen == [[[3, 5]]]
    assert found.tolist() == [[5, 3, 5, 5]] * 2


def test_packing_and_spreading_are_inverse():
    values = np.array([[[1.0, np.nan, 3.0, np.nan, 5.0]], [[1.0, 2.0, 3.0, np.nan, 5.0]]])
    original, present, counts = values.copy(), np.isfinite(values).all(axis=0), np.zeros(1, dtype=np.int64)
    pack(values, present, counts)
    assert counts.tolist() == [3]
    assert values[:, 0, :3].tolist() == [[1.0, 3.0, 5.0]] * 2
    spread(values, present, counts)
    assert np.array_equal(values, np.where(present, original, np.nan), equal_nan=True)


def test_a_window_array_turns_one_series_into_a_table():
    assert ind.sma(np.arange(5.0), [1, 2, 3]).shape == (5, 3)
    assert ind.sma(np.arange(5.0)[:, None], [2]).shape == (5, 1)


def test_whole_numbers_may_be_written_as_floats():
    assert np.array_equal(ind.lag([1.0, 2.0], 1.0), ind.lag([1.0, 2.0], 1), equal_nan=True)


def test_tables_of_pandas_and_whole_numbers_are_taken_as_arrays():
    table = pd.DataFrame({"a": [1, 2, 3]}, index=pd.date_range("2024-01-01", periods=3))
    assert np.array_equal(ind.sma(table, 2)[:, 0], [np.nan, 1.5, 2.5], equal_nan=True)


def test_one_column_is_held_against_every_column_of_a_table():
    rng = np.random.default_rng(1)
    table, market = rng.normal(size=(40, 3)), rng.normal(size=40)
    each = [ind.rolling_beta(table[:, k], market, 10) for k in range(3)]
    assert np.array_equal(ind.rolling_beta(table, market, 10), np.column_stack(each), equal_nan=True)


def test_together_blanks_a_bar_that_one_input_lacks():
    high, low = together(high=[2.0, np.nan, 4.0], low=[1.0, 1.0, 1.0])
    assert np.array_equal(high, [2.0, np.nan, 4.0], equal_nan=True)
    assert np.array_equal(low, [1.0, np.nan, 1.0], equal_nan=True)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "2", None, True, [[1.0]], []], ids=repr)
def test_a_factor_that_is_not_a_finite_number_is_refused(wrong):
    with pytest.raises(DataError, match="deviations="):
        ind.bollinger(np.arange(9.0), 3, wrong)
    assert level("deviations", 2).dtype == np.float64


def test_factors_and_windows_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="window has 2 entries and multiplier 3"):
        ind.keltner(np.ones(9), np.ones(9), np.ones(9), [3, 4], [1.0, 2.0, 3.0])


def test_parameter_arrays_of_different_lengths_are_refused():
    with pytest.raises(DataError, match=r"fast \(2,\), slow \(3,\)"):
        ind.macd(np.ones(9), [2, 3], [4, 5, 6], 2)


def test_times_are_not_prices():
    with pytest.raises(DataError, match="datetime64"):
        ind.sma(pd.date_range("2024-01-01", periods=3).to_numpy(), 2)
