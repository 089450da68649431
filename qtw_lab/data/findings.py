"""What a quality check found, and the report of it."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from qtw_lab.core import Fact, Facts

Severity = Literal["error", "warning", "info"]

#: Severities from the worst: an error keeps a table from becoming `Bars` or makes its numbers impossible; a warning
#: may ruin
#: a backtest and wants a look; an information is worth knowing.
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or oddity of one symbol.

    Parameters
    ----------
    kind : str
        What it is ("gap", "suspected_split", "text_column").
    severity : {"error", "warning", "info"}
        How bad; see `SEVERITIES`.
    symbol : str
        Whose; empty for the whole table.
    first, last : pandas.Timestamp or None
        First and last bar concerned, UTC; None where no time can be read.
    count : int
        How many bars, or entries, are concerned.
    detail : str
        What was seen and what to do, for people.
    """

    kind: str
    severity: Severity
    symbol: str
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    count: int
    detail: str

    @classmethod
    def at(cls, kind: str, severity: Severity, symbol: str, times: pd.DatetimeIndex, detail: str) -> Finding:
        """A finding about the bars at `times`, which need not be sorted and may hold NaT."""
        known = times.dropna()
        first, last = (known.min(), known.max()) if len(known) else (None, None)
        return cls(kind, severity, symbol, first, last, len(times), detail)

    def __str__(self) -> str:
        where = f" {self.symbol}" if self.symbol else ""
        when = "" if self.first is None else f" {self.first:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
        times = f" x{self.count:,}" if self.count > 1 else ""
        return f"{self.severity}:{where}{when} {self.kind.replace('_', ' ')}{times}: {self.detail}"


@dataclass(frozen=True)
class QualityReport:
    """Everything a quality check found; it flags and never mends.

    Parameters
    ----------
    symbols : tuple of str
        What was checked.
    bars : int
        Bars, or rows, over all symbols.
    first, last : pandas.Timestamp or None
        Range of the readable times, UTC.
    timeframe, calendar : str
        What the data was checked against; empty if it could not be told.
    findings : tuple of Finding
        Worst first, then by symbol and time.
    """

    symbols: tuple[str, ...]
    bars: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    timeframe: str
    calendar: str
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        rank = {severity: place for place, severity in enumerate(SEVERITIES)}
        late = pd.Timestamp.max.tz_localize("UTC")
        order = sorted(self.findings, key=lambda f: (rank[f.severity], f.symbol, f.first or late, f.kind))
        object.__setattr__(self, "findings", tuple(order))

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings still want a look."""
        return not self.of("error")

    def of(self, *kinds: str) -> tuple[Finding, ...]:
        """The findings of those kinds or severities."""
        return tuple(f for f in self.findings if f.kind in kinds or f.severity in kinds)

    def table(self) -> pd.DataFrame:
        """One row a finding: severity, kind, symbol, first, last, count, detail; no rows if nothing was found."""
        columns = ["severity", "kind", "symbol", "first", "last", "count", "detail"]
        table = pd.DataFrame([[getattr(f, name) for name in columns] for f in self.findings], columns=columns)
        for name in ("first", "last"):
            table[name] = pd.to_datetime(table[name], utc=True)
        return table

    def facts(self) -> Facts:
        """Sizes and the number of findings, by severity and by kind; the errors and warnings (ten at most) as notes."""
        kinds = Counter(f.kind for f in self.findings)
        serious = self.of("error", "warning")
        notes = [str(f) for f in serious[:10]]
        if len(serious) > len(notes):
            notes.append(f"and {len(serious) - len(notes)} more")
        return Facts(
            "Data quality",
            (
                Fact("symbols", len(self.symbols), "count"),
                Fact("bars", self.bars, "bars"),
                Fact("first", _day(self.first), "date", "First bar"),
                Fact("last", _day(self.last), "date", "Last bar"),
                Fact("timeframe", self.timeframe or None, "text", "Length of a bar"),
                Fact("calendar", self.calendar or None, "text"),
                *(Fact(f"{name}s", len(self.of(name)), "count", f"Findings: {name}") for name in SEVERITIES),
                *(
                    Fact(f"kind_{kind}", n, "count", kind.replace("_", " ").capitalize())
                    for kind, n in sorted(kinds.items())
                ),
            ),
            tuple(notes),
        )

    def __str__(self) -> str:
        return "\n".join([self._headline(), *(f"  {finding}" for finding in self.findings)])

    def _headline(self) -> str:
        counts = ", ".join(
            f"{len(self.of(name))} {name}{'s' if len(self.of(name)) != 1 else ''}" for name in SEVERITIES
        )
        against = " ".join(part for part in (self.timeframe, self.calendar) if part) or "no clock"
        return f"{len(self.symbols)} symbol(s), {self.bars:,} bars, against {against}: {counts}"

    def _repr_html_(self) -> str:
        """An HTML table of the findings, every text escaped, at most two hundred rows."""
        rows = "".join(_row(finding) for finding in self.findings[:_SHOWN])
        more = len(self.findings) - _SHOWN
        tail = f"<p><small>and {more} more; see .table()</small></p>" if more > 0 else ""
        head = "".join(
            f"<th>{name}</th>" for name in ("severity", "kind", "symbol", "first", "last", "count", "detail")
        )
        caption = f'<caption style="text-align:left"><b>{html.escape(self._headline())}</b></caption>'
        if not rows:
            return f"<p><b>{html.escape(self._headline())}</b></p>"
        return f'<table class="qtw-quality">{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{tail}'


def _row(finding: Finding) -> str:
    cells: Iterable[str] = (
        finding.severity,
        finding.kind.replace("_", " "),
        finding.symbol,
        _day(finding.first) or "",
        _day(finding.last) or "",
        f"{finding.count:,}",
        finding.detail,
    )
    return "<tr>" + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in cells) + "</tr>"


def _day(at: pd.Timestamp | None) -> str | None:
    """A time without a needless midnight."""
    return None if at is None else f"{at:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
