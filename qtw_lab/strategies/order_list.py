"""Orders written down beforehand, traded as they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from qtw_lab.core import DataError, Order
from qtw_lab.strategies.base import FloatArray, Panel, Strategy


class OrderList(Strategy):
    """A strategy that decides nothing by itself and sends the orders it was given.

    Parameters
    ----------
    orders : iterable of Order
        At least one; those of a symbol act in the order of this list.

    Raises
    ------
    DataError
        If it is empty or holds something else.

    Examples
    --------
    >>> import pandas as pd
    >>> day = pd.Timestamp("2024-01-02", tz="UTC")
    >>> OrderList([Order("X", "buy", 10, day, "limit", limit_price=99.0)])
    OrderList(1 order)
    """

    holds = True

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        given = tuple(orders)
        for order in given:
            if not isinstance(order, Order):
                raise DataError(f"An order list holds qtw.Order objects, not {type(order).__name__}.")
        if not given:
            raise DataError("An order list needs at least one qtw.Order.")
        object.__setattr__(self, "orders", given)
        super().__init__()

    orders: ClassVar[tuple[Order, ...]]  # of each object: set in __init__, for the class is frozen

    @property
    def parameters(self) -> dict[str, Any]:
        """How many orders there are, and a digest of them: other orders are another configuration."""
        return {"orders": len(self.orders), "digest": digest(self.orders)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OrderList) and self.orders == other.orders

    def __hash__(self) -> int:
        return hash(self.orders)

    def signals(self, prices: Panel) -> FloatArray:
        """No decision at any bar."""
        return np.full(prices.close.shape, np.nan)

    def __repr__(self) -> str:
        count = len(self.orders)
        return f"OrderList({count} order{'s' if count != 1 else ''})"


def digest(orders: Iterable[Order]) -> str:
    """Sixteen characters that stand for these orders: the beginning of the SHA-256 of all they say.

    Examples
    --------
    >>> digest([])
    'e3b0c44298fc1c14'
    """
    spelled = hashlib.sha256()
    for order in orders:
        spelled.update(f"{order!r}\n".encode())
    return spelled.hexdigest()[:16]
