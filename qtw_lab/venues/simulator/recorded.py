"""A market that happened: trades and quotes from a file, or from rows, played as they were recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, lookup
from qtw_lab.venues.market import Arrivals, Instants, Numbers
from qtw_lab.venues.simulator.market_assets import asset
from qtw_lab.venues.simulator.market_events import EventMarket
from qtw_lab.venues.ticks import (
    BAR,
    CANCEL,
    CORRECTION,
    LIMITS,
    QUOTE,
    STATUS,
    TICK,
    TRADE,
    Rows,
    Symbols,
    condition_mask,
)

_KINDS: Final = (TRADE, QUOTE, CORRECTION, CANCEL, STATUS, LIMITS)
_TRADE_COLUMNS: Final = ("price", "size")
_QUOTE_COLUMNS: Final = ("bid", "ask", "bid_size", "ask_size")
_OPTIONAL: Final = ("conditions", "exchange", "tape", "id", "bid_exchange", "ask_exchange", "arrival")


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """Rows that were recorded.

    Parameters
    ----------
    ticks : TICK rows
        In order of arrival, or in any with `arrivals`.
    symbols : Symbols
        What their numbers mean.
    arrivals : int64 array (N,), optional
        The instant at which each arrives; by default the earliest that is not before its time or an earlier row.
    daily : BAR rows, optional
        Daily bars of the sessions before.
    """

    ticks: Rows
    symbols: Symbols
    arrivals: Instants | None = None
    daily: Rows | None = None


class RecordedMarket(EventMarket):
    """A market played from a file of trades and quotes.

    Parameters
    ----------
    path : path-like or Record
        A Parquet or CSV file, or rows. A file has columns `symbol` and `time` (with time zone, or UTC; or whole
        nanoseconds since 1970), and `price` and `size` for trades, or `bid`, `ask`, `bid_size`, `ask_size` for quotes,
        or all six with those empty that a row is not about. Optional: `conditions` (letters, such as "@I" or "@ I"),
        `exchange`, `tape`, `bid_exchange`, `ask_exchange` (one letter each), `id` (of a trade, whole; numbered per
        symbol if missing), `arrival` (as `time`; by default rows arrive in their order, none before it happened).

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column or has an unknown one; if there are no rows, a row arrives before its
        time, a symbol has no name, a trade's id comes twice in a day, or a number is missing, infinite or negative.

    Examples
    --------
    >>> rows = np.zeros(2, dtype=TICK)
    >>> rows["kind"], rows["time"], rows["id"] = TRADE, [10**18, 10**18 + 5], [1, 2]
    >>> rows["price"], rows["size"] = 10.0, 100.0
    >>> market = RecordedMarket.from_rows(rows, Symbols(["AAPL"]))
    >>> len(market.events(10**18, 10**18 + 5)), market.span == (10**18, 10**18 + 6)
    (1, True)
    """

    def __init__(self, path: str | Path | Record) -> None:
        record = path if isinstance(path, Record) else _read(Path(path))
        self.symbols = record.symbols
        self._rows, self._times, self._daily_rows = _ordered(record)

    @classmethod
    def from_rows(
        cls, ticks: Rows, symbols: Symbols, *, arrivals: Instants | None = None, daily: Rows | None = None
    ) -> RecordedMarket:
        """A market of those rows; arguments as of `Record`."""
        return cls(Record(ticks, symbols, arrivals, daily))

    @property
    def span(self) -> tuple[int, int]:
        """As in `Market`."""
        return int(self._times[0]), int(self._times[-1]) + 1

    @property
    def delay(self) -> int:
        """The longest in the record."""
        return int((self._times - self._rows["time"]).max()) + 1

    def arrivals(self, start: int, end: int, numbers: Numbers | None = None, kinds: tuple[int, ...] = ()) -> Arrivals:
        """As in `Market`."""
        begin, stop = np.searchsorted(self._times, [start, end])
        rows, times = self._rows[begin:stop], self._times[begin:stop]
        wanted = np.ones(len(rows), dtype=bool)
        if numbers is not None:
            wanted &= np.isin(rows["symbol"], np.asarray(numbers))
        if kinds:
            wanted &= np.isin(rows["kind"], kinds)
        return Arrivals(rows[wanted], times[wanted])

    def history(self, numbers: Numbers, adjustment: str) -> Rows:  # noqa: ARG002  (splits are not recorded)
        """The daily bars that were given, whatever the adjustment: splits and dividends are not recorded."""
        rows = self._daily_rows[np.isin(self._daily_rows["symbol"], np.asarray(numbers))]
        return rows[np.lexsort((rows["time"], rows["symbol"]))]

    def assets(self) -> list[dict[str, Any]]:
        """As in `Market`; a record does not say where a stock is listed, so the tape of its first row stands for it."""
        listed = {ord("A"): "NYSE", ord("B"): "ARCA", ord("C"): "NASDAQ"}
        first, places = np.unique(self._rows["symbol"], return_index=True)
        tapes = dict(zip(first.tolist(), self._rows["tape"][places].tolist(), strict=True))
        return [
            asset(name, name, listed.get(tapes.get(number, 0), "NASDAQ"))
            for number, name in enumerate(self.symbols.names)
        ]


def _ordered(record: Record) -> tuple[Rows, Instants, Rows]:
    """The rows in order of arrival, the instants, and the daily bars."""
    rows = np.array(record.ticks, dtype=TICK)
    _check(rows, record.symbols)
    given = record.arrivals
    times = np.maximum.accumulate(rows["time"]) if given is None else np.array(given, dtype=np.int64)
    if len(times) != len(rows) or (times < rows["time"]).any():
        raise DataError("Every row needs an arrival, and none may arrive before it happened.")
    order = np.argsort(times, kind="stable")
    daily = np.zeros(0, dtype=BAR) if record.daily is None else np.array(record.daily, dtype=BAR)
    return rows[order], times[order], daily


def _check(rows: Rows, symbols: Symbols) -> None:
    if not len(rows):
        raise DataError("A recorded market needs at least one row.")
    if not np.isin(rows["kind"], _KINDS).all():
        raise DataError(f"Rows may be of kind {', '.join(map(chr, _KINDS))}; there is {int(rows['kind'].max())}.")
    if (rows["symbol"] < 0).any() or (rows["symbol"] >= len(symbols)).any():
        raise DataError(f"A row has symbol number {int(rows['symbol'].max())}, but {len(symbols)} symbols are named.")
    trades = rows[np.isin(rows["kind"], (TRADE, CORRECTION))]
    bad = ~(np.isfinite(trades["price"]) & np.isfinite(trades["size"]) & (trades["price"] > 0) & (trades["size"] >= 0))
    if bad.any():
        row = trades[bad][0]
        name = symbols.names[int(row["symbol"])]
        raise DataError(f"A trade of {name} has price {row['price']} and size {row['size']}; both must be numbers.")
    named = rows[(rows["kind"] == TRADE) & (rows["id"] != 0)]
    day = (named["time"] - 6 * 3600 * 10**9) // (24 * 3600 * 10**9)
    keys = np.stack([named["symbol"].astype(np.int64), named["exchange"].astype(np.int64), day, named["id"]], axis=1)
    distinct, counts = np.unique(keys, axis=0, return_counts=True)
    if (counts > 1).any():
        symbol, exchange, _, number = distinct[counts > 1][0]
        raise DataError(
            f"Trade {number} of {symbols.names[symbol]} at exchange {chr(exchange)!r} comes twice in a day. "
            "Drop repeated rows, or leave the ids out."
        )


def _read(path: Path) -> Record:
    """The record in a file."""
    table = _table(path)
    symbols = Symbols(dict.fromkeys(str(name) for name in table["symbol"]))
    arrivals = _instants(table["arrival"], "arrival") if "arrival" in table.columns else None
    return Record(_rows(table, symbols), symbols, arrivals)


def _table(path: Path) -> pd.DataFrame:
    readers: dict[str, Callable[..., pd.DataFrame]] = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
    read = lookup(path.suffix.lower(), readers, "kind of file for a recorded market")
    try:
        table: pd.DataFrame = read(path)
    except (OSError, ValueError) as err:
        raise DataError(f"{path.name} cannot be read ({str(err)[:160]}). Give a Parquet or CSV file.") from err
    known = ("symbol", "time", *_TRADE_COLUMNS, *_QUOTE_COLUMNS, *_OPTIONAL)
    for name in table.columns:
        lookup(str(name), dict.fromkeys(known), "column of a recorded market")
    if not len(table) or not {"symbol", "time"} <= set(table.columns) or table["symbol"].isna().any():
        raise DataError(f"{path.name} needs rows with a symbol and a time each; it has columns {list(table.columns)}.")
    return table


def _rows(table: pd.DataFrame, symbols: Symbols) -> Rows:
    """The table's rows as they stand."""
    rows = np.zeros(len(table), dtype=TICK)
    rows["symbol"] = symbols.numbers(str(name) for name in table["symbol"])
    rows["time"] = _instants(table["time"], "time")
    for name in ("price", "size", "other_price", "other_size"):
        rows[name] = np.nan
    traded = _about(table, _TRADE_COLUMNS)
    quoted = _about(table, _QUOTE_COLUMNS)
    if not (traded ^ quoted).all():
        at = int(np.flatnonzero(~(traded ^ quoted))[0])
        raise DataError(f"Row {at} must have price and size, or bid, ask and their sizes: not both, not neither.")
    rows["kind"] = np.where(traded, TRADE, QUOTE)
    _fill(rows, table, traded, {"price": "price", "size": "size"})
    _fill(rows, table, quoted, dict(zip(_QUOTE_COLUMNS, ("price", "other_price", "size", "other_size"), strict=True)))
    for name, column in (("exchange", "exchange"), ("tape", "tape"), ("exchange", "bid_exchange"),
                         ("flag", "ask_exchange")):  # fmt: skip
        if column in table.columns:
            letters = table[column].fillna("").astype(str).to_numpy()
            about = quoted if column.endswith("_exchange") else np.ones(len(rows), dtype=bool)
            rows[name] = np.where(about, [ord(letter[0]) if letter else 0 for letter in letters], rows[name])
    if "conditions" in table.columns:
        texts = table["conditions"].fillna("").astype(str)
        masks = {text: condition_mask(text.replace(" ", "") if text.strip() else text) for text in texts.unique()}
        rows["conditions"] = [masks[text] for text in texts]
    rows["id"] = _ids(table, rows)
    return rows


