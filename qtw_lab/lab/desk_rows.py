"""Tables of an account at a desk: every order with its live state, every fill with whose it was, every position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.lifecycle import KNOWN, may_follow, open_status

if TYPE_CHECKING:
    from qtw_lab.lab.desk_books import Account
    from qtw_lab.lab.desk_venue import Said
    from qtw_lab.ledger.tickets import Ticket
    from qtw_lab.live.trading.state import DeskOrder, DeskState
    from qtw_lab.venues.brokers import OrderView
    from qtw_lab.venues.mirror import Known

ORDERS: Final = (
    "time", "symbol", "side", "type", "qty", "filled", "price", "status", "who", "open", "cancel", "order", "reason"
)  # fmt: skip
FILLS: Final = ("time", "who", "symbol", "side", "qty", "price", "fee", "value", "order")
POSITIONS: Final = ("symbol", "shares", "sessions", "others", "entry", "last", "value", "gain", "part")

#: Every status that an order may have here.
STATUSES: Final = ("intended", *sorted(KNOWN))

#: Who sent an order that no session did: a person at this desk, or somebody elsewhere.
BY_HAND: Final = "by hand"
ELSEWHERE: Final = "elsewhere"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an account: the desk's sessions, its books, and what the broker said last.

    Parameters
    ----------
    state : DeskState
        Sessions and their orders.
    account : Account
        Outbox and mirror.
    said : Said or None
        By the broker.
    """

    state: DeskState
    account: Account
    said: Said | None = None

    def who(self, name: str) -> str:
        """Whose an order is, by our name for it."""
        from qtw_lab.live.trading.hand import PREFIX

        own = self.state.orders.get(name)
        if own is not None:
            return ", ".join(own.parts)
        return BY_HAND if name.startswith(PREFIX) else ELSEWHERE


@dataclass(frozen=True, slots=True)
class _Order:
    """What is known of an order, wherever it is known from."""

    name: str
    symbol: str
    at: int
    status: str
    filled: Decimal = ZERO
    id: str = ""
    ticket: Ticket | None = None
    view: OrderView | None = None
    reason: str = ""
    own: DeskOrder | None = field(default=None, repr=False)

    @property
    def terms(self) -> dict[str, Any]:
        """Side, type, shares and price, as far as they are known."""
        if self.ticket is not None:
            ticket = self.ticket
            price = ticket.limit_price or ticket.stop_price
            return {"side": ticket.side, "type": ticket.kind, "qty": _float(ticket.qty), "price": _float(price)}
        if self.view is not None:
            return {"side": self.view.side, "type": self.view.kind, "qty": _float(self.view.qty), "price": None}
        if self.own is not None:
            side = "buy" if self.own.qty > 0 else "sell"
            return {"side": side, "type": "market", "qty": float(abs(self.own.qty)), "price": None}
        return {"side": "", "type": "", "qty": None, "price": None}


def orders(standing: Standing, most: int = 200) -> pd.DataFrame:
    """Orders of the account: those that are open first, then the latest; times in UTC.

    Parameters
    ----------
    standing : Standing
        What is known.
    most : int
        Rows at most.
    """
    found = sorted(_all(standing), key=lambda one: (not open_status(one.status), -one.at))[:most]
    rows = [
        {
            "time": pd.Timestamp(one.at, unit="ns", tz="UTC"), "symbol": one.symbol, **one.terms,
            "filled": float(one.filled), "status": one.status, "who": standing.who(one.name),
            "open": open_status(one.status), "cancel": open_status(one.status) and one.own is None,
            "order": one.name, "reason": one.reason,
        }
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ORDERS))


def _all(standing: Standing) -> list[_Order]:
    """Every order: as the mirror knows it, with what the broker said since; and those that never got to the broker."""
    account, views = standing.account, {} if standing.said is None else dict(standing.said.orders)
    found = [_known(standing, known, views.pop(known.id, None)) for known in account.mirror.orders.values()]
    seen = {one.name for one in found}
    found += [
        _Order(one.client_order_id, one.symbol, one.updated, one.status, one.filled_qty, one.id, None, one)
        for one in views.values() if one.client_order_id not in seen
    ]  # fmt: skip
    seen |= {one.name for one in found}
    for name, intent in account.outbox.intents.items():
        if name not in seen:
            status = {"acknowledged": "accepted", "absent": "canceled"}.get(intent.state, intent.state)
            found.append(
                _Order(name, intent.ticket.symbol, intent.at, _ended(status), ZERO, intent.order_id, intent.ticket,
                       None, intent.reason, standing.state.orders.get(name))
            )  # fmt: skip
            seen.add(name)
    for name, own in standing.state.orders.items():
        if name not in seen:
            status = _ended(own.status)
            found.append(_Order(name, own.symbol, own.at, status, abs(own.filled), "", None, None, own.reason, own))
    return found


