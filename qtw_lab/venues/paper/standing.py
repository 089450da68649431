"""What rules may ask a paper account, and what they say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from qtw_lab.ledger.book import Balance, Book
from qtw_lab.venues.market import Prices
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.orders import Order
from qtw_lab.venues.paper.state import State


class Paper(Protocol):
    """What rules may ask a paper account; see `qtw_lab.venues.paper.broker.PaperBroker`."""

    market: Prices
    hours: Hours

    @property
    def model(self) -> FillModel: ...  # noqa: D102  (as of the broker)
    @property
    def state(self) -> State: ...  # noqa: D102  (as of the broker)
    @property
    def book(self) -> Book: ...  # noqa: D102  (as of the broker)
    @property
    def configurations(self) -> Mapping[str, Any]: ...  # noqa: D102  (as of the broker)
    def balance(self, now: int) -> Balance: ...  # noqa: D102  (as of the broker)
    def last_balance(self, now: int) -> Balance: ...  # noqa: D102  (as of the broker)
    def open_orders(self) -> list[Order]: ...  # noqa: D102  (as of the broker)
    def marks(self, numbers: Mapping[str, int], now: int) -> dict[str, Decimal]: ...  # noqa: D102  (as of the broker)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account may do at a moment.

    Parameters
    ----------
    power : Decimal
        Dollars that new positions may cost, before what open orders reserve; not below zero.
    own : Decimal
        Those of them that nobody lends.
    multiplier : int
        How much may be bought for a dollar of equity.
    shorting : bool
        Whether more may be sold than is held.
    """

    power: Decimal
    own: Decimal
    multiplier: int
    shorting: bool
