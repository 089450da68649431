"""What a paper account refuses before an order is taken: each function returns, or raises `RefusedError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.refusals import forbidden, malformed, unprocessable
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.moments import eastern
from qtw_lab.venues.paper.locates import hard
from qtw_lab.venues.paper.orders import Order

#: Between these times of the day in New York orders for an auction are refused: (hour, minute) to (hour, minute). After
#: that they are queued for the next. Source: Alpaca's document "Placing Orders", time in force.
_REFUSED: Final = {"opg": ((9, 28), (19, 0)), "cls": ((15, 50), (19, 0))}


def tradable(ticket: Ticket, asset: Mapping[str, Any] | None, configurations: Mapping[str, Any]) -> Mapping[str, Any]:
    """The asset of an order, where it can be traded as the order asks."""
    if configurations["suspend_trade"]:
        raise forbidden("new orders are rejected by user request")
    if asset is None:
        raise unprocessable(f'asset "{ticket.symbol}" not found')
    if asset.get("status") != "active":
        raise malformed(f"asset {ticket.symbol} is not active")
    if not asset.get("tradable"):
        raise unprocessable(f'asset "{ticket.symbol}" is not tradable')
    if ticket.fractional and not (asset.get("fractionable") and configurations["fractional_trading"]):
        raise forbidden(f'asset "{ticket.symbol}" is not fractionable')
    if ticket.notional is not None and ticket.notional < 1:
        raise unprocessable("notional amount must be >= 1.00")
    return asset


def in_time(ticket: Ticket, now: int, *, session_day: bool) -> None:
    """Refuse an order for an auction that is too late for this one and too early for the next."""
    times = _REFUSED.get(ticket.time_in_force)
    if times is None or not session_day:
        return
    moment = eastern(now)
    if times[0] <= (moment.hour, moment.minute) < times[1]:
        (first, begins), (last, ends) = times
        raise unprocessable(
            f"{ticket.time_in_force} orders cannot be submitted between {first:02d}:{begins:02d} and "
            f"{last:02d}:{ends:02d} New York time"
        )


def fits_position(ticket: Ticket, held: Decimal) -> None:
    """Refuse an exit of what is not held, and an entry with legs that would be an exit."""
    closes = held != 0 and (held > 0) != ticket.buys
    if ticket.shape == "oco" and not closes:
        raise unprocessable("oco orders must be exit orders")
    if ticket.shape in ("bracket", "oto") and closes:
        raise unprocessable(f"{ticket.shape} orders must be entry orders")


def no_wash_trade(ticket: Ticket, others: Sequence[Order]) -> None:
    """Refuse an order that could trade with another of the same account.

    The venue's rule: against an open market or stop order of the other side always; against a limit order where the one
    that buys does not bid less than the other asks. Orders with legs and trailing stops are exempt.
    """
    if not ticket.washable:
        return
    for other in others:
        theirs = other.ticket
        if theirs.symbol != ticket.symbol or theirs.side == ticket.side or not theirs.washable:
            continue
        bought, sold = (ticket, theirs) if ticket.buys else (theirs, ticket)
        limits = bought.kind == sold.kind == "limit"
        if limits and (bought.limit_price or ZERO) < (sold.limit_price or ZERO):
            continue
        kind = "limit" if limits else "market/stop"
        raise forbidden(
            "potential wash trade detected. use complex orders",
            existing_order_id=other.id,
            reject_reason=f"opposite side {kind} order exists",
        )


def taking(order: Order, symbol: str, side: str) -> bool:
    """Whether an order is about to give away shares of a holding: of a pair of exits only the target counts."""
    ticket = order.ticket
    return ticket.symbol == symbol and ticket.side == side and order.status != "held" and not order.reserve


def enough_shares(order: Order, price: Decimal, held: Decimal, others: Sequence[Order]) -> None:
    """Refuse an order that would give away more of a holding than is left of it by open orders of its side."""
    ticket, wanted = order.ticket, order.left(price)
    going = [other for other in others if taking(other, ticket.symbol, ticket.side)]
    taken = sum((other.left(price) for other in going), ZERO)
    available = abs(held) - taken
    if wanted > available:
        raise forbidden(
            f"insufficient qty available for order (requested: {plain(wanted)}, available: {plain(available)})",
            available=plain(available),
            existing_qty=plain(abs(held)),
            held_for_orders=plain(taken),
            related_orders=[other.id for other in going],
            symbol=ticket.symbol,
        )


def enough_power(cost: Decimal, power: Decimal) -> None:
    """Refuse an order that costs more than may be spent."""
    if cost > power:
        shown = plain(round(max(power, ZERO), 2))
        raise forbidden("insufficient buying power", buying_power=shown, cost_basis=plain(round(cost, 2)))


def shortable(ticket: Ticket, asset: Mapping[str, Any], configurations: Mapping[str, Any]) -> None:
    """Refuse a short sale of what cannot be borrowed, or of parts of a share."""
    if not asset.get("shortable") or configurations["no_shorting"]:
        raise unprocessable(f'asset "{ticket.symbol}" cannot be sold short')
    if ticket.fractional:
        raise unprocessable("fractional orders cannot be sold short")


def borrowed(ticket: Ticket, asset: Mapping[str, Any], wanted: Decimal, there: Decimal, *, shorting: bool) -> None:
    """Refuse a short sale of an account without margin, and of what is hard to borrow beyond what is located for it."""
    if not shorting:
        raise forbidden("account is not allowed to short")
    if hard(asset) and wanted > there:
        raise forbidden(
            f'asset "{ticket.symbol}" is hard to borrow and needs a locate (requested: {plain(wanted)}, located: '
            f"{plain(max(there, ZERO))})",
            requested=plain(wanted),
            located=plain(max(there, ZERO)),
            symbol=ticket.symbol,
        )
