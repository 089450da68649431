"""The book of a paper account: kept whole, held by one process, read by many, and never half-written."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from qtw_lab.core import DataError, SetupError
from qtw_lab.venues.paper import store as stores
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import SqliteStore, put_aside, reading

OPENED = Event("opened", 5, "", {"account": "a", "cash": "100"})


def noted(number):
    return Event("charged", 10 + number, "", {"id": str(number), "kind": "JNLC", "amount": "1"})


def test_what_was_kept_is_there_again_in_order(tmp_path):
    path = tmp_path / "deep" / "book.sqlite"
    with SqliteStore(path) as store:
        store.append([OPENED, noted(1)])
        store.append([noted(2)])
        store.append([])
    with SqliteStore(path) as store:
        assert list(store.read()) == [OPENED, noted(1), noted(2)]
        assert list(store.read(after=2)) == [noted(2)]
        assert store.moment == 12
        store.mark(50)
        store.mark(40)
        assert store.moment == 50


def test_it_is_flushed_with_every_commit(tmp_path):
    with SqliteStore(tmp_path / "book.sqlite") as store:
        asked = [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert asked == ["wal", 2]


def test_one_process_holds_it_and_others_read(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "_PATIENCE", 0.1)
    path = tmp_path / "book.sqlite"
    with SqliteStore(path) as store:
        store.append([OPENED])
        with pytest.raises(SetupError, match="Another process has the paper book"):
            SqliteStore(path)
        with reading(path) as events:
            assert list(events) == [OPENED]
    SqliteStore(path).close()


def test_a_killed_process_lets_go_of_it_and_leaves_what_it_had_acknowledged(tmp_path):
    path = tmp_path / "book.sqlite"
    code = f"""
import sys
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import SqliteStore
store = SqliteStore({str(path)!r})
store.append([Event("opened", 5, "", {{"account": "a", "cash": "100"}})])
for number in range(1, 10**6):
    store.append([Event("charged", 10 + number, "", {{"id": str(number), "kind": "JNLC", "amount": "1"}})] * 3)
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        told = [process.stdout.readline() for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.readlines()
    last = int([line for line in told if line.endswith("\n")][-1])
    with SqliteStore(path) as store:
        events = list(store.read())
    assert len(events) in (1 + 3 * last, 1 + 3 * (last + 1))  # the last may have been kept and not told
    assert events[1::3] == events[2::3] == events[3::3]


def test_a_disk_that_is_full_keeps_none_of_a_batch_and_says_what_to_do(tmp_path):
    with SqliteStore(tmp_path / "book.sqlite") as store:
        store.append([OPENED])
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count={pages}")
        many = [noted(number) for number in range(5000)]
        with pytest.raises(SetupError, match=r"cannot be written .* Free some space"):
            store.append(many)
        kept = len(list(store.read()))
        assert kept == 1
        store._connection.execute("PRAGMA max_page_count=100000")
        store.append([noted(1)])
        assert len(list(store.read())) == kept + 1


def test_what_is_no_book_is_not_touched(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(DataError, match="is a SQLite file, but no paper book"):
        SqliteStore(other)
    text = tmp_path / "text.sqlite"
    text.write_text("no database" * 100)
    with pytest.raises(DataError, match="damaged or no SQLite file"):
        SqliteStore(text)
    assert text.read_text() == "no database" * 100
    with pytest.raises(DataError, match="no book to read"), reading(tmp_path / "none.sqlite"):
        pass


def test_a_later_format_is_refused(tmp_path):
    path = tmp_path / "book.sqlite"
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(DataError, match="later version"):
        SqliteStore(path)


def test_an_event_that_was_taken_out_by_hand_is_noticed(tmp_path):
    path = tmp_path / "book.sqlite"
    with SqliteStore(path) as store:
        store.append([OPENED, noted(1), noted(2)])
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM events WHERE number = 2")
    connection.close()
    with SqliteStore(path) as store, pytest.raises(DataError, match="lacks event 2"):
        list(store.read())


def test_a_book_without_orders_begins_anew_and_one_with_orders_does_not(tmp_path):
    with SqliteStore(tmp_path / "book.sqlite") as store:
        store.append([OPENED])
        store.mark(99)
        store.renew()
        assert (list(store.read()), store.moment) == ([], 0)
        store.append([OPENED, Event("accepted", 6, "order", {})])
        store.renew()
        assert len(list(store.read())) == 2


def test_a_book_that_is_put_aside_is_whole(tmp_path):
    path = tmp_path / "book.sqlite"
    assert put_aside(path) is None
    for _ in range(2):
        with SqliteStore(path) as store:
            store.append([OPENED])
        aside = put_aside(path)
        assert not path.exists()
        with reading(aside) as events:
            assert list(events) == [OPENED]
    assert len(list(tmp_path.glob("book-until-5-*.sqlite"))) == 2
