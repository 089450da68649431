"""How much money a strategy can run before its own trades become too large for the market."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray, number, numeric, whole


@dataclass(frozen=True, slots=True)
class Capacity:
    """The size at which a strategy's trades begin to exceed their share of the market's volume.

    Parameters
    ----------
    aum : float
        Largest capital, in account currency, at which at most `share` of the trades exceed the cap; 0 if more of them
        have no volume to trade with at any size, NaN without a measured trade.
    cap : float
        Amount traded over average daily amount, that a trade should not exceed.
    share : float
        Share of the trades that may.
    base : float
        Capital the trades were made with.
    participation : ndarray, (n,)
        Amount traded over average daily amount of each measured trade at that capital, ascending; infinite where the
        market had no volume.
    unmeasured : int
        Trades left out because the average volume before them is not known.
    """

    aum: float
    cap: float
    share: float
    base: float
    participation: FloatArray
    unmeasured: int

    def over_cap(self, aum: float) -> float:
        """Share of the measured trades that would exceed the cap at this capital; NaN without any.

        Parameters
        ----------
        aum : float
            Capital in account currency, above 0.

        Raises
        ------
        DataError
            If the capital is not above 0.
        """
        grown = self.participation * (_positive("aum", aum) / self.base)
        return float((grown > self.cap).mean()) if grown.size else float("nan")


def capacity_estimate(
    traded: npt.ArrayLike | pd.DataFrame,
    volume: npt.ArrayLike | pd.DataFrame,
    aum: float,
    cap: float = 0.10,
    share: float = 0.05,
    window: int = 20,
) -> Capacity:
    """The capital at which more than a stated share of the trades would exceed a stated share of the daily volume.

    Amounts are taken to grow in proportion to the capital. A trade is measured against the mean amount traded in the
    market over the `window` bars before it, which is known then; it is assumed to be done within its one bar.

    Parameters
    ----------
    traded : array_like or DataFrame, (T, N)
        Amount the strategy traded in each daily bar and symbol, bought plus sold, in account currency; 0 where none.
    volume : array_like or DataFrame, (T, N)
        Amount the whole market traded there (price times volume), in the same currency; NaN where not known.
    aum : float
        Capital the amounts were traded with, above 0.
    cap : float
        Participation that is thought tradable, above 0; 0.10 is a tenth of the average day.
    share : float
        Share of the trades that may exceed it, from 0 and below 1.
    window : int
        Bars of the average, at least 1.

    Returns
    -------
    Capacity
        The estimate and what it rests on.

    Raises
    ------
    DataError
        If the tables differ in shape or labels, a label comes twice, an amount is negative, infinite or (traded)
        missing, or a number is out of its range.

    Examples
    --------
    >>> traded = [[0.0], [1_000.0], [2_000.0]]
    >>> volume = [[100_000.0], [100_000.0], [100_000.0]]
    >>> capacity_estimate(traded, volume, aum=10_000.0, share=0.0, window=1).aum
    50000.0
    """
    base, most, allowed = _positive("aum", aum), _positive("cap", cap), number("share", share)
    if not 0.0 <= allowed < 1.0:
        raise DataError(f"share={share!r} must lie from 0 to below 1, such as 0.05.")
    amounts, usual = _tables(traded, volume, window)
    found = amounts > 0.0
    measured = found & ~np.isnan(usual)
    participation = np.sort(_over(amounts[measured], usual[measured]))
    count = len(participation)
    largest = float("nan")
    if count:
        critical = participation[count - 1 - int(np.floor(allowed * count + 1e-9))]  # 0.05 of 20 is one, not 0.99...
        largest = base * most / float(critical)
    return Capacity(largest, most, allowed, base, participation, int(found.sum() - measured.sum()))


def impact_cost(
    traded: npt.ArrayLike | pd.DataFrame,
    volume: npt.ArrayLike | pd.DataFrame,
    volatility: npt.ArrayLike | pd.DataFrame,
    aum: float,
    sizes: Sequence[float],
    coefficient: float = 1.0,
    window: int = 20,
) -> pd.DataFrame:
    """Cost of moving the market at several sizes of capital, by the square-root law.

    A trade costs ``coefficient x daily volatility x sqrt(participation)`` of its amount, at most all of it, as in the
    ledger's costs (Almgren, Thum, Hauptmann and Li, "Direct Estimation of Equity Market Impact", 2005; Toth and others,
    "Anomalous Price Impact", 2011). The law is an average over many orders; a coefficient near 1 is usual, and beyond a
    tenth or so of the daily volume it is extrapolation.

    Parameters
    ----------
    traded, volume, aum, window
        As for `capacity_estimate`.
    volatility : array_like or DataFrame, (T, N)
        Standard deviation of daily returns as a fraction, known before the bar.
    sizes : sequence of float
        Capital to compute the cost for, in account currency, each above 0.
    coefficient : float
        Of the law, 0 or above.

    Returns
    -------
    pandas.DataFrame
        A row a size (index ``aum``): ``cost``, of all measured trades together in account currency; ``cost_bps``, of
        the amount they traded, in basis points; ``cost_of_aum``, as a fraction of the capital over all bars together;
        ``unmeasured``, trades left out because volume or volatility before them is not known. Trades against no volume
        at all cost all of their amount. Without measured trades the costs are NaN.

    Raises
    ------
    DataError
        As for `capacity_estimate`, or if a volatility is negative or infinite.

    Examples
    --------
    >>> traded, volume = [[0.0], [1_000.0]], [[100_000.0], [100_000.0]]
    >>> costs = impact_cost(traded, volume, [[0.02], [0.02]], 10_000.0, [10_000.0, 40_000.0], window=1)
    >>> costs["cost_bps"].round(2).tolist()
    [20.0, 40.0]
    """
    base, law = _positive("aum", aum), number("coefficient", coefficient)
    if law < 0.0:
        raise DataError(f"coefficient={coefficient!r} must be 0 or above.")
    amounts, usual = _tables(traded, volume, window)
    moves = _amounts("volatility", volatility, gaps=True)
    _same("volatility", moves, amounts, volatility, traded)
    found = amounts > 0.0
    measured = found & ~np.isnan(usual) & ~np.isnan(moves)
    spent, daily, spread = amounts[measured], usual[measured], moves[measured]
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise DataError(f"sizes={sizes!r} must be amounts of capital, such as [1e6, 1e7].")
    rows, sizes = [], list(sizes)
    for size in sizes:
        grown = spent * (_positive("sizes", size) / base)
        share = law * spread * np.sqrt(grown / np.where(daily > 0.0, daily, 1.0))
        cost = float((grown * np.minimum(np.where(daily > 0.0, share, 1.0), 1.0)).sum()) if grown.size else np.nan
        rows.append((cost, cost / grown.sum() * 1e4 if grown.size else np.nan, cost / size))
    table = pd.DataFrame(rows, columns=["cost", "cost_bps", "cost_of_aum"], index=pd.Index(sizes, name="aum"))
    table["unmeasured"] = int(found.sum() - measured.sum())
    return table


def _tables(traded: npt.ArrayLike, volume: npt.ArrayLike, window: int) -> tuple[FloatArray, FloatArray]:
    """Amounts traded, and the mean amount of the market over the bars before; both (T, N)."""
    whole("window", window)
    amounts, market = _amounts("traded", traded, gaps=False), _amounts("volume", volume, gaps=True)
    _same("volume", market, amounts, volume, traded)
    usual = np.full_like(market, np.nan)
    if window < len(market):
        windows = np.lib.stride_tricks.sliding_window_view(market[:-1], int(window), axis=0)
        usual[window:] = windows.mean(axis=-1)
    return amounts, usual


def _amounts(name: str, given: npt.ArrayLike, *, gaps: bool) -> FloatArray:
    array = numeric(given, name)
    if array.ndim != 2 or not array.size:
        raise DataError(f"{name} must be numbers, (bars, symbols), not {array.dtype} of shape {array.shape}.")
    if isinstance(given, pd.DataFrame) and not (given.index.is_unique and given.columns.is_unique):
        raise DataError(f"{name} must have every bar and every symbol once.")
    values = array.astype(np.float64)
    wrong = np.isinf(values) | (values < 0.0) | (np.isnan(values) & (not gaps))
    if wrong.any():
        bar, column = (int(k) for k in np.argwhere(wrong)[0])
        raise DataError(
            f"{name} is {values[bar, column]} at bar {bar}, column {column}; give finite numbers of at least 0."
        )
    return values


def _same(name: str, other: FloatArray, amounts: FloatArray, table: npt.ArrayLike, traded: npt.ArrayLike) -> None:
    if other.shape != amounts.shape:
        raise DataError(f"traded {amounts.shape} and {name} {other.shape} do not fit: give the same bars and symbols.")
    if not isinstance(table, pd.DataFrame) or not isinstance(traded, pd.DataFrame):
        return
    if not table.index.equals(traded.index) or not table.columns.equals(traded.columns):
        raise DataError(f"traded and {name} have different labels; align them first, such as with reindex_like.")


def _over(amounts: FloatArray, usual: FloatArray) -> FloatArray:
    """Participation, infinite where the market traded nothing."""
    return np.divide(amounts, usual, out=np.full_like(amounts, np.inf), where=usual > 0.0)


def _positive(name: str, value: float) -> float:
    if (checked := number(name, value)) <= 0.0:
        raise DataError(f"{name}={value!r} must be above 0.")
    return checked
