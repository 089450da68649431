"""The screener as a page shows it: groups of columns, bounds in the units people read, and the table as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import pandas as pd

from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.lab.exports import csv_text
from qtw_lab.research.screener import COLUMNS, LISTS, SHOWN, TRADABLE, Movers, Screen, screen, top_movers
from qtw_lab.research.screener_movers import mover_columns

#: Columns shown together, by the name people choose.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "overview": SHOWN,
    "momentum": ("close", "change_1", "change_5", "change_21", "change_63", "change_126", "change_252",
                 "momentum_12_1", "above_50", "above_200", "average_50_200", "rsi_14"),
    "volume": ("close", "volume", "volume_21", "dollar_volume", "dollar_volume_21", "relative_volume"),
    "risk": ("close", "volatility_21", "volatility_63", "atr_percent", "range", "gap", "gap_mean_21", "drawdown_252",
             "from_high_252", "from_low_252", "beta_252", "history"),
    "all": tuple(COLUMNS),
})  # fmt: skip

#: Lists of movers shown together.
MOVES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "price": ("gainers", "losers"),
    "volume": ("most_active", "top_turnover", "unusual_volume"),
    "gaps": ("gaps_up", "gaps_down"),
    "extremes": ("new_highs", "new_lows"),
})  # fmt: skip

#: Bars of a move that can be chosen: a day, a week, a month and half a year of days.
WINDOWS: Final = (1, 5, 21, 126)

#: Columns whose sign means gain or loss.
SIGNED: Final = frozenset(
    name for name, column in COLUMNS.items()
    if column.unit == "fraction" and not name.startswith(("volatility", "atr", "range", "gap_mean"))
)  # fmt: skip

Kind = Literal["percent", "number", "count"]

#: How a figure of each unit is written: as a percentage, with decimals, or whole.
_KINDS: Final[Mapping[str, Kind]] = MappingProxyType({"fraction": "percent", "count": "count", "bars": "count"})


@dataclass(frozen=True)
class Told:
    """What a page must know of a column.

    Parameters
    ----------
    name, label, definition : str
        As the screener says.
    kind : {"percent", "number", "count"}
        How it is written.
    signed : bool
        Whether above zero is a gain and below a loss.
    """

    name: str
    label: str
    definition: str
    kind: Kind
    signed: bool


def told(name: str) -> Told:
    """What must be known of a column of the screener.

    Raises
    ------
    DataError
        If there is no such column.
    """
    column = lookup(name, COLUMNS, "column")
    return Told(name, column.label, column.definition, _kind(name, column.unit), name in SIGNED)


def told_of_list(name: str, window: int) -> tuple[Told, ...]:
    """The columns of a list of movers over so many bars."""
    columns = mover_columns(window)
    by = lookup(name, LISTS, "list of movers").by
    found = []
    for each in dict.fromkeys(("close", "change", by)):
        column = columns[each]
        signed = column.unit == "fraction"
        found.append(Told(each, column.label, column.definition, _kind(each, column.unit), signed))
    return tuple(found)


def _kind(name: str, unit: str) -> Kind:
    """How a figure is written; cents of millions say nothing."""
    return "count" if name.startswith("dollar") else _KINDS.get(unit, "number")


@dataclass(frozen=True)
class Bound:
    """The least and greatest value of a column that are let through, percentages as such.

    Parameters
    ----------
    column : str
        A column of the screener.
    low, high : float or None
        None for no bound.

    Raises
    ------
    DataError
        If there is no such column, neither bound, or the lower one exceeds the upper.

    Examples
    --------
    >>> Bound("change_5", 2.5, None).said, Bound("rsi_14", 30, 70).said
    ('≥ 2.5%', '30 – 70')
    """

    column: str
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        told(self.column)
        if self.low is None and self.high is None:
            raise DataError("A filter needs a least or a greatest value; give one of them.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise DataError(f"Nothing lies between {self.low:g} and {self.high:g}; swap them.")

    @property
    def said(self) -> str:
        """The bounds in few characters."""
        unit = "%" if told(self.column).kind == "percent" else ""
        low, high = (None if one is None else f"{one:,.10g}{unit}" for one in (self.low, self.high))
        if low is not None and high is not None:
            return f"{low} – {high}"
        return f"≥ {low}" if high is None else f"≤ {high}"

    @property
    def pair(self) -> tuple[float | None, float | None]:
        """The bounds in the screener's own units."""
        factor = 0.01 if told(self.column).kind == "percent" else 1.0
        low, high = (None if one is None else one * factor for one in (self.low, self.high))
        return low, high


