from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p
from qtw_lab.stats.growth import geometric_rate


def test_growth_by_hand():
    """100 -> 110 -> 99 -> 148.5 in three years of one bar."""
    r = [0.10, -0.10, 0.50]
    assert p.total_return(r) == pytest.approx(0.485)
    assert p.cagr(r, periods_per_year=1) == pytest.approx(1.485 ** (1 / 3) - 1)
    assert p.max_drawdown(r) == pytest.approx(-0.10)
    assert p.calmar_ratio(r, periods_per_year=1) == pytest.approx((1.485 ** (1 / 3) - 1) / 0.10)


def test_a_loss_in_the_first_bar_is_a_drawdown_from_the_starting_capital():
    assert p.max_drawdown([-0.25, 0.1]) == -0.25
    table = p.drawdowns(pd.Series([-0.25, 0.1], index=pd.date_range("2024-01-01", periods=2)))
    assert table["peak"].isna().tolist() == [True]
    assert table["recovery"].isna().tolist() == [True]
    assert table["trough"].tolist() == [pd.Timestamp("2024-01-01")]
    assert table["length"].tolist() == [2]


def test_an_account_that_lost_everything_shrank_by_all_of_it():
    r = [0.1, -1.0, 0.5]
    assert p.total_return(r) == -1.0
    assert p.cagr(r, periods_per_year=252) == -1.0
    assert p.max_drawdown(r) == -1.0


def test_an_account_that_owes_is_reported_as_it_stands():
    """1 -> -0.5: half a unit is owed."""
    r = [-1.5, 0.0]
    assert p.total_return(r) == -1.5
    assert p.max_drawdown(r) == -1.5
    assert p.cagr(r, periods_per_year=1) == -1.0


def test_drawdowns_are_told_with_their_dates():
    """Capital 1.1, 0.88, 0.99, 1.1, 1.2, 1.14: a fall by a fifth that is made good, one by a twentieth that is not."""
    dates = pd.date_range("2024-01-01", periods=6, tz="UTC")
    capital = np.array([1.0, 1.1, 0.88, 0.99, 1.1 + 1e-12, 1.2, 1.14])
    table = p.drawdowns(pd.Series(capital[1:] / capital[:-1] - 1, index=dates))
    assert table["peak"].tolist() == [dates[0], dates[4]]
    assert table["trough"].tolist() == [dates[1], dates[5]]
    assert table["recovery"].iloc[0] == dates[3]
    assert pd.isna(table["recovery"].iloc[1])
    assert table["depth"].tolist() == pytest.approx([-0.2, -0.05])
    assert table["length"].tolist() == [3, 1]


def test_without_a_fall_there_is_no_drawdown():
    assert p.drawdowns([0.1, 0.0, 0.1]).empty
    assert p.max_drawdown([0.1, 0.0, 0.1]) == 0.0


def test_whole_number_labels_stay_whole_numbers():
    table = p.drawdowns(pd.Series([0.1, -0.1], index=[7, 9]))
    assert table["peak"].tolist() == [7]
    assert table["recovery"].isna().all()


def test_drawdowns_are_of_one_series():
    with pytest.raises(DataError, match="one series"):
        p.drawdowns(np.zeros((3, 2)))


def test_real_drawdowns_equal_those_of_pandas(large_caps):
    wealth = (1 + large_caps).cumprod()
    expected = wealth / wealth.cummax().clip(lower=1) - 1
    pd.testing.assert_frame_equal(p.drawdown_series(large_caps), expected, rtol=1e-12)
    pd.testing.assert_series_equal(p.max_drawdown(large_caps), expected.min(), rtol=1e-12)


def test_months_compound_to_years_and_years_to_all(large_caps):
    r = large_caps.iloc[:, 0]
    table = p.monthly_returns(r)
    assert list(table.columns) == [*range(1, 13), "total"]
    expected = (1 + r).resample("ME").prod() - 1
    np.testing.assert_allclose(table.drop(columns="total").to_numpy().ravel()[: len(expected)], expected, rtol=1e-12)
    np.testing.assert_allclose((1 + table[list(range(1, 13))]).prod(axis=1) - 1, table["total"], rtol=1e-10)
    assert (1 + table["total"]).prod() - 1 == pytest.approx(p.total_return(r), rel=1e-10)


def test_a_month_without_bars_stays_empty():
    r = pd.Series([0.1, 0.2], index=pd.to_datetime(["2023-12-29", "2024-02-01"]))
    table = p.monthly_returns(r)
    assert table.index.tolist() == [2023, 2024]
    assert table.loc[2024].notna().sum() == 2


@pytest.mark.parametrize("wrong", [[0.1], pd.Series([0.1]), pd.DataFrame({"x": [0.1]})], ids=type)
def test_months_need_a_series_with_times(wrong):
    with pytest.raises(DataError, match="needs one Series with times"):
        p.monthly_returns(wrong)


def test_drawdowns_are_split_at_the_trough_and_counted_in_days():
    """Capital 1.1, 0.99, 0.88, 1.1, 1.2, 1.14 on bars of 1, 2, 5, 8, 9 and 12 January."""
    dates = pd.to_datetime(
        ["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-12"], utc=True
    )
    capital = np.array([1.0, 1.1, 0.99, 0.88, 1.1 + 1e-12, 1.2, 1.14])
    table = p.drawdowns(pd.Series(capital[1:] / capital[:-1] - 1, index=dates))
    assert table["fall"].tolist() == [2, 1]
    assert table["rise"].tolist() == [1, pd.NA]
    assert table["days"].tolist() == [7.0, 3.0]


def test_a_fall_from_the_starting_capital_has_no_number_of_days():
    table = p.drawdowns(pd.Series([-0.25, 0.1], index=pd.date_range("2024-01-01", periods=2)))
    assert np.isnan(table["days"].iloc[0])
    assert table["fall"].tolist() == [1]
    assert list(p.drawdowns([0.1]).columns) == list(table.columns)


def test_years_compound_to_all_and_equal_the_total_of_their_months(large_caps):
    table = p.yearly_returns(large_caps)
    assert table.index.tolist() == list(range(1990, 2023))
    pd.testing.assert_series_equal((1 + table).prod() - 1, p.total_return(large_caps), rtol=1e-10)
    first = large_caps.iloc[:, 0]
    total = p.monthly_returns(first)["total"]
    pd.testing.assert_series_equal(
        p.yearly_returns(first), total, check_names=False, check_index_type=False, rtol=1e-12
    )
    assert p.yearly_returns(first).name == first.name


@pytest.mark.parametrize("wrong", [[0.1], pd.Series([0.1]), pd.DataFrame({"x": [0.1]})], ids=type)
def test_years_need_times(wrong):
    with pytest.raises(DataError, match="with times"):
        p.yearly_returns(wrong)


def test_a_rate_of_an_unknown_number_of_periods_is_unknown():
    np.testing.assert_allclose(geometric_rate(np.array([1.21, 0.0, -1.0]), 2.0), [0.1, -1.0, -1.0])
    assert np.isnan(geometric_rate(np.array([1.0, 0.0]), np.array([np.nan, np.nan]))).all()
