"""How far every figure of a record could have come out otherwise: one table, from the same resamples for all.

Value and bounds come from the definitions of `stats.performance` themselves, called with many resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError, lookup
from qtw_lab.stats import captures, growth, ratios, relative, trades
from qtw_lab.stats.columns import Columns, FloatArray, Returns, beside, columns, deviation, generator, number, whole
from qtw_lab.stats.definitions import DEFINITIONS
from qtw_lab.stats.resampling import block_within, optimal_block_length, stationary_bootstrap_indices
from qtw_lab.stats.trades import Trades, profits

_Figures = Mapping[str, Callable[..., Any]]

_COLUMNS: Final = ["value", "low", "high", "method", "block", "undefined", "definition"]


def _named(*figures: Callable[..., Any]) -> _Figures:
    return MappingProxyType({figure.__name__: figure for figure in figures})


#: _Figures of the returns alone, in the order of the table, and those beside a benchmark.
_OWN: Final = _named(
    growth.total_return, growth.cagr, ratios.volatility, ratios.sharpe_ratio, ratios.sortino_ratio,
    growth.max_drawdown, growth.calmar_ratio, growth.ulcer_index, ratios.omega_ratio, ratios.value_at_risk,
    ratios.expected_shortfall, ratios.tail_ratio, ratios.skewness, ratios.kurtosis, ratios.hit_rate, ratios.best,
    ratios.worst,
)  # fmt: skip
_BESIDE: Final = _named(
    relative.alpha, relative.beta, relative.correlation, relative.information_ratio, relative.tracking_error,
    captures.up_capture, captures.down_capture, captures.capture_ratio, captures.batting_average, captures.up_beta,
    captures.down_beta,
)  # fmt: skip
#: _Figures of closed trades that do not depend on their order.
_OF_TRADES: Final = _named(
    trades.win_rate, trades.profit_factor, trades.expectancy, trades.average_win, trades.average_loss,
    trades.payoff_ratio, trades.kelly_fraction,
)  # fmt: skip

#: _Figures that need the bars a year.
_YEARLY: Final = frozenset(
    {"cagr", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio", "alpha", "information_ratio",
     "tracking_error"}
)  # fmt: skip
#: _Figures that belong to one path, not to the distribution its returns come from.
_OF_PATHS: Final = frozenset({"total_return", "max_drawdown", "calmar_ratio", "ulcer_index"})
#: No resample goes beyond the sample's own extremes, so that bounds of these would be made up.
_EXTREMES: Final = frozenset({"best", "worst"})


def performance_intervals(
    returns: Returns,
    figures: Iterable[str] | None = None,
    level: float = 0.95,
    reps: int = 1000,
    block: float | None = None,
    seed: int = 0,
    periods_per_year: float | None = None,
    benchmark: Returns | None = None,
) -> pd.DataFrame:
    """Every figure of a return series with bounds, by the stationary bootstrap; all from the same resamples.

    Bounds are percentiles of the figure over resampled histories (Politis and Romano, "The Stationary Bootstrap", 1994;
    Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979). They say how far a figure could have come out
    otherwise if the returns kept their distribution and their dependence over about a block; they know nothing of a
    change to come, nor of how many strategies were tried. Intervals are a little too narrow: the notes say how much.

    Parameters
    ----------
    returns : array_like or Series
        One series of simple returns of each bar as fractions, (T,), finite.
    figures : iterable of str, optional
        Names of figures of `stats.performance` ("sharpe_ratio" or "sharpe"); by default all of returns, and with a
        benchmark those beside it too. Order and defaults (risk-free rate 0, level 95% of a value at risk) are theirs.
    level : float
        Share of samples whose interval should hold the true figure, strictly between 0 and 1.
    reps : int
        Number of resamples, at least ``2 / (1 - level)``.
    block : float, optional
        Mean length of a block, from 1 to T bars; by default the longest that `optimal_block_length` has for the
        returns, their squares (so that quiet and wild times stay together) and their difference to the benchmark.
    seed : int
        What the random numbers start from.
    periods_per_year : float, optional
        Bars a year. Needed for plain numbers; a Series with times says it itself (252 for daily bars).
    benchmark : array_like or Series, optional
        Returns of the same bars, (T,); drawn together with the returns.

    Returns
    -------
    pandas.DataFrame
        A row a figure (index ``figure``): ``value``; ``low`` and ``high``; ``method``; ``block``, the mean length in
        bars; ``undefined``, the number of resamples without the figure; ``definition``, its convention. Method
        "percentile": an interval for the figure of the distribution. "percentile of paths": where the figure lies in
        histories as long as this one, a range of outcomes that need not lie around the value (total return, drawdown,
        Calmar ratio, ulcer index). "none": best and worst bar have no bounds. NaN as bounds further where the figure is
        NaN, where it is undefined in a resample, and where it is the same in all, which is no certainty. A figure that
        can be infinite (omega) may have an infinite bound.

    Raises
    ------
    DataError
        If the returns are not one finite series, never vary, or are fewer than 11 without a `block`; if the benchmark
        is of other bars; a figure is unknown or needs a benchmark; or a number is out of its range.

    Notes
    -----
    Measured at the default block: of 1,600 samples of 1,000 bars (Monte Carlo error 0.6 points), 95% intervals held the
    truth, for independent normal returns, in 94.6% (Sharpe ratio and volatility) and 94.1% (value at risk); for normal
    returns with an autocorrelation of 0.3 in 93.4%, 93.8% and 93.6%. Of 1,000 samples whose volatility comes in long
    waves (GARCH with a persistence of 0.98), in 92.9%, 66% and 74%: a thousand bars hold too few waves to tell how high
    they go. With blocks for the returns alone it would be 35% and 57%.

    Examples
    --------
    >>> r = 0.001 + 0.01 * np.random.default_rng(3).standard_normal(500)
    >>> found = performance_intervals(r, ["sharpe", "max_drawdown"], periods_per_year=252, block=5)
    >>> found[["value", "low", "high", "method"]].round(2)
                  value   low  high               method
    figure
    sharpe_ratio   2.46  1.09  3.87           percentile
    max_drawdown  -0.09 -0.18 -0.06  percentile of paths
    """
    given = _varied(returns)
    market = None if benchmark is None else beside(given, benchmark)
    chosen = _chosen(figures, _OWN if market is None else {**_OWN, **_BESIDE}, lacking=_BESIDE)
    tails = _tails(level, reps)
    yearly = given.yearly(periods_per_year) if _YEARLY & set(chosen) else None
    length = _block(given.values, market) if block is None else block_within(block, len(given.values))
    portions = stationary_bootstrap_indices(len(given.values), length, reps, seed)
    ask = _questions(chosen, yearly)
    drawn: dict[str, list[FloatArray]] = {name: [] for name in ask}
    for rows in portions:
        resampled = given.values[rows.T, 0], None if market is None else market[rows.T, 0]
        for name, figure in ask.items():
            drawn[name].append(figure(*resampled))
    values = {name: float(figure(given.values, market)[0]) for name, figure in ask.items()}
    found = {name: np.concatenate(parts) for name, parts in drawn.items()}
    return _table(values, found, tails).assign(block=length)[_COLUMNS]


def trade_intervals(
    pnl: Trades,
    figures: Iterable[str] | None = None,
    level: float = 0.95,
    reps: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Every figure of closed trades that does not depend on their order, with bounds: trades drawn with replacement.

    Percentiles of the figure over resampled trades (Efron, 1979), which takes trades as independent: overlapping
    trades, and those of one lucky month, are less sure than it says.

    Parameters
    ----------
    pnl : DataFrame or array_like
        Trade table with a column ``pnl``, or the profits themselves, (n,); as for `win_rate`.
    figures : iterable of str, optional
        Names of figures; by default all: win rate, profit factor, expectancy, average win and loss, payoff ratio and
        Kelly fraction.
    level, reps, seed
        As for `performance_intervals`.

    Returns
    -------
    pandas.DataFrame
        As of `performance_intervals`, with a ``block`` of 1 trade. Without trades all figures and bounds are NaN; after
        wins only, or a single trade, the win rate has no bounds. A profit factor may have an infinite bound.

    Raises
    ------
    DataError
        As for `win_rate`, or if a figure is unknown or a number out of its range.

    Examples
    --------
    >>> trade_intervals([30.0, -10.0] * 50, ["win_rate"])[["value", "low", "high"]].round(2)
              value  low  high
    figure
    win_rate    0.5  0.4   0.6
    """
    results = profits(pnl)
    chosen = _chosen(figures, _OF_TRADES)
    tails = _tails(level, reps)
    values = {name: float(_OF_TRADES[name](results)) for name in chosen}
    rng, count = generator(seed), len(results)
    found = {name: np.empty(reps) for name in chosen}
    for k in range(reps):
        drawn = results[rng.integers(count, size=count)] if count else results
        for name in chosen:
            found[name][k] = _OF_TRADES[name](drawn)
    return _table(values, found, tails).assign(block=1.0)[_COLUMNS]


