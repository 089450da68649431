"""What a sweep will run: its combinations, checked, without an object for each.

A plan of half a million combinations is a few arrays: the distinct values of each parameter, and one bit for each point
of the grid. What can be checked once a value is; what joins several parameters is tried on whole arrays, or on one
re-used object.
"""

from __future__ import annotations

import abc
import inspect
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError, lookup
from qtw_lab.strategies import Strategy

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
AnyArray = npt.NDArray[Any]
Where = Callable[..., Any]

#: Most points of a grid: planning visits each.
MOST_POINTS: Final = 100_000_000
#: Most values of one parameter.
MOST_VALUES: Final = 1_000_000
#: Points of a grid planned, and combinations turned into columns, at a time.
CHUNK: Final = 65_536
#: Combinations whose columns are made at once before they are cut into blocks.
_STRETCH: Final = 4_096
#: How many answers of a condition given for whole arrays are compared with single calls, in each chunk.
_SAMPLE: Final = 64
#: Combinations that are made as strategies to compare with, which costs more.
_FEW: Final = 8
#: How a rule written for single numbers fails when it is given arrays.
_ARRAY_FAULTS: Final = (TypeError, ValueError, AttributeError, ArithmeticError, LookupError, Warning)


@dataclass(frozen=True, eq=False)
class Block:
    """Combinations `start` up to `stop` of a plan, as parameter columns of shape (stop - start,)."""

    start: int
    stop: int
    columns: Mapping[str, AnyArray]


@dataclass(frozen=True, eq=False)
class Plan(abc.ABC):
    """Combinations in a fixed order, numbered from 0.

    Parameters
    ----------
    strategy : Strategy
        Gives the parameters that do not vary.
    names : tuple of str
        The parameters that do.
    values : tuple of tuple
        Their distinct values, checked and in their declared types.
    longest : Strategy
        The combination with the longest warm-up.
    """

    strategy: Strategy
    names: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]
    longest: Strategy
    arrays: tuple[AnyArray, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrays", tuple(map(as_array, self.values)))

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many combinations there are."""

    @abc.abstractmethod
    def codes(self, places: IntArray) -> tuple[IntArray, ...]:
        """For each parameter, which of its `values` the combinations at `places` have."""

    def columns(self, places: IntArray) -> dict[str, AnyArray]:
        """The parameters of the combinations at `places`, one array each."""
        codes = self.codes(places)
        return {name: array[code] for name, array, code in zip(self.names, self.arrays, codes, strict=True)}

    def one(self, place: int) -> Strategy:
        """The strategy of one combination."""
        codes = self.codes(np.array([place]))
        return self.strategy.replaced(**self.named(int(code[0]) for code in codes))

    def named(self, codes: Iterable[int]) -> dict[str, Any]:
        """Parameter values by name, given which of its `values` each has."""
        return {name: values[code] for name, values, code in zip(self.names, self.values, codes, strict=True)}

    def blocks(self, size: int, spans: Iterable[tuple[int, int]] | None = None) -> Iterator[Block]:
        """The combinations of all `spans` (by default the whole plan) in blocks of at most `size`."""
        for first, last in [(0, len(self))] if spans is None else spans:
            step = max(size, _STRETCH // size * size)
            for low in range(first, last, step):
                high = min(low + step, last)
                columns = self.columns(np.arange(low, high))
                for start in range(low, high, size):
                    stop = min(start + size, high)
                    part = slice(start - low, stop - low)
                    yield Block(start, stop, {name: column[part] for name, column in columns.items()})


@dataclass(frozen=True, eq=False)
class GridPlan(Plan):
    """The points of a grid that are allowed, in the order of nested loops over the parameters.

    Parameters
    ----------
    kept : ndarray of uint8, (chunks, CHUNK / 8), or None
        One bit a point: whether it is allowed. None if all are.
    ends : ndarray of int64, (chunks,)
        How many allowed points lie before the end of each chunk.
    """

    kept: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    ends: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64), repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each parameter has."""
        return tuple(len(choices) for choices in self.values)

    def __len__(self) -> int:
        return math.prod(self.shape) if self.kept is None else int(self.ends[-1])

    def codes(self, places: IntArray) -> tuple[IntArray, ...]:
        """As `Plan.codes`."""
        return np.unravel_index(self._points(places), self.shape)

    def _points(self, places: IntArray) -> IntArray:
        """The grid points of the combinations at `places`."""
        if self.kept is None:
            return places
        chunks = np.searchsorted(self.ends, places, side="right")
        points = np.empty(len(places), dtype=np.int64)
        for chunk in np.unique(chunks):
            allowed = np.flatnonzero(np.unpackbits(self.kept[chunk]).view(bool))  # truth values are counted faster
            before = self.ends[chunk - 1] if chunk else 0
            mine = chunks == chunk
            points[mine] = chunk * CHUNK + allowed[places[mine] - before]
        return points


@dataclass(frozen=True, eq=False)
class ListPlan(Plan):
    """Combinations that were listed one by one.

    Parameters
    ----------
    listed : ndarray of int64, (parameters, K)
        Which of its values each parameter has in each combination.
    """

    listed: IntArray = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64), repr=False)

    def __len__(self) -> int:
        return int(self.listed.shape[1])

    def codes(self, places: IntArray) -> tuple[IntArray, ...]:
        """As `Plan.codes`."""
        return tuple(self.listed[:, places])


