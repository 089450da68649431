"""A broker asked in a thread: once at a time, not too often, and nobody waits for an answer."""

import threading
from decimal import Decimal

import pandas as pd
import pytest

from qtw_lab.core import Settings, SetupError, VenueError
from qtw_lab.lab import paper, realtime
from qtw_lab.lab.desk_venue import Poll, Venue, Wanted
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

D = Decimal


class Clock:
    """Seconds that a test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def asked(poll):
    poll.ask()
    poll.wait(5.0)
    return poll.answer


def test_a_question_is_asked_every_so_often_and_no_more():
    count, clock = [], Clock()
    poll = Poll(lambda: count.append(1) or len(count), 1.0, clock)
    assert asked(poll) == 1
    clock.now = 0.9
    assert asked(poll) == 1
    clock.now = 1.0
    assert asked(poll) == 2


def test_who_is_in_a_hurry_is_not_kept_waiting():
    count, clock = [], Clock()
    poll = Poll(lambda: count.append(1) or len(count), 60.0, clock)
    asked(poll)
    poll.hurry()
    assert asked(poll) == 2


def test_one_question_at_a_time_and_nobody_waits():
    door, clock = threading.Event(), Clock()
    poll = Poll(lambda: door.wait(10), 0.0, clock)
    poll.ask()
    clock.now = 5.0
    poll.ask()
    assert (poll.busy, poll.answer, poll.silent) == (True, None, 5.0)
    door.set()
    poll.wait(5.0)
    assert (poll.busy, poll.answer, poll.error) == (False, True, None)


def test_a_failure_leaves_the_last_answer_and_is_told():
    answers, clock = [1, VenueError("no answer"), ZeroDivisionError("a bug"), 2], Clock()

    def task():
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    poll, seen = Poll(task, 0.0, clock), []
    for _ in range(4):
        clock.now += 1.0
        seen.append((asked(poll), str(poll.error or ""), poll.silent))
    assert seen == [
        (1, "", 0.0), (1, "no answer", 1.0), (1, "This went wrong unexpectedly: ZeroDivisionError: a bug.", 2.0),
        (2, "", 0.0),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def served():
    start = pd.Timestamp("2024-01-05 15:00", tz="UTC")
    with Simulator(chosen_market(symbols=3), start=start, rate_limit=0) as simulator:
        yield simulator


def test_a_broker_says_what_it_has_and_what_became_of_orders(served, tmp_path):
    settings = realtime.pointed_to(Settings(qtw_storage_dir=tmp_path, _env_file=None), served)
    broker = paper.remote(settings)
    broker.submit(paper.ticket("SAAAA", "buy", "one", qty=5))
    standing = broker.submit(paper.ticket("SAAAB", "buy", "two", qty=1, kind="limit", limit_price=1))
    over = broker.submit(paper.ticket("SAAAC", "buy", "three", qty=1, kind="limit", limit_price=1))
    broker.cancel(over.id)
    names = [over.id, standing.id, "11111111-2222-3333-4444-555555555555"]
    said = Venue(settings, lambda: Wanted(orders=names)).ask()
    assert said.positions == {"SAAAA": D(5)}
    assert {one.client_order_id: one.status for one in said.orders.values()} == {"two": "new", "three": "canceled"}
    assert said.prices.keys() == {"SAAAA", "SAAAB"}
    assert said.account.id == broker.account().id
    less = Venue(settings, lambda: Wanted(whole=False, symbols=["SAAAC"])).ask()
    assert (less.positions, less.orders, list(less.prices)) == (None, {}, ["SAAAC"])


def test_an_account_is_known_without_market_data(served, tmp_path):
    settings = realtime.pointed_to(Settings(qtw_storage_dir=tmp_path, _env_file=None), served)
    said = Venue(settings.model_copy(update={"alpaca_data_feed": "test"}), Wanted).ask()
    assert (dict(said.prices), said.account.id) == ({}, paper.remote(settings).account().id)


def test_without_keys_it_is_said_how_to_get_some(tmp_path):
    with pytest.raises(SetupError, match="no keys to a trading account"):
        Venue(Settings(qtw_storage_dir=tmp_path, _env_file=None), Wanted).ask()
