"""How sure one Sharpe ratio is: its standard error, its interval, and what it is over more bars.

Every Sharpe ratio here is per bar: mean over standard deviation (ddof 1), not annualised; skewness and kurtosis are
those of the sample, not corrected for its size, as in `sharpes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Figure, FloatArray, Returns, choice, columns, deviation, number, ratio
from qtw_lab.stats.ratios import kurtosis, sharpe_ratio, skewness

_NORMAL = NormalDist()

#: Variance of a Sharpe ratio, in units of 1/T, below which it is nothing but rounding.
NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class SharpeInterval:
    """A Sharpe ratio per bar and the bounds it lies between with the confidence asked for.

    Each figure is a float for one series, (K,) for an array of columns, a Series by column for a DataFrame.

    Parameters
    ----------
    sharpe : float, ndarray or Series
        The estimate.
    lower, upper : float, ndarray or Series
        The bounds.
    confidence : float
        Probability that bounds found in this way enclose the true ratio.
    """

    sharpe: Figure
    lower: Figure
    upper: Figure
    confidence: float


def sharpe_standard_error(returns: Returns, method: str = "iid", lags: int | None = None) -> Figure:
    """Asymptotic standard error of the Sharpe ratio per bar, for T observations.

    NaN for one bar and for returns that never vary. Shape as for `probabilistic_sharpe_ratio`, which divides by T - 1
    where this divides by T.

    Parameters
    ----------
    returns
        As for `probabilistic_sharpe_ratio`.
    method : str
        ``"normal"``: independent normal returns, ``sqrt((1 + SR ** 2 / 2) / T)``, Lo (2002) for IID returns. ``"iid"``:
        independent returns of any shape, ``sqrt((1 - g3 SR + (g4 - 1) / 4 SR ** 2) / T)``, Mertens (2002).
        ``"newey_west"``, also called ``"lo"``: stationary returns that may be correlated in time, Lo (2002) for
        non-IID returns: GMM and the delta method, long-run covariance of Newey and West (1987) with Bartlett weights.
    lags : int, optional
        Lags of ``"newey_west"``, 0 (the same as ``"iid"``) to T - 1. By default ``floor(4 (T / 100) ** (2 / 9))``.

    Raises
    ------
    DataError
        As for `probabilistic_sharpe_ratio`, or if the method is unknown or the lags do not fit.

    Examples
    --------
    >>> r = [0.02, -0.01, 0.03, -0.02, 0.01]
    >>> [round(sharpe_standard_error(r, m), 4) for m in ("normal", "iid", "newey_west")]
    [0.4565, 0.4596, 0.2578]
    """
    choice("method", method, _SQUARED_ERRORS)
    given = columns(returns)
    count = len(given.values)
    if lags is not None:
        if _SQUARED_ERRORS[method] is not _long_run:
            raise DataError(f"lags={lags!r} are for method='newey_west' only; {method!r} takes returns as independent.")
        if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or not 0 <= lags < count:
            raise DataError(f"lags={lags!r} must be a whole number from 0 to {count - 1}, less than the {count} bars.")
    chosen = min(int(4 * (count / 100) ** (2 / 9)), count - 1) if lags is None else int(lags)
    squared = _SQUARED_ERRORS[method](given.values, chosen)
    return given.answer(np.sqrt(np.where(squared > NOTHING, squared, np.nan) / count))


def sharpe_interval(
    returns: Returns, confidence: float = 0.95, method: str = "iid", lags: int | None = None
) -> SharpeInterval:
    """The Sharpe ratio per bar with a symmetric interval, so many standard errors to each side.

    The asymptotic normal interval: too narrow for a few dozen bars. NaN as for `sharpe_standard_error`.

    Parameters
    ----------
    returns, method, lags
        As for `sharpe_standard_error`.
    confidence : float
        Probability of the interval, strictly between 0 and 1.

    Raises
    ------
    DataError
        As for `sharpe_standard_error`, or if the confidence is no probability.

    Examples
    --------
    >>> found = sharpe_interval([0.02, -0.01, 0.03, -0.02, 0.01])
    >>> round(found.lower, 3), round(found.sharpe, 3), round(found.upper, 3)
    (-0.612, 0.289, 1.19)
    """
    level = number("confidence", confidence)
    if not 0.0 < level < 1.0:
        raise DataError(f"confidence={confidence!r} must lie strictly between 0 and 1, such as 0.95.")
    away = _NORMAL.inv_cdf(0.5 + level / 2.0) * sharpe_standard_error(returns, method, lags)
    estimate = sharpe_ratio(returns, periods_per_year=1.0)
    return SharpeInterval(estimate, estimate - away, estimate + away, level)


def lo_annualisation_factor(returns: Returns, periods: int) -> Figure:
    """What a Sharpe ratio per bar is multiplied by to be that of so many bars, given the autocorrelation of returns.

    ``q / sqrt(q + 2 sum((q - k) rho_k))`` for k from 1 to q - 1, Lo, "The Statistics of Sharpe Ratios" (2002):
    ``sqrt(q)`` without autocorrelation, less if returns trend, more if they revert. Autocorrelations are those of the
    sample (mean removed, divided by T), so the root is never of a negative number. It is noisy unless T is many times
    `periods`: for daily bars go to a month (21) and scale by a root from there. NaN for returns that never vary.

    Parameters
    ----------
    returns
        As for `probabilistic_sharpe_ratio`.
    periods : int
        Bars q to aggregate, at least 1 and less than T.

    Returns
    -------
    float, ndarray or Series
        Shape as for `probabilistic_sharpe_ratio`.

    Raises
    ------
    DataError
        As for `probabilistic_sharpe_ratio`, or if `periods` does not fit.

    Examples
    --------
    >>> round(lo_annualisation_factor([0.01, 0.02, 0.03, 0.02, 0.01, 0.0], periods=2), 4)
    1.2318
    """
    given = columns(returns)
    count = len(given.values)
    if isinstance(periods, bool) or not isinstance(periods, (int, np.integer)) or not 1 <= periods < count:
        raise DataError(
            f"periods={periods!r} must be a whole number from 1 to {count - 1}, less than the {count} bars."
        )
    share = _bartlett(_standard(given.values), int(periods) - 1)
    return given.answer(np.sqrt(periods / np.where(share > NOTHING, share, np.nan)))


def shape(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sharpe ratio per bar, skewness and raw kurtosis of each column, (K,) each.

    Examples
    --------
    >>> [float(figure[0].round(4)) for figure in shape(np.array([[0.0], [0.0], [0.03]]))]
    [0.5774, 0.7071, 1.5]
    """
    return sharpe_ratio(values, periods_per_year=1.0), skewness(values), kurtosis(values) + 3.0


