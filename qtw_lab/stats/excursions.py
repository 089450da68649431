"""How far each trade ran against its holder and for its holder while it was open."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import FloatArray, numeric

_NEEDED: Final = ("symbol", "side", "entry_time", "exit_time", "entry_price", "exit_price")

#: Reasons of fills that happen at the moment an execution rule names; all others happen somewhere within their bar.
_TIMED: Final = ("signal", "rebalance")

#: When fills happen -> whether (the entry bar, the exit bar) was held: True wholly, False not, None an unknown part.
_HELD: Final[dict[str, tuple[bool | None, bool | None]]] = {
    "open": (True, False),
    "close": (False, True),
    "inside": (None, None),
}


def trade_excursions(
    trades: pd.DataFrame, high: pd.DataFrame, low: pd.DataFrame, fills: str = "inside"
) -> pd.DataFrame:
    """Maximum adverse and favourable excursion of every trade, as fractions of its average entry price.

    Sweeney, "Maximum Adverse Excursion" (1997). A bar tells its range but not the order of its prices, so that each
    excursion has two bounds. The near one (``mae``, ``mfe``) counts what was certainly lived through: the entry and the
    exit price, and the ranges of the bars held from first to last. The far one (``mae_bound``, ``mfe_bound``) adds the
    whole ranges of the entry and the exit bar where an unknown part of them was held. A position that was enlarged or
    reduced on the way is measured by its average prices, from its first bar on.

    Parameters
    ----------
    trades : pandas.DataFrame
        Round trips with the columns ``symbol``, ``side`` ("long" or "short"), ``entry_time``, ``exit_time``,
        ``entry_price`` and ``exit_price``, such as a result's trades; open ones run to the last bar, held to its end.
    high, low : pandas.DataFrame, (T, N)
        Highest and lowest price of each bar by symbol, in the shares the trades' prices are of (adjusted for later
        splits). A missing bar counts as not seen.
    fills : str
        When orders fill in their bars: "open" (the entry bar counts from its open on, the exit bar not at all), "close"
        (the reverse), or "inside", anywhere. Exits whose ``reason``, if there is such a column, is a stop, a target or
        an order of its own count as inside whatever is said here. Of entries the table tells no reason: with limit or
        stop entries say "inside".

    Returns
    -------
    pandas.DataFrame
        A row a trade with the index of `trades`: ``mae`` and ``mae_bound``, 0 or negative; ``mfe`` and ``mfe_bound``, 0
        or positive; ``ambiguous``, whether a bound differs.

    Raises
    ------
    DataError
        If a column is missing; a side, a symbol or a time is unknown; a price is not above 0; or the two price tables
        differ in their labels.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=3, tz="UTC")
    >>> trade = pd.DataFrame({"symbol": ["X"], "side": ["long"], "entry_time": days[:1], "exit_time": days[2:],
    ...                       "entry_price": [100.0], "exit_price": [103.0]})
    >>> high = pd.DataFrame({"X": [101.0, 110.0, 120.0]}, index=days)
    >>> low = pd.DataFrame({"X": [90.0, 98.0, 102.0]}, index=days)
    >>> trade_excursions(trade, high, low).round(2).iloc[0].to_dict()
    {'mae': -0.02, 'mfe': 0.1, 'mae_bound': -0.1, 'mfe_bound': 0.2, 'ambiguous': True}
    """
    _check(trades, high, low, fills)
    starts = _places(high.index, trades["entry_time"], "entry_time")
    ends = _places(high.index, trades["exit_time"], "exit_time")
    symbols = high.columns.get_indexer(pd.Index(trades["symbol"]))
    long = (trades["side"] == "long").to_numpy()
    entries, exits = trades["entry_price"].to_numpy(dtype=float), trades["exit_price"].to_numpy(dtype=float)
    highs, lows, leaves = high.to_numpy(dtype=float), low.to_numpy(dtype=float), _exits(trades, fills)
    rows = np.empty((len(trades), 4))
    for k, (start, end, symbol) in enumerate(zip(starts, ends, symbols, strict=True)):
        top, bottom = highs[start : end + 1, symbol], lows[start : end + 1, symbol]
        held = (_HELD[fills][0], leaves[k])
        for bound in (0, 1):
            seen = _seen(end - start + 1, held, unknown=bool(bound))
            prices = np.concatenate([top[seen], bottom[seen], [entries[k], exits[k]]])
            moves = (prices[~np.isnan(prices)] / entries[k] - 1.0) * (1.0 if long[k] else -1.0)
            rows[k, 2 * bound : 2 * bound + 2] = moves.min(), moves.max()
    table = pd.DataFrame(rows, index=trades.index, columns=["mae", "mfe", "mae_bound", "mfe_bound"])
    table["ambiguous"] = (table["mae"] != table["mae_bound"]) | (table["mfe"] != table["mfe_bound"])
    return table


def _seen(bars: int, held: tuple[bool | None, bool | None], *, unknown: bool) -> npt.NDArray[np.bool_]:
    """Which bars of a trade count, the first being the entry's and the last the exit's."""
    entry, leave = (unknown if part is None else part for part in held)
    seen = np.ones(bars, dtype=bool)
    seen[0] &= entry
    seen[-1] &= leave
    return seen


def _exits(trades: pd.DataFrame, fills: str) -> list[bool | None]:
    """How much of its exit bar each trade held."""
    usual = _HELD[fills][1]
    status = trades["status"] if "status" in trades.columns else pd.Series("closed", index=trades.index)
    reason = trades["reason"] if "reason" in trades.columns else pd.Series("signal", index=trades.index)
    return [True if s == "open" else usual if r in _TIMED else None for s, r in zip(status, reason, strict=True)]


def _places(index: pd.Index, times: pd.Series, name: str) -> npt.NDArray[np.intp]:
    places = index.get_indexer(pd.Index(times))
    if (places < 0).any():
        raise DataError(f"{name} {times.iloc[int(np.argmax(places < 0))]} is no bar of the price tables.")
    return np.asarray(places, dtype=np.intp)


def _check(trades: pd.DataFrame, high: pd.DataFrame, low: pd.DataFrame, fills: str) -> None:
    if not isinstance(fills, str) or fills not in _HELD:
        raise DataError(f"fills={fills!r} is unknown; it can be {', '.join(_HELD)}.")
    for name, table in (("trades", trades), ("high", high), ("low", low)):
        if not isinstance(table, pd.DataFrame):
            raise DataError(f"{name} must be a DataFrame, not {type(table).__name__}.")
        if not table.columns.is_unique:
            raise DataError(f"{name} has the column {table.columns[table.columns.duplicated()][0]!r} twice.")
    if missing := [name for name in _NEEDED if name not in trades.columns]:
        raise DataError(f"The trade table has no column {missing[0]}; it needs {', '.join(_NEEDED)}.")
    if not high.index.equals(low.index) or not high.columns.equals(low.columns):
        raise DataError("high and low must have the same bars and symbols.")
    if not high.index.is_unique:
        raise DataError("high and low must have every bar and every symbol once.")
    _check_trades(trades, high)
    _check_prices(_prices(trades[["entry_price", "exit_price"]]), _prices(high), _prices(low))


def _check_trades(trades: pd.DataFrame, high: pd.DataFrame) -> None:
    if wrong := sorted(set(map(str, trades["side"])) - {"long", "short"}):
        raise DataError(f"side {wrong[0]!r} is unknown; it can be long or short.")
    if absent := sorted(set(map(str, trades["symbol"])) - set(map(str, high.columns))):
        raise DataError(f"The price tables have no symbol {absent[0]}; they have {', '.join(map(str, high.columns))}.")
    try:
        early = bool((trades["exit_time"] < trades["entry_time"]).any())
    except TypeError as error:  # text beside times, or a time zone beside none
        raise DataError(f"entry_time and exit_time must be times of one kind; pandas finds: {error}") from error
    if early:
        raise DataError("A trade ends before it begins; exit_time must not lie before entry_time.")


def _prices(table: pd.DataFrame) -> FloatArray:
    """The numbers of a table; one without rows may be of any kind."""
    return np.empty(table.shape) if table.empty else numeric(table, "prices").astype(np.float64)


def _check_prices(paid: FloatArray, high: FloatArray, low: FloatArray) -> None:
    for name, prices in (("entry_price or exit_price", paid), ("high", high), ("low", low)):
        missing = np.isnan(prices) & (prices is not paid)
        if not ((np.isfinite(prices) & (prices > 0.0)) | missing).all():
            raise DataError(f"{name} has a price that is not a finite number above 0.")
    if (high < low).any():
        raise DataError("A bar's high lies below its low; are the two tables exchanged?")
