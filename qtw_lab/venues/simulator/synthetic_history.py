"""Daily bars before a synthetic day: a random walk that ends at the close from which the day starts."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.simulator.synthetic_chance import normal_table, uniform_table
from qtw_lab.venues.simulator.synthetic_model import MEASURED, Stocks
from qtw_lab.venues.ticks import BAR, DAILY_BAR, Rows

_STREAM_DAYS: Final = 401
_STREAM_FACTOR: Final = 402
_STREAM_NIGHTS: Final = 403
_STREAM_HIGHS: Final = 404
_STREAM_LOWS: Final = 405
_STREAM_VOLUMES: Final = 406


def daily_history(stocks: Stocks, seed: int, dates: npt.NDArray[np.int64]) -> Rows:
    """Daily bars of every stock on those dates, the last of which closes at its `price`, by symbol and date.

    Log returns have the stock's volatility, split between night and session as measured; highs and lows are those of a
    Brownian path between open and close (its maximum given both ends, by the reflection principle).

    Parameters
    ----------
    stocks : Stocks
        N stocks.
    seed : int
        Of the day.
    dates : int64 array (T,)
        Midnights in New York, nanoseconds since 1970.

    Examples
    --------
    >>> from qtw_lab.venues.simulator.synthetic_model import described
    >>> one = described(np.array([0.02]), np.array([40.0]), np.array([1e6]), ("NYSE",))
    >>> bars = daily_history(one, seed=1, dates=np.arange(3) * 10**9)
    >>> bars["close"][-1].item(), bool((bars["high"] >= bars["low"]).all())
    (40.0, True)
    """
    days, count = len(dates), len(stocks.price)
    shared, own = np.sqrt(MEASURED.correlation), np.sqrt(1.0 - MEASURED.correlation)
    factor = shared * normal_table(seed, _STREAM_FACTOR, 2 * days, 1)
    session = (factor[:days] + own * normal_table(seed, _STREAM_DAYS, days, count)) * np.sqrt(1.0 - MEASURED.overnight)
    night = (factor[days:] + own * normal_table(seed, _STREAM_NIGHTS, days, count)) * np.sqrt(MEASURED.overnight)
    session, night = session * stocks.volatility, night * stocks.volatility
    moves = np.cumsum(session + night, axis=0)
    closes = np.log(stocks.price) + moves - moves[-1]
    opens = closes - session
    variance = stocks.volatility**2 * (1.0 - MEASURED.overnight)
    reach = [
        (np.sqrt(session**2 - 2.0 * variance * np.log(uniform_table(seed, stream, days, count))) + sign * session) / 2.0
        for stream, sign in ((_STREAM_HIGHS, 1.0), (_STREAM_LOWS, -1.0))
    ]
    noise = normal_table(seed, _STREAM_VOLUMES, days, count)
    rows = np.zeros((count, days), dtype=BAR)
    rows["kind"], rows["symbol"], rows["time"] = DAILY_BAR, np.arange(count)[:, None], dates
    rows["open"], rows["close"] = _cents(np.exp(opens)).T, _cents(np.exp(closes)).T
    rows["high"] = np.maximum(_cents(np.exp(opens + reach[0])).T, np.maximum(rows["open"], rows["close"]))
    rows["low"] = np.minimum(_cents(np.exp(opens - reach[1])).T, np.minimum(rows["open"], rows["close"]))
    rows["volume"] = np.round(stocks.volume * np.exp(MEASURED.volume_spread * noise)).T
    rows["vwap"] = np.round((rows["open"] + rows["high"] + rows["low"] + rows["close"]) / 4.0, 4)
    rows["count"] = np.maximum(1, rows["volume"] / 100.0)
    return rows.reshape(-1)


def _cents(price: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Prices to the cent, never below one hundredth of it."""
    return np.where(price >= 1.0, np.round(price, 2), np.maximum(np.round(price, 4), 0.0001))