def _standard(values: FloatArray) -> FloatArray:
    """Returns less their mean, over their population deviation; NaN for a column that never varies."""
    spread = np.where(deviation(values) > 0.0, values.std(axis=0), 0.0)
    return ratio(values - values.mean(axis=0), spread)


def _bartlett(values: FloatArray, lags: int) -> FloatArray:
    """Long-run variance of columns of mean zero, the autocovariance at lag k weighted by ``1 - k / (lags + 1)``."""
    count = len(values)
    total = np.einsum("tk,tk->k", values, values)
    for k in range(1, lags + 1):
        total += 2.0 * (1.0 - k / (lags + 1)) * np.einsum("tk,tk->k", values[k:], values[:-k])
    return np.asarray(total / count, dtype=np.float64)


def _normal(values: FloatArray, _lags: int) -> FloatArray:
    return 1.0 + shape(values)[0] ** 2 / 2.0


def _independent(values: FloatArray, _lags: int) -> FloatArray:
    ratios, skews, kurts = shape(values)
    return 1.0 - skews * ratios + (kurts - 1.0) / 4.0 * ratios**2


def _long_run(values: FloatArray, lags: int) -> FloatArray:
    """Long-run variance of what each bar adds to the estimation error of the ratio: ``z - SR / 2 (z ** 2 - 1)``."""
    z = _standard(values)
    return _bartlett(z - shape(values)[0] / 2.0 * (z**2 - 1.0), lags)


#: Squared standard error times T, by method.
_SQUARED_ERRORS: dict[str, Callable[[FloatArray, int], FloatArray]] = {
    "normal": _normal,
    "iid": _independent,
    "newey_west": _long_run,
    "lo": _long_run,
}
