"""From the trip to the venue's confirmation, at a served exchange that fails in many ways."""

import time
from dataclasses import replace

import pytest
from small_exchange import quote

from qtw_lab.venues.killswitch import KillSwitch
from qtw_lab.venues.killswitch.halting import Halting
from qtw_lab.venues.killswitch.venue import Patience
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.terms import AccountTerms

#: As the process has it: a question is put once, and the loop puts it again.
ONCE = Patience(connecting=1.0, reading=0.3, whole=1.0, attempts=1)


class Post:
    """A tripped switch and who carries that out."""

    def __init__(self, folder, venue, *, flatten):
        self.switch, self.said, self.later = KillSwitch(folder / "stop"), [], 0
        self.status = self.switch.trip("ann", "a test", flatten=flatten)
        self.began = time.monotonic()
        self.halting = Halting(self.switch, venue, time.time_ns, self.steady, self.said.append)

    def steady(self):
        return time.monotonic_ns() + self.later

    def run(self, until=5.0, seconds=10.0):
        """Step until the pause is that of a halt that is done; gives the seconds it took."""
        while (pause := self.halting.step(self.status)) < until:
            assert time.monotonic() - self.began < seconds, self.said
            time.sleep(pause)
        return time.monotonic() - self.began

    def confirmed(self):
        return {record.kind: record.reason for record in self.switch.history()[2:]}


@pytest.fixture
def post(tmp_path, ground, client):
    def make(*, flatten=False, ground=ground):
        return Post(tmp_path, client(ground, ONCE), flatten=flatten)

    return make


def test_orders_are_canceled_and_positions_kept(ground, post):
    ground.trade()
    halt = post()
    took = halt.run()
    print(f"time to halt, cancel only: {took:.3f} s")
    assert ground.open() == 0
    assert ground.shares() == {"AAA": 10, "BBB": -5}
    assert list(halt.confirmed()) == ["canceled"]
    assert halt.said == [f"Halted: {halt.confirmed()['canceled']}."]
    assert halt.confirmed()["canceled"].startswith("no order is open, 0.")


def test_positions_are_closed_if_asked_and_each_once(ground, post):
    ground.trade()
    halt = post(flatten=True)
    took = halt.run()
    print(f"time to halt and flatten: {took:.3f} s")
    assert (ground.open(), ground.shares()) == (0, {})
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5)]
    assert list(halt.confirmed()) == ["canceled", "flat"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "rest_5xx", "code": 500, "times": 4},
        {"kind": "rest_5xx", "code": 503, "when": "after", "times": 4},
        {"kind": "rest_429", "retry_after": 1, "times": 4},
        {"kind": "partial_page", "what": "cut", "times": 4},
        {"kind": "partial_page", "what": "broken", "times": 4},
        {"kind": "rest_hang", "for": 0.8},
        {"kind": "restart", "for": 0.8},
        {"kind": "rest_5xx", "code": 503, "when": "after", "times": 3, "match": "DELETE /v2/positions"},
        {"kind": "rest_hang", "for": 0.8, "match": "DELETE"},
    ],
    ids=lambda fault: "-".join(str(fault[name]) for name in ("kind", "what", "when", "match") if name in fault),
)
def test_a_venue_that_fails_is_asked_until_it_confirms_and_nothing_is_closed_twice(ground, post, fault):
    ground.trade()
    ground.fault(fault)
    halt = post(flatten=True)
    took = halt.run(seconds=20)
    print(f"time to halt and flatten, {fault['kind']} {fault.get('match', '')}: {took:.3f} s")
    assert (ground.open(), ground.shares()) == (0, {})
    time.sleep(0.2)  # what hung is done by now
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5)]
    assert list(halt.confirmed()) == ["canceled", "flat"]
    assert len(halt.said) < 12


def test_an_answer_that_was_lost_does_not_cancel_the_orders_that_close(serve, post):
    thin = [quote(0, 1803 + second, 99.9, 100.1, 4) for second in range(20)]
    ground = serve("10:00", more=thin, speed=4.0, account=AccountTerms(model=FillModel(sized=True)))
    ground.order("buy", 10)
    ground.until(ground.shares)
    ground.later(1803)
    ground.fault({"kind": "rest_5xx", "code": 503, "when": "after", "times": 1, "match": "DELETE /v2/positions"})
    halt = post(flatten=True, ground=ground)
    halt.run()
    assert [shares for _, shares in ground.closed(1)] == [-4, -4, -2]
    assert len(ground.exchange.orders) == 2  # one that bought, and one that sold
    assert not any("open again" in line for line in halt.said)


