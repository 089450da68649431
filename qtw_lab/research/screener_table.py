"""What every table of symbols is made with: bars at a time, figures, filters, what is missing, and how it is shown."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, Fact, lookup
from qtw_lab.core.frames import moment
from qtw_lab.research.screener_columns import COLUMNS, BoolArray, Column, View
from qtw_lab.stats.columns import number

#: Column -> least and greatest value, None for no bound.
Filters = Mapping[str, tuple[float | None, float | None]]

#: Filters that leave out what hardly trades: a price of 1, 50,000 shares and 2 million in money on the last bar.
TRADABLE: Final[Filters] = {"close": (1.0, None), "volume": (50_000.0, None), "dollar_volume": (2_000_000.0, None)}

#: Symbols a note names.
_NAMED: Final = 12


def view_at(bars: Any, asof: Any) -> View:
    """The bars as known at `asof`, or at their end.

    Raises
    ------
    DataError
        If these are no bars, the time cannot be read, or none lies up to it.
    """
    if not isinstance(bars, Bars) or not len(bars):
        raise DataError(f"A screen is of Bars with at least one bar, not of {type(bars).__name__}; see Lab.bars.")
    until = moment(asof, "asof", whole_day=True)
    stop = len(bars) if until is None else int(np.count_nonzero(bars.index <= until))
    if not stop:
        raise DataError(f"No bar lies up to {asof}: these bars begin at {bars.index[0]}.")
    return View(bars, stop)


def figures(view: View, columns: Mapping[str, Column]) -> pd.DataFrame:
    """The columns of every symbol, (N, columns)."""
    symbols = pd.Index(view.bars.symbols, name="symbol")
    return pd.DataFrame({name: one.figure(view) for name, one in columns.items()}, index=symbols)


def let_through(table: pd.DataFrame, bounds: Filters) -> tuple[BoolArray, tuple[str, ...]]:
    """Which symbols pass every filter, and a note on those that do not."""
    passed, undefined = np.ones(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    for name, (low, high) in bounds.items():
        values = table[name].to_numpy(dtype=np.float64)
        undefined |= np.isnan(values)
        passed &= (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))
    out = int((~passed).sum())
    if not out:
        return passed, ()
    without = int((undefined & ~passed).sum())
    return passed, (f"filters left out {out} of {len(table)} symbols, {without} of them for want of a figure",)


def absent(view: View, table: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    """A row a symbol and column without a figure; see `Screen`."""
    names = [name for name in table.columns if name in columns]
    places, which = np.nonzero(np.isnan(table[names].to_numpy(dtype=np.float64)))
    needed = np.array([columns[name].bars for name in names], dtype=np.int64)[which]
    own = view.own[places]
    reason = np.where(own < needed, "short history", "not defined")
    symbols = np.asarray(view.bars.symbols, dtype=object)[places]
    return pd.DataFrame(
        {"symbol": symbols, "column": np.asarray(names, dtype=object)[which], "bars": own, "needed": needed,
         "reason": reason}
    )  # fmt: skip


def said_of(view: View, missing: pd.DataFrame) -> list[str]:
    """Notes on symbols that are behind and on figures that are missing."""
    symbols = np.asarray(view.bars.symbols, dtype=object)
    never, late = view.own == 0, (view.behind > 0) & (view.own > 0)
    notes = []
    if late.any():
        notes.append(f"stale, seen as of their last bar: {listed(symbols[late])}")
    if never.any():
        notes.append(f"without any bar yet: {listed(symbols[never])}")
    return notes + lacking(missing, symbols[never])


def lacking(missing: pd.DataFrame, leaving_out: Any) -> list[str]:
    """Notes on figures that symbols do not have, without the symbols to leave out."""
    notes = []
    for (name, reason), group in missing[~missing["symbol"].isin(leaving_out)].groupby(
        ["column", "reason"], sort=False
    ):
        why = f"needs {group['needed'].iloc[0]} own bars" if reason == "short history" else "no volume, or no variation"
        notes.append(f"{name} is missing ({why}) for {listed(group['symbol'])}")
    return notes


def listed(symbols: Iterable[Any]) -> str:
    """Symbols with commas, the first dozen of many."""
    names = [str(one) for one in symbols]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def table_html(
    table: pd.DataFrame, title: str, notes: Iterable[str] = (), columns: Mapping[str, Column] = COLUMNS
) -> str:
    """A table of symbols as an HTML fragment, numbers as their units are shown, definitions as tool tips."""
    right = ' style="text-align:right"'
    heads = "".join(
        f'<th{right} title="{html.escape(meant(name, columns)[1], quote=True)}">'
        f"{html.escape(_title(name, columns))}</th>"
        for name in table.columns
    )
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(str(symbol))}</th>'
        + "".join(f"<td{right}>{html.escape(_cell(name, row[name], columns))}</td>" for name in table.columns)
        + "</tr>"
        for symbol, row in table.astype(object).iterrows()
    )
    said = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in notes)
    caption = f'<caption style="text-align:left"><b>{html.escape(title)}</b></caption>'
    head = f'<thead><tr><th style="text-align:left">symbol</th>{heads}</tr></thead>'
    return f'<table class="qtw-screen">{caption}{head}<tbody>{rows}</tbody></table>{said}'


def bounds_of(filters: Any) -> Filters:
    """The filters, checked."""
    if filters is None:
        return {}
    if not isinstance(filters, Mapping):
        raise DataError(f"filters={filters!r} must map columns to (low, high), such as {{'close': (5, None)}}.")
    for name, pair in filters.items():
        lookup(name, COLUMNS, "column")
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise DataError(f"The filter of {name} is {pair!r}; give (low, high), with None for no bound.")
        low, high = (None if one is None else number(f"filter of {name}", one) for one in pair)
        if low is not None and high is not None and low > high:
            raise DataError(f"The filter of {name} lets nothing through: low {low:g} exceeds high {high:g}; swap them.")
    return filters


def meant(name: str, columns: Mapping[str, Column] = COLUMNS) -> tuple[Any, str]:
    """Unit and convention of a column of the table."""
    if name in columns:
        return columns[name].unit, columns[name].definition
    if name == "score":
        return "ratio", "weighted mean of percentile ranks, 0 to 1"
    if name.endswith("_rank"):
        return "ratio", "share of the symbols that pass which lie at or below"
    return "text", "no bar at the time of the screen" if name == "stale" else ""


def _title(name: str, columns: Mapping[str, Column]) -> str:
    return columns[name].label if name in columns else name.replace("_", " ")


def _cell(name: str, value: Any, columns: Mapping[str, Column]) -> str:
    if name == "stale":
        return "stale" if value else ""
    return Fact(name, value, meant(name, columns)[0]).shown
