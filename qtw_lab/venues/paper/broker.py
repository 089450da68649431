"""The embedded paper broker: one account at a market, under Alpaca's rules, whose book survives a kill.

An order reaches the market when it is sent, or when trading begins next. One that is marketable fills at the quote of
that moment; one that rests fills at its own price once a quote reaches it, and at the quote where that is the first of
a session. A stop is elected by the first trade at or through its price that sets a price and lies within the quote, in
regular hours, and is a market or limit order from there on. How much of a quote an order gets, how soon, and what that
costs is a matter of the `FillModel`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from qtw_lab.core import Clock, DataError
from qtw_lab.ledger.amounts import ZERO, plain, price
from qtw_lab.ledger.book import Balance, Book
from qtw_lab.ledger.lifecycle import FINAL
from qtw_lab.ledger.refusals import absent, malformed, unprocessable
from qtw_lab.ledger.tickets import CENT, Ticket
from qtw_lab.venues.market import Prices
from qtw_lab.venues.moments import DAY, SECOND, identity
from qtw_lab.venues.paper.account_rules import AlpacaRules, Rules
from qtw_lab.venues.paper.carrying import costs_nothing, due
from qtw_lab.venues.paper.checks import fits_position, in_time, taking, tradable
from qtw_lab.venues.paper.events import ticket_json
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.journal import Journal
from qtw_lab.venues.paper.lending import Offer, again, located, offer
from qtw_lab.venues.paper.locates import Locate, Wanted, hard, opens_short, rolls
from qtw_lab.venues.paper.matching import Matching
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.standing import Standing
from qtw_lab.venues.paper.state import State
from qtw_lab.venues.paper.store import MemoryStore, Store

#: The venue does not say when GTC orders end; 90 days is the common rule among brokers.
_GTC: Final = 90 * DAY
#: What may be replaced: an order that is at the market, or the stop of a pair of exits, which waits there.
_REPLACEABLE: Final = ("new", "partially_filled", "held")


class PaperBroker:
    """One account and its orders at a market.

    Parameters
    ----------
    market : Prices
        Whose quotes and trades orders meet.
    clock : Clock
        Market time.
    cash : number
        Dollars in the account when it is opened.
    model : FillModel, optional
        How generous the market is; by default quotes fill everything, free of charge.
    rules : Rules, optional
        What the account may do; by default Alpaca's rules of a margin account.
    store : Store, optional
        Where the book is kept; one that has events goes on from there. By default it lives as long as this.

    Raises
    ------
    DataError
        If the book is damaged, holds a symbol that the market does not have, or ends after the market's time.

    Attributes
    ----------
    lock : threading.RLock
        Held while anything changes; hold it to see several things in one state.
    """

    def __init__(
        self, market: Prices, clock: Clock, cash: float | Decimal = 100_000, *, model: FillModel | None = None,
        store: Store | None = None, rules: Rules | None = None,
    ) -> None:  # fmt: skip
        self._rules = AlpacaRules() if rules is None else rules
        self.market, self.clock = market, clock
        self.hours = Hours(market)
        self.assets = {str(asset["symbol"]): asset for asset in market.assets()}
        self._by_id = {str(asset["id"]): symbol for symbol, asset in self.assets.items()}
        self.lock = threading.RLock()
        self._journal = Journal(MemoryStore() if store is None else store, self._number_of)
        self.matching = Matching(market, self.hours, self._journal, FillModel() if model is None else model)
        now = self.now()
        if not self.state.events:
            self._journal.put("opened", now, account=identity("account", now), cash=plain(Decimal(str(cash))))
            self._journal.commit()
        if self.state.at > now:
            raise DataError(
                f"The paper book goes on after {self.state.at} ns, but the market's time is {now} ns; start the market "
                "later, or keep another book (QTW_STORAGE_DIR)."
            )
        self._polled = now
        self._recover()

    @property
    def model(self) -> FillModel:
        """How orders fill."""
        return self.matching.model

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

    def now(self) -> int:
        """Market time in nanoseconds since 1970, UTC."""
        return self.clock.now().as_unit("ns").value

    def asset(self, name: str) -> dict[str, Any] | None:
        """An asset by its symbol or id; None where there is none."""
        return self.assets.get(self._by_id.get(name.lower(), name.upper()))

    def open_orders(self) -> list[Order]:
        """Orders that may still be filled, oldest first."""
        return self.state.open_orders()

    def submit(self, ticket: Ticket) -> Order:
        """Take an order; it meets the market at the next `poll`. When this returns it is safe.

        Raises
        ------
        RefusedError
            As the venue would refuse it.
        SetupError
            If the book cannot be written; then the order was not taken.
        """
        with self._changing() as now:
            return self._accept(ticket, now)

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Change what the account may do."""
        with self._changing() as now:
            self._journal.put("configured", now, **changes)

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

    def cancel(self, order_id: str) -> Order:
        """Cancel an order, and with it the orders that belong to it.

        Raises
        ------
        RefusedError
            404, or 422 where it is over.
        """
        with self._changing() as now:
            order = self.find(order_id)
            if not order.open:
                raise unprocessable(f'order is already in "{order.status}" state')
            self.matching.end(order, "canceled", now)
            return order

    def amend(self, order_id: str, **changes: Any) -> Order:
        """Replace an order by a new one with changed terms; `qty` counts what the old one has filled.

        Parameters
        ----------
        order_id : str
            Which.
        **changes
            As for `Ticket.amended`.

        Raises
        ------
        RefusedError
            404; 422 where it is over, has not reached the market, or the terms cannot be; 403 where the account has not
            enough.
        """
        with self._changing() as now:
            old = self.find(order_id)
            if old.status in FINAL:
                raise unprocessable(f'order is already in "{old.status}" state')
            if old.status not in _REPLACEABLE or (old.status == "held" and not old.armed):
                raise unprocessable(f"cannot replace order in {old.status} status")
            alone = replace(old.ticket, qty=old.qty, shape="simple") if old.role else replace(old.ticket, qty=old.qty)
            ticket = alone.amended(**changes, step=self._step(old.ticket.symbol))
            if old.role and ticket.qty != old.qty:
                raise unprocessable("the quantity of a leg cannot be replaced")
            rest = (ticket.qty or ZERO) - old.filled_qty
            if rest <= 0:
                raise unprocessable(f"qty must be > filled qty {plain(old.filled_qty)}")
            return self._replace(old, replace(ticket, qty=rest), now)

    def poll(self, now: int | None = None) -> int:
        """Let open orders meet what has arrived since the last poll; gives the moment up to which they have.

        Parameters
        ----------
        now : int, optional
            Nanoseconds since 1970, UTC; by the clock where left out. An earlier moment than the last changes nothing.
        """
        with self._changing(now) as moment:
            return moment

    def dividend(self, symbol: str, per_share: Decimal) -> Decimal:
        """Pay a dividend on what is held now; who is short pays it. Gives the dollars that came.

        Raises
        ------
        SetupError
            If the book cannot be written; then nothing was paid.
        """
        with self._changing() as now:
            amount = self.book.held(symbol) * per_share
            if amount:
                self._charge(now, "DIV", amount, symbol, f"{plain(per_share)} a share")
            return amount

    def split(self, symbol: str, ratio: Decimal) -> None:
        """Make `ratio` shares of each: holdings, and quantities and prices of open orders.

        Raises
        ------
        DataError
            If the ratio is not above 0.
        SetupError
            If the book cannot be written; then nothing happened.
        """
        if not ratio > 0:
            raise DataError(f"A split of {ratio} shares for one is none; the ratio must be above 0.")
        with self._changing() as now:
            name = identity("split", self.account_id, self.state.events)
            self._journal.put("split", now, id=name, symbol=symbol, ratio=plain(ratio))

    def locate(self, wanted: Wanted) -> Locate:
        """Ask for shares to be located, for which a fee is paid at once; a rejected locate is an answer as well.

        Raises
        ------
        RefusedError
            400 or 422 for what cannot be located, or where its key has served another question; 403 where the account
            may not sell short.
        SetupError
            If the book cannot be written; then nothing was located.
        """
        with self._changing() as now:
            asset = self.asset(wanted.symbol)
            wanted = replace(wanted, symbol=str(asset["symbol"]) if asset else wanted.symbol)
            for known in self.state.locates.values():
                if wanted.key and known.wanted.key == wanted.key:
                    return again(known, wanted)
            found = located(self, wanted, offer(self, asset, self._rules.lending, now), self.standing(now), now)
            self._journal.put("located", now, **found.content())
            if found.fee:
                self._charge(now, "FEE", -found.fee, found.symbol, f"locate fee of {found.qty} shares")
            return found

    def locatable(self, symbol: str) -> Offer:
        """Shares that could be located now, and their fee.

        Raises
        ------
        RefusedError
            422 where there are none to be asked for; see `qtw_lab.venues.paper.lending.offer`.
        """
        with self.lock:
            return offer(self, self.asset(symbol), self._rules.lending, self.now())

    def mark(self) -> None:
        """Note in the book how far the market's time has come, so that it never goes back after a restart."""
        with self.lock:
            self._journal.mark(self._polled)

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
        going = (order for order in self.open_orders() if taking(order, symbol, side))
        return sum((order.left(self._mark(order.number, symbol)) for order in going), ZERO)

    # Inside

    @contextmanager
    def _changing(self, now: int | None = None) -> Iterator[int]:
        """Let open orders meet what happened, then change something; all of it is kept, or nothing is.

        What the market did stands even if the change is refused.
        """
        with self.lock:
            before = self.state
            try:
                moment = self._meet(self.now() if now is None else now)
                self._journal.commit()
                yield moment
                self._journal.commit()
            except BaseException:
                self._journal.undo()
                if self.state is not before:
                    self._recover()
                raise

    def _recover(self) -> None:
        """Go back to where the orders of a state that was folded anew stand; what they met since is met again."""
        self._polled = min((order.progress.seen for order in self.open_orders()), default=self._polled)
        for order in self.open_orders():
            self.matching.recover(order)

    def _meet(self, now: int) -> int:
        turns: list[tuple[int, Callable[[int], None]]] = [(close, self._carry) for close in self._closes(now)]
        if any(map(opens_short, self.open_orders())):
            turns += [(moment, self._recall) for moment in rolls(self.hours, self._polled, now)]
        for moment, turn in sorted(turns, key=itemgetter(0)):
            self._meet_until(moment)
            turn(moment)
        self._meet_until(now)
        self._polled = max(self._polled, now)
        self.matching.meet(self.open_orders(), self._polled, self._polled)
        return self._polled

    def _meet_until(self, end: int) -> None:
        while self._polled < end and (waiting := self.open_orders()):
            until = self.matching.pause(self._polled, end, waiting)
            self.matching.meet(waiting, self._polled, until)
            self._polled = until
        self._polled = max(self._polled, end)

    def _closes(self, now: int) -> list[int]:
        """Closes up to now that holding has not been paid for yet; none where it costs nothing."""
        if costs_nothing(self.model.costs):
            return []
        return [session.closes for session in self.hours.all if self.state.carried < session.closes <= now]

    def _carry(self, close: int) -> None:
        """Pay for what was held since the last close."""
        numbers = {symbol: holding.number for symbol, holding in self.book.holdings.items()}
        seconds = (close - self.state.carried) / SECOND
        for one in due(self.book, self.marks(numbers, close), seconds, self.model.costs):
            self._charge(close, one.kind, one.amount, "", one.note)
        self._journal.put("carried", close)

    def _recall(self, at: int) -> None:
        """Cancel short sales of what is hard to borrow now; their locates have ended, if there were any."""
        self.assets = {str(asset["symbol"]): asset for asset in self.market.assets()}
        for order in self.open_orders():
            asset = self.assets.get(order.ticket.symbol, {})
            if order.open and opens_short(order) and order.created < at and hard(asset):
                self.matching.end(order, "canceled", max(at, order.updated), reason="its locate has ended")

    def _charge(self, at: int, kind: str, amount: Decimal, symbol: str, note: str) -> None:
        name = identity("charge", self.account_id, self.state.events)
        self._journal.put("charged", at, id=name, kind=kind, amount=plain(amount), symbol=symbol, note=note)

    def _number_of(self, symbol: str) -> int:
        if symbol not in self.assets:
            raise DataError(
                f"The paper book holds {symbol}, which this market does not have; start the market it was kept with, "
                "or keep another book (QTW_STORAGE_DIR)."
            )
        return self.market.symbols.number(symbol)

    def _mark(self, number: int, symbol: str) -> Decimal:
        return self.marks({symbol: number}, self._polled).get(symbol, Decimal(1))

    def _step(self, symbol: str) -> Decimal:
        asset = self.asset(symbol) or {}
        return Decimal(str(asset.get("price_increment") or CENT))

    def _accept(self, ticket: Ticket, now: int, replaces: Order | None = None) -> Order:
        asset = tradable(ticket, self.asset(ticket.symbol), self.configurations)
        ticket = replace(ticket, symbol=str(asset["symbol"])).checked(self._step(ticket.symbol))
        if replaces is not None:
            ticket = replace(ticket, shape=replaces.ticket.shape)
        if ticket.client_order_id in self.state.by_client:
            raise malformed("client_order_id must be unique")
        in_time(ticket, now, session_day=self.hours.is_session(now))
        order = self._drafted(ticket, asset, now)
        if replaces is not None:
            order.parent, order.role, order.replaces = replaces.parent, replaces.role, replaces.id
            order.status = "held" if replaces.status == "held" else order.status
        if not order.role:
            fits_position(ticket, self.book.held(ticket.symbol))
        order.reserve = self._rules.reserve(self, order, asset, now, replaces)
        self._keep(order, now)
        for leg in ticket.exits() if not order.role and replaces is None else ():
            child = replace(self._drafted(leg, asset, now), status="held", parent=order.id, expires=order.expires)
            child.role = "target" if leg.kind == "limit" else "stop_loss"
            self._keep(child, now)
        return self.orders[order.id]

    def _drafted(self, ticket: Ticket, asset: Mapping[str, Any], now: int) -> Order:
        """An order that is not in the book yet."""
        place, extended = len(self.orders), ticket.extended_hours
        live = self.hours.live(now + int(self.model.latency * SECOND), extended=extended)
        session = self.hours.current(now, extended=extended)
        return Order(
            id=identity("order", self.account_id, place),
            number=self.market.symbols.number(ticket.symbol),
            asset_id=str(asset["id"]),
            asset_class=str(asset["class"]),
            ticket=ticket,
            client_order_id=ticket.client_order_id or identity("client", self.account_id, place),
            created=now,
            live=live,
            expires=now + _GTC if ticket.time_in_force == "gtc" else session.late if extended else session.closes,
            status="accepted" if self.hours.live(now, extended=extended) > now else "pending_new",
            qty=ticket.qty,
        )

    def _keep(self, order: Order, now: int) -> None:
        """Write an order down."""
        more = {"parent": order.parent, "role": order.role} if order.parent else {}
        more |= {"replaces": order.replaces} if order.replaces else {}
        more |= {"reserve": plain(order.reserve)} if order.reserve else {}
        self._journal.put(
            "accepted", now, order.id, ticket=ticket_json(order.ticket), client_order_id=order.client_order_id,
            asset_id=order.asset_id, asset_class=order.asset_class, live=order.live, expires=order.expires,
            status=order.status, **more,
        )  # fmt: skip

    def _replace(self, old: Order, ticket: Ticket, now: int) -> Order:
        new = self._accept(ticket, now, replaces=old)
        self.matching.end(old, "replaced", now, by=new.id)
        for leg in self.state.legs(new) if new.ticket.shape == "oco" else ():  # a pair of exits is for the same shares
            if leg.open and new.qty is not None and leg.qty != new.qty:
                self._journal.put("resized", now, leg.id, qty=plain(new.qty))
        if old.armed:  # it meets the market as any order does, or is held as the old one was
            self._journal.put("armed", now, new.id, held=True)
        return new
