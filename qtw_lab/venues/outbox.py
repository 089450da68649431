"""Orders on their way to a broker: written down first, sent once, and asked for when an answer is lost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from qtw_lab.core import DataError, VenueError
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import Broker, LostAnswerError, OrderView, need_name
from qtw_lab.venues.moments import SECOND
from qtw_lab.venues.paper.events import Event, ticket_json, ticket_of
from qtw_lab.venues.paper.store import Store

State = Literal["intended", "acknowledged", "refused", "absent"]

#: What a broker says to a name that it has had before.
_TAKEN: Final = "client_order_id must be unique"
#: Pauses between questions for an order whose answer was lost, seconds; all of them together are the patience.
PAUSES: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
#: Orders are looked for among those created so long before they were written down: clocks differ.
_EARLIER: Final = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that was written down to be sent.

    Parameters
    ----------
    ticket : Ticket
        With our name for it.
    at : int
        When, nanoseconds since 1970, UTC.
    state : {"intended", "acknowledged", "refused", "absent"}
        "intended" while nobody knows what became of it; "absent" if the broker does not have it and will not.
    order_id : str
        The broker's name for it, once acknowledged.
    reason : str
        Why it was refused.
    status, code : int
        The venue's numbers for that.
    """

    ticket: Ticket
    at: int
    state: State = "intended"
    order_id: str = ""
    reason: str = ""
    status: int = 0
    code: int | None = None


class Outbox:
    """Sends orders to a broker so that each is there once, whatever is lost and whoever is killed meanwhile.

    Parameters
    ----------
    broker : Broker
        Who gets them.
    store : Store
        Where they are written down; what it holds already is read first. Call `resolve` then.
    now : callable
        Nanoseconds since 1970, UTC.
    sleep : callable
        Waits for seconds.

    Examples
    --------
    >>> order_name("session-1", "AAPL", 1_704_205_800_000_000_000, 0)
    'session-1-c131361b5ec29108'
    """

    def __init__(
        self, broker: Broker, store: Store, now: Callable[[], int], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._broker, self._store, self._now, self._sleep = broker, store, now, sleep
        self._intents: dict[str, Intent] = {}
        self._unresolved: dict[str, None] = {}
        for event in store.read():
            self._apply(event)

    @property
    def intents(self) -> MappingProxyType[str, Intent]:
        """Every order that was written down, by our name for it, oldest first."""
        return MappingProxyType(self._intents)

    @property
    def unresolved(self) -> list[str]:
        """Names of the orders of which nobody knows whether the broker has them."""
        return list(self._unresolved)

    def submit(self, ticket: Ticket) -> OrderView:
        """Send an order, or say again what became of the one of that name.

        Raises
        ------
        RefusedError
            As the broker refused it, now or before.
        LostAnswerError
            If it is still unknown whether the broker has it: `resolve` later, and send nothing in its place meanwhile.
        DataError
            If another order had that name.
        """
        need_name(ticket)
        name = ticket.client_order_id
        known = self._intents.get(name)
        if known is not None and known.ticket != ticket:
            raise DataError(f"The name {name} belongs to another order; every order needs a name of its own.")
        if known is None or known.state == "absent":
            self._note("intended", name, ticket=ticket_json(ticket))
            return self._send(name, ticket)
        if known.state == "refused":
            raise RefusedError(known.status, known.reason, known.code)
        return self._asked_for(name)

    def resolve(self) -> dict[str, State]:
        """Find out what became of every order that nobody knows of; the names of those and what is known now.

        One that the broker does not have, neither by name nor among all its orders, counts as absent. Doing it again
        changes nothing.
        """
        names = self.unresolved
        if not names:
            return {}
        since = min(self._intents[name].at for name in names) - _EARLIER
        there = {order.client_order_id: order for order in self._broker.orders("all", after=since)}
        for name in names:
            found = there.get(name) or self._broker.find(name)
            if found is not None:
                self._note("acknowledged", name, order=found.id)
            else:
                self._note("absent", name)
        return {name: self._intents[name].state for name in names}

    def _send(self, name: str, ticket: Ticket) -> OrderView:
        try:
            sent = self._broker.submit(ticket)
        except RefusedError as refused:
            if refused.content["message"] == _TAKEN:
                return self._asked_for(name)
            said = refused.content
            self._note("refused", name, reason=str(said["message"]), status=refused.status, code=said.get("code"))
            raise
        except LostAnswerError:
            return self._asked_for(name)
        except VenueError:  # it was not carried out, and the broker said so
            self._note("absent", name)
            raise
        self._note("acknowledged", name, order=sent.id)
        return sent

    def _asked_for(self, name: str) -> OrderView:
        """The order of that name, asked for as long as patience goes."""
        for pause in (0.0, *PAUSES):
            self._sleep(pause)
            found = self._broker.find(name)
            if found is not None:
                if self._intents[name].state != "acknowledged":
                    self._note("acknowledged", name, order=found.id)
                return found
        raise LostAnswerError(f"The order {name} was sent, and the broker does not have it so far.")

    def _note(self, kind: str, name: str, **content: object) -> None:
        event = Event(kind, self._now(), name, content)
        self._store.append([event])
        self._apply(event)

    def _apply(self, event: Event) -> None:
        name, said = event.order, event.content
        self._unresolved.pop(name, None)
        if event.kind == "intended":
            self._unresolved[name] = None
            self._intents[name] = Intent(ticket_of(said["ticket"]), event.at)
        elif event.kind == "acknowledged":
            self._intents[name] = replace(self._intents[name], state="acknowledged", order_id=said["order"])
        elif event.kind == "refused":
            self._intents[name] = replace(
                self._intents[name], state="refused", reason=said["reason"], status=said["status"], code=said["code"]
            )
        elif event.kind == "absent":
            self._intents[name] = replace(self._intents[name], state="absent")
        else:
            raise DataError(f"An event of kind {event.kind!r} is none of an outbox; the file is of something else.")


def order_name(session: str, symbol: str, at: int, leg: int) -> str:
    """A name for an order that depends on nothing but what it is for, so that it is the same after a crash.

    Parameters
    ----------
    session : str
        Whose order it is.
    symbol : str
        Of what.
    at : int
        Time of the bar it was decided on, nanoseconds since 1970, UTC.
    leg : int
        Which of the orders of that bar.
    """
    digest = hashlib.sha256(f"{session}\x1f{symbol}\x1f{at}\x1f{leg}".encode()).hexdigest()
    return f"{session}-{digest[:16]}"
