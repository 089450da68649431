"""A paper account as it can be asked: its orders, money and holdings, and what they are worth at last prices."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from qtw_lab.core import Clock, DataError
from qtw_lab.ledger.amounts import ZERO, price
from qtw_lab.ledger.book import Balance, Book
from qtw_lab.ledger.refusals import absent
from qtw_lab.venues.market import Prices
from qtw_lab.venues.paper.account_rules import AlpacaRules, Rules
from qtw_lab.venues.paper.checks import taking
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.journal import Journal
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.standing import Standing
from qtw_lab.venues.paper.state import State
from qtw_lab.venues.paper.store import MemoryStore, Store


class PaperAccount:
    """One account at a market, and what can be asked of it; satisfies `standing.Paper`.

    Parameters
    ----------
    market, clock, model, store, rules
        As for `qtw_lab.venues.paper.broker.PaperBroker`.

    Raises
    ------
    DataError
        If the book is damaged, or holds a symbol that the market does not have.
    """

    def __init__(
        self, market: Prices, clock: Clock, *, model: FillModel | None = None, store: Store | None = None,
        rules: Rules | None = None,
    ) -> None:  # fmt: skip
        self.market, self.clock = market, clock
        self.model = FillModel() if model is None else model
        self._rules = AlpacaRules() if rules is None else rules
        self.hours = Hours(market)
        self.assets = {str(asset["symbol"]): asset for asset in market.assets()}
        self._by_id = {str(asset["id"]): symbol for symbol, asset in self.assets.items()}
        self._journal = Journal(MemoryStore() if store is None else store, self._number_of)
        #: Up to when orders have met the market.
        self._polled = self.now()

    @property
    def state(self) -> State:
        """The account as it is now."""
        return self._journal.state

    @property
    def book(self) -> Book:
        """Cash, holdings and what moved them."""
        return self.state.book

    @property
    def orders(self) -> dict[str, Order]:
        """Every order by id, oldest first."""
        return self.state.orders

    @property
    def updates(self) -> deque[dict[str, Any]]:
        """What the trade-updates stream is to say, oldest first; whoever sends it takes it out (`popleft`)."""
        return self._journal.updates

    @property
    def configurations(self) -> Mapping[str, Any]:
        """What the account may do, by Alpaca's names."""
        return self.state.configurations

    @property
    def account_id(self) -> str:
        """Of the account."""
        return self.state.account_id

    @property
    def started(self) -> int:
        """When the account was opened, nanoseconds since 1970, UTC."""
        return self.state.opened

    @property
    def start_cash(self) -> Decimal:
        """Dollars in the account then."""
        return self.state.start_cash

    @property
    def turns(self) -> bool:
        """Whether one order may close a position and open the opposite one."""
        return self._rules.turns

    def now(self) -> int:
        """Market time in nanoseconds since 1970, UTC."""
        return self.clock.now().as_unit("ns").value

    def asset(self, name: str) -> dict[str, Any] | None:
        """An asset by its symbol or id; None where there is none."""
        return self.assets.get(self._by_id.get(name.lower(), name.upper()))

    def open_orders(self) -> list[Order]:
        """Orders that may still be filled, oldest first."""
        return self.state.open_orders()

    def find(self, order_id: str) -> Order:
        """An order by its id.

        Raises
        ------
        RefusedError
            404.
        """
        found = self.orders.get(order_id.lower())
        if found is None:
            raise absent(f"order not found for {order_id}")
        return found

    def find_client(self, client_order_id: str) -> Order:
        """An order by the client's name for it.

        Raises
        ------
        RefusedError
            404.
        """
        found = self.state.by_client.get(client_order_id)
        if found is None:
            raise absent(f"order not found for {client_order_id}")
        return self.orders[found]

    def json(self, order: Order) -> dict[str, Any]:
        """An order in Alpaca's words, with its legs."""
        return order.json(self.state.legs(order))

    def marks(self, numbers: Mapping[str, int], now: int) -> dict[str, Decimal]:
        """Last prices by symbol, of those that have one: the last trade of the day, or the last session's close."""
        wanted = list(numbers.values())
        names = {number: symbol for symbol, number in numbers.items()}
        found: dict[str, Decimal] = {}
        if wanted:
            for row in self.market.previous_daily(wanted, now):
                found[names[int(row["symbol"])]] = price(row["close"])
            for row in self.market.latest_trades(wanted, now):
                found[names[int(row["symbol"])]] = price(row["price"])
        return found

    def balance(self, now: int) -> Balance:
        """The account's balance at last prices."""
        numbers = {symbol: holding.number for symbol, holding in self.book.holdings.items()}
        return self.book.balance(self.marks(numbers, now), int(self.configurations["max_margin_multiplier"]))

    def buying_power(self, now: int) -> Decimal:
        """Dollars that new positions may cost, beside what open orders reserve."""
        return max(ZERO, self.standing(now).power - self.reserved())

    def standing(self, now: int) -> Standing:
        """What the account may do, before what open orders reserve."""
        return self._rules.standing(self, now)

    def last_balance(self, now: int) -> Balance:
        """The balance at the last close before today, at the closes of that day."""
        before = self.hours.previous(now)
        close = before.closes if before else 0
        book = Book(self.start_cash)
        for entry in self.book.entries:
            if entry.at <= close:
                book.record(entry)
        names = {holding.number: symbol for symbol, holding in book.holdings.items()}
        rows = self.market.previous_daily(list(names), now) if names else ()
        return book.balance({names[int(row["symbol"])]: price(row["close"]) for row in rows})

    def reserved(self) -> Decimal:
        """What open orders that open positions are reckoned to cost."""
        return sum((order.reserved() for order in self.open_orders()), ZERO)

    def held_for_orders(self, symbol: str) -> Decimal:
        """Shares of a holding that open orders are about to give away."""
        side = "sell" if self.book.held(symbol) > 0 else "buy"
        going = [order for order in self.open_orders() if taking(order, symbol, side)]
        numbers = {order.ticket.symbol: order.number for order in going}
        mark = self.marks(numbers, self._polled).get(symbol, Decimal(1))
        return sum((order.left(mark) for order in going), ZERO)

    def _number_of(self, symbol: str) -> int:
        if symbol not in self.assets:
            raise DataError(
                f"The paper book holds {symbol}, which this market does not have; start the market it was kept with, "
                "or keep another book (QTW_STORAGE_DIR)."
            )
        return self.market.symbols.number(symbol)
