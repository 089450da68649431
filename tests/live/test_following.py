"""The newest part of a journal, kept while it grows."""

import tracemalloc

import numpy as np
import pytest

from qtw_lab.live import following
from qtw_lab.live.following import Follower
from qtw_lab.live.following_kept import GapSeen, Keep
from qtw_lab.live.journal import Journal
from qtw_lab.live.log_format import Place, segments
from qtw_lab.live.reading import JournalReader
from qtw_lab.live.rows import ROW, signal_rows

SECOND = 10**9
NAMES = ["AAA", "BBB", "CCC", "DDD"]
START = 1_704_205_800


def bars(time, level=5, closes=(1.0, 2.0, 3.0, 4.0)):
    rows = np.zeros(len(closes), ROW)
    rows["level"], rows["symbol"], rows["time"] = level, np.arange(len(closes)), (START + time) * SECOND
    rows["open"] = rows["high"] = rows["low"] = rows["close"] = closes
    return rows


def begun(journal, focus=NAMES):
    journal.write_start(1, {"profile": {"engine": {"bar_aggregate_seconds": 5}}, "speed": 2.0})
    journal.write_symbols(2, NAMES)
    journal.write_focus(3, dict.fromkeys(focus, 3), dict.fromkeys(focus, "first fill"))


def written(journal, first, last, level=5):
    for time in range(first, last, level):
        journal.write_rows(10 + time, bars(time, level))
    journal.flush()


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path, sync_seconds=None) as made:
        yield made


