"""How a paper account takes in an order, or one in place of another: what is checked, and what is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.lifecycle import FINAL
from qtw_lab.ledger.refusals import malformed, unprocessable
from qtw_lab.ledger.tickets import CENT, Ticket
from qtw_lab.venues.moments import DAY, SECOND, identity
from qtw_lab.venues.paper.account import PaperAccount
from qtw_lab.venues.paper.account_rules import Rules
from qtw_lab.venues.paper.checks import fits_position, in_time, tradable
from qtw_lab.venues.paper.events import ticket_json
from qtw_lab.venues.paper.journal import Journal
from qtw_lab.venues.paper.matching import Matching
from qtw_lab.venues.paper.orders import Order

#: The venue does not say when GTC orders end; 90 days is the common rule among brokers.
_GTC: Final = 90 * DAY
#: What may be replaced: an order that is at the market, or the stop of a pair of exits, which waits there.
_REPLACEABLE: Final = ("new", "partially_filled", "held")


class Accepting:
    """Takes orders in, or refuses them.

    Parameters
    ----------
    account : PaperAccount
        Whose.
    journal : Journal
        Takes what happens.
    matching : Matching
        Ends orders that are replaced.
    rules : Rules
        What the account may do.
    """

    def __init__(self, account: PaperAccount, journal: Journal, matching: Matching, rules: Rules) -> None:
        self._account, self._journal, self._matching, self._rules = account, journal, matching, rules

    def take(self, ticket: Ticket, now: int) -> Order:
        """Take an order, and with it its exits.

        Raises
        ------
        RefusedError
            As the venue would refuse it.
        """
        ticket, asset = self._checked(ticket, now)
        order = self._drafted(ticket, asset, now)
        self._reserve(order, asset, now)
        self._keep(order, now)
        for leg in ticket.exits():
            role = "target" if leg.kind == "limit" else "stop_loss"
            drafted = self._drafted(leg, asset, now)
            self._keep(replace(drafted, status="held", parent=order.id, role=role, expires=order.expires), now)
        return self._account.orders[order.id]

    def exchange(self, old: Order, changes: Mapping[str, Any], now: int) -> Order:
        """Take an order in place of another, by changes as for `Ticket.amended`; `qty` counts what that has filled.

        Raises
        ------
        RefusedError
            As for `PaperBroker.amend`.
        """
        ticket, asset = self._checked(self._amended(old, changes), now)
        drafted = self._drafted(replace(ticket, shape=old.ticket.shape), asset, now)
        status = "held" if old.status == "held" else drafted.status
        order = replace(drafted, status=status, parent=old.parent, role=old.role, replaces=old.id)
        self._reserve(order, asset, now, old)
        self._keep(order, now)
        new = self._account.orders[order.id]
        self._matching.end(old, "replaced", now, by=new.id)
        for leg in self._account.state.legs(new) if new.ticket.shape == "oco" else ():  # both exits: the same shares
            if leg.open and new.qty is not None and leg.qty != new.qty:
                self._journal.put("resized", now, leg.id, qty=plain(new.qty))
        if old.armed:  # it meets the market as any order does, or is held as the old one was
            self._journal.put("armed", now, new.id, held=True)
        return new

    def _amended(self, old: Order, changes: Mapping[str, Any]) -> Ticket:
        """What an order is to be replaced by: what is left of it, on changed terms."""
        if old.status in FINAL:
            raise unprocessable(f'order is already in "{old.status}" state')
        if old.status not in _REPLACEABLE or (old.status == "held" and not old.armed):
            raise unprocessable(f"cannot replace order in {old.status} status")
        alone = replace(old.ticket, qty=old.qty, shape="simple") if old.role else replace(old.ticket, qty=old.qty)
        ticket = alone.amended(**changes, step=self._step(old.ticket.symbol))
        if old.role and ticket.qty != old.qty:
            raise unprocessable("the quantity of a leg cannot be replaced")
        rest = (ticket.qty or ZERO) - old.filled_qty
        if rest <= 0:
            raise unprocessable(f"qty must be > filled qty {plain(old.filled_qty)}")
        return replace(ticket, qty=rest)

    def _checked(self, ticket: Ticket, now: int) -> tuple[Ticket, Mapping[str, Any]]:
        """What can be asked for so, and its asset; what it means for the account is not looked at."""
        account = self._account
        asset = tradable(ticket, account.asset(ticket.symbol), account.configurations)
        ticket = replace(ticket, symbol=str(asset["symbol"])).checked(self._step(ticket.symbol))
        if ticket.client_order_id in account.state.by_client:
            raise malformed("client_order_id must be unique")
        in_time(ticket, now, session_day=account.hours.is_session(now))
        return ticket, asset

    def _drafted(self, ticket: Ticket, asset: Mapping[str, Any], now: int) -> Order:
        """An order that is not in the book yet."""
        account, extended = self._account, ticket.extended_hours
        place, hours = len(account.orders), account.hours
        session = hours.current(now, extended=extended)
        return Order(
            id=identity("order", account.account_id, place),
            number=account.market.symbols.number(ticket.symbol),
            asset_id=str(asset["id"]),
            asset_class=str(asset["class"]),
            ticket=ticket,
            client_order_id=ticket.client_order_id or identity("client", account.account_id, place),
            created=now,
            live=hours.live(now + int(account.model.latency * SECOND), extended=extended),
            expires=now + _GTC if ticket.time_in_force == "gtc" else session.late if extended else session.closes,
            status="accepted" if hours.live(now, extended=extended) > now else "pending_new",
            qty=ticket.qty,
        )

    def _reserve(self, order: Order, asset: Mapping[str, Any], now: int, replaces: Order | None = None) -> None:
        """Reserve what an order is reckoned to cost, if the account may send it."""
        if not order.role:
            fits_position(order.ticket, self._account.book.held(order.ticket.symbol))
        order.reserve = self._rules.reserve(self._account, order, asset, now, replaces)

    def _keep(self, order: Order, now: int) -> None:
        """Write an order down."""
        more = {"parent": order.parent, "role": order.role} if order.parent else {}
        more |= {"replaces": order.replaces} if order.replaces else {}
        more |= {"reserve": plain(order.reserve)} if order.reserve else {}
        self._journal.put(
            "accepted", now, order.id, ticket=ticket_json(order.ticket), client_order_id=order.client_order_id,
            asset_id=order.asset_id, asset_class=order.asset_class, live=order.live, expires=order.expires,
            status=order.status, **more,
        )  # fmt: skip

    def _step(self, symbol: str) -> Decimal:
        """The step of an asset's prices, in dollars."""
        asset = self._account.asset(symbol) or {}
        return Decimal(str(asset.get("price_increment") or CENT))
