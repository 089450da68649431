"""The symbols somebody watches, with their last prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars
from qtw_lab.research.screener import screen
from qtw_lab.research.screener_table import view_at

#: The columns of `watched`, as the screener names them.
_CHANGES: Final = ("change_1", "change_5", "change_21")


@dataclass(frozen=True, eq=False)
class Watched:
    """The symbols somebody watches, as known at one bar.

    Parameters
    ----------
    table : pandas.DataFrame
        A row a symbol in the order given: `symbol`, `time` and `close` of its last bar, `change_1`, `change_5` and
        `change_21` as fractions, `position_252` (0 at the lowest low of 252 own bars, 1 at the highest high).
    asof : pandas.Timestamp
        Time of the last bar used.
    unknown : tuple of str
        Symbols that the bars do not have; their rows are empty.
    """

    table: pd.DataFrame
    asof: pd.Timestamp
    unknown: tuple[str, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol, in order."""
        return tuple(self.table["symbol"])

    @property
    def shown(self) -> pd.DataFrame:
        """The table with percentages as such, and times as dates."""
        shares = [*_CHANGES, "position_252"]
        dates = self.table["time"].dt.strftime("%Y-%m-%d").fillna("")
        return self.table.assign(time=dates, **{name: self.table[name] * 100.0 for name in shares})


def watched(bars: Bars, symbols: Iterable[str], asof: Any = None) -> Watched:
    """Last price, changes and place within the year's range of some symbols.

    Parameters
    ----------
    bars : Bars
        (T, N), daily.
    symbols : iterable of str
        Some may not be among the bars.
    asof : optional
        As for `research.screener.screen`.

    Raises
    ------
    DataError
        If `asof` cannot be read or lies before the first bar.

    Examples
    --------
    >>> times = pd.date_range("2024-01-01", periods=3, tz="UTC")
    >>> made = Bars.from_frame(pd.DataFrame({"close": [10.0, 10.0, 11.0]}, times), "A")
    >>> found = watched(made, ["A", "B"])
    >>> found.table["change_1"].round(2).tolist(), found.unknown
    ([0.1, nan], ('B',))
    """
    names, view = tuple(symbols), view_at(bars, asof)
    at = bars.index[view.stop - 1]
    there = set(bars.symbols)
    known, unknown = [name for name in names if name in there], tuple(name for name in names if name not in there)
    part = bars.select(known) if known else None
    table = _nothing(names) if part is None or part.index[0] > at else _figures(part, at)
    return Watched(table.reindex(pd.Index(names, name="symbol")).reset_index(), at, unknown)


def _nothing(names: tuple[str, ...]) -> pd.DataFrame:
    table = pd.DataFrame(np.nan, index=pd.Index(names, name="symbol"), columns=["close", *_CHANGES, "position_252"])
    table.insert(0, "time", pd.Series(pd.NaT, table.index, dtype="datetime64[ns, UTC]"))
    return table


def _figures(bars: Bars, at: pd.Timestamp) -> pd.DataFrame:
    """The columns of `Watched.table` for symbols that have bars."""
    table = screen(bars, ["close", *_CHANGES, "from_high_252", "from_low_252"], asof=at).table
    high, low = (table["close"] / (1.0 + table[name]) for name in ("from_high_252", "from_low_252"))
    table["position_252"] = ((table["close"] - low) / (high - low).where(high > low)).clip(0.0, 1.0)
    view = view_at(bars, at)
    last = view.stop - 1 - view.behind
    times = pd.Series(bars.index[np.maximum(last, 0)].as_unit("ns"), index=list(bars.symbols)).where(last >= 0)
    table.insert(0, "time", times.reindex(table.index))
    return table[["time", "close", *_CHANGES, "position_252"]]
