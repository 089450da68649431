"""A journal tells what was written, and an engine goes on from its end whatever ended it."""

import math
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qtw_lab.core import DataError, SetupError
from qtw_lab.live.journal import DECISION, Entry, Journal, read_journal, resumed, standing_of
from qtw_lab.live.log import segments
from qtw_lab.live.rows import ROW, signal_rows

T0 = 1_704_205_800 * 10**9
SECOND = 10**9


def bars(level: int, time: int, symbols: list[int], close: float = 10.0, revision: int = 0) -> np.ndarray:
    rows = np.zeros(len(symbols), ROW)
    rows["level"], rows["time"], rows["symbol"] = level, time, symbols
    for name in ("open", "high", "low", "close", "vwap"):
        rows[name] = close
    rows["bid"] = rows["ask"] = np.nan
    rows["revision"] = revision
    return rows


def written(folder: Path, **options: Any) -> None:
    with Journal(folder, **options) as journal:
        journal.write_start(T0, {"strategy": "momentum", "profile": {"focus": {"size": 2}}})
        journal.write_symbols(T0, ["AAPL", "MSFT"])
        journal.write_universe(T0, {"ranked": [{"symbol": "AAPL", "score": 1.5}], "excluded": {"price": 3}})
        journal.write_focus(T0, {"AAPL": T0}, entered={"AAPL": "rank 1"})
        journal.write_rows(T0 + SECOND, bars(1, T0, [0, 1]))
        journal.write_signals(
            T0 + SECOND,
            signal_rows(1, T0, [1], stances=[1.0], previous=[0.0], wanted=[1.0], prices=[10.0], gates=["spread"]),
        )
        journal.write_decisions(T0 + SECOND, 1, T0, [0, 1], [0.0, 1.0])
        journal.write_mark(T0 + SECOND, T0 + SECOND)
        journal.write_gap(T0 + SECOND, "open", T0, None, "silent")
        journal.write_link(T0 + SECOND, {"state": "down", "reason": "reset"})
        journal.write_warning(T0 + SECOND, "the disk is nearly full", free=12)
        journal.write_counts(T0 + SECOND, {"duplicates": 4})
        journal.write_note(T0 + SECOND, {"anything": [1, None, "é"]})


def test_every_kind_of_entry_comes_back(tmp_path):
    written(tmp_path)
    entries = list(read_journal(tmp_path))
    assert [entry.kind for entry in entries] == [
        Entry.START, Entry.SYMBOLS, Entry.UNIVERSE, Entry.FOCUS, Entry.ROWS, Entry.SIGNALS, Entry.DECISIONS, Entry.MARK,
        Entry.GAP, Entry.LINK, Entry.WARNING, Entry.COUNTS, Entry.NOTE,
    ]  # fmt: skip
    contents = {entry.kind: entry.content for entry in entries}
    assert contents[Entry.SYMBOLS] == {"first": 0, "names": ["AAPL", "MSFT"]}
    assert contents[Entry.ROWS].tobytes() == bars(1, T0, [0, 1]).tobytes()
    assert contents[Entry.SIGNALS]["gate"].tolist() == [b"spread"]
    assert contents[Entry.DECISIONS]["stance"].tolist() == [0.0, 1.0]
    assert contents[Entry.FOCUS] == {
        "time": T0, "focus": [{"symbol": "AAPL", "since": T0}], "entered": [{"symbol": "AAPL", "reason": "rank 1"}],
        "left": [],
    }  # fmt: skip
    assert contents[Entry.NOTE] == {"anything": [1, None, "é"]}


def test_what_the_entries_add_up_to_is_what_the_writer_holds_and_a_reader_finds(tmp_path):
    written(tmp_path)
    standing, after = standing_of(tmp_path)
    assert standing.symbols == ["AAPL", "MSFT"]
    assert standing.closed == {1: T0}
    assert standing.watermark == T0 + SECOND
    assert standing.focus == {"AAPL": T0}
    assert standing.decisions == {0: 0.0, 1: 1.0}
    assert standing.decided == {1: T0}
    assert standing.gap is not None
    assert standing.gap["reason"] == "silent"
    assert standing.counts == {"duplicates": 4}
    assert standing.started["strategy"] == "momentum"
    assert standing.running
    with Journal(tmp_path) as journal:
        assert journal.standing == standing
        assert journal.place == after
        journal.write_gap(T0, "filled", T0 + 5, T0 + 9, "another gap")
        assert journal.standing.gap is not None
        journal.write_gap(T0, "filled", T0, T0 + 9, "by REST")
        assert journal.standing.gap is None
        journal.write_stop(T0, "asked to")
    assert not standing_of(tmp_path)[0].running


