"""Reading the table shapes people have, and refusing the faults that ruin a backtest."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.core.times import are_numbers, check_times, in_utc, infer_timeframe, moment, session_dates, usual_calendar

FloatArray = npt.NDArray[np.float64]

FIELD_NAMES: Final = {
    "open": "open", "o": "open", "high": "high", "h": "high", "low": "low", "l": "low",
    "close": "close", "c": "close", "price": "close", "volume": "volume", "v": "volume", "vol": "volume",
    "adj close": "adj_close", "adj_close": "adj_close", "adjclose": "adj_close", "adjusted_close": "adj_close",
    "adjusted close": "adj_close",
}  # fmt: skip
TIME_NAMES: Final = ("timestamp", "date", "datetime", "time")
SYMBOL_NAMES: Final = ("symbol", "ticker")
_PRICES: Final = ("open", "high", "low", "close")
_ROUNDING: Final = 1e-9

#: What this module offers, with the times it reads them by.
__all__ = [
    "FIELD_NAMES", "SYMBOL_NAMES", "TIME_NAMES", "Table", "check_prices", "check_symbols", "check_times", "flattened",
    "infer_timeframe", "moment", "normalise", "session_dates", "symbol_level",
    "usual_calendar",
]  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table in the one shape `Bars` takes: (T, N) arrays by field."""

    index: pd.DatetimeIndex
    symbols: tuple[str, ...]
    arrays: Mapping[str, FloatArray]
    notes: tuple[str, ...]
    adjustment: str


def normalise(
    frame: pd.DataFrame, *, symbol: str | None, tz: str | None, holes: str, adjust: bool, dated: bool = True
) -> Table:
    """The table in canonical shape; see `Bars.from_frame` for the shapes read and the faults refused.

    With `dated`, times that are all midnights are session dates; without, they are moments like any other.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"Bars are read from a pandas DataFrame, not from {type(frame).__name__}.")
    if frame.empty:
        raise DataError("The table is empty: it has no rows or no columns, so there are no bars to read.")
    if holes not in ("error", "keep", "drop"):
        raise DataError(f"holes={holes!r} is not known; use 'error', 'keep' or 'drop'.")
    parts = _by_symbol(_with_time_index(flattened(frame), tz, dated), symbol)
    columns = {name: _fields(part, name, holes) for name, part in parts.items()}
    notes = _notes(columns, adjust)
    adjusted = adjust and all("adj_close" in part for part in columns.values())
    if adjust and not adjusted:
        raise DataError(
            "adjust=True needs an 'Adj Close' column for every symbol; there is none. Drop adjust, or add it."
        )
    index = pd.DatetimeIndex(reduce(pd.Index.union, (part.index for part in columns.values())))
    completed = {name: _complete(part, name, adjusted).reindex(index) for name, part in columns.items()}
    values = {f: np.column_stack([p[f].to_numpy(np.float64) for p in completed.values()]) for f in (*_PRICES, "volume")}
    table = Table(index.rename("timestamp"), tuple(columns), values, notes, "all" if adjusted else "raw")
    present = ~np.isnan(values["close"])
    if not present.any():
        raise DataError("The table has no bar with a price: every close is missing (NaN). Check its close column.")
    if holes == "drop":
        kept = present.any(axis=1)
        table = replace(table, index=table.index[kept], arrays={f: v[kept] for f, v in values.items()})
    if holes == "error":
        _refuse_holes(table, np.column_stack([index.isin(part.index) for part in columns.values()]))
    return table


def flattened(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the symbol and time levels of its rows as columns, and a time among two-level columns as index.

    Raises
    ------
    DataError
        If its rows have levels other than a symbol and a time.
    """
    index = frame.index
    if isinstance(frame.columns, pd.MultiIndex):
        if isinstance(index, pd.MultiIndex):
            raise DataError("Rows and columns both have levels. Leave them on one side, for example with df.unstack().")
        lone = [str(c[0]).strip().lower() in TIME_NAMES and not "".join(map(str, c[1:])) for c in frame.columns]
        if sum(lone) == 1 and not isinstance(index, pd.DatetimeIndex):
            times = frame.iloc[:, lone.index(True)]
            return frame.loc[:, [not here for here in lone]].set_axis(pd.Index(times), axis=0)
        return frame
    if not isinstance(index, pd.MultiIndex):
        inside = str(index.name).strip().lower() in SYMBOL_NAMES and _named(frame, SYMBOL_NAMES) is None
        return frame.reset_index() if inside else frame
    levels = [index.get_level_values(place) for place in range(index.nlevels)]
    timed = [str(level.name).strip().lower() in TIME_NAMES or isinstance(level, pd.DatetimeIndex) for level in levels]
    if len(levels) != 2 or sum(timed) != 1:
        raise DataError(
            f"The rows have the levels {list(index.names)}; two are read: a symbol, and a time called timestamp, date, "
            "datetime or time. Name them so, or call df.reset_index()."
        )
    ours = {name: levels[timed.index(is_time)] for name, is_time in (("timestamp", True), ("symbol", False))}
    named = [column for column in frame.columns if str(column).strip().lower() in (*TIME_NAMES, *SYMBOL_NAMES)]
    return frame.drop(columns=named).reset_index(drop=True).assign(**ours)