def test_what_is_written_is_seen_at_the_next_look_and_only_once(journal, tmp_path):
    follower = Follower(tmp_path)
    assert not follower.opened
    begun(journal)
    written(journal, 0, 50)
    assert follower.far
    assert follower.follow()
    assert follower.opened
    assert list(follower.focus) == NAMES
    assert follower.reasons["CCC"] == "first fill"
    assert follower.levels == (5,)
    assert len(follower.bars("BBB", 5)) == 10
    before = follower.version
    assert follower.follow()
    assert follower.version == before
    assert follower.behind == 0
    written(journal, 50, 60)
    assert not follower.far
    assert follower.follow()
    assert follower.version > before
    assert follower.bars("BBB", 5)["time"][-1] == (START + 55) * SECOND
    assert follower.last(5)["close"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_it_knows_what_a_reader_of_the_whole_journal_knows(journal, tmp_path):
    begun(journal)
    written(journal, 0, 200)
    written(journal, 0, 180, 60)
    follower, reader = Follower(tmp_path), JournalReader(tmp_path)
    follower.follow()
    for level in (5, 60):
        table = reader.bars(level, "CCC")
        assert follower.bars("CCC", level)["time"].tolist() == table["time"].astype("int64").tolist()
        assert follower.bars("CCC", level)["close"].tolist() == table["close"].tolist()
    events = reader.events()
    assert [one.what for one in follower.events] == events["what"].tolist()


def test_it_begins_near_the_end_and_knows_what_happened_before(tmp_path):
    with Journal(tmp_path, segment_bytes=4096, sync_seconds=None) as journal:
        begun(journal)
        journal.write_warning(4, "early")
        for time in range(0, 3000, 5):
            journal.write_rows(10 + time, bars(time))
            if time % 500 == 0:
                journal.write_gap(10 + time, "open", time, None, "broke")
                journal.write_gap(11 + time, "filled", time, time + 2 * SECOND, "broke")
        journal.flush()
        follower = Follower(tmp_path, Keep(bars=4))
        follower.follow()
    assert len(segments(tmp_path, "journal")) > 40
    assert (follower.bars("AAA", 5)["time"] / SECOND - START).tolist() == [2980, 2985, 2990, 2995]
    assert follower.gaps[-1] == GapSeen(2500, 2500 + 2 * SECOND, "filled", "broke")
    assert list(follower.focus) == NAMES
    assert follower.symbols == NAMES
    assert follower.started["speed"] == 2.0
    assert "early" not in [one.what for one in follower.events], "of old segments only the last few are looked through"


def test_the_focus_decides_whose_bars_are_kept_and_why_is_remembered(journal, tmp_path):
    begun(journal, ["AAA", "BBB"])
    written(journal, 0, 20)
    follower = Follower(tmp_path)
    follower.follow()
    assert not len(follower.bars("CCC", 5))
    journal.write_focus(30, {"BBB": 3, "CCC": 30}, {"CCC": "outranks AAA (4)"}, {"AAA": "outranked by CCC (1)"})
    written(journal, 20, 40)
    follower.follow()
    assert list(follower.focus) == ["BBB", "CCC"]
    assert follower.reasons == {"BBB": "first fill", "CCC": "outranks AAA (4)"}
    assert not len(follower.bars("AAA", 5))
    assert len(follower.bars("BBB", 5)) == 8
    assert len(follower.bars("CCC", 5)) == 4
    last = follower.refreshes[-1]
    assert (last.size, last.came, last.went, last.left) == (2, 1, 1, (("AAA", "outranked by CCC (1)"),))


def test_of_a_great_change_of_the_focus_only_a_few_names_are_kept(journal, tmp_path):
    names = [f"S{n:04}" for n in range(500)]
    journal.write_symbols(1, names)
    journal.write_focus(2, dict.fromkeys(names, 2), dict.fromkeys(names, "first fill"))
    journal.flush()
    follower = Follower(tmp_path)
    follower.follow()
    assert follower.refreshes[-1].came == 500
    assert len(follower.refreshes[-1].entered) == 12
    assert len(follower.reasons) == 500


def test_changes_of_stance_are_not_pushed_out_by_those_held_back(journal, tmp_path):
    begun(journal)
    journal.write_signals(
        5, signal_rows(5, START * SECOND, [1], stances=[1.0], previous=[0.0], wanted=[1.0], prices=[2.0], gates=[None])
    )
    follower = Follower(tmp_path, Keep(signals=10))
    for _ in range(50):
        journal.write_signals(
            6,
            signal_rows(
                5, START * SECOND, [2], stances=[0.0], previous=[0.0], wanted=[1.0], prices=[3.0], gates=["spread"]
            ),
        )
    journal.flush()
    follower.follow()
    assert [one[1] for one in follower.signals] == [1]
    assert len(follower.held) == 10
    assert follower.stance("BBB") == 1.0
    assert follower.stance("AAA") == follower.stance("nobody") == 0.0
    assert (follower.name(1), follower.name(99), follower.name(-1)) == ("BBB", "", "")


def test_why_a_run_ended_is_known_until_the_next_begins(journal, tmp_path):
    begun(journal)
    journal.write_stop(9, "SIGTERM")
    journal.flush()
    follower = Follower(tmp_path)
    follower.follow()
    assert follower.ended == "SIGTERM"
    journal.write_start(10, {})
    journal.write_universe(11, {"ranked": 7, "excluded": {"no price": 2}})
    journal.flush()
    follower.follow()
    assert follower.ended == ""
    assert follower.universe["ranked"] == 7


def test_a_journal_that_was_removed_and_begun_anew_is_followed_from_its_beginning(tmp_path):
    with Journal(tmp_path / "a", sync_seconds=None) as journal:
        begun(journal)
        written(journal, 0, 500)
    follower = Follower(tmp_path / "a")
    follower.follow()
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    with Journal(tmp_path / "a", sync_seconds=None) as journal:
        journal.write_symbols(1, ["ZZZ"])
        journal.write_focus(2, {"ZZZ": 2})
        journal.flush()
        assert follower.far
        follower.follow()
    assert list(follower.focus) == ["ZZZ"]
    assert not len(follower.bars("AAA", 5))


def test_one_call_takes_in_a_bounded_part(journal, tmp_path, monkeypatch):
    begun(journal)
    journal.flush()
    follower = Follower(tmp_path)
    follower.follow()
    monkeypatch.setattr(following, "_MOST", 2000)
    written(journal, 0, 500)
    calls = 1
    while not follower.follow():
        calls += 1
    assert calls > 10
    assert len(follower.bars("AAA", 5)) == 100


def test_one_that_is_far_behind_begins_anew_near_the_end(journal, tmp_path, monkeypatch):
    begun(journal)
    journal.flush()
    follower = Follower(tmp_path)
    follower.follow()
    monkeypatch.setattr(following, "_FAR", 10_000)
    written(journal, 0, 500)
    assert follower.behind > 10_000
    assert follower.far
    assert follower.follow()
    assert len(follower.bars("AAA", 5)) == 100


def test_two_threads_do_not_take_in_the_same_thing(journal, tmp_path):
    begun(journal)
    written(journal, 0, 50)
    follower = Follower(tmp_path)
    with follower._lock:
        assert not follower.follow()
    assert follower.follow()


def test_memory_does_not_grow_with_the_journal(journal, tmp_path):
    begun(journal)
    journal.flush()
    follower = Follower(tmp_path, Keep(bars=20, signals=20, events=20, refreshes=20, gaps=20))

    def much(first):
        for time in range(first, first + 3000, 5):
            journal.write_rows(10 + time, bars(time))
            journal.write_warning(time, f"something {time}")
            journal.write_gap(time, "open", time, None, "broke")
            journal.write_focus(time, dict.fromkeys(NAMES, 3), {"AAA": "why"}, {})
            if time % 500 == 0:
                journal.flush()
                follower.follow()
        journal.flush()
        follower.follow()

    much(0)
    tracemalloc.start()
    try:
        much(3000)
        before = tracemalloc.get_traced_memory()[0]
        much(6000)
        much(9000)
        assert tracemalloc.get_traced_memory()[0] < before + 20_000
    finally:
        tracemalloc.stop()
    assert len(follower.gaps) == len(follower.events) == 20


def test_the_place_after_the_last_entry_is_where_it_goes_on(journal, tmp_path):
    begun(journal)
    journal.flush()
    follower = Follower(tmp_path)
    follower.follow()
    assert follower._place == journal.place
    assert isinstance(follower._place, Place)
