"""The past of a column, moves against it, and crossings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qtw_lab.indicators import rolling
from qtw_lab.indicators.columns import BoolArray, FloatArray, Window, compute, level, numeric


def lag(x: npt.ArrayLike, periods: Window) -> FloatArray:
    """The value `periods` bars ago; bars that do not exist are not counted. NaN until there is one.

    Parameters
    ----------
    x : array_like
        (T,) or (T, N), NaN where a bar does not exist.
    periods : int or array_like of int
        Bars, at least 1 (a lag of 0 or less would be the present or the future); one for all columns or one for each.

    Raises
    ------
    DataError
        If `x` is not numeric or is infinite somewhere, or `periods` does not fit it.

    Examples
    --------
    >>> lag([1.0, float("nan"), 2.0, 3.0], 1)
    array([nan, nan,  1.,  2.])
    """
    return compute(rolling.lagged, {"x": x}, {"periods": periods})[0]


def returns(x: npt.ArrayLike, periods: Window = 1) -> FloatArray:
    """Simple return over the last `periods` bars, ``x / x[periods ago] - 1``; NaN where the earlier value is zero.

    Parameters and errors as for `lag`.

    Examples
    --------
    >>> returns([100.0, 110.0, 99.0]).round(4)
    array([ nan,  0.1, -0.1])
    """
    past = lag(x, periods)
    return _present(x, past) / np.where(past == 0.0, np.nan, past) - 1.0


def log_returns(x: npt.ArrayLike, periods: Window = 1) -> FloatArray:
    """Logarithmic return over the last `periods` bars, ``ln(x / x[periods ago])``; NaN unless both are positive.

    Parameters and errors as for `lag`.

    Examples
    --------
    >>> log_returns([1.0, float(np.e)])
    array([nan,  1.])
    """
    past = lag(x, periods)
    now = _present(x, past)
    both = (now > 0.0) & (past > 0.0)
    return np.log(np.where(both, now, np.nan) / np.where(both, past, np.nan))


def roc(x: npt.ArrayLike, periods: Window) -> FloatArray:
    """Rate of change over the last `periods` bars as a fraction: `returns` by its other name.

    TA-Lib's ROCP; its ROC is the same times 100. Parameters and errors as for `lag`.

    Examples
    --------
    >>> roc([100.0, 110.0, 121.0], 2).round(4)
    array([ nan,  nan, 0.21])
    """
    return returns(x, periods)


#: In this house momentum is the rate of change.
momentum = roc


def crossed_above(x: npt.ArrayLike, y: npt.ArrayLike | float) -> BoolArray:
    """Whether `x` is above `y` in this bar and was not in the bar before.

    False in a first bar, in a bar that does not exist, and while an indicator warms up; a touch counts as not above.

    Parameters
    ----------
    x : array_like
        (T,), (T, 1) or (T, N).
    y : array_like or float
        The same, or a level.

    Returns
    -------
    ndarray of bool
        (T,) if all arrays are 1-D, else (T, N).

    Raises
    ------
    DataError
        If the shapes do not fit or an array is infinite somewhere.

    Examples
    --------
    >>> crossed_above([1.0, 2.0, 3.0, 3.0], 2.0)
    array([False, False,  True, False])
    """
    return _crossed(x, y, 1.0)


def crossed_below(x: npt.ArrayLike, y: npt.ArrayLike | float) -> BoolArray:
    """Whether `x` is below `y` in this bar and was not in the bar before.

    The mirror of `crossed_above`.

    Examples
    --------
    >>> crossed_below([3.0, 2.0, 1.0], [2.0, 2.0, 2.0])
    array([False, False,  True])
    """
    return _crossed(x, y, -1.0)


def _crossed(x: npt.ArrayLike, y: npt.ArrayLike | float, sign: float) -> BoolArray:
    """Crossings upwards of ``sign * x`` over ``sign * y``."""
    other = np.full(np.asarray(x).shape, level("y", y)) if np.ndim(y) == 0 else np.asarray(y)
    pair = {"x": np.asarray(x), "y": other}
    signed = {name: sign * (numeric(name, a)[:, 0] if a.ndim == 1 else numeric(name, a)) for name, a in pair.items()}
    return np.asarray(compute(rolling.crossings, signed, {})[0] == 1.0)


def _present(x: npt.ArrayLike, past: FloatArray) -> FloatArray:
    """`x` in the shape of `past`."""
    table = numeric("x", x)
    return table[:, 0] if past.ndim == 1 else table
