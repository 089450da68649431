"""Faults of a raw price table, found one and all where `Bars.from_frame` stops at the first."""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, frames
from qtw_lab.core.bars import FIELDS, FloatArray
from qtw_lab.core.frames import (
    FIELD_NAMES,
    SYMBOL_NAMES,
    TIME_NAMES,
)  # one definition of what a column may be called
from qtw_lab.core.times import are_numbers
from qtw_lab.data.findings import Finding

_OFFSET: Final = re.compile(r"(Z|UTC|GMT|[+-]\d{2}:?\d{2})$", re.IGNORECASE)
_PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True)
class RawSeries:
    """One symbol of a raw table: what could be read of it, in the order given, and what was wrong with it.

    Parameters
    ----------
    symbol : str
        Whose; "?" if the table does not say.
    times : pandas.DatetimeIndex
        UTC, length T; NaT where unreadable. Naive times are taken as UTC.
    values : mapping of str to ndarray
        The fields that are there, float64 (T,), NaN where not a number.
    zoned : bool
        Whether the times are moments: aware, or whole dates. Otherwise they cannot be placed in sessions.
    findings : list of Finding
        The faults.
    """

    symbol: str
    times: pd.DatetimeIndex
    values: dict[str, FloatArray]
    zoned: bool
    findings: list[Finding] = field(default_factory=list)


def read_raw(frame: pd.DataFrame, symbol: str | None) -> tuple[list[RawSeries], list[Finding]]:
    """The series of a raw table in any shape `Bars.from_frame` knows, and the faults of the table as a whole."""
    if frame.empty:
        return [], [Finding("empty", "error", symbol or "", None, None, 0, "the table has no rows or no columns")]
    try:
        flat = frames.flattened(frame)
        level = frames.symbol_level(flat.columns) if isinstance(flat.columns, pd.MultiIndex) else None
    except DataError as err:
        return [], [Finding("unknown_shape", "error", symbol or "", None, None, len(frame), str(err))]
    found: list[Finding] = []
    raw_times, rest = _times_of(flat)
    if raw_times is None or are_numbers(raw_times):
        fault = "numbers for times, which do not say what they count" if raw_times is not None else "no times"
        detail = f"{fault}; name a column of dates 'timestamp', or set a DatetimeIndex"
        found.append(Finding("no_times", "error", symbol or "", None, None, len(frame), detail))
        raw_times = None
    named = _named(flat, SYMBOL_NAMES)
    if named is not None and (nameless := _first_of(flat, named).isna()).any():
        detail = "rows without a symbol, which nothing can use; name or drop them"
        found.append(Finding("no_symbol", "error", "", None, None, int(nameless.sum()), detail))
    series = []
    for name, places, part in _parts(rest, symbol, level):
        faults: list[Finding] = []
        times, zoned = _read_times(None if raw_times is None else raw_times.iloc[places], len(part), name, faults)
        values = _read_fields(part, times, name, faults)
        _price_faults(values, times, name, faults)
        series.append(RawSeries(name, times, values, zoned, faults))
    return series, found


def _times_of(frame: pd.DataFrame) -> tuple[pd.Series | None, pd.DataFrame]:
    """The times as given, and the table without them."""
    if not isinstance(frame.index, pd.DatetimeIndex):
        column = _named(frame, TIME_NAMES)
        if column is not None:
            return _first_of(frame, column), frame.drop(columns=[column])
        if pd.api.types.is_numeric_dtype(frame.index.dtype):
            return None, frame
    return pd.Series(frame.index), frame


def _parts(
    frame: pd.DataFrame, symbol: str | None, level: int | None
) -> list[tuple[str, npt.NDArray[np.intp], pd.DataFrame]]:
    """Name, row numbers and table of each symbol."""
    everything = np.arange(len(frame))
    if level is not None:
        names = dict.fromkeys(frame.columns.get_level_values(level))
        return [(str(name), everything, pd.DataFrame(frame.xs(name, axis=1, level=level))) for name in names]
    column = _named(frame, SYMBOL_NAMES)
    if column is None:
        return [(symbol or "?", everything, frame)]
    codes, known = pd.factorize(_first_of(frame, column))
    rest = frame.drop(columns=[column])
    rows = [(str(name), np.flatnonzero(codes == code)) for code, name in enumerate(known)]
    return [(name, places, rest.iloc[places]) for name, places in rows]


