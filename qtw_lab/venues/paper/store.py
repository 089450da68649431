"""Where the events of a paper account are kept: a SQLite file that a kill or a power cut leaves whole."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from qtw_lab.core import DataError, SetupError
from qtw_lab.core.files import flush_folder
from qtw_lab.venues.paper.events import Event

#: Seconds to wait for another process to let go of a book: one that was killed may take a moment to die.
_PATIENCE: Final = 5.0

#: Of the file, in its header: "QTWP", and the version of its tables.
_APPLICATION: Final = 0x51545750
_VERSION: Final = 1

_KEEP: Final = "INSERT INTO events (kind, at, order_id, content) VALUES (?, ?, ?, ?)"
_ASK: Final = "SELECT number, kind, at, order_id, content FROM events WHERE number > ? ORDER BY number"
_TABLES: Final = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    order_id TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE TABLE moment (at INTEGER NOT NULL) STRICT;
INSERT INTO moment VALUES (0);
CREATE INDEX events_of_orders ON events (order_id) WHERE order_id <> '';
"""


class Store(Protocol):
    """Keeps events in order."""

    def append(self, events: Sequence[Event]) -> None:
        """Keep all of these or none; when this returns they are safe."""
        ...

    def read(self, after: int = 0) -> Iterator[Event]:
        """Every event whose number is above `after`, oldest first; the first has the number 1."""
        ...

    def mark(self, at: int) -> None:
        """Note how far the market's time has come, though nothing happened."""
        ...

    @property
    def moment(self) -> int:
        """How far the market's time had come: the last event's, or the last `mark`; 0 for a new book."""
        ...

    def close(self) -> None:
        """End."""
        ...


class MemoryStore:
    """Keeps events for as long as it lives.

    Examples
    --------
    >>> store = MemoryStore()
    >>> store.append([Event("opened", 1, "", {"account": "a", "cash": "5"})])
    >>> len(list(store.read()))
    1
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._moment = 0

    def append(self, events: Sequence[Event]) -> None:
        """Keep these."""
        self._events += events
        self.mark(max((event.at for event in events), default=0))

    def mark(self, at: int) -> None:
        """Note how far the market's time has come."""
        self._moment = max(self._moment, at)

    @property
    def moment(self) -> int:
        """How far the market's time had come."""
        return self._moment

    def read(self, after: int = 0) -> Iterator[Event]:
        """Every event after the first so many."""
        yield from self._events[after:]

    def close(self) -> None:
        """Nothing is to be done."""


