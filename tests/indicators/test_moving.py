"""Against pandas, TA-Lib and NumPy on real prices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import linregress

from qtw_lab import indicators as ind

WINDOWS = [1, 2, 3, 5, 10, 14, 20, 33, 50, 63, 100, 126, 150, 200]


@pytest.mark.parametrize("window", WINDOWS)
def test_means_and_sums_equal_those_of_pandas_to_the_bit(stocks, large_caps, window):
    series = [prices["close"] for prices in stocks.values()] + [prices["volume"] for prices in stocks.values()]
    for x in [*series, *large_caps.to_numpy().T, np.diff(series[0])]:
        rolling = pd.Series(x).rolling(window)
        assert np.array_equal(ind.sma(x, window), rolling.mean(), equal_nan=True)
        assert np.array_equal(ind.rolling_sum(x, window), rolling.sum(), equal_nan=True)


numbers = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 0.1, 1e-9, 1e12, -1e12, 3.0]))


@given(x=arrays(float, st.integers(1, 60), elements=numbers), window=st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_means_equal_those_of_pandas_for_any_numbers(x, window):
    assert np.array_equal(ind.sma(x, window), pd.Series(x).rolling(window).mean(), equal_nan=True)


def test_a_mean_of_equal_prices_is_that_price():
    x = np.concatenate([np.random.default_rng(0).normal(100, 5, 50), np.full(30, 0.1)])
    assert (ind.sma(x, 10)[60:] == 0.1).all()
    assert (ind.rolling_std(x, 10)[60:] == 0.0).all()


TA_LIB = {
    "sma": (ind.sma, talib.SMA), "ema": (ind.ema, talib.EMA), "wma": (ind.wma, talib.WMA),
    "kama": (ind.kama, talib.KAMA),
    "max": (ind.rolling_max, talib.MAX), "min": (ind.rolling_min, talib.MIN),
    "slope": (ind.slope, talib.LINEARREG_SLOPE),
    "population deviation": (lambda x, n: ind.rolling_std(x, n, ddof=0), talib.STDDEV),
}  # fmt: skip


@pytest.mark.parametrize("name", TA_LIB)
@pytest.mark.parametrize("window", [2, 5, 14, 50, 200])
def test_averages_equal_those_of_ta_lib(stocks, name, window):
    ours, theirs = TA_LIB[name]
    for prices in stocks.values():
        x = prices["close"]
        if len(x) > window:
            np.testing.assert_allclose(ours(x, window), theirs(x, window), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("window", [2, 5, 20, 100])
def test_deviations_equal_those_of_numpy_window_by_window(stocks, window):
    x = stocks["IBM"]["close"]
    views = np.lib.stride_tricks.sliding_window_view(x, window)
    np.testing.assert_allclose(
        ind.rolling_std(x, window)[window - 1 :], views.std(axis=1, ddof=1), rtol=1e-9, atol=1e-11
    )
    spread = np.where(np.ptp(views, axis=1) > 0, views.std(axis=1, ddof=1), np.nan)
    scores = (x[window - 1 :] - views.mean(axis=1)) / spread
    found = ind.z_score(x, window)[window - 1 :]
    np.testing.assert_allclose(found, scores, rtol=1e-8, atol=1e-9)


def test_a_spike_leaves_no_trace_once_it_has_left_the_window():
    rng = np.random.default_rng(3)
    x, z = rng.normal(0, 1, (2, 300))
    x[100], z[130] = 1e9, -1e9
    for k in range(150, 300):
        ours = ind.rolling_std(x, 20)[k], ind.rolling_beta(x, z, 20)[k], ind.rolling_correlation(x, z, 20)[k]
        past = slice(k - 19, k + 1)
        covariance = np.cov(x[past], z[past])
        exact = x[past].std(ddof=1), covariance[0, 1] / covariance[1, 1], np.corrcoef(x[past], z[past])[0, 1]
        np.testing.assert_allclose(ours, exact, rtol=1e-9)


@pytest.mark.parametrize("window", [2, 10, 60, 250])
def test_beta_and_correlation_equal_numpy_on_real_returns(large_caps, window):
    table = large_caps.iloc[:1500].pct_change().to_numpy()[1:]
    x, market = table[:, 0], table.mean(axis=1)
    beta, correlation = ind.rolling_beta(x, market, window), ind.rolling_correlation(x, market, window)
    for k in range(window - 1, len(x), 17):
        past = slice(k + 1 - window, k + 1)
        covariance = np.cov(x[past], market[past], ddof=1)
        if covariance[0, 0] == 0.0:
            assert np.isnan(correlation[k])
            continue
        assert beta[k] == pytest.approx(covariance[0, 1] / covariance[1, 1], rel=1e-9)
        assert correlation[k] == pytest.approx(np.corrcoef(x[past], market[past])[0, 1], rel=1e-9)
    assert np.isnan(beta[: window - 1]).all()


def test_beta_is_the_slope_of_a_least_squares_line(large_caps):
    table = large_caps.iloc[:600].pct_change().to_numpy()[1:]
    x, market = table[:, 3], table.mean(axis=1)
    beta = ind.rolling_beta(x, market, 60)
    for k in range(59, 599, 60):
        assert beta[k] == pytest.approx(linregress(market[k - 59 : k + 1], x[k - 59 : k + 1]).slope, rel=1e-9)


def test_an_asset_that_does_not_move_has_no_beta_and_no_correlation():
    market = np.random.default_rng(0).normal(size=30)
    assert ind.rolling_beta(np.full(30, 0.3), market, 5)[-1] == 0.0
    assert np.isnan(ind.rolling_correlation(np.full(30, 0.3), market, 5)).all()


def test_two_points_are_perfectly_correlated():
    found = ind.rolling_correlation([1.0, 2.0, 1.5], [5.0, 9.0, 12.0], 2)
    np.testing.assert_allclose(found, [np.nan, 1.0, -1.0])


def test_kaufmans_average_takes_other_spans():
    """By hand: moves 1, 1, -1 over a window of 2. Efficiency 1 at bar 2, then |3-2...|: net 0 over a path of 2."""
    found = ind.kama([1.0, 2.0, 3.0, 2.0], 2, fast=3, slow=9)
    fastest, slowest = (2 / 4) ** 2, (2 / 10) ** 2
    second = 2.0 + fastest * (3.0 - 2.0)
    np.testing.assert_allclose(found, [np.nan, np.nan, second, second + slowest * (2.0 - second)], rtol=1e-14)


def test_wilders_smoothing_is_an_exponential_average_of_another_span():
    """Weight 1/n is that of an EMA over 2n - 1 bars; pandas continues it from the same start."""
    x = np.random.default_rng(2).normal(100, 1, 200)
    started = np.concatenate([[x[:14].mean()], x[14:]])
    expected = pd.Series(started).ewm(alpha=1 / 14, adjust=False).mean().to_numpy()
    np.testing.assert_allclose(ind.wilder(x, 14)[13:], expected, rtol=1e-12)


def test_a_deviation_needs_more_bars_than_degrees_of_freedom():
    assert np.isnan(ind.rolling_std([1.0, 2.0, 3.0], 1)).all()
    assert ind.rolling_std([1.0, 2.0, 3.0], 1, ddof=0).tolist() == [0.0, 0.0, 0.0]