def _known(standing: Standing, known: Known, view: OrderView | None) -> _Order:
    """An order of the mirror; the broker's later word counts."""
    status, filled, at = known.status, known.filled_qty, known.updated
    if view is not None and view.updated >= at and may_follow(status, view.status):
        status, filled, at = view.status, view.filled_qty, view.updated
    intent = standing.account.outbox.intents.get(known.client_order_id)
    ticket, own = None if intent is None else intent.ticket, standing.state.orders.get(known.client_order_id)
    reason = "" if own is None else own.reason
    return _Order(known.client_order_id, known.symbol, at, status, filled, known.id, ticket, view, reason, own)


def _ended(status: str) -> str:
    """A word of ours for an order as one that `open_status` knows: what never got to the broker is over."""
    return {"refused": "rejected", "abandoned": "canceled", "crossed": "filled"}.get(status, status)


def fills(standing: Standing, most: int = 200) -> pd.DataFrame:
    """The account's fills, latest first, and whose each was; of an order of several sessions it is the whole."""
    names = {known.id: known.client_order_id for known in standing.account.mirror.orders.values()}
    latest = list(standing.account.mirror.fills.values())[-most:][::-1]
    rows = [
        {
            "time": pd.Timestamp(fill.at, unit="ns", tz="UTC"), "who": standing.who(names.get(fill.order_id, "")),
            "symbol": fill.symbol, "side": fill.side, "qty": float(fill.qty), "price": float(fill.price),
            "fee": float(fill.fee), "value": float(fill.qty * fill.price), "order": names.get(fill.order_id, ""),
        }
        for fill in latest
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(FILLS))


def positions(standing: Standing) -> pd.DataFrame:
    """Shares by symbol, whose they are, what they cost, the last price, and what they gained; dollars.

    The broker's word counts where it was asked for them; a desk at work is told of everything, so that its books do.
    Gains are missing where nobody knows what the shares cost, because some came by no fill.
    """
    said, account = standing.said, standing.account
    told = None if said is None else said.positions
    held = account.mirror.positions() if told is None else told
    prices = _prices(standing)
    rows = [
        _position(symbol, held.get(symbol, ZERO), own, account.entry(symbol), prices.get(symbol))
        for symbol, own in _owned(standing.state, held).items()
    ]
    return pd.DataFrame(rows, columns=list(POSITIONS))


def _owned(state: DeskState, held: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The sessions' shares of everything that anybody holds."""
    found = dict.fromkeys(sorted(held), ZERO)
    for sleeve in state.sleeves.values():
        for symbol, holding in sleeve.book.holdings.items():
            found[symbol] = found.get(symbol, ZERO) + holding.qty
    return {symbol: own for symbol, own in sorted(found.items()) if own or held.get(symbol)}


def _prices(standing: Standing) -> dict[str, Decimal]:
    """Last prices: the market's, or those that sessions were valued at last."""
    found: dict[str, Decimal] = {}
    for sleeve in standing.state.sleeves.values():
        found |= sleeve.marks
    return found if standing.said is None else found | dict(standing.said.prices)


def _position(
    symbol: str, shares: Decimal, own: Decimal, entry: Decimal | None, last: Decimal | None
) -> dict[str, Any]:
    gain = None if entry is None or last is None else shares * (last - entry)
    part = None if gain is None or not entry or not shares else gain / abs(shares * entry)
    return {
        "symbol": symbol, "shares": float(shares), "sessions": float(own), "others": float(shares - own),
        "entry": _float(entry), "last": _float(last), "value": None if last is None else float(shares * last),
        "gain": _float(gain), "part": _float(part),
    }  # fmt: skip


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
