"""The rows a sweep keeps while it runs: all of them, or the best few; as bare numbers until the table is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.plan import CHUNK, Plan

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Metrics that are whole numbers in the table.
COUNTS: Final = ("trades", "orders")
#: Rows gathered before the best of them are sorted out.
_GATHERED: Final = 8_192


class Harvest(Protocol):
    """What keeps rows: numbers tell which row of the whole table each is."""

    def add(self, numbers: IntArray, values: FloatArray) -> None:
        """Take rows (R,) with their metrics (R, M)."""

    def found(self) -> tuple[IntArray, FloatArray]:
        """The numbers of the kept rows in the table's order, (R,), and their metrics, (R, M)."""


class AllRows:
    """Every row, at its place in one array."""

    def __init__(self, rows: int, metrics: int) -> None:
        self._values = np.empty((rows, metrics))
        self._known = np.zeros(rows, dtype=bool)

    def add(self, numbers: IntArray, values: FloatArray) -> None:
        """As `Harvest.add`."""
        self._values[numbers] = values
        self._known[numbers] = True

    def found(self) -> tuple[IntArray, FloatArray]:
        """As `Harvest.found`; in the order of the plan."""
        numbers = np.flatnonzero(self._known)
        return numbers, self._values if len(numbers) == len(self._known) else self._values[numbers]


class Gathered:
    """Rows in the order they came, for a part of a sweep."""

    def __init__(self) -> None:
        self._numbers: list[IntArray] = []
        self._values: list[FloatArray] = []

    def add(self, numbers: IntArray, values: FloatArray) -> None:
        """As `Harvest.add`."""
        self._numbers.append(numbers)
        self._values.append(values)

    def found(self) -> tuple[IntArray, FloatArray]:
        """As `Harvest.found`; in the order they came."""
        return np.concatenate(self._numbers), np.concatenate(self._values)


class TopRows:
    """The `count` rows with the highest value in one column.

    Equal values rank in the order of the plan and undefined ones last, as in `pandas.DataFrame.nlargest`; in whatever
    order rows come, the same stay.
    """

    def __init__(self, count: int, column: int, metrics: int) -> None:
        self._count, self._column = count, column
        self._numbers = np.empty(0, dtype=np.int64)
        self._values = np.empty((0, metrics))
        self._waiting = Gathered()
        self._waits = 0

    def add(self, numbers: IntArray, values: FloatArray) -> None:
        """As `Harvest.add`; what cannot be among the best is dropped at once."""
        if len(self._numbers) == self._count:
            least = self._values[-1, self._column]
            if not np.isnan(least):  # an undefined one gives way to anything that comes before it in the plan
                good = values[:, self._column] >= least
                numbers, values = numbers[good], values[good]
        if len(numbers):
            self._waiting.add(numbers, values)
            self._waits += len(numbers)
        if self._waits >= max(_GATHERED, self._count):
            self._settle()

    def found(self) -> tuple[IntArray, FloatArray]:
        """As `Harvest.found`; best first."""
        self._settle()
        return self._numbers, self._values

    def _settle(self) -> None:
        if not self._waits:
            return
        more, measured = self._waiting.found()
        numbers = np.concatenate([self._numbers, more])
        values = np.concatenate([self._values, measured])
        ranked = values[:, self._column]
        best = np.lexsort((numbers, -ranked, np.isnan(ranked)))[: self._count]
        self._numbers, self._values = numbers[best], values[best]
        self._waiting, self._waits = Gathered(), 0


@dataclass(frozen=True, slots=True)
class Keep:
    """Which rows to keep.

    Parameters
    ----------
    metrics : tuple of str
        Names of the columns.
    top : int or None
        How many rows to keep; None for all.
    by : str
        The metric that ranks them.
    """

    metrics: tuple[str, ...]
    top: int | None
    by: str

    def whole(self, rows: int) -> Harvest:
        """An empty harvest for a sweep of so many rows."""
        if self.top is None:
            return AllRows(rows, len(self.metrics))
        return self._best(self.top)

    def part(self) -> Harvest:
        """An empty harvest for a part of the sweep."""
        return Gathered() if self.top is None else self._best(self.top)

    def row_bytes(self, rows: int, levels: int) -> int:
        """Memory that the rows of a sweep of so many take, their table made, in bytes."""
        kept = rows if self.top is None else min(rows, self.top) + 2 * max(_GATHERED, self.top)
        # The figures twice (gathered, and in the table), the index codes and row numbers.
        return kept * (2 * 8 * len(self.metrics) + 4 * levels + 17)

    def _best(self, top: int) -> TopRows:
        return TopRows(top, self.metrics.index(self.by), len(self.metrics))