def planned(strategy: Strategy, grid: Mapping[str, Iterable[Any]], where: Where | None = None) -> GridPlan:
    """The plan of a grid.

    Parameters
    ----------
    strategy : Strategy
        Gives the parameters outside the grid.
    grid : mapping of str to iterable
        Values for each parameter; one that comes twice counts once.
    where : callable, optional
        Called with the grid's parameters by name, first with whole arrays; if it cannot take them, or answers otherwise
        than for single values, it is called once a combination.

    Raises
    ------
    DataError
        If the grid is empty or too large, names an unknown parameter or a value out of bounds, or nothing is left.

    Examples
    --------
    >>> from qtw_lab.strategies import SmaCross
    >>> plan = planned(SmaCross(), {"fast": range(2, 1002), "slow": range(2, 1002)}, lambda fast, slow: fast < slow)
    >>> len(plan), plan.one(0), plan.longest.warmup
    (499500, SmaCross(fast=2, slow=3, short=False), 1000)
    """
    values = _checked_grid(strategy, grid)
    size = math.prod(map(len, values.values()))
    check_condition(where, tuple(values))
    names, arrays = tuple(values), [as_array(choices) for choices in values.values()]
    shape = tuple(map(len, arrays))
    allowed, rows, counts = Allowed(strategy, names), [], []
    for start in range(0, size, CHUNK):
        codes = np.unravel_index(np.arange(start, min(start + CHUNK, size)), shape)
        chunk = {name: array[code] for name, array, code in zip(names, arrays, codes, strict=True)}
        mask = np.ones(len(codes[0]), dtype=bool) if where is None else condition(where, chunk)
        allowed.narrow(chunk, mask)
        rows.append(_packed(mask))
        counts.append(int(mask.sum()))
    if not sum(counts):
        reason = f" The strategy refuses them: {allowed.refusal}" if allowed.refusal else ""
        reason = reason or " The condition `where` leaves none."
        raise DataError(f"None of the grid's {size:,} combinations can be used.{reason}")
    whole = sum(counts) == size
    return GridPlan(
        strategy, names, tuple(values.values()), allowed.longest,
        None if whole else np.array(rows), np.cumsum(counts, dtype=np.int64),
    )  # fmt: skip


def _packed(mask: BoolArray) -> npt.NDArray[np.uint8]:
    """One bit a point, (CHUNK / 8,); points beyond the last are not allowed."""
    bits = np.zeros(CHUNK // 8, dtype=np.uint8)
    packed = np.packbits(mask)
    bits[: len(packed)] = packed
    return bits


class Allowed:
    """Tells which combinations the strategy itself takes, and remembers its first refusal and the longest warm-up.

    One object is re-used for all combinations: making half a million strategies takes seconds and hundreds of MB.
    """

    def __init__(self, strategy: Strategy, names: tuple[str, ...]) -> None:
        self.strategy, self.names = strategy, names
        self.refusal: DataError | None = None
        self._held = {name: getattr(strategy, name) for name in type(strategy).declared()}
        self._checks = type(strategy).check is not Strategy.check
        self._warms = type(strategy).warmup is not Strategy.warmup
        self._warmup = -1
        self._longest: dict[str, Any] = {}

    @property
    def longest(self) -> Strategy:
        """The allowed combination with the longest warm-up seen so far."""
        return self.strategy.replaced(**self._longest)

    def narrow(self, columns: Mapping[str, AnyArray], mask: BoolArray) -> None:
        """Take out of `mask` the combinations (columns of parameters, as long as `mask`) that the strategy refuses."""
        places = np.flatnonzero(mask)
        if not places.size:
            return
        if not self._longest:
            self._longest = {name: columns[name][places[:1]].tolist()[0] for name in self.names}
        if not (self._checks or self._warms):
            return
        if self._takes_all({name: columns[name][places] for name in self.names}):
            return
        choices = zip(*(columns[name][places].tolist() for name in self.names), strict=True)
        mask[places] = np.fromiter(self._answers(choices), dtype=bool, count=len(places))
        if not mask[places[0]] and self._warmup < 0:
            self._longest = {}

    def _takes_all(self, columns: Mapping[str, AnyArray]) -> bool:
        """Whether the strategy takes all of these combinations, asked once with whole arrays.

        Only if its `check` and `warmup` know arrays, and say of a sample what they say of single strategies.
        """
        size = len(columns[self.names[0]])
        try:
            clone = self.strategy.with_columns(columns)
            with np.errstate(all="raise"), warnings.catch_warnings():
                warnings.simplefilter("error")
                clone.check()
                warmups = np.broadcast_to(np.asarray(clone.warmup), (size,))
            sample = np.unique(np.append(np.random.default_rng(0).integers(0, size, _FEW), (0, size - 1)))
            for place in sample.tolist():
                single = {name: column[place : place + 1].tolist()[0] for name, column in columns.items()}
                if self.strategy.replaced(**single).warmup != warmups[place]:
                    return False
        except (*_ARRAY_FAULTS, DataError):
            return False  # some are refused, or it was written for single numbers: asked one by one, it tells
        longest = int(np.argmax(warmups))
        if warmups[longest] > self._warmup:
            self._warmup = int(warmups[longest])
            self._longest = {name: column[longest : longest + 1].tolist()[0] for name, column in columns.items()}
        return True

    def _answers(self, choices: Iterable[tuple[Any, ...]]) -> Iterator[bool]:
        """Whether the strategy takes each choice; one object plays them all."""
        clone = object.__new__(type(self.strategy))
        inside, held, names, checks = vars(clone), self._held, self.names, self._checks
        inside.update(held)
        for choice in choices:
            inside.update(zip(names, choice, strict=True))
            try:
                if checks:
                    clone.check()
            except DataError as err:
                self.refusal = self.refusal or err
                yield False
            else:
                warmup = clone.warmup
                if warmup > self._warmup:
                    self._warmup, self._longest = warmup, dict(zip(names, choice, strict=True))
                yield True
            if len(inside) > len(held):  # what it has cached for this choice is not true of the next
                inside.clear()
                inside.update(held)


def condition(where: Where, columns: Mapping[str, AnyArray]) -> BoolArray:
    """What `where` says of each combination: asked once for whole arrays if it can take them, else one by one.

    Raises
    ------
    DataError
        If it fails on single values.
    """
    together = _together(where, columns)
    if together is not None:
        return together
    choices = zip(*(column.tolist() for column in columns.values()), strict=True)
    return np.fromiter((_alone(where, dict(zip(columns, choice, strict=True))) for choice in choices), dtype=bool)


def _together(where: Where, columns: Mapping[str, AnyArray]) -> BoolArray | None:
    """The answers for whole arrays; None if they cannot be had or differ from single answers on a sample."""
    size = len(next(iter(columns.values())))
    try:
        with np.errstate(all="raise"), warnings.catch_warnings():
            warnings.simplefilter("error")
            answers = np.asarray(where(**columns))
    except _ARRAY_FAULTS:
        # A condition written for single numbers fails in its own way on arrays; called one by one, real faults show.
        return None
    if answers.dtype != bool or answers.shape != (size,):
        return None
    sample = np.unique(np.append(np.random.default_rng(0).integers(0, size, _SAMPLE), (0, size - 1)))
    few = zip(*(column[sample].tolist() for column in columns.values()), strict=True)
    alone = [_alone(where, dict(zip(columns, choice, strict=True))) for choice in few]
    return answers.copy() if np.array_equal(answers[sample], alone) else None


def _alone(where: Where, values: Mapping[str, Any]) -> bool:
    try:
        return bool(where(**values))
    except _ARRAY_FAULTS as err:
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise DataError(f"The condition `where` failed for {shown}: {type(err).__name__}: {err}.") from err


def check_condition(where: Where | None, names: Sequence[str]) -> None:
    """Refuse a condition that cannot be called with these parameters.

    Raises
    ------
    DataError
        Naming what it is called with.
    """
    if where is None:
        return
    if not callable(where):
        raise DataError(f"where={where!r} must be a function of the grid's parameters, such as lambda fast, slow: ...")
    try:
        inspect.signature(where).bind(**dict.fromkeys(names))
    except TypeError as err:
        raise DataError(
            f"The condition `where` is called with the grid's parameters by name ({', '.join(names)}), but: {err}."
        ) from err
    except ValueError:
        return  # a built-in function that does not tell what it takes


def _checked_grid(strategy: Strategy, grid: Mapping[str, Iterable[Any]]) -> dict[str, tuple[Any, ...]]:
    """The distinct values of each parameter in its declared type."""
    if not isinstance(grid, Mapping) or not grid:
        raise DataError(
            "The grid is empty: give at least one parameter with its values, such as {'fast': range(5, 50)}."
        )
    declared = type(strategy).declared()
    for name, choices in grid.items():
        lookup(name, declared, f"parameter of {strategy.name}")
        if isinstance(choices, (str, bytes)) or not isinstance(choices, Iterable):
            raise DataError(f"The grid's values for {name} must be a list or range, not {choices!r}.")
    _check_size(math.prod(_length(choices) for choices in grid.values()))
    values = {name: distinct(type(strategy), name, choices, "grid") for name, choices in grid.items()}
    _check_size(math.prod(map(len, values.values())))
    return values


def distinct(kind: type[Strategy], name: str, choices: Iterable[Any], where: str) -> tuple[Any, ...]:
    """The values of one parameter in its declared type, each once; `where` they were given is for messages.

    Raises
    ------
    DataError
        If there are none or too many, one does not fit the parameter, or they cannot be told apart.
    """
    given = list(itertools.islice(choices, MOST_VALUES + 1))
    if not given:
        raise DataError(f"The {where} has no values for {name}. Give at least one.")
    if len(given) > MOST_VALUES:
        raise DataError(f"The {where} has more than {MOST_VALUES:,} values for {name}. Coarsen it.")
    if _fit_as_they_are(kind, name, given):
        return tuple(dict.fromkeys(given))
    try:
        return tuple(dict.fromkeys(kind.checked(name, choice) for choice in given))
    except TypeError as err:
        raise DataError(
            f"The {where}'s values for {name} cannot be told apart ({err}). Write lists as tuples."
        ) from err


def _fit_as_they_are(kind: type[Strategy], name: str, given: Sequence[Any]) -> bool:
    """Whether these are whole numbers that need no change: bounds have no gaps, so the least and most tell of all."""
    if {type(value) for value in given} != {int}:
        return False
    try:
        return all(kind.checked(name, end) is end for end in (min(given), max(given)))
    except DataError:
        return False  # asked one by one, the first that does not fit is named


def _length(choices: Iterable[Any]) -> int:
    """How many values are given; 1 where only counting would tell."""
    try:
        return len(choices) if isinstance(choices, Sized) else 1
    except OverflowError:  # a range longer than any computer word
        return MOST_POINTS + 1


def _check_size(size: int) -> None:
    if size > MOST_POINTS:
        raise DataError(
            f"The grid has {size:,} combinations, above the {MOST_POINTS:,} a sweep takes. Coarsen it, or sample the "
            "space with qtw.search."
        )


def as_array(values: Sequence[Any]) -> AnyArray:
    """Values as a one-dimensional array: of numbers, truth values or text where all are, else of objects."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {int, float, bool, str}:
        array = np.array(values)
        if array.dtype.kind in "ifbU":
            return array
    objects = np.empty(len(values), dtype=object)
    objects[:] = list(values)
    return objects
