from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p
from qtw_lab.stats.risk import METHODS, _rises, rescaled, tail

TAILS = (p.value_at_risk, p.expected_shortfall)
LEVELS = (0.90, 0.95, 0.99)


def bent(z, skew, excess):
    """The Cornish-Fisher quantile as Favre and Galeano print it."""
    return z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36


def heavy(seed=3, size=4000):
    """Returns with a skewness and a kurtosis within the domain of the Cornish-Fisher expansion."""
    return stats.t.rvs(8, size=size, random_state=seed) * 0.01


def test_historical_is_the_default_and_unchanged(large_caps):
    for figure in TAILS:
        pd.testing.assert_series_equal(figure(large_caps), figure(large_caps, method="historical"))
    pd.testing.assert_series_equal(p.value_at_risk(large_caps), large_caps.quantile(0.05), check_names=False)


@pytest.mark.parametrize("level", LEVELS)
def test_the_gaussian_tail_equals_that_of_scipy(level, large_caps):
    r = large_caps.iloc[:, 0]
    normal = stats.norm(r.mean(), r.std())
    edge = normal.ppf(1 - level)
    mean = normal.expect(lambda x: x, ub=edge, lb=-np.inf) / (1 - level)
    assert p.value_at_risk(r, level, "gaussian") == pytest.approx(edge, rel=1e-9)
    assert p.expected_shortfall(r, level, "gaussian") == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("level", LEVELS)
def test_the_cornish_fisher_tail_equals_numerical_integration(level):
    r = heavy()
    skew, excess = stats.skew(r), stats.kurtosis(r)
    quantile = lambda u: r.mean() + bent(stats.norm.ppf(u), skew, excess) * r.std(ddof=1)  # noqa: E731  # a formula
    assert p.value_at_risk(r, level, "cornish_fisher") == pytest.approx(quantile(1 - level), rel=1e-9)
    mean = integrate.quad(quantile, 0, 1 - level)[0] / (1 - level)
    assert p.expected_shortfall(r, level, "cornish_fisher") == pytest.approx(mean, rel=1e-6)


def test_a_fat_tail_is_fatter_than_the_normal_one():
    r = heavy()
    assert p.value_at_risk(r, 0.99, "cornish_fisher") < p.value_at_risk(r, 0.99, "gaussian")


def test_outside_its_domain_the_cornish_fisher_tail_is_missing():
    """Without skewness Maillard's condition is an excess kurtosis of 0 to 8."""
    calm = np.tile([0.01, -0.01], 100)
    wild = np.concatenate([calm, [0.1, -0.1] * 2])
    assert stats.skew(wild) == pytest.approx(0, abs=1e-12)
    assert stats.kurtosis(wild) > 8
    assert stats.kurtosis(calm) == pytest.approx(-2)
    for r in (wild, calm):
        assert all(np.isnan(figure(r, method="cornish_fisher")) for figure in TAILS)


@given(skew=st.floats(-3, 3), excess=st.floats(-2, 12))
@settings(max_examples=150, deadline=None)
def test_the_domain_is_where_the_quantile_rises(skew, excess):
    """Of 2001 normal quantiles within 5 deviations each is mapped above the one before it."""
    z = np.linspace(-5, 5, 2001)
    steps = np.diff(bent(z, skew, excess))
    if abs(steps.min()) > 1e-4:
        assert bool(_rises(np.array([skew]), np.array([excess]), 5.0)[0]) == bool(steps.min() > 0)


def test_a_sample_that_is_all_but_normal_is_inside():
    r = stats.norm.ppf((np.arange(2000) + 0.5) / 2000) * 0.01
    assert -0.1 < stats.kurtosis(r) < 0
    assert p.value_at_risk(r, method="cornish_fisher") == pytest.approx(p.value_at_risk(r, method="gaussian"), rel=0.01)


def test_the_filtered_tail_by_a_plain_loop(large_caps):
    r = large_caps.iloc[:500, 0].to_numpy()
    variance, residuals = np.mean(r[:20] ** 2), []
    for move in r[20:]:
        residuals.append(move / np.sqrt(variance))
        variance = 0.94 * variance + 0.06 * move**2
    scaled = np.sqrt(variance) * np.array(residuals)
    edge = np.quantile(scaled, 0.05)
    assert p.value_at_risk(r, method="filtered") == pytest.approx(edge, rel=1e-9)
    assert p.expected_shortfall(r, method="filtered") == pytest.approx(scaled[scaled <= edge].mean(), rel=1e-9)


def test_after_a_storm_the_filtered_tail_is_wider_than_the_historical_one():
    rng = np.random.default_rng(1)
    r = np.concatenate([rng.normal(0, 0.01, 500), rng.normal(0, 0.04, 50)])
    assert p.value_at_risk(r, method="filtered") < 1.5 * p.value_at_risk(r)
    assert p.value_at_risk(r[::-1].copy(), method="filtered") > p.value_at_risk(r)


def test_without_enough_bars_or_moves_the_filtered_tail_is_missing():
    moves = heavy(size=300)
    assert np.isnan(p.value_at_risk(moves[:20], method="filtered"))
    assert np.isfinite(p.value_at_risk(moves[:21], method="filtered"))
    out_of_the_market = np.concatenate([moves, np.zeros(400), moves])
    for r in (out_of_the_market, np.zeros(100)):
        assert all(np.isnan(figure(r, method="filtered")) for figure in TAILS)
    both = p.value_at_risk(np.column_stack([np.zeros(300), moves]), method="filtered")
    assert np.isnan(both).tolist() == [True, False]


def test_a_decay_that_is_no_share_is_refused():
    for wrong in (0, 1, np.nan, "0.94", True):
        with pytest.raises(DataError, match="decay="):
            rescaled(np.zeros((30, 1)), wrong)


