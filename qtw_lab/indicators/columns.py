"""How an indicator meets a table: shapes, parameters, bars that do not exist.

Every indicator is a compiled kernel over columns without gaps. `compute` makes such columns out of what the caller has
and puts the answers back in their places, so that no kernel knows about holes and every indicator treats them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.indicators.compiled import compiled
from qtw_lab.indicators.memo import in_use

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: A whole number, or one for each column.
Window = int | npt.ArrayLike
#: A number, or one for each column.
Level = float | npt.ArrayLike

#: ``kernel(values (I, M, T), counts (M,), parameters (P, J), out (O, J, T))``: fills `out` from the first ``counts``
#: bars of each column; M is J, or 1 if all J columns of the answer come from one.
Kernel = Callable[[FloatArray, IntArray, IntArray, FloatArray], None]


def compute(
    kernel: Kernel, inputs: Mapping[str, npt.ArrayLike], parameters: Mapping[str, Window], outputs: int = 1
) -> tuple[FloatArray, ...]:
    """What `kernel` gives for every column, NaN where a column has no bar or not yet enough of them.

    Parameters
    ----------
    kernel : compiled function
        See `Kernel`.
    inputs : mapping of str to array_like
        Price columns by name (for messages), each (T,), (T, 1) or (T, N). A bar counts if all inputs have it.
    parameters : mapping of str to int or array_like of int
        Whole numbers of at least 1 by name, each a scalar or (K,). K must be N, or N must be 1; equal columns are
        computed once.
    outputs : int
        How many arrays the kernel fills.

    Returns
    -------
    tuple of ndarray
        float64; (T,) if every input is 1-D and every parameter a scalar, else (T, N) or (T, K), stored by column.

    Raises
    ------
    DataError
        If an input is not numeric, is infinite somewhere or has another shape, or a parameter does not fit.
    """
    settings = {name: whole(name, value) for name, value in parameters.items()}
    lengths = {value.size for value in settings.values() if value.ndim}
    flat = not lengths and all(np.ndim(value) == 1 for value in inputs.values())
    memo = in_use()
    series = None if memo is None else _series(inputs)
    if memo is not None and series is not None:
        width = _width(1, lengths, settings)
        table = _table(settings, width)
        out = memo.taken(kernel, series, table, outputs, lambda t: _filled(kernel, stacked(inputs), t, outputs))
        return tuple(result[0] if flat else result.T for result in out)
    values = stacked(inputs)
    width = _width(values.shape[1], lengths, settings)
    table = _table(settings, width)
    inverse = None
    if values.shape[1] == 1 and width > 1:
        distinct, places = np.unique(table, axis=1, return_inverse=True)
        if distinct.shape[1] < width:
            table, inverse = np.ascontiguousarray(distinct), places.reshape(-1)
    out = _filled(kernel, values, table, outputs)
    if inverse is not None:
        out = out[:, inverse]
    return tuple(result[0] if flat else result.T for result in out)


def distinct(
    kernel: Kernel, inputs: Mapping[str, npt.ArrayLike], parameters: Mapping[str, Window]
) -> tuple[FloatArray, IntArray]:
    """The distinct columns of what `compute` gives for one series, and which of them each column is.

    Parameters and errors as for `compute`; every input must hold one column.

    Returns
    -------
    rows : ndarray, (R, T)
        Only to be read.
    places : ndarray of int64, (K,)
        Column k of the answer is ``rows[places[k]]``.
    """
    settings = {name: whole(name, value) for name, value in parameters.items()}
    table = _table(settings, _width(1, {value.size for value in settings.values() if value.ndim}, settings))
    memo = in_use()
    series = None if memo is None else _series(inputs)
    if memo is not None and series is not None:
        rows, places = memo.shelved(kernel, series, table, 1, lambda t: _filled(kernel, stacked(inputs), t, 1))
        return rows[0], places
    alone, places = np.unique(table, axis=1, return_inverse=True)
    return _filled(kernel, stacked(inputs), np.ascontiguousarray(alone), 1)[0], places.reshape(-1)


def _table(settings: Mapping[str, IntArray], width: int) -> IntArray:
    """The parameters of each column, (P, J)."""
    table = np.empty((len(settings), width), dtype=np.int64)
    for row, value in zip(table, settings.values(), strict=True):
        row[:] = value
    return table


def _series(inputs: Mapping[str, npt.ArrayLike]) -> list[FloatArray] | None:
    """The inputs if each is an array of float64 that holds one column, as a `Memo` takes them."""
    arrays = [value for value in inputs.values() if isinstance(value, np.ndarray) and value.dtype == np.float64]
    single = [array for array in arrays if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)]
    same = len({array.shape[0] for array in single}) == 1
    return single if same and len(single) == len(inputs) else None


def _filled(kernel: Kernel, values: FloatArray, table: IntArray, outputs: int) -> FloatArray:
    """The kernel's answers (O, J, T) in the places of the bars they belong to."""
    columns, bars = values.shape[1], values.shape[2]
    out = np.full((outputs, table.shape[1], bars), np.nan)
    counts = np.full(columns, bars, dtype=np.int64)
    present: BoolArray = np.asarray(np.isfinite(values).all(axis=0))
    whole_columns = bool(present.all())
    if not whole_columns:
        pack(values, present, counts)
    kernel(values, counts, table, out)
    if not whole_columns:
        spread(out, present, counts)
    return out


