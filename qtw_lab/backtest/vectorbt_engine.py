"""The seam to vectorbt: a second engine for the settings both know, to check ours against."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.case import Case
from qtw_lab.backtest.result import Result
from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.ledger import Costs, Entry, Stops

FloatArray = npt.NDArray[np.float64]


def run(case: Case) -> Result:
    """The result vectorbt gives for the same decisions and terms.

    Long-only stances with all the money go through its `Portfolio.from_signals`, anything else through
    `Portfolio.from_orders` with a target at each change of the signal.

    Parameters
    ----------
    case : Case
        One symbol, and signals.

    Raises
    ------
    DataError
        If the request uses a feature the two engines do not share; the message names it.
    SetupError
        If vectorbt is not installed.
    """
    _refuse_what_differs(case)
    bars, terms = case.bars, case.terms
    price = bars.values["open" if terms.execution == "next_open" else "close"]
    given: dict[str, Any] = {
        "price": price, "fees": terms.costs.commission_bps * 1e-4, "fixed_fees": terms.costs.commission_per_order,
        "slippage": (0.5 * terms.costs.spread_bps + terms.costs.slippage_bps) * 1e-4, "init_cash": terms.cash,
        "freq": "1D",
    }  # fmt: skip
    decisions = _delayed(case.decisions, 0 if terms.execution == "same_close" else 1)
    portfolios = _vectorbt().Portfolio
    if terms.sizing.rule == "all_in" and np.isin(decisions[np.isfinite(decisions)], (0.0, 1.0)).all():
        portfolio = portfolios.from_signals(
            bars.close, entries=decisions == 1, exits=decisions == 0, size=np.inf, **given
        )
    else:
        kind = _TARGETS[terms.sizing.rule]
        size = _changes(decisions) * (1.0 if terms.sizing.rule == "all_in" else terms.sizing.amount)
        portfolio = portfolios.from_orders(
            bars.close, size=size, size_type=kind, direction="both", val_price=price, **given
        )
    return Result.from_arrays(
        case,
        equity=np.asarray(portfolio.value()).reshape(-1),
        cash=np.asarray(portfolio.cash()).reshape(-1),
        positions=np.asarray(portfolio.assets()).reshape(len(bars), 1),
        orders=_order_list(portfolio.orders.records, price),
        engine="vectorbt",
    )


#: What vectorbt calls the target of each sizing rule.
_TARGETS: Final = {
    "all_in": "targetpercent", "fraction": "targetpercent", "fixed_cash": "targetvalue", "fixed_shares": "targetamount",
}  # fmt: skip


def _delayed(decisions: FloatArray, bars: int) -> FloatArray:
    """Decisions by the bar they fill at."""
    return np.vstack([np.full((bars, 1), np.nan), decisions[: len(decisions) - bars]])


def _changes(decisions: FloatArray) -> FloatArray:
    """Decisions that differ from the one heard before (flat at the start); NaN elsewhere."""
    heard = pd.DataFrame(decisions).ffill().fillna(0.0).to_numpy()
    before = np.vstack([np.zeros((1, 1)), heard[:-1]])
    return np.where(decisions != before, decisions, np.nan)


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
    bars, terms, costs = case.bars, case.terms, case.terms.costs
    shared = Costs(
        commission_bps=costs.commission_bps, commission_per_order=costs.commission_per_order,
        spread_bps=costs.spread_bps, slippage_bps=costs.slippage_bps,
    )  # fmt: skip
    beyond = {
        "more than one symbol": len(bars.symbols) > 1,
        "holes in the bars": not bars.present.all(),
        "weights": case.kind == "weights",
        f"{terms.sizing.rule} sizing": terms.sizing.rule not in _TARGETS,
        "stops": terms.stops != Stops(),
        "entry orders": terms.entry != Entry(),
        "orders given by hand": bool(case.orders),
        "a participation cap": terms.participation > 0,
        "corporate actions": bool(case.market.split.size),
        f"execution={terms.execution!r}": terms.execution not in ("next_open", "next_close", "same_close"),
        "leverage": terms.leverage != 1.0,
        "account rules": terms.leverage == 1.0 and not terms.account.plain,
        "costs other than bps of the amount and a fee by order": costs != shared,
    }
    found = [what for what, present in beyond.items() if present]
    if found:
        raise DataError(f"engine='vectorbt' does not share {', '.join(found)} with ours. Use engine='kernel' for this.")


def _vectorbt() -> Any:
    """The library, whose import warns about matters of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return need("vectorbt", "backtest")
