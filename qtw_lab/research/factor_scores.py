"""How well a factor orders what comes next: forward returns, information coefficients, quantiles and turnover."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final, cast

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.research.factor_means import MeanTest, mean_test
from qtw_lab.research.factor_sections import (
    FEWEST,
    FloatArray,
    beside,
    checked_quantiles,
    quantile_members,
    row_correlations,
    table,
)
from qtw_lab.stats.columns import number, ratio, whole

#: Where a decision at the close of bar t is thought to enter: which price, and how many bars later.
ENTRIES: Final[Mapping[str, tuple[str, int]]] = {"next_open": ("open", 1), "close": ("close", 0)}

#: The row of the top quantile less the bottom one.
SPREAD: Final = "spread"


def forward_returns(bars: Bars, horizon: int = 1, entry: str = "next_open") -> pd.DataFrame:
    """What each symbol returns after each bar, a fraction, (T, N): a label made of later bars, never an input.

    Parameters
    ----------
    bars : Bars
        (T, N) prices.
    horizon : int
        Bars held.
    entry : {"next_open", "close"}
        From the open of bar t + 1 to that of bar t + 1 + h, as a decision at the close of t would fill; or from the
        close of t, which nobody who needed that close could have had, to that of t + h.

    Returns
    -------
    pandas.DataFrame
        NaN in the last bars, and where a symbol has no bar at either end: one that is delisted within the horizon has
        no label, which flatters a factor that buys what is about to fail.

    Raises
    ------
    DataError
        If the horizon or entry does not fit.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=4)
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 11.0, 12.1, 12.1]}, index=days), symbol="X")
    >>> forward_returns(bars)["X"].round(4).tolist(), forward_returns(bars, entry="close")["X"].round(4).tolist()
    ([0.1, 0.0, nan, nan], [0.1, 0.1, 0.0, nan])
    """
    if not isinstance(bars, Bars):
        raise DataError(f"Forward returns are made from Bars, not {type(bars).__name__}.")
    field, later = lookup(entry, ENTRIES, "entry")
    last = len(bars) - whole("horizon", horizon) - later
    if last < 1:
        raise DataError(f"horizon={horizon} needs more than {horizon + later} bars; there are {len(bars)}.")
    prices, result = bars.values[field], np.full(bars.shape, np.nan)
    result[:last] = prices[later + horizon :] / prices[later : later + last] - 1.0
    return pd.DataFrame(result, index=bars.index, columns=pd.Index(bars.symbols, name="symbol"))


def information_coefficient(
    factor: pd.DataFrame, forward: pd.DataFrame, method: str = "spearman", fewest: int = FEWEST
) -> pd.Series:
    """Correlation across names of the factor with what followed, at each bar, -1 to 1, (T,).

    Parameters
    ----------
    factor : pandas.DataFrame
        (T, N), known at the close of each bar.
    forward : pandas.DataFrame
        (T, N) `forward_returns` in the same rows and names.
    method : {"spearman", "pearson"}
        Of ranks, equal numbers sharing their mean rank; or of the numbers themselves.
    fewest : int
        NaN in bars where fewer names have both, at least 2; and where one of the two does not vary.

    Raises
    ------
    DataError
        If a table is no table of finite numbers, or the two do not fit.

    Notes
    -----
    Grinold and Kahn, "Active Portfolio Management" (1999), chapter 6.

    Examples
    --------
    >>> factor = pd.DataFrame([[1.0, 2.0, 3.0, 4.0, 5.0]], columns=list("ABCDE"))
    >>> forward = pd.DataFrame([[0.01, 0.00, 0.03, 0.02, 0.05]], columns=list("ABCDE"))
    >>> information_coefficient(factor, forward).round(4).tolist()
    [0.8]
    """
    given = table(factor)
    labels = beside(forward, given, "forward returns")
    whole("fewest", fewest, 2)
    values = row_correlations(given.to_numpy(), labels.to_numpy(), method, fewest)
    return pd.Series(values, index=given.index, name="ic")


def ic_summary(
    coefficients: pd.DataFrame, periods_per_year: float, names: pd.DataFrame | None = None, lags: int | None = None
) -> pd.DataFrame:
    """Information coefficients over all bars, a row a horizon.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        (T, H), the horizons in bars as columns.
    periods_per_year : float
        Bars a year.
    names : pandas.DataFrame, optional
        (T, H), how many names each coefficient is from.
    lags : int, optional
        As in `mean_test`.

    Returns
    -------
    pandas.DataFrame
        ``mean``, ``std``, ``icir`` (mean over std, times the root of the horizons that a year has: annual if
        coefficients a horizon apart are independent), ``t``, ``p_value``, ``lags``, ``positive`` (share of bars above
        zero), ``bars``, and ``names`` (their mean over those bars).

    Raises
    ------
    DataError
        If a column is no horizon, or the numbers do not fit.

    Examples
    --------
    >>> ic_summary(pd.DataFrame({1: [0.1, 0.3, 0.2, 0.2]}), 252.0)[["mean", "icir"]].round(3).to_numpy().tolist()
    [[0.2, 38.884]]
    """
    year = number("periods_per_year", periods_per_year)
    rows = {}
    for column in coefficients.columns:
        horizon = whole("horizon", cast("int", column))
        found = mean_test(coefficients[horizon], horizon, lags)
        scaled = float(ratio(found.mean, found.std)) * math.sqrt(year / horizon)
        rows[horizon] = {"mean": found.mean, "std": found.std, "icir": scaled, **_told(found)}
        if names is not None:
            rows[horizon]["names"] = float(names[horizon][coefficients[horizon].notna()].mean())
    return _rows(rows, "horizon")


def quantile_returns(
    factor: pd.DataFrame, forward: pd.DataFrame, quantiles: int = 5, fewest: int = FEWEST
) -> pd.DataFrame:
    """Mean forward return of the names in each quantile of the factor at each bar, fractions, (T, Q + 1).

    Names belong to quantiles by the factor alone (`quantile_members` says how, ties included); whether a label follows
    is not known then. Each name has the same weight.

    Parameters
    ----------
    factor, forward, fewest
        As for `information_coefficient`; `fewest` counts names that have the factor.
    quantiles : int
        How many, from 2 to N. Bars with fewer names than quantiles are NaN.

    Returns
    -------
    pandas.DataFrame
        Columns 1 (lowest factor) to Q, and ``spread``, the top less the bottom. NaN for an empty quantile and for one
        whose names have no label.

    Raises
    ------
    DataError
        As for `information_coefficient`, or if the number of quantiles does not fit.

    Examples
    --------
    >>> factor = pd.DataFrame([[1.0, 2.0, 3.0, 4.0, 5.0]], columns=list("ABCDE"))
    >>> forward = pd.DataFrame([[0.01, 0.00, 0.03, 0.02, 0.05]], columns=list("ABCDE"))
    >>> quantile_returns(factor, forward).round(4).to_numpy().tolist()
    [[0.01, 0.0, 0.03, 0.02, 0.05, 0.04]]
    """
    given = table(factor)
    labels = beside(forward, given, "forward returns").to_numpy()
    members = quantile_members(given.to_numpy(), checked_quantiles(quantiles, given.shape[1]), whole("fewest", fewest))
    seen, means = np.isfinite(labels), np.empty((len(given), quantiles))
    for place in range(quantiles):
        inside = seen & (members == place + 1)
        means[:, place] = ratio(np.where(inside, labels, 0.0).sum(axis=1), inside.sum(axis=1))
    frame = pd.DataFrame(means, index=given.index, columns=pd.Index(range(1, quantiles + 1), name="quantile"))
    return frame.astype(np.float64).assign(**{SPREAD: means[:, -1] - means[:, 0]})


def quantile_summary(returns: pd.DataFrame, horizon: int, lags: int | None = None) -> pd.DataFrame:
    """Quantile returns over all bars, a row a quantile and one for the spread.

    Parameters
    ----------
    returns : pandas.DataFrame
        As `quantile_returns` gives them.
    horizon : int
        Bars held.
    lags : int, optional
        As in `mean_test`.

    Returns
    -------
    pandas.DataFrame
        ``mean`` (over `horizon` bars, a fraction), ``per_bar`` (the same over the horizon), ``std``, ``t``,
        ``p_value``, ``lags``, ``positive``, ``bars``.

    Examples
    --------
    >>> returns = pd.DataFrame({1: [0.0, 0.01], 2: [0.02, 0.03], "spread": [0.02, 0.02]})
    >>> quantile_summary(returns, 1)["mean"].round(4).tolist()
    [0.005, 0.025, 0.02]
    """
    rows = {}
    for name in returns.columns:
        found = mean_test(returns[name], horizon, lags)
        rows[name] = {"mean": found.mean, "per_bar": found.mean / horizon, "std": found.std, **_told(found)}
    return _rows(rows, "quantile")


def monotonicity(means: Iterable[float]) -> float:
    """Rank correlation of quantile number and mean return: 1 if each quantile beats the one below, -1 if none does.

    NaN if a mean is missing or all are equal.

    Examples
    --------
    >>> monotonicity([0.01, 0.02, 0.03]), monotonicity([0.02, 0.01, 0.03])
    (1.0, 0.5)
    """
    values = np.array([list(means)], dtype=np.float64)
    if not np.isfinite(values).all() or values.shape[1] < 2:
        return math.nan
    return float(row_correlations(np.arange(values.shape[1], dtype=np.float64)[None], values, fewest=2)[0])


def turnover(
    factor: pd.DataFrame, lags: Iterable[int] = (1,), quantiles: int = 5, fewest: int = FEWEST
) -> pd.DataFrame:
    """How fast a factor changes its mind, a row for each lag in bars.

    Parameters
    ----------
    factor, fewest
        As for `information_coefficient`.
    lags : iterable of int
        Bars between the two looks, such as the bars between rebalancings.
    quantiles : int
        As for `quantile_returns`.

    Returns
    -------
    pandas.DataFrame
        ``rank_autocorrelation``, the mean over bars of the rank correlation of the factor with itself `lag` bars
        before; ``left_1`` to ``left_Q``, the mean share of a quantile's names that are in it no more (a name without a
        factor any more has left).

    Raises
    ------
    DataError
        As for `quantile_returns`, or if a lag is not below the number of bars.

    Examples
    --------
    >>> factor = pd.DataFrame([[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0]], columns=list("ABCD"))
    >>> turnover(factor, quantiles=4, fewest=4).round(2).to_numpy().tolist()
    [[0.8, 1.0, 1.0, 0.0, 0.0]]
    """
    values = table(factor).to_numpy()
    members = quantile_members(values, checked_quantiles(quantiles, values.shape[1]), whole("fewest", fewest))
    rows = {}
    for lag in lags:
        if whole("lag", lag) >= len(values):
            raise DataError(f"lag={lag} needs more than {lag} bars; there are {len(values)}.")
        steady = row_correlations(values[lag:], values[:-lag], fewest=fewest)
        rows[lag] = {"rank_autocorrelation": _mean(steady)} | {
            f"left_{place}": _left(members == place, int(lag), np.isfinite(members).any(axis=1))
            for place in range(1, quantiles + 1)
        }
    return _rows(rows, "lag")


def _left(inside: Any, lag: int, told: Any) -> float:
    """Mean share of the names inside that are outside `lag` bars later, over bars where both are told."""
    before, after = inside[:-lag], inside[lag:]
    share = ratio((before & ~after).sum(axis=1), before.sum(axis=1))
    return _mean(np.where(told[lag:], share, np.nan))


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _told(found: MeanTest) -> dict[str, float]:
    return {name: value for name, value in asdict(found).items() if name not in ("mean", "std")}


def _rows(rows: Mapping[Any, Mapping[str, float]], name: str) -> pd.DataFrame:
    made = pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name=name))
    return made.assign(**{column: made[column].astype(int) for column in ("lags", "bars") if column in made})
