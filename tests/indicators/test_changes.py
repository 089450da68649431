from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib

from qtw_lab import indicators as ind
from qtw_lab.core import DataError

nan = np.nan


def test_a_lag_counts_only_bars_that_exist():
    assert np.array_equal(ind.lag([nan, 1.0, nan, 2.0, 3.0], 1), [nan, nan, nan, 1.0, 2.0], equal_nan=True)


def test_the_future_cannot_be_asked_for():
    with pytest.raises(DataError, match="periods=-1"):
        ind.lag([1.0, 2.0], -1)


@pytest.mark.parametrize("periods", [1, 5, 21])
def test_returns_equal_those_of_pandas_and_ta_lib(stocks, periods):
    for prices in stocks.values():
        x = prices["close"]
        np.testing.assert_allclose(ind.returns(x, periods), pd.Series(x).pct_change(periods), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(100 * ind.roc(x, periods), talib.ROC(x, periods), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(np.expm1(ind.log_returns(x, periods)), ind.returns(x, periods), atol=1e-14)


def test_nothing_is_made_of_a_price_of_zero():
    assert np.array_equal(ind.returns([0.0, 1.0, 2.0]), [nan, nan, 1.0], equal_nan=True)
    assert np.isnan(ind.log_returns([1.0, 0.0, -1.0, -2.0])).all()


def test_momentum_is_the_rate_of_change():
    assert ind.momentum is ind.roc


def test_a_touch_is_not_a_crossing_but_leaving_it_is():
    x, level = np.array([1.0, 2.0, 2.0, 3.0, 1.0, 3.0]), 2.0
    assert ind.crossed_above(x, level).tolist() == [False, False, False, True, False, True]
    assert ind.crossed_below(x, level).tolist() == [False, False, False, False, True, False]


def test_a_series_that_starts_above_has_not_crossed():
    assert not ind.crossed_above([nan, 3.0, 4.0], [1.0, 1.0, 1.0]).any()


def test_a_crossing_over_a_hole_is_seen_on_the_next_bar():
    assert ind.crossed_above([1.0, nan, 3.0], 2.0).tolist() == [False, False, True]


def test_crossings_are_exclusive_and_of_type_bool():
    x, y = np.random.default_rng(0).normal(size=(2, 500, 3)).round(1)
    above, below = ind.crossed_above(x, y), ind.crossed_below(x, y)
    assert above.dtype == np.bool_
    assert above.any()
    assert below.any()
    assert not (above & below).any()


@pytest.mark.parametrize("wrong", [nan, np.inf, "2", None])
def test_a_level_that_is_no_number_is_refused(wrong):
    with pytest.raises(DataError, match="y="):
        ind.crossed_above([1.0, 2.0], wrong)


def test_parameter_columns_cross_one_column():
    x = np.arange(6.0)[:, None]
    averages = ind.sma(x, [2, 3])
    assert ind.crossed_above(x, averages).shape == (6, 2)
