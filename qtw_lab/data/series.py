"""What the store calls a series: its key, its versions, and the small file that points at them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import pandas as pd

from qtw_lab.core import DataError, Timeframe
from qtw_lab.core.symbols import checked_symbol
from qtw_lab.data.revisions import RevisionReport

_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_CONTENT: Final = re.compile(r"[0-9a-f]{64}")
_FORMAT: Final = 1

#: Names that some operating systems keep for devices; a file must not be called so, whatever follows the first dot.
_RESERVED: Final = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?")


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """Which series: the source it came from, its symbol and the length of its bars.

    Parameters
    ----------
    source : str
        1 to 32 lower-case letters, digits, ``_`` and ``-``, such as "alpaca-iex".
    symbol : str
        As exchanges write it; kept in upper case.
    timeframe : str
        Anything `Timeframe.parse` reads; kept in its canonical form.

    Raises
    ------
    DataError
        If one of them cannot be used.

    Examples
    --------
    >>> SeriesKey("files", "btc/usd", "1Day")
    SeriesKey(source='files', symbol='BTC/USD', timeframe='1D')
    >>> SeriesKey("../etc", "X", "1D")
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: '../etc' is not a source name: use 1 to 32 lower-case letters, digits, _ and -.
    """

    source: str
    symbol: str
    timeframe: str = "1D"

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not _SOURCE.fullmatch(self.source):
            raise DataError(
                f"{str(self.source)[:40]!r} is not a source name: use 1 to 32 lower-case letters, digits, _ and -."
            )
        object.__setattr__(self, "symbol", checked_symbol(str(self.symbol).strip()).upper())
        object.__setattr__(self, "timeframe", str(Timeframe.parse(self.timeframe)))

    @property
    def stem(self) -> str:
        """The symbol as a file name safe on every system: ``^GSPC`` is ``%5EGSPC``, ``BTC/USD`` is ``BTC%2FUSD``."""
        stem = quote(self.symbol, safe="")
        return f"%{ord(stem[0]):02X}{stem[1:]}" if _RESERVED.fullmatch(self.symbol) else stem

    def path(self, root: Path) -> Path:
        """The file under `root` that lists this series' versions."""
        return root / self.source / self.timeframe / f"{self.stem}.json"

    @classmethod
    def of(cls, path: Path) -> SeriesKey:
        """The key whose `path` this is.

        Raises
        ------
        DataError
            If no series is stored under such a name.
        """
        return cls(path.parent.parent.name, unquote(path.name.removesuffix(".json")), path.parent.name)

    def __str__(self) -> str:
        return f"{self.source}/{self.symbol} {self.timeframe}"


@dataclass(frozen=True, slots=True)
class Version:
    """One stored state of a series.

    Parameters
    ----------
    content : str
        SHA-256 of the Parquet file that holds it, and that file's name.
    rows : int
        Bars it has.
    first, last : pandas.Timestamp
        Its first and last bar, UTC.
    written_at : pandas.Timestamp
        When it was stored, UTC.
    calendar : str
        Exchange code, or "24/7".
    parent : str or None
        Content it was merged into; None for the first version.
    origin : str
        Where the new bars came from, for people ("alpaca iex 2024-01-01 to 2024-06-30").
    added : int
        Bars that the parent did not have.
    factors : bool
        Whether the source gave adjustment factors. If not, they are all 1.0 because nobody knows better.
    notes : tuple of str
        Caveats that belong to the bars.
    """

    content: str
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    written_at: pd.Timestamp
    calendar: str
    parent: str | None
    origin: str
    added: int
    factors: bool
    notes: tuple[str, ...] = ()

    def covers(self, times: pd.DatetimeIndex) -> bool:
        """Whether any of `times` lies between the first and the last bar."""
        return bool(((times >= self.first) & (times <= self.last)).any())

    def as_plain(self) -> dict[str, Any]:
        """Values ready for JSON."""
        moments = {name: getattr(self, name).isoformat() for name in ("first", "last", "written_at")}
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {**plain, **moments, "notes": list(self.notes)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Version:
        """The version that `as_plain` described; KeyError, TypeError or ValueError if it did not."""
        moments = {name: pd.Timestamp(plain[name]) for name in ("first", "last", "written_at")}
        if not _CONTENT.fullmatch(plain["content"]) or any(at.tzinfo is None for at in moments.values()):
            raise ValueError("its content or a time is not written as it should be")
        return cls(**{**plain, **moments, "notes": tuple(plain["notes"])})


@dataclass(frozen=True, slots=True)
class Pointer:
    """The list of a series' versions, oldest first, and the last revision reports, newest first."""

    key: SeriesKey
    versions: tuple[Version, ...]
    revisions: tuple[RevisionReport, ...] = ()

    @property
    def current(self) -> Version:
        """The version readers see."""
        return self.versions[-1]

    def to_json(self) -> str:
        """The text of the pointer file."""
        plain = {
            "format": _FORMAT,
            "source": self.key.source,
            "symbol": self.key.symbol,
            "timeframe": self.key.timeframe,
            "versions": [version.as_plain() for version in self.versions],
            "revisions": [report.as_plain() for report in self.revisions],
        }
        return json.dumps(plain, indent=1)

    @classmethod
    def read(cls, path: Path) -> Pointer:
        """The pointer stored at `path`.

        Raises
        ------
        DataError
            If the file cannot be read as one; the message names it and the remedy.
        """
        try:
            return cls._parsed(path)
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise DataError(
                f"The list of versions {path} is damaged ({type(err).__name__}: {err}). Restore it from a backup, or "
                "fetch the series again and store it with Store.write(..., afresh=True)."
            ) from err

    @classmethod
    def _parsed(cls, path: Path) -> Pointer:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if plain["format"] != _FORMAT:
            raise ValueError(f"format {plain['format']!r} is not {_FORMAT}")
        key = SeriesKey(plain["source"], plain["symbol"], plain["timeframe"])
        if key != SeriesKey.of(path):
            raise ValueError(f"it describes {key}, not what its name says")
        versions = tuple(Version.from_plain(entry) for entry in plain["versions"])
        if not versions:
            raise ValueError("it lists no version")
        return cls(key, versions, tuple(RevisionReport.from_plain(entry) for entry in plain["revisions"]))
