"""The paper broker as a `Broker`, for Python in the same process."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qtw_lab.ledger.book import Fill
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import AccountView, FillView, OrderView, need_name
from qtw_lab.venues.paper.broker import PaperBroker


class EmbeddedBroker:
    """A paper account in this process; satisfies `brokers.Broker`.

    Parameters
    ----------
    paper : PaperBroker
        The account.

    Notes
    -----
    Nothing is ever unknown here: a call that returns is in the book, and one that raises changed nothing.
    """

    def __init__(self, paper: PaperBroker) -> None:
        self.paper = paper

    @property
    def name(self) -> str:
        """What it is called."""
        return "paper"

    @property
    def turns(self) -> bool:
        """Whether one order may close a position and open the opposite one."""
        return self.paper.turns

    def account(self) -> AccountView:
        """The account."""
        with self.paper.lock:
            now = self.paper.poll()
            balance, last = self.paper.balance(now), self.paper.last_balance(now)
            return AccountView(
                self.paper.account_id, balance.equity, balance.cash, self.paper.buying_power(now), last.equity,
                bool(self.paper.configurations["suspend_trade"]),
            )  # fmt: skip

    def positions(self) -> dict[str, Decimal]:
        """Shares held by symbol, negative where sold short."""
        with self.paper.lock:
            self.paper.poll()
            return {symbol: holding.qty for symbol, holding in sorted(self.paper.book.holdings.items())}

    def orders(self, status: str = "open", after: int | None = None) -> list[OrderView]:
        """Orders that are open, closed, or all, created after a moment, oldest first, legs among them."""
        with self.paper.lock:
            self.paper.poll()
            found = []
            for order in reversed(self.paper.orders.values()):
                if after is not None and order.created <= after:
                    break
                if status == "all" or order.open == (status == "open"):
                    found.append(OrderView.of(order.json()))
            return found[::-1]

    def order(self, order_id: str) -> OrderView | None:
        """An order by the broker's name for it, with its legs; None if there is none."""
        with self.paper.lock:
            self.paper.poll()
            found = self.paper.orders.get(order_id)
            return None if found is None else OrderView.of(self.paper.json(found))

    def find(self, client_order_id: str) -> OrderView | None:
        """An order by our name for it; None if there is none."""
        found = self.paper.state.by_client.get(client_order_id)
        return None if found is None else self.order(found)

    def fills(self, after: int | None = None) -> list[FillView]:
        """Fills after a moment, oldest first."""
        with self.paper.lock:
            self.paper.poll()
            found = []
            for entry in reversed(self.paper.book.entries):
                if after is not None and entry.at <= after:
                    break
                if isinstance(entry, Fill):
                    found.append(_view(entry))
            return found[::-1]

    def submit(self, ticket: Ticket) -> OrderView:
        """Send an order, which must have a `client_order_id`."""
        need_name(ticket)
        with self.paper.lock:
            return OrderView.of(self.paper.json(self.paper.submit(ticket)))

    def amend(self, order_id: str, **changes: Any) -> OrderView:
        """Replace an order; changes as for `Ticket.amended`."""
        with self.paper.lock:
            return OrderView.of(self.paper.json(self.paper.amend(order_id, **changes)))

    def cancel(self, order_id: str) -> None:
        """Cancel an order."""
        self.paper.cancel(order_id)


def _view(fill: Fill) -> FillView:
    return FillView(
        fill.id, fill.order, fill.symbol, fill.side, fill.qty, fill.price, fill.at, fill.cumulative, fill.fee
    )  # fmt: skip