def _read_times(raw: pd.Series | None, count: int, symbol: str, faults: list[Finding]) -> tuple[pd.DatetimeIndex, bool]:
    """The times in UTC and whether they are moments or dates; their faults are added to `faults`."""
    if raw is None:
        return pd.DatetimeIndex([pd.NaT] * count, tz="UTC"), False
    given = _as_pandas_reads(raw)
    if given is None:
        return _one_by_one(raw, symbol, faults)
    wall = given.tz_localize(None)
    known = np.asarray(given.notna(), dtype=bool)
    whole = bool((wall[known] == wall[known].normalize()).all())
    times = wall.tz_localize("UTC") if whole or given.tz is None else given.tz_convert("UTC")
    if not known.all():
        faults.append(Finding.at("unreadable_times", "error", symbol, times[~known], "rows without a time; drop them"))
    if given.tz is None and not whole:
        detail = "times without a time zone that are no whole dates; say which with tz='America/New_York' or tz='UTC'"
        faults.append(Finding.at("naive_times", "error", symbol, times[known], detail))
    _order_faults(times[known], symbol, faults)
    return times, whole or given.tz is not None


def _as_pandas_reads(raw: pd.Series) -> pd.DatetimeIndex | None:
    """The times as one column of pandas; None if some cannot be read, or they mix zones or forms."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Could not infer format", UserWarning)
            warnings.filterwarnings("ignore", "Parsing dates in", UserWarning)
            return pd.DatetimeIndex(pd.to_datetime(raw)).as_unit("ns")
    except (ValueError, TypeError, OverflowError, UserWarning):
        return None


def _one_by_one(raw: pd.Series, symbol: str, faults: list[Finding]) -> tuple[pd.DatetimeIndex, bool]:
    """The times that can be read each for itself, as `_read_times`, and what keeps them from being one column."""
    loose = pd.to_datetime(raw.astype(object), utc=True, errors="coerce", format="mixed")
    times = pd.DatetimeIndex(loose).as_unit("ns")
    known = np.asarray(times.notna(), dtype=bool)
    if not known.all():
        detail = (
            f"times that cannot be read, such as {str(raw[~known].iloc[0])[:30]!r}; drop those rows or mend the column"
        )
        faults.append(Finding.at("unreadable_times", "error", symbol, times[~known], detail))
        if known.any() and _as_pandas_reads(raw[known]) is not None:
            rest, zoned = _read_times(raw[known], int(known.sum()), symbol, faults)
            return pd.DatetimeIndex(pd.Series(rest, index=np.flatnonzero(known)).reindex(range(len(raw)))), zoned
    elif len({_offset(value) for value in raw}) > 1:
        detail = (
            "several zones or UTC offsets in one column; bring the times to one with pd.to_datetime(times, utc=True)"
        )
        faults.append(Finding.at("mixed_zones", "error", symbol, times, detail))
    else:
        detail = f"times in forms that can be read in several ways, such as {str(raw.iloc[0])[:30]!r}; write 2024-01-31"
        faults.append(Finding.at("unreadable_times", "error", symbol, times, detail))
    _order_faults(times[known], symbol, faults)
    return times, False


def _offset(value: Any) -> str | None:
    """The zone or UTC offset that a time states, None if it states none."""
    zone = getattr(value, "tzinfo", None)
    if zone is not None:
        return str(zone)
    text = value.strip() if isinstance(value, str) else ""
    match = _OFFSET.search(text) if ":" in text else None
    return match[1] if match else None


def _order_faults(times: pd.DatetimeIndex, symbol: str, faults: list[Finding]) -> None:
    """Repeated and unsorted times."""
    twice = times.duplicated()
    if twice.any():
        detail = "times that appear more than once; keep one row for each, with df[~df.index.duplicated(keep='last')]"
        faults.append(Finding.at("duplicate_times", "error", symbol, times[twice], detail))
    back = np.diff(times.asi8, prepend=times.asi8[:1]) < 0
    if back.any():
        faults.append(
            Finding.at("unsorted_times", "error", symbol, times[back], "times go backwards; sort with df.sort_index()")
        )


def _read_fields(
    part: pd.DataFrame, times: pd.DatetimeIndex, symbol: str, faults: list[Finding]
) -> dict[str, FloatArray]:
    """The known fields as numbers; columns of text, doubled columns and a missing close are faults."""
    values: dict[str, FloatArray] = {}
    for place, column in enumerate(part.columns):
        name = FIELD_NAMES.get(str(column).strip().lower())
        if name is None or name not in FIELDS:
            continue
        if name in values:
            detail = f"two columns for {name}, the second {str(column)!r}; keep one"
            faults.append(Finding.at("doubled_column", "error", symbol, times[:0], detail))
            continue
        raw = part.iloc[:, place]
        values[name] = _numbers(raw)
        if not _is_real(raw):
            text = np.isnan(values[name]) & raw.notna().to_numpy()
            example = raw[text].iloc[0] if text.any() else raw.iloc[0]
            detail = (
                f"column {str(column)!r} holds text or mixed values, such as {str(example)[:20]!r}; use pd.to_numeric"
            )
            faults.append(Finding.at("text_column", "error", symbol, times[text] if text.any() else times, detail))
    if "close" not in values:
        detail = f"no close column among {[str(c)[:20] for c in part.columns][:12]}"
        faults.append(Finding.at("no_close", "error", symbol, times[:0], detail))
    return values


def _is_real(raw: pd.Series) -> bool:
    """Whether a column's type is that of real numbers."""
    types = pd.api.types
    return types.is_any_real_numeric_dtype(raw.dtype) and not types.is_bool_dtype(raw.dtype)