def _varied(returns: Returns) -> Columns:
    given = columns(returns)
    if given.values.shape[1] != 1:
        raise DataError(f"Intervals are of one series, not of {given.values.shape[1]}; ask for each column.")
    if len(given.values) < 2 or deviation(given.values)[0] == 0.0:
        raise DataError(f"The {len(given.values)} returns never vary: there is nothing to resample.")
    return given


def _chosen(figures: Iterable[str] | None, known: _Figures, lacking: _Figures = MappingProxyType({})) -> list[str]:
    """Full names of the figures asked for, each once."""
    if figures is None:
        return list(known)
    if isinstance(figures, str) or not isinstance(figures, Iterable):
        raise DataError(f"figures={figures!r} must be a list of names, such as ['sharpe', 'volatility'].")
    every = [*known, *lacking]
    names = {name.removesuffix("_ratio"): name for name in every} | {name: name for name in every}
    chosen = list(dict.fromkeys(lookup(name, names, "figure") for name in figures))
    if not chosen:
        raise DataError("figures is empty; name at least one, or leave it out for all.")
    if wanting := [name for name in chosen if name not in known]:
        raise DataError(f"{wanting[0]} compares with a benchmark; give its returns as benchmark=.")
    return chosen


def _tails(level: float, reps: int) -> tuple[float, float]:
    """Shares of the resamples below the bounds."""
    share = number("level", level)
    if not 0.0 < share < 1.0:
        raise DataError(f"level={level!r} must lie strictly between 0 and 1, such as 0.95.")
    least = int(np.ceil(2.0 / (1.0 - share) - 1e-9))
    if whole("reps", reps) < least:
        raise DataError(f"{reps} resamples cannot show the bounds of {share:.4g}; take {least} at least.")
    return (1.0 - share) / 2.0, (1.0 + share) / 2.0


