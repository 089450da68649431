"""The t of a mean, against statsmodels and against factors that know nothing."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.research.factor_means import mean_test


@given(st.integers(30, 300), st.integers(0, 12), st.integers(0, 1000))
def test_t_is_that_of_statsmodels(count, lags, seed):
    rng = np.random.default_rng(seed)
    values = np.convolve(rng.normal(0.1, 1.0, count + 3), [1.0, 0.5, 0.3, 0.2], mode="valid")
    fit = sm.OLS(values, np.ones(count)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False})
    found = mean_test(pd.Series(values), lags=lags)
    assert found.t == pytest.approx(fit.tvalues[0], rel=1e-10)
    assert found.p_value == pytest.approx(fit.pvalues[0], rel=1e-8, abs=1e-300)
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std(ddof=1))


def test_default_lags_cover_three_horizons_or_the_rule_of_newey_and_west():
    values = pd.Series(np.random.default_rng(0).normal(size=1000))
    assert mean_test(values).lags == int(4 * 10 ** (2 / 9)) == 6
    assert mean_test(values, horizon=21).lags == 63


def test_fewer_lags_than_the_overlap_are_refused():
    values = pd.Series(np.random.default_rng(0).normal(size=100))
    assert mean_test(values, 5, lags=4).lags == 4
    with pytest.raises(DataError, match="lags=3 are fewer than the 4"):
        mean_test(values, 5, lags=3)


def test_missing_bars_are_left_out():
    values = np.random.default_rng(1).normal(size=60)
    holed = pd.Series(np.insert(values, [10, 20], np.nan))
    assert mean_test(holed) == mean_test(pd.Series(values))
    assert mean_test(holed).bars == 60


def test_what_cannot_be_told_is_missing():
    few, flat, none = (mean_test(pd.Series(values)) for values in ([0.1, 0.2, 0.3], [0.5] * 50, [np.nan] * 9))
    assert few.mean == pytest.approx(0.2)
    assert math.isnan(few.t)
    assert math.isnan(few.p_value)
    assert (flat.mean, flat.std) == (0.5, 0.0)
    assert math.isnan(flat.t)
    assert none.bars == 0
    assert math.isnan(none.mean)
    assert math.isnan(none.positive)


def test_what_is_no_column_of_numbers_is_refused():
    for values in (pd.Series(["a"]), pd.Series([np.inf, 1.0]), pd.DataFrame({"a": [1.0]})):
        with pytest.raises(DataError, match="one column of numbers"):
            mean_test(values)


def slow_noise(rng, length, names=20, steady=0.99):
    """A factor that knows nothing and changes slowly."""
    shocks = rng.normal(size=(length, names)) * math.sqrt(1 - steady**2)
    values = np.empty_like(shocks)
    values[0] = rng.normal(size=names)
    for t in range(1, length):
        values[t] = steady * values[t - 1] + shocks[t]
    return values


@pytest.mark.slow
def test_t_of_noise_is_standard_normal():
    """Kolmogorov-Smirnov over 200 seeds: mean IC of white factor and returns at horizon 1."""
    from qtw_lab.research.factor_sections import row_correlations

    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        ic = row_correlations(rng.normal(size=(1000, 15)), rng.normal(size=(1000, 15)))
        found.append(mean_test(pd.Series(ic)).t)
    assert scipy.stats.kstest(found, "norm").pvalue > 0.01
    assert 0.85 < np.std(found) < 1.15


@pytest.mark.slow
def test_t_of_overlapping_noise_is_not_far_from_normal_and_nearer_than_with_fewest_lags():
    """A slow factor without information at horizon 10: with 3 h lags t spreads by 1.0 to 1.15, with h - 1 by more."""
    from qtw_lab.research.factor_sections import row_correlations

    wide, narrow = [], []
    for seed in range(200):
        rng = np.random.default_rng(1000 + seed)
        factor = slow_noise(rng, 4000)
        path = np.vstack([np.zeros(20), rng.normal(size=(4010, 20)).cumsum(axis=0)])
        ic = pd.Series(row_correlations(factor, (path[10:] - path[:-10])[:4000]))
        wide.append(mean_test(ic, 10).t)
        narrow.append(mean_test(ic, 10, lags=9).t)
    assert np.std(wide) < 1.2
    assert np.std(wide) < np.std(narrow)
    assert (np.abs(wide) > 1.96).mean() < 0.11
