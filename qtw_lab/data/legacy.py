"""The reference system's cache folder: its prices moved into the store, its litter found. Nothing happens unasked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from qtw_lab.core import Clock, DataError, Fact, Facts, SystemClock, Timeframe, frames
from qtw_lab.core.symbols import checked_symbol
from qtw_lab.data.merging import incoming
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store

#: Name of the source the imported series get.
SOURCE: Final = "legacy"

#: What the old cache never said about its prices, and what its results should now say.
NOTE: Final = (
    "imported from the reference system's cache: its vendor had adjusted the prices for splits already; dividends are "
    "in the factor only where 'adj close' differs from 'close'"
)

#: Longest file name kept, in bytes: far above any name the old system wrote on purpose.
LONGEST_NAME: Final = 120

#: A file still being written is younger than this, in days (one hour).
_UNFINISHED: Final = 1.0 / 24.0

_SNAPSHOTS: Final = "market_snapshots"
_FOLDER: Final = "data_cache"
_ADJUSTED: Final = ("adj close", "adj_close", "adjclose", "adjusted_close")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the old cache.

    Parameters
    ----------
    path : pathlib.Path
        The file, relative to the cache folder.
    action : {"import", "imported", "unchanged", "fault", "left alone"}
        What would happen to it, or has.
    series : str
        The series it holds, if it holds prices.
    rows : int
        Bars in it.
    first, last : pandas.Timestamp or None
        Their span.
    reason : str
        Why it is at fault or left alone; or what the store says of the import.
    """

    path: Path
    action: str
    series: str = ""
    rows: int = 0
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    reason: str = ""


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do, or has done if `applied`."""

    folder: Path
    items: tuple[Item, ...]
    applied: bool

    @property
    def faults(self) -> tuple[Item, ...]:
        """The files that cannot be imported, with the reason."""
        return tuple(item for item in self.items if item.action == "fault")

    def table(self) -> pd.DataFrame:
        """One row a file."""
        return _table(self.items, Item)

    def facts(self) -> Facts:
        """How many files go which way."""
        actions = [item.action for item in self.items]
        counts = tuple(Fact(name.replace(" ", "_"), actions.count(name), "count") for name in dict.fromkeys(actions))
        bars = Fact("bars", sum(item.rows for item in self.items if item.action != "fault"), "count")
        notes = (
            ()
            if self.applied
            else ("Nothing was imported yet: this is the plan. Pass --apply (apply=True) to import.",)
        )
        return Facts(f"Import of {self.folder}", (*counts, bars), notes)


@dataclass(frozen=True, slots=True)
class Litter:
    """One file to remove, relative to the cache folder: why, its size in bytes and its age in days."""

    path: Path
    reason: str
    size: int
    age_days: float
    fault: str = ""


@dataclass(frozen=True)
class CleanPlan:
    """What a cleaning would remove, or has removed if `applied`; `Litter.fault` says what could not be removed."""

    folder: Path
    items: tuple[Litter, ...]
    applied: bool

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(item.size for item in self.items)

    def table(self) -> pd.DataFrame:
        """One row a file."""
        return _table(self.items, Litter)

    def facts(self) -> Facts:
        """How many files, and how large."""
        notes = (
            () if self.applied else ("Nothing was removed yet: this is the plan. Pass --apply (apply=True) to remove.",)
        )
        faults = sum(bool(item.fault) for item in self.items)
        return Facts(
            f"Cleaning of {self.folder}",
            (
                Fact("files", len(self.items), "count"),
                Fact("bytes", self.size, "count"),
                Fact("faults", faults, "count"),
            ),
            notes,
        )


def import_legacy_cache(base_dir: Path | str, store: Store, *, apply: bool = False) -> ImportPlan:
    """Move the old cache's prices into the store under the source "legacy"; a dry run unless `apply`.

    Read are ``TICKER.csv`` (date, open, high, low, close, adj close, volume in any case) and
    ``market_snapshots/<sha>.parquet`` with its ``.json``. Everything else is listed and left alone. A file at fault is
    listed with the reason and does not stop the others. The old folder is never written to.

    Parameters
    ----------
    base_dir : pathlib.Path
        The old storage folder, or its ``data_cache``.
    store : Store
        Where to.
    apply : bool
        Import; otherwise only say what would be.

    Raises
    ------
    DataError
        If the folder is not such a cache.
    SetupError
        If the store cannot be written.
    """
    folder = _cache_folder(base_dir)
    items = tuple(item for path in _files(folder) for item in _import(folder, path, store, apply))
    return ImportPlan(folder, items, apply)


def clean_cache(
    base_dir: Path | str, *, apply: bool = False, max_age_days: float | None = None, clock: Clock | None = None
) -> CleanPlan:
    """Find, and with `apply` remove, the litter of the old cache.

    Litter is a file name longer than `LONGEST_NAME` bytes or with a colon, a ``.part`` or ``.tmp`` file older than an
    hour, a snapshot that is no Parquet file (with its description), and a snapshot older than `max_age_days`. Links are
    neither followed nor removed, and nothing outside the cache folder is touched.

    Parameters
    ----------
    base_dir : pathlib.Path
        The old storage folder, or its ``data_cache``.
    apply : bool
        Remove; otherwise only say what would be.
    max_age_days : float, optional
        Age of the last change from which a snapshot is litter; no age by default.
    clock : Clock, optional
        Tells the present; the machine's by default.

    Raises
    ------
    DataError
        If the folder is not such a cache, or the age is negative.
    """
    if max_age_days is not None and not max_age_days >= 0:
        raise DataError(f"max_age_days={max_age_days} must be zero or more.")
    folder = _cache_folder(base_dir)
    now = (clock or SystemClock()).now()
    items = []
    for path in _files(folder):
        status = path.lstat()
        age = (now.timestamp() - status.st_mtime) / 86_400
        reason = _litter(path, age, max_age_days)
        if reason:
            fault = _removed(folder, path) if apply else ""
            items.append(Litter(path.relative_to(folder), reason, status.st_size, age, fault))
    return CleanPlan(folder, tuple(items), apply)


def _cache_folder(base_dir: Path | str) -> Path:
    """The cache inside what was named; refuses folders that are none, so that nobody cleans a home folder."""
    base = Path(base_dir)
    if not base.is_dir():
        raise DataError(f"There is no folder {base}. Name the old storage folder, or its {_FOLDER}.")
    base = base.resolve()
    inner = base / _FOLDER
    if inner.is_dir() and not inner.is_symlink():
        return inner
    if base.name == _FOLDER or (base / _SNAPSHOTS).is_dir():
        return base
    raise DataError(f"{base} is not a cache of the reference system: it has no {_FOLDER} and no {_SNAPSHOTS} folder.")


def _files(folder: Path) -> Iterator[Path]:
    """Every regular file below the folder, in order; links are passed over."""
    for place, below, names in os.walk(folder, followlinks=False):
        below.sort()
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _import(folder: Path, path: Path, store: Store, apply: bool) -> Iterator[Item]:
    """What becomes of one file: an item for each series it holds."""
    shown = path.relative_to(folder)
    reader = _CSV if path.suffix.lower() == ".csv" and path.parent == folder else None
    if path.suffix == ".parquet" and path.parent.name == _SNAPSHOTS:
        reader = _SNAPSHOT
    if reader is None:
        snapshot = path.parent.name == _SNAPSHOTS and path.with_suffix(".parquet").is_file()
        yield Item(shown, "left alone", reason="describes a snapshot" if snapshot else "not prices, left alone")
        return
    try:
        parts = reader(path)
    except (DataError, ValueError, OSError, KeyError, TypeError) as err:
        yield Item(shown, "fault", reason=_one_line(err))
        return
    for part in parts:
        yield _one(shown, part, store, apply)


@dataclass(frozen=True)
class _Part:
    """The bars of one symbol in a file, with the length of a bar if the file says it."""

    symbol: str
    frame: pd.DataFrame = field(repr=False)
    timeframe: str | None = None


def _one(shown: Path, part: _Part, store: Store, apply: bool) -> Item:
    """Check one series and, if asked, store it."""
    try:
        frame = _with_factors(part.frame)
        length = (
            Timeframe.parse(part.timeframe) if part.timeframe else frames.infer_timeframe(_times(frame, part.symbol))
        )
        key = SeriesKey(SOURCE, part.symbol, str(length))
        table = incoming(frame, key, None).table
        item = Item(shown, "import", str(key), len(table), table.index[0], table.index[-1])
        if not apply:
            return item
        report = store.write(key, frame, origin=f"legacy cache {shown}", notes=(NOTE,))
    except (ValueError, TypeError) as err:
        return Item(shown, "fault", part.symbol, reason=_one_line(err))
    said = report.revision.message if report.revision else f"{report.added:,} bar(s) added"
    done = "imported" if report.changed else "unchanged"
    return Item(shown, done, item.series, item.rows, item.first, item.last, said)


def _read_csv(path: Path) -> list[_Part]:
    """A ticker's file: the newest rows last, whatever order it has."""
    symbol = checked_symbol(path.stem)
    frame = pd.read_csv(path, encoding="utf-8-sig")
    return [_Part(symbol, _dated(frame))]


