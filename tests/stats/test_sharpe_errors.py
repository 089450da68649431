from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.sandwich_covariance import S_hac_simple

from qtw_lab.core import DataError
from qtw_lab.stats import ratios
from qtw_lab.stats.sharpe_errors import lo_annualisation_factor, sharpe_interval, sharpe_standard_error


def test_standard_errors_of_lo_to_three_digits():
    """Lo (2002), Table 1: ratio 0.5 with 12 bars has 0.306; 1.0 with 60 has 0.158; 3.0 with 500 has 0.105."""
    for sharpe, bars, expected in ((0.5, 12, 0.306), (1.0, 60, 0.158), (3.0, 500, 0.105)):
        r = np.random.default_rng(bars).normal(size=bars)
        r = sharpe + (r - r.mean()) / r.std(ddof=1)
        assert round(sharpe_standard_error(r, "normal"), 3) == expected


def test_without_lags_the_long_run_error_is_that_of_independent_returns(large_caps):
    pd.testing.assert_series_equal(
        sharpe_standard_error(large_caps, "newey_west", lags=0), sharpe_standard_error(large_caps, "iid"), rtol=1e-10
    )


@pytest.mark.parametrize("lags", [None, 1, 5, 30])
def test_the_long_run_error_is_that_of_statsmodels_covariance_by_the_delta_method(large_caps, lags):
    r = large_caps.iloc[:1000, 3].to_numpy()
    used = int(4 * 10 ** (2 / 9)) if lags is None else lags
    moments = np.column_stack([r - r.mean(), (r - r.mean()) ** 2 - r.var()])
    covariance = S_hac_simple(moments, nlags=used) / len(r)
    slope = np.array([1 / r.std(), -r.mean() / r.std(ddof=1) / (2 * r.var())])
    expected = np.sqrt(slope @ covariance @ slope / len(r))
    assert sharpe_standard_error(r, "newey_west", lags) == pytest.approx(expected, rel=1e-10)
    assert sharpe_standard_error(r, "lo", lags) == sharpe_standard_error(r, "newey_west", lags)


def test_with_no_mean_the_long_run_error_is_that_of_a_regression_on_a_constant():
    """A ratio of 0 has the error of the mean over the deviation: statsmodels' HAC standard error."""
    r = np.random.default_rng(5).normal(size=300).cumsum() * 0.1
    r -= r.mean()
    fit = sm.OLS(r, np.ones(300)).fit(cov_type="HAC", cov_kwds={"maxlags": 7, "use_correction": False})
    assert sharpe_standard_error(r, "lo", 7) == pytest.approx(fit.bse[0] / r.std(), rel=1e-9)


def test_bounds_enclose_the_true_ratio_as_often_as_they_say():
    """Two thousand skewed samples of 250 bars, 90% intervals; three standard errors of that share are 2%."""
    r = np.random.default_rng(7).gamma(4.0, size=(250, 2000)) - 3.8  # mean 0.2, deviation 2
    found = sharpe_interval(r, confidence=0.9)
    assert np.mean((found.lower < 0.1) & (found.upper > 0.1)) == pytest.approx(0.9, abs=0.02)


def test_only_the_long_run_bounds_hold_where_returns_trend():
    """AR(1) with 0.5: errors are understated by a factor near sqrt(3), the root of (1 + 0.5) / (1 - 0.5)."""
    noise = np.random.default_rng(8).normal(size=(2000, 500))
    r = noise.copy()
    for t in range(1, len(r)):
        r[t] += 0.5 * r[t - 1]
    wide, narrow = (sharpe_interval(r[100:], 0.9, method) for method in ("newey_west", "iid"))
    assert np.mean((wide.lower < 0) & (wide.upper > 0)) > 0.82
    assert np.mean((narrow.lower < 0) & (narrow.upper > 0)) < 0.72


def test_an_interval_lies_around_the_ratio_in_the_shape_of_the_returns(large_caps):
    found = sharpe_interval(large_caps, confidence=0.95, method="normal")
    pd.testing.assert_series_equal(found.sharpe, ratios.sharpe_ratio(large_caps, periods_per_year=1))
    error = sharpe_standard_error(large_caps, "normal")
    pd.testing.assert_series_equal(found.upper - found.lower, 2 * stats.norm.ppf(0.975) * error)
    assert isinstance(sharpe_interval(large_caps.iloc[:, 0]).lower, float)


def test_the_annualisation_factor_is_the_sum_of_autocorrelations(large_caps):
    """Against statsmodels' autocorrelations."""
    r = large_caps.iloc[:2000, 0]
    rho = sm.tsa.acf(r, nlags=11, fft=False)[1:]
    k = np.arange(1, 12)
    expected = 12 / np.sqrt(12 + 2 * np.sum((12 - k) * rho))
    assert lo_annualisation_factor(r, 12) == pytest.approx(expected, rel=1e-10)
    assert lo_annualisation_factor(r, 1) == pytest.approx(1.0)


def test_the_annualisation_factor_of_an_autoregression_is_lo_s():
    """Lo (2002) for AR(1): sqrt(q) / sqrt(1 + 2 rho / (1 - rho) (1 - (1 - rho ** q) / (q (1 - rho))))."""
    rho, q = 0.3, 12
    noise = np.random.default_rng(11).normal(size=400_000)
    r = np.empty_like(noise)
    r[0] = noise[0]
    for t in range(1, len(r)):
        r[t] = rho * r[t - 1] + noise[t]
    expected = np.sqrt(q) / np.sqrt(1 + 2 * rho / (1 - rho) * (1 - (1 - rho**q) / (q * (1 - rho))))
    assert lo_annualisation_factor(r, q) == pytest.approx(expected, rel=0.01)
    assert lo_annualisation_factor(noise, q) == pytest.approx(np.sqrt(q), rel=0.01)


def test_a_constant_has_no_annualisation_factor():
    assert np.isnan(lo_annualisation_factor([0.001] * 50, 3))


@pytest.mark.parametrize("wrong", [0, 1, 95, np.nan, "0.95", None, True])
def test_an_interval_needs_a_probability(wrong):
    with pytest.raises(DataError, match="confidence="):
        sharpe_interval([0.1, 0.2, 0.3], confidence=wrong)


@pytest.mark.parametrize("wrong", [-1, 3, 1.5, "2", True])
def test_lags_must_be_fewer_than_the_bars(wrong):
    with pytest.raises(DataError, match="lags="):
        sharpe_standard_error([0.1, 0.2, 0.3], "newey_west", wrong)


def test_lags_of_independent_returns_are_a_contradiction():
    for method in ("iid", "normal"):
        with pytest.raises(DataError, match="newey_west"):
            sharpe_standard_error([0.1, 0.2, 0.3], method, 1)


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match="normal, iid, newey_west, lo"):
        sharpe_standard_error([0.1, 0.2], "bootstrap")


@pytest.mark.parametrize("wrong", [0, -1, 3, 2.0, "2", None, True])
def test_periods_must_be_fewer_than_the_bars(wrong):
    with pytest.raises(DataError, match="periods="):
        lo_annualisation_factor([0.1, 0.2, 0.3], wrong)
