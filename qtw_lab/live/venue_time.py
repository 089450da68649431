"""What time it is at the venue, learned from the times of the events that come in."""

from __future__ import annotations

from typing import Final

from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.ticks import Rows

_SECOND: Final = 1_000_000_000

#: An event so far ahead of the venue's time, in seconds of the reader, does not move that time by itself.
TOLERANCE: Final = _SECOND

#: How long a difference of clocks is remembered at least, and how long events must stay ahead to be believed after all.
_REMEMBERED: Final = 30 * _SECOND
_INSISTING: Final = 2 * _SECOND


class VenueTime:
    """The venue's time at any moment of the reader's clock.

    No event is received before it happened, so the venue's clock is at least as far as the newest event; between events
    it goes on with the reader's clock. The fastest delivery of the last half to whole minute is taken for none at all.
    A few events with wrong times must not move the clock of all: those more than `TOLERANCE` ahead are outliers. If
    they are the greater part of what comes within two seconds, the venue's clock has been moved, and they are believed.

    Parameters
    ----------
    speed : float
        Seconds of the venue in a second of the reader: 1 but for a simulated market that runs faster.

    Examples
    --------
    >>> time = VenueTime()
    >>> time.told(1_000_000_000, 5_000_000_000)
    >>> time.now(7_000_000_000)
    3000000000
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.outliers = 0
        self.latest: int | None = None
        self._tolerance = int(TOLERANCE * max(1.0, speed))
        self._ahead: int | None = None
        self._before: int | None = None
        self._began = 0
        self._insisting: tuple[int, int, int] | None = None

    def now(self, received: int) -> int | None:
        """The venue's time in nanoseconds since 1970 at that moment of the reader's clock; None before any event."""
        known = [one for one in (self._ahead, self._before) if one is not None]
        return max(known) + self._passed(received) if known else None

    def told(self, moment: int, received: int) -> None:
        """The venue said what time it is, and that was received at that moment."""
        ahead = moment - self._passed(received)
        if self._ahead is not None and received - self._began > _REMEMBERED:
            self._before, self._ahead, self._began = self._ahead, None, received
        if self._ahead is None:
            self._began = received if self._before is None else self._began
            self._ahead = ahead
        self._ahead = max(self._ahead, ahead)

    def heard(self, event: int, received: int) -> None:
        """An event of that time was received at that moment."""
        self.told(event, received)
        self.latest = event if self.latest is None else max(self.latest, event)

    def take(self, ticks: Rows, received: int) -> int | None:
        """Learn from rows of `TICK`; the newest time that is believed, None if there is none."""
        now = self.now(received)
        if now is None or self.latest is None:  # what the venue said of its time was underway for who knows how long
            return self._first(ticks, received)
        newest, over = newest_up_to(ticks, now + self._tolerance)
        if (over or self._insisting) and self._believed(over, len(ticks) - over, received):
            return self._moved(ticks, received)
        self.outliers += over
        if newest == 0:
            return None
        self.heard(newest, received)
        return newest

    def _passed(self, received: int) -> int:
        """What the reader's clock says, in time of the venue. Whole numbers, where they are exact, stay so."""
        return received if self.speed == 1.0 else int(received * self.speed)

    def _first(self, ticks: Rows, received: int) -> int | None:
        """The first rows: the middle one's time is believed, so that a single wild one leads nobody astray."""
        if not len(ticks):
            return None
        times = sorted(ticks["time"].tolist())
        newest = max(time for time in times if time <= times[len(times) // 2] + self._tolerance)
        self.heard(newest, received)
        return int(newest)

    def _believed(self, over: int, under: int, received: int) -> bool:
        """Whether what is ahead has been the greater part for long enough."""
        since, before, other = self._insisting or (received, 0, 0)
        over, under = before + over, other + under
        self._insisting = (since, over, under)
        if received - since < _INSISTING:
            return False
        self._insisting = None
        return over > under

    def _moved(self, ticks: Rows, received: int) -> int | None:
        """Believe the new clock; what was heard up to by the old one says nothing any more."""
        self._ahead = self._before = self._insisting = None
        return self._first(ticks, received)


@compiled
def newest_up_to(ticks: Rows, limit: int) -> tuple[int, int]:
    """The newest time up to the limit, 0 if there is none, and how many lie beyond."""
    newest, over = 0, 0
    for i in range(ticks.shape[0]):
        time = ticks[i].time
        if time > limit:
            over += 1
        else:
            newest = max(newest, time)
    return newest, over


@compiled
def tally(ticks: Rows) -> tuple[int, int, int]:
    """How many rows are trades, how many quotes, and how many statuses."""
    trades, quotes, statuses = 0, 0, 0
    for i in range(ticks.shape[0]):
        kind = ticks[i].kind
        if kind == 113:
            quotes += 1
        elif kind == 116:
            trades += 1
        elif kind == 115:
            statuses += 1
    return trades, quotes, statuses
