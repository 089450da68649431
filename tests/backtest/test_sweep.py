"""A sweep is many backtests: every row must be the backtest it stands for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.sweep import parse_bytes
from qtw_lab.core import DataError
from qtw_lab.strategies import Panel, Strategy, param

LAB = qtw.Lab.offline()
STOCKS = ["AAPL", "IBM"]


@pytest.fixture(scope="module")
def bars():
    return LAB.bars(STOCKS, start="2008-01-01", end="2010-12-31")


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("sma_cross", {"fast": [5, 20], "slow": [50, 60]}),
        ("ema_cross", {"fast": [5, 20], "slow": [50, 60]}),
        ("macd", {"fast": [8, 12], "slow": [26, 30]}),
        ("rsi_reversion", {"window": [7, 14]}),
        ("bollinger_reversion", {"window": [10, 20]}),
        ("donchian_breakout", {"entry": [20, 55]}),
        ("time_series_momentum", {"lookback": [60, 120]}),
    ],
)
def test_every_row_equals_its_own_backtest_to_the_last_bit(bars, name, grid):
    terms = {"costs": qtw.Costs(commission_bps=5), "stops": qtw.Stops(stop_loss=0.1)}
    known = qtw.strategies.STRATEGIES[name].declared()
    s = qtw.sweep(
        name, bars, grid={k: v for k, v in grid.items() if k in known} or {next(iter(known)): [10, 20]}, **terms
    )
    assert s.evaluated == "columns"
    for key in s.table.index:
        result = s.result(key)
        row = s.table.loc[key]
        assert row["total_return"] == result.stats["total_return"]
        assert row["sharpe"] == pytest.approx(result.stats["sharpe"], rel=1e-12)
        assert row["max_drawdown"] == result.stats["max_drawdown"]
        assert row["trades"] == result.stats["trades"]


@pytest.mark.parametrize("name", ["cross_sectional_momentum", "volatility_trend"])
def test_a_universe_strategy_is_swept_over_all_symbols_in_one_account(name):
    bars = LAB.bars(["JPM", "KO", "GE", "XOM"], start="2000-01-01", end="2005-12-31", source="sp500")
    s = qtw.sweep(name, bars, grid={"lookback": [60, 120]})
    assert list(s.table.index.names) == ["lookback"]
    assert s.evaluated == "one by one"
    for key in s.table.index:
        assert s.table.loc[key, "total_return"] == s.result(key).stats["total_return"]


def test_a_blend_is_swept_with_its_members_kept(bars):
    blend = qtw.strategies.Blend(members=(qtw.strategies.SmaCross(), qtw.strategies.EmaCross()))
    s = qtw.sweep(blend, bars, grid={"target_volatility": [0.1, 0.2]})
    result = s.result((0.2,))
    assert result.strategy == blend.replaced(target_volatility=0.2)
    assert s.table["total_return"].iloc[1] == result.stats["total_return"]


def test_a_late_listing_is_measured_from_its_own_first_bar():
    s = qtw.sweep("sma_cross", LAB.bars(["AAPL", "FB"], start="2011-01-01"), grid={"fast": [5], "slow": [20, 30]})
    for key in s.table.index:
        assert s.table.loc[key, "sharpe"] == pytest.approx(s.result(key).stats["sharpe"], rel=1e-12)
    assert s.returns(top=4, metric="sharpe").isna().any().sum() == 2


class PandasCross(Strategy):
    """A user's rule in plain pandas, which knows nothing of parameter columns."""

    window: int = param(20, low=2, high=200)

    def signals(self, prices: Panel) -> Any:
        close = pd.DataFrame(prices.close)
        mean = close.rolling(int(self.window)).mean()
        return (close > mean).where(mean.notna()).astype(float)

    @property
    def warmup(self) -> int:
        return self.window - 1


def test_a_users_pandas_strategy_is_found_out_and_swept_one_by_one(bars):
    s = qtw.sweep(PandasCross, bars, grid={"window": [10, 30]})
    assert s.evaluated == "one by one"
    assert s.table.loc[(30, "IBM"), "total_return"] == s.result((30, "IBM")).stats["total_return"]


