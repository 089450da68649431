"""A small market, the simulator that plays it, and clients that talk to it over real sockets."""

import contextlib

import pytest
from simulated import NAMES, Talk, rows_of

from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.ticks import Symbols


@pytest.fixture
def market():
    return RecordedMarket.from_rows(rows_of(400), Symbols(NAMES))


@pytest.fixture
def served(market):
    """Makes a simulator of the small market that waits for a subscriber; ends it after the test."""
    with contextlib.ExitStack() as ends:

        def make(played=None, **options):
            options = {"hold": True, "speed": 10.0, "rate_limit": 0} | options
            return ends.enter_context(Simulator(played or market, **options))

        yield make


@pytest.fixture
def talk():
    """Opens JSON clients, and closes them after the test."""
    with contextlib.ExitStack() as ends:

        def make(url, headers=None):
            client = Talk(url, headers)
            ends.callback(client.close)
            return client

        yield make
