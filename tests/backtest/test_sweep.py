"""A sweep is many backtests: every row must be the backtest it stands for."""

import re
import signal
import threading
import time
from dataclasses import replace
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
def test_every_row_equals_its_own_backtest(bars, name, grid):
    terms = {"costs": qtw.Costs(commission_bps=5), "stops": qtw.Stops(stop_loss=0.1)}
    known = qtw.strategies.STRATEGIES[name].declared()
    s = qtw.sweep(
        name, bars, grid={k: v for k, v in grid.items() if k in known} or {next(iter(known)): [10, 20]}, **terms
    )
    assert s.evaluated == "columns"
    for key in s.table.index:
        result = s.result(key)
        row = s.table.loc[key]
        assert row.to_dict() == {name: result.stats[name] for name in row.index}
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
        assert s.table.loc[key, "sharpe"] == s.result(key).stats["sharpe"]
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
    assert s.facts()["trials"] >= s.facts()["rows"] == s.trials
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


SMALL = {"fast": range(2, 30), "slow": range(3, 60)}


@pytest.fixture(scope="module")
def full(bars):
    return qtw.sweep("sma_cross", bars, grid=SMALL)


@pytest.mark.parametrize("by", ["sharpe", "trades", "max_drawdown"])
@pytest.mark.parametrize("top", [1, 7, 400, 10**6])
def test_the_top_rows_are_those_of_the_whole_table(bars, full, by, top):
    best = qtw.sweep("sma_cross", bars, grid=SMALL, top=top, by=by)
    pd.testing.assert_frame_equal(best.table, full.table.nlargest(top, by), check_exact=True)
    assert best.trials == full.trials == len(full.table)
    assert best.facts()["rows"] == full.trials
    assert f"best {len(best.table):,} of {full.trials:,} by {by}" in repr(best)


def test_a_sweep_that_kept_the_best_rows_does_not_pretend_to_know_others(bars):
    s = qtw.sweep("sma_cross", bars, grid=SMALL, top=5)
    assert s.by == "sharpe"
    assert len(s.returns(top=3).columns) == 3
    assert "median_sharpe" not in s.facts()
    for ask in (lambda: s.best("trades"), lambda: s.facts("trades"), lambda: s.pareto(["sharpe", "trades"])):
        with pytest.raises(DataError, match="kept only the best 5 rows"):
            ask()


class Endless(Strategy):
    """Interrupts the main thread, as Ctrl-C does, when it comes to a certain window."""

    window: int = param(20, low=2, high=5000)

    def signals(self, prices: Panel) -> Any:
        time.sleep(0.001)  # so that the main thread has its turn
        if int(self.window) == 300:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return (prices.close > 0).astype(float)


def test_an_interrupt_returns_what_is_done_and_says_so(bars):
    s = qtw.sweep(Endless, bars.select("AAPL"), grid={"window": range(2, 4000)})
    assert s.partial
    assert s.planned == 3998
    assert 0 < len(s.table) == s.trials < s.planned
    said = f"partial: {s.trials:,} of {s.planned:,}"
    assert said in repr(s)
    assert any(note.startswith(said) for note in s.facts().notes)
    assert (s.facts()["rows"], s.facts()["planned"]) == (s.trials, s.planned)
    assert s.result(s.table.index[0]).stats["total_return"] == s.table["total_return"].iloc[0]
    assert s.agreement.agrees


def test_an_interrupted_sweep_is_finished_from_its_checkpoint(bars, tmp_path):
    given = {"bars": bars.select("AAPL"), "grid": {"window": range(250, 1000)}, "resume": tmp_path / "c"}
    part, whole = (qtw.sweep(Endless, **given, workers=2) for _ in range(2))
    assert part.partial
    assert not whole.partial
    assert len(whole.table) == 750
    assert whole.remarks == (f"{part.trials} rows come from the checkpoint {tmp_path / 'c'}",)