def _block(values: FloatArray, market: FloatArray | None) -> float:
    """One mean block length for all figures: the longest that returns, squares or differences ask for."""
    parts = [values, values**2] if market is None else [values, values**2, values - market]
    found = np.asarray(optimal_block_length(np.hstack(parts)).stationary)
    return max(1.0, float(np.nanmax(found)))  # squares of equal size, and no difference, have none


def _questions(chosen: list[str], yearly: float | None) -> dict[str, Callable[..., FloatArray]]:
    """Each figure as a function of returns (T, R) and the benchmark (T, R) that gives (R,)."""

    def asked(name: str) -> Callable[..., FloatArray]:
        year = {"periods_per_year": yearly} if name in _YEARLY else {}
        if name in _BESIDE:
            return lambda table, market: np.asarray(_BESIDE[name](table, market, **year), dtype=np.float64)
        return lambda table, _market: np.asarray(_OWN[name](table, **year), dtype=np.float64)

    return {name: asked(name) for name in chosen}


def _table(values: dict[str, float], drawn: dict[str, FloatArray], tails: tuple[float, float]) -> pd.DataFrame:
    rows = [(value, *_bounds(name, value, drawn[name], tails)) for name, value in values.items()]
    table = pd.DataFrame(rows, columns=["value", "low", "high"], index=pd.Index(list(values), name="figure"))
    table["method"] = [_method(name) for name in values]
    table["undefined"] = [int(np.isnan(drawn[name]).sum()) for name in values]
    table["definition"] = [DEFINITIONS[name] for name in values]
    return table


def _method(name: str) -> str:
    if name in _EXTREMES:
        return "none"
    return "percentile of paths" if name in _OF_PATHS else "percentile"


def _bounds(name: str, value: float, drawn: FloatArray, tails: tuple[float, float]) -> tuple[float, float]:
    """Percentiles of the drawn figures; NaN where they say nothing."""
    same = drawn.min() == drawn.max() or deviation(drawn[:, None])[0] == 0.0  # the second but for rounding
    if name in _EXTREMES or np.isnan(value) or np.isnan(drawn).any() or same:
        return float("nan"), float("nan")
    if np.isfinite(drawn).all():
        low, high = np.quantile(drawn, tails)
        return float(low), float(high)
    ordered, last = np.sort(drawn), len(drawn) - 1  # between a number and infinity nothing can be interpolated
    return float(ordered[int(np.floor(tails[0] * last))]), float(ordered[int(np.ceil(tails[1] * last))])
