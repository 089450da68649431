"""A small market in rows, and a client that talks to a simulator over a real socket."""

import contextlib
import json
import time

import numpy as np
from websockets.sync.client import connect

from qtw_lab.venues.ticks import QUOTE, TICK, TRADE, condition_mask

#: 2024-01-02, 09:30 in New York.
OPEN = 1_704_205_800 * 10**9
NAMES = ("AAPL", "MSFT", "IBM")
KEYS = {"APCA-API-KEY-ID": "sim-key", "APCA-API-SECRET-KEY": "sim-secret"}


def rows_of(count, step=50_000_000, start=OPEN):
    """Quotes and trades by turns, of three symbols by turns, one each `step` nanoseconds."""
    place = np.arange(count)
    rows = np.zeros(count, dtype=TICK)
    rows["kind"] = np.where(place % 2, TRADE, QUOTE)
    rows["symbol"], rows["time"], rows["price"], rows["size"] = place % 3, start + place * step, 100 + place * 0.01, 100
    trade = rows["kind"] == TRADE
    rows["exchange"], rows["tape"], rows["flag"] = ord("V"), ord("C"), np.where(trade, 0, ord("V"))
    rows["id"], rows["conditions"] = np.where(trade, place, 0), condition_mask("@")
    rows["other_price"] = np.where(trade, np.nan, rows["price"] + 0.02)
    rows["other_size"] = np.where(trade, np.nan, 200)
    return rows


class Talk:
    """A JSON client of a stream."""

    def __init__(self, url, headers=None):
        self.socket = connect(
            url, additional_headers=headers, compression=None, ping_interval=None, max_size=None, close_timeout=1
        )
        self.seen = []

    def say(self, message):
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def hear(self, seconds=3.0):
        return json.loads(self.socket.recv(timeout=seconds))

    def ask(self, message):
        """What is answered to a message; data that comes before is kept in `seen`."""
        self.say(message)
        return self.control()

    def control(self):
        while True:
            found = self.hear()
            if isinstance(found, dict) or found[0]["T"] in ("success", "error", "subscription"):
                return found
            self.seen += found

    def enter(self):
        assert self.hear() == [{"T": "success", "msg": "connected"}]
        answer = self.ask({"action": "auth", "key": "sim-key", "secret": "sim-secret"})
        assert answer == [{"T": "success", "msg": "authenticated"}]
        return self

    def gather(self, until, seconds=5.0):
        """Messages until `until` is true of them all."""
        end = time.monotonic() + seconds
        while not until(self.seen):
            left = end - time.monotonic()
            assert left > 0, f"only {len(self.seen)} messages came, last {self.seen[-1:]}"
            with contextlib.suppress(TimeoutError):
                self.seen += self.hear(left)
        return self.seen

    def closed(self, seconds=4.0):
        """Wait until the server has ended the link; its close code."""
        end = time.monotonic() + seconds
        while self.socket.state.name != "CLOSED" and time.monotonic() < end:
            with contextlib.suppress(Exception):
                self.seen += self.hear(0.05)
        assert self.socket.state.name == "CLOSED"
        return self.socket.close_code

    def close(self):
        with contextlib.suppress(Exception):
            self.socket.close()
