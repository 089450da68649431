"""The seam to vectorbt: a second engine for the settings both know, to check ours against."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.result import Result
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError
from qtw_lab.core.extras import need
from qtw_lab.ledger import Stops
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]


def run(strategy: Strategy, bars: Bars, terms: Terms, decisions: FloatArray) -> Result:
    """The result vectorbt's `Portfolio.from_signals` gives for the same decisions and terms.

    Parameters
    ----------
    strategy, bars, terms
        As in `backtest`.
    decisions : ndarray, (T, 1)
        Signals of 0, 1 or NaN (keep).

    Raises
    ------
    DataError
        If the request uses a feature the two engines do not share; the message names it.
    SetupError
        If vectorbt is not installed.
    """
    _refuse_what_differs(strategy, bars, terms, decisions)
    vbt = _vectorbt()
    lag = 0 if terms.execution == "same_close" else 1
    signals = np.vstack([np.full((lag, 1), np.nan), decisions[: len(bars) - lag]])
    price = bars.values["open" if terms.execution == "next_open" else "close"]
    portfolio = vbt.Portfolio.from_signals(
        bars.close,
        entries=signals == 1,
        exits=signals == 0,
        price=price,
        size=np.inf,
        fees=terms.costs.commission_bps * 1e-4,
        slippage=(0.5 * terms.costs.spread_bps + terms.costs.slippage_bps) * 1e-4,
        init_cash=terms.cash,
        freq="1D",
    )
    return Result.from_arrays(
        strategy,
        bars,
        terms,
        decisions,
        equity=np.asarray(portfolio.value()).reshape(-1),
        cash=np.asarray(portfolio.cash()).reshape(-1),
        positions=np.asarray(portfolio.assets()).reshape(len(bars), 1),
        orders=_order_list(portfolio.orders.records, price),
        holding_costs=0.0,
        engine="vectorbt",
    )


def _order_list(records: Any, price: FloatArray) -> FloatArray:
    """Order records of vectorbt in the kernel's columns."""
    side = np.where(records["side"].to_numpy() == 0, 1.0, -1.0)
    bar = records["idx"].to_numpy()
    return np.column_stack(
        [
            bar,
            np.zeros(len(records)),
            side * records["size"].to_numpy(),
            records["price"].to_numpy(),
            price[bar, 0],
            records["fees"].to_numpy(),
            np.zeros(len(records)),
        ]
    ).reshape(-1, 7)


def _refuse_what_differs(strategy: Strategy, bars: Bars, terms: Terms, decisions: FloatArray) -> None:
    costs = terms.costs
    beyond = {
        "more than one symbol": len(bars.symbols) > 1,
        "holes in the bars": not bars.present.all(),
        "weights": strategy.kind == "weights",
        "signals other than 0 and 1": not np.isin(decisions[np.isfinite(decisions)], (0.0, 1.0)).all(),
        f"{terms.sizing.rule} sizing": terms.sizing.rule != "all_in",
        "stops": terms.stops != Stops(),
        "leverage": terms.leverage != 1.0,
        "costs other than bps of the amount": bool(
            costs.commission_per_share or costs.commission_min or costs.impact or costs.borrow_bps_per_year
            or costs.margin_rate
        ),
    }  # fmt: skip
    found = [what for what, present in beyond.items() if present]
    if found:
        raise DataError(f"engine='vectorbt' does not share {', '.join(found)} with ours. Use engine='kernel' for this.")


def _vectorbt() -> Any:
    """The library, whose import warns about matters of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return need("vectorbt", "backtest")
