"""A small exchange that is served, with something held and something ordered, and the client that halts it."""

import contextlib
import time

import pytest
import requests
from pydantic import SecretStr
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.venues.killswitch.venue import Patience, Venue
from qtw_lab.venues.simulator.server import KEYS, Simulator

HEADERS = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}
#: Short enough for tests, long enough for a busy machine.
QUICK = Patience(connecting=1.0, reading=1.0, whole=1.5, attempts=3, pause=0.01, longest=0.1)


class Ground:
    """A served exchange and its account, seen from inside."""

    def __init__(self, simulator):
        self.simulator, self.url, self.fault, self.clear = simulator, simulator.url, simulator.fault, simulator.clear
        self.exchange = simulator.exchange

    def order(self, side, qty, symbol="AAA", **more):
        body = {"symbol": symbol, "side": side, "qty": str(qty), "type": "market", "time_in_force": "day"} | more
        answer = requests.post(f"{self.url}/v2/orders", headers=HEADERS, json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rest(self, symbol="AAA"):
        """An order that will not fill."""
        return self.order("buy", 1, symbol, type="limit", limit_price="1", time_in_force="gtc")

    def trade(self, long=10, short=5):
        """Hold so many AAA and owe so many BBB, with an open order in each; wait until that is so."""
        self.order("buy", long)
        self.order("sell", short, "BBB")
        self.until(lambda: self.shares() == {"AAA": long, "BBB": -short})
        self.rest()
        self.rest("CCC")
        assert self.open() == 2

    def shares(self):
        with self.exchange.lock:
            return {symbol: int(holding.qty) for symbol, holding in self.exchange.book.holdings.items()}

    def open(self):
        with self.exchange.lock:
            return len(self.exchange.open_orders())

    def closed(self, opened=2):
        """Signed shares by symbol of the fills after those that opened."""
        with self.exchange.lock:
            return [(fill.symbol, int(fill.signed)) for fill in self.exchange.book.fills[opened:]]

    def later(self, second):
        """Wait until so many seconds after the opening."""
        self.until(lambda: self.simulator.clock.nanoseconds > OPEN + second * SECOND)

    def until(self, true, seconds=8.0):
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.01)


@pytest.fixture
def serve():
    """Makes a served exchange at a time of 2024-01-02 in New York; ends it after the test."""
    with contextlib.ExitStack() as ends:

        def make(start="10:00", more=(), **options):
            names = ("AAA", "BBB", "CCC")
            rows = [quote(place, second, 99.9, 100.1, 10_000) for place in range(3) for second in (-3600, 0)]
            rows += [trade(place, 1, 100.0, number=place) for place in range(3)]
            rows += more
            rows.append(quote(0, 9 * 3600, 99.9, 100.1))
            days = tuple(daily(place, "2023-12-29", 100.0) for place in range(3))
            played = market(*rows, names=names, days=days)
            options = {"rate_limit": 0} | options
            simulator = Simulator(played, start=f"2024-01-02T{start}", **options)
            return Ground(ends.enter_context(simulator))

        yield make


@pytest.fixture
def ground(serve):
    return serve()


@pytest.fixture
def client():
    """Makes clients of an exchange that is served, and ends their connections after the test."""
    with contextlib.ExitStack() as ends:

        def make(ground, patience=QUICK, keys=KEYS):
            return ends.enter_context(contextlib.closing(Venue(ground.url, *map(SecretStr, keys), patience=patience)))

        yield make


@pytest.fixture
def venue(ground, client):
    return client(ground)
