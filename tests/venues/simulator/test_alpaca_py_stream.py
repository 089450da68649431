"""The unmodified alpaca-py clients, StockDataStream and TradingStream, against the simulator over real sockets."""

import contextlib
import threading
import time
import warnings
from datetime import UTC, datetime

import pytest
import requests
from simulated import KEYS, NAMES, rows_of

from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.stream import Terms
from qtw_lab.venues.ticks import CANCEL, CORRECTION, STATUS, Symbols, packed

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py still uses websockets.legacy
    from alpaca.data.live import StockDataStream
    from alpaca.data.models import Bar, Quote, Trade, TradeCancel, TradeCorrection, TradingStatus
    from alpaca.trading.models import TradeUpdate
    from alpaca.trading.stream import TradingStream


def until(true, seconds=8.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


class Ran:
    """A stream of alpaca-py in a thread of its own, and what its handlers were given."""

    def __init__(self, stream, simulator):
        self.stream, self.simulator, self.seen = stream, simulator, []
        self.thread = threading.Thread(target=stream.run, daemon=True)

    async def handle(self, found):
        self.seen.append(found)

    def start(self):
        self.thread.start()
        until(lambda: self.stream._running)
        return self

    def stop(self):
        with contextlib.suppress(Exception):
            self.stream.stop()
        self.simulator.fault({"kind": "drop", "on": "all"})  # else it notices up to 5 seconds later that it should stop
        self.thread.join(8)
        assert not self.thread.is_alive()


@pytest.fixture
def data_stream():
    """Makes data streams of alpaca-py and ends them after the test."""
    with contextlib.ExitStack() as ends:

        def make(simulator, feed="sip", keys=("sim-key", "sim-secret"), **options):
            ran = Ran(StockDataStream(*keys, url_override=simulator.stream_url(feed), **options), simulator)
            ran.stream._reconnect_min_backoff = 0.05
            ends.callback(lambda: ran.thread.ident and ran.stop())
            return ran

        yield make


def test_trades_and_quotes_are_parsed_and_complete(served, data_stream):
    client = data_stream(served())
    client.stream.subscribe_trades(client.handle, *NAMES)
    client.stream.subscribe_quotes(client.handle, "*")
    client.start()
    until(lambda: len(client.seen) >= 400)
    rows = rows_of(400)
    trades = [found for found in client.seen if isinstance(found, Trade)]
    quotes = [found for found in client.seen if isinstance(found, Quote)]
    assert [trade.id for trade in trades] == [int(number) for number in rows["id"][rows["kind"] == ord("t")]]
    assert [quote.bid_price for quote in quotes] == rows["price"][rows["kind"] == ord("q")].tolist()
    assert (trades[0].symbol, trades[0].exchange, trades[0].conditions, trades[0].tape) == ("MSFT", "V", ["@"], "C")
    assert trades[0].timestamp == datetime(2024, 1, 2, 14, 30, 0, 50_000, tzinfo=UTC)
    assert quotes[0].ask_size == 200


def test_bars_statuses_corrections_and_cancels_are_parsed(served, data_stream):
    rows = rows_of(8)
    rows["kind"], rows["symbol"], rows["exchange"] = ord("t"), 0, ord("V")
    rows["id"], rows["other_price"], rows["other_size"] = range(1, 9), 99.0, 50
    rows["kind"][[3, 4, 5]], rows["id"][[3, 4]], rows["second_id"][3] = (CORRECTION, CANCEL, STATUS), (1, 2), 10
    rows["flag"][[4, 5]], rows["conditions"][5] = (ord("C"), ord("H")), packed("T1")
    client = data_stream(served(RecordedMarket.from_rows(rows, Symbols(NAMES)), speed=100.0))
    client.stream.subscribe_trades(client.handle, "AAPL")
    client.stream.subscribe_trading_statuses(client.handle, "*")
    client.stream.subscribe_bars(client.handle, "*")
    client.stream.subscribe_updated_bars(client.handle, "*")
    client.stream.subscribe_daily_bars(client.handle, "*")
    client.stream.register_trade_corrections(client.handle)
    client.stream.register_trade_cancels(client.handle)
    client.start()
    until(lambda: sum(isinstance(found, Bar) for found in client.seen) >= 2)
    kinds = [type(found) for found in client.seen]
    assert kinds == [Trade, Trade, Trade, TradeCorrection, TradeCancel, TradingStatus, Trade, Trade, Bar, Bar]
    correction, cancel, status, bar = (client.seen[place] for place in (3, 4, 5, 8))
    assert (correction.original_id, correction.corrected_id, correction.corrected_price) == (1, 10, 100.03)
    assert cancel.id == 2
    assert (status.status_code, status.reason_code) == ("H", "T1")
    assert bar.timestamp == datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    assert bar.close == 100.07


def test_a_subscription_to_8000_symbols_arrives_though_it_comes_in_fragments(served, data_stream):
    simulator = served()
    client = data_stream(simulator)
    client.stream.subscribe_trades(client.handle, *[f"SYM{number}" for number in range(8000)])
    client.start()
    until(lambda: simulator.state()["data"]["links"][0]["symbols"] == {"trades": 8000})
    client.stream.subscribe_quotes(client.handle, "AAPL")
    client.stream.unsubscribe_trades("SYM7")
    until(lambda: simulator.state()["data"]["links"][0]["symbols"] == {"trades": 7999, "quotes": 1})


def test_it_reconnects_after_a_reset_a_close_and_a_restart(served, data_stream):
    simulator = served(hold=False, speed=0.5)
    client = data_stream(simulator)
    client.stream.subscribe_trades(client.handle, "*")
    client.start()
    for entry in ({"kind": "drop"}, {"kind": "close", "code": 1012}, {"kind": "restart", "for": 0.3}):
        links = simulator.state()["data"]["accepted"]
        simulator.fault(entry)
        until(lambda links=links: simulator.state()["data"]["accepted"] > links)
        until(lambda: [link["symbols"] for link in simulator.state()["data"]["links"]] == [{"trades": 1}])
    seen = len(client.seen)
    until(lambda: len(client.seen) > seen)


def test_wrong_keys_and_a_taken_slot_are_said_in_the_words_it_expects(served, data_stream, caplog):
    simulator = served(terms=Terms({"sim-key": "sim-secret"}, feeds=("sip",)))
    first = data_stream(simulator)
    first.stream.subscribe_trades(first.handle, "AAPL")
    first.start()
    for keys, feed, words in (
        (("sim-key", "sim-secret"), "sip", "connection limit exceeded"),
        (("sim-key", "wrong"), "sip", "auth failed"),
        (("sim-key", "sim-secret"), "iex", "insufficient subscription"),
    ):
        caplog.clear()
        other = data_stream(simulator, feed, keys)
        other.stream.subscribe_trades(other.handle, "AAPL")
        other.thread.start()
        until(lambda words=words: words in caplog.text)
    other.thread.join(5)
    assert not other.thread.is_alive()  # after 409 alpaca-py ends by itself
    assert first.stream._running


def test_frames_that_cannot_be_read_do_not_end_it(served, data_stream):
    simulator = served(hold=False, speed=0.5)
    client = data_stream(simulator)
    client.stream.subscribe_trades(client.handle, "*")
    client.start()
    for what in ("garbage", "truncated", "text", "types", "number", "empty", "partly"):
        simulator.fault({"kind": "malformed", "what": what})
    until(lambda: simulator.state()["faults"]["begun"] == 7)
    seen = len(client.seen)
    until(lambda: len(client.seen) > seen + 2)
    assert simulator.state()["data"]["accepted"] == 1


def test_fills_come_by_the_trade_updates_stream(served):
    simulator = served(hold=False, speed=1.0, start="2024-01-02T09:30:01")
    ran = Ran(TradingStream("sim-key", "sim-secret", url_override=simulator.updates_url), simulator)
    ran.stream.subscribe_trade_updates(ran.handle)
    ran.start()
    try:
        until(lambda: simulator.state()["updates"]["listening"] == 1)
        order = {"symbol": "AAPL", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}
        answer = requests.post(f"{simulator.url}/v2/orders", json=order, headers=KEYS, timeout=5)
        assert answer.status_code == 200
        until(lambda: any(found.event == "fill" for found in ran.seen))
        assert all(isinstance(found, TradeUpdate) for found in ran.seen)
        fill = next(found for found in ran.seen if found.event == "fill")
        assert str(fill.order.id) == answer.json()["id"]
        assert fill.qty == 2
        assert fill.price > 100
        positions = requests.get(f"{simulator.url}/v2/positions", headers=KEYS, timeout=5).json()
        assert [(position["symbol"], position["qty"]) for position in positions] == [("AAPL", "2")]
    finally:
        ran.stop()


def test_updates_in_a_gap_are_never_sent_again(served):
    simulator = served(hold=False, speed=1.0, start="2024-01-02T09:30:01")
    ran = Ran(TradingStream("sim-key", "sim-secret", url_override=simulator.updates_url), simulator)
    ran.stream._reconnect_min_backoff = 1.0
    ran.stream.subscribe_trade_updates(ran.handle)
    ran.start()
    try:
        until(lambda: simulator.state()["updates"]["listening"] == 1)
        simulator.fault({"kind": "drop", "on": "updates"})
        until(lambda: simulator.state()["updates"]["links"] == 0)
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        requests.post(f"{simulator.url}/v2/orders", json=order, headers=KEYS, timeout=5)
        until(lambda: simulator.state()["updates"]["unheard"] > 0)
        until(lambda: simulator.state()["updates"]["listening"] == 1)
        time.sleep(0.2)
        assert ran.seen == []
    finally:
        ran.stop()
