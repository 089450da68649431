"""The trade-updates stream against the simulator: every change is told while it listens, and every break is said."""

import time
from decimal import Decimal

import pytest
from pydantic import SecretStr
from small_exchange import STILL, still

from qtw_lab.core import Settings
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.backoff import Backoff
from qtw_lab.venues.link import Access
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.trade_updates import TradeUpdates, updates_access


@pytest.fixture
def simulator():
    with Simulator(still(), start=STILL, rate_limit=0) as simulator:
        yield simulator


def opened(simulator, key="sim-key"):
    access = Access(simulator.updates_url, SecretStr(key), SecretStr("sim-secret"))
    updates = TradeUpdates(access, backoff=Backoff(seed=1, first=0.05, most=0.2), connecting=2.0)
    updates.open()
    return updates


def until(updates, what, seconds=10.0, count=1):
    """Everything told until there are so many of a kind."""
    found, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        found += updates.read(0.1)
        if sum(told.what == what for told in found) >= count:
            return found
    raise AssertionError(f"waited for {what}, got {found}")


def bought(simulator, name):
    simulator.exchange.submit(Ticket("AAA", "buy", "market", "day", qty=Decimal(1), client_order_id=name))


def test_changes_are_told_and_the_link_comes_again_after_a_break(simulator):
    updates = opened(simulator)
    try:
        assert [told.what for told in until(updates, "up")] == ["up"]
        bought(simulator, "a")
        first, second = until(updates, "update", count=2)
        assert [told.content["event"] for told in (first, second)] == ["new", "fill"]
        assert second.content["order"]["client_order_id"] == "a"
        for fault in ({"kind": "drop", "on": "updates"}, {"kind": "close", "on": "updates"}):
            simulator.fault(fault)
            assert [told.what for told in until(updates, "up")] == ["down", "up"]
        bought(simulator, "b")
        assert until(updates, "update")[-1].content["order"]["client_order_id"] == "b"
    finally:
        updates.close()
    assert not updates.listening


def test_a_restart_of_the_server_is_survived(simulator):
    updates = opened(simulator)
    try:
        until(updates, "up")
        simulator.fault({"kind": "restart", "for": 0.5})
        assert [told.what for told in until(updates, "up")] == ["down", "up"]
    finally:
        updates.close()


def test_keys_that_are_refused_end_it_and_are_not_in_what_it_says(simulator):
    updates = opened(simulator, key="wrong-key")
    try:
        (told,) = until(updates, "fatal")
        assert "keys were refused" in told.content["reason"]
        assert "wrong-key" not in str(told)
    finally:
        updates.close()


def test_nobody_there_is_tried_again_until_somebody_is():
    nowhere = Access("ws://127.0.0.1:9/stream", SecretStr("k"), SecretStr("s"))
    updates = TradeUpdates(nowhere, backoff=Backoff(seed=1, first=0.05, most=0.1))
    updates.open()
    time.sleep(0.3)
    assert updates.read(0.0) == []
    began = time.monotonic()
    updates.close()
    assert time.monotonic() - began < 3


def test_its_address_lies_beside_the_trading_address():
    keys = {"alpaca_api_key_id": "k", "alpaca_api_secret_key": "s", "_env_file": None}
    assert updates_access(Settings(alpaca_trading_rest_url="https://x.y/", **keys)).address == "wss://x.y/stream"
