"""What people keep at hand on the pages: preferences, lists of symbols, presets; small JSON files."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from filelock import FileLock, Timeout

from qtw_lab.core import DataError, Settings, SetupError, lookup, parse_symbols
from qtw_lab.core.files import write_text

#: Seconds to wait for another page that keeps something of the same kind.
_PATIENCE: Final = 10.0

_NAME: Final = re.compile(r"[\w][\w .+-]{0,59}")
_THEMES: Final = ("light", "dark")
_LANGUAGES: Final = ("en", "zh")


@dataclass(frozen=True)
class Preferences:
    """How somebody likes the pages.

    Parameters
    ----------
    theme : {"light", "dark"}
        Colours.
    language : {"en", "zh"}
        Of the labels.

    Raises
    ------
    DataError
        If there is no such theme or language.
    """

    theme: str = "light"
    language: str = "en"

    def __post_init__(self) -> None:
        lookup(self.theme, dict.fromkeys(_THEMES), "theme")
        lookup(self.language, dict.fromkeys(_LANGUAGES), "language")


@dataclass(frozen=True)
class Keepsakes:
    """Small things kept by name, each kind in a file that is replaced in one step.

    Parameters
    ----------
    folder : pathlib.Path
        Where they are kept; made when the first is.
    language : str
        Of the labels, where nobody has chosen one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = Keepsakes(Path(folder))
    ...     kept.keep("watchlist", "mine", ["AAPL", "IBM"])
    ...     kept.names("watchlist"), kept.kept("watchlist", "mine")
    (['mine'], ['AAPL', 'IBM'])
    """

    folder: Path
    language: str = "en"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a machine."""
        return cls(settings.qtw_storage_dir / "pages", settings.qtw_language)

    def preferences(self) -> Preferences:
        """How the pages are liked; a file that cannot be read counts as none, since nothing is lost with it."""
        try:
            said = json.loads((self.folder / "preferences.json").read_text(encoding="utf-8"))
            return Preferences(str(said["theme"]), str(said["language"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return Preferences(language=self.language)

    def prefer(self, **changes: str) -> Preferences:
        """Keep another theme or language.

        Raises
        ------
        DataError
            If there is none of that name.
        SetupError
            If it cannot be written.
        """
        for name in changes:
            lookup(name, dict.fromkeys(asdict(Preferences())), "preference")
        with self._held("preferences"):
            made = replace(self.preferences(), **changes)
            write_text(self.folder / "preferences.json", json.dumps(asdict(made)))
        return made

    def watchlist(self, name: str = "watchlist") -> tuple[str, ...]:
        """The symbols of a list; none if there is no such list.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        found = self._all("watchlist").get(name, [])
        if not isinstance(found, list) or not all(isinstance(symbol, str) for symbol in found):
            path = self.folder / "watchlist.json"
            raise DataError(f"{path}: {name} is no list of symbols. Mend it, or move it away to begin anew.")
        return tuple(found)

    def watch(self, symbols: Any, name: str = "watchlist") -> tuple[str, ...]:
        """Keep a list of symbols; an empty one is forgotten.

        Raises
        ------
        DataError
            If a symbol cannot be one.
        """
        wanted = tuple(parse_symbols(symbols)) if symbols else ()
        if wanted:
            self.keep("watchlist", name, list(wanted))
            return wanted
        if name in self.names("watchlist"):
            with self._changing("watchlist") as found:
                found.pop(name, None)
        return wanted

    def names(self, kind: str) -> list[str]:
        """What is kept of a kind, by name."""
        return sorted(self._all(kind))

    def kept(self, kind: str, name: str) -> Any:
        """What was kept under a name.

        Raises
        ------
        DataError
            If there is nothing of that name (near misses are named), or the file is damaged.
        """
        return lookup(name, self._all(kind), kind)

    def keep(self, kind: str, name: str, value: Any) -> None:
        """Keep a JSON value under a name, in place of what was there.

        Raises
        ------
        DataError
            If the name does not fit, or the value is none that JSON can hold.
        SetupError
            If it cannot be written.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise DataError(f"{name!r} cannot name a {kind}: use letters, digits, spaces and . _ + -, at most 60.")
        with self._changing(kind) as found:
            found[name] = value

    def forget(self, kind: str, name: str) -> None:
        """Keep it no longer.

        Raises
        ------
        DataError
            If there is nothing of that name.
        """
        with self._changing(kind) as found:
            lookup(name, found, kind)
            del found[name]

    @contextlib.contextmanager
    def _changing(self, kind: str) -> Iterator[dict[str, Any]]:
        """What is kept of a kind, to be changed: it is written if the block ends well, and nobody writes meanwhile."""
        with self._held(kind):
            found = self._all(kind)
            yield found
            self._write(kind, found)

    @contextlib.contextmanager
    def _held(self, kind: str) -> Iterator[None]:
        """Hold this to read, change and write: two pages, of one process or two, then lose nothing of each other."""
        path = self.folder / f"{kind}.lock"
        lock = FileLock(path, timeout=_PATIENCE, poll_interval=0.01, thread_local=False)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise SetupError(
                f"Another page holds {path} for more than {_PATIENCE:g} s. End it, and try again."
            ) from None
        except OSError as err:
            raise SetupError(
                f"Cannot write {kind} in {self.folder}: {err.strerror or err}. Permit writing there, free some space, "
                "or set QTW_STORAGE_DIR to a folder that can be written."
            ) from err
        try:
            yield
        finally:
            lock.release()

    def _all(self, kind: str) -> dict[str, Any]:
        path = self.folder / f"{kind}.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as err:
            raise DataError(f"{path} cannot be read ({err}). Mend it, or move it away to begin anew.") from err
        if not isinstance(found, dict):
            raise DataError(f"{path} is no table of names. Mend it, or move it away to begin anew.")
        return found

    def _write(self, kind: str, values: Mapping[str, Any]) -> None:
        try:
            said = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
            said.encode("utf-8")
        except (TypeError, ValueError, RecursionError) as err:
            raise DataError(f"A {kind} holds what a file cannot: {err}.") from err
        write_text(self.folder / f"{kind}.json", said)
