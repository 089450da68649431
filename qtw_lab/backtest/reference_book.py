"""What the reference engine keeps of each symbol: the position, its exits, and the orders that work for it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from qtw_lab.core import Order
from qtw_lab.ledger import Entry, Stops
from qtw_lab.ledger.purse import sign

NAN: Final = float("nan")
#: A position below this fraction of the fill that left it is none.
CRUMB: Final = 1e-12

#: Why a fill happened, by place.
REASONS: Final = ("signal", "rebalance", "stop_loss", "take_profit", "trailing_stop", "margin_call", "order")
#: What became of an order given by hand, by place.
STATES: Final = ("open", "filled", "expired", "cancelled", "rejected")
#: Times in force that have one moment, the open, and one bar.
AT_THE_OPEN: Final = ("ioc", "fok", "opg")
ONE_BAR: Final = (*AT_THE_OPEN, "cls")


class Fill(NamedTuple):
    """One trade: bar and symbol by place, signed shares, price paid and quoted, why, the fees, and which order."""

    bar: int
    symbol: int
    quantity: float
    price: float
    quoted: float
    reason: str
    commission: float = 0.0
    ambiguous: bool = False
    order: int = -1


class Wish(NamedTuple):
    """A trade that is wanted now, cut to lots and to the bar's volume but not yet to the money there is."""

    bar: int
    symbol: int
    quantity: float
    price: float
    quoted: float
    reason: str
    bps: float
    per_order: float
    order: int = -1
    rest: float = 0.0
    closing: bool = False


class Remainder(NamedTuple):
    """What the bar's volume left of a market order: signed shares, whether it closes, whether it has paid its fee."""

    quantity: float
    closing: bool
    charged: bool


@dataclass(eq=False)
class Working:
    """An order in the book: given by hand, a leg of a bracket, or an entry that is sized when it fills.

    `left` are shares, without sign; `starts` the first bar it may live on; `decision` the signal of an entry that has
    no size yet. A stop that is touched turns into a market order, a stop-limit into a limit order.
    """

    side: int
    kind: str
    left: float
    starts: int
    reason: str
    order: int = -1
    leg: bool = False
    decision: float | None = None
    limit: float = NAN
    stop: float = NAN
    trail: float = 0.0
    trail_percent: float = 0.0
    life: str = "gtc"
    good_for: int | None = None
    group: tuple[str, str] | None = None
    take_profit: float | None = None
    stop_loss: float | None = None
    relative: bool = False
    state: str = "open"
    filled: float = 0.0
    paid: float = 0.0
    best: float = NAN
    touched: bool = False
    charged: bool = False
    tested: bool = False
    age: int = 0

    @classmethod
    def given(cls, order: Order, place: int, starts: int) -> Working:
        """The order at `place` of the list, live from bar `starts`."""
        return cls(
            side=1 if order.side == "buy" else -1, kind=order.type, left=float(order.quantity), starts=starts,
            reason="order", order=place, limit=order.limit_price or NAN, stop=order.stop_price or NAN,
            trail=order.trail_price or 0.0, trail_percent=order.trail_percent or 0.0, life=order.time_in_force,
            good_for=order.good_for, group=None if order.oco is None else ("oco", order.oco),
            take_profit=order.take_profit, stop_loss=order.stop_loss, relative=order.legs_relative,
        )  # fmt: skip

    @classmethod
    def entry(cls, entry: Entry, decision: float, close: float, starts: int, reason: str) -> Working:
        """The order that opens a position as `decision` says, priced from the close it was decided at."""
        side = sign(decision)
        limit, stop = close * (1.0 - side * entry.offset), close * (1.0 + side * entry.offset)
        if entry.type == "stop_limit":
            limit = stop * (1.0 + side * entry.limit_offset)
        life = "day" if entry.day else "gtc"
        return cls(
            side=side, kind=entry.type, left=NAN, starts=starts, reason=reason, decision=decision, limit=limit,
            stop=stop, life=life, good_for=entry.good_for,
        )  # fmt: skip

    def legs(self, bar: int) -> Iterator[Working]:
        """The exits of a bracket that is wholly filled, for what was filled: the stop before the target."""
        mean, out = self.paid / self.filled, -self.side
        for kind, given, reason, way in (
            ("stop", self.stop_loss, "stop_loss", -1), ("limit", self.take_profit, "take_profit", 1),
        ):  # fmt: skip
            if given is None:
                continue
            price = mean * (1.0 + way * self.side * given) if self.relative else given
            yield Working(
                side=out, kind=kind, left=self.filled, starts=bar, reason=reason, order=self.order, leg=True,
                limit=price, stop=price, group=("legs", str(self.order)),
            )  # fmt: skip

    def split(self, ratio: float) -> None:
        """Shares times `ratio`, prices divided by it."""
        self.left, self.filled = self.left * ratio, self.filled * ratio
        self.limit, self.stop, self.best = self.limit / ratio, self.stop / ratio, self.best / ratio
        self.trail /= ratio
        if not self.relative:
            self.take_profit = None if self.take_profit is None else self.take_profit / ratio
            self.stop_loss = None if self.stop_loss is None else self.stop_loss / ratio

    def follow(self, price: float) -> None:
        """Let the best price of a trailing stop follow: the highest for a sell, the lowest for a buy."""
        if self.kind == "trailing_stop" and not self.side * self.best <= self.side * price:
            self.best = price

    def level(self) -> tuple[float, int]:
        """The price that counts, and where the order is met: 1 at or above it, -1 at or below it."""
        if self.kind == "limit":
            return self.limit, -self.side
        if self.kind == "trailing_stop":
            away = self.trail if self.trail > 0 else self.best * self.trail_percent / 100.0
            return self.best + self.side * away, self.side
        return self.stop, self.side

    def touch(self, price: float) -> None:
        """Turn a stop that the price has reached into what it becomes."""
        if self.kind in ("stop", "stop_limit", "trailing_stop"):
            level, above = self.level()
            if above * price >= above * level:
                self.touched = True
                self.kind = "limit" if self.kind == "stop_limit" else "market"

    def met(self, price: float, *, at_open: bool) -> bool:
        """Whether it would fill at this price of the path."""
        if self.life == "cls" or (self.life in AT_THE_OPEN and not at_open):
            return False
        if self.kind == "market":
            return at_open or self.touched
        return self.kind == "limit" and self.side * price <= self.side * self.limit


