"""Longer bars from shorter ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, DataError, Timeframe
from qtw_lab.core.bars import FloatArray
from qtw_lab.data import calendars


def resample(bars: Bars, timeframe: str | Timeframe, *, partial: Literal["keep", "drop"] = "keep") -> Bars:
    """Bars of a longer timeframe: first open, highest high, lowest low, last close and summed volume of each period.

    A period is labelled by its start and holds only bars that begin inside it, so nothing later enters it; but like any
    bar it is complete only when its period has ended. Weeks start on Monday, months on the 1st. Intraday bars group by
    session: an hour is counted from the session's opening (or by the clock if the given bars are), and a day is a
    session, with bars before the opening and after the close counted to it.

    Parameters
    ----------
    bars : Bars
        Any number of symbols. A symbol's NaN bars are skipped; a period without any bar stays NaN.
    timeframe : str or Timeframe
        Longer than that of `bars`; intraday to intraday it must be a multiple. The same length gives the same bars.
    partial : {"keep", "drop"}
        What to do with a last period that the bars do not reach the end of: keep it and say so in the notes, or drop
        it.

    Returns
    -------
    Bars
        Volume is NaN for a period in which any bar's volume is unknown, because a part is not the sum.

    Raises
    ------
    DataError
        If the timeframe is shorter than that of the bars, no multiple of it, or several days.

    Examples
    --------
    >>> dates = pd.DatetimeIndex(["2024-01-04", "2024-01-05", "2024-01-08"])
    >>> days = pd.DataFrame({"Close": [1.0, 2.0, 3.0]}, index=dates)
    >>> weeks = resample(Bars.from_frame(days, symbol="X", timeframe="1D"), "1W")
    >>> weeks.close["X"].to_dict()
    {Timestamp('2024-01-01 00:00:00+0000', tz='UTC'): 2.0, Timestamp('2024-01-08 00:00:00+0000', tz='UTC'): 3.0}
    """
    target = Timeframe.parse(timeframe)
    if target == bars.timeframe:
        return bars
    _refuse(bars.timeframe, target)
    if not len(bars):
        raise DataError("There are no bars to resample.")
    grid = _grid(bars, target)
    labels = grid(bars.index)
    first = np.flatnonzero(np.r_[True, labels.asi8[1:] != labels.asi8[:-1]])
    values = _aggregate(bars, first)
    index = pd.DatetimeIndex(labels[first], name="timestamp")
    notes = bars.notes
    if not _complete(bars, grid, target):
        if partial == "drop" and len(index) == 1:
            raise DataError(f"No {target} period is complete in these {len(bars)} bars; give a longer history.")
        if partial == "drop":
            index, values = index[:-1], {name: array[:-1] for name, array in values.items()}
        else:
            notes = (*notes, f"the last {target} bar ends early, with the bar of {bars.index[-1]:%Y-%m-%d %H:%M} UTC")
    source = f"{bars.source}, {bars.timeframe} resampled"
    return replace(bars, index=index, values=values, timeframe=target, notes=notes, source=source)


def _refuse(source: Timeframe, target: Timeframe) -> None:
    """Refuse a target that the source bars cannot be added up to."""
    if target.seconds < source.seconds:
        raise DataError(
            f"Bars of {source} cannot become bars of {target}: what happened inside a bar is not known. "
            f"Ask for {source} or longer, or start from finer bars."
        )
    if target.intraday and target.seconds % source.seconds:
        raise DataError(f"{target} is not a multiple of {source}; bars would be split. Choose a multiple.")
    nested = source.unit == target.unit and target.count % source.count == 0
    if source.unit == "W" and not nested:
        raise DataError(f"Weeks do not add up to {target}: they straddle its ends. Start from daily bars.")
    if (source.unit == "D" and source.count > 1) or (source.unit == "ME" and not nested):
        raise DataError(f"Bars of {source} do not add up to {target}. Start from daily bars.")


def _grid(bars: Bars, target: Timeframe) -> Callable[[pd.DatetimeIndex], pd.DatetimeIndex]:
    """The function from bar times to the start of their target period."""
    if not bars.timeframe.intraday:
        return lambda index: calendars.period_starts(index, target)
    anchor = calendars.anchor_of(bars.index, bars.calendar, bars.timeframe)
    return lambda index: calendars.bar_starts(bars.calendar, index, target, anchor=anchor)


def _aggregate(bars: Bars, first: npt.NDArray[np.intp]) -> dict[str, FloatArray]:
    """Open, high, low, close and volume of the groups of rows that begin at `first`."""
    present = bars.present
    rows = np.arange(len(bars))[:, None]
    opening = np.minimum.reduceat(np.where(present, rows, len(bars)), first, axis=0)
    closing = np.maximum.reduceat(np.where(present, rows, -1), first, axis=0)
    empty = closing < 0
    columns = np.arange(len(bars.symbols))[None, :]
    volume = np.where(present, bars.values["volume"], 0.0)
    values = {
        "open": bars.values["open"][np.minimum(opening, len(bars) - 1), columns],
        "high": np.fmax.reduceat(bars.values["high"], first, axis=0),
        "low": np.fmin.reduceat(bars.values["low"], first, axis=0),
        "close": bars.values["close"][np.maximum(closing, 0), columns],
        "volume": np.add.reduceat(volume, first, axis=0),
    }
    return {name: np.where(empty, np.nan, array) for name, array in values.items()}


def _complete(bars: Bars, grid: Callable[[pd.DatetimeIndex], pd.DatetimeIndex], target: Timeframe) -> bool:
    """Whether the next bar the calendar knows belongs to another period than the last one here."""
    last = bars.index[-1]
    horizon = last + pd.Timedelta(seconds=target.seconds) + pd.Timedelta(days=7)
    calendars.zone(bars.calendar)
    try:
        ahead = calendars.expected_index(bars.calendar, bars.timeframe, last, horizon)
    except DataError:
        return False  # the calendar does not reach that far, so the end of the period is not known
    later = ahead[ahead > last]
    return bool(len(later)) and bool((grid(later[:1]) != grid(bars.index[-1:]))[0])
