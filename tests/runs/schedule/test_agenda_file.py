import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from qtw_lab.core import SetupError
from qtw_lab.runs.database import Database
from qtw_lab.runs.schedule.agenda_file import AGENDA


def test_several_that_come_at_once_make_one_file(tmp_path):
    with ThreadPoolExecutor(8) as several:
        files = list(several.map(lambda _: Database(tmp_path / "deep" / "a.sqlite", AGENDA), range(8)))
    with files[0].reading() as connection:
        assert connection.execute("SELECT count(*) FROM occurrences").fetchone()[0] == 0
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_the_same_due_time_of_an_entry_can_not_stand_there_twice(tmp_path):
    file = Database(tmp_path / "a.sqlite", AGENDA)
    row = "INSERT INTO occurrences (entry, due, state, not_before) VALUES ('night', 1, 'waiting', 1)"
    with file.writing() as connection:
        connection.execute(row)
    with pytest.raises(SetupError, match="UNIQUE"), file.writing() as connection:
        connection.execute(row)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(SetupError, match=r"newer version of this package \(layout 9\)"):
        Database(tmp_path / "a.sqlite", AGENDA)


def test_what_is_no_agenda_is_refused_with_a_mend(tmp_path):
    (tmp_path / "a.sqlite").write_text("not a database at all, but long enough to look at" * 20)
    with pytest.raises(SetupError, match=r"agenda .* damaged, move it away"):
        Database(tmp_path / "a.sqlite", AGENDA)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"Cannot make the agenda .*Choose a folder"):
        Database(tmp_path / "file" / "a.sqlite", AGENDA)
