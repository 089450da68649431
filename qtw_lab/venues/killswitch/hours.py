"""When something is to be expected of an engine: the sessions of an exchange, half days and holidays included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

#: Days of calendar that are looked up around the moment asked for, more than any exchange is closed in a row.
_AROUND: Final = timedelta(days=20)
_MICROSECOND: Final = 1000
_EDGES: Final = ("open", "break_start", "break_end", "close")


class OpenHours:
    """The regular hours of an exchange; the calendar is loaded when it is first asked.

    Parameters
    ----------
    calendar : str
        An exchange code such as "XNYS", or "24/7".

    Examples
    --------
    >>> hours = OpenHours("XNYS")
    >>> noon, evening = 1_795_798_800 * 10**9, 1_795_806_000 * 10**9  # 2026-11-27, a half day: 12:00 and 14:00
    >>> (noon - hours.opened(noon)) / 3600e9, hours.opened(evening)
    (2.5, None)
    """

    def __init__(self, calendar: str = "XNYS") -> None:
        self.calendar = calendar
        self._known = (0, 0)
        self._spans: list[tuple[int, int]] = []

    def opened(self, now: int) -> int | None:
        """When trading began that goes on at a moment: the opening, or the end of a break; None if there is none.

        All times are nanoseconds since 1970, UTC.

        Raises
        ------
        DataError, SetupError
            If there is no such calendar, or it does not reach so far.
        """
        if not self._known[0] <= now < self._known[1]:
            self._load(now)
        return next((start for start, end in self._spans if start <= now < end), None)

    def _load(self, now: int) -> None:
        import pandas as pd

        from qtw_lab.data.calendars import sessions

        day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now // _MICROSECOND)
        table = sessions(self.calendar, day - _AROUND, day + _AROUND)
        columns = [pd.DatetimeIndex(table[name]).as_unit("ns").asi8.tolist() for name in _EDGES]
        spans: list[tuple[int, int]] = []
        for row in zip(*columns, strict=True):
            edges = [at for at in row if at > 0]  # a break that there is not is the earliest of all times
            for start, end in zip(edges[::2], edges[1::2], strict=True):
                if spans and start <= spans[-1][1]:  # one session goes over into the next
                    spans[-1] = (spans[-1][0], end)
                else:
                    spans.append((start, end))
        margin = round(_AROUND.total_seconds() / 2) * 10**9
        self._spans, self._known = spans, (now - margin, now + margin)
