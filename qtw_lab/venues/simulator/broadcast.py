"""The market's events, in order of arrival and at their time, sent to whoever listens."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from qtw_lab.venues.market import SECOND, Arrivals, Market
from qtw_lab.venues.simulator.clock import MarketClock
from qtw_lab.venues.simulator.faults import Distortion
from qtw_lab.venues.simulator.stream import DataStreams
from qtw_lab.venues.ticks import BAR, MINUTE_BAR, QUOTE, TICK, TRADE, Symbols, condition_mask

#: The symbol that the test stream is about.
FAKEPACA: Final = "FAKEPACA"

_BARS: Final = ("bars", "updatedBars", "dailyBars")
#: Events that a stretch should hold: few enough to be ready soon, many enough to be worth asking for.
_FEW, _MANY = 20_000, 100_000
#: How long after its last event a market still publishes bars.
_AFTERWARDS: Final = 2 * 60 * SECOND
#: Longest stretch, in seconds of market time.
_LONGEST: Final = 60
#: Events sent at once where the market runs as fast as its clients.
_PIECE: Final = 50_000
#: What may wait for a client before such a market waits for it, in bytes.
_PATIENCE: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Stretch:
    """What arrives at ``start <= instant < end``; `bars` is None where nobody had asked for bars."""

    start: int
    end: int
    events: Arrivals
    bars: Arrivals | None


class Broadcast:
    """The market's events on their way to the streams.

    Events are fetched ahead, in a thread of their own, and the clock never passes what has been fetched: a market that
    is slower to make than to play slows its clock instead of sending the past.

    Parameters
    ----------
    market : Market
        What is played.
    clock : MarketClock
        When.
    streams : DataStreams
        To whom.
    distortion : Distortion
        What happens to events on the way.
    tick : float
        Seconds of real time between two looks at the clock.
    """

    def __init__(
        self, market: Market, clock: MarketClock, streams: DataStreams, distortion: Distortion, tick: float = 0.005
    ) -> None:
        self._market, self._clock, self._streams, self._distortion = market, clock, streams, distortion
        self._tick = tick
        clock.allow(clock.nanoseconds)  # nothing has been fetched yet
        self._worker = ThreadPoolExecutor(1, "market-events")
        self._length = 1
        self._over = market.span[1] + _AFTERWARDS
        self._test_until = clock.nanoseconds // SECOND * SECOND
        self.events = 0

    async def run(self) -> None:
        """Play the market until cancelled; after its end only the test stream goes on."""
        loop = asyncio.get_running_loop()
        start = self._clock.nanoseconds
        ahead = loop.run_in_executor(self._worker, self._fetch, start, self._end_after(start))
        try:
            while True:
                stretch = await ahead
                self._adapt(len(stretch.events.rows))
                ahead = loop.run_in_executor(
                    self._worker, self._fetch, stretch.end, self._end_after(stretch.end)
                )  # fmt: skip
                if math.isinf(self._clock.speed):
                    await self._at_once(stretch)
                else:
                    await self._in_time(stretch)
        finally:
            self._worker.shutdown(wait=False, cancel_futures=True)

    def _end_after(self, start: int) -> int:
        return start // SECOND * SECOND + self._length * SECOND

    def _adapt(self, count: int) -> None:
        """Make the next stretch longer where this one held little: up to half a real second, or one market second."""
        speed = self._clock.speed
        longest = _LONGEST if math.isinf(speed) else min(_LONGEST, max(1, int(speed / 2)))
        if count < _FEW:
            self._length = min(2 * self._length, longest)
        elif count > _MANY:
            self._length = max(1, self._length // 2)
        self._length = min(self._length, longest)

    def _fetch(self, start: int, end: int) -> Stretch:
        if start >= self._over:
            return Stretch(start, end, _nothing(), None)
        events = self._market.arrivals(start, end)
        bars = self._market.published(start, end) if self._streams.wanted(_BARS) else None
        return Stretch(start, end, events, bars)

    async def _in_time(self, stretch: Stretch) -> None:
        """Send what a stretch holds as its time comes."""
        self._clock.allow(stretch.end)
        since, place, bar_place, bars = stretch.start, 0, 0, stretch.bars
        while True:
            now = self._clock.nanoseconds
            if bars is None and self._streams.wanted(_BARS) and stretch.start < self._over:
                bars = _nothing()
                self._streams.apart(self._late_bars(since, stretch.end))
            place = self._send_events(stretch.events, place, now)
            if bars is not None:
                bar_place = self._send_bars(bars, bar_place, now)
            self._send_test(now)
            since = now
            if now >= stretch.end:
                return
            await asyncio.sleep(self._tick)

    async def _at_once(self, stretch: Stretch) -> None:
        """Send what a stretch holds as fast as the slowest client takes it, bars among events where they belong."""
        while not self._clock.running:
            await asyncio.sleep(self._tick)
        if stretch.start >= self._over:
            await asyncio.sleep(_LONGEST * self._tick)  # the market is over and its clock stands at its end
            return
        bars = stretch.bars
        if bars is None and self._streams.wanted(_BARS):
            loop = asyncio.get_running_loop()
            bars = await loop.run_in_executor(self._worker, self._market.published, stretch.start, stretch.end)
        stops = [] if bars is None else np.unique(bars.times).tolist()
        place = bar_place = 0
        for stop in (*stops, stretch.end):
            while True:
                before = int(np.searchsorted(stretch.events.times, stop))
                upto = min(place + _PIECE, before)
                place = self._send_events(stretch.events, place, stop, upto)
                while self._streams.backlog > _PATIENCE:
                    await asyncio.sleep(0.001)
                if place >= before:
                    break
            self._clock.allow(stop)
            if bars is not None:
                bar_place = self._send_bars(bars, bar_place, stop + 1)
        self._send_test(stretch.end)
        await asyncio.sleep(0)

    def _send_events(self, events: Arrivals, place: int, now: int, upto: int | None = None) -> int:
        end = int(np.searchsorted(events.times, now)) if upto is None else upto
        if end > place or not self._distortion.idle:
            rows = events.rows[place:end]
            self.events += len(rows)
            if not self._distortion.idle:
                rows = self._distortion.apply(rows, events.times[place:end], now)
            self._streams.deliver(rows, ("iex", "sip", "delayed_sip"))
        return end

    def _send_bars(self, bars: Arrivals, place: int, now: int) -> int:
        end = int(np.searchsorted(bars.times, now))
        self._streams.deliver(bars.rows[place:end], ("iex", "sip", "delayed_sip"))
        return end

    async def _late_bars(self, start: int, end: int) -> None:
        """Bars of a stretch that was fetched before anybody wanted bars."""
        loop = asyncio.get_running_loop()
        bars = await loop.run_in_executor(self._worker, self._market.published, start, end)
        place = 0
        while True:
            now = self._clock.nanoseconds
            place = self._send_bars(bars, place, now)
            if now >= end:
                return
            await asyncio.sleep(self._tick)

    def _send_test(self, now: int) -> None:
        """Send the test stream's seconds that are over; at high speed only the last of them."""
        last = now // SECOND * SECOND
        if last <= self._test_until:
            return
        for second in range(max(self._test_until, last - 10 * SECOND), last, SECOND):
            self._streams.deliver(fakepaca_events(second), ("test",))
            bar = fakepaca_bar(second + SECOND)
            if bar is not None:
                self._streams.deliver(bar, ("test",))
        self._test_until = last


