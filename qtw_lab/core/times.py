"""When bars are: reading times of every kind into UTC, and refusing those that could be misread."""

from __future__ import annotations

import contextlib
import re
import warnings
from datetime import tzinfo
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.core.timeframe import Timeframe

_NUMBERS: Final = ("integer", "floating", "mixed-integer", "mixed-integer-float", "decimal", "complex", "boolean")
_ZONES: Final = {"XNYS": "America/New_York", "XNAS": "America/New_York"}


def are_numbers(raw: pd.Series) -> bool:
    """Whether these are numbers, which do not say what they count: seconds, nanoseconds or 20240131."""
    return pd.api.types.infer_dtype(raw) in _NUMBERS


def in_utc(raw: pd.Series, tz: str | None, dated: bool) -> pd.DatetimeIndex:
    """Times in UTC to the nanosecond.

    Parameters
    ----------
    raw : pandas.Series
        Times, or text that reads as times in one way only.
    tz : str, optional
        Time zone of naive times.
    dated : bool
        Whether times that are all midnights are session dates, at 00:00 UTC whatever their zone.

    Raises
    ------
    DataError
        If they cannot be read, mix zones, or are naive moments and `tz` does not place them.
    """
    try:
        times = _read(raw).as_unit("ns")
    except (ValueError, TypeError, OverflowError, UserWarning) as err:
        said = str(err).partition(". You might")[0].partition(", so each")[0]
        if any(word in said.lower() for word in ("timezone", "offset", "tz-aware", "%z")):
            fault, mend = "they mix time zones", "Bring all of them to one: pd.to_datetime(times, utc=True)"
        else:
            fault, mend = " ".join(said.split())[:200], "Convert them to dates first, for example with pd.to_datetime"
        raise DataError(f"The bar times cannot be read: {fault}. {mend}.") from err
    whole = _whole_days(times)
    if dated and whole:
        return times.tz_localize(None).tz_localize("UTC")
    if times.tz is not None:
        return times.tz_convert("UTC")
    if tz is None:
        what = "are moments, not dates" if whole else "are not whole dates"
        raise DataError(f"Bar times have no time zone and {what}. Say which with tz='America/New_York' or tz='UTC'.")
    return _placed(times, tz).tz_convert("UTC")


def check_times(index: pd.DatetimeIndex, symbol: str = "") -> None:
    """Refuse times that are naive, repeated, missing or out of order."""
    owner = f" of {symbol}" if symbol else ""
    if index.tz is None:
        raise DataError("Bar times have no time zone. Localise them first, for example index.tz_localize('UTC').")
    if index.hasnans:
        raise DataError(f"Some bar times{owner} are missing (NaT). Drop those rows, or mend the time column.")
    if not index.is_unique:
        twice = index[index.duplicated()]
        raise DataError(
            f"{len(twice)} bar time(s){owner} appear more than once, first {twice[0]}. Keep one row for each time: "
            "df[~df.index.duplicated(keep='last')] or df.drop_duplicates(['symbol', 'timestamp'])."
        )
    if not index.is_monotonic_increasing:
        place = int(np.argmax(np.diff(index.asi8) < 0)) + 1
        raise DataError(
            f"Bar times{owner} are out of order, first at row {place} ({index[place]}). "
            "Sort with df.sort_index() or df.sort_values('timestamp')."
        )