def test_an_empty_folder_is_a_journal_without_entries(tmp_path):
    assert list(read_journal(tmp_path / "none")) == []
    again = resumed(tmp_path / "none")
    assert again.standing.symbols == []
    assert again.rows == {}


@pytest.mark.parametrize("segment_bytes", [2048, 8192, 64 << 20])
def test_resuming_gives_the_newest_bars_of_each_level_in_their_last_revision(tmp_path, segment_bytes):
    with Journal(tmp_path, segment_bytes=segment_bytes) as journal:
        journal.write_start(T0, {})
        for second in range(120):
            now = T0 + second * SECOND
            journal.write_symbols(now, [f"S{n}" for n in range(second // 30 + 1)])
            journal.write_rows(now, bars(1, now, list(range(second // 30 + 1)), close=float(second)))
            if second % 5 == 4:
                journal.write_rows(now, bars(5, now - 4 * SECOND, [0], close=second / 5))
            if second == 110:
                journal.write_rows(now, bars(1, now - 3 * SECOND, [1], close=-1.0, revision=1))
    assert (len(segments(tmp_path, "journal")) > 4) == (segment_bytes < 10_000)
    again = resumed(tmp_path, rows=20)
    ones, fives = again.rows[1], again.rows[5]
    assert sorted(set(ones["time"].tolist())) == [T0 + second * SECOND for second in range(100, 120)]
    assert len(ones) == 20 * 4
    assert sorted(set(fives["time"].tolist())) == [T0 + 5 * n * SECOND for n in range(4, 24)]
    changed = ones[(ones["time"] == T0 + 107 * SECOND) & (ones["symbol"] == 1)]
    assert changed["close"].tolist() == [-1.0]
    assert changed["revision"].tolist() == [1]
    order = ones["time"] * 10 + ones["symbol"]
    assert (np.diff(order) > 0).all()
    assert again.standing.symbols == ["S0", "S1", "S2", "S3"]


def test_resuming_reads_the_newest_segments_alone(tmp_path):
    with Journal(tmp_path, segment_bytes=4096) as journal:
        journal.write_start(T0, {})
        journal.write_symbols(T0, ["A"])
        for second in range(2000):
            journal.write_rows(T0 + second, bars(1, T0 + second * SECOND, [0]))
    count = len(segments(tmp_path, "journal"))
    assert count > 20
    before = resumed(tmp_path, rows=10)
    for number in range(1, count - 3):
        (tmp_path / f"journal.{number:06d}.log").unlink()
    after = resumed(tmp_path, rows=10)
    assert after.standing == before.standing
    assert after.rows[1].tobytes() == before.rows[1].tobytes()


def test_a_damaged_start_of_a_segment_is_made_up_for_by_the_one_before(tmp_path):
    with Journal(tmp_path, segment_bytes=4096) as journal:
        journal.write_start(T0, {})
        journal.write_symbols(T0, ["A"])
        for second in range(200):
            journal.write_rows(T0 + second, bars(1, T0 + second * SECOND, [0]))
    before = resumed(tmp_path)
    last = max(tmp_path.glob("journal.*.log"))
    content = bytearray(last.read_bytes())
    content[40] ^= 255
    last.write_bytes(content)
    assert resumed(tmp_path).standing == before.standing
    assert any(entry.kind == Entry.DAMAGE for entry in read_journal(tmp_path))


def test_a_segment_that_is_damaged_in_its_midst_still_gives_its_other_bars(tmp_path):
    with Journal(tmp_path) as journal:
        journal.write_start(T0, {})
        for second in range(50):
            journal.write_rows(T0 + second, bars(1, T0 + second * SECOND, [0]))
    path = tmp_path / "journal.000001.log"
    whole = path.read_bytes()
    for place in (len(whole) // 2, len(whole) // 2 + 60, len(whole) - 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        assert len(resumed(tmp_path).rows[1]) == 49


def test_a_stance_that_is_not_known_outlives_a_change_of_segments(tmp_path):
    with Journal(tmp_path, segment_bytes=2048) as journal:
        journal.write_decisions(T0, 1, T0, [0, 1], [math.nan, 1.0])
        for second in range(60):
            journal.write_rows(T0 + second, bars(1, T0 + second * SECOND, [0]))
    assert len(segments(tmp_path, "journal")) > 2
    decisions = resumed(tmp_path).standing.decisions
    assert math.isnan(decisions[0])
    assert decisions[1] == 1.0


def test_symbols_are_entered_once_and_never_renumbered(tmp_path):
    with Journal(tmp_path) as journal:
        journal.write_symbols(T0, ["A", "B"])
        journal.write_symbols(T0, ["A", "B"])
        journal.write_symbols(T0, ["A", "B", "C"])
        with pytest.raises(DataError, match="another engine"):
            journal.write_symbols(T0, ["B", "A", "C"])
    with Journal(tmp_path) as journal:
        journal.write_symbols(T0, ["A", "B", "C", "D"])
    assert [entry.content for entry in read_journal(tmp_path)] == [
        {"first": 0, "names": ["A", "B"]}, {"first": 2, "names": ["C"]}, {"first": 3, "names": ["D"]},
    ]  # fmt: skip


def test_what_cannot_be_an_entry_is_refused_before_it_is_written(tmp_path):
    with Journal(tmp_path) as journal:
        with pytest.raises(DataError, match="JSON"):
            journal.write_note(T0, {"value": float("nan")})
        with pytest.raises(DataError, match="JSON"):
            journal.write_note(T0, {"value": {1, 2}})
        with pytest.raises(DataError, match="ROWS entries hold"):
            journal.write_rows(T0, np.zeros(2, DECISION))
        with pytest.raises(DataError, match="ROWS entries hold"):
            journal.write_rows(T0, np.zeros((2, 2), ROW))
        journal.write_rows(T0, np.zeros(0, ROW))
    assert [len(entry.content) for entry in read_journal(tmp_path)] == [0]
    with pytest.raises(DataError, match="at least one"):
        resumed(tmp_path, rows=0)


def test_two_journals_never_write_at_once(tmp_path):
    with Journal(tmp_path), pytest.raises(SetupError, match="being written"):
        Journal(tmp_path)


def test_an_entry_of_a_later_version_is_passed_on_as_it_is(tmp_path):
    with Journal(tmp_path) as journal:
        journal._log.append(200, T0, b"\x01\x02")
        journal.write_note(T0, {})
    entries = list(read_journal(tmp_path))
    assert (entries[0].kind, entries[0].content) == (200, b"\x01\x02")


def test_rows_of_another_version_are_refused_by_name(tmp_path):
    with Journal(tmp_path) as journal:
        journal._log.append(Entry.ROWS, T0, b"\x07\0\0\0" + bytes(20) + b"1234567")
    with pytest.raises(DataError, match="rows of 7 bytes"):
        list(read_journal(tmp_path))


def test_a_journal_cut_at_any_byte_resumes_as_its_whole_entries_say(tmp_path):
    written(tmp_path / "whole")
    content = (tmp_path / "whole" / "journal.000001.log").read_bytes()
    entries = list(read_journal(tmp_path / "whole"))
    for cut in range(0, len(content), 7):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "journal.000001.log").write_bytes(content[:cut])
        kept = [entry for entry in entries if entry.after.offset <= cut]
        again = resumed(folder)
        assert again.standing.running == (len(kept) >= 1)
        assert again.standing.symbols == (["AAPL", "MSFT"] if len(kept) >= 2 else [])
        assert len(again.rows.get(1, ())) == (2 if len(kept) >= 5 else 0)


def engine_for_ever(folder: Path, acks: int) -> None:
    """Do what an engine does, from where the journal ends, and tell each second that is flushed."""
    with Journal(folder, segment_bytes=20_000, sync_seconds=None) as journal:
        second = (journal.standing.closed.get(1, T0 - SECOND) - T0) // SECOND + 1
        while True:
            now = T0 + second * SECOND
            journal.write_symbols(now, [f"S{n}" for n in range(second // 10 + 1)])
            journal.write_rows(now, bars(1, now, list(range(5)), close=float(second)))
            journal.write_decisions(now, 1, now, [0], [float(second)])
            journal.flush()
            os.write(acks, second.to_bytes(8, "little"))
            second += 1


@pytest.mark.parametrize("trials", [15, pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_of_an_engine_makes_no_hole_and_no_duplicate(tmp_path, trials):
    chance, said = random.Random(2), -1
    for _ in range(trials):
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            engine_for_ever(tmp_path, into)
        os.close(into)
        time.sleep(chance.uniform(0.01, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(out, "rb") as pipe:
            said = max(said, int.from_bytes(pipe.read()[-8:] or b"\0", "little"))
        closed = resumed(tmp_path, rows=5).standing.closed
        assert (closed.get(1, T0) - T0) // SECOND >= said
    rows = np.concatenate([entry.content for entry in read_journal(tmp_path) if entry.kind == Entry.ROWS])
    seconds = (rows["time"] - T0) // SECOND
    assert (seconds == np.repeat(np.arange(len(rows) // 5), 5)).all()
    assert len(rows) // 5 > trials
