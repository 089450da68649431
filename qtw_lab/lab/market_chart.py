"""A symbol's price chart for a page: its bars in a timeframe, indicators over and below them, and the last figures."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab import plots
from qtw_lab.core import Bars, Fact, Facts, lookup
from qtw_lab.core.frames import moment
from qtw_lab.data import calendars
from qtw_lab.lab.market_studies import Choice
from qtw_lab.plots.beneath import Beneath, beneath

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab
    from qtw_lab.lab.market_offers import Offer

#: How far back a chart reaches, by the name people choose.
RANGES: Final = MappingProxyType({
    "5D": pd.DateOffset(days=5), "1M": pd.DateOffset(months=1), "6M": pd.DateOffset(months=6),
    "1Y": pd.DateOffset(years=1), "5Y": pd.DateOffset(years=5), "all": None,
})  # fmt: skip

#: Bars a browser draws at ease; of longer histories the last ones are shown.
MOST_BARS: Final = 8_000

ADJUSTMENTS: Final = ("all", "raw")


@dataclass(frozen=True)
class Wish:
    """What a chart shows.

    Parameters
    ----------
    symbol : str
        Whose prices.
    timeframe : str
        Length of a bar, such as "1D".
    span : str
        A key of `RANGES`, counted back from the last bar.
    adjustment : {"all", "raw"}
        Whether prices are adjusted for splits and dividends.
    asof : str
        Last day, or moment, that is known; the end by default.
    studies : tuple of Choice
        Indicators.
    """

    symbol: str
    timeframe: str = "1D"
    span: str = "1Y"
    adjustment: str = "all"
    asof: str = ""
    studies: tuple[Choice, ...] = ()


@dataclass(frozen=True, eq=False)
class Chart:
    """A symbol's bars up to the moment asked for, the part of them that is shown, and their last figures.

    Parameters
    ----------
    bars : Bars
        (T, 1), the whole history known at `asof`, of which the indicators are made.
    wish : Wish
        What was asked for.
    shown : int
        How many of the last bars are drawn.
    facts : Facts
        The last bar, its change, and the range of what is shown.
    notes : tuple of str
        What must be known with it.
    """

    bars: Bars
    wish: Wish
    shown: int
    facts: Facts
    notes: tuple[str, ...]

    def picture(self, theme: str) -> plots.Picture:
        """Candles with their indicators in the colours of a theme."""
        return _picture(self, theme)


def chart(lab: Lab, offer: Offer, wish: Wish) -> Chart:
    """The bars and figures of a chart.

    Raises
    ------
    DataError
        If the source has not that symbol in that timeframe, or no bar up to `asof`.
    """
    lookup(wish.timeframe, dict.fromkeys(offer.timeframes(wish.symbol)), f"timeframe of {wish.symbol}")
    lookup(wish.adjustment, dict.fromkeys(ADJUSTMENTS), "adjustment")
    reach = lookup(wish.span, RANGES, "range")
    moment(wish.asof or None, "asof")
    bars = lab.bars(
        wish.symbol, None, wish.asof or None, timeframe=wish.timeframe, adjustment=wish.adjustment, source=offer.source
    )
    within = len(bars) if reach is None else int(np.count_nonzero(bars.index > bars.index[-1] - reach))
    shown = max(2, min(within, MOST_BARS, len(bars)))
    notes = list(bars.notes)
    if within > MOST_BARS:
        notes.insert(0, f"the last {MOST_BARS:,} of {within:,} bars are drawn")
    return Chart(bars, wish, min(shown, len(bars)), _facts(bars, min(shown, len(bars))), tuple(notes))


def _facts(bars: Bars, shown: int) -> Facts:
    """The last bar, and the range of what is shown."""
    last = {name: float(array[-1, 0]) for name, array in bars.values.items()}
    close = bars.values["close"][:, 0]
    before = float(close[-2]) if len(close) > 1 else float("nan")
    high, low = bars.values["high"][-shown:, 0], bars.values["low"][-shown:, 0]
    pattern = "%Y-%m-%d %H:%M" if bars.timeframe.intraday else "%Y-%m-%d"
    made = (
        Fact("time", bars.index[-1].strftime(pattern), "date", "Last bar", "when it began, UTC"),
        Fact("close", last["close"], "money", "Close"),
        Fact("change", last["close"] / before - 1.0, "fraction", "Change", "close / close of the bar before - 1"),
        Fact("open", last["open"], "money", "Open"),
        Fact("high", last["high"], "money", "High"),
        Fact("low", last["low"], "money", "Low"),
        Fact("volume", last["volume"], "count", "Volume", "shares of the last bar"),
        Fact("range_high", float(np.max(high)), "money", "Highest shown"),
        Fact("range_low", float(np.min(low)), "money", "Lowest shown"),
        Fact("range_change", last["close"] / float(close[-shown]) - 1.0, "fraction", "Change over all shown"),
    )
    return Facts(f"{bars.symbols[0]}, {bars.timeframe}", made)


def _picture(made: Chart, theme: str) -> plots.Picture:
    prices = {name: array[:, 0] for name, array in made.bars.values.items()}
    index = _local(made.bars)
    shown = slice(len(index) - made.shown, None)
    lines = {choice: choice.lines(prices) for choice in made.wish.studies}
    over = {
        label: pd.Series(values[shown], index[shown])
        for choice, found in lines.items()
        if choice.study.place == "over"
        for label, values in found.items()
        if np.isfinite(values[shown]).any()
    }
    below = [
        Beneath(choice.label, {label: values[shown] for label, values in found.items()}, choice.study.levels,
                f"{choice.label} {choice.study.bars}" if choice.study.bars else "")
        for choice, found in lines.items()
        if choice.study.place == "below" and choice.name != "volume" and _any(found, shown)
    ]  # fmt: skip
    title = f"{made.wish.symbol}, {made.wish.timeframe}"
    table = pd.DataFrame({name: array[shown] for name, array in prices.items()}, index=index[shown])
    figure: Any = plots.candles(table, None, over, title, theme)
    top = figure.children[0]
    top.x_range.start = -0.7  # the range chosen is what is seen first
    volume = any(choice.name == "volume" for choice in made.wish.studies)
    return plots.Picture(beneath(figure, below, theme, volume=volume), f"Price chart of {title}")


def _any(found: dict[str, Any], shown: slice) -> bool:
    return any(np.isfinite(values[shown]).any() for values in found.values())


def _local(bars: Bars) -> pd.DatetimeIndex:
    """Times as the exchange's clock shows them; dates stay dates."""
    if not bars.timeframe.intraday:
        return bars.index.tz_localize(None)
    return bars.index.tz_convert(calendars.zone(bars.calendar))


def warming(made: Chart) -> tuple[str, ...]:
    """Labels of the indicators that have no value yet in what is shown: the history is too short for them."""
    prices = {name: array[:, 0] for name, array in made.bars.values.items()}
    shown = slice(len(made.bars) - made.shown, None)
    return tuple(choice.label for choice in made.wish.studies if not _any(choice.lines(prices), shown))