def check_symbols(symbols: Iterable[str]) -> tuple[str, ...]:
    """The symbols, once known to be text, present and unique."""
    names = (symbols,) if isinstance(symbols, str) else tuple(symbols)
    odd = [name for name in names if not (isinstance(name, str) and name.strip() and name.isprintable())]
    if odd:
        raise DataError(f"{odd[0]!r} is not a symbol. Use text such as 'AAPL', and drop rows that have none.")
    if len(set(names)) != len(names) or not names:
        raise DataError(f"Symbols must be present and unique, not {list(names)[:10]}.")
    return names


def check_prices(values: Mapping[str, FloatArray], index: pd.DatetimeIndex, symbols: tuple[str, ...]) -> None:
    """Refuse infinite, zero or negative prices, half-missing bars, negative volume, and a high below its low."""
    prices = np.stack([values[name] for name in _PRICES])
    missing = np.isnan(prices)
    volume = values["volume"]
    with np.errstate(invalid="ignore"):
        faults = (
            (np.isinf(prices).any(axis=0) | np.isinf(volume), "is infinite", "Drop or mend the row."),
            (
                (prices <= 0).any(axis=0),
                "has a zero or negative price",
                "Drop the row, or shift a spread series above 0.",
            ),
            (
                missing.any(axis=0) & ~missing.all(axis=0),
                "has some prices missing",
                "Fill or drop that bar as a whole.",
            ),
            (volume < 0, "has a negative volume", "Volume counts shares and cannot be below zero."),
            (
                values["high"] < values["low"] * (1 - _ROUNDING),
                "has a high below its low",
                "Check that the columns are not swapped.",
            ),
        )
    for wrong, what, mend in faults:
        if wrong.any():
            row, column = (int(v) for v in np.argwhere(wrong)[0])
            bar = {name: float(values[name][row, column]) for name in values}
            raise DataError(
                f"The bar of {symbols[column]} at {index[row]} {what} ({bar}); {int(wrong.sum())} bar(s) in all do. "
                f"{mend} A quality report (`qtw data check`) lists every one."
            )


