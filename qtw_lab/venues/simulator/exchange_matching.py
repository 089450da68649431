"""How open orders of the simulator's exchange meet the market's events: step by step, in the order of arrival."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.ledger.amounts import plain, price
from qtw_lab.ledger.book import Book, Fill
from qtw_lab.venues.conditions import rules
from qtw_lab.venues.market import Arrivals, Market
from qtw_lab.venues.moments import SECOND, identity
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.simulator.exchange_orders import Order
from qtw_lab.venues.ticks import QUOTE, TICK, TRADE, Rows
from qtw_lab.venues.wire.values import moment_text

#: Market events are read in pieces of at most this length.
_PIECE: Final = 300 * SECOND

_STOPS: Final = ("stop", "stop_limit")
_AT_ONCE: Final = ("ioc", "fok")


class _Event(NamedTuple):
    """An event that does something to an order: when it arrived, its row, whether the order meets a quote as new."""

    at: int
    row: int
    arriving: bool


class _Piece:
    """A piece of the market's events, and which of them are each symbol's."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.rows, self.times = arrivals
        kinds = self.rows["kind"]
        self._kept = (kinds == TRADE) | (kinds == QUOTE)
        self._own: dict[int, npt.NDArray[np.intp]] = {}

    def of(self, number: int) -> npt.NDArray[np.intp]:
        """Places of a symbol's trades and quotes."""
        if number not in self._own:
            self._own[number] = np.flatnonzero(self._kept & (self.rows["symbol"] == number))
        return self._own[number]


