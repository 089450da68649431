"""How open orders of a paper account meet the market's events: step by step, in the order of arrival.

Nothing here depends on how often it is asked: what an order meets is a matter of the market's events alone, so it is
found again after a restart.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from qtw_lab.ledger.amounts import plain
from qtw_lab.ledger.tickets import AT_ONCE
from qtw_lab.venues.market import Prices
from qtw_lab.venues.moments import SECOND, identity
from qtw_lab.venues.paper.auctions import Auctions, in_auction
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.journal import Journal
from qtw_lab.venues.paper.meeting import Meeting, Met
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.outlook import Outlook, Piece
from qtw_lab.venues.paper.portions import enough, offered, reached, worse
from qtw_lab.venues.ticks import TICK

#: Market events are read in pieces of at most this length.
_PIECE: Final = 300 * SECOND


class _Step(NamedTuple):
    """The next thing that happens to an order: when, whose, the state of the plan it belongs to, and what."""

    at: int
    place: int
    version: int
    met: Met


class _Plan:
    """What happens next to each of some orders, by time and then by their order; what was planned last counts."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders
        self._places = {order.id: place for place, order in enumerate(orders)}
        self._versions = [0] * len(orders)
        self._steps: list[_Step] = []

    def put(self, order: Order, met: Met | None) -> None:
        """Plan what happens next to an order, instead of what was planned before."""
        place = self._places[order.id]
        self._versions[place] += 1
        if met is not None:
            heapq.heappush(self._steps, _Step(met.at, place, self._versions[place], met))

    def __iter__(self) -> Iterator[tuple[Order, Met]]:
        while self._steps:
            step = heapq.heappop(self._steps)
            order = self._orders[step.place]
            if step.version == self._versions[step.place] and order.open:
                yield order, step.met


class Matching:
    """Starts, elects, fills and ends orders.

    Parameters
    ----------
    market : Prices
        Gives quotes and trades as they arrive.
    hours : Hours
        When it trades.
    journal : Journal
        Takes what happens.
    model : FillModel
        How generous the market is.
    """

    def __init__(self, market: Prices, hours: Hours, journal: Journal, model: FillModel) -> None:
        self._hours, self._journal, self.model = hours, journal, model
        self._outlook = Outlook(market, hours)
        self._meeting = Meeting(self._outlook, model)
        self._auctions = Auctions(self._outlook, hours)

    def pause(self, since: int, until: int, orders: Sequence[Order]) -> int:
        """Where to stop on the way: at the end of a piece, or before trading begins where there is none now."""
        extended = any(order.ticket.extended_hours for order in orders)
        session = self._hours.current(since + 1, extended=extended)
        begins = session.early if extended else session.opens
        return min(until, begins - 1) if since + 1 < begins else min(until, since + _PIECE)

    def meet(self, orders: Sequence[Order], since: int, until: int) -> None:
        """Let these orders meet all that arrives after `since` and up to `until`."""
        piece = self._outlook.piece(orders, since, until)
        named = {order.id: order for order in orders}
        plan = _Plan(orders)
        for order in orders:
            plan.put(order, self._next(order, piece, until))
        for order, met in plan:
            before = self._journal.length
            self._take(order, met, piece)
            order.progress.seen = max(order.progress.seen, met.at)
            for leg in self._journal.armed(before):
                if leg.open and not leg.waits_for_stop:
                    self._arrive(leg, met.at)
            for name in {order.id, *self._journal.touched(before)} & named.keys():
                plan.put(named[name], self._next(named[name], piece, until))
        for order in orders:
            if order.open and _at_market(order):
                if piece.any(order.number):
                    self._meeting.passed(order, piece, until)
                order.progress.seen = max(order.progress.seen, until)

    def recover(self, order: Order) -> None:
        """Find out again how far an order had come when its last event was written down."""
        if _at_market(order):
            self._meeting.recover(order)

    def end(self, order: Order, kind: str, at: int, **content: str) -> None:
        """End an order (canceled, expired, replaced, rejected), and unless it is replaced those that depend on it."""
        best = {} if order.progress.best is None else {"best": plain(order.progress.best)}
        self._journal.put(kind, at, order.id, **best, **content)
        self._journal.settle_group(order, at)

    def _next(self, order: Order, piece: Piece, until: int) -> Met | None:
        """What happens to an order next; None where nothing does up to a moment."""
        found: Met | None = None
        if order.open and _coming(order):
            found = Met(order.live, "start")
        elif not order.open or not _at_market(order):
            return None
        elif in_auction(order):
            found = Met(self._auctions.time(order, piece), "auction")
        elif order.expires <= until or piece.any(order.number):
            found = self._meeting.first(order, piece)
            if order.expires <= (until if found is None else found.at):
                found = Met(order.expires, "expire")
        return found if found is not None and found.at <= until else None

    def _take(self, order: Order, met: Met, piece: Piece) -> None:
        """Let it happen."""
        at = met.at
        if met.what == "start":
            self._start(order, at)
        elif met.what == "elect":
            self._meeting.follow(order, piece, at)
            self._journal.elect(order, at)
            self._arrive(order, at)
        elif met.what == "quote":
            self._meeting.met(order, piece, at)
            portion = offered(self.model, order, piece.rows[met.row], arriving=met.arriving)
            self._fill(order, at, *portion, resting=not met.arriving)
        elif met.what == "print":
            self._meeting.met(order, piece, at)
            self._fill(order, at, *self._meeting.served(order, at, piece.rows[met.row]), resting=True)
        elif met.what == "auction":
            self._auction(order, at)
        else:
            self.end(order, "expired", at)

    def _start(self, order: Order, at: int) -> None:
        self._journal.start(order, at)
        self._meeting.start(order, at)
        if not order.waits_for_stop and not in_auction(order):
            self._arrive(order, at)

    def _arrive(self, order: Order, at: int) -> None:
        """Meet the quote in force; what must be done at once and is not is canceled."""
        order.progress.seen = at
        quote = self._outlook.quote(order, at)
        if quote is not None:
            if reached(self.model, order, np.array([quote], TICK))[0] and enough(self.model, order, quote):
                self._fill(order, at, *offered(self.model, order, quote, arriving=True), resting=False)
            self._meeting.rest(order, quote, at)
        if order.open and order.ticket.time_in_force in AT_ONCE:
            self.end(order, "canceled", at)

    def _auction(self, order: Order, at: int) -> None:
        """Fill an order at the price of its auction, or end it."""
        found = self._auctions.price(order, at)
        if found is not None:
            paid = worse(self.model, order, found)
            self._fill(order, at, order.left(paid), paid, resting=False)
        if order.open:
            self.end(order, "canceled", at)

    def _fill(self, order: Order, at: int, qty: Decimal, paid: Decimal, *, resting: bool) -> None:
        if qty <= 0:
            return
        signed = qty if order.ticket.buys else -qty
        left = order.left(paid) - qty
        fee = self.model.fee(signed, paid, first=order.fills == 0, resting=resting)
        self._journal.put(
            "filled", at, order.id, id=identity("fill", order.id, plain(order.filled_qty + qty)), qty=plain(qty),
            price=plain(paid), left=plain(left), done=left <= 0, fee=plain(fee),
        )  # fmt: skip
        self._journal.settle_group(order, at)


def _coming(order: Order) -> bool:
    """Whether an order has yet to reach the market."""
    return order.status in ("accepted", "pending_new")


def _at_market(order: Order) -> bool:
    """Whether an order has reached the market and may fill: a leg only once what it exits is held."""
    return not _coming(order) and (not order.role or order.armed)
