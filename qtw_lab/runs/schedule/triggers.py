"""Triggers: when an entry of the schedule is due, by an exchange's sessions, by cron, or at an interval."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.core.extras import need
from qtw_lab.core.lookup import near_misses
from qtw_lab.core.times import moment as read_moment
from qtw_lab.runs.schedule.marks import Grid, Mark, Sessions, days_named
from qtw_lab.runs.schedule.measures import length, shown_length

_CALENDAR: Final = "XNYS"
_EVERY: Final = re.compile(r"(?:every\s+)?(\d.*)", re.IGNORECASE)
_EPOCH: Final = pd.Timestamp(0, tz="UTC").as_unit("ns")
#: Shorter than this, starting a kernel takes longer than the interval.
_SHORTEST: Final = pd.Timedelta(seconds=1)
_CRON_FIELDS: Final = 5


class Trigger(Protocol):
    """Whatever says when something is due."""

    @property
    def text(self) -> str:
        """The trigger in words."""
        ...

    @property
    def zone(self) -> str | None:
        """The time zone its times are thought in, or None."""
        ...

    @property
    def calendar(self) -> str | None:
        """The exchange calendar it follows, or None."""
        ...

    def after(self, moment: pd.Timestamp) -> pd.Timestamp | None:
        """The first time it is due later than this moment, in UTC; None if it is never due again."""
        ...


@dataclass(frozen=True)
class Exchange:
    """Due once a session, so long after its opening or before its close; see `Exchange.read`."""

    grid: Grid
    zone: str | None = None

    @classmethod
    def read(cls, text: str, sessions: Sessions, calendar: str = _CALENDAR, days: Any = "all") -> Exchange:
        """The trigger written as ``"open+5m"`` or ``"close-30m"``.

        Parameters
        ----------
        text : str
            The moment of the session. On a half day "close" is the early close; on a holiday nothing is due.
        sessions : callable
            As `qtw_lab.data.calendars.sessions`.
        calendar : str
            Whose sessions.
        days : str or list of str
            Which of them: "all", "full", "half", "mon" to "sun", "first of week", "last of week", "first of month",
            "last of month"; of several, any.

        Raises
        ------
        DataError
            If a part cannot be read.
        """
        return cls(Grid(_known(calendar, sessions), days_named(days), Mark.read(text), None, None, sessions))

    @property
    def text(self) -> str:
        """As "close-30m (XNYS, last of week)"."""
        days = "" if self.grid.days == ("all",) else f", {' or '.join(self.grid.days)}"
        return f"{self.grid.start} ({self.grid.calendar}{days})"

    @property
    def calendar(self) -> str:
        """Whose sessions it follows."""
        return self.grid.calendar

    def after(self, moment: pd.Timestamp) -> pd.Timestamp | None:
        """The first time it is due later than this moment, in UTC; None where the calendar's record ends."""
        return self.grid.after(moment)


