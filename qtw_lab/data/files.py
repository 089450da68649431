"""Price tables in CSV and Parquet files, read with plain answers to broken ones and written in one step."""

from __future__ import annotations

import csv
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, SeriesRef, Timeframe, near_misses
from qtw_lab.core.files import replacing
from qtw_lab.core.symbols import checked_symbol

_PARQUET_MAGIC: Final = b"PAR1"
_METADATA_KEY: Final = b"qtw_lab.bars"
_OPTIONS: Final = ("timeframe", "calendar", "adjustment", "source", "notes")
_KEPT: Final = (*_OPTIONS, "fingerprint")


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a CSV file is written.

    Parameters
    ----------
    separator : str
        Between columns.
    decimal, thousands : str
        The decimal mark, and the mark between thousands if any.
    encoding : str
        Character encoding.
    """

    separator: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"


def read_table(path: str | Path, text: TextFormat | None = None) -> pd.DataFrame:
    """The table in a price file as it stands, for a quality check, an import or `Bars.from_frame`.

    Parameters
    ----------
    path : path-like
        A ``.csv``, ``.csv.gz``, ``.txt``, ``.tsv``, ``.parquet`` or ``.pq`` file.
    text : TextFormat, optional
        How a CSV is written; a comma, a decimal point and UTF-8 by default (a tab for ``.tsv``).

    Raises
    ------
    DataError
        If the file is missing, empty, truncated, of another kind than its name says, or in another encoding; the
        message says which and how to mend it.

    Examples
    --------
    >>> read_table("prices.docx")
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: prices.docx: files of kind '.docx' are not read. Use .csv, .csv.gz, .parquet, .pq,
    .tsv or .txt.
    """
    file = Path(path)
    kind = ".csv.gz" if file.name.lower().endswith(".csv.gz") else file.suffix.lower()
    if kind not in _READERS:
        *most, last = sorted(_READERS)
        raise DataError(f"{file.name}: files of kind {kind!r} are not read. Use {', '.join(most)} or {last}.")
    _refuse_absent(file)
    try:
        table = _READERS[kind](file, text or TextFormat(separator="\t" if kind == ".tsv" else ","))
    except UnicodeDecodeError as err:
        raise DataError(
            f"{file.name} is not {err.encoding} text (byte {err.start}). If a spreadsheet wrote it, read it with "
            "TextFormat(encoding='cp1252') or 'utf-16', or save it again as CSV in UTF-8."
        ) from err
    except (EOFError, zlib.error) as err:
        raise DataError(
            f"{file.name} breaks off: its compressed content is incomplete ({err}). Fetch it again."
        ) from err
    except OSError as err:
        raise DataError(
            f"{file.name} cannot be read: {err.strerror or err}. Check that it is whole and permitted."
        ) from err
    if not len(table) or not len(table.columns):
        raise DataError(f"{file.name} has column names but no rows. Export it again with its data.")
    return table


def read_bars(
    path: str | Path | pd.DataFrame, symbol: str | None = None, *, text: TextFormat | None = None, **options: Any
) -> Bars:
    """Bars from a price file or a table.

    A Parquet file that `write_bars` wrote gives back the very bars (same fingerprint), with their timeframe, calendar,
    adjustment, source and notes.

    Parameters
    ----------
    path : path-like or pandas.DataFrame
        As `read_table`, or the table itself.
    symbol : str, optional
        Name of a single-symbol table without a symbol column; the file's name up to the first dot, if that is a symbol.
    text : TextFormat, optional
        As `read_table`.
    **options
        As `Bars.from_frame`: timeframe, calendar, tz, holes, adjust, adjustment, source, notes.

    Raises
    ------
    DataError
        As `read_table` and `Bars.from_frame`.

    Examples
    --------
    >>> read_bars(pd.DataFrame({"Date": ["2024-01-02", "2024-01-03"], "Close": [10.0, 11.0]}), symbol="X").shape
    (2, 1)
    """
    if isinstance(path, pd.DataFrame):
        return Bars.from_frame(path, symbol=symbol, **options)
    file = Path(path)
    table = read_table(file, text)
    kept = _kept(file)
    as_written = not options
    for name in _OPTIONS if kept else ():
        options.setdefault(name, kept[name])
    options.setdefault("source", file.name)
    bars = Bars.from_frame(table, symbol=symbol or _symbol_of(table, file), **options)
    if kept and len(bars.notes) > len(options["notes"]):  # written bars have all fields: no new caveat arises
        bars = replace(bars, notes=tuple(options["notes"]))
    if kept and as_written and bars.fingerprint != kept["fingerprint"]:
        raise DataError(f"{file.name} is damaged: its bars are not those that were written. Write it again.")
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    series = tuple(SeriesRef(f"file:{file.name}", name, str(bars.timeframe), content) for name in bars.symbols)
    return bars if bars.series else replace(bars, series=series)


def write_bars(bars: Bars, path: str | Path) -> Path:
    """Write bars as a tidy table (symbol, timestamp, five fields) in one step: readers see the old file or the new one.

    Rows are in order of symbol, then time. Bars that a symbol does not have are left out, and so is a symbol without
    any. Parquet keeps timeframe, calendar, adjustment, source and notes beside the numbers; CSV keeps the numbers to
    the last digit and nothing else.

    Parameters
    ----------
    bars : Bars
        At least one bar.
    path : path-like
        A ``.parquet``, ``.pq``, ``.csv`` or ``.csv.gz`` file; folders are made.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    DataError
        If the file's kind is not one of these, or there is no bar.
    SetupError
        If the folder cannot be written or the disk is full; what was there before is untouched.
    """
    file = Path(path)
    kind = ".csv.gz" if file.name.lower().endswith(".csv.gz") else file.suffix.lower()
    if kind not in _WRITERS:
        raise DataError(f"{file.name}: files of kind {kind!r} are not written. Use {', '.join(sorted(_WRITERS))}.")
    if not bars.present.any():
        raise DataError("There is no bar to write.")
    tidy = bars.tidy()
    order = tidy["symbol"].map({name: place for place, name in enumerate(bars.symbols)})
    tidy = tidy.iloc[order.argsort(kind="stable").to_numpy()].reset_index(drop=True)
    with replacing(file) as temporary:
        _WRITERS[kind](bars, tidy, temporary)
    return file


def _refuse_absent(file: Path) -> None:
    """Refuse what is not a file with something in it."""
    if file.is_dir():
        raise DataError(f"{file.name} is a folder. Name one file inside it.")
    if not file.is_file():
        there = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        close = near_misses(file.name, there)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Look in {file.parent} for the right name."
        raise DataError(f"There is no file {file.name} in {file.parent}. {hint}")
    if not file.stat().st_size:
        raise DataError(f"{file.name} is empty (0 bytes). Fetch or export it again.")


def _read_csv(file: Path, text: TextFormat) -> pd.DataFrame:
    with file.open("rb") as handle:
        if handle.read(4) == _PARQUET_MAGIC:
            raise DataError(f"{file.name} is a Parquet file under another name. Rename it to .parquet.")
    options = {"sep": text.separator, "encoding": text.encoding, "compression": "infer"}
    try:
        header = pd.read_csv(file, header=None, nrows=1, dtype=str, **options)  # type: ignore[call-overload]
        table: pd.DataFrame = pd.read_csv(file, decimal=text.decimal, thousands=text.thousands or None, **options)  # type: ignore[call-overload]
    except UnicodeDecodeError:
        raise
    except pd.errors.EmptyDataError as err:
        raise DataError(f"{file.name} has no columns. Export it again with its data.") from err
    except (pd.errors.ParserError, csv.Error) as err:
        raise DataError(
            f"{file.name} is not a regular table: {' '.join(str(err).split())}. Every line "
            "needs as many columns as the first."
        ) from err
    except (LookupError, ValueError, TypeError) as err:
        raise DataError(
            f"{file.name} cannot be read as {text}: {err}. Correct the separator, marks or encoding."
        ) from err
    names = header.iloc[0].dropna().str.strip().str.lower()
    if names.duplicated().any():
        raise DataError(f"{file.name} has two columns called {names[names.duplicated()].iloc[0]!r}. Keep one.")
    if len(table.columns) == 1 and any(mark in str(table.columns[0]) for mark in ";\t|"):
        raise DataError(
            f"{file.name} has a single column, {str(table.columns[0])[:40]!r}: its columns are not separated by "
            f"{text.separator!r}. Say how, for example TextFormat(separator=';', decimal=',')."
        )
    first = str(table.columns[0]) if len(table.columns) else ""
    if first.startswith("Unnamed") and pd.isna(header.iloc[0, 0]):
        table = table.rename(columns={table.columns[0]: "timestamp"})  # how a table's index is written to CSV
    return table


def _read_parquet(file: Path, text: TextFormat) -> pd.DataFrame:
    del text  # a Parquet file says itself how it is written
    from pyarrow import ArrowException

    with file.open("rb") as handle:
        head = handle.read(4)
    if head != _PARQUET_MAGIC:
        raise DataError(
            f"{file.name} is not a Parquet file: it does not begin with {_PARQUET_MAGIC.decode()}. Check its kind."
        )
    try:
        return pd.read_parquet(file, page_checksum_verification=True)
    except (ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as err:
        # damage in the footer, which has no checksum, surfaces as any of these
        reason = " ".join(str(err).split())[:160]
        raise DataError(
            f"{file.name} is a damaged or truncated Parquet file ({reason}). Fetch or write it again."
        ) from err


def _write_csv(bars: Bars, tidy: pd.DataFrame, path: Path, compression: Literal["gzip"] | None = None) -> None:
    del bars  # a CSV has room for the numbers only
    tidy.to_csv(path, index=False, compression=compression)


def _write_csv_gz(bars: Bars, tidy: pd.DataFrame, path: Path) -> None:
    _write_csv(bars, tidy, path, compression="gzip")


def _write_parquet(bars: Bars, tidy: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    filled = np.flatnonzero(bars.present.any(axis=0))
    written = bars.select([bars.symbols[place] for place in filled])
    kept = {name: getattr(written, name) for name in _KEPT} | {"timeframe": str(bars.timeframe)}
    table = pa.Table.from_pandas(tidy, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _METADATA_KEY: json.dumps(kept, ensure_ascii=False).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path, write_page_checksum=True)


def _kept(file: Path) -> dict[str, Any]:
    """What `write_bars` kept beside the numbers of a Parquet file, as options of `Bars.from_frame`."""
    if file.suffix.lower() not in (".parquet", ".pq"):
        return {}
    import pyarrow.parquet as pq

    text = (pq.read_schema(file).metadata or {}).get(_METADATA_KEY)
    if text is None:
        return {}
    try:
        kept = json.loads(text)
        kept["timeframe"] = Timeframe.parse(kept["timeframe"])
        return {name: kept[name] for name in _KEPT}
    except (ValueError, KeyError, TypeError) as err:
        raise DataError(
            f"{file.name} carries damaged notes of its own ({err}). Write it again with write_bars."
        ) from err


def _symbol_of(table: pd.DataFrame, file: Path) -> str | None:
    """The symbol that a file's name gives, where its table has none."""
    if isinstance(table.columns, pd.MultiIndex) or {"symbol", "ticker"} & {
        str(c).strip().lower() for c in table.columns
    }:
        return None
    return checked_symbol(file.name.split(".")[0].upper())


_READERS: Final[MappingProxyType[str, Callable[[Path, TextFormat], pd.DataFrame]]] = MappingProxyType(
    dict.fromkeys((".csv", ".csv.gz", ".txt", ".tsv"), _read_csv) | dict.fromkeys((".parquet", ".pq"), _read_parquet)
)
_WRITERS: Final[MappingProxyType[str, Callable[[Bars, pd.DataFrame, Path], None]]] = MappingProxyType(
    {".csv": _write_csv, ".csv.gz": _write_csv_gz, ".parquet": _write_parquet, ".pq": _write_parquet}
)
