"""A market that never was: thousands of symbols, drawn with a seed, of which any second can be had again alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, parse_symbols
from qtw_lab.data import calendars
from qtw_lab.venues.market import SECOND, Arrivals, Instants, Numbers
from qtw_lab.venues.simulator.kept import Kept
from qtw_lab.venues.simulator.market_assets import asset
from qtw_lab.venues.simulator.market_events import CALENDAR, ZONE, EventMarket
from qtw_lab.venues.simulator.synthetic_chance import normal_table
from qtw_lab.venues.simulator.synthetic_day import Hours, activity, halts_of, hours_of, jumped, pace, paths, widening
from qtw_lab.venues.simulator.synthetic_history import daily_history
from qtw_lab.venues.simulator.synthetic_kernels import write_seconds
from qtw_lab.venues.simulator.synthetic_model import MEASURED, TRADE_SHARE, Stocks, cross_section
from qtw_lab.venues.simulator.synthetic_plan import auction_prints, price_limits, statuses, together
from qtw_lab.venues.simulator.synthetic_prices import STOCK, Day
from qtw_lab.venues.ticks import TICK, TRADE, Rows, Symbols

#: Sessions of history before the day.
_SESSIONS_BEFORE: Final = 60
#: Of a day's volume, what trades in the opening and in the closing auction. Assumed.
_OPENING: Final = 0.02
_CLOSING: Final = 0.08
_DELAY: Final = 55 * SECOND
_KEPT: Final = 6
_LONG: Final = 4

_STREAM_VOLUME: Final = 301


class SyntheticMarket(EventMarket):
    """A day of a synthetic market.

    Every event is a function of the seed, the day's tables and its own second: nothing is remembered, so any second, of
    any symbols, can be had again alone and is the same in every process. What the figures rest on is stated in
    `synthetic_model` and `synthetic_day`.

    Parameters
    ----------
    seed : int
        Zero or more.
    date : date-like
        A session of the New York Stock Exchange.
    symbols : int or sequence of str
        How many, or their names. Fewer than 10,000 are the most traded ones of such a market.
    events_per_second : float
        Trades and quotes together, mean over the session; a burst at the opening is some ten times that. By default one
        for each symbol. The volume of a day does not depend on it: fewer trades are larger ones.

    Raises
    ------
    DataError
        If there is no session on that date or an argument is out of range.

    Examples
    --------
    >>> market = SyntheticMarket(seed=1, date="2024-01-05", symbols=20)
    >>> opening = 1_704_465_000 * SECOND
    >>> again = SyntheticMarket(seed=1, date="2024-01-05", symbols=20)
    >>> market.events(opening, opening + SECOND).tobytes() == again.events(opening, opening + SECOND).tobytes()
    True
    """

    def __init__(
        self,
        seed: int,
        date: Any,
        symbols: int | Sequence[str] = 10_000,
        events_per_second: float | None = None,
    ) -> None:
        names = _names(symbols)
        rate = float(len(names)) if events_per_second is None else float(events_per_second)
        self._check_arguments(seed, rate, events_per_second)
        self.hours = hours_of(date)
        self.seed = seed_of_day(int(seed), self.hours)
        self._assets_seed = int(seed)
        self.symbols = Symbols(names)
        self.stocks = cross_section(int(seed), len(names))
        self._build(rate)

    @staticmethod
    def _check_arguments(seed: Any, rate: float, given: Any) -> None:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
            raise DataError(f"seed={seed!r} must be a whole number, zero or more.")
        if not (np.isfinite(rate) and 0 < rate <= 5_000_000):
            raise DataError(f"events_per_second={given!r} must be above 0 and at most 5,000,000.")

    def _build(self, rate: float) -> None:
        """The tables of the day, and the rows that have their moment."""
        hours, stocks, count = self.hours, self.stocks, len(self.symbols)
        halts = halts_of(hours, self.seed, count)
        path = paths(hours, self.seed, stocks.volatility, MEASURED.overnight, MEASURED.correlation)
        jumped(path, halts)
        volume = stocks.volume * np.exp(MEASURED.volume_spread * normal_table(self.seed, _STREAM_VOLUME, 1, count)[0])
        self.day = tables(
            hours, self.seed, stocks, path, rate=rate, volume=volume * (1 - _OPENING - _CLOSING),
            bounds=(np.zeros(count), np.full(count, np.inf)),
        )  # fmt: skip
        self.day.stocks["halted"][halts.symbol] = halts.start
        self.day.stocks["resumed"][halts.symbol] = halts.end
        prices = [_cents(stocks.price * np.exp(path[at // 60].astype(float))) for at in (hours.opens, hours.closes)]
        lots = [np.maximum(100.0, np.round(volume * share / 100.0) * 100.0) for share in (_OPENING, _CLOSING)]
        self.plan = together(
            auction_prints(hours, stocks, (prices[0], lots[0]), (prices[1], lots[1])),
            statuses(hours, stocks, halts),
            price_limits(hours, stocks, path),
        )

    @property
    def span(self) -> tuple[int, int]:
        """As in `Market`: from 04:00 in New York until four hours after the close."""
        return self.hours.begin, self.hours.begin + self.hours.ends * SECOND

    @property
    def delay(self) -> int:
        """The longest delay of a notice, 50 seconds, and then some."""
        return _DELAY

    @cached_property
    def _seconds(self) -> Kept[tuple[int, bytes], Arrivals]:
        """The seconds made last: a stream asks for each many times over, in small pieces."""
        return Kept(_KEPT)

    def arrivals(self, start: int, end: int, numbers: Numbers | None = None, kinds: tuple[int, ...] = ()) -> Arrivals:
        """As in `Market`; of some kinds of rows only, if any are named."""
        begin, stop = max(start, self.span[0]), min(end, self.span[1])
        if stop <= begin:
            return Arrivals(np.zeros(0, dtype=TICK), np.zeros(0, dtype=np.int64))
        first, last = (begin - self.hours.begin) // SECOND, -(-(stop - self.hours.begin) // SECOND)
        wanted = np.arange(len(self.symbols)) if numbers is None else np.unique(np.asarray(numbers, dtype=np.int64))
        if kinds or last - first > _LONG:
            made = self._made(wanted, first, last, kinds)
        else:
            made = together(*(self._second(wanted, second) for second in range(first, last)))
        low, high = np.searchsorted(made.times, [begin, stop])
        rows, times = made.rows[low:high], made.times[low:high]
        if not kinds:
            return Arrivals(rows, times)
        chosen = np.isin(rows["kind"], kinds)
        return Arrivals(rows[chosen], times[chosen])

    def _second(self, wanted: npt.NDArray[np.int64], second: int) -> Arrivals:
        key = (second, wanted.tobytes())
        found = self._seconds.get(key)
        if found is None:
            found = self._made(wanted, second, second + 1, ())
            self._seconds.put(key, found)
        return found

    def _made(self, wanted: npt.NDArray[np.int64], first: int, last: int, kinds: tuple[int, ...]) -> Arrivals:
        """Rows of whole seconds, in order of arrival."""
        quotes = not kinds or any(kind not in (TRADE, ord("c"), ord("x")) for kind in kinds)
        mean = float(self.day.stocks["rate"][wanted].sum() * self.day.curve[first:last].sum())
        mean *= 1.0 if quotes else TRADE_SHARE
        planned = self._planned(wanted, first, last)
        room = int(1.05 * mean + 8 * mean**0.5) + 30 * (last - first) + 2000
        while True:
            rows, times = (
                np.empty(room + len(planned.rows), dtype=TICK),
                np.empty(room + len(planned.rows), dtype=np.int64),
            )
            count = write_seconds(self.day, wanted, first, last, quotes, rows[:room], times[:room])
            if count >= 0:
                break
            room *= 2
        total = count + len(planned.rows)
        rows[count:total], times[count:total] = planned
        order = np.argsort(times[:total], kind="stable")
        return Arrivals(rows[order], times[order])

    def _planned(self, wanted: npt.NDArray[np.int64], first: int, last: int) -> Arrivals:
        moments: Instants = self.hours.begin + np.array([first, last], dtype=np.int64) * SECOND
        low, high = np.searchsorted(self.plan.times, moments)
        rows, times = self.plan.rows[low:high], self.plan.times[low:high]
        if len(wanted) == len(self.symbols):
            return Arrivals(rows, times)
        chosen = np.isin(rows["symbol"], wanted)
        return Arrivals(rows[chosen], times[chosen])

    def history(self, numbers: Numbers, adjustment: str) -> Rows:  # noqa: ARG002  (there are no splits or dividends)
        """Sixty daily bars before the day, the last of which closed at the price the day starts from.

        The synthetic market has no splits and no dividends: every adjustment is the same.
        """
        rows = self._history
        return rows[np.isin(rows["symbol"], np.asarray(numbers))]

    @cached_property
    def _history(self) -> Rows:
        day = pd.Timestamp(self.hours.begin, tz="UTC").tz_convert(ZONE).tz_localize(None).normalize()
        table = calendars.sessions(CALENDAR, day - pd.Timedelta(days=120), day - pd.Timedelta(days=1))
        dates = pd.DatetimeIndex(table.index)[-_SESSIONS_BEFORE:].tz_localize(None).tz_localize(ZONE).as_unit("ns").asi8
        return daily_history(self.stocks, self.seed, dates)

    def assets(self) -> list[dict[str, Any]]:
        """As in `Market`. The least traded fifth is hard to borrow."""
        hard = self.stocks.dollar_volume < np.quantile(self.stocks.dollar_volume, 0.2)
        return [
            asset(name, f"Synthetic Company {name}", self.stocks.listing[number], seed=self._assets_seed,
                  borrow="hard_to_borrow" if hard[number] else "easy_to_borrow")
            for number, name in enumerate(self.symbols.names)
        ]  # fmt: skip


def tables(
    hours: Hours,
    seed: int,
    stocks: Stocks,
    path: npt.NDArray[np.float32],
    *,
    rate: float,
    volume: npt.NDArray[np.float64],
    bounds: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> Day:
    """The tables that the compiled code reads; `volume` is what trades outside the auctions."""
    curve = activity(hours, seed)
    listed = np.zeros(len(stocks.price), dtype=STOCK)
    for name in ("volatility", "price", "spread", "exchange", "tape"):
        listed[name] = getattr(stocks, name)
    listed["rate"] = rate * stocks.activity
    listed["size"] = volume / (TRADE_SHARE * listed["rate"] * curve.sum())
    listed["low"], listed["high"] = bounds
    listed["halted"] = listed["resumed"] = -1
    return Day(
        seed=np.uint64(seed), begin=hours.begin, opens=hours.opens, closes=hours.closes, curve=curve,
        hustle=curve.reshape(-1, 60).sum(axis=1), widening=widening(hours), path=path,
        pace=pace(hours, MEASURED.overnight), stocks=listed,
    )  # fmt: skip


def _names(symbols: int | Sequence[str]) -> list[str]:
    """Tickers of the symbols: those given, or S and four letters."""
    if isinstance(symbols, (int, np.integer)) and not isinstance(symbols, bool):
        if not 1 <= symbols <= 26**4:
            raise DataError(f"symbols={symbols!r} must be between 1 and {26**4}.")
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        return ["S" + "".join(letters[n // 26**p % 26] for p in (3, 2, 1, 0)) for n in range(int(symbols))]
    if isinstance(symbols, bool):
        raise DataError(f"symbols={symbols!r} must be a number or names.")
    return list(parse_symbols(symbols))


def seed_of_day(seed: int, hours: Hours) -> int:
    """The day's own seed: another day of the same market is another path."""
    return (seed * 0x9E3779B97F4A7C15 + hours.begin // SECOND) % 2**63


def _cents(price: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Prices to the cent, below a dollar to its hundredth part."""
    return np.where(price >= 1.0, np.round(price, 2), np.round(price, 4))
