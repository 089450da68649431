"""The seam to vectorbt: a second engine for the settings both know, to check ours against."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.case import Case
from qtw_lab.backtest.result import Result
from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.ledger import Costs, Entry, Stops

FloatArray = npt.NDArray[np.float64]


def run(case: Case) -> Result:
    """The result vectorbt's `Portfolio.from_signals` gives for the same decisions and terms.

    Parameters
    ----------
    case : Case
        One symbol, and signals of 0, 1 or NaN (keep).

    Raises
    ------
    DataError
        If the request uses a feature the two engines do not share; the message names it.
    SetupError
        If vectorbt is not installed.
    """
    _refuse_what_differs(case)
    bars, terms, decisions = case.bars, case.terms, case.decisions
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
        case,
        equity=np.asarray(portfolio.value()).reshape(-1),
        cash=np.asarray(portfolio.cash()).reshape(-1),
        positions=np.asarray(portfolio.assets()).reshape(len(bars), 1),
        orders=_order_list(portfolio.orders.records, price),
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
            np.zeros(len(records)),
            np.full(len(records), -1.0),
        ]
    ).reshape(-1, 9)


def _refuse_what_differs(case: Case) -> None:
    bars, terms, decisions, costs = case.bars, case.terms, case.decisions, case.terms.costs
    shared = Costs(commission_bps=costs.commission_bps, spread_bps=costs.spread_bps, slippage_bps=costs.slippage_bps)
    beyond = {
        "more than one symbol": len(bars.symbols) > 1,
        "holes in the bars": not bars.present.all(),
        "weights": case.kind == "weights",
        "signals other than 0 and 1": not np.isin(decisions[np.isfinite(decisions)], (0.0, 1.0)).all(),
        f"{terms.sizing.rule} sizing": terms.sizing.rule != "all_in",
        "stops": terms.stops != Stops(),
        "entry orders": terms.entry != Entry(),
        "orders given by hand": bool(case.orders),
        "a participation cap": terms.participation > 0,
        "corporate actions": bool(case.market.split.size),
        f"execution={terms.execution!r}": terms.execution not in ("next_open", "next_close", "same_close"),
        "leverage": terms.leverage != 1.0,
        "account rules": terms.leverage == 1.0 and not terms.account.plain,
        "costs other than bps of the amount": costs != shared,
    }
    found = [what for what, present in beyond.items() if present]
    if found:
        raise DataError(f"engine='vectorbt' does not share {', '.join(found)} with ours. Use engine='kernel' for this.")


def _vectorbt() -> Any:
    """The library, whose import warns about matters of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return need("vectorbt", "backtest")
