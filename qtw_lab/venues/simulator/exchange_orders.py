"""Orders as the simulator's exchange keeps them: what was asked for (`Terms`), and what became of it (`Order`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from qtw_lab.ledger.amounts import number, plain
from qtw_lab.ledger.refusals import RefusedError, absent, malformed, unprocessable
from qtw_lab.venues.simulator.wording import truth
from qtw_lab.venues.wire.values import moment_text

ZERO: Final = Decimal(0)

#: Statuses of orders that may still be filled, and of those that will never be again.
OPEN: Final = frozenset({"accepted", "pending_new", "new", "partially_filled"})
FINAL: Final = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})

#: Which prices each kind of order needs: whether a limit, whether a stop.
_PRICES: Final = {"market": (False, False), "limit": (True, False), "stop": (False, True), "stop_limit": (True, True)}
_TIMES: Final = ("day", "gtc", "ioc", "fok")
_LONGEST_ID: Final = 128
#: No order has amounts like these; below them decimals are exact.
_BEYOND: Final = Decimal(10) ** 12
_DIGITS: Final = 24
_FINEST: Final = -9  # places of a quantity, by Alpaca's page on fractional trading


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order asks for.

    Parameters
    ----------
    symbol, side, kind, time_in_force : str
        As the wire has them; `kind` is its field ``type``.
    qty, notional : Decimal, optional
        Shares or dollars; one of them.
    limit_price, stop_price : Decimal, optional
        As the kind needs them.
    extended_hours : bool
        Whether it may trade before the opening and after the close.
    client_order_id : str
        The client's name for it, empty where it gave none.

    Examples
    --------
    >>> terms = Terms.read({"symbol": "AAPL", "qty": 1, "side": "buy", "type": "limit", "time_in_force": "day",
    ...                     "limit_price": "101.5"})
    >>> terms.buys, terms.limit_price
    (True, Decimal('101.5'))
    """

    symbol: str
    side: str
    kind: str
    time_in_force: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str = ""

    @property
    def buys(self) -> bool:
        """Whether it buys."""
        return self.side == "buy"

    @property
    def fractional(self) -> bool:
        """Whether it asks for dollars or for parts of a share."""
        return self.qty is None or self.qty != self.qty.to_integral_value()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Terms:
        """The terms that a request's body states.

        Raises
        ------
        RefusedError
            As the venue would refuse them: 400 for shares and dollars at once, 422 otherwise.
        """
        _beyond_this_exchange(body)
        terms = cls(
            symbol=_text(body, "symbol"),
            side=_choice(body, "side", ("buy", "sell")),
            kind=_choice(body, "type", tuple(_PRICES)),
            time_in_force=_choice(body, "time_in_force", _TIMES),
            qty=_amount(body, "qty"),
            notional=_amount(body, "notional"),
            limit_price=_amount(body, "limit_price"),
            stop_price=_amount(body, "stop_price"),
            extended_hours=truth(str(body.get("extended_hours") or "")),
            client_order_id=str(body.get("client_order_id") or ""),
        )
        terms.check()
        return terms

    def amended(self, body: Mapping[str, Any]) -> Terms:
        """The terms that a PATCH of an order with these asks for.

        Raises
        ------
        RefusedError
            422, as `read`.
        """
        if self.notional is not None:
            raise unprocessable("orders with a notional amount cannot be replaced")
        if "trail" in body and body["trail"] is not None:
            raise unprocessable("trail can only be replaced for trailing stop orders")
        qty = _amount(body, "qty")
        if qty is not None and self.fractional and qty != self.qty:
            raise unprocessable("the quantity of a fractional order cannot be replaced")
        known = body.get("time_in_force")
        terms = replace(
            self,
            qty=qty or self.qty,
            limit_price=_amount(body, "limit_price") or self.limit_price,
            stop_price=_amount(body, "stop_price") or self.stop_price,
            time_in_force=_choice(body, "time_in_force", _TIMES) if known else self.time_in_force,
            client_order_id=str(body.get("client_order_id") or ""),
        )
        terms.check()
        return terms

    def check(self) -> None:
        """Refuse terms that contradict each other.

        Raises
        ------
        RefusedError
            400 or 422.
        """
        self._check_size()
        self._check_prices()
        if len(self.client_order_id) > _LONGEST_ID:
            raise malformed(f"client_order_id must be no more than {_LONGEST_ID} characters")
        if self.extended_hours and (self.kind != "limit" or self.time_in_force not in {"day", "gtc"}):
            raise unprocessable("extended hours order must be DAY or GTC limit orders")
        if self.fractional and self.time_in_force != "day":
            raise unprocessable("fractional orders must be DAY orders")

    def _check_size(self) -> None:
        if self.qty is not None and self.notional is not None:
            raise RefusedError(400, "only one of qty or notional is accepted", 40010001)
        size, name = (self.qty, "qty") if self.qty is not None else (self.notional, "notional")
        if size is None:
            raise malformed("qty or notional is required")
        if size <= 0:
            raise unprocessable(f"{name} must be > 0")
        places = size.normalize().as_tuple().exponent
        finest = _FINEST if name == "qty" else -2
        if isinstance(places, int) and places < finest:
            raise unprocessable(f"{name} must have no more than {-finest} decimal places")
        if self.notional is not None and self.kind not in {"market", "limit"}:
            raise unprocessable("notional orders must be market or limit orders")

    def _check_prices(self) -> None:
        limit, stop = _PRICES[self.kind]
        words = self.kind.replace("_", " ")
        for needed, given, name in ((limit, self.limit_price, "limit"), (stop, self.stop_price, "stop")):
            if needed and given is None:
                raise unprocessable(f"{words} orders require a {name} price")
            if given is not None and not needed:
                raise unprocessable(f"{words} orders require no {name} price")
            if given is not None:
                _check_price(given, name)


