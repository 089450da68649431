"""A trading desk: several sessions on one account, whose orders are netted, sent, and given back to them as fills."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, VenueError, lookup
from qtw_lab.data import calendars
from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.lifecycle import open_status
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.live.trading.netting import divided, net
from qtw_lab.live.trading.sleeve import Seen, Sleeve, Status
from qtw_lab.live.trading.state import DeskOrder, DeskState, filled
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.outbox import order_name
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import Store
from qtw_lab.venues.refused import NotAllowedError
from qtw_lab.venues.trader import Trader, UnreconciledError

#: Sales of an earlier time have settled.
_MONTH: Final = pd.Timedelta(days=31)
#: What may become of each status.
_MAY: Final[Mapping[Status, tuple[Status, ...]]] = {
    "running": ("paused", "closing", "stopped"),
    "paused": ("running", "closing", "stopped"),
    "closing": ("stopped",),
    "stopped": (),
}


@dataclass(frozen=True, slots=True)
class Closed:
    """A bar that closed, for one session.

    Parameters
    ----------
    session : str
        Whose.
    start, end : int
        Of the bar, nanoseconds since 1970, UTC.
    prices : mapping of str to float
        Closes of the symbols that have one.
    decisions : mapping of str to float
        What its strategy says of them; only of those it has something to say of.
    """

    session: str
    start: int
    end: int
    prices: Mapping[str, float]
    decisions: Mapping[str, float]


class Desk:
    """Sessions that trade parts of one account.

    Parameters
    ----------
    trader : Trader
        The account, reconciled.
    store : Store
        Where everything is written down; what it holds already is read first. Call `recover` then.
    now : callable
        Nanoseconds since 1970, UTC.
    calendar : str
        Whose sessions count where sales settle later.
    prices : dict of str to Decimal, optional
        Is kept filled with the last prices of what is traded, for whoever judges the desk's orders.
    priced : dict of str to int, optional
        Is kept filled with when they were made, on the clock `now`; one of which nobody knows that is left out.

    Attributes
    ----------
    state : DeskState
        Sessions and orders.
    """

    def __init__(
        self, trader: Trader, store: Store, now: Callable[[], int], *, calendar: str = "XNYS",
        prices: dict[str, Decimal] | None = None, priced: dict[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.prices: dict[str, Decimal] = {} if prices is None else prices
        self.priced: dict[str, int] = {} if priced is None else priced
        self.trader, self._store, self._now = trader, store, now
        self.state = DeskState.of(store.read())
        self._calendar = calendar
        self._opens: dict[pd.Timestamp, npt.NDArray[np.int64]] = {}
        self._taken = 0

    # Sessions

    def open(self, terms: SessionTerms) -> Sleeve:
        """Begin a session with its part of the account.

        Raises
        ------
        DataError
            If there was one of that name, or less is free than it is to have.
        VenueError
            If the broker does not answer.
        """
        if terms.name in self.state.sleeves:
            raise DataError(f"There was a session {terms.name} before; choose another name.")
        equity = self.trader.broker.account().equity
        part = Decimal(repr(float(terms.allocation)))
        cash = equity * part if part <= 1 else part
        free = equity - sum((one.equity for one in self.state.sleeves.values() if self._has_money(one)), ZERO)
        if cash > free:
            raise DataError(
                f"The session {terms.name} is to have {cash:,.2f}, and {max(free, ZERO):,.2f} of the account's "
                f"{equity:,.2f} are free; allocate less, or stop another session."
            )
        self._keep([self._event("opened", terms.name, terms=terms.written(), cash=plain(cash))])
        return self.state.sleeves[terms.name]

    def change(self, name: str, status: Status, why: str = "") -> None:
        """Let a session run, pause, close what it holds and end, or end as it is.

        Raises
        ------
        DataError
            If there is no such session, or it cannot become that.
        """
        sleeve = lookup(name, self.state.sleeves, "session")
        if status not in _MAY[sleeve.status]:
            raise DataError(f"The session {name} is {sleeve.status} and cannot become {status}.")
        events = [self._event("status", name, status=status, why=why)]
        if status == "closing":
            events.append(self._event("waits", name, decisions=dict.fromkeys(sleeve.book.holdings, 0.0)))
        self._keep(events)
        self._end_if_flat([sleeve])

    # What happens

    def closed(self, bars: Iterable[Closed]) -> None:
        """Take in bars that closed: sessions are valued, and hear what their strategies say.

        One that is worth nothing closes what it holds and ends.
        """
        events: list[Event] = []
        for bar in bars:
            sleeve = self.state.sleeves[bar.session]
            if sleeve.status == "stopped":
                continue
            prices = {symbol: repr(float(price)) for symbol, price in bar.prices.items()}
            events.append(Event("marked", bar.end, bar.session, {"prices": prices}))
            if sleeve.status != "closing":
                news = {symbol: float(one) for symbol, one in sleeve.news(bar.decisions).items()}
                events.append(Event("heard", bar.end, bar.session, {"bar": bar.start, "decisions": news}))
        self._keep(events)
        for sleeve in self._trading():
            if sleeve.book.holdings and sleeve.equity <= 0 and sleeve.status == "running":
                self.change(sleeve.name, "closing", "it is worth nothing")

    def learn(self, seen: Mapping[str, Seen]) -> None:
        """Take in last prices, for whoever judges orders."""
        now = self._now()
        self.forget(seen)
        self.prices.update({symbol: Decimal(repr(float(one.last))) for symbol, one in seen.items()})
        self.priced.update({symbol: now - one.age for symbol, one in seen.items() if one.age is not None})

    def forget(self, symbols: Iterable[str]) -> None:
        """Know no last price of these symbols any more."""
        for symbol in symbols:
            self.prices.pop(symbol, None)
            self.priced.pop(symbol, None)

    def trade(self, seen: Mapping[str, Seen], at: int | None = None) -> list[DeskOrder]:
        """Send what decisions that wait call for at these prices; what was sent, or changed hands inside.

        Parameters
        ----------
        seen : mapping of str to Seen
            Prices by symbol, of all that are known.
        at : int, optional
            When they are, nanoseconds since 1970, UTC; now by default.

        Notes
        -----
        Nothing is done while the account is not reconciled or trading is halted: decisions wait. A symbol with an order
        that is still open waits for its end; it is canceled.
        """
        self.learn(seen)
        if not self.trader.ready or self.trader.halted:
            self._keep_waiting("halted" if self.trader.halted else "not reconciled")
            return []
        waiting = {symbol for sleeve in self._trading() for symbol in sleeve.waiting}
        free = (waiting & seen.keys()) - self._busy(waiting & seen.keys())
        if not free:
            return []
        now = self._now() if at is None else at
        wanted = {one.name: one.wanted(seen, free, self._sessions_since, now) for one in self._trading()}
        parts: dict[str, dict[str, Decimal]] = {}
        for name, shares in wanted.items():
            for symbol, qty in shares.items():
                parts.setdefault(symbol, {})[name] = qty
        tried = {one.name: sorted(one.waiting.keys() & free) for one in self._trading()}
        events = [self._event("tried", "", symbols={name: symbols for name, symbols in tried.items() if symbols})]
        names = []
        for symbol, wish in sorted(parts.items(), key=lambda item: net(item[1]) > 0):  # sells first
            part, later = self._first_half(symbol, wish)
            events += later
            name, told = self._drafted(symbol, part, seen[symbol])
            names.append(name)
            events += told
        self._keep(events)
        orders = [self.state.orders[name] for name in names]
        for order in orders:
            if order.name in self.state.open:
                self._send(order)
        return orders

    def settle(self) -> None:
        """Give out what filled, and note what became of orders: by what the trader knows now."""
        mirror = self.trader.mirror
        fills = list(islice(mirror.fills.values(), self._taken, None))
        events = []
        for fill in fills:
            known = mirror.orders.get(fill.order_id)
            if known is None:
                break
            self._taken += 1
            if known.client_order_id in self.state.orders and fill.execution not in self.state.executions:
                events.append(filled(fill, known.client_order_id, self._now()))
        for name in self.state.open:
            intent = self.trader.outbox.intents.get(name)
            known = mirror.orders.get(intent.order_id) if intent is not None else None
            if known is not None and not open_status(known.status):
                events.append(self._event("ended", name, status=known.status))
        self._keep(events)
        self._keep(self._never_sent())
        self._keep(self._left_to_close())
        self._end_if_flat(self.state.sleeves.values())

    def recover(self) -> None:
        """After a start: find out what became of every order, and let decisions wait again whose order was never sent.

        Raises
        ------
        VenueError
            If the broker does not answer.
        """
        self.settle()

    # Inside

    def _trading(self) -> list[Sleeve]:
        return [one for one in self.state.sleeves.values() if one.status in ("running", "closing")]

    def _keep_waiting(self, why: str) -> None:
        """Note that decisions wait, and why: who compares a session with its backtest wants to know."""
        waiting = {one.name: sorted(one.waiting) for one in self._trading() if one.waiting}
        if waiting:
            self._keep([self._event("held", "", symbols=waiting, why=why)])

    def _never_sent(self) -> list[Event]:
        """The ends of orders that the broker does not have, or refused though nobody here was told."""
        intents = self.trader.outbox.intents
        events = []
        for order in self.state.open.values():
            intent = intents.get(order.name)
            if intent is None or intent.state == "absent":
                events += self._abandoned(order, "it was never sent")
            elif intent.state == "refused":
                events.append(self._event("ended", order.name, status="refused", reason=intent.reason))
        return events

    def _left_to_close(self) -> list[Event]:
        """What sessions that close still hold, and no order is open for: it waits to be closed."""
        busy = {(name, order.symbol) for order in self.state.open.values() for name in order.parts}
        found = {
            one.name: [name for name in one.book.holdings if name not in one.waiting and (one.name, name) not in busy]
            for one in self.state.sleeves.values() if one.status == "closing"
        }  # fmt: skip
        return [self._event("waits", name, decisions=dict.fromkeys(left, 0.0)) for name, left in found.items() if left]

    def _has_money(self, sleeve: Sleeve) -> bool:
        return sleeve.status != "stopped" or bool(sleeve.book.holdings)

    def _busy(self, symbols: Collection[str]) -> set[str]:
        """Those of the symbols with an order that is still open, though it was canceled: what is wanted waits."""
        standing = [order for order in self.state.open.values() if order.symbol in symbols]
        for order in standing:
            intent = self.trader.outbox.intents.get(order.name)
            if intent is not None and intent.order_id:
                with contextlib.suppress(RefusedError, VenueError):  # it is over, or that is seen at the next look
                    self.trader.cancel(intent.order_id)
        if standing:
            self.trader.compare()
            self.settle()
            self._keep([event for order in standing if order.status == "canceled" for event in self._again(order)])
        return {order.symbol for order in self.state.open.values()}

    def _first_half(self, symbol: str, parts: dict[str, Decimal]) -> tuple[dict[str, Decimal], list[Event]]:
        """Parts that may be sent now, and what waits: the half that closes, where no order may turn a position."""
        held, wanted = self.trader.mirror.positions().get(symbol, ZERO), net(parts)
        if self.trader.broker.turns or held * wanted >= 0 or abs(wanted) <= abs(held):
            return parts, []
        closing = {name: part.qty for name, part in divided(parts, ZERO, -held, ZERO).items()}
        waiting = {name: {symbol: self.state.sleeves[name].waiting[symbol]} for name in parts}
        return closing, [self._event("waits", name, decisions=wish) for name, wish in waiting.items()]

    def _drafted(self, symbol: str, parts: Mapping[str, Decimal], seen: Seen) -> tuple[str, list[Event]]:
        """The events that write an order down; parts that cancel each other wholly change hands at once."""
        bar = max(self.state.bars.get(name, 0) for name in parts)
        name = order_name("desk", symbol, bar, self.state.legs.get((symbol, bar), 0))
        said = {name: plain(qty) for name, qty in parts.items()}
        events = [self._event("ordered", name, symbol=symbol, parts=said, bar=bar)]
        if not net(parts):
            events.append(self._event("crossed", name, price=repr(float(seen.last))))
        return name, events

    def _send(self, order: DeskOrder) -> None:
        side = "buy" if order.qty > 0 else "sell"
        ticket = Ticket(order.symbol, side, "market", "day", qty=abs(order.qty), client_order_id=order.name)
        try:
            self.trader.submit(ticket)
        except NotAllowedError as refused:
            halted = any(one.rule == "kill_switch" for one in refused.breaches)
            ended = self._event("ended", order.name, status="refused", reason=str(refused))
            self._keep(self._abandoned(order, "trading was halted") if halted else [ended])
        except RefusedError as refused:
            self._keep([self._event("ended", order.name, status="refused", reason=str(refused))])
        except UnreconciledError as err:  # what was sent before it is unknown now; this was not sent
            self._keep(self._abandoned(order, str(err)))
        except VenueError:
            return  # whether the broker has it is found out before anything else is sent

    def _abandoned(self, order: DeskOrder, why: str) -> list[Event]:
        """An order that nobody has: its decisions wait again."""
        return [self._event("ended", order.name, status="abandoned", reason=why), *self._again(order)]

    def _again(self, order: DeskOrder) -> list[Event]:
        """The decisions behind an order wait again, in every session that had a part in it."""
        events = []
        for name in order.parts:
            sleeve = self.state.sleeves[name]
            decision = 0.0 if sleeve.status == "closing" else sleeve.heard.get(order.symbol, 0.0)
            events.append(self._event("waits", name, decisions={order.symbol: decision}))
        return events

    def _end_if_flat(self, sleeves: Iterable[Sleeve]) -> None:
        """A session that closes what it holds ends once it holds nothing."""
        busy = {name for order in self.state.open.values() for name in order.parts}
        flat = [one for one in sleeves if one.status == "closing" and not one.book.holdings and one.name not in busy]
        self._keep([self._event("status", one.name, status="stopped", why="flat") for one in flat])

    def _sessions_since(self, at: int, now: int) -> int:
        """How many sessions opened after a moment and up to now; of the last month."""
        day = pd.Timestamp(now, unit="ns", tz="UTC").normalize()
        if day not in self._opens:
            table = calendars.sessions(self._calendar, day - _MONTH, day + pd.Timedelta(days=1))
            self._opens = {day: pd.DatetimeIndex(table["open"]).as_unit("ns").asi8}
        since, until = self._opens[day].searchsorted([at, now], side="right")
        return int(until - since)

    def _event(self, kind: str, order: str, **content: Any) -> Event:
        return Event(kind, self._now(), order, content)

    def _keep(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self._store.append(events)
        for event in events:
            self.state.apply(event)
