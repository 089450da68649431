"""A space of parameters to draw combinations from, and what was drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.plan import Allowed, ListPlan, Where, as_array, condition, distinct
from qtw_lab.core import DataError, lookup
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]
#: Gives so many points of the unit cube, (count, dimensions).
Draw = Callable[[int], FloatArray]

#: Draws for each combination wanted before a space counts as used up.
PATIENCE: Final = 100


@dataclass(frozen=True, slots=True)
class Dimension:
    """The values one parameter may take.

    Parameters
    ----------
    name : str
        The parameter.
    low, high : int or float
        Ends of a range, both included; unused if there are choices.
    log : bool
        Whether small values are looked at as closely as large ones.
    choices : tuple
        The values, if they are listed.
    """

    name: str
    low: Any = 0
    high: Any = 0
    log: bool = False
    choices: tuple[Any, ...] = ()

    @classmethod
    def of(cls, strategy: type[Strategy], name: str, given: Any) -> Dimension:
        """The dimension that an entry of a space spells, in the parameter's declared type.

        Raises
        ------
        DataError
            If it is no range and no list, or a value does not fit the parameter.
        """
        lookup(name, strategy.declared(), f"parameter of {strategy.__name__}")
        if isinstance(given, tuple):
            return cls._range(strategy, name, given)
        if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
            raise DataError(
                f"The space of {name} is {given!r}; write a range as (low, high), one on a logarithmic scale as "
                "(low, high, 'log'), and single values as a list."
            )
        return cls(name, choices=distinct(strategy, name, given, "space"))

    @classmethod
    def _range(cls, strategy: type[Strategy], name: str, given: tuple[Any, ...]) -> Dimension:
        ends, log = given[:2], given[2:] == ("log",)
        numbers = [end for end in ends if isinstance(end, (int, float, np.number)) and not isinstance(end, bool)]
        if len(numbers) != 2 or not (len(given) == 2 or log):
            raise DataError(
                f"The space of {name} is {given!r}; a range is (low, high) or (low, high, 'log') with two numbers. "
                "Write single values as a list."
            )
        low, high = (strategy.checked(name, end) for end in ends)
        if not math.isfinite(low) or not math.isfinite(high) or low > high or (log and low <= 0):
            wanted = "finite, low at most high" + (", and low above 0 on a logarithmic scale" if log else "")
            raise DataError(f"The space of {name} is {given!r}; a range must be {wanted}.")
        return cls(name, low, high, log)

    @property
    def size(self) -> float:
        """How many values there are."""
        if self.choices:
            return len(self.choices)
        return self.high - self.low + 1 if isinstance(self.low, int) else math.inf

    def at(self, units: FloatArray) -> list[Any]:
        """The values at places from 0 up to 1 of the dimension.

        Examples
        --------
        >>> Dimension("fast", 2, 5).at(np.array([0.0, 0.25, 0.99]))
        [2, 3, 5]
        >>> Dimension("risk", 0.01, 1.0, log=True).at(np.array([0.0, 0.5]))
        [0.01, 0.1]
        """
        if self.choices:
            return [self.choices[int(place)] for place in units * len(self.choices)]
        whole = isinstance(self.low, int)
        low, high = float(self.low), float(self.high) + whole
        values = low * (high / low) ** units if self.log else low + units * (high - low)
        if whole:
            return np.minimum(np.floor(values), self.high).astype(np.int64).tolist()  # type: ignore[no-any-return]
        return np.clip(values, self.low, self.high).tolist()  # type: ignore[no-any-return]


@dataclass
class Found:
    """The distinct combinations found so far, and what was drawn and not taken."""

    names: tuple[str, ...]
    taken: dict[tuple[Any, ...], int] = field(default_factory=dict)
    draws: int = 0
    repeated: int = 0
    refused: int = 0
    barred: set[tuple[Any, ...]] = field(default_factory=set)

    def refuse(self, choice: tuple[Any, ...]) -> None:
        """Count a draw that cannot be used."""
        self.refused += 1
        self.barred.add(choice)

    def everything(self, dimensions: Sequence[Dimension]) -> bool:
        """Whether each combination of the space has been drawn."""
        return len(self.taken) + len(self.barred) >= math.prod(one.size for one in dimensions)

    def remark(self, method: str, seed: int, trials: int) -> str:
        """How the combinations were come by, of `trials` wanted."""
        short = "" if len(self.taken) >= trials else f"; no more of the {trials:,} wanted turned up"
        return (
            f"{method} search, seed {seed}: {len(self.taken):,} distinct combinations in {self.draws:,} draws "
            f"({self.repeated:,} repeated an earlier one and were not run again, {self.refused:,} were refused by "
            f"`where` or the strategy){short}"
        )

    def plan(self, strategy: Strategy, longest: Strategy) -> ListPlan:
        """The combinations as a plan, in the order they were found."""
        columns = list(zip(*self.taken, strict=True))
        values = [tuple(dict.fromkeys(column)) for column in columns]
        places = [{value: place for place, value in enumerate(distinct)} for distinct in values]
        codes = [[place[value] for value in column] for place, column in zip(places, columns, strict=True)]
        return ListPlan(strategy, self.names, tuple(values), longest, np.array(codes, dtype=np.int64))


def drawn(
    strategy: Strategy, dimensions: Sequence[Dimension], where: Where | None, draw: Draw, trials: int
) -> tuple[ListPlan, Found]:
    """A plan of distinct combinations drawn from a space, and what was drawn for it.

    Raises
    ------
    DataError
        If none can be used.
    """
    names = tuple(one.name for one in dimensions)
    found, allowed = Found(names), Allowed(strategy, names)
    batch = 2 ** max(6, math.ceil(math.log2(trials)))  # Sobol points are even in powers of two
    while len(found.taken) < trials and found.draws < max(PATIENCE * trials, 10_000):
        columns = [one.at(units) for one, units in zip(dimensions, draw(batch).T, strict=True)]
        arrays = {name: as_array(column) for name, column in zip(names, columns, strict=True)}
        usable = np.ones(batch, dtype=bool) if where is None else condition(where, arrays)
        allowed.narrow(arrays, usable)
        for choice, good in zip(zip(*columns, strict=True), usable, strict=True):
            if len(found.taken) == trials:
                break
            found.draws += 1
            found.repeated += bool(good) and choice in found.taken
            if good:
                found.taken.setdefault(choice, len(found.taken))
            else:
                found.refuse(choice)
        if found.everything(dimensions):
            break
    if not found.taken:
        reason = f" The strategy refuses them: {allowed.refusal}" if allowed.refusal else ""
        reason = reason or " The condition `where` leaves none."
        raise DataError(f"None of {found.draws:,} combinations drawn from the space can be used.{reason}")
    return found.plan(strategy, allowed.longest), found


def dimensions_of(strategy: Strategy, space: Mapping[str, Any]) -> list[Dimension]:
    """The dimensions that a space spells.

    Raises
    ------
    DataError
        If it is empty, or an entry does not fit the strategy.
    """
    if not isinstance(space, Mapping) or not space:
        raise DataError("The space is empty: give at least one parameter with its values, such as {'fast': (2, 100)}.")
    return [Dimension.of(type(strategy), name, given) for name, given in space.items()]
