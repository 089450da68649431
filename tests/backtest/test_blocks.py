"""A block of parameter columns gives what each combination gives alone."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.blocks import Job, World
from qtw_lab.backtest.metrics import METRICS
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import DataError
from qtw_lab.strategies import Panel, Strategy, param

LAB = qtw.Lab.offline()
ALL = tuple(METRICS)


@pytest.fixture(scope="module")
def bars():
    return LAB.bars(["AAPL", "IBM"], start="2008-01-01", end="2010-12-31")


@pytest.fixture(scope="module")
def holed(bars):
    """The same with bars missing, each symbol at its own times."""
    rng = np.random.default_rng(0)
    frame = pd.concat({name: bars.frame(name) for name in ("open", "high", "low", "close", "volume")}, axis=1)
    for symbol in bars.symbols:
        frame.loc[frame.index[rng.random(len(frame)) < 0.05], (slice(None), symbol)] = np.nan
    return qtw.Bars.from_frame(frame, holes="keep", calendar="XNYS")


def job_of(strategy, bars, terms=None, metrics=ALL, **columns):
    terms = terms or Terms.given(qtw.Costs(commission_bps=5, spread_bps=2))
    alone = strategy.scope == "symbol"
    worlds = tuple(World.of(bars.select(s), terms) for s in bars.symbols) if alone else (World.of(bars, terms),)
    return Job(strategy, worlds, terms, tuple(columns), metrics), {k: np.array(v) for k, v in columns.items()}


def assert_rows_are_backtests(job, columns, bars, **run):
    found = job.evaluate(columns)
    count = len(next(iter(columns.values())))
    assert found.shape == (count, len(job.worlds), len(job.metrics))
    symbols = bars.symbols if len(job.worlds) > 1 else (bars.symbols,)
    for k in range(count):
        chosen = job.strategy.replaced(**{name: column[k].item() for name, column in columns.items()})
        for w, symbol in enumerate(symbols):
            result = qtw.backtest(chosen, bars.select(symbol), costs=job.terms.costs, **run)
            expected = [result.stats[name] for name in job.metrics]
            np.testing.assert_allclose(found[k, w], expected, rtol=1e-9, atol=1e-11, err_msg=f"{chosen} {symbol}")


CASES = {
    "sma_cross": {"fast": [2, 5, 20], "slow": [50, 60, 60]},
    "ema_cross": {"fast": [5, 20], "slow": [50, 60]},
    "macd": {"fast": [8, 12], "slow": [26, 30], "signal": [9, 5]},
    "rsi_reversion": {"window": [7, 14], "low": [30.0, 25.0]},
    "bollinger_reversion": {"window": [10, 20], "width": [1.5, 2.0], "short": [True, False]},
    "donchian_breakout": {"entry": [20, 55], "exit": [10, 20], "short": [False, True]},
    "time_series_momentum": {"lookback": [60, 120], "short": [True, False]},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("execution", ["next_open", "same_close"])
def test_every_row_is_the_backtest_it_stands_for(holed, name, execution):
    terms = Terms.given(qtw.Costs(commission_bps=5, spread_bps=2), execution=execution)
    job, columns = job_of(qtw.strategies.strategy(name), holed, terms, **CASES[name])
    assert job.takes_columns(columns)
    assert_rows_are_backtests(job, columns, holed, execution=execution)


@pytest.mark.parametrize(
    "run",
    [
        {"stops": qtw.Stops(stop_loss=0.05)},
        {"leverage": 2.0},
        {"sizing": qtw.Sizing.atr_risk(0.02)},
        {"sizing": qtw.Sizing.volatility_target(0.1)},
        {"entry": qtw.Entry.limit(0.01, good_for=3)},
        {"account": qtw.Account.cash(lot=1)},
    ],
    ids=lambda run: next(iter(run)),
)
def test_terms_beyond_the_fast_lane_give_the_same_metrics(bars, run):
    terms = Terms.given(qtw.Costs(commission_bps=5, spread_bps=2), **run)
    job, columns = job_of(qtw.strategies.SmaCross(), bars, terms, fast=[5, 20], slow=[50, 60])
    assert_rows_are_backtests(job, columns, bars, **run)


def test_a_universe_strategy_is_one_account_and_one_combination_at_a_time():
    bars = LAB.bars(["JPM", "KO", "GE", "XOM"], start="2000-01-01", end="2004-12-31", source="sp500")
    job, columns = job_of(qtw.strategies.strategy("cross_sectional_momentum"), bars, lookback=[60, 120])
    assert not job.takes_columns(columns)
    assert_rows_are_backtests(job, columns, bars)


class PandasCross(Strategy):
    """A user's rule in plain pandas, which knows nothing of parameter columns."""

    window: int = param(20, low=2, high=200)

    def signals(self, prices: Panel) -> Any:
        close = pd.DataFrame(prices.close)
        mean = close.rolling(int(self.window)).mean()
        return (close > mean).where(mean.notna()).astype(float)