def infer_timeframe(index: pd.DatetimeIndex) -> Timeframe:
    """The bar length that the spacing of the times suggests.

    Raises
    ------
    DataError
        If there are fewer than two bars, or they lie less than a second apart.
    """
    if len(index) < 2:
        raise DataError(
            f"A series of {len(index)} bar(s) is too short to use: give at least 2 bars "
            "(or name the timeframe, such as '1D')."
        )
    step = _middle(np.diff(index.as_unit("s").asi8))
    if step < 1:
        raise DataError("These bars lie less than a second apart. Make longer bars of them first, such as 1s or 1min.")
    if step >= 27 * 86_400:
        return Timeframe(max(1, round(step / 2_629_746)), "ME")
    if step >= 5 * 86_400:
        return Timeframe(max(1, round(step / 604_800)), "W")
    if step >= 20 * 3600:
        dates = index.tz_localize(None).to_numpy().astype("datetime64[D]")
        if bool(np.is_busday(dates).all()):  # a weekend between two bars is no part of their length
            return Timeframe(max(1, _middle(np.busday_count(dates[:-1], dates[1:]))), "D")
        return Timeframe(max(1, round(step / 86_400)), "D")
    for unit, seconds in (("h", 3600), ("min", 60)):
        if step % seconds == 0:
            return Timeframe(step // seconds, unit)
    return Timeframe(max(1, step), "s")


def usual_calendar(index: pd.DatetimeIndex, span: Timeframe) -> str:
    """The calendar to assume where none is named: "24/7" if bars of a day or less lie on weekends, else "XNYS"."""
    weekends = span.unit not in ("W", "ME") and bool((index.day_of_week >= 5).any())
    return "24/7" if weekends else "XNYS"


def session_dates(index: pd.DatetimeIndex, calendar: str) -> pd.DatetimeIndex:
    """Daily and longer bars labelled by session date at 00:00 UTC, whatever local midnight they came with."""
    for zone in ("UTC", _ZONES.get(calendar, "UTC")):
        local = index.tz_convert(zone).tz_localize(None)
        if bool((local == local.normalize()).all()):
            return local.tz_localize("UTC").rename("timestamp")
    return index


def moment(value: Any, name: str, whole_day: bool = False) -> pd.Timestamp | None:
    """A point in time in UTC from anything pandas reads; with `whole_day`, a bare date means its last instant.

    So do a bare year ("2012") and a bare month ("2012-03").

    Raises
    ------
    DataError
        If it cannot be read as a time, or is a number (a year as an int would be read as nanoseconds since 1970).
    """
    if value is None:
        return None
    try:
        at = pd.NaT if isinstance(value, (int, float, np.number)) else pd.Timestamp(value)
    except (ValueError, TypeError, OverflowError) as err:
        raise DataError(f"The {name} {value!r} is not a date or time. Write it as 2020-01-31.") from err
    if pd.isna(at):
        raise DataError(f"The {name} {value!r} is not a date or time. Write it as '2020-01-31'.")
    at = at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
    if whole_day and at == at.normalize():
        with contextlib.suppress(ValueError, OverflowError):  # the end of time itself has no next day
            at = at + _length_of(value) - pd.Timedelta(1, unit="ns")
    return at


def _length_of(date: Any) -> pd.DateOffset:
    """How long the year, month or day written as `date` lasts."""
    parts = re.fullmatch(r"\d{4}(-\d{1,2})?", date.strip()) if isinstance(date, str) else None
    if parts is None:
        return pd.DateOffset(days=1)
    return pd.DateOffset(months=1) if parts[1] else pd.DateOffset(years=1)


def _read(raw: pd.Series) -> pd.DatetimeIndex:
    """The times pandas reads; a form it would have to guess for each row (and then for today's date) is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Could not infer format", UserWarning)
        warnings.filterwarnings("ignore", "Parsing dates in", UserWarning)  # 31/12/2024 can be read in one way only
        return pd.DatetimeIndex(pd.to_datetime(raw))


def _placed(times: pd.DatetimeIndex, tz: str) -> pd.DatetimeIndex:
    """Naive times as moments of the zone called `tz`."""
    if not isinstance(tz, (str, tzinfo)):
        raise DataError(f"tz={tz!r} is not the name of a time zone. Write it as 'America/New_York' or 'UTC'.")
    try:
        zone = pd.Timestamp("2000-06-15").tz_localize(tz).tzinfo
    except (LookupError, OSError, ValueError, TypeError) as err:
        raise DataError(f"There is no time zone {tz!r}. Write it as 'America/New_York' or 'UTC'.") from err
    try:
        return times.tz_localize(zone)
    except ValueError as err:
        said = str(err).partition(", try")[0].partition(". Try")[0]
        raise DataError(
            f"Bar times cannot be placed in time zone {tz!r}: {said}. Say what a change of clocks means, for example "
            "with df.tz_localize(zone, ambiguous='infer', nonexistent='shift_forward')."
        ) from err


def _whole_days(times: pd.DatetimeIndex) -> bool:
    """Whether every time that is given is a midnight of its own zone."""
    wall = times.dropna().tz_localize(None)
    return bool((wall == wall.normalize()).all())


def _middle(steps: npt.NDArray[np.int64]) -> int:
    """The lower median: a step that does occur, where the mean of two (a bar and a night) would be neither."""
    return int(np.sort(steps)[(len(steps) - 1) // 2])
