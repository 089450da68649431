"""What a screen can show of a symbol: one function and one row of a table for each column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab import indicators as ind
from qtw_lab.core import Bars
from qtw_lab.core.facts import Unit
from qtw_lab.research.regime_labels import equal_weight_returns
from qtw_lab.stats.columns import ratio

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class View:
    """Bars as they were known at one of them: nothing here reads a later row.

    Windows are of each symbol's own bars: a bar that a symbol does not have is not counted, and a symbol without a bar
    at the end is seen as of its last one.

    Parameters
    ----------
    bars : Bars
        All bars, (T, N).
    stop : int
        How many of them are known, at least 1.
    """

    bars: Bars
    stop: int

    def known(self, name: str) -> FloatArray:
        """One of the five fields up to now, (stop, N), read-only."""
        return self.bars.values[name][: self.stop]

    @cached_property
    def own(self) -> IntArray:
        """How many bars each symbol has, (N,)."""
        return np.asarray(self.bars.present[: self.stop].sum(axis=0), dtype=np.int64)

    @cached_property
    def behind(self) -> IntArray:
        """How many bars ago each symbol had its last one, (N,): 0 for one that has it now, `stop` for none at all."""
        reverse = self.bars.present[: self.stop][::-1]
        return np.where(self.own > 0, reverse.argmax(axis=0), self.stop).astype(np.int64)

    @cached_property
    def moves(self) -> FloatArray:
        """Simple return of each bar over the symbol's own last one, (stop, N)."""
        return ind.returns(self.known("close"))

    @cached_property
    def market(self) -> FloatArray:
        """Simple return of all symbols in equal weights, (stop,)."""
        return equal_weight_returns(self.known("close"))

    def rows(self, count: int) -> tuple[IntArray, BoolArray]:
        """Rows of each symbol's last `count` own bars, oldest first, and which of them there are, both (count, N)."""
        present = self.bars.present[: self.stop]
        if len(present) >= count and present[-count:].all():
            rows = np.repeat(np.arange(len(present) - count, len(present))[:, None], present.shape[1], axis=1)
            return rows, np.ones(rows.shape, dtype=bool)
        lacking = max(0, count - len(present))
        rows = np.pad(self._packed[-count:], ((lacking, 0), (0, 0)))
        return rows, np.arange(count)[:, None] >= count - self.own

    @cached_property
    def _packed(self) -> IntArray:
        """Rows in the order: those without a bar, then the symbol's own, each in time order."""
        return np.argsort(self.bars.present[: self.stop], axis=0, kind="stable").astype(np.int64)

    def pick(self, values: FloatArray, count: int) -> FloatArray:
        """Values (stop, N) or (stop,) at each symbol's last `count` own bars, (count, N); NaN where there are fewer."""
        rows, there = self.rows(count)
        picked = values[rows] if values.ndim == 1 else np.take_along_axis(values, rows, axis=0)
        return np.where(there, picked, np.nan)

    def tail(self, name: str, count: int) -> FloatArray:
        """A field at each symbol's last `count` own bars, (count, N)."""
        return self.pick(self.known(name), count)

    def last(self, values: FloatArray) -> FloatArray:
        """Values (stop, N) at each symbol's last own bar, (N,)."""
        return newest(self.pick(values, 1))


@dataclass(frozen=True)
class Column:
    """One figure of every symbol.

    Parameters
    ----------
    figure : callable
        ``figure(view)`` gives a number a symbol, (N,), NaN where it is not defined.
    unit : {"fraction", "money", "ratio", "count", "bars"}
        What the number measures.
    bars : int
        Own bars a symbol must have.
    label : str
        What people read.
    definition : str
        The convention, in one line.
    """

    figure: Callable[[View], FloatArray] = field(repr=False)
    unit: Unit
    bars: int
    label: str
    definition: str


def newest(values: FloatArray) -> FloatArray:
    """The last row."""
    return np.asarray(values[-1], dtype=np.float64)


