from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p


def test_ratios_by_hand():
    """Returns of 3%, -1%, 1%: mean 1%, deviation 2% (ddof 1), shortfall sqrt(0.01 ** 2 / 3)."""
    r = [0.03, -0.01, 0.01]
    assert p.volatility(r, periods_per_year=4) == pytest.approx(0.04)
    assert p.sharpe_ratio(r, periods_per_year=4) == pytest.approx(1.0)
    assert p.sharpe_ratio(r, periods_per_year=4, risk_free=0.02) == pytest.approx(0.5)
    assert p.sortino_ratio(r, periods_per_year=4) == pytest.approx(2 * np.sqrt(3))
    assert p.sortino_ratio(r, periods_per_year=4, target=0.04) == pytest.approx(0.0)
    assert p.omega_ratio(r) == pytest.approx(4.0)
    assert p.omega_ratio(r, threshold=0.01) == pytest.approx(1.0)
    assert p.hit_rate(r) == pytest.approx(2 / 3)


def test_figures_of_real_returns_equal_those_of_pandas_and_scipy(large_caps):
    root = np.sqrt(252)
    oracles = {
        p.volatility: large_caps.std() * root,
        p.sharpe_ratio: large_caps.mean() / large_caps.std() * root,
        p.value_at_risk: large_caps.quantile(0.05),
        p.skewness: pd.Series(stats.skew(large_caps), index=large_caps.columns),
        p.kurtosis: pd.Series(stats.kurtosis(large_caps), index=large_caps.columns),
        p.tail_ratio: large_caps.quantile(0.95).abs() / large_caps.quantile(0.05).abs(),
        p.best: large_caps.max(),
        p.worst: large_caps.min(),
    }
    for figure, expected in oracles.items():
        pd.testing.assert_series_equal(figure(large_caps), expected, check_names=False, rtol=1e-10)


def test_the_shortfall_of_a_normal_sample_is_near_its_closed_form():
    """Normal distribution: mean of the worst twentieth is -phi(z) / 0.05 = -2.0627 deviations."""
    r = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert p.value_at_risk(r) == pytest.approx(stats.norm.ppf(0.05), abs=1e-4)
    assert p.expected_shortfall(r) == pytest.approx(-stats.norm.pdf(stats.norm.ppf(0.05)) / 0.05, abs=1e-3)
    assert p.skewness(r) == pytest.approx(0, abs=1e-9)
    assert p.kurtosis(r) == pytest.approx(0, abs=1e-3)


def test_without_a_shortfall_omega_is_infinite():
    assert p.omega_ratio([0.1, 0.2]) == np.inf
    np.testing.assert_array_equal(p.omega_ratio(np.array([[0.0, 0.1], [0.0, 0.0]])), [np.nan, np.inf])


def test_equal_returns_have_no_ratio_whatever_rounding_says():
    """The NumPy deviation of a hundred times 0.001 is not zero but 2e-19."""
    r = np.full(100, 0.001)
    assert r.std(ddof=1) > 0
    assert np.isnan(p.sharpe_ratio(r, periods_per_year=252))
    assert np.isnan(p.sharpe_ratio(r, periods_per_year=252, risk_free=0.252))
    table = np.full((5000, 3), 0.1)
    assert (table.std(axis=0, ddof=1) > 1e-15).all()
    assert np.isnan(p.sharpe_ratio(table, periods_per_year=252)).all()
    assert np.isnan(p.skewness(table)).all()


@pytest.mark.parametrize("wrong", [0, 1, -0.5, 95, np.nan, "0.95", None, True])
def test_a_confidence_that_is_no_probability_is_refused(wrong):
    for figure in (p.value_at_risk, p.expected_shortfall):
        with pytest.raises(DataError, match="level="):
            figure([0.1, 0.2], level=wrong)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, "0", None, True])
def test_rates_and_targets_must_be_finite_numbers(wrong):
    r = [0.1, -0.2]
    with pytest.raises(DataError, match="risk_free="):
        p.sharpe_ratio(r, periods_per_year=252, risk_free=wrong)
    with pytest.raises(DataError, match="target="):
        p.sortino_ratio(r, periods_per_year=252, target=wrong)
    with pytest.raises(DataError, match="threshold="):
        p.omega_ratio(r, threshold=wrong)
    with pytest.raises(DataError, match="risk_free="):
        p.alpha(r, r, periods_per_year=252, risk_free=wrong)
