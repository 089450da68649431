"""A journal as tables: what the engine wrote, followed while it writes."""

import numpy as np
import pandas as pd
import pytest
from engine_session import NAMES, places_in, session_in, what_came

from qtw_lab.core import DataError
from qtw_lab.live.journal import Journal
from qtw_lab.live.reading import JournalReader, flag_text
from qtw_lab.live.rows import ROW, Flag, signal_rows

OPEN = 1_704_205_800 * 10**9
SECOND = 10**9


def rows_of(level, time, closes, revision=0, flags=0):
    """A bar of each symbol."""
    rows = np.zeros(len(closes), ROW)
    rows["level"], rows["time"], rows["symbol"] = level, time, np.arange(len(closes))
    for name in ("open", "high", "low", "close", "vwap"):
        rows[name] = closes
    rows["volume"], rows["count"], rows["revision"], rows["flags"] = 100, 2, revision, flags
    return rows


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path, sync_seconds=None) as journal:
        journal.write_start(OPEN, {"strategy": {"name": "rule", "parameters": {}}, "feed": "x", "calendar": "24/7"})
        journal.write_symbols(OPEN, ["AAA", "BBB"])
        yield journal


def test_a_journal_that_is_not_there_yet_is_empty(tmp_path):
    reader = JournalReader(tmp_path / "none")
    assert reader.bars(5).empty
    assert reader.signals().empty
    assert reader.decisions().empty
    assert reader.events().empty
    assert (reader.symbols, reader.calendar) == ([], "XNYS")
    with pytest.raises(DataError, match="no bars of 5 s yet"):
        reader.panel(5)


def test_bars_come_in_their_last_revision_by_time_and_symbol(journal, tmp_path):
    journal.write_rows(OPEN, rows_of(5, OPEN + 5 * SECOND, [11.0, 21.0]))
    journal.write_rows(OPEN, rows_of(5, OPEN, [10.0, 20.0]))
    journal.write_rows(OPEN, rows_of(5, OPEN, [10.5], revision=1, flags=int(Flag.LATE)))
    journal.write_rows(OPEN, rows_of(1, OPEN, [7.0, 8.0]))
    journal.flush()
    table = JournalReader(tmp_path).bars(5)
    assert table["close"].tolist() == [10.5, 20.0, 11.0, 21.0]
    assert table["symbol"].tolist() == ["AAA", "BBB", "AAA", "BBB"]
    assert table["flags"].tolist() == ["late", "", "", ""]
    assert table["time"].iloc[0] == pd.Timestamp("2024-01-02 14:30", tz="UTC")
    assert table.columns[:3].tolist() == ["time", "symbol", "open"]


def test_symbols_and_the_last_times_can_be_chosen(journal, tmp_path):
    for place in range(4):
        journal.write_rows(OPEN, rows_of(5, OPEN + place * 5 * SECOND, [10.0 + place, 20.0]))
    journal.flush()
    reader = JournalReader(tmp_path)
    assert reader.bars(5, "aaa", last=2)["close"].tolist() == [12.0, 13.0]
    assert reader.bars(5, "CCC").empty
    assert len(reader.bars(5, ["AAA", "BBB"])) == 8
    assert reader.bars(60).empty


def test_every_call_takes_in_what_was_written_since(journal, tmp_path):
    reader = JournalReader(tmp_path)
    assert reader.bars(5).empty
    journal.write_rows(OPEN, rows_of(5, OPEN, [10.0, 20.0]))
    assert reader.bars(5).empty  # not flushed yet
    journal.flush()
    assert len(reader.bars(5)) == 2
    journal.write_symbols(OPEN, ["AAA", "BBB", "CCC"])
    journal.write_rows(OPEN, rows_of(5, OPEN + 5 * SECOND, [11.0, 21.0, 31.0]))
    journal.flush()
    assert reader.bars(5)["symbol"].tolist() == ["AAA", "BBB", "AAA", "BBB", "CCC"]


def test_a_panel_has_prices_where_there_are_any_and_the_engines_hours(journal, tmp_path):
    journal.write_rows(OPEN, rows_of(5, OPEN, [10.0, np.nan]))
    journal.write_rows(OPEN, rows_of(5, OPEN + 5 * SECOND, [11.0, 21.0]))
    journal.flush()
    bars = JournalReader(tmp_path).panel(5)
    assert bars.shape == (2, 2)
    assert (str(bars.timeframe), bars.calendar) == ("5s", "24/7")
    assert np.array_equal(bars.close.to_numpy(), [[10.0, np.nan], [11.0, 21.0]], equal_nan=True)


def test_signals_say_which_gate_held_them_back(journal, tmp_path):
    said = signal_rows(
        5, OPEN, [0, 1], stances=[1.0, 0.0], previous=[0.0, 0.0], wanted=[1.0, 1.0], prices=[10.0, 20.0],
        gates=[None, "spread"],
    )  # fmt: skip
    journal.write_signals(OPEN, said)
    journal.write_decisions(OPEN, 5, OPEN, np.array([1]), np.array([-1.0]))
    journal.flush()
    reader = JournalReader(tmp_path)
    table = reader.signals()
    assert table["symbol"].tolist() == ["AAA", "BBB"]
    assert table["gate"].tolist() == [None, "spread"]
    assert reader.decisions()[["symbol", "stance"]].to_numpy().tolist() == [["BBB", -1.0]]


def test_events_are_told_in_words(journal, tmp_path):
    journal.write_link(OPEN, {"state": "down", "reason": "reset"})
    journal.write_gap(OPEN, "filled", OPEN, OPEN + 3 * SECOND, reason="reset")
    journal.write_gap(OPEN, "open", OPEN, None, reason="silent")
    journal.write_focus(OPEN, {"AAA": OPEN}, {"AAA": "first fill"}, {"BBB": "left universe"})
    journal.write_universe(OPEN, {"ranked": 7})
    journal.write_warning(OPEN, "look out")
    journal.write_stop(OPEN, "SIGTERM")
    journal.flush()
    table = JournalReader(tmp_path).events()
    assert dict(zip(table["event"], table["what"], strict=True)) | {"gap": None} == {
        "start": "rule {} on x",
        "link": "down: reset",
        "gap": None,
        "focus": "1 symbols; 1 entered, 1 left: +AAA (first fill), -BBB (left universe)",
        "universe": "7 symbols ranked",
        "warning": "look out",
        "stop": "SIGTERM",
    }
    assert table[table["event"] == "gap"]["what"].tolist() == ["filled of 3.0 s: reset", "open: silent"]


def test_flags_have_names():
    assert flag_text(0) == ""
    assert flag_text(int(Flag.EMPTY | Flag.HOLE | Flag.HALTED)) == "empty, hole, halted"


def test_a_session_reads_as_one_table_without_repetition(tmp_path):
    session_in(tmp_path, what_came(seconds=40)).run()
    reader = JournalReader(places_in(tmp_path).journal)
    table = reader.bars(5)
    assert set(table["symbol"]) == set(NAMES)
    assert not table.duplicated(["time", "symbol"]).any()
    assert table["time"].diff().dropna().isin([pd.Timedelta(0), pd.Timedelta("5s")]).all()
