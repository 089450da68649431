"""Orders that were refused: how a guard says so, and how it is written down and read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.ledger.limits import Breach
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.paper.events import Event, ticket_json, ticket_of

#: The kind of the events.
REFUSED: Final = "refused"
_FORBIDDEN: Final = 403


class NotAllowedError(RefusedError):
    """An order that is not sent: it would break limits, or trading is halted.

    Parameters
    ----------
    breaches : sequence of Breach
        Every limit that it would break, with figures; one of the rule "kill_switch" where trading is halted.

    Examples
    --------
    >>> str(NotAllowedError([Breach("banned", "none of the banned", "X", "X is banned.")]))
    'The order is not sent. X is banned.'
    """

    def __init__(self, breaches: Sequence[Breach]) -> None:
        super().__init__(_FORBIDDEN, " ".join(["The order is not sent.", *(breach.message for breach in breaches)]))
        self.breaches = tuple(breaches)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that was refused.

    Parameters
    ----------
    at : int
        When, nanoseconds since 1970, UTC.
    by : {"limits", "kill switch", "broker"}
        Who refused it.
    ticket : Ticket or None
        The order; None for a replacement of an order whose terms are not known.
    reason : str
        Why, in words.
    breaches : tuple of Breach
        Figures of limits.
    status, code : int or None
        The broker's numbers.
    """

    at: int
    by: str
    ticket: Ticket | None
    reason: str
    breaches: tuple[Breach, ...] = ()
    status: int | None = None
    code: int | None = None


def refusals(events: Iterable[Event]) -> Iterator[Refusal]:
    """The refusals among the events of a guard's store, oldest first; whoever looks may do so while it is written.

    Parameters
    ----------
    events : iterable of Event
        Of `Store.read`, or of `qtw_lab.venues.paper.store.reading`.

    Raises
    ------
    DataError
        If one cannot be read.

    Examples
    --------
    >>> said = {"by": "broker", "ticket": None, "reason": "no", "breaches": [], "status": 403, "code": None}
    >>> [one.reason for one in refusals([Event("refused", 5, "", said), Event("renewed", 6, "", {})])]
    ['no']
    """
    for event in events:
        if event.kind == REFUSED:
            said = event.content
            try:
                ticket = None if said["ticket"] is None else ticket_of(said["ticket"])
                found = tuple(Breach(*one) for one in said["breaches"])
                refusal = Refusal(event.at, said["by"], ticket, said["reason"], found, said["status"], said["code"])
            except (KeyError, TypeError, ArithmeticError) as err:
                raise DataError(f"A refusal of the guard cannot be read ({type(err).__name__}: {err}).") from err
            yield refusal


def refusal_event(at: int, by: str, ticket: Ticket | None, error: RefusedError) -> Event:
    """The event of a refusal, which `refusals` reads.

    Parameters
    ----------
    at : int
        When, nanoseconds since 1970, UTC.
    by : str
        Who refused it.
    ticket : Ticket or None
        The order.
    error : RefusedError
        What was said.

    Examples
    --------
    >>> refusal_event(5, "broker", None, RefusedError(403, "insufficient buying power", 40310000)).content["code"]
    40310000
    """
    found = error.breaches if isinstance(error, NotAllowedError) else ()
    said: dict[str, Any] = {
        "by": by, "ticket": None if ticket is None else ticket_json(ticket), "reason": str(error),
        "breaches": [[one.rule, one.limit, one.value, one.message] for one in found], "status": error.status,
        "code": error.content.get("code"),
    }  # fmt: skip
    return Event(REFUSED, at, "" if ticket is None else ticket.client_order_id, said)
