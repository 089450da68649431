"""What a section of a report may hold beside figures, as HTML: verdicts, labelled figures, tables, paragraphs."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, lookup

Tone = Literal["good", "warn", "bad"]

#: A cell with more letters than this is a sentence.
_SENTENCE: Final = 40

#: Rows of a table beyond which only the first are printed.
MOST_ROWS: Final = 200

#: A number as people write it: sign, digits and their marks, per cent.
_WRITTEN: Final = re.compile(r"[-+–]|[-+]?[\d,]*\.?\d+%?")

#: How a verdict reads: its sign, which does not need colour, and its word for people who hear the page.
_TONES: Final[Mapping[Tone, tuple[str, str]]] = {
    "good": ("✓", "Good"),
    "warn": ("!", "Caution"),
    "bad": ("✗", "Bad"),
}


@dataclass(frozen=True)
class Banner:
    """A verdict in large letters, and the reasons for it in order.

    Parameters
    ----------
    title : str
        The verdict in a few words.
    tone : {"good", "warn", "bad"}
        Its colour and sign.
    reasons : sequence of str
        Sentences, the weightiest first.

    Raises
    ------
    DataError
        If the title is empty, the tone is unknown, or the reasons are one text instead of several.

    Examples
    --------
    >>> Banner("Not enough evidence", "warn", ["Only 40 bars.", "One of 4,950 tries."]).tone
    'warn'
    """

    title: str
    tone: Tone
    reasons: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            raise DataError(f"A banner needs a verdict that is text, not {self.title!r}.")
        lookup(self.tone, dict.fromkeys(get_args(Tone)), "tone")
        if isinstance(self.reasons, str) or not all(isinstance(reason, str) for reason in self.reasons):
            raise DataError("The reasons of a banner are several sentences; put a single one into a list.")
        object.__setattr__(self, "reasons", tuple(self.reasons))


@dataclass(frozen=True, eq=False)
class FactTable:
    """The same figures of several things side by side, a column each.

    Parameters
    ----------
    title : str
        What is compared.
    columns : mapping of str to Facts
        By heading. A figure that one column lacks is a dash there.
    best : mapping of str to sequence of str
        By name of a figure, the headings whose value is marked as the best.

    Raises
    ------
    DataError
        If there is no column, or a mark names a column or a figure that is not there.

    Examples
    --------
    >>> one, two = (Facts("", (Fact("sharpe", value),)) for value in (1.0, 2.0))
    >>> FactTable("Sharpe", {"A": one, "B": two}, {"sharpe": ["B"]}).names
    ('sharpe',)
    """

    title: str
    columns: Mapping[str, Facts]
    best: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.columns or not all(isinstance(facts, Facts) for facts in self.columns.values()):
            raise DataError("A table of figures side by side needs Facts by heading, at least one column.")
        for name, headings in self.best.items():
            lookup(name, dict.fromkeys(self.names), "figure of this table")
            for heading in headings:
                lookup(heading, self.columns, "column of this table")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the figures, in the order they first occur."""
        return tuple(dict.fromkeys(fact.name for facts in self.columns.values() for fact in facts))

    def row(self, name: str) -> dict[str, Fact]:
        """The figure in each column that has it."""
        return {heading: facts.fact(name) for heading, facts in self.columns.items() if name in facts}


@dataclass(slots=True)
class Glossary:
    """The definitions a page refers to, each once, in the order of their first use.

    Examples
    --------
    >>> words = Glossary()
    >>> words.link(Fact("sharpe", 1.0, definition="mean over deviation"))
    '<a href="#def-sharpe">Sharpe</a>'
    >>> words.link(Fact("trades", 3, "count"))
    'Trades'
    """

    anchors: dict[tuple[str, str], str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)

    def link(self, fact: Fact) -> str:
        """The title of a figure, as a link to its definition if it has one."""
        title = html.escape(fact.title)
        if not fact.definition:
            return title
        return f'<a href="#{self._anchor(fact)}">{title}</a>'

    def section(self) -> str:
        """Every definition linked to so far, as the last section of a page; empty if there was none."""
        if not self.anchors:
            return ""
        entries = "".join(
            f'<div id="{anchor}"><dt>{html.escape(self.titles[anchor])}</dt><dd>{html.escape(definition)}</dd></div>'
            for (_, definition), anchor in self.anchors.items()
        )
        return (
            '<section class="definitions" aria-labelledby="definitions"><h2 id="definitions">Definitions</h2>'
            f"<dl>{entries}</dl></section>"
        )

    def _anchor(self, fact: Fact) -> str:
        key = (fact.name, fact.definition)
        if key not in self.anchors:
            stem = "def-" + (re.sub(r"[^A-Za-z0-9_-]+", "-", fact.name).strip("-") or "figure")
            taken, number = set(self.anchors.values()), 2
            anchor = stem
            while anchor in taken:  # one name with two conventions, or two names of the same letters
                anchor, number = f"{stem}-{number}", number + 1
            self.anchors[key], self.titles[anchor] = anchor, fact.title
        return self.anchors[key]


