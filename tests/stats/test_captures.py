from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p


def test_captures_by_hand():
    """Benchmark 10%, -10%, 21%, 0%: rises compound to 1.331. Fund 5%, -20%, 2%, 7%: 1.071 in the rises."""
    fund, market = [0.05, -0.20, 0.02, 0.07], [0.10, -0.10, 0.21, 0.0]
    up = (np.sqrt(1.05 * 1.02) - 1) / (np.sqrt(1.10 * 1.21) - 1)
    assert p.up_capture(fund, market) == pytest.approx(up)
    assert p.down_capture(fund, market) == pytest.approx(2.0)
    assert p.capture_ratio(fund, market) == pytest.approx(up / 2.0)
    assert p.batting_average(fund, market) == 0.25
    assert p.batting_average(market, market) == 1.0


def test_a_benchmark_captures_itself(large_caps):
    market = large_caps.iloc[:, 0]
    for figure in (p.up_capture, p.down_capture, p.capture_ratio, p.up_beta, p.down_beta, p.correlation):
        assert figure(market, market) == pytest.approx(1.0)


def test_captures_of_real_returns_equal_geometric_means_of_scipy(large_caps):
    fund, market = large_caps.iloc[:, 1], large_caps.mean(axis=1)
    for figure, chosen in ((p.up_capture, market > 0), (p.down_capture, market < 0)):
        expected = (stats.gmean(1 + fund[chosen]) - 1) / (stats.gmean(1 + market[chosen]) - 1)
        assert figure(fund, market) == pytest.approx(expected, rel=1e-9)


def test_conditional_betas_are_slopes_of_regressions(large_caps):
    fund, market = large_caps.iloc[:, 1], large_caps.mean(axis=1)
    for figure, chosen in ((p.up_beta, market > market.mean()), (p.down_beta, market < market.mean())):
        assert figure(fund, market) == pytest.approx(stats.linregress(market[chosen], fund[chosen]).slope, rel=1e-10)


@pytest.mark.parametrize("figure", [p.up_capture, p.down_capture, p.up_beta, p.correlation, p.batting_average])
def test_each_column_may_have_its_own_benchmark(figure, large_caps):
    r, b = large_caps.iloc[:, :3].to_numpy(), large_caps.iloc[:, 3:6].to_numpy()
    np.testing.assert_allclose(figure(r, b), [figure(r[:, k], b[:, k]) for k in range(3)], rtol=1e-12)


def test_without_rises_or_falls_there_is_no_capture():
    assert np.isnan(p.up_capture([0.1, 0.2], [-0.1, 0.0]))
    assert np.isnan(p.down_capture([0.1, 0.2], [0.1, 0.0]))
    assert np.isnan(p.capture_ratio([0.1, 0.2], [0.1, 0.2]))


def test_a_gain_while_the_benchmark_falls_is_a_negative_capture():
    assert p.down_capture([0.05, 0.0], [-0.1, 0.1]) == pytest.approx(-0.5)


def test_capital_that_is_used_up_counts_as_a_loss_of_all_of_it():
    assert p.down_capture([-1.5, 0.1, 0.1], [-0.1, -0.1, 0.1]) == pytest.approx(10.0)


def test_still_numbers_have_no_relation():
    still, moving = [0.001] * 4, [0.01, -0.02, 0.03, 0.0]
    assert np.isnan(p.correlation(still, moving))
    assert np.isnan(p.correlation(moving, still))
    for figure in (p.up_beta, p.down_beta):
        assert np.isnan(figure(moving, still))
        assert np.isnan(figure([0.1, 0.2], [0.1, 0.2]))  # one bar on each side


def test_benchmarks_of_other_bars_are_refused():
    for figure in (p.up_capture, p.down_capture, p.capture_ratio, p.batting_average, p.up_beta, p.correlation):
        with pytest.raises(DataError, match="do not fit"):
            figure([0.1, 0.2], [0.1, 0.2, 0.3])


@given(r=arrays(float, 20, elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 4))), scale=st.floats(0.1, 5.0))
@settings(max_examples=100, deadline=None)
def test_a_correlation_does_not_know_the_scale(r, scale):
    market = np.sin(np.arange(20))
    found = p.correlation(r, market)
    if np.isnan(found):
        assert np.ptp(r) == 0
        return
    assert -1.0 <= found <= 1.0
    assert p.correlation(scale * r, market) == pytest.approx(found, abs=1e-9)
    assert p.correlation(-r, market) == pytest.approx(-found, abs=1e-9)
