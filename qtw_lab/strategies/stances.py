"""From comparisons to stances, so that what is not known stays NaN and is never read as flat."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab import indicators as ind
from qtw_lab.indicators.compiled import compiled
from qtw_lab.strategies.base import FloatArray

BoolArray = npt.NDArray[np.bool_]

#: Cases and arrays the compiled pass takes; it goes over a column once for each, while the column is in the cache.
_MOST = 3


def stance(*cases: tuple[npt.ArrayLike, npt.ArrayLike], otherwise: npt.ArrayLike, given: tuple[Any, ...]) -> FloatArray:
    """The value of the first case that holds, else `otherwise`; NaN where any of `given` is NaN.

    Parameters
    ----------
    *cases : tuple of (bool array, value)
        Conditions with the stance each calls for, the strongest first; arrays broadcast.
    otherwise : float or array
        The stance where no case holds; NaN for "keep".
    given : tuple of array
        What the conditions were made from. A comparison with NaN is False in NumPy, so this has to be said.

    Examples
    --------
    >>> x = np.array([np.nan, 1.0, 3.0])
    >>> stance((x > 2, 1.0), otherwise=0.0, given=(x,)).tolist()
    [nan, 0.0, 1.0]
    """
    swift = _by_columns(cases, otherwise, given)
    if swift is not None:
        return swift
    result: npt.NDArray[Any] = np.asarray(otherwise, dtype=np.float64)
    for holds, value in reversed(cases):
        result = np.where(holds, value, result)
    for array in given:
        result = np.where(np.isnan(array), np.nan, result)
    return result


def _by_columns(
    cases: tuple[tuple[npt.ArrayLike, npt.ArrayLike], ...], otherwise: npt.ArrayLike, given: tuple[Any, ...]
) -> FloatArray | None:
    """What `stance` says, by the compiled pass; None if an array is not stored by column or the values are not alike.

    Arrays made from indicators are stored by column; values are numbers, or one for each column.
    """
    if not 0 < len(cases) <= _MOST or len(given) > _MOST:
        return None
    holds = [_stored(case[0], np.bool_) for case in cases]
    known = [_stored(array, np.float64) for array in given]
    conditions, arrays = [a for a in holds if a is not None], [a for a in known if a is not None]
    shape = conditions[0].shape if conditions else ()
    if len(conditions) < len(holds) or len(arrays) < len(known) or any(a.shape != shape for a in conditions + arrays):
        return None
    values = [np.asarray(value, dtype=np.float64) for value in (otherwise, *(case[1] for case in cases))]
    if any(value.ndim > 1 or value.size not in (1, shape[0]) for value in values):
        return None
    levels, out = np.empty((_MOST + 1, shape[0])), np.empty(shape)
    for level, value in zip(levels, values, strict=False):
        level[:] = value
    first, second, third = conditions + conditions[:1] * (_MOST - len(conditions))
    a, b, c = arrays + [out] * (_MOST - len(arrays))
    _choose(len(conditions), first, second, third, levels, len(arrays), a, b, c, out)
    return out.T


def _stored(array: npt.ArrayLike, kind: type[np.generic]) -> npt.NDArray[Any] | None:
    """A (T, K) array of that kind as its (K, T) columns, if they are contiguous, else None."""
    if not isinstance(array, np.ndarray) or array.dtype != kind or array.ndim != 2:
        return None
    columns = array.T
    return columns if columns.flags.c_contiguous and columns.flags.writeable else None


@compiled
def _choose(
    cases: int, first: BoolArray, second: BoolArray, third: BoolArray, levels: FloatArray, given: int, a: FloatArray,
    b: FloatArray, c: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    """Write each column of stances: `levels` are the value of no case, then of each; NaN where a given array is."""
    for k in range(out.shape[0]):
        if cases == 1 and given == 2:
            _one(first[k], levels[1, k], levels[0, k], a[k], b[k], out[k])
            continue
        out[k] = levels[0, k]
        if cases > 2:
            _put(third[k], levels[3, k], out[k])
        if cases > 1:
            _put(second[k], levels[2, k], out[k])
        _put(first[k], levels[1, k], out[k])
        if given > 0:
            _blank(a[k], out[k])
        if given > 1:
            _blank(b[k], out[k])
        if given > 2:
            _blank(c[k], out[k])


@compiled
def _one(holds: BoolArray, value: float, other: float, a: FloatArray, b: FloatArray, row: FloatArray) -> None:
    """One case and two given arrays, in one go: the rule of every crossing."""
    for t in range(row.shape[0]):
        level = value if holds[t] else other
        row[t] = level if (a[t] == a[t]) & (b[t] == b[t]) else np.nan


@compiled
def _put(holds: BoolArray, value: float, row: FloatArray) -> None:
    for t in range(row.shape[0]):
        row[t] = value if holds[t] else row[t]


@compiled
def _blank(given: FloatArray, row: FloatArray) -> None:
    for t in range(row.shape[0]):
        row[t] = row[t] if given[t] == given[t] else np.nan  # NaN alone differs from itself


def down(short: npt.ArrayLike) -> FloatArray:
    """The stance when the rule points down: -1 if selling short is allowed, else 0."""
    return np.where(short, -1.0, 0.0)


def reversion(
    score: FloatArray, *, low: npt.ArrayLike, middle: npt.ArrayLike, high: npt.ArrayLike, short: npt.ArrayLike
) -> FloatArray:
    """1 below `low`, flat once `middle` is passed, NaN ("keep") between; with `short` also -1 above `high`.

    Whether a stance is long or short cannot be read off one bar. But a position opened on one side of the middle ends
    when the score is first seen on the other side, so flat is said at that bar; no state has to be remembered.

    Parameters
    ----------
    score : ndarray
        (T, N); one bar of it is needed before the first decision.
    low, middle, high : array_like
        Levels, each a number, (K,) or (T, N), with ``low < middle < high``.
    short : bool or array_like of bool
        Whether to sell short above `high`.

    Examples
    --------
    >>> score = np.array([[0.0], [-3.0], [-1.0], [1.0], [3.0], [1.0], [-1.0]])
    >>> reversion(score, low=-2, middle=0, high=2, short=True)[:, 0].tolist()
    [nan, 1.0, nan, 0.0, -1.0, nan, 0.0]
    """
    below, above = np.asarray(score < np.asarray(low)), np.asarray(score > np.asarray(high))
    distance = np.asarray(score - np.asarray(middle), dtype=np.float64)
    before = ind.lag(distance, 1)
    passed = np.where(short, (distance > 0) != (before > 0), distance > 0)
    return stance(
        (below, 1.0),
        (np.asarray(short, dtype=bool) & above, -1.0),
        (passed, 0.0),
        otherwise=np.nan,
        given=(distance, before),
    )