class NumpyDip(Strategy):
    """A user's rule in plain NumPy over the house's indicators."""

    window = param(20, low=2, high=500)
    depth = param(0.02, low=0.0, high=0.5)

    def signals(self, prices: Panel) -> Any:
        fall = prices.close / qtw.indicators.sma(prices.close, self.window) - 1
        return np.where(np.isnan(fall), np.nan, fall < -self.depth)

    @property
    def warmup(self) -> int:
        return self.window - 1


def test_a_users_numpy_strategy_is_swept_as_columns(bars):
    s = qtw.sweep(NumpyDip, bars, grid={"window": range(5, 45), "depth": [0.01, 0.02, 0.05]})
    assert s.evaluated == "columns"
    assert len(s.table) == 40 * 3 * 2
    key = (7, 0.05, "AAPL")
    assert s.table.loc[key, "total_return"] == s.result(key).stats["total_return"]


def test_where_and_the_strategy_itself_leave_combinations_out(bars):
    s = qtw.sweep("sma_cross", bars, grid={"fast": [5, 50], "slow": [20, 60]}, where=lambda fast, slow: fast * 2 < slow)
    assert sorted(set(s.table.index.droplevel("symbol"))) == [(5, 20), (5, 60)]
    s = qtw.sweep("sma_cross", bars, grid={"fast": [5, 50], "slow": [20, 60]})
    assert (50, 20) not in set(s.table.index.droplevel("symbol"))


def test_the_number_of_workers_changes_nothing(bars):
    grid = {"fast": range(2, 20), "slow": range(20, 40)}
    one, four = (qtw.sweep("sma_cross", bars, grid=grid, workers=n) for n in (1, 4))
    pd.testing.assert_frame_equal(one.table, four.table, check_exact=True)


def test_best_returns_and_progress(bars):
    steps = []
    s = qtw.sweep(
        "sma_cross", bars, grid={"fast": range(2, 20), "slow": range(20, 40)}, progress=lambda *done: steps.append(done)
    )
    assert steps[-1] == (s.trials, s.trials) == (18 * 20 * 2,) * 2
    best = s.best("sharpe", 3)
    assert best["sharpe"].tolist() == sorted(s.table["sharpe"], reverse=True)[:3]
    returns = s.returns(top=4, metric="sharpe")
    assert returns.shape == (len(bars), 4)
    assert s.facts()["trials"] == s.trials
    assert "luck" in s.facts().notes[0]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"grid": {}}, "grid is empty"),
        ({"grid": {"fast": []}}, "no values for fast"),
        ({"grid": {"fats": [1]}}, "Did you mean 'fast'"),
        ({"grid": {"fast": [0]}}, "fast=0 is out of range"),
        ({"grid": {"fast": ["a"]}}, "must be a whole number"),
        ({"where": lambda **_: False}, "leaves none"),
        ({"grid": {"fast": [60], "slow": [20]}}, "strategy refuses them"),
        ({"grid": {"fast": range(2, 90), "slow": range(100, 190)}, "memory_limit": "1MB"}, "Raise it to at least"),
        ({"memory_limit": "lots"}, "not a size"),
        ({"metrics": ["sharp"]}, "Did you mean 'sharpe'"),
        ({"metrics": []}, "at least one metric"),
        ({"grid": {"slow": [5000], "fast": [10]}}, "at least"),
    ],
)
def test_a_sweep_that_cannot_be_done_is_refused_before_any_work(bars, change, match):
    given = {"grid": {"fast": [5, 10]}} | change
    with pytest.raises(DataError, match=match):
        qtw.sweep("sma_cross", bars, **given)


def test_an_enormous_grid_is_refused_by_its_size(bars):
    with pytest.raises(DataError, match="combinations"):
        qtw.sweep("macd", bars, grid={"fast": range(2, 5000), "slow": range(2, 5000), "signal": range(2, 5000)})


@pytest.mark.parametrize(("text", "size"), [("256MB", 256_000_000), ("1GiB", 2**30), (1000, 1000), ("1.5 kb", 1500)])
def test_sizes_are_read(text, size):
    assert parse_bytes(text) == size