def _read_snapshot(path: Path) -> list[_Part]:
    """A snapshot: symbols from its columns, or from the description beside it."""
    frame = pd.read_parquet(path)
    about = _description(path.with_suffix(".json"))
    length = next((str(about[name]) for name in ("timeframe", "interval") if about.get(name)), None)
    if frame.columns.nlevels == 2:
        fields = set(map(str.lower, frame.columns.get_level_values(0).astype(str)))
        level = 1 if "close" in fields else 0
        names = list(dict.fromkeys(frame.columns.get_level_values(level)))
        parts = [(str(name), pd.DataFrame(frame.xs(name, axis=1, level=level))) for name in names]
        return [_Part(name, part.dropna(how="all").sort_index(), length) for name, part in parts]
    column = next((c for c in frame.columns if str(c).lower() in ("symbol", "ticker")), None)
    if column is not None:
        return [_Part(str(n), _dated(part.drop(columns=[column])), length) for n, part in frame.groupby(column)]
    named = about.get("symbols") or about.get("tickers") or about.get("symbol") or about.get("ticker") or []
    symbols = [named] if isinstance(named, str) else list(named)
    if len(symbols) != 1:
        raise DataError(
            f"The snapshot names {len(symbols)} symbols for one series, in its columns or {path.stem}.json."
        )
    return [_Part(str(symbols[0]), _dated(frame), length)]


