"""Statistics of round trips. No trades is a fact, not a fault: the figures are then NaN."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray, numeric

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


def max_consecutive_wins(trades: Trades) -> int:
    """Longest run of winning trades in the order given; a trade without profit or loss ends a run.

    Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> max_consecutive_wins([1.0, 2.0, 0.0, 3.0])
    2
    """
    table = streaks(trades)
    return int(table.loc[table["result"] == "win", "trades"].max()) if (table["result"] == "win").any() else 0


def streaks(trades: Trades) -> pd.DataFrame:
    """Every run of closed trades with the same outcome, in the order given.

    Trades of several symbols overlap in time, so that the order of the table (by exit or by entry) decides what a run
    is. Parameters and errors as for `win_rate`.

    Returns
    -------
    pandas.DataFrame
        A row a run: ``result``, "win", "loss" or "even" (no profit, no loss); ``first`` and ``last``, numbers of its
        trades among the closed ones from 0; ``trades``, how many; ``pnl``, their sum in account currency.

    Examples
    --------
    >>> streaks([1.0, 2.0, -1.0, 0.0])
      result  first  last  trades  pnl
    0    win      0     1       2  3.0
    1   loss      2     2       1 -1.0
    2   even      3     3       1  0.0
    """
    pnl = profits(trades)
    sign = np.sign(pnl)
    firsts = np.flatnonzero(np.diff(sign, prepend=np.nan) != 0)
    lasts = np.append(firsts[1:], len(pnl)) - 1 if pnl.size else firsts
    names = {1.0: "win", -1.0: "loss", 0.0: "even"}
    return pd.DataFrame(
        {
            "result": pd.Series([names[float(sign[k])] for k in firsts], dtype="str"),
            "first": firsts,
            "last": lasts,
            "trades": lasts - firsts + 1,
            "pnl": np.add.reduceat(pnl, firsts) if pnl.size else pnl,
        }
    )


def expectancy_r(trades: Trades, risk: npt.ArrayLike) -> float:
    """Mean profit of a trade in units of what it put at risk (R multiples), over the trades whose risk is known.

    Tharp, "Trade Your Way to Financial Freedom" (1998). NaN if no closed trade has a known risk.

    Parameters
    ----------
    trades
        As for `win_rate`.
    risk : array_like, (n,)
        What each trade of the table, open ones included, would lose at its first stop, as a positive amount in account
        currency; NaN where there was no stop.

    Returns
    -------
    float
        0.25 if a trade gains a quarter of what it risks.

    Raises
    ------
    DataError
        As for `win_rate`, or if the risks are not one a trade, or one is not above 0.

    Examples
    --------
    >>> expectancy_r([20.0, -10.0, 5.0], [10.0, 10.0, np.nan])
    0.5
    """
    multiples = profits(trades)
    given = numeric(risk, "risk")
    rows = len(trades) if isinstance(trades, pd.DataFrame) else len(multiples)
    if given.ndim != 1 or len(given) != rows:
        raise DataError(f"risk must be {rows} numbers, one a trade, not {given.dtype} of shape {given.shape}.")
    if (given <= 0).any() or np.isinf(given).any():
        place = int(np.argmax((given <= 0) | np.isinf(given)))
        raise DataError(f"The risk of trade {place} is {given[place]}; it must be above 0, or NaN where it is unknown.")
    if isinstance(trades, pd.DataFrame) and "status" in trades.columns:
        given = given[(trades["status"] == "closed").to_numpy()]
    multiples = multiples / given
    return _mean(multiples[~np.isnan(multiples)])


def kelly_fraction(trades: Trades) -> float:
    """Share of the capital to put at risk a trade for the fastest growth, if every win and loss were the average one.

    ``p - q / payoff`` with p and q the shares of wins and losses among the trades that were either, and the payoff
    ratio: the share of capital that an average loss should cost. Kelly, "A New Interpretation of Information Rate"
    (1956). It is an upper bound rather than advice: it takes the sample's rates for the true ones, trades one after
    another, and no loss larger than the average. Zero or negative without an edge; NaN unless there are both wins and
    losses. Parameters and errors as for `win_rate`.

    Examples
    --------
    >>> kelly_fraction([2.0, -1.0])
    0.25
    """
    pnl = profits(trades)
    wins, losses = int((pnl > 0).sum()), int((pnl < 0).sum())
    if not wins or not losses:
        return float("nan")
    return wins / (wins + losses) - losses / (wins + losses) / payoff_ratio(trades)


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
        trades = closed["pnl"]
    if isinstance(trades, (pd.Series, pd.DataFrame)) and trades.empty:
        return np.empty(0)  # an empty table has no kind of number
    values = numeric(trades, "Profits")
    if values.shape == (0,):
        return np.empty(0)
    if values.ndim != 1:
        raise DataError(f"Profits must be numbers in one column, not {values.dtype} of shape {values.shape}.")
    if not np.isfinite(values).all():
        place = int(np.argmin(np.isfinite(values)))
        raise DataError(f"The profit of trade {place} is {values[place]}; every closed trade must have a finite one.")
    return values.astype(np.float64)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")
