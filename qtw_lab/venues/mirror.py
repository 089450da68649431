"""What we know of an account at a broker, compared with what the broker says, and made equal to it.

Rules: a fill counts once, by the id of its execution; an order's status moves forward only; orders that nobody here
sent are taken in as external; shares that no fill explains become adjustments, which are tagged as such. Doing it again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from qtw_lab.core import DataError, VenueError
from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.lifecycle import may_follow, open_status
from qtw_lab.venues.brokers import Broker, FillView, OrderView
from qtw_lab.venues.moments import SECOND, identity
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import Store

#: What is asked for again begins so long before the newest that is known: answers may come in any order.
_OVERLAP: Final = 600 * SECOND
#: How often everything is read again because it changed while it was read.
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Known:
    """An order as it was last seen."""

    id: str
    client_order_id: str
    symbol: str
    status: str
    filled_qty: Decimal
    created: int
    updated: int
    external: bool

    @property
    def open(self) -> bool:
        """Whether it may still be filled."""
        return open_status(self.status)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Shares that came or went by no fill we know of: a transfer, a split, a trade from before our time."""

    id: str
    symbol: str
    shares: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison changed.

    Parameters
    ----------
    orders, external : list of str
        Ids of the orders that changed, and of those among them that nobody here sent.
    fills : list of FillView
        Those that are news.
    adjustments : list of Adjustment
        Made now.
    """

    orders: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)
    fills: list[FillView] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether all was known already."""
        return not (self.orders or self.fills or self.adjustments)


