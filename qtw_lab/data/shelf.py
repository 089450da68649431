"""The store's files: where they lie, who may write, and what is left over. No prices are understood here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from qtw_lab.core import DataError, SetupError
from qtw_lab.core.files import write_text
from qtw_lab.data import objects
from qtw_lab.data.series import Pointer, SeriesKey


@dataclass(frozen=True)
class Garbage:
    """Stored files that no kept version needs: their paths, their size in bytes, and whether they were removed."""

    files: tuple[Path, ...]
    size: int
    removed: bool


@dataclass(frozen=True)
class Shelf:
    """The folder of a store.

    Objects and pointers are written only by the holder of ``publish.lock``, so that the holder knows every ``.part``
    file to be left over, and nothing is collected between an object and the pointer to it.

    Parameters
    ----------
    folder : pathlib.Path
        Where it lies.
    patience : float
        Seconds to wait for another writer.
    """

    folder: Path
    patience: float

    @property
    def objects(self) -> Path:
        """Where the Parquet files lie."""
        return self.folder / "objects"

    def path(self, key: SeriesKey) -> Path:
        """The pointer file of a series."""
        return key.path(self.folder / "series")

    def keys(self) -> tuple[SeriesKey, ...]:
        """Every series there is, in order; files that are not named like one are passed over."""
        found = []
        for path in (self.folder / "series").glob("*/*/*.json"):
            with contextlib.suppress(DataError):
                key = SeriesKey.of(path)
                if self.path(key) == path:
                    found.append(key)
        return tuple(sorted(found))

    def pointer(self, key: SeriesKey) -> Pointer | None:
        """The versions of a series, or None if there is no such series; DataError if the list is damaged."""
        try:
            return Pointer.read(self.path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as err:
            raise SetupError(f"Cannot read {self.path(key)}: {err.strerror}. Permit reading it.") from err

    def load(self, content: str) -> pd.DataFrame:
        """The table of that content; errors as `objects.load`."""
        return objects.load(self.objects, content)

    def series_lock(self, key: SeriesKey) -> contextlib.AbstractContextManager[None]:
        """Hold this to read, merge and publish a series."""
        return self._locked(self.path(key).with_name(f"{key.stem}.lock"), str(key))

    def publish(self, pointer: Pointer, content: bytes) -> None:
        """Store an object, then the pointer that names it.

        Raises
        ------
        SetupError
            If the folder cannot be written or the disk is full; readers then still see the old version.
        """
        path = self.path(pointer.key)
        with self._locked(self.folder / "publish.lock", "the store"):
            for leftover in (*_parts(self.objects), *_parts(path.parent)):
                _remove(leftover)
            objects.save(self.objects, content)
            write_text(path, pointer.to_json())

    def collect(self, keep_versions: int, apply: bool) -> Garbage:
        """See `Store.collect_garbage`."""
        if not self.objects.is_dir():
            return Garbage((), 0, apply)
        with self._locked(self.folder / "publish.lock", "the store") if apply else contextlib.nullcontext():
            pointers = [pointer for key in self.keys() if (pointer := self.pointer(key)) is not None]
            needed = {version.content for pointer in pointers for version in pointer.versions[-keep_versions:]}
            stale = [path for path in self.objects.glob("*.parquet") if path.stem not in needed]
            parts = [part for folder in (self.objects, *self.folder.glob("series/*/*")) for part in _parts(folder)]
            files = tuple(sorted(stale + parts))
            size = sum(path.stat().st_size for path in files)
            for path in files if apply else ():
                _remove(path)
        return Garbage(files, size, apply)

    @contextlib.contextmanager
    def _locked(self, path: Path, what: str) -> Iterator[None]:
        lock = FileLock(path, timeout=self.patience, poll_interval=0.01)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise SetupError(
                f"Another process has been writing {what} for more than {self.patience:g} s ({path} is locked). Wait "
                "for it or end it; the lock of a dead process frees itself."
            ) from None
        except OSError as err:
            raise SetupError(
                f"Cannot write in {path.parent}: {err.strerror or err}. Permit writing there, free some space, or set "
                "QTW_STORAGE_DIR to a folder that can be written. What was there before is untouched."
            ) from err
        try:
            yield
        finally:
            lock.release()


def _parts(folder: Path) -> list[Path]:
    """Files that a writer began and did not finish."""
    return [path for path in folder.glob(".*.part") if path.is_file()]


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise SetupError(f"Cannot remove {path}: {err.strerror or err}. Permit writing in its folder.") from err
