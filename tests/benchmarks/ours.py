"""Our side of each case: a function that prepares the work of a size and gives it back, ready to be timed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import rules
from rules import Results, Size

import qtw_lab as qtw
from qtw_lab import indicators as ind
from qtw_lab.backtest.sweep import sweep as uncounted_sweep

Work = Callable[[], Results]
METRICS = ("total_return", "sharpe", "max_drawdown", "trades")
COSTS = qtw.Costs(commission_bps=rules.FEE_BPS)


class PlainCross(qtw.Strategy):
    """What a user writes first: two averages of our indicators and a bare `np.where`."""

    fast = qtw.param(10, low=1, high=5000)
    slow = qtw.param(50, low=2, high=5000)

    def signals(self, prices: qtw.Panel) -> Any:
        return np.where(ind.sma(prices.close, self.fast) > ind.sma(prices.close, self.slow), 1.0, 0.0)


class NumpyCross(qtw.Strategy):
    """The same in nothing but NumPy, averages from a running sum."""

    fast = qtw.param(10, low=1, high=5000)
    slow = qtw.param(50, low=2, high=5000)

    def signals(self, prices: qtw.Panel) -> Any:
        fast = rules.cumulative_mean(prices.close, self.fast)
        return np.where(fast > rules.cumulative_mean(prices.close, self.slow), 1.0, 0.0)


class MonthlyMomentum(qtw.Strategy):
    """Equal weights in the symbols that rose most, renewed every month."""

    scope = "universe"
    window = qtw.param(126, low=1, high=5000)
    count = qtw.param(100, low=1, high=5000)

    def weights(self, prices: qtw.Panel) -> Any:
        return rules.monthly_weights(prices.close, prices.times, self.window, self.count)


def market(size: Size) -> qtw.Bars:
    """The bars of a size: real ones where it says so, else a random walk of a fixed seed."""
    if size.market == "goog":
        return qtw.Lab.offline().bars("GOOG", source="stocks").head(size.bars)
    from qtw_lab.data.synthetic import Shape, synthetic_bars

    # Only exchanges' days are daily here; long histories are hours, which a market that never closes has enough of.
    daily = size.bars <= 4000
    shape = Shape(
        symbols=size.symbols, bars=size.bars, timeframe="1D" if daily else "1h", calendar="XNYS" if daily else "24/7"
    )
    return synthetic_bars("universe", shape, seed=7)


def inputs(size: Size) -> Results:
    """The prices of a size as arrays, for the sides that do not know our package; or returns, where it says so."""
    if size.market == "returns":
        return {"returns": rules.strategy_returns(size.bars, size.symbols)}
    bars = market(size)
    arrays = dict(bars.values)
    arrays["times"] = bars.index.as_unit("ns").asi8
    arrays["periods_per_year"] = np.array(bars.periods_per_year)
    return arrays


def sweeping(strategy: Any, size: Size, function: Any = qtw.sweep, **options: Any) -> Callable[[], qtw.Sweep]:
    """A sweep over the pairs of a size; by `qtw.sweep`, which counts, if no other function is given."""
    bars, span = market(size), range(2, size.windows + 1)
    options = {"execution": "same_close", "costs": COSTS, "cash": rules.CASH} | options

    def work() -> qtw.Sweep:
        found: qtw.Sweep = function(
            strategy, bars, grid={"fast": span, "slow": span}, where=lambda fast, slow: fast < slow, metrics=METRICS,
            **options,
        )  # fmt: skip
        return found

    return work


def _sweep(strategy: Any, size: Size, **options: Any) -> Callable[[], pd.DataFrame]:
    work = sweeping(strategy, size, **options)
    return lambda: work().table


def _columns(table: pd.DataFrame) -> Results:
    return {name: table[name].to_numpy(dtype=np.float64) for name in METRICS}


def sma_grid(size: Size) -> Work:
    """The bundled crossing of two averages over the grid."""
    work = _sweep("sma_cross", size)
    return lambda: _columns(work())


def uncounted_grid(size: Size) -> Work:
    """The same by the function that rooms use, which leaves no trace in the ledger of trials."""
    work = sweeping("sma_cross", size, uncounted_sweep)
    return lambda: _columns(work().table)


def sma_grid_top(size: Size) -> Work:
    """As `sma_grid`; only the best thousand rows are kept where the sweep can do that."""
    known = inspect.signature(qtw.sweep).parameters
    work = _sweep("sma_cross", size, **({"top": 1000, "by": "sharpe"} if {"top", "by"} <= set(known) else {}))
    return lambda: _columns(work())


def plain_grid(size: Size) -> Work:
    """A user's strategy with our indicators over the grid."""
    work = _sweep(PlainCross, size)
    return lambda: _columns(work())


def numpy_grid(size: Size) -> Work:
    """A user's strategy in bare NumPy over the grid."""
    work = _sweep(NumpyCross, size)
    return lambda: _columns(work())


def stops_grid(size: Size) -> Work:
    """The grid once for each setting of stops, one after the other."""
    works = [_sweep("sma_cross", size, stops=qtw.Stops(stop_loss=loss, take_profit=gain)) for loss, gain in rules.STOPS]
    return lambda: _joined([_columns(work()) for work in works])


def no_stops_grid(size: Size) -> Work:
    """The same number of grids without stops: what the stops themselves cost is the difference."""
    works = [_sweep("sma_cross", size) for _ in rules.STOPS]
    return lambda: _joined([_columns(work()) for work in works])


def next_open_grid(size: Size) -> Work:
    """The grid traded at the next open, as the event-driven tools do it."""
    work = _sweep("sma_cross", size, execution="next_open")
    return lambda: _columns(work())


def next_open_singly(size: Size) -> Work:
    """The same pairs as one `backtest` after the other, each with its full result."""
    bars = market(size)

    def work() -> Results:
        rows = []
        for fast, slow in size.pairs:
            strategy = qtw.strategies.SmaCross(fast=fast, slow=slow)
            result = qtw.backtest(strategy, bars, costs=COSTS, cash=rules.CASH)
            rows.append([float(result.stats[name]) for name in METRICS])
        return dict(zip(METRICS, np.array(rows).T, strict=True))

    return work


def portfolio(size: Size) -> Work:
    """Monthly momentum over many symbols in one account."""
    bars = market(size)
    strategy = MonthlyMomentum(window=size.window, count=size.count)

    def work() -> Results:
        result = qtw.backtest(strategy, bars, costs=COSTS, cash=rules.CASH, execution="same_close")
        found = {name: np.array([float(result.stats[name])]) for name in METRICS[:3]}
        return found | {"orders": np.array([float(len(result.orders))]), "equity": result.equity.to_numpy()}

    return work


def validation(size: Size) -> Work:
    """The verdict on the best row of a sweep beside the others; the sweep itself is made before."""
    from qtw_lab.research import validate

    swept = sweeping("sma_cross", size, execution="next_open")()

    def work() -> Results:
        found = validate(swept, reps=size.reps)
        return {"checks": np.array(float(len(found.checks))), "compared": np.array(float(found.evidence.compared))}

    return work


def tear_sheet(size: Size) -> Work:
    """The page of a finished, recorded and verified backtest; its own figures are computed with it."""
    lab = qtw.Lab.offline()
    result = lab.backtest("sma_cross", market(size), costs=COSTS, cash=rules.CASH)
    return lambda: {"html_mb": np.array(len(lab.report(result).html.encode()) / 1e6)}


def _joined(parts: list[Results]) -> Results:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
