"""backtesting.py and backtrader: one run a pair, orders at the next open, all cash in fractional shares."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import rules
from rules import FloatArray, Results, Size

Work = Callable[[], Results]
FEE = rules.FEE_BPS * 1e-4
#: The smallest part of a share that backtesting.py is told to trade.
FRACTION = 1e-9
#: backtrader refuses an order that rounding makes dearer than the cash there is.
ALMOST = 1.0 - 1e-12


def _frame(inputs: Results) -> pd.DataFrame:
    columns = {name.capitalize(): inputs[name][:, 0] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=pd.to_datetime(inputs["times"]))


def _signals(inputs: Results, fast: int, slow: int) -> FloatArray:
    """1 while the fast average is above, from averages as pandas sums them."""
    close = pd.Series(inputs["close"][:, 0])
    return (close.rolling(fast).mean() > close.rolling(slow).mean()).to_numpy(dtype=np.float64)


def _collected(runs: list[tuple[FloatArray, int]], inputs: Results) -> Results:
    periods = float(inputs["periods_per_year"])
    rows = np.array([(*rules.statistics(equity, periods), trades) for equity, trades in runs])
    return dict(zip(("total_return", "sharpe", "max_drawdown", "trades"), rows.T, strict=True))


def backtesting(size: Size, inputs: Results) -> Work:
    """`FractionalBacktest` of backtesting.py, its own summary of each run included as it cannot be left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from backtesting import Strategy
        from backtesting.lib import FractionalBacktest

    class Cross(Strategy):  # type: ignore[misc]  # untyped library
        stance: FloatArray = np.empty(0)

        def init(self) -> None:
            pass

        def next(self) -> None:
            wanted = self.stance[len(self.data) - 1] > 0
            if wanted and not self.position:
                self.buy()
            elif self.position and not wanted:
                self.position.close()

    frame = _frame(inputs)

    def run(fast: int, slow: int) -> tuple[FloatArray, int]:
        engine = FractionalBacktest(frame, Cross, cash=rules.CASH, commission=FEE, fractional_unit=FRACTION)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of positions open at the end
            found = engine.run(stance=_signals(inputs, fast, slow))
        still_open = len(found["_strategy"].trades)
        return found["_equity_curve"]["Equity"].to_numpy(), len(found["_trades"]) + still_open

    return lambda: _collected([run(fast, slow) for fast, slow in size.pairs], inputs)


def backtrader(size: Size, inputs: Results) -> Work:
    """A `Cerebro` with cheat-on-open, the way to size an order by the price it fills at."""
    import backtrader as bt

    class Cross(bt.Strategy):  # type: ignore[misc]  # untyped library
        params = (("stance", None),)

        def __init__(self) -> None:
            self.path: list[float] = []
            self.opened = 0

        def next_open(self) -> None:
            decided = len(self.data) - 2  # at the bar before the one that has just opened
            wanted = decided >= 0 and self.p.stance[decided] > 0
            if wanted and not self.position:
                self.buy(size=ALMOST * self.broker.getcash() / (self.data.open[0] * (1.0 + FEE)))
            elif self.position and not wanted:
                self.close()

        def notify_order(self, order: Any) -> None:
            self.opened += int(order.status == order.Completed and order.isbuy())

        def next(self) -> None:
            self.path.append(self.broker.getvalue())

    frame = _frame(inputs)

    def run(fast: int, slow: int) -> tuple[FloatArray, int]:
        engine = bt.Cerebro(cheat_on_open=True, stdstats=False)
        engine.adddata(bt.feeds.PandasData(dataname=frame))
        engine.addstrategy(Cross, stance=_signals(inputs, fast, slow))
        engine.broker.setcash(rules.CASH)
        engine.broker.setcommission(commission=FEE)
        engine.broker.set_checksubmit(False)
        found: Any = engine.run()[0]
        return np.array(found.path), found.opened

    return lambda: _collected([run(fast, slow) for fast, slow in size.pairs], inputs)
