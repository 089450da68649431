"""Ready factors: a number for each symbol at the close of each bar, from that bar and those before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab import indicators as ind
from qtw_lab.core import Bars, DataError
from qtw_lab.research.factor_sections import FloatArray
from qtw_lab.stats.columns import ratio, whole

#: Amihud's ratio is given for a million in the currency of the prices.
_MILLION: Final = 1e6


def momentum(bars: Bars, lookback: int = 252, skip: int = 21) -> pd.DataFrame:
    """Return from `lookback` bars ago to `skip` bars ago, a fraction, (T, N); NaN until a symbol has the lookback.

    Twelve months less the latest one by default: Jegadeesh and Titman, "Returns to Buying Winners and Selling Losers"
    (1993). High is expected to do better.

    Parameters
    ----------
    bars : Bars
        (T, N) prices. Bars a symbol does not have are not counted, in any of these factors.
    lookback, skip : int
        Bars; `skip` from 0 and below `lookback`.

    Raises
    ------
    DataError
        If a length does not fit.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=4)
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 11.0, 12.0, 9.0]}, index=days), symbol="X")
    >>> momentum(bars, lookback=2, skip=1)["X"].round(4).tolist()
    [nan, nan, 0.1, 0.0909]
    """
    if whole("skip", skip, 0) >= whole("lookback", lookback):
        raise DataError(f"skip={skip} must be below lookback={lookback}; nothing is left of it otherwise.")
    close = _close(bars)
    latest = ind.lag(close, skip) if skip else close
    return _framed(ratio(latest, ind.lag(close, lookback)) - 1.0, bars)


def reversal(bars: Bars, lookback: int = 21) -> pd.DataFrame:
    """Return over the last `lookback` bars with its sign turned, a fraction, (T, N): last month's losers are high.

    Jegadeesh, "Evidence of Predictable Behavior of Security Returns" (1990). High is expected to do better.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 11.0, 8.0]}, index=days), symbol="X")
    >>> reversal(bars, lookback=2)["X"].round(4).tolist()
    [nan, nan, 0.2]
    """
    return _framed(-ind.returns(_close(bars), whole("lookback", lookback)), bars)


def volatility(bars: Bars, window: int = 63) -> pd.DataFrame:
    """Standard deviation of the last `window` logarithmic returns, a fraction a year, (T, N).

    Ang, Hodrick, Xing and Zhang, "The Cross-Section of Volatility and Expected Returns" (2006). Low is expected to do
    better: study ``-volatility(bars)`` for a portfolio that buys calm symbols.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 11.0, 12.1]}, index=days), symbol="X")
    >>> volatility(bars, window=2)["X"].round(4).tolist()
    [nan, nan, 0.0]
    """
    return _framed(ind.volatility(_close(bars), whole("window", window, 2), bars.periods_per_year), bars)


def illiquidity(bars: Bars, window: int = 21) -> pd.DataFrame:
    """Mean absolute return for a million traded, over the last `window` bars, (T, N).

    Amihud, "Illiquidity and Stock Returns" (2002), with adjusted closes times volume for the money traded. High is
    expected to do better, as pay for being hard to sell. Bars without volume are not counted.

    Raises
    ------
    DataError
        If no volume is known, or the window does not fit.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> df = pd.DataFrame({"close": [100.0, 110.0, 99.0], "volume": 10_000.0}, index=days)
    >>> illiquidity(Bars.from_frame(df, symbol="X"), window=2)["X"].round(4).tolist()
    [nan, nan, 0.096]
    """
    moves = np.abs(ind.returns(_close(bars)))
    return _framed(ind.sma(ratio(moves * _MILLION, _money(bars)), whole("window", window)), bars)


def dollar_volume(bars: Bars, window: int = 21) -> pd.DataFrame:
    """Natural logarithm of the mean money traded a bar over the last `window` bars, (T, N).

    Brennan, Chordia and Subrahmanyam, "Alternative Factor Specifications" (1998). Low is expected to do better; it also
    stands in for size where shares outstanding are not known.

    Raises
    ------
    DataError
        As for `illiquidity`.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=2)
    >>> df = pd.DataFrame({"close": [1.0, 3.0], "volume": 1.0}, index=days)
    >>> dollar_volume(Bars.from_frame(df, symbol="X"), window=2)["X"].round(4).tolist()
    [nan, 0.6931]
    """
    mean = ind.sma(_money(bars), whole("window", window))
    return _framed(np.log(np.where(mean > 0.0, mean, np.nan)), bars)


def distance_from_high(bars: Bars, window: int = 252) -> pd.DataFrame:
    """Close over the highest high of the last `window` bars, less one: 0 at the high, below 0 under it, (T, N).

    George and Hwang, "The 52-Week High and Momentum Investing" (2004). High, which is near 0, is expected to do better.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 8.0, 9.0]}, index=days), symbol="X")
    >>> distance_from_high(bars, window=2)["X"].round(4).tolist()
    [nan, -0.2, 0.0]
    """
    highest = ind.rolling_max(bars.values["high"], whole("window", window))
    return _framed(ratio(_close(bars), highest) - 1.0, bars)


def beta(bars: Bars, window: int = 252) -> pd.DataFrame:
    """Slope of a symbol's returns on the mean return of all symbols of these bars, over the last `window` bars, (T, N).

    Frazzini and Pedersen, "Betting Against Beta" (2014), with the equal-weighted mean for the market. Low is expected
    to do better; mostly wanted as an exposure to take out (`neutralised`).

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=4)
    >>> closes = pd.DataFrame({"A": [1.0, 1.1, 1.1, 1.21], "B": [1.0, 1.0, 1.0, 1.0]}, index=days)
    >>> bars = Bars.from_frame(pd.concat({"close": closes}, axis=1))
    >>> beta(bars, window=3).iloc[-1].round(4).tolist()
    [2.0, 0.0]
    """
    moves = ind.returns(_close(bars))
    known = np.isfinite(moves)
    count = known.sum(axis=1)
    market = ratio(np.where(known, moves, 0.0).sum(axis=1), count)
    return _framed(ind.rolling_beta(moves, market[:, None], whole("window", window, 2)), bars)


#: Every ready factor by name; called with bars alone it takes its usual lengths.
FACTORS: Final[Mapping[str, Callable[..., pd.DataFrame]]] = {
    "momentum": momentum,
    "reversal": reversal,
    "volatility": volatility,
    "illiquidity": illiquidity,
    "dollar_volume": dollar_volume,
    "distance_from_high": distance_from_high,
    "beta": beta,
}


def _close(bars: Any) -> FloatArray:
    if not isinstance(bars, Bars):
        raise DataError(f"A factor is made from Bars, not {type(bars).__name__}: give qtw.Bars or lab.bars(...).")
    close: FloatArray = bars.values["close"]
    return close


def _money(bars: Bars) -> FloatArray:
    """Close times volume, NaN where no volume is known or none was traded."""
    volume = bars.values["volume"]
    if not np.isfinite(volume).any():
        raise DataError(
            f"These bars ({bars.source}) have no volume, so liquidity cannot be measured. Use bars with volumes, such "
            "as lab.bars('AAPL,IBM', source='stocks')."
        )
    return np.where(volume > 0.0, volume * bars.values["close"], np.nan)


def _framed(values: FloatArray, bars: Bars) -> pd.DataFrame:
    return pd.DataFrame(
        np.where(bars.present, values, np.nan), index=bars.index, columns=pd.Index(bars.symbols, name="symbol")
    )
