"""Orders by hand at a desk: judged, written down and sent the way a session's are, and no session's.

They pass the same guard, outbox and mirror. Their names begin with "hand-", those of the sessions' orders with "desk-".
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from qtw_lab.core import DataError, LabError, lookup
from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.breach import UNKNOWN
from qtw_lab.ledger.exposure import Case
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.live.trading.preview import Bound, Preview, bounds
from qtw_lab.venues.paper.events import ticket_of

if TYPE_CHECKING:
    from qtw_lab.ledger.tickets import Ticket
    from qtw_lab.live.trading.desk import Desk
    from qtw_lab.live.trading.working import Working

#: What the names of orders by hand begin with.
PREFIX: Final = "hand-"


def order(working: Working, said: Mapping[str, Any]) -> str:
    """Send an order by hand; what became of it. One of a name that was sent before is not sent again.

    Parameters
    ----------
    working : Working
        The desk.
    said : mapping
        Its "ticket", as `qtw_lab.venues.paper.events.ticket_json` writes it.

    Raises
    ------
    DataError
        If it cannot be an order, or another order had its name.
    RefusedError
        If a limit, the kill switch or the broker refuses it; that is written down.
    VenueError
        If the account is not reconciled, or it is not known whether the broker has the order: send the same again.
    """
    ticket, trader = _ticket(working, said), working.desk.trader
    before = trader.outbox.intents.get(ticket.client_order_id)
    if before is not None and before.state == "refused" and before.ticket == ticket:
        raise RefusedError(before.status, before.reason, before.code)
    if before is None:
        _price(working, ticket)
    view = trader.submit(ticket)
    if trader.updates is None:  # nobody tells what becomes of it
        trader.compare()
        working.desk.settle()
    size = (
        f"{plain(ticket.qty)} {ticket.symbol}" if ticket.qty is not None else f"${ticket.notional} of {ticket.symbol}"
    )
    again = "" if before is None else " It was sent before, and not again."
    known = trader.mirror.orders.get(view.id)
    status = view.status if known is None else known.status
    return f"The order to {ticket.side} {size} is {status.replace('_', ' ')}.{again}"


def cancel(working: Working, said: Mapping[str, Any]) -> str:
    """Cancel an order that no session sent; what was done.

    Parameters
    ----------
    working : Working
        The desk.
    said : mapping
        The "order": our name for it, or the broker's.

    Raises
    ------
    DataError
        If it belongs to sessions.
    RefusedError
        If the broker has no such order, or it is over.
    """
    desk, name = working.desk, str(said["order"])
    trader = desk.trader
    known = next((one for one in trader.mirror.orders.values() if name in (one.id, one.client_order_id)), None)
    ours = name if known is None else known.client_order_id
    if ours in desk.state.orders:
        whose = ", ".join(desk.state.orders[ours].parts)
        raise DataError(f"The order {name} belongs to {whose}; pause or close that session instead, or halt trading.")
    intent = trader.outbox.intents.get(name)
    sent = intent.order_id if intent is not None and intent.order_id else name
    trader.cancel(sent if known is None else known.id)
    if trader.updates is None:
        trader.compare()
        desk.settle()
    return f"The order {name} is being canceled."


def preview(working: Working, said: Mapping[str, Any]) -> str:
    """What an order by hand would come to, as `Preview.written`; nothing is sent, and no refusal is written down.

    Parameters
    ----------
    working : Working
        The desk.
    said : mapping
        As for `order`.

    Raises
    ------
    DataError
        If it cannot be an order.
    VenueError
        If the broker does not answer.
    """
    ticket, trader = _ticket(working, said), working.desk.trader
    _price(working, ticket)
    account, (judged, case) = trader.broker.account(), _judged(working, ticket)
    held, own = trader.mirror.positions().get(ticket.symbol, ZERO), _sessions_hold(working.desk, ticket.symbol)
    after = None if case is None or case.shares is None else held + case.shares
    value, price = (None, None) if case is None else (case.value, case.mark)
    reasons = [] if trader.ready else [f"The account is not reconciled: {trader.trouble or 'try again in a moment'}."]
    reasons += [*_halted(working), *(one.message for one in judged if not one.kept)]
    cautions = _costly(value, held, after, account.buying_power) + _crossing(working, ticket.symbol, held, after, own)
    return Preview(
        ticket, _text(price), _text(value), plain(held), _text(after), plain(own), plain(account.buying_power),
        plain(account.equity), judged, tuple(reasons), tuple(cautions),
    ).written()  # fmt: skip


def _judged(working: Working, ticket: Ticket) -> tuple[tuple[Bound, ...], Case | None]:
    """What limits say of an order, and what follows from it; nothing where nobody judges."""
    guard = working.guard
    if guard is None:
        return (), None
    standing = guard.standing(ticket.symbol)
    return bounds(ticket, standing, guard.limits), Case(ticket, standing, guard.limits.max_price_age)


def _ticket(working: Working, said: Mapping[str, Any]) -> Ticket:
    """The order that is meant, if it can be one."""
    try:
        ticket = ticket_of(said["ticket"]).checked()
    except (KeyError, TypeError, ArithmeticError) as err:
        raise DataError(f"An order by hand cannot be read ({type(err).__name__}: {err}).") from err
    except RefusedError as refused:
        raise DataError(f"This cannot be an order: {refused}.") from refused
    if not ticket.client_order_id.startswith(PREFIX):
        raise DataError(
            f"The name of an order by hand begins with {PREFIX!r}, which {ticket.client_order_id!r} does not."
        )
    if working.assets is not None:
        lookup(ticket.symbol, dict.fromkeys(working.assets()), "asset")
    return ticket


def _price(working: Working, ticket: Ticket) -> None:
    """Learn the last prices that an order is judged on: bars tell those of the sessions' symbols and no others."""
    if working.prices is None:
        return
    mirror = working.desk.trader.mirror
    standing = {one.symbol for one in mirror.orders.values() if one.open}
    asked = {ticket.symbol, *mirror.positions(), *standing}
    try:
        found = working.prices(sorted(asked))
    except LabError:
        found = {}
    # what bars do not tell was the price of an earlier question
    working.desk.forget(asked - {*working.symbols(), *working.symbols(daily=True)})
    working.desk.learn(found)