def table(
    plan: Plan, symbols: tuple[str, ...] | None, metrics: tuple[str, ...], numbers: IntArray, values: FloatArray
) -> pd.DataFrame:
    """The table of the rows with these numbers.

    Parameters
    ----------
    plan : Plan
        What the rows are combinations of.
    symbols : tuple of str or None
        The accounts of each combination; None for one joint account.
    metrics : tuple of str
        Names of the columns.
    numbers : ndarray of int64, (R,)
        Place in the plan times the number of accounts, plus the account.
    values : ndarray, (R, M)
        The metrics.
    """
    index = _index(plan, symbols, numbers)
    columns = {
        name: column.astype(np.int64) if name in COUNTS else column.copy()
        for name, column in zip(metrics, values.T, strict=True)
    }
    made = pd.DataFrame(columns, index=index, copy=False)
    made.columns.name = "metric"
    return made


def _index(plan: Plan, symbols: tuple[str, ...] | None, numbers: IntArray) -> pd.MultiIndex:
    """The parameters (and symbol) of rows, from codes: no tuple is made for any row."""
    levels: list[tuple[Any, ...]] = [*plan.values, *(() if symbols is None else (symbols,))]
    codes = [np.empty(len(numbers), dtype=np.min_scalar_type(-len(level))) for level in levels]
    accounts = 1 if symbols is None else len(symbols)
    for start in range(0, len(numbers), CHUNK):
        part = slice(start, start + CHUNK)
        places, account = np.divmod(numbers[part], accounts)
        parts = plan.codes(places) if symbols is None else (*plan.codes(places), account)
        for code, filled in zip(codes, parts, strict=True):
            code[part] = filled
    arrays = [*plan.arrays, *(() if symbols is None else (None,))]
    indexes = [_level(level, array) for level, array in zip(levels, arrays, strict=True)]
    in_order = [_used(*_in_order(level, code)) for level, code in zip(indexes, codes, strict=True)]
    names = [*plan.names, *(() if symbols is None else ("symbol",))]
    return pd.MultiIndex(
        levels=cast("Any", [level for level, _ in in_order]),  # the stubs know lists, pandas takes arrays
        codes=cast("Any", [code for _, code in in_order]),
        names=names,
        verify_integrity=False,
    )


def _level(values: Sequence[Any], array: npt.NDArray[Any] | None) -> pd.Index:
    """The values of a level; from their array where that holds numbers, which pandas then need not infer."""
    numbers = array is not None and array.dtype.kind in "if"
    given = cast("Any", array if numbers else values)  # the stubs take an array of each kind for itself
    found: pd.Index = pd.Index(given, tupleize_cols=False)
    return found


def _in_order(level: pd.Index, codes: npt.NDArray[Any]) -> tuple[pd.Index, npt.NDArray[Any]]:
    """The level sorted, where its values can be, and the codes that then mean the same: pandas finds rows faster."""
    if level.is_monotonic_increasing:
        return level, codes
    try:
        order = level.argsort()
    except TypeError:
        return level, codes
    places = np.empty(len(order), dtype=codes.dtype)
    places[order] = np.arange(len(order))
    return level[order], places[codes]


def _used(level: pd.Index, codes: npt.NDArray[Any]) -> tuple[pd.Index, npt.NDArray[Any]]:
    """The level without values that no row has, and the codes that then mean the same.

    As `pandas.MultiIndex.remove_unused_levels`, in a fraction of its time: where a value has to go, the others come in
    the order in which rows have them.
    """
    first = np.full(len(level), -1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of the rows of one value the last one written stays
    kept = np.flatnonzero(first >= 0)
    if len(kept) == len(level):
        return level, codes
    kept = kept[np.argsort(first[kept])]
    places = np.empty(len(level), dtype=codes.dtype)
    places[kept] = np.arange(len(kept))
    return level[kept], places[codes]
