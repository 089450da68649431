"""The margin rules of a venue: each function says a number, or returns nothing and raises `RefusedError`.

Sources: Alpaca's pages "User Protection" (as of 2025 for pattern day trading, of September 2026 for the rest) and "The
Intraday Margin Rule". Where a refusal's words could not be found they are our own; see `qtw_lab.ledger.refusals`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.book import Balance, Charge, Entry, Fill, Holding, Split
from qtw_lab.ledger.margin import maintenance
from qtw_lab.ledger.refusals import RefusedError, forbidden
from qtw_lab.venues.moments import eastern
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.orders import Order

#: An account with a position of more than so many times its equity may only close.
_LARGEST: Final = 6
#: So many day trades in so many sessions are allowed; one more makes a pattern.
_DAY_TRADES: Final = 3
_SESSIONS: Final = 5


def unsettled(fills: Sequence[Fill], hours: Hours, now: int, sessions: Callable[[str], int]) -> Decimal:
    """Proceeds of sales that cannot be spent yet where only settled cash buys, in dollars.

    Parameters
    ----------
    fills : sequence of Fill
        Of the account, oldest first.
    hours : Hours
        When the market trades.
    now : int
        Nanoseconds since 1970, UTC.
    sessions : callable
        How many sessions a trade takes to settle, by its date. It has settled when so many have opened after its own.
    """
    opened, total = hours.sessions_until(now), ZERO
    for fill in reversed(fills):
        traded = hours.current(fill.at, extended=True).date
        wait = sessions(traded)
        if len(opened) >= wait and traded < opened[-wait].date:
            break
        if fill.side == "sell":
            total += max(fill.qty * fill.price - fill.fee, ZERO)
    return total


def closing_only(holdings: Mapping[str, Holding], marks: Mapping[str, Decimal], equity: Decimal) -> None:
    """Refuse to open anything while a position is worth more than six times the equity.

    At Alpaca people look at such an account and free it; here it is free as soon as the position is small enough.
    """
    values = (abs(holding.qty) * marks.get(symbol, holding.entry) for symbol, holding in holdings.items())
    if max(values, default=ZERO) > _LARGEST * equity:
        raise forbidden("account is restricted to liquidation only")


def no_deficit(balance: Balance, shares: Decimal, price: Decimal, others: Iterable[Order]) -> None:
    """Refuse an order that would create or increase an intraday margin deficit.

    The intraday margin level is what equity exceeds the maintenance margin by. All open orders that open positions
    count as if they were filled at what they are reckoned to cost. The levels under which FINRA calls for no margin are
    no part of it: those are for deficits that are there, and not for orders that would make one.

    Parameters
    ----------
    balance : Balance
        At last prices.
    shares, price : Decimal
        What the order opens, negative for a short sale, and what a share of it costs now.
    others : iterable of Order
        Open orders.
    """
    waiting = sum((maintenance(_signed(one), one.reserve) for one in others if one.reserve), ZERO)
    level = balance.equity - balance.maintenance_margin - waiting - maintenance(shares, price)
    if level < 0:
        raise forbidden(
            "order would create or increase an intraday margin deficit", intraday_margin_level=plain(round(level, 2))
        )


class DayTrades(NamedTuple):
    """Day trades made in some sessions, and the symbols that would make one more if they were closed now."""

    made: int
    opened: frozenset[str]


def day_trades(entries: Iterable[Entry], dates: Collection[str], today: str) -> DayTrades:
    """Count day trades as FINRA does: something opened or added to, and then reduced or closed on the same date.

    Several trades in a row that open, or that close, are one; so buying twice and selling thrice is one day trade, and
    buying, selling, buying and selling two. Source: FINRA Regulatory Notice 21-13.

    Parameters
    ----------
    entries : iterable of Entry
        Of a book, oldest first.
    dates : collection of str
        Count those of these dates in New York, YYYY-MM-DD.
    today : str
        The date on which `opened` is asked for.
    """
    held: dict[str, Decimal] = {}
    opened: dict[str, str] = {}
    made = 0
    for entry in entries:
        if isinstance(entry, Charge):
            continue
        before = held.get(entry.symbol, ZERO)
        if isinstance(entry, Split):
            held[entry.symbol] = before * entry.ratio
            continue
        held[entry.symbol] = after = before + entry.signed
        date = eastern(entry.at).date().isoformat()
        if before * entry.signed < 0 and opened.pop(entry.symbol, "") == date:
            made += date in dates
        if abs(after) > abs(before) or before * after < 0:
            opened[entry.symbol] = date
    return DayTrades(made, frozenset(symbol for symbol, date in opened.items() if date == today))


def window(hours: Hours, now: int) -> list[str]:
    """Dates of the last five sessions, today's among them, YYYY-MM-DD."""
    today = eastern(now).date().isoformat()
    return [session.date for session in hours.all if session.date <= today][-_SESSIONS:]


def no_pattern(check: str, made: DayTrades, order: Order, others: Iterable[Order], *, opens: bool) -> None:
    """Refuse an order that could make a fourth day trade in five sessions.

    Parameters
    ----------
    check : {"entry", "exit", "both"}
        Refuse on opening a position, which might be closed today; or on closing what was opened today; or both. Two
        open orders of opposite sides count as a day trade to come, whichever was first.
    made : DayTrades
        In the last five sessions.
    order : Order
        Not in the book yet.
    others : iterable of Order
        Open orders.
    opens : bool
        Whether it opens a position or adds to one.
    """
    if made.made < _DAY_TRADES:
        return
    ticket = order.ticket
    pair = ticket.shape in ("bracket", "oto") or any(
        one.ticket.symbol == ticket.symbol and one.ticket.side != ticket.side for one in others
    )
    closes = pair or (not opens and ticket.symbol in made.opened)
    if (check in ("entry", "both") and opens) or (check in ("exit", "both") and closes):
        raise RefusedError(403, "trade denied due to pattern day trading protection", 40310100)


def _signed(order: Order) -> Decimal:
    left = order.left(order.reserve)
    return left if order.ticket.buys else -left
