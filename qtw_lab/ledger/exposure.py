"""What an account holds, and could come to hold with an order at the worst: the arithmetic that limits judge.

What is not known is None, or a NaN where it comes from outside, and so is whatever depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Final

from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.ledger.unknowns import all_known, larger, positive, product, sound

_SECOND: Final = 10**9
_MINUTE: Final = 60 * _SECOND

#: Signed shares of an order, and what one of them may cost.
_Sized = tuple[Decimal | None, Decimal | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands at a moment. What is not known is a NaN, or is missing from its mapping.

    Parameters
    ----------
    now : int
        The moment, nanoseconds since 1970, UTC.
    equity, session_equity, peak_equity : Decimal
        Dollars: now, at the start of the session, and the highest so far.
    positions : mapping of str to Decimal
        Shares held by symbol (upper case), negative where sold short.
    marks : mapping of str to Decimal
        Last prices by symbol.
    mark_times : mapping of str to int
        When those were made, nanoseconds since 1970, UTC.
    working : sequence of (str, Decimal, Decimal)
        Symbol, signed shares left and price of every open order; 0 is the price of one at the market. Of orders of
        which one cancels the other, one.
    traded : Decimal
        Dollars bought and sold so far in the session.
    order_times : sequence of int
        When orders were sent so far, nanoseconds since 1970, UTC; the last minute of it is enough.
    """

    now: int
    equity: Decimal
    session_equity: Decimal
    peak_equity: Decimal
    positions: Mapping[str, Decimal] = field(default_factory=dict)
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    mark_times: Mapping[str, int] = field(default_factory=dict)
    working: Sequence[tuple[str, Decimal, Decimal]] = ()
    traded: Decimal = ZERO
    order_times: Sequence[int] = ()

    @property
    def moment(self) -> int:
        """When it stands so; taken by its pattern, because in this room `.now` is taken for a look at a clock."""
        match self:
            case Standing(now=moment):
                return moment

    def age(self, symbol: str) -> Decimal | None:
        """Seconds between the last price of a symbol and the present, whichever is later; None without a price.

        Examples
        --------
        >>> standing = Standing(10**18, *[Decimal(1)] * 3, marks={"X": Decimal(5)}, mark_times={"X": 10**18 - 10**9})
        >>> standing.age("X"), standing.age("Y")
        (Decimal('1'), None)
        """
        at = self.mark_times.get(symbol)
        known = at is not None and positive(self.marks.get(symbol)) is not None
        return Decimal(abs(self.moment - at)) / _SECOND if known and at is not None else None

    def mark(self, symbol: str, max_age: Decimal | None = None) -> Decimal | None:
        """The last price of a symbol, in dollars; None if there is none that is good.

        Parameters
        ----------
        symbol : str
            Of what.
        max_age : Decimal, optional
            Seconds that a price stays good.
        """
        if max_age is not None:
            at = self.mark_times.get(symbol)
            if at is None or abs(self.moment - at) > max_age * _SECOND:
                return None
        return positive(self.marks.get(symbol))

    def held(self, max_age: Decimal | None = None) -> Decimal | None:
        """What is held now, long and short together, in dollars; None where a price of it is not known.

        Examples
        --------
        >>> held = {"X": Decimal(3), "Y": Decimal(-2)}
        >>> Standing(0, *[Decimal(1)] * 3, positions=held, marks={"X": Decimal(5), "Y": Decimal(10)}).held()
        Decimal('35')
        """
        values = all_known(
            product(sound(shares), self.mark(symbol, max_age))
            for symbol, shares in self.positions.items()
            if shares != 0
        )
        return None if values is None else sum(map(abs, values), ZERO)

    def recent(self) -> int:
        """How many orders were sent within the last minute."""
        begins = self.moment - _MINUTE
        return sum(at > begins for at in self.order_times)


def order_prices(ticket: Ticket, mark: Decimal | None) -> list[Decimal]:
    """The last price, and those that an order names; none at all where one of them is unknown.

    A trailing stop is where it would stand now.

    Parameters
    ----------
    ticket : Ticket
        The order.
    mark : Decimal or None
        The last price, dollars.

    Examples
    --------
    >>> order_prices(Ticket("X", "buy", "limit", "day", qty=Decimal(1), limit_price=Decimal(9)), Decimal(10))
    [Decimal('10'), Decimal('9')]
    >>> order_prices(Ticket("X", "sell", "trailing_stop", "day", trail_percent=Decimal(10)), Decimal(10))
    [Decimal('10'), Decimal('9')]
    """
    if mark is None:
        return []
    named = [mark, *(price for price in (ticket.limit_price, ticket.stop_price) if price is not None)]
    trail = ticket.trail_price
    if ticket.trail_percent is not None:
        trail = mark * ticket.trail_percent / 100
    if any(positive(price) is None for price in named) or (trail is not None and positive(trail) is None):
        return []
    if trail is not None:
        named.append(mark + trail if ticket.buys else mark - trail)
    return named


@dataclass(frozen=True, slots=True)
class Reach:
    """The highest and the lowest value, in dollars, that a position can come to, whichever orders fill.

    Examples
    --------
    >>> Reach(Decimal(100), Decimal(-300)).largest
    Decimal('300')
    """

    highest: Decimal
    lowest: Decimal

    @property
    def largest(self) -> Decimal:
        """The larger of the two, whatever its sign."""
        return max(self.highest, -self.lowest)


def reach(mark: Decimal | None, held: Decimal | None, orders: Sequence[_Sized]) -> Reach | None:
    """How far a position can go with orders of so many signed shares at such prices; None where one is unknown.

    A share counts at the last price, or at the order's own where that is higher.

    Parameters
    ----------
    mark : Decimal or None
        The last price, dollars.
    held : Decimal or None
        Shares, negative where sold short.
    orders : sequence of (Decimal or None, Decimal or None)
        Signed shares and price of each.

    Examples
    --------
    >>> reach(Decimal(10), Decimal(5), [(Decimal(2), Decimal(11)), (Decimal(-6), Decimal(10))])
    Reach(highest=Decimal('72'), lowest=Decimal('-10'))
    """
    known = [(shares, price) for shares, price in orders if shares is not None and price is not None]
    if mark is None or held is None or len(known) < len(orders):
        return None
    if not known:
        return Reach(held * mark, held * mark)
    high = held + sum((shares for shares, _ in known if shares > 0), ZERO)
    low = held + sum((shares for shares, _ in known if shares < 0), ZERO)
    dearer = [shares * max(ZERO, price - mark) for shares, price in known]
    above = sum((more for more in dearer if more > 0), ZERO) if high > 0 else ZERO
    below = sum((more for more in dearer if more < 0), ZERO) if low < 0 else ZERO
    return Reach(high * mark + above, low * mark + below)


@dataclass(frozen=True)
class Case:
    """An order on an account, and what follows from it, reckoned when it is asked for; None is unknown.

    Parameters
    ----------
    ticket : Ticket
        The order.
    standing : Standing
        The account before it.
    max_age : Decimal, optional
        Seconds that a last price stays good.

    Examples
    --------
    >>> standing = Standing(0, *[Decimal(1000)] * 3, positions={"X": Decimal(5)}, marks={"X": Decimal(10)})
    >>> case = Case(Ticket("X", "buy", "limit", "day", qty=Decimal(2), limit_price=Decimal(11)), standing)
    >>> case.value, case.gross, case.reduces
    (Decimal('22'), Decimal('72'), False)
    """

    ticket: Ticket
    standing: Standing
    max_age: Decimal | None = None

    @cached_property
    def symbol(self) -> str:
        """In upper case."""
        return self.ticket.symbol.upper()

    @cached_property
    def mark(self) -> Decimal | None:
        """The last price, if it is good."""
        return self._mark(self.symbol)

    @cached_property
    def prices(self) -> list[Decimal]:
        """Those of the order with the last one; none where one is unknown."""
        return order_prices(self.ticket, self.mark)

    @cached_property
    def shares(self) -> Decimal | None:
        """Signed shares; of an order in dollars as many as they can come to."""
        size = positive(self.ticket.qty)
        if self.ticket.qty is None and self.prices:
            dollars = positive(self.ticket.notional)
            size = None if dollars is None else dollars / min(self.prices)
        if size is None:
            return None
        return size if self.ticket.buys else -size

    @cached_property
    def value(self) -> Decimal | None:
        """Dollars of the order at the worst."""
        if self.ticket.qty is None:
            return positive(self.ticket.notional)
        return sound(product(positive(self.ticket.qty), max(self.prices, default=None)))

    @cached_property
    def reduces(self) -> bool:
        """Whether it leaves a position of the same side, or none, though all open orders of its side fill before it."""
        held = sound(self.standing.positions.get(self.symbol, ZERO))
        lefts = [sound(left) for name, left, _ in self.standing.working if name == self.symbol]
        shares = self.shares
        if shares is None or held is None or None in lefts or held * shares >= 0:
            return False
        same = [abs(left) for left in lefts if left is not None and left * shares > 0]
        return abs(held) >= abs(shares) + sum(same, ZERO)

    @cached_property
    def lowest(self) -> Decimal | None:
        """The fewest shares that could be held once this order and all open ones that sell have filled."""
        lefts = (sound(left) for name, left, _ in self.standing.working if name == self.symbol)
        parts = all_known([sound(self.standing.positions.get(self.symbol, ZERO)), self.shares, *lefts])
        return None if parts is None else parts[0] + sum((shares for shares in parts[1:] if shares < 0), ZERO)

    @cached_property
    def reaches(self) -> dict[str, Reach | None]:
        """How far each position can go that is held or ordered."""
        standing = self.standing
        orders: dict[str, list[_Sized]] = {symbol: [] for symbol, shares in standing.positions.items() if shares != 0}
        for symbol, left, price in standing.working:
            orders.setdefault(symbol, []).append((sound(left), sound(price)))
        orders.setdefault(self.symbol, []).append((self.shares, max(self.prices, default=None)))
        return {
            symbol: reach(self._mark(symbol), sound(standing.positions.get(symbol, ZERO)), in_symbol)
            for symbol, in_symbol in orders.items()
        }

    @property
    def symbol_value(self) -> Decimal | None:
        """Dollars that could be held of the symbol, long or short."""
        found = self.reaches[self.symbol]
        return None if found is None else found.largest

    @cached_property
    def gross(self) -> Decimal | None:
        """Dollars that could be held, long and short together."""
        reaches = all_known(self.reaches.values())
        return None if reaches is None else sum((one.largest for one in reaches), ZERO)

    @property
    def net(self) -> Decimal | None:
        """Dollars by which long and short could differ, whichever is more."""
        reaches = all_known(self.reaches.values())
        if reaches is None:
            return None
        return max(sum((one.highest for one in reaches), ZERO), -sum((one.lowest for one in reaches), ZERO))

    @property
    def turnover(self) -> Decimal | None:
        """Dollars that were traded, will be by this order, and would be by the open ones."""
        open_orders = (
            product(sound(left), larger(self._mark(symbol), sound(price)))
            for symbol, left, price in self.standing.working
        )
        dollars = all_known([sound(self.standing.traded), self.value, *open_orders])
        return None if dollars is None else sum(map(abs, dollars), ZERO)

    @property
    def band(self) -> Decimal | None:
        """How far, in dollars, the worst price of the order and its legs lies on the side worse for the account."""
        tickets = (self.ticket, *self.ticket.exits())
        mark = self.mark
        if mark is None or not all(order_prices(ticket, mark) for ticket in tickets):
            return None
        return max(
            price - mark if ticket.buys else mark - price for ticket in tickets for price in order_prices(ticket, mark)
        )

    @cached_property
    def _marks(self) -> dict[str, Decimal | None]:
        return {}

    def _mark(self, symbol: str) -> Decimal | None:
        if symbol not in self._marks:
            self._marks[symbol] = self.standing.mark(symbol, self.max_age)
        return self._marks[symbol]