def stacked(inputs: Mapping[str, npt.ArrayLike]) -> FloatArray:
    """The inputs as a fresh (I, M, T) array, each column contiguous; M is the common width.

    Raises
    ------
    DataError
        If an input is not numeric, not 1-D or 2-D, infinite somewhere, or does not fit the others.
    """
    arrays = {name: numeric(name, value) for name, value in inputs.items()}
    rows = {array.shape[0] for array in arrays.values()}
    widths = {array.shape[1] for array in arrays.values()}
    if len(rows) > 1 or len(widths - {1}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(f"These inputs do not fit together: {shapes}. Give the same bars (rows) and symbols (columns).")
    width = 1 if widths == {1} else (widths - {1}).pop()
    values = np.empty((len(arrays), width, rows.pop()))
    for row, array in zip(values, arrays.values(), strict=True):
        row[:] = array.T
    if np.isinf(values).any():
        which, column, bar = (int(k) for k in np.argwhere(np.isinf(values))[0])
        raise DataError(
            f"{list(arrays)[which]} is infinite at row {bar}, column {column}. Leave a bar that does not exist as NaN, "
            "and mend a division by zero where it is made."
        )
    return values


def numeric(name: str, value: npt.ArrayLike) -> FloatArray:
    """`value` as float64 (T, N).

    Raises
    ------
    DataError
        If it is not numeric, or neither 1-D nor 2-D.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise DataError(f"{name} must be an array of numbers, not of {array.dtype}.")
    if array.ndim not in (1, 2):
        raise DataError(f"{name} must be (bars,) or (bars, columns), not an array of shape {array.shape}.")
    table = array.astype(np.float64, copy=False)
    return table[:, None] if array.ndim == 1 else table


def whole(name: str, value: Window) -> IntArray:
    """`value` as int64, 0-D or (K,).

    Raises
    ------
    DataError
        If it is not a whole number of at least 1, or an array of such.
    """
    array = np.asarray(value)
    if array.dtype == np.int64 and array.ndim == 1 and array.size and int(array.min()) >= 1:
        return array  # the columns of a sweep: nothing to convert
    fits = array.dtype.kind in "iuf" and array.ndim <= 1 and array.size > 0
    if not fits or not np.isfinite(array).all() or (array != np.floor(array)).any() or (array < 1).any():
        raise DataError(f"{name}={value!r} must be a whole number of at least 1, or an array (K,) of such numbers.")
    return np.asarray(array, dtype=np.int64)


def level(name: str, value: Level) -> FloatArray:
    """`value` as float64, 0-D or (K,).

    Raises
    ------
    DataError
        If it is not a finite number or an array of such.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.ndim > 1 or not array.size or not np.isfinite(array).all():
        raise DataError(f"{name}={value!r} must be a finite number, or an array (K,) of such numbers.")
    return np.asarray(array, dtype=np.float64)


def together(**inputs: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """The inputs with NaN wherever one of them has NaN, in a common shape; 1-D if all are.

    Raises
    ------
    DataError
        As `stacked` does.
    """
    values = stacked(inputs)
    values[:, np.isnan(values).any(axis=0)] = np.nan
    flat = all(np.ndim(value) == 1 for value in inputs.values())
    return tuple(value[0] if flat else value.T for value in values)


def _width(columns: int, lengths: set[int], settings: Mapping[str, IntArray]) -> int:
    """How many columns the answer has."""
    if len(lengths) > 1 or (lengths and columns > 1 and lengths != {columns}):
        given = ", ".join(f"{name} {value.shape}" for name, value in settings.items() if value.ndim)
        raise DataError(
            f"Parameter arrays must be as long as the table is wide ({columns} columns), or of one common length for a "
            f"table of one column; given: {given}."
        )
    return max(columns, *lengths) if lengths else columns


@compiled
def pack(values: FloatArray, present: BoolArray, counts: IntArray) -> None:
    """Move the bars that exist to the front of each column, in place, and count them."""
    for m in range(values.shape[1]):
        count = 0
        for t in range(values.shape[2]):
            if present[m, t]:
                for i in range(values.shape[0]):
                    values[i, m, count] = values[i, m, t]
                count += 1
        counts[m] = count


@compiled
def spread(out: FloatArray, present: BoolArray, counts: IntArray) -> None:
    """Undo `pack` on the answers, in place: each goes back to its bar, NaN to the rest."""
    for j in range(out.shape[1]):
        m = min(j, counts.shape[0] - 1)
        for o in range(out.shape[0]):
            left = counts[m]
            for t in range(out.shape[2] - 1, -1, -1):
                if present[m, t]:
                    left -= 1
                    out[o, j, t] = out[o, j, left]
                else:
                    out[o, j, t] = np.nan
