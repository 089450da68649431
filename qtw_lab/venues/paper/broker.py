"""The embedded paper broker: one account at a market, under Alpaca's rules, whose book survives a kill.

An order reaches the market when it is sent, or when trading begins next. One that is marketable fills at the quote of
that moment; one that rests fills at its own price once a quote reaches it, and at the quote where that is the first of
a session. A stop is elected by the first trade at or through its price that sets a price and lies within the quote, in
regular hours, and is a market or limit order from there on. How much of a quote an order gets, how soon, and what that
costs is a matter of the `FillModel`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from operator import itemgetter
from typing import Any

from qtw_lab.core import Clock, DataError
from qtw_lab.ledger.amounts import plain
from qtw_lab.ledger.refusals import unprocessable
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.market import Prices
from qtw_lab.venues.moments import identity
from qtw_lab.venues.paper.accepting import Accepting
from qtw_lab.venues.paper.account import PaperAccount
from qtw_lab.venues.paper.account_rules import Rules
from qtw_lab.venues.paper.carrying import Due, carry, charge, passed_free, unpaid
from qtw_lab.venues.paper.lending import Offer, again, located, offer
from qtw_lab.venues.paper.locates import Locate, Wanted, hard, opens_short, rolls
from qtw_lab.venues.paper.matching import Matching
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.store import Store


class PaperBroker(PaperAccount):
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
        super().__init__(market, clock, model=model, store=store, rules=rules)
        self.lock = threading.RLock()
        self.matching = Matching(market, self.hours, self._journal, self.model)
        self._accepting = Accepting(self, self._journal, self.matching, self._rules)
        now = self._polled
        if not self.state.events:
            self._journal.put("opened", now, account=identity("account", now), cash=plain(Decimal(str(cash))))
            self._journal.commit()
        if self.state.at > now:
            raise DataError(
                f"The paper book goes on after {self.state.at} ns, but the market's time is {now} ns; start the market "
                "later, or keep another book (QTW_STORAGE_DIR)."
            )
        free = passed_free(self)
        if free is not None:
            self._journal.put("carried", free)
            self._journal.commit()
        self._recover()

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
            return self._accepting.take(ticket, now)

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Change what the account may do."""
        with self._changing() as now:
            self._journal.put("configured", now, **changes)

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
            return self._accepting.exchange(self.find(order_id), changes, now)

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
                charge(self._journal, now, Due("DIV", amount, f"{plain(per_share)} a share"), symbol)
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
                paid = Due("FEE", -found.fee, f"locate fee of {found.qty} shares")
                charge(self._journal, now, paid, found.symbol)
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
        """Let open orders meet the market up to a moment, and do at its time what comes in between."""
        turns: list[tuple[int, Callable[[int], None]]] = [(close, self._carry) for close in unpaid(self, now)]
        if any(map(opens_short, self.open_orders())):
            turns += [(moment, self._recall) for moment in rolls(self.hours, self._polled, now)]
        for moment, turn in sorted(turns, key=itemgetter(0)):
            self._meet_until(moment)
            turn(moment)
        self._meet_until(now)
        self.matching.meet(self.open_orders(), self._polled, self._polled)
        return self._polled

    def _meet_until(self, end: int) -> None:
        while self._polled < end and (waiting := self.open_orders()):
            until = self.matching.pause(self._polled, end, waiting)
            self.matching.meet(waiting, self._polled, until)
            self._polled = until
        self._polled = max(self._polled, end)

    def _carry(self, close: int) -> None:
        carry(self, self._journal, close)

    def _recall(self, at: int) -> None:
        """Cancel short sales of what is hard to borrow now; their locates have ended, if there were any."""
        self.assets = {str(asset["symbol"]): asset for asset in self.market.assets()}
        for order in self.open_orders():
            asset = self.assets.get(order.ticket.symbol, {})
            if order.open and opens_short(order) and order.created < at and hard(asset):
                self.matching.end(order, "canceled", max(at, order.updated), reason="its locate has ended")