def lead_html(lead: Facts, first: Sequence[str], words: Glossary) -> str:
    """The first thing on a page: what the results rest on, figures whose name contains a word of `first` ahead."""
    known = list(lead)
    ahead = [fact for word in first for fact in known if word in fact.name]
    entries = "".join(
        f'<div title="{html.escape(fact.definition, quote=True)}"><dt>{words.link(fact)}</dt>'
        f"<dd>{html.escape(fact.shown)}</dd></div>"
        for fact in dict.fromkeys([*ahead, *known])
    )
    caveats = f"<ul>{items(lead.notes)}</ul>" if lead.notes else ""
    heading = html.escape(lead.title)
    opening = f'<aside class="lead" aria-label="{heading}"><p class="kicker">{heading}</p>'
    return f"{opening}<dl>{entries}</dl>{caveats}</aside>\n"


def body_html(body: Any, title: str, words: Glossary) -> str:
    """A body that is no figure, as HTML; definitions it mentions go into `words`."""
    if isinstance(body, str):
        return "".join(f"<p>{html.escape(part.strip())}</p>" for part in body.split("\n\n") if part.strip())
    if isinstance(body, Banner):
        return _banner(body)
    if isinstance(body, Facts):
        return _facts(body, title, words)
    if isinstance(body, FactTable):
        return _fact_table(body, title, words)
    return _table(body.to_frame() if isinstance(body, pd.Series) else body, title)


def items(sentences: Sequence[str]) -> str:
    """List items."""
    return "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)


def _banner(banner: Banner) -> str:
    """A verdict; the sign is hidden from screen readers, which get the word instead."""
    sign, word = _TONES[banner.tone]
    reasons = f"<ol>{items(banner.reasons)}</ol>" if banner.reasons else ""
    return (
        f'<div class="banner {banner.tone}"><p class="verdict"><span class="sign" aria-hidden="true">{sign}</span>'
        f'<span class="unseen">{word}: </span>{html.escape(banner.title)}</p>{reasons}</div>'
    )


def _facts(facts: Facts, title: str, words: Glossary) -> str:
    """Labelled figures as a table of two columns, with their definitions."""
    defined = any(fact.definition for fact in facts)
    rows = "".join(
        f'<tr><th scope="row">{words.link(fact)}</th><td class="number">{html.escape(fact.shown)}</td>'
        + (f'<td class="definition">{html.escape(fact.definition)}</td>' if defined else "")
        + "</tr>"
        for fact in facts
    )
    head = '<th scope="col">Figure</th><th scope="col" class="number">Value</th>' + (
        '<th scope="col">Definition</th>' if defined else ""
    )
    inner = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return _scrolling(facts.title, inner, repeated=facts.title == title, kind=' class="facts"') + _notes(facts)


def _fact_table(table: FactTable, title: str, words: Glossary) -> str:
    """Figures side by side; the best of a row is bold and starred."""
    head = '<th scope="col">Figure</th>' + "".join(
        f'<th scope="col" class="number">{html.escape(heading)}</th>' for heading in table.columns
    )
    rows = []
    for name in table.names:
        found = table.row(name)
        cells = []
        for heading in table.columns:
            shown = html.escape(found[heading].shown) if heading in found else "–"
            marked = heading in table.best.get(name, ())
            star = '<span aria-hidden="true"> ★</span><span class="unseen"> (best)</span>' if marked else ""
            cells.append(f'<td class="number{" best" if marked else ""}">{shown}{star}</td>')
        rows.append(f'<tr><th scope="row">{words.link(next(iter(found.values())))}</th>{"".join(cells)}</tr>')
    inner = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return _scrolling(table.title, inner, repeated=table.title == title, kind=' class="beside"')


def _notes(facts: Facts) -> str:
    return f'<ul class="note">{items(facts.notes)}</ul>' if facts.notes else ""


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
        cells = "".join(_cell(_text(value), right=right) for value, right in zip(values, numeric, strict=True))
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


def _cell(text: str, *, right: bool) -> str:
    """A cell; one that holds a sentence may break its lines."""
    kind = ' class="sentence"' if len(text) > _SENTENCE and not right else _right(right)
    return f"<td{kind}>{html.escape(text)}</td>"


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