def _with_time_index(frame: pd.DataFrame, tz: str | None, dated: bool) -> pd.DataFrame:
    """The frame with its times as a UTC index."""
    column = _named(frame, TIME_NAMES)
    if column is not None and not isinstance(frame.index, pd.DatetimeIndex):
        raw, rest = _only(frame, column), frame.drop(columns=[column])
        if are_numbers(raw):
            raise DataError(
                f"The time column {column!r} holds numbers, which do not say what they count. Convert them first: "
                "seconds since 1970 with pd.to_datetime(times, unit='s', utc=True), dates such as 20240131 with "
                "pd.to_datetime(times.astype(str))."
            )
    else:
        raw, rest = frame.index.to_series(), frame
        if are_numbers(raw):
            raise DataError(
                "The table has no times: its index is numbers, and no column is called timestamp, date, datetime or "
                "time. Set a DatetimeIndex first."
            )
    return rest.set_axis(in_utc(raw, tz, dated), axis=0)


def _by_symbol(frame: pd.DataFrame, symbol: str | None) -> dict[str, pd.DataFrame]:
    """One table a symbol, from any of the three shapes."""
    if isinstance(frame.columns, pd.MultiIndex):
        if frame.columns.nlevels != 2:
            raise DataError(f"Columns have {frame.columns.nlevels} levels; two are read: field and symbol.")
        level = symbol_level(frame.columns)
        names = list(dict.fromkeys(frame.columns.get_level_values(level)))
        called = check_symbols(_text(name) for name in names)
        found = {text: frame.xs(name, axis=1, level=level) for text, name in zip(called, names, strict=True)}
        return {text: pd.DataFrame(part) for text, part in found.items()}
    column = _named(frame, SYMBOL_NAMES)
    if column is not None:
        codes, owners = pd.factorize(_only(frame, column), use_na_sentinel=False)
        called = check_symbols(_text(owner) for owner in owners)
        order = np.argsort(codes, kind="stable")
        rows = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        rest = frame.drop(columns=[column])
        return {text: rest.iloc[places] for text, places in zip(called, rows, strict=True)}
    if symbol is None:
        raise DataError(
            "The table has neither a symbol column nor symbol level. Name it: Bars.from_frame(df, symbol='X')."
        )
    return {check_symbols([symbol])[0]: frame}


def symbol_level(columns: pd.MultiIndex) -> int:
    """Which of two column levels holds the symbols: the one called so, else the one with fewer names of fields.

    Long names count first, because C, O, H, L and V are also symbols.

    Raises
    ------
    DataError
        If neither level has a field.
    """
    for place, name in enumerate(columns.names):
        if str(name).strip().lower() in SYMBOL_NAMES:
            return place
    levels = [
        {str(name).strip().lower() for name in columns.get_level_values(place)} & set(FIELD_NAMES) for place in (0, 1)
    ]
    known = [(sum(len(name) > 1 for name in level), len(level)) for level in levels]
    if not any(levels):
        raise DataError(
            f"Neither column level names a field; they begin with {list(columns[:3])}. "
            "Have one level with open, high, low, close and volume, the other with symbols."
        )
    return 1 if known[0] >= known[1] else 0


def _text(name: Any) -> str:
    """A symbol as text; whole numbers count as such, anything else is handed on to be refused."""
    return str(name) if isinstance(name, (int, np.integer)) and not isinstance(name, bool) else name


def _fields(part: pd.DataFrame, symbol: str, holes: str) -> pd.DataFrame:
    """The known fields of one symbol as float64 columns; text is refused, not guessed at."""
    names: dict[str, Hashable] = {}
    for heading in part.columns:
        known = _field(heading)
        if known in names:
            raise DataError(f"{symbol} has two columns for {known}: {names[known]!r} and {heading!r}. Keep one.")
        if known is not None:
            names[known] = heading
    if "close" not in names:
        raise DataError(
            f"{symbol} has no close column; it has {[str(c) for c in part.columns][:12]}. Name one 'close'."
        )
    fields = pd.DataFrame(index=part.index)
    for known, column in names.items():
        values = part[column]
        kind = values.dtype
        real = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
        if not real or pd.api.types.is_bool_dtype(kind):
            sample = next((v for v in values if isinstance(v, str) and not _is_number(v)), values.iloc[0])
            raise DataError(
                f"Column {column!r} of {symbol} holds text or mixed values (such as {str(sample)[:20]!r}), not numbers."
                " Convert it first, for example with pd.to_numeric."
            )
        with np.errstate(over="ignore"):  # a wider number than float64 becomes infinite, which is refused by name
            fields[known] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    check_times(pd.DatetimeIndex(fields.index), symbol)
    if holes == "drop":
        fields = fields[fields[[f for f in _PRICES if f in fields]].notna().all(axis=1)]
    return fields


