"""When exchanges trade: the seam over `exchange_calendars`, whose calendars are slow to build and so are kept."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, SetupError, Timeframe, near_misses
from qtw_lab.core.times import moment

Anchor = Literal["open", "clock"]

_FIRST_YEAR: Final = 1990
_LAST_YEAR: Final = 2029
_ONE_DAY: Final = pd.Timedelta(days=1)


def sessions(calendar: str, start: Any, end: Any) -> pd.DataFrame:
    """The trading sessions from `start` to `end`, both included: when each opens and closes, half days included.

    Parameters
    ----------
    calendar : str
        An exchange code such as "XNYS" (or an alias such as "NYSE"), "24/5" or "24/7".
    start, end : date-like
        First and last session date; a time of day is ignored.

    Returns
    -------
    pandas.DataFrame
        Indexed by session date at 00:00 UTC, with columns ``open`` and ``close`` (UTC), ``break_start`` and
        ``break_end`` (UTC, NaT where there is no lunch break) and ``half_day`` (bool, an early close). Empty if
        nothing trades between. Future holidays are those known to the installed `exchange_calendars`.

    Raises
    ------
    DataError
        If the calendar is unknown, the dates are reversed or outside what is recorded for it.
    SetupError
        If the installed `exchange_calendars` cannot build that calendar.

    Examples
    --------
    >>> sessions("XNYS", "2012-11-21", "2012-11-23")[["close", "half_day"]]
                                                 close  half_day
    session
    2012-11-21 00:00:00+00:00 2012-11-21 21:00:00+00:00     False
    2012-11-23 00:00:00+00:00 2012-11-23 18:00:00+00:00      True
    """
    first, last = _date(start, "start"), _date(end, "end")
    if first > last:
        raise DataError(f"The start {start} lies after the end {end}; swap them.")
    table = _covering(calendar, first, last)
    return table.loc[first:last].copy()


def is_session(calendar: str, date: Any) -> bool:
    """Whether the exchange trades at all on that date.

    Raises
    ------
    DataError, SetupError
        As `sessions`.

    Examples
    --------
    >>> is_session("XNYS", "2012-10-29"), is_session("XNYS", "2012-10-31")
    (False, True)
    """
    day = _date(date, "date")
    return day in _covering(calendar, day, day).index


def expected_index(
    calendar: str, timeframe: str | Timeframe, start: Any, end: Any, *, anchor: Anchor = "open"
) -> pd.DatetimeIndex:
    """The start of every bar a complete series has from `start` to `end`, in UTC.

    Daily bars carry the session date at 00:00 UTC, weekly bars their Monday and monthly bars the first of the month. An
    intraday session is cut from its opening (after a lunch break, from its reopening) into bars of the timeframe; where
    the session is no multiple of it, the last bar before the close or the break is shorter. So a session of six and a
    half hours has seven bars of one hour, and a half day that ends at 13:00 has four.

    Parameters
    ----------
    calendar : str
        As `sessions`.
    timeframe : str or Timeframe
        Any intraday length, "1D", or weeks or months.
    start, end : date-like
        Both included. Naive times are UTC; an `end` that is a bare date means the whole of that session date.
    anchor : {"open", "clock"}
        Intraday bars are counted from the session's opening (09:30, 10:30 ...), or from local midnight, as venues that
        stamp whole hours do (09:00, 10:00 ...; the first bar then begins before the opening).

    Raises
    ------
    DataError
        As `sessions`, or if the timeframe is several days, for which no start is agreed on.

    Examples
    --------
    >>> expected_index("XNYS", "1h", "2012-11-23", "2012-11-23").strftime("%H:%M").tolist()
    ['14:30', '15:30', '16:30', '17:30']
    """
    span = Timeframe.parse(timeframe)
    first, last = moment(start, "start"), moment(end, "end")
    if first is None or last is None:
        raise DataError("Expected bars need both a start and an end date.")
    if not span.intraday:
        days = pd.DatetimeIndex(sessions(calendar, first, last).index)
        return pd.DatetimeIndex(period_starts(days, span).unique(), name="timestamp")
    table = _covering(calendar, first.normalize(), last.normalize())
    near = table.loc[first.normalize() - _ONE_DAY : last.normalize() + _ONE_DAY]
    starts = _cut(near, span, anchor, zone(calendar))
    dates = session_dates(calendar, starts)
    begun = dates >= first if first == first.normalize() else starts >= first
    ended = dates > last if last == last.normalize() else starts > last
    return starts[begun & ~ended]


def session_dates(calendar: str, index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The session date (00:00 UTC) that each moment belongs to, same length as `index`.

    A moment inside a session has that session's date, even where the session began the evening before; any other moment
    (before the opening, after the close, on a holiday) has the exchange's local date.

    Parameters
    ----------
    calendar : str
        As `sessions`.
    index : pandas.DatetimeIndex
        UTC.

    Examples
    --------
    >>> evening = pd.DatetimeIndex(["2024-01-03 00:30"], tz="UTC")
    >>> str(session_dates("XNYS", evening)[0].date()), str(session_dates("24/7", evening)[0].date())
    ('2024-01-02', '2024-01-03')
    """
    local = index.tz_convert(zone(calendar)).normalize().tz_localize(None).tz_localize("UTC")
    if not len(index):
        return local
    table = _covering(calendar, local.min(), local.max())
    place = containing(table, index)
    inside = place >= 0
    dates = local.as_unit("ns").asi8.copy()
    dates[inside] = pd.DatetimeIndex(table.index).as_unit("ns").asi8[place[inside]]
    return pd.DatetimeIndex(dates, tz="UTC", name=index.name)


