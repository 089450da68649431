"""What an order asks for, in exact amounts and under the rules of Alpaca's order page.

Source of the rules: Alpaca's documents "Placing Orders" and "Orders at Alpaca" (docs.alpaca.markets), as of 2026.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

from qtw_lab.ledger.amounts import plain
from qtw_lab.ledger.refusals import RefusedError, malformed, unprocessable

Kind = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
Shape = Literal["simple", "bracket", "oco", "oto"]

SIDES: Final = ("buy", "sell")
#: Which prices each kind of order needs: whether a limit, whether a stop.
KINDS: Final = {
    "market": (False, False), "limit": (True, False), "stop": (False, True), "stop_limit": (True, True),
    "trailing_stop": (False, False),
}  # fmt: skip
TIMES: Final = ("day", "gtc", "opg", "cls", "ioc", "fok")
SHAPES: Final = ("simple", "bracket", "oco", "oto")
AUCTIONS: Final = ("opg", "cls")
AT_ONCE: Final = ("ioc", "fok")
STOPS: Final = ("stop", "stop_limit", "trailing_stop")

#: Places of a quantity after the point, by Alpaca's page on fractional trading; and of dollars.
FINEST: Final = -9
_CENTS: Final = -2
_LONGEST_ID: Final = 128
#: No order has amounts like these; below them decimals are exact.
BEYOND: Final = Decimal(10) ** 12
DIGITS: Final = 24

#: Steps of prices from a dollar on, and below (SEC Rule 612, 17 CFR 242.612). The rule as amended in 2024 gives symbols
#: with narrow spreads half-cent steps, so the first is a matter of the symbol.
CENT: Final = Decimal("0.01")
_BELOW_A_DOLLAR: Final = Decimal("0.0001")
#: The least distance between a stop of an exit and the price it is measured from.
_APART: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Exit:
    """A leg that closes what an entry opened: a target (`limit` alone), or a stop, which may have a limit.

    Parameters
    ----------
    limit, stop : Decimal, optional
        In dollars.
    """

    limit: Decimal | None = None
    stop: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an order asks for.

    Parameters
    ----------
    symbol : str
        What to trade.
    side : {"buy", "sell"}
        Direction.
    kind : {"market", "limit", "stop", "stop_limit", "trailing_stop"}
        The wire's field ``type``.
    time_in_force : {"day", "gtc", "opg", "cls", "ioc", "fok"}
        The session, until canceled, the opening or the closing auction, at once or never (a part, or the whole).
    qty, notional : Decimal, optional
        Shares or dollars; one of them.
    limit_price, stop_price : Decimal, optional
        As the kind needs them, dollars.
    trail_price, trail_percent : Decimal, optional
        How far a trailing stop follows the best price since it reached the market: dollars, or percent of that price.
    extended_hours : bool
        Whether it may trade before the opening and after the close.
    shape : {"simple", "bracket", "oco", "oto"}
        The wire's ``order_class``: alone; an entry with target and stop; target and stop of a holding, of which one
        cancels the other; an entry with one of both.
    target, stop_loss : Exit, optional
        The legs that the shape needs.
    client_order_id : str
        The client's name for it, empty where it gave none.

    Examples
    --------
    >>> ticket = Ticket("AAPL", "buy", "limit", "day", qty=Decimal(1), limit_price=Decimal("101.5")).checked()
    >>> ticket.buys, ticket.fractional
    (True, False)
    >>> Ticket("AAPL", "buy", "limit", "day", qty=Decimal(1)).checked()
    Traceback (most recent call last):
    ...
    qtw_lab.ledger.refusals.RefusedError: limit orders require a limit price
    """

    symbol: str
    side: str
    kind: str
    time_in_force: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    shape: str = "simple"
    target: Exit | None = None
    stop_loss: Exit | None = None
    client_order_id: str = ""

    @property
    def buys(self) -> bool:
        """Whether it buys."""
        return self.side == "buy"

    @property
    def fractional(self) -> bool:
        """Whether it asks for dollars or for parts of a share."""
        return self.qty is None or self.qty != self.qty.to_integral_value()

    @property
    def washable(self) -> bool:
        """Whether it counts among those that could trade with another of the account: complex orders do not."""
        return self.shape == "simple" and self.kind != "trailing_stop"

    def checked(self, step: Decimal = CENT) -> Ticket:
        """The ticket, if its terms do not contradict each other.

        Parameters
        ----------
        step : Decimal
            What prices from a dollar on are multiples of.

        Raises
        ------
        RefusedError
            As the venue would refuse it: 400 for shares and dollars at once, 422 otherwise.
        """
        _check_words(self)
        _check_size(self)
        _check_prices(self, step)
        _check_life(self)
        _check_shape(self, step)
        if len(self.client_order_id) > _LONGEST_ID:
            raise malformed(f"client_order_id must be no more than {_LONGEST_ID} characters")
        return self

    def amended(
        self,
        *,
        qty: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        trail: Decimal | None = None,
        time_in_force: str | None = None,
        client_order_id: str = "",
        step: Decimal = CENT,
    ) -> Ticket:
        """The ticket with other terms, as a replacement asks for them; what is not given stays.

        Parameters
        ----------
        qty, limit_price, stop_price, time_in_force, client_order_id
            As in `Ticket`; `qty` counts what has been filled.
        trail : Decimal, optional
            The new distance of a trailing stop, in the measure it has.
        step : Decimal
            As for `checked`.

        Raises
        ------
        RefusedError
            422, as `checked`, and where the venue does not replace such an order.
        """
        if self.notional is not None:
            raise unprocessable("orders with a notional amount cannot be replaced")
        if qty is not None and self.fractional and qty != self.qty:
            raise unprocessable("the quantity of a fractional order cannot be replaced")
        if trail is not None and self.kind != "trailing_stop":
            raise unprocessable("trail can only be replaced for trailing stop orders")
        dollars = trail if self.trail_price is not None else None
        percent = trail if self.trail_percent is not None else None
        return replace(
            self, qty=qty or self.qty, limit_price=limit_price or self.limit_price,
            stop_price=stop_price or self.stop_price, trail_price=dollars or self.trail_price,
            trail_percent=percent or self.trail_percent, time_in_force=time_in_force or self.time_in_force,
            client_order_id=client_order_id,
        ).checked(step)  # fmt: skip

    def after_split(self, ratio: Decimal) -> Ticket:
        """The ticket once a share has become `ratio` shares: prices divided by it, to a step that is no worse.

        Quantities are the order's, not the ticket's, for a part may be filled.

        Examples
        --------
        >>> sale = Ticket("X", "sell", "limit", "gtc", qty=Decimal(5), limit_price=Decimal("10.01"))
        >>> sale.after_split(Decimal(3)).limit_price
        Decimal('3.34')
        """
        way = "ROUND_DOWN" if self.buys else "ROUND_UP"

        def cut(price: Decimal | None) -> Decimal | None:
            if price is None:
                return None
            fine = price / ratio
            return fine.quantize(CENT if fine >= 1 else _BELOW_A_DOLLAR, rounding=way)

        def leg(exits: Exit | None) -> Exit | None:
            return None if exits is None else Exit(cut(exits.limit), cut(exits.stop))

        return replace(
            self, limit_price=cut(self.limit_price), stop_price=cut(self.stop_price), trail_price=cut(self.trail_price),
            target=leg(self.target), stop_loss=leg(self.stop_loss),
        )  # fmt: skip

    def exits(self) -> list[Ticket]:
        """The tickets of its legs, for the same shares: the target before the stop.

        Examples
        --------
        >>> entry = Ticket("X", "buy", "market", "gtc", qty=Decimal(5), shape="bracket",
        ...                target=Exit(limit=Decimal(12)), stop_loss=Exit(stop=Decimal(9)))
        >>> [(leg.side, leg.kind, str(leg.limit_price or leg.stop_price)) for leg in entry.exits()]
        [('sell', 'limit', '12'), ('sell', 'stop', '9')]
        """
        side = self.side if self.shape == "oco" else ("sell" if self.buys else "buy")
        life = self.time_in_force if self.time_in_force in ("day", "gtc") else "day"
        found = []
        for leg in (self.target, self.stop_loss):
            if leg is not None and not (self.shape == "oco" and leg is self.target):
                kind = "limit" if leg.stop is None else "stop" if leg.limit is None else "stop_limit"
                found.append(
                    Ticket(
                        self.symbol, side, kind, life, qty=self.qty, limit_price=leg.limit, stop_price=leg.stop,
                        shape=self.shape,
                    )
                )  # fmt: skip
        return found


