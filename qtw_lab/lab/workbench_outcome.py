"""A backtest from the workbench: run, counted and recorded as `Lab.backtest` does, with its figures' uncertainty."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pandas as pd

from qtw_lab.core import Bars, DataError, Fact, Facts
from qtw_lab.lab import figures
from qtw_lab.lab import tearsheet_tables as tables
from qtw_lab.lab.workbench_setup import Setup
from qtw_lab.lab.workbench_steps import Cancel, Progress, Step, StoppedError, never, silent
from qtw_lab.stats.bootstrap import Interval, bootstrap_interval

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.lab.front import Lab
    from qtw_lab.plots import Picture

#: What every result states before its figures.
LEAD: Final = (
    "trials", "deflated_sharpe", "costs", "execution", "data_fingerprint", "agreement", "symbols", "period",
)  # fmt: skip

#: Figures with an interval of confidence, and whether they are of a year.
UNCERTAIN: Final[Mapping[str, bool]] = {
    "total_return": False, "cagr": True, "volatility": True, "sharpe": True, "sortino": True, "max_drawdown": False,
    "calmar": True, "value_at_risk": False, "expected_shortfall": False,
}  # fmt: skip

#: Columns of the table of trades, what matters most first.
TRADES: Final = (
    "number", "symbol", "side", "entry_time", "entry_price", "exit_time", "exit_price", "quantity", "pnl", "return",
    "bars", "commission", "status",
)  # fmt: skip

#: Bars that a chart of prices holds at most: a browser has to hold them, too.
LAST_BARS: Final = 20_000


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a setup.

    Parameters
    ----------
    setup : Setup
        What was run.
    result : Result
        The simulated history, counted in the ledger of trials and checked by the second engine.
    intervals : mapping of str to Interval or str
        By figure, its 95% interval, or why there is none.
    seconds : float
        How long it took.
    """

    setup: Setup
    result: Result
    intervals: Mapping[str, Interval | str] = field(repr=False)
    seconds: float

    @cached_property
    def facts(self) -> Facts:
        """All figures; the number of trials, as it was when the backtest was run, comes first."""
        return self.result.facts()

    @property
    def lead(self) -> Facts:
        """What stands before any figure: trials, deflated Sharpe ratio, costs, execution, data, the second engine.

        The trials are those counted by now: what is tried on the same prices later makes a result less believable. Its
        notes are what a reader must know, such as that it was filled at prices that were not known yet.
        """
        found = self.result.facts()
        return Facts(found.title, tuple(fact for fact in found if fact.name in LEAD), found.notes)

    @property
    def symbols(self) -> tuple[str, ...]:
        """What was traded."""
        return self.result.bars.symbols

    @cached_property
    def statistics(self) -> pd.DataFrame:
        """Every figure as people read it: figure, value, low and high of its 95% interval, and its definition."""
        rows = []
        for fact in self.facts:
            if fact.name not in LEAD:
                bounds = self.intervals.get(fact.name)
                sides = (bounds.low, bounds.high) if isinstance(bounds, Interval) else (None, None)
                low, high = ("" if side is None else Fact("side", side, fact.unit).shown for side in sides)
                rows.append((fact.title, fact.shown, low, high, fact.definition))
        return pd.DataFrame(rows, columns=["figure", "value", "low", "high", "definition"])

    @property
    def method(self) -> str:
        """How the intervals were got, and why some are missing, in sentences."""
        known = [entry for entry in self.intervals.values() if isinstance(entry, Interval)]
        refused = {str(entry) for entry in self.intervals.values() if not isinstance(entry, Interval)}
        how = (
            f"95% intervals: percentiles of {known[0].reps:,} resamples by the stationary bootstrap, blocks of "
            f"{known[0].block:.1f} bars on average, seed {tables.SEED}. They tell what chance could have made of the "
            "same returns, not what choosing among trials did."
            if known
            else ""
        )
        return " ".join(filter(None, [how, *sorted(refused)]))

    @cached_property
    def band(self) -> pd.DataFrame | None:
        """The ambiguity band as people read it: figure, pessimistic, optimistic; None where no bar is ambiguous."""
        found = self.result.band
        if found["pessimistic"].equals(found["optimistic"]):
            return None
        known = {fact.name: fact for fact in self.facts}
        shown = {
            side: [Fact(str(name), float(value), known[str(name)].unit).shown for name, value in found[side].items()]
            for side in ("pessimistic", "optimistic")
        }
        return pd.DataFrame({"figure": [known[str(name)].title for name in found.index], **shown})

    @property
    def ambiguous(self) -> float:
        """Share of the trades that depend on whether a bar's high or its low came first."""
        return self.result.ambiguous_trades

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What each part of the costs took: money paid, and drag a year; parts that took nothing are left out."""
        found = self.result.costs[self.result.costs["paid"] > 0].rename_axis("cost").reset_index()
        return tables.readable(found.assign(cost=[str(name).replace("_", " ") for name in found["cost"]]))

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Round trips, the newest first: number (of the order of entry), symbol, times, prices, size, gain, costs."""
        found = self.result.trades.assign(number=range(1, len(self.result.trades) + 1))
        return found[list(TRADES)].iloc[::-1].reset_index(drop=True)

    def equity(self, theme: str) -> Picture:
        """The account against buying and holding, and its drawdown."""
        return figures.growth(self.result, theme)

    def candles(self, symbol: str, theme: str) -> Picture:
        """Prices of a symbol with its trades; of a long history the last `LAST_BARS` bars.

        Raises
        ------
        DataError
            If it was not traded.
        """
        return figures.chart(self.result, symbol, theme, {}, LAST_BARS)

    def months(self, theme: str) -> Picture:
        """Returns by month and year."""
        return figures.calendar(self.result, theme)


