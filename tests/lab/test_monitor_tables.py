"""What a follower holds, as tables."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.lab import monitor_tables as tables
from qtw_lab.live.following import Follower
from qtw_lab.live.journal import Journal
from qtw_lab.live.rows import ROW, Flag, signal_rows

SECOND = 10**9
START = 1_704_205_800 * SECOND
NAMES = ["AAA", "BBB", "ABC"]


@pytest.fixture
def follower(tmp_path):
    with Journal(tmp_path, sync_seconds=None) as journal:
        journal.write_start(1, {})
        journal.write_symbols(2, NAMES)
        journal.write_focus(
            10 * SECOND, {"BBB": 10 * SECOND, "AAA": 4 * SECOND, "ABC": 10 * SECOND},
            {"BBB": "outranks ZZZ (9)", "ABC": "free place"}, {"ZZZ": "outranked by BBB (1)"},
        )  # fmt: skip
        rows = np.zeros(4, ROW)
        rows["level"], rows["symbol"] = 5, [0, 0, 1, 1]
        rows["time"] = [START, START + 5 * SECOND, START, START + 5 * SECOND]
        rows["open"], rows["close"] = [1.0, 2.0, 4.0, 4.0], [2.0, 2.5, 4.0, 3.0]
        rows["high"] = rows["low"] = rows["close"]
        rows["volume"], rows["count"] = [10, 20, 30, 5], [1, 2, 3, 4]
        rows["bid"], rows["ask"] = [1.0, 1.99, 4.0, 3.0], [2.0, 2.01, 4.0, 3.0]
        rows["flags"] = [0, int(Flag.LATE | Flag.BACKFILL), 0, 0]
        journal.write_rows(11, rows)
        for time, gate in ((START, None), (START + 5 * SECOND, "spread")):
            signals = signal_rows(5, time, [1], stances=[1.0], previous=[0.0], wanted=[1.0], prices=[4.0], gates=[gate])
            journal.write_signals(12, signals)
        journal.write_gap(13, "open", START, None, "reset")
        journal.write_gap(14, "open", START - SECOND, None, "silent")
        journal.write_gap(15, "filled", START - SECOND, START + SECOND, "silent")
        journal.write_warning(16, "the disk is full")
    made = Follower(tmp_path)
    made.follow()
    return made


def test_the_focus_is_listed_by_rank_with_the_last_bar_of_each(follower):
    table = tables.focus_table(follower, 5, 130 * SECOND)
    assert tuple(table.columns) == tables.FOCUS
    assert table["symbol"].tolist() == ["BBB", "AAA", "ABC"]
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["stance"].tolist() == [1.0, 0.0, 0.0]
    assert table["close"].iloc[:2].tolist() == [3.0, 2.5]
    assert table["change"].iloc[:2].tolist() == [-0.25, 0.25]
    assert table["spread_bps"].iloc[1] == pytest.approx(1e4 * 0.02 / 2.0)
    assert table["flags"].tolist() == ["", "backfill, late", ""]
    assert table["bar"].iloc[0] == pd.Timestamp(START + 5 * SECOND, tz="UTC")
    assert table["in_focus"].tolist() == [pd.Timedelta("120s"), pd.Timedelta("126s"), pd.Timedelta("120s")]
    assert table["reason"].tolist() == ["outranks ZZZ (9)", "", "free place"]


def test_a_symbol_without_a_bar_has_a_row_with_nothing_in_it(follower):
    for level in (5, 60):
        row = tables.focus_table(follower, level, 0).iloc[-1]
        assert row["symbol"] == "ABC"
        assert row[["close", "change", "spread_bps", "volume"]].isna().all()
        assert row["bar"] is pd.NaT
        assert row["trades"] == 0
        assert row["in_focus"] == pd.Timedelta(0), "a clock that was set back makes no negative time"


def test_the_focus_can_be_searched_and_ordered(follower):
    table = tables.focus_table(follower, 5, 130 * SECOND)

    def names(**how):
        return tables.chosen(table, **how)["symbol"].tolist()

    assert names() == ["BBB", "AAA", "ABC"]
    assert names(find=" a ") == ["AAA", "ABC"]
    assert names(find=".") == []
    assert names(order="symbol") == ["AAA", "ABC", "BBB"]
    assert names(order="rising") == ["AAA", "BBB", "ABC"]
    assert names(order="falling") == ["BBB", "AAA", "ABC"]
    assert names(order="volume") == ["AAA", "BBB", "ABC"]
    assert names(order="newest")[-1] == "AAA"


def test_bars_of_a_symbol_are_told_oldest_first(follower):
    table = tables.bars_table(follower, "AAA", 5)
    assert table["close"].tolist() == [2.0, 2.5]
    assert table["time"].iloc[0] == pd.Timestamp(START, tz="UTC")
    assert table["trades"].tolist() == [1, 2]
    assert tables.bars_table(follower, "nobody", 5).empty


def test_signals_are_told_newest_first_and_those_held_back_only_if_asked_for(follower):
    table = tables.signals_table(follower)
    assert table["gate"].tolist() == ["spread", ""]
    assert table["symbol"].tolist() == ["BBB", "BBB"]
    assert tables.signals_table(follower, held=False)["gate"].tolist() == [""]
    assert len(tables.signals_table(follower, 1)) == 1


def test_churn_says_who_came_and_went_and_why(follower):
    row = tables.churn_table(follower).iloc[0]
    assert (row["size"], row["came"], row["went"]) == (3, 2, 1)
    assert row["entered"] == "BBB: outranks ZZZ (9); ABC: free place"
    assert row["left"] == "ZZZ: outranked by BBB (1)"


def test_a_great_change_is_cut_short(tmp_path):
    names = [f"S{n:04}" for n in range(1500)]
    with Journal(tmp_path, sync_seconds=None) as journal:
        journal.write_symbols(1, names)
        journal.write_focus(2, dict.fromkeys(names, 2), dict.fromkeys(names, "first fill"))
    made = Follower(tmp_path)
    made.follow()
    assert tables.churn_table(made)["entered"].iloc[0].endswith("; S0011: first fill; +1,488")


def test_gaps_are_told_newest_first_with_their_length_once_they_end(follower):
    table = tables.gaps_table(follower)
    assert table["state"].tolist() == ["filled", "open"]
    assert table["seconds"].iloc[0] == 2.0
    assert np.isnan(table["seconds"].iloc[1])
    assert table["reason"].tolist() == ["silent", "reset"]


def test_events_are_told_newest_first(follower):
    table = tables.events_table(follower)
    assert table["event"].tolist() == ["warning", "gap", "gap", "gap", "focus", "start"]
    assert table["what"].iloc[0] == "the disk is full"


def test_of_nothing_every_table_is_empty_and_has_its_columns(tmp_path):
    nobody = Follower(tmp_path)
    nobody.follow()
    assert tuple(tables.focus_table(nobody, 5, 0).columns) == tables.FOCUS
    for table in (
        tables.focus_table(nobody, 5, 0), tables.bars_table(nobody, "AAA", 5), tables.signals_table(nobody),
        tables.churn_table(nobody), tables.gaps_table(nobody), tables.events_table(nobody),
    ):  # fmt: skip
        assert table.empty
        assert len(table.columns) >= 3
