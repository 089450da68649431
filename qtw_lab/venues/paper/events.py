"""What happens to a paper account: events, which alone change it, and how they are written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from qtw_lab.core import DataError
from qtw_lab.ledger.amounts import plain
from qtw_lab.ledger.tickets import Exit, Ticket

#: Fields of a ticket that are amounts, and those that are words.
_AMOUNTS: Final = ("qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent")
_WORDS: Final = ("symbol", "side", "kind", "time_in_force", "shape", "client_order_id")


class Event(NamedTuple):
    """Something that happened.

    Parameters
    ----------
    kind : str
        What; the table at the foot of `qtw_lab.venues.paper.state` has them all.
    at : int
        When, nanoseconds since 1970, UTC, of the market's time.
    order : str
        Id of the order that it is about, empty if it is about none.
    content : mapping
        What else there is to know, as JSON can hold it: amounts are texts.

    Examples
    --------
    >>> event = Event("filled", 5, "a", {"qty": "1.5", "price": "10"})
    >>> Event.read(*event.written()) == event
    True
    """

    kind: str
    at: int
    order: str
    content: Mapping[str, Any]

    def written(self) -> tuple[str, int, str, str]:
        """The fields as a table holds them."""
        return self.kind, self.at, self.order, json.dumps(self.content, separators=(",", ":"), sort_keys=True)

    @classmethod
    def read(cls, kind: str, at: int, order: str, content: str) -> Event:
        """From what was `written`.

        Raises
        ------
        DataError
            If the content is no JSON object.
        """
        try:
            found = json.loads(content)
        except ValueError as err:
            raise DataError(f"An event of kind {kind!r} holds no JSON: {err}.") from err
        if not isinstance(found, dict):
            raise DataError(f"An event of kind {kind!r} holds {type(found).__name__}, not an object.")
        return cls(kind, at, order, found)

    def amount(self, name: str) -> Decimal:
        """An amount of its content."""
        return Decimal(self.content[name])


def ticket_json(ticket: Ticket) -> dict[str, Any]:
    """A ticket as an event holds it; `ticket_of` reads it.

    Examples
    --------
    >>> ticket = Ticket("X", "buy", "limit", "day", qty=Decimal("1.50"), limit_price=Decimal(9))
    >>> ticket_of(ticket_json(ticket)) == ticket
    True
    """
    said: dict[str, Any] = {name: getattr(ticket, name) for name in _WORDS}
    said |= {name: plain(value) for name in _AMOUNTS if (value := getattr(ticket, name)) is not None}
    said |= {"extended_hours": True} if ticket.extended_hours else {}
    for name in ("target", "stop_loss"):
        leg = getattr(ticket, name)
        if leg is not None:
            said[name] = [None if value is None else plain(value) for value in (leg.limit, leg.stop)]
    return said


def ticket_of(said: Mapping[str, Any]) -> Ticket:
    """The ticket that an event holds."""
    fields: dict[str, Any] = {name: said[name] for name in _WORDS}
    fields |= {name: Decimal(said[name]) for name in _AMOUNTS if name in said}
    for name in ("target", "stop_loss"):
        if name in said:
            fields[name] = Exit(*(None if value is None else Decimal(value) for value in said[name]))
    return Ticket(**fields, extended_hours=bool(said.get("extended_hours")))
