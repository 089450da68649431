"""Trading on an account that is known: orders go out only while what we know of it is what the broker says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from qtw_lab.core import VenueError
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import Broker, OrderView
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.mirror import Mirror, Reconciled
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.trade_updates import TradeUpdates

#: Seconds between two comparisons while nothing happens, and after one that failed.
EVERY: Final = 30.0
_AGAIN: Final = 1.0
#: Seconds from an update to the comparison that confirms it.
_SOON: Final = 3.0


class UnreconciledError(VenueError):
    """No order may be sent now: what is known of the account is not known to be what the broker says."""


class Trader:
    """An account at a broker: compared at the start, after each break of the updates, soon after each, and often.

    Parameters
    ----------
    broker : Broker
        Who has the account.
    outbox, mirror : Outbox, Mirror
        What was sent, and what is known.
    updates : TradeUpdates, optional
        Tells when something happens; without it comparisons are only made every so often.
    allow : callable, optional
        Is given each order before it is sent; raises if it must not be: limits, a kill switch. A `Guard` judges
        replacements as well, and hears what the broker says to each.
    every : float
        Seconds between two comparisons while nothing happens.
    monotonic : callable
        Seconds on a clock that is never set.
    """

    def __init__(
        self, broker: Broker, outbox: Outbox, mirror: Mirror, updates: TradeUpdates | None = None, *,
        allow: Callable[[Ticket], None] | None = None, every: float = EVERY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.broker, self.outbox, self.mirror, self.updates = broker, outbox, mirror, updates
        self._allow, self._every, self._monotonic = allow, every, monotonic
        self._guard = allow if isinstance(allow, Guard) else None
        self._due = monotonic()
        #: Why the last comparison failed, if it did.
        self.trouble = ""

    @property
    def ready(self) -> bool:
        """Whether orders may be sent."""
        listening = self.updates is None or self.updates.listening
        return self.mirror.trusted and listening and not self.outbox.unresolved

    @property
    def halted(self) -> bool:
        """Whether a kill switch forbids every order."""
        switch = None if self._guard is None else self._guard.switch
        return switch is not None and switch.status().tripped

    def open(self) -> None:
        """Begin to listen; `turn` does the rest."""
        if self.updates is not None:
            self.updates.open()

    def close(self) -> None:
        """Listen no more."""
        if self.updates is not None:
            self.updates.close()

    def turn(self, seconds: float = 0.0) -> Reconciled | None:
        """Take in what was told, waiting for it at most that long, and compare if that is due.

        Returns
        -------
        Reconciled or None
            What a comparison changed; None if none was due, or it failed: then `trouble` says why.

        Raises
        ------
        VenueError
            If the venue refuses the keys for good.
        """
        for told in self.updates.read(seconds) if self.updates is not None else ():
            if told.what == "fatal":
                raise VenueError(f"The account cannot be watched: {told.content['reason']}.")
            if told.what == "update":
                self._hear(told.content)
            else:
                self.mirror.doubt()
                self._due = self._monotonic()
        if self._monotonic() < self._due or (self.updates is not None and not self.updates.listening):
            return None
        return self.compare()

    def _hear(self, update: Mapping[str, Any]) -> None:
        """Know at once what was told, and compare soon: many updates may come together."""
        try:
            self.mirror.told(update, self.outbox.intents.keys())
        except VenueError as err:
            self.trouble = str(err)
        self._due = min(self._due, self._monotonic() + _SOON)

    def compare(self) -> Reconciled | None:
        """Find out what became of orders that nobody knows of, and make what is known equal to the broker's account."""
        try:
            self.outbox.resolve()
            found = self.mirror.reconcile(self.outbox.intents.keys())
        except VenueError as err:
            self.mirror.doubt()
            self.trouble, self._due = str(err), self._monotonic() + _AGAIN
            return None
        self.trouble, self._due = "", self._monotonic() + self._every
        return found

    def submit(self, ticket: Ticket) -> OrderView:
        """Send an order.

        Raises
        ------
        UnreconciledError
            If the account is not known to be what the broker says; `turn` until it is `ready`.
        RefusedError, LostAnswerError
            As `Outbox.submit`.
        """
        if not self.ready:
            why = self.trouble or "a break of the updates, or an order whose answer was lost, is not looked into yet"
            raise UnreconciledError(f"No order is sent while the account is not reconciled: {why}.")
        if self._allow is not None:
            self._allow(ticket)
        self._due = min(self._due, self._monotonic() + _SOON)
        return self._heard(ticket, lambda: self.outbox.submit(ticket))

    def amend(self, order_id: str, **changes: Any) -> OrderView:
        """Replace an order; as `submit`."""
        if not self.ready:
            raise UnreconciledError("No order is replaced while the account is not reconciled.")
        ticket = None if self._guard is None else self._guard.amend(order_id, changes)
        self._due = min(self._due, self._monotonic() + _SOON)
        return self._heard(ticket, lambda: self.broker.amend(order_id, **changes))

    def cancel(self, order_id: str) -> None:
        """Cancel an order: always allowed, reconciled or not, for it can only make the risk less."""
        self._due = min(self._due, self._monotonic() + _SOON)
        self.broker.cancel(order_id)

    def _heard(self, ticket: Ticket | None, send: Callable[[], OrderView]) -> OrderView:
        """Send, and let a guard know what the broker says."""
        try:
            view = send()
        except RefusedError as refused:
            if self._guard is not None:
                self._guard.refused(ticket, refused)
            raise
        if self._guard is not None and ticket is not None:
            self._guard.sent(ticket, view)
        return view
