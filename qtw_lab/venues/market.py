"""What the simulator plays: a `Market` knows every event of its days, and what could be known of them when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.venues.ticks import Rows, Symbols

Numbers = Sequence[int] | npt.NDArray[np.integer[Any]]
Instants = npt.NDArray[np.int64]

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND

#: What became of a trade, in `flag` of the rows that `Market.trades` gives; 0 where nothing did. By Alpaca's field `u`:
CANCELED: Final = ord("x")
INCORRECT: Final = ord("i")
CORRECTED: Final = ord("c")

#: Alpaca's word for each flag.
UPDATES: Final = {CANCELED: "canceled", INCORRECT: "incorrect", CORRECTED: "corrected"}

#: A minute's bar is published so long after its end, and again, if it has changed, so long after its end.
PUBLISHED_AFTER: Final = 1 * SECOND
UPDATED_AFTER: Final = 30 * SECOND


class Arrivals(NamedTuple):
    """Rows (`TICK` or `BAR`) and the instant at which each arrives, in order of arrival."""

    rows: Rows
    times: Instants


class Prices(Protocol):
    """What an account needs of a market whose past and future are fixed: its assets, its hours, its quotes and trades.

    All times are nanoseconds since 1970, UTC. A row's `time` says when it happened; it *arrives* then or later. No
    answer holds what had not arrived by `now`.
    """

    @property
    def symbols(self) -> Symbols:
        """Numbers for the symbols; every asset has one from the start."""
        ...

    @property
    def span(self) -> tuple[int, int]:
        """The first instant at which anything arrives, and the instant after the last."""
        ...

    def assets(self) -> list[dict[str, Any]]:
        """Every asset in the words of Alpaca's trading API, in order of their numbers."""
        ...

    def sessions(self, start: Any, end: Any) -> pd.DataFrame:
        """Sessions from date to date as `qtw_lab.data.calendars.sessions` gives them."""
        ...

    def arrivals(self, start: int, end: int, numbers: Numbers | None = None) -> Arrivals:
        """`TICK` rows that arrive at ``start <= instant < end``, of all symbols or of some, and the instant of each."""
        ...

    def latest_trades(self, numbers: Numbers, now: int) -> Rows:
        """Of each symbol the last trade that still stands and sets a price, at most one row a symbol."""
        ...

    def latest_quotes(self, numbers: Numbers, now: int) -> Rows:
        """Of each symbol the last quote, at most one row a symbol."""
        ...

    def previous_daily(self, numbers: Numbers, now: int) -> Rows:
        """Of each symbol the bar of the last session before the day of `now`, at most one row a symbol."""
        ...


class Market(Prices, Protocol):
    """A market that can be served: whatever is asked, and in whatever order, the answer is the same.

    `EventMarket` in `market_events` is a market for whom only the events must be said.
    """

    def events(self, start: int, end: int, numbers: Numbers | None = None) -> Rows:
        """`TICK` rows that arrive at ``start <= instant < end``, in order of arrival; of all symbols or of some."""
        ...

    def published(self, start: int, end: int, numbers: Numbers | None = None) -> Arrivals:
        """`BAR` rows that the vendor publishes at ``start <= instant < end``: minute bars, updated bars, daily bars.

        A minute's bar comes a second after the minute, with the day's bar so far; if what arrived since changes it, an
        updated bar comes 30 seconds after the minute.
        """
        ...

    def trades(self, numbers: Numbers, start: int, end: int, now: int) -> Rows:
        """Trades with ``start <= time < end`` that had arrived by `now`: by symbol in the order asked, time and id.

        A trade that was cancelled has flag `CANCELED`. One that was corrected has flag `INCORRECT`, and its
        replacement, at the same time, `CORRECTED`.
        """
        ...

    def quotes(self, numbers: Numbers, start: int, end: int, now: int) -> Rows:
        """Quotes with ``start <= time < end`` that had arrived by `now`, ordered as trades are."""
        ...

    def bars(
        self, numbers: Numbers, length: int | str, start: int, end: int, now: int, adjustment: str = "raw"
    ) -> Rows:
        """The vendor's own bars that begin at ``start <= time < end``, as `now` knows them, ordered as trades are.

        Parameters
        ----------
        length : int or {"1Day"}
            Seconds, or whole days, which begin at midnight in New York. Bars of a minute or more are made of finished
            minutes; a bar of today is the day so far.
        adjustment : {"raw", "split", "dividend", "all"}
            For what happened up to the market's own day, not after it.
        """
        ...
