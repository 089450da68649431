"""Daily bars of many symbols, and bars of weeks and months made of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.market import Market
from qtw_lab.venues.moments import DAY, EASTERN, SECOND, eastern
from qtw_lab.venues.simulator.clock import MarketClock
from qtw_lab.venues.simulator.kept import Kept
from qtw_lab.venues.ticks import BAR, Rows

#: Up to so many symbols a day is added up for them alone.
_FEW: Final = 100
#: Questions whose answers are kept.
_KEPT: Final = 4
#: What is kept goes at least so far back.
_BACK: Final = 12 * DAY
_MINUTE: Final = 60 * SECOND
#: Keeping the day's bars ready takes at most this part of a processor; and they are looked after no more often than so
#: many seconds.
_PART: Final = 0.2
_OFTEN: Final = 0.5
#: Longest part of a day that is added up in one go.
_STEP: Final = 30 * _MINUTE


class Days:
    """Daily bars of few symbols as of now; of many as of a moment within the present minute, which is kept.

    Adding up the day of ten thousand symbols takes seconds, and those who look at all of them ask for some hundred at a
    time. The venue's own daily bars are no younger: they are published once a minute.

    Parameters
    ----------
    market : Market
        Where bars come from.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._kept: Kept[tuple[int, int, str], tuple[int, Rows]] = Kept(_KEPT)
        self._lock = threading.Lock()  # who needs what is being worked out waits for it

    @property
    def many(self) -> bool:
        """Whether the market has so many symbols that a question about all of them is worth preparing for."""
        return len(self._market.symbols) > _FEW

    @property
    def first(self) -> int:
        """When the market begins."""
        return self._market.span[0]

    def kept_until(self, now: int) -> int | None:
        """The moment in the minute of `now` as of which raw bars are ready; None if there is none."""
        found = self._kept.get((self._begin(now, now), now // _MINUTE, "raw"))
        return None if found is None or found[0] > now else found[0]

    def prepare(self, now: int) -> None:
        """Have the bars of this minute ready before anybody asks."""
        self._all(now, now + 1, now, "raw")

    def bars(self, numbers: Sequence[int], start: int, end: int, now: int, adjustment: str = "raw") -> Rows:
        """As `Market.bars` with the length of a day."""
        if len(numbers) <= _FEW:
            return self._market.bars(numbers, "1Day", start, end, now, adjustment)
        rows = self._all(start, end, now, adjustment)
        rank: npt.NDArray[np.int64] = np.full(len(self._market.symbols), -1, dtype=np.int64)
        rank[list(numbers)] = np.arange(len(numbers))
        rows = rows[rank[rows["symbol"]] >= 0]
        ordered: Rows = rows[np.argsort(rank[rows["symbol"]], kind="stable")]
        return ordered

    @staticmethod
    def _begin(start: int, now: int) -> int:
        """From when on bars are kept: early enough that most questions are one and the same."""
        return min(start, now - _BACK) // DAY * DAY

    def _all(self, start: int, end: int, now: int, adjustment: str) -> Rows:
        begin = self._begin(start, now)
        key = (begin, now // _MINUTE, adjustment)
        with self._lock:
            known, rows = self._kept.get(key) or (now + 1, np.zeros(0, BAR))
            if known > now:
                everyone = range(len(self._market.symbols))
                rows = self._market.bars(everyone, "1Day", begin, now + 1, now, adjustment)
                self._kept.put(key, (now, rows))
        wanted: Rows = rows[(rows["time"] >= start) & (rows["time"] < end)]
        return wanted


async def keep_ready(days: Days, clock: MarketClock) -> None:
    """Prepare the bars of every minute of the market as it begins, until cancelled.

    First the day so far is added up, step by step, so that whoever cancels need not wait long. Where a minute is over
    sooner than it is added up, as at high speed, minutes are left out.

    Parameters
    ----------
    days : Days
        What is kept ready; nothing is done for few symbols.
    clock : MarketClock
        What the time is.
    """
    if not days.many:
        return
    at, step, begun = days.first, _STEP, clock.nanoseconds
    while True:
        began, now = time.monotonic(), clock.nanoseconds
        at = min(now, at + step)
        await asyncio.wrap_future(_prepared(days, at))
        spent = time.monotonic() - began
        step = min(_STEP, 2 * step) if spent < _OFTEN / 2 else max(_MINUTE, step // 2)
        if at >= begun:
            left = (_MINUTE - clock.nanoseconds % _MINUTE) / SECOND / clock.speed
            await asyncio.sleep(max(spent * (1.0 / _PART - 1.0), _OFTEN, min(left, 1.0)))


def _prepared(days: Days, now: int) -> Future[None]:
    """Prepare in a thread that a process which ends does not wait for, as it would for an executor's."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()  # from here on it cannot be cancelled: there is no way to stop it

    def work() -> None:
        try:
            days.prepare(now)
        except BaseException as err:  # noqa: BLE001  (whoever waits for it is told)
            future.set_exception(err)
        else:
            future.set_result(None)

    threading.Thread(target=work, name="market-days", daemon=True).start()
    return future


def periods(days: Rows, count: int, unit: str) -> Rows:
    """Daily bars as bars of weeks, which begin on Monday, or of months, counted from January 1970.

    Parameters
    ----------
    days : BAR rows
        By symbol, then time.
    count : int
        How many of the unit.
    unit : {"Week", "Month"}
        Which.

    Returns
    -------
    BAR rows
        Begin at midnight in New York.
    """
    if not len(days):
        return days
    starts = np.array([period(at, count, unit) for at in days["time"].tolist()], dtype=np.int64)
    fresh = np.append(True, (np.diff(starts) != 0) | (np.diff(days["symbol"]) != 0))
    begins = np.flatnonzero(fresh)
    bars = days[begins].copy()
    bars["time"] = starts[begins]
    bars["high"] = np.maximum.reduceat(days["high"], begins)
    bars["low"] = np.minimum.reduceat(days["low"], begins)
    bars["close"] = days["close"][np.append(begins[1:], len(days)) - 1]
    bars["volume"] = np.add.reduceat(days["volume"], begins)
    bars["count"] = np.add.reduceat(days["count"], begins)
    with np.errstate(invalid="ignore", divide="ignore"):
        bars["vwap"] = np.add.reduceat(days["vwap"] * days["volume"], begins) / bars["volume"]
    return bars


def period(moment: int, count: int, unit: str) -> int:
    """When the week or the months begin that a moment lies in."""
    at = eastern(moment)
    if unit == "Week":
        first = at.toordinal() - at.weekday()
        begins = at.fromordinal(first)
    else:
        month = (at.year * 12 + at.month - 1) // count * count
        begins = at.replace(year=month // 12, month=month % 12 + 1, day=1)
    midnight = begins.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=EASTERN, fold=0)
    return int(midnight.timestamp()) * SECOND