def closing(view: View) -> FloatArray:
    """The last close."""
    return newest(view.tail("close", 1))


def change(view: View, bars: int) -> FloatArray:
    """Simple return over the last `bars` own bars."""
    return newest(ind.returns(view.tail("close", bars + 1), bars))


def earlier_change(view: View, start: int, skipped: int) -> FloatArray:
    """Simple return from `start` own bars ago to `skipped` own bars ago."""
    close = view.tail("close", start + 1)
    return ratio(close[-1 - skipped], close[0]) - 1.0


def mean_volume(view: View, bars: int) -> FloatArray:
    """Mean shares a bar."""
    return newest(ind.sma(view.tail("volume", bars), bars))


def turnover(view: View, bars: int) -> FloatArray:
    """Mean of close x volume."""
    return newest(ind.sma(view.tail("close", bars) * view.tail("volume", bars), bars))


def relative_volume(view: View, bars: int, usual: int) -> FloatArray:
    """Mean volume of the last `bars` over that of the `usual` bars before them."""
    volume = view.tail("volume", bars + usual)
    return ratio(volume[usual:].mean(axis=0), volume[:usual].mean(axis=0))


def volatility(view: View, bars: int) -> FloatArray:
    """`indicators.volatility` of log returns, a year."""
    return newest(ind.volatility(view.tail("close", bars + 1), bars, view.bars.periods_per_year))


def average_range(view: View, bars: int) -> FloatArray:
    """`indicators.atr` over the close."""
    return view.last(ind.atr(view.known("high"), view.known("low"), view.known("close"), bars)) / closing(view)


def bar_range(view: View) -> FloatArray:
    """High less low of the last bar over the close before it."""
    return ratio(newest(view.tail("high", 1) - view.tail("low", 1)), view.tail("close", 2)[0])


def gaps(view: View, bars: int) -> FloatArray:
    """Open over the close before it less 1, of the last `bars`, (bars, N)."""
    return ratio(view.tail("open", bars), view.tail("close", bars + 1)[:-1]) - 1.0


def last_gap(view: View) -> FloatArray:
    """The last bar's gap."""
    return newest(gaps(view, 1))


def mean_gap(view: View, bars: int) -> FloatArray:
    """Mean size of the gaps, whichever way."""
    return np.asarray(np.abs(gaps(view, bars)).mean(axis=0), dtype=np.float64)


def from_high(view: View, bars: int, name: str = "high") -> FloatArray:
    """Close over the highest value of a field less 1."""
    return ratio(closing(view), view.tail(name, bars).max(axis=0)) - 1.0


def from_low(view: View, bars: int) -> FloatArray:
    """Close over the lowest low less 1."""
    return ratio(closing(view), view.tail("low", bars).min(axis=0)) - 1.0


def above_average(view: View, bars: int) -> FloatArray:
    """Close over the simple average less 1."""
    return closing(view) / newest(ind.sma(view.tail("close", bars), bars)) - 1.0


def average_over_average(view: View, fast: int, slow: int) -> FloatArray:
    """Fast simple average over the slow one less 1."""
    averages = [newest(ind.sma(view.tail("close", window), window)) for window in (fast, slow)]
    return ratio(averages[0], averages[1]) - 1.0


def strength(view: View, bars: int) -> FloatArray:
    """`indicators.rsi`."""
    return view.last(ind.rsi(view.known("close"), bars))


def market_beta(view: View, bars: int) -> FloatArray:
    """`indicators.rolling_beta` of the symbol's returns on those of the equal-weight market."""
    return newest(ind.rolling_beta(view.pick(view.moves, bars), view.pick(view.market, bars), bars))


def _changes(bars: int, span: str) -> Column:
    said = f"close / close {bars} own bars before - 1"
    return Column(partial(change, bars=bars), "fraction", bars + 1, f"Change over {span}", said)


