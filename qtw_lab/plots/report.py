"""A report in one HTML file: caveats first, figures inside, nothing fetched from anywhere."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union

import pandas as pd

from qtw_lab.core import DataError, Facts
from qtw_lab.plots.bodies import MOST_ROWS, Banner, FactTable, Glossary, Tone, body_html, items, lead_html
from qtw_lab.plots.page import script, style
from qtw_lab.plots.picture import checked, height, item_json, library, titles
from qtw_lab.plots.theme import counterparts, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

__all__ = ["MOST_ROWS", "Banner", "Body", "FactTable", "Section", "Tone", "report_html"]

Body: TypeAlias = Union["LayoutDOM", pd.DataFrame, pd.Series, str, Facts, FactTable, Banner]

#: Everything a section may hold that is not a Bokeh figure.
_WORDS: Final = (pd.DataFrame, pd.Series, str, Facts, FactTable, Banner)

#: Figures a reader needs before any other, by what their name contains.
_FIRST: Final = ("trial", "deflated_sharpe", "cost", "fingerprint")

#: A page of more sections than this begins with a list of them.
_FEW: Final = 6


@dataclass(frozen=True, eq=False)
class Section:
    """One part of a report.

    Parameters
    ----------
    title : str
        Its heading.
    body : figure, DataFrame, Series, str, Facts, FactTable or Banner, or a sequence of them
        A Bokeh figure, a table, text whose paragraphs are parted by empty lines, labelled figures, such figures side by
        side, or a verdict. Several stand below each other under the one heading.
    note : str
        A sentence under it: what to see, or what to beware of.
    label : str
        What a figure shows, for people who cannot see it; its titles by default.

    Raises
    ------
    DataError
        If the title is empty, there is no body, or a body is of another kind.

    Examples
    --------
    >>> Section("Remarks", "Costs are included.").title
    'Remarks'
    """

    title: str
    body: Body | Sequence[Body]
    note: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise DataError(f"A section needs a title that is text, not {self.title!r}.")
        if not self.bodies:
            raise DataError(f"The section {self.title!r} is empty; leave it out instead.")
        for _ in self.figures():
            pass

    @property
    def bodies(self) -> tuple[Any, ...]:
        """What stands under the heading, in order."""
        return tuple(self.body) if isinstance(self.body, (list, tuple)) else (self.body,)

    def figures(self) -> Iterator[LayoutDOM]:
        """The Bokeh figures among the bodies.

        Raises
        ------
        DataError
            If one is neither a figure nor anything else that a section may hold.
        """
        for body in self.bodies:
            if not isinstance(body, _WORDS):
                checked(body)
                yield body


def report_html(
    title: str, lead: Facts, sections: Sequence[Section], notes: Sequence[str] = (), theme: str = "light"
) -> str:
    """A page that can be mailed: one file, drawn by the scripts inside it, without any request.

    The page begins with the lead: trial count, deflated Sharpe ratio, costs and data fingerprint first, then its other
    figures and its caveats. A page of many sections lists them next. Every figure that has a definition links to it at
    the end of the page (``#def-sharpe``). A button switches between light and dark, figures included. Printing replaces
    the figures by still pictures on white.

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
    _check(title, lead, notes)
    themed(theme)
    words = Glossary()
    opening = lead_html(lead, _FIRST, words)
    parts = [_section(number, section, words) for number, section in enumerate(sections, start=1)]
    figures = [figure for section in sections for figure in section.figures()]
    closing = f'<section class="notes"><h2>Notes</h2><ul>{items(notes)}</ul></section>\n' if notes else ""
    return (
        f'<!doctype html>\n<html lang="en" data-theme="{theme}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{style()}</style>\n</head>\n<body>\n"
        f"<main>\n{opening}<header><h1>{html.escape(title)}</h1>"
        '<button type="button" id="theme" hidden>Dark</button></header>\n'
        + _contents(sections)
        + "\n".join(parts)
        + f"\n{closing}{words.section()}</main>\n"
        + (_scripts(figures) if figures else "")
        + f"<script>{script()}</script>\n</body>\n</html>\n"
    )


def _check(title: str, lead: Facts, notes: Sequence[str]) -> None:
    if not isinstance(title, str) or not title.strip():
        raise DataError(f"A report needs a title that is text, not {title!r}.")
    if not isinstance(lead, Facts) or not (len(lead) or lead.notes):
        raise DataError(
            "A report opens with its lead: Facts that tell trial count, costs and data. Give at least one figure."
        )
    if isinstance(notes, str):
        raise DataError("The notes of a report are several sentences; put a single one into a list.")


def _contents(sections: Sequence[Section]) -> str:
    """Links to the sections of a long page."""
    if len(sections) <= _FEW:
        return ""
    links = "".join(
        f'<li><a href="#section-{number}">{html.escape(section.title)}</a></li>'
        for number, section in enumerate(sections, start=1)
    )
    return f'<nav aria-label="Contents"><ol>{links}</ol></nav>\n'


def _scripts(figures: Sequence[LayoutDOM]) -> str:
    """The drawing library and what replaces each colour when the theme changes."""
    swaps = json.dumps({name: counterparts(name) for name in ("light", "dark")})
    return "".join(f"<script>{part}</script>\n" for part in library(figures)) + (
        f'<script type="application/json" id="colours">{swaps}</script>\n'
    )


def _section(number: int, section: Section, words: Glossary) -> str:
    """One section as HTML."""
    name, title, drawn = f"section-{number}", section.title, 0
    inner = ""
    for body in section.bodies:
        if isinstance(body, _WORDS):
            inner += body_html(body, title, words)
        else:
            drawn += 1
            inner += _figure(f"figure-{number}" if drawn == 1 else f"figure-{number}-{drawn}", section, body)
    note = f'<p class="note">{html.escape(section.note)}</p>' if section.note else ""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{html.escape(title)}</h2>{inner}{note}</section>'


def _figure(name: str, section: Section, body: Any) -> str:
    """The place of a figure, and the figure as data that the page's script draws."""
    label = html.escape(section.label or titles(body) or section.title, quote=True)
    return (
        f'<figure id="{name}" role="group" aria-label="{label}">'
        f'<div class="chart" style="min-height:{height(body)}px">'
        f"<noscript>{label}: this figure needs scripts.</noscript></div>"
        f'<script type="application/json" class="item">{item_json(body)}</script></figure>'
    )
