"""The honest report: what was tried, on which data, at which costs, and what came of it, in one file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.core.files import write_bytes, write_text
from qtw_lab.lab import figures, tearsheet
from qtw_lab.lab import tearsheet_tables as tables
from qtw_lab.lab.tearsheet_tables import readable, titled
from qtw_lab.plots import Section, report_html
from qtw_lab.plots.still import Kind, Still, still
from qtw_lab.runs import DataUse, write_data
from qtw_lab.stats import performance as p

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep

#: How many trades and orders a report lists; the files beside it hold all of them.
_LISTED: Final = 25

_LEAD: Final = (
    "trials", "deflated_sharpe", "costs", "execution", "data_fingerprint", "agreement", "symbols", "period",
)  # fmt: skip


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
    sheet : Still, optional
        What its still pages show.
    """

    html: str
    facts: Facts
    data: tuple[DataUse, ...]
    sheet: Still | None = field(repr=False, default=None)

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

    def pdf(self, path: str | Path, made: datetime | None = None) -> Path:
        """Write two A4 pages for sharing, in one step.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.
        made : datetime, optional
            Time of making, to be told at the foot and inside the file. Without it the same report gives the same bytes.

        Raises
        ------
        DataError
            If the report was made without still pages.
        SetupError
            If the file cannot be written, or Matplotlib is not installed.
        """
        return self._still(path, "pdf", made, "light")

    def png(self, path: str | Path, made: datetime | None = None, theme: str = "light") -> Path:
        """Write the same two pages below each other as one picture, in one step.

        Parameters
        ----------
        path, made
            As for `pdf`.
        theme : {"light", "dark"}
            The variant.

        Raises
        ------
        DataError
            As for `pdf`, or if the theme is unknown.
        SetupError
            As for `pdf`.
        """
        return self._still(path, "png", made, theme)

    def _still(self, path: str | Path, kind: Kind, made: datetime | None, theme: str) -> Path:
        if self.sheet is None:
            raise DataError("This report has no still pages; make one of a result with lab.report(result).")
        return write_bytes(Path(path), still(self.sheet, kind, made, theme))

    def __repr__(self) -> str:
        return (
            f"Report({self.facts.title!r}, {len(self.html) / 1e6:.1f} MB; save it with .save(folder) or .write(path))"
        )


def report(
    result: Result,
    sweep: Sweep | None,
    title: str | None,
    *,
    intervals: bool = False,
    lead: Iterable[Fact] = (),
) -> Report:
    """The report of a result, and of the sweep that found it.

    Parameters
    ----------
    result : Result
        What is reported; its ledger says how many configurations were tried.
    sweep : Sweep, optional
        Where it was found.
    title : str, optional
        The heading.
    intervals : bool
        Whether to add confidence intervals of the main figures (about a second for ten years of days).
    lead : iterable of Fact
        Further figures for the head of the page.

    Raises
    ------
    DataError
        If the title is empty, or a figure of the lead has the name of one that is there.
    """
    result = result.verify()
    facts = result.facts()
    added = tuple(lead)
    leading = [*(fact for fact in facts if fact.name in _LEAD), *added]
    leading.sort(key=lambda fact: _LEAD.index(fact.name) if fact.name in _LEAD else len(_LEAD))
    head = Facts("What this rests on", tuple(leading), facts.notes)
    sheet = tearsheet.Sheet(result, Facts("Figures", tuple(fact for fact in facts if fact.name not in _LEAD)))
    sections, gaps = _sections(sheet, sweep, intervals=intervals)
    html = report_html(title or facts.title, head, sections, [*gaps, *_closing(result)])
    return Report(html, facts.adding(added), (DataUse.of(result.bars),), _pages(sheet, head, title or facts.title))


def _sections(sheet: tearsheet.Sheet, sweep: Sweep | None, *, intervals: bool) -> tuple[list[Section], list[str]]:
    """Every section in reading order, and a sentence for each that could not be made."""
    path, gaps = tearsheet.sections(sheet, intervals=intervals)
    trading, more = tearsheet.trading_sections(sheet)
    result = sheet.result
    sections = [
        Section("Result after costs", sheet.facts),
        *path,
        *tearsheet.price_charts(sheet),
        *trading,
        *_costs_and_band(result),
        *_swept(result, sweep),
    ]
    trades = result.trades.tail(_LISTED).iloc[::-1]
    if not trades.empty:
        note = f"The last {len(trades)} of {len(result.trades)}; those still open are valued at the last close."
        sections.append(Section("Last trades", readable(trades.drop(columns="bars").reset_index(drop=True)), note))
    return sections, [*gaps, *more]


