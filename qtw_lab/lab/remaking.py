"""A recorded backtest or sweep, made again from its record alone."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, Timeframe
from qtw_lab.data import resample
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
#: Largest difference of the mean figures of a sweep that is the same again, as a fraction of the larger of 1 and one.
_SAME: Final = 1e-9
#: Fetches bars: symbols, start, end, timeframe, adjustment, source.
Fetch = Callable[..., Bars]

_PARTS: Final[Mapping[str, type]] = {
    "costs": Costs, "sizing": Sizing, "stops": Stops, "account": Account, "entry": Entry,
}  # fmt: skip


def recipe(strategy: Strategy, bars: Bars, terms: Terms) -> dict[str, Any]:
    """What would make a piece of research again, in JSON values; of bars that came from a table, their fingerprint."""
    return {
        "strategy": strategy.name,
        "bundled": type(strategy) is STRATEGIES.get(strategy.name),
        "parameters": plain(strategy.parameters),
        "terms": plain(asdict(terms)),
        "bars": _asked(bars),
    }


def plain(value: Any) -> Any:
    """The value in JSON's own types: NumPy's numbers as Python's, tuples as lists, and what JSON lacks as its `repr`.

    Examples
    --------
    >>> plain({"cash": np.float64(5.0), "window": np.int64(20), "shares": (0.5, math.inf), "kind": int})
    {'cash': 5.0, 'window': 20, 'shares': [0.5, 'inf'], 'kind': "<class 'int'>"}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value if isinstance(value, (int, float, str, bool, type(None))) else repr(value)


def listed(plan: Plan, spans: Iterable[tuple[int, int]] | None = None) -> dict[str, Any] | None:
    """The combinations of a plan in JSON values, or those of `spans` alone; None if they are too many."""
    places = np.concatenate([np.arange(*span) for span in ([(0, len(plan))] if spans is None else spans)])
    if len(places) > MOST_LISTED:
        return None
    codes = np.array(plan.codes(places), dtype=np.int32)
    return {
        "names": list(plan.names), "values": [plain(values) for values in plan.values],
        "codes": base64.b64encode(zlib.compress(codes.tobytes())).decode(), "size": len(places),
    }  # fmt: skip


def means(table: pd.DataFrame) -> dict[str, float | None]:
    """The mean of each metric over the rows of a sweep, by which it is known again; None where there is none."""
    found = {str(name): float(column.mean()) for name, column in table.items()}
    return {name: mean if math.isfinite(mean) else None for name, mean in found.items()}


def made_again(run: Run, fetch: Fetch) -> Result | Sweep:
    """The backtest or sweep of a recorded run.

    Raises
    ------
    DataError
        If the run is of another kind, its strategy or bars are not known here, or the bars are no longer the same.
    """
    if run.kind not in ("backtest", "sweep"):
        raise DataError(
            f"Run {run.id} is a {run.kind}; only a recorded backtest or sweep can be made again. `qtw runs list` shows "
            "them."
        )
    written = run.parameters.get("recipe")
    if not isinstance(written, Mapping):
        raise DataError(
            f"Run {run.id} was recorded by an older version, without what would make it again. Run the {run.kind} once "
            "more and use the new id."
        )
    base, terms = _strategy(run.id, written), _terms(written["terms"])
    if run.kind == "backtest":
        return _backtest(run, written, base, terms, fetch)
    return _sweep(run, written, base, terms, fetch)


def _backtest(run: Run, written: Mapping[str, Any], base: Strategy, terms: Terms, fetch: Fetch) -> Result:
    from qtw_lab.backtest.engine import backtest

    if written.get("more"):
        raise DataError(
            f"Run {run.id} had {written['more']}, which its record does not hold. Validate it where it is made: "
            "validate(result)."
        )
    result = backtest(base, _bars(run.id, written["bars"], fetch), **terms.arguments)
    if result.order_hash != run.parameters.get("order_hash"):
        raise DataError(
            f"Run {run.id} does not give the same orders again: its strategy or the engine has changed. Run it once "
            "more and use the new id."
        )
    return result


def _sweep(run: Run, written: Mapping[str, Any], base: Strategy, terms: Terms, fetch: Fetch) -> Sweep:
    from qtw_lab.backtest.harvest import Keep
    from qtw_lab.backtest.spotcheck import Sampling
    from qtw_lab.backtest.streaming import Running, stream

    plan = written.get("plan")
    if not isinstance(plan, Mapping):
        raise DataError(
            f"Run {run.id} has more than {MOST_LISTED:,} combinations, which its record does not list. Validate it "
            "where it is made: validate(sweep)."
        )
    keep = Keep(tuple(written["metrics"]), written.get("top"), written["by"])
    how = Running(keep=keep, memory_limit=_MEMORY, sampling=Sampling(**written.get("sampling", {})))
    whole = _planned(run.id, base, plan)
    made = stream(whole, _bars(run.id, written["bars"], fetch), terms, how, tuple(written.get("remarks", ())))
    _refuse_other(run.id, written.get("means", {}), means(made.table))
    return replace(made, planned=written.get("planned", made.planned))


def _refuse_other(name: str, then: Mapping[str, float | None], now: Mapping[str, float | None]) -> None:
    """Refuse a sweep whose figures are not those that were recorded."""
    for metric, old in then.items():
        new = now.get(metric)
        if not _alike(old, new):
            raise DataError(
                f"Run {name} does not give the same figures again (mean {metric} {old} then, {new} now): its strategy "
                "or the engine has changed. Run it once more and use the new id."
            )


