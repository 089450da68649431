"""The market as an order sees it: the piece of its events that lies ahead, the quote in force, the last price."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab.ledger.amounts import price
from qtw_lab.venues.conditions import rules
from qtw_lab.venues.market import Arrivals, Prices
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.ticks import QUOTE, TICK, TRADE

#: Rows of a piece by their places in it.
Places = npt.NDArray[np.intp]


class Piece:
    """A piece of the market's events, and which of them are each symbol's.

    Parameters
    ----------
    arrivals : Arrivals
        `TICK` rows, and when each arrived.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self.rows, self.times = arrivals
        kinds = self.rows["kind"]
        self._kept = (kinds == TRADE) | (kinds == QUOTE)
        self._own: dict[int, Places] = {}

    def any(self, number: int) -> bool:
        """Whether it has trades or quotes of a symbol."""
        return len(self.rows) > 0 and len(self.of(number)) > 0

    def of(self, number: int) -> Places:
        """Places of a symbol's trades and quotes."""
        if number not in self._own:
            self._own[number] = np.flatnonzero(self._kept & (self.rows["symbol"] == number))
        return self._own[number]

    def quotes(self, places: Places) -> Places:
        """Those of the places that are quotes."""
        found: Places = places[self.rows["kind"][places] == QUOTE]
        return found

    def setting(self, places: Places) -> Places:
        """Those of the places that are trades which set a price."""
        trades: Places = places[self.rows["kind"][places] == TRADE]
        rows = self.rows[trades]
        sets = [not int(c) & rules(int(tape)).no_last for c, tape in zip(rows["conditions"], rows["tape"], strict=True)]
        found: Places = trades[np.array(sets, dtype=bool)]
        return found


class Outlook:
    """What orders can see of a market.

    Parameters
    ----------
    market : Prices
        Gives quotes and trades as they arrive.
    hours : Hours
        When it trades.
    """

    def __init__(self, market: Prices, hours: Hours) -> None:
        self._market, self._hours = market, hours

    def piece(self, orders: Sequence[Order], since: int, until: int) -> Piece:
        """What arrives of the orders' symbols after `since` and up to `until`; nothing where there is no trading."""
        extended = any(order.ticket.extended_hours for order in orders)
        trading = any(self._hours.trades(at, extended=extended) for at in (since + 1, until))
        if not orders or until <= since or not trading:
            return Piece(Arrivals(np.empty(0, TICK), np.empty(0, np.int64)))
        numbers = sorted({order.number for order in orders})
        return Piece(self._market.arrivals(since + 1, until + 1, numbers))

    def ahead(self, order: Order, piece: Piece) -> Places:
        """Places of the events that an order has yet to meet, in the hours in which it trades."""
        own = piece.of(order.number)
        times = piece.times[own]
        return own[(times > order.progress.seen) & self._hours.trading(times, extended=order.ticket.extended_hours)]

    def begins(self, order: Order, at: int) -> int:
        """When the session of a moment begins for an order."""
        session = self._hours.current(at, extended=order.ticket.extended_hours)
        return session.early if order.ticket.extended_hours else session.opens

    def quote(self, order: Order, at: int) -> Any | None:
        """The quote in force at a moment; None where there is none of this session."""
        begins = self.begins(order, at)
        for row in self._market.latest_quotes([order.number], at):
            if row["time"] >= begins:  # a quote of an earlier session is no quote of this one
                return row
        return None

    def inside_quote(self, order: Order, piece: Piece, place: int) -> bool:
        """Whether a trade lies within the quote in force; true where there is none of this session."""
        own = piece.of(order.number)
        before = piece.quotes(own[own < place])
        at, paid = int(piece.times[place]), piece.rows["price"][place]
        rows = piece.rows[before[-1:]] if len(before) else self._market.latest_quotes([order.number], at - 1)
        begins = self.begins(order, at)
        return all(
            row["price"] - 1e-9 <= paid <= row["other_price"] + 1e-9
            for row in rows
            if row["time"] >= begins and row["price"] > 0 and row["other_price"] > 0
        )

    def last_price(self, order: Order, at: int, since: int | None = None) -> Decimal | None:
        """The price of the last trade up to a moment; None where there is none, or none since then."""
        for row in self._market.latest_trades([order.number], at):
            if since is None or row["time"] >= since:
                return price(row["price"])
        return None