@dataclass(frozen=True)
class Cron:
    """Due at the times of a cron expression on the clocks of one place.

    Where clocks go forward, a time that they skip is due at the first one that exists; where they go back, a time of
    day is due once, the first time, and what repeats all day ("*" in the minutes or hours) keeps its real distance.

    Parameters
    ----------
    expression : str
        Five fields: minute, hour, day of month, month, day of week.
    zone : str
        Time zone, such as "America/New_York".

    Examples
    --------
    >>> skipped = Cron.read("30 2 * * *", "America/New_York")
    >>> skipped.after(pd.Timestamp("2024-03-10 00:00", tz="America/New_York")).tz_convert("America/New_York")
    Timestamp('2024-03-10 03:00:00-0400', tz='America/New_York')
    """

    expression: str
    zone: str
    calendar: str | None = None

    @classmethod
    def read(cls, expression: str, zone: str = "UTC") -> Cron:
        """The trigger of a cron expression.

        Raises
        ------
        DataError
            If the expression or the zone cannot be read, or it is never due.
        """
        made = cls(" ".join(expression.split()), _zone_named(zone))
        if len(made.expression.split()) != _CRON_FIELDS:
            raise DataError(f"{expression!r} is no cron expression: it takes five fields, such as 30 18 * * mon-fri.")
        library = need("cronsim", "dashboards")
        try:
            due = made.after(_EPOCH)
        except library.CronSimError as err:
            raise DataError(
                f"The cron expression {expression!r} cannot be read ({str(err).lower()}). The fields are minute, hour, "
                "day of month, month and day of week, such as 30 18 * * mon-fri."
            ) from err
        if due is None:
            raise DataError(f"The cron expression {expression!r} is never due. Look at its day and month.")
        return made

    @property
    def text(self) -> str:
        """As "cron 30 18 * * mon-fri (America/New_York)"."""
        return f"cron {self.expression} ({self.zone})"

    def after(self, moment: pd.Timestamp) -> pd.Timestamp | None:
        """The first time it is due later than this moment, in UTC; None if there is none in fifty years."""
        for due in self._times(moment):
            # in the second pass of a doubled hour the library counts from its first pass
            if due > moment:
                return due
        return None

    def _times(self, moment: pd.Timestamp) -> Iterator[pd.Timestamp]:
        local: datetime = moment.floor("s").to_pydatetime().astimezone(zoneinfo.ZoneInfo(self.zone))
        for due in need("cronsim", "dashboards").CronSim(self.expression, local):
            yield pd.Timestamp(due.timestamp(), unit="s", tz="UTC").as_unit("ns")


