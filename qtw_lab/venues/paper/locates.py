"""Locates: shares that are hard to borrow, promised to an account for a day, and how many of those are left.

Source: Alpaca's page "Margin and Short Selling", its guide "HTB for Broker API", and the reference of its locates
endpoints, September 2026. A name that is easy to borrow is sold short without further ado; one that is hard to borrow
needs a locate first. Locates come in lots of 100 shares, cost a fee at once that is never given back, serve once (what
is covered cannot be sold short again under them), and end at 20:00 in New York on their trading date.

Two choices: the trading date is that of the session that trades next, which from 20:00 on is tomorrow's; and short
sales of a name that is hard to borrow are canceled when it ends, as Alpaca does with those of a name that turns so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.venues.moments import DAY, EASTERN, SECOND, eastern, instant
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.orders import Order

#: Locates are for so many shares, or a multiple of them.
LOT: Final = 100
_ROLL: Final = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: so many shares of a symbol, for no more than `limit` a share, in whole where `all_or_none`.

    `key` is the client's name for the question: asked again under it, it is answered as it was.
    """

    symbol: str
    qty: int
    limit: Decimal | None = None
    all_or_none: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Locate:
    """A locate that was asked for. Times are nanoseconds since 1970, UTC.

    Parameters
    ----------
    id : str
        Its name.
    wanted : Wanted
        What was asked for.
    created, expires : int
        When it was made, and when it ends.
    date : str
        Its trading date, YYYY-MM-DD.
    qty : int
        Shares located; 0 where it was rejected.
    price : Decimal
        Dollars that each of them cost.
    """

    id: str
    wanted: Wanted
    created: int
    expires: int
    date: str
    qty: int = 0
    price: Decimal = ZERO

    @property
    def symbol(self) -> str:
        """Of the shares."""
        return self.wanted.symbol

    @property
    def fee(self) -> Decimal:
        """What it cost, in dollars."""
        return self.qty * self.price

    def status(self, now: int) -> str:
        """What has become of it: active, expired or rejected."""
        if not self.qty:
            return "rejected"
        return "active" if now < self.expires else "expired"

    def content(self) -> dict[str, Any]:
        """As an event holds it; `Locate.of` reads it."""
        wanted = self.wanted
        return {
            "id": self.id, "symbol": wanted.symbol, "wanted": wanted.qty, "all_or_none": wanted.all_or_none,
            "limit": None if wanted.limit is None else plain(wanted.limit), "key": wanted.key, "expires": self.expires,
            "date": self.date, "qty": self.qty, "price": plain(self.price),
        }  # fmt: skip

    @classmethod
    def of(cls, said: Mapping[str, Any], at: int) -> Locate:
        """The locate that an event holds.

        Examples
        --------
        >>> locate = Locate("a", Wanted("X", 200, Decimal("0.05")), 5, 9, "2026-07-01", 100, Decimal("0.02"))
        >>> Locate.of(locate.content(), 5) == locate, locate.status(9)
        (True, 'expired')
        """
        limit = None if said["limit"] is None else Decimal(said["limit"])
        wanted = Wanted(said["symbol"], said["wanted"], limit, said["all_or_none"], said["key"])
        return cls(said["id"], wanted, at, said["expires"], said["date"], said["qty"], Decimal(said["price"]))


def trading_date(hours: Hours, moment: int) -> str:
    """The date of the session that a locate of a moment is for, YYYY-MM-DD."""
    local = eastern(moment)
    day = local.date() + timedelta(days=local.hour >= _ROLL)
    return hours.current(instant(day.isoformat()) or 0).date


def roll(day: str) -> int:
    """When the locates of a trading date end."""
    found = date.fromisoformat(day)
    return int(datetime(found.year, found.month, found.day, _ROLL, tzinfo=EASTERN).timestamp()) * SECOND


def rolls(hours: Hours, after: int, until: int) -> list[int]:
    """Moments in ``after < moment <= until`` at which locates end."""
    days = (session.date for session in hours.all if after - DAY < session.opens <= until)
    return [moment for moment in map(roll, days) if after < moment <= until]


def hard(asset: Mapping[str, Any]) -> bool:
    """Whether a name is hard to borrow; a market that says nothing of it lends it freely."""
    return bool(asset.get("borrow_status") == "hard_to_borrow")


def opens_short(order: Order) -> bool:
    """Whether an order sells what is not held."""
    return not order.ticket.buys and order.reserve > 0


def left(
    locates: Iterable[Locate], orders: Iterable[Order], others: Iterable[Order], symbol: str, now: int
) -> Decimal:  # fmt: skip
    """Located shares of a symbol that no short sale has used, and that none of the `others`, which are open, may use.

    Examples
    --------
    >>> locate = Locate("a", Wanted("X", 200), 5, 9, "2026-07-01", 200, Decimal("0.02"))
    >>> left([locate], [], [], "X", 8), left([locate], [], [], "X", 9)
    (Decimal('200'), Decimal('0'))
    """
    active = [one for one in locates if one.symbol == symbol and one.status(now) == "active"]
    if not active:
        return ZERO
    since = min(one.created for one in active)

    def under(order: Order) -> bool:
        return order.ticket.symbol == symbol and opens_short(order) and order.created >= since

    used = sum((one.filled_qty for one in orders if under(one)), ZERO)
    used += sum((one.left(one.reserve) for one in others if under(one)), ZERO)
    return sum(one.qty for one in active) - used
