"""`Store`: price series on disk, content-addressed, with every version kept and every revision noticed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, Clock, DataError, SeriesRef, SystemClock, Timeframe, lookup, parse_symbols
from qtw_lab.core.bars import FIELDS
from qtw_lab.data import objects
from qtw_lab.data.merging import PRICE_FACTOR, adjusted, incoming, union
from qtw_lab.data.revisions import RevisionReport
from qtw_lab.data.series import Pointer, SeriesKey, Version
from qtw_lab.data.shelf import Garbage, Shelf
from qtw_lab.data.view import preparation
from qtw_lab.data.writing import (
    Stored,
    WriteReport,
    basis_note,
    compared,
    following,
    refuse_mismatch,
    revision_of,
    unchanged,
    written,
)  # fmt: skip

Adjustment = Literal["all", "split", "raw"]

_LISTING: Final = [
    "source", "symbol", "timeframe", "rows", "first", "last", "calendar", "versions", "revisions", "written_at",
    "origin", "content", "fault",
]  # fmt: skip


class Store:
    """A folder of price series that many processes may read while one at a time writes each series.

    ``objects/<sha256>.parquet`` holds bars, ``series/<source>/<timeframe>/<SYMBOL>.json`` lists the versions of a
    series. Both are written aside, flushed and renamed, the object first: whoever reads, and whenever a writer is
    killed, finds the old version or the new one, never a half.

    Parameters
    ----------
    folder : pathlib.Path
        Where it lies; made on the first write.
    clock : Clock, optional
        Gives the time a version is stamped with; the machine's by default.
    patience : float
        Seconds to wait for another writer.

    Examples
    --------
    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()))
    >>> days = pd.bdate_range("2024-01-02", periods=3)
    >>> frame = pd.DataFrame({"open": 10.0, "high": 12.0, "low": 5.0, "close": [10.0, 11.0, 5.5], "volume": 100.0,
    ...                       "split_factor": [0.5, 0.5, 1.0], "factor": [0.5, 0.5, 1.0]}, index=days)
    >>> store.write(SeriesKey("files", "X", "1D"), frame).rows
    3
    >>> store.bars("X").close["X"].tolist(), store.bars("X", adjustment="raw").close["X"].tolist()
    ([5.0, 5.5, 5.5], [10.0, 11.0, 5.5])
    """

    def __init__(self, folder: Path | str, *, clock: Clock | None = None, patience: float = 60.0) -> None:
        self.folder = Path(folder)
        self._clock: Clock = clock or SystemClock()
        self._shelf = Shelf(self.folder, patience)

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r})"

    def write(
        self,
        key: SeriesKey,
        frame: pd.DataFrame,
        *,
        calendar: str | None = None,
        origin: str = "",
        notes: Iterable[str] = (),
        written_at: pd.Timestamp | None = None,
        afresh: bool = False,
    ) -> WriteReport:
        """Merge bars into a series: the union of old and new, the new value where both have one.

        Parameters
        ----------
        key : SeriesKey
            The series.
        frame : pandas.DataFrame
            Raw bars of one symbol, with optional columns `split_factor` and `factor`; see `merging.incoming`.
        calendar : str, optional
            Exchange code; by default the stored one, else "24/7" if there are weekend bars, else "XNYS".
        origin : str
            Where the bars came from, kept with the version.
        notes : iterable of str
            Caveats to keep with the bars.
        written_at : pandas.Timestamp, optional
            When, if not now by the store's clock.
        afresh : bool
            Start again from this frame alone; earlier versions stay listed. The way out if the stored bars are damaged
            or their factors have another basis.

        Returns
        -------
        WriteReport
            With a `RevisionReport` if the past changed. Writing the same bars again stores nothing.

        Raises
        ------
        DataError
            If the frame is unsound, its calendar or factors do not fit what is stored, or what is stored is damaged.
        SetupError
            If the folder cannot be written, the disk is full, or another writer holds the series too long. What was
            stored before is then untouched.
        """
        moment = self._clock.now() if written_at is None else written_at
        if moment.tzinfo is None:
            raise DataError(f"written_at={moment} has no time zone; give one, such as UTC.")
        pointer = None if afresh else self._shelf.pointer(key)
        given = incoming(frame, key, calendar or (pointer.current.calendar if pointer else None))
        with self._shelf.series_lock(key):
            stored = self._stored(key, afresh)
            if stored is None or afresh:
                table, inherited = given.table, tuple[str, ...]()
            else:
                refuse_mismatch(stored, given)
                table, inherited = union(stored.table, given.table, key), stored.pointer.current.notes
            caveats = tuple(dict.fromkeys((*inherited, *given.notes, *notes, *basis_note(stored, given, afresh))))
            found = compared(stored, given)
            if stored is not None and unchanged(stored, table, given, caveats):
                now = stored.pointer.current
                return written(key, now, now.content, found, given.skipped, revision_of(key, stored, now, found))
            content = objects.encode(table)
            version = Version(
                content=objects.name_of(content),
                rows=len(table),
                first=table.index[0],
                last=table.index[-1],
                written_at=moment.tz_convert("UTC"),
                calendar=given.calendar,
                parent=stored.pointer.current.content if stored else None,
                origin=origin,
                added=found.added if found else len(table),
                factors=given.factors,
                notes=caveats,
            )
            revision = revision_of(key, stored, version, found)
            self._shelf.publish(following(key, stored, version, revision), content)
        return written(key, version, version.parent, found, given.skipped, revision)

    def bars(
        self,
        symbols: str | Sequence[str],
        timeframe: str | Timeframe = "1D",
        source: str | None = None,
        start: Any = None,
        end: Any = None,
        adjustment: Adjustment = "all",
    ) -> Bars:
        """The current bars of some symbols.

        Parameters
        ----------
        symbols : str or sequence of str
            "AAPL", "AAPL,IBM" or a list.
        timeframe : str or Timeframe
            Length of a bar.
        source : str, optional
            Needed only if several sources have a symbol.
        start, end : date-like, optional
            Both included; all bars by default.
        adjustment : {"all", "split", "raw"}
            Prices adjusted for splits and dividends, for splits only, or as the vendor gave them. Volume is adjusted
            for splits with the first two. If no source gave factors, the result says "raw", with a note.

        Raises
        ------
        DataError
            If a symbol is not stored (the message names near misses), several sources have it, calendars differ, split
            factors are unknown and asked for, stored bars are damaged, or no bar lies between `start` and `end`.
        """
        lookup(adjustment, PRICE_FACTOR, "adjustment")
        span = Timeframe.parse(timeframe)
        read = [self._existing(key) for key in self._resolve(parse_symbols(symbols), str(span), source)]
        versions = [stored.pointer.current for stored in read]
        calendars = dict.fromkeys(version.calendar for version in versions)
        if len(calendars) > 1:
            held = ", ".join(f"{stored.pointer.key.symbol} {stored.pointer.current.calendar}" for stored in read)
            raise DataError(f"These series follow different calendars ({held}). Ask for them apart.")
        index = read[0].table.index
        for stored in read[1:]:
            index = index.union(stored.table.index)
        tables = [adjusted(stored.table, adjustment).reindex(index) for stored in read]
        keys = [stored.pointer.key for stored in read]
        bars = Bars(
            index=pd.DatetimeIndex(index),
            symbols=tuple(key.symbol for key in keys),
            values={name: np.column_stack([table[name].to_numpy(np.float64) for table in tables]) for name in FIELDS},
            timeframe=span,
            calendar=next(iter(calendars)),
            adjustment=adjustment if any(version.factors for version in versions) else "raw",
            source=", ".join(dict.fromkeys(key.source for key in keys)),
            notes=_caveats(read, adjustment),
            series=tuple(
                SeriesRef(key.source, key.symbol, key.timeframe, version.content)
                for key, version in zip(keys, versions, strict=True)
            ),
        )
        return bars if start is None and end is None else bars.between(start, end)

    def table(self, key: SeriesKey, content: str | None = None) -> pd.DataFrame:
        """The stored columns of a series as they are: raw OHLCV, `split_factor` and `factor` by UTC timestamp.

        Parameters
        ----------
        key : SeriesKey
            The series.
        content : str, optional
            SHA-256 of an earlier version, or its first letters; the current version by default.

        Raises
        ------
        DataError
            If there is no such series or version, or its file is missing or damaged.
        """
        if content is None:
            return self._existing(key).table
        names = dict.fromkeys(version.content for version in self.versions(key))
        matches = [name for name in names if content and name.startswith(content)]
        if len(matches) != 1:
            known = ", ".join(name[:12] for name in names)
            raise DataError(f"{key} has {len(matches)} versions that begin with {content!r}. Its versions: {known}.")
        return self._shelf.load(matches[0])

    def keys(self) -> tuple[SeriesKey, ...]:
        """Every series there is, in order."""
        return self._shelf.keys()

    def versions(self, key: SeriesKey) -> tuple[Version, ...]:
        """All versions of a series, oldest first.

        Raises
        ------
        DataError
            If there is no such series, or its list is damaged.
        """
        return self._pointer(key).versions

    def list(self) -> pd.DataFrame:
        """One row a series: what it is, its span, versions and content; `fault` says why one cannot be read."""
        rows = []
        for key in self.keys():
            row: dict[str, Any] = {"source": key.source, "symbol": key.symbol, "timeframe": key.timeframe, "fault": ""}
            try:
                pointer = self._pointer(key)
            except DataError as err:
                row["fault"] = str(err)
            else:
                now = pointer.current
                row |= {name: getattr(now, name) for name in _LISTING if hasattr(now, name)}
                row |= {"versions": len(pointer.versions), "revisions": len(pointer.revisions)}
            rows.append(row)
        return pd.DataFrame(rows, columns=_LISTING)

    def revisions(self, key: SeriesKey | None = None) -> tuple[RevisionReport, ...]:
        """The kept reports of changes to the past, newest first, of one series or of all.

        Raises
        ------
        DataError
            If the series asked for does not exist, or a list of versions is damaged.
        """
        keys = self.keys() if key is None else (key,)
        reports = [report for each in keys for report in self._pointer(each).revisions]
        return tuple(sorted(reports, key=lambda report: report.written_at, reverse=True))

    def query(self, sql: str) -> pd.DataFrame:
        """The answer to one SELECT over the view `bars`, by DuckDB.

        The view has the current version of every series: source, symbol, timeframe, timestamp, open, high, low, close,
        volume (raw), split_factor and factor. The statement can read no other file and write none.

        Parameters
        ----------
        sql : str
            One SELECT statement.

        Raises
        ------
        DataError
            If it is not one SELECT, is wrong, reaches for another file, or stored bars are damaged.

        Examples
        --------
        >>> import tempfile
        >>> Store(Path(tempfile.mkdtemp())).query("SELECT count(*) AS bars FROM bars")["bars"].tolist()
        [0]
        """
        import duckdb

        rows = [(key, self._pointer(key).current.content) for key in self.keys()]
        for content in {content for _, content in rows}:
            objects.verified(self._shelf.objects, content)
        paths = [(key, str(objects.path_of(self._shelf.objects, content).resolve())) for key, content in rows]
        with duckdb.connect(":memory:") as connection:
            try:
                for statement in preparation(paths):
                    connection.execute(statement)
                asked = connection.extract_statements(sql)
                if len(asked) != 1 or asked[0].type != duckdb.StatementType.SELECT:
                    raise DataError(
                        "A query is one SELECT statement over the view bars; the store is never written by SQL."
                    )
                answer: pd.DataFrame = connection.sql(asked[0].query).to_arrow_table().to_pandas()
            except duckdb.Error as err:
                reason = " ".join(str(err).split())
                raise DataError(
                    f"The query cannot be answered: {reason}. It may read the view bars, and nothing else."
                ) from err
        return answer

    def collect_garbage(self, keep_versions: int = 20, *, apply: bool = False) -> Garbage:
        """The object files that none of the last `keep_versions` versions of any series needs, and leftovers.

        Parameters
        ----------
        keep_versions : int
            How many versions of each series keep their bars; at least 1. Older ones stay listed, without bars.
        apply : bool
            Remove the files; otherwise only list them.

        Raises
        ------
        DataError
            If `keep_versions` is below 1, or a list of versions is damaged: what it needs would be unknown.
        SetupError
            If a file cannot be removed.
        """
        if keep_versions < 1:
            raise DataError(f"keep_versions={keep_versions} would leave nothing; keep at least 1.")
        return self._shelf.collect(keep_versions, apply)

    def _stored(self, key: SeriesKey, afresh: bool) -> Stored | None:
        """The series as it stands. When starting afresh, what is damaged counts as absent."""
        try:
            pointer = self._shelf.pointer(key)
            return None if pointer is None else Stored(pointer, self._shelf.load(pointer.current.content))
        except DataError:
            if afresh:
                return None
            raise

    def _pointer(self, key: SeriesKey) -> Pointer:
        pointer = self._shelf.pointer(key)
        if pointer is None:
            names = {str(known): known for known in self.keys()}
            lookup(str(key), names, "series in the store called")
            raise DataError(f"{key} was removed from the store while it was being read.")
        return pointer

    def _existing(self, key: SeriesKey) -> Stored:
        """The series, read again if a writer and a collector came between its pointer and its object."""
        pointer = self._pointer(key)
        try:
            return Stored(pointer, self._shelf.load(pointer.current.content))
        except DataError:
            again = self._pointer(key)
            if again.current.content == pointer.current.content:
                raise
            return Stored(again, self._shelf.load(again.current.content))

    def _resolve(self, symbols: Sequence[str], timeframe: str, source: str | None) -> Sequence[SeriesKey]:
        """The one series of each symbol."""
        keys = self.keys()
        if source is not None:
            lookup(source, {key.source: key for key in keys}, "source in the store called")
            keys = tuple(key for key in keys if key.source == source)
        fitting: dict[str, tuple[SeriesKey, ...]] = {}
        for key in keys:
            if key.timeframe == timeframe:
                fitting[key.symbol] = (*fitting.get(key.symbol, ()), key)
        for symbol in symbols:
            others = sorted({key.timeframe for key in keys if key.symbol == symbol})
            if symbol not in fitting and others:
                raise DataError(
                    f"{symbol} is stored as {', '.join(others)} bars, not {timeframe}. Ask for one of those."
                )
            held = lookup(symbol, fitting, f"{timeframe} series in the store called")
            if len(held) > 1:
                sources = ", ".join(key.source for key in held)
                raise DataError(f"Several sources have {symbol} {timeframe}: {sources}. Say which with source=.")
        return [fitting[symbol][0] for symbol in symbols]


def _caveats(read: Sequence[Stored], adjustment: Adjustment) -> tuple[str, ...]:
    """The stored notes, and what the adjustment asked for could not do."""
    notes = [note for stored in read for note in stored.pointer.current.notes]
    symbols = [stored.pointer.key.symbol for stored in read if not stored.pointer.current.factors]
    if symbols and adjustment != "raw":
        notes.append(f"no adjustment factors came with {', '.join(symbols[:10])}: prices are as the source gave them")
    unknown = [s.pointer.key.symbol for s in read if bool(s.table["split_factor"].isna().any())]
    if unknown and adjustment == "split":
        raise DataError(
            f"The split factors of {', '.join(unknown[:10])} are not known (only an adjusted close was given). Ask for "
            "adjustment='all' or 'raw', or store the series with a split_factor column."
        )
    if unknown and adjustment == "all":
        notes.append(f"the volume of {', '.join(unknown[:10])} is not adjusted for splits, which are not known apart")
    return tuple(dict.fromkeys(notes))
