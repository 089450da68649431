"""Headlines from a file of this machine, where there is one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pandas as pd

from qtw_lab.core import DataError, Settings

#: The file in the storage folder that makes a source of news configured: one JSON object a line.
FILE: Final = "news.ndjson"

#: How much of the file's end is read, in bytes.
_READ: Final = 1_000_000

_COLUMNS: Final = ("time", "symbol", "headline", "source", "url")
_LONGEST: Final = 300


@dataclass(frozen=True, eq=False)
class News:
    """Headlines, newest first.

    Parameters
    ----------
    path : pathlib.Path
        Where they are read from.
    configured : bool
        Whether there is such a file.
    table : pandas.DataFrame
        `time` (UTC), `symbol` (may be empty), `headline`, `source`, and `url` ("" where it is no http address).
    unread : int
        Lines that are no headline.
    """

    path: Path
    configured: bool
    table: pd.DataFrame
    unread: int = 0


def news(settings: Settings, symbols: Iterable[str] = (), count: int = 30) -> News:
    """The last headlines about some symbols; of all symbols by default.

    A source is configured where ``news.ndjson`` lies in the storage folder: lines with ``time`` (ISO 8601, UTC if it
    says no zone), ``symbol``, ``headline``, ``source`` and ``url``. Only the last 1 MB is read.

    Parameters
    ----------
    settings : Settings
        Names the storage folder.
    symbols : iterable of str, optional
        Whose news.
    count : int
        How many at most.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    path = settings.qtw_storage_dir / FILE
    try:
        lines = _last_lines(path)
    except FileNotFoundError:
        return News(path, False, pd.DataFrame(columns=_COLUMNS))  # noqa: FBT003  (a field named in the class)
    except OSError as err:
        raise DataError(f"{path} cannot be read: {err.strerror or err}. Permit reading it, or move it away.") from err
    wanted = {symbol.upper() for symbol in symbols}
    read = [_headline(line) for line in lines if line.strip()]
    rows = [row for row in read if row is not None and (not wanted or row[1] in wanted)]
    table = pd.DataFrame(rows, columns=_COLUMNS).sort_values("time", ascending=False, kind="stable").head(count)
    return News(path, True, table.reset_index(drop=True), sum(row is None for row in read))  # noqa: FBT003  (as above)


def mark(settings: Settings) -> tuple[int, int] | None:
    """What changes whenever the file of news does: its time of change and size; None where there is no file."""
    try:
        about = (settings.qtw_storage_dir / FILE).stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _last_lines(path: Path) -> list[bytes]:
    """Lines at the end of the file; the first one is left out where it may be the rest of a longer one."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _READ))
        lines = file.read().split(b"\n")
    return lines if size <= _READ else lines[1:]


def _headline(line: bytes) -> tuple[Any, ...] | None:
    """One line's values; None if it is no headline."""
    try:
        said = json.loads(line)
        time: Any = pd.Timestamp(said["time"])
        headline = str(said["headline"]).strip()
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if time is pd.NaT or not headline:
        return None
    time = time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")
    symbol, source = (str(said.get(name) or "") for name in ("symbol", "source"))
    return time, symbol.upper()[:32], headline[:_LONGEST], source[:60], _address(said.get("url"))


def _address(url: Any) -> str:
    """The address, if it is one of the web; a page must not link to anything else."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return ""
    return url if parts is not None and parts.scheme in ("http", "https") and parts.netloc else ""
