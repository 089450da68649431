"""What is written into the ledger of a backtest, and the public function that writes it.

Rooms simulate with `engine.backtest` and `sweep.sweep`, which leave no trace. People call `qtw.backtest`, `qtw.sweep`
and `qtw.search`: the same functions, which also count.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import asdict, replace
from types import CodeType
from typing import Any, Final

import numpy as np

from qtw_lab.backtest import engine
from qtw_lab.backtest.result import Result
from qtw_lab.backtest.terms import Terms
from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.backtest.trials import Trial, sketch
from qtw_lab.core import Bars, LabError
from qtw_lab.core.storage import storage_folder
from qtw_lab.stats import performance as p
from qtw_lab.strategies import Strategy
from qtw_lab.strategies.order_list import digest

#: What a result says that could not be entered.
UNCOUNTED: Final = "not counted as a trial: {}"


def default_ledger() -> TrialLedger:
    """The ledger of this machine's storage folder."""
    return TrialLedger(storage_folder() / "trials.sqlite")


def trial_of(result: Result, kind: str = "backtest") -> Trial:
    """The one configuration a backtest tried."""
    fixed = fixed_of(result.strategy, result.bars, result.terms)
    if result.case.orders:
        fixed["by_hand"] = digest(result.case.orders)
    returns = result.returns.to_numpy()
    summary = {
        "total_return": float(result.equity.iloc[-1] / result.terms.cash - 1.0),
        "max_drawdown": float(p.max_drawdown(returns)), "orders": float(len(result.orders)),
    }  # fmt: skip
    sharpe = float(p.sharpe_ratio(returns, result.bars.periods_per_year))
    return Trial(result.bars.fingerprint, result.strategy.name, fixed, sharpe, kind, summary, sketch(returns))


def fixed_of(strategy: Strategy, bars: Bars, terms: Terms) -> dict[str, Any]:
    """What all configurations of one piece of work share."""
    single = {"symbol": bars.symbols[0]} if len(bars.symbols) == 1 and strategy.scope == "symbol" else {}
    code = {} if type(strategy).__module__.startswith("qtw_lab.") else {"code": code_digest(type(strategy))}
    return {**strategy.parameters, "terms": terms_spelled(terms), **single, **code}


def code_digest(kind: type) -> str:
    """Sixteen characters that stand for the rules of a class: edited rules are another configuration.

    Comments, layout and line numbers do not matter. What the class calls elsewhere is not looked into.
    """
    spelled = hashlib.sha256()
    for name, member in sorted(vars(kind).items()):
        if name.startswith("__"):
            continue
        function = inspect.unwrap(getattr(member, "fget", None) or getattr(member, "__func__", member))
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            spelled.update(f"{name}{_read(code, function.__doc__)}".encode())
    return spelled.hexdigest()[:16]


def _read(code: CodeType, remark: str | None = None) -> tuple[Any, ...]:
    constants = [_constant(None if one == remark else one) for one in code.co_consts]
    return (code.co_code.hex(), constants, code.co_names, code.co_varnames)


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _read(value)
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def counted(result: Result, ledger: TrialLedger | None = None) -> Result:
    """The result, entered into a ledger (by default this machine's), which from now on states its trial count."""
    known = default_ledger() if ledger is None else ledger
    known.add([trial_of(result)])
    return replace(result, ledger=known)


@functools.wraps(engine.backtest)
def backtest(*args: Any, **kwargs: Any) -> Result:
    """As `engine.backtest`, and the configuration is counted."""
    result = engine.backtest(*args, **kwargs)
    try:
        return counted(result)
    except LabError as err:
        return replace(result, remarks=(UNCOUNTED.format(err),))


def terms_spelled(terms: Terms) -> dict[str, Any]:
    """The terms in one spelling: 10 and 10.0 basis points are one configuration."""
    return {name: _one_spelling(value) for name, value in asdict(terms).items()}


def _one_spelling(terms: Any) -> Any:
    if isinstance(terms, Mapping):
        return {name: _one_spelling(value) for name, value in terms.items()}
    return float(terms) if isinstance(terms, (int, np.number)) else terms
