"""The SQLite file itself."""

from __future__ import annotations

import sqlite3

import pytest

from qtw_lab.core import SetupError
from qtw_lab.runs.database import Database

ROW = "INSERT INTO data_used VALUES ('nobody', 'f', 's', 'X', '1D', 'c')"


def test_a_file_that_is_no_registry_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "runs.sqlite"
    path.write_text("these are notes, not a database, and quite long ones at that" * 20)
    with pytest.raises(SetupError, match="move it away"):
        Database(path)
    assert path.read_text().startswith("these are notes")


def test_somebody_elses_table_of_runs_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "runs.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE runs (mine)")
    other.close()
    with pytest.raises(SetupError, match="already exists"):
        Database(path)


def test_a_registry_of_a_newer_version_is_refused(tmp_path):
    database = Database(tmp_path / "runs.sqlite")
    with database.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SetupError, match="newer version"):
        Database(database.path)


def _interrupted(database):
    with database.writing() as connection:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute(ROW)
        raise KeyboardInterrupt


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    database = Database(tmp_path / "runs.sqlite")
    with pytest.raises(SetupError, match="FOREIGN KEY"), database.writing() as connection:
        connection.execute(ROW)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(database)
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM data_used").fetchone()[0] == 0


def test_the_log_is_written_ahead(tmp_path):
    with Database(tmp_path / "runs.sqlite").reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
