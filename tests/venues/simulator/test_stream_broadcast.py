"""The market's events on their way: complete, in order, at their time, whatever the market or its speed."""

import contextlib
import threading
import time

import numpy as np
import pytest
from simulated import NAMES, OPEN, rows_of

from qtw_lab.venues.simulator.broadcast import fakepaca_bar, fakepaca_events
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.ticks import Symbols

ALL = {"action": "subscribe", "trades": ["*"], "quotes": ["*"], "statuses": ["*"], "lulds": ["*"]}
SECOND = 10**9


def heard(client, until):
    with contextlib.suppress(TimeoutError):
        while not until(client.seen):
            client.seen += client.hear(5)
    return client.seen


@pytest.mark.parametrize("speed", [3.0, 30.0, float("inf")])
def test_a_synthetic_market_comes_whole_and_in_order_of_arrival_at_any_speed(served, talk, speed):
    market = chosen_market(symbols=40, seed=5)
    simulator = served(market, speed=speed)
    client = talk(simulator.stream_url("sip")).enter()
    start = simulator.clock.start
    client.ask(ALL)
    rows = market.events(start, start + 8 * SECOND)
    seen = heard(client, lambda seen: len(seen) >= len(rows))[: len(rows)]
    assert [(message["T"], market.symbols.number(message["S"])) for message in seen] == [
        (chr(row["kind"]), row["symbol"]) for row in rows
    ]
    assert [message["i"] for message in seen if message["T"] == "t"] == rows["id"][rows["kind"] == ord("t")].tolist()


def test_bars_stand_among_events_where_they_were_published(served, talk):
    rows = rows_of(300, step=SECOND)
    market = RecordedMarket.from_rows(rows, Symbols(NAMES))
    client = talk(served(market, speed=float("inf")).stream_url()).enter()
    client.ask(ALL | {"bars": ["*"]})
    bars = market.published(*market.span)
    wanted = [(int(at), 1, "b") for at, row in zip(bars.times, bars.rows, strict=True) if chr(row["kind"]) == "b"]
    wanted = sorted(wanted + [(int(row["time"]), 2, chr(row["kind"])) for row in rows], key=lambda one: one[:2])
    seen = heard(client, lambda seen: len(seen) >= len(wanted))
    assert [message["T"] for message in seen[: len(wanted)]] == [kind for _, _, kind in wanted]


def test_a_market_that_is_slow_to_make_slows_its_clock_and_loses_nothing(talk):
    class Slow(RecordedMarket):
        def arrivals(self, start, end, *more, **options):
            time.sleep(0.3)
            return super().arrivals(start, end, *more, **options)

    rows = rows_of(200)
    market = Slow.from_rows(rows, Symbols(NAMES))
    with Simulator(market, speed=20.0, hold=True) as simulator:
        client = talk(simulator.stream_url()).enter()
        client.ask(ALL)
        start = time.monotonic()
        seen = heard(client, lambda seen: len(seen) >= len(rows))
        assert len(seen) == len(rows)
        assert time.monotonic() - start > 0.6


def test_a_market_that_fails_ends_the_simulator_and_says_so(market, caplog, monkeypatch):
    def broken(*_):
        raise RuntimeError("the record is torn")

    raised = []
    monkeypatch.setattr(threading, "excepthook", lambda hook: raised.append(hook.exc_value))
    monkeypatch.setattr(market, "arrivals", broken)
    simulator = Simulator(market).start()
    simulator._thread.join(5)
    assert not simulator._thread.is_alive()
    assert "The simulator failed" in caplog.text
    assert [str(error) for error in raised] == ["the record is torn"]
    simulator.stop()


def test_time_stands_still_until_somebody_subscribes_if_so_wanted(served, talk):
    simulator = served()
    client = talk(simulator.stream_url()).enter()
    time.sleep(0.1)
    assert simulator.clock.nanoseconds == OPEN
    client.ask({"action": "subscribe", "trades": ["IBM"]})
    time.sleep(0.1)
    assert simulator.clock.nanoseconds > OPEN


def test_the_state_counts_what_was_sent_by_channel(served, talk):
    simulator = served(speed=100.0)
    client = talk(simulator.stream_url()).enter()
    client.ask(ALL)
    heard(client, lambda seen: len(seen) >= 400)
    state = simulator.state()
    assert (state["events"], state["data"]["sent"]["trades"], state["data"]["sent"]["quotes"]) == (400, 200, 200)
    assert state["clock"]["ended"]


def test_the_test_streams_bar_is_that_of_its_trades():
    trades = np.concatenate([fakepaca_events(OPEN + place * SECOND)[1:] for place in range(60)])
    bar = fakepaca_bar(OPEN + 60 * SECOND)[0]
    assert (bar["open"], bar["close"], bar["count"]) == (trades["price"][0], trades["price"][-1], 60)
    assert (bar["high"], bar["low"]) == (trades["price"].max(), trades["price"].min())
    assert bar["vwap"] == pytest.approx(np.average(trades["price"], weights=trades["size"]))
    assert bar["time"] == OPEN