def _alike(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return abs(new - old) <= _SAME * max(1.0, abs(old), abs(new))


def _planned(name: str, base: Strategy, plan: Mapping[str, Any]) -> Plan:
    """The combinations that `listed` wrote."""
    from qtw_lab.backtest.plan import ListPlan

    names = tuple(plan["names"])
    codes = np.frombuffer(zlib.decompress(base64.b64decode(plan["codes"])), dtype=np.int32).reshape(len(names), -1)
    try:
        values = tuple(
            tuple(type(base).checked(entry, _hashable(one)) for one in each)
            for entry, each in zip(names, plan["values"], strict=True)
        )
        chosen = (
            {entry: each[code] for entry, each, code in zip(names, values, column, strict=True)} for column in codes.T
        )
        longest = max((base.replaced(**one) for one in chosen), key=lambda one: one.warmup)
    except DataError as err:
        raise DataError(f"Run {name} cannot be made again from its record: {err}") from err
    return ListPlan(base, names, values, longest, codes.astype(np.int64))


def _hashable(value: Any) -> Any:
    """Lists as the tuples they were before JSON took them."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _strategy(name: str, written: Mapping[str, Any]) -> Strategy:
    if written["strategy"] not in STRATEGIES or not written.get("bundled", True):
        raise DataError(
            f"Run {name} used the strategy {written['strategy']!r}, which is none of the bundled ones. Validate it "
            "where it is made: validate(result)."
        )
    try:
        return strategy(written["strategy"], **written["parameters"])
    except DataError as err:
        raise DataError(f"Run {name} cannot be made again from its record: {err}") from err


def _terms(written: Mapping[str, Any]) -> Terms:
    from qtw_lab.backtest.terms import Terms

    return Terms(**{name: _PARTS[name](**value) if name in _PARTS else value for name, value in written.items()})


def _asked(bars: Bars) -> dict[str, Any]:
    """What would fetch the bars again; of bars made of shorter ones also which, and how the outermost two look."""
    names = {ref.source.removeprefix("sample:") for ref in bars.series}
    lengths = {ref.timeframe for ref in bars.series} - {str(bars.timeframe)}
    made = len(lengths) == 1
    return {
        "symbols": list(bars.symbols), "start": str(bars.index[0]), "end": str(bars.index[-1]),
        "timeframe": str(bars.timeframe), "adjustment": bars.adjustment,
        "source": names.pop() if len(names) == 1 else None, "fingerprint": bars.fingerprint,
        **({"made_of": lengths.pop(), "first": _edge(bars.head(1), "open"), "last": _edge(bars.tail(1), "close")}
           if made else {}),
    }  # fmt: skip


def _edge(bar: Bars, price: str) -> dict[str, Any]:
    """One bar's fingerprint, and one price of each symbol."""
    prices = [None if math.isnan(one) else float(one) for one in bar.values[price][0]]
    return {"fingerprint": bar.fingerprint, "prices": prices}


def _bars(name: str, asked: Mapping[str, Any], fetch: Fetch) -> Bars:
    """The bars of a run, fetched again and known to be the same."""
    if asked["source"] is None:
        raise DataError(
            f"Run {name} used bars that came from a table of yours, not from a source. Validate it where it is made: "
            "validate(result)."
        )
    given = {key: asked[key] for key in ("symbols", "timeframe", "adjustment", "source")}
    start, end = _cut(asked, given, fetch) if "made_of" in asked else (asked["start"], asked["end"])
    bars = None if start is None or end is None else fetch(start=start, end=end, **given)
    if bars is None or bars.fingerprint != asked["fingerprint"]:
        raise DataError(
            f"The bars of run {name} are no longer the same: {asked['source']} was revised since, or they were changed "
            "by hand before the run. `qtw data check` says more; run it again on the new bars."
        )
    return bars


def _cut(
    asked: Mapping[str, Any], given: Mapping[str, Any], fetch: Fetch
) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """The first and the last of the shorter bars that longer bars were made of.

    Which part of the first and the last period was asked for is not written down, but seen: it is the part that makes
    the first and the last bar again. None where no part does.
    """
    first, last, wanted = pd.Timestamp(asked["start"]), pd.Timestamp(asked["end"]), Timeframe.parse(asked["timeframe"])
    before = pd.Timedelta(days=0 if wanted.intraday else 1)  # a session may begin the day before, by the clock of UTC
    reach = pd.Timedelta(seconds=2 * wanted.seconds) + pd.Timedelta(days=1)
    short = fetch(start=first - reach, end=last + reach, **{**given, "timeframe": asked["made_of"]})
    starts = (
        moment
        for moment in _moments(short.between(first - before, first + reach), "open", asked["first"]["prices"])
        if resample(short.between(moment, first + reach), wanted).head(1).fingerprint == asked["first"]["fingerprint"]
    )
    ends = (
        moment
        for moment in reversed(_moments(short.between(last - before, last + reach), "close", asked["last"]["prices"]))
        if resample(short.between(last - reach, moment), wanted).tail(1).fingerprint == asked["last"]["fingerprint"]
    )
    return next(starts, None), next(ends, None)


def _moments(bars: Bars, price: str, wanted: Iterable[float | None]) -> list[pd.Timestamp]:
    """The bars whose price is the wanted one, for every symbol that has it."""
    held = bars.values[price]
    alike = held == np.array([math.nan if one is None else one for one in wanted])
    return list(bars.index[(alike | np.isnan(held)).all(axis=1)])
