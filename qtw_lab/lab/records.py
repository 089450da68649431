"""What the lab writes down of a piece of research: the settings that would make it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtw_lab.core import Bars
from qtw_lab.lab import remaking

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep


def settings_of(result: Result) -> dict[str, Any]:
    """Strategy, data and terms of a result in plain values, for the record of a run."""
    t = result.terms
    return {
        "strategy": result.strategy.name, "parameters": remaking.plain(result.strategy.parameters),
        "symbols": list(result.bars.symbols), "costs": t.costs.describe(), "sizing": repr(t.sizing),
        "execution": t.execution, "cash": float(t.cash), "stops": repr(t.stops), "leverage": float(t.leverage),
        "account": repr(t.account), "entry": repr(t.entry), "participation": float(t.participation),
        "orders_by_hand": [repr(order) for order in result.case.orders],
        "corporate_actions": bool(result.case.market.split.size),
        "order_hash": result.order_hash, "recipe": _recipe(result),
    }  # fmt: skip


def settings_of_sweep(sweep: Sweep) -> dict[str, Any]:
    """What was swept over which values, in plain values, for the record of a run."""
    sampled = {"verify": sweep.sampling.verify, "seed": sweep.sampling.seed}
    kept = {
        "metrics": list(map(str, sweep.table.columns)), "by": sweep.by, "top": sweep.top, "planned": sweep.planned,
        "sampling": remaking.plain(sampled), "remarks": list(sweep.remarks), "means": remaking.means(sweep.table),
        "plan": remaking.listed(sweep.plan, sweep.spans),
    }  # fmt: skip
    return {
        "strategy": sweep.strategy.name, "symbols": list(sweep.bars.symbols), "rows": sweep.trials,
        "costs": sweep.terms.costs.describe(), "execution": sweep.terms.execution,
        "grid": {name: _span(values) for name, values in zip(sweep.plan.names, sweep.plan.values, strict=True)},
        "recipe": remaking.recipe(sweep.strategy, sweep.bars, sweep.terms) | kept,
    }  # fmt: skip


def uses(bars: Bars) -> list[Any]:
    """The data a run rests on."""
    from qtw_lab.runs import DataUse

    return [DataUse.of(bars)]


def _recipe(result: Result) -> dict[str, Any]:
    made = remaking.recipe(result.strategy, result.bars, result.terms)
    more = [
        *(["orders given by hand"] if result.case.orders else []),
        *(["corporate actions"] if result.case.market.split.size else []),
        *(["average prices of its own"] if result.terms.execution == "next_vwap" else []),
    ]
    return made | {"more": " and ".join(more)}


def _span(values: Sequence[Any]) -> str:
    return f"{values[0]!r} to {values[-1]!r}, {len(values)} values" if len(values) > 1 else repr(values[0])
