"""What every figure promises, for each line of one table."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p

YEAR = 252.0


def market(r):
    """A benchmark of as many bars."""
    return np.sin(np.arange(max(np.shape(r)[0] if np.ndim(r) else 1, 1)))


FIGURES = {
    "total_return": p.total_return,
    "cagr": lambda r: p.cagr(r, periods_per_year=YEAR),
    "volatility": lambda r: p.volatility(r, periods_per_year=YEAR),
    "sharpe_ratio": lambda r: p.sharpe_ratio(r, periods_per_year=YEAR, risk_free=0.01),
    "sortino_ratio": lambda r: p.sortino_ratio(r, periods_per_year=YEAR),
    "max_drawdown": p.max_drawdown,
    "calmar_ratio": lambda r: p.calmar_ratio(r, periods_per_year=YEAR),
    "omega_ratio": p.omega_ratio,
    "value_at_risk": p.value_at_risk,
    "expected_shortfall": p.expected_shortfall,
    "ulcer_index": p.ulcer_index,
    "tail_ratio": p.tail_ratio,
    "skewness": p.skewness,
    "kurtosis": p.kurtosis,
    "hit_rate": p.hit_rate,
    "best": p.best,
    "worst": p.worst,
    "beta": lambda r: p.beta(r, market(r)),
    "alpha": lambda r: p.alpha(r, market(r), periods_per_year=YEAR),
    "tracking_error": lambda r: p.tracking_error(r, market(r), periods_per_year=YEAR),
    "information_ratio": lambda r: p.information_ratio(r, market(r), periods_per_year=YEAR),
    "correlation": lambda r: p.correlation(r, market(r)),
    "up_capture": lambda r: p.up_capture(r, market(r)),
    "down_capture": lambda r: p.down_capture(r, market(r)),
    "capture_ratio": lambda r: p.capture_ratio(r, market(r)),
    "batting_average": lambda r: p.batting_average(r, market(r)),
    "up_beta": lambda r: p.up_beta(r, market(r)),
    "down_beta": lambda r: p.down_beta(r, market(r)),
}
PATHS = {
    "drawdown_series": p.drawdown_series,
    "rolling_volatility": lambda r: p.rolling_volatility(r, 10, periods_per_year=YEAR),
    "rolling_sharpe": lambda r: p.rolling_sharpe(r, 10, periods_per_year=YEAR),
    "rolling_sortino": lambda r: p.rolling_sortino(r, 10, periods_per_year=YEAR),
    "rolling_drawdown": lambda r: p.rolling_drawdown(r, 10),
    "rolling_value_at_risk": lambda r: p.rolling_value_at_risk(r, 10),
    "rolling_beta": lambda r: p.rolling_beta(r, market(r), 10),
    "rolling_correlation": lambda r: p.rolling_correlation(r, market(r), 10),
}
TABLES = {"drawdowns", "monthly_returns", "yearly_returns", "crisis_table", "historical_stress", "var_coverage_test"}
OF_PORTFOLIOS = {"shock", "market_shock", "factor_shock", "capacity_estimate", "impact_cost", "exposure", "turnover",
                 "traded_weights"}  # fmt: skip
INTERVALS = {"performance_intervals", "trade_intervals"}
OF_TRADES = {name for name, f in vars(p).items() if callable(f) and "trades" in inspect.signature(f).parameters}
each = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
each_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def some_returns(columns=4):
    return np.random.default_rng(7).normal(0.0005, 0.01, (80, columns))


def test_the_tables_name_every_public_figure():
    assert set(FIGURES) | set(PATHS) | OF_TRADES | TABLES | OF_PORTFOLIOS | INTERVALS | {"DEFINITIONS"} == set(
        p.__all__
    )


def test_every_figure_has_a_definition_of_one_line():
    assert set(p.__all__) - {"DEFINITIONS"} <= set(p.DEFINITIONS)
    assert {"sharpe", "sortino", "calmar"} <= set(p.DEFINITIONS)
    assert all(text and "\n" not in text for text in p.DEFINITIONS.values())


@each
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_table_gives_what_its_columns_give(figure, order):
    r = np.asarray(some_returns(), order=order)
    together = figure(r)
    assert isinstance(together, np.ndarray)
    alone = [figure(r[:, k]) for k in range(4)]
    assert all(type(value) is float for value in alone)
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@each
def test_labels_come_back_and_do_not_change_the_figure(figure):
    r = some_returns(2)
    frame = pd.DataFrame(r, columns=["x", "y"], index=pd.bdate_range("2024-01-01", periods=80))
    found = figure(frame)
    assert found.index.tolist() == ["x", "y"]
    np.testing.assert_allclose(found, figure(r), rtol=1e-12)  # pandas stores columns, and sums are taken in order
    assert type(figure(frame["x"])) is float


@each_path
def test_paths_keep_shape_and_labels(path):
    r = some_returns(2)
    frame = pd.DataFrame(r, columns=["x", "y"], index=pd.bdate_range("2024-01-01", periods=80))
    pd.testing.assert_frame_equal(path(frame), pd.DataFrame(path(r), index=frame.index, columns=frame.columns))
    pd.testing.assert_series_equal(path(frame["x"]), path(frame)["x"], check_names=False)
    np.testing.assert_array_equal(path(r[:, 0]), path(r)[:, 0])


@pytest.mark.parametrize("call", [*FIGURES.values(), *PATHS.values(), p.drawdowns], ids=[*FIGURES, *PATHS, "drawdowns"])
def test_returns_without_a_meaning_are_refused(call):
    dates = pd.bdate_range("2024-01-01", periods=20)
    with pytest.raises(DataError, match="nan at bar 3"):
        call(np.where(np.arange(20) == 3, np.nan, 0.01))
    with pytest.raises(DataError, match=r"inf at bar 3 \(2024-01-04"):
        call(pd.Series(np.where(np.arange(20) == 3, np.inf, 0.01), index=dates))
    with pytest.raises(DataError, match="nan at bar 0, column 1"):
        call(np.array([[0.0, np.nan], [0.0, 0.0]]))
    for empty in ([], np.empty((0, 3)), np.empty((3, 0)), pd.Series(dtype=float)):
        with pytest.raises(DataError, match="empty"):
            call(empty)
    for wrong in (["a"], np.zeros((2, 2, 2)), 0.1, [True, False], [1j], None):
        with pytest.raises(DataError, match="must be numbers"):
            call(wrong)


ANNUAL = {
    "cagr": p.cagr,
    "volatility": p.volatility,
    "sharpe_ratio": p.sharpe_ratio,
    "sortino_ratio": p.sortino_ratio,
    "calmar_ratio": p.calmar_ratio,
    "rolling_volatility": lambda r, **k: p.rolling_volatility(r, 10, **k),
    "rolling_sharpe": lambda r, **k: p.rolling_sharpe(r, 10, **k),
    "rolling_sortino": lambda r, **k: p.rolling_sortino(r, 10, **k),
    "alpha": lambda r, **k: p.alpha(r, np.sin(np.arange(80)), **k),
    "tracking_error": lambda r, **k: p.tracking_error(r, np.sin(np.arange(80)), **k),
    "information_ratio": lambda r, **k: p.information_ratio(r, np.sin(np.arange(80)), **k),
}


@pytest.mark.parametrize("figure", ANNUAL.values(), ids=ANNUAL)
def test_annual_figures_need_to_know_the_year(figure):
    r = some_returns(1)[:, 0]
    with pytest.raises(DataError, match="needs periods_per_year"):
        figure(r)
    with pytest.raises(DataError, match="needs periods_per_year"):
        figure(pd.Series(r))
    for wrong in (0, -1, np.nan, np.inf, "252", True):
        with pytest.raises(DataError, match="periods_per_year="):
            figure(r, periods_per_year=wrong)
    daily = pd.Series(r, index=pd.bdate_range("2024-01-01", periods=80))
    np.testing.assert_array_equal(figure(daily), figure(r, periods_per_year=252))
    monthly = pd.Series(r, index=pd.date_range("2010-01-31", periods=80, freq="ME"))
    np.testing.assert_array_equal(figure(monthly), figure(r, periods_per_year=12))


@each
def test_one_bar_gives_a_number_or_a_stated_nan(figure):
    name = next(k for k, f in FIGURES.items() if f is figure)
    undefined = {"volatility", "sharpe_ratio", "skewness", "kurtosis", "sortino_ratio", "calmar_ratio"}
    undefined |= {"beta", "alpha", "tracking_error", "information_ratio", "correlation", "up_beta", "down_beta"}
    undefined |= {"up_capture", "down_capture", "capture_ratio"}  # the benchmark stood still in that bar
    assert np.isnan(figure([0.01])) == (name in undefined)


@each
@pytest.mark.parametrize("level", [0.0, 0.001, -0.1, 1e-9])
def test_returns_that_never_vary_give_a_number_or_a_stated_nan(figure, level):
    name = next(k for k, f in FIGURES.items() if f is figure)
    undefined = {"sharpe_ratio", "skewness", "kurtosis", "correlation"}
    undefined |= {"omega_ratio", "tail_ratio", "hit_rate", "capture_ratio"} if level == 0 else set()
    undefined |= {"sortino_ratio", "calmar_ratio"} if level >= 0 else set()
    assert np.isnan(figure(np.full(50, level))) == (name in undefined)
    if name == "volatility":
        assert figure(np.full(50, level)) == 0.0


series = arrays(float, st.integers(2, 40), elements=st.floats(-0.9, 2.0).map(lambda x: round(x, 6)))


@given(r=series)
@settings(max_examples=200, deadline=None)
def test_drawdowns_lie_between_nothing_and_everything(r):
    path = p.drawdown_series(r)
    assert (path >= -1.0).all()
    assert (path <= 0.0).all()
    assert p.max_drawdown(r) == path.min()
    assert 0.0 <= p.ulcer_index(r) <= -p.max_drawdown(r) + 1e-12
    table = p.drawdowns(r)
    assert (table["depth"].diff().dropna() >= 0).all()
    if len(table):
        assert table["depth"].iloc[0] == p.max_drawdown(r)
    assert table["length"].sum() == (path < 0).sum() + table["recovery"].notna().sum()


@given(r=series, factor=st.floats(0.01, 100))
@settings(max_examples=200, deadline=None)
def test_ratios_do_not_know_the_scale_and_risks_do(r, factor):
    annual = {"periods_per_year": YEAR}
    if np.ptp(r) < 1e-4:
        return
    for figure in (p.sharpe_ratio, p.volatility):
        scale = factor if figure is p.volatility else 1.0
        assert figure(factor * r, **annual) == pytest.approx(scale * figure(r, **annual), rel=1e-6, abs=1e-9)
    for figure, scale in ((p.skewness, 1.0), (p.kurtosis, 1.0), (p.value_at_risk, factor), (p.worst, factor)):
        assert figure(factor * r) == pytest.approx(scale * figure(r), rel=1e-6, abs=1e-6)


@given(r=series)
@settings(max_examples=200, deadline=None)
def test_identities_between_figures_hold(r):
    assert p.expected_shortfall(r) <= p.value_at_risk(r) <= p.best(r)
    assert p.worst(r) <= p.expected_shortfall(r) + 1e-12
    assert p.value_at_risk(r, level=0.5) == pytest.approx(np.median(r))
    short = -np.minimum(r, 0).sum()
    if short > 1e-9:
        assert p.omega_ratio(r) == pytest.approx(1.0 + r.sum() / short)
    assert p.total_return(r) >= -1.0
    assert p.cagr(r, periods_per_year=len(r)) == pytest.approx(p.total_return(r), rel=1e-9, abs=1e-12)
