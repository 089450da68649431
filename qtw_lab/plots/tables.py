"""Reading the tables a figure is drawn from: times in order, columns of numbers, or a clear refusal."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError

FloatArray = npt.NDArray[np.float64]


def moments(table: pd.DataFrame | pd.Series, what: str) -> pd.DatetimeIndex:
    """The index of `table` as times known to be present, increasing and unique.

    Parameters
    ----------
    table : DataFrame or Series
        With a DatetimeIndex.
    what : str
        What the table is, for the message.

    Raises
    ------
    DataError
        If it is empty or its index holds no times, or times that are missing, repeated or out of order.
    """
    index = table.index
    if len(index) == 0:
        raise DataError(f"The {what} has no rows, so there is nothing to draw. Check the dates it was cut to.")
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"The {what} needs times as its index, not {index.dtype}; set a DatetimeIndex first.")
    if bool(index.hasnans) or not bool(index.is_monotonic_increasing) or not bool(index.is_unique):
        raise DataError(f"The {what} has missing, repeated or unsorted times; sort its index and keep one row a time.")
    return index


def numbers(values: pd.Series, what: str) -> FloatArray:
    """The values as float64, NaN where missing.

    Raises
    ------
    DataError
        If they are not numbers, or one is infinite.
    """
    if not isinstance(values, pd.Series):
        raise DataError(f"The {what} must be one column of numbers (a pandas Series), not {type(values).__name__}.")
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        raise DataError(
            f"The {what} must be numbers, not {values.dtype}; convert it first, for example with pd.to_numeric."
        )
    found: FloatArray = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(found).any():
        raise DataError(f"The {what} has an infinite value, first at {values.index[int(np.argmax(np.isinf(found)))]}.")
    return found


def milliseconds(index: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """Milliseconds since 1970 of the wall-clock times of `index` in its own time zone, for a browser to show as is."""
    naive = index.tz_localize(None) if index.tz is not None else index
    return np.asarray(naive.as_unit("ms").asi8, dtype=np.int64)


def number_format(values: FloatArray) -> str:
    """A browser number pattern with as many decimals as values of this size need.

    Examples
    --------
    >>> number_format(np.array([187.2])), number_format(np.array([0.00123]))
    ('0,0.00', '0,0.00000')
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    size = float(np.median(sizes)) if sizes.size else 1.0
    decimals = min(8, max(2, 2 - math.floor(math.log10(size))))
    return "0,0." + "0" * decimals
