"""What an order gets of a quote or a trade, and at which price: how a `FillModel` and the order's terms go together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab.ledger.amounts import price
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.ticks import Rows


def reached(model: FillModel, order: Order, quotes: Rows) -> npt.NDArray[np.bool_]:
    """Which quotes fill an order, by their price (and by showing any size, where that counts)."""
    asked, shown = _columns(order)
    found: npt.NDArray[np.bool_] = quotes[asked] > 0
    if model.sized:
        found &= quotes[shown] > 0
    if order.limit is not None:
        limit = float(order.limit)
        found &= quotes[asked] <= limit if order.ticket.buys else quotes[asked] >= limit
    return found


def offered(model: FillModel, order: Order, quote: Any, *, arriving: bool) -> tuple[Decimal, Decimal]:
    """Shares and price that an order gets of a quote: its limit if it was there before, unless it is `arriving`."""
    shown, paid = _side(order, quote)
    if order.limit is not None and not arriving:
        paid = order.limit
    paid = worse(model, order, paid)
    qty = order.left(paid)
    if model.sized:
        qty = min(qty, share(model, order, shown))
    return model.part(order.id, order.fills, qty), paid


def enough(model: FillModel, order: Order, quote: Any) -> bool:
    """Whether a quote is enough for an order: for one that asks for all or nothing it must fill it wholly."""
    if not model.sized or order.ticket.time_in_force != "fok":
        return True
    shown, asked = _side(order, quote)
    return share(model, order, shown) >= order.left(asked)


def share(model: FillModel, order: Order, shown: Decimal) -> Decimal:
    """What of a size an order gets; whole shares if it asks for whole shares, one at least."""
    if model.participation >= 1.0:
        return shown
    cut = shown * Decimal(repr(float(model.participation)))
    return cut if order.ticket.fractional else max(cut.to_integral_value("ROUND_DOWN"), min(shown, Decimal(1)))


def worse(model: FillModel, order: Order, quoted: Decimal) -> Decimal:
    """What is paid for a share that is quoted so: limit orders pay what is quoted."""
    limited = order.ticket.kind in ("limit", "stop_limit")
    return quoted if limited else model.paid(quoted, buys=order.ticket.buys)


def _side(order: Order, quote: Any) -> tuple[Decimal, Decimal]:
    """Shares that a quote shows to an order, and their price."""
    asked, shown = _columns(order)
    return price(quote[shown] if quote[shown] > 0 else 0.0), price(quote[asked])


def _columns(order: Order) -> tuple[str, str]:
    """Where a quote has the price and the size that an order may take."""
    return ("other_price", "other_size") if order.ticket.buys else ("price", "size")