def check_price(price: Decimal, name: str, step: Decimal = CENT) -> None:
    """Refuse a price that is none, or lies between steps.

    Raises
    ------
    RefusedError
        422.
    """
    if price <= 0:
        raise unprocessable(f"{name} must be > 0")
    if price % (step if price >= 1 else _BELOW_A_DOLLAR):
        raise unprocessable(
            f"invalid {name} {plain(price)}. sub-penny increment does not fulfill minimum pricing criteria"
        )


def _check_words(ticket: Ticket) -> None:
    for name, value, known in (
        ("side", ticket.side, SIDES), ("type", ticket.kind, tuple(KINDS)),
        ("time_in_force", ticket.time_in_force, TIMES), ("order_class", ticket.shape, SHAPES),
    ):  # fmt: skip
        if value not in known:
            raise malformed(f"invalid {name}: {value}; it is one of {', '.join(known)}")


def _check_size(ticket: Ticket) -> None:
    if ticket.qty is not None and ticket.notional is not None:
        raise RefusedError(400, "only one of qty or notional is accepted", 40010001)
    size, name, finest = (
        (ticket.qty, "qty", FINEST) if ticket.qty is not None else (ticket.notional, "notional", _CENTS)
    )
    if size is None:
        raise malformed("qty or notional is required")
    if size <= 0:
        raise unprocessable(f"{name} must be > 0")
    if _places(size) > -finest:
        raise unprocessable(f"{name} must have no more than {-finest} decimal places")
    if ticket.notional is not None and ticket.kind not in ("market", "limit"):
        raise unprocessable("notional orders must be market or limit orders")


