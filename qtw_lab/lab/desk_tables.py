"""How a trading desk stands, as tables; whoever reads them disturbs nobody."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import pandas as pd

from qtw_lab.core import Settings, lookup
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.ledger.amounts import ZERO

if TYPE_CHECKING:
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.venues.brokers import Broker
    from qtw_lab.venues.refused import Refusal


def state(settings: Settings) -> DeskState:
    """What is known at the desk that was used last, whether or not it is at work.

    Raises
    ------
    SetupError
        If there was none.
    DataError
        If its book is damaged.
    """
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.venues.paper.store import reading

    places = DeskPlaces.current(settings)
    with reading(places.file("desk")) as events:
        return DeskState.of(events)


def sessions(found: DeskState) -> pd.DataFrame:
    """Sessions as a table: what they are, what they were given and are worth, in dollars."""
    rows = [
        {
            "session": one.name, "status": one.status, "strategy": one.terms.strategy.name,
            "interval": one.terms.interval, "symbols": ",".join(one.terms.symbols),
            "equity": float(one.equity), "gain": float(one.equity - one.start), "fills": len(one.fills()),
            "held": ", ".join(f"{held.qty.normalize():f} {name}" for name, held in one.book.holdings.items()),
        }
        for one in found.sleeves.values()
    ]  # fmt: skip
    names = ("session", "status", "strategy", "interval", "symbols", "equity", "gain", "fills", "held")
    return pd.DataFrame(rows, columns=list(names))


def curve(found: DeskState, session: str) -> pd.DataFrame:
    """Equity and cash of a session at the close of each bar, in dollars; indexed by time (UTC)."""
    marks = lookup(session, found.sleeves, "session").curve
    index = pd.DatetimeIndex([pd.Timestamp(mark.at, unit="ns", tz="UTC") for mark in marks], name="time")
    return pd.DataFrame(
        {"equity": [float(mark.equity) for mark in marks], "cash": [float(mark.cash) for mark in marks]}, index=index
    )


def fills(found: DeskState, session: str | None = None) -> pd.DataFrame:
    """Fills of the sessions, or of one, oldest first: their own parts of the account's."""
    rows = [
        {
            "time": pd.Timestamp(fill.at, unit="ns", tz="UTC"), "session": one.name, "symbol": fill.symbol,
            "side": fill.side, "qty": float(fill.qty), "price": float(fill.price), "fee": float(fill.fee),
            "order": fill.order,
        }
        for one in found.sleeves.values() if session in (None, one.name) for fill in one.fills()
    ]  # fmt: skip
    names = ("time", "session", "symbol", "side", "qty", "price", "fee", "order")
    return pd.DataFrame(rows, columns=list(names)).sort_values("time", kind="stable", ignore_index=True)


def orders(found: DeskState) -> pd.DataFrame:
    """Orders of the sessions, oldest first: what was wanted, by whom, and what became of it."""
    rows = [
        {
            "time": pd.Timestamp(order.at, unit="ns", tz="UTC"), "symbol": order.symbol, "qty": float(order.qty),
            "filled": float(order.filled), "status": order.status, "sessions": ", ".join(order.parts),
            "reason": order.reason, "order": order.name,
        }
        for order in found.orders.values()
    ]  # fmt: skip
    names = ("time", "symbol", "qty", "filled", "status", "sessions", "reason", "order")
    return pd.DataFrame(rows, columns=list(names))


def refusals(settings: Settings) -> pd.DataFrame:
    """Orders of the desk that was used last that were not sent, or that the broker refused, oldest first, with reasons.

    Raises
    ------
    SetupError
        If there was no desk.
    DataError
        If the guard's book is damaged.
    """
    from qtw_lab.venues.paper.store import reading
    from qtw_lab.venues.refused import refusals as read

    with reading(DeskPlaces.current(settings).file("guard")) as events:
        return refused(read(events))


def refused(found: Iterable[Refusal]) -> pd.DataFrame:
    """Refusals as a table, in the order given: when (UTC), by whom, what, and why."""
    rows = [
        {
            "time": pd.Timestamp(one.at, unit="ns", tz="UTC"), "by": one.by,
            "symbol": one.ticket.symbol if one.ticket else "", "side": one.ticket.side if one.ticket else "",
            "qty": float(one.ticket.qty) if one.ticket and one.ticket.qty else None, "reason": one.reason,
            "order": one.ticket.client_order_id if one.ticket else "",
        }
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["time", "by", "symbol", "side", "qty", "reason", "order"])


def reconcile(broker: Broker, found: DeskState) -> pd.DataFrame:
    """Shares by symbol: the sessions', those by hand or from before, and the broker's.

    Examples
    --------
    >>> class Broker:
    ...     def positions(self): return {"X": Decimal(3)}
    >>> from qtw_lab.live.trading.state import DeskState
    >>> reconcile(Broker(), DeskState()).to_dict("records")
    [{'symbol': 'X', 'sessions': 0.0, 'others': 3.0, 'broker': 3.0}]
    """
    held = broker.positions()
    ours: dict[str, Decimal] = {}
    for one in found.sleeves.values():
        for symbol, holding in one.book.holdings.items():
            ours[symbol] = ours.get(symbol, ZERO) + holding.qty
    rows = [
        {
            "symbol": symbol, "sessions": float(ours.get(symbol, ZERO)),
            "others": float(held.get(symbol, ZERO) - ours.get(symbol, ZERO)), "broker": float(held.get(symbol, ZERO)),
        }
        for symbol in sorted({*held, *ours})
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["symbol", "sessions", "others", "broker"])