def _halted(working: Working) -> list[str]:
    """Why the kill switch forbids orders, if it does."""
    switch = None if working.guard is None else working.guard.switch
    found = None if switch is None else switch.status()
    if found is None or not found.tripped:
        return []
    return [f"Trading is halted by {found.by or 'nobody knows whom'}: {found.reason}."]


def _sessions_hold(desk: Desk, symbol: str) -> Decimal:
    return sum((sleeve.book.held(symbol) for sleeve in desk.state.sleeves.values()), ZERO)


def _costly(value: Decimal | None, held: Decimal, after: Decimal | None, power: Decimal) -> list[str]:
    """What no limit forbids, and the broker may: an order that costs more than may be spent."""
    if value is None or after is None:
        return ["There is no last price, so nobody can say what the order comes to."]
    if value > power and abs(after) > abs(held):
        return [f"It comes to more than the buying power of ${power:,.2f}; the broker will probably refuse it."]
    return []


def _crossing(working: Working, symbol: str, held: Decimal, after: Decimal | None, own: Decimal) -> list[str]:
    """What a person should know of the shares that are held: whose they are, and whether an order may turn them."""
    if after is None:
        return []
    found = []
    if held * after < 0 and not working.desk.trader.broker.turns:
        found.append("This broker lets no order turn a position from long to short or back: close it first.")
    if (own > 0 and after < min(own, held)) or (own < 0 and after > max(own, held)):
        found.append(f"Sessions hold {plain(own)} {symbol}; after this order the account would hold {plain(after)}.")
    return found


def _text(amount: Decimal | None) -> str:
    return UNKNOWN if amount is None else plain(amount)
