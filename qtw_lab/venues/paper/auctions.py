"""Orders for the opening and the closing auction: when theirs gives a price, and which."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from qtw_lab.ledger.tickets import AUCTIONS
from qtw_lab.venues.moments import SECOND
from qtw_lab.venues.paper.hours import Hours, Session
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.outlook import Outlook, Piece

#: So long after the opening an order for the opening auction waits for its price.
_LONGEST: Final = 300 * SECOND


def in_auction(order: Order) -> bool:
    """Whether an order waits for an auction, which comes at its time."""
    return order.ticket.time_in_force in AUCTIONS


class Auctions:
    """The auctions of a market, as its trades tell of them.

    Parameters
    ----------
    outlook : Outlook
        The market's trades.
    hours : Hours
        When it opens and closes.
    """

    def __init__(self, outlook: Outlook, hours: Hours) -> None:
        self._outlook, self._hours = outlook, hours

    def time(self, order: Order, piece: Piece) -> int:
        """When the auction of an order gives a price: the first trade of the session, or its close."""
        session = self._session(order)
        if order.ticket.time_in_force == "cls":
            return session.closes
        times = piece.times[piece.setting(piece.of(order.number))]
        after = times[(times >= session.opens) & (times > order.created)]
        last = session.opens + _LONGEST
        return min(int(after[0]), last) if len(after) else last

    def price(self, order: Order, at: int) -> Decimal | None:
        """What the auction of an order gave, which is over at that moment; None where it gave none within its limit."""
        found, limit = self._outlook.last_price(order, at, self._session(order).opens), order.limit
        if found is None or limit is None:
            return found
        met = found <= limit if order.ticket.buys else found >= limit
        return found if met else None

    def _session(self, order: Order) -> Session:
        return self._hours.current(max(order.live, order.created))
