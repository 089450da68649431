"""Moments that an exchange's calendar gives: so long after an opening or before a close, on chosen sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.runs.schedule.measures import length, shown_length

#: Gives the sessions of a calendar from one date to another: columns open and close (UTC) and half_day, by date.
Sessions = Callable[[str, Any, Any], pd.DataFrame]
BoolArray = npt.NDArray[np.bool_]

_MARK: Final = re.compile(r"\s*(open|close)\s*(?:([+-])\s*(\S.*))?", re.IGNORECASE)
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Sessions beyond the month asked for, so that the first and last of a week or month are seen as such.
_MARGIN: Final = pd.Timedelta(days=15)
#: A mark lies this far from its session at most; months further away need not be looked at.
_FURTHEST: Final = pd.Timedelta(days=7)
#: Months that are looked through for the next occurrence.
_AHEAD: Final = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """So long after (or before) the opening or the close of a session.

    Parameters
    ----------
    event : {"open", "close"}
        Which of the two; on a half day the close is the early one.
    offset : pandas.Timedelta
        How much later.

    Examples
    --------
    >>> str(Mark.read("close-30m")), str(Mark.read("OPEN"))
    ('close-30m', 'open')
    """

    event: str
    offset: pd.Timedelta

    @classmethod
    def read(cls, text: str) -> Mark:
        """The mark written as ``"open"``, ``"open+5m"`` or ``"close-30m"``.

        Raises
        ------
        DataError
            If it is none, or lies more than a week from its session.
        """
        match = _MARK.fullmatch(text)
        if match is None:
            raise DataError(f"{text!r} is no moment of a session. Write it as open, open+5m, close-30m or close+10m.")
        offset = length(match[3]) if match[3] else pd.Timedelta(0).as_unit("ns")
        if offset > _FURTHEST:
            raise DataError(f"{text!r} lies more than a week from its session. Use a cron or an interval trigger.")
        return cls(match[1].lower(), -offset if match[2] == "-" else offset)

    def of(self, table: pd.DataFrame) -> npt.NDArray[np.int64]:
        """The mark of each session of a table, nanoseconds since 1970."""
        return pd.DatetimeIndex(table[self.event] + self.offset).as_unit("ns").asi8

    def __str__(self) -> str:
        if not self.offset:
            return self.event
        return f"{self.event}{'-' if self.offset < pd.Timedelta(0) else '+'}{shown_length(abs(self.offset))}"


def _changes(labels: npt.NDArray[np.int64]) -> BoolArray:
    """Where a label differs from the one before; the first one counts as different."""
    return np.concatenate([[True], labels[1:] != labels[:-1]])


def _weeks(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """A number for the week, Monday to Sunday, of each session."""
    return (pd.DatetimeIndex(table.index).as_unit("s").asi8 // 86_400 + 3) // 7  # 1970-01-01 was a Thursday


def _months(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    days = pd.DatetimeIndex(table.index)
    return (days.year * 12 + days.month).to_numpy(dtype=np.int64)


def _weekday(number: int) -> Callable[[pd.DataFrame], BoolArray]:
    return lambda table: np.asarray(pd.DatetimeIndex(table.index).day_of_week == number)


#: Which sessions are meant -> which rows of a table they are.
DAYS: Final[dict[str, Callable[[pd.DataFrame], BoolArray]]] = {
    "all": lambda table: np.ones(len(table), dtype=bool),
    "full": lambda table: ~table["half_day"].to_numpy(dtype=bool),
    "half": lambda table: table["half_day"].to_numpy(dtype=bool),
    "first of week": lambda table: _changes(_weeks(table)),
    "last of week": lambda table: _changes(_weeks(table)[::-1])[::-1],
    "first of month": lambda table: _changes(_months(table)),
    "last of month": lambda table: _changes(_months(table)[::-1])[::-1],
    **{name: _weekday(number) for number, name in enumerate(_WEEKDAYS)},
}


def days_named(value: Any) -> tuple[str, ...]:
    """The names of sessions in a text such as ``"mon, fri"`` or a list of such texts.

    Raises
    ------
    DataError
        With near misses, if there are no such sessions.

    Examples
    --------
    >>> days_named("Mon, fri"), days_named(["last of week"])
    (('mon', 'fri'), ('last of week',))
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise DataError(f"days = {value!r} names no sessions. Write 'half', 'fri', 'last of week' or a list of such.")
    names = [" ".join(part.lower().split()) for text in texts for part in text.split(",")]
    for name in names:
        lookup(name, DAYS, "kind of session")
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Grid:
    """The moments that chosen sessions of a calendar give, in order.

    Parameters
    ----------
    calendar : str
        Such as "XNYS".
    days : tuple of str
        Names from `DAYS`; a session that is one of them counts.
    start : Mark
        The first moment of each session.
    end : Mark or None
        The last one, of which there are several then; None for one moment a session.
    step : pandas.Timedelta or None
        From one moment of a session to the next.
    sessions : callable
        Gives the sessions.
    """

    calendar: str
    days: tuple[str, ...]
    start: Mark
    end: Mark | None
    step: pd.Timedelta | None
    sessions: Sessions

    def after(self, moment: pd.Timestamp) -> pd.Timestamp | None:
        """The first moment later than this one, in UTC; None where the calendar's record ends before."""
        earliest = moment - _FURTHEST
        month = 12 * (earliest.year - 1970) + earliest.month - 1
        for ahead in range(_AHEAD):
            here = self._first_of(month + ahead, moment)
            if here is not None:
                # a mark may lie days before its session: one of the month after can come first
                following = self._first_of(month + ahead + 1, moment)
                return pd.Timestamp(min(here, here if following is None else following), tz="UTC")
        return None

    def _first_of(self, month: int, moment: pd.Timestamp) -> int | None:
        times = _month(self, month)
        place = int(np.searchsorted(times, moment.as_unit("ns").value, side="right"))
        return int(times[place]) if place < len(times) else None

    def of_month(self, ordinal: int) -> npt.NDArray[np.int64]:
        """The moments of all chosen sessions dated within one month."""
        month = pd.Period(ordinal=ordinal, freq="M")
        first = pd.Timestamp(month.start_time).tz_localize("UTC")
        last = pd.Timestamp(month.end_time).normalize().tz_localize("UTC")
        table = self._around(first, last)
        meant = np.zeros(len(table), dtype=bool)
        for name in self.days:
            meant |= DAYS[name](table)
        inside = np.asarray((table.index >= first) & (table.index <= last))
        chosen = table[meant & inside]
        starts = self.start.of(chosen)
        if self.end is None or self.step is None:
            return starts
        step = int(self.step.value)
        spans = [np.arange(a, b + 1, step) for a, b in zip(starts, self.end.of(chosen), strict=True)]
        return np.concatenate([*spans, np.empty(0, dtype=np.int64)])

    def _around(self, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
        """The sessions of a month and of some days around it, as far as they are on record."""
        for before, after in ((_MARGIN, _MARGIN), (_MARGIN, pd.Timedelta(0))):
            try:
                return self.sessions(self.calendar, first - before, last + after)
            except DataError:
                continue  # the calendar's record ends near here
        return pd.DataFrame(
            {"open": pd.DatetimeIndex([], tz="UTC"), "close": pd.DatetimeIndex([], tz="UTC"), "half_day": []},
            index=pd.DatetimeIndex([], tz="UTC"),
        )


@lru_cache(maxsize=1_024)
def _month(grid: Grid, ordinal: int) -> npt.NDArray[np.int64]:
    """The moments of a month, sorted; kept, since the same are asked for every second."""
    return np.unique(grid.of_month(ordinal))
