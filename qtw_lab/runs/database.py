"""The SQLite files of this room: their tables, and connections that last one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock

from qtw_lab.core.errors import SetupError

_PATIENCE: Final = 60.0  # seconds another process may hold the file before we give up


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds.

    Parameters
    ----------
    name : str
        What people call it.
    version : int
        Of its tables; a file of a higher one is refused.
    schema : str
        The statements that make them.
    mend : str
        What can be done about one that is damaged, as the end of "if it is damaged, ...".
    """

    name: str
    version: int
    schema: str
    mend: str


_RUNS: Final = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'ok', 'failed')),
  started TEXT NOT NULL, finished TEXT, folder TEXT, parameters TEXT NOT NULL, error TEXT, manifest TEXT NOT NULL,
  host TEXT NOT NULL, pid INTEGER NOT NULL, process_started TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_name ON runs (name, status, id);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE data_used (
  run_id TEXT NOT NULL REFERENCES runs (id), fingerprint TEXT NOT NULL,
  source TEXT NOT NULL, symbol TEXT NOT NULL, timeframe TEXT NOT NULL, content TEXT NOT NULL
);
CREATE INDEX data_by_series ON data_used (source, symbol, timeframe, content);
CREATE INDEX data_by_run ON data_used (run_id);
"""

#: The file of `qtw_lab.runs.registry.Registry`.
REGISTRY: Final = Layout("registry", 1, _RUNS, "move it away (a new one is made)")


class Database:
    """Connections to one SQLite file, made with its tables if missing.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    layout : Layout
        What it holds.

    Raises
    ------
    SetupError
        If it cannot be made, is not such a file, or was made by a newer version.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Database(Path(folder) / "runs.sqlite").reading() as connection:
    ...     connection.execute("SELECT count(*) FROM runs").fetchone()[0]
    0
    """

    def __init__(self, path: Path, layout: Layout = REGISTRY) -> None:
        self.path, self.layout = path, layout
        self._prepare()

    def _prepare(self) -> None:
        """Make the file and its tables, once, whoever comes first."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{self.path}.lock", timeout=_PATIENCE)
        except OSError as err:
            raise SetupError(
                f"Cannot make the {self.layout.name} {self.path}: {err.strerror or err}. Choose a folder to write to."
            ) from err
        with self._translated(), lock, contextlib.closing(self._connect()) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > self.layout.version:
                raise SetupError(
                    f"{self.path} was written by a newer version of this package (layout {version}); upgrade it."
                )
            if version == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                made = f"BEGIN; {self.layout.schema} PRAGMA user_version = {self.layout.version}; COMMIT;"
                connection.executescript(made)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as err:
            raise SetupError(
                f"The {self.layout.name} {self.path} cannot be used: {err}. If it is busy, end the process that holds "
                f"it; if it is something else or damaged, {self.layout.mend}; else free some space or permit writing."
            ) from err

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to ask questions on; what goes wrong with the file is a `SetupError`."""
        with self._translated(), contextlib.closing(self._connect()) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one transaction: all of it is written, or none."""
        with self._translated(), contextlib.closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
