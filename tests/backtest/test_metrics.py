"""A sweep's metrics are the figures a single result states."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.metrics import METRICS, Measured
from qtw_lab.stats.moments import Moments


def measured(equity, **counts):
    moments = Moments.of(np.array([equity], dtype=float), 100.0)
    blank = dict.fromkeys(("orders", "trades", "traded", "costs", "exposed"), np.array([0.0]))
    return Measured(moments, **blank | {k: np.array([float(v)]) for k, v in counts.items()}, periods_per_year=2.0)


def test_on_paper():
    run = measured([100.0, 120.0, 90.0, 130.0], orders=2, trades=1, traded=220.0, costs=1.1, exposed=3)
    # Two years; mean equity 110.
    expected = {
        "total_return": 0.3,
        "cagr": 1.3**0.5 - 1,
        "max_drawdown": -0.25,
        "calmar": (1.3**0.5 - 1) / 0.25,
        "trades": 1,
        "orders": 2,
        "exposure": 0.75,
        "turnover": 110 / 110 / 2,
        "costs_paid": 1.1,
        "cost_drag": 0.005,
        "final_equity": 130,
    }
    for name, value in expected.items():
        assert METRICS[name](run)[0] == pytest.approx(value), name


def test_a_share_of_equity_that_is_gone_is_not_defined():
    run = measured([-50.0, -50.0], traded=10.0, costs=1.0)
    assert np.isnan(METRICS["turnover"](run)[0])
    assert np.isnan(METRICS["cost_drag"](run)[0])
    assert METRICS["cagr"](run)[0] == -1.0


def test_every_metric_is_a_statistic_of_a_result(bars_of):
    rng = np.random.default_rng(4)
    bars = bars_of(X=(100 * np.exp(np.cumsum(rng.normal(0.001, 0.02, 120)))).tolist())
    result = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=5, spread_bps=4))
    returns = (result.equity / result.equity.shift(fill_value=100_000.0) - 1).to_numpy()
    assert returns.std() > 0
    run = Measured(
        Moments.of(result.equity.to_numpy()[None], 100_000.0),
        orders=np.array([float(len(result.orders))]),
        trades=np.array([float(len(result.trades))]),
        traded=np.array([float((result.orders["quantity"] * result.orders["price"]).sum())]),
        costs=np.array([float(result.orders["commission"].sum() + result.orders["slippage"].sum())]),
        exposed=np.array([float((result.positions != 0).any(axis=1).sum())]),
        periods_per_year=bars.periods_per_year,
    )
    for name, metric in METRICS.items():
        assert metric(run)[0] == pytest.approx(result.stats[name], rel=1e-11, abs=1e-13), name
