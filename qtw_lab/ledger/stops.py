"""When a position is closed without a signal."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real

from qtw_lab.core import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """Protective exits; None switches one off.

    A stop that the bar opens beyond fills at the open. If a bar reaches both stop and target, it does not say which
    came first: both ways are simulated, and the worse one counts (the ambiguity band). After such an exit the engine
    waits for the strategy's next change of stance.

    Parameters
    ----------
    stop_loss : float, optional
        Loss from the average entry price at which the position is closed, 0.05 for 5%.
    take_profit : float, optional
        Gain from the average entry price at which the position is closed.
    trailing : float, optional
        Retreat from the best price since entry at which the position is closed, as a fraction of that price.
    trailing_amount : float, optional
        The same in account currency.

    Raises
    ------
    DataError
        If a figure is not above zero, or a loss is not below one.

    Examples
    --------
    >>> Stops(stop_loss=0.05)
    Stops(stop_loss=0.05, take_profit=None, trailing=None, trailing_amount=None)
    """

    stop_loss: float | None = None
    take_profit: float | None = None
    trailing: float | None = None
    trailing_amount: float | None = None

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            high = math.inf if entry.name in ("take_profit", "trailing_amount") else 1.0
            number = isinstance(value, Real) and not isinstance(value, bool)
            if value is not None and not (number and 0 < value < high):
                raise DataError(
                    f"Stops: {entry.name}={value!r} must be above 0 and below {high:g}, such as 0.05 for 5%."
                )
