"""Connections that stay open, and when they do not."""

import os
import sqlite3
import threading

import pytest

from qtw_lab.backtest.connections import connection, keep


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "a.sqlite"
    db = sqlite3.connect(place)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE t (n INTEGER)")
    db.commit()
    db.close()
    return place


def test_the_same_connection_is_used_again(path):
    first = connection(path)
    first.execute("INSERT INTO t VALUES (1)")
    keep(path, first)
    again = connection(path)
    assert again is first
    again.close()


def test_a_file_that_somebody_replaced_is_opened_anew(path, tmp_path):
    first = connection(path)
    keep(path, first)
    path.rename(tmp_path / "away.sqlite")
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (n INTEGER)")
    other.commit()
    other.close()
    again = connection(path)
    assert again is not first
    again.execute("INSERT INTO t VALUES (7)")
    assert again.execute("SELECT n FROM t").fetchall() == [(7,)]
    again.close()


def test_a_file_that_is_gone_is_not_kept(path):
    first = connection(path)
    path.unlink()
    keep(path, first)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        first.execute("SELECT 1")


def test_each_thread_has_its_own(path):
    mine = connection(path)
    keep(path, mine)
    theirs = []

    def work():
        db = connection(path)
        theirs.append(db is mine)
        db.execute("INSERT INTO t VALUES (2)")
        db.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert theirs == [False]
    assert mine.execute("SELECT count(*) FROM t").fetchone() == (1,)  # what others write is seen
    mine.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks there")
def test_a_forked_process_opens_its_own(path):
    keep(path, connection(path))
    process = os.fork()
    if process == 0:
        db = connection(path)
        db.execute("INSERT INTO t VALUES (3)")
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
    db = connection(path)
    assert db.execute("SELECT n FROM t").fetchall() == [(3,)]
    db.close()
