from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p


def test_beta_and_alpha_are_slope_and_intercept_of_a_regression(large_caps):
    market = large_caps.mean(axis=1)
    for name in large_caps.columns[:5]:
        line = stats.linregress(market, large_caps[name])
        assert p.beta(large_caps[name], market) == pytest.approx(line.slope, rel=1e-10)
        assert p.alpha(large_caps[name], market) == pytest.approx(252 * line.intercept, rel=1e-9, abs=1e-12)


def test_correlations_equal_those_of_pandas(large_caps):
    market = large_caps.iloc[:, 0]
    pd.testing.assert_series_equal(p.correlation(large_caps, market), large_caps.corrwith(market), rtol=1e-10)


def test_a_rate_is_taken_off_both_sides(large_caps):
    asset, market, rate = large_caps.iloc[:, 0], large_caps.mean(axis=1), 0.05
    line = stats.linregress(market - rate / 252, asset - rate / 252)
    assert p.alpha(asset, market, risk_free=rate) == pytest.approx(252 * line.intercept, rel=1e-9)


def test_differences_to_the_benchmark_equal_those_of_pandas(large_caps):
    market = large_caps.iloc[:, 1]
    apart = large_caps.sub(market, axis=0).drop(columns=market.name)
    rest = large_caps.drop(columns=market.name)
    root = np.sqrt(252)
    pd.testing.assert_series_equal(p.tracking_error(rest, market), apart.std() * root, rtol=1e-10)
    pd.testing.assert_series_equal(p.information_ratio(rest, market), apart.mean() / apart.std() * root, rtol=1e-10)


def test_a_benchmark_beside_itself_is_neutral(large_caps):
    market = large_caps.iloc[:, 0]
    assert p.beta(market, market) == pytest.approx(1.0)
    assert p.alpha(market, market) == pytest.approx(0.0, abs=1e-12)
    assert p.tracking_error(market, market) == 0.0
    assert np.isnan(p.information_ratio(market, market))


def test_each_column_may_have_its_own_benchmark(large_caps):
    r, b = large_caps.iloc[:, :3].to_numpy(), large_caps.iloc[:, 3:6].to_numpy()
    np.testing.assert_allclose(p.beta(r, b), [p.beta(r[:, k], b[:, k]) for k in range(3)], rtol=1e-12)


def test_a_benchmark_that_never_varies_has_no_beta():
    assert np.isnan(p.beta([0.1, 0.2, 0.3], [0.001] * 3))
    assert np.isnan(p.alpha([0.1, 0.2, 0.3], [0.001] * 3, periods_per_year=252))


def test_benchmarks_of_other_bars_are_refused():
    with pytest.raises(DataError, match="do not fit"):
        p.beta([0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(DataError, match="do not fit"):
        p.beta(np.zeros((4, 3)), np.zeros((4, 2)))
    first = pd.Series([0.1, 0.2], index=pd.date_range("2024-01-01", periods=2))
    with pytest.raises(DataError, match="different times"):
        p.beta(first, first.shift(freq="1D"))
    with pytest.raises(DataError, match="benchmark have nan at bar 1"):
        p.beta([0.1, 0.2], [0.1, np.nan])
