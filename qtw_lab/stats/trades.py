"""Statistics of round trips. No trades is a fact, not a fault: the figures are then NaN."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray

#: A trade table with a ``pnl`` column (where it has a ``status`` only closed trades count), or the profits themselves.
Trades = pd.DataFrame | npt.ArrayLike


def win_rate(trades: Trades) -> float:
    """Share of the closed trades that made a profit.

    Parameters
    ----------
    trades : DataFrame or array_like
        Table of round trips with a column ``pnl``, the profit of each after costs in account currency, of which those
        with ``status`` "closed" count if there is such a column; or the profits themselves, (n,).

    Returns
    -------
    float
        A fraction; NaN without trades.

    Raises
    ------
    DataError
        If there is no ``pnl`` column, or a profit is not a finite number.

    Examples
    --------
    >>> win_rate([10.0, -5.0, 0.0, 20.0])
    0.5
    """
    pnl = profits(trades)
    return float((pnl > 0).mean()) if pnl.size else float("nan")


def profit_factor(trades: Trades) -> float:
    """Sum of the profits over the sum of the losses; infinite without a loss, NaN with neither.

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> profit_factor([10.0, -5.0, 20.0])
    6.0
    """
    pnl = profits(trades)
    won, lost = float(pnl[pnl > 0].sum()), float(-pnl[pnl < 0].sum())
    if lost:
        return won / lost
    return float("inf") if won else float("nan")


def expectancy(trades: Trades) -> float:
    """Mean profit of a trade in account currency; NaN without trades.

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> expectancy([10.0, -4.0])
    3.0
    """
    return _mean(profits(trades))


def average_win(trades: Trades) -> float:
    """Mean profit of the trades that made one, in account currency; NaN if none did.

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> average_win([10.0, -4.0, 20.0])
    15.0
    """
    pnl = profits(trades)
    return _mean(pnl[pnl > 0])


def average_loss(trades: Trades) -> float:
    """Mean result of the trades that lost, in account currency and negative; NaN if none did.

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> average_loss([10.0, -4.0, -2.0])
    -3.0
    """
    pnl = profits(trades)
    return _mean(pnl[pnl < 0])


def payoff_ratio(trades: Trades) -> float:
    """Average win over the size of the average loss; NaN unless there are both.

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> payoff_ratio([10.0, -4.0, -1.0])
    4.0
    """
    return average_win(trades) / -average_loss(trades)


def max_consecutive_losses(trades: Trades) -> int:
    """Longest run of losing trades in the order given; a trade without profit or loss ends a run.

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> max_consecutive_losses([-1.0, -2.0, 5.0, -1.0])
    2
    """
    longest = run = 0
    for lost in profits(trades) < 0:
        run = run + 1 if lost else 0
        longest = max(longest, run)
    return longest


def profits(trades: Trades) -> FloatArray:
    """Profits of the closed trades in account currency, (n,).

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> profits(pd.DataFrame({"pnl": [1.0, 2.0], "status": ["closed", "open"]}))
    array([1.])
    """
    if isinstance(trades, pd.DataFrame):
        if "pnl" not in trades.columns:
            raise DataError(f"A trade table needs a column pnl; this one has {', '.join(map(str, trades.columns))}.")
        closed = trades[trades["status"] == "closed"] if "status" in trades.columns else trades
        values = closed["pnl"].to_numpy()
    else:
        values = np.asarray(trades)
    if not values.size:
        return np.empty(0)
    if values.dtype.kind not in "iuf" or values.ndim != 1:
        raise DataError(f"Profits must be numbers in one column, not {values.dtype} of shape {values.shape}.")
    if not np.isfinite(values).all():
        place = int(np.argmin(np.isfinite(values)))
        raise DataError(f"The profit of trade {place} is {values[place]}; every closed trade must have a finite one.")
    return values.astype(np.float64)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")
