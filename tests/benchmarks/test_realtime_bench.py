"""The instruments of the realtime figures: what is sent, what its bars must be, and how a lag is taken."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import processes
import pytest
import realtime
import realtime_day
import realtime_lines
import realtime_stream
import tables
from realtime_stream import Plan

from qtw_lab.venues.ticks import TRADE, Symbols
from qtw_lab.venues.wire.decoding import Decoder
from qtw_lab.venues.wire.framing import Deframer

SMALL = Plan(symbols=3, rate=1_000, messages=2_000)
START = 1_772_461_800 * 10**9


def received(pool, first, stamps, trades):
    payload = Deframer().take(bytes(pool.stamp(first, stamps, trades))).payload
    return Decoder(Symbols(realtime_stream.names(SMALL.symbols))).decode(payload)


def test_what_is_sent_says_what_was_made_with_the_time_and_the_ids_stamped_on_it():
    pool = realtime_stream.pool(SMALL)
    stamps = START + np.arange(3) * 10**9 + 123_456_789
    decoded = received(pool, 2, stamps, 40)
    rows = pool.rows[200:500]
    assert decoded.faults == 0
    assert decoded.ticks["time"].tolist() == np.repeat(stamps, 100).tolist()
    for name in ("kind", "symbol", "price", "size", "exchange", "conditions"):
        assert decoded.ticks[name].tolist() == rows[name].tolist()
    numbers = decoded.ticks["id"][decoded.ticks["kind"] == TRADE]
    assert numbers.tolist() == ((1 << 62) + 41 + np.arange(len(numbers))).tolist()


def test_a_whole_second_is_stamped_as_any_other_moment():
    pool = realtime_stream.pool(SMALL)
    assert set(received(pool, 0, np.array([START]), 0).ticks["time"].tolist()) == {START}


def test_one_message_in_ten_is_a_trade():
    rows = realtime_stream.made(Plan(symbols=100, messages=100_000))
    assert (rows["kind"] == TRADE).mean() == pytest.approx(0.1, abs=0.005)


def test_a_plan_is_sent_gently_first_and_then_at_its_rate():
    plan = Plan.over(10, 2_000, 1.0, prelude=0.1)
    assert (plan.messages, plan.frames, plan.prelude) == (2_200, 22, 2)
    # two frames 50 ms apart, then a hundred messages every 50 ms are 2,000 a second
    assert plan.schedule.tolist() == [k * 50_000_000 for k in range(22)]
    assert Plan.loads(plan.dumps()) == plan


def test_symbols_have_names_of_their_own():
    assert len(set(realtime_stream.names(10_000))) == 10_000


def test_bars_are_those_made_trade_by_trade():
    stamps = START + (np.arange(SMALL.frames) * 130_000_000).astype(np.int64)
    found = realtime_stream.bars_of(SMALL, stamps, 1)
    rows, bars = realtime_stream.made(SMALL), {}
    for place, row in enumerate(rows):
        if row["kind"] == TRADE:
            begin = int(stamps[place // 100]) // 10**9 * 10**9
            bars.setdefault((begin, int(row["symbol"])), []).append((float(row["price"]), float(row["size"])))
    assert list(zip(found["time"].tolist(), found["symbol"].tolist(), strict=True)) == sorted(bars)
    for place, key in enumerate(sorted(bars)):
        prices = [price for price, _ in bars[key]]
        wanted = (prices[0], max(prices), min(prices), prices[-1], sum(size for _, size in bars[key]), len(prices))
        assert tuple(found[name][place] for name in ("open", "high", "low", "close", "volume", "count")) == wanted


def test_sums_go_round_a_pool_that_is_sent_again(monkeypatch):
    monkeypatch.setattr(realtime_stream, "POOL", 800)
    rows = realtime_stream.made(SMALL)
    sent = np.concatenate([rows, rows, rows[:400]])
    found = realtime_stream.sums(SMALL)
    trade = sent["kind"] == TRADE
    assert (found["trades"], found["quotes"]) == (trade.sum(), (~trade).sum())
    assert found["quotes_price"] == pytest.approx(sent["price"][~trade].sum(), rel=1e-12)


def test_a_lag_is_from_the_moment_in_a_frame_to_when_its_last_message_was_taken_in():
    # Frames of 2 sent at 0, 10 and 20; one message by 5, three by 12, all six by 31.
    lag = realtime.lags(np.array([5, 12, 31]), np.array([1, 3, 6]), np.array([0, 10, 20]), 2)
    assert (lag * 1e9).round(6).tolist() == [12, 21, 11]


def test_decisions_are_timed_from_the_first_event_after_their_bar():
    stamps = np.array([90, 100, 101, 250])
    decided = np.array([[100, 104], [200, 257], [300, 400]])  # nothing came after the last
    assert (realtime.signal_lags(decided, stamps) * 1e9).round(6).tolist() == [4, 7]


def test_the_day_gives_payloads_as_a_feed_does():
    pool = realtime_stream.pool(SMALL)
    stamps = START + np.arange(2)
    mine = realtime_day.payload(pool, 1, stamps, 7)
    assert mine == bytes(Deframer().take(bytes(pool.stamp(1, stamps, 7))).payload)


def test_the_streams_have_the_sizes_the_targets_speak_of():
    found = {run.name: run.plan for run in realtime.runs(quick=False)}
    assert len(found) == len(realtime.runs(quick=False))
    assert {found[f"pace {symbols} 1000000"].rate for symbols in (1_000, 10_000)} == {1_000_000}
    burst = found["burst"]
    assert (burst.rate, burst.messages - 100 * burst.prelude) == (1_500_000, 1_500_000)


@pytest.mark.slow
def test_an_engine_that_takes_a_small_stream_in_makes_its_bars(tmp_path):
    try:
        realtime.cores()
    except processes.Unusable as err:
        pytest.skip(str(err))
    run = realtime.Run("small", "engine", Plan.over(50, 20_000, 2.0, 6.5))
    found = realtime.figures(run, realtime.streamed(run, tmp_path), tmp_path)
    assert (found["lost"], found["differing"], found["news"]) == (0, 0, [])
    assert found["bars"] > 100
    assert found["ending"] == "everything has come"


def stream(name, **changed):
    return {
        "name": name, "side": "engine", "symbols": 10_000, "offered": 1_000_000, "messages": 8_000_000, "lost": 0,
        "peak_mb": 500.0, "seconds": 8.0, "rate": 999_000.0, "cpu": 0.5, "equal": True, "bars": 7,
        "lag_ms": [0.5, 4.0, 6.0, 9.0], "sent_ms": [0.4, 3.0, 5.0, 8.0], "start_ms": 12.0, "signals_ms": [8.0, 10.0],
        "memory_mb": [500.0] * 60,
    } | changed  # fmt: skip


def test_a_target_is_met_only_without_loss_at_the_rate_and_within_the_bound():
    def verdict(**changed):
        text = "\n".join(realtime_lines.lines({"streams": [stream("pace 10000 1000000", **changed)]}))
        return re.search(r"target (met|NOT met): 1,000,000/s", text)[1]

    assert verdict() == "met"
    assert verdict(lost=1) == "NOT met"
    assert verdict(rate=900_000.0) == "NOT met"
    assert verdict(lag_ms=[0.5, 5.1, 6.0, 9.0]) == "NOT met"


def test_the_page_tells_every_kind_of_stream():
    free = {"side": "x", "offered": 0, "rate": 2_000_000.0}
    day = {
        "symbols": 1_000, "rate": 5_000, "session": 23_400, "seconds": 90.0, "rows": 10, "messages": 117_000_000,
        "lost": 0, "memory": [[0, 400.0], [9_000, 450.0], [23_100, 451.0]], "peak_mb": 460.0, "journal_gb": 2.4,
    }  # fmt: skip
    streams = [
        stream("pace 10000 250000", offered=250_000), stream("burst", offered=1_500_000), stream("signals"),
        stream("free engine", **free), stream("free alpaca-py", **free | {"rate": 50_000.0}), stream("soak"),
    ]  # fmt: skip
    report = {
        "date": "2026-01-02", "quick": False, "repeats": 1, "cases": {}, "start": None, "growth": None,
        "machine": {"cores": 2, "cpu": "a", "system": "b", "python": "c", "versions": {}},
        "realtime": {"streams": streams, "day": day},
    }  # fmt: skip
    text = tables.markdown(json.loads(json.dumps(report)))
    assert "median 9.0 ms, most 10.0 ms of 2" in text
    assert "| alpaca-py, two handlers | 50,000 | 0.025× | 500 MB |" in text
    assert "memory 450 MB after a third, 451 MB at the end" in text
    assert "memory stayed" in text
    assert "target met: 1,500,000/s for a second, 0 of 8,000,000 lost" in text


def test_a_bar_that_differs_gives_no_figures(tmp_path, monkeypatch):
    told = dataclasses.replace(realtime.runs(quick=True)[0])
    monkeypatch.setattr(realtime, "runs", lambda *, quick: [told])
    monkeypatch.setattr(realtime, "streamed", lambda *_: {})
    monkeypatch.setattr(realtime, "figures", lambda *_: stream(told.name, equal=False))
    with pytest.raises(processes.Unusable, match="not what was sent"):
        realtime.run(tmp_path, quick=True)


def test_the_benchmark_is_asked_for_by_name():
    import run

    assert "realtime" in run.chosen_names(None)
    assert run.chosen_names(["realtime"]) == ["realtime"]
    assert Path(realtime.__file__).parent == processes.HERE
