"""Regimes by rule: how volatile a market is beside its own past, and which way it trends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab import indicators as ind
from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.research.regime_labels import FloatArray, Path, Regimes, price_path, regimes_of, volatility_names
from qtw_lab.stats.columns import number, whole


def volatility_regimes(
    bars: Bars,
    symbol: str | None = None,
    *,
    window: int = 21,
    method: str = "rolling",
    quantiles: Sequence[float] = (1.0 / 3.0, 2.0 / 3.0),
    history: int = 252,
) -> Regimes:
    """How volatile each bar is beside all earlier bars: "calm", "normal" or "turbulent" with the two default quantiles.

    The regime of a bar is how many quantiles of the volatilities of the bars *before* it lie below its own volatility.
    It is missing until there are `history` of them. Nothing here sees a later bar.

    Parameters
    ----------
    bars : Bars
        The market's bars. With more than one symbol, `symbol` chooses; without it the market is all of them in equal
        weights.
    symbol : str, optional
        Which symbol.
    window : int
        Bars of the volatility, at least 2.
    method : {"rolling", "ewma"}
        Sample deviation of the last `window` log returns (`indicators.volatility`); or root of the exponential mean of
        their squares with weight ``2 / (window + 1)``, the form of RiskMetrics (J.P. Morgan, 1996), whose 0.94 is a
        window of about 32.
    quantiles : sequence of float
        Increasing, each strictly between 0 and 1; one gives two regimes. Interpolated linearly between volatilities.
    history : int
        Earlier volatilities a first label needs, at least 2.

    Returns
    -------
    Regimes
        The quietest regime first.

    Raises
    ------
    DataError
        If an argument is out of range, the symbol is not there, or there are too few bars for a single label.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> moves = np.where(np.arange(400) < 380, 0.005, 0.03) * rng.standard_normal(400)
    >>> times = pd.date_range("2024-01-01", periods=400, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": 100 * np.exp(moves.cumsum())}, times), symbol="X")
    >>> found = volatility_regimes(bars, window=10, quantiles=[0.9], history=100)
    >>> str(found.labels.iloc[-1]), int(found.labels.isna().sum())
    ('turbulent', 110)
    """
    path, bar_count = price_path(bars, symbol), whole("window", window, 2)
    measure = lookup(method, _VOLATILITIES, "method")
    levels, first = _levels(quantiles), whole("history", history, 2)
    measured = pd.Series(measure(path.prices.to_numpy(), bar_count, bars.periods_per_year)).dropna()
    if len(measured) <= first:
        needed = len(path.prices) - len(measured) + first + 1
        raise DataError(
            f"{path.name} has {len(path.prices)} bars, of which none can be labelled: a window of {bar_count} and a "
            f"history of {first} need {needed}. Give more bars, or a shorter window or history."
        )
    earlier = measured.shift(1).expanding(first)
    above = np.column_stack([measured.to_numpy() > earlier.quantile(level).to_numpy() for level in levels])
    states = np.full(len(path.prices), np.nan)
    states[measured.index[first:]] = above[first:].sum(axis=1)
    shown = ", ".join(f"{level:.0%}" for level in levels)
    told = f"{method} volatility of {bar_count} bars beside the {shown} quantile of all earlier ones, {first} at least"
    return regimes_of(path, states, volatility_names(len(levels) + 1), method=told)


def trend_regimes(
    bars: Bars, symbol: str | None = None, *, window: int = 200, band: float = 0.0, method: str = "average"
) -> Regimes:
    """Which way the market trends: "up" or "down".

    The regime turns up when the close stands more than `band` above its mark and down when more than `band` below it;
    in between it stays what it was, so that a close that hugs its mark does not flip it. It is missing until the band
    was left for the first time.

    Parameters
    ----------
    bars, symbol
        As for `volatility_regimes`.
    window : int
        Bars of the mark, at least 1.
    band : float
        Half width of the band as a fraction of the mark, 0 or more.
    method : {"average", "momentum"}
        The mark: the simple average of the last `window` closes, this one included; or the close `window` bars ago, so
        that the regime is the sign of past return (Moskowitz, Ooi and Pedersen, "Time Series Momentum", 2012).

    Returns
    -------
    Regimes
        "down" first.

    Raises
    ------
    DataError
        If an argument is out of range, the symbol is not there, or the band was never left, so that no bar has a label.

    Examples
    --------
    >>> times = pd.date_range("2024-01-01", periods=6, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 11.0, 10.9, 12.0, 9.0, 9.1]}, times), symbol="X")
    >>> trend_regimes(bars, window=1, band=0.05, method="momentum").labels.tolist()
    [nan, 'up', 'up', 'up', 'down', 'down']
    """
    path, bar_count = price_path(bars, symbol), whole("window", window)
    mark = lookup(method, _MARKS, "method")
    width = number("band", band)
    if width < 0.0:
        raise DataError(f"band={band!r} must be 0 or more: a fraction of the mark, such as 0.02.")
    prices = path.prices.to_numpy()
    distance = prices / mark(prices, bar_count) - 1.0
    turned = np.where(distance > width, 1.0, np.where(distance < -width, 0.0, np.nan))
    states = np.asarray(pd.Series(turned).ffill(), dtype=np.float64)  # from earlier bars only
    if np.isnan(states).all():
        raise DataError(
            f"{path.name} was never more than {width:.2%} away from its {method} over {bar_count} bars in "
            f"{len(prices)} bars, so no bar has a regime. Give more bars, a shorter window or a narrower band."
        )
    told = f"close beside its {method} of {bar_count} bars, with a band of {width:.2%}"
    return regimes_of(path, states, ("down", "up"), method=told)


def combined_regimes(first: Regimes, second: Regimes) -> Regimes:
    """Both regimes of each bar as one, such as "up, calm": missing where one is, hindsight if one is.

    Parameters
    ----------
    first, second : Regimes
        Of the same bars. Their probabilities are not joined: those of the result are 0 and 1.

    Raises
    ------
    DataError
        If they are no regimes, or of other bars.

    Examples
    --------
    >>> times = pd.date_range("2024-01-01", periods=4, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 11.0, 12.0, 11.5]}, times), symbol="X")
    >>> fast, slow = (trend_regimes(bars, window=n, method="momentum") for n in (1, 2))
    >>> combined_regimes(fast, slow).labels.tolist()
    [nan, nan, 'up, up', 'down, up']
    """
    if not isinstance(first, Regimes) or not isinstance(second, Regimes):
        raise DataError("Two Regimes are needed, such as of trend_regimes(bars) and volatility_regimes(bars).")
    if not first.labels.index.equals(second.labels.index):
        raise DataError("These regimes are of other bars; find both on the same ones.")
    codes = [one.labels.cat.codes.to_numpy(dtype=np.float64) for one in (first, second)]
    states = np.where(np.minimum(*codes) < 0.0, np.nan, codes[0] * len(second.names) + codes[1])
    index = pd.DatetimeIndex(first.labels.index)
    notes = tuple(dict.fromkeys((*first.notes, *second.notes)))
    return regimes_of(
        Path(pd.Series(1.0, index=index), index, "combined", notes),
        states,
        [f"{one}, {other}" for one in first.names for other in second.names],
        method=f"{first.method}; with {second.method}",
        hindsight=first.hindsight or second.hindsight,
    )


def log_moves(path: Path) -> FloatArray:
    """Log returns on the path's own bars without the first, which has none, (B - 1,)."""
    return ind.log_returns(path.prices.to_numpy())[1:]


def _ewma(prices: FloatArray, window: int, periods_per_year: float) -> FloatArray:
    """Root of the exponential mean of squared log returns, a year."""
    return np.sqrt(ind.ema(ind.log_returns(prices) ** 2, window) * periods_per_year)


_VOLATILITIES: Final[Mapping[str, Callable[[FloatArray, int, float], FloatArray]]] = {
    "rolling": ind.volatility,
    "ewma": _ewma,
}
_MARKS: Final[Mapping[str, Callable[[FloatArray, int], FloatArray]]] = {"average": ind.sma, "momentum": ind.lag}


def _levels(quantiles: Any) -> list[float]:
    if isinstance(quantiles, str) or not isinstance(quantiles, (Sequence, np.ndarray)) or not len(quantiles):
        raise DataError(f"quantiles={quantiles!r} must be a list of at least one number, such as (1/3, 2/3).")
    levels = [number("quantiles", level) for level in quantiles]
    if min(levels) <= 0.0 or max(levels) >= 1.0 or any(b <= a for a, b in pairwise(levels)):
        raise DataError(f"quantiles={quantiles!r} must increase, each strictly between 0 and 1.")
    return levels