@dataclass(frozen=True, eq=False)
class Screened:
    """A screen, and its table as a page shows it.

    Parameters
    ----------
    screen : Screen
        What was worked out.
    table : pandas.DataFrame
        `symbol`, then every column of the screener, percentages as such.
    """

    screen: Screen
    table: pd.DataFrame

    def csv(self) -> str:
        """The whole table as CSV, in the screener's own units and to the last digit."""
        return csv_text(self.screen.table, index=True)


def screened(bars: Bars, bounds: Iterable[Bound] = (), asof: Any = None, *, tradable: bool = False) -> Screened:
    """Every column of every symbol that passes, greatest change of the last bar first.

    Parameters
    ----------
    bars : Bars
        (T, N), daily.
    bounds : iterable of Bound
        All must hold; of several on one column each.
    asof : optional
        As for `research.screener.screen`.
    tradable : bool
        Whether to leave out what hardly trades; see `research.screener.TRADABLE`.

    Raises
    ------
    DataError
        As `research.screener.screen`.
    """
    filters: dict[str, tuple[float | None, float | None]] = dict(TRADABLE) if tradable else {}
    for bound in bounds:
        low, high = filters.get(bound.column, (None, None))
        filters[bound.column] = (_inner(max, low, bound.pair[0]), _inner(min, high, bound.pair[1]))
    found = screen(bars, list(COLUMNS), asof=asof or None, filters=_possible(filters))
    return Screened(found, _shown(found.table))


def _inner(choose: Any, one: float | None, other: float | None) -> float | None:
    """The stricter of two bounds."""
    given = [bound for bound in (one, other) if bound is not None]
    return choose(given) if given else None


def _possible(filters: dict[str, tuple[float | None, float | None]]) -> Any:
    for name, (low, high) in filters.items():
        if low is not None and high is not None and low > high:
            raise DataError(
                f"The filters of {COLUMNS[name].label} let nothing through together. Take one of them away."
            )
    return filters or None


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    made = {name: table[name] * (100.0 if told(name).kind == "percent" else 1.0) for name in COLUMNS}
    return pd.DataFrame(made, index=table.index).rename_axis("symbol").reset_index()


def moved(bars: Bars, window: int = 1, asof: Any = None, count: int = 10) -> Movers:
    """What moved most, as `research.screener.top_movers`."""
    return top_movers(bars, count, window, asof=asof or None)


def listed(movers: Movers, name: str) -> pd.DataFrame:
    """A list of movers as a page shows it: `symbol`, then its columns with percentages as such."""
    lookup(name, LISTS, "list of movers")
    table: pd.DataFrame = getattr(movers, name)
    kinds = {one.name: one.kind for one in told_of_list(name, movers.window)}
    made = {column: table[column] * (100.0 if kinds[column] == "percent" else 1.0) for column in kinds}
    return pd.DataFrame(made, index=table.index).rename_axis("symbol").reset_index()


def read_bound(column: str, low: str, high: str) -> Bound:
    """The bounds that somebody typed; nothing for no bound, and "2.5%" and "1,000" are numbers too.

    Raises
    ------
    DataError
        If a text is no number, or as `Bound`.

    Examples
    --------
    >>> read_bound("change_1", " 2.5 %", "")
    Bound(column='change_1', low=2.5, high=None)
    """
    return Bound(column, _number(low), _number(high))


def _number(text: str) -> float | None:
    plain = text.strip().removesuffix("%").replace(",", "").strip()
    if not plain:
        return None
    try:
        value = float(plain)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise DataError(f"{text.strip()!r} cannot bound a column. Write a number such as 2.5, or leave it empty.")
    return value
