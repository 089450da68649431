"""`Watch`: the loop of a process of its own that looks after an engine, and halts trading when that goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from qtw_lab.venues.killswitch.halting import NAME, Halting
from qtw_lab.venues.killswitch.heartbeat import Heartbeat
from qtw_lab.venues.killswitch.lookout import Lookout, Nanoseconds, Terms
from qtw_lab.venues.killswitch.peak import Peak
from qtw_lab.venues.killswitch.status import Status
from qtw_lab.venues.killswitch.switch import KillSwitch
from qtw_lab.venues.killswitch.venue import Venue

PEAK: Final = "peak.json"
_SECOND: Final = 10**9


def _silent(line: str) -> None:
    """Say nothing."""


class Watch:
    """Looks after an engine, and carries out every trip of the switch, whoever tripped it.

    It trips when, during a session, the heartbeat is too old, or the heartbeat or the account cannot be read for too
    long; and at any hour when the clock jumps, the equity is no number above zero, or a limit of loss, drawdown or
    leverage is broken. Then it cancels everything, closes everything if asked, goes on until the venue confirms that,
    and looks again every few seconds until somebody resets the switch.

    Parameters
    ----------
    switch : KillSwitch
        What it trips, and what trips it.
    venue : Venue
        The account.
    heartbeat : Heartbeat
        The engine's.
    terms : Terms
        When to halt.
    wall, steady : callable
        Nanoseconds since 1970, UTC, and of a clock that only goes forward.
    say : callable
        Takes lines for people.

    Examples
    --------
    >>> import tempfile
    >>> from pydantic import SecretStr
    >>> from qtw_lab.venues.killswitch.venue import Patience
    >>> nobody = Venue("http://127.0.0.1:1", SecretStr("k"), SecretStr("s"), patience=Patience(attempts=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     switch, heart = KillSwitch(folder + "/stop"), Heartbeat(folder + "/heartbeat.json")
    ...     watch = Watch(switch, nobody, heart, Terms(calendar="24/7", unread=60.0))
    ...     watch.turn(), switch.status().tripped  # the engine and the venue get a minute to answer
    (1.0, False)
    """

    def __init__(
        self, switch: KillSwitch, venue: Venue, heartbeat: Heartbeat, terms: Terms, *,
        wall: Nanoseconds = time.time_ns, steady: Nanoseconds = time.monotonic_ns, say: Callable[[str], None] = _silent,
    ) -> None:  # fmt: skip
        self._switch, self._venue, self._terms = switch, venue, terms
        self._wall, self._steady, self._say = wall, steady, say
        self._lookout = Lookout(heartbeat, venue, Peak(switch.folder / PEAK), terms, wall, steady)
        self._halting: Halting | None = None
        self._seen: Status | None = None
        self._due = 0

    def ready(self) -> None:
        """Load what looking takes, unless there is a halt to be carried out first.

        Raises
        ------
        DataError, SetupError
            If there is no such calendar.
        """
        if not self._switch.status().tripped:
            self._lookout.ready()

    def run(self, stopping: threading.Event) -> None:
        """Look and act until `stopping` is set."""
        while not stopping.is_set():
            try:
                pause = self.turn()
            except Exception as err:  # noqa: BLE001  (the outermost loop: a watcher that fails must halt, not end)
                reason = f"the watcher itself failed: {type(err).__name__}: {err}"
                self._say(reason)
                self._switch.trip(NAME, reason, flatten=self._terms.flatten, at=self._wall())
                pause = self._terms.interval
            stopping.wait(pause)

    def turn(self) -> float:
        """Look once, and do what is next; gives the seconds to wait before the next turn."""
        status = self._switch.status()
        if status.tripped:
            return self._halt(status)
        if self._halting is not None:
            self._say(f"Reset by {status.by}: {status.reason}. Watching again.")
            self._halting = self._seen = None
            self._lookout.renew()
        reason = self._lookout.alarm(status.since or 0)
        if not reason:
            return self._terms.interval
        return self._halt(self._switch.trip(NAME, reason, flatten=self._terms.flatten, at=self._wall()))

    def _halt(self, status: Status) -> float:
        """Carry a trip out, as far as it is due."""
        if self._halting is None:
            self._say(f"Tripped by {status.by or 'nobody known'}: {status.reason}.")
            self._halting = Halting(self._switch, self._venue, self._wall, self._steady, self._say)
        if status != self._seen or self._steady() >= self._due:
            self._seen = status
            self._due = self._steady() + round(self._halting.step(status) * _SECOND)
        return min(self._terms.interval, max(0.0, (self._due - self._steady()) / _SECOND))
