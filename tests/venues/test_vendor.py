"""Both clients of the stream, ours and alpaca-py's own, against the simulator and its faults."""

import contextlib
import json
import time

import numpy as np
import pytest
from small_venue import KEY, NAMES, SECRET, rows, simulated

from qtw_lab.venues.backoff import Backoff
from qtw_lab.venues.feeds import Kind
from qtw_lab.venues.link import Limits
from qtw_lab.venues.simulator.stream import Terms
from qtw_lab.venues.ticks import Symbols
from qtw_lab.venues.wire.decoding import Decoder

pytest.importorskip("alpaca", reason="needs the live extra")

from qtw_lab.venues.alpaca import alpaca_feed, stream_access
from qtw_lab.venues.vendor import PyStreamFeed

QUICK = Limits(connecting=1.0, ping=0.3, pong=0.3, answer=1.0)

FEEDS = {
    "ours": lambda settings: alpaca_feed(settings, limits=QUICK, backoff=Backoff(1, first=0.05, cool_down=0.2)),
    "alpaca-py": lambda settings: PyStreamFeed(
        stream_access(settings), limits=QUICK, backoff=Backoff(1, first=0.05, cool_down=0.2)
    ),
}


#: For tests that wait long: the quick run has our client only.
OURS_QUICKLY = pytest.mark.parametrize(
    "make", ["ours", pytest.param("alpaca-py", marks=pytest.mark.slow)], indirect=True
)


class Reader:
    """Reads a feed and keeps what came."""

    def __init__(self, feed) -> None:
        self.feed = feed
        self.symbols = Symbols(NAMES)
        self.decoder = Decoder(self.symbols)
        self.news: list[dict] = []
        self.ticks: list[np.ndarray] = []
        self.faults = 0

    def read(self, seconds: float = 0.5) -> None:
        for inbound in self.feed.read(seconds):
            if inbound.kind == Kind.LINK:
                self.news.append(json.loads(bytes(inbound.payload)))
            else:
                decoded = self.decoder.decode(inbound.payload)
                self.ticks.append(decoded.ticks.copy())
                self.faults += decoded.faults

    def until(self, *states: str, seconds: float = 10.0) -> dict:
        wanted, ends, looked = list(states), time.monotonic() + seconds, 0
        while True:
            for news in self.news[looked:]:
                looked += 1
                if news["state"] == wanted[0]:
                    wanted.pop(0)
                    if not wanted:
                        del self.news[:looked]
                        return news
            assert time.monotonic() < ends, f"waited for {wanted}, got {self.news}"
            self.read()

    def rows(self, count: int, seconds: float = 10.0) -> np.ndarray:
        ends = time.monotonic() + seconds
        while sum(map(len, self.ticks)) < count:
            assert time.monotonic() < ends, f"got {sum(map(len, self.ticks))} of {count} rows, {self.news}"
            self.read()
        return np.concatenate(self.ticks)


@pytest.fixture(params=list(FEEDS))
def make(request):
    return FEEDS[request.param]


@contextlib.contextmanager
def reading(make, settings):
    feed = make(settings)
    try:
        yield Reader(feed)
    finally:
        feed.close()


def started(reader: Reader, **wanted) -> None:
    reader.feed.subscribe(wanted or {"trades": NAMES})
    reader.feed.open()
    reader.until("connecting", "up", "subscribed")


def test_every_trade_arrives_once_and_in_order(make):
    with simulated(hold=True) as (_, settings), reading(make, settings) as reader:
        started(reader)
        found = reader.rows(3000)
    wanted = rows()
    for name in ("symbol", "time", "id", "price", "size", "exchange", "tape"):
        assert list(found[name]) == list(wanted[name]), name
    assert reader.faults == 0


def test_only_what_is_wanted_comes_and_a_wish_can_change(make):
    with simulated(speed=60.0, hold=True) as (_, settings), reading(make, settings) as reader:
        started(reader, trades=["KO"])
        assert set(reader.rows(20)["symbol"]) == {1}
        reader.feed.subscribe({"trades": ["AAPL"]})
        assert reader.until("subscribed")["channels"] == {"trades": 1}
        reader.ticks.clear()
        assert set(reader.rows(20)["symbol"]) == {0}


