"""What the simulator's exchange refuses before an order is taken: each function returns, or raises `RefusedError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from qtw_lab.ledger.amounts import plain
from qtw_lab.ledger.refusals import forbidden, malformed, unprocessable
from qtw_lab.venues.simulator.exchange_orders import ZERO, Order, Terms


def tradable(terms: Terms, asset: dict[str, Any] | None, configurations: Mapping[str, Any]) -> dict[str, Any]:
    """The asset of an order, where it can be traded as the order asks."""
    if configurations["suspend_trade"]:
        raise forbidden("new orders are rejected by user request")
    if asset is None:
        raise unprocessable(f'asset "{terms.symbol}" not found')
    if asset.get("status") != "active":
        raise malformed(f"asset {terms.symbol} is not active")
    if not asset.get("tradable"):
        raise unprocessable(f'asset "{terms.symbol}" is not tradable')
    if terms.fractional and not (asset.get("fractionable") and configurations["fractional_trading"]):
        raise forbidden(f'asset "{terms.symbol}" is not fractionable')
    if terms.notional is not None and terms.notional < 1:
        raise unprocessable("notional amount must be >= 1.00")
    return asset


def no_wash_trade(terms: Terms, others: Sequence[Order]) -> None:
    """Refuse an order that could trade with another of the same account.

    The venue's rule: against an open market or stop order of the other side always; against a limit order where the one
    that buys does not bid less than the other asks.
    """
    for other in others:
        if other.terms.symbol != terms.symbol or other.terms.side == terms.side:
            continue
        bought, sold = (terms, other.terms) if terms.buys else (other.terms, terms)
        limits = bought.kind == sold.kind == "limit"
        if limits and (bought.limit_price or ZERO) < (sold.limit_price or ZERO):
            continue
        kind = "limit" if limits else "market/stop"
        raise forbidden(
            "potential wash trade detected. use complex orders",
            existing_order_id=other.id,
            reject_reason=f"opposite side {kind} order exists",
        )


def enough_shares(order: Order, price: Decimal, held: Decimal, others: Sequence[Order]) -> None:
    """Refuse an order that would give away more of a holding than is left of it by open orders of its side."""
    terms, wanted = order.terms, order.left(price)
    going = [other for other in others if other.terms.symbol == terms.symbol and other.terms.side == terms.side]
    taken = sum((other.left(price) for other in going), ZERO)
    available = abs(held) - taken
    if wanted > available:
        raise forbidden(
            f"insufficient qty available for order (requested: {plain(wanted)}, available: {plain(available)})",
            available=plain(available),
            existing_qty=plain(abs(held)),
            held_for_orders=plain(taken),
            related_orders=[other.id for other in going],
            symbol=terms.symbol,
        )


def enough_power(cost: Decimal, power: Decimal) -> None:
    """Refuse an order that costs more than may be spent."""
    if cost > power:
        shown = plain(round(max(power, ZERO), 2))
        raise forbidden("insufficient buying power", buying_power=shown, cost_basis=plain(round(cost, 2)))


def shortable(order: Order, configurations: Mapping[str, Any]) -> None:
    """Refuse a short sale of what cannot be borrowed, or of parts of a share."""
    if not order.asset.get("shortable") or configurations["no_shorting"]:
        raise unprocessable(f'asset "{order.terms.symbol}" cannot be sold short')
    if order.terms.fractional:
        raise unprocessable("fractional orders cannot be sold short")