@dataclass(eq=False)
class Holding:
    """All that is known of one symbol.

    `heard` is the last signal, `blocked` the side whose signals are not acted on after a protective exit, `waiting` a
    decision that is to be filled at the market, `leaving` the reason of a protective exit that is not finished (and
    whether it has paid its fee by order), `room` the shares the bar's volume still allows.
    """

    shares: float = 0.0
    average: float = 0.0
    best: float = 0.0
    last: float = 0.0
    heard: float = 0.0
    blocked: int = 0
    waiting: float | None = None
    remainder: Remainder | None = None
    leaving: str = ""
    leaving_charged: bool = False
    room: float = math.inf
    entry: Working | None = None
    works: list[Working] = field(default_factory=list)
    finished: list[Working] = field(default_factory=list)

    def copy(self) -> Holding:
        """The same, to be taken along another path."""
        return replace(
            self, entry=copy.copy(self.entry), works=[copy.copy(work) for work in self.works], finished=[*self.finished]
        )

    def live(self, bar: int) -> list[Working]:
        """The orders that work in this bar, in the order given."""
        working = self.works if self.entry is None else [self.entry, *self.works]
        return [work for work in working if work.starts <= bar]

    def book(self, quantity: float, price: float, source: Working | None) -> None:
        """Take a fill: adding averages the price, an opening or a turn starts average and best price anew.

        What waits of another order is dropped if the position it belonged to is closed or turned.
        """
        side, after = sign(self.shares), self.shares + quantity
        if abs(after) <= CRUMB * abs(quantity):
            after = 0.0
        if side == sign(quantity):
            self.average = (self.shares * self.average + quantity * price) / after
        elif sign(after) != side:
            self.average = self.best = price
            if side:
                self.remainder, self.leaving = None, ""
                if self.entry is not None and self.entry is not source and self.entry.filled > 0:
                    self.entry = None
        self.shares = after

    def split(self, ratio: float, bar: int) -> None:
        """Take a split of `ratio` new shares for one before `bar` opens."""
        self.shares *= ratio
        self.average, self.best, self.last = self.average / ratio, self.best / ratio, self.last / ratio
        if self.remainder is not None:
            self.remainder = self.remainder._replace(quantity=self.remainder.quantity * ratio)
        for work in self.live(bar):
            work.split(ratio)

    def follow(self, price: float) -> None:
        """Let the position's best price follow the path."""
        if self.shares > 0:
            self.best = max(self.best, price)
        elif self.shares < 0:
            self.best = min(self.best, price)

    def exits(self, stops: Stops) -> list[tuple[float, int, str]]:
        """Stop and target of the position: price, where it is met (1: at or above), and why."""
        side = sign(self.shares)
        if not side or self.leaving:
            return []
        levels: list[tuple[float, str]] = []
        if stops.stop_loss is not None:
            levels.append((self.average * (1.0 - side * stops.stop_loss), "stop_loss"))
        if stops.trailing is not None:
            levels.append((self.best * (1.0 - side * stops.trailing), "trailing_stop"))
        if stops.trailing_amount is not None:
            levels.append((self.best - side * stops.trailing_amount, "trailing_stop"))
        found: list[tuple[float, int, str]] = []
        if levels:
            level, reason = max(levels, key=lambda pair: side * pair[0])
            found.append((level, -side, reason))
        if stops.take_profit is not None:
            found.append((self.average * (1.0 + side * stops.take_profit), side, "take_profit"))
        return found

    def finish(self, work: Working, state: str) -> None:
        """Take an order out of the book."""
        work.state = state
        if work is self.entry:
            self.entry = None
        else:
            self.works.remove(work)
            self.finished.append(work)
