"""What happened lately, found in a journal whose bars are passed over."""

import numpy as np
import pytest

from qtw_lab.live.following_told import TOLD, earlier
from qtw_lab.live.journal import Journal
from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.log_format import HEADER, segment_path
from qtw_lab.live.rows import ROW


def begun(journal):
    journal.write_start(1, {})
    journal.write_symbols(2, ["AAA"])
    journal.write_focus(3, {"AAA": 3}, {"AAA": "first fill"})


def written(journal, first, last):
    for time in range(first, last, 5):
        rows = np.zeros(1, ROW)
        rows["level"], rows["time"] = 5, time * 10**9
        journal.write_rows(10 + time, rows)
    journal.flush()


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path, sync_seconds=None) as made:
        yield made


def test_bars_are_passed_over_when_events_are_looked_for(journal, tmp_path):
    begun(journal)
    written(journal, 0, 500)
    journal.write_warning(9, "late")
    journal.flush()
    found = earlier(tmp_path, journal.place, 100)
    assert [entry.kind for entry in found] == [Entry.START, Entry.FOCUS, Entry.WARNING]
    assert found == [entry for entry in journal.read() if entry.kind in TOLD]
    assert [e.kind for e in earlier(tmp_path, found[-1].place, 100)] == [Entry.START, Entry.FOCUS], "up to a place"


def test_behind_bytes_that_cannot_be_read_nothing_is_looked_for(journal, tmp_path):
    begun(journal)
    journal.write_warning(9, "first")
    journal.flush()
    path = segment_path(tmp_path, "journal", 1)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert [entry.kind for entry in earlier(tmp_path, journal.place, 100)] == [Entry.START, Entry.FOCUS]
    content[HEADER.size] = 255
    content[HEADER.size + 3] = 255
    path.write_bytes(content)
    assert earlier(tmp_path, journal.place, 100) == []
