"""The page of a validation: verdict, answers, what each was taken from, robustness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Fact, Facts
from qtw_lab.core.facts import Unit
from qtw_lab.research.checks import Check, Judgement

if TYPE_CHECKING:
    from qtw_lab.plots import Section

_TONES: Final = {"supported": "good", "fragile": "warn", "not distinguishable from luck": "bad"}
#: What the columns of the tables measure.
_UNITS: Final[dict[str, Unit]] = {
    "cagr": "fraction", "sharpe": "ratio", "max_drawdown": "fraction", "cost_drag": "fraction",
    "total_return": "fraction", "earned": "money", "pessimistic": "ratio", "optimistic": "ratio",
}  # fmt: skip
_BAND_UNITS: Final[dict[str, Unit]] = {"trades": "count", "final_equity": "money", "sharpe": "ratio"}
_GATE: Final = "A single no, and nothing is left that only skill could explain."
_ANSWERS: Final = {True: "yes", False: "no", None: "not asked"}
_HEATMAP_SIDES: Final = 2


def page(report: Judgement, theme: str) -> str:
    """The HTML of a report."""
    from qtw_lab.plots import Banner, Section, report_html

    tone: Any = _TONES[report.verdict]
    lead = Facts("What this rests on", report.lead, report.notes)
    sections = [
        Section("Verdict", Banner(report.verdict.capitalize(), tone, report.reasons)),
        Section(
            "Could it be luck?",
            _answers(report.gates),
            _GATE,
        ),
        Section("Would it survive a little worse?", _answers(report.stresses), "A single no makes it fragile."),
        Section("Equity", _equity(report, theme), "The account after costs, against buying and holding free of cost."),
    ]
    for check in report.checks:
        sections += _details(check, report, theme)
    closing = [
        f"Strategy: {report.result.strategy!r}; costs {report.result.terms.costs.describe()}.",
        f"Data: {report.result.bars.source}, fingerprint {report.result.bars.fingerprint}.",
        "A test can find that luck is no explanation. It cannot find that the future will be like the past.",
    ]
    return report_html(f"Is the edge real? {report.result.strategy!r}", lead, sections, closing, theme)


def _answers(checks: tuple[Check, ...]) -> pd.DataFrame:
    """One line a question."""
    rows = [{"question": check.title, "answer": _ANSWERS[check.passed], "why": check.reason} for check in checks]
    return pd.DataFrame(rows)


def _equity(report: Judgement, theme: str) -> Any:
    from qtw_lab.plots import equity

    result = report.result
    return equity(result.equity, result.benchmark, "Equity after costs", theme)


def _details(check: Check, report: Judgement, theme: str) -> list[Section]:
    """The figures, the drawing and the table behind an answer, if there are any."""
    from qtw_lab.plots import Section

    bodies: list[Any] = []
    if check.facts:
        bodies.append(Facts(check.title, check.facts))
    drawn = _map(report, theme) if check.name == "plateau" else None
    if check.name in ("cost_stress", "delay") and check.table is not None:
        drawn = _curve(check.table, theme)
    if drawn is not None:
        bodies.append(drawn)
    if check.table is not None:
        bodies.append(shown(check.table))
    note = " ".join(part for part in (check.reason, check.note) if part)
    return [Section(check.title, bodies, note)] if bodies else []


def _curve(table: pd.DataFrame, theme: str) -> Any:
    """Growth a year over the stress, as columns."""
    from qtw_lab.plots import columns

    name = str(table.index.name)
    heights = pd.DataFrame(
        {"Growth a year, %": table["cagr"].to_numpy() * 100.0}, index=[f"{one:g}" for one in table.index]
    )
    return columns(heights.rename_axis(name), f"Growth a year by {name}", theme)


def _map(report: Judgement, theme: str) -> Any:
    """The sweep's Sharpe ratios over its two parameters; None if it has not two."""
    from qtw_lab.plots import heatmap

    sweep = report.evidence.sweep
    if sweep is None or sweep.top is not None or "sharpe" not in sweep.table:
        return None
    column = sweep.table["sharpe"]
    if "symbol" in column.index.names:
        column = column.xs(report.evidence.row[-1], level="symbol")
    numbers = all(pd.api.types.is_any_real_numeric_dtype(level.dtype) for level in getattr(column.index, "levels", ()))
    if column.index.nlevels != _HEATMAP_SIDES or not numbers or len(column) < 4 or np.isnan(column.to_numpy()).all():
        return None
    return heatmap(column, f"Sharpe ratio of {len(column):,} combinations", theme, best="max")


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it."""
    written: dict[str, Any] = {}
    for name in table.columns:
        unit = _UNITS.get(str(name))
        values = table[name]
        if name in ("pessimistic", "optimistic"):
            written[name] = [Fact(str(at), float(v), _band_unit(str(at))).shown for at, v in values.items()]
        else:
            written[name] = values if unit is None else [Fact(str(name), float(v), unit).shown for v in values]
    found = pd.DataFrame(written, index=table.index)
    if isinstance(found.index, pd.RangeIndex) and found.index.name is None:
        return found.rename(columns=_titled)
    return found.reset_index().rename(columns=_titled)


def _band_unit(name: str) -> Unit:
    return (
        "count"
        if name == "trades"
        else "money"
        if name == "final_equity"
        else "ratio"
        if name == "sharpe"
        else "fraction"
    )


def _titled(name: object) -> str:
    return str(name).replace("_", " ")