def _numbers(raw: pd.Series) -> FloatArray:
    """A column as float64; NaN for entries that are no numbers, and throughout for types that cannot be."""
    if not (_is_real(raw) or pd.api.types.is_string_dtype(raw.dtype) or raw.dtype == object):
        return np.full(len(raw), np.nan)
    return np.asarray(pd.to_numeric(raw, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _price_faults(values: dict[str, FloatArray], times: pd.DatetimeIndex, symbol: str, faults: list[Finding]) -> None:
    """Missing, infinite, zero and negative numbers, and highs below lows."""
    prices = {name: values[name] for name in _PRICES if name in values}
    if not prices:
        return
    stack = np.stack(list(prices.values()))
    volume = values.get("volume", np.full(len(times), np.nan))
    high, low = prices.get("high"), prices.get("low")
    with np.errstate(invalid="ignore"):
        crossed = high < low * (1 - 1e-9) if high is not None and low is not None else np.zeros(len(times), dtype=bool)
        faulty = (
            (
                "missing_price",
                np.isnan(stack).any(axis=0),
                "bars without some price (NaN); drop them or keep them as holes",
            ),
            (
                "infinite_price",
                np.isinf(stack).any(axis=0) | np.isinf(volume),
                "infinite numbers; drop or mend those rows",
            ),
            ("nonpositive_price", (stack <= 0).any(axis=0), "prices of zero or below; drop those rows"),
            ("high_below_low", crossed, "a high below its low; check that the columns are not swapped"),
            ("negative_volume", volume < 0, "negative volume; it counts shares"),
        )
    for kind, rows, detail in faulty:
        places = np.flatnonzero(rows)
        if places.size:
            faults.append(Finding.at(kind, "error", symbol, times[places], detail))


def _named(frame: pd.DataFrame, names: tuple[str, ...]) -> Hashable | None:
    """The first column called one of `names`, in any case."""
    if isinstance(frame.columns, pd.MultiIndex):
        return None
    folded = {str(column).strip().lower(): column for column in reversed(list(frame.columns))}
    return next((folded[name] for name in names if name in folded), None)


def _first_of(frame: pd.DataFrame, column: Hashable) -> pd.Series:
    """The first column of that name."""
    return frame.iloc[:, next(place for place, name in enumerate(frame.columns) if name == column)]
