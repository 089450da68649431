"""The exchange behind the simulator's trading side: a first, plain model of fills.

What it does: an order reaches the market when it is sent, or when trading begins next. A market order, and a limit
order that is marketable when it arrives, fills at the quote of that moment. A limit order that rests fills at its own
price once a quote reaches it, and at the quote where that is the first of a session. A stop is elected by the first
trade at or through its price that sets a price, in regular hours, and is a market or limit order from there on. Fees,
dividends, splits, queues, halts and the effect of orders on the market are not modelled. As at the venue's paper
account, the size of the quote does not limit a fill unless `sized` is asked for.

Nothing here depends on how often `poll` is called: orders meet the market's events in the order in which these arrived.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from qtw_lab.core import Clock
from qtw_lab.ledger.amounts import plain, price
from qtw_lab.ledger.book import Balance, Book
from qtw_lab.ledger.refusals import malformed, unprocessable
from qtw_lab.venues.market import Market
from qtw_lab.venues.moments import DAY, identity
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.simulator.exchange_checks import enough_power, enough_shares, no_wash_trade, shortable, tradable
from qtw_lab.venues.simulator.exchange_matching import Matching
from qtw_lab.venues.simulator.exchange_orders import FINAL, ZERO, Order, Terms, not_found

#: Alpaca's page on orders: a short sale is reckoned at 3% above the ask.
_SHORT_MARGIN: Final = Decimal("1.03")
#: The venue does not say when GTC orders end; 90 days is the common rule among brokers.
_GTC: Final = 90 * DAY


class Exchange:
    """One account and its orders at a market.

    Parameters
    ----------
    market : Market
        Whose quotes and trades orders meet.
    clock : Clock
        Market time.
    cash : number
        Dollars in the account at the start.
    sized : bool
        Whether a quote fills no more than the size it shows, so that fills can be partial.

    Attributes
    ----------
    updates : collections.deque of dict
        What the trade-updates stream is to say, oldest first; whoever sends it takes it out (`popleft`).
    lock : threading.RLock
        Held while anything changes; hold it to see several things in one state.
    """

    def __init__(self, market: Market, clock: Clock, cash: float | Decimal = 100_000, *, sized: bool = False) -> None:
        self.market, self.clock = market, clock
        self.hours = Hours(market)
        self.start_cash = Decimal(str(cash))
        self.book = Book(self.start_cash)
        self.updates: deque[dict[str, Any]] = deque()
        self.matching = Matching(market, self.hours, self.book, self.updates, sized=sized)
        self.orders: dict[str, Order] = {}
        self.assets = {str(asset["symbol"]): asset for asset in market.assets()}
        self.configurations: dict[str, Any] = {
            "fractional_trading": True,
            "max_margin_multiplier": "2",
            "no_shorting": False,
            "suspend_trade": False,
            "trade_confirm_email": "all",
            "ptp_no_exception_entry": False,
            "max_options_trading_level": 0,
            "disable_overnight_trading": False,
        }
        self.started = self.now()
        self.account_id = identity("account", self.started)
        self._by_id = {str(asset["id"]): symbol for symbol, asset in self.assets.items()}
        self._by_client: dict[str, str] = {}
        self._polled = self.started
        self.lock = threading.RLock()

    def now(self) -> int:
        """Market time in nanoseconds since 1970, UTC."""
        return self.clock.now().as_unit("ns").value

    def asset(self, name: str) -> dict[str, Any] | None:
        """An asset by its symbol or id; None where there is none."""
        return self.assets.get(self._by_id.get(name.lower(), name.upper()))

    def open_orders(self) -> list[Order]:
        """Orders that may still be filled, oldest first."""
        return [order for order in tuple(self.orders.values()) if order.open]

    def submit(self, body: Mapping[str, Any]) -> Order:
        """Take an order from a request's body; it meets the market at the next `poll`.

        Raises
        ------
        RefusedError
            As the venue would refuse it.
        """
        with self.lock:
            now = self.poll()
            return self._accept(Terms.read(body), now)

    def find(self, order_id: str) -> Order:
        """An order by its id.

        Raises
        ------
        RefusedError
            404.
        """
        found = self.orders.get(order_id.lower())
        if found is None:
            raise not_found(order_id)
        return found

    def find_client(self, client_order_id: str) -> Order:
        """An order by the client's name for it.

        Raises
        ------
        RefusedError
            404.
        """
        found = self._by_client.get(client_order_id)
        if found is None:
            raise not_found(client_order_id)
        return self.orders[found]

    def cancel(self, order_id: str) -> Order:
        """Cancel an order.

        Raises
        ------
        RefusedError
            404, or 422 where it is over.
        """
        with self.lock:
            now = self.poll()
            order = self.find(order_id)
            if not order.open:
                raise unprocessable(f'order is already in "{order.status}" state')
            self.matching.end(order, "canceled", now)
            return order

    def amend(self, order_id: str, body: Mapping[str, Any]) -> Order:
        """Replace an order by a new one with changed terms; `qty` counts what the old one has filled.

        Raises
        ------
        RefusedError
            404; 422 where it is over, has not reached the market, or the terms cannot be; 403 where the account has not
            enough.
        """
        with self.lock:
            now = self.poll()
            old = self.find(order_id)
            if old.status in FINAL:
                raise unprocessable(f'order is already in "{old.status}" state')
            if old.status not in {"new", "partially_filled"}:
                raise unprocessable(f"cannot replace order in {old.status} status")
            terms = old.terms.amended(body)
            rest = (terms.qty or ZERO) - old.filled_qty
            if rest <= 0:
                raise unprocessable(f"qty must be > filled qty {plain(old.filled_qty)}")
            new = self._accept(replace(terms, qty=rest), now, replaces=old)
            old.replaced_by, new.replaces = new.id, old.id
            self.matching.end(old, "replaced", now)
            return new

    def poll(self, now: int | None = None) -> int:
        """Let open orders meet what has arrived since the last poll; gives the moment up to which they have.

        Parameters
        ----------
        now : int, optional
            Nanoseconds since 1970, UTC; by the clock where left out. An earlier moment than the last changes nothing.
        """
        with self.lock:
            now = self.now() if now is None else now
            while self._polled < now and (waiting := self.open_orders()):
                until = self.matching.pause(self._polled, now, waiting)
                self.matching.meet(waiting, self._polled, until)
                self._polled = until
            self._polled = max(self._polled, now)
            self.matching.meet(self.open_orders(), self._polled, self._polled)
            return self._polled

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

    def reserved(self) -> Decimal:
        """What open orders that open positions are reckoned to cost."""
        return sum((order.reserved() for order in self.open_orders()), ZERO)

    def held_for_orders(self, symbol: str) -> Decimal:
        """Shares of a holding that open orders are about to give away."""
        side = "sell" if self.book.held(symbol) > 0 else "buy"
        going = (o for o in self.open_orders() if o.terms.symbol == symbol and o.terms.side == side and not o.reserve)
        return sum((order.left(self._mark(order.number, symbol)) for order in going), ZERO)

    def _mark(self, number: int, symbol: str) -> Decimal:
        return self.marks({symbol: number}, self._polled).get(symbol, Decimal(1))

    def _accept(self, terms: Terms, now: int, replaces: Order | None = None) -> Order:
        asset = tradable(terms, self.asset(terms.symbol), self.configurations)
        terms = replace(terms, symbol=str(asset["symbol"]))
        if terms.client_order_id in self._by_client:
            raise malformed("client_order_id must be unique")
        number = self.market.symbols.number(terms.symbol)
        live = self.hours.live(now, extended=terms.extended_hours)
        session = self.hours.current(now, extended=terms.extended_hours)
        ends = session.late if terms.extended_hours else session.closes
        order = Order(
            id=identity("order", self.account_id, len(self.orders)),
            number=number,
            asset=asset,
            terms=terms,
            client_order_id=terms.client_order_id or identity("client", self.account_id, len(self.orders)),
            created=now,
            live=live,
            expires=now + _GTC if terms.time_in_force == "gtc" else ends,
            status="pending_new" if live == now else "accepted",
            seen=now,
            updated=now,
        )
        self._afford(order, now, replaces)
        self.orders[order.id] = order
        self._by_client[order.client_order_id] = order.id
        return order

    def _afford(self, order: Order, now: int, replaces: Order | None) -> None:
        """Refuse what would trade with itself, sell what is not there or spend what is not there; else reserve."""
        terms = order.terms
        others = [other for other in self.open_orders() if other is not replaces]
        no_wash_trade(terms, others)
        held = self.book.held(terms.symbol)
        each = terms.limit_price or terms.stop_price or self._reckoned(order, now)
        if held and (held > 0) != terms.buys:
            enough_shares(order, each, held, others)
            return
        if not terms.buys:
            shortable(order, self.configurations)
            each = max(each, self._reckoned(order, now) * _SHORT_MARGIN)
        power = self.balance(now).buying_power - sum((other.reserved() for other in others), ZERO)
        enough_power(each * order.left(each), power)
        order.reserve = each

    def _reckoned(self, order: Order, now: int) -> Decimal:
        """What a share is likely to cost: the ask, or the last price."""
        for row in self.market.latest_quotes([order.number], now):
            if row["other_price"] > 0:
                return price(row["other_price"])
        last = self.marks({order.terms.symbol: order.number}, now).get(order.terms.symbol)
        if last is None:
            raise unprocessable(f'asset "{order.terms.symbol}" has no price yet')
        return last
