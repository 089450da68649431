"""How much a strategy is in the market, and how much it trades."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import Columns, FloatArray, Returns, beside, columns


def exposure(positions: Returns) -> float:
    """Share of the bars that end with a position, 0 to 1.

    Long or short and of any size counts as one. A table is one portfolio: a bar counts if anything is held.

    Parameters
    ----------
    positions : array_like, Series or DataFrame
        What is held at the end of each bar, (T,) or (T, N symbols), finite: shares, amounts or weights, negative for
        short, 0 for none.

    Returns
    -------
    float
        A fraction, of the whole portfolio whatever the number of columns.

    Raises
    ------
    DataError
        If the positions are empty, not numeric, or somewhere NaN or infinite.

    Examples
    --------
    >>> exposure([[0.0, 0.0], [10.0, 0.0], [10.0, -5.0], [0.0, 0.0]])
    0.5
    """
    held = columns(positions, "positions").values
    return float((held != 0.0).any(axis=1).mean())


def turnover(traded: Returns, equity: Returns | None = None, periods_per_year: float | None = None) -> float:
    """Half of all amounts traded, over the mean equity, a year: 1 if a portfolio is exchanged once a year.

    Buying and selling again counts as one exchange, hence the half. The amounts of a backtest are quantity times price
    of its fills, those of weights come from `traded_weights`.

    Parameters
    ----------
    traded : array_like, Series or DataFrame
        Amounts traded in each bar, (T,) or (T, N symbols), finite, in account currency; negative ones (sold) count by
        their size. Without `equity`, shares of the equity at the time.
    equity : array_like or Series, optional
        Value of the account at the end of each bar, (T,), in the same currency.
    periods_per_year : float, optional
        Bars a year. Needed for plain numbers; a Series or DataFrame with times says it itself (252 for daily bars).

    Returns
    -------
    float
        A ratio a year, of the whole portfolio; NaN if the mean equity is not above zero.

    Raises
    ------
    DataError
        If either is empty, not numeric, or somewhere NaN or infinite, the equity is of other bars or not one series, or
        nothing says how many bars make a year.

    Examples
    --------
    Bought for 100 and sold for 110 within a year of four bars:

    >>> round(turnover([100.0, 0.0, 0.0, -110.0], [100.0, 105.0, 105.0, 110.0], periods_per_year=4), 4)
    1.0
    """
    given = columns(traded, "traded")
    years = len(given.values) / given.yearly(periods_per_year)
    mean = 1.0
    if equity is not None:
        if not columns(equity, "equity").single:
            raise DataError("equity must be one series, the value of the whole account; sum its parts first.")
        mean = float(beside(given, equity, ("traded", "equity")).mean())
    return float(np.abs(given.values).sum()) / 2.0 / mean / years if mean > 0.0 else float("nan")


def traded_weights(weights: Returns, returns: Returns) -> Any:
    """Share of the equity that is traded at the end of each bar to hold these weights then; the first bar buys all.

    Between trades the weights drift: that of bar t - 1 has become ``w (1 + r) / (1 + sum(w r))`` when bar t ends. So
    weights that stay the same cost trades, and weights that drift with the market do not. Costs are not taken off.

    Parameters
    ----------
    weights : array_like or DataFrame, (T, N)
        Share of the equity in each symbol when the bar has ended and trades are done, negative for short; the rest is
        cash without interest.
    returns : array_like or DataFrame, (T, N)
        Simple returns of each symbol in each bar, as fractions.

    Returns
    -------
    ndarray or Series
        Bought plus sold in each bar, (T,), as fractions of the equity; what `turnover` takes.

    Raises
    ------
    DataError
        If either is empty, not numeric, or somewhere NaN or infinite, the two differ in shape or labels, or the equity
        is used up.

    Examples
    --------
    Half in a symbol that doubles has become two thirds, and a sixth of the equity is sold to hold half again:

    >>> traded_weights([[0.5], [0.5]], [[0.0], [1.0]]).round(4)
    array([0.5   , 0.1667])
    """
    held, moved = columns(weights, "weights"), columns(returns)
    _same(held, moved)
    before = np.vstack([np.zeros((1, held.values.shape[1])), held.values[:-1]])
    growth = 1.0 + (before * moved.values).sum(axis=1, keepdims=True)
    if (growth <= 0.0).any():
        place = int(np.argmax(growth[:, 0] <= 0.0))
        raise DataError(f"The weights before bar {place} lose all of the equity in it; there is nothing left to trade.")
    drifted = before * (1.0 + moved.values) / growth
    amounts: FloatArray = np.abs(held.values - drifted).sum(axis=1)
    return amounts if held.index is None else pd.Series(amounts, index=held.index)


def _same(held: Columns, moved: Columns) -> None:
    """Refuse weights and returns of different bars or symbols."""
    if held.values.shape != moved.values.shape:
        raise DataError(
            f"weights {held.values.shape} and returns {moved.values.shape} do not fit: give the same bars and symbols."
        )
    times = held.index is not None and moved.index is not None and not held.index.equals(moved.index)
    names = held.names is not None and moved.names is not None and not held.names.equals(moved.names)
    if times or names:
        raise DataError(
            "weights and returns have different labels; align them first, such as with returns.reindex_like(weights)."
        )