def _check_prices(ticket: Ticket, step: Decimal) -> None:
    limit, stop = KINDS[ticket.kind]
    words = ticket.kind.replace("_", " ")
    for needed, given, name in ((limit, ticket.limit_price, "limit"), (stop, ticket.stop_price, "stop")):
        if needed and given is None:
            raise unprocessable(f"{words} orders require a {name} price")
        if given is not None and not needed:
            raise unprocessable(f"{words} orders require no {name} price")
        if given is not None:
            check_price(given, f"{name}_price", step)
    trails = [trail for trail in (ticket.trail_price, ticket.trail_percent) if trail is not None]
    if ticket.kind != "trailing_stop":
        if trails:
            raise unprocessable(f"{words} orders require no trail_price or trail_percent")
    elif len(trails) != 1:
        raise unprocessable("trailing stop orders must specify one of trail_price or trail_percent")
    elif trails[0] <= 0 or (ticket.trail_percent is not None and ticket.trail_percent >= 100):
        raise unprocessable("trail_price must be > 0, and trail_percent between 0 and 100")


def _check_life(ticket: Ticket) -> None:
    life, kind = ticket.time_in_force, ticket.kind
    if ticket.extended_hours and (kind != "limit" or life not in ("day", "gtc")):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if ticket.fractional and life != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if kind in STOPS and life not in ("day", "gtc"):
        raise unprocessable(f"{kind.replace('_', ' ')} orders must be DAY or GTC orders")


def _check_shape(ticket: Ticket, step: Decimal) -> None:
    shape, target, stop = ticket.shape, ticket.target, ticket.stop_loss
    if shape == "simple":
        if target is not None or stop is not None:
            raise unprocessable("simple orders take neither take_profit nor stop_loss; give an order_class")
        return
    if ticket.time_in_force not in ("day", "gtc"):
        raise unprocessable(f"{shape} orders must be DAY or GTC orders")
    if ticket.extended_hours:
        raise unprocessable(f"{shape} orders cannot trade in extended hours")
    if ticket.fractional:
        raise unprocessable(f"fractional orders must be simple orders, not {shape}")
    if ticket.kind == "trailing_stop":
        raise unprocessable("trailing stop orders must be simple orders")
    if shape in ("bracket", "oco") and (target is None or stop is None):
        raise unprocessable(f"{shape} orders require take_profit.limit_price and stop_loss.stop_price")
    if shape == "oto" and (target is None) == (stop is None):
        raise unprocessable("oto orders require exactly one of take_profit and stop_loss")
    if shape == "oco" and ticket.kind != "limit":
        raise unprocessable("oco orders must be limit orders")
    _check_exits(ticket, step)


def _check_exits(ticket: Ticket, step: Decimal) -> None:
    """Refuse exits on the wrong side of each other or of the entry's price."""
    target, stop = ticket.target, ticket.stop_loss
    if target is not None:
        if target.limit is None or target.stop is not None:
            raise unprocessable("take_profit requires a limit_price, and no more")
        check_price(target.limit, "take_profit.limit_price", step)
    if stop is not None:
        if stop.stop is None:
            raise unprocessable("stop_loss requires a stop_price")
        check_price(stop.stop, "stop_loss.stop_price", step)
        if stop.limit is not None:
            check_price(stop.limit, "stop_loss.limit_price", step)
    long = ticket.buys != (ticket.shape == "oco")  # what the exits close is long
    base = target.limit if target is not None and ticket.shape == "oco" else ticket.limit_price or ticket.stop_price
    if stop is not None and stop.stop is not None and base is not None:
        check_apart(long=long, stop=stop.stop, base=base)
    if target is None or target.limit is None or stop is None or stop.stop is None:
        return
    if (target.limit > stop.stop) != long or target.limit == stop.stop:
        way = "higher" if long else "lower"
        raise unprocessable(f"take_profit.limit_price must be {way} than stop_loss.stop_price")


def check_apart(*, long: bool, stop: Decimal, base: Decimal) -> None:
    """Refuse an exit's stop that is not a cent away from the price it is measured from, on its losing side.

    Raises
    ------
    RefusedError
        422.
    """
    if long and stop > base - _APART:
        raise unprocessable("stop_loss.stop_price must be <= base_price - 0.01", base_price=plain(base))
    if not long and stop < base + _APART:
        raise unprocessable("stop_loss.stop_price must be >= base_price + 0.01", base_price=plain(base))


def _places(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
