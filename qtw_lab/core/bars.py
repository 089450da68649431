"""`Bars`: a checked, frozen table of prices for one or many symbols on one clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import frames
from qtw_lab.core.errors import DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.core.timeframe import Timeframe

FloatArray = npt.NDArray[np.float64]

#: The five columns of a bar, in their usual order.
FIELDS: Final = ("open", "high", "low", "close", "volume")

#: Which corporate actions prices can be adjusted for.
ADJUSTMENTS: Final = ("raw", "split", "all")


@dataclass(frozen=True, slots=True)
class SeriesRef:
    """Where a column of `Bars` came from, so that a later revision of that series can be traced to its users.

    Parameters
    ----------
    source : str
        Source name, such as "stocks" or "alpaca".
    symbol, timeframe : str
        Which series of the source.
    content : str
        SHA-256 of the stored version, or the version of the package that ships the data.
    """

    source: str
    symbol: str
    timeframe: str
    content: str


@dataclass(frozen=True, eq=False)
class Bars:
    """Open, high, low, close and volume of N symbols over T bars.

    Build one with `from_frame`, or ask `Lab.bars`. A symbol has at each time a whole bar or none (all NaN): before its
    listing, after its delisting, or in a hole. Volume may be NaN where it is not known.

    Parameters
    ----------
    index : pandas.DatetimeIndex
        Length T, UTC, strictly increasing. A bar's timestamp is its start; a bar of a day or longer carries its session
        date at 00:00 UTC.
    symbols : tuple of str
        Length N, unique.
    values : mapping of str to ndarray
        The five `FIELDS`, each float64 of shape (T, N), read-only.
    timeframe : Timeframe
        Length of a bar.
    calendar : str
        Exchange code ("XNYS") or "24/7"; sets the annualisation.
    adjustment : {"raw", "split", "all"}
        Which corporate actions the prices are adjusted for ("all": splits and dividends).
    source : str
        Where the bars came from, for people.
    notes : tuple of str
        Caveats that every result made from these bars repeats.
    series : tuple of SeriesRef
        Stored series behind the columns, if any.
    """

    index: pd.DatetimeIndex
    symbols: tuple[str, ...]
    values: Mapping[str, FloatArray] = field(repr=False)
    timeframe: Timeframe
    calendar: str = "XNYS"
    adjustment: str = "raw"
    source: str = "frame"
    notes: tuple[str, ...] = ()
    series: tuple[SeriesRef, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.index, pd.DatetimeIndex):
            raise DataError(f"The index of bars is a pandas DatetimeIndex, not {type(self.index).__name__}.")
        frames.check_times(self.index)
        object.__setattr__(self, "index", self.index.tz_convert("UTC"))
        object.__setattr__(self, "symbols", frames.check_symbols(self.symbols))
        lookup(self.adjustment, dict.fromkeys(ADJUSTMENTS), "adjustment")
        missing = [name for name in FIELDS if name not in self.values]
        if missing:
            raise DataError(f"Bars need the arrays {', '.join(FIELDS)}; {', '.join(missing)} is missing.")
        shape = (len(self.index), len(self.symbols))
        frozen = {}
        for name in FIELDS:
            array = np.array(self.values[name], dtype=np.float64, order="C")
            if array.shape != shape:
                raise DataError(f"The {name} array has shape {array.shape}, but index and symbols call for {shape}.")
            array.flags.writeable = False
            frozen[name] = array
        object.__setattr__(self, "values", MappingProxyType(frozen))
        frames.check_prices(frozen, self.index, self.symbols)

    def __reduce__(self) -> tuple[type[Bars], tuple[Any, ...]]:
        """Bars travel between processes (Dask, joblib) as their arguments, and are checked again on arrival."""
        given = (getattr(self, entry.name) for entry in fields(self))
        return type(self), tuple(dict(value) if isinstance(value, Mapping) else value for value in given)

    @classmethod
    def from_frame(  # noqa: PLR0913  (keyword-only, each optional)
        cls,
        frame: pd.DataFrame,
        symbol: str | None = None,
        *,
        timeframe: str | Timeframe | None = None,
        calendar: str | None = None,
        tz: str | None = None,
        holes: str = "error",
        adjust: bool = False,
        adjustment: str | None = None,
        source: str = "frame",
        notes: Iterable[str] = (),
        series: Iterable[SeriesRef] = (),
    ) -> Bars:
        """Bars from a table in one of the usual shapes.

        Parameters
        ----------
        frame : pandas.DataFrame
            One symbol with OHLCV columns in any case; or tidy, with a ``symbol`` (or ``ticker``) column or row level
            and a row a bar; or columns with two levels, field and symbol in either order. Times are the index, a row
            level, or a column named ``timestamp``, ``date``, ``datetime`` or ``time``. A table with closes only is
            accepted and says so in `notes`.
        symbol : str, optional
            Name of a single-symbol table; needed for that shape.
        timeframe : str or Timeframe, optional
            Length of a bar; found from the spacing of the times if not given.
        calendar : str, optional
            Exchange code; "24/7" if there are weekend bars of a day or less, else "XNYS".
        tz : str, optional
            Time zone of naive times. Whole dates need none: unless `timeframe` is shorter, they are session dates.
        holes : {"error", "keep", "drop"}
            What to do with rows of NaN prices inside a symbol's life (anywhere, in a single-symbol table): refuse
            them, keep them as bars that did not trade, or drop them. With "error" a symbol without any price is refused
            too. A time that a symbol of a tidy table has no row for is a hole in any case, not a fault.
        adjust : bool
            Scale prices by ``Adj Close / Close`` where such a column is present. Otherwise that column is ignored and
            the notes say so.
        adjustment : str, optional
            Name of the adjustment the prices already have; "raw" by default.
        source, notes, series
            Kept on the result.

        Raises
        ------
        DataError
            If the table is empty, lacks prices, has text where numbers belong, duplicate, unsorted, naive or mixed-zone
            times, NaN holes, infinite, zero or negative prices, or a high below its low. The message says where and how
            to mend it.

        Examples
        --------
        >>> df = pd.DataFrame({"Close": [10.0, 11.0, 12.0]}, index=pd.date_range("2024-01-02", periods=3))
        >>> bars = Bars.from_frame(df, symbol="X")
        >>> bars.shape, str(bars.timeframe), bars.close["X"].iloc[-1].item()
        ((3, 1), '1D', 12.0)
        """
        told = Timeframe.parse(timeframe) if timeframe is not None else None
        dated = told is None or not told.intraday
        table = frames.normalise(frame, symbol=symbol, tz=tz, holes=holes, adjust=adjust, dated=dated)
        if symbol is not None and table.symbols != (symbol,):
            raise DataError(
                f"The table names its own symbols ({', '.join(table.symbols[:10])}), so symbol={symbol!r} does not "
                "apply. Leave it out, and choose with Bars.from_frame(df).select('...')."
            )
        span = told or frames.infer_timeframe(table.index)
        exchange = calendar or frames.usual_calendar(table.index, span)
        index = table.index if span.intraday else frames.session_dates(table.index, exchange)
        return cls(
            index=index,
            symbols=table.symbols,
            values=table.arrays,
            timeframe=span,
            calendar=exchange,
            adjustment=adjustment or table.adjustment,
            source=source,
            notes=(*table.notes, *((notes,) if isinstance(notes, str) else notes)),
            series=tuple(series),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N): bars and symbols."""
        return len(self.index), len(self.symbols)

    def __len__(self) -> int:
        return len(self.index)

    def frame(self, name: str) -> pd.DataFrame:
        """One of the five `FIELDS` as a (T, N) table of float64, a copy."""
        values = lookup(name, self.values, "bar field")
        return pd.DataFrame(values.copy(), index=self.index, columns=pd.Index(self.symbols, name="symbol"))

    @property
    def open(self) -> pd.DataFrame:
        """Opening prices, (T, N)."""
        return self.frame("open")

    @property
    def high(self) -> pd.DataFrame:
        """Highest prices, (T, N)."""
        return self.frame("high")

    @property
    def low(self) -> pd.DataFrame:
        """Lowest prices, (T, N)."""
        return self.frame("low")

    @property
    def close(self) -> pd.DataFrame:
        """Closing prices, (T, N)."""
        return self.frame("close")

    @property
    def volume(self) -> pd.DataFrame:
        """Volumes in shares, (T, N); NaN where unknown."""
        return self.frame("volume")

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Boolean (T, N): whether the symbol has a bar at that time."""
        present = np.isfinite(self.values["close"])
        present.flags.writeable = False
        return present

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over times, symbols, timeframe, adjustment and every number: equal data, equal fingerprint."""
        digest = hashlib.sha256(b"qtw-bars-1\0")
        digest.update("\0".join((*self.symbols, str(self.timeframe), self.adjustment)).encode())
        digest.update(np.ascontiguousarray(self.index.as_unit("ns").asi8).astype("<i8").tobytes())
        for name in FIELDS:
            canonical = np.where(np.isnan(self.values[name]), np.nan, self.values[name] + 0.0)
            digest.update(canonical.astype("<f8").tobytes())
        return digest.hexdigest()

    @property
    def periods_per_year(self) -> float:
        """How many such bars a year has on this calendar."""
        return self.timeframe.periods_per_year(self.calendar)

    def select(self, symbols: str | Sequence[str]) -> Bars:
        """The same bars with only these symbols, in this order; times no symbol has a bar at are dropped.

        Raises
        ------
        DataError
            If a symbol is not there.
        """
        if not isinstance(symbols, (str, Iterable)):
            raise DataError(f"Symbols are chosen by name, such as 'AAPL' or ['AAPL', 'IBM'], not {symbols!r}.")
        wanted = (symbols,) if isinstance(symbols, str) else tuple(symbols)
        places = {name: place for place, name in enumerate(self.symbols)}
        columns = [lookup(name, places, "symbol in these bars") for name in wanted]
        kept = self.present[:, columns].any(axis=1)
        series = tuple(ref for ref in self.series if ref.symbol in wanted)
        return self._with(kept, columns, symbols=wanted, series=series)

    def between(self, start: Any = None, end: Any = None) -> Bars:
        """The bars from `start` to `end`, both included; anything pandas reads as a time, naive ones taken as UTC.

        Raises
        ------
        DataError
            If the dates are reversed, unreadable, or no bar lies between them.
        """
        first, last = frames.moment(start, "start"), frames.moment(end, "end", whole_day=True)
        if first is not None and last is not None and first > last:
            raise DataError(f"The start {start} lies after the end {end}; swap them.")
        kept = np.ones(len(self.index), dtype=bool)
        if first is not None:
            kept &= np.asarray(self.index >= first)
        if last is not None:
            kept &= np.asarray(self.index <= last)
        if not kept.any():
            raise DataError(
                f"No bar lies between {start or 'the beginning'} and {end or 'the end'}: "
                f"these bars run from {self.index[0].date()} to {self.index[-1].date()}."
            )
        return self._with(kept, list(range(len(self.symbols))))

    def head(self, count: int) -> Bars:
        """The first `count` bars: what was known at that time."""
        kept = np.arange(len(self.index)) < _whole(count)
        return self._with(kept, list(range(len(self.symbols))))

    def tail(self, count: int) -> Bars:
        """The last `count` bars."""
        kept = np.arange(len(self.index)) >= len(self.index) - _whole(count)
        return self._with(kept, list(range(len(self.symbols))))

    def tidy(self) -> pd.DataFrame:
        """One row a bar: timestamp, symbol and the five fields, holes left out, in order of time then symbol."""
        rows, columns = np.nonzero(self.present)
        names = np.asarray(self.symbols, dtype=object)
        return pd.DataFrame(
            {"timestamp": self.index[rows], "symbol": names[columns]}
            | {name: self.values[name][rows, columns] for name in FIELDS}
        )

    def noting(self, *notes: str) -> Bars:
        """The same bars with more caveats."""
        return replace(self, notes=(*self.notes, *notes))

    def _with(self, kept: Any, columns: list[int], **changes: Any) -> Bars:
        values = {name: array[kept][:, columns] for name, array in self.values.items()}
        return replace(self, index=self.index[kept], values=values, **changes)

    def __repr__(self) -> str:
        shown = ", ".join(self.symbols[:6]) + (f" and {len(self.symbols) - 6} more" if len(self.symbols) > 6 else "")
        span = f"{self.index[0]:%Y-%m-%d} to {self.index[-1]:%Y-%m-%d}" if len(self) else "no bars"
        return (
            f"Bars({shown}: {len(self):,} x {self.timeframe}, {span}, {self.calendar}, adjustment {self.adjustment}, "
            f"source {self.source}, {self.fingerprint[:12]})"
        )


def _whole(count: int) -> int:
    if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count < 0:
        raise DataError(f"The number of bars must be a whole number of zero or more, not {count!r}.")
    return int(count)