class Matching:
    """Starts, fills, elects and ends orders.

    Parameters
    ----------
    market : Market
        Gives quotes and trades as they arrive.
    hours : Hours
        When it trades.
    book : Book
        Takes the fills.
    updates : collections.deque
        Takes what there is to tell.
    sized : bool
        Whether a quote fills no more than it shows.
    """

    def __init__(
        self, market: Market, hours: Hours, book: Book, updates: deque[dict[str, Any]], *, sized: bool
    ) -> None:
        self._market, self._hours, self._book, self._updates, self._sized = market, hours, book, updates, sized

    def pause(self, since: int, until: int, orders: Sequence[Order]) -> int:
        """Where to stop on the way: at the end of a piece, or before trading begins where there is none now."""
        extended = any(order.terms.extended_hours for order in orders)
        session = self._hours.current(since + 1, extended=extended)
        begins = session.early if extended else session.opens
        return min(until, begins - 1) if since + 1 < begins else min(until, since + _PIECE)

    def meet(self, orders: Sequence[Order], since: int, until: int) -> None:
        """Let these orders meet all that arrives after `since` and up to `until`."""
        piece = self._piece(orders, since, until)
        steps: list[tuple[int, int, str, int, bool]] = []
        for place, order in enumerate(orders):
            self._plan(steps, place, order, piece, until)
        while steps:
            at, place, what, row, arriving = heapq.heappop(steps)
            order = orders[place]
            if what == "start":
                self._start(order, at)
            elif what == "elect":
                order.elected = True
                self._arrive(order, at)
            elif what == "fill":
                self._fill(order, at, piece.rows[row], arriving=arriving)
            else:
                self.end(order, "expired", at)
            order.seen = max(order.seen, at)
            self._plan(steps, place, order, piece, until)
        for order in orders:
            if order.open and order.status != "accepted":
                self._note_session(order, piece)
                order.seen = max(order.seen, until)

    def end(self, order: Order, status: str, at: int) -> None:
        """End an order: canceled, expired or replaced."""
        order.status = status
        setattr(order, f"{status}_at", at)
        self._tell(order, status, at)

    def _piece(self, orders: Sequence[Order], since: int, until: int) -> _Piece:
        extended = any(order.terms.extended_hours for order in orders)
        trading = any(self._hours.trades(at, extended=extended) for at in (since + 1, until))
        if not orders or until <= since or not trading:
            return _Piece(Arrivals(np.empty(0, TICK), np.empty(0, np.int64)))
        numbers = sorted({order.number for order in orders})
        return _Piece(self._market.arrivals(since + 1, until + 1, numbers))

    def _plan(
        self, steps: list[tuple[int, int, str, int, bool]], place: int, order: Order, piece: _Piece, until: int
    ) -> None:
        """Put the next thing that happens to an order among the steps."""
        if not order.open:
            return
        if order.status in {"accepted", "pending_new"}:
            if order.live <= until:
                heapq.heappush(steps, (order.live, place, "start", -1, False))
            return
        stopped = order.terms.kind in _STOPS and not order.elected
        found = self._election(order, piece) if stopped else self._quote(order, piece)
        if order.expires <= (until if found is None else found.at):
            heapq.heappush(steps, (order.expires, place, "expire", -1, False))
        elif found is not None:
            heapq.heappush(steps, (found.at, place, "elect" if stopped else "fill", found.row, found.arriving))

    def _start(self, order: Order, at: int) -> None:
        order.status = "new"
        self._tell(order, "new", at)
        if order.terms.kind not in _STOPS:
            self._arrive(order, at)

    def _arrive(self, order: Order, at: int) -> None:
        """Meet the quote in force; what must be done at once and is not is canceled."""
        order.seen = at
        begins = self._begins(order, at)
        for row in self._market.latest_quotes([order.number], at):
            if row["time"] >= begins:  # a quote of an earlier session is no quote of this one
                order.rested = begins
                if self._reached(order, np.array([row], TICK))[0] and self._all_or_part(order, row):
                    self._fill(order, at, row, arriving=True)
        if order.open and order.terms.time_in_force in _AT_ONCE:
            self.end(order, "canceled", at)

    def _all_or_part(self, order: Order, row: Any) -> bool:
        if not self._sized or order.terms.time_in_force != "fok":
            return True
        shown, asked = self._side(order, row)
        return shown >= order.left(asked)

    def _trading(self, order: Order, piece: _Piece) -> npt.NDArray[np.intp]:
        """Places of the events that an order has yet to meet, in the hours in which it trades."""
        own = piece.of(order.number)
        times = piece.times[own]
        extended = order.terms.extended_hours
        return own[(times > order.seen) & self._hours.trading(times, extended=extended)]

    def _election(self, order: Order, piece: _Piece) -> _Event | None:
        """The first trade that elects a stop."""
        own = self._trading(order, piece)
        rows = piece.rows[own]
        stop = float(order.terms.stop_price or 0)
        through = rows["price"] >= stop if order.terms.buys else rows["price"] <= stop
        own = own[(rows["kind"] == TRADE) & through]
        for place in own:
            row = piece.rows[place]
            if not int(row["conditions"]) & rules(int(row["tape"])).no_last:
                return _Event(int(piece.times[place]), int(place), arriving=True)
        return None

    def _quote(self, order: Order, piece: _Piece) -> _Event | None:
        """The first quote that fills an order."""
        own = self._trading(order, piece)
        own = own[piece.rows[own]["kind"] == QUOTE]
        reached = np.flatnonzero(self._reached(order, piece.rows[own]))
        if not len(reached):
            return None
        place = int(own[reached[0]])
        at = int(piece.times[place])
        begins = self._begins(order, at)
        first = not (piece.times[own[: reached[0]]] >= begins).any()
        return _Event(at, place, arriving=order.rested != begins and first)

    def _reached(self, order: Order, quotes: Rows) -> npt.NDArray[np.bool_]:
        """Which quotes fill an order, by their price (and by showing any size, where that counts)."""
        terms = order.terms
        asked, shown = ("other_price", "other_size") if terms.buys else ("price", "size")
        reached: npt.NDArray[np.bool_] = quotes[asked] > 0
        if self._sized:
            reached &= quotes[shown] > 0
        if terms.limit_price is not None:
            limit = float(terms.limit_price)
            reached &= quotes[asked] <= limit if terms.buys else quotes[asked] >= limit
        return reached

    def _side(self, order: Order, quote: Any) -> tuple[Decimal, Decimal]:
        """Shares that a quote shows to an order, and their price."""
        asked, shown = ("other_price", "other_size") if order.terms.buys else ("price", "size")
        return price(quote[shown] if quote[shown] > 0 else 0.0), price(quote[asked])

    def _fill(self, order: Order, at: int, quote: Any, *, arriving: bool) -> None:
        terms = order.terms
        shown, paid = self._side(order, quote)
        if terms.limit_price is not None and not arriving:
            paid = terms.limit_price
        qty = order.left(paid)
        if self._sized:
            qty = min(qty, shown)
        order.filled_qty += qty
        order.filled_value += qty * paid
        left = order.left(paid)
        done = left <= 0
        order.status = "filled" if done else "partially_filled"
        order.filled_at = at
        fill = Fill(
            identity("fill", order.id, plain(order.filled_qty)), order.id, terms.symbol, order.number, terms.side, at,
            paid, qty, left, order.filled_qty, order.status,
        )  # fmt: skip
        self._book.record(fill)
        held = plain(self._book.held(terms.symbol))
        more = {"price": plain(paid), "qty": plain(qty), "position_qty": held}
        self._tell(order, "fill" if done else "partial_fill", at, execution=fill.id, **more)

    def _note_session(self, order: Order, piece: _Piece) -> None:
        """Remember the session in which an order has met a quote: from then on it rests."""
        own = self._trading(order, piece)
        own = own[piece.rows[own]["kind"] == QUOTE]
        if len(own):
            order.rested = self._begins(order, int(piece.times[own[-1]]))

    def _begins(self, order: Order, at: int) -> int:
        session = self._hours.current(at, extended=order.terms.extended_hours)
        return session.early if order.terms.extended_hours else session.opens

    def _tell(self, order: Order, event: str, at: int, execution: str | None = None, **more: str) -> None:
        order.updated = max(order.updated, at)
        told = {
            "event": event,
            "execution_id": execution or identity("execution", order.id, event, at, plain(order.filled_qty)),
            "order": order.json(),
            "timestamp": moment_text(at),
        }
        self._updates.append({**told, **more})