def _swept(result: Result, sweep: Sweep | None) -> list[Section]:
    """The best rows of the sweep, and its map where it varied two parameters."""
    if sweep is None:
        return []
    whole = sweep.top is None and "sharpe" in sweep.table  # else it kept the best rows by a metric of its own
    best = sweep.best("sharpe" if whole else None, 10).reset_index()
    sections = [Section("Best of the sweep", readable(best), sweep.facts().notes[0])]
    varied = [name for name in sweep.names if sweep.table.index.get_level_values(name).nunique() > 1]
    if whole and len(varied) == 2:
        symbol = result.bars.symbols[0] if len(result.bars.symbols) == 1 else None
        note = "Trust a plateau of good cells more than a single peak."
        sections.append(Section("Parameter map", figures.heatmap(sweep, "sharpe", symbol, "light").figure, note))
    return sections


def _pages(sheet: tearsheet.Sheet, lead: Facts, title: str) -> Still:
    """What the still pages show."""
    result, days = sheet.result, sheet.days
    yearly = sheet.years[["strategy", "buy_and_hold"]].rename(columns={"buy_and_hold": "buy and hold"})
    worst = tables.shown_drawdowns(sheet.worst).drop(columns=["fall", "climb"])
    rolling = pd.DataFrame(index=days.returns.index)
    if sheet.long_enough:
        window = days.window
        rolling = pd.DataFrame(
            {
                f"Sharpe ratio, {window} bars": p.rolling_sharpe(days.returns, window, days.yearly),
                f"Volatility, %, {window} bars": 100.0 * p.rolling_volatility(days.returns, window, days.yearly),
                f"Beta, {window} bars": p.rolling_beta(days.returns, days.market, window),
            }
        )
    return Still(
        title=title, lead=lead, figures=sheet.facts, equity=result.equity, benchmark=result.benchmark,
        drawdown=p.drawdown_series(result.returns), returns=result.returns, monthly=p.monthly_returns(result.returns),
        yearly=yearly, rolling=rolling, drawdowns=worst, marks=tables.marks(sheet.tails), notes=tuple(_closing(result)),
        log=figures.is_log(result),
    )  # fmt: skip


def _costs_and_band(result: Result) -> list[Section]:
    """What costs took, part by part, and between which figures the unknown course of the bars leaves the truth."""
    sections = []
    costs = result.costs[result.costs["paid"] > 0]
    if not costs.empty:
        table = costs.rename_axis("cost").reset_index()
        table["cost"] = [name.replace("_", " ") for name in table["cost"]]
        note = "Money paid, and drag: paid over mean equity, a year."
        sections.append(Section("What costs took", readable(table), note))
    if not result.band["pessimistic"].equals(result.band["optimistic"]):
        band = result.band.rename_axis("figure").reset_index()
        units = {fact.name: fact.unit for fact in result.facts()}
        for side in ("pessimistic", "optimistic"):
            pairs = zip(band["figure"], band[side], strict=True)
            band[side] = [Fact(name, value, units[name]).shown for name, value in pairs]
        band["figure"] = [titled(name) for name in band["figure"]]
        note = (
            f"{result.ambiguous_trades:.0%} of the trades depend on whether a bar's high or its low came first. Both "
            "ways were simulated; all other figures here are the pessimistic ones."
        )
        sections.append(Section("Ambiguity band", band, note))
    return sections


def _closing(result: Result) -> list[str]:
    """How to make the same thing again."""
    t = result.terms
    return [
        f"Strategy: {result.strategy!r}; sizing: {t.sizing.rule}; starting cash {t.cash:,.0f}; engine {result.engine}.",
        f"Data: {result.bars.source}, adjustment {result.bars.adjustment}, fingerprint {result.bars.fingerprint}.",
        f"Order list hash: {result.order_hash}.",
        "A backtest is a hypothesis about the past. It is not a promise, and nothing here is advice.",
    ]
