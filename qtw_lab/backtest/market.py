"""The arrays a simulation reads besides the decisions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab import indicators as ind
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, Timeframe, frames

if TYPE_CHECKING:
    from qtw_lab.backtest.actions import Actions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Bars over which impact looks back for volatility and average daily volume.
IMPACT_WINDOW: Final = 20


class Market(NamedTuple):
    """The arrays a simulation reads besides the decisions; those that the terms do not need are empty, (0, 0).

    Parameters
    ----------
    open, high, low, close : ndarray, (T, N)
        Prices; NaN where a symbol has no bar.
    seconds : ndarray, (T,)
        Time since the bar before; 0 for the first.
    sessions : ndarray of int64, (T,)
        Number of each bar's session, increasing: the date on the exchange, or the bar's place if it is a day or longer.
    average : ndarray, (T, N) or (0, 0)
        Price of orders that are spread over the bar.
    volatility, volume : ndarray, (T, N) or (0, 0)
        Daily volatility and average daily volume known before each bar, for market impact.
    traded : ndarray, (T, N) or (0, 0)
        The bar's own volume, for the participation cap.
    split, dividend : ndarray, (T, N) or (0, 0)
        New shares for one old before the bar opens, and cash a share then held is paid; see `actions.Actions`.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    seconds: FloatArray
    sessions: IntArray
    average: FloatArray
    volatility: FloatArray
    volume: FloatArray
    traded: FloatArray
    split: FloatArray
    dividend: FloatArray

    @classmethod
    def of(
        cls,
        bars: Bars,
        terms: Terms,
        *,
        actions: Actions | None = None,
        seen: Bars | None = None,
        vwap: pd.DataFrame | None = None,
    ) -> Market:
        """The arrays of `bars` that `terms` call for.

        Parameters
        ----------
        bars : Bars
            (T, N) prices; raw ones if there are `actions`.
        terms : Terms
            What the simulation needs.
        actions : Actions, optional
            Splits and dividends of these bars.
        seen : Bars, optional
            The bars adjusted for the actions: a split is no volatility.
        vwap : pandas.DataFrame, optional
            Volume-weighted average price of each bar, by time and symbol; only for ``execution="next_vwap"``.

        Raises
        ------
        DataError
            If there is impact or a participation cap but no volume, the average price is missing or outside its bar, or
            the actions belong to other bars.
        """
        values = bars.values
        stamps = bars.index.as_unit("ns").asi8
        nothing = np.empty((0, 0))
        volatility = volume = nothing
        if terms.costs.impact > 0:
            volatility, volume = _impact_inputs(bars if seen is None else seen)
            if actions is not None:
                volume = volume / later_splits(actions.split)  # from shares of the end to those of the day
        traded = _checked_volume(bars, "A participation cap") if terms.participation > 0 else nothing
        arrays = cls(
            open=values["open"], high=values["high"], low=values["low"], close=values["close"],
            seconds=np.diff(stamps, prepend=stamps[:1]) / 1e9,
            sessions=_sessions(bars),
            average=_average_prices(bars, terms.execution, vwap),
            volatility=volatility, volume=volume, traded=traded,
            split=nothing if actions is None else actions.split,
            dividend=nothing if actions is None else actions.dividend,
        )  # fmt: skip
        return cls(*(_fixed(array) for array in arrays))

    def column(self, place: int) -> Market:
        """One symbol's arrays, contiguous, (T, 1)."""
        whole = ("seconds", "sessions")
        parts = {
            name: array if name in whole or not array.size else np.ascontiguousarray(array[:, place : place + 1])
            for name, array in self._asdict().items()
        }
        return Market(*(_fixed(array) for array in parts.values()))


def _fixed(array: Any) -> Any:
    """A contiguous read-only view: compiled functions know one kind of array, so they compile once."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def later_splits(split: FloatArray) -> FloatArray:
    """By how much a share has multiplied from each bar to the end, (T, N), given the splits before each bar's open."""
    after = np.vstack([split[1:], np.ones((1, split.shape[1]))])
    return np.asarray(np.cumprod(after[::-1], axis=0)[::-1], dtype=np.float64)


def _sessions(bars: Bars) -> IntArray:
    """Number of each bar's session."""
    if not bars.timeframe.intraday:
        return np.arange(len(bars), dtype=np.int64)
    days = frames.session_dates(bars.index, bars.calendar).as_unit("ns").asi8
    return np.ascontiguousarray(days // (86_400 * 10**9), dtype=np.int64)


def _average_prices(bars: Bars, execution: str, vwap: pd.DataFrame | None) -> FloatArray:
    """The price of orders spread over each bar, or nothing."""
    if vwap is not None and execution != "next_vwap":
        raise DataError(f"vwap is only for execution='next_vwap', not {execution!r}.")
    values = bars.values
    if execution == "next_typical":
        return np.ascontiguousarray((values["high"] + values["low"] + values["close"]) / 3.0)
    if execution != "next_vwap":
        return np.empty((0, 0))
    if vwap is None:
        raise DataError(
            "execution='next_vwap' needs vwap=, a table of each bar's volume-weighted price by time and symbol. Bars "
            "alone do not hold it; 'next_typical', (high + low + close) / 3, is the usual stand-in."
        )
    table = vwap.to_frame(bars.symbols[0]) if isinstance(vwap, pd.Series) and len(bars.symbols) == 1 else vwap
    prices = table.reindex(index=bars.index, columns=list(bars.symbols)).to_numpy(dtype=np.float64)
    room = 1e-9 * values["high"]
    with np.errstate(invalid="ignore"):
        outside = bars.present & ~((prices >= values["low"] - room) & (prices <= values["high"] + room))
    if outside.any():
        t, j = (int(k) for k in np.argwhere(outside)[0])
        raise DataError(
            f"vwap is {prices[t, j]:g} for {bars.symbols[j]} at {bars.index[t]}, outside its bar "
            f"({values['low'][t, j]:g} to {values['high'][t, j]:g}). Give every bar a price, adjusted as the bars are."
        )
    return np.where(bars.present, prices, np.nan)


def _checked_volume(bars: Bars, purpose: str) -> FloatArray:
    volume = bars.values["volume"]
    if not (volume[bars.present] > 0).any():
        raise DataError(
            f"{purpose} needs volumes, and these bars have none (all zero or missing). Leave that term out, or use "
            "data with volume."
        )
    return volume


def _impact_inputs(bars: Bars) -> tuple[FloatArray, FloatArray]:
    """Volatility of daily returns and average daily volume over the `IMPACT_WINDOW` bars before each bar, (T, N)."""
    volume = _checked_volume(bars, "Costs.impact")
    per_day = math.sqrt(bars.periods_per_year / Timeframe(1, "D").periods_per_year(bars.calendar))
    returns = ind.returns(bars.values["close"])
    volatility = ind.lag(ind.rolling_std(returns, IMPACT_WINDOW), 1) * per_day
    average = ind.lag(ind.sma(volume, IMPACT_WINDOW), 1) * per_day**2
    return np.ascontiguousarray(volatility), np.ascontiguousarray(average)
