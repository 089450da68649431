"""From comparisons to stances, so that what is not known stays NaN and is never read as flat."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab import indicators as ind
from qtw_lab.strategies.base import FloatArray


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
    result: npt.NDArray[Any] = np.asarray(otherwise, dtype=np.float64)
    for holds, value in reversed(cases):
        result = np.where(holds, value, result)
    for array in given:
        result = np.where(np.isnan(array), np.nan, result)
    return result


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
