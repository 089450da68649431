"""A report in one HTML file: caveats first, figures inside, nothing fetched from anywhere."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union

import pandas as pd

from qtw_lab.core import DataError, Facts
from qtw_lab.plots.page import script, style
from qtw_lab.plots.picture import checked, height, item_json, library, titles
from qtw_lab.plots.theme import counterparts, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

Body: TypeAlias = Union["LayoutDOM", pd.DataFrame, pd.Series, str, Facts]

#: Rows of a table beyond which only the first are printed.
MOST_ROWS: Final = 200

#: Figures a reader needs before any other, by what their name contains.
_FIRST: Final = ("trial", "cost", "fingerprint")


#: A number as people write it: sign, digits and their marks, per cent.
_WRITTEN: Final = re.compile(r"[-+–]|[-+]?[\d,]*\.?\d+%?")


@dataclass(frozen=True, eq=False)
class Section:
    """One part of a report.

    Parameters
    ----------
    title : str
        Its heading.
    body : figure, DataFrame, Series, str or Facts
        A Bokeh figure, a table, text whose paragraphs are parted by empty lines, or labelled figures.
    note : str
        A sentence under it: what to see, or what to beware of.
    label : str
        What a figure shows, for people who cannot see it; its titles by default.

    Raises
    ------
    DataError
        If the title is empty or the body is of another kind.

    Examples
    --------
    >>> Section("Remarks", "Costs are included.").title
    'Remarks'
    """

    title: str
    body: Body
    note: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise DataError(f"A section needs a title that is text, not {self.title!r}.")
        if not isinstance(self.body, (pd.DataFrame, pd.Series, str, Facts)):
            checked(self.body)


def report_html(
    title: str, lead: Facts, sections: Sequence[Section], notes: Sequence[str] = (), theme: str = "light"
) -> str:
    """A page that can be mailed: one file, drawn by the scripts inside it, without any request.

    The page begins with the lead: trial count, costs and data fingerprint first, then its other figures and its
    caveats. A button switches between light and dark, figures included. Printing replaces the figures by still pictures
    on white.

    Parameters
    ----------
    title : str
        Heading and name of the page.
    lead : Facts
        What a reader must know before looking at any result.
    sections : sequence of Section
        In reading order.
    notes : sequence of str
        Remarks at the end.
    theme : {"light", "dark"}
        What the page opens with, whatever the figures were drawn with.

    Returns
    -------
    str
        HTML. All text is escaped.

    Raises
    ------
    DataError
        If the title is empty, the lead has neither figure nor note, or the theme is unknown.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> from qtw_lab.core import Fact
    >>> page = report_html("Demo", Facts("Basis", (Fact("trials", 12, "count"),)), [Section("Remarks", "a < b")])
    >>> page.startswith("<!doctype html>"), "a &lt; b" in page
    (True, True)
    """
    if not isinstance(title, str) or not title.strip():
        raise DataError(f"A report needs a title that is text, not {title!r}.")
    if not isinstance(lead, Facts) or not (len(lead) or lead.notes):
        raise DataError(
            "A report opens with its lead: Facts that tell trial count, costs and data. Give at least one figure."
        )
    if isinstance(notes, str):
        raise DataError("The notes of a report are several sentences; put a single one into a list.")
    themed(theme)
    parts = [_section(number, section) for number, section in enumerate(sections, start=1)]
    figures = [
        section.body for section in sections if not isinstance(section.body, (pd.DataFrame, pd.Series, str, Facts))
    ]
    closing = f'<section class="notes"><h2>Notes</h2><ul>{_items(notes)}</ul></section>' if notes else ""
    return (
        f'<!doctype html>\n<html lang="en" data-theme="{theme}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{style()}</style>\n</head>\n<body>\n"
        f"<main>\n{_lead(lead)}<header><h1>{html.escape(title)}</h1>"
        '<button type="button" id="theme" hidden>Dark</button></header>\n'
        + "\n".join(parts)
        + f"\n{closing}</main>\n"
        + (_scripts(figures) if figures else "")
        + f"<script>{script()}</script>\n</body>\n</html>\n"
    )


def _scripts(figures: Sequence[LayoutDOM]) -> str:
    """The drawing library and what replaces each colour when the theme changes."""
    swaps = json.dumps({name: counterparts(name) for name in ("light", "dark")})
    return "".join(f"<script>{part}</script>\n" for part in library(figures)) + (
        f'<script type="application/json" id="colours">{swaps}</script>\n'
    )


def _lead(lead: Facts) -> str:
    """The first thing on the page: what the results rest on, most important first."""
    known = list(lead)
    first = [fact for word in _FIRST for fact in known if word in fact.name]
    ordered = list(dict.fromkeys([*first, *known]))
    entries = "".join(
        f'<div title="{html.escape(fact.definition, quote=True)}"><dt>{html.escape(fact.title)}</dt>'
        f"<dd>{html.escape(fact.shown)}</dd></div>"
        for fact in ordered
    )
    caveats = f"<ul>{_items(lead.notes)}</ul>" if lead.notes else ""
    heading = html.escape(lead.title)
    opening = f'<aside class="lead" aria-label="{heading}"><p class="kicker">{heading}</p>'
    return f"{opening}<dl>{entries}</dl>{caveats}</aside>\n"


def _section(number: int, section: Section) -> str:
    """One section as HTML."""
    name = f"section-{number}"
    body, title = section.body, section.title
    if isinstance(body, str):
        inner = "".join(f"<p>{html.escape(part.strip())}</p>" for part in body.split("\n\n") if part.strip())
    elif isinstance(body, Facts):
        inner = _facts(body, title)
    elif isinstance(body, (pd.DataFrame, pd.Series)):
        inner = _table(body.to_frame() if isinstance(body, pd.Series) else body, title)
    else:
        inner = _figure(number, section)
    note = f'<p class="note">{html.escape(section.note)}</p>' if section.note else ""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{html.escape(title)}</h2>{inner}{note}</section>'


def _figure(number: int, section: Section) -> str:
    """The place of a figure, and the figure as data that the page's script draws."""
    body: Any = section.body
    label = html.escape(section.label or titles(body) or section.title, quote=True)
    return (
        f'<figure id="figure-{number}" role="group" aria-label="{label}">'
        f'<div class="chart" style="min-height:{height(body)}px">'
        f"<noscript>{label}: this figure needs scripts.</noscript></div>"
        f'<script type="application/json" class="item">{item_json(body)}</script></figure>'
    )


