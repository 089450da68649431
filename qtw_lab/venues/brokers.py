"""What a broker is to us: the same questions and answers, whether it is embedded or Alpaca's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, Self

from qtw_lab.core import VenueError
from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.lifecycle import open_status
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.moments import instant


class LostAnswerError(VenueError):
    """A request was sent and no answer came: it may have done its work or not. Ask before you send it again."""


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Say what of the broker's words cannot be read."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError) as err:
        raise VenueError(f"The broker's {what} cannot be read ({type(err).__name__}: {err}).") from err


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as a broker tells of it.

    Parameters
    ----------
    id, client_order_id : str
        The broker's name for it, and ours.
    symbol, side, kind, status : str
        As the wire has them; a status may be one that nobody knows.
    qty : Decimal or None
        Shares; None where dollars were asked for.
    filled_qty : Decimal
        Shares filled so far.
    average : Decimal or None
        Mean price of those.
    created, updated : int
        Nanoseconds since 1970, UTC.
    replaces, replaced_by : str or None
        The order before and after it.
    legs : tuple of OrderView
        Those that the broker told of.
    """

    id: str
    client_order_id: str
    symbol: str
    side: str
    kind: str
    status: str
    qty: Decimal | None
    filled_qty: Decimal
    average: Decimal | None
    created: int
    updated: int
    replaces: str | None = None
    replaced_by: str | None = None
    legs: tuple[OrderView, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it may still be filled."""
        return open_status(self.status)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From Alpaca's words.

        Raises
        ------
        VenueError
            If they lack what an order must have.

        Examples
        --------
        >>> said = {"id": "1", "client_order_id": "a", "symbol": "X", "side": "buy", "type": "market", "status": "new",
        ...         "qty": "5", "filled_qty": "0", "filled_avg_price": None, "created_at": "2024-01-02T14:30:00Z",
        ...         "updated_at": None}
        >>> OrderView.of(said).open
        True
        """
        with _reading("order"):
            created = _moment(said["created_at"])
            return cls(
                id=str(said["id"]),
                client_order_id=str(said["client_order_id"]),
                symbol=str(said["symbol"]),
                side=str(said["side"]),
                kind=str(said.get("type") or said["order_type"]),
                status=str(said["status"]),
                qty=_amount(said.get("qty")),
                filled_qty=_amount(said["filled_qty"]) or Decimal(0),
                average=_amount(said.get("filled_avg_price")),
                created=created,
                updated=_moment(said["updated_at"]) if said.get("updated_at") else created,
                replaces=said.get("replaces"),
                replaced_by=said.get("replaced_by"),
                legs=tuple(cls.of(leg) for leg in said.get("legs") or ()),
            )


@dataclass(frozen=True, slots=True)
class FillView:
    """A fill as a broker tells of it; `at` in nanoseconds since 1970, UTC, `cumulative` of its order is filled then.

    `fee` is what it cost beside its price, in dollars, where the broker says so with the fill. Alpaca does not.
    """

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    at: int
    cumulative: Decimal
    fee: Decimal = ZERO

    @property
    def execution(self) -> str:
        """What tells it from all others, whoever tells of it: the order, and how much of that is filled with it."""
        return f"{self.order_id}:{plain(self.cumulative)}"

    @property
    def signed(self) -> Decimal:
        """Shares that came (positive) or went."""
        return self.qty if self.side == "buy" else -self.qty

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From Alpaca's words of an activity of kind FILL; errors as `OrderView.of`."""
        with _reading("fill"):
            return cls(
                id=str(said["id"]),
                order_id=str(said["order_id"]),
                symbol=str(said["symbol"]),
                side="buy" if said["side"] == "buy" else "sell",
                qty=Decimal(str(said["qty"])),
                price=Decimal(str(said["price"])),
                at=_moment(said["transaction_time"]),
                cumulative=Decimal(str(said["cum_qty"])),
            )

    @classmethod
    def told(cls, said: Mapping[str, Any]) -> Self | None:
        """From Alpaca's words of a trade update; None if it is about no fill. Errors as `OrderView.of`."""
        if said.get("event") not in ("fill", "partial_fill"):
            return None
        with _reading("update"):
            order = said["order"]
            return cls(
                id=str(said["execution_id"]),
                order_id=str(order["id"]),
                symbol=str(order["symbol"]),
                side="buy" if order["side"] == "buy" else "sell",
                qty=Decimal(str(said["qty"])),
                price=Decimal(str(said["price"])),
                at=_moment(said["timestamp"]),
                cumulative=Decimal(str(order["filled_qty"])),
            )


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as a broker tells of it, in dollars."""

    id: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    last_equity: Decimal
    blocked: bool

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """From Alpaca's words; errors as `OrderView.of`."""
        with _reading("account"):
            money = {name: Decimal(str(said[name])) for name in ("equity", "cash", "buying_power", "last_equity")}
            blocked = any(said.get(name) for name in ("account_blocked", "trading_blocked", "trade_suspended_by_user"))
            return cls(id=str(said["id"]), **money, blocked=blocked)


class Broker(Protocol):
    """Takes orders and says what became of them.

    Every method may raise `RefusedError` in the venue's words, `LostAnswerError` where it is unknown whether a change
    was made, and `VenueError` where the broker does not answer. Nothing that changes anything is ever sent twice.
    """

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def turns(self) -> bool:
        """Whether one order may close a position and open the opposite one."""
        ...

    def account(self) -> AccountView:
        """The account."""
        ...

    def positions(self) -> dict[str, Decimal]:
        """Shares held by symbol, negative where sold short."""
        ...

    def orders(self, status: str = "open", after: int | None = None) -> list[OrderView]:
        """Orders that are open, closed, or all, created after a moment (nanoseconds), oldest first, legs among them."""
        ...

    def order(self, order_id: str) -> OrderView | None:
        """An order by the broker's name for it, with its legs; None if there is none."""
        ...

    def find(self, client_order_id: str) -> OrderView | None:
        """An order by our name for it; None if there is none."""
        ...

    def fills(self, after: int | None = None) -> list[FillView]:
        """Fills after a moment (nanoseconds), oldest first."""
        ...

    def submit(self, ticket: Ticket) -> OrderView:
        """Send an order, which must have a `client_order_id`."""
        ...

    def amend(self, order_id: str, **changes: Any) -> OrderView:
        """Replace an order; changes as for `Ticket.amended`."""
        ...

    def cancel(self, order_id: str) -> None:
        """Cancel an order."""
        ...


def need_name(ticket: Ticket) -> None:
    """Refuse to send an order without a name of ours: nobody could ask for it if the answer were lost.

    Raises
    ------
    VenueError
        If it has none.
    """
    if not ticket.client_order_id:
        raise VenueError(
            "An order needs a client_order_id before it is sent, so that it can be asked for by that name."
        )


def oldest_first(orders: Sequence[OrderView]) -> list[OrderView]:
    """Orders by the time they were created."""
    return sorted(orders, key=lambda order: order.created)


def _amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _moment(text: str) -> int:
    found = instant(text)
    if found is None:
        raise ValueError(f"{text!r} is no moment")
    return found