class Mirror:
    """An account as we know it, kept through restarts.

    Parameters
    ----------
    broker : Broker
        Whose account it is.
    store : Store
        Where what is known is kept; what it holds already is read first.
    now : callable
        Nanoseconds since 1970, UTC.

    Attributes
    ----------
    orders, fills, adjustments : dict
        By the id of the order, of the execution, of the adjustment.
    trusted : bool
        Whether it is known to equal the broker's. Send no order while it is not.
    """

    def __init__(self, broker: Broker, store: Store, now: Callable[[], int]) -> None:
        self._broker, self._store, self._now = broker, store, now
        self.orders: dict[str, Known] = {}
        self.fills: dict[str, FillView] = {}
        self.adjustments: dict[str, Adjustment] = {}
        self.trusted = False
        self._open: dict[str, Known] = {}
        self._held: dict[str, Decimal] = {}
        self._filled: dict[str, Decimal] = {}
        self._newest_order: int | None = None
        self._newest_fill: int | None = None
        for event in store.read():
            self._apply(event)

    def doubt(self) -> None:
        """Something may have been missed: trust nothing until the next `reconcile`."""
        self.trusted = False

    def positions(self) -> dict[str, Decimal]:
        """Shares by symbol: the sum of fills and adjustments."""
        return {symbol: shares for symbol, shares in sorted(self._held.items()) if shares}

    def reconcile(self, ours: Collection[str] = ()) -> Reconciled:
        """Make it equal to the broker's account.

        Parameters
        ----------
        ours : collection of str
            Client order ids that were sent from here; all other orders are external.

        Raises
        ------
        VenueError
            If the broker does not answer, or contradicts itself again and again; then nothing is trusted.
        """
        self.trusted = False
        for _ in range(_ATTEMPTS):
            orders, fills, held = self._orders(), self._fills(), self._broker.positions()
            if {fill.execution for fill in self._fills()} != {fill.execution for fill in fills}:
                continue  # something filled while it was read
            wrong = self._contradiction(orders, fills)
            if not wrong:
                break
        else:
            raise VenueError(
                f"The broker's account does not agree with itself ({wrong or 'it changes while it is read'}); no order "
                "may be sent until it does."
            )
        found = self._take(orders, fills, held, ours)
        self.trusted = True
        return found

    def told(self, said: Mapping[str, Any], ours: Collection[str] = ()) -> None:
        """Take in an update of the stream, so that it is known at once; the next `reconcile` finds it known.

        Raises
        ------
        VenueError
            If it cannot be read; then nothing is trusted.
        """
        try:
            order, fill = OrderView.of(said["order"]), FillView.told(said)
        except (KeyError, TypeError, VenueError) as err:
            self.trusted = False
            raise VenueError(f"An update of the account cannot be read ({err}).") from err
        events = [event for event in (self._seen(order, ours),) if event is not None]
        if fill is not None and fill.execution not in self.fills:
            events.append(self._event("fill", fill.order_id, _fill_json(fill)))
        self._keep(events)

    def _keep(self, events: list[Event]) -> None:
        self._store.append(events)
        for event in events:
            self._apply(event)

    def _orders(self) -> list[OrderView]:
        """Orders that may be news: those since the newest that is known, and those that were open."""
        newest = self._newest_order
        found = {
            order.id: order for order in self._broker.orders("all", after=None if newest is None else newest - _OVERLAP)
        }
        for known in list(self._open.values()):
            if known.id not in found:
                seen = self._broker.order(known.id)
                if seen is not None:
                    found[seen.id] = seen
        return list(found.values())

    def _fills(self) -> list[FillView]:
        newest = self._newest_fill
        return self._broker.fills(None if newest is None else newest - _OVERLAP)

    def _contradiction(self, orders: list[OrderView], fills: list[FillView]) -> str:
        """What the fills do not explain of what orders say they have filled."""
        new: dict[str, Decimal] = {}
        for fill in {fill.execution: fill for fill in fills if fill.execution not in self.fills}.values():
            new[fill.order_id] = new.get(fill.order_id, ZERO) + fill.qty
        for order in orders:
            filled = self._filled.get(order.id, ZERO) + new.get(order.id, ZERO)
            if filled != order.filled_qty:
                return f"order {order.id} has filled {order.filled_qty}, its fills come to {filled}"
        return ""

    def _take(
        self, orders: list[OrderView], fills: list[FillView], held: dict[str, Decimal], ours: Collection[str]
    ) -> Reconciled:
        """Write down what is news."""
        found, events = Reconciled(), list[Event]()
        for order in sorted(orders, key=lambda one: one.created):
            event = self._seen(order, ours)
            if event is not None:
                events.append(event)
                found.orders.append(order.id)
                if event.content["external"] and order.id not in self.orders:
                    found.external.append(order.id)
        for fill in {fill.execution: fill for fill in fills if fill.execution not in self.fills}.values():
            events.append(self._event("fill", fill.order_id, _fill_json(fill)))
            found.fills.append(fill)
        shares = self.positions()
        for fill in found.fills:
            shares[fill.symbol] = shares.get(fill.symbol, ZERO) + fill.signed
        for symbol in sorted({*shares, *held}):
            gap = held.get(symbol, ZERO) - shares.get(symbol, ZERO)
            if gap:
                name = identity("adjustment", symbol, len(self.adjustments) + len(found.adjustments), plain(gap))
                one = Adjustment(name, symbol, gap, "the broker's position is not what the fills come to")
                said = {"id": name, "symbol": symbol, "shares": plain(gap), "reason": one.reason}
                events.append(self._event("adjusted", "", said))
                found.adjustments.append(one)
        self._keep(events)
        return found

    def _seen(self, order: OrderView, ours: Collection[str]) -> Event | None:
        """An event for an order that is news; one that would go back is passed over."""
        known = self.orders.get(order.id)
        external = order.client_order_id not in ours if known is None else known.external
        if known is not None:
            same = (known.status, known.filled_qty) == (order.status, order.filled_qty)
            backward = order.updated < known.updated or order.filled_qty < known.filled_qty
            if same or backward or not may_follow(known.status, order.status):
                return None
        return self._event(
            "order",
            order.id,
            {
                "client_order_id": order.client_order_id,
                "symbol": order.symbol,
                "status": order.status,
                "filled_qty": plain(order.filled_qty),
                "created": order.created,
                "updated": order.updated,
                "external": external,
            },
        )

    def _event(self, kind: str, order: str, content: dict[str, Any]) -> Event:
        return Event(kind, self._now(), order, content)

    def _apply(self, event: Event) -> None:
        said = event.content
        if event.kind == "order":
            names = ("client_order_id", "symbol", "status", "created", "updated", "external")
            more = {name: said[name] for name in names}
            known = Known(id=event.order, filled_qty=event.amount("filled_qty"), **more)
            self.orders[event.order] = known
            self._open.pop(event.order, None)
            if known.open:
                self._open[event.order] = known
            self._newest_order = max(self._newest_order or known.created, known.created)
        elif event.kind == "fill":
            fill = FillView(
                said["id"], event.order, said["symbol"], said["side"], event.amount("qty"), event.amount("price"),
                said["at"], event.amount("cumulative"), Decimal(said.get("fee", "0")),
            )  # fmt: skip
            self.fills[fill.execution] = fill
            self._moved(fill.symbol, fill.signed)
            self._filled[fill.order_id] = self._filled.get(fill.order_id, ZERO) + fill.qty
            self._newest_fill = max(self._newest_fill or fill.at, fill.at)
        elif event.kind == "adjusted":
            one = Adjustment(said["id"], said["symbol"], event.amount("shares"), said["reason"])
            self.adjustments[one.id] = one
            self._moved(one.symbol, one.shares)
        else:
            raise DataError(f"An event of kind {event.kind!r} is none of a mirror; the file is of something else.")

    def _moved(self, symbol: str, shares: Decimal) -> None:
        self._held[symbol] = self._held.get(symbol, ZERO) + shares


def _fill_json(fill: FillView) -> dict[str, Any]:
    amounts = {"qty": fill.qty, "price": fill.price, "cumulative": fill.cumulative, "fee": fill.fee}
    words = {"id": fill.id, "symbol": fill.symbol, "side": fill.side, "at": fill.at}
    return {**words, **{name: plain(value) for name, value in amounts.items()}}
