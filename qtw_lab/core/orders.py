"""What is asked of a market (`Order`), what it gave (`Fill`) and what is held (`Position`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Final, Literal

import pandas as pd

from qtw_lab.core.errors import DataError

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit", "trailing_stop"]
TimeInForce = Literal["gtc", "day", "ioc", "fok", "opg", "cls"]

#: The prices each type of order cannot do without.
_NEEDED: Final[dict[OrderType, tuple[str, ...]]] = {
    "market": (), "limit": ("limit_price",), "stop": ("stop_price",), "stop_limit": ("stop_price", "limit_price"),
    "trailing_stop": (),
}  # fmt: skip
_LIVES: Final = ("gtc", "day", "ioc", "fok", "opg", "cls")
#: Times in force that make no sense for an order that waits for a stop.
_AT_ONCE: Final = ("ioc", "fok", "opg", "cls")


@dataclass(frozen=True, slots=True)
class Order:
    """A wish to trade.

    Parameters
    ----------
    symbol : str
        What to trade.
    side : {"buy", "sell"}
        Direction; a sell beyond the holding goes short.
    quantity : float
        Shares, strictly positive; fractions are allowed.
    submitted_at : pandas.Timestamp
        When the order was decided, time-zone aware.
    type : {"market", "limit", "stop", "stop_limit", "trailing_stop"}
        A limit needs `limit_price`, a stop needs `stop_price`, a stop-limit both, a trailing stop one of `trail_price`
        and `trail_percent`.
    limit_price, stop_price : float, optional
        In account currency.
    reason : str
        Why the order exists ("signal", "stop_loss"), for the order list.
    time_in_force : {"gtc", "day", "ioc", "fok", "opg", "cls"}
        Until cancelled, until the session ends, at once or never (a part or the whole), only at the open, only at the
        close. The last four are for market and limit orders.
    good_for : int, optional
        Bars that a "gtc" order lives.
    trail_price, trail_percent : float, optional
        How far a trailing stop follows the best price, in account currency or percent of that price.
    take_profit, stop_loss : float, optional
        Legs of a bracket, which live once the order is wholly filled and cancel each other: prices, or fractions of the
        mean fill price if `legs_relative`.
    legs_relative : bool
        Whether the legs are fractions, such as 0.05 for 5%, which move with the fill.
    oco : str, optional
        Name of a one-cancels-other group; orders of one symbol that share it cancel each other.

    Raises
    ------
    DataError
        If side, type or time in force is unknown, a price is missing, a number is not positive and finite, or the time
        has no zone.

    Examples
    --------
    >>> now = pd.Timestamp("2024-01-02", tz="UTC")
    >>> Order("X", "buy", 10, now, "limit", limit_price=99.0, take_profit=0.1, stop_loss=0.05, legs_relative=True).type
    'limit'
    """

    symbol: str
    side: Side
    quantity: float
    submitted_at: pd.Timestamp
    type: OrderType = "market"
    limit_price: float | None = None
    stop_price: float | None = None
    reason: str = "signal"
    time_in_force: TimeInForce = "gtc"
    good_for: int | None = None
    trail_price: float | None = None
    trail_percent: float | None = None
    take_profit: float | None = None
    stop_loss: float | None = None
    legs_relative: bool = False
    oco: str | None = None

    def __post_init__(self) -> None:
        if self.side not in ("buy", "sell"):
            raise DataError(f"Order side {self.side!r} is neither 'buy' nor 'sell'.")
        if self.type not in _NEEDED:
            raise DataError(f"Order type {self.type!r} is not known; use one of {', '.join(_NEEDED)}.")
        if not _positive(self.quantity):
            raise DataError(f"Order quantity {self.quantity!r} for {self.symbol} must be a positive, finite number.")
        if getattr(self.submitted_at, "tzinfo", None) is None:
            raise DataError(
                f"Order time {self.submitted_at} for {self.symbol} has no time zone; give one, such as UTC."
            )
        for name in _NEEDED[self.type]:
            price = getattr(self, name)
            if not _positive(price):
                raise DataError(f"A {self.type} order for {self.symbol} needs a positive {name}, not {price!r}.")
        for name in ("limit_price", "stop_price"):
            if getattr(self, name) is not None and name not in _NEEDED[self.type]:
                raise DataError(
                    f"A {self.type} order for {self.symbol} has no use for {name}={getattr(self, name)!r}; give the "
                    "type that has, such as 'limit', 'stop' or 'stop_limit'."
                )
        self._check_trail()
        self._check_life()
        self._check_legs()

    def _check_trail(self) -> None:
        given = [value for value in (self.trail_price, self.trail_percent) if value is not None]
        if self.type != "trailing_stop":
            if given:
                raise DataError(f"A {self.type} order for {self.symbol} does not trail; use type='trailing_stop'.")
        elif len(given) != 1 or not _positive(given[0]) or (self.trail_percent is not None and given[0] >= 100):
            raise DataError(
                f"A trailing_stop order for {self.symbol} needs either trail_price (account currency) or trail_percent "
                f"(above 0, below 100), not trail_price={self.trail_price!r} and trail_percent={self.trail_percent!r}."
            )

    def _check_life(self) -> None:
        if self.time_in_force not in _LIVES:
            raise DataError(f"Order time_in_force {self.time_in_force!r} is not known; use one of {', '.join(_LIVES)}.")
        if self.time_in_force in _AT_ONCE and self.type not in ("market", "limit"):
            raise DataError(
                f"A {self.type} order for {self.symbol} cannot be {self.time_in_force!r}: only market and limit orders "
                "can."
            )
        if self.good_for is None:
            return
        if isinstance(self.good_for, bool) or not isinstance(self.good_for, Integral) or self.good_for < 1:
            raise DataError(f"Order good_for={self.good_for!r} must be a whole number of bars of at least 1, or None.")
        if self.time_in_force != "gtc":
            raise DataError(f"good_for={self.good_for} is for 'gtc' orders; this one is {self.time_in_force!r}.")

    def _check_legs(self) -> None:
        for name in ("take_profit", "stop_loss"):
            value = getattr(self, name)
            if value is not None and not _positive(value):
                raise DataError(f"Order {name}={value!r} for {self.symbol} must be a positive, finite number.")
        fraction = self.stop_loss if self.side == "buy" else self.take_profit
        if self.legs_relative and fraction is not None and fraction >= 1:
            raise DataError(f"Order legs for {self.symbol}: a fraction of {fraction!r} below the fill is no price.")
        if self.legs_relative or self.take_profit is None or self.stop_loss is None:
            return
        if (self.take_profit > self.stop_loss) != (self.side == "buy"):
            raise DataError(
                f"Order legs for {self.symbol}: take_profit={self.take_profit!r} and stop_loss={self.stop_loss!r} lie "
                f"on the wrong sides of each other for a {self.side}."
            )


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade that happened.

    Parameters
    ----------
    symbol : str
        What was traded.
    quantity : float
        Signed shares: positive bought, negative sold.
    price : float
        Price paid or received per share, slippage included, in account currency.
    commission : float
        Fees of this fill in account currency, never negative for a charge.
    at : pandas.Timestamp
        When it happened, time-zone aware.
    reason : str
        Why: "signal", "rebalance", "stop_loss" and so on.
    """

    symbol: str
    quantity: float
    price: float
    commission: float
    at: pd.Timestamp
    reason: str = "signal"


