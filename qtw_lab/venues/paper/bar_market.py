"""A market made of bars: each is quoted at its open, its low, its high and its close, one after the other.

Bars do not tell which of low and high came first; here the low does, always. Quotes have no spread, so a `FillModel`
with `adverse` adds that of its costs.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, DataError
from qtw_lab.data import calendars
from qtw_lab.venues.market import Arrivals, Numbers
from qtw_lab.venues.moments import SECOND, identity, midnight
from qtw_lab.venues.ticks import BAR, DAILY_BAR, QUOTE, TICK, TRADE, Rows, Symbols

#: Prices of a bar in the order in which they are quoted.
_CORNERS: Final = ("open", "low", "high", "close")
#: The close is quoted so long before the bar ends, while there is trading still.
_BEFORE_END: Final = 1000
#: Shares that a quote shows: as many as anybody asks for.
_ANY: Final = 1e9


class BarMarket:
    """Bars as quotes and trades, for a `PaperBroker`; satisfies `market.Prices`.

    Parameters
    ----------
    bars : Bars
        Of a day or shorter.

    Raises
    ------
    DataError
        If the bars are longer than a day, or one of them lies outside the sessions of its calendar.

    Attributes
    ----------
    opens, ends : ndarray of int64, (T,)
        When each bar begins and ends, nanoseconds since 1970, UTC; of daily bars when their session opens and closes.

    Examples
    --------
    >>> df = pd.DataFrame({"close": [10.0, 11.0]}, index=pd.date_range("2024-01-02", periods=2))
    >>> market = BarMarket(Bars.from_frame(df, symbol="X"))
    >>> [float(row["price"]) for moment in market.opens for row in market.latest_trades([0], moment)]
    [10.0, 11.0]
    """

    def __init__(self, bars: Bars) -> None:
        self.bars, self.symbols = bars, Symbols(bars.symbols)
        self.opens, self.ends = _spans(bars)
        steps = np.array([0.0, 1 / 3, 2 / 3])
        inner = self.opens[:, None] + ((self.ends - self.opens)[:, None] * steps).astype(np.int64)
        self._times = np.concatenate([inner, self.ends[:, None] - _BEFORE_END], axis=1).ravel()
        values = bars.values
        self._prices = np.stack([values[name] for name in _CORNERS], axis=1).reshape(len(self._times), -1)
        known = np.where(np.isnan(self._prices), -1, np.arange(len(self._times))[:, None])
        self._last = np.maximum.accumulate(known, axis=0)

    @property
    def span(self) -> tuple[int, int]:
        """The first bar's begin, and the last one's end."""
        return int(self.opens[0]), int(self.ends[-1])

    def assets(self) -> list[dict[str, Any]]:
        """An active stock for each symbol: fractions are traded, and it can be borrowed."""
        return [
            {
                "id": identity("asset", symbol), "class": "us_equity", "symbol": symbol, "status": "active",
                "tradable": True, "fractionable": True, "shortable": True, "borrow_status": "easy_to_borrow",
            }
            for symbol in self.bars.symbols
        ]  # fmt: skip

    def sessions(self, start: Any, end: Any) -> pd.DataFrame:
        """As in `market.Prices`: those of the bars' calendar."""
        return calendars.sessions(self.bars.calendar, start, end)

    def arrivals(self, start: int, end: int, numbers: Numbers | None = None) -> Arrivals:
        """As in `market.Prices`: at each price of a bar a quote and then a trade."""
        first, last = np.searchsorted(self._times, [start, end])
        wanted = np.arange(len(self.symbols)) if numbers is None else np.asarray(numbers, dtype=np.int64)
        places, columns = np.nonzero(~np.isnan(self._prices[first:last][:, wanted]))
        rows = np.repeat(self._rows(places + first, wanted[columns], QUOTE), 2)
        rows[1::2] = self._rows(places + first, wanted[columns], TRADE)
        return Arrivals(rows, rows["time"].copy())

    def latest_trades(self, numbers: Numbers, now: int) -> Rows:
        """As in `market.Prices`."""
        return self._latest(numbers, now, TRADE)

    def latest_quotes(self, numbers: Numbers, now: int) -> Rows:
        """As in `market.Prices`."""
        return self._latest(numbers, now, QUOTE)

    def previous_daily(self, numbers: Numbers, now: int) -> Rows:
        """As in `market.Prices`; a bar of which only the close counts."""
        over = int(np.searchsorted(self.ends, midnight(int(now)), side="right"))
        closes = self._latest(numbers, int(self.ends[over - 1] if over else self.opens[0]) - 1, TRADE)
        rows = np.zeros(len(closes), dtype=BAR)
        rows["kind"], rows["symbol"], rows["time"] = DAILY_BAR, closes["symbol"], closes["time"]
        for name in ("open", "high", "low", "close", "vwap"):
            rows[name] = closes["price"]
        return rows

    def _latest(self, numbers: Numbers, now: int, kind: int) -> Rows:
        wanted = np.asarray(numbers, dtype=np.int64)
        place = int(np.searchsorted(self._times, now, side="right")) - 1
        if place < 0:
            return np.empty(0, dtype=TICK)
        places = self._last[place, wanted]
        known = places >= 0
        if kind == QUOTE:  # that of an earlier bar does not stand in one in which the symbol does not trade
            known &= places // len(_CORNERS) == place // len(_CORNERS)
        return self._rows(places[known], wanted[known], kind)

    def _rows(self, places: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64], kind: int) -> Rows:
        rows = np.zeros(len(places), dtype=TICK)
        prices = self._prices[places, numbers]
        rows["kind"], rows["symbol"], rows["time"] = kind, numbers, self._times[places]
        rows["price"], rows["size"], rows["other_price"], rows["other_size"] = prices, _ANY, np.nan, np.nan
        if kind == QUOTE:
            rows["other_price"], rows["other_size"] = prices, _ANY
        else:
            rows["id"], rows["tape"] = places + 1, ord("C")
        return rows


def _spans(bars: Bars) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """When each bar begins and ends."""
    if not len(bars) or bars.timeframe.seconds > 86_400:
        raise DataError(f"A market needs bars of a day or less; there are {len(bars)} bars of {bars.timeframe}.")
    stamps = bars.index.as_unit("ns")
    table = calendars.sessions(bars.calendar, stamps[0] - pd.Timedelta(days=1), stamps[-1] + pd.Timedelta(days=1))
    days = calendars.session_dates(bars.calendar, stamps) if bars.timeframe.intraday else stamps.normalize()
    rows = table.reindex(days)  # NaT, the least of numbers, where there is no session
    opens, closes = (pd.DatetimeIndex(rows[name]).as_unit("ns").asi8 for name in ("open", "close"))
    if bars.timeframe.intraday:
        first = stamps.asi8
        opens, closes = np.maximum(first, opens), np.minimum(first + bars.timeframe.seconds * SECOND, closes)
    outside = np.flatnonzero(opens >= closes)
    if len(outside):
        raise DataError(
            f"The bar of {stamps[outside[0]]} lies outside the sessions of {bars.calendar}; drop such bars, or load "
            "them with a calendar that has them, such as 24/7."
        )
    return opens, closes
