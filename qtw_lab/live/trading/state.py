"""What is known at a trading desk: its sessions and its orders, folded from events, which alone change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.book import Book, Charge, Fill
from qtw_lab.live.trading.netting import Part, divided, net
from qtw_lab.live.trading.sleeve import Marked, Sleeve
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.brokers import FillView
from qtw_lab.venues.moments import identity
from qtw_lab.venues.paper.events import Event


@dataclass(slots=True)
class DeskOrder:
    """An order of the desk's sessions.

    Parameters
    ----------
    name : str
        Our name for it, which the broker knows.
    symbol : str
        Of what.
    parts : dict of str to Decimal
        Signed shares that each session wants of it.
    at : int
        When it was written down, nanoseconds since 1970, UTC.
    bar : int
        Start of the last bar that was heard before it.
    decided : dict of str to int
        By session the start of the bar that its part was decided on.
    status : str
        "intended" until its end is known; then the broker's word, or "refused" by it, "abandoned" before it was sent,
        "crossed" between sessions.
    filled : Decimal
        Signed shares so far.
    reason : str
        Why it was refused.
    """

    name: str
    symbol: str
    parts: dict[str, Decimal]
    at: int
    bar: int
    decided: dict[str, int] = field(default_factory=dict)
    status: str = "intended"
    filled: Decimal = ZERO
    reason: str = ""

    @property
    def qty(self) -> Decimal:
        """Signed shares."""
        return net(self.parts)


@dataclass(slots=True)
class DeskState:
    """The sessions of a desk, their orders, and which fills have been given out.

    Attributes
    ----------
    sleeves : dict of str to Sleeve
        By name, oldest first.
    orders : dict of str to DeskOrder
        By our name for them, oldest first.
    executions : set of str
        Fills that are in the books already.
    bars : dict of str to int
        By session the start of the last bar it was told of.
    open : dict of str to DeskOrder
        Those of the orders that may still be filled.
    legs : dict of (str, int) to int
        How many orders there were by symbol and bar.
    """

    sleeves: dict[str, Sleeve] = field(default_factory=dict)
    orders: dict[str, DeskOrder] = field(default_factory=dict)
    executions: set[str] = field(default_factory=set)
    bars: dict[str, int] = field(default_factory=dict)
    open: dict[str, DeskOrder] = field(default_factory=dict)
    legs: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> DeskState:
        """The state that events lead to.

        Raises
        ------
        DataError
            If an event is none of a desk, or does not fit.
        """
        state = cls()
        for event in events:
            state.apply(event)
        return state

    def apply(self, event: Event) -> None:
        """Let something happen.

        Raises
        ------
        DataError
            As `of`.
        """
        step = _STEPS.get(event.kind)
        if step is None:
            raise DataError(f"An event of kind {event.kind!r} is none of a desk; the file is of something else.")
        try:
            step(self, event)
        except (KeyError, TypeError, ArithmeticError) as err:
            raise DataError(f"An event of kind {event.kind!r} does not fit the desk ({err!r}).") from err

    def faults(self) -> list[str]:
        """What does not add up: every fill is divided wholly, and sessions hold what their fills come to."""
        found = []
        for order in self.orders.values():
            got = sum((fill.signed for sleeve in self.sleeves.values() for fill in sleeve.fills()
                       if fill.order == order.name), ZERO)  # fmt: skip
            if order.status != "crossed" and got != order.filled:
                found.append(f"order {order.name} filled {plain(order.filled)}, its parts come to {plain(got)}")
        for sleeve in self.sleeves.values():
            for symbol, holding in sleeve.book.holdings.items():
                held = sum((fill.signed for fill in sleeve.fills() if fill.symbol == symbol), ZERO)
                if held != holding.qty:
                    found.append(f"session {sleeve.name} holds {plain(holding.qty)} {symbol}, bought {plain(held)}")
        return found

    # Events

    def _opened(self, event: Event) -> None:
        terms = SessionTerms.read(event.content["terms"])
        self.sleeves[terms.name] = Sleeve(terms, Book(event.amount("cash")))

    def _status(self, event: Event) -> None:
        self.sleeves[event.order].status = event.content["status"]

    def _heard(self, event: Event) -> None:
        sleeve = self.sleeves[event.order]
        self.bars[event.order] = bar = int(event.content["bar"])
        sleeve.hear({symbol: float(one) for symbol, one in event.content["decisions"].items()}, bar)

    def _waits(self, event: Event) -> None:
        """Decisions that are to be traded again: an order for them never got to the market."""
        self.sleeves[event.order].waiting.update(event.content["decisions"])

    def _marked(self, event: Event) -> None:
        sleeve, said = self.sleeves[event.order], event.content
        sleeve.marks.update({symbol: Decimal(price) for symbol, price in said["prices"].items()})
        sleeve.curve.append(Marked(event.at, sleeve.equity, sleeve.book.cash))

    def _tried(self, event: Event) -> None:
        """Decisions were looked at at prices of a moment; what they call for are the orders that follow."""
        for name, symbols in event.content["symbols"].items():
            for symbol in symbols:
                self.sleeves[name].waiting.pop(symbol, None)

    def _held(self, event: Event) -> None:
        """Decisions could not be traded and wait on; nothing changes."""

    def _ordered(self, event: Event) -> None:
        said = event.content
        parts = {name: Decimal(qty) for name, qty in said["parts"].items()}
        decided = {name: self.sleeves[name].decided.get(said["symbol"], int(said["bar"])) for name in parts}
        order = DeskOrder(event.order, said["symbol"], parts, event.at, int(said["bar"]), decided)
        self.orders[order.name] = self.open[order.name] = order
        self.legs[order.symbol, order.bar] = self.legs.get((order.symbol, order.bar), 0) + 1

    def _crossed(self, event: Event) -> None:
        """Parts that cancel each other change hands."""
        order = self.open.pop(event.order)
        order.status = "crossed"
        price = event.amount("price")
        for name, qty in order.parts.items():
            self._book(name, order, f"{order.name}:{name}", event.at, price, Part(qty, ZERO))

    def _filled(self, event: Event) -> None:
        said, order = event.content, self.orders[event.order]
        qty, price, fee = event.amount("qty"), event.amount("price"), event.amount("fee")
        parts = divided(order.parts, order.filled, qty, fee)
        order.filled += qty
        self.executions.add(said["execution"])
        for name, part in parts.items():
            self._book(name, order, f"{said['execution']}:{name}", int(said["time"]), price, part)

    def _ended(self, event: Event) -> None:
        order = self.open.pop(event.order)
        order.status, order.reason = event.content["status"], event.content.get("reason", "")

    def _charged(self, event: Event) -> None:
        said = event.content
        name = identity("desk charge", event.order, event.at, said["kind"], said["symbol"], said["amount"])
        charge = Charge(name, event.at, said["kind"], event.amount("amount"), said["symbol"], said["note"])
        self.sleeves[event.order].book.record(charge)

    def _book(self, name: str, order: DeskOrder, fill: str, at: int, price: Decimal, part: Part) -> None:
        if not part.qty and not part.fee:
            return
        side = "buy" if part.qty > 0 else "sell"
        self.sleeves[name].book.record(
            Fill(fill, order.name, order.symbol, 0, side, at, price, abs(part.qty), ZERO, ZERO, "fill", part.fee)
        )
        self.sleeves[name].marks[order.symbol] = price


def filled(fill: FillView, order: str, at: int) -> Event:
    """The event that a fill of the desk's is.

    Parameters
    ----------
    fill : FillView
        As the broker told of it.
    order : str
        Our name for its order.
    at : int
        Now.
    """
    said: Mapping[str, Any] = {
        "execution": fill.execution, "qty": plain(fill.signed), "price": plain(fill.price), "fee": plain(fill.fee),
        "time": fill.at,
    }  # fmt: skip
    return Event("filled", at, order, said)


_STEPS: Final[Mapping[str, Callable[[DeskState, Event], None]]] = {
    "opened": DeskState._opened,  # noqa: SLF001  (its own table)
    "status": DeskState._status,  # noqa: SLF001
    "heard": DeskState._heard,  # noqa: SLF001
    "waits": DeskState._waits,  # noqa: SLF001
    "marked": DeskState._marked,  # noqa: SLF001
    "tried": DeskState._tried,  # noqa: SLF001
    "held": DeskState._held,  # noqa: SLF001
    "ordered": DeskState._ordered,  # noqa: SLF001
    "crossed": DeskState._crossed,  # noqa: SLF001
    "filled": DeskState._filled,  # noqa: SLF001
    "ended": DeskState._ended,  # noqa: SLF001
    "charged": DeskState._charged,  # noqa: SLF001
}
