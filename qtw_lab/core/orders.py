"""What is asked of a market (`Order`), what it gave (`Fill`) and what is held (`Position`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real
from typing import Final, Literal

import pandas as pd

from qtw_lab.core.errors import DataError

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit"]

#: The prices each type of order cannot do without.
_NEEDED: Final[dict[OrderType, tuple[str, ...]]] = {
    "market": (), "limit": ("limit_price",), "stop": ("stop_price",), "stop_limit": ("stop_price", "limit_price"),
}  # fmt: skip


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
    type : {"market", "limit", "stop", "stop_limit"}
        A limit needs `limit_price`, a stop needs `stop_price`, a stop-limit both.
    limit_price, stop_price : float, optional
        In account currency.
    reason : str
        Why the order exists ("signal", "stop_loss"), for the order list.

    Raises
    ------
    DataError
        If side or type is unknown, a price is missing, a number is not positive and finite, or the time has no zone.
    """

    symbol: str
    side: Side
    quantity: float
    submitted_at: pd.Timestamp
    type: OrderType = "market"
    limit_price: float | None = None
    stop_price: float | None = None
    reason: str = "signal"

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
