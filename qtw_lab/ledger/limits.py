"""Which orders an account allows: limits of size, price, rate, exposure and loss, judged on what is known just then.

What cannot be known counts as over its limit: an order passes because it was found good, never for want of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, TypeVar

from qtw_lab.core import DataError
from qtw_lab.ledger.amounts import ZERO, number, plain
from qtw_lab.ledger.tickets import Ticket

_Known = TypeVar("_Known")
_ONE: Final = Decimal(1)
_SECOND: Final = 10**9
_MINUTE: Final = 60 * _SECOND
#: No account has amounts like these; a figure beyond them is a mistake, and below them decimals multiply safely.
_BEYOND: Final = Decimal(10) ** 15

_AMOUNTS: Final = (
    "max_order_value", "max_order_shares", "max_symbol_value", "max_gross", "max_net", "max_leverage", "max_turnover",
    "max_price_age",
)  # fmt: skip
_FRACTIONS: Final = ("max_daily_loss", "max_drawdown", "price_band")
_COUNTS: Final = ("max_orders_per_minute", "max_open_orders")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an account allows; None is no limit, and a figure that is reached exactly is still allowed.

    Parameters
    ----------
    max_order_value : Decimal, optional
        Dollars of one order.
    max_order_shares : Decimal, optional
        Shares of one order.
    max_symbol_value : Decimal, optional
        Dollars held of one symbol, long or short.
    max_gross : Decimal, optional
        Dollars held long and short together.
    max_net : Decimal, optional
        Dollars by which long and short may differ, whichever is more.
    max_leverage : Decimal, optional
        Gross exposure as a multiple of the equity.
    max_turnover : Decimal, optional
        Dollars traded in a session as a multiple of the equity at its start.
    max_daily_loss : Decimal, optional
        Fraction of the equity at the start of the session, above 0 up to 1.
    max_drawdown : Decimal, optional
        Fraction of the highest equity, above 0 up to 1.
    max_orders_per_minute : int, optional
        Orders within 60 seconds.
    max_open_orders : int, optional
        Open orders at a time. An order counts as one, and so does a pair of exits of which one cancels the other.
    price_band : Decimal, optional
        How far a limit or stop price may lie from the last price on the side that is worse for the account (above it
        for a purchase, below it for a sale), as a fraction above 0 up to 1. The prices of legs are judged as well. A
        market order has no price to judge, but there has to be a last price.
    max_price_age : Decimal, optional
        Seconds that a last price stays good; one that is as far ahead of the present is no better.
    allow_short : bool
        Whether shares may be sold that are not held.
    symbols : frozenset of str, optional
        What may be traded; None for everything. What is held beside it may be got rid of.
    banned : frozenset of str
        What may not be traded at all, in neither direction.

    Raises
    ------
    DataError
        If a figure is no positive number, a fraction is above 1, a count is not whole, or symbols are not a set of
        names.

    Examples
    --------
    >>> Limits(max_order_value=10_000, max_daily_loss=0.02).max_daily_loss
    Decimal('0.02')
    """

    max_order_value: Decimal | None = None
    max_order_shares: Decimal | None = None
    max_symbol_value: Decimal | None = None
    max_gross: Decimal | None = None
    max_net: Decimal | None = None
    max_leverage: Decimal | None = None
    max_turnover: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_drawdown: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_open_orders: int | None = None
    price_band: Decimal | None = None
    max_price_age: Decimal | None = None
    allow_short: bool = True
    symbols: frozenset[str] | None = None
    banned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in (*_AMOUNTS, *_FRACTIONS, *_COUNTS):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _figure(name, getattr(self, name)))
        if not isinstance(self.allow_short, bool):
            raise DataError(f"Limits: allow_short={self.allow_short!r} must be True or False.")
        if self.symbols is not None:
            object.__setattr__(self, "symbols", _names("symbols", self.symbols))
            if not self.symbols:
                raise DataError("Limits: symbols is empty, so nothing could be traded; leave it out to allow all.")
        object.__setattr__(self, "banned", _names("banned", self.banned))


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


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that an order, or the account itself, is over.

    Parameters
    ----------
    rule : str
        The field of `Limits`, or "equity" where that is not known or not above zero.
    limit, value : str
        What is allowed, and what there would be; "unknown" where that cannot be said.
    message : str
        What is wrong, and what would mend it.
    """

    rule: str
    limit: str
    value: str
    message: str


def breaches(ticket: Ticket, standing: Standing, limits: Limits) -> list[Breach]:
    """Every limit that an order would break; none if it may be sent.

    Exposure is what could be held at the worst: of the open orders and this one, any may fill and any may not. A share
    counts at the last price, or at the order's own where that is higher.

    An order that only reduces a position (even if every open order of its side fills before it) is exempt from the
    limits of exposure, turnover, loss and drawdown, and from `symbols`: they are there to get risk down, and to refuse
    the order that does so would keep the account in the very state they are to end. It is not exempt from the limits
    of price, size and rate, nor from `banned`. Those are not about risk held but about orders sent by mistake: a slip
    of the price gives a holding away whatever the order was meant for, nobody can tell what a sale without a fresh
    price would bring, and an engine that has gone wrong sends "reductions" too, as large and as fast as it can. What
    must be closed all the same is closed by the kill switch, which does not ask here.

    Parameters
    ----------
    ticket : Ticket
        The order.
    standing : Standing
        The account before it.
    limits : Limits
        What is allowed.

    Returns
    -------
    list of Breach
        First those of mistakes, then those of risk.

    Examples
    --------
    >>> standing = Standing(now=10**18, equity=Decimal(50_000), session_equity=Decimal(50_000),
    ...                     peak_equity=Decimal(50_000), marks={"AAPL": Decimal(200)})
    >>> order = Ticket("AAPL", "buy", "market", "day", qty=Decimal(60))
    >>> [(breach.rule, breach.limit, breach.value) for breach in
    ...  breaches(order, standing, Limits(max_order_value=10_000, max_gross=15_000))]
    [('max_order_value', '10000', '12000')]
    """
    case = _case(ticket, standing, limits)
    found = [_banned(case), *_over(limits, _MISTAKES, case)]
    if not case.reduces:
        found += [_beside(case), _short(case), *_over(limits, _RISKS, case), _penniless(standing)]
        found += _over(limits, _LOSSES, standing)
    return [breach for breach in found if breach is not None]


def standing_breaches(standing: Standing, limits: Limits) -> list[Breach]:
    """The limits that the account is over as it stands, without any order: equity, daily loss, drawdown, leverage.

    Open orders do not count here: what may never fill is no reason to halt.

    Parameters
    ----------
    standing : Standing
        The account.
    limits : Limits
        What is allowed.

    Examples
    --------
    >>> standing = Standing(now=0, equity=Decimal(970), session_equity=Decimal(1000), peak_equity=Decimal(1000))
    >>> [breach.message for breach in standing_breaches(standing, Limits(max_daily_loss="0.02"))]
    ['The loss of the session comes to 3%, over the limit of 2%. Only reduce positions until the next session.']
    """
    held = {"max_leverage": lambda _: (_held(standing, limits), standing.equity)}
    found = [_penniless(standing), *_over(limits, _LOSSES, standing), *_over(limits, held, standing)]
    return [breach for breach in found if breach is not None]


# What is known of an order


@dataclass(frozen=True)
class _Case:
    """An order and what follows from it; None is unknown.

    `mark` is the last price if it is good, `prices` are those of the order with that one, `shares` are signed, `value`
    is in dollars at the worst, `reduces` says that the order cannot but reduce a position.
    """

    ticket: Ticket
    standing: Standing
    limits: Limits
    symbol: str
    mark: Decimal | None
    prices: list[Decimal]
    shares: Decimal | None
    value: Decimal | None
    reduces: bool

    @cached_property
    def reaches(self) -> dict[str, _Reach | None]:
        """How far each position can go; reckoned once, for several rules need it."""
        return _reaches(self)


def _case(ticket: Ticket, standing: Standing, limits: Limits) -> _Case:
    symbol = ticket.symbol.upper()
    mark = _mark(standing, limits, symbol)
    prices = _prices(ticket, mark)
    shares = _shares(ticket, prices)
    value = _positive(ticket.notional)
    if ticket.qty is not None:
        value = _product(_positive(ticket.qty), max(prices, default=None))
    reduces = shares is not None and _reduces(standing, symbol, shares)
    return _Case(ticket, standing, limits, symbol, mark, prices, shares, _sound(value), reduces)


def _mark(standing: Standing, limits: Limits, symbol: str) -> Decimal | None:
    """The last price of a symbol, if there is one that is good."""
    age = _age(standing, symbol)
    stale = limits.max_price_age is not None and (age is None or age > limits.max_price_age)
    return None if stale else _positive(standing.marks.get(symbol))


def _age(standing: Standing, symbol: str) -> Decimal | None:
    """Seconds between the last price of a symbol and the present, whichever is later."""
    at = standing.mark_times.get(symbol)
    known = at is not None and _positive(standing.marks.get(symbol)) is not None
    return Decimal(abs(_moment(standing) - at)) / _SECOND if known and at is not None else None


def _moment(standing: Standing) -> int:
    """When it stands so; taken by its pattern, because in this room `.now` is taken for a look at a clock."""
    match standing:
        case Standing(now=moment):
            return moment


def _prices(ticket: Ticket, mark: Decimal | None) -> list[Decimal]:
    """The last price, and those that an order names; none at all where one of them is unknown.

    A trailing stop is where it would stand now.
    """
    if mark is None:
        return []
    named = [mark, *(price for price in (ticket.limit_price, ticket.stop_price) if price is not None)]
    trail = ticket.trail_price
    if ticket.trail_percent is not None:
        trail = mark * ticket.trail_percent / 100
    if any(_positive(price) is None for price in named) or (trail is not None and _positive(trail) is None):
        return []
    if trail is not None:
        named.append(mark + trail if ticket.buys else mark - trail)
    return named


def _shares(ticket: Ticket, prices: Sequence[Decimal]) -> Decimal | None:
    """Signed shares; of an order in dollars as many as they can come to."""
    size = _positive(ticket.qty)
    if ticket.qty is None and prices:
        dollars = _positive(ticket.notional)
        size = None if dollars is None else dollars / min(prices)
    if size is None:
        return None
    return size if ticket.buys else -size


def _reduces(standing: Standing, symbol: str, shares: Decimal) -> bool:
    """Whether so many shares leave a position of the same side, or none, though all open orders of that side fill."""
    held = _sound(standing.positions.get(symbol, ZERO))
    lefts = [_sound(left) for name, left, _ in standing.working if name == symbol]
    if held is None or None in lefts or held * shares >= 0:
        return False
    same = [abs(left) for left in lefts if left is not None and left * shares > 0]
    return abs(held) >= abs(shares) + sum(same, ZERO)


# What could be held at the worst

_Sized = tuple[Decimal | None, Decimal | None]


@dataclass(frozen=True, slots=True)
class _Reach:
    """The highest and the lowest value, in dollars, that a position can come to, whichever orders fill."""

    highest: Decimal
    lowest: Decimal

    @property
    def largest(self) -> Decimal:
        """The larger of the two, whatever its sign."""
        return max(self.highest, -self.lowest)


def _reach(mark: Decimal | None, held: Decimal | None, orders: Sequence[_Sized]) -> _Reach | None:
    """How far a position can go with orders of so many signed shares at such prices; None where one is unknown."""
    known = [(shares, price) for shares, price in orders if shares is not None and price is not None]
    if mark is None or held is None or len(known) < len(orders):
        return None
    high = held + sum((shares for shares, _ in known if shares > 0), ZERO)
    low = held + sum((shares for shares, _ in known if shares < 0), ZERO)
    dearer = [shares * max(ZERO, price - mark) for shares, price in known]
    above = sum((more for more in dearer if more > 0), ZERO) if high > 0 else ZERO
    below = sum((more for more in dearer if more < 0), ZERO) if low < 0 else ZERO
    return _Reach(high * mark + above, low * mark + below)


def _reaches(case: _Case) -> dict[str, _Reach | None]:
    """How far each position can go that is held or ordered."""
    standing = case.standing
    orders: dict[str, list[_Sized]] = {symbol: [] for symbol, shares in standing.positions.items() if shares != 0}
    for symbol, left, price in standing.working:
        orders.setdefault(symbol, []).append((_sound(left), _sound(price)))
    orders.setdefault(case.symbol, []).append((case.shares, max(case.prices, default=None)))
    return {
        symbol: _reach(_mark(standing, case.limits, symbol), _sound(standing.positions.get(symbol, ZERO)), in_symbol)
        for symbol, in_symbol in orders.items()
    }


def _symbol_value(case: _Case) -> Decimal | None:
    reach = case.reaches[case.symbol]
    return None if reach is None else reach.largest


def _gross(case: _Case) -> Decimal | None:
    reaches = _all(case.reaches.values())
    return None if reaches is None else sum((reach.largest for reach in reaches), ZERO)


def _net(case: _Case) -> Decimal | None:
    reaches = _all(case.reaches.values())
    if reaches is None:
        return None
    return max(sum((reach.highest for reach in reaches), ZERO), -sum((reach.lowest for reach in reaches), ZERO))


def _held(standing: Standing, limits: Limits) -> Decimal | None:
    """What is held now, long and short together, in dollars."""
    values = _all(
        _product(_sound(shares), _mark(standing, limits, symbol))
        for symbol, shares in standing.positions.items()
        if shares != 0
    )
    return None if values is None else sum(map(abs, values), ZERO)


def _turnover(case: _Case) -> Decimal | None:
    """What was traded, will be by this order, and would be by the open ones, in dollars."""
    open_orders = (
        _product(_sound(left), _dearer(_mark(case.standing, case.limits, symbol), _sound(price)))
        for symbol, left, price in case.standing.working
    )
    dollars = _all([_sound(case.standing.traded), case.value, *open_orders])
    return None if dollars is None else sum(map(abs, dollars), ZERO)


def _recent(standing: Standing) -> int:
    """How many orders were sent within the last minute."""
    begins = _moment(standing) - _MINUTE
    return sum(at > begins for at in standing.order_times)


def _band(case: _Case) -> Decimal | None:
    """How far, in dollars, the worst price of an order and its legs lies on the side that is worse for the account."""
    tickets = (case.ticket, *case.ticket.exits())
    if case.mark is None or not all(_prices(ticket, case.mark) for ticket in tickets):
        return None
    mark = case.mark
    return max(price - mark if ticket.buys else mark - price for ticket in tickets for price in _prices(ticket, mark))


# Rules. Those of figures are tables: from the name of a limit to a value, and what the limit is a multiple of.

_Figure = tuple[Decimal | None, Decimal | None]

#: What an order comes to that may be sent by mistake: how large it is, at what price, and how often.
_MISTAKES: Final[Mapping[str, Callable[[_Case], _Figure]]] = {
    "max_order_value": lambda case: (case.value, _ONE),
    "max_order_shares": lambda case: (None if case.shares is None else abs(case.shares), _ONE),
    "max_price_age": lambda case: (_age(case.standing, case.symbol), _ONE),
    "price_band": lambda case: (_band(case), case.mark),
    "max_orders_per_minute": lambda case: (Decimal(1 + _recent(case.standing)), _ONE),
    "max_open_orders": lambda case: (Decimal(1 + len(case.standing.working)), _ONE),
}  # fmt: skip
#: What an account would hold and have traded.
_RISKS: Final[Mapping[str, Callable[[_Case], _Figure]]] = {
    "max_symbol_value": lambda case: (_symbol_value(case), _ONE),
    "max_gross": lambda case: (_gross(case), _ONE),
    "max_net": lambda case: (_net(case), _ONE),
    "max_leverage": lambda case: (_gross(case), case.standing.equity),
    "max_turnover": lambda case: (_turnover(case), case.standing.session_equity),
}
#: What an account has lost.
_LOSSES: Final[Mapping[str, Callable[[Standing], _Figure]]] = {
    "max_daily_loss": lambda standing: (_less(standing.session_equity, standing.equity), standing.session_equity),
    "max_drawdown": lambda standing: (_less(standing.peak_equity, standing.equity), standing.peak_equity),
}


def _over(limits: Limits, table: Mapping[str, Callable[[_Known], _Figure]], known: _Known) -> Iterable[Breach | None]:
    """The breaches of those figures of a table that are limited."""
    for rule, figure in table.items():
        limit = getattr(limits, rule)
        if limit is not None:
            value, base = figure(known)
            yield _judged(rule, Decimal(limit), _sound(value), _positive(base))


def _banned(case: _Case) -> Breach | None:
    if case.symbol not in case.limits.banned:
        return None
    message = f"{case.symbol} is banned. Trade something else, or take it out of banned."
    return Breach("banned", "none of the banned", case.symbol, message)


def _beside(case: _Case) -> Breach | None:
    """The breach of an order in a symbol that is not among those allowed."""
    allowed = case.limits.symbols
    if allowed is None or case.symbol in allowed:
        return None
    count = f"one of {len(allowed)}"
    message = f"{case.symbol} is not {count} symbols that may be traded. Add it to symbols to allow it."
    return Breach("symbols", count, case.symbol, message)


def _short(case: _Case) -> Breach | None:
    """The breach of a sale that could come to more than is held."""
    if case.limits.allow_short or case.ticket.buys:
        return None
    lefts = (_sound(left) for symbol, left, _ in case.standing.working if symbol == case.symbol)
    parts = _all([_sound(case.standing.positions.get(case.symbol, ZERO)), case.shares, *lefts])
    lowest = None if parts is None else parts[0] + sum((shares for shares in parts[1:] if shares < 0), ZERO)
    if lowest is not None and lowest >= 0:
        return None
    shown = "unknown" if lowest is None else plain(-lowest)
    message = (
        f"{shown} shares of {case.symbol} could be sold short, which is not allowed. Sell no more than is held and not "
        "yet on sale, or set allow_short."
    )
    return Breach("allow_short", "0", shown, message)


def _penniless(standing: Standing) -> Breach | None:
    """The breach of an equity that is unknown or not above zero: whatever the limits are, nothing can be opened."""
    equity = _sound(standing.equity)
    if equity is not None and equity > 0:
        return None
    shown = "unknown" if equity is None else plain(equity)
    message = f"The equity is {shown}, so no limit can be judged. Look at the account before anything is opened."
    return Breach("equity", "above 0", shown, message)


# How a breach is said


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _percent(fraction: Decimal) -> str:
    return f"{plain(round(fraction * 100, 4))}%"


def _times(multiple: Decimal) -> str:
    return f"{plain(round(multiple, 4))} times the equity"


def _counted(noun: str) -> Callable[[Decimal], str]:
    return lambda amount: f"{plain(round(amount, 9))} {noun}"


_SMALLER: Final = "Send a smaller order, or several."
_ROOM: Final = "Reduce positions or cancel open orders first."
_TOMORROW: Final = "Only reduce positions until the next session."
#: For each figure: what it is of, how its amounts are written, and what would mend a breach.
_WORDS: Final[Mapping[str, tuple[str, Callable[[Decimal], str], str]]] = {
    "max_order_value": ("The value of the order", _dollars, _SMALLER),
    "max_order_shares": ("The size of the order", _counted("shares"), _SMALLER),
    "max_price_age": ("The age of the last price", _counted("seconds"), "Wait for a trade, or look at the feed."),
    "price_band": ("The distance of the price from the last one", _percent, "Look whether the price is a slip."),
    "max_orders_per_minute": ("The rate", _counted("orders a minute"), "Wait until the minute is over."),
    "max_open_orders": ("The number of open orders", _counted("orders"), "Cancel some first."),
    "max_symbol_value": ("What is held of the symbol", _dollars, _ROOM),
    "max_gross": ("The gross exposure", _dollars, _ROOM),
    "max_net": ("The net exposure", _dollars, "Trade the other side, or cancel open orders first."),
    "max_leverage": ("The gross exposure", _times, _ROOM),
    "max_turnover": ("The turnover of the session", _times, _TOMORROW),
    "max_daily_loss": ("The loss of the session", _percent, _TOMORROW),
    "max_drawdown": ("The drawdown", _percent, "Only reduce positions, and decide by hand how to go on."),
}
_LOOK: Final = "Look at the prices, positions, open orders and equity: one of them is missing, stale or no number."


def _judged(rule: str, limit: Decimal, value: Decimal | None, base: Decimal | None) -> Breach | None:
    """The breach of a figure, if its value is above so many times its base, or either is unknown."""
    what, written, mend = _WORDS[rule]
    if value is None or base is None:
        message = f"{what} cannot be known, so it may be over the limit of {written(limit)}. {_LOOK}"
        return Breach(rule, plain(limit), "unknown", message)
    if value <= limit * base:
        return None
    part = value / base
    message = f"{what} comes to {written(part)}, over the limit of {written(limit)}. {mend}"
    return Breach(rule, plain(limit), plain(round(part, 9)), message)


# Amounts that may be unknown


def _sound(amount: Decimal | None) -> Decimal | None:
    """An amount that can be reckoned with; None for one that is no number, or absurd."""
    return amount if amount is not None and amount.is_finite() and abs(amount) < _BEYOND else None


def _positive(amount: Decimal | None) -> Decimal | None:
    """An amount above zero; None for any other."""
    amount = _sound(amount)
    return amount if amount is not None and amount > 0 else None


def _product(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one * other


def _dearer(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else max(one, other)


def _less(one: Decimal, other: Decimal) -> Decimal | None:
    return None if _sound(one) is None or _sound(other) is None else one - other


def _all(parts: Iterable[_Known | None]) -> list[_Known] | None:
    """The parts; None where one of them is."""
    given = list(parts)
    known = [part for part in given if part is not None]
    return known if len(known) == len(given) else None


def _figure(name: str, value: Any) -> Decimal | int:
    """A limit as it is kept, once it is known to make sense."""
    found = number(value)
    if found is None or not 0 < found < _BEYOND:
        raise DataError(f"Limits: {name}={value!r} must be a number above 0, or None for no limit.")
    if name in _FRACTIONS and found > 1:
        raise DataError(f"Limits: {name}={value!r} must be a fraction above 0 and at most 1; 0.02 is two percent.")
    if name in _COUNTS and found != found.to_integral_value():
        raise DataError(f"Limits: {name}={value!r} must be a whole number of orders, or None for no limit.")
    return int(found) if name in _COUNTS else found


def _names(name: str, value: Any) -> frozenset[str]:
    """Symbols in upper case."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise DataError(f"Limits: {name}={value!r} must be a set of symbols, such as {{'AAPL'}}.")
    found = list(value)
    if any(not isinstance(symbol, str) or not symbol.strip() for symbol in found):
        raise DataError(f"Limits: {name} has {found!r}; each must be a symbol, such as 'AAPL'.")
    return frozenset(symbol.strip().upper() for symbol in found)