def _facts(facts: Facts, title: str) -> str:
    """Labelled figures as a table of two columns, with their definitions."""
    defined = any(fact.definition for fact in facts)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(fact.title)}</th><td class="number">{html.escape(fact.shown)}</td>'
        + (f'<td class="definition">{html.escape(fact.definition)}</td>' if defined else "")
        + "</tr>"
        for fact in facts
    )
    head = '<th scope="col">Figure</th><th scope="col" class="number">Value</th>' + (
        '<th scope="col">Definition</th>' if defined else ""
    )
    notes = f'<ul class="note">{_items(facts.notes)}</ul>' if facts.notes else ""
    inner = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return _scrolling(facts.title, inner, repeated=facts.title == title, kind=' class="facts"') + notes


def _table(table: pd.DataFrame, title: str) -> str:
    """A table with its index as row headings unless that only counts; it says how many past `MOST_ROWS` are out."""
    shown = table.head(MOST_ROWS)
    counted = isinstance(table.index, pd.RangeIndex)
    numeric = [_numbers(shown.iloc[:, place]) for place in range(shown.shape[1])]
    names = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in shown.columns]
    index = " / ".join(str(name) for name in shown.index.names if name is not None)
    head = "" if counted else f'<th scope="col">{html.escape(index)}</th>' if index else "<td></td>"
    for name, right in zip(names, numeric, strict=True):
        head += f'<th scope="col"{_right(right)}>{html.escape(name)}</th>'
    rows = []
    for key, *values in shown.itertuples(name=None):
        label = " / ".join(map(_text, key)) if isinstance(key, tuple) else _text(key)
        cells = "".join(
            f"<td{_right(right)}>{html.escape(_text(value))}</td>" for value, right in zip(values, numeric, strict=True)
        )
        heading = "" if counted else f'<th scope="row">{html.escape(label)}</th>'
        rows.append(f"<tr>{heading}{cells}</tr>")
    count = f"{len(table):,} rows" if len(table) != 1 else "1 row"
    caption = f"{title}: {count}" if len(table) <= MOST_ROWS else f"{title}: the first {MOST_ROWS} of {count}"
    return _scrolling(caption, f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>")


def _numbers(column: pd.Series) -> bool:
    """Whether a column holds numbers, or numbers already written out."""
    if not pd.api.types.is_string_dtype(column.dtype):
        return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    return len(column) > 0 and all(_WRITTEN.fullmatch(str(value)) for value in column)


def _right(right: bool) -> str:
    return ' class="number"' if right else ""


def _text(value: Any) -> str:
    """A cell as people read it: six significant digits, dates without an empty clock, a dash for nothing."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, pd.Timestamp):
        bare = value == value.normalize()
        return (
            f"{value:%Y-%m-%d}"
            if bare
            else f"{value:%Y-%m-%d %H:%M:%S}" + (f" {value.tzname()}" if value.tzinfo else "")
        )
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.6g}"
    return (
        f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000 else str(value)
    )


def _scrolling(caption: str, inner: str, *, repeated: bool = False, kind: str = "") -> str:
    """A table inside a box that scrolls by itself on a narrow screen, with the keyboard too.

    A caption that repeats the heading above it is kept for screen readers only.
    """
    label = html.escape(caption, quote=True)
    shown = f'<span class="unseen">{label}</span>' if repeated else label
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">'
        f"<table{kind}><caption>{shown}</caption>{inner}</table></div>"
    )


def _items(sentences: Sequence[str]) -> str:
    return "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
