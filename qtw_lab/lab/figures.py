"""Results as pictures: which columns of a result go into which chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab import plots
from qtw_lab.core import Bars, DataError, Facts, lookup
from qtw_lab.lab import tearsheet_tables as tables
from qtw_lab.stats import performance as p
from qtw_lab.strategies import Strategy
from qtw_lab.strategies.base import Bounds

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep

#: A strategy with a longer repr than this is titled by its name.
_LONGEST_TITLE: Final = 70
#: Years from which growth is drawn on a logarithmic scale.
_LONG: Final = 5
#: A slider reaches at most this many times the default; the bounds of a parameter are often far wider than is useful.
_REACH: Final = 5


def chart(
    shown: Result | Bars, symbol: str | None, theme: str, overlays: Mapping[str, pd.Series], last: int | None = None
) -> plots.Picture:
    """Candles of one symbol, with the trades of a result; of the last bars only, if it is said how many."""
    bars = shown if isinstance(shown, Bars) else shown.bars
    bars = bars if last is None or last >= len(bars) else bars.tail(last)
    chosen = symbol or bars.symbols[0]
    place = lookup(chosen, {name: j for j, name in enumerate(bars.symbols)}, "symbol in these bars")
    ohlcv = pd.DataFrame({name: array[:, place] for name, array in bars.values.items()}, index=bars.index)
    trades = None if isinstance(shown, Bars) else shown.trades[shown.trades["symbol"] == chosen]
    title = f"{chosen}, {bars.timeframe}, adjustment: {bars.adjustment}"
    figure = plots.candles(ohlcv[bars.present[:, place]], trades, dict(overlays), title, theme)
    return plots.Picture(figure, f"Price chart of {title}")


def equity(result: Result, theme: str, title: str | None = None) -> plots.Picture:
    """The account against buy and hold."""
    shown = repr(result.strategy)
    title = title or f"{shown if len(shown) <= _LONGEST_TITLE else result.strategy.name}: equity after costs"
    figure = plots.equity(result.equity, result.benchmark, title, theme)
    return plots.Picture(figure, f"{title}, against buy and hold, with drawdown")


def growth(result: Result, theme: str) -> plots.Picture:
    """The account against buy and hold; on a logarithmic scale where the history is long and nothing fell to zero."""
    log = is_log(result)
    title = "Equity after costs" + (" (log scale)" if log else "")
    figure = plots.equity(result.equity.rename("strategy"), result.benchmark, title, theme, log=log)
    return plots.Picture(figure, f"{title}, against buy and hold, with drawdown")


def is_log(result: Result) -> bool:
    """Whether growth is better seen as ratios: five years or more, and always above zero."""
    long = len(result.equity) / result.bars.periods_per_year >= _LONG
    return long and bool((result.equity > 0).all()) and bool((result.benchmark > 0).all())


def underwater(track: tables.Track, worst: pd.DataFrame, theme: str) -> plots.Picture:
    """The drawdown over time, with the worst stretches shaded and numbered as in their table."""
    below = p.drawdown_series(track.returns)
    figure = plots.underwater(below, tables.stretches(worst, below.index), "", theme)
    return plots.Picture(figure, f"Drawdown over time, the {len(worst)} deepest shaded")


def years(table: pd.DataFrame, theme: str) -> plots.Picture:
    """Returns by calendar year beside those of buying and holding."""
    shown = table[["strategy", "buy_and_hold"]].rename(columns={"buy_and_hold": "buy and hold"})
    return plots.Picture(plots.columns(shown, "", theme, percent=True), "Returns by calendar year")


def rolling(track: tables.Track, theme: str) -> tuple[plots.Picture, ...]:
    """Sharpe ratio, volatility and beta of the last bars at every bar, beside those of buying and holding."""
    r, m, window, yearly = track.returns, track.market, track.window, track.yearly
    pair = pd.DataFrame({"strategy": r, "buy and hold": m})
    made = {
        "Sharpe ratio": (p.rolling_sharpe(pair, window, yearly), False),
        "Volatility, a year": (p.rolling_volatility(pair, window, yearly), True),
        "Beta to buy and hold": (pd.DataFrame({"beta": p.rolling_beta(r, m, window)}), False),
    }
    return tuple(
        plots.Picture(plots.lines(frame, title, theme, percent=percent, zero=True, above=True, height=230), title)
        for title, (frame, percent) in made.items()
        if bool(frame.notna().any().any())
    )


def distribution(track: tables.Track, tails: Facts, theme: str) -> plots.Picture:
    """How often returns of each size occurred, with the historical value at risk and expected shortfall."""
    figure = plots.histogram(track.returns, "", theme, tables.marks(tails), zeros=False)
    return plots.Picture(figure, "Distribution of returns of one bar")


def exposure(result: Result, theme: str) -> plots.Picture:
    """Holdings over equity at each close: all of them added up, and longs less shorts where there are shorts."""
    weights = result.weights
    frame = pd.DataFrame({"invested": weights.abs().sum(axis=1)})
    if bool((weights.to_numpy() < 0).any()):
        frame = frame.rename(columns={"invested": "longs and shorts together"}).assign(
            **{"longs less shorts": weights.sum(axis=1)}
        )
    figure = plots.lines(frame, "Exposure, share of equity", theme, percent=True, zero=True, above=True, height=230)
    return plots.Picture(figure, "Exposure over time")


def turnover(result: Result, theme: str) -> plots.Picture:
    """How often the account was turned over, period by period."""
    title = "Turnover, times mean equity"
    return plots.Picture(plots.columns(tables.turnover(result), title, theme, height=230), title)


def excursions(table: pd.DataFrame, theme: str) -> tuple[plots.Picture, ...]:
    """How far trades ran against and for their holder, against what they returned."""
    shown = table.assign(
        result=np.where(table["pnl"] > 0, "won", "lost or even"), entry=table["entry_time"].dt.strftime("%Y-%m-%d")
    ).sort_values("pnl", ascending=False)
    made = {
        "mae": ("Worst price while held, from entry", "Adverse excursion and return"),
        "mfe": ("Best price while held, from entry", "Favourable excursion and return"),
    }
    return tuple(
        plots.Picture(
            plots.dots(shown, name, "return", "result", title, theme, labels=(label, "Return of the trade"),
                       details=("symbol", "entry")), title,
        )
        for name, (label, title) in made.items()
    )  # fmt: skip


def calendar(result: Result, theme: str) -> plots.Picture:
    """Returns by month and year."""
    figure = plots.return_calendar(p.monthly_returns(result.returns), "Return by month, percent", theme)
    return plots.Picture(figure, "Returns by month and year")


def heatmap(sweep: Sweep, metric: str, symbol: str | None, theme: str) -> plots.Picture:
    """One metric over two parameters.

    Raises
    ------
    DataError
        If the grid has not two parameters, or the metric or symbol is not in the sweep.
    """
    table = surface(sweep, metric, symbol)
    name = f"{metric.replace('_', ' ')} of {len(table):,} combinations"
    figure = plots.heatmap(table, name, theme, best="max")
    return plots.Picture(figure, f"Heat map: {name}")


def surface(sweep: Sweep, metric: str, symbol: str | None) -> pd.Series:
    """The metric by its two parameters, for one symbol."""
    column = lookup(metric, {str(name): sweep.table[name] for name in sweep.table}, "metric of this sweep")
    if "symbol" in column.index.names:
        symbols = list(column.index.get_level_values("symbol").unique())
        chosen = lookup(symbol or str(symbols[0]), {str(name): name for name in symbols}, "symbol of this sweep")
        column = column.xs(chosen, level="symbol")
    varied = [str(name) for name in column.index.names if column.index.get_level_values(str(name)).nunique() > 1]
    if column.index.nlevels > 2 and len(varied) == 2:
        column = column.droplevel([name for name in column.index.names if name not in varied])
    if column.index.nlevels != 2:
        raise DataError(
            f"A heat map needs two parameters; this sweep varies {', '.join(map(str, column.index.names))}. "
            "Fix the others, or look at sweep.table."
        )
    return column


def explore(strategy: Strategy, trial: Callable[[Mapping[str, Any]], tuple[Result, int]]) -> Any:
    """Sliders for the strategy's parameters over its equity chart.

    Parameters
    ----------
    strategy : Strategy
        Where the sliders stand at first.
    trial : callable
        Backtests the strategy with the parameters at these values, counts it, and gives the result with the number of
        trials so far: what is tried with a slider is a trial like any other.

    Raises
    ------
    DataError
        If the strategy has no parameter that a slider could stand for.
    """
    from qtw_lab.plots.explorer import explore as widget

    def draw(**values: Any) -> Any:
        result, tried = trial(values)
        stats = result.stats
        title = (
            f"Return {stats['total_return']:.1%}, Sharpe {stats['sharpe']:.2f}, "
            f"drawdown {stats['max_drawdown']:.1%}, {stats['trades']:.0f} trades; "
            f"{tried:,} tried so far"
        )
        return plots.equity(result.equity, result.benchmark, title)

    controls = [control for field in type(strategy).declared().values() for control in _control(field, strategy)]
    if not controls:
        raise DataError(f"{strategy.name} has no parameter to slide. Look at lab.equity(lab.backtest(...)) instead.")
    return widget(draw, controls)


def _control(field: Field[Any], strategy: Strategy) -> list[Any]:
    """The control that fits a parameter; none for one that is not a number or a truth value."""
    from qtw_lab.plots.explorer import Choice, Slider

    bounds, value = field.metadata.get("bounds"), getattr(strategy, field.name)
    if isinstance(value, bool):
        return [Choice(field.name, (False, True), value)]
    if not isinstance(bounds, Bounds) or not isinstance(value, (int, float)):
        return []
    reach = max(abs(value) * _REACH, 10 if isinstance(value, int) else 0.1)
    low, high = max(bounds.low, -reach if bounds.low < 0 else 0), min(bounds.high, reach)
    low = max(low, bounds.low)
    if isinstance(value, int):
        return [Slider(field.name, int(np.ceil(low)), int(high), value, 1, bounds.label)]
    step = 10.0 ** np.floor(np.log10((high - low) / 50))
    return [Slider(field.name, float(low), float(high), float(value), float(step), bounds.label)]
