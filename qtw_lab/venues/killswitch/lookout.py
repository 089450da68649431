"""What a watcher looks at, and when that is a reason to halt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Final

from qtw_lab.core.errors import DataError, LabError
from qtw_lab.ledger.limits import Limits, Standing, standing_breaches
from qtw_lab.venues.killswitch.heartbeat import Heartbeat, Unread
from qtw_lab.venues.killswitch.hours import OpenHours
from qtw_lab.venues.killswitch.peak import Peak
from qtw_lab.venues.killswitch.venue import Venue

_SECOND: Final = 10**9

#: Gives nanoseconds: since 1970, UTC, or of a clock that only goes forward.
Nanoseconds = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """When a watcher halts trading, and how often it looks; all times in seconds.

    Parameters
    ----------
    heartbeat : float
        How old the engine's heartbeat may be during a session.
    unread : float
        For how long the heartbeat or the account may be unreadable during a session.
    clock : float
        By how much the wall clock may have moved against a clock that only goes forward, since the watch began.
    interval : float
        Between two looks.
    account : float
        Between two questions for the account.
    calendar : str
        The exchange whose sessions count, such as "XNYS"; "24/7" for always.
    flatten : bool
        Whether to close positions too.
    limits : Limits
        Of which daily loss, drawdown and leverage count here.

    Raises
    ------
    DataError
        If a time is no number above 0.

    Examples
    --------
    >>> Terms(heartbeat=5.0, limits=Limits(max_daily_loss=0.02)).unread
    30.0
    """

    heartbeat: float = 10.0
    unread: float = 30.0
    clock: float = 2.0
    interval: float = 1.0
    account: float = 5.0
    calendar: str = "XNYS"
    flatten: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in (one.name for one in fields(self) if one.type == "float"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise DataError(f"A watch with {name}={value!r} makes no sense; give a number of seconds above 0.")


class Lookout:
    """Looks at the clocks, the heartbeat and the account, and says why trading has to be halted.

    Parameters
    ----------
    heartbeat : Heartbeat
        The engine's.
    venue : Venue
        Asked for the account.
    peak : Peak
        Remembers the highest equity.
    terms : Terms
        When to halt.
    wall, steady : callable
        Nanoseconds since 1970, UTC, and of a clock that only goes forward.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from pydantic import SecretStr
    >>> venue = Venue("http://127.0.0.1:1", SecretStr("k"), SecretStr("s"))
    >>> clocks = {"wall": 1_795_798_800 * 10**9, "steady": 0}  # 2026-11-27, noon in New York
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     heart, peak = Heartbeat(folder + "/heartbeat.json"), Peak(Path(folder) / "peak.json")
    ...     lookout = Lookout(heart, venue, peak, Terms(), lambda: clocks["wall"], lambda: clocks["steady"])
    ...     heart.beat(clocks["wall"])
    ...     clocks = {name: at + 11 * 10**9 for name, at in clocks.items()}
    ...     print(lookout.alarm(0).partition(" of ")[0])
    no heartbeat
    """

    def __init__(
        self, heartbeat: Heartbeat, venue: Venue, peak: Peak, terms: Terms, wall: Nanoseconds, steady: Nanoseconds
    ) -> None:
        self._heartbeat, self._venue, self._peak, self._terms = heartbeat, venue, peak, terms
        self._wall, self._steady = wall, steady
        self._hours = OpenHours(terms.calendar)
        self.renew()

    def renew(self) -> None:
        """Begin anew, as after a reset: the clocks agree from here on, and an engine that starts gets its time."""
        self._began = self._wall()
        self._offset = self._began - self._steady()
        self._unread: dict[str, int] = {}
        self._asked: int | None = None

    def ready(self) -> None:
        """Load the calendar.

        Raises
        ------
        DataError, SetupError
            If there is none of that name.
        """
        self._hours.opened(self._wall())

    def alarm(self, armed: int) -> str:
        """Why trading has to be halted now; empty if it need not.

        Parameters
        ----------
        armed : int
            When the switch was armed, nanoseconds since 1970, UTC.
        """
        now = self._wall()
        moved = now - self._steady() - self._offset
        if abs(moved) > self._terms.clock * _SECOND:
            return f"the wall clock moved by {moved / _SECOND:+.1f} s against the clock that only goes forward"
        opened = self._hours.opened(now)
        return self._silence(now, opened) or self._trouble(now, opened, armed)

    def _silence(self, now: int, opened: int | None) -> str:
        """What is wrong with the heartbeat. Outside sessions nothing is; at the opening its time begins."""
        if opened is None:
            return ""
        beat = self._heartbeat.last()
        if isinstance(beat, Unread):
            return self._missing("heartbeat", now, opened, beat.reason)
        self._unread.pop("heartbeat", None)
        limit = self._terms.heartbeat * _SECOND
        if beat.at - now > limit:
            return f"the heartbeat of process {beat.pid} is {(beat.at - now) / _SECOND:.1f} s ahead of the clock"
        age = now - max(beat.at, opened, self._began)
        return f"no heartbeat of process {beat.pid} for {age / _SECOND:.1f} s" if age > limit else ""

    def _trouble(self, now: int, opened: int | None, armed: int) -> str:
        """What is wrong with the account; it is asked for now and then."""
        steady = self._steady()
        if self._asked is not None and steady - self._asked < self._terms.account * _SECOND:
            return ""
        self._asked = steady
        try:
            standing = self._standing(now, armed)
        except LabError as err:
            return self._missing("account", now, opened, str(err))
        self._unread.pop("account", None)
        found = standing_breaches(standing, self._terms.limits)
        return found[0].message if found else ""

    def _standing(self, now: int, armed: int) -> Standing:
        account = self._venue.account()
        held = self._venue.positions() if self._terms.limits.max_leverage is not None else ()
        return Standing(
            now=now,
            equity=account.equity,
            session_equity=account.last_equity,
            peak_equity=self._peak.raised(account.equity, armed),
            positions={one.symbol: one.shares for one in held},
            marks={one.symbol: one.price for one in held},
            mark_times=dict.fromkeys((one.symbol for one in held), now),
        )

    def _missing(self, what: str, now: int, opened: int | None, why: str) -> str:
        """The alarm about something that could not be read for too long; outside sessions that is no matter."""
        if opened is None:
            self._unread.pop(what, None)
            return ""
        since = max(self._unread.setdefault(what, now), opened)
        if now - since <= self._terms.unread * _SECOND:
            return ""
        return f"the {what} could not be read for {(now - since) / _SECOND:.1f} s: {why}"