def test_closing_orders_that_do_not_fill_are_canceled_after_a_while_and_sent_anew(serve, post):
    thin = [quote(0, second, 99.9, 100.1, 4) for second in (1803, 1806)]
    ground = serve("10:00", more=thin, speed=4.0, account=AccountTerms(model=FillModel(sized=True)))
    ground.order("buy", 8)
    ground.until(ground.shares)
    ground.later(1803)
    halt = post(flatten=True, ground=ground)
    halt.halting.step(halt.status)
    ground.until(lambda: ground.shares() == {"AAA": 4})
    halt.later = 11 * 10**9
    halt.run()
    assert [shares for _, shares in ground.closed(1)] == [-4, -4]
    assert [order.status for order in ground.exchange.orders.values()] == ["filled", "canceled", "filled"]


def test_an_order_that_comes_while_everything_is_closed_is_canceled(ground, post):
    ground.trade()
    halt = post(flatten=True)
    halt.halting.step(halt.status)
    ground.rest("CCC")
    halt.run()
    assert (ground.open(), ground.shares()) == (0, {})


def test_what_the_venue_refuses_to_close_is_said_once_and_tried_again(ground, post):
    ground.trade()
    ground.exchange.configure({"suspend_trade": True})
    halt = post(flatten=True)
    for _ in range(3):
        assert halt.halting.step(halt.status) < 1
    assert halt.said[1:] == [
        f"{symbol} could not be closed yet: new orders are rejected by user request." for symbol in ("AAA", "BBB")
    ]
    ground.exchange.configure({"suspend_trade": False})
    halt.run()
    assert ground.shares() == {}


def test_a_clock_that_was_set_back_after_the_trip_does_not_make_the_halt_shorter_than_nothing(ground, post):
    halt = post()
    halt.status = replace(halt.status, since=time.time_ns() + 3600 * 10**9)
    halt.run()
    assert halt.confirmed()["canceled"].startswith("no order is open, 0.")


def test_nothing_is_confirmed_while_the_venue_does_not_answer(ground, post):
    ground.trade()
    ground.fault({"kind": "rest_5xx", "code": 500, "match": "GET"})
    halt = post()
    pauses = [halt.halting.step(halt.status) for _ in range(8)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert halt.confirmed() == {}
    assert ground.open() == 0  # though nobody could see it
    ground.clear()
    halt.run()
    assert list(halt.confirmed()) == ["canceled"]


def test_orders_that_something_sends_all_the_same_are_canceled_too(ground, post):
    halt = post()
    halt.run()
    ground.rest()
    ground.rest("CCC")
    halt.run()
    assert ground.open() == 0
    assert "2 orders are open again" in halt.said[-1]
    assert list(halt.confirmed()) == ["canceled"]


def test_what_is_opened_while_everything_is_closed_is_closed_too(ground, post):
    ground.trade()
    halt = post(flatten=True)
    halt.run()
    ground.order("buy", 3, "CCC")
    halt.run()
    assert ground.shares() == {}
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5), ("CCC", -3), ("CCC", 3)]


def test_positions_wait_for_the_opening_and_are_closed_then(serve, post):
    ground = serve("09:29:50")
    ground.order("buy", 10, type="limit", limit_price="101", extended_hours=True)
    ground.until(ground.shares)
    ground.rest()
    halt = post(flatten=True, ground=ground)
    halt.run()
    assert (ground.shares(), ground.open()) == ({"AAA": 10}, 0)
    assert halt.said[-1] == "The market is closed: AAA will be closed from 2024-01-02T09:30:00-05:00 on."
    assert list(halt.confirmed()) == ["canceled"]
    ground.simulator.clock.run_at(20.0)
    ground.until(lambda: ground.exchange.hours.trades(ground.simulator.clock.nanoseconds))
    halt.run()
    assert ground.shares() == {}
    assert list(halt.confirmed()) == ["canceled", "flat"]


def test_a_damaged_switch_cancels_and_closes_nothing(ground, post, tmp_path):
    ground.trade()
    halt = post()
    log = halt.switch.folder / "switch.log"
    log.write_bytes(log.read_bytes()[:20])
    halt.status = KillSwitch(halt.switch.folder).status()
    assert (halt.status.tripped, halt.status.readable, halt.status.since) == (True, False, None)
    halt.run()
    assert ground.open() == 0
    assert ground.shares() == {"AAA": 10, "BBB": -5}
    assert halt.said[-1].startswith("Halted: no order is open, 0.")
