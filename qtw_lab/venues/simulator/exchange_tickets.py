"""Orders as requests state them, read into tickets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from qtw_lab.ledger.amounts import number
from qtw_lab.ledger.refusals import malformed, unprocessable
from qtw_lab.ledger.tickets import BEYOND, DIGITS, KINDS, SHAPES, SIDES, TIMES, Exit, Ticket
from qtw_lab.venues.simulator.wording import truth


def ticket_of(body: Mapping[str, Any]) -> Ticket:
    """The ticket that the body of a POST states.

    Raises
    ------
    RefusedError
        422 where a field is missing or is not what it must be.

    Examples
    --------
    >>> ticket_of({"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}).qty
    Decimal('1')
    """
    shape = str(body.get("order_class") or "simple")
    if shape not in SHAPES:
        raise unprocessable(f"order_class {shape} is not simulated; this exchange takes {', '.join(SHAPES)}")
    if body.get("legs"):
        raise unprocessable("orders with several legs of options are not simulated")
    kind = body.get("type")
    target, stop = _leg(body, "take_profit"), _leg(body, "stop_loss")
    limit = _amount(body, "limit_price")
    if shape == "oco" and limit is None and target is not None:
        limit = target.limit
    return Ticket(
        symbol=_text(body, "symbol"),
        side=_choice(body, "side", SIDES),
        kind=_choice(body, "type", tuple(KINDS)),
        time_in_force=_choice(body, "time_in_force", TIMES),
        qty=_amount(body, "qty"),
        notional=_amount(body, "notional"),
        limit_price=limit,
        stop_price=_amount(body, "stop_price"),
        trail_price=_amount(body, "trail_price") if kind == "trailing_stop" else None,
        trail_percent=_amount(body, "trail_percent") if kind == "trailing_stop" else None,
        extended_hours=truth(str(body.get("extended_hours") or "")),
        shape=shape,
        target=target,
        stop_loss=stop,
        client_order_id=str(body.get("client_order_id") or ""),
    )


def changes_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The changes that the body of a PATCH states, as `Ticket.amended` takes them."""
    life = body.get("time_in_force")
    return {
        **{name: _amount(body, name) for name in ("qty", "limit_price", "stop_price", "trail")},
        "time_in_force": _choice(body, "time_in_force", TIMES) if life else None,
        "client_order_id": str(body.get("client_order_id") or ""),
    }


def _leg(body: Mapping[str, Any], name: str) -> Exit | None:
    said = body.get(name)
    if said is None:
        return None
    if not isinstance(said, Mapping):
        raise malformed(f"invalid {name}: it is an object with its prices")
    return Exit(_amount(said, "limit_price"), _amount(said, "stop_price"))


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise malformed(f"{name} is required")
    return value


def _choice(body: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = _text(body, name)
    if value not in known:
        raise malformed(f"invalid {name}: {value}; it is one of {', '.join(known)}")
    return value


def _amount(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    amount = number(value)
    if amount is None:
        raise malformed(f"invalid {name}: {value!r} is no number")
    if abs(amount) >= BEYOND or len(amount.as_tuple().digits) > DIGITS:
        raise unprocessable(f"invalid {name}: it has too many digits")
    return amount
