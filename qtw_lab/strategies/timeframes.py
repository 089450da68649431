"""Slower bars inside a strategy: a week's trend over daily crosses, without seeing the week before it has ended.

>>> from qtw_lab import indicators as ind
>>> from qtw_lab.strategies import Strategy, param
>>> from qtw_lab.strategies.stances import stance
>>> class WeeklyTrendCross(Strategy):
...     '''Long while the fast daily average is above the slow one and the last week closed above its own average.'''
...     fast: int = param(5, low=1, high=200, label="fast window (days)")
...     slow: int = param(20, low=2, high=500, label="slow window (days)")
...     weeks: int = param(10, low=2, high=200, label="trend window (weeks)")
...     @property
...     def warmup(self):
...         return max(self.slow - 1, warmup_of(self.weeks, "1W"))
...     @property
...     def memory(self):
...         return max(self.slow, memory_of(self.weeks, "1W"))
...     def signals(self, prices):
...         week = slower(prices, "1W")
...         above = week.panel.close - ind.sma(week.panel.close, self.weeks)
...         trend = week.onto(above, warmup=warmup_of(self.weeks, "1W"))
...         fast, slow = ind.sma(prices.close, self.fast), ind.sma(prices.close, self.slow)
...         return stance(((fast > slow) & (trend > 0), 1.0), otherwise=0.0, given=(fast, slow, trend))
>>> WeeklyTrendCross(weeks=10).warmup, WeeklyTrendCross(weeks=10).memory
(76, 78)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, Timeframe
from qtw_lab.strategies.base import FloatArray, Panel, TimeArray

IntArray = npt.NDArray[np.int64]

_SECOND: Final = 10**9
_DAY: Final = 86_400 * _SECOND
#: Calendars whose sessions differ in number or hours; see `Timeframe.periods_per_year`.
_CALENDARS: Final = ("XNYS", "24/5", "24/7")
#: Most days a month has, by trading days a week.
_MONTH: Final = {5: 23, 7: 31}
#: Most hours a local day has: clocks go back once a year.
_HOURS: Final = 25


@dataclass(frozen=True, slots=True)
class Slower:
    """Slower bars, and the way back to the fast ones.

    Parameters
    ----------
    panel : Panel
        (S, N): one row a period from the first to the last that the fast bars touch, labelled by its start. A symbol
        has NaN where it has no bar in the period, and so have all symbols in a period that is not known to be whole:
        the first, unless the fast bars begin at its start, and the last, until it is complete.
    """

    panel: Panel
    _last: IntArray = field(repr=False)
    _present: npt.NDArray[np.bool_] = field(repr=False)

    def onto(self, values: npt.ArrayLike, *, warmup: int | npt.ArrayLike = 0) -> FloatArray:
        """What was known of `values` at the close of each fast bar: the value at the last complete slower bar.

        Periods in which a symbol has no bar are passed over, as the indicators do. NaN before the first.

        Parameters
        ----------
        values : array_like
            (S, N), (S, 1) or, for a panel of one symbol, (S, K): numbers or truth values, computed from `panel`.
        warmup : int or array_like of int
            Fast bars of each symbol's own for which the answer is NaN in any case, one number or (K,): with
            `warmup_of` the first decision does not depend on the day of the week a history begins.

        Returns
        -------
        ndarray
            float64, (T, N) or (T, K).

        Raises
        ------
        DataError
            If `values` is not of such a shape.
        """
        table = np.asarray(values, dtype=np.float64)
        periods, symbols = self.panel.close.shape
        if table.ndim != 2 or table.shape[0] != periods or (symbols > 1 and table.shape[1] not in (1, symbols)):
            raise DataError(
                f"Values of shape {table.shape} do not belong to slower bars of shape ({periods}, {symbols}): compute "
                "them from the panel of slower bars, one row a bar."
            )
        exists = np.where(np.isnan(self.panel.close), -1, np.arange(periods)[:, None])
        latest = np.maximum.accumulate(exists, axis=0)
        rows = np.where(self._last[:, None] < 0, -1, latest[np.maximum(self._last, 0)])
        early = np.cumsum(self._present, axis=0) <= np.asarray(warmup)
        known = np.where(rows < 0, np.nan, table[np.maximum(rows, 0), np.arange(table.shape[1])[None, :]])
        return np.where(early, np.nan, known)


def slower(
    prices: Panel, timeframe: str | Timeframe, *, bar: str | Timeframe = "1D", zone: str = "UTC", opens: str = "00:00"
) -> Slower:
    """The bars of a longer timeframe that `prices` add up to, for use inside a strategy's rule.

    First open, highest high, lowest low, last close and summed volume of each period (volume is NaN where a part is not
    known). Weeks begin on Monday and months on the 1st; intraday periods are counted from `opens` and start anew every
    local day, so that no bar spans two of them. These are the periods of `data.resampling`: by default those of
    daily bars and of "24/7" markets; ``zone="America/New_York", opens="09:30"`` gives those of New York's sessions.

    A period is complete at fast bar t only if the bars up to t prove it: bar t lies in a later period, or bar t itself
    ends where the period ends. So the last hour of a four-hour period completes it. But Friday does not complete a week
    of exchange days, since without the future nobody here knows that Saturday is none: its bar is seen from Monday
    (with weekend bars, from Sunday's close).

    Parameters
    ----------
    prices : Panel
        The fast bars, (T, N), as a strategy is given them.
    timeframe : str or Timeframe
        Such as "1W", "1ME", "1D", "4h" or "15min"; longer than `bar`.
    bar : str or Timeframe
        Length of the fast bars; a panel does not say it.
    zone : str
        Time zone of days and of `opens`, for intraday bars; daily bars carry session dates and need none.
    opens : str
        Time of day, "HH:MM" in `zone`, that intraday periods are counted from.

    Raises
    ------
    DataError
        If the fast bars do not add up to the timeframe, lie closer together than `bar`, or an argument cannot be read.

    Examples
    --------
    >>> days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-01-17")).astype("datetime64[ns]").astype(int)
    >>> close = np.arange(1.0, 17.0)[:, None]  # from Monday the 1st to Tuesday the 16th, weekends traded
    >>> week = slower(Panel(close, close, close, close, close, days, 365.0), "1W")
    >>> week.panel.close.ravel().tolist()
    [7.0, 14.0, nan]
    >>> week.onto(week.panel.close).ravel().tolist()[5:14]
    [nan, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 14.0]
    """
    target, step = Timeframe.parse(timeframe), Timeframe.parse(bar)
    _refuse(step, target)
    times = prices.times
    if not len(times):
        raise DataError("There are no bars to make slower ones of.")
    closest = int(np.diff(times).min()) if len(times) > 1 else step.seconds * _SECOND
    if closest < _shortest(step) * _SECOND:
        raise DataError(
            f"These bars lie {closest / _SECOND:g} seconds apart, so they are not bars of {step}. "
            "Say how long they last, such as bar='1min'."
        )
    labels, begins, ends = _periods(times, step, target, zone, opens)
    first = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    group = np.cumsum(np.r_[False, labels[1:] != labels[:-1]])
    whole = _ends(times, step) >= ends
    arrays = _aggregate(prices, first)
    unknown = [0] if times[0] > begins[0] else []
    unknown += [len(first) - 1] if not whole[-1] else []
    for array in arrays.values():
        array[unknown] = np.nan
    year = _periods_per_year(prices.periods_per_year, step, target)
    panel = Panel(**arrays, times=labels[first], periods_per_year=year)
    return Slower(panel, np.where(whole, group, group - 1), np.isfinite(prices.close))


@overload
def warmup_of(count: int, timeframe: str | Timeframe, bar: str | Timeframe = ..., *, days: int = ...) -> int: ...
@overload
def warmup_of(
    count: npt.NDArray[Any], timeframe: str | Timeframe, bar: str | Timeframe = ..., *, days: int = ...
) -> IntArray: ...
def warmup_of(
    count: int | npt.NDArray[Any], timeframe: str | Timeframe, bar: str | Timeframe = "1D", *, days: int = 7
) -> int | IntArray:
    """Fast bars after which `count` complete slower bars are known, wherever in a period the history begins.

    ``ratio * (count + 1) - 1``: a first period that began before the history does not count, and the bar that
    completes the last one may be the first of the next.

    Parameters
    ----------
    count : int or ndarray of int
        Slower bars needed for a first value, this one included: the window, for a moving average. (K,) in a sweep.
    timeframe, bar
        As in `slower`.
    days : {5, 7}
        Most trading days a week has; 7 is right, and longer than needed, for an exchange.

    Raises
    ------
    DataError
        If the bars do not add up to the timeframe, or `days` is neither 5 nor 7.

    Examples
    --------
    >>> warmup_of(10, "1W"), warmup_of(10, "1W", days=5), warmup_of(20, "15min", "1min")
    (76, 54, 314)
    """
    most = _ratio(Timeframe.parse(bar), Timeframe.parse(timeframe), days)
    return most * (count + 1) - 1


@overload
def memory_of(count: int, timeframe: str | Timeframe, bar: str | Timeframe = ..., *, days: int = ...) -> int: ...
@overload
def memory_of(
    count: npt.NDArray[Any], timeframe: str | Timeframe, bar: str | Timeframe = ..., *, days: int = ...
) -> IntArray: ...
def memory_of(
    count: int | npt.NDArray[Any], timeframe: str | Timeframe, bar: str | Timeframe = "1D", *, days: int = 7
) -> int | IntArray:
    """How many last fast bars hold the last `count` complete slower bars, whole.

    ``ratio * (count + 1) + 1``: the period at work, `count` before it, and a bar that shows where the oldest begins.
    Parameters and errors as for `warmup_of`.

    Examples
    --------
    >>> memory_of(10, "1W"), memory_of(20, "15min", "1min")
    (78, 316)
    """
    most = _ratio(Timeframe.parse(bar), Timeframe.parse(timeframe), days)
    return most * (count + 1) + 1


def _refuse(bar: Timeframe, target: Timeframe) -> None:
    """Refuse a target the fast bars do not add up to; the rules of `data.resampling`."""
    if target.seconds <= bar.seconds:
        raise DataError(
            f"Bars of {target} are not slower than bars of {bar}. Ask for longer ones, or say how long the given bars "
            "last, such as bar='1min'."
        )
    nested = bar.unit == target.unit and target.count % bar.count == 0
    if bar.intraday:
        adds_up = target.seconds % bar.seconds == 0 or not target.intraday
    else:
        adds_up = nested if bar.unit in ("W", "ME") else bar.count == 1
    if not adds_up or (target.unit == "D" and target.count > 1):
        raise DataError(
            f"Bars of {bar} do not add up to bars of {target}. Use a multiple below a day, 1D, or weeks or months."
        )


def _ratio(bar: Timeframe, target: Timeframe, days: int) -> int:
    """The most fast bars a period can have."""
    _refuse(bar, target)
    if days not in _MONTH:
        raise DataError(f"A market trades 5 or 7 days a week, not {days!r}.")
    if target.intraday or bar.unit in ("W", "ME"):
        return target.seconds // bar.seconds
    in_a_day = -(-_HOURS * 3600 // bar.seconds) if bar.intraday else 1
    return in_a_day * target.count * {"D": 1, "W": days, "ME": _MONTH[days]}[target.unit]


def _shortest(bar: Timeframe) -> int:
    """The least seconds two starts of such bars lie apart: a February, for months."""
    return bar.count * 28 * 86_400 if bar.unit == "ME" else bar.seconds


def _periods_per_year(fast: float, bar: Timeframe, target: Timeframe) -> float:
    """Slower bars a year, on the calendar that the number of fast bars a year belongs to."""
    for calendar in _CALENDARS:
        if np.isclose(bar.periods_per_year(calendar), fast, rtol=1e-9):
            return target.periods_per_year(calendar)
    return fast * bar.seconds / target.seconds


def _periods(
    times: TimeArray, bar: Timeframe, target: Timeframe, zone: str, opens: str
) -> tuple[IntArray, IntArray, IntArray]:
    """For each bar the label of its period, and the moments that period begins and ends, in nanoseconds."""
    clock = _clock(opens)
    dates, midnight, next_midnight = _local_days(times, bar, zone)
    if not target.intraday:
        labels, following = _date_period(dates, target)
        return labels * _DAY, _moments(labels, bar, zone), _moments(following, bar, zone)
    length = target.seconds * _SECOND
    base = _moments(dates, bar, zone, clock)
    begins = base + (times - base) // length * length
    return np.maximum(begins, midnight), np.maximum(begins, midnight), np.minimum(begins + length, next_midnight)


def _ends(times: TimeArray, bar: Timeframe) -> IntArray:
    """When each bar ends, in nanoseconds; weeks and months end where the next begin."""
    if bar.unit in ("W", "ME"):
        return _date_period(times // _DAY, bar)[1] * _DAY
    return times + bar.seconds * _SECOND


def _date_period(dates: IntArray, target: Timeframe) -> tuple[IntArray, IntArray]:
    """First day of the day, week or month that each day (counted from 1970) lies in, and of the next one.

    Several weeks are counted from Monday 1970-01-05 and several months from January 1970.
    """
    if target.unit == "D":
        return dates, dates + 1
    if target.unit == "W":
        length = 7 * target.count
        begins = (dates - 4) // length * length + 4
        return begins, begins + length
    months = dates.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) // target.count * target.count
    days = [
        (months + later).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for later in (0, target.count)
    ]
    return days[0], days[1]


def _local_days(times: TimeArray, bar: Timeframe, zone: str) -> tuple[IntArray, IntArray, IntArray]:
    """For each bar its date in `zone`, as days since 1970, and the moments that day begins and ends."""
    if not bar.intraday or zone == "UTC":
        dates = times // _DAY
    else:
        local = pd.DatetimeIndex(times, tz="UTC").tz_convert(_known(zone)).tz_localize(None)
        dates = local.as_unit("ns").asi8 // _DAY
    return dates, _moments(dates, bar, zone), _moments(dates + 1, bar, zone)


def _moments(dates: IntArray, bar: Timeframe, zone: str, clock: int = 0) -> IntArray:
    """The moment in UTC at which `clock` (nanoseconds after midnight) is reached in `zone` on each date."""
    if not bar.intraday or zone == "UTC":
        return dates * _DAY + clock
    distinct, places = np.unique(dates, return_inverse=True)
    wall = pd.DatetimeIndex(distinct * _DAY + clock)
    first = np.ones(len(distinct), dtype=bool)  # of an hour that comes twice, the first
    placed = wall.tz_localize(_known(zone), ambiguous=first, nonexistent="shift_forward")
    return placed.as_unit("ns").asi8[places]


def _known(zone: str) -> str:
    """The zone, if there is one of that name."""
    try:
        pd.Timestamp("2000-01-01").tz_localize(zone)
    except (LookupError, OSError, ValueError, TypeError) as err:
        raise DataError(f"There is no time zone {zone!r}. Write it as 'America/New_York' or 'UTC'.") from err
    return zone


def _clock(opens: str) -> int:
    """Nanoseconds after midnight of a time of day."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", opens) if isinstance(opens, str) else None
    if match is None:
        raise DataError(f"opens={opens!r} is not a time of day. Write it as '09:30'.")
    return (int(match[1]) * 60 + int(match[2])) * 60 * _SECOND


def _aggregate(prices: Panel, first: npt.NDArray[np.intp]) -> dict[str, FloatArray]:
    """Open, high, low, close and volume of the groups of rows that begin at `first`; NaN where a group has no bar."""
    length, symbols = prices.close.shape
    present = np.isfinite(prices.close)
    rows, columns = np.arange(length)[:, None], np.arange(symbols)[None, :]
    opening = np.minimum.reduceat(np.where(present, rows, length), first, axis=0)
    closing = np.maximum.reduceat(np.where(present, rows, -1), first, axis=0)
    values = {
        "open": prices.open[np.minimum(opening, length - 1), columns],
        "high": np.fmax.reduceat(prices.high, first, axis=0),
        "low": np.fmin.reduceat(prices.low, first, axis=0),
        "close": prices.close[np.maximum(closing, 0), columns],
        "volume": np.add.reduceat(np.where(present, prices.volume, 0.0), first, axis=0),
    }
    return {name: np.where(closing < 0, np.nan, array) for name, array in values.items()}
