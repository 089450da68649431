"""What is done once the switch is tripped: cancel, close if asked, and go on until the venue confirms it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qtw_lab.core.errors import LabError
from qtw_lab.venues.killswitch.status import Status
from qtw_lab.venues.killswitch.switch import KillSwitch
from qtw_lab.venues.killswitch.venue import Venue

#: Who trips and records on behalf of the watcher.
NAME: Final = "watch"

_SECOND: Final = 10**9
#: Seconds between two attempts: at first, and at most.
_FIRST: Final = 0.05
_MOST: Final = 1.0
#: Seconds between two looks at a venue that is halted: an engine that does not heed the switch may still send orders.
_AGAIN: Final = 5.0
#: Seconds that closing orders get to fill before everything is canceled and closed anew.
_SETTLING: Final = 10.0


class Halting:
    """One halt, from the trip to the venue's confirmation and on until the switch is reset.

    First every order is canceled until the venue says that none is open; only then are positions closed. So an order
    that would close something cannot meet another that does, whoever sent that: after a crash the first thing to be
    canceled is what the watcher before had sent, and what was filled of it is no longer held.

    Parameters
    ----------
    switch : KillSwitch
        Records what the venue confirmed.
    venue : Venue
        Where to halt.
    wall, steady : callable
        Nanoseconds since 1970, UTC, and of a clock that only goes forward.
    say : callable
        Takes lines for people.

    Examples
    --------
    >>> import tempfile, time
    >>> from pydantic import SecretStr
    >>> from qtw_lab.venues.killswitch.venue import Patience
    >>> nobody = Venue("http://127.0.0.1:1", SecretStr("k"), SecretStr("s"), patience=Patience(attempts=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     switch = KillSwitch(folder + "/stop")
    ...     halting = Halting(switch, nobody, time.time_ns, time.monotonic_ns, print)
    ...     halting.step(switch.trip("ann", "a test"))
    The venue did not answer DELETE /v2/orders: the connection failed (ConnectionError). Try again.
    0.05
    """

    def __init__(
        self, switch: KillSwitch, venue: Venue, wall: Callable[[], int], steady: Callable[[], int],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._switch, self._venue, self._wall, self._steady, self._say = switch, venue, wall, steady, say
        self._began = steady()
        self._halted = False
        self._closing: int | None = None
        self._pause = _FIRST
        self._told: set[str] = set()

    def step(self, status: Status) -> float:
        """Do what is next; gives the seconds to wait before the next step."""
        try:
            done = self._canceled(status) and (not status.flatten or self._closed(status))
        except LabError as err:
            self._tell(str(err))
            done = False
        if done:
            self._pause = _FIRST
            return _AGAIN
        pause, self._pause = self._pause, min(2 * self._pause, _MOST)
        return pause

    def _canceled(self, status: Status) -> bool:
        """Whether no order is open but those that close positions."""
        if self._closing is not None:
            if self._steady() - self._closing < _SETTLING * _SECOND:
                return True
            self._begin_anew()
        if not self._halted:
            self._venue.cancel_all()
        found = self._venue.open_orders()
        if found and self._halted:
            self._say(f"{len(found)} orders are open again: something sends them though trading is halted.")
            self._begin_anew()
        if found:
            return False
        if not self._halted:
            self._halted, self._pause = True, _FIRST
        self._confirm("canceled", status, "no order is open")
        return True

    def _closed(self, status: Status) -> bool:
        """Whether nothing is held, or nothing more can be done about it before the market opens."""
        if self._closing is None:  # from here on open orders may be ours, whether or not an answer says so
            self._closing = self._steady()
        closing = self._venue.close_all()
        if closing.queued:
            self._closing = None
            self._tell(f"The market is closed: {_names(closing.queued)} will be closed from {closing.next_open} on.")
            return True
        if closing.flat:
            if self._venue.open_orders():  # somebody else sends orders
                self._begin_anew()
                return False
            self._closing = None
            self._confirm("flat", status, "no order is open and nothing is held")
            return True
        if closing.sent:
            self._tell(f"Closing {_names(closing.sent)}.")
        for symbol, said in closing.refused.items():
            self._tell(f"{symbol} could not be closed yet: {said}.")
        return False

    def _begin_anew(self) -> None:
        """Cancel everything before anything else is closed."""
        self._halted, self._closing, self._pause = False, None, _FIRST

    def _confirm(self, kind: str, status: Status, what: str) -> None:
        """Record what the venue confirmed, and how long after the trip."""
        now = self._wall()
        took = -1 if status.since is None else now - status.since
        if took < 0:  # nobody knows when it was tripped, or the clock was set back since
            took = self._steady() - self._began
        line = f"{what}, {took / _SECOND:.3f} s after the trip"
        self._switch.confirm(kind, NAME, line, at=now)
        self._tell(f"Halted: {line}.", once=kind)

    def _tell(self, line: str, once: str = "") -> None:
        """Say something to people, but not over and over."""
        if (once or line) not in self._told:
            self._told.add(once or line)
            self._say(line)


def _names(symbols: tuple[str, ...]) -> str:
    return ", ".join(symbols[:10]) + (f" and {len(symbols) - 10} more" if len(symbols) > 10 else "")
