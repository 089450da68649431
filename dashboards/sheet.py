"""`Sheet`: a table of thousands of rows, sorted, filtered and leafed through; the server sends a page at a time."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
import panel as pn
from panel.io.model import JSCode

from dashboards import parts

Kind = Literal["text", "percent", "number", "count"]

#: Tabulator has no option for the roles that screen readers need, nor for keys; the first heading brings them.
_MENDING: Final = (Path(__file__).parent / "sheet.js").read_text(encoding="utf-8")

_CELL: Final = """
function (cell) {
  const value = cell.getValue(), box = document.createElement("span");
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (__SIGNED__ && value !== 0) box.className = value > 0 ? "gain" : "loss";
  const digits = {minimumFractionDigits: __DECIMALS__, maximumFractionDigits: __DECIMALS__};
  box.textContent = value.toLocaleString("en", digits) + "__UNIT__";
  return box;
}
"""

#: Kind of a column -> decimals and unit of what is written.
_WRITTEN: Final[Mapping[str, tuple[int, str]]] = {"percent": (2, "%"), "number": (2, ""), "count": (0, "")}


@dataclass(frozen=True)
class Heading:
    """A column of a sheet.

    Parameters
    ----------
    name : str
        In the table.
    title : str
        As people read it.
    kind : {"text", "percent", "number", "count"}
        How its values are written; 12.5 is 12.50%, so that filters mean what is read.
    signed : bool
        Whether values above zero are gains and below losses.
    hint : str
        What it means, shown over the heading.
    """

    name: str
    title: str
    kind: Kind = "number"
    signed: bool = False
    hint: str = ""


class Sheet:
    """A table that is sorted and filtered on the server.

    Parameters
    ----------
    headings : sequence of Heading
        Its columns; the first names the row and stays in sight.
    caption : str
        What it shows, for those who do not see it.
    words : mapping of str to str
        Labels: `first`, `previous`, `next`, `last`, `page`, `find`.
    picked : callable, optional
        Called with the first column's value of a row that is clicked, or entered by key.
    rows : int
        Of a page; with 0 there are no pages.
    filtered : bool
        Whether headings have a field to filter by: text that a name holds, or the least number.
    tight : bool
        Whether it is as wide as its columns, and not as its place.
    """

    def __init__(
        self,
        headings: Sequence[Heading],
        caption: str,
        words: Mapping[str, str],
        picked: Callable[[str], None] | None = None,
        *,
        rows: int = 15,
        filtered: bool = False,
        tight: bool = False,
    ) -> None:
        self._headings, self._caption, self._words = tuple(headings), caption, words
        self._picked, self._rows, self._filtered = picked, rows, filtered
        self._layout = "fit_data_table" if tight else "fit_data_fill"
        self._table: pn.widgets.Tabulator | None = None
        self.view = pn.Column(parts.text(""), sizing_mode="stretch_width", margin=0)

    def show(self, table: pd.DataFrame) -> None:
        """Show these rows; nothing is sent where they are shown already, and nothing stands there without any."""
        wanted = table[[heading.name for heading in self._headings]].reset_index(drop=True)
        if wanted.empty:
            self._table, self.view[:] = None, [parts.text("")]
        elif self._table is None:
            # What is sent while a browser builds a table is lost, so it has its rows from the beginning.
            self._table = self._made(wanted)
            self.view[:] = [self._table]
        elif not wanted.equals(self._table.value):
            self._table.value = wanted

    def _made(self, rows: pd.DataFrame) -> pn.widgets.Tabulator:
        headings, numbers = self._headings, [one for one in self._headings if one.kind in _WRITTEN]
        right = {heading.name: "right" for heading in numbers}
        first = headings[0].name
        made = pn.widgets.Tabulator(
            rows, show_index=False, disabled=True, selectable=False, pagination="remote" if self._rows else None,
            page_size=self._rows or None, theme="simple", layout=self._layout, sizing_mode="stretch_width",
            margin=0, css_classes=["qtw-sheet"], text_align=right, header_align=right, frozen_columns=[first],
            titles={heading.name: html.escape(heading.title) for heading in headings},
            header_tooltips={heading.name: html.escape(heading.hint) for heading in headings if heading.hint},
            formatters={heading.name: _cell(heading) for heading in numbers},
            editors={heading.name: None for heading in headings},  # else every cell is a stop of the tab key
            header_filters=_filters(headings, self._words) if self._filtered else None,
            title_formatters={first: JSCode(_MENDING.replace('"__CAPTION__"', json.dumps(self._caption)))},
            configuration={"locale": "qtw", "langs": {"qtw": {"pagination": _pager(self._words)}}},
        )  # fmt: skip
        if self._picked is not None:
            made.on_click(self._clicked)
        return made

    def _clicked(self, event: Any) -> None:
        if self._picked is not None and self._table is not None and event.row < len(self._table.value):
            self._picked(str(self._table.value[self._headings[0].name].iloc[event.row]))


def _cell(heading: Heading) -> JSCode:
    decimals, unit = _WRITTEN[heading.kind]
    code = _CELL.replace("__SIGNED__", "true" if heading.signed else "false")
    return JSCode(code.replace("__DECIMALS__", str(decimals)).replace("__UNIT__", unit))


def _filters(headings: Sequence[Heading], words: Mapping[str, str]) -> dict[str, Any]:
    """A field in each heading."""
    text = {"type": "input", "func": "like", "placeholder": words["find"]}
    least = {"type": "number", "func": ">=", "placeholder": "≥"}
    return {heading.name: least if heading.kind in _WRITTEN else text for heading in headings}


def _pager(words: Mapping[str, str]) -> dict[str, str]:
    return {
        "first": words["first"], "first_title": words["first"], "last": words["last"], "last_title": words["last"],
        "prev": words["previous"], "prev_title": words["previous"], "next": words["next"],
        "next_title": words["next"], "page_title": words["page"],
    }  # fmt: skip