#: Every column: name -> figure, unit, own bars needed, label, definition.
COLUMNS: Final[Mapping[str, Column]] = MappingProxyType({
    "close": Column(closing, "money", 1, "Close", "close of the last bar, adjusted as the bars are"),
    "change_1": _changes(1, "1 bar"),
    "change_5": _changes(5, "5 bars"),
    "change_21": _changes(21, "21 bars"),
    "change_63": _changes(63, "63 bars"),
    "change_126": _changes(126, "126 bars"),
    "change_252": _changes(252, "252 bars"),
    "momentum_12_1": Column(partial(earlier_change, start=252, skipped=21), "fraction", 253, "Momentum 12-1",
                            "close 21 own bars before / close 252 own bars before - 1 (Jegadeesh and Titman, 1993, "
                            "with the last month left out)"),
    "volume": Column(partial(mean_volume, bars=1), "count", 1, "Volume", "shares of the last bar"),
    "volume_21": Column(partial(mean_volume, bars=21), "count", 21, "Mean volume", "mean shares a bar of 21 bars"),
    "dollar_volume": Column(partial(turnover, bars=1), "money", 1, "Dollar volume", "close x volume of the last bar"),
    "dollar_volume_21": Column(partial(turnover, bars=21), "money", 21, "Mean dollar volume",
                               "mean close x volume of 21 bars, prices adjusted as the bars are"),
    "relative_volume": Column(partial(relative_volume, bars=1, usual=21), "ratio", 22, "Relative volume",
                              "volume of the last bar / mean volume of the 21 bars before it"),
    "volatility_21": Column(partial(volatility, bars=21), "fraction", 22, "Volatility, 21 bars",
                            "standard deviation (ddof 1) of 21 log returns x sqrt(bars a year)"),
    "volatility_63": Column(partial(volatility, bars=63), "fraction", 64, "Volatility, 63 bars",
                            "standard deviation (ddof 1) of 63 log returns x sqrt(bars a year)"),
    "atr_percent": Column(partial(average_range, bars=14), "fraction", 15, "Average true range",
                          "Wilder's average true range of 14 bars / close, over the whole history"),
    "range": Column(bar_range, "fraction", 2, "Range", "(high - low) of the last bar / close before it"),
    "gap": Column(last_gap, "fraction", 2, "Gap", "open of the last bar / close before it - 1"),
    "gap_mean_21": Column(partial(mean_gap, bars=21), "fraction", 22, "Mean size of gaps",
                          "mean of |open / close before it - 1| of 21 bars"),
    "drawdown_252": Column(partial(from_high, bars=252, name="close"), "fraction", 252, "Drawdown, 252 bars",
                           "close / highest close of 252 bars, the last one included - 1"),
    "from_high_252": Column(partial(from_high, bars=252), "fraction", 252, "From 52-week high",
                            "close / highest high of 252 bars, the last one included - 1"),
    "from_low_252": Column(partial(from_low, bars=252), "fraction", 252, "From 52-week low",
                           "close / lowest low of 252 bars, the last one included - 1"),
    "above_50": Column(partial(above_average, bars=50), "fraction", 50, "Above 50-bar average",
                       "close / mean of 50 closes - 1"),
    "above_200": Column(partial(above_average, bars=200), "fraction", 200, "Above 200-bar average",
                        "close / mean of 200 closes - 1"),
    "average_50_200": Column(partial(average_over_average, fast=50, slow=200), "fraction", 200, "50 over 200 average",
                             "mean of 50 closes / mean of 200 closes - 1"),
    "rsi_14": Column(partial(strength, bars=14), "ratio", 15, "RSI, 14 bars",
                     "Wilder's relative strength index of 14 bars, 0 to 100, over the whole history"),
    "beta_252": Column(partial(market_beta, bars=252), "ratio", 253, "Beta, 252 bars",
                       "slope of 252 simple returns on those of all symbols in equal weights, itself included"),
    "history": Column(lambda view: np.where(view.own > 0, view.own, np.nan), "bars", 1, "History",
                      "own bars up to the last one"),
})  # fmt: skip
