"""How returns share in the rises and the falls of a benchmark."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qtw_lab.stats.columns import Columns, Figure, FloatArray, Returns, beside, columns, ratio
from qtw_lab.stats.growth import geometric_rate, wealth
from qtw_lab.stats.relative import beta


def up_capture(returns: Returns, benchmark: Returns) -> Figure:
    """Geometric mean return of the bars in which the benchmark rose, over the benchmark's own in those bars.

    1 for the benchmark itself; above 1 is more than its rises. NaN if it never rose. Morningstar's upside capture
    ratio, there of months and times 100; here of the bars given, so give monthly returns to compare.

    Parameters
    ----------
    returns, benchmark : array_like, Series or DataFrame
        Simple returns of each bar as fractions, (T,) or (T, K), finite; the benchmark on the same bars, one column or
        one for each. Capital that is used up within those bars counts as a mean return of -1.

    Returns
    -------
    float, ndarray or Series
        A float for one series, (K,) for an array of columns, a Series by column for a DataFrame.

    Raises
    ------
    DataError
        If either is empty, not numeric, or somewhere NaN or infinite, or the two are not of the same bars.

    Examples
    --------
    >>> round(up_capture([0.02, -0.02, 0.02], [0.01, -0.01, 0.01]), 4)
    2.0
    """
    given = columns(returns)
    market = beside(given, benchmark)
    return given.answer(_capture(given.values, market, market > 0.0))


def down_capture(returns: Returns, benchmark: Returns) -> Figure:
    """Geometric mean return of the bars in which the benchmark fell, over the benchmark's own in those bars.

    1 for the benchmark itself; below 1 is less than its falls, and negative a gain in them. NaN if it never fell.
    Morningstar's downside capture ratio; parameters, shape and errors as for `up_capture`.

    Examples
    --------
    >>> round(down_capture([0.02, -0.005, 0.02], [0.01, -0.01, 0.01]), 4)
    0.5
    """
    given = columns(returns)
    market = beside(given, benchmark)
    return given.answer(_capture(given.values, market, market < 0.0))


def capture_ratio(returns: Returns, benchmark: Returns) -> Figure:
    """`up_capture` over `down_capture`: above 1 if more of the rises is shared than of the falls.

    Read it only where the down capture is positive: a portfolio that gains while its benchmark falls has a negative
    ratio. NaN if the benchmark never rose or never fell, or the portfolio's mean in the falls is zero. Parameters,
    shape and errors as for `up_capture`.

    Examples
    --------
    >>> round(capture_ratio([0.02, -0.005, 0.02], [0.01, -0.01, 0.01]), 4)
    4.0
    """
    given = columns(returns)
    market = beside(given, benchmark)
    up, down = _capture(given.values, market, market > 0.0), _capture(given.values, market, market < 0.0)
    return given.answer(ratio(up, down))


def batting_average(returns: Returns, benchmark: Returns) -> Figure:
    """Share of the bars that did better than the benchmark or as well.

    A bar that matches the benchmark counts as won, as at Morningstar; others count it as lost. Parameters, shape and
    errors as for `up_capture`.

    Examples
    --------
    >>> batting_average([0.02, -0.02, 0.01, 0.0], [0.01, -0.01, 0.01, 0.01])
    0.5
    """
    given = columns(returns)
    return given.answer((given.values >= beside(given, benchmark)).mean(axis=0))


def up_beta(returns: Returns, benchmark: Returns) -> Figure:
    """`beta` over the bars in which the benchmark's return is above its mean.

    NaN for fewer than two such bars, and if the benchmark does not vary among them. Ang, Chen and Xing, "Downside Risk"
    (2006). Parameters, shape and errors as for `up_capture`.

    Examples
    --------
    >>> round(up_beta([0.03, 0.06, -0.02, -0.04], [0.01, 0.02, -0.02, -0.04]), 4)
    3.0
    """
    given = columns(returns)
    market = beside(given, benchmark)
    return given.answer(_beta_of(given, market, market > market.mean(axis=0)))


def down_beta(returns: Returns, benchmark: Returns) -> Figure:
    """`beta` over the bars in which the benchmark's return is below its mean.

    NaN for fewer than two such bars, and if the benchmark does not vary among them. Ang, Chen and Xing, "Downside Risk"
    (2006). Parameters, shape and errors as for `up_capture`.

    Examples
    --------
    >>> round(down_beta([0.03, 0.06, -0.02, -0.04], [0.01, 0.02, -0.02, -0.04]), 4)
    1.0
    """
    given = columns(returns)
    market = beside(given, benchmark)
    return given.answer(_beta_of(given, market, market < market.mean(axis=0)))


def _capture(values: FloatArray, market: FloatArray, chosen: npt.NDArray[np.bool_]) -> FloatArray:
    """Geometric mean of the chosen bars over that of the market, down the columns; NaN without such bars."""
    bars = chosen.sum(axis=0)
    count = np.where(bars > 0, bars, np.nan)
    own = geometric_rate(wealth(np.where(chosen, values, 0.0)), count)
    return ratio(own, geometric_rate(wealth(np.where(chosen, market, 0.0)), count))


def _beta_of(given: Columns, market: FloatArray, chosen: npt.NDArray[np.bool_]) -> FloatArray:
    """Beta of the chosen bars of each column, (K,)."""
    found = np.full(given.values.shape[1], np.nan)
    for k in range(len(found)):
        own = min(k, market.shape[1] - 1)
        bars = chosen[:, own]
        if bars.any():
            found[k] = beta(given.values[bars, k], market[bars, own])
    return found
