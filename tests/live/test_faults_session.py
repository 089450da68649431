"""Days that are unlike others: after the change of clocks, a half day, halts of one symbol and of all."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from faults import Drill, small_market

from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.reading import JournalReader
from qtw_lab.live.rows import Flag
from qtw_lab.venues.backoff import Backoff
from qtw_lab.venues.ticks import QUOTE, STATUS, TICK, TRADE

SECOND = 10**9


def troubles(drill):
    told = [entry for entry in drill.entries() if entry.kind in (Entry.GAP, Entry.WARNING)]
    return [str(entry.content) for entry in told]


def ns(text):
    return pd.Timestamp(text, tz="America/New_York").as_unit("ns").value


def test_on_the_day_after_the_change_of_clocks_bars_and_signals_begin_at_half_past_nine_in_new_york(tmp_path):
    """2026-11-02: since the day before, 09:30 in New York is 14:30 UTC and no longer 13:30."""
    market = small_market("2026-11-02 09:29", 4.0, rate=100.0)
    with Drill(tmp_path, market, start="2026-11-02 09:29:40", speed=5.0, backoff=Backoff(first=0.1)) as drill:
        drill.until(lambda: drill.closed_after(ns("2026-11-02 09:30:20")), 30.0, "closed a bar of the session")
        drill.halt()
    verdict = drill.verdict()
    assert verdict.perfect, verdict
    bars = JournalReader(drill.places.journal).bars(5)
    opening = bars[bars["time"] == pd.Timestamp("2026-11-02 14:30", tz="UTC")]
    assert (opening["volume"] > 0).all()
    assert len(opening) == 8
    signals = JournalReader(drill.places.journal).signals()
    early = signals[(signals["time"] < "2026-11-02 14:30") & signals["gate"].isna()]
    assert early.empty


def test_on_a_half_day_nothing_is_awaited_and_no_stance_is_taken_after_one_o_clock(tmp_path):
    market = small_market("2026-11-27 12:59", 1.1, rate=100.0)  # ends a few seconds after the close
    with Drill(tmp_path, market, start="2026-11-27 12:59:15", speed=8.0, backoff=Backoff(first=0.1)) as drill:
        drill.until(lambda: drill.moment().market > ns("2026-11-27 12:59:59"), 20.0)
        time.sleep(4.0)  # half a minute after the close, in which nothing comes
        assert troubles(drill) == []
        assert "down" not in drill.links()
        drill.stopped_at = drill.simulator.clock.nanoseconds
        drill.cut()
    verdict = drill.verdict()
    assert verdict.perfect, verdict
    reader = JournalReader(drill.places.journal)
    after = reader.signals()
    assert after[(after["time"] >= "2026-11-27 18:00") & after["gate"].isna()].empty
    late = reader.bars(5)
    late = late[late["time"] >= "2026-11-27 18:00:30"]
    print(f"{len(late)} bars of 5 s from half a minute after the close on")


def halted(numbers, start, end):
    """A script: those symbols stand still between two moments, and it is told."""

    def scripted(rows, times):
        within = (
            np.isin(rows["symbol"], numbers) & (times >= start) & (times < end) & np.isin(rows["kind"], (TRADE, QUOTE))
        )
        rows, times = rows[~within], times[~within]
        told = np.zeros(2 * len(numbers), dtype=TICK)
        told["kind"], told["tape"] = STATUS, ord("C")
        told["symbol"], told["time"] = [*numbers, *numbers], [start] * len(numbers) + [end] * len(numbers)
        told["flag"] = [ord("H")] * len(numbers) + [ord("T")] * len(numbers)
        for name in ("price", "size", "other_price", "other_size"):
            told[name] = np.nan
        both, instants = np.concatenate([rows, told]), np.concatenate([times, told["time"]])
        order = np.argsort(instants, kind="stable")
        return both[order], instants[order]

    return scripted


def run_of(tmp_path, numbers):
    start, end = ns("2026-03-10 10:00:25"), ns("2026-03-10 10:00:45")
    market = small_market(minutes=3.0, scripted=halted(numbers, start, end))
    with Drill(tmp_path, market, speed=5.0, backoff=Backoff(first=0.1)) as drill:
        drill.until(lambda: drill.moment().market > end + 8 * SECOND, 25.0)
        drill.until(lambda: drill.closed_after(end + 2 * SECOND), 10.0, "closed a bar after the halt")
        told = troubles(drill)
        drill.halt()
    verdict = drill.verdict()
    assert verdict.perfect, verdict
    rows = JournalReader(drill.places.journal).rows(1)
    inside = rows[(rows["time"] > start) & (rows["time"] + SECOND < end)]
    return told, inside, JournalReader(drill.places.journal).symbols, market.symbols.names


def test_the_bars_of_a_halt_say_so_and_nobody_takes_it_for_a_silent_stream(tmp_path):
    told, inside, names, market = run_of(tmp_path, [2])
    assert told == []
    flagged = {names[number] for number in inside["symbol"][inside["flags"] & Flag.HALTED != 0].tolist()}
    assert flagged == {market[2]}
    mine = inside[inside["symbol"] == names.index(market[2])]
    assert len(mine) > 10
    assert (mine["flags"] & Flag.HALTED != 0).all()
    assert (mine["flags"] & Flag.EMPTY != 0).all()


@pytest.mark.slow
def test_a_halt_of_the_whole_market_is_no_silent_stream(tmp_path):
    told, inside, _, _ = run_of(tmp_path, list(range(8)))
    assert len(told) == 2, told  # that everything is halted, and that it is over
    assert all("halt" in words for words in told)
    assert (inside["flags"] & Flag.HALTED != 0).all()
