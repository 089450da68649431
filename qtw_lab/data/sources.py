"""What a source of prices is: something that lists its symbols and gives checked bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from qtw_lab.core import Bars, Fact, Facts, Timeframe


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source holds and under which terms.

    Parameters
    ----------
    name : str
        Machine name ("stocks"), also the prefix of a qualified symbol ("stocks:AAPL").
    title : str
        One line for people.
    licence : str
        Terms of the data or of the package that ships it.
    origin, version : str
        Package or venue the data comes from, and its version.
    symbols : tuple of str
        Everything it can be asked for.
    first, last : pandas.Timestamp
        First and last bar over all symbols, UTC.
    timeframe : Timeframe
        Length of the bars it holds; longer ones are made by resampling.
    adjustments : tuple of str
        The values of `adjustment` it can serve.
    caveats : tuple of str
        What a user must know before believing a result from these bars.
    """

    name: str
    title: str
    licence: str
    origin: str
    version: str
    symbols: tuple[str, ...]
    first: pd.Timestamp
    last: pd.Timestamp
    timeframe: Timeframe
    adjustments: tuple[str, ...]
    caveats: tuple[str, ...] = ()

    def facts(self) -> Facts:
        """The same as labelled figures, with the caveats as notes."""
        return Facts(
            self.title,
            (
                Fact("source", self.name, "text"),
                Fact("origin", f"{self.origin} {self.version}", "text"),
                Fact("licence", self.licence, "text"),
                Fact("symbols", len(self.symbols), "count"),
                Fact("first", str(self.first.date()), "date", "First bar"),
                Fact("last", str(self.last.date()), "date", "Last bar"),
                Fact("timeframe", str(self.timeframe), "text", "Length of a bar"),
                Fact("adjustments", ", ".join(self.adjustments), "text"),
            ),
            self.caveats,
        )


@runtime_checkable
class Source(Protocol):
    """Anything that gives bars by symbol: bundled samples, a store, a venue's history."""

    @property
    def name(self) -> str:
        """The machine name of the source."""
        ...

    def symbols(self) -> tuple[str, ...]:
        """Every symbol that can be asked for."""
        ...

    def bars(
        self,
        symbols: str | Iterable[str],
        start: Any = None,
        end: Any = None,
        timeframe: str | Timeframe = "1D",
        adjustment: str = "all",
    ) -> Bars:
        """Bars of those symbols from `start` to `end`, both included; a symbol is NaN where it did not trade.

        Raises
        ------
        DataError
            If a symbol, a date, the timeframe or the adjustment cannot be served; the message says what can.
        """
        ...

    def info(self) -> SourceInfo:
        """What the source holds and under which terms."""
        ...
