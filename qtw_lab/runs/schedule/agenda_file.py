"""What the file of the agenda holds."""

from __future__ import annotations

from typing import Final

from qtw_lab.runs.database import Layout

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

#: The file of `qtw_lab.runs.schedule.agenda.Agenda`.
AGENDA: Final = Layout("agenda", 1, _SCHEMA, "move it away (a new one is made, and what was waiting is forgotten)")
