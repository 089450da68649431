from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.data import sample_bars
from qtw_lab.stats import performance as p

DAYS = pd.bdate_range("2024-01-01", periods=3, tz="UTC")


@pytest.fixture(scope="module")
def result():
    """A moving-average rule on bundled daily prices, with a cost."""
    bars = sample_bars(["AAPL", "IBM"], start="2005-01-01", end="2008-12-31")
    return qtw.backtest(qtw.strategies.SmaCross(fast=10, slow=50), bars, costs=qtw.Costs(commission_bps=10))


def test_both_equal_the_figures_of_a_backtest(result):
    """The backtest counts while it runs; here the same from its table of fills, its equity and its positions."""
    orders = result.orders
    traded = (
        (orders["quantity"] * orders["price"])
        .groupby(orders["time"])
        .sum()
        .reindex(result.equity.index, fill_value=0.0)
    )
    year = result.bars.periods_per_year
    assert len(orders) > 40
    assert p.turnover(traded, result.equity, year) == pytest.approx(result.stats["turnover"], rel=1e-12)
    assert p.exposure(result.positions) == result.stats["exposure"]
    assert 0.2 < p.exposure(result.positions) < 1.0


def test_a_table_of_amounts_by_symbol_counts_as_one_portfolio(result):
    orders = result.orders.assign(amount=lambda o: o["quantity"] * o["price"])
    table = orders.pivot_table(index="time", columns="symbol", values="amount", aggfunc="sum")
    table = table.reindex(result.equity.index).fillna(0.0)
    year = result.bars.periods_per_year
    assert p.turnover(table, result.equity, year) == pytest.approx(result.stats["turnover"], rel=1e-12)
    assert p.turnover(-table, result.equity, year) == p.turnover(table, result.equity, year)


def test_turnover_by_hand():
    """Of 100 all is sold and bought again within half a year of two bars: 200 traded, over 100, twice a year."""
    assert p.turnover([200.0, 0.0], [100.0, 100.0], periods_per_year=4) == pytest.approx(2.0)
    assert p.turnover([2.0, 0.0], periods_per_year=4) == pytest.approx(2.0)
    assert p.turnover(pd.Series([1.0, 0.0, 0.0], DAYS)) == pytest.approx(0.5 * 252 / 3)


def test_an_account_without_money_has_no_turnover():
    assert np.isnan(p.turnover([1.0, 1.0], [100.0, -100.0], periods_per_year=252))


def test_exposure_is_of_the_portfolio_and_of_either_side():
    assert p.exposure([0.0, 1.0, -1.0, 0.0]) == 0.5
    assert p.exposure(pd.DataFrame({"a": [0.0, 1.0, 0.0], "b": [0.0, 0.0, -1.0]})) == pytest.approx(2 / 3)


def test_weights_that_drift_with_the_market_cost_no_trade():
    """Half in cash, half in a symbol that gains a tenth: 0.55 of 1.05."""
    held = np.array([[0.5], [0.55 / 1.05]])
    np.testing.assert_allclose(p.traded_weights(held, [[0.3], [0.1]]), [0.5, 0.0], atol=1e-15)


def test_weights_that_stay_the_same_cost_what_the_market_moved_them():
    frame = pd.DataFrame({"a": [0.5, 0.5, 0.0], "b": [0.5, 0.5, 0.0]}, DAYS)
    moves = pd.DataFrame({"a": [0.0, 0.2, 0.0], "b": [0.0, 0.0, 0.0]}, DAYS)
    found = p.traded_weights(frame, moves)
    # 0.6 and 0.5 of 1.1 are brought back to a half each; then all is sold
    pd.testing.assert_series_equal(found, pd.Series([1.0, 2 * (0.6 / 1.1 - 0.5), 1.0], DAYS))


@given(arrays(float, (6, 2), elements=st.floats(0, 0.5)), arrays(float, (6, 2), elements=st.floats(-0.5, 1.0)))
@settings(deadline=None)
def test_amounts_in_money_are_the_same_as_those_in_weights(weights, moves):
    """Shares held by the weights at prices that move so, with the account followed by hand."""
    price = np.cumprod(1 + moves, axis=0)
    equity, shares, traded = 1.0, np.zeros(2), []
    for t in range(6):
        if t:
            equity += float(shares @ (price[t] - price[t - 1]))
        wanted = weights[t] * equity / price[t]
        traded.append(float(np.abs((wanted - shares) * price[t]).sum()) / equity)
        shares = wanted
    np.testing.assert_allclose(p.traded_weights(weights, moves), traded, atol=1e-12)


def test_what_does_not_fit_is_refused():
    weights = pd.DataFrame({"a": [0.5, 0.5, 0.5], "b": [0.5, 0.5, 0.5]}, DAYS)
    for other in (weights[["b", "a"]], weights.shift(freq="1D")):
        with pytest.raises(DataError, match="different labels"):
            p.traded_weights(weights, other)
    with pytest.raises(DataError, match="lose all of the equity"):
        p.traded_weights([[2.0], [2.0]], [[0.0], [-0.5]])
    with pytest.raises(DataError, match="equity must be one series"):
        p.turnover(weights, weights, 252)
    with pytest.raises(DataError, match="traded and equity have different times"):
        p.turnover(weights, weights["a"].shift(freq="1D"))
    with pytest.raises(DataError, match="periods_per_year"):
        p.turnover([0.1, 0.2])
