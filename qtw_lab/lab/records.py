"""What the lab writes down of a piece of research: its trials, and the settings that would make it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from qtw_lab.core import Bars
from qtw_lab.research.trials import Trial
from qtw_lab.strategies import Strategy
from qtw_lab.strategies.order_list import digest

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep
    from qtw_lab.backtest.terms import Terms


def trial_of(result: Result) -> Trial:
    """The one configuration a backtest tried."""
    fixed = _fixed(result.strategy, result.bars, result.terms)
    if result.case.orders:
        fixed["by_hand"] = digest(result.case.orders)
    return Trial(result.bars.fingerprint, result.strategy.name, fixed, float(result.stats["sharpe"]))


def trials_of(sweep: Sweep) -> Iterator[Trial]:
    """Every configuration a sweep tried; one that equals a backtest's counts as the same."""
    fixed = _fixed(sweep.strategy, sweep.bars, sweep.terms)
    names = [str(name) for name in sweep.table.index.names]
    sharpe = sweep.table.get("sharpe")
    keys = (key if isinstance(key, tuple) else (key,) for key in sweep.table.index)
    known = {} if sharpe is None else dict(zip(keys, sharpe.tolist(), strict=True))
    for key in sweep.tried():
        varied = dict(zip(names, key, strict=True))
        yield Trial(sweep.bars.fingerprint, sweep.strategy.name, {**fixed, **varied}, known.get(key))


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


def _fixed(strategy: Strategy, bars: Bars, terms: Terms) -> dict[str, Any]:
    """What all configurations of one piece of work share."""
    single = {"symbol": bars.symbols[0]} if len(bars.symbols) == 1 and strategy.scope == "symbol" else {}
    return {**strategy.parameters, "terms": _spelled(asdict(terms)), **single}


def _spelled(terms: Any) -> Any:
    """The same terms in one spelling: 10 and 10.0 basis points are one configuration."""
    if isinstance(terms, dict):
        return {name: _spelled(value) for name, value in terms.items()}
    return float(terms) if isinstance(terms, (int, np.number)) else terms


def _json_ready(parameters: Mapping[str, Any]) -> dict[str, Any]:
    plain = (int, float, str, bool, list, dict, type(None))
    return {name: value if isinstance(value, plain) else repr(value) for name, value in parameters.items()}
