"""The SQLite file behind the agenda: its tables, and connections that last one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final

from filelock import FileLock

from qtw_lab.core.errors import SetupError
from qtw_lab.runs.database import Database

_VERSION: Final = 1
_PATIENCE: Final = 60.0  # seconds another process may take to make the file
_SCHEMA: Final = """
CREATE TABLE entries (
  name TEXT PRIMARY KEY, definition TEXT NOT NULL, trigger TEXT NOT NULL,
  depends_on TEXT NOT NULL, notify TEXT NOT NULL,  -- JSON: names; pairs of a state and a channel
  first_seen INTEGER NOT NULL, planned_until INTEGER NOT NULL, present INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE occurrences (
  id INTEGER PRIMARY KEY, entry TEXT NOT NULL, due INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'ok', 'failed', 'skipped', 'missed')),
  reason TEXT, attempts INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL,
  run_id TEXT, started INTEGER, ended INTEGER, owner TEXT, watcher TEXT, kernel TEXT, beat INTEGER, progress TEXT,
  UNIQUE (entry, due)
);
CREATE INDEX occurrences_by_state ON occurrences (state, due);
CREATE TABLE attempts (
  occurrence INTEGER NOT NULL REFERENCES occurrences (id) ON DELETE CASCADE, number INTEGER NOT NULL,
  run_id TEXT, started INTEGER NOT NULL, ended INTEGER, error TEXT,
  PRIMARY KEY (occurrence, number)
) WITHOUT ROWID;
CREATE TABLE notices (
  id INTEGER PRIMARY KEY, occurrence INTEGER NOT NULL REFERENCES occurrences (id) ON DELETE CASCADE,
  state TEXT NOT NULL, channel TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL,
  outcome TEXT NOT NULL DEFAULT 'pending' CHECK (outcome IN ('pending', 'sent', 'given up')), error TEXT
);
CREATE INDEX notices_pending ON notices (outcome, not_before);
CREATE TABLE services (
  process TEXT PRIMARY KEY, task TEXT NOT NULL, since INTEGER NOT NULL, beat INTEGER NOT NULL
) WITHOUT ROWID;
"""


class AgendaFile(Database):
    """Connections to the agenda, made with its tables if missing; see `qtw_lab.runs.database.Database`."""

    def _prepare(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{self.path}.lock", timeout=_PATIENCE)
        except OSError as err:
            raise SetupError(
                f"Cannot make the agenda {self.path}: {err.strerror or err}. Choose a storage folder to write to."
            ) from err
        with self._translated(), lock, contextlib.closing(self._connect()) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise SetupError(
                    f"{self.path} was written by a newer version of this package (layout {version}); upgrade it."
                )
            if version == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as err:
            raise SetupError(
                f"The agenda of the schedule {self.path} cannot be used: {err}. If it is busy, end the process that "
                "holds it; if it is damaged, move it away (a new one is made, and what was waiting is forgotten); else "
                "free some space or permit writing."
            ) from err
