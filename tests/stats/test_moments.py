"""The figures from running sums against the figures from the returns themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from qtw_lab.core import DataError
from qtw_lab.stats import moments as m
from qtw_lab.stats import performance as p
from qtw_lab.stats.moments import Moments

YEAR = 252.0

PAIRS = {
    "total return": (m.total_return, p.total_return),
    "cagr": (lambda x: m.cagr(x, YEAR), lambda r: p.cagr(r, YEAR)),
    "volatility": (lambda x: m.volatility(x, YEAR), lambda r: p.volatility(r, YEAR)),
    "sharpe": (lambda x: m.sharpe_ratio(x, YEAR), lambda r: p.sharpe_ratio(r, YEAR)),
    "sortino": (lambda x: m.sortino_ratio(x, YEAR), lambda r: p.sortino_ratio(r, YEAR)),
    "max drawdown": (m.max_drawdown, p.max_drawdown),
    "calmar": (lambda x: m.calmar_ratio(x, YEAR), lambda r: p.calmar_ratio(r, YEAR)),
}


def returns_of(paths, start):
    """What `Result.returns` is made of."""
    before = np.column_stack([np.full(len(paths), start), paths[:, :-1]])
    return np.where(before > 0, paths / np.where(before > 0, before, 1) - 1, 0.0).T


@settings(deadline=None, max_examples=200)
@given(
    seed=some.integers(0, 2**32 - 1),
    bars=some.integers(1, 300),
    spread=some.sampled_from([0.0, 1e-4, 0.02, 0.3]),
    drift=some.sampled_from([0.0, 0.01, -0.01]),
    flat=some.sampled_from([0.0, 0.7]),
)
def test_every_figure_is_that_of_the_performance_functions(seed, bars, spread, drift, flat):
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random((4, bars)) < flat, 0.0, rng.normal(drift, spread, (4, bars)))
    paths = 1000 * np.exp(np.cumsum(steps, axis=1))
    moments, returns = Moments.of(paths, 1000.0), returns_of(paths, 1000.0)
    for name, (by_sums, by_returns) in PAIRS.items():
        np.testing.assert_allclose(by_sums(moments), by_returns(returns), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ([1000.0, 1000.0, 1000.0], "no return ever"),
        ([1100.0], "one bar"),
        ([1010.0, 1020.1, 1030.301], "the same return but for rounding"),
        ([1100.0, -50.0, -50.0], "more than everything lost"),
        ([1100.0, 0.0, 0.0], "everything lost"),
        ([900.0, 950.0, 990.0], "a loss in the first bar alone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_edges_are_those_of_the_performance_functions(path, name):
    paths = np.array([path])
    moments, returns = Moments.of(paths, 1000.0), returns_of(paths, 1000.0)
    for figure, (by_sums, by_returns) in PAIRS.items():
        np.testing.assert_allclose(by_sums(moments), by_returns(returns), rtol=1e-12, atol=1e-15, err_msg=figure)


def test_on_paper():
    moments = Moments.of([[110.0, 99.0, 99.0]], 100.0)  # returns 0.1, -0.1, 0
    assert moments.gains[0] == pytest.approx(0.0, abs=1e-15)
    assert moments.squares[0] == pytest.approx(0.02)
    assert moments.shortfalls[0] == pytest.approx(0.01)
    assert m.max_drawdown(moments)[0] == pytest.approx(-0.1)
    assert m.volatility(moments, 4.0)[0] == pytest.approx(0.1 * 2)  # sqrt(0.02 / 2) x sqrt(4)
    assert m.mean_equity(moments)[0] == pytest.approx(308 / 3)


@pytest.mark.parametrize("wrong", [[1.0, 2.0], [[1.0, np.nan]], [["a"]], np.empty((2, 0))], ids=repr)
def test_paths_that_are_none_are_refused(wrong):
    with pytest.raises(DataError, match="Equity paths"):
        Moments.of(wrong, 100.0)


@pytest.mark.parametrize("start", [0.0, -1.0, np.inf, np.nan])
def test_an_account_starts_with_money(start):
    with pytest.raises(DataError, match="start"):
        Moments.of([[1.0]], start)
