"""vectorbt's side of each case, with its Rust engine and nothing else: a call that needed Numba would fail."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import rules
from rules import FloatArray, Results, Size

Work = Callable[[], Results]
Mean = Callable[[FloatArray, int], FloatArray]
FEES = rules.FEE_BPS * 1e-4


def _library(periods_per_year: float) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import warns about matters of its own
        import vectorbt as vbt
    vbt.settings["engine"] = "rust"
    # Its year has 365 days by default; ours is that of the calendar.
    vbt.settings.returns["year_freq"] = pd.Timedelta(days=float(periods_per_year))
    return vbt


def _rolling(close: FloatArray, window: int) -> FloatArray:
    """Averages as pandas sums them, which ours equal bit for bit."""
    return pd.Series(close[:, 0]).rolling(window).mean().to_numpy()


def _cumulative(close: FloatArray, window: int) -> FloatArray:
    return rules.cumulative_mean(close, window)[:, 0]


def _above(close: FloatArray, size: Size, mean: Mean) -> npt.NDArray[np.bool_]:
    means = {window: mean(close, window) for window in range(2, size.windows + 1)}
    return np.column_stack([means[fast] > means[slow] for fast, slow in size.pairs])


def _figures(portfolio: Any) -> Results:
    return {
        "total_return": np.atleast_1d(portfolio.total_return()),
        "sharpe": np.atleast_1d(portfolio.sharpe_ratio()),
        "max_drawdown": np.atleast_1d(portfolio.max_drawdown()),
        "trades": np.atleast_1d(portfolio.trades.count()).astype(np.float64),
    }


def _grid(size: Size, inputs: Results, mean: Mean) -> Work:
    vbt = _library(float(inputs["periods_per_year"]))
    close = inputs["close"]

    def work() -> Results:
        above = pd.DataFrame(_above(close, size, mean))
        series = pd.Series(close[:, 0])
        return _figures(vbt.Portfolio.from_signals(series, above, ~above, fees=FEES, init_cash=rules.CASH, freq="1D"))

    return work


def sma_grid(size: Size, inputs: Results) -> Work:
    """The grid of crossings of two averages, filled at the same close."""
    return _grid(size, inputs, _rolling)


def numpy_grid(size: Size, inputs: Results) -> Work:
    """The same with averages from a running sum."""
    return _grid(size, inputs, _cumulative)


def stops_grid(size: Size, inputs: Results) -> Work:
    """The grid once for each setting of stops; entries only where the stance changes, so that a stop is not undone."""
    vbt = _library(float(inputs["periods_per_year"]))
    close = inputs["close"]
    bar = {name: pd.Series(inputs[name][:, 0]) for name in ("open", "high", "low")}

    def work() -> Results:
        above = _above(close, size, _rolling)
        entries = above.copy()
        entries[1:] &= ~above[:-1]
        entries, exits, series = pd.DataFrame(entries), pd.DataFrame(~above), pd.Series(close[:, 0])
        parts = []
        for loss, gain in rules.STOPS:
            portfolio = vbt.Portfolio.from_signals(
                series, entries, exits, **bar, sl_stop=loss, tp_stop=gain, fees=FEES, init_cash=rules.CASH, freq="1D"
            )
            parts.append(_figures(portfolio))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return work


def next_open_grid(size: Size, inputs: Results) -> Work:
    """The grid filled at the open after the signal."""
    vbt = _library(float(inputs["periods_per_year"]))
    close, opening = inputs["close"], pd.Series(inputs["open"][:, 0])

    def work() -> Results:
        above = _above(close, size, _rolling)
        late = np.vstack([np.zeros((1, above.shape[1]), dtype=bool), above[:-1]])
        entries = pd.DataFrame(late)
        series = pd.Series(close[:, 0])
        return _figures(
            vbt.Portfolio.from_signals(
                series, entries, ~entries, price=opening, fees=FEES, init_cash=rules.CASH, freq="1D"
            )
        )

    return work


def portfolio(size: Size, inputs: Results) -> Work:
    """Monthly momentum, all symbols in one group that shares its cash."""
    vbt = _library(float(inputs["periods_per_year"]))
    close = inputs["close"]

    def work() -> Results:
        weights = rules.monthly_weights(close, inputs["times"], size.window, size.count)
        held = vbt.Portfolio.from_orders(
            pd.DataFrame(close), size=weights, size_type="targetpercent", group_by=True, cash_sharing=True,
            call_seq="auto", fees=FEES, init_cash=rules.CASH, freq="1D",
        )  # fmt: skip
        found = _figures(held)
        del found["trades"]
        orders = np.atleast_1d(held.orders.count()).astype(np.float64)
        return found | {"orders": orders, "equity": held.value().to_numpy()}

    return work
