"""Would it survive a little worse? Questions whose failure makes a result fragile, not worthless."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.engine import backtest, run_kernel
from qtw_lab.backtest.equities import returns_of
from qtw_lab.backtest.result import Result
from qtw_lab.core import DataError, Fact
from qtw_lab.ledger import Costs
from qtw_lab.research.checks import Check, Evidence, Question
from qtw_lab.research.montecarlo import delayed_entries, stressed_costs
from qtw_lab.research.plateaus import neighbours_of
from qtw_lab.stats import performance as p
from qtw_lab.stats import significance as g
from qtw_lab.strategies import Strategy
from qtw_lab.strategies.base import Bounds

FloatArray = npt.NDArray[np.float64]

#: What a result without costs is asked to bear: basis points of every amount traded.
_BPS: Final = (0.0, 2.0, 5.0, 10.0, 20.0)
_ASKED_BPS: Final = 10.0
#: What a result with costs is asked to bear.
_MULTIPLES: Final = (0.0, 1.0, 1.5, 2.0, 3.0, 5.0)
_ASKED_MULTIPLE: Final = 2.0
_DELAYS: Final = (0, 1, 2, 3, 5)
#: Share of the Sharpe ratio that must be left a bar later, or beside the parameters chosen.
_LEFT: Final = 0.5
_PARTS: Final = 4
_FEWEST_TRADES: Final = 30
#: Symbols left out one at a time: those that earned most.
_MOST_LEFT_OUT: Final = 20
_PARTITIONS: Final = 16
#: Share of trades that may depend on what a bar does not tell.
_AMBIGUOUS: Final = 0.2
_STEPS: Final = (0.8, 0.9, 1.1, 1.2)
_NOT_COUNTED: Final = "run to judge this one, not to choose from, and so not counted as tries"


def costs(evidence: Evidence) -> Check:
    """Whether it earns anything at twice its costs, or at 10 basis points a trade if it was simulated free of cost."""
    result, name = evidence.result, "cost_stress"
    if result.terms.costs.free:
        table = _table([_charged(result, bps) for bps in _BPS], pd.Index(_BPS, name="bps"))
        asked, left = f"{_ASKED_BPS:.0f} basis points of every amount traded", _at(table, _ASKED_BPS)
        said = f"It was simulated free of cost; at {asked} "
    else:
        table = stressed_costs(result, _MULTIPLES).table[["cagr", "sharpe", "max_drawdown", "cost_drag"]]
        asked, left = "twice its costs", _at(table, _ASKED_MULTIPLE)
        said = f"At {asked} "
    passed = left > 0
    fact = Fact("cagr_at_higher_costs", left, "fraction", f"Growth a year at {asked}", "decisions unchanged")
    reason = f"{said}it {'still earns' if passed else 'loses'} {abs(left):.1%} a year."
    title = "Survives higher costs"
    return Check(name=name, title=title, passed=passed, reason=reason, facts=(fact,), table=table)


def delay(evidence: Evidence) -> Check:
    """Whether half of its Sharpe ratio is left when every decision comes a bar late."""
    result, name, title = evidence.result, "delay", "Survives a bar's delay"
    if np.isnan(result.case.decisions).all():
        reason = "Its orders were given by hand; none was delayed."
        return Check(name=name, title=title, passed=None, reason=reason)
    delays = [lag for lag in _DELAYS if lag < len(result.bars)]
    table = delayed_entries(result, delays).table[["cagr", "sharpe", "max_drawdown"]]
    own, late = float(table["sharpe"].iloc[0]), float(table["sharpe"].iloc[1])
    passed = bool(late >= _LEFT * own) if own > 0 else False
    fact = Fact(
        "sharpe_a_bar_late", late, "ratio", "Sharpe ratio a bar late", "entries and exits; stops are not delayed"
    )
    reason = f"With every decision a bar late the Sharpe ratio is {late:.2f} instead of {own:.2f}."
    return Check(name=name, title=title, passed=passed, reason=reason, facts=(fact,), table=table)


def periods(evidence: Evidence) -> Check:
    """Whether it earned in three of four equal parts of its history."""
    own, index = evidence.own, evidence.returns.index
    title, name = "Earned in most parts of its history", "sub_periods"
    if len(own) < _PARTS * 20:
        return Check(name=name, title=title, passed=None, reason=f"{len(own)} bars are too few to part.")
    year = evidence.result.bars.periods_per_year
    rows = []
    for part in np.array_split(np.arange(len(own)), _PARTS):
        some = own[part]
        rows.append(
            {
                "from": index[part[0]], "to": index[part[-1]], "total_return": float(p.total_return(some)),
                "sharpe": float(p.sharpe_ratio(some, year)), "max_drawdown": float(p.max_drawdown(some)),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    good = int((table["total_return"] > 0).sum())
    fact = Fact("good_parts", good, "count", f"Parts of {_PARTS} with a gain", "of equal numbers of bars, after costs")
    reason = f"It earned in {good} of {_PARTS} parts of its history."
    return Check(name=name, title=title, passed=good >= _PARTS - 1, reason=reason, facts=(fact,), table=table)


def trades(evidence: Evidence) -> Check:
    """Whether there are enough trades for any of this to be a statistic."""
    count = len(evidence.result.trades)
    fact = Fact("trades", count, "count", "Trades (round trips)", "positions opened, the one still open included")
    reason = f"It rests on {count:,} trade{'' if count == 1 else 's'}; {_FEWEST_TRADES} are asked for."
    title = "Rests on enough trades"
    return Check(name="enough_trades", title=title, passed=count >= _FEWEST_TRADES, reason=reason, facts=(fact,))


def neighbours(evidence: Evidence) -> Check:
    """Whether configurations beside it do half as well: a plateau, not a spike."""
    title, name = "Stands on a plateau of parameters", "plateau"
    table, note = _beside_in_sweep(evidence)
    if table is None:
        table = _beside(evidence.result)
        note = f"Each number moved by a tenth and a fifth, the others as they are; {_NOT_COUNTED}."
    if table is None or table["sharpe"].isna().all():
        reason = "It has no number among its parameters that could be moved."
        return Check(name=name, title=title, passed=None, reason=reason)
    own = float(p.sharpe_ratio(evidence.own, evidence.result.bars.periods_per_year))
    mean = float(table["sharpe"].mean())
    passed = bool(own > 0 and mean >= _LEFT * own)
    fact = Fact(
        "neighbours_sharpe", mean, "ratio", "Mean Sharpe ratio of the configurations beside it",
        "at most one step of the grid, or a fifth, away in each parameter",
    )  # fmt: skip
    reason = f"The {len(table)} configurations beside it have a mean Sharpe ratio of {mean:.2f}, it {own:.2f}."
    return Check(name=name, title=title, passed=passed, reason=reason, facts=(fact,), table=table, note=note)


def choice(evidence: Evidence) -> Check:
    """Whether choosing in one half of the history pays in the other."""
    title, name = "What one half chooses holds up in the other", "selection"
    moving = evidence.returns.loc[:, np.ptp(evidence.returns.to_numpy(), axis=0) > 0]
    if evidence.sweep is None or moving.shape[1] < 2 or len(moving) < 2 * _PARTITIONS:
        reason = "It was not chosen from others." if evidence.sweep is None else "There are too few rows or bars."
        return Check(name=name, title=title, passed=None, reason=reason)
    found = g.probability_of_backtest_overfitting(moving.to_numpy(), _PARTITIONS)
    loss = found.degradation.probability_of_loss
    passed = bool(found.pbo <= 0.5 or loss <= evidence.level)
    facts = (
        Fact("pbo", found.pbo, "fraction", "Probability of backtest overfitting",
             f"share of {len(found.logits):,} splits in halves whose best row is below the median of the other half; "
             "Bailey, Borwein, Lopez de Prado and Zhu (2017)"),
        Fact("pbo_loss", loss, "fraction", "Probability of loss",
             "share of splits whose best row lost in the other half"),
        Fact("pbo_compared", found.strategies, "count", "Rows compared"),
    )  # fmt: skip
    reason = (
        f"The best row of one half of the bars is below the median of the other in {found.pbo:.0%} of the splits, and "
        f"loses there in {loss:.0%}{'' if found.pbo <= 0.5 or not passed else ': whichever is chosen, it holds up'}."
    )
    return Check(name=name, title=title, passed=passed, reason=reason, facts=facts)


def symbols(evidence: Evidence) -> Check:
    """Whether it does not hang on one symbol."""
    title, name = "Does not hang on one symbol", "symbol_hold_out"
    table, note = _elsewhere(evidence)
    if table is not None:
        share = float((table["sharpe"] > 0).mean())
        fact = Fact("good_symbols", share, "fraction", "Other symbols with a gain", "the same parameters, each alone")
        reason = f"With the same parameters {share:.0%} of the {len(table)} other symbols have a Sharpe ratio above 0."
        return Check(name=name, title=title, passed=share >= 0.5, reason=reason, facts=(fact,), table=table, note=note)
    if len(evidence.result.bars.symbols) < 2:
        reason = "It trades one symbol, and no other was tried."
        return Check(name=name, title=title, passed=None, reason=reason)
    table = _left_out(evidence.result)
    own = float(p.sharpe_ratio(evidence.own, evidence.result.bars.periods_per_year))
    worst = float(table["sharpe"].min())
    fact = Fact("sharpe_without_one", worst, "ratio", "Least Sharpe ratio without one symbol", "simulated anew")
    reason = f"Without {table['sharpe'].idxmin()} the Sharpe ratio is {worst:.2f} instead of {own:.2f}."
    passed = bool(own > 0 and worst >= _LEFT * own)
    note = f"The symbols that earned most, each left out once; {_NOT_COUNTED}."
    return Check(name=name, title=title, passed=passed, reason=reason, facts=(fact,), table=table, note=note)


def band(evidence: Evidence) -> Check:
    """Whether what bars do not tell about their course decides the outcome."""
    result, title, name = evidence.result, "Does not hang on the order of high and low", "ambiguity_band"
    bounds = result.band
    if bounds["pessimistic"].equals(bounds["optimistic"]):
        reason = "Nothing in it depends on the order of a bar's high and low."
        return Check(name=name, title=title, passed=None, reason=reason)
    share = result.ambiguous_trades
    worst, best = (float(bounds[side]["sharpe"]) for side in ("pessimistic", "optimistic"))
    what = "share of trades that depend on which of high and low came first"
    facts = (
        Fact("ambiguous_trades", share, "fraction", "Ambiguous trades", what),
        Fact("sharpe_at_best", best, "ratio", "Sharpe ratio at best", "every ambiguous bar taken at its best"),
    )
    reason = f"{share:.0%} of the trades depend on it: a Sharpe ratio of {worst:.2f} at worst, {best:.2f} at best."
    table = bounds.rename_axis("figure")
    return Check(name=name, title=title, passed=share <= _AMBIGUOUS, reason=reason, facts=facts, table=table)


def fills(evidence: Evidence) -> Check:
    """Whether it trades at prices that were known to be there."""
    title, result = "Fills at prices it could have had", evidence.result
    passed = result.terms.execution != "same_close" and result.case.terms.path != "optimistic"
    reason = (
        "Orders fill after the decision, and unclear bars at their worst."
        if passed
        else "Orders fill at the very close they were decided on, or unclear bars at their best."
    )
    return Check(name="fills", title=title, passed=passed, reason=reason)


def engines(evidence: Evidence) -> Check:
    """Whether the second engine, written from the rules alone, finds the same fills."""
    title, agreement = "A second engine finds the same", evidence.result.verify().agreement
    if agreement is None:
        return Check(name="engines", title=title, passed=None, reason="No second engine was asked.")
    reason = f"{agreement.text[:1].upper()}{agreement.text[1:]}."
    return Check(name="engines", title=title, passed=agreement.agrees, reason=reason)


def _at(table: pd.DataFrame, place: float) -> float:
    """Growth a year at one of the stresses."""
    return float(table["cagr"].to_numpy(dtype=float)[table.index.get_loc(place)])


def _charged(result: Result, bps: float) -> Result:
    """The same decisions at a commission of so many basis points."""
    dearer = replace(result.case.terms, costs=Costs(commission_bps=bps))
    return run_kernel(replace(result.case, terms=dearer, asked=None))


def _table(results: list[Result], index: pd.Index) -> pd.DataFrame:
    rows = [result.stats[["cagr", "sharpe", "max_drawdown", "cost_drag"]] for result in results]
    return pd.DataFrame([dict(row) for row in rows], index=index)


def _beside_in_sweep(evidence: Evidence) -> tuple[pd.DataFrame | None, str]:
    """The neighbours of the row in the grid of its sweep; None where they cannot be told."""
    sweep = evidence.sweep
    if sweep is None or sweep.top is not None or "sharpe" not in sweep.table:
        return None, ""
    try:
        mine = neighbours_of(sweep.table.index, evidence.row)
    except DataError:
        return None, ""  # its parameters have no order
    if mine.empty:
        return None, ""
    return sweep.table.loc[mine, ["sharpe"]], "At most one step of the grid away in each parameter."


def _beside(result: Result) -> pd.DataFrame | None:
    """The strategy with each of its numbers moved a little, one at a time."""
    moved: dict[str, Strategy] = {}
    for name, entry in type(result.strategy).declared().items():
        value = getattr(result.strategy, name)
        if isinstance(entry.metadata.get("bounds"), Bounds) and type(value) in (int, float) and value:
            moved |= {repr(one): one for one in _moved(result.strategy, name, value)}
    moved.pop(repr(result.strategy), None)
    if not moved or result.case.orders:
        return None
    found = returns_of(list(moved.values()), result.case.seen, result.terms)
    ratios = np.asarray(p.sharpe_ratio(found, result.bars.periods_per_year))
    return pd.DataFrame({"sharpe": ratios}, index=pd.Index(list(moved), name="configuration"))


def _moved(strategy: Strategy, name: str, value: Any) -> list[Strategy]:
    found = []
    for step in _STEPS:
        near = value * step
        if isinstance(value, int):
            near = round(near) if abs(near - value) >= 1 else value + (1 if step > 1 else -1)
        try:
            found.append(strategy.replaced(**{name: near}))
        except DataError:
            continue  # out of the strategy's bounds: there is no such neighbour
    return found


def _elsewhere(evidence: Evidence) -> tuple[pd.DataFrame | None, str]:
    """The row's parameters on the other symbols of its sweep."""
    sweep = evidence.sweep
    if sweep is None or "symbol" not in sweep.table.index.names or len(sweep.bars.symbols) < 2:
        return None, ""
    key = evidence.row[:-1]
    keys = [(*key, symbol) for symbol in sweep.bars.symbols if symbol != evidence.row[-1]]
    known = [one for one in keys if one in sweep.table.index]
    if "sharpe" not in sweep.table or not known:
        return None, ""
    table = sweep.table.loc[pd.MultiIndex.from_tuples(known), ["sharpe"]].droplevel(list(range(len(key))))
    return table, "The same parameters on every other symbol of the sweep."


def _left_out(result: Result) -> pd.DataFrame:
    """The result without each of the symbols that earned most."""
    earned = result.trades.groupby("symbol")["pnl"].sum().sort_values(ascending=False)
    rows = {}
    for symbol in earned.index[:_MOST_LEFT_OUT]:
        rest = result.bars.select([other for other in result.bars.symbols if other != symbol])
        found = backtest(result.strategy, rest, **result.terms.arguments)
        rows[symbol] = {"earned": float(earned[symbol]), "sharpe": float(found.stats["sharpe"])}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("without")


#: In the order in which a failure is named.
QUESTIONS: Final[tuple[Question, ...]] = (
    costs, delay, fills, neighbours, choice, periods, symbols, trades, band, engines,
)  # fmt: skip