def _about(table: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows have all of those columns."""
    if not set(columns) <= set(table.columns):
        return np.zeros(len(table), dtype=bool)
    return table[list(columns)].notna().all(axis=1).to_numpy()


def _fill(rows: Rows, table: pd.DataFrame, where: npt.NDArray[np.bool_], names: dict[str, str]) -> None:
    if not where.any():
        return
    for column, name in names.items():
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
        if not np.isfinite(values[where]).all() or (values[where] < 0).any():
            raise DataError(f"Column {column} of a recorded market must hold finite numbers that are not negative.")
        rows[name] = np.where(where, values, rows[name])


def _ids(table: pd.DataFrame, rows: Rows) -> npt.NDArray[np.int64]:
    """The trades' ids: those of the table, or the place of each trade among its symbol's."""
    traded = rows["kind"] == TRADE
    if "id" in table.columns:
        return np.where(traded, pd.to_numeric(table["id"]).fillna(0).to_numpy(dtype=np.int64), 0)
    place = pd.Series(traded.astype(np.int64)).groupby(rows["symbol"].astype(np.int64)).cumsum().to_numpy()
    return np.where(traded, place, 0)


def _instants(column: pd.Series, name: str) -> Instants:
    """A column of times as nanoseconds since 1970."""
    if pd.api.types.is_integer_dtype(column):
        return column.to_numpy(dtype=np.int64)
    try:
        times = pd.DatetimeIndex(pd.to_datetime(column, utc=True, format="ISO8601"))
    except (ValueError, TypeError) as err:
        raise DataError(f"Column {name} must hold times, such as 2024-01-05T14:30:00.123Z ({err}).") from err
    if times.isna().any():
        raise DataError(f"Column {name} has a missing time.")
    return times.as_unit("ns").asi8
