"""Labelled numbers with units: the only form in which figures leave a room for people or machines."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.core.lookup import lookup

Unit = Literal["fraction", "money", "ratio", "count", "bars", "date", "text"]
Value = float | int | str | None

#: The private media type under which a notebook hands its facts to the run that executed it.
MEDIA_TYPE: Final = "application/vnd.qtw.facts+json"


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure.

    Parameters
    ----------
    name : str
        Machine name, unique within its `Facts` ("sharpe").
    value : float, int, str or None
        The figure in the unit's own scale: a fraction of 0.12 is shown as 12.00%. None and NaN mean "not defined here".
    unit : {"fraction", "money", "ratio", "count", "bars", "date", "text"}
        What the number measures.
    label : str
        What people read ("Sharpe ratio"); the name with spaces by default.
    definition : str
        The convention behind the figure, in one line.

    Raises
    ------
    DataError
        If the unit is unknown, or the value is neither a number, nor text, nor None.

    Examples
    --------
    >>> Fact("total_return", 0.1234, "fraction").shown
    '12.34%'
    """

    name: str
    value: Value
    unit: Unit = "ratio"
    label: str = ""
    definition: str = ""

    def __post_init__(self) -> None:
        lookup(self.unit, dict.fromkeys(get_args(Unit)), "unit")
        if isinstance(self.value, np.generic):
            object.__setattr__(self, "value", self.value.item())
        if not isinstance(self.value, (int, float, str, type(None))):
            raise DataError(f"The figure {self.name!r} must be a number, text or None, not {self.value!r:.80}.")

    @property
    def shown(self) -> str:
        """The figure as people read it; a dash where it is not defined."""
        if self.value is None or (isinstance(self.value, float) and math.isnan(self.value)):
            return "–"
        if isinstance(self.value, str):
            return self.value
        if not math.isfinite(self.value):
            return "∞" if self.value > 0 else "-∞"
        return {"fraction": "{:,.2%}", "money": "{:,.2f}", "ratio": "{:,.3f}"}.get(self.unit, "{:,.0f}").format(
            self.value
        )

    @property
    def title(self) -> str:
        """The label, or the name made readable."""
        return self.label or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Facts:
    """An ordered set of `Fact` under one title, with the caveats that belong to it.

    Parameters
    ----------
    title : str
        What the figures describe.
    facts : tuple of Fact
        In reading order; names are unique.
    notes : tuple of str
        Caveats a reader must see with the figures.

    Raises
    ------
    DataError
        If two facts share a name.

    Examples
    --------
    >>> facts = Facts("Demo", (Fact("sharpe", 1.5), Fact("trades", 12, "count")))
    >>> facts["sharpe"]
    1.5
    >>> print(facts.to_markdown())
    **Demo**
    <BLANKLINE>
    | figure | value |
    |---|---:|
    | Sharpe | 1.500 |
    | Trades | 12 |
    """

    title: str
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [fact.name for fact in self.facts]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise DataError(f"Facts {self.title!r} name {', '.join(twice)} twice; every figure needs its own name.")

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def __contains__(self, name: object) -> bool:
        return any(fact.name == name for fact in self.facts)

    def fact(self, name: str) -> Fact:
        """The fact called `name`.

        Raises
        ------
        DataError
            If there is none.
        """
        return lookup(name, {fact.name: fact for fact in self.facts}, "figure")

    def __getitem__(self, name: str) -> Value:
        return self.fact(name).value

    def adding(self, facts: Iterable[Fact] = (), notes: Iterable[str] = ()) -> Facts:
        """These facts followed by more, and more notes."""
        return replace(self, facts=(*self.facts, *facts), notes=(*self.notes, *notes))

    def table(self) -> pd.DataFrame:
        """One row a fact: value, unit, label and definition, indexed by name."""
        rows = [(f.name, f.value, f.unit, f.title, f.definition) for f in self.facts]
        return pd.DataFrame(rows, columns=["name", "value", "unit", "label", "definition"]).set_index("name")

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON: undefined and infinite figures become None and "inf"."""
        return {
            "title": self.title,
            "facts": [
                {"name": f.name, "value": _plain(f.value), "unit": f.unit, "label": f.title, "definition": f.definition}
                for f in self.facts
            ],
            "notes": list(self.notes),
        }

    def to_json(self, indent: int | None = None) -> str:
        """Strict JSON text of `as_dict`."""
        return json.dumps(self.as_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Facts:
        """The facts that `to_json` wrote.

        Raises
        ------
        DataError
            If the text is not such JSON.
        """
        try:
            plain = json.loads(text, parse_constant=_refused)
            facts = tuple(
                Fact(f["name"], _value(f["value"], f["unit"]), f["unit"], f["label"], f["definition"])
                for f in plain["facts"]
            )
            return cls(plain["title"], facts, tuple(plain["notes"]))
        except (ValueError, KeyError, TypeError) as err:
            raise DataError(f"This text is not a set of facts ({err}); write one with Facts.to_json().") from err

    def to_markdown(self) -> str:
        """A Markdown table of labels and shown values, then the notes."""
        rows = [f"| {_cell(f.title)} | {_cell(f.shown)} |" for f in self.facts]
        notes = [f"\n> {note}" for note in self.notes]
        return "\n".join([f"**{self.title}**", "", "| figure | value |", "|---|---:|", *rows, *notes])

    def to_html(self) -> str:
        """An HTML table (a fragment without styles of its own) with definitions as tool tips."""
        rows = "".join(
            f'<tr title="{html.escape(f.definition, quote=True)}"><th scope="row" style="text-align:left">'
            f'{html.escape(f.title)}</th><td style="text-align:right">{html.escape(f.shown)}</td></tr>'
            for f in self.facts
        )
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        caption = f'<caption style="text-align:left"><b>{html.escape(self.title)}</b></caption>'
        return f'<table class="qtw-facts">{caption}<tbody>{rows}</tbody></table>{notes}'

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {
            "text/plain": "\n".join(f"{f.title}: {f.shown}" for f in self.facts),
            "text/html": self.to_html(),
            MEDIA_TYPE: self.as_dict(),
        }


def _plain(value: Value) -> Value:
    """A value strict JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _value(plain: Value, unit: Unit) -> Value:
    """The value `_plain` made JSON of; where text is meant, "inf" is a word."""
    number = isinstance(plain, str) and unit not in ("text", "date")
    return {"inf": math.inf, "-inf": -math.inf}.get(str(plain), plain) if number else plain


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not strict JSON")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").splitlines())