@dataclass(frozen=True, slots=True)
class Position:
    """Shares held and what they cost.

    Parameters
    ----------
    symbol : str
        What is held.
    quantity : float
        Signed shares; negative is short.
    average_price : float
        Mean entry price of the shares held, commission excluded.
    realized : float
        Profit booked by closed shares so far, commission excluded, in account currency.

    Examples
    --------
    >>> now = pd.Timestamp("2024-01-02", tz="UTC")
    >>> p = Position("X").after(Fill("X", 10, 100.0, 0.0, now)).after(Fill("X", -4, 110.0, 0.0, now))
    >>> p.quantity, p.average_price, p.realized
    (6.0, 100.0, 40.0)
    """

    symbol: str
    quantity: float = field(default=0.0)
    average_price: float = field(default=0.0)
    realized: float = field(default=0.0)

    def after(self, fill: Fill) -> Position:
        """The position once `fill` has happened: adding averages the price, reducing books profit.

        Raises
        ------
        DataError
            If the fill is for another symbol.
        """
        if fill.symbol != self.symbol:
            raise DataError(f"A fill in {fill.symbol} cannot change a position in {self.symbol}.")
        held, traded = self.quantity, float(fill.quantity)
        quantity = held + traded
        if held * traded >= 0:
            average = (abs(held) * self.average_price + abs(traded) * fill.price) / abs(quantity) if quantity else 0.0
            return Position(self.symbol, quantity, average, self.realized)
        closed = math.copysign(min(abs(held), abs(traded)), held)
        realized = self.realized + closed * (fill.price - self.average_price)
        flipped = quantity * held < 0
        average = fill.price if flipped else (self.average_price if quantity else 0.0)
        return Position(self.symbol, quantity, average, realized)


def _positive(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf
