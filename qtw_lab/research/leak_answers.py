"""What a function answers on bars, in one form, so that answers on altered bars can be compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, DataError
from qtw_lab.research.leak_causes import Response
from qtw_lab.research.leak_cuts import TRUNCATED, BoolArray, FloatArray, altered, struck
from qtw_lab.strategies import Panel, Strategy

#: What may be tested: anything that turns bars into a value a bar, or a strategy.
Subject = Callable[[Bars], Any] | Strategy

#: What code may raise when it meets fewer bars, or missing ones, than it was written for.
_REFUSALS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
#: A share of its column's largest value below which a value is rounding.
_NOISE: Final = 1e-13
#: Dummies of labels, for one, have a column only for labels they met: all zeros until then, which tells nothing.
_UNSEEN: Final = "column {} is not there before its label or symbol first occurs: live, it would be lacking until then"


@dataclass(frozen=True, eq=False)
class World:
    """Bars, what they are called, and the answer (T, K) on all of them."""

    label: str
    bars: Bars
    full: FloatArray


class Witness:
    """A function under test: runs it, reads its answers as float64 (T, K), and remembers what it refused.

    Parameters
    ----------
    fn : callable or Strategy
        What is tested.
    tolerance : float
        See `detect`.
    """

    def __init__(self, fn: Subject, tolerance: float) -> None:
        if not isinstance(fn, Strategy) and (not callable(fn) or isinstance(fn, type)):
            raise DataError(f"What is tested is a function of bars or a strategy object, not {fn!r:.80}.")
        self.name = repr(fn) if isinstance(fn, Strategy) else getattr(fn, "__qualname__", repr(fn)).split(".")[-1]
        self.tolerance = tolerance
        self.runs = 0
        self.failure = ""
        self.notes: list[str] = []
        self._fn = fn
        self._places: dict[Hashable, int] = {}
        self._codes: dict[Hashable, float] = {}
        self._answered: set[int] = set()

    @property
    def columns(self) -> list[Hashable]:
        """Labels of all columns any answer had."""
        return list(self._places)

    def sworn(self, bars: Bars) -> FloatArray:
        """The answer on the whole history, once two runs agree on it."""
        first = self._read(self._run(bars), bars)
        again = self._read(self._run(bars), bars)
        place = np.argwhere(self.differs(first, again, self.size(first)))
        if len(place):
            row, column = (int(number) for number in place[0])
            raise DataError(
                f"{self.name} gave {first[row, column]:g} and then {again[row, column]:g} for the same bars "
                f"({self.columns[column]} at {bars.index[row]}). A function that draws at random cannot be tested: "
                "give it a fixed seed inside, and let it keep no state between calls."
            )
        if np.isnan(first).all():
            raise DataError(f"{self.name} gave no value on {len(bars)} bars, only missing ones: give it more bars.")
        return first

    def ask(self, bars: Bars) -> FloatArray | None:
        """The answer on altered bars; None if the function refuses them."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # a short or damaged history is our doing, not the caller's
                return self._read(self._run(bars), bars)
        except _REFUSALS as err:  # a malformed answer to a short history is a refusal too
            self.failure = f"{type(err).__name__}: {err!s:.160}"
            return None

    def respond(self, world: World, kind: str, cut: int, rng: np.random.Generator) -> Response | None:
        """What becomes of the values on the first `cut` bars of a world when it ends there, or goes on otherwise."""
        asked = world.bars.head(cut) if kind == TRUNCATED else altered(world.bars, cut, kind, rng)
        answer = self.ask(asked)
        if answer is None:
            return None
        full, known = self.level(world.full, answer)
        changed = self.differs(full[:cut], known[:cut], self.size(full))
        for place in set(range(full.shape[1])) - self._answered:
            if _uniform(full[:cut, place]):
                changed[:, place] = False
                self.notes.append(_UNSEEN.format(self.columns[place]))
        return Response(kind, world.label, cut, known[:cut], changed)

    def echo(self, world: World, row: int, factor: float) -> FloatArray | None:
        """How far the answer moves at each bar when one bar is struck, (T, K), in units of a column's usual size."""
        answer = self.ask(struck(world.bars, row, factor))
        if answer is None:
            return None
        full, moved = self.level(world.full, answer)
        size = self.size(full)
        with np.errstate(invalid="ignore"):
            distance = np.abs(full - moved) / np.where(size > 0, size, 1.0)
        changed = self.differs(full, moved, size)
        return np.where(changed, np.where(np.isfinite(distance), distance, 1.0), 0.0)

    def weigh(self, world: World, other: Bars) -> None:
        """Note an answer that does not depend on prices at all."""
        answer = self.ask(other)
        if answer is None:
            return
        full, moved = self.level(world.full, answer)
        if not self.differs(full, moved, self.size(full)).any():
            self.notes.append(
                "the answer does not depend on the prices given: if it was computed from prices beforehand, this test "
                "cannot see whether it looks ahead"
            )

    def size(self, values: FloatArray) -> FloatArray:
        """The usual size of each column, (K,): the median of its values without sign, rounding left out."""
        sizes = np.where(np.isfinite(values), np.abs(values), 0.0)
        # before a late listing a Fourier transform leaves 1e-17 where 0 is meant
        real = sizes > _NOISE * sizes.max(axis=0, initial=0.0)
        return np.array([np.median(sizes[rows, k]) if rows.any() else 0.0 for k, rows in enumerate(real.T)])

    def differs(self, first: FloatArray, second: FloatArray, size: FloatArray) -> BoolArray:
        """Boolean like `first`: which values differ by more than rounding, NaN being equal to NaN."""
        first, second = self.level(first, second)
        size = widened(size[None, :], first.shape[1])[0]
        with np.errstate(invalid="ignore"):
            bound = self.tolerance * np.fmax(np.maximum(np.abs(first), np.abs(second)), size)
            near = (np.abs(first - second) <= bound) & np.isfinite(bound)
        return np.asarray(~(near | (first == second) | (np.isnan(first) & np.isnan(second))), dtype=bool)

    def level(self, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both answers with as many columns: one that an answer lacks is missing on every bar."""
        width = max(first.shape[1], second.shape[1])
        return widened(first, width), widened(second, width)

    def _run(self, bars: Bars) -> Any:
        self.runs += 1
        if not isinstance(self._fn, Strategy):
            return self._fn(bars)
        decisions = self._fn.decide(Panel.of(bars))
        names = bars.symbols if decisions.shape[1] == len(bars.symbols) else range(decisions.shape[1])
        return pd.DataFrame(decisions, index=bars.index, columns=list(names))

    def _read(self, given: Any, bars: Bars) -> FloatArray:
        """An answer as float64 (T, K), columns in the order in which they were first seen."""
        table = _table(given, bars, self.name)
        places = [self._places.setdefault(label, len(self._places)) for label in table.columns]
        self._answered = set(places)
        rows = bars.index.get_indexer(table.index)
        if (rows < 0).any():
            raise DataError(
                f"{self.name} answered for times that are not among the bars ({table.index[rows < 0][0]}). Put the "
                "answer on the bars it is known at, such as with .reindex(bars.index, method='ffill')."
            )
        out = np.full((len(bars), len(self._places)), np.nan)
        if all(dtype == np.float64 for dtype in table.dtypes):
            out[rows[:, None], places] = table.to_numpy()
            return out
        for number, place in enumerate(places):
            out[rows, place] = self._numbers(table.iloc[:, number])
        return out

    def _numbers(self, column: pd.Series) -> npt.NDArray[Any]:
        """A column as float64; labels become codes that are the same in every answer."""
        if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_complex_dtype(column.dtype):
            raise DataError(f"{self.name} gave complex numbers: answer with their real and imaginary part or modulus.")
        labels = column.astype(object)
        missing = labels.isna().to_numpy()
        plain = all(isinstance(label, (int, float, np.number)) for label in labels[~missing])
        if plain:
            return labels.astype(np.float64).to_numpy()
        codes = [self._codes.setdefault(str(label), float(len(self._codes))) for label in labels]
        return np.where(missing, np.nan, codes)


def _uniform(values: FloatArray) -> bool:
    """Whether all values are missing, or all are the same number."""
    return bool(np.isnan(values).all() or (values == values[0]).all())


def widened(values: FloatArray, width: int) -> FloatArray:
    """The values (T, K) with columns of missing ones added up to `width`."""
    if values.shape[1] == width:
        return values
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=np.nan)


def _table(given: Any, bars: Bars, name: str) -> pd.DataFrame:
    """An answer as a table with times as its index."""
    if isinstance(given, pd.Series):
        given = given.to_frame(name="value" if given.name is None else given.name)
    if not isinstance(given, pd.DataFrame):
        array = np.asarray(given)
        if array.ndim not in (1, 2) or len(array) != len(bars):
            raise DataError(
                f"{name} answered {len(bars)} bars with {type(given).__name__} of shape {array.shape}: an answer is a "
                "Series, DataFrame or array with one row a bar."
            )
        array = array[:, None] if array.ndim == 1 else array
        names = bars.symbols if array.shape[1] == len(bars.symbols) else range(array.shape[1])
        return pd.DataFrame(array, index=bars.index, columns=list(names))
    if not isinstance(given.index, pd.DatetimeIndex) or given.index.tz is None:
        raise DataError(
            f"The answer of {name} must carry the times of the bars (in UTC); its index is {given.index!r:.80}."
        )
    if not given.index.is_unique or not given.columns.is_unique:
        raise DataError(
            f"The answer of {name} has a time or a column twice; one row a bar and one column a name is needed."
        )
    return given