@dataclass(slots=True)
class Order:
    """An order and what became of it; the exchange alone changes it.

    Times are nanoseconds since 1970, UTC. `live` is when it reaches the market, `seen` up to when the market's events
    have been tried against it, `rested` when the session began in which it has last met a quote, `reserve` what a share
    of it is reckoned to cost while it is open.
    """

    id: str
    number: int
    asset: Mapping[str, Any]
    terms: Terms
    client_order_id: str
    created: int
    live: int
    expires: int
    status: str = "pending_new"
    seen: int = 0
    rested: int = 0
    elected: bool = False
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    reserve: Decimal = ZERO
    updated: int = 0
    filled_at: int | None = None
    canceled_at: int | None = None
    expired_at: int | None = None
    replaced_at: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None

    @property
    def open(self) -> bool:
        """Whether it may still be filled."""
        return self.status in OPEN

    def left(self, price: Decimal) -> Decimal:
        """Shares not yet filled; those that its dollars buy at a price, rounded down to a billionth."""
        if self.terms.qty is not None:
            return self.terms.qty - self.filled_qty
        rest = (self.terms.notional or ZERO) - self.filled_value
        return (rest / price).quantize(Decimal(1).scaleb(_FINEST), rounding="ROUND_DOWN")

    def reserved(self) -> Decimal:
        """What its unfilled part is reckoned to cost, in dollars."""
        return self.reserve * self.left(self.reserve) if self.open and self.reserve else ZERO

    def json(self) -> dict[str, Any]:
        """The order as the wire has it; amounts are texts."""
        terms = self.terms
        average = self.filled_value / self.filled_qty if self.filled_qty else None
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": moment_text(self.created),
            "updated_at": moment_text(self.updated),
            "submitted_at": moment_text(self.created),
            "filled_at": _stamp(self.filled_at),
            "expired_at": _stamp(self.expired_at),
            "canceled_at": _stamp(self.canceled_at),
            "failed_at": None,
            "replaced_at": _stamp(self.replaced_at),
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": self.asset["id"],
            "symbol": terms.symbol,
            "asset_class": self.asset["class"],
            "notional": _plain(terms.notional),
            "qty": _plain(terms.qty),
            "filled_qty": plain(self.filled_qty),
            "filled_avg_price": None if average is None else plain(round(average, 6)),
            "order_class": "simple",
            "order_type": terms.kind,
            "type": terms.kind,
            "side": terms.side,
            "time_in_force": terms.time_in_force,
            "limit_price": _plain(terms.limit_price),
            "stop_price": _plain(terms.stop_price),
            "status": self.status,
            "extended_hours": terms.extended_hours,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
            "subtag": None,
            "source": None,
            "expires_at": moment_text(self.expires),
        }


def _beyond_this_exchange(body: Mapping[str, Any]) -> None:
    """Refuse what the venue knows and this exchange does not, rather than take it for something else."""
    shape = body.get("order_class") or "simple"
    if shape != "simple" or body.get("take_profit") or body.get("stop_loss") or body.get("legs"):
        raise unprocessable(f"order_class {shape} is not simulated; this exchange takes simple orders only")
    if body.get("type") == "trailing_stop":
        raise unprocessable(f"trailing_stop orders are not simulated; use one of {', '.join(_PRICES)}")
    if body.get("time_in_force") in ("opg", "cls"):
        raise unprocessable(f"auctions are not simulated; use a time_in_force of {', '.join(_TIMES)}")


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
    if abs(amount) >= _BEYOND or len(amount.as_tuple().digits) > _DIGITS:
        raise unprocessable(f"invalid {name}: it has too many digits")
    return amount


def _check_price(price: Decimal, name: str) -> None:
    if price <= 0:
        raise unprocessable(f"{name} price must be > 0")
    places = price.normalize().as_tuple().exponent
    # Whole cents from a dollar on, hundredths of a cent below: SEC Rule 612 before its change, and Alpaca's own rule.
    if isinstance(places, int) and -places > (2 if price >= 1 else 4):
        raise unprocessable(
            f"invalid {name}_price {plain(price)}. sub-penny increment does not fulfill minimum pricing criteria"
        )


def _stamp(moment: int | None) -> str | None:
    return None if moment is None else moment_text(moment)


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def not_found(order_id: str) -> RefusedError:
    """404 for an order that is not there."""
    return absent(f"order not found for {order_id}")
