"""Ranges of parameters for a sweep at the workbench."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from qtw_lab.core import DataError
from qtw_lab.lab.workbench_fields import Field

#: Cells of a map at most: a browser has to draw them, and every one is a trial that is counted.
MOST_CELLS: Final = 10_000

#: Values a range has where nobody has chosen it.
_USUAL: Final = 12


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter and the values it is given.

    Parameters
    ----------
    name : str
        The parameter.
    low, high : int or float
        First and last value; the last is left out where the steps do not meet it.
    step : int or float
        From one value to the next.

    Raises
    ------
    DataError
        If the ends are reversed, the step is not above zero, or there are too many values.

    Examples
    --------
    >>> Axis("fast", 5, 20, 5).values
    (5, 10, 15, 20)
    >>> Axis("depth", 1.0, 1.4, 0.2).values
    (1.0, 1.2, 1.4)
    """

    name: str
    low: float
    high: float
    step: float

    def __post_init__(self) -> None:
        given = (self.low, self.high, self.step)
        numbers = all(
            isinstance(one, (int, float)) and not isinstance(one, bool) and math.isfinite(one) for one in given
        )
        if not numbers or not self.step > 0 or self.low > self.high:
            raise DataError(
                f"{self.name} cannot run from {self.low!r} to {self.high!r} in steps of {self.step!r}: give a first "
                "value that is not above the last, and a step above 0."
            )
        if self._count > MOST_CELLS:
            raise DataError(
                f"{self.name} would have {self._count:,} values from {self.low:g} to {self.high:g}; a map has at most "
                f"{MOST_CELLS:,} cells. Take a wider step."
            )

    @property
    def _count(self) -> int:
        return int((self.high - self.low) / self.step + 1e-9) + 1

    @property
    def values(self) -> tuple[float, ...]:
        """What the parameter is given, in order."""
        whole = all(float(one).is_integer() for one in (self.low, self.step))
        found = [self.low + place * self.step for place in range(self._count)]
        return tuple(int(one) for one in found) if whole else tuple(round(one, 10) for one in found)


def suggested(field: Field) -> Axis:
    """A range around the value of a field: from about a third of it to two and a half times as much, within its bounds.

    Examples
    --------
    >>> suggested(Field("fast", "", "int", 1, 5000, 10))
    Axis(name='fast', low=3, high=25, step=2)
    >>> suggested(Field("target", "", "float", 0.001, 5, 0.15))
    Axis(name='target', low=0.05, high=0.38, step=0.03)
    """
    value = field.default or (1 if field.kind == "int" else 0.1)
    low, high = sorted((value / 3, value * 5 / 2))
    low, high = max(field.low, low), min(field.high, high)
    if low > high:  # what is allowed lies elsewhere
        low = high = field.default
    return _whole(field, low, high) if field.kind == "int" else _broken(field, low, high)


def _whole(field: Field, low: float, high: float) -> Axis:
    first = math.ceil(max(low - 0.5, field.low))
    last = max(first, math.floor(high))
    return Axis(field.name, first, last, max(1, round((last - first) / (_USUAL - 1))))


def _broken(field: Field, low: float, high: float) -> Axis:
    digits = 1 - math.floor(math.log10(max(abs(low), abs(high)) or 1.0))
    step = max(round((high - low) / (_USUAL - 1), digits), 10.0**-digits)
    return Axis(field.name, round(low, digits), round(high, digits), step)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