def _nothing() -> Arrivals:
    return Arrivals(np.empty(0, dtype=TICK), np.empty(0, dtype=np.int64))


def fakepaca_symbols() -> Symbols:
    """The test stream's only symbol.

    Examples
    --------
    >>> fakepaca_symbols().names
    ['FAKEPACA']
    """
    return Symbols([FAKEPACA])


def fakepaca_events(second: int) -> Any:
    """One trade and one quote of the test stream in each second, whatever the hour; the same whenever it is asked.

    Examples
    --------
    >>> rows = fakepaca_events(1_704_205_800 * SECOND)
    >>> [chr(kind) for kind in rows["kind"]], bool(rows["price"][0] > 100)
    (['q', 't'], True)
    """
    number = second // SECOND
    price = round(134.0 + 2.0 * math.sin(number / 97.0) + 0.05 * (number * 7919 % 11 - 5), 2)
    rows = np.zeros(2, dtype=TICK)
    rows["kind"], rows["exchange"], rows["tape"] = (QUOTE, TRADE), ord("V"), ord("A")
    rows["flag"][0], rows["time"] = ord("V"), (second + SECOND // 4, second + SECOND // 2)
    rows["id"][1], rows["conditions"] = number, (condition_mask("R"), condition_mask("@"))
    rows["price"], rows["size"] = (round(price - 0.02, 2), price), (100, 1 + number % 200)
    rows["other_price"], rows["other_size"] = (round(price + 0.02, 2), np.nan), (200, np.nan)
    return rows


def fakepaca_bar(end: int) -> Any:
    """The test stream's bar of the minute that ends at `end`; None where none does.

    Examples
    --------
    >>> fakepaca_bar(1_704_205_800 * SECOND)["count"].tolist(), fakepaca_bar(1_704_205_801 * SECOND)
    ([60], None)
    """
    start = end - 60 * SECOND
    if end % (60 * SECOND):
        return None
    trades = np.concatenate([fakepaca_events(start + place * SECOND)[1:] for place in range(60)])
    bar = np.zeros(1, dtype=BAR)
    bar["kind"], bar["time"], bar["count"] = MINUTE_BAR, start, 60
    bar["open"], bar["close"] = trades["price"][0], trades["price"][-1]
    bar["high"], bar["low"] = trades["price"].max(), trades["price"].min()
    bar["volume"] = trades["size"].sum()
    bar["vwap"] = (trades["price"] * trades["size"]).sum() / trades["size"].sum()
    return bar
