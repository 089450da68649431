"""What a statistic is computed from: returns as one checked array, and the way back to the caller's shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, Timeframe
from qtw_lab.core.times import infer_timeframe

FloatArray = npt.NDArray[np.float64]
Returns = npt.ArrayLike | pd.Series | pd.DataFrame
#: A float for one series, a vector (K,) for an array (T, K), a Series by column for a DataFrame.
Figure: TypeAlias = Any

#: Numbers that differ by less than this share of the largest differ by rounding alone: they are equal.
_ROUNDING = 1e-14

#: Whole numbers from here on have no float.
_LARGEST = 1 << 1023


@dataclass(frozen=True, slots=True)
class Columns:
    """Returns as (T, K), and what the caller gave them as.

    Parameters
    ----------
    values : ndarray
        float64 (T, K), T at least 1, finite.
    index : pandas.Index or None
        Labels of the bars, if the caller gave some.
    names : pandas.Index or None
        Labels of the columns, of a DataFrame.
    single : bool
        Whether the caller gave one series.
    """

    values: FloatArray
    index: pd.Index | None
    names: pd.Index | None
    single: bool

    def answer(self, figures: FloatArray) -> Figure:
        """Figures (K,) in the caller's shape."""
        if self.single:
            return float(figures[0])
        return figures if self.names is None else pd.Series(figures, index=self.names)

    def paths(self, values: FloatArray) -> Any:
        """Values (T, K) in the caller's shape and with the caller's labels."""
        if self.names is not None:
            return pd.DataFrame(values, index=self.index, columns=self.names)
        if self.single:
            return values[:, 0] if self.index is None else pd.Series(values[:, 0], index=self.index)
        return values

    def yearly(self, periods_per_year: float | None) -> float:
        """Bars a year: as given, else from the times.

        Without times that is an error. Bars of one day count as sessions of the New York exchange, other lengths as
        that exchange has them a year.

        Raises
        ------
        DataError
            If nothing says how many, or the number given is not positive and finite.
        """
        if periods_per_year is None:
            if not isinstance(self.index, pd.DatetimeIndex):
                raise DataError(
                    "An annual figure of plain numbers needs periods_per_year, the bars a year (Bars.periods_per_year "
                    "knows it), or a Series with times."
                )
            span = infer_timeframe(self.index) if len(self.index) > 1 else Timeframe(1, "D")
            return span.periods_per_year("XNYS")
        if not _is_number(periods_per_year) or not 0.0 < periods_per_year < np.inf:
            raise DataError(f"periods_per_year={periods_per_year!r} must be a positive, finite number of bars a year.")
        return float(periods_per_year)


def columns(returns: Returns, name: str = "returns") -> Columns:
    """The returns, checked.

    Parameters
    ----------
    returns : array_like, Series or DataFrame
        Simple returns of each bar as fractions, (T,) or (T, K).
    name : str
        What messages call them.

    Raises
    ------
    DataError
        If they are empty, not numeric, neither 1-D nor 2-D, or somewhere NaN or infinite (the message says where); if
        two columns have one label, or times do not increase.

    Examples
    --------
    >>> columns([0.01, -0.02]).values.shape
    (2, 1)
    """
    array = numeric(returns, name)
    if array.ndim not in (1, 2):
        raise DataError(
            f"{name} must be numbers, (bars,) or (bars, columns), not {array.dtype} of shape {array.shape}."
        )
    if not array.size:
        raise DataError(f"{name} are empty (shape {array.shape}); give at least one bar.")
    index = returns.index if isinstance(returns, (pd.Series, pd.DataFrame)) else None
    names = returns.columns if isinstance(returns, pd.DataFrame) else None
    _refuse_labels(name, index, names)
    values = array.astype(np.float64, copy=False)
    table = values[:, None] if values.ndim == 1 else values
    if not np.isfinite(table).all():
        bar, column = (int(k) for k in np.argwhere(~np.isfinite(table))[0])
        where = f"bar {bar}" if index is None else f"bar {bar} ({index[bar]})"
        where += f", column {column if names is None else names[column]!s}" if values.ndim == 2 else ""
        raise DataError(
            f"{name} have {table[bar, column]} at {where}. Returns must be finite: cut off bars before a listing, and "
            "say what a missing one means (0 if nothing was held)."
        )
    return Columns(table, index, names, values.ndim == 1)


