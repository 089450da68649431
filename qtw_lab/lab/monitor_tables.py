"""What a follower of the journal holds, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.live.following import Follower
from qtw_lab.live.reading import flag_text
from qtw_lab.live.rows import SIGNAL, gate_text

Rows = npt.NDArray[Any]

#: Columns of a table of the focus.
FOCUS: Final = (
    "rank", "symbol", "stance", "close", "change", "spread_bps", "volume", "trades", "bar", "flags", "in_focus",
    "reason",
)  # fmt: skip

#: How a table of the focus can be ordered: the column, and whether its greatest come first.
ORDERS: Final = {
    "rank": ("rank", False), "symbol": ("symbol", False), "rising": ("change", True), "falling": ("change", False),
    "volume": ("volume", True), "newest": ("in_focus", False),
}  # fmt: skip


def focus_table(follower: Follower, level: int, now: int) -> pd.DataFrame:
    """One row for each symbol of the focus, best first.

    Parameters
    ----------
    follower : Follower
        Of the engine's journal.
    level : int
        Length in seconds of the bars.
    now : int
        The present time, nanoseconds since 1970.

    Returns
    -------
    pandas.DataFrame
        ``rank`` among the focus; ``symbol``; ``stance`` (1 long, -1 short, 0 none); of the last bar ``close``,
        ``change`` from its open as a fraction, ``spread_bps`` of the last quote at its end, ``volume``, ``trades``,
        ``bar`` (its start, UTC) and ``flags``; ``in_focus`` (how long); ``reason`` (why it entered, empty if not known
        any more).
    """
    focus = follower.focus
    table = pd.DataFrame({"rank": np.arange(1, len(focus) + 1), "symbol": pd.Series(list(focus), dtype=object)})
    table["stance"] = pd.Series([follower.stance(name) for name in focus], dtype=float)
    table = table.assign(**_bar_columns(follower.last(level)))
    table["in_focus"] = pd.to_timedelta([max(0, now - since) for since in focus.values()], unit="ns")
    table["reason"] = pd.Series([follower.reasons.get(name, "") for name in focus], dtype=object)
    return table[list(FOCUS)]


def _bar_columns(rows: Rows) -> dict[str, Any]:
    known = rows["time"] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        change = rows["close"] / rows["open"] - 1.0
        spread = 1e4 * (rows["ask"] - rows["bid"]) / ((rows["ask"] + rows["bid"]) / 2)
    times = pd.Series(pd.to_datetime(rows["time"], utc=True)).where(np.asarray(known, dtype=np.bool_))
    return {
        "close": np.where(known, rows["close"], np.nan), "change": np.where(known, change, np.nan),
        "spread_bps": np.where(known, spread, np.nan), "volume": np.where(known, rows["volume"], np.nan),
        "trades": rows["count"].astype(np.int64), "bar": times,
        "flags": _flags(rows),
    }  # fmt: skip


def _flags(rows: Rows) -> pd.Series:
    texts = {flags: flag_text(flags) for flags in set(rows["flags"].tolist())}
    return pd.Series([texts[flags] for flags in rows["flags"].tolist()], dtype=object)


def chosen(table: pd.DataFrame, find: str = "", order: str = "rank") -> pd.DataFrame:
    """The rows of a table of the focus whose symbol contains some letters, in an order of `ORDERS`."""
    if find.strip():
        table = table[table["symbol"].str.contains(find.strip().upper(), regex=False)]
    column, greatest = ORDERS[order]
    return table.sort_values(column, ascending=not greatest, kind="stable", na_position="last")


def bars_table(follower: Follower, symbol: str, level: int) -> pd.DataFrame:
    """The bars that are kept of a symbol, oldest first: ``time`` (UTC), prices, ``volume``, ``trades``, ``flags``."""
    rows = follower.bars(symbol, level)
    table = pd.DataFrame({name: rows[name] for name in ("open", "high", "low", "close", "volume")})
    table.insert(0, "time", pd.to_datetime(rows["time"], utc=True))
    table["trades"] = rows["count"]
    table["flags"] = _flags(rows)
    return table


def signals_table(follower: Follower, last: int = 40, *, held: bool = True) -> pd.DataFrame:
    """The last changes of stance, newest first.

    Parameters
    ----------
    follower : Follower
        Of the engine's journal.
    last : int
        Rows at most.
    held : bool
        Whether those that were held back are among them.

    Returns
    -------
    pandas.DataFrame
        ``time`` of the bar (UTC), ``symbol``, ``previous`` and ``stance``, ``price``, ``gate`` (what held it back).
    """
    rows = np.array([*follower.signals, *(follower.held if held else ())], SIGNAL)
    rows = rows[np.argsort(rows["time"], kind="stable")][::-1][:last]
    table = pd.DataFrame({"time": pd.to_datetime(rows["time"], utc=True)})
    table["symbol"] = pd.Series([follower.name(number) for number in rows["symbol"].tolist()], dtype=object)
    table["previous"], table["stance"], table["price"] = rows["previous"], rows["stance"], rows["price"]
    table["gate"] = pd.Series([gate_text(gate) or "" for gate in rows["gate"].tolist()], dtype=object)
    return table


def churn_table(follower: Follower, last: int = 20) -> pd.DataFrame:
    """The last changes of the focus, newest first: ``time``, ``size``, ``came``, ``entered``, ``went``, ``left``."""
    found = list(follower.refreshes)[::-1][:last]
    table = pd.DataFrame({"time": pd.to_datetime([one.time for one in found], utc=True)})
    table["size"], table["came"] = [one.size for one in found], [one.came for one in found]
    table["entered"] = pd.Series([_moves(one.entered, one.came) for one in found], dtype=object)
    table["went"] = [one.went for one in found]
    table["left"] = pd.Series([_moves(one.left, one.went) for one in found], dtype=object)
    return table


def _moves(named: Sequence[tuple[str, str]], count: int) -> str:
    words = "; ".join(f"{symbol}: {reason}" for symbol, reason in named)
    return words if count <= len(named) else f"{words}; +{count - len(named):,}"


def gaps_table(follower: Follower, last: int = 20) -> pd.DataFrame:
    """The last gaps, newest first: ``start`` (event time, UTC), ``seconds`` (NaN if open), ``state``, ``reason``."""
    found = follower.gaps[::-1][:last]
    table = pd.DataFrame({"start": pd.to_datetime([one.start for one in found], utc=True)})
    lengths = [float("nan") if one.end is None else (one.end - one.start) / 1e9 for one in found]
    table["seconds"] = pd.Series(lengths, dtype=float)
    table["state"] = pd.Series([one.state for one in found], dtype=object)
    table["reason"] = pd.Series([one.reason for one in found], dtype=object)
    return table


def events_table(follower: Follower, last: int = 30) -> pd.DataFrame:
    """What happened lately, newest first: ``time`` (UTC), ``event`` and ``what``."""
    found = list(follower.events)[::-1][:last]
    table = pd.DataFrame({"time": pd.to_datetime([one.time for one in found], utc=True)})
    table["event"] = pd.Series([one.event for one in found], dtype=object)
    table["what"] = pd.Series([one.what for one in found], dtype=object)
    return table
