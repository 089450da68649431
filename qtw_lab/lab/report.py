"""The honest report: what was tried, on which data, at which costs, and what came of it, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from qtw_lab.core import Fact, Facts
from qtw_lab.core.facts import Unit
from qtw_lab.core.files import write_text
from qtw_lab.lab import figures
from qtw_lab.runs import DataUse, write_data

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep
    from qtw_lab.plots import Section

#: How many trades and orders a report lists; the files beside it hold all of them.
_LISTED: Final = 25

#: What the columns of trades and sweeps measure.
_UNITS: Final[dict[str, Unit]] = {
    "quantity": "money", "entry_price": "money", "exit_price": "money", "commission": "money", "pnl": "money",
    "return": "fraction", "total_return": "fraction", "cagr": "fraction", "volatility": "fraction",
    "paid": "money", "max_drawdown": "fraction",
    "sharpe": "ratio", "sortino": "ratio", "calmar": "ratio", "final_equity": "money",
}  # fmt: skip

_LEAD: Final = ("trials", "costs", "execution", "data_fingerprint", "agreement", "symbols", "period")


@dataclass(frozen=True)
class Report:
    """A finished report.

    Parameters
    ----------
    html : str
        The standalone page.
    facts : Facts
        Its figures.
    data : tuple of DataUse
        What it rests on.
    """

    html: str
    facts: Facts
    data: tuple[DataUse, ...]

    def write(self, path: str | Path) -> Path:
        """Write the page to a file, in one step.

        Raises
        ------
        SetupError
            If the file cannot be written.
        """
        return write_text(Path(path), self.html)

    def save(self, folder: str | Path) -> Path:
        """Write ``report.html``, ``facts.json`` and ``data.json`` into a folder and return the page's path.

        Raises
        ------
        SetupError
            If the folder cannot be written.
        """
        place = Path(folder)
        write_text(place / "facts.json", self.facts.to_json(indent=1))
        write_data(place, self.data)
        return write_text(place / "report.html", self.html)

    def __repr__(self) -> str:
        return (
            f"Report({self.facts.title!r}, {len(self.html) / 1e6:.1f} MB; save it with .save(folder) or .write(path))"
        )


def report(result: Result, sweep: Sweep | None, title: str | None, trials: int) -> Report:
    """The report of a result, and of the sweep that found it."""
    from qtw_lab.plots import report_html

    result = result.verify()
    facts = result.facts(max(trials, sweep.trials if sweep is not None else 1))
    lead = Facts("What this rests on", tuple(fact for fact in facts if fact.name in _LEAD), facts.notes)
    html = report_html(title or facts.title, lead, _sections(result, sweep, facts), _closing(result))
    return Report(html, facts, (DataUse.of(result.bars),))


def _sections(result: Result, sweep: Sweep | None, facts: Facts) -> list[Section]:
    from qtw_lab.plots import Section

    figures_only = Facts("Figures", tuple(fact for fact in facts if fact.name not in _LEAD))
    sections = [
        Section("Result after costs", figures_only),
        Section(
            "Equity", figures.equity(result, "light").figure, "The account against buying and holding, free of cost."
        ),
        Section("Trades on the chart", figures.chart(result, None, "light", {}).figure, result.bars.symbols[0]),
        Section("Returns by month", figures.calendar(result, "light").figure),
        *_costs_and_band(result),
    ]
    if sweep is not None:
        whole = sweep.top is None and "sharpe" in sweep.table  # else it kept the best rows by a metric of its own
        best = sweep.best("sharpe" if whole else None, 10).reset_index()
        sections.append(Section("Best of the sweep", _shown(best), sweep.facts().notes[0]))
        varied = [name for name in sweep.names if sweep.table.index.get_level_values(name).nunique() > 1]
        if whole and len(varied) == 2:
            symbol = result.bars.symbols[0] if len(result.bars.symbols) == 1 else None
            note = "Trust a plateau of good cells more than a single peak."
            sections.append(Section("Parameter map", figures.heatmap(sweep, "sharpe", symbol, "light").figure, note))
    trades = result.trades.tail(_LISTED).iloc[::-1]
    if not trades.empty:
        note = f"The last {len(trades)} of {len(result.trades)}; those still open are valued at the last close."
        sections.append(Section("Last trades", _shown(trades.drop(columns="bars").reset_index(drop=True)), note))
    return sections


def _costs_and_band(result: Result) -> list[Section]:
    """What costs took, part by part, and between which figures the unknown course of the bars leaves the truth."""
    from qtw_lab.plots import Section

    sections = []
    costs = result.costs[result.costs["paid"] > 0]
    if not costs.empty:
        table = costs.rename_axis("cost").reset_index()
        table["cost"] = [name.replace("_", " ") for name in table["cost"]]
        table["drag"] = [Fact("drag", drag, "fraction").shown for drag in table["drag"]]
        note = "Money paid, and drag: paid over mean equity, a year."
        sections.append(Section("What costs took", _shown(table), note))
    if not result.band["pessimistic"].equals(result.band["optimistic"]):
        band = result.band.rename_axis("figure").reset_index()
        units = {fact.name: fact.unit for fact in result.facts()}
        for side in ("pessimistic", "optimistic"):
            pairs = zip(band["figure"], band[side], strict=True)
            band[side] = [Fact(name, value, units[name]).shown for name, value in pairs]
        band["figure"] = [_titled(name) for name in band["figure"]]
        note = (
            f"{result.ambiguous_trades:.0%} of the trades depend on whether a bar's high or its low came first. Both "
            "ways were simulated; all other figures here are the pessimistic ones."
        )
        sections.append(Section("Ambiguity band", band, note))
    return sections


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: labels for names, dates without hours, money and fractions as such."""
    columns = {}
    for name in table.columns:
        values, unit = table[name], _UNITS.get(str(name))
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            whole = bool((values == values.dt.normalize()).all())
            columns[_titled(name)] = values.dt.strftime("%Y-%m-%d" if whole else "%Y-%m-%d %H:%M")
        elif unit is not None:
            columns[_titled(name)] = pd.Series([Fact(str(name), float(v), unit).shown for v in values], dtype=str)
        else:
            columns[_titled(name)] = values
    return pd.DataFrame(columns)


def _titled(name: object) -> str:
    return str(name).replace("_", " ")


def _closing(result: Result) -> list[str]:
    """How to make the same thing again."""
    t = result.terms
    return [
        f"Strategy: {result.strategy!r}; sizing: {t.sizing.rule}; starting cash {t.cash:,.0f}; engine {result.engine}.",
        f"Data: {result.bars.source}, adjustment {result.bars.adjustment}, fingerprint {result.bars.fingerprint}.",
        f"Order list hash: {result.order_hash}.",
        "A backtest is a hypothesis about the past. It is not a promise, and nothing here is advice.",
    ]