def bar_starts(
    calendar: str, index: pd.DatetimeIndex, timeframe: str | Timeframe, *, anchor: Anchor = "open"
) -> pd.DatetimeIndex:
    """The label of the bar of `timeframe` that each moment falls in, same length as `index`.

    The grid is that of `expected_index`, carried on before the opening and after the close; it starts anew on every
    session date, so no bar spans two of them.

    Parameters
    ----------
    calendar, timeframe, anchor
        As `expected_index`.
    index : pandas.DatetimeIndex
        UTC, any moments.

    Examples
    --------
    >>> at = pd.DatetimeIndex(["2024-01-03 15:29", "2024-01-03 15:30"], tz="UTC")
    >>> bar_starts("XNYS", at, "1h").strftime("%H:%M").tolist()
    ['14:30', '15:30']
    """
    span = Timeframe.parse(timeframe)
    dates = session_dates(calendar, index)
    if not span.intraday or not len(index):
        return period_starts(dates, span)
    moments, step = index.as_unit("ns").asi8, span.seconds * 10**9
    midnight = dates.tz_localize(None).tz_localize(zone(calendar)).tz_convert("UTC").as_unit("ns").asi8
    base = earliest = midnight
    if anchor == "open":
        table = _covering(calendar, dates.min(), dates.max()).reindex(dates)
        traded = table["open"].notna().to_numpy()
        base = np.where(traded, _nanos(table["open"]), midnight)
        earliest = np.minimum(base, midnight)
        reopened = table["break_end"].notna().to_numpy() & (moments >= _nanos(table["break_end"]))
        base = np.where(reopened, _nanos(table["break_end"]), base)
    starts = np.maximum(base + (moments - base) // step * step, earliest)
    return pd.DatetimeIndex(starts, tz="UTC", name="timestamp")


def containing(table: pd.DataFrame, index: pd.DatetimeIndex) -> npt.NDArray[np.intp]:
    """For each moment the row of `sessions` it lies in (open included, close not; breaks count as inside), or -1."""
    opens, closes = _nanos(table["open"]), _nanos(table["close"])
    moments = index.as_unit("ns").asi8
    place = np.searchsorted(opens, moments, side="right") - 1
    inside = (place >= 0) & (moments < closes[np.maximum(place, 0)])
    return np.where(inside, place, -1)


def period_starts(days: pd.DatetimeIndex, timeframe: Timeframe) -> pd.DatetimeIndex:
    """The label of the day, week or month that each session date falls in: its first day at 00:00 UTC.

    Weeks begin on Monday; several weeks are counted from Monday 1970-01-05 and several months from January 1970, so
    that labels do not depend on where a series begins.

    Raises
    ------
    DataError
        If the timeframe is intraday or several days.
    """
    if timeframe.unit == "D" and timeframe.count == 1:
        return days
    if timeframe.unit == "W":
        step = 7 * timeframe.count
        ordinal = days.as_unit("s").asi8 // 86_400 - 4  # 1970-01-05 was a Monday
        return pd.DatetimeIndex((ordinal // step * step + 4) * 86_400 * 10**9, tz="UTC", name=days.name)
    if timeframe.unit == "ME":
        months = ((days.year.to_numpy() - 1970) * 12 + days.month.to_numpy() - 1) // timeframe.count * timeframe.count
        starts = months.astype("datetime64[M]").astype("datetime64[ns]")
        return pd.DatetimeIndex(starts, tz="UTC", name=days.name)
    raise DataError(f"Bars of {timeframe} have no agreed start. Use an intraday length, 1D, or weeks or months.")


def zone(calendar: str) -> str:
    """The exchange's time zone name, such as "America/New_York".

    Raises
    ------
    DataError, SetupError
        As `sessions`.
    """
    return _built(_code(calendar), _FIRST_YEAR, _LAST_YEAR)[1]


def anchor_of(index: pd.DatetimeIndex, calendar: str, timeframe: Timeframe) -> Anchor:
    """Whether intraday bars are counted from the session's opening or by the clock; see `expected_index`."""
    if not timeframe.intraday or not len(index):
        return "open"
    dates = session_dates(calendar, index)
    table = _covering(calendar, dates.min(), dates.max())
    place = containing(table, index)
    inside = place >= 0
    since = index.as_unit("ns").asi8[inside] - _nanos(table["open"])[place[inside]]
    off = since % (timeframe.seconds * 10**9) != 0
    return "clock" if off.any() and off.mean() > 0.5 else "open"


def _cut(table: pd.DataFrame, span: Timeframe, anchor: Anchor, zone_name: str) -> pd.DatetimeIndex:
    """Starts of the bars that the sessions of `table` are cut into."""
    step = span.seconds * 10**9
    opens, closes = _nanos(table["open"]), _nanos(table["close"])
    broken = table["break_start"].notna().to_numpy()
    first = np.concatenate([opens, _nanos(table["break_end"])[broken]])
    last = np.concatenate([np.where(broken, _nanos(table["break_start"]), closes), closes[broken]])
    if anchor == "clock":
        local = pd.DatetimeIndex(first, tz="UTC").tz_convert(zone_name)
        midnight = local.normalize().tz_convert("UTC").as_unit("ns").asi8
        first = midnight + (first - midnight) // step * step
    counts = np.maximum(-((first - last) // step), 0)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.repeat(first, counts) + offsets * step
    return pd.DatetimeIndex(np.unique(starts), tz="UTC", name="timestamp")


def _covering(calendar: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The whole session table of a calendar, a day more than that span at least; built anew for each decade more."""
    code = _code(calendar)
    start_year = min(_FIRST_YEAR, (first - _ONE_DAY).year // 10 * 10)
    end_year = max(_LAST_YEAR, (last + _ONE_DAY).year // 10 * 10 + 9)
    table, _, begin, final = _built(code, start_year, end_year)
    if first < begin or last > final:
        raise DataError(
            f"The holidays of calendar {code} are recorded from {begin.date()} to {final.date()} only; "
            f"{first.date()} to {last.date()} was asked for. Choose dates inside."
        )
    return table


@cache
def _built(code: str, start_year: int, end_year: int) -> tuple[pd.DataFrame, str, pd.Timestamp, pd.Timestamp]:
    """Session table, time zone, and first and last day known, of one calendar."""
    import exchange_calendars

    begin, final = pd.Timestamp(start_year, 1, 1), pd.Timestamp(end_year, 12, 31)
    try:
        with warnings.catch_warnings():
            # the library's own use of pandas is deprecated in 3.1; its answers are the same
            warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
            kind = type(exchange_calendars.get_calendar(code))
            begin, final = max(begin, kind.bound_min() or begin), min(final, kind.bound_max() or final)
            built = exchange_calendars.get_calendar(code, start=begin, end=final)
    except (ValueError, NotImplementedError) as err:
        raise SetupError(
            f"The installed exchange_calendars cannot build calendar {code} ({str(err)[:120]}). "
            "Update it with: pip install -U exchange-calendars; or use a calendar with the same hours."
        ) from err
    table = built.schedule.copy()
    table.index = pd.DatetimeIndex(table.index, name="session").tz_localize("UTC").as_unit("ns")
    for name in ("open", "break_start", "break_end", "close"):
        table[name] = table[name].dt.as_unit("ns")
    table["half_day"] = table.index.isin(built.early_closes.tz_localize("UTC"))
    columns = ["open", "close", "break_start", "break_end", "half_day"]
    return table[columns], str(built.tz), begin.tz_localize("UTC"), final.tz_localize("UTC")


@cache
def _code(calendar: str) -> str:
    """The canonical code of a calendar, from a code or an alias."""
    import exchange_calendars

    known = exchange_calendars.get_calendar_names(include_aliases=True)
    if calendar not in known:
        close = near_misses(calendar, known)
        hint = (
            f"Did you mean {' or '.join(repr(c) for c in close)}?" if close else "Use XNYS, XNAS, XLON, 24/5, 24/7 ..."
        )
        raise DataError(f"There is no exchange calendar {calendar!r}. {hint}")
    return str(exchange_calendars.resolve_alias(calendar))


def _date(value: Any, name: str) -> pd.Timestamp:
    """A session date at 00:00 UTC from anything that names a day."""
    at = moment(value, name)
    if at is None:
        raise DataError(f"A {name} is needed: a date such as 2020-01-31.")
    return at.normalize()


def _nanos(column: pd.Series) -> npt.NDArray[np.int64]:
    return pd.DatetimeIndex(column).as_unit("ns").asi8
