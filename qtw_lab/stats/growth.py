"""Growth of a unit of capital, and how far it fell back on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Columns, Figure, FloatArray, Returns, columns, ratio


def total_return(returns: Returns) -> Figure:
    """Growth of one unit of capital over all bars, ``prod(1 + r) - 1``, as a fraction.

    Parameters
    ----------
    returns : array_like, Series or DataFrame
        Simple returns of each bar as fractions, (T,) or (T, K), finite. A return below -1 (an account that owes) is
        taken as it stands.

    Returns
    -------
    float, ndarray or Series
        A float for one series, (K,) for an array of columns, a Series by column for a DataFrame.

    Raises
    ------
    DataError
        If the returns are empty, not numeric, or somewhere NaN or infinite, or compound to more than a float holds (as
        those in percent do).

    Examples
    --------
    >>> round(total_return([0.10, -0.10]), 4)
    -0.01
    """
    given = columns(returns)
    return given.answer(wealth(given.values) - 1.0)


def cagr(returns: Returns, periods_per_year: float | None = None) -> Figure:
    """Compound annual growth rate, ``(1 + total return) ** (periods_per_year / T) - 1``; -1 if nothing is left.

    Parameters
    ----------
    returns
        As for `total_return`.
    periods_per_year : float, optional
        Bars a year. Needed for plain numbers; a Series or DataFrame with times says it itself (252 for daily bars).

    Returns
    -------
    float, ndarray or Series
        Fraction a year, in the shape `total_return` has.

    Raises
    ------
    DataError
        As for `total_return`, or if nothing says how many bars make a year.

    Examples
    --------
    >>> round(cagr([0.1, 0.1], periods_per_year=1), 4)
    0.1
    """
    given = columns(returns)
    years = given.values.shape[0] / given.yearly(periods_per_year)
    return given.answer(geometric_rate(wealth(given.values), years))


def geometric_rate(wealth: FloatArray, periods: float | FloatArray) -> FloatArray:
    """Growth a period that leads from 1 to `wealth` in so many periods; -1 where nothing is left, NaN for NaN periods.

    Parameters
    ----------
    wealth : ndarray, (K,)
        Capital that one unit became.
    periods : float or ndarray, (K,)
        Periods it took, above 0; years for a rate a year.

    Examples
    --------
    >>> geometric_rate(np.array([1.21, 0.0]), 2.0).round(4)
    array([ 0.1, -1. ])
    """
    share = 1.0 / np.asarray(periods, dtype=np.float64)
    grown = np.where(wealth > 0.0, np.maximum(wealth, 1e-300) ** share, 0.0)
    return np.asarray(np.where(np.isnan(share), np.nan, grown) - 1.0)  # 1 to the power of NaN is 1


def drawdown_series(returns: Returns) -> Any:
    """How far capital stands below its highest value so far, the starting capital included: a fraction, 0 or negative.

    Parameters and errors as for `total_return`.

    Returns
    -------
    ndarray, Series or DataFrame
        In the shape and with the labels of `returns`.

    Examples
    --------
    >>> drawdown_series([-0.5, 1.0, -0.25])
    array([-0.5 ,  0.  , -0.25])
    """
    given = columns(returns)
    return given.paths(_below(given))


def max_drawdown(returns: Returns) -> Figure:
    """Deepest drawdown as a negative fraction, -0.25 for a fall by a quarter; 0 if capital never fell.

    The starting capital counts as the first peak, so that a loss in the first bar is one. Parameters, shape and errors
    as for `total_return`.

    Examples
    --------
    >>> max_drawdown([-0.25, 0.10])
    -0.25
    """
    given = columns(returns)
    return given.answer(_below(given).min(axis=0))


def drawdowns(returns: Returns) -> pd.DataFrame:
    """Every stretch below a former peak, deepest first.

    Parameters
    ----------
    returns : array_like or Series
        One series of simple returns, as for `total_return`.

    Returns
    -------
    pandas.DataFrame
        A row a drawdown: ``peak``, the last bar at the high, missing if that is the starting capital; ``trough``, the
        deepest bar; ``recovery``, the first bar back at the high, missing if there is none yet; ``depth``, a negative
        fraction; ``length``, bars from the peak to the recovery, or to the last bar. Bars are the labels of a Series,
        else numbers from 0. ``fall`` and ``rise`` split the length at the trough: bars from the peak to it and from it
        to the recovery, the second missing if there is none yet. ``days``, calendar days of the length, is missing
        without times and if the peak is the starting capital, whose time is unknown. Without drawdowns the table is
        empty.

    Raises
    ------
    DataError
        As for `total_return`, or if there is more than one column.

    Examples
    --------
    >>> drawdowns([0.1, -0.2, 0.1, 0.2, -0.1])
       peak  trough  recovery  depth  length  fall  rise  days
    0     0       1         3   -0.2       3     1     2   NaN
    1     3       4      <NA>   -0.1       1     1  <NA>   NaN
    """
    given = columns(returns)
    if not given.single:
        raise DataError("drawdowns takes one series; call it for each column.")
    below = _below(given)[:, 0]
    under = np.concatenate([[False], below < 0.0, [False]])
    starts, ends = np.flatnonzero(under[1:] & ~under[:-1]), np.flatnonzero(under[:-1] & ~under[1:])
    troughs = np.array([int(a + below[a:b].argmin()) for a, b in zip(starts, ends, strict=True)], dtype=np.intp)
    size = len(below)
    last = np.minimum(ends, size - 1)
    table = pd.DataFrame(
        {
            "peak": _labels(given, starts - 1),
            "trough": _labels(given, troughs),
            "recovery": _labels(given, np.where(ends < size, ends, -1)),
            "depth": below[troughs],
            "length": (last - starts + 1).astype(int),
            "fall": (troughs - starts + 1).astype(int),
            "rise": pd.Series(last - troughs, dtype="Int64").mask(ends >= size),
            "days": _days(given, starts - 1, last),
        }
    )
    return table.sort_values("depth", kind="stable", ignore_index=True)


def calmar_ratio(returns: Returns, periods_per_year: float | None = None) -> Figure:
    """Annual growth over the deepest drawdown of the same bars (`cagr` over the size of `max_drawdown`).

    NaN without a drawdown. Young, "Calmar Ratio: A Smoother Tool" (1991), over all bars given, where Young took three
    years. Parameters, shape and errors as for `cagr`.

    Examples
    --------
    >>> round(calmar_ratio([0.5, -0.25, 0.2], periods_per_year=3), 4)
    1.4
    """
    given = columns(returns)
    years = given.values.shape[0] / given.yearly(periods_per_year)
    growth = geometric_rate(wealth(given.values), years)
    return given.answer(ratio(growth, -_below(given).min(axis=0)))


def ulcer_index(returns: Returns) -> Figure:
    """Root mean square of the drawdown over all bars, as a fraction.

    Martin and McCann, "The Investor's Guide to Fidelity Funds" (1989), there in percent. Parameters, shape and errors
    as for `total_return`.

    Examples
    --------
    >>> round(ulcer_index([-0.3, 3 / 7, -0.4, 2 / 3]), 4)
    0.25
    """
    given = columns(returns)
    return given.answer(np.sqrt(np.mean(_below(given) ** 2, axis=0)))


def monthly_returns(returns: pd.Series) -> pd.DataFrame:
    """Compounded return of every month and year, as fractions.

    Parameters
    ----------
    returns : Series
        Simple returns with a DatetimeIndex; months are those of its own time zone.

    Returns
    -------
    pandas.DataFrame
        Years as index, months 1 to 12 and ``total`` as columns; NaN for a month without bars.

    Raises
    ------
    DataError
        As for `total_return`, or if the returns are not one Series with times.

    Examples
    --------
    >>> r = pd.Series([0.1, 0.1, -0.5], index=pd.to_datetime(["2024-01-30", "2024-01-31", "2024-03-01"]))
    >>> monthly_returns(r)[[1, 2, 3, "total"]].round(3)
             1   2    3  total
    year
    2024  0.21 NaN -0.5 -0.395
    """
    if not isinstance(returns, pd.Series) or not isinstance(returns.index, pd.DatetimeIndex):
        raise DataError("monthly_returns needs one Series with times (a DatetimeIndex).")
    given = columns(returns)
    growth = pd.Series(1.0 + given.values[:, 0])
    wealth(given.values)  # refuses what does not fit into a number
    year, month = pd.Series(returns.index.year, name="year"), pd.Series(returns.index.month, name="month")
    table = pd.DataFrame({"growth": growth, "year": year, "month": month}).pivot_table(
        index="year", columns="month", values="growth", aggfunc="prod"
    )
    table = table.reindex(columns=list(range(1, 13))) - 1.0
    table["total"] = growth.groupby(year).prod() - 1.0
    return table.rename_axis(columns=None)


def yearly_returns(returns: pd.Series | pd.DataFrame) -> Any:
    """Compounded return of every calendar year, as fractions.

    A year counts with the bars it has: the first and the last are often not whole.

    Parameters
    ----------
    returns : Series or DataFrame
        Simple returns with a DatetimeIndex; years are those of its own time zone.

    Returns
    -------
    Series or DataFrame
        By year, with a column for each of the returns; years without bars are left out.

    Raises
    ------
    DataError
        As for `total_return`, or if the returns have no times.

    Examples
    --------
    >>> r = pd.Series([0.1, 0.1, -0.5], index=pd.to_datetime(["2023-12-28", "2023-12-29", "2024-01-02"]))
    >>> yearly_returns(r).round(4).to_dict()
    {2023: 0.21, 2024: -0.5}
    """
    if not isinstance(returns, (pd.Series, pd.DataFrame)) or not isinstance(returns.index, pd.DatetimeIndex):
        raise DataError("yearly_returns needs a Series or DataFrame with times (a DatetimeIndex).")
    given = columns(returns)
    wealth(given.values)  # refuses what does not fit into a number
    year = pd.Index(returns.index.year, name="year")
    table = pd.DataFrame(1.0 + given.values, columns=given.names).groupby(year.to_numpy()).prod() - 1.0
    table = table.rename_axis(index="year")
    return pd.Series(table.iloc[:, 0], name=returns.name) if isinstance(returns, pd.Series) else table


def _below(given: Columns) -> FloatArray:
    """Drawdown of every bar, (T, K)."""
    path: FloatArray = 1.0 + given.values
    with np.errstate(over="ignore", invalid="ignore"):
        np.cumprod(path, axis=0, out=path)  # in place throughout: a sweep calls this on thousands of columns
    _refuse_endless(path[-1])  # what is infinite once stays so
    peak = np.maximum.accumulate(path, axis=0)
    np.maximum(peak, 1.0, out=peak)
    path /= peak
    path -= 1.0
    return path


def wealth(values: FloatArray) -> FloatArray:
    """What one unit of capital becomes, (K,).

    Parameters
    ----------
    values : ndarray, (T, K)
        Simple returns of each bar as fractions, finite.

    Raises
    ------
    DataError
        If that is more than a float holds.

    Examples
    --------
    >>> wealth(np.array([[0.5], [0.5]]))
    array([2.25])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        grown: FloatArray = np.prod(1.0 + values, axis=0)
    _refuse_endless(grown)
    return grown


def _refuse_endless(wealth: FloatArray) -> None:
    if not np.isfinite(wealth).all():
        place = int(np.argmin(np.isfinite(wealth)))
        raise DataError(
            f"The returns of column {place} compound to more than a number can hold. Are they percent? Give fractions, "
            "0.01 for a gain of one percent."
        )


def _days(given: Columns, starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]) -> FloatArray:
    """Calendar days between bars by number; NaN without times and for a start of -1."""
    if not isinstance(given.index, pd.DatetimeIndex):
        return np.full(len(starts), np.nan)
    spans = given.index.take(ends) - given.index.take(np.maximum(starts, 0))
    return np.where(starts < 0, np.nan, np.asarray(spans / pd.Timedelta(days=1), dtype=np.float64))


def _labels(given: Columns, places: npt.NDArray[np.intp]) -> pd.Series:
    """Labels of bars by number, missing for -1."""
    index = pd.RangeIndex(len(given.values)) if given.index is None else given.index
    found = pd.Series(index.take(np.maximum(places, 0)))
    if found.dtype.kind in "iu":
        found = found.astype("Int64")
    return found.mask(places < 0)
