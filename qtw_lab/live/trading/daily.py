"""Bars of whole days for sessions in real time: those of the vendor, told once a day while the market trades.

A session on daily bars decides on the bar of the session before, and trades soon after the opening: what the backtest
calls the next open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from qtw_lab.core import VenueError
from qtw_lab.live.sessions import Sessions
from qtw_lab.live.trading.lasting import last_seen
from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.live.trading.tap import Bars
from qtw_lab.venues.feeds import Reference
from qtw_lab.venues.moments import DAY, SECOND, eastern, instant, midnight

#: Seconds after the opening until prices have settled enough to be traded at.
_AFTER: Final = 5
#: Seconds of ours between two questions.
_EVERY: Final = 5.0
_PRICES: Final = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}


class DailyBars:
    """Says, once a day, what the last sessions were and at which prices one can trade now.

    Parameters
    ----------
    vendor : Reference
        Who is asked.
    calendar : str
        When there is trading.
    monotonic : callable
        Seconds on a clock that is never set.
    """

    def __init__(
        self, vendor: Reference, calendar: str = "XNYS", monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._vendor, self._hours, self._monotonic = vendor, Sessions(calendar), monotonic
        self._asked = -_EVERY
        self._done: tuple[str | None, tuple[str, ...]] = (None, ())

    def due(self, symbols: Sequence[str], rows: int) -> tuple[Bars, dict[str, Seen]] | None:
        """The last daily bars and present prices, if these symbols were not told of them today; None else.

        Whoever does not answer is asked again a few seconds later.
        """
        if self._monotonic() - self._asked < _EVERY:
            return None
        self._asked = self._monotonic()
        try:
            now = instant(str(self._vendor.clock()["timestamp"]))
            standing = None if now is None else self._hours.at(now)
            if now is None or standing is None or standing.phase != "open" or now < standing.opens + _AFTER * SECOND:
                return None
            told = (standing.date, tuple(symbols))
            if told == self._done:
                return None
            found = self._found(symbols, rows, now), last_seen(self._vendor, symbols, now)
        except (VenueError, KeyError):
            return None
        self._done = told
        return found

    def _found(self, symbols: Sequence[str], rows: int, now: int) -> Bars:
        """The bars up to the session before."""
        until = midnight(now)
        since = until - int(max(rows, 5) * 1.6 + 10) * DAY
        said = self._vendor.bars(symbols, "1Day", since, until, "all")
        tables = {}
        for symbol in symbols:
            bars = said.get(symbol, ())
            index = [instant(str(row["t"])) or 0 for row in bars]
            columns = {name: [float(row[field]) for row in bars] for name, field in _PRICES.items()}
            tables[symbol] = pd.DataFrame(columns, index=index)
        times = np.array(sorted({at for table in tables.values() for at in table.index}), dtype=np.int64)[-rows:]
        if not len(times) or eastern(int(times[-1])).date().isoformat() != self._before(now):
            raise VenueError("The bar of the session before is not there yet.")
        values = {
            name: np.column_stack([tables[symbol][name].reindex(times).to_numpy() for symbol in symbols])
            for name in _PRICES
        }
        nothing = np.full(len(symbols), np.nan)
        return Bars(
            **values, times=times, flags=np.zeros(values["close"].shape, dtype=np.uint32),
            numbers=np.arange(len(symbols)), names=tuple(symbols), bid=nothing, ask=nothing, seconds=DAY // SECOND,
            now=now, daily=True,
        )  # fmt: skip

    def _before(self, now: int) -> str | None:
        """The date of the session before that of a moment."""
        at = midnight(now) - 1
        for _ in range(15):
            standing = self._hours.at(at)
            if standing.date is not None:
                return standing.date
            at = standing.start - 1
        return None