class SqliteStore:
    """Keeps events in a SQLite file with a write-ahead log that is flushed to disk with every commit.

    One process at a time may append: the file beside it is locked as long as this is open, and the lock dies with the
    process. Reading goes on meanwhile, in any process (`reading`).

    Parameters
    ----------
    path : path-like
        The file; made, with its folder, if it is not there.

    Raises
    ------
    SetupError
        If another process has the book open, or the folder cannot be written.
    DataError
        If the file is no book, or one of a later version.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with SqliteStore(Path(folder.name) / "book.sqlite") as store:
    ...     store.append([Event("opened", 1, "", {"account": "a", "cash": "5"})])
    ...     [event.kind for event in store.read()]
    ['opened']
    >>> folder.cleanup()
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = self.path.with_name(self.path.name + ".lock").open("a")
        except OSError as err:
            raise _unwritable(self.path, err.strerror or str(err)) from err
        try:
            self._claim()
            self._connection = _connected(self.path)
            with _told(self.path):
                _prepare(self._connection, self.path)
                flush_folder(self.path.parent)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, events: Sequence[Event]) -> None:
        """Keep all of these or none; when this returns they are on the disk.

        Raises
        ------
        SetupError
            If they cannot be written, because the disk is full for example; then none of them is kept.
        """
        if not events:
            return
        rows = [event.written() for event in events]
        with _told(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_KEEP, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def read(self, after: int = 0) -> Iterator[Event]:
        """Every event whose number is above `after`, oldest first."""
        with _told(self.path):
            yield from _events(self._connection, self.path, after)

    def mark(self, at: int) -> None:
        """Note how far the market's time has come, though nothing happened.

        Raises
        ------
        SetupError
            If it cannot be written.
        """
        with _told(self.path):
            self._connection.execute("UPDATE moment SET at = max(at, ?)", (at,))

    @property
    def moment(self) -> int:
        """How far the market's time had come: the last event's, or the last `mark`; 0 for a new book."""
        with _told(self.path):
            found = self._connection.execute(
                "SELECT max((SELECT max(at) FROM moment), coalesce((SELECT max(at) FROM events), 0))"
            ).fetchone()
        return int(found[0])

    def close(self) -> None:
        """End, and let others open it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        self._lock.close()

    def renew(self) -> None:
        """Empty a book in which no order was ever accepted, so that its account begins with the market."""
        with _told(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            used = self._connection.execute("SELECT count(*) FROM events WHERE order_id <> ''").fetchone()[0]
            if not used:
                self._connection.execute("DELETE FROM events")
                self._connection.execute("UPDATE moment SET at = 0")
            self._connection.execute("COMMIT")

    def _claim(self) -> None:
        ends = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as err:
                if time.monotonic() > ends:
                    raise SetupError(
                        f"Another process has the paper book {self.path} open. End it, or name another book."
                    ) from err
                time.sleep(0.05)
            else:
                return


def put_aside(path: Path) -> Path | None:
    """Give a book another name, beside its own, so that a new one can begin; that name, or None if there is no book.

    Raises
    ------
    SetupError
        If another process has it open.
    """
    if not path.exists():
        return None
    with SqliteStore(path) as store:
        found = store.moment
    aside = next(
        name
        for count in itertools.count(1)
        if not (name := path.with_name(f"{path.stem}-until-{found}-{count}{path.suffix}")).exists()
    )
    path.rename(aside)  # closing has put everything into the file itself
    return aside


@contextlib.contextmanager
def reading(path: str | Path, after: int = 0, patience: float = 10.0) -> Iterator[Iterator[Event]]:
    """The events of a book for who only looks, whether or not somebody writes to it.

    Parameters
    ----------
    path : path
        The book.
    after : int
        Number of the last event that is known already; those after it are given.
    patience : float
        Seconds to wait for one who writes.

    Raises
    ------
    DataError
        If there is none, or the file is no book.
    SetupError
        If it is not done yet, or whoever writes to it does not let go.
    """
    uri = f"file:{Path(path).absolute()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=patience)
    except sqlite3.Error as err:
        raise DataError(f"There is no book to read at {path} ({err}).") from err
    try:
        with _told(Path(path)):
            yield _events(connection, Path(path), after)
    finally:
        connection.close()


def _events(connection: sqlite3.Connection, path: Path, after: int) -> Iterator[Event]:
    rows = connection.execute(_ASK, (after,))
    for expected, (number, *row) in enumerate(rows, after + 1):
        if number != expected:
            raise DataError(f"The book {path} lacks event {expected}; it has been changed by hand.")
        yield Event.read(*row)


def _connected(path: Path) -> sqlite3.Connection:
    with _told(path):
        connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file; refuse one that is something else."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == 0 and not tables:
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id={_APPLICATION}; PRAGMA user_version={_VERSION}; {_TABLES} COMMIT;"
        )
        return
    if application != _APPLICATION:
        raise DataError(f"{path} is a SQLite file, but no paper book; move it away or choose another folder.")
    if version > _VERSION:
        raise DataError(f"The paper book {path} was written by a later version of this package (format {version}).")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what SQLite could not do in words that help."""
    try:
        yield
    except sqlite3.DatabaseError as err:
        if isinstance(err, sqlite3.OperationalError):
            raise _unwritable(path, str(err)) from err
        raise DataError(f"The book {path} cannot be read ({err}); it is damaged or no SQLite file.") from err


def _unwritable(path: Path, why: str) -> SetupError:
    return SetupError(
        f"The book {path.name} in {path.parent} cannot be written ({why}). Free some space or permit writing "
        "there, or set QTW_STORAGE_DIR to another folder. What was acknowledged before is untouched."
    )
