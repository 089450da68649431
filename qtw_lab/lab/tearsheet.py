"""The sections of a tear sheet: everything a result can tell of itself, and what it cannot tell and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pandas as pd

from qtw_lab.core import Fact, Facts
from qtw_lab.lab import figures
from qtw_lab.lab import tearsheet_tables as tables
from qtw_lab.lab.tearsheet_tables import Track
from qtw_lab.plots import FactTable, Section
from qtw_lab.plots.thinning import WHOLE
from qtw_lab.stats.bootstrap import Interval

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result

#: Bars a price chart of a report holds at most: more would make the page too large to mail.
LAST_BARS: Final = 5_000

#: Bars below which a rolling figure or a distribution would say nothing.
_FEWEST: Final = 40

#: Closed trades from which their excursions are drawn.
_FEWEST_TRADES: Final = 3


@dataclass(frozen=True, eq=False)
class Sheet:
    """A result with the series and tables that several sections share.

    Parameters
    ----------
    result : Result
        What is told of.
    facts : Facts
        Its figures, without those that lead the page.
    """

    result: Result
    facts: Facts

    @cached_property
    def track(self) -> Track:
        """Returns of the bars."""
        return Track.of(self.result)

    @cached_property
    def days(self) -> Track:
        """Returns of the days, or of longer bars."""
        return Track.by_day(self.result)

    @cached_property
    def tails(self) -> Facts:
        """Value at risk and expected shortfall."""
        return tables.tails(self.track)

    @cached_property
    def worst(self) -> pd.DataFrame:
        """The deepest drawdowns."""
        return tables.worst_drawdowns(self.track)

    @cached_property
    def years(self) -> pd.DataFrame:
        """Returns by calendar year."""
        return tables.by_year(self.track)

    @property
    def long_enough(self) -> bool:
        """Whether rolling figures and distributions say anything."""
        return len(self.days.returns) >= _FEWEST


@dataclass(frozen=True, slots=True)
class Gap:
    """A section that is not there.

    Parameters
    ----------
    reason : str
        What is missing and why, as a sentence.
    """

    reason: str


Part = Callable[[Sheet], Section | Gap | None]


def sections(sheet: Sheet, *, intervals: bool) -> tuple[list[Section], list[str]]:
    """The sections up to the price chart in reading order, and a sentence for each that could not be made."""
    parts: Sequence[Part] = [growth, against, _intervals, *_PATH] if intervals else [growth, against, *_PATH]
    return _gathered(parts, sheet)


def trading_sections(sheet: Sheet) -> tuple[list[Section], list[str]]:
    """The sections about trades, in reading order, and a sentence for each that could not be made."""
    return _gathered(_TRADING, sheet)


def _gathered(parts: Sequence[Part], sheet: Sheet) -> tuple[list[Section], list[str]]:
    made: list[Section] = []
    gaps: list[str] = []
    for part in parts:
        found = part(sheet)
        if isinstance(found, Section):
            made.append(found)
        elif isinstance(found, Gap):
            gaps.append(found.reason)
    return made, gaps


def growth(sheet: Sheet) -> Section:
    """The account beside buying and holding, and its drawdown."""
    note = "The account against buying and holding, free of cost."
    if figures.is_log(sheet.result):
        note += " Equal distances are equal ratios."
    if len(sheet.result.equity) > WHOLE:
        note += " Long series are drawn by the points that show at full width, every high and low among them."
    return Section("Equity and buy and hold", figures.growth(sheet.result, "light").figure, note)


def against(sheet: Sheet) -> Section | Gap:
    """The account measured by buying and holding."""
    if not sheet.long_enough:
        return Gap(f"Figures against buy and hold are not shown: they need {_FEWEST} days, or longer bars.")
    note = "Of all bars, those without a position included. Buying and holding pays no costs here."
    return Section("Against buy and hold", tables.against(sheet.track), note)


def _intervals(sheet: Sheet) -> Section:
    """Between which bounds the main figures could have come out otherwise."""
    found = tables.intervals(sheet.track)
    known = {name: entry for name, entry in found.items() if isinstance(entry, Interval)}
    refused = [f"No interval of {tables.titled(name)}: {entry}" for name, entry in found.items() if name not in known]
    if not known:
        return Section("Confidence intervals", " ".join(refused))
    named = {fact.name: fact for fact in sheet.facts}
    heads: dict[str, Callable[[Interval], float]] = {
        "Estimate": lambda one: one.estimate, "Low (2.5%)": lambda one: one.low, "High (97.5%)": lambda one: one.high,
    }  # fmt: skip
    columns = {
        head: Facts(head, tuple(
            Fact(name, bound(entry), tables.INTERVALS[name], named[name].label, named[name].definition)
            for name, entry in known.items()
        ))
        for head, bound in heads.items()
    }  # fmt: skip
    block = next(iter(known.values())).block
    note = (
        f"95% intervals, percentiles of {tables.REPS:,} resamples by the stationary bootstrap (Politis and Romano, "
        f"1994), blocks of {block:.1f} bars on average, seed {tables.SEED}. They tell what chance alone could have "
        "made of the same returns, not what the search among several trials did, and resampled paths bias the drawdown."
    )
    return Section("Confidence intervals", FactTable("95% intervals", columns), " ".join([note, *refused]))


def drawdowns(sheet: Sheet) -> Section | Gap:
    """When and for how long the account was below its peak."""
    if sheet.worst.empty:
        return Gap("Drawdowns are not shown: the account never closed below its peak.")
    table = tables.shown_drawdowns(sheet.worst)
    table.index = pd.Index(list(range(1, len(table) + 1)), name="no.")
    note = (
        "The numbers in the picture are those of the table. Bars from the peak to the recovery, split at the trough "
        "into fall and climb; days are calendar days. A drawdown that has not recovered is measured to the last bar."
    )
    return Section("Drawdowns", (figures.underwater(sheet.track, sheet.worst, "light").figure, table), note)


def months(sheet: Sheet) -> Section:
    """Returns month by month."""
    return Section("Returns by month", figures.calendar(sheet.result, "light").figure)


def years(sheet: Sheet) -> Section | Gap:
    """Returns by calendar year beside buying and holding."""
    if len(sheet.years) < 2:
        return Gap("Returns by calendar year are not shown: all bars are of one year.")
    table = tables.readable(sheet.years)
    note = "The first and the last year count with the bars they have. Buying and holding pays no costs here."
    return Section("Returns by calendar year", (figures.years(sheet.years, "light").figure, table), note)


def rolling(sheet: Sheet) -> Section | Gap:
    """Sharpe ratio, volatility and beta over time."""
    pictures = figures.rolling(sheet.days, "light") if sheet.long_enough else ()
    if not pictures:
        return Gap(f"Rolling figures are not shown: they need {_FEWEST} days, or longer bars, that vary.")
    of = "days, compounded from the bars" if sheet.days.returns.index is not sheet.track.returns.index else "bars"
    note = f"Each point is the figure of the {sheet.days.window} {of} up to it, nothing after it."
    return Section("Rolling figures", tuple(picture.figure for picture in pictures), note)


def distribution(sheet: Sheet) -> Section | Gap:
    """How returns of one bar are spread, and how bad the bad ones are."""
    if len(sheet.track.returns) < _FEWEST:
        return Gap(f"The distribution of returns is not shown: it needs {_FEWEST} bars.")
    picture = figures.distribution(sheet.track, sheet.tails, "light")
    note = (
        "Returns of one bar, those without a position included: their zeros pull every quantile towards zero. VaR is "
        "the value at risk and ES the expected shortfall, both historical."
    )
    return Section("Distribution of returns", (picture.figure, sheet.tails, tables.shape(sheet.track)), note)


def crises(sheet: Sheet) -> Section | None:
    """What happened in the crises the history holds."""
    table = tables.crises(sheet.days)
    if table.empty:
        return None
    note = (
        "Of a crisis that the bars cover in part nothing is computed: part of a crisis is another crisis. Days without "
        "a position count as they are."
    )
    shown = tables.readable(table.drop(columns="definition")).rename(columns={"buy and hold return": "buy and hold"})
    return Section("Crises", shown, note)


def exposure(sheet: Sheet) -> Section | Gap:
    """How much was invested, and how often it changed hands."""
    if sheet.result.orders.empty:
        return Gap("Exposure and turnover are not shown: nothing was ever bought or sold.")
    pictures = [figures.exposure(sheet.result, "light"), figures.turnover(sheet.result, "light")]
    note = "Exposure at each close; turnover is half of all amounts traded over the mean equity of the period."
    return Section("Exposure and turnover", tuple(picture.figure for picture in pictures), note)


def trading(sheet: Sheet) -> Section | Gap:
    """Statistics of closed trades."""
    if not (sheet.result.trades["status"] == "closed").any():
        return Gap("Statistics of trades are not shown: no trade was closed.")
    note = "In the order of entry; a trade still open at the end does not count."
    return Section("Trade statistics", tables.trading(sheet.result), note)


def excursions(sheet: Sheet) -> Section | Gap:
    """How far trades ran against and for their holder."""
    table = tables.excursions(sheet.result)
    if len(table) < _FEWEST_TRADES:
        return Gap(
            f"Excursions of trades are not shown: they need {_FEWEST_TRADES} closed trades on prices without splits."
        )
    note = (
        "What was certainly lived through while held (Sweeney, 1997), as a fraction of the average entry price before "
        "costs: bars tell their range, not the order of their prices."
    )
    return Section("Excursions of trades", tuple(one.figure for one in figures.excursions(table, "light")), note)


def capacity(sheet: Sheet) -> Section | Gap:
    """How much capital the trades had room for."""
    found = tables.capacity(sheet.result)
    if found is None:
        return Gap("Capacity is not shown: it needs trades on daily bars with volume.")
    return Section("Capacity", found)


#: Sections that need the path of returns alone, in reading order.
_PATH: Final[tuple[Part, ...]] = (drawdowns, months, years, rolling, distribution, crises)

#: Sections that need trades, in reading order.
_TRADING: Final[tuple[Part, ...]] = (trading, excursions, exposure, capacity)


def price_charts(sheet: Sheet) -> Iterator[Section]:
    """The first symbol's prices with its trades."""
    bars = sheet.result.bars
    note = bars.symbols[0]
    if len(bars) > LAST_BARS:
        note += f"; the last {LAST_BARS:,} of {len(bars):,} bars"
    yield Section("Trades on the chart", figures.chart(sheet.result, None, "light", {}, LAST_BARS).figure, note)
