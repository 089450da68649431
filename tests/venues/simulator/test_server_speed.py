"""How many messages the server sends in a second of its processor's time, to one client that only receives."""

import multiprocessing
import socket
import time

import numpy as np
import pytest
from simulated import OPEN

from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.simulator.stream import Terms
from qtw_lab.venues.ticks import QUOTE, TICK, TRADE, Symbols
from qtw_lab.venues.wire.framing import client_frame, handshake
from qtw_lab.venues.wire.messages import pack

#: Nine quotes to a trade, 10,000 symbols, as in the measurements that the aim comes from.
COUNT = 2_000_000


def receive(port, told):
    """Subscribe to everything and count bytes until nothing has come for a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        client.sendall(handshake("127.0.0.1", "/v2/sip", key, {"Content-Type": "application/msgpack"}))
        for message in (
            {"action": "auth", "key": "sim-key", "secret": "sim-secret"},
            {"action": "subscribe", "trades": ["*"], "quotes": ["*"]},
        ):
            client.recv(4096)
            client.sendall(client_frame(2, pack(message)))
        room, size = bytearray(1 << 20), 0
        try:
            while (found := client.recv_into(room)) > 0:
                size += found
                client.settimeout(1.0 if size > 10_000 else 30.0)
        except TimeoutError:
            told.put(size)


@pytest.mark.slow  # seconds of a whole processor
def test_a_million_messages_a_second_take_less_than_one_processor():
    random = np.random.default_rng(1)
    rows = np.zeros(COUNT, dtype=TICK)
    rows["kind"] = np.where(random.random(COUNT) < 0.1, TRADE, QUOTE)
    rows["symbol"], rows["time"] = random.integers(0, 10_000, COUNT), OPEN + np.arange(COUNT) * 2_000
    rows["id"], rows["price"], rows["size"] = np.arange(COUNT), 100 + random.integers(0, 1000, COUNT) * 0.01, 100
    rows["other_price"], rows["other_size"] = rows["price"] + 0.02, 200
    rows["exchange"], rows["tape"], rows["flag"] = ord("V"), ord("C"), np.where(rows["kind"] == QUOTE, ord("V"), 0)
    market = RecordedMarket.from_rows(rows, Symbols([f"S{number:04d}" for number in range(10_000)]))
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    terms = Terms({"sim-key": "sim-secret"}, batch=100)
    with Simulator(market, speed=float("inf"), hold=True, terms=terms) as simulator:
        client = context.Process(target=receive, args=(simulator.port, told))
        client.start()
        while simulator.state()["events"] == 0:
            time.sleep(0.005)
        start = time.process_time()
        size = told.get(timeout=60)
        used = time.process_time() - start
        sent = simulator.state()["data"]["sent"]
        client.join()
    assert sent["trades"] + sent["quotes"] == COUNT
    assert size > 60 * COUNT
    print(f"{COUNT / used / 1e6:.2f} million messages per second of processor time, {size / COUNT:.0f} bytes each")
    assert used < COUNT / 1e6
