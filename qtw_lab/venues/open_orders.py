"""What may still fill on an account, and what has: orders and fills of mirror and outbox, kept up one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Any, Final, Protocol

from qtw_lab.core import VenueError
from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.tally import UNKNOWN, Tally, exits_open, still_open
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import Broker, OrderView
from qtw_lab.venues.mirror import Known, Mirror
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.events import ticket_json, ticket_of

#: Symbol, signed shares left and price, as `Standing.working` has them.
Working = tuple[str, Decimal, Decimal]

_NEITHER: Final = (UNKNOWN, UNKNOWN)


class OpenOrders:
    """Positions, turnover and open orders of an account, at the price of what is new since it was looked at last.

    An order counts from the moment it was written down in the outbox, whether or not anybody has told of it since; what
    it has filled counts as held from the moment the mirror knows the fill, and as open till then. An entry counts
    without its exits, which wait for it; then the exits count, as one order. Of an order that nobody here sent, the
    broker is asked once for side and size; its price is not known unless it is at the market.

    Parameters
    ----------
    broker : Broker
        Who has the account.
    outbox, mirror : Outbox, Mirror
        What was sent, and what is known.
    price : callable
        The last price of a symbol, dollars; None if it is not known.

    Examples
    --------
    >>> from qtw_lab.venues.paper.store import MemoryStore
    >>> class Nobody:
    ...     '''A broker that has no orders.'''
    >>> outbox = Outbox(Nobody(), MemoryStore(), lambda: 0)
    >>> OpenOrders(Nobody(), outbox, Mirror(Nobody(), MemoryStore(), lambda: 0), lambda symbol: None).working()
    []
    """

    def __init__(self, broker: Broker, outbox: Outbox, mirror: Mirror, price: Callable[[str], Decimal | None]) -> None:
        self._broker, self._outbox, self._mirror, self._price = broker, outbox, mirror, price
        self._since: int | None = None
        self._tally = Tally()
        self._taken = {"fills": 0, "adjustments": 0, "orders": 0, "intents": 0}
        #: Ids of orders of the mirror that are not over, names of those of the outbox that it does not know so far.
        self._open: dict[str, None] = {}
        self._unseen: dict[str, None] = {}
        #: Names of orders with exits that nobody has told of so far.
        self._untold: dict[str, None] = {}
        #: What the outbox does not know: terms of orders with exits and of replacements, and whose each exit is.
        self._told: dict[str, tuple[Ticket, tuple[str, ...]]] = {}
        self._entry: dict[str, str] = {}
        self._replacements: dict[str, None] = {}
        self._outsiders: dict[str, OrderView] = {}

    def begin(self, since: int | None) -> None:
        """Count turnover from a moment on, nanoseconds since 1970, UTC; None for not at all."""
        self.take()
        self._since = since
        counted = (fill for fill in self._mirror.fills.values() if since is not None and fill.at >= since)
        self._tally.traded = sum((fill.qty * fill.price for fill in counted), ZERO)

    def take(self) -> Tally:
        """Take in what is new; what all fills come to."""
        for execution in self._news("fills", self._mirror.fills):
            fill = self._mirror.fills[execution]
            counts = self._since is not None and fill.at >= self._since
            self._tally.fill(fill.order_id, fill.symbol.upper(), fill.signed, fill.price, counts=counts)
        for name in self._news("adjustments", self._mirror.adjustments):
            one = self._mirror.adjustments[name]
            self._tally.adjust(one.symbol.upper(), one.shares)
        self._open |= dict.fromkeys(self._news("orders", self._mirror.orders))
        for name in self._news("intents", self._outbox.intents):
            self._unseen[name] = None
            if self._outbox.intents[name].ticket.shape != "simple":
                self._untold[name] = None
        return self._tally

    def filled(self, order_id: str) -> Decimal:
        """Shares that an order has filled."""
        return self.take().filled.get(order_id, ZERO)

    def ticket(self, order_id: str) -> Ticket | None:
        """The terms of an order that was sent from here, by the broker's name for it; None for any other."""
        if order_id in self._told:
            return self._told[order_id][0]
        intents, known = self._outbox.intents, self._mirror.orders.get(order_id)
        if known is not None:
            intent = intents.get(known.client_order_id)
            return None if intent is None else intent.ticket
        return next((intents[name].ticket for name in self._unseen if intents[name].order_id == order_id), None)

    def working(self, without: str = "") -> list[Working]:
        """Every order that may still fill: symbol, signed shares left and the most that one may cost; NaN if unknown.

        Parameters
        ----------
        without : str
            The broker's name for an order that does not count, because it is to be replaced.
        """
        self.take()
        lost, groups = list[Working](), dict[str, None]()
        for order_id in list(self._open):
            known = self._mirror.orders[order_id]
            if known.open:
                groups[self._entry_of(order_id)] = None
            elif self._tally.filled.get(order_id, ZERO) >= known.filled_qty:
                del self._open[order_id]
            else:  # it has filled more than the fills that are known
                lost.append((known.symbol.upper(), *_NEITHER))
        rows = [row for order_id in groups if order_id != without for row in self._grouped(order_id)]
        return [row for row in (*lost, *rows, *self._sent_and_not_seen(without)) if row[1] != 0]

    def telling(self, ticket: Ticket, view: OrderView) -> dict[str, Any] | None:
        """What is to be kept of an order that the broker has, for `told`; None if the outbox knows all of it."""
        if view.id in self._told or (view.replaces is None and not (ticket.shape != "simple" and view.legs)):
            return None
        if view.replaces is not None and view.qty is not None:
            ticket = replace(ticket, qty=view.qty)
        legs = [leg.id for leg in view.legs]
        return {"ticket": ticket_json(ticket), "legs": legs, "replaces": view.replaces is not None}

    def told(self, order_id: str, said: Mapping[str, Any]) -> None:
        """Take in what `telling` gave, now or before a restart."""
        legs = tuple(said["legs"])
        self._told[order_id] = (ticket_of(said["ticket"]), legs)
        self._entry |= dict.fromkeys(legs, order_id)
        if said["replaces"]:
            self._replacements[order_id] = None

    # One order

    def _entry_of(self, order_id: str) -> str:
        """The order whose exit it is; itself if it is none."""
        if order_id not in self._entry and self.ticket(order_id) is None:
            self._ask_for_exits()
        return self._entry.get(order_id, order_id)

    def _grouped(self, order_id: str) -> Iterator[Working]:
        """What an order, or its exits, may still fill."""
        known, ticket = self._mirror.orders.get(order_id), self.ticket(order_id)
        if known is None:  # only its exits are known so far, which wait for it; it counts among those not seen
            return
        symbol, filled = known.symbol.upper(), self._tally.filled.get(order_id, ZERO)
        if ticket is None:
            yield (symbol, *self._outsider(known, filled))
            return
        price, legs = self._price(symbol), self._told[order_id][1] if order_id in self._told else ()
        closed = sum((self._tally.filled.get(leg, ZERO) for leg in legs), ZERO)
        pair = ticket.shape == "oco"
        if known.open:
            spent = self._tally.spent.get(order_id, ZERO)
            yield (symbol, *still_open(ticket, price, filled + closed if pair else filled, spent))
        else:
            opened = (ticket.qty or UNKNOWN) - filled if pair else filled
            yield (symbol, *exits_open(ticket, price, opened, closed))

    def _sent_and_not_seen(self, without: str) -> Iterator[Working]:
        """Orders that were written down, or are told of, and that the mirror does not know."""
        for name in list(self._unseen):
            intent = self._outbox.intents[name]
            if intent.order_id in self._mirror.orders or intent.state == "refused":
                del self._unseen[name]
            elif intent.state != "absent" and not (without and intent.order_id == without):  # absent: may be sent again
                yield self._whole(intent.ticket, intent.order_id)
        for order_id in list(self._replacements):
            if order_id in self._mirror.orders:
                del self._replacements[order_id]
            elif order_id != without:
                yield self._whole(self._told[order_id][0], order_id)

    def _whole(self, ticket: Ticket, order_id: str) -> Working:
        filled, spent = (sums.get(order_id, ZERO) for sums in (self._tally.filled, self._tally.spent))
        symbol = ticket.symbol.upper()
        return (symbol, *still_open(ticket, self._price(symbol), filled, spent))

    # Questions

    def _outsider(self, known: Known, filled: Decimal) -> tuple[Decimal, Decimal]:
        """Signed shares and price of an order that nobody here sent."""
        if known.id not in self._outsiders:
            try:
                view = self._broker.order(known.id)
            except VenueError:
                return _NEITHER
            if view is None:
                return _NEITHER
            self._outsiders[known.id] = view
        view = self._outsiders[known.id]
        left = UNKNOWN if view.qty is None else view.qty - filled
        return left if view.side == "buy" else -left, ZERO if view.kind == "market" else UNKNOWN

    def _ask_for_exits(self) -> None:
        """Ask once for the exits of orders whose answer was lost, so that nobody has told of them."""
        for name in list(self._untold):
            intent = self._outbox.intents[name]
            if not intent.order_id:
                continue
            try:
                view = None if intent.order_id in self._told else self._broker.order(intent.order_id)
            except VenueError:
                continue
            del self._untold[name]
            told = None if view is None else self.telling(intent.ticket, view)
            if told is not None:
                self.told(intent.order_id, told)

    def _news(self, name: str, things: _Things) -> list[str]:
        """Keys that were added since the last time, oldest first."""
        count = len(things) - self._taken[name]
        self._taken[name] += count
        return list(islice(reversed(things), count))[::-1] if count else []


class _Things(Protocol):
    """What a dict shows of its keys."""

    def __len__(self) -> int: ...
    def __reversed__(self) -> Iterator[str]: ...