class NumpyDip(Strategy):
    """A user's rule in plain NumPy, which changes an indicator in place."""

    window = param(20, low=2, high=500)
    depth = param(0.02, low=0.0, high=0.5)

    def signals(self, prices: Panel) -> Any:
        mean = qtw.indicators.sma(prices.close, self.window)
        mean *= 1.0 - self.depth
        return np.where(np.isnan(mean), np.nan, prices.close < mean)


class FirstWindow(Strategy):
    """A rule that looks at the first of its parameters only: right alone, wrong in columns."""

    window: int = param(20, low=2, high=200)

    def signals(self, prices: Panel) -> Any:
        window = int(np.atleast_1d(self.window)[0])
        above = prices.close > qtw.indicators.sma(prices.close, window)
        return np.repeat(above, np.size(self.window), axis=1).astype(float)


class TwoSteps(Strategy):
    """A rule over derived series: indicators of indicators, and of returns."""

    window: int = param(20, low=2, high=200)

    def signals(self, prices: Panel) -> Any:
        speed = qtw.indicators.sma(qtw.indicators.returns(prices.close), self.window)
        return (speed > qtw.indicators.lag(speed, 1)).astype(float)


@pytest.mark.parametrize(
    ("strategy", "columns", "columned"),
    [
        (PandasCross(), {"window": [10, 30]}, False),
        (FirstWindow(), {"window": [10, 30]}, False),
        (NumpyDip(), {"window": [10, 30, 10], "depth": [0.01, 0.02, 0.05]}, True),
        (TwoSteps(), {"window": [10, 30, 10, 5]}, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_users_own_rule_is_evaluated_as_it_can_be(bars, strategy, columns, columned):
    job, columns = job_of(strategy, bars, **columns)
    assert job.takes_columns(columns) is columned
    assert_rows_are_backtests(job, columns, bars)


def grid(count=64):
    pairs = [(fast, slow) for fast in range(2, 40) for slow in range(5, 60) if fast < slow][:count]
    fast, slow = np.array(pairs).T
    return {"fast": fast, "slow": slow}


def test_neither_cutting_nor_threads_nor_memory_change_a_bit(bars):
    whole = grid(200)
    job, _ = job_of(qtw.strategies.SmaCross(), bars, **whole)
    together = job.evaluate(whole)
    cuts = [slice(a, a + 7) for a in range(0, 200, 7)]
    with ThreadPoolExecutor(4) as pool:
        for kept in (0, 300_000, 64_000_000):
            other = Job(job.strategy, job.worlds, job.terms, job.names, job.metrics, indicator_bytes=kept)
            parts = pool.map(lambda cut, job=other: job.evaluate({n: c[cut] for n, c in whole.items()}), cuts)
            np.testing.assert_array_equal(np.concatenate(list(parts)), together)
            assert other.kept_bytes <= kept


def test_a_job_crosses_to_another_process_without_what_it_keeps(bars):
    columns = grid()
    job, _ = job_of(qtw.strategies.SmaCross(), bars, **columns)
    before = job.evaluate(columns)
    assert job.kept_bytes > 0
    copy = pickle.loads(pickle.dumps(job))
    assert copy.kept_bytes == 0
    np.testing.assert_array_equal(copy.evaluate(columns), before)


def test_what_a_rule_does_wrong_is_said(bars):
    class TooMuch(Strategy):
        size: float = param(0.5, low=0.0, high=3.0)

        def signals(self, prices: Panel) -> Any:
            return np.where(np.isnan(prices.close), np.nan, self.size)

    job, columns = job_of(TooMuch(), bars, size=[0.5, 1.0, 2.0])
    with pytest.raises(DataError, match="gave 2, beyond its stated exposure of 1"):
        job.evaluate(columns)


def test_an_unknown_metric_is_refused(bars):
    with pytest.raises(DataError, match="Did you mean 'sharpe'"):
        job_of(qtw.strategies.SmaCross(), bars, metrics=("sharp",), fast=[2], slow=[5])


def test_a_good_block_shrinks_as_histories_grow(bars_of):
    sizes = []
    for count in (100, 1000, 10_000):
        long = bars_of(start="1980-01-01", X=(100 + np.sin(np.arange(count))).tolist())
        sizes.append(job_of(qtw.strategies.Macd(), long, fast=[2], slow=[5])[0].block)
        assert job_of(qtw.strategies.SmaCross(), long, fast=[2], slow=[5])[0].block == 256  # makes no columns
    assert sizes == [256, 256, 27]  # 2.2 MB of float64 columns, at most 256 of them