def _is_number(text: str) -> bool:
    """Whether a text spells a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _complete(part: pd.DataFrame, symbol: str, adjusted: bool) -> pd.DataFrame:
    """All five fields: a missing open, high or low is the close, a missing volume is unknown."""
    whole = part.copy()
    for name in _PRICES:
        if name not in whole:
            whole[name] = whole["close"]
    if "volume" not in whole:
        whole["volume"] = np.nan
    if adjusted:
        factor = whole["adj_close"] / whole["close"]
        wrong = whole["close"].notna() & ~(np.isfinite(factor) & (factor > 0))
        if wrong.any():
            row = whole[wrong].iloc[0]
            raise DataError(
                f"The adjusted close of {symbol} at {row.name} is {row['adj_close']:g} for a close of "
                f"{row['close']:g}, which gives no factor; {int(wrong.sum())} bar(s) in all do so. "
                "Mend those rows, or drop adjust=True."
            )
        for name in _PRICES:
            whole[name] = whole[name] * factor
    return whole


def _notes(parts: Mapping[str, pd.DataFrame], adjust: bool) -> tuple[str, ...]:
    notes = []
    partial = sorted({name for part in parts.values() for name in _PRICES if name not in part})
    if partial:
        notes.append(
            f"no {', '.join(partial)} in the data: the close stands for {'it' if len(partial) == 1 else 'them'}"
        )
    if not adjust and any("adj_close" in part for part in parts.values()):
        notes.append("the Adj Close column was ignored; pass adjust=True to use it")
    return tuple(notes)


def _refuse_holes(table: Table, given: npt.NDArray[np.bool_]) -> None:
    """Refuse rows that were given with NaN inside a symbol's life, or anywhere in a single-symbol table."""
    present = ~np.isnan(table.arrays["close"])
    silent = [name for name, column in zip(table.symbols, present.T, strict=True) if not column.any()]
    if silent:
        raise DataError(
            f"{', '.join(silent[:10])} has no price at all in this table (did its download fail?). "
            "Leave it out, or keep it as a symbol that never traded (holes='keep')."
        )
    if len(table.symbols) == 1:
        holes = ~present
    else:
        started = np.maximum.accumulate(present, axis=0)
        unfinished = np.maximum.accumulate(present[::-1], axis=0)[::-1]
        holes = started & unfinished & ~present & given
    if holes.any():
        row, column = (int(v) for v in np.argwhere(holes)[0])
        raise DataError(
            f"{table.symbols[column]} has {int(holes[:, column].sum())} missing (NaN) bar(s), first "
            f"{table.index[row]}. Drop those rows (holes='drop'), keep them as bars that did not trade (holes='keep'), "
            "or mend the data; prices are never filled in for you."
        )


def _only(frame: pd.DataFrame, column: Hashable) -> pd.Series:
    """The one column of that name."""
    found = frame[column]
    if isinstance(found, pd.DataFrame):
        raise DataError(f"The table has {found.shape[1]} columns called {column!r}. Keep one.")
    return found


def _field(column: Hashable) -> str | None:
    return FIELD_NAMES.get(str(column).strip().lower())


def _named(frame: pd.DataFrame, names: tuple[str, ...]) -> Hashable | None:
    """The first column called one of `names`, in any case."""
    if isinstance(frame.columns, pd.MultiIndex):
        return None
    folded: dict[str, Hashable] = {str(column).strip().lower(): column for column in reversed(list(frame.columns))}
    return next((folded[name] for name in names if name in folded), None)
