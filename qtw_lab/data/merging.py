"""Vendor tables in the store's columns, and how new bars join old ones without mixing two adjustment bases."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, Timeframe, frames, lookup
from qtw_lab.core.bars import FIELDS
from qtw_lab.data.objects import COLUMNS
from qtw_lab.data.revisions import FACTORS, NOISE
from qtw_lab.data.series import SeriesKey

FloatArray = npt.NDArray[np.float64]

#: By which stored column raw prices are multiplied for each adjustment.
PRICE_FACTOR: Final = {"all": "factor", "split": "split_factor", "raw": None}

_ADJUSTED_CLOSE: Final = ("adj close", "adj_close", "adjclose", "adjusted_close")


@dataclass(frozen=True)
class Incoming:
    """Bars on their way into the store.

    Parameters
    ----------
    table : pandas.DataFrame
        `COLUMNS` by UTC timestamp, sorted, unique, checked.
    factors : bool
        Whether the source gave adjustment factors; if not they are 1.0.
    calendar : str
        Exchange code, or "24/7".
    skipped : int
        Rows without any price, left out: they are not bars.
    notes : tuple of str
        Caveats found on reading.
    """

    table: pd.DataFrame
    factors: bool
    calendar: str
    skipped: int
    notes: tuple[str, ...]


def incoming(frame: pd.DataFrame, key: SeriesKey, calendar: str | None) -> Incoming:
    """A vendor's table of one symbol in the store's columns.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any single-symbol shape `Bars.from_frame` reads, prices raw, with optional columns `split_factor` and `factor`
        (by which raw prices are multiplied to be split-adjusted and fully adjusted). With an adjusted close but no
        `factor`, the factor is adjusted over raw close and the split factor is unknown (NaN).
    key : SeriesKey
        What the series will be called.
    calendar : str, optional
        Exchange code; daily bars stamped at its midnight become session dates at 00:00 UTC. By default "24/7" if some
        bar of a day or less falls on a weekend, else "XNYS".

    Raises
    ------
    DataError
        If the table is not one series of sound bars, as `Bars.from_frame`; or a factor is missing, zero or negative; or
        a bar of a day or longer does not start at a midnight; or a time is finer than a microsecond.
    """
    read = frames.normalise(frame, symbol=key.symbol, tz=None, holes="keep", adjust=False)
    if len(read.symbols) != 1 or read.symbols[0].upper() != key.symbol:
        raise DataError(f"The table holds {', '.join(read.symbols[:5])}, but {key} takes bars of {key.symbol} only.")
    index = read.index
    span = Timeframe.parse(key.timeframe)
    exchange = calendar or frames.usual_calendar(index, span)
    if not span.intraday:
        index = frames.session_dates(index, exchange)
        if not bool((index == index.normalize()).all()):
            off = index[index != index.normalize()][0]
            raise DataError(
                f"{key} has bars of a day or longer, but one is stamped {off}. Stamp them with their session date "
                "at 00:00 UTC (or at midnight in the exchange's zone), or name the right timeframe."
            )
    if bool((index.as_unit("ns").asi8 % 1000 != 0).any()):
        raise DataError(
            f"Bar times of {key} are finer than a microsecond. Round them, for example with index.floor('us')."
        )
    values = {name: read.arrays[name][:, 0] for name in FIELDS}
    split, factor, given = _factors(frame, values["close"], key)
    table = pd.DataFrame({**values, "split_factor": split, "factor": factor}, index=index.rename("timestamp"))
    frames.check_times(index)
    frames.check_prices({name: read.arrays[name] for name in FIELDS}, index, (key.symbol,))
    present = np.isfinite(values["close"])
    notes = tuple(note for note in read.notes if "Adj Close" not in note)
    return Incoming(table.loc[present, list(COLUMNS)], given, exchange, int((~present).sum()), notes)


def _factors(frame: pd.DataFrame, close: FloatArray, key: SeriesKey) -> tuple[FloatArray, FloatArray, bool]:
    """Split factor, factor, and whether the table gave them."""
    named: dict[str, Hashable] = {}
    if not isinstance(frame.columns, pd.MultiIndex):
        named = {str(column).strip().lower(): column for column in frame.columns}
    given = {name: _numbers(frame, named[name], key) for name in FACTORS if name in named}
    adjusted = next((named[name] for name in _ADJUSTED_CLOSE if name in named), None)
    if "factor" not in given and adjusted is not None:
        given["factor"] = _numbers(frame, adjusted, key) / close
    if not given:
        return np.ones_like(close), np.ones_like(close), False
    factor = given.get("factor", given.get("split_factor", np.ones_like(close)))
    present = np.isfinite(close)
    plain = bool((np.abs(factor - 1.0)[present] <= NOISE).all())
    split = given.get("split_factor", np.ones_like(close) if plain else np.full_like(close, np.nan))
    known = present & ~np.isnan(split)  # an unknown split factor is allowed, an unknown factor is not
    for name, column, asked in (("factor", factor, present), ("split_factor", split, known)):
        wrong = asked & ~((column > 0) & np.isfinite(column))
        if wrong.any():
            raise DataError(
                f"The {name} of {key} is {column[wrong][0]} in {int(wrong.sum())} bar(s); it must be above zero and "
                "finite: 1.0 where there is nothing to adjust."
            )
    return split, factor, True


def _numbers(frame: pd.DataFrame, column: Hashable, key: SeriesKey) -> FloatArray:
    if not pd.api.types.is_numeric_dtype(frame[column].dtype):
        raise DataError(f"Column {column!r} of {key} holds text, not numbers. Convert it first, with pd.to_numeric.")
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)


def adjusted(table: pd.DataFrame, adjustment: str) -> pd.DataFrame:
    """The five fields with prices multiplied by the factor asked for and volume divided by the split factor.

    Parameters
    ----------
    table : pandas.DataFrame
        `COLUMNS` by timestamp.
    adjustment : {"all", "split", "raw"}
        Which factor. Where the split factor is unknown, volume stays as it is.
    """
    fields = table[list(FIELDS)].copy()
    factor = lookup(adjustment, PRICE_FACTOR, "adjustment")
    if factor is None:
        return fields
    for name in FIELDS[:4]:
        fields[name] = fields[name] * table[factor]
    fields["volume"] = fields["volume"] / table["split_factor"].fillna(1.0)
    return fields


def union(old: pd.DataFrame, new: pd.DataFrame, key: SeriesKey) -> pd.DataFrame:
    """All bars of both, the new value where both have one, with the old factors brought to the new basis.

    Factors are relative to the day of the fetch: after a dividend the vendor multiplies every earlier factor. Old bars
    from before the new ones are therefore multiplied by the ratio new/old seen in the first bar both have.

    Parameters
    ----------
    old, new : pandas.DataFrame
        `COLUMNS` by UTC timestamp, each sorted and unique.

    Raises
    ------
    DataError
        If the factors changed but old bars follow the new ones: nothing tells where between them the corporate action
        fell.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3, tz="UTC")
    >>> old = pd.DataFrame(10.0, index=days, columns=list(COLUMNS)).assign(split_factor=1.0, factor=1.0)
    >>> new = old.iloc[1:].assign(factor=0.9)
    >>> union(old, new, SeriesKey("files", "X"))["factor"].tolist()
    [0.9, 0.9, 0.9]
    """
    kept = old.loc[~old.index.isin(new.index)].copy()
    both = old.index.intersection(new.index)
    if len(both) and len(kept):
        for name in FACTORS:
            ratios = (new.loc[both, name] / old.loc[both, name]).dropna()
            if len(ratios):  # else unknown on one side: nothing to bring to a basis
                kept[name] = kept[name] * _basis(ratios, pd.DatetimeIndex(kept.index), key, name)
    return pd.concat([kept, new]).sort_index()[list(COLUMNS)]


def _basis(ratios: pd.Series, times: pd.DatetimeIndex, key: SeriesKey, name: str) -> FloatArray:
    """By what to multiply the factor of old bars at `times` that the new bars do not have."""
    plain = ratios.where((ratios - 1.0).abs() > NOISE, 1.0)
    after = times > plain.index[-1]
    if plain.iloc[-1] != 1.0 and bool(after.any()):
        raise DataError(
            f"The vendor has rescaled the {name} of {key} by {plain.iloc[-1]:.6g}, and the store has bars up to "
            f"{times[-1]:%Y-%m-%d} that these bars (to {plain.index[-1]:%Y-%m-%d}) do not reach: their basis would be "
            "unknown. Fetch up to the last stored bar, or store the new bars alone with afresh=True."
        )
    places = np.clip(plain.index.searchsorted(times, side="right") - 1, 0, None)
    scale: FloatArray = plain.to_numpy(np.float64)[places]
    scale[np.asarray(after)] = 1.0
    return scale
