"""Which orders an account allows: limits of size, price, rate, exposure and loss, judged on what is known just then.

What cannot be known counts as over its limit: an order passes because it was found good, never for want of figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from qtw_lab.core import DataError
from qtw_lab.ledger.amounts import number, plain
from qtw_lab.ledger.breach import Breach, judged, measured
from qtw_lab.ledger.exposure import Case, Standing
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.ledger.unknowns import BEYOND, less, positive, sound

#: What it takes to judge, together.
__all__ = ["Breach", "Limits", "Standing", "breaches", "figures", "standing_breaches"]

_Known = TypeVar("_Known")
_ONE: Final = Decimal(1)
_NONE: Final = Decimal(0)

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
    case = Case(ticket, standing, limits.max_price_age)
    found = [_banned(case, limits), *_over(limits, _MISTAKES, case)]
    if not case.reduces:
        found += [_beside(case, limits), _short(case, limits), *_over(limits, _RISKS, case), _penniless(standing)]
        found += _over(limits, _LOSSES, standing)
    return [breach for breach in found if breach is not None]


def figures(ticket: Ticket, standing: Standing, limits: Limits) -> dict[str, str]:
    """What an order makes of every figure that is limited, kept or not; those it is exempt from are left out.

    Parameters
    ----------
    ticket, standing, limits
        As of `breaches`.

    Returns
    -------
    dict of str to str
        By the field of `Limits`, in its measure; "unknown" where it is not known, 0 for what is below.

    Examples
    --------
    >>> standing = Standing(0, *[Decimal(50_000)] * 3, marks={"X": Decimal(100)})
    >>> order = Ticket("X", "buy", "market", "day", qty=Decimal(60))
    >>> figures(order, standing, Limits(max_order_value=5_000, max_leverage=2))
    {'max_order_value': '6000', 'max_leverage': '0.12'}
    """
    case = Case(ticket, standing, limits.max_price_age)
    found = {rule: figure(case) for rule, figure in _MISTAKES.items()}
    if not case.reduces:
        found |= {rule: figure(case) for rule, figure in _RISKS.items()}
        found |= {rule: figure(standing) for rule, figure in _LOSSES.items()}
    return {
        rule: measured(None if sound(value) is None else max(value or _NONE, _NONE), positive(base))
        for rule, (value, base) in found.items() if getattr(limits, rule) is not None
    }  # fmt: skip


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
    found = [_penniless(standing), *_over(limits, _LOSSES, standing), *_over(limits, _HELD, (standing, limits))]
    return [breach for breach in found if breach is not None]


# Rules. Those of figures are tables: from the name of a limit to a value, and what the limit is a multiple of.

_Figure = tuple[Decimal | None, Decimal | None]

#: What an order comes to that may be sent by mistake: how large it is, at what price, and how often.
_MISTAKES: Final[Mapping[str, Callable[[Case], _Figure]]] = {
    "max_order_value": lambda case: (case.value, _ONE),
    "max_order_shares": lambda case: (None if case.shares is None else abs(case.shares), _ONE),
    "max_price_age": lambda case: (case.standing.age(case.symbol), _ONE),
    "price_band": lambda case: (case.band, case.mark),
    "max_orders_per_minute": lambda case: (Decimal(1 + case.standing.recent()), _ONE),
    "max_open_orders": lambda case: (Decimal(1 + len(case.standing.working)), _ONE),
}  # fmt: skip
#: Limits that hold for orders which only reduce a position, too.
ALWAYS: Final = frozenset({*_MISTAKES, "banned"})
#: What an account would hold and have traded.
_RISKS: Final[Mapping[str, Callable[[Case], _Figure]]] = {
    "max_symbol_value": lambda case: (case.symbol_value, _ONE),
    "max_gross": lambda case: (case.gross, _ONE),
    "max_net": lambda case: (case.net, _ONE),
    "max_leverage": lambda case: (case.gross, case.standing.equity),
    "max_turnover": lambda case: (case.turnover, case.standing.session_equity),
}
#: What an account has lost.
_LOSSES: Final[Mapping[str, Callable[[Standing], _Figure]]] = {
    "max_daily_loss": lambda standing: (less(standing.session_equity, standing.equity), standing.session_equity),
    "max_drawdown": lambda standing: (less(standing.peak_equity, standing.equity), standing.peak_equity),
}
#: What an account holds as a multiple of what it has.
_HELD: Final[Mapping[str, Callable[[tuple[Standing, Limits]], _Figure]]] = {
    "max_leverage": lambda known: (known[0].held(known[1].max_price_age), known[0].equity),
}


def _over(limits: Limits, table: Mapping[str, Callable[[_Known], _Figure]], known: _Known) -> Iterable[Breach | None]:
    """The breaches of those figures of a table that are limited."""
    for rule, figure in table.items():
        limit = getattr(limits, rule)
        if limit is not None:
            value, base = figure(known)
            yield judged(rule, Decimal(limit), sound(value), positive(base))


def _banned(case: Case, limits: Limits) -> Breach | None:
    if case.symbol not in limits.banned:
        return None
    message = f"{case.symbol} is banned. Trade something else, or take it out of banned."
    return Breach("banned", "none of the banned", case.symbol, message)


def _beside(case: Case, limits: Limits) -> Breach | None:
    """The breach of an order in a symbol that is not among those allowed."""
    allowed = limits.symbols
    if allowed is None or case.symbol in allowed:
        return None
    count = f"one of {len(allowed)}"
    message = f"{case.symbol} is not {count} symbols that may be traded. Add it to symbols to allow it."
    return Breach("symbols", count, case.symbol, message)


def _short(case: Case, limits: Limits) -> Breach | None:
    """The breach of a sale that could come to more than is held."""
    if limits.allow_short or case.ticket.buys:
        return None
    lowest = case.lowest
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
    equity = sound(standing.equity)
    if equity is not None and equity > 0:
        return None
    shown = "unknown" if equity is None else plain(equity)
    message = f"The equity is {shown}, so no limit can be judged. Look at the account before anything is opened."
    return Breach("equity", "above 0", shown, message)


# The figures of limits themselves


def _figure(name: str, value: Any) -> Decimal | int:
    """A limit as it is kept, once it is known to make sense."""
    found = number(value)
    if found is None or not 0 < found < BEYOND:
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
