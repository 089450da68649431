"""What the lab writes down of a piece of research: the settings that would make it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result


def settings_of(result: Result) -> dict[str, Any]:
    """Strategy, data and terms of a result in plain values, for the record of a run."""
    t = result.terms
    return {
        "strategy": result.strategy.name, "parameters": _json_ready(result.strategy.parameters),
        "symbols": list(result.bars.symbols), "costs": t.costs.describe(), "sizing": repr(t.sizing),
        "execution": t.execution, "cash": float(t.cash), "stops": repr(t.stops), "leverage": float(t.leverage),
        "account": repr(t.account), "entry": repr(t.entry), "participation": float(t.participation),
        "orders_by_hand": [repr(order) for order in result.case.orders],
        "corporate_actions": bool(result.case.market.split.size),
        "order_hash": result.order_hash,
    }  # fmt: skip


def _json_ready(parameters: Mapping[str, Any]) -> dict[str, Any]:
    plain = (int, float, str, bool, list, dict, type(None))
    return {name: value if isinstance(value, plain) else repr(value) for name, value in parameters.items()}
