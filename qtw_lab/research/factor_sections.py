"""One bar across its names: ranks, correlations and quantiles of a cross-section, and factors put on another scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.stats.columns import number, ratio, whole

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: Fewer names in a bar say nothing about an order among them.
FEWEST: Final = 5
#: Numbers of a cross-section that differ by less than this share of the largest differ by rounding alone.
_ROUNDING: Final = 1e-14


def table(given: Any, name: str = "factor") -> pd.DataFrame:
    """The table as float64, (T, N), once known to have a row a bar and a column a name.

    Parameters
    ----------
    given : pandas.DataFrame
        (T, N) numbers by time and name; NaN where a name has none.
    name : str
        What messages call it.

    Raises
    ------
    DataError
        If it is no table of numbers, is empty or infinite somewhere, or a name or time comes twice or out of order.

    Examples
    --------
    >>> table(pd.DataFrame({"A": [1, 2]})).dtypes.tolist()
    [dtype('float64')]
    """
    if not isinstance(given, pd.DataFrame) or not given.size:
        shape = getattr(given, "shape", "")
        raise DataError(f"A {name} is a DataFrame with a row a bar and a column a name, not {type(given)} {shape}.")
    numeric = [pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind) for kind in given.dtypes]
    if not all(numeric):
        raise DataError(f"The {name} must be numbers; column {given.columns[numeric.index(False)]} is not.")
    if not given.columns.is_unique:
        twice = given.columns[given.columns.duplicated()][0]
        raise DataError(f"The {name} has the column {twice} twice; every name needs one column.")
    if not given.index.is_unique or not given.index.is_monotonic_increasing:
        raise DataError(f"The {name} has repeated or unsorted times; sort its index and keep one row a bar.")
    values = given.astype(np.float64)
    infinite = np.isinf(values.to_numpy())
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(
            f"The {name} is infinite at {given.index[row]} for {given.columns[column]}; put NaN where it is undefined."
        )
    return values


def beside(given: Any, other: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table `given` in the rows and columns of `other`, which must be its own.

    Raises
    ------
    DataError
        As for `table`, or if the times differ or the columns are other ones; columns in another order are put right.
    """
    return _fitted(table(given, name), other.index, other.columns, name)


def on_bars(given: Any, bars: Bars, name: str = "factor") -> pd.DataFrame:
    """The factor on the rows and columns of `bars`, NaN where a name has no bar and so could not be traded.

    Raises
    ------
    DataError
        As for `table`, or if its times or names are not those of the bars.
    """
    if not isinstance(bars, Bars):
        raise DataError(f"A {name} is studied on Bars, not {type(bars).__name__}: give qtw.Bars or lab.bars(...).")
    known = _fitted(table(given, name), bars.index, pd.Index(bars.symbols, name="symbol"), name)
    return known.where(bars.present)


def _fitted(given: pd.DataFrame, index: pd.Index, columns: pd.Index, name: str) -> pd.DataFrame:
    if not given.index.equals(index):
        raise DataError(
            f"The {name} has {len(given)} rows from {given.index[0]} to {given.index[-1]}, but {len(index)} from "
            f"{index[0]} to {index[-1]} are called for. Give one row a bar, with {name}.reindex(bars.index)."
        )
    missing, extra = columns.difference(given.columns), given.columns.difference(columns)
    if len(missing) or len(extra):
        shown = ", ".join(map(str, [*missing, *extra][:5]))
        raise DataError(
            f"The {name} has other names than the bars ({shown}): select the same in both, with NaN where a name has "
            "no value."
        )
    return given[columns]


def ranks(values: FloatArray) -> FloatArray:
    """Ranks of each row, 1 for the smallest; equal numbers share the mean of their ranks, NaN has none.

    Examples
    --------
    >>> ranks(np.array([[30.0, 10.0, np.nan, 30.0]]))
    array([[2.5, 1. , nan, 2.5]])
    """
    return np.asarray(pd.DataFrame(values).rank(axis=1), dtype=np.float64)


def row_correlations(x: FloatArray, y: FloatArray, method: str = "spearman", fewest: int = FEWEST) -> FloatArray:
    """The correlation of `x` and `y` in each row, (T,), over the names that have both.

    Parameters
    ----------
    x, y : ndarray
        (T, N), NaN where a name has none.
    method : {"spearman", "pearson"}
        Of ranks (equal numbers share the mean rank: Spearman, 1904), or of the numbers themselves.
    fewest : int
        NaN where fewer names have both, and where one of the two does not vary.

    Examples
    --------
    >>> row_correlations(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 4.0, 9.0]]), fewest=3)
    array([1.])
    """
    scale = lookup(method, _SCALES, "method of correlation")
    both = np.isfinite(x) & np.isfinite(y)
    count = both.sum(axis=1)
    a, b = (_centred(scale(np.where(both, one, np.nan)), both) for one in (x, y))
    together = np.einsum("tn,tn->t", a, b)
    apart = np.sqrt(np.einsum("tn,tn->t", a, a) * np.einsum("tn,tn->t", b, b))  # one root: exact for whole ranks
    return np.where(count >= fewest, np.clip(ratio(together, apart), -1.0, 1.0), np.nan)


