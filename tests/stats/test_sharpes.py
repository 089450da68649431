from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import ratios
from qtw_lab.stats.sharpes import (
    TrackRecord,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    lo_annualisation_factor,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_interval,
    sharpe_standard_error,
)

#: Returns on a grid, so that none differ by rounding only.
RETURNS = arrays(float, st.integers(4, 40), elements=st.integers(-20, 20).map(lambda k: k / 100)).filter(
    lambda r: np.ptp(r) > 0
)


def psr_of_scipy(r, benchmark=0.0):
    """The formula, with the moments of SciPy."""
    sharpe = r.mean() / r.std(ddof=1)
    spread = 1 - stats.skew(r) * sharpe + (stats.kurtosis(r, fisher=False) - 1) / 4 * sharpe**2
    return stats.norm.cdf((sharpe - benchmark) * np.sqrt(len(r) - 1) / np.sqrt(spread))


def test_the_deflated_ratio_of_the_paper_is_reproduced_to_its_last_digit():
    """Bailey and Lopez de Prado (2014): annual ratio 2.5, five years of 250 days, annual variance of trials 1/2."""
    record = TrackRecord(2.5 / np.sqrt(250), 1250, skewness=-3.0, kurtosis=10.0)
    std = np.sqrt(1 / 2 / 250)
    assert round(expected_maximum_sharpe(100, std), 4) == 0.1132
    assert round(record.deflated(n_trials=100, trial_sharpe_std=std), 4) == 0.9004
    assert round(record.deflated(n_trials=46, trial_sharpe_std=std), 4) == 0.9505
    normal = TrackRecord(2.5 / np.sqrt(250), 1250)
    assert round(normal.deflated(n_trials=88, trial_sharpe_std=std), 4) == 0.9505


def test_the_hedge_fund_of_the_first_paper_is_less_sure_than_its_ratio_looks():
    """Bailey and Lopez de Prado (2012): 24 months at 0.458 are 98.2% sure if normal, 91.3% with their moments."""
    assert round(TrackRecord(0.458, 24).probability_above(0.0), 3) == 0.982
    assert round(TrackRecord(0.458, 24, skewness=-2.448, kurtosis=10.164).probability_above(0.0), 3) == 0.913


