"""What the exchange's calendar says of a moment: open, before, after or closed, and when it opens next."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.data import calendars

Phase = Literal["pre", "open", "break", "post", "closed"]
IntArray = npt.NDArray[np.int64]

#: Local times, in minutes after midnight, between which an exchange trades outside its session: from, to, and to on a
#: half day. US stocks from 04:00 to 20:00, on a half day to 17:00 (NYSE, "Holidays & Trading Hours": late trading
#: sessions then close at 5 p.m.; Alpaca, "Extended Hours Trading": 4:00 to 9:30 and 16:00 to 20:00 New York time).
_EXTENDED: Final = dict.fromkeys(("XNYS", "NYSE", "XNAS", "NASDAQ"), (4 * 60, 20 * 60, 17 * 60))

#: Days of calendar that are looked up around the moment asked for.
_AROUND: Final = pd.Timedelta(days=40)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is true of every moment from `start` up to `end`; all times in nanoseconds since 1970, UTC.

    Parameters
    ----------
    phase : {"pre", "open", "break", "post", "closed"}
        "pre" and "post" are extended hours, "break" is a lunch break.
    start, end : int
        The span, end excluded.
    date : str or None
        The session it belongs to, as "2026-11-27"; None while closed.
    opens, closes : int
        The regular hours of that session; while closed, of the next one.
    next_open : int
        When the next session opens, from `start` on; the session at hand does not count once it is open.
    half_day : bool
        Whether that session (while closed, the next one) closes early.
    """

    phase: Phase
    start: int
    end: int
    date: str | None
    opens: int
    closes: int
    next_open: int
    half_day: bool

    def trading(self, *, extended: bool = False) -> bool:
        """Whether there is trading: in the regular session, on request also in extended hours."""
        return self.phase == "open" or (extended and self.phase in ("pre", "post"))


class Sessions:
    """An exchange's sessions, cheap to ask of every event: the last answer is kept while it holds.

    Parameters
    ----------
    calendar : str
        An exchange code such as "XNYS", or "24/7".

    Raises
    ------
    DataError
        If the calendar is unknown, or a moment lies outside the years that are known of it.
    SetupError
        If the installed `exchange_calendars` cannot build it.

    Examples
    --------
    >>> sessions = Sessions("XNYS")
    >>> friday = sessions.at(pd.Timestamp("2026-11-27 17:59", tz="UTC").value)
    >>> friday.phase, friday.half_day, str(pd.Timestamp(friday.end))
    ('open', True, '2026-11-27 18:00:00')
    >>> str(pd.Timestamp(friday.next_open))
    '2026-11-30 14:30:00'
    """

    def __init__(self, calendar: str = "XNYS") -> None:
        self.calendar = calendar
        self.zone = calendars.zone(calendar)
        self._starts: list[int] = []
        self._standings: list[Standing] = []
        self._last: Standing | None = None

    def at(self, now: int) -> Standing:
        """The standing at a moment, in nanoseconds since 1970, UTC."""
        last = self._last
        if last is None or not last.start <= now < last.end:
            self._last = last = self._found(now)
        return last

    def trading(self, now: int, *, extended: bool = False) -> bool:
        """Whether there is trading at a moment; see `Standing.trading`."""
        return self.at(now).trading(extended=extended)

    def began(self, now: int) -> int:
        """When the session at hand began to trade, or the last one before: its opening, or the start of early trading.

        Examples
        --------
        >>> sunday = pd.Timestamp("2024-01-07 12:00", tz="UTC").value
        >>> str(pd.Timestamp(Sessions().began(sunday), tz="UTC"))
        '2024-01-05 14:30:00+00:00'
        """
        standing = self.at(now)
        if standing.date is not None:
            return standing.start if standing.phase == "pre" else standing.opens
        while standing.date is None or standing.opens > now:
            standing = self._found(standing.start - 1)
        return standing.opens

    def traded(self, start: int, end: int, *, extended: bool = False) -> int:
        """How many nanoseconds from `start` up to `end` there is trading.

        Examples
        --------
        >>> day = pd.Timestamp("2026-11-27", tz="UTC").value
        >>> Sessions("XNYS").traded(day, day + 86_400 * 10**9) // (3600 * 10**9)  # a half day
        3
        """
        total, at = 0, start
        while at < end:
            standing = self._found(at)
            until = min(standing.end, end)
            total += until - at if standing.trading(extended=extended) else 0
            at = until
        return total

    def _found(self, now: int) -> Standing:
        inside = self._starts and self._starts[0] <= now < self._standings[-1].end
        if not inside:
            self._standings = _standings(self.calendar, self.zone, now)
            self._starts = [standing.start for standing in self._standings]
        return self._standings[bisect_right(self._starts, now) - 1]


def _standings(calendar: str, zone: str, now: int) -> list[Standing]:
    """The standings around a moment, one after the other without a gap."""
    day = pd.Timestamp(now, tz="UTC").normalize()
    table = calendars.sessions(calendar, day - _AROUND, day + _AROUND)
    found: list[Standing] = []
    rows = list(zip(*_edges(table, zone, calendar), strict=True))
    for row, (date, half, edges, following) in enumerate(rows):
        opens, closes = edges[1], edges[4]
        if row:
            found.append(Standing("closed", found[-1].end, edges[0], None, opens, closes, opens, half))
        phases: tuple[Phase, ...] = ("pre", "open", "break", "open", "post")
        for phase, start, end in zip(phases, edges[:-1], edges[1:], strict=True):
            after = opens if phase == "pre" else following
            found.append(Standing(phase, start, end, date, opens, closes, after, half))
    return [standing for standing in found if standing.start < standing.end]


def _edges(
    table: pd.DataFrame, zone: str, calendar: str
) -> tuple[list[str], list[bool], list[tuple[int, ...]], list[int]]:
    """Date, early close, the six edges of its phases, and the next opening, of each session but the last."""
    opens, closes = _nanos(table["open"]), _nanos(table["close"])
    pause, resume = (table[name].fillna(table["close"]) for name in ("break_start", "break_end"))
    half = table["half_day"].to_numpy(dtype=bool)
    first, last = opens, closes
    if calendar in _EXTENDED:
        early, late, late_half = _EXTENDED[calendar]
        first = np.minimum(_local(table.index, np.full(len(table), early), zone), opens)
        last = np.maximum(_local(table.index, np.where(half, late_half, late), zone), closes)
    edges = np.column_stack([first, opens, _nanos(pause), _nanos(resume), closes, last])
    dates = [str(date) for date in pd.DatetimeIndex(table.index).strftime("%Y-%m-%d")]
    several = [tuple(int(edge) for edge in row) for row in edges]
    return dates[:-1], half[:-1].tolist(), several[:-1], opens[1:].tolist()


def _local(dates: pd.Index, minutes: IntArray, zone: str) -> IntArray:
    """Local times of day on the session dates as nanoseconds, UTC."""
    walls = pd.DatetimeIndex(dates).tz_localize(None) + pd.to_timedelta(minutes, unit="min")
    return pd.DatetimeIndex(walls).tz_localize(zone).as_unit("ns").asi8


def _nanos(column: pd.Series) -> IntArray:
    return pd.DatetimeIndex(column).as_unit("ns").asi8
