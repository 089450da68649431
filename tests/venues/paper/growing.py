"""A market that goes on as a test decides, and a disk that fails when a test says so."""

from functools import cache

import numpy as np
import pandas as pd
from plain_orders import Tick

from qtw_lab.core import SetupError
from qtw_lab.data import calendars
from qtw_lab.venues.market import SECOND
from qtw_lab.venues.paper.store import SqliteStore
from qtw_lab.venues.simulator.market_events import CALENDAR
from qtw_lab.venues.simulator.recorded import Record, RecordedMarket
from qtw_lab.venues.ticks import BAR, QUOTE, TICK, TRADE, Rows, Symbols, condition_mask

NAMES = ("AAA", "BBB")
#: Days before and after its first row for which it says that something may arrive.
_AHEAD = 70 * 86_400 * SECOND


@cache
def _sessions(start: str, end: str) -> pd.DataFrame:
    return calendars.sessions(CALENDAR, start, end)


def rows_of(ticks: list[Tick]) -> Rows:
    """The rows of a plain model's ticks."""
    rows = np.zeros(len(ticks), TICK)
    for row, tick in zip(rows, ticks, strict=True):
        row["symbol"], row["time"] = NAMES.index(tick.symbol), tick.at * SECOND
        row["exchange"], row["tape"] = ord("V"), ord("C")
        if tick.price is None:
            row["kind"], row["flag"], row["price"], row["other_price"] = QUOTE, ord("V"), tick.bid, tick.ask
            row["size"] = row["other_size"] = tick.shown
        else:
            row["kind"], row["price"], row["size"] = TRADE, tick.price, 100
            row["conditions"] = condition_mask("" if tick.sets else "I")
    return rows


class GrowingMarket(RecordedMarket):
    """A recorded market to whose end rows are added: what had arrived before never changes."""

    def __init__(self, ticks: list[Tick]) -> None:
        super().__init__(Record(rows_of(ticks), Symbols(NAMES)))

    @property
    def span(self) -> tuple[int, int]:
        return int(self._times[0]), int(self._times[0]) + _AHEAD

    def grow(self, ticks: list[Tick]) -> None:
        rows = rows_of(ticks)
        self._rows = np.concatenate([self._rows, rows])
        self._times = np.concatenate([self._times, rows["time"]])

    def sessions(self, start, end) -> pd.DataFrame:
        return _sessions(str(start)[:10], str(end)[:10])

    def previous_daily(self, numbers, now) -> Rows:
        """None: every symbol has a last trade from the start."""
        return np.zeros(0, BAR)


class FailingStore(SqliteStore):
    """A book on a disk that does not take the batch of events that comes after so many others; None: it takes all."""

    spared: int | None = None

    def __init__(self, path) -> None:
        super().__init__(path)
        self._connection.execute("PRAGMA synchronous=OFF")  # nobody cuts the power in these tests, and it is slow

    def append(self, events) -> None:
        if events and self.spared is not None:
            self.spared -= 1
            if self.spared < 0:
                raise SetupError("the disk is full")
        super().append(events)
