"""A market's answers, worked out from nothing but its events: what `Market` promises, for every kind alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.data import calendars
from qtw_lab.venues.market import (
    MINUTE,
    PUBLISHED_AFTER,
    SECOND,
    UPDATED_AFTER,
    Arrivals,
    Instants,
    Numbers,
)
from qtw_lab.venues.simulator.kept import Kept
from qtw_lab.venues.simulator.vendor_bars import SUM, added, bars_of, effects_of, finished, standing, sums_of
from qtw_lab.venues.ticks import (
    BAR,
    CANCEL,
    CORRECTION,
    DAILY_BAR,
    MINUTE_BAR,
    QUOTE,
    TICK,
    TRADE,
    UPDATED_BAR,
    Rows,
    Symbols,
)

CALENDAR: Final = "XNYS"
ZONE: Final = "America/New_York"
DAY: Final = 24 * 3600 * SECOND
_TRADING: Final = (TRADE, CORRECTION, CANCEL)
ADJUSTMENTS: Final = ("raw", "split", "dividend", "all")

#: Looking back for the last trade or quote goes this far first, and eight times as far each further time.
_FIRST_LOOK: Final = 10 * SECOND
_FURTHER: Final = 8

#: A day is added up so many minutes at a time, more for fewer than a thousand symbols; and so many days are kept.
_AT_ONCE: Final = 10 * MINUTE
_KEPT: Final = 16


class EventMarket(ABC):
    """A market that is known by its events; members as in `Market`.

    A kind of market says which events arrive when (`arrivals`), how long after it happened a row may arrive (`delay`),
    and what the daily bars before its first day were (`history`).
    """

    symbols: Symbols

    @property
    @abstractmethod
    def span(self) -> tuple[int, int]:
        """As in `Market`."""

    @property
    @abstractmethod
    def delay(self) -> int:
        """No row arrives later than so many nanoseconds after its time, and no correction after its trade's."""

    @abstractmethod
    def arrivals(self, start: int, end: int, numbers: Numbers | None = None, kinds: tuple[int, ...] = ()) -> Arrivals:
        """As in `Market`; of some kinds of rows only, if any are named."""

    @abstractmethod
    def history(self, numbers: Numbers, adjustment: str) -> Rows:
        """Daily bars before the first day, by symbol in the order asked, then time."""

    @abstractmethod
    def assets(self) -> list[dict[str, Any]]:
        """As in `Market`."""

    def sessions(self, start: Any, end: Any) -> pd.DataFrame:
        """As in `Market`."""
        return calendars.sessions(CALENDAR, start, end)

    def events(self, start: int, end: int, numbers: Numbers | None = None) -> Rows:
        """As in `Market`."""
        return self.arrivals(start, end, numbers).rows

    def trades(self, numbers: Numbers, start: int, end: int, now: int) -> Rows:
        """As in `Market`."""
        found = standing(self._happened(numbers, start, end, now, _TRADING), now)
        return _by_request(_within(found, start, end), numbers)

    def quotes(self, numbers: Numbers, start: int, end: int, now: int) -> Rows:
        """As in `Market`."""
        rows = self._happened(numbers, start, end, now, (QUOTE,)).rows
        rows = _within(rows, start, end)
        return _by_request(rows[np.lexsort((rows["time"], rows["symbol"]))], numbers)

    def bars(
        self, numbers: Numbers, length: int | str, start: int, end: int, now: int, adjustment: str = "raw"
    ) -> Rows:
        """As in `Market`.

        Raises
        ------
        DataError
            If the length or the adjustment is not known.
        """
        if adjustment not in ADJUSTMENTS:
            raise DataError(f"{adjustment!r} is no adjustment; choose one of {', '.join(ADJUSTMENTS)}.")
        if length == "1Day":
            return self._daily(numbers, start, end, now, adjustment)
        if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or not 1 <= length <= 86_400:
            raise DataError(f"{length!r} is no length of bars; give seconds from 1 to 86400, or '1Day'.")
        step = int(length) * SECOND
        unit = min(step, MINUTE)
        begin, finished = -(-start // step) * step, (now - PUBLISHED_AFTER) // unit * unit
        until = min(-(-end // step) * step, finished)
        if until <= begin:
            return np.zeros(0, dtype=BAR)
        trades = self.trades(numbers, begin, until, now)
        return _by_request(bars_of(trades, trades["time"] // step * step, MINUTE_BAR), numbers)

    def published(self, start: int, end: int, numbers: Numbers | None = None) -> Arrivals:
        """As in `Market`."""
        first, last = self.span
        wanted = range(len(self.symbols)) if numbers is None else numbers
        parts: list[Rows] = [np.zeros(0, dtype=BAR)]
        times: list[Instants] = [np.zeros(0, dtype=np.int64)]
        begin = max(start, first) - MINUTE
        for minute in range(begin // MINUTE * MINUTE, min(end, last + MINUTE), MINUTE):
            for at, make in ((minute + PUBLISHED_AFTER, self._closed), (minute + UPDATED_AFTER, self._updated)):
                if start <= at < end:
                    made = make(wanted, minute, at)
                    parts.append(made)
                    times.append(np.full(len(made), at, dtype=np.int64))
        return Arrivals(np.concatenate(parts), np.concatenate(times))

    def latest_trades(self, numbers: Numbers, now: int) -> Rows:
        """As in `Market`."""
        return self._latest(numbers, now, lambda some, start: self._last_trades(some, start, now))

    def latest_quotes(self, numbers: Numbers, now: int) -> Rows:
        """As in `Market`."""
        return self._latest(numbers, now, lambda some, start: self.quotes(some, start, now + 1, now))

    def previous_daily(self, numbers: Numbers, now: int) -> Rows:
        """As in `Market`."""
        before = self._daily(numbers, now - 10 * DAY, int(self.days(np.array([now]))[0]), now, "raw")
        return before[np.append(before["symbol"][1:] != before["symbol"][:-1], True)] if len(before) else before

    def days(self, times: Instants) -> Instants:
        """The midnight in New York that each instant follows."""
        table = self._midnights
        return table[np.clip(np.searchsorted(table, times, side="right") - 1, 0, None)]

    @cached_property
    def _midnights(self) -> Instants:
        """Midnights in New York, from some days before the market begins to some after its end."""
        first, last = (pd.Timestamp(at, tz="UTC").tz_convert(ZONE).tz_localize(None).normalize() for at in self.span)
        dates = pd.date_range(first - pd.Timedelta(days=12), last + pd.Timedelta(days=12), freq="D")
        return dates.tz_localize(ZONE).as_unit("ns").asi8

    def _happened(self, numbers: Numbers, start: int, end: int, now: int, kinds: tuple[int, ...]) -> Arrivals:
        """Rows that happened in that time and had arrived by `now`, among others."""
        return self.arrivals(start, min(now + 1, end + self.delay), numbers, kinds)

    def _daily(self, numbers: Numbers, start: int, end: int, now: int, adjustment: str) -> Rows:
        """Bars of whole days: of the history, and of the market's own days so far."""
        first, last = self.span
        earlier = self.history(numbers, adjustment)
        earlier = earlier[(earlier["time"] >= start) & (earlier["time"] < end) & (earlier["time"] <= now)]
        midnights = self._midnights
        midnights = midnights[(midnights >= start) & (midnights < end) & (midnights <= now) & (midnights < last)]
        midnights = midnights[midnights + DAY > first]
        if not len(midnights):
            return earlier
        own = [self._day_so_far(numbers, int(at), min(int(at) + DAY, now + 1), now) for at in midnights]
        together = np.concatenate([earlier, *(finished(sums, DAILY_BAR) for sums in own)])
        return _by_request(together[np.lexsort((together["time"], together["symbol"]))], numbers)

    def _day_so_far(self, numbers: Numbers, midnight: int, end: int, now: int) -> Rows:
        """Sums of the day's trades before `end` as known by `now`."""
        return _with_trades(*self._settle(np.asarray(numbers, dtype=np.int64), midnight, end, now), midnight)

    def _settle(self, wanted: npt.NDArray[np.int64], midnight: int, end: int, now: int) -> tuple[Rows, Rows]:
        """Sums of the minutes of the day that can no longer change, and the trades since, before `end`.

        The sums are kept, so that a day whose bars are asked for minute by minute is added up once.
        """
        key = (midnight, wanted.tobytes())
        first = max(midnight, self.span[0] // MINUTE * MINUTE)
        settled = max(first, min(now - self.delay, end - 1) // MINUTE * MINUTE)
        until, sums = self._settled.get(key) or (first, np.zeros(0, dtype=SUM))
        if until > settled:
            until, sums = first, np.zeros(0, dtype=SUM)
        while until < settled:
            after = min(settled, until + _AT_ONCE * max(1, 1000 // max(1, len(wanted))))
            sums = _with_trades(sums, self.trades(wanted, until, after, after + self.delay), midnight)
            until = after
        self._settled.put(key, (until, sums))
        return sums, self.trades(wanted, until, end, now)

    @cached_property
    def _settled(self) -> Kept[tuple[int, bytes], tuple[int, Rows]]:
        """By day and symbols: up to when the day is added up, and its sums."""
        return Kept(_KEPT)

    def _closed(self, numbers: Numbers, minute: int, at: int) -> Rows:
        """Bars of the minute that ends at `minute`, and of the day so far, as known at `at`."""
        midnight = int(self.days(np.array([minute - 1]))[0])
        sums, fresh = self._settle(np.asarray(numbers, dtype=np.int64), midnight, minute, at)
        recent = fresh[fresh["time"] >= minute - MINUTE]
        bars = bars_of(recent, np.full(len(recent), minute - MINUTE), MINUTE_BAR)
        days = finished(_with_trades(sums, fresh, midnight), DAILY_BAR)
        return np.concatenate([bars, days[np.isin(days["symbol"], bars["symbol"])]])

    def _updated(self, numbers: Numbers, minute: int, at: int) -> Rows:
        """Bars of that minute which are no longer what they were when it was closed."""
        start = minute - MINUTE
        happened = self._happened(numbers, start, minute, at, _TRADING)
        now, before = (
            bars_of(known, np.full(len(known), start), UPDATED_BAR)
            for known in (
                _within(standing(happened, instant), start, minute) for instant in (at, minute + PUBLISHED_AFTER)
            )
        )
        same = np.zeros(len(now), dtype=bool)
        if len(before):
            place = np.minimum(np.searchsorted(before["symbol"], now["symbol"]), len(before) - 1)
            same = before[place] == now
        return now[~same]

    def _last_trades(self, numbers: Numbers, start: int, now: int) -> Rows:
        found = self.trades(numbers, start, now + 1, now)
        return found[effects_of(found, MINUTE_BAR).last]

    def _latest(self, numbers: Numbers, now: int, look: Any) -> Rows:
        """The last row of each symbol; the further back one has to look, the fewer symbols are left to look for."""
        missing = np.asarray(numbers, dtype=np.int64)
        found, far = [np.zeros(0, dtype=TICK)], _FIRST_LOOK
        while len(missing):
            rows = look(missing, now - far)
            rows = rows[np.append(rows["symbol"][1:] != rows["symbol"][:-1], True)] if len(rows) else rows
            found.append(rows)
            missing = missing[~np.isin(missing, rows["symbol"])]
            if now - far <= self.span[0]:
                break
            far *= _FURTHER
        return _by_request(np.concatenate(found), numbers)


def _within(rows: Rows, start: int, end: int) -> Rows:
    return rows[(rows["time"] >= start) & (rows["time"] < end)]


def _with_trades(sums: Rows, trades: Rows, midnight: int) -> Rows:
    """Sums of a day with later trades of it."""
    more = sums_of(trades, np.full(len(trades), midnight + 1), DAILY_BAR)
    both = np.concatenate([sums, more])
    return added(both, np.full(len(both), midnight))


def _by_request(rows: Rows, numbers: Numbers) -> Rows:
    """Rows that are ordered within each symbol, with the symbols in the order in which they were asked for."""
    wanted = np.asarray(numbers, dtype=np.int64)
    if not len(rows) or not len(wanted):
        return rows[:0]
    rank: npt.NDArray[np.int64] = np.full(max(int(wanted.max()), int(rows["symbol"].max())) + 1, -1, dtype=np.int64)
    rank[wanted[::-1]] = np.arange(len(wanted))[::-1]
    place = rank[rows["symbol"]]
    order = np.argsort(place, kind="stable")
    ordered: Rows = rows[order[place[order] >= 0]]
    return ordered
