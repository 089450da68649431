"""The events of one change of a paper account: applied at once, kept together, told when they are safe."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from qtw_lab.ledger.amounts import plain
from qtw_lab.venues.moments import identity
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.state import State
from qtw_lab.venues.paper.store import Store
from qtw_lab.venues.wire.values import moment_text

#: What the trade-updates stream calls our events; others are not told.
_TOLD: Final = {
    "started": "new", "armed": "new", "canceled": "canceled", "expired": "expired", "rejected": "rejected",
    "replaced": "replaced",
}  # fmt: skip


class Journal:
    """Changes a state by events and keeps them.

    Parameters
    ----------
    store : Store
        Where events are kept; what it holds already is folded first.
    number_of : callable
        The market's number of a symbol.

    Attributes
    ----------
    state : State
        The account.
    updates : collections.deque of dict
        What the trade-updates stream is to say, oldest first; whoever sends it takes it out (`popleft`).
    """

    def __init__(self, store: Store, number_of: Callable[[str], int]) -> None:
        self._store, self._number_of = store, number_of
        self.state = self._folded()
        self.updates: deque[dict[str, Any]] = deque()
        self._pending: list[Event] = []
        self._telling: list[dict[str, Any]] = []

    @property
    def length(self) -> int:
        """How many events are not kept yet."""
        return len(self._pending)

    def touched(self, since: int) -> Iterator[str]:
        """Ids of the orders that the events from a place on are about."""
        return (event.order for event in self._pending[since:] if event.order)

    def armed(self, since: int) -> list[Order]:
        """Legs that came to the market by the events from a place on."""
        return [
            self.state.orders[event.order]
            for event in self._pending[since:]
            if event.kind == "armed" and not event.content.get("held")
        ]

    def put(self, kind: str, at: int, order: str = "", /, **content: Any) -> None:
        """Let something happen."""
        event = Event(kind, at, order, content)
        self.state.apply(event)
        self._pending.append(event)
        self._tell(event)

    def commit(self) -> None:
        """Keep what happened since the last commit; if that fails nothing of it happened.

        Raises
        ------
        SetupError
            As the store says it.
        """
        if not self._pending:
            return
        events, self._pending = self._pending, []
        telling, self._telling = self._telling, []
        try:
            self._store.append(events)
        except BaseException:
            self.state = self._folded()
            raise
        self.updates.extend(telling)

    def mark(self, at: int) -> None:
        """Note how far the market's time has come."""
        self._store.mark(at)

    def undo(self) -> None:
        """Forget what happened since the last commit."""
        if self._pending:
            self._pending, self._telling = [], []
            self.state = self._folded()

    def start(self, order: Order, at: int) -> None:
        """An order reached the market; the stop of a one-cancels-other pair waits for its price from then on."""
        self.put("started", at, order.id)
        if order.ticket.shape == "oco" and not order.role:
            for leg in self.state.legs(order):
                self.put("armed", at, leg.id, held=True)

    def elect(self, order: Order, at: int) -> None:
        """A stop was reached. Beside a target it was held until now; that target is canceled."""
        held = order.status == "held"
        best = order.progress.best
        self.put("elected", at, order.id, **({} if best is None else {"best": plain(best)}))
        if held:
            self._say(order, "new", at)
            for other in self.state.siblings(order):
                if other.open:
                    self.put("canceled", at, other.id, reason="the other leg was reached")

    def settle_group(self, order: Order, at: int) -> None:
        """Do what an order's fill or end means for those that belong to it."""
        state = self.state
        if order.status == "replaced":
            return
        if order.legs and order.ticket.shape != "oco":
            self._settle_entry(order, at)
        for other in state.siblings(order):
            if not other.open:
                continue
            if not order.open:
                self.put("canceled", at, other.id, reason=f"the other leg was {order.status}")
            elif order.filled_qty and other.qty is not None and order.qty is not None:
                rest = order.qty - order.filled_qty + other.filled_qty
                if rest != other.qty:
                    self.put("resized", at, other.id, qty=plain(rest))

    def _folded(self) -> State:
        return State.of(self._store.read(), self._number_of)

    def _settle_entry(self, entry: Order, at: int) -> None:
        """Legs live once their entry is wholly filled, and end with one that ends otherwise."""
        legs = [leg for leg in self.state.legs(entry) if leg.open and not leg.armed]
        if entry.status == "filled":
            target = any(leg.role == "target" for leg in legs)
            for leg in legs:
                held = leg.role == "stop_loss" and target
                self.put("armed", at, leg.id, qty=plain(self.state.filled_through(entry)), held=held)
        elif not entry.open:
            for leg in legs:
                self.put("canceled", at, leg.id, reason=f"its entry was {entry.status}")

    def _tell(self, event: Event) -> None:
        order = self.state.orders.get(event.order)
        if order is None:
            return
        if event.kind == "filled":
            said = event.content
            self._say(
                order, "fill" if said["done"] else "partial_fill", event.at, execution=said["id"], price=said["price"],
                qty=said["qty"], position_qty=plain(self.state.book.held(order.ticket.symbol)),
            )  # fmt: skip
        elif event.kind in _TOLD and not event.content.get("held"):
            self._say(order, _TOLD[event.kind], event.at)

    def _say(self, order: Order, what: str, at: int, execution: str | None = None, **more: str) -> None:
        told = {
            "event": what,
            "execution_id": execution or identity("execution", order.id, what, at, plain(order.filled_qty)),
            "order": order.json(self.state.legs(order)),
            "timestamp": moment_text(at),
        }
        self._telling.append({**told, **more})