def numeric(given: Any, name: str) -> npt.NDArray[Any]:
    """What was given as an array of real numbers, of any shape and still with NaN and infinities.

    Parameters
    ----------
    given : array_like, Series or DataFrame
        Numbers.
    name : str
        What messages call them.

    Raises
    ------
    DataError
        If they are no real numbers (text, objects, truth values, complex numbers), rows differ in length, or some are
        masked.

    Examples
    --------
    >>> numeric([1, 2], "returns").dtype.kind
    'i'
    """
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise DataError(f"{name} have masked entries, which are no numbers; fill them or cut them off first.")
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name} must be numbers in rows of one length, which NumPy finds they are not: {error}"
        ) from error
    if array.dtype.kind not in "iuf":
        raise DataError(f"{name} must be numbers, not {array.dtype} of shape {array.shape}.")
    return array


def _refuse_labels(name: str, index: pd.Index | None, names: pd.Index | None) -> None:
    """An error for labels that would give an answer to another question than the one asked."""
    if names is not None and not names.is_unique:
        twice = names[names.duplicated()][0]
        raise DataError(f"The column {twice!r} comes twice in {name}; give every column a name of its own.")
    if isinstance(index, pd.DatetimeIndex) and not index.is_monotonic_increasing:
        place = int(np.argmax(~(index[1:] >= index[:-1])))
        raise DataError(
            f"The times of {name} do not increase ({index[place + 1]} comes after {index[place]}); sort them with "
            "sort_index()."
        )


def beside(returns: Columns, benchmark: Returns, names: tuple[str, str] = ("returns", "benchmark")) -> FloatArray:
    """The benchmark's returns as (T, 1) or (T, K), on the bars of `returns`.

    Parameters
    ----------
    returns : Columns
        What it stands beside.
    benchmark : array_like, Series or DataFrame
        Numbers of each bar, (T,) or (T, K).
    names : tuple of str
        What messages call the two.

    Raises
    ------
    DataError
        If it is not as long, or has other times, other column labels or another number of columns.
    """
    one, two = names
    other = columns(benchmark, two)
    if other.values.shape[0] != returns.values.shape[0] or other.values.shape[1] not in (1, returns.values.shape[1]):
        raise DataError(
            f"{one} {returns.values.shape} and {two} {other.values.shape} do not fit: give the same bars, and "
            f"one {two} column or one for each."
        )
    if returns.index is not None and other.index is not None and not returns.index.equals(other.index):
        raise DataError(f"{one} and {two} have different times; align them first, such as with {two}.reindex.")
    one_each = other.values.shape[1] > 1
    if one_each and returns.names is not None and other.names is not None and not returns.names.equals(other.names):
        raise DataError(f"{one} and {two} have different columns; align them first, such as with reindex_like.")
    return other.values


def deviation(values: FloatArray) -> FloatArray:
    """Sample standard deviation (ddof 1) down the columns; exactly 0 for equal numbers.

    NaN for a single number, and for a column with a NaN or an infinity.
    """
    if values.shape[0] < 2:
        return np.full(values.shape[1], np.nan)
    high, low = values.max(axis=0), values.min(axis=0)
    with np.errstate(invalid="ignore"):  # of infinities
        equal = high - low <= _ROUNDING * np.maximum(np.abs(high), np.abs(low))
        return np.where(equal & np.isfinite(high), 0.0, values.std(axis=0, ddof=1))


def whole(name: str, value: int, least: int = 1) -> int:
    """`value` as an int.

    Raises
    ------
    DataError
        If it is not a whole number of at least `least`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise DataError(f"{name}={value!r} must be a whole number of at least {least}.")
    return int(value)


def choice(name: str, value: str, known: Iterable[str]) -> str:
    """`value`, which is one of the names known.

    Raises
    ------
    DataError
        If it is not.
    """
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise DataError(f"{name}={value!r} is unknown; choose one of {', '.join(names)}.")
    return value


def number(name: str, value: float) -> float:
    """`value` as a float.

    Raises
    ------
    DataError
        If it is not a finite number.
    """
    if not _is_number(value) or not -np.inf < value < np.inf:
        raise DataError(f"{name}={value!r} must be a finite number.")
    return float(value)


def generator(seed: int) -> np.random.Generator:
    """Random numbers that start from `seed`.

    Raises
    ------
    DataError
        If the seed is not a whole number of at least 0.
    """
    return np.random.default_rng(whole("seed", seed, 0))


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> FloatArray:
    """``above / below``; NaN where `below` is zero, either is NaN, or both are infinite."""
    divisor = np.asarray(below, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.asarray(above) / np.where(divisor == 0.0, np.nan, divisor), dtype=np.float64)


def _is_number(value: object) -> bool:
    """Whether it is one real number that fits a float, maybe NaN or infinite."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return not isinstance(value, int) or abs(value) < _LARGEST
