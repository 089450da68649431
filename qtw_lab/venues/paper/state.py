"""A paper account as its events leave it: nothing else changes it, so folding the events gives it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.book import Book, Charge, Fill, Split
from qtw_lab.ledger.lifecycle import may_follow
from qtw_lab.venues.paper.events import Event, ticket_of
from qtw_lab.venues.paper.locates import Locate
from qtw_lab.venues.paper.orders import Order, Progress

#: What a new account may do, by Alpaca's names.
CONFIGURATIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "fractional_trading": True,
        "max_margin_multiplier": "2",
        "no_shorting": False,
        "suspend_trade": False,
        "trade_confirm_email": "all",
        "ptp_no_exception_entry": False,
        "max_options_trading_level": 0,
        "disable_overnight_trading": False,
    }
)


def _nothing(symbol: str) -> int:  # noqa: ARG001  (who has no market needs no numbers)
    return -1


class State:
    """Orders, money and holdings of one account.

    Attributes
    ----------
    account_id, opened, start_cash
        Of the account; when it was opened, and with what.
    orders : dict of str to Order
        By id, oldest first.
    book : Book
        Cash, holdings and what moved them.
    locates : dict of str to Locate
        Shares located for short sales, by id, oldest first.
    configurations : dict
        What the account may do.
    events : int
        How many were applied.
    at : int
        When the last of them happened.

    Examples
    --------
    >>> state = State.of([Event("opened", 7, "", {"account": "a", "cash": "1000"})])
    >>> state.book.cash, state.opened, state.faults()
    (Decimal('1000'), 7, [])
    """

    def __init__(self, number_of: Callable[[str], int] = _nothing) -> None:
        self._number_of = number_of
        self.account_id = ""
        self.opened = self.at = 0
        self.start_cash = ZERO
        self.orders: dict[str, Order] = {}
        self.by_client: dict[str, str] = {}
        self.locates: dict[str, Locate] = {}
        self._working: dict[str, Order] = {}
        #: Up to when holding has been paid for.
        self.carried = 0
        self.book = Book(ZERO)
        self.configurations: dict[str, Any] = dict(CONFIGURATIONS)
        self.events = 0

    @classmethod
    def of(cls, events: Iterable[Event], number_of: Callable[[str], int] = _nothing) -> State:
        """The state after these events.

        Parameters
        ----------
        events : iterable of Event
            Oldest first.
        number_of : callable
            The market's number of a symbol.

        Raises
        ------
        DataError
            If they cannot have happened in that order.
        """
        state = cls(number_of)
        for event in events:
            state.apply(event)
        return state

    def apply(self, event: Event) -> None:
        """Take an event in.

        Raises
        ------
        DataError
            If it cannot happen now: it is of no known kind, or about an order that is not there or is over.
        """
        change = _CHANGES.get(event.kind)
        if change is None:
            raise DataError(f"An event of kind {event.kind!r} is not known; a later version wrote this book.")
        if self.events == 0 and event.kind != "opened":
            raise DataError(f"The first event of a book opens it; this one is {event.kind!r}.")
        change(self, event)
        self.events += 1
        self.at = max(self.at, event.at)

    def open_orders(self) -> list[Order]:
        """Orders that may still be filled, oldest first."""
        return list(self._working.values())

    def legs(self, order: Order) -> list[Order]:
        """The legs of an order."""
        return [self.orders[leg] for leg in order.legs]

    def siblings(self, order: Order) -> list[Order]:
        """The others of a one-cancels-other pair: of a leg its fellow legs, of an exit that has legs these."""
        if not order.parent:
            return self.legs(order) if order.ticket.shape == "oco" else []
        parent = self.orders[order.parent]
        others = [leg for leg in self.legs(parent) if leg is not order]
        return [parent, *others] if parent.ticket.shape == "oco" else others

    def filled_through(self, order: Order) -> Decimal:
        """Shares that an order and those it replaced have filled."""
        found, before = order.filled_qty, order.replaces
        while before is not None:
            found, before = found + self.orders[before].filled_qty, self.orders[before].replaces
        return found

    def faults(self) -> list[str]:
        """What is wrong with it: the laws that money and shares must obey, checked by adding everything up again."""
        found: list[str] = []
        cash, shares = self.start_cash, dict[str, Decimal]()
        filled = dict.fromkeys(self.orders, ZERO)
        names: set[str] = set()
        for entry in self.book.entries:
            if entry.id in names:
                found.append(f"entry {entry.id} is there twice")
            names.add(entry.id)
            if isinstance(entry, Charge):
                cash += entry.amount
            elif isinstance(entry, Split):
                shares[entry.symbol] = shares.get(entry.symbol, ZERO) * entry.ratio
            else:
                cash -= entry.signed * entry.price + entry.fee
                shares[entry.symbol] = shares.get(entry.symbol, ZERO) + entry.signed
                filled[entry.order] = filled.get(entry.order, ZERO) + entry.qty
        if cash != self.book.cash:
            found.append(f"cash is {self.book.cash}, its entries come to {cash}")
        held = {symbol: holding.qty for symbol, holding in self.book.holdings.items()}
        if held != {symbol: count for symbol, count in shares.items() if count}:
            found.append(f"holdings are {held}, their entries come to {shares}")
        for order in self.orders.values():
            if filled[order.id] != order.filled_qty:
                found.append(f"order {order.id} has filled {order.filled_qty}, its fills come to {filled[order.id]}")
            done = order.qty is not None and order.filled_qty >= order.qty
            if order.qty is not None and (order.filled_qty > order.qty or done != (order.status == "filled")):
                found.append(f"order {order.id} is {order.status} with {order.filled_qty} of {order.qty} filled")
        return found

    # What each event does

    def _open(self, event: Event) -> None:
        if self.events:
            raise DataError("A book is opened once.")
        self.account_id, self.opened = event.content["account"], event.at
        self.carried = event.at
        self.start_cash = event.amount("cash")
        self.book = Book(self.start_cash)

    def _configure(self, event: Event) -> None:
        self.configurations.update(event.content)

    def _accept(self, event: Event) -> None:
        said = event.content
        if event.order in self.orders or said["client_order_id"] in self.by_client:
            raise DataError(f"Order {event.order} ({said['client_order_id']}) is accepted twice.")
        ticket = ticket_of(said["ticket"])
        order = Order(
            id=event.order,
            number=self._number_of(ticket.symbol),
            asset_id=said["asset_id"],
            asset_class=said["asset_class"],
            ticket=ticket,
            client_order_id=said["client_order_id"],
            created=event.at,
            live=said["live"],
            expires=said["expires"],
            status=said["status"],
            parent=said.get("parent", ""),
            role=said.get("role", ""),
            reserve=Decimal(said.get("reserve", "0")),
            qty=ticket.qty,
            replaces=said.get("replaces"),
            updated=event.at,
            progress=Progress(seen=event.at),
        )
        self.orders[order.id] = self._working[order.id] = order
        self.by_client[order.client_order_id] = order.id
        if order.parent:
            self._order(order.parent).legs.append(order.id)

    def _start(self, event: Event) -> None:
        self._move(event, "new")

    def _arm(self, event: Event) -> None:
        """A leg may fill from now on; a stop beside a target stays held until it is reached."""
        order = self._order(event.order)
        order.armed, order.live, order.progress.seen = True, max(order.live, event.at), event.at
        if "qty" in event.content:
            order.qty = event.amount("qty")
        if event.content.get("held"):
            order.updated = event.at
        else:
            self._move(event, "new")

    def _elect(self, event: Event) -> None:
        order = self._order(event.order)
        order.elected = True
        if "best" in event.content:
            order.progress.best = event.amount("best")
        self._move(event, "new" if order.status == "held" else order.status)

    def _fill(self, event: Event) -> None:
        order = self._order(event.order)
        said, qty, price = event.content, event.amount("qty"), event.amount("price")
        order.filled_qty += qty
        order.filled_value += qty * price
        order.fills += 1
        order.filled_at = event.at
        self._move(event, "filled" if said["done"] else "partially_filled")
        self.book.record(
            Fill(
                said["id"], order.id, order.ticket.symbol, order.number, order.ticket.side, event.at, price, qty,
                Decimal(said["left"]), order.filled_qty, order.status, Decimal(said.get("fee", "0")),
            )
        )  # fmt: skip

    def _resize(self, event: Event) -> None:
        order = self._order(event.order)
        order.qty, order.updated = event.amount("qty"), event.at

    def _end(self, event: Event) -> None:
        order = self._order(event.order)
        self._move(event, event.kind)
        setattr(order, "failed_at" if event.kind == "rejected" else f"{event.kind}_at", event.at)
        order.replaced_by = event.content.get("by", order.replaced_by)
        order.reason = event.content.get("reason", "")
        if "best" in event.content:
            order.progress.best = event.amount("best")
        if event.kind == "replaced":
            self._inherit(order, self._order(event.content["by"]))

    def _inherit(self, old: Order, new: Order) -> None:
        """What belonged to an order belongs to the one that took its place, and lasts as long as that."""
        for leg in self.legs(old):
            leg.parent = new.id
            if leg.open:
                leg.expires = new.expires
                leg.ticket = replace(leg.ticket, time_in_force=new.ticket.time_in_force)
        new.legs, old.legs = [*new.legs, *old.legs], []

    def _charge(self, event: Event) -> None:
        said, amount = event.content, event.amount("amount")
        charge = Charge(said["id"], event.at, said["kind"], amount, said.get("symbol", ""), said.get("note", ""))
        self.book.record(charge)

    def _locate(self, event: Event) -> None:
        found = Locate.of(event.content, event.at)
        self.locates[found.id] = found

    def _carry(self, event: Event) -> None:
        self.carried = event.at

    def _split(self, event: Event) -> None:
        """Shares times the ratio, prices of open orders divided by it; what an order has filled stays as it was."""
        said, ratio = event.content, event.amount("ratio")
        self.book.record(Split(said["id"], event.at, said["symbol"], ratio))
        for order in self._working.values():
            if order.ticket.symbol != said["symbol"]:
                continue
            order.ticket = order.ticket.after_split(ratio)
            order.reserve, order.updated = order.reserve / ratio, event.at
            if order.qty is not None:
                order.qty = order.filled_qty + (order.qty - order.filled_qty) * ratio
            if order.progress.best is not None:
                order.progress.best /= ratio

    def _order(self, name: str) -> Order:
        order = self.orders.get(name)
        if order is None:
            raise DataError(f"There is no order {name} in the book.")
        return order

    def _move(self, event: Event, status: str) -> None:
        order = self._order(event.order)
        if not may_follow(order.status, status):
            raise DataError(f"Order {order.id} is {order.status}; it cannot become {status}.")
        order.status, order.updated = status, max(order.updated, event.at)
        if not order.open:
            self._working.pop(order.id, None)
        order.progress.seen = max(order.progress.seen, event.at)


_CHANGES: Final[Mapping[str, Callable[[State, Event], None]]] = MappingProxyType(
    {
        "opened": State._open,  # noqa: SLF001  (its own table)
        "configured": State._configure,  # noqa: SLF001
        "accepted": State._accept,  # noqa: SLF001
        "started": State._start,  # noqa: SLF001
        "armed": State._arm,  # noqa: SLF001
        "elected": State._elect,  # noqa: SLF001
        "filled": State._fill,  # noqa: SLF001
        "resized": State._resize,  # noqa: SLF001
        "canceled": State._end,  # noqa: SLF001
        "expired": State._end,  # noqa: SLF001
        "rejected": State._end,  # noqa: SLF001
        "replaced": State._end,  # noqa: SLF001
        "carried": State._carry,  # noqa: SLF001
        "charged": State._charge,  # noqa: SLF001
        "located": State._locate,  # noqa: SLF001
        "split": State._split,  # noqa: SLF001
    }
)