@OURS_QUICKLY
@pytest.mark.parametrize(
    "fault",
    [{"kind": "drop"}, {"kind": "close", "code": 1012}, {"kind": "mute", "for": 1.0}, {"kind": "restart", "for": 0.3}],
    ids=lambda fault: fault["kind"],
)  # fmt: skip
def test_after_a_fault_of_the_link_it_is_up_and_subscribed_again(make, fault):
    with simulated(speed=1.0, hold=True) as (simulator, settings), reading(make, settings) as reader:
        started(reader)
        reader.rows(3)
        simulator.fault(fault)
        reader.until("down", "up", "subscribed")
        reader.ticks.clear()
        reader.rows(3)


@OURS_QUICKLY
def test_frames_that_cannot_be_decoded_are_counted_and_the_link_stays(make):
    with simulated(speed=10.0, hold=True) as (simulator, settings), reading(make, settings) as reader:
        started(reader)
        reader.rows(3)
        for what in ("garbage", "truncated", "text", "types", "number", "empty"):
            simulator.fault({"kind": "malformed", "what": what})
        seen = sum(map(len, reader.ticks))
        reader.rows(seen + 200)
        assert reader.faults >= 4
        assert reader.news == []


@OURS_QUICKLY
def test_a_second_reader_waits_until_the_place_is_free(make):
    with simulated(speed=1.0) as (_, settings), reading(make, settings) as first:
        started(first)
        with reading(make, settings) as second:
            second.feed.subscribe({"trades": ["KO"]})
            second.feed.open()
            pauses = [second.until("refused")["seconds"] for _ in range(2)]
            assert pauses == [0.2, 0.4]
            first.read()
            assert not [news for news in first.news if news["state"] == "down"]
            first.feed.close()
            second.until("up", "subscribed")


def test_wrong_keys_are_final(make):
    with simulated(speed=1.0, keys=("another", "one")) as (_, settings), reading(make, settings) as reader:
        reader.feed.open()
        news = reader.until("fatal")
        assert news["code"] == 402
        assert KEY not in str(news)
        reader.read()
        assert [told["state"] for told in reader.news] == []


def test_a_feed_that_the_plan_does_not_have_is_final(make):
    terms = Terms({KEY: SECRET}, feeds=("iex",))
    with simulated(speed=1.0, terms=terms) as (_, settings):
        sip = settings.model_copy(update={"alpaca_data_feed": "sip"})
        with reading(make, sip) as reader:
            reader.feed.open()
            assert reader.until("fatal")["code"] == 409


@OURS_QUICKLY
def test_a_server_that_accepts_and_says_nothing_is_left_and_found_again(make):
    with simulated(speed=1.0) as (simulator, settings), reading(make, settings) as reader:
        simulator.fault({"kind": "silent_accept", "for": 0.5})
        reader.feed.open()
        assert "within 1 s" in reader.until("waiting")["reason"]
        reader.until("up")


def test_more_symbols_than_the_plan_has_are_a_warning_and_named(make):
    terms = Terms({KEY: SECRET}, symbol_limit=2)
    with simulated(speed=1.0, terms=terms) as (_, settings), reading(make, settings) as reader:
        reader.feed.subscribe({"trades": NAMES})
        reader.feed.open()
        assert reader.until("up", "warning")["code"] == 405
        assert reader.until("subscribed")["missing"] == {"trades": NAMES}


def test_giving_up_and_closing_take_no_time(make):
    with simulated(speed=1.0) as (_, settings), reading(make, settings) as reader:
        started(reader)
        reader.feed.reconnect("silent")
        assert reader.until("down")["reason"] == "silent"
        reader.until("up", "subscribed")
        began = time.monotonic()
        reader.feed.close()
        assert time.monotonic() - began < 1.0
        reader.until("ended")
        assert reader.feed.read(0) == ()


def test_closing_while_nothing_answers_takes_no_time(make):
    with simulated(speed=1.0) as (simulator, settings), reading(make, settings) as reader:
        simulator.fault({"kind": "silent_accept", "for": 60})
        reader.feed.open()
        reader.until("connecting")
        reader.read(0.2)
        began = time.monotonic()
        reader.feed.close()
        assert time.monotonic() - began < 1.0


def test_the_test_feed_streams_its_fake_symbol(make):
    with simulated(speed=1.0) as (_, settings):
        fake = settings.model_copy(update={"alpaca_data_feed": "test"})
        with reading(make, fake) as reader:
            started(reader, trades=["FAKEPACA"])
            found = reader.rows(1)
            assert reader.symbols.names[found["symbol"][0]] == "FAKEPACA"
