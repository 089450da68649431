from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p
from qtw_lab.stats import rolling

WINDOW = 60
#: Figure of rolling windows beside the plain figure of one.
PAIRS = {
    "volatility": (lambda r: p.rolling_volatility(r, WINDOW), p.volatility),
    "sharpe": (lambda r: p.rolling_sharpe(r, WINDOW, risk_free=0.02), lambda r: p.sharpe_ratio(r, risk_free=0.02)),
    "sortino": (lambda r: p.rolling_sortino(r, WINDOW, target=0.02), lambda r: p.sortino_ratio(r, target=0.02)),
    "drawdown": (lambda r: p.rolling_drawdown(r, WINDOW), p.max_drawdown),
    "value_at_risk": (lambda r: p.rolling_value_at_risk(r, WINDOW), p.value_at_risk),
    "filtered": (
        lambda r: p.rolling_value_at_risk(r, WINDOW, method="filtered"),
        lambda r: p.value_at_risk(r, method="filtered"),
    ),
}


@pytest.mark.parametrize(("path", "figure"), PAIRS.values(), ids=PAIRS)
def test_a_rolling_figure_is_the_figure_of_each_window(path, figure, large_caps):
    r = large_caps.iloc[:300, :2]
    found = path(r)
    assert found.iloc[: WINDOW - 1].isna().all(axis=None)
    for k in (WINDOW - 1, WINDOW, 170, 299):
        expected = figure(r.iloc[k - WINDOW + 1 : k + 1])
        pd.testing.assert_series_equal(found.iloc[k], expected, check_names=False, rtol=1e-9)


def test_rolling_figures_equal_those_of_pandas(large_caps):
    r = large_caps.iloc[:1500, :3]
    market = large_caps.iloc[:1500, 4]
    windows, root = r.rolling(WINDOW), np.sqrt(252)
    covariance = pd.DataFrame({name: windows[name].cov(market) for name in r})
    oracles = {
        "volatility": (p.rolling_volatility(r, WINDOW), windows.std() * root),
        "sharpe": (p.rolling_sharpe(r, WINDOW), windows.mean() / windows.std() * root),
        "quantile": (p.rolling_value_at_risk(r, WINDOW), windows.quantile(0.05)),
        "beta": (p.rolling_beta(r, market, WINDOW), covariance.div(market.rolling(WINDOW).var(), axis=0)),
        "correlation": (
            p.rolling_correlation(r, market, WINDOW),
            pd.DataFrame({n: windows[n].corr(market) for n in r}),
        ),
    }
    for found, expected in oracles.values():
        pd.testing.assert_frame_equal(found, expected, rtol=1e-7, atol=1e-10)


def test_a_rolling_ratio_of_equal_returns_is_missing():
    assert np.isnan(p.rolling_sharpe(np.full(20, 0.001), 5, periods_per_year=252)).all()


def test_a_huge_return_is_forgotten_when_it_leaves_the_window():
    """Running sums would keep the rounding error of 1e6 squared, which is larger than the variance of the others."""
    quiet = np.random.default_rng(0).normal(0, 1e-4, 40)
    loud = np.concatenate([[1e6], quiet])
    expected = p.rolling_volatility(quiet, 10, periods_per_year=1)
    np.testing.assert_allclose(p.rolling_volatility(loud, 10, periods_per_year=1)[10:], expected[9:], rtol=1e-12)


def test_a_window_longer_than_the_returns_gives_nothing():
    assert np.isnan(p.rolling_drawdown([0.1, -0.1], 3)).all()
    assert p.rolling_drawdown([0.1, -0.1], 2)[1] == pytest.approx(-0.1)


def test_later_returns_do_not_change_earlier_figures(large_caps):
    r, market = large_caps.iloc[:200, 0].to_numpy(), large_caps.iloc[:200, 1].to_numpy()
    for path in (p.rolling_drawdown, p.rolling_value_at_risk):
        np.testing.assert_array_equal(path(r, 30)[:150], path(r[:150], 30))
    np.testing.assert_allclose(
        p.rolling_beta(r, market, 30)[:150], p.rolling_beta(r[:150], market[:150], 30), rtol=1e-12
    )


def test_blocks_do_not_show(monkeypatch, large_caps):
    r = large_caps.iloc[:200, :2]
    whole = p.rolling_drawdown(r, 30)
    monkeypatch.setattr(rolling, "_BLOCK", 210)  # seven windows at once
    pd.testing.assert_frame_equal(p.rolling_drawdown(r, 30), whole)


def test_each_column_may_have_its_own_benchmark(large_caps):
    r, b = large_caps.iloc[:100, :3].to_numpy(), large_caps.iloc[:100, 3:6].to_numpy()
    for path in (p.rolling_beta, p.rolling_correlation):
        together = path(r, b, 30)
        for k in range(3):
            np.testing.assert_allclose(together[:, k], path(r[:, k], b[:, k], 30), rtol=1e-12)


@pytest.mark.parametrize("wrong", [0, 1, -3, 2.5, "9", None, True])
def test_a_window_below_two_bars_is_refused(wrong):
    r = [0.1, 0.2, 0.3]
    for path in (p.rolling_drawdown, p.rolling_value_at_risk):
        with pytest.raises(DataError, match="window="):
            path(r, wrong)
    for path in (p.rolling_volatility, p.rolling_sharpe, p.rolling_sortino):
        with pytest.raises(DataError, match="window="):
            path(r, wrong, periods_per_year=252)
    for path in (p.rolling_beta, p.rolling_correlation):
        with pytest.raises(DataError, match="window="):
            path(r, r, wrong)


def test_a_benchmark_of_other_bars_is_refused():
    with pytest.raises(DataError, match="do not fit"):
        p.rolling_beta([0.1, 0.2, 0.3], [0.1, 0.2], 2)
