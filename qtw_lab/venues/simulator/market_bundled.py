"""A real day of the bundled stocks: its open, high, low, close and volume are real, what lies between them is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, parse_symbols
from qtw_lab.data.sample import SAMPLES
from qtw_lab.venues.market import SECOND, Arrivals, Numbers
from qtw_lab.venues.simulator.market_assets import asset
from qtw_lab.venues.simulator.market_events import ZONE
from qtw_lab.venues.simulator.synthetic import SyntheticMarket, seed_of_day, tables
from qtw_lab.venues.simulator.synthetic_day import Hours, hours_of, paths
from qtw_lab.venues.simulator.synthetic_model import MEASURED, YEAR, Stocks, described
from qtw_lab.venues.simulator.synthetic_plan import arriving, auction_prints, together
from qtw_lab.venues.simulator.vendor_bars import effects_of, standing
from qtw_lab.venues.ticks import BAR, CANCEL, CORRECTION, DAILY_BAR, TICK, TRADE, Rows, Symbols, condition_mask

FloatArray = npt.NDArray[np.float64]

_TITLES: Final = {
    "AAPL": ("Apple Inc.", "NASDAQ"),
    "FB": ("Facebook, Inc.", "NASDAQ"),
    "GOOG": ("Google Inc.", "NASDAQ"),
    "IBM": ("International Business Machines Corporation", "NYSE"),
    "MSFT": ("Microsoft Corporation", "NASDAQ"),
}
_FIELDS: Final = ("open", "high", "low", "close", "volume")

#: A day's factor that differs by more than this from the next day's is taken for a split, any other for a dividend: the
#: data do not say which. Microsoft's largest dividend, of 2004, was a tenth of the price.
_SPLIT: Final = 0.25
#: Adjusted closes are rounded to cents, so that factors differ from day to day without reason, by so many dollars at
#: most.
_ROUNDING: Final = 0.011
#: Volatility is that of so many days before.
_LOOK_BACK: Final = 60
#: Parts of the day's volume that are tried for trades outside the auctions; the closing auction is what is left.
_PARTS: Final = (0.90, 0.75, 0.5, 0.25)
_OPENING: Final = 0.02
#: Minutes that the day's high and low keep from the opening and the close, unless they are there.
_AWAY: Final = 15


class BundledMarket(SyntheticMarket):
    """A day that happened, of stocks in the bundled data set "stocks" (AAPL, FB, GOOG, IBM, MSFT; 2000 to 2013).

    The regular session's open, high, low, close and volume are exactly the day's, as traded; the days before it are the
    real ones. The path between, every trade and every quote are synthetic, made as by `SyntheticMarket`. Adjusted
    prices are adjusted for what had happened by that day, not for what came later. There are no halts.

    Parameters
    ----------
    symbols : str or iterable of str
        Such as "AAPL,IBM".
    date : date-like
        A session on which all of them traded, not their first.
    seed : int
        Of what is drawn.
    events_per_second : float
        As of `SyntheticMarket`; by default 20 for each symbol.

    Raises
    ------
    DataError
        If a symbol is not bundled, or did not trade on that date and before.
    SetupError
        If the package with the data is missing.

    Examples
    --------
    >>> market = BundledMarket("IBM", "2012-10-31")
    >>> first, last = market.span
    >>> day = market.bars([0], "1Day", first - 10**14, last, last)[-1]
    >>> day[["open", "high", "low", "close", "volume"]].item()
    (194.8, 196.41, 193.63, 194.53, 6052300.0)
    """

    def __init__(
        self,
        symbols: str | Iterable[str],
        date: Any,
        seed: int = 0,
        events_per_second: float | None = None,
    ) -> None:
        names = parse_symbols(symbols)
        rate = 20.0 * len(names) if events_per_second is None else float(events_per_second)
        self._check_arguments(seed, rate, events_per_second)
        self.hours = hours_of(date)
        self.seed = seed_of_day(int(seed), self.hours)
        self._assets_seed = int(seed)
        self.symbols = Symbols(names)
        self._load(names)
        self._build(rate)

    def _load(self, names: tuple[str, ...]) -> None:
        """The days up to this one, raw, and each day's factor by which prices of then compare with this day's."""
        session = pd.Timestamp(self.hours.begin, tz="UTC").tz_convert(ZONE).normalize()
        day = session.tz_localize(None).tz_localize("UTC")
        raw, adjusted = (SAMPLES["stocks"].bars(names, adjustment=kind) for kind in ("raw", "all"))
        upto = raw.index <= day
        self._dates = raw.index[upto]
        self._fields = {name: getattr(raw, name).to_numpy()[upto] for name in _FIELDS}
        close = self._fields["close"]
        missing = np.isnan(close[-2:]).any(axis=0) if len(close) > 1 else np.ones(len(names), dtype=bool)
        if self._dates[-1] != day or missing.any():
            late = ", ".join(name for name, gone in zip(names, missing, strict=True) if gone) or ", ".join(names)
            raise DataError(f"{late} did not trade on {day.date()} and the session before; choose another date.")
        self._adjusted = np.nan_to_num(adjusted.close.to_numpy()[upto])
        factor = adjusted.close.to_numpy()[upto] / close
        self._factor = factor / factor[-1]

    def _build(self, rate: float) -> None:
        hours, names = self.hours, self.symbols.names
        with np.errstate(invalid="ignore"):
            returns = np.diff(np.log(self._fields["close"] * self._factor), axis=0)[-_LOOK_BACK - 1 : -1]
        known = np.isfinite(returns).sum(axis=0) > _LOOK_BACK // 3
        volatility = np.full(len(names), MEASURED.volatility / YEAR**0.5)
        volatility[known] = np.nanstd(returns[:, known], axis=0, ddof=1)
        before = (self._fields["close"] * self._factor)[-2]
        volume = self._fields["volume"][-1]
        self.stocks = described(volatility, before, volume, tuple(_TITLES[name][1] for name in names))
        real = {name: self._fields[name][-1] for name in _FIELDS}
        path, highs, lows = _session_path(hours, self.seed, self.stocks, real)
        for part in _PARTS:
            self.day = tables(
                hours, self.seed, self.stocks, path, rate=rate, volume=volume * part, bounds=(real["low"], real["high"])
            )
            self.plan = together(_touches(hours, self.stocks, real, highs, lows))
            opening = np.round(volume * _OPENING)
            left = volume - opening - self._traded()
            if (left >= 1.0).all():
                break
        else:
            raise DataError(f"events_per_second={rate:g} is too many for the day's volume; give fewer.")
        whole = np.floor(left)
        self.plan = together(
            self.plan,
            _remainders(hours, self.stocks, real["close"], np.round(left - whole, 6)),
            auction_prints(hours, self.stocks, (real["open"], opening), (real["close"], whole)),
        )

    def _traded(self) -> FloatArray:
        """Shares of each stock that trade in the day and stay traded, by what is planned so far."""
        first, last = self.span
        self._seconds.clear()
        happened = self.arrivals(first, last, range(len(self.symbols)), (TRADE, CORRECTION, CANCEL))
        trades = standing(happened, last)
        counted = effects_of(trades, DAILY_BAR).volume
        shares = np.rint(trades["size"] * 1e6).astype(np.int64)
        total: FloatArray = np.bincount(trades["symbol"][counted], shares[counted], len(self.symbols)) / 1e6
        return total

    def history(self, numbers: Numbers, adjustment: str) -> Rows:
        """As in `EventMarket`: every real day before this one."""
        rows = self._earlier(adjustment)
        return rows[np.isin(rows["symbol"], np.asarray(numbers))]

    def _earlier(self, adjustment: str) -> Rows:
        splits, dividends = self._parts
        price = {"raw": 1.0, "split": splits, "dividend": dividends, "all": splits * dividends}[adjustment]
        shares = splits if adjustment in ("split", "all") else 1.0
        days, count = self._fields["close"].shape
        rows = np.zeros((count, days), dtype=BAR)
        dates = self._dates.tz_localize(None).tz_localize(ZONE).as_unit("ns").asi8
        rows["kind"], rows["symbol"], rows["time"] = DAILY_BAR, np.arange(count)[:, None], dates
        for name in ("open", "high", "low", "close"):
            rows[name] = (self._fields[name] * price).T
        rows["volume"] = (self._fields["volume"] / shares).T
        rows["vwap"] = (rows["open"] + rows["high"] + rows["low"] + rows["close"]) / 4.0
        rows["count"] = np.nan_to_num(rows["volume"]) / 100.0
        rows = rows[:, :-1].reshape(-1)
        known: Rows = rows[np.isfinite(rows["close"])]
        return known

    @cached_property
    def _parts(self) -> tuple[FloatArray, FloatArray]:
        """What each day's prices are multiplied by for splits, and for dividends, up to this day."""
        steps = np.ones_like(self._factor)
        with np.errstate(invalid="ignore"):
            steps[:-1] = self._factor[:-1] / self._factor[1:]
        steps[~np.isfinite(steps)] = 1.0
        steps = np.where(np.abs(steps - 1.0) * self._adjusted < _ROUNDING, 1.0, steps)
        split = np.abs(np.log(steps)) > -np.log(1.0 - _SPLIT)
        ratios = np.where(steps < 1.0, 2.0 / np.round(2.0 / steps), np.round(2.0 * steps) / 2.0)
        dividends = np.where(split, 1.0, steps)
        splits, dividends = (np.cumprod(part[::-1], axis=0)[::-1] for part in (np.where(split, ratios, 1.0), dividends))
        return splits.astype(np.float64), dividends.astype(np.float64)

    def assets(self) -> list[dict[str, Any]]:
        """As in `Market`."""
        return [asset(name, *_TITLES[name], seed=self._assets_seed) for name in self.symbols.names]