@pytest.mark.parametrize("method", METHODS)
def test_a_table_gives_what_its_columns_give(method, large_caps):
    r = large_caps.iloc[:400, :3]
    for figure in TAILS:
        together = figure(r, method=method)
        np.testing.assert_allclose(together, [figure(r[name], method=method) for name in r], rtol=1e-9)
        assert together.index.tolist() == r.columns.tolist()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("r", [[0.01], [0.001] * 50], ids=["one bar", "equal"])
def test_too_little_gives_a_number_or_a_stated_nan(method, r):
    found = p.value_at_risk(r, method=method)
    known = {"historical"} | ({"gaussian", "filtered"} if len(r) > 1 else set())
    assert np.isnan(found) == (method not in known)


@pytest.mark.parametrize("wrong", ["normal", "", None, 1, ["gaussian"]], ids=str)
def test_an_unknown_method_is_refused_with_those_there_are(wrong):
    for figure in TAILS:
        with pytest.raises(DataError, match="historical, gaussian, cornish_fisher, filtered"):
            figure([0.1, -0.1], method=wrong)


@given(
    r=arrays(float, st.integers(21, 60), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 5))), k=st.floats(0.1, 9)
)
@settings(max_examples=100, deadline=None)
def test_tails_grow_with_the_position_and_the_shortfall_lies_beyond_the_edge(r, k):
    for method in METHODS:
        one, scaled = tail(r[:, None], 0.95, method), tail(k * r[:, None], 0.95, method)
        np.testing.assert_allclose(scaled.edge, k * one.edge, rtol=1e-6, atol=1e-9)
        assert np.isnan(one.mean[0]) or one.mean[0] <= one.edge[0] + 1e-12


def breaches(count, bars):
    """Returns that fall below a forecast of -2% in evenly spaced bars."""
    r = np.full(bars, 0.01)
    r[np.linspace(1, bars - 2, count).astype(int)] = -0.03
    return r, np.full(bars, -0.02)


def test_twenty_breaches_in_a_year_are_too_many_at_95_percent():
    """Jorion, "Value at Risk" (2007), backtest of J.P. Morgan in 1998: a likelihood ratio of 3.91 beyond 3.84."""
    test = p.var_coverage_test(*breaches(20, 252))
    assert (test.bars, test.breaches) == (252, 20)
    assert test.expected == pytest.approx(12.6)
    assert test.frequency == pytest.approx(3.91, abs=0.005)
    assert test.frequency_p < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_likelihood_ratios_equal_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    hit = np.zeros(500, dtype=bool)
    for t in range(1, 500):
        hit[t] = rng.random() < (0.3 if hit[t - 1] else 0.05)
    test = p.var_coverage_test(np.where(hit, -0.03, 0.01), np.full(500, -0.02))
    x = hit.sum()
    frequency = 2 * (stats.binom.logpmf(x, 500, x / 500) - stats.binom.logpmf(x, 500, 0.05))
    counts = pd.crosstab(hit[:-1], hit[1:])
    apart = stats.chi2_contingency(counts, correction=False, lambda_="log-likelihood")
    assert test.frequency == pytest.approx(frequency, rel=1e-9)
    assert test.frequency_p == pytest.approx(stats.chi2.sf(frequency, 1), rel=1e-9)
    assert test.independence == pytest.approx(apart.statistic, rel=1e-9)
    assert test.independence_p == pytest.approx(apart.pvalue, rel=1e-9)
    assert test.both_p == pytest.approx(stats.chi2.sf(frequency + apart.statistic, 2), rel=1e-9)


def test_breaches_in_a_cluster_are_noticed_though_their_number_is_right():
    r = np.full(400, 0.01)
    r[100:120] = -0.03
    test = p.var_coverage_test(r, np.full(400, -0.02))
    assert test.frequency == pytest.approx(0.0, abs=1e-9)
    assert test.independence_p < 1e-6
    assert test.both_p < 1e-6


def test_without_a_breach_nothing_is_said_about_clusters():
    test = p.var_coverage_test(np.full(200, 0.01), np.full(200, -0.02))
    assert test.breaches == 0
    assert test.frequency == pytest.approx(-2 * 200 * np.log(0.95))
    assert np.isnan(test.independence_p)
    assert np.isnan(test.both_p)
    always = p.var_coverage_test(np.full(20, -0.03), np.full(20, -0.02))
    assert always.breaches == 20
    assert always.frequency == pytest.approx(-2 * 20 * np.log(0.05))
    assert np.isnan(always.independence_p)


def test_forecasts_of_a_rolling_window_are_tested_one_bar_later(large_caps):
    r = large_caps.iloc[:1500, 0]
    known = p.rolling_value_at_risk(r, 250).shift(1).dropna()
    test = p.var_coverage_test(r.loc[known.index], known)
    assert test.bars == 1250
    assert 0.03 < test.breaches / test.bars < 0.08


def test_forecasts_of_other_bars_are_refused():
    for forecasts in ([-0.1], [[-0.1], [-0.1]]):
        with pytest.raises(DataError, match="do not fit"):
            p.var_coverage_test([0.1, 0.2], forecasts)
    with pytest.raises(DataError, match="forecasts have nan at bar 0"):
        p.var_coverage_test([0.1, 0.2], [np.nan, 0.1])
    first = pd.Series([0.1, 0.2], index=pd.date_range("2024-01-01", periods=2))
    with pytest.raises(DataError, match="different times"):
        p.var_coverage_test(first, first.shift(freq="1D"))
    with pytest.raises(DataError, match="level="):
        p.var_coverage_test([0.1], [0.1], level=95)
