"""Orders on their way: whatever is lost, and wherever the sender is killed, each is at the broker at most once."""

import os
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_exchange import OPEN, SECOND, STILL, still

from qtw_lab.core import DataError, VenueError, VirtualClock
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import LostAnswerError
from qtw_lab.venues.outbox import Outbox, order_name
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.paper.store import MemoryStore, SqliteStore
from qtw_lab.venues.simulator.server import Simulator

D = Decimal
TAPE = still()


class Killed(BaseException):
    """Stands for the end of the process at that place."""


class Wire:
    """A broker whose requests and answers get lost, and at which the sender may die, as a plan says."""

    def __init__(self, plan):
        self.paper = PaperBroker(TAPE, VirtualClock(STILL))
        self.broker, self.plan = EmbeddedBroker(self.paper), list(plan)

    def submit(self, ticket):
        what = self.plan.pop(0) if self.plan else "ok"
        if what == "killed before":
            raise Killed
        if what == "lost before":
            raise LostAnswerError("no answer")
        if what == "busy":
            raise VenueError("429: it was not carried out")
        sent = self.broker.submit(ticket)
        if what == "lost after":
            raise LostAnswerError("no answer")
        if what == "killed after":
            raise Killed
        return sent

    def __getattr__(self, name):
        return getattr(self.broker, name)


def outbox(wire, store):
    return Outbox(wire, store, lambda: OPEN + 6 * SECOND, lambda seconds: None)


def ticket(name, price="90"):
    return Ticket("AAA", "buy", "limit", "gtc", qty=D(1), limit_price=D(price), client_order_id=name)


def names_at(wire):
    return [order.client_order_id for order in wire.paper.orders.values()]


DOINGS = ("ok", "lost before", "lost after", "killed before", "killed after", "busy")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(DOINGS), max_size=40), st.integers(1, 12))
def test_every_order_is_there_once_whatever_is_lost_and_whoever_dies(plan, count):
    """Somebody who wants so many orders, and starts again after each death, gets exactly those."""
    wire, store = Wire(plan), MemoryStore()
    wanted = [ticket(f"n{number}") for number in range(count)]
    acknowledged = set()
    for _ in range(len(plan) + 2):
        try:
            sender = outbox(wire, store)
            sender.resolve()
            assert sender.unresolved == []
            assert sender.resolve() == {}
            for wish in wanted:
                for _ in range(len(plan) + 1):
                    try:
                        sender.submit(wish)
                        acknowledged.add(wish.client_order_id)
                        break
                    except VenueError:  # lost, or busy
                        sender.resolve()
            break
        except Killed:
            assert acknowledged <= set(names_at(wire))
    assert sorted(names_at(wire)) == sorted(wish.client_order_id for wish in wanted)
    assert {intent.state for intent in sender.intents.values()} == {"acknowledged"}


def test_an_order_is_written_down_before_it_is_sent():
    wire, store = Wire(["killed before"]), MemoryStore()
    with pytest.raises(Killed):
        outbox(wire, store).submit(ticket("a"))
    again = outbox(wire, store)
    assert again.unresolved == ["a"]
    assert again.resolve() == {"a": "absent"}
    assert again.submit(ticket("a")).client_order_id == "a"


def test_what_was_sent_and_is_still_unknown_blocks_nothing_but_says_so():
    wire, store = Wire(["lost before"]), MemoryStore()
    sender = outbox(wire, store)
    with pytest.raises(LostAnswerError, match="does not have it so far"):
        sender.submit(ticket("a"))
    assert sender.unresolved == ["a"]
    wire.broker.submit(ticket("a"))  # it was on its way for long
    assert sender.resolve() == {"a": "acknowledged"}


def test_a_refusal_is_remembered_and_a_name_is_of_one_order():
    wire, store = Wire([]), MemoryStore()
    for _ in range(2):
        with pytest.raises(RefusedError, match="sub-penny") as caught:
            outbox(wire, store).submit(ticket("a", "90.005"))
        assert (caught.value.status, caught.value.content["code"]) == (422, 42210000)
    with pytest.raises(DataError, match="belongs to another order"):
        outbox(wire, store).submit(ticket("a", "91"))
    sender = outbox(wire, store)
    first, second = sender.submit(ticket("b")), sender.submit(ticket("b"))
    assert (first.id, names_at(wire)) == (second.id, ["b"])


def test_names_depend_on_what_an_order_is_for_and_on_nothing_else():
    assert order_name("s", "AAA", 5, 0) == order_name("s", "AAA", 5, 0)
    assert len({order_name(s, a, t, k) for s in "xy" for a in ("A", "B") for t in (1, 2) for k in (0, 1)}) == 16


SENDER = """
import sys
from decimal import Decimal
from qtw_lab.core import Settings
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.alpaca_broker import AlpacaBroker
from qtw_lab.venues.feeds import steady
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.store import SqliteStore
address, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
keys = dict(alpaca_api_key_id="sim-key", alpaca_api_secret_key="sim-secret")
broker = AlpacaBroker(Settings(**keys, alpaca_trading_rest_url=address, _env_file=None))
broker._limit.per_minute, broker._limit.burst = 60_000, 6_000
sender = Outbox(broker, SqliteStore(path), steady)
print("began", flush=True)
sender.resolve()
for number in range(count):
    terms = dict(qty=Decimal(1), limit_price=Decimal("1.00"), client_order_id=f"n{number}")
    wish = Ticket("AAA", "buy", "limit", "gtc", **terms)
    if f"n{number}" not in sender.intents or sender.intents[f"n{number}"].state != "acknowledged":
        sender.submit(wish)
        print(f"n{number}", flush=True)
print("done", flush=True)
"""


@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_a_sender_that_is_killed_again_and_again_sends_each_order_once(tmp_path, kills):
    chance = random.Random(1)
    told = []
    with Simulator(TAPE, start=STILL, rate_limit=0) as simulator:
        for life in range(kills + 1):
            words = [sys.executable, "-c", SENDER, simulator.url, str(tmp_path / "outbox.sqlite"), str(40 * kills)]
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout.readline() == "began\n"
                if life < kills:
                    time.sleep(chance.uniform(0.0, 0.4))
                    os.kill(process.pid, signal.SIGKILL)
                told += [line.strip() for line in process.stdout if line.endswith("\n")]
        there = [order.client_order_id for order in simulator.exchange.orders.values()]
    assert told[-1] == "done"
    assert sorted(there) == sorted(f"n{number}" for number in range(40 * kills))
    print(f"{kills} kills of the sender: {len(there)} orders, each there once")


def test_the_file_of_an_outbox_is_its_own(tmp_path):
    with SqliteStore(tmp_path / "book.sqlite") as store:
        PaperBroker(TAPE, VirtualClock(STILL), store=store)
        with pytest.raises(DataError, match="none of an outbox"):
            outbox(Wire([]), store)
