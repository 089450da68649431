"""What a plain account is made of: sessions, rows of the market, what an order asks for and how far it has come.

Times are whole seconds since 1970. Nothing of the broker is imported, so where both agree they agree by the rules.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
#: Weekdays of the second half of 2024 without a session, and those whose session ends at 13:00 (nyse.com).
CLOSED = {"2024-07-04", "2024-09-02", "2024-11-28", "2024-12-25"}
HALF = {"2024-07-03", "2024-11-29", "2024-12-24"}
BILLIONTH = Decimal("0.000000001")
ENDED = ("filled", "canceled", "expired", "replaced")
ZERO = Decimal(0)


class RefusedHereError(Exception):
    """The account does not take that."""


class Day(NamedTuple):
    """A session: when extended trading begins, the opening, the close, when extended trading ends."""

    early: int
    opens: int
    closes: int
    late: int


class Tick(NamedTuple):
    """A quote (`bid`, `ask` and what they show, 0 for none) or a trade (`price`), by which prices are set or not."""

    at: int
    symbol: str
    price: Decimal | None = None
    sets: bool = True
    bid: Decimal = ZERO
    ask: Decimal = ZERO
    shown: Decimal = ZERO


@dataclass(frozen=True)
class Wish:
    """What an order asks for."""

    symbol: str
    side: str
    kind: str
    life: str
    name: str = ""
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    extended: bool = False
    shape: str = "simple"
    target: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None

    @property
    def buys(self):
        return self.side == "buy"

    @property
    def whole(self):
        return self.qty is not None and self.qty % 1 == 0


@dataclass(eq=False)
class PlainOrder:
    """An order and how far it has come; `met` is the session in which it has last seen a quote."""

    wish: Wish
    status: str
    live: int
    expires: int
    qty: Decimal | None
    parent: "PlainOrder | None" = None
    role: str = ""
    legs: list = field(default_factory=list)
    before: "PlainOrder | None" = None
    armed: bool = False
    elected: bool = False
    filled: Decimal = ZERO
    value: Decimal = ZERO
    reserve: Decimal = ZERO
    seen: int = 0
    met: int = 0

    @property
    def open(self):
        return self.status not in ENDED

    @property
    def coming(self):
        return self.status in ("accepted", "pending_new")

    @property
    def waits(self):
        return self.wish.kind.startswith("stop") and not self.elected

    @property
    def limit(self):
        wish = self.wish
        return wish.stop * Decimal("1.04") if wish.kind == "stop" and wish.buys else wish.limit

    def left(self, price):
        if self.qty is not None:
            return self.qty - self.filled
        return ((self.wish.notional - self.value) / price).quantize(BILLIONTH, ROUND_DOWN)


def days(first: date, count: int) -> list[Day]:
    """The sessions of so many days from a date on."""
    found = []
    for number in range(count):
        day = first + timedelta(number)
        if day.weekday() < 5 and day.isoformat() not in CLOSED:
            end = (13, 17) if day.isoformat() in HALF else (16, 20)
            clock = [(4, 0), (9, 30), (end[0], 0), (end[1], 0)]
            found.append(Day(*(int(datetime(*day.timetuple()[:3], *at, tzinfo=NEW_YORK).timestamp()) for at in clock)))
    return found
