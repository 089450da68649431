"""The parts pages are made of: tables, figures, messages, cards; each one's markup stands here once."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import panel as pn
import param

from qtw_lab.core import Facts

Mood = Literal["", "good", "bad", "warn", "busy"]

#: How a cell is written where the page says no other way.
Written = Mapping[str, Callable[[Any], str]]


def text(markup: str, **options: Any) -> pn.pane.HTML:
    """A pane of markup as wide as its place; change its `object` to change it."""
    return pn.pane.HTML(markup, sizing_mode="stretch_width", margin=options.pop("margin", 0), **options)


class Region(pn.pane.HTML):
    """A pane that scrolls, is reached by the keyboard, and stays where the reader left it when its markup changes.

    Parameters
    ----------
    label : str
        What it holds, for those who cannot see it.
    markup : str
        At first.
    tall : int
        Pixels of height beyond which it scrolls.
    """

    html_attributes = param.Dict(default={}, doc="Attributes of its element.")

    def __init__(self, label: str, markup: str = "", tall: int = 420, **options: Any) -> None:
        super().__init__(
            markup, sizing_mode="stretch_width", margin=0, css_classes=["qtw-region"], styles={"--tall": f"{tall}px"},
            html_attributes={"role": "region", "tabindex": "0", "aria-label": label}, **options,
        )  # fmt: skip


def put(pane: Any, markup: str) -> None:
    """Show markup in a pane; it is sent only where it is other than before."""
    if pane.object != markup:
        pane.object = markup


def message(words: str, mood: Mood = "", title: str = "") -> str:
    """Markup of a notice: what is so, and what to do about it."""
    head = f"<strong>{html.escape(title)}</strong> " if title else ""
    return f'<div class="qtw-message {mood}">{head}{html.escape(words)}</div>'


def card(*parts: Any, title: str = "", least: int = 320, grow: int = 1) -> pn.Column:
    """Parts on a surface of their own; in a `grid` it is at least so many pixels wide, or as wide as the window."""
    head = [text(f"<h2>{html.escape(title)}</h2>")] if title else []
    return pn.Column(
        *head, *parts, css_classes=["qtw-card"], margin=0,
        styles={"flex": f"{grow} 1 {least}px", "min-width": f"min({least}px, 100%)", "max-width": "100%"},
    )  # fmt: skip


def grid(*cards: Any) -> pn.FlexBox:
    """Cards beside each other, below each other where there is no room."""
    return pn.FlexBox(
        *cards, flex_wrap="wrap", align_items="stretch", gap="10px", sizing_mode="stretch_width", margin=(0, 0, 10, 0)
    )


def stack(*cards: Any, least: int = 320, grow: int = 1) -> pn.Column:
    """Cards below each other, which have one place in a `grid`."""
    return pn.Column(
        *(pn.FlexBox(one, flex_wrap="wrap", sizing_mode="stretch_width", margin=(0, 0, 10, 0)) for one in cards),
        margin=0,
        styles={"flex": f"{grow} 1 {least}px", "min-width": f"min({least}px, 100%)", "max-width": "100%"},
    )  # fmt: skip


def row(*parts: Any) -> pn.FlexBox:
    """Small parts in a line that wraps."""
    return pn.FlexBox(*parts, flex_wrap="wrap", align_items="end", gap="8px", sizing_mode="stretch_width", margin=0)


def table(
    frame: pd.DataFrame,
    caption: str,
    *,
    empty: str,
    written: Written | None = None,
    named: Mapping[str, str] | None = None,
    signed: Iterable[str] = (),
    wide: Iterable[str] = (),
    right: Iterable[str] = (),
    tall: int = 420,
    bare: bool = False,
) -> str:
    """Markup of a table that people and screen readers read; for up to some hundred rows.

    Parameters
    ----------
    frame : DataFrame
        Its first column names the row.
    caption : str
        What it shows.
    empty : str
        What is said where there is no row.
    written : mapping of str to callable, optional
        By column, how a value is written; see `shown` for the others.
    named : mapping of str to str, optional
        Headings by column; the column's name otherwise.
    signed : iterable of str
        Columns whose values are gains above zero and losses below.
    wide : iterable of str
        Columns of sentences, which may break into lines.
    right : iterable of str
        Columns of numbers that are written already.
    tall : int
        Pixels of height beyond which it scrolls.
    bare : bool
        Whether it stands in a `Region`, which scrolls in its place.
    """
    if frame.empty:
        return message(empty)
    ways, heads, gains, long = written or {}, named or {}, set(signed), set(wide)
    numbers = set(right)
    kinds = {name: "number" if name in numbers or pd.api.types.is_numeric_dtype(frame[name]) else "" for name in frame}
    top = "".join(
        f'<th scope="col" class="{kinds[name]}">{html.escape(heads.get(str(name), str(name)))}</th>' for name in frame
    )
    lines = []
    for values in frame.itertuples(index=False, name=None):
        cells = []
        for place, (name, value) in enumerate(zip(frame.columns, values, strict=True)):
            kind = f"{kinds[name]} {_mood(value) if name in gains else ''} {'wide' if name in long else ''}".strip()
            inner = html.escape(ways.get(str(name), shown)(value))
            cells.append(f'<th scope="row">{inner}</th>' if place == 0 else f'<td class="{kind}">{inner}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    label = html.escape(caption, quote=True)
    made = (
        f'<table class="qtw"><caption>{html.escape(caption)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    region = f'<div class="qtw-scroll" style="--tall: {tall}px" tabindex="0" role="region" aria-label="{label}">'
    return made if bare else f"{region}{made}</div>"


def figures(facts: Facts, names: Sequence[str] | None = None, titled: Callable[[str], str] = str) -> str:
    """Markup of some figures of a set of facts in boxes, each with its definition as its hint; of all by default."""
    chosen = [fact for fact in facts if names is None or fact.name in names]
    boxes = "".join(
        f'<div title="{html.escape(fact.definition, quote=True)}"><dt>{html.escape(titled(fact.title))}</dt>'
        f"<dd>{html.escape(fact.shown)}</dd></div>"
        for fact in chosen
    )
    return f'<dl class="qtw-figures">{boxes}</dl>'


_PLACES: Final = 2


def shown(value: Any) -> str:
    """A value as people read it: numbers with separators, times to the second in UTC, nothing for what is missing.

    Examples
    --------
    >>> shown(1234.5), shown(3), shown(float("nan")), shown(pd.Timestamp("2024-01-02 14:30", tz="UTC"))
    ('1,234.50', '3', '', '2024-01-02 14:30:00')
    """
    if value is None or value is pd.NaT or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    if isinstance(value, (float, np.floating)):
        return f"{value:,.{_PLACES}f}"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def percent(value: Any) -> str:
    """A fraction as a percentage; nothing for what is missing.

    Examples
    --------
    >>> percent(0.1234)
    '12.34%'
    """
    return "" if shown(value) == "" else f"{value:.2%}"


def clock(value: Any) -> str:
    """A time of day in UTC, to the second; nothing for what is missing."""
    return "" if shown(value) == "" else f"{value:%H:%M:%S}"


def _mood(value: Any) -> str:
    if not isinstance(value, (int, float)) or not value:
        return ""
    return "gain" if value > 0 else "loss" if value < 0 else ""
