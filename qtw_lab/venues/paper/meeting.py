"""What an order meets in a piece of the market's events: trades that elect it, quotes it reaches, the queue before it.

Of an order only its `progress` is changed here.
"""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.ledger.amounts import ZERO, price
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.outlook import Outlook, Piece, Places
from qtw_lab.venues.paper.portions import reached, share


class Met(NamedTuple):
    """Something that happens to an order: when, what, by which row of the piece, and whether it meets that as new."""

    at: int
    what: str
    row: int = -1
    arriving: bool = False


class Meeting:
    """Finds what orders meet, and remembers how far they have come.

    Parameters
    ----------
    outlook : Outlook
        What they see of the market.
    model : FillModel
        How generous it is.
    """

    def __init__(self, outlook: Outlook, model: FillModel) -> None:
        self._outlook, self._model = outlook, model

    def first(self, order: Order, piece: Piece) -> Met | None:
        """The first event of a piece that elects or fills an order; None where none does."""
        if order.waits_for_stop:
            return self._election(order, piece)
        own = self._outlook.ahead(order, piece)
        found = (self._quoted(order, piece, own), self._printed(order, piece, own))
        return min((met for met in found if met is not None), key=attrgetter("at"), default=None)

    def served(self, order: Order, at: int, trade: Any) -> tuple[Decimal, Decimal]:
        """Shares and price that a trade gives to an order in the queue: what is left of it by those before it."""
        limit, ahead, size = order.limit or ZERO, order.progress.ahead or ZERO, price(trade["size"])
        beyond = float(trade["price"]) != float(limit)
        rest = size if beyond else size - max(ahead - self._served_before(order, at), ZERO)
        order.progress.ahead = ZERO
        qty = min(order.left(limit), share(self._model, order, max(rest, ZERO)))
        return self._model.part(order.id, order.fills, qty), limit

    def start(self, order: Order, at: int) -> None:
        """Remember from which price a trailing stop starts."""
        if order.ticket.kind == "trailing_stop":
            order.progress.best = self._outlook.last_price(order, at)

    def rest(self, order: Order, quote: Any, at: int) -> None:
        """Remember that an order has met a quote of this session, and how many shares are before it at its limit."""
        order.progress.rested = self._outlook.begins(order, at)
        if self._model.queue is None or order.limit is None or not order.open:
            return
        bid, size = ("price", "size") if order.ticket.buys else ("other_price", "other_size")
        same = float(quote[bid]) == float(order.limit)
        shown = price(quote[size] if same and quote[size] > 0 else 0.0)
        order.progress.ahead = shown * Decimal(repr(float(self._model.queue)))

    def met(self, order: Order, piece: Piece, until: int) -> None:
        """Remember that an order has met quotes of a session, up to a moment: to the next it is no new one."""
        own = self._outlook.ahead(order, piece)
        quotes = piece.quotes(own[piece.times[own] <= until])
        if len(quotes):
            order.progress.rested = self._outlook.begins(order, int(piece.times[quotes[-1]]))

    def follow(self, order: Order, piece: Piece, until: int) -> None:
        """Let a trailing stop follow the trades of a piece, up to a moment."""
        if order.ticket.kind != "trailing_stop" or not order.waits_for_stop:
            return
        own = piece.setting(self._outlook.ahead(order, piece))
        own = own[piece.times[own] <= until]
        if len(own):
            prices, now = piece.rows["price"][own], order.progress.best
            best = price(float(prices.min() if order.ticket.buys else prices.max()))
            order.progress.best = best if now is None else min(now, best) if order.ticket.buys else max(now, best)

    def passed(self, order: Order, piece: Piece, until: int) -> None:
        """Remember how far an order that stays open has met a piece, which ends then."""
        self.met(order, piece, until)
        self.follow(order, piece, until)
        if order.progress.ahead is not None and order.limit is not None:
            order.progress.ahead = max(order.progress.ahead - self._at_limit(order, piece), ZERO)

    def recover(self, order: Order) -> None:
        """Find out again how far an order had come when its last event was written down."""
        progress = order.progress
        if progress.best is None:
            self.start(order, progress.seen)
        quote = self._outlook.quote(order, progress.seen)
        if quote is not None:
            self.rest(order, quote, progress.seen)
        if order.fills and progress.ahead is not None:
            progress.ahead = ZERO

    def _election(self, order: Order, piece: Piece) -> Met | None:
        """When the first trade elects a stop; a trailing one follows the trades before."""
        own = piece.setting(self._outlook.ahead(order, piece))
        if not len(own):
            return None
        prices = piece.rows["price"][own]
        if order.ticket.kind == "trailing_stop":
            stops = _trail(order, prices)
        else:
            stops = np.full(len(own), float(order.stop or 0))
        through = prices >= stops if order.ticket.buys else prices <= stops
        for place in own[through]:
            if self._outlook.inside_quote(order, piece, int(place)):
                return Met(int(piece.times[place]), "elect")
        return None

    def _quoted(self, order: Order, piece: Piece, own: Places) -> Met | None:
        """The first quote that fills an order."""
        quotes = piece.quotes(own)
        hits = np.flatnonzero(reached(self._model, order, piece.rows[quotes]))
        if not len(hits):
            return None
        place = int(quotes[hits[0]])
        at = int(piece.times[place])
        begins = self._outlook.begins(order, at)
        first = not (piece.times[quotes[: hits[0]]] >= begins).any()
        return Met(at, "quote", place, arriving=order.progress.rested != begins and first)

    def _printed(self, order: Order, piece: Piece, own: Places) -> Met | None:
        """The first trade that reaches an order in the queue at its limit."""
        limit, ahead = order.limit, order.progress.ahead
        if self._model.queue is None or limit is None or ahead is None:
            return None
        trades = piece.setting(own)
        prices, sizes = piece.rows["price"][trades], piece.rows["size"][trades]
        way = 1.0 if order.ticket.buys else -1.0
        better, same = way * prices < way * float(limit), prices == float(limit)
        served = np.cumsum(np.where(same, sizes, 0.0))
        hits = np.flatnonzero(better | (same & (served > float(ahead))))
        if not len(hits):
            return None
        place = int(trades[hits[0]])
        return Met(int(piece.times[place]), "print", place)

    def _served_before(self, order: Order, at: int) -> Decimal:
        """Shares that traded at its limit since it was last looked at and before a moment."""
        return self._at_limit(order, self._outlook.piece([order], order.progress.seen, at - 1))

    def _at_limit(self, order: Order, piece: Piece) -> Decimal:
        """Shares of a piece that trade at an order's limit."""
        trades = piece.setting(self._outlook.ahead(order, piece))
        same = piece.rows["price"][trades] == float(order.limit or 0)
        return price(float(piece.rows["size"][trades][same].sum()))


def _trail(order: Order, prices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Where a trailing stop stands at each trade: a best price cannot elect it, so the trade itself may count."""
    ticket, start = order.ticket, order.progress.best
    follow = np.minimum if ticket.buys else np.maximum
    best = follow.accumulate(prices)
    if start is not None:
        best = follow(best, float(start))
    away = (
        float(ticket.trail_price) if ticket.trail_price is not None else best * float(ticket.trail_percent or 0) / 100
    )
    stops: npt.NDArray[np.float64] = np.round(best + away if ticket.buys else best - away, 6)
    return stops
