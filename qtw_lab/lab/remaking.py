"""A recorded backtest or sweep, made again from its record alone."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qtw_lab.core import Bars, DataError
from qtw_lab.ledger import Account, Costs, Entry, Sizing, Stops
from qtw_lab.strategies import STRATEGIES, Strategy, strategy

if TYPE_CHECKING:
    from qtw_lab.backtest.plan import Plan
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep
    from qtw_lab.backtest.terms import Terms
    from qtw_lab.runs import Run

#: Combinations of a sweep beyond which its record does not list them.
MOST_LISTED: Final = 100_000
#: Bytes a sweep may use that is made again.
_MEMORY: Final = 10**9
#: Fetches bars: symbols, start, end, timeframe, adjustment, source.
Fetch = Callable[..., Bars]

_PARTS: Final[Mapping[str, type]] = {
    "costs": Costs, "sizing": Sizing, "stops": Stops, "account": Account, "entry": Entry,
}  # fmt: skip


def recipe(strategy: Strategy, bars: Bars, terms: Terms) -> dict[str, Any]:
    """What would make a piece of research again, in JSON values; of bars that came from a table, their fingerprint."""
    names = {ref.source.removeprefix("sample:") for ref in bars.series}
    return {
        "strategy": strategy.name,
        "parameters": strategy.parameters,
        "terms": asdict(terms),
        "bars": {
            "symbols": list(bars.symbols), "start": str(bars.index[0]), "end": str(bars.index[-1]),
            "timeframe": str(bars.timeframe), "adjustment": bars.adjustment,
            "source": names.pop() if len(names) == 1 else None, "fingerprint": bars.fingerprint,
        },
    }  # fmt: skip


def listed(plan: Plan) -> dict[str, Any] | None:
    """The combinations of a plan in JSON values; None if they are too many."""
    if len(plan) > MOST_LISTED:
        return None
    codes = np.array(plan.codes(np.arange(len(plan))), dtype=np.int32)
    return {
        "names": list(plan.names), "values": [list(values) for values in plan.values],
        "codes": base64.b64encode(zlib.compress(codes.tobytes())).decode(), "size": len(plan),
    }  # fmt: skip


def made_again(run: Run, fetch: Fetch) -> Result | Sweep:
    """The backtest or sweep of a recorded run.

    Raises
    ------
    DataError
        If the run is of another kind, its strategy or bars are not known here, or the bars are no longer the same.
    """
    written = run.parameters.get("recipe")
    if run.kind not in ("backtest", "sweep") or not isinstance(written, Mapping):
        raise DataError(
            f"Run {run.id} is a {run.kind}; only a recorded backtest or sweep can be made again. `qtw runs list` shows "
            "them."
        )
    bars = _bars(run.id, written["bars"], fetch)
    return _backtest(run, written, bars) if run.kind == "backtest" else _sweep(run, written, bars)


def _backtest(run: Run, written: Mapping[str, Any], bars: Bars) -> Result:
    from qtw_lab.backtest.engine import backtest

    if written.get("more"):
        raise DataError(
            f"Run {run.id} had {written['more']}, which its record does not hold. Validate it where it is made."
        )
    result = backtest(_strategy(run.id, written), bars, **_terms(written["terms"]).arguments)
    if result.order_hash != run.parameters.get("order_hash"):
        raise DataError(f"Run {run.id} does not give the same orders again: its strategy or the engine has changed.")
    return result


def _sweep(run: Run, written: Mapping[str, Any], bars: Bars) -> Sweep:
    from qtw_lab.backtest.harvest import Keep
    from qtw_lab.backtest.streaming import Running, stream

    plan = written.get("plan")
    if not isinstance(plan, Mapping):
        raise DataError(
            f"Run {run.id} has more than {MOST_LISTED:,} combinations, which its record does not list. Validate it "
            "where it is made: validate(sweep)."
        )
    whole = _planned(_strategy(run.id, written), plan)
    keep = Keep(tuple(written["metrics"]), None, written["by"])
    return stream(whole, bars, _terms(written["terms"]), Running(keep=keep, memory_limit=_MEMORY))


def _planned(base: Strategy, plan: Mapping[str, Any]) -> Plan:
    """The combinations that `listed` wrote."""
    from qtw_lab.backtest.plan import ListPlan

    names = tuple(plan["names"])
    values = tuple(
        tuple(type(base).checked(name, one) for one in each) for name, each in zip(names, plan["values"], strict=True)
    )
    codes = np.frombuffer(zlib.decompress(base64.b64decode(plan["codes"])), dtype=np.int32).reshape(len(names), -1)
    chosen = ({name: each[code] for name, each, code in zip(names, values, column, strict=True)} for column in codes.T)
    longest = max((base.replaced(**one) for one in chosen), key=lambda one: one.warmup)
    return ListPlan(base, names, values, longest, codes.astype(np.int64))


def _strategy(name: str, written: Mapping[str, Any]) -> Strategy:
    if written["strategy"] not in STRATEGIES:
        raise DataError(
            f"Run {name} used the strategy {written['strategy']!r}, which is none of the bundled ones. Validate it "
            "where it is made: validate(result)."
        )
    try:
        return strategy(written["strategy"], **written["parameters"])
    except DataError as err:
        raise DataError(f"Run {name} cannot be made again from its record: {err}") from err


def _bars(name: str, asked: Mapping[str, Any], fetch: Fetch) -> Bars:
    if asked["source"] is None:
        raise DataError(
            f"Run {name} used bars that came from a table of yours, not from a source. Validate it where it is made."
        )
    bars = fetch(**{key: asked[key] for key in ("symbols", "start", "end", "timeframe", "adjustment", "source")})
    if bars.fingerprint != asked["fingerprint"]:
        raise DataError(
            f"The bars of run {name} are no longer the same: {asked['source']} was revised since. `qtw data check` "
            "says more; run it again on the new bars."
        )
    return bars


def _terms(written: Mapping[str, Any]) -> Terms:
    from qtw_lab.backtest.terms import Terms

    return Terms(**{name: _PARTS[name](**value) if name in _PARTS else value for name, value in written.items()})