_CSV: Final = _read_csv
_SNAPSHOT: Final = _read_snapshot


def _description(path: Path) -> dict[str, Any]:
    """The JSON beside a snapshot; empty if there is none."""
    if not path.is_file() or path.is_symlink():
        return {}
    about = json.loads(path.read_text(encoding="utf-8"))
    return about if isinstance(about, dict) else {}


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame by time, earliest first: the old cache did not keep an order."""
    column = next(
        (c for c in frame.columns if str(c).strip().lower() in ("date", "timestamp", "datetime", "time")), None
    )
    if column is None:
        if isinstance(frame.index, pd.DatetimeIndex):
            return frame.sort_index()
        raise DataError("The file has no column called date, timestamp, datetime or time.")
    offsets = frame[column].astype(str).str.contains(r"(?:[+-]\d\d:?\d\d|Z)$", regex=True)
    times = pd.to_datetime(frame[column], format="ISO8601", utc=bool(offsets.any()))
    return frame.drop(columns=[column]).set_axis(pd.DatetimeIndex(times), axis=0).sort_index()


def _times(frame: pd.DataFrame, symbol: str) -> pd.DatetimeIndex:
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise DataError(f"The bars of {symbol} have no times.")
    if not frame.index.is_unique:
        raise DataError(f"{symbol} has a time more than once, first {frame.index[frame.index.duplicated()][0]}.")
    return frame.index


def _with_factors(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its factors: prices are split-adjusted as they come, dividends are in an honest adjusted close."""
    named = {str(column).strip().lower(): column for column in frame.columns}
    adjusted = next((named[name] for name in _ADJUSTED if name in named), None)
    if adjusted is None or "close" not in named:
        return frame.assign(split_factor=1.0, factor=1.0)
    factor = pd.to_numeric(frame[adjusted]) / pd.to_numeric(frame[named["close"]])
    return frame.drop(columns=[adjusted]).assign(split_factor=1.0, factor=factor)


def _litter(path: Path, age: float, max_age_days: float | None) -> str:
    """Why a file is litter, or nothing."""
    name = path.name
    if ":" in name:
        return "its name has a colon, which other systems cannot hold"
    if len(os.fsencode(name)) > LONGEST_NAME:
        return f"its name is longer than {LONGEST_NAME} bytes"
    if path.suffix in (".part", ".tmp"):
        return "left over from an unfinished write" if age > _UNFINISHED else ""
    if path.parent.name == _SNAPSHOTS and path.suffix in (".parquet", ".json"):
        return _stale(path, age, max_age_days)
    return ""


def _stale(path: Path, age: float, max_age_days: float | None) -> str:
    """Why a snapshot, or the description beside it, is litter, or nothing."""
    bars = path.with_suffix(".parquet")
    if path == bars:
        old = max_age_days is not None and age > max_age_days
        return f"a snapshot older than {max_age_days:g} days" if old else _broken(path)
    if not bars.is_file() or bars.is_symlink():
        return "describes a snapshot that is not there" if age > _UNFINISHED else ""
    reason = _stale(bars, age + (path.lstat().st_mtime - bars.lstat().st_mtime) / 86_400, max_age_days)
    return f"describes {reason}" if reason.startswith("a ") else reason and f"describes a snapshot that is {reason}"


def _broken(path: Path) -> str:
    """Why a file is no Parquet file, or nothing."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        parquet.read_table(path, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as err:
        return f"broken Parquet ({_one_line(err)[:80]})"
    return ""


def _removed(folder: Path, path: Path) -> str:
    """Remove a file that still lies inside the folder; what kept it, or nothing."""
    if path.is_symlink() or not path.parent.resolve().is_relative_to(folder):
        return "it has become a link, or leads out of the folder"
    try:
        path.unlink()
    except OSError as err:
        return err.strerror or str(err)
    return ""


def _one_line(err: Exception) -> str:
    return " ".join(str(err).split())[:400] or type(err).__name__


def _table(items: tuple[Any, ...], kind: type) -> pd.DataFrame:
    names = list(kind.__slots__)  # type: ignore[attr-defined]  # both kinds have slots
    return pd.DataFrame([[getattr(item, name) for name in names] for item in items], columns=names)