@pytest.mark.parametrize(("bars", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_an_annual_ratio_of_two_needs_less_than_three_years_of_days_to_be_above_one(bars, years):
    """Bailey and Lopez de Prado (2012), normal returns at 95%: 2.73 years of days, 2.83 of weeks, 3.24 of months."""
    record = TrackRecord(2 / np.sqrt(bars), 99)
    assert round(record.minimum_length(1 / np.sqrt(bars)) / bars, 2) == years


def test_an_average_hedge_fund_needs_five_years():
    """Bailey and Lopez de Prado (2012): skewness -0.72 and kurtosis 5.78 make it 4.99 years of months."""
    record = TrackRecord(2 / np.sqrt(12), 99, skewness=-0.72, kurtosis=5.78)
    assert round(record.minimum_length(1 / np.sqrt(12)) / 12, 2) == 4.99


def test_figures_of_returns_are_the_formula_with_the_moments_of_scipy(large_caps):
    monthly = (1 + large_caps).resample("ME").prod() - 1
    for benchmark in (0.0, 0.1):
        expected = monthly.apply(psr_of_scipy, benchmark=benchmark)
        found = probabilistic_sharpe_ratio(monthly, benchmark)
        pd.testing.assert_series_equal(found, expected, rtol=1e-10)
    best = expected_maximum_sharpe(50, 0.05)
    found = deflated_sharpe_ratio(monthly, n_trials=50, trial_sharpe_std=0.05)
    pd.testing.assert_series_equal(found, probabilistic_sharpe_ratio(monthly, best))


def test_a_record_of_the_minimum_length_is_just_significant():
    rng = np.random.default_rng(3)
    r = rng.normal(0.05, 1.0, 60)
    bars = minimum_track_record_length(r, -0.1, confidence=0.9)
    sharpe = ratios.sharpe_ratio(r, periods_per_year=1)
    record = TrackRecord(sharpe, 2, ratios.skewness(r), ratios.kurtosis(r) + 3)
    away = (sharpe + 0.1) * np.sqrt((bars - 1) / record.spread)
    assert stats.norm.cdf(away) == pytest.approx(0.9, rel=1e-12)


def test_no_length_puts_a_ratio_above_a_benchmark_that_it_does_not_exceed():
    assert minimum_track_record_length([0.01, -0.02, 0.0]) == np.inf
    assert TrackRecord(0.1, 9).minimum_length(0.1) == np.inf


def test_the_expected_maximum_is_near_that_of_simulated_normal_trials():
    """The largest of 200 normal numbers, twenty thousand times: the formula is within 0.02 of the mean."""
    largest = np.random.default_rng(0).standard_normal((20_000, 200)).max(axis=1)
    assert expected_maximum_sharpe(200, 1.0) == pytest.approx(largest.mean(), abs=0.02)


def test_one_trial_has_nothing_to_deflate():
    assert expected_maximum_sharpe(1, 0.5) == 0.0
    assert expected_maximum_sharpe(1.0001, 0.5) == 0.0
    r = [0.02, -0.01, 0.03, -0.02, 0.01]
    assert deflated_sharpe_ratio(r, n_trials=1, trial_sharpe_std=0.5) == probabilistic_sharpe_ratio(r)


def test_so_many_trials_that_their_inverse_is_lost_in_rounding_still_count():
    """SciPy's inverse survival function keeps the digits that 1 - 1e-20 has not."""
    gamma = np.euler_gamma
    expected = (1 - gamma) * stats.norm.isf(1e-20) + gamma * stats.norm.isf(1e-20 / np.e)
    assert expected_maximum_sharpe(1e20, 1.0) == pytest.approx(expected, rel=1e-12)


@given(trials=st.floats(1, 1e6), more=st.floats(1, 10), std=st.floats(0, 10))
@settings(deadline=None)
def test_more_trials_never_lower_the_bar(trials, more, std):
    assert 0.0 <= expected_maximum_sharpe(trials, std) <= expected_maximum_sharpe(trials * more, std)


@given(r=RETURNS, scale=st.sampled_from([0.01, 3.0]))
@settings(deadline=None)
def test_leverage_changes_no_probability(r, scale):
    np.testing.assert_allclose(
        probabilistic_sharpe_ratio(r * scale), probabilistic_sharpe_ratio(r), rtol=1e-6, equal_nan=True
    )


@given(r=RETURNS)
@settings(deadline=None)
def test_a_probability_is_one_and_falls_as_the_benchmark_rises(r):
    low, high = probabilistic_sharpe_ratio(r, -0.1), probabilistic_sharpe_ratio(r, 0.2)
    assert np.isnan(low) or 0 <= high <= low <= 1


@pytest.mark.parametrize("r", [[0.01], [0.001] * 50, np.full((9, 2), 0.1)], ids=["one bar", "constant", "table"])
def test_returns_without_a_ratio_have_no_inference(r):
    figures = [
        probabilistic_sharpe_ratio(r),
        deflated_sharpe_ratio(r, n_trials=3, trial_sharpe_std=0.1),
        minimum_track_record_length(r),
        *(sharpe_standard_error(r, method) for method in ("normal", "iid", "newey_west")),
        sharpe_interval(r).upper,
    ]
    assert all(np.isnan(figure).all() for figure in figures)


def test_an_estimate_without_variance_is_missing_not_certain():
    """Two-valued returns (kurtosis 1 + skewness ** 2) whose ratio is 2 / skewness have variance 0 exactly."""
    assert np.isnan(TrackRecord(1.0, 20, skewness=2.0, kurtosis=5.0).probability_above(0.0))
    assert np.isnan(TrackRecord(1.0, 20, skewness=2.0, kurtosis=5.0).minimum_length(0.0))


def test_a_missing_ratio_makes_missing_figures():
    record = TrackRecord(np.nan, 20, np.nan, np.nan)
    assert np.isnan(record.probability_above(0.0))
    assert np.isnan(record.minimum_length(0.0))
    assert np.isnan(record.deflated(n_trials=3, trial_sharpe_std=0.1))


def test_returns_with_holes_are_refused_everywhere():
    r = [0.01, np.nan, 0.02]
    for figure in (probabilistic_sharpe_ratio, minimum_track_record_length, sharpe_standard_error, sharpe_interval):
        with pytest.raises(DataError, match="nan at bar 1"):
            figure(r)
    with pytest.raises(DataError, match="nan at bar 1"):
        lo_annualisation_factor(r, 2)
    with pytest.raises(DataError, match="nan at bar 1"):
        deflated_sharpe_ratio(r, n_trials=2, trial_sharpe_std=0.1)


@pytest.mark.parametrize("wrong", [0, 0.99, -5, np.nan, np.inf, "10", None, True])
def test_fewer_trials_than_the_strategy_itself_are_refused(wrong):
    with pytest.raises(DataError, match="n_trials="):
        expected_maximum_sharpe(wrong, 0.1)
    with pytest.raises(DataError, match="n_trials="):
        deflated_sharpe_ratio([0.1, 0.2], n_trials=wrong, trial_sharpe_std=0.1)


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf, "0.1", None, True])
def test_a_negative_deviation_of_trials_is_refused(wrong):
    with pytest.raises(DataError, match="trial_sharpe_std="):
        expected_maximum_sharpe(10, wrong)


@pytest.mark.parametrize("wrong", [0, 1, 0.5, 95, np.nan, "0.95", None, True])
def test_confidence_must_be_above_a_half(wrong):
    """At a half and below, every record that exceeds the benchmark would do."""
    with pytest.raises(DataError, match="confidence="):
        minimum_track_record_length([0.1, 0.1], confidence=wrong)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, "0", None, True])
def test_a_benchmark_must_be_a_number(wrong):
    for figure in (probabilistic_sharpe_ratio, minimum_track_record_length):
        with pytest.raises(DataError, match="benchmark_sharpe="):
            figure([0.1, 0.2, 0.3], wrong)


@pytest.mark.parametrize("wrong", [1, 0, -3, 2.5, None, True])
def test_a_record_has_two_bars_at_least(wrong):
    with pytest.raises(DataError, match="observations="):
        TrackRecord(0.1, wrong)


def test_an_excess_kurtosis_is_found_out_where_it_is_impossible():
    with pytest.raises(DataError, match="raw kurtosis"):
        TrackRecord(0.1, 20, skewness=0.0, kurtosis=0.0)
    with pytest.raises(DataError, match="skewness="):
        TrackRecord(0.1, 20, skewness=np.nan)
