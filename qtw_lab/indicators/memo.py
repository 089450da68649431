"""Indicator columns that many evaluations share, computed once: what a sweep gives its blocks.

A sweep asks for the same averages again and again: 4,950 pairs of windows hold only a hundred different ones. While a
`Memo` is in use, `columns.compute` keeps every column it computes from one series and copies it from then on. Answers
are the same to the last bit, and fresh arrays as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Computes columns (O, J, T) for parameters (P, J).
Fill = Callable[[IntArray], FloatArray]


@dataclass(slots=True)
class _Shelf:
    """Columns of one kernel over the same inputs: row ``places[parameters]`` of ``table``, (O, rows, T)."""

    table: FloatArray
    places: dict[tuple[int, ...], int] = field(default_factory=dict)


class Memo:
    """Columns by kernel, inputs and parameters, up to a number of bytes; beyond it nothing more is kept.

    Parameters
    ----------
    limit : int
        Most bytes to keep.
    anchors : iterable of ndarray
        Arrays known by identity and never changed, such as the prices of a panel; others are known by their content.
    lock : context manager
        Held while the tables change; a `threading.Lock` where several threads share the memo.

    Examples
    --------
    >>> from contextlib import nullcontext
    >>> from qtw_lab import indicators as ind
    >>> close = np.array([[1.0], [2.0], [4.0]])
    >>> memo = Memo(10_000, [close], nullcontext())
    >>> with memo.used():
    ...     ind.sma(close, [1, 2]).tolist()
    [[1.0, nan], [2.0, 1.5], [4.0, 3.0]]
    >>> memo.columns
    2
    """

    def __init__(self, limit: int, anchors: Iterable[FloatArray], lock: AbstractContextManager[object]) -> None:
        self._limit = limit
        self._anchors = {id(array): array for array in anchors}
        self._lock = lock
        self._shelves: dict[Hashable, _Shelf] = {}
        self._spent = 0

    @property
    def bytes(self) -> int:
        """Bytes of the columns kept, and of the inputs they are known by."""
        return self._spent

    @property
    def columns(self) -> int:
        """How many columns are kept."""
        return sum(len(shelf.places) for shelf in self._shelves.values())

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within this context, and this thread, indicators look here first."""
        token = _USED.set(self)
        try:
            yield
        finally:
            _USED.reset(token)

    def taken(
        self, kernel: Hashable, inputs: Iterable[FloatArray], table: IntArray, outputs: int, fill: Fill
    ) -> FloatArray:
        """Columns (O, J, T) for the parameters `table` (P, J), a fresh array; what is not kept yet is filled and kept.

        Parameters
        ----------
        kernel : function
            What computes them.
        inputs : iterable of ndarray
            What they are computed from, (T,) or (T, 1) each.
        table : ndarray of int64, (P, J)
            One column of parameters for each column wanted.
        outputs : int
            O.
        fill : callable
            Computes columns for given parameters.
        """
        rows, places = self.shelved(kernel, inputs, table, outputs, fill)
        out = np.empty((outputs, len(places), rows.shape[2]))
        for result, columns in zip(out, rows, strict=True):
            np.take(columns, places, axis=0, out=result, mode="clip")
        return out

    def shelved(
        self, kernel: Hashable, inputs: Iterable[FloatArray], table: IntArray, outputs: int, fill: Fill
    ) -> tuple[FloatArray, IntArray]:
        """Rows (O, R, T), only to be read, and which of them each column wanted is, (J,); parameters as for `taken`."""
        wanted = list(zip(*table.tolist(), strict=True)) if table.shape[0] else [()] * table.shape[1]
        known = [self._known(array) for array in inputs]
        key = (kernel, outputs, *known)
        shelf = self._shelves.get(key)
        missing = list(dict.fromkeys(one for one in wanted if shelf is None or one not in shelf.places))
        if missing:
            made = fill(_asked(missing, table.shape[0]))
            shelf = self._kept(key, missing, made, sum(len(part) for part in known if isinstance(part, bytes)))
            if shelf is None:
                distinct = {one: place for place, one in enumerate(dict.fromkeys(wanted))}
                made = made if len(distinct) == len(missing) else fill(_asked(list(distinct), table.shape[0]))
                return made, np.array([distinct[one] for one in wanted], dtype=np.int64)
        assert shelf is not None  # noqa: S101  (for the type checker: nothing was missing, or it was kept)
        with self._lock:  # another thread may be exchanging the table for a larger one
            rows = shelf.table
            return rows, np.array([shelf.places[one] for one in wanted], dtype=np.int64)

    def _known(self, array: FloatArray) -> Hashable:
        """What the memo knows an input by: its place in memory if it never changes, else its content."""
        return id(array) if self._anchors.get(id(array)) is array else array.tobytes()

    def _kept(self, key: Hashable, names: list[tuple[int, ...]], made: FloatArray, extra: int) -> _Shelf | None:
        """The shelf with these columns added, or None if there is no room."""
        with self._lock:
            shelf = self._shelves.get(key)
            fresh = [k for k, one in enumerate(names) if shelf is None or one not in shelf.places]
            used = 0 if shelf is None else len(shelf.places)
            room = 0 if shelf is None else shelf.table.shape[1]
            grown = room if used + len(fresh) <= room else max(used + len(fresh), 2 * room)
            cost = (grown - room) * made.shape[0] * made.shape[2] * 8 + (extra if shelf is None else 0)
            if self._spent + cost > self._limit:
                return None
            self._spent += cost
            if shelf is None:  # what was made becomes the shelf, so that it is never there twice
                self._shelves[key] = _Shelf(made, {name: place for place, name in enumerate(names)})
                return self._shelves[key]
            if grown > room:
                table = np.empty((made.shape[0], grown, made.shape[2]))
                table[:, :used] = shelf.table[:, :used]
                shelf.table = table
            shelf.table[:, used : used + len(fresh)] = made[:, fresh]
            for place, k in enumerate(fresh, start=used):
                shelf.places[names[k]] = place
            return shelf


def _asked(names: list[tuple[int, ...]], parameters: int) -> IntArray:
    """Parameters one tuple a column as the table (P, J) that kernels take."""
    return np.ascontiguousarray(np.array(names, dtype=np.int64).reshape(len(names), parameters).T)


_USED: ContextVar[Memo | None] = ContextVar("memo", default=None)


def in_use() -> Memo | None:
    """The memo that indicators look into here, if there is one."""
    return _USED.get()
