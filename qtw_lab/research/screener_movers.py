"""What moved: the lists a market page leads with."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, Fact, Facts
from qtw_lab.research import screener_columns as made
from qtw_lab.research.screener_columns import COLUMNS, Column, FloatArray, View
from qtw_lab.research.screener_table import (
    Filters,
    absent,
    bounds_of,
    figures,
    lacking,
    let_through,
    listed,
    table_html,
    view_at,
)
from qtw_lab.stats.columns import ratio, whole

#: Bars that say what volume is usual, and bars of a year's high and low.
_USUAL, _YEAR = 21, 252


@dataclass(frozen=True)
class List:
    """One list of movers.

    Parameters
    ----------
    title : str
        What people read.
    by : str
        The column it is sorted by.
    beyond : float
        Only symbols beyond this value are in it,
    up : bool
        above it, the greatest first; or below it, the least first.
    """

    title: str
    by: str
    beyond: float
    up: bool = True


#: Every list: name -> what it is sorted by and who is in it.
LISTS: Final[Mapping[str, List]] = MappingProxyType({
    "gainers": List("Gainers", "change", 0.0),
    "losers": List("Losers", "change", 0.0, up=False),
    "most_active": List("Most active by shares", "volume", 0.0),
    "top_turnover": List("Most active by money", "dollar_volume", 0.0),
    "unusual_volume": List("Unusual volume", "relative_volume", 1.0),
    "gaps_up": List("Gaps up", "gap", 0.0),
    "gaps_down": List("Gaps down", "gap", 0.0, up=False),
    "new_highs": List("New 52-week highs", "over_high", 0.0),
    "new_lows": List("New 52-week lows", "under_low", 0.0, up=False),
})  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Movers:
    """The lists of a market page, each a table with a row a symbol, the most extreme first.

    Parameters
    ----------
    gainers, losers : pandas.DataFrame
        By change over the window.
    most_active, top_turnover : pandas.DataFrame
        By mean shares, and by mean close x volume, a bar of the window.
    unusual_volume : pandas.DataFrame
        By mean volume of the window over that of the 21 bars before it, above 1.
    gaps_up, gaps_down : pandas.DataFrame
        By the last bar's open over the close before it.
    new_highs, new_lows : pandas.DataFrame
        By how far the window's highest high (lowest low) lies beyond that of the 252 bars before the window.
    asof : pandas.Timestamp
        Time of the last bar used.
    window : int
        Bars of the window.
    universe : int
        Symbols with a bar then that pass the filters.
    definitions : pandas.Series
        The convention of each column.
    notes : tuple of str
        Who was left out, and the caveats of the bars.
    """

    gainers: pd.DataFrame
    losers: pd.DataFrame
    most_active: pd.DataFrame
    top_turnover: pd.DataFrame
    unusual_volume: pd.DataFrame
    gaps_up: pd.DataFrame
    gaps_down: pd.DataFrame
    new_highs: pd.DataFrame
    new_lows: pd.DataFrame
    asof: pd.Timestamp
    window: int
    universe: int
    definitions: pd.Series = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def lists(self) -> dict[str, pd.DataFrame]:
        """Every list by its name."""
        names = [entry.name for entry in fields(self) if isinstance(getattr(self, entry.name), pd.DataFrame)]
        return {name: getattr(self, name) for name in names}

    def facts(self) -> Facts:
        """The first symbol of every list with its figure."""
        figures_ = [
            Fact("as_of", str(self.asof), "date", "Last bar used"),
            Fact("window", self.window, "bars", "Window"),
            Fact("universe", self.universe, "count", "Symbols compared"),
        ]
        units = mover_columns(self.window)
        for name, one in LISTS.items():
            table = getattr(self, name)
            leader = str(table.index[0]) if len(table) else "none"
            value = float(table[one.by].iloc[0]) if len(table) else float("nan")
            figures_ += [
                Fact(name, leader, "text", f"{one.title}: first"),
                Fact(f"{name}_{one.by}", value, units[one.by].unit, f"{one.title}: its {units[one.by].label.lower()}",
                     units[one.by].definition),
            ]  # fmt: skip
        return Facts("Movers", tuple(figures_), self.notes)

    def to_html(self) -> str:
        """Every list as an HTML fragment, side by side where there is room, then the notes."""
        columns = mover_columns(self.window)
        parts = []
        for name, one in LISTS.items():
            table = getattr(self, name)
            said = () if len(table) else ("none",)
            parts.append(f"<div>{table_html(table, one.title, said, columns)}</div>")
        title = f"Movers over {self.window} bar{'s' * (self.window > 1)} to {self.asof:%Y-%m-%d %H:%M %Z}"
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        lists = f'<div style="display:flex;flex-wrap:wrap;gap:1em 2em;align-items:flex-start">{"".join(parts)}</div>'
        return f"<p><b>{title}</b></p>{lists}{notes}"

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return {**self.facts()._repr_mimebundle_(**options), "text/html": self.to_html()}


def top_movers(
    bars: Bars, count: int = 10, window: int = 1, *, asof: Any = None, filters: Filters | None = None
) -> Movers:
    """What moved most over the last `window` bars: nine lists of up to `count` symbols.

    A symbol without a bar at the end is in no list, for its last move is not today's; the notes name it. A symbol is
    only in lists whose figure it has: new highs need 252 bars before the window.

    Parameters
    ----------
    bars : Bars
        (T, N).
    count : int
        Rows of a list at most.
    window : int
        Bars of the move: 1, or such as 5, 21 and 126 for a week, a month and half a year of daily bars.
    asof, filters
        As for `screener.screen`; `screener.TRADABLE` leaves out what hardly trades.

    Raises
    ------
    DataError
        As of `screener.screen`.

    Examples
    --------
    >>> times = pd.date_range("2024-01-01", periods=2, tz="UTC")
    >>> close = pd.DataFrame({"A": [10.0, 11.0], "B": [20.0, 19.0], "C": [5.0, 6.0]}, times)
    >>> bars = Bars.from_frame(pd.concat(dict.fromkeys(("open", "high", "low", "close"), close), axis=1))
    >>> found = top_movers(bars)
    >>> found.gainers["change"].round(2).to_dict(), list(found.losers.index)
    ({'C': 0.2, 'A': 0.1}, ['B'])
    """
    rows, span = whole("count", count), whole("window", window)
    bounds, view = bounds_of(filters), view_at(bars, asof)
    columns = mover_columns(span)
    table = figures(view, columns)
    passed, removed = let_through(figures(view, {name: COLUMNS[name] for name in bounds}), bounds)
    now = view.behind == 0
    late = np.asarray(bars.symbols, dtype=object)[~now]
    notes = [f"without a bar then and in no list: {listed(late)}"] if len(late) else []
    notes += [*removed, *lacking(absent(view, table, columns), late), *bars.notes]
    compared = table[now & passed]
    return Movers(
        **{name: _top(compared, one, rows) for name, one in LISTS.items()},
        asof=bars.index[view.stop - 1],
        window=span,
        universe=len(compared),
        definitions=pd.Series({name: one.definition for name, one in columns.items()}, name="definition"),
        notes=tuple(notes),
    )


def mover_columns(window: int) -> dict[str, Column]:
    """The figures of the lists for a window of so many bars."""
    return {
        "close": COLUMNS["close"],
        "change": Column(partial(made.change, bars=window), "fraction", window + 1, "Change",
                         f"close / close {window} own bars before - 1"),
        "volume": Column(partial(made.mean_volume, bars=window), "count", window, "Volume",
                         f"mean shares a bar of {window} bars"),
        "dollar_volume": Column(partial(made.turnover, bars=window), "money", window, "Dollar volume",
                                f"mean close x volume of {window} bars"),
        "relative_volume": Column(partial(made.relative_volume, bars=window, usual=_USUAL), "ratio", window + _USUAL,
                                  "Relative volume",
                                  f"mean volume of {window} bars / that of the {_USUAL} bars before them"),
        "gap": COLUMNS["gap"],
        "over_high": Column(partial(_over_high, bars=window), "fraction", window + _YEAR, "Over the old high",
                            f"highest high of {window} bars / that of the {_YEAR} bars before them - 1"),
        "under_low": Column(partial(_under_low, bars=window), "fraction", window + _YEAR, "Under the old low",
                            f"lowest low of {window} bars / that of the {_YEAR} bars before them - 1"),
    }  # fmt: skip


def _over_high(view: View, bars: int) -> FloatArray:
    high = view.tail("high", bars + _YEAR)
    return ratio(high[_YEAR:].max(axis=0), high[:_YEAR].max(axis=0)) - 1.0


def _under_low(view: View, bars: int) -> FloatArray:
    low = view.tail("low", bars + _YEAR)
    return ratio(low[_YEAR:].min(axis=0), low[:_YEAR].min(axis=0)) - 1.0


def _top(table: pd.DataFrame, one: List, count: int) -> pd.DataFrame:
    """The symbols beyond the list's limit, the most extreme first; equals in the order of the bars."""
    beyond = table[one.by] > one.beyond if one.up else table[one.by] < one.beyond
    found = table.loc[beyond, list(dict.fromkeys(["close", "change", one.by]))]
    return found.sort_values(one.by, ascending=not one.up, kind="stable").head(count)