def _session_path(
    hours: Hours, seed: int, stocks: Stocks, real: dict[str, FloatArray]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Log prices by minute through the day's open, high, low and close, and the minutes of high and low."""
    drawn = paths(hours, seed, stocks.volatility, MEASURED.overnight, MEASURED.correlation).astype(np.float64)
    first, last = hours.opens // 60, hours.closes // 60
    made, highs, lows = drawn.copy(), [], []
    for number in range(len(stocks.price)):
        prices = {name: float(np.log(real[name][number] / stocks.price[number])) for name in _FIELDS[:4]}
        free = _bent(drawn[:, number], {first: prices["open"], last: prices["close"]})[first : last + 1]
        high, low = (first + int(place) for place in (free.argmax(), free.argmin()))
        high = first if prices["high"] == prices["open"] else min(max(high, first + _AWAY), last - _AWAY)
        low = first if prices["low"] == prices["open"] else min(max(low, first + _AWAY), last - _AWAY - 1)
        low += low == high and low != first
        anchors = {first: prices["open"], last: prices["close"]}
        anchors |= {high: prices["high"]} | {low: prices["low"]}
        line = _bent(drawn[:, number], {0: drawn[0, number], **anchors})
        inside = slice(first, last + 1)
        line[inside] = _folded(line[inside], prices["low"], prices["high"])
        made[:, number] = line
        highs.append(high)
        lows.append(low)
    return made.astype(np.float32), np.array(highs), np.array(lows)


def _bent(path: FloatArray, anchors: dict[int, float]) -> FloatArray:
    """The path moved to pass the anchors, by an amount that is linear between them; after the last one by the same."""
    places = sorted(anchors)
    off = [anchors[place] - path[place] for place in places]
    bent: FloatArray = path + np.interp(np.arange(len(path)), places, off)
    return bent


def _folded(path: FloatArray, low: float, high: float) -> FloatArray:
    """The path reflected at both bounds, as often as it takes."""
    width = high - low
    if width <= 0.0:
        return np.full_like(path, low)
    phase = np.mod(path - low, 2.0 * width)
    folded: FloatArray = low + np.minimum(phase, 2.0 * width - phase)
    return folded


def _touches(
    hours: Hours, stocks: Stocks, real: dict[str, FloatArray], highs: npt.NDArray[np.int64], lows: npt.NDArray[np.int64]
) -> Arrivals:
    """A round lot at the day's high and one at its low, at their minutes."""
    parts = [
        _trades(hours, stocks, price, 100.0, minutes * 60 + 1, condition_mask(""), number)
        for minutes, price, number in ((highs, real["high"], 7900), (lows, real["low"], 7901))
    ]
    return arriving(np.concatenate(parts), 1_000_000)


def _remainders(hours: Hours, stocks: Stocks, price: FloatArray, size: FloatArray) -> Arrivals:
    """A fraction of a share each, half a minute before the close, so that the closing auction trades whole shares."""
    seconds = np.full(len(price), hours.closes - 30)
    rows = _trades(hours, stocks, price, size, seconds, condition_mask("I"), 7902)
    return arriving(rows[rows["size"] > 0], 1_000_000)


def _trades(
    hours: Hours, stocks: Stocks, price: FloatArray, size: float | FloatArray, seconds: npt.NDArray[np.int64],
    conditions: int, number: int,
) -> Rows:  # fmt: skip
    rows = np.zeros(len(price), dtype=TICK)
    rows["kind"], rows["symbol"] = TRADE, np.arange(len(price))
    rows["exchange"], rows["tape"] = stocks.exchange, stocks.tape
    rows["time"] = hours.begin + seconds * SECOND + SECOND // 2
    rows["id"], rows["price"], rows["size"] = seconds * 8192 + number, price, size
    regular = np.where(stocks.tape == ord("C"), condition_mask("@"), condition_mask(" ")).astype(np.uint64)
    rows["conditions"] = regular | np.uint64(conditions)
    rows["other_price"] = rows["other_size"] = np.nan
    return rows