def test_progress_can_be_a_bar_on_standard_error(bars, capsys):
    qtw.sweep("sma_cross", bars, grid=SMALL, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    last = err.rstrip("\n").split("\r")[-1]
    assert last.startswith("sweep sma_cross 100% [##############################] 2,436 of 2,436 rows, ")
    assert "rows/s" in last
    qtw.sweep("sma_cross", bars, grid=SMALL)
    assert capsys.readouterr() == ("", "")


def test_a_failing_progress_function_is_not_swallowed(bars):
    def broken(done, total):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        qtw.sweep("sma_cross", bars, grid=SMALL, progress=broken)


@pytest.mark.parametrize("limit", ["1.2MB", "1.5MB", "3MB"])
def test_a_smaller_memory_limit_means_smaller_blocks_and_the_same_table(bars, full, limit):
    tight = qtw.sweep("sma_cross", bars, grid=SMALL, memory_limit=limit)
    pd.testing.assert_frame_equal(tight.table, full.table, check_exact=True)


def test_the_memory_asked_for_is_enough_and_a_little_less_is_not(bars):
    with pytest.raises(DataError, match="Raise it to at least") as refused:
        qtw.sweep("sma_cross", bars, grid=SMALL, memory_limit=1000)
    needed = re.search(r"at least '(\d+)MB'", str(refused.value))[1]
    assert len(qtw.sweep("sma_cross", bars, grid=SMALL, memory_limit=f"{needed}MB").table)


def test_with_top_a_grid_too_large_for_its_table_fits(bars):
    given = {"bars": bars, "grid": {"fast": range(2, 160), "slow": range(160, 400)}, "memory_limit": "6MB"}
    with pytest.raises(DataError, match="or keep only the best rows with top="):
        qtw.sweep("sma_cross", **given)
    best = qtw.sweep("sma_cross", **given, top=3)
    assert best.trials == 158 * 240 * 2
    assert len(best.table) == 3


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"top": 0}, "top=0 must be a whole number"),
        ({"top": 2.5}, "top=2.5 must be"),
        ({"by": "calmar"}, "no metric of this sweep 'calmar'"),
        ({"metrics": ["sharpe", "sharpe"]}, "names one twice"),
        ({"workers": 0}, "workers=0"),
        ({"progress": "bar"}, "progress='bar'"),
        ({"verify": 2.5}, "verify=2.5"),
        ({"bars": None}, "Bars are needed, not NoneType"),
        ({"costs": qtw.Costs(impact=0.1), "volume": 0.0}, "needs volumes"),
        ({"costs": qtw.Costs(impact=0.1), "volume": np.nan}, "needs volumes"),
        ({"participation": 0.1, "volume": 0.0}, "needs volumes"),
        ({"execution": "yesterday"}, "no execution 'yesterday'"),
        ({"leverage": 0.5}, "leverage=0.5"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(bars, change, match):
    given = {"bars": bars, "grid": {"fast": [5, 10]}} | change
    if "volume" in given:
        volume = np.full(bars.shape, given.pop("volume"))
        given["bars"] = replace(bars, values={**bars.values, "volume": volume})
    with pytest.raises(DataError, match=match):
        qtw.sweep("sma_cross", **given)


def test_a_symbol_without_prices_is_refused_by_name_or_length(bars):
    values = {name: array.copy() for name, array in bars.values.items()}
    for array in values.values():
        array[:, 1] = np.nan
    with pytest.raises(DataError, match="bars"):
        qtw.sweep("sma_cross", replace(bars, values=values), grid={"fast": [5, 10]})


@pytest.mark.parametrize(
    "row", [(5,), (5, 20), (5, 20, "XXX"), (5, 20, "AAPL", 1), "AAPL", [5, 20], None, ([5], 20, "AAPL")]
)
def test_a_row_that_is_not_there_is_refused(bars, row):
    s = qtw.sweep("sma_cross", bars, grid={"fast": [5], "slow": [20]})
    with pytest.raises(DataError, match="is not a row of this sweep"):
        s.result(row)


def test_every_kind_of_term_is_carried_into_the_expanded_row(bars):
    terms = {
        "costs": qtw.Costs(commission_bps=5, spread_bps=2), "stops": qtw.Stops(stop_loss=0.05, take_profit=0.2),
        "sizing": qtw.Sizing.fraction(0.5), "execution": "next_close", "cash": 50_000.0,
        "account": qtw.Account(lot=1), "entry": qtw.Entry.limit(0.01, good_for=3), "participation": 0.1,
    }  # fmt: skip
    metrics = ("total_return", "sharpe", "max_drawdown", "trades", "orders", "turnover", "costs_paid", "exposure")
    s = qtw.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [20, 30]}, metrics=metrics, verify=8, **terms)
    for key in s.table.index:
        result = s.result(key)
        assert result.terms == s.terms
        assert s.table.loc[key].to_dict() == {name: result.stats[name] for name in metrics}
    assert s.agreement.agrees, s.agreement.text


def test_parameters_that_are_tuples_or_text_are_swept_too(bars):
    shares = [(0.5, 0.5), (0.9, 0.1)]
    s = qtw.sweep(qtw.strategies.Blend(), bars, grid={"shares": shares, "target_volatility": [0.1]})
    assert s.table.index.get_level_values("shares").to_list() == shares
    key = s.table.index[1]
    assert s.table.loc[[key], "total_return"].iloc[0] == s.result(key).stats["total_return"]

    class Mode(Strategy):
        mode: str = param("slow")
        loud: bool = param(default=False)

        def signals(self, prices: Panel) -> Any:
            above = prices.close > qtw.indicators.sma(prices.close, 50 if self.mode == "slow" else 5)
            return np.where(above, 1.0 if self.loud else 0.5, 0.0)

    s = qtw.sweep(Mode, bars, grid={"mode": ["slow", "fast"], "loud": [True, False]}, verify=8)
    assert s.agreement.agrees
    assert s.table.loc[("fast", True, "AAPL"), "trades"] == s.result(("fast", True, "AAPL")).stats["trades"]