def run(lab: Lab, setup: Setup, progress: Progress = silent, cancel: Cancel = never) -> Outcome:
    """Backtest a setup; it is checked by the second engine, counted as a trial and recorded as a run.

    Parameters
    ----------
    lab : Lab
        Whose data, ledger and registry.
    setup : Setup
        What to run.
    progress : callable
        Is told what is under way.
    cancel : callable
        Says whether to end early. A backtest that is done stays recorded; the intervals that are missing say why.

    Raises
    ------
    DataError
        As `Lab.bars` and `Lab.backtest`.
    StoppedError
        If it was ended before the backtest began.
    """
    began = time.monotonic()
    progress(Step("prices"))
    bars = fetched(lab, setup)
    if cancel():
        raise StoppedError("Canceled before the backtest began; nothing was recorded.")
    progress(Step("backtest"))
    result = lab.backtest(setup.strategy, bars, **setup.terms.arguments)
    track = tables.Track.of(result)
    intervals: dict[str, Interval | str] = {}
    for place, (name, yearly) in enumerate(UNCERTAIN.items()):
        progress(Step("intervals", place, len(UNCERTAIN)))
        if cancel():
            intervals[name] = "The remaining intervals were not worked out: canceled."
            continue
        intervals[name] = _interval(track, name, yearly=yearly)
    progress(Step("intervals", len(UNCERTAIN), len(UNCERTAIN)))
    made = Outcome(setup, result, intervals, time.monotonic() - began)
    _ = made.facts, made.band  # which simulate the ambiguous bars at their best: work for this thread, not the page's
    return made


def fetched(lab: Lab, setup: Setup) -> Bars:
    """The prices of a setup."""
    p = setup.prices
    return lab.bars(list(p.symbols), p.start, p.end, p.timeframe, p.adjustment, p.source)


def _interval(track: tables.Track, name: str, *, yearly: bool) -> Interval | str:
    try:
        return bootstrap_interval(
            track.returns, name, reps=tables.REPS, seed=tables.SEED, periods_per_year=track.yearly if yearly else None
        )
    except DataError as err:
        return f"No interval of {tables.titled(name)}: {err}"
