"""When the simulator's exchange trades: its sessions in nanoseconds, and what a moment is among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.venues.market import Prices
from qtw_lab.venues.moments import EASTERN, SECOND, eastern

_HOUR: Final = 3600 * SECOND
_AHEAD: Final = pd.Timedelta(days=120)


@dataclass(frozen=True, slots=True)
class Session:
    """One session: its date, and its times in nanoseconds since 1970, UTC.

    Parameters
    ----------
    date : str
        YYYY-MM-DD.
    early, opens, closes, late : int
        Start of trading before the opening (04:00 in New York), opening, close, and end of trading after it: four hours
        later, which is 20:00, and 17:00 on a half day.
    """

    date: str
    early: int
    opens: int
    closes: int
    late: int


class Hours:
    """The sessions of a market around its own days.

    Sessions are known from a year before the market's first moment to 120 days after its last; those of `between` are
    the calendar's, whenever they are.

    Parameters
    ----------
    market : Prices
        Asked for its sessions.
    """

    def __init__(self, market: Prices) -> None:
        self._market = market
        first, last = (pd.Timestamp(moment, unit="ns", tz="UTC") for moment in market.span)
        self.all = self.between(first - pd.Timedelta(days=366), last + _AHEAD)
        self._dates = frozenset(session.date for session in self.all)
        self._closes = np.array([session.closes for session in self.all], dtype=np.int64)
        self._lates = np.array([session.late for session in self.all], dtype=np.int64)
        self._opens = np.array([session.opens for session in self.all], dtype=np.int64)
        self._earlies = np.array([session.early for session in self.all], dtype=np.int64)

    def between(self, start: Any, end: Any) -> list[Session]:
        """Sessions from date to date, both included."""
        table = self._market.sessions(start, end)
        opens = pd.DatetimeIndex(table["open"]).as_unit("ns").asi8
        closes = pd.DatetimeIndex(table["close"]).as_unit("ns").asi8
        return [
            Session(str(at.date()), _early(int(first)), int(first), int(last), int(last) + 4 * _HOUR)
            for at, first, last in zip(table.index, opens, closes, strict=True)
        ]

    def current(self, moment: int, *, extended: bool = False) -> Session:
        """The session that trades at a moment, or else the next: the first that has not ended by then."""
        ends = self._lates if extended else self._closes
        return self.all[min(int(np.searchsorted(ends, moment, side="right")), len(self.all) - 1)]

    def trades(self, moment: int, *, extended: bool = False) -> bool:
        """Whether there is trading at a moment, in the regular session or around it."""
        session = self.current(moment, extended=extended)
        return (session.early if extended else session.opens) <= moment < (session.late if extended else session.closes)

    def trading(self, moments: npt.NDArray[np.int64], *, extended: bool = False) -> npt.NDArray[np.bool_]:
        """Which moments have trading; `trades` for many."""
        starts, ends = (self._earlies, self._lates) if extended else (self._opens, self._closes)
        place = np.minimum(np.searchsorted(ends, moments, side="right"), len(ends) - 1)
        return (moments >= starts[place]) & (moments < ends[place])

    def live(self, moment: int, *, extended: bool = False) -> int:
        """When an order that comes at a moment reaches the market: then, or when trading begins next."""
        session = self.current(moment, extended=extended)
        return max(moment, session.early if extended else session.opens)

    def next_open(self, moment: int) -> int:
        """The next regular opening after a moment."""
        return int(self._opens[min(int(np.searchsorted(self._opens, moment, side="right")), len(self.all) - 1)])

    def next_close(self, moment: int) -> int:
        """The next regular close after a moment."""
        return self.current(moment).closes

    def sessions_until(self, moment: int) -> list[Session]:
        """Sessions that had opened by a moment, oldest first."""
        return self.all[: int(np.searchsorted(self._opens, moment, side="right"))]

    def is_session(self, moment: int) -> bool:
        """Whether there is a session on the day of a moment, in New York."""
        return eastern(moment).date().isoformat() in self._dates

    def previous(self, moment: int) -> Session | None:
        """The last session that closed on a date before that of a moment; None where there is none."""
        today = eastern(moment).date().isoformat()
        place = int(np.searchsorted(self._closes, moment, side="right"))
        while place and self.all[min(place, len(self.all) - 1)].date >= today:
            place -= 1
        found = self.all[min(place, len(self.all) - 1)]
        return found if found.date < today else None


def _early(opens: int) -> int:
    """04:00 in New York on the day of an opening."""
    morning = eastern(opens).replace(hour=4, minute=0, second=0, microsecond=0, tzinfo=EASTERN)
    return int(morning.timestamp()) * SECOND