def quantile_members(values: FloatArray, quantiles: int = 5, fewest: int = FEWEST) -> FloatArray:
    """The quantile of each name in its row, 1 (smallest) to Q, NaN for a name without a number; (T, N).

    A name of rank r among n belongs where the middle of its place lies, at (r - 1/2) / n of the way: quantiles of equal
    size if Q divides n, the larger ones spread evenly if not. Names with equal numbers share the mean rank and so the
    quantile; another may then be empty. A middle that falls on a border goes to the quantile nearer the centre, so that
    the factor turned upside down gives the quantiles upside down (except the one name in the very middle, which goes to
    the lower side). NaN in bars with fewer names than `fewest` or than quantiles.

    Examples
    --------
    >>> quantile_members(np.array([[5.0, 1.0, 3.0, 3.0, 9.0, 7.0]]), 3)
    array([[2., 1., 2., 2., 3., 3.]])
    """
    known = np.isfinite(values)
    count = known.sum(axis=1, keepdims=True)
    # whole numbers decide about borders: the middle is at (2 r - 1) / 2 n, and twice a mean rank is whole
    middle = np.where(known, (2.0 * ranks(np.where(known, values, np.nan)) - 1.0) * quantiles, 0.0).astype(np.int64)
    width = np.maximum(2 * count, 1)
    below = middle // width - ((middle % width == 0) & (middle >= count * quantiles) & (middle > 0))
    told = known & (count >= max(fewest, quantiles))
    return np.where(told, below + 1.0, np.nan)


def ranked(factor: pd.DataFrame) -> pd.DataFrame:
    """The factor as ranks within each bar, from -0.5 to 0.5 with mean 0; equal numbers share the mean rank.

    Examples
    --------
    >>> ranked(pd.DataFrame([[10.0, 20.0, 90.0, np.nan]])).round(3).to_numpy().tolist()
    [[-0.333, 0.0, 0.333, nan]]
    """
    given = table(factor)
    places = ranks(given.to_numpy())
    return _like(given, ratio(places - 0.5, np.isfinite(places).sum(axis=1, keepdims=True)) - 0.5)


def z_scores(factor: pd.DataFrame) -> pd.DataFrame:
    """The factor less its mean within each bar, over its standard deviation (ddof 1) there; NaN where that is zero.

    Examples
    --------
    >>> z_scores(pd.DataFrame([[1.0, 2.0, 3.0]])).to_numpy().tolist()
    [[-1.0, 0.0, 1.0]]
    """
    given = table(factor)
    known = np.isfinite(given.to_numpy())
    away = _centred(given.to_numpy(), known)
    spread = np.sqrt(ratio((away**2).sum(axis=1), known.sum(axis=1) - 1.0))
    return _like(given, np.where(known, ratio(away, spread[:, None]), np.nan))


def winsorised(factor: pd.DataFrame, lower: float = 0.05, upper: float = 0.95) -> pd.DataFrame:
    """The factor with what lies beyond two quantiles of its bar moved to them (interpolated linearly).

    Raises
    ------
    DataError
        If the quantiles are not in order between 0 and 1.

    Examples
    --------
    >>> winsorised(pd.DataFrame([[0.0, 1.0, 2.0, 3.0, 100.0]]), 0.25, 0.75).to_numpy().tolist()
    [[1.0, 1.0, 2.0, 3.0, 3.0]]
    """
    given = table(factor)
    if not 0.0 <= number("lower", lower) < number("upper", upper) <= 1.0:
        raise DataError(f"lower={lower!r} and upper={upper!r} are quantiles: 0 <= lower < upper <= 1.")
    values = np.sort(given.to_numpy(), axis=1)  # missing ones come last
    low, high = (_at(values, share) for share in (lower, upper))
    return _like(given, np.clip(given.to_numpy(), low[:, None], high[:, None]))


def _at(ordered: FloatArray, share: float) -> FloatArray:
    """The quantile of each row of sorted numbers; NaN for a row without any."""
    place = share * np.maximum(np.isfinite(ordered).sum(axis=1) - 1, 0)
    rows, low = np.arange(len(ordered)), np.floor(place).astype(np.intp)
    high = np.ceil(place).astype(np.intp)
    return np.asarray(ordered[rows, low] + (place - low) * (ordered[rows, high] - ordered[rows, low]))


#: What can be done to a factor by name.
TRANSFORMS: Final[Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "rank": ranked,
    "z_score": z_scores,
    "winsorise": winsorised,
}


def checked_quantiles(quantiles: int, names: int) -> int:
    """The number of quantiles, once known to be from 2 to the number of names.

    Raises
    ------
    DataError
        If it is not.
    """
    if whole("quantiles", quantiles, 2) > names:
        raise DataError(f"quantiles={quantiles} of {names} names would be empty; ask for {names} or fewer.")
    return int(quantiles)


def _centred(values: FloatArray, known: BoolArray) -> FloatArray:
    """Numbers less the mean of their row, 0 where not known; a row of equal numbers is exactly 0."""
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    inside = np.where(known, values, 0.0)
    away = np.where(known, inside - inside.sum(axis=1, keepdims=True) / count, 0.0)
    largest = np.abs(inside).max(axis=1, keepdims=True)
    equal = np.abs(away).max(axis=1, keepdims=True) <= _ROUNDING * largest
    return np.where(equal, 0.0, away)


def _like(given: pd.DataFrame, values: FloatArray) -> pd.DataFrame:
    return pd.DataFrame(values, index=given.index, columns=given.columns)


_SCALES: Final[Mapping[str, Callable[[FloatArray], FloatArray]]] = {
    "spearman": ranks,
    "pearson": np.asarray,
}
