"""Orders of a paper account: what was asked for, what became of it, and how Alpaca words that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.lifecycle import open_status
from qtw_lab.ledger.tickets import FINEST, STOPS, Ticket
from qtw_lab.venues.wire.values import moment_text

#: A stop order to buy is a limit order at so much above its stop once it is elected (Alpaca's document "Placing
#: Orders", section on stop orders): 4%.
_COLLAR: Final = Decimal("1.04")
_CENT: Final = Decimal("0.01")
_BELOW_A_DOLLAR: Final = Decimal("0.0001")


@dataclass(slots=True)
class Progress:
    """How far an order has met the market: found anew from the market's events after a restart, so not written down.

    Parameters
    ----------
    seen : int
        Up to when the market's events have been tried against it.
    rested : int
        When the session began in which it has last met a quote.
    best : Decimal, optional
        The highest price (of a sell; of a buy the lowest) since a trailing stop reached the market.
    ahead : Decimal, optional
        Shares that were in the queue before it at its limit and are still there; None where none are known.
    """

    seen: int = 0
    rested: int = 0
    best: Decimal | None = None
    ahead: Decimal | None = None


@dataclass(slots=True)
class Order:
    """An order and what became of it; only events change it, but for its `progress`.

    Times are nanoseconds since 1970, UTC. `live` is when it reaches the market, `reserve` what a share of it is
    reckoned to cost while it is open, `role` what it is to its `parent`: "target" or "stop_loss". A leg is `armed` once
    what it exits is held.
    """

    id: str
    number: int
    asset_id: str
    asset_class: str
    ticket: Ticket
    client_order_id: str
    created: int
    live: int
    expires: int
    status: str = "pending_new"
    parent: str = ""
    role: str = ""
    legs: list[str] = field(default_factory=list)
    reserve: Decimal = ZERO
    qty: Decimal | None = None
    elected: bool = False
    armed: bool = False
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    fills: int = 0
    updated: int = 0
    filled_at: int | None = None
    canceled_at: int | None = None
    expired_at: int | None = None
    replaced_at: int | None = None
    failed_at: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    reason: str = ""
    progress: Progress = field(default_factory=Progress)

    @property
    def open(self) -> bool:
        """Whether it may still be filled."""
        return open_status(self.status)

    @property
    def waits_for_stop(self) -> bool:
        """Whether it is a stop that has not been reached."""
        return self.ticket.kind in STOPS and not self.elected

    @property
    def limit(self) -> Decimal | None:
        """The worst price at which it fills now; None for any."""
        ticket = self.ticket
        if ticket.kind == "stop" and ticket.buys and ticket.stop_price is not None:
            most = ticket.stop_price * _COLLAR
            return most.quantize(_CENT if most >= 1 else _BELOW_A_DOLLAR, rounding="ROUND_DOWN")
        return ticket.limit_price

    @property
    def stop(self) -> Decimal | None:
        """The price that elects it; None if it is no stop, or trails and has not reached the market."""
        ticket, best = self.ticket, self.progress.best
        if ticket.kind != "trailing_stop":
            return ticket.stop_price
        if best is None:
            return None
        away = ticket.trail_price if ticket.trail_price is not None else best * (ticket.trail_percent or ZERO) / 100
        return best + away if ticket.buys else best - away

    def left(self, price: Decimal) -> Decimal:
        """Shares not yet filled; those that its dollars buy at a price, rounded down to a billionth."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        rest = (self.ticket.notional or ZERO) - self.filled_value
        return (rest / price).quantize(Decimal(1).scaleb(FINEST), rounding="ROUND_DOWN")

    def reserved(self) -> Decimal:
        """What its unfilled part is reckoned to cost, in dollars."""
        return self.reserve * self.left(self.reserve) if self.open and self.reserve else ZERO

    def json(self, legs: Iterable[Order] = ()) -> dict[str, Any]:
        """The order in Alpaca's words; amounts are texts.

        Parameters
        ----------
        legs : iterable of Order
            Its legs, which are part of it where they are asked for.
        """
        ticket = self.ticket
        average = self.filled_value / self.filled_qty if self.filled_qty else None
        said = [leg.json() for leg in legs]
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": moment_text(self.created),
            "updated_at": moment_text(self.updated),
            "submitted_at": moment_text(self.created),
            "filled_at": _stamp(self.filled_at),
            "expired_at": _stamp(self.expired_at),
            "canceled_at": _stamp(self.canceled_at),
            "failed_at": _stamp(self.failed_at),
            "replaced_at": _stamp(self.replaced_at),
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": self.asset_id,
            "symbol": ticket.symbol,
            "asset_class": self.asset_class,
            "notional": _plain(ticket.notional),
            "qty": _plain(self.qty),
            "filled_qty": plain(self.filled_qty),
            "filled_avg_price": None if average is None else plain(round(average, 6)),
            "order_class": ticket.shape,
            "order_type": ticket.kind,
            "type": ticket.kind,
            "side": ticket.side,
            "time_in_force": ticket.time_in_force,
            "limit_price": _plain(ticket.limit_price),
            "stop_price": _plain(self.stop if ticket.kind == "trailing_stop" else ticket.stop_price),
            "status": self.status,
            "extended_hours": ticket.extended_hours,
            "legs": said or None,
            "trail_percent": _plain(ticket.trail_percent),
            "trail_price": _plain(ticket.trail_price),
            "hwm": _plain(self.progress.best),
            "subtag": None,
            "source": None,
            "expires_at": moment_text(self.expires),
        }


def _stamp(moment: int | None) -> str | None:
    return None if moment is None else moment_text(moment)


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