@dataclass(frozen=True)
class Interval:
    """Due again and again at the same distance, counted from an anchor or from each session's first moment.

    Parameters
    ----------
    step : pandas.Timedelta
        The distance: real time, whatever clocks do.
    anchor : pandas.Timestamp
        One time at which it is due; by default 1970-01-01 00:00 UTC, which makes whole hours whole.
    grid : Grid or None
        The moments of each session, if it is due during sessions only.
    """

    step: pd.Timedelta
    anchor: pd.Timestamp = _EPOCH
    grid: Grid | None = None
    zone: str | None = None

    @classmethod
    def read(
        cls,
        text: str,
        sessions: Sessions,
        *,
        anchor: Any = None,
        between: str | None = None,
        calendar: str = _CALENDAR,
        days: Any = "all",
    ) -> Interval:
        """The trigger written as ``"every 15m"``.

        Parameters
        ----------
        text : str
            A length of time.
        sessions : callable
            As `qtw_lab.data.calendars.sessions`.
        anchor : date-like, optional
            One time at which it is due; naive times are UTC.
        between : str, optional
            Such as "open..close": due at the first of these moments of each session, and from there on at the interval
            up to the last, both included.
        calendar, days
            As `Exchange.read`, for `between`.

        Raises
        ------
        DataError
            If a part cannot be read, or both `anchor` and `between` are given.
        """
        match = _EVERY.fullmatch(text.strip())
        step = length(match[1] if match else text)
        if step < _SHORTEST:
            raise DataError(f"{text!r} is too short an interval: a second at least.")
        if between is None:
            given = read_moment(anchor, "anchor")
            return cls(step, _EPOCH if given is None else given.as_unit("ns"))
        if anchor is not None:
            raise DataError("An interval has an anchor or is counted within sessions (between), not both.")
        start, dots, end = between.partition("..")
        if not dots:
            raise DataError(
                f"between = {between!r} names no two moments. Write it as open..close or open+5m..close-5m."
            )
        grid = Grid(_known(calendar, sessions), days_named(days), Mark.read(start), Mark.read(end), step, sessions)
        return cls(step, grid=grid)

    @property
    def text(self) -> str:
        """As "every 15m (XNYS, open..close)"."""
        words = f"every {shown_length(self.step)}"
        if self.grid is None:
            return words if self.anchor == _EPOCH else f"{words} (from {self.anchor:%Y-%m-%d %H:%M:%S} UTC)"
        days = "" if self.grid.days == ("all",) else f", {' or '.join(self.grid.days)}"
        return f"{words} ({self.grid.calendar}, {self.grid.start}..{self.grid.end}{days})"

    @property
    def calendar(self) -> str | None:
        """Whose sessions it follows, if any."""
        return None if self.grid is None else self.grid.calendar

    def after(self, moment: pd.Timestamp) -> pd.Timestamp | None:
        """The first time it is due later than this moment, in UTC."""
        if self.grid is not None:
            return self.grid.after(moment)
        count = (moment.as_unit("ns").value - self.anchor.value) // self.step.value + 1
        return pd.Timestamp(self.anchor.value + count * self.step.value, tz="UTC")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of trigger: what its text looks like, which other keys belong to it, and how it is read."""

    pattern: re.Pattern[str]
    keys: tuple[str, ...]
    read: Callable[[str, Mapping[str, Any], Sessions], Trigger]


_KINDS: Final = (
    _Kind(
        re.compile(r"(open|close)\b.*", re.IGNORECASE),
        ("calendar", "days"),
        lambda text, keys, sessions: Exchange.read(text, sessions, **keys),
    ),
    _Kind(re.compile(r"(\S+\s+){4}\S+"), ("timezone",), lambda text, keys, _: Cron.read(text, *keys.values())),
    _Kind(
        _EVERY,
        ("anchor", "between", "calendar", "days"),
        lambda text, keys, sessions: Interval.read(text, sessions, **keys),
    ),
)

#: Keys of an entry that say more about its trigger.
TRIGGER_KEYS: Final = ("timezone", "anchor", "between", "calendar", "days")


def read_trigger(text: Any, keys: Mapping[str, Any], sessions: Sessions) -> Trigger:
    """The trigger written as `text`, with what the keys beside it say.

    Parameters
    ----------
    text : str
        ``"close-30m"`` and the like, five fields of cron, or ``"every 15m"``.
    keys : mapping
        Those of `TRIGGER_KEYS` that were given.
    sessions : callable
        As `qtw_lab.data.calendars.sessions`.

    Raises
    ------
    DataError
        If it is none of these, or a key does not belong to its kind.

    Examples
    --------
    >>> read_trigger("30 18 * * mon-fri", {"timezone": "Europe/London"}, None).text
    'cron 30 18 * * mon-fri (Europe/London)'
    """
    if isinstance(text, str):
        for kind in _KINDS:
            if kind.pattern.fullmatch(text.strip()):
                _refuse_strangers(text, keys, kind.keys)
                return kind.read(text.strip(), keys, sessions)
    raise DataError(
        f"{text!r} is no trigger. Write a moment of the session (open+5m, close-30m), five fields of cron "
        "(30 18 * * mon-fri) or an interval (every 15m)."
    )


def keys_of(text: Any) -> tuple[str, ...]:
    """The keys that can say more about the trigger written so; none if it is no trigger.

    Examples
    --------
    >>> keys_of("close-30m"), keys_of("30 18 * * *")
    (('calendar', 'days'), ('timezone',))
    """
    written = text.strip() if isinstance(text, str) else ""
    return next((kind.keys for kind in _KINDS if kind.pattern.fullmatch(written)), ())


def _refuse_strangers(text: str, keys: Mapping[str, Any], own: tuple[str, ...]) -> None:
    for key, value in keys.items():
        if key not in own:
            raise DataError(f"{key} says nothing about the trigger {text!r}; it takes {' and '.join(own)}. Remove it.")
        if key not in ("days", "anchor") and not isinstance(value, str):
            raise DataError(f"{key} = {value!r} must be text.")


def _known(calendar: str, sessions: Sessions) -> str:
    """The calendar's name, once its sessions can be had."""
    sessions(calendar, "2024-01-02", "2024-01-05")
    return calendar


def _zone_named(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as err:
        close = near_misses(name, zoneinfo.available_timezones())
        hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else "Write it as America/New_York or UTC."
        raise DataError(f"There is no time zone {name!r}. {hint}") from err
    return name
