"""The watcher's loop at a served exchange, with its clocks set by hand."""

import threading

import pytest

from qtw_lab.core import DataError
from qtw_lab.ledger.limits import Limits
from qtw_lab.venues.killswitch import Heartbeat, KillSwitch
from qtw_lab.venues.killswitch.lookout import Terms
from qtw_lab.venues.killswitch.watch import Watch

NOW = 1_704_207_600 * 10**9  # 2024-01-02, 10:00 in New York
SECOND = 10**9


class Post:
    """A watcher, its clocks and what it said."""

    def __init__(self, folder, venue, **terms):
        self.wall, self.steady, self.said = NOW, 0, []
        self.switch, self.heart = KillSwitch(folder / "stop"), Heartbeat(folder / "heartbeat.json")
        self.venue, self.terms = venue, Terms(**terms)
        self.watch = self.manned()

    def manned(self):
        return Watch(
            self.switch, self.venue, self.heart, self.terms, wall=lambda: self.wall, steady=lambda: self.steady,
            say=self.said.append,
        )  # fmt: skip

    def go(self, seconds, *, beat=True):
        """Let time pass second by second, and take a turn in each."""
        for _ in range(seconds):
            self.wall += SECOND
            self.steady += SECOND
            if beat:
                self.heart.beat(self.wall)
            self.watch.turn()
        return self.switch.status()


@pytest.fixture
def post(tmp_path, venue):
    return lambda **terms: Post(tmp_path, venue, **terms)


def test_nothing_happens_while_all_is_well(ground, post):
    ground.trade()
    watch = post()
    assert not watch.go(60).tripped
    assert watch.said == []
    assert ground.open() == 2


def test_an_engine_that_hangs_is_halted_and_the_record_says_how_long_that_took(ground, post):
    ground.trade()
    watch = post(heartbeat=10.0)
    watch.go(5)
    assert not watch.go(10, beat=False).tripped
    status = watch.go(1, beat=False)
    assert (status.tripped, status.by, status.since, status.flatten) == (True, "watch", watch.wall, False)
    assert status.reason.endswith("for 11.0 s")
    assert ground.open() == 0
    assert ground.shares() == {"AAA": 10, "BBB": -5}
    last = watch.switch.history()[-1]
    assert (last.kind, last.reason) == ("canceled", "no order is open, 0.000 s after the trip")
    assert watch.said == [f"Tripped by watch: {status.reason}.", f"Halted: {last.reason}."]


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"limits": Limits(max_daily_loss="0.00001")}, "The loss of the session"),
        ({"limits": Limits(max_leverage="0.01")}, "The gross exposure"),
    ],
)
def test_an_account_over_its_limits_is_flattened_if_so_wished(ground, post, terms, reason):
    ground.trade()
    watch = post(flatten=True, **terms)
    status = watch.go(1)
    assert status.reason.startswith(reason)
    assert status.flatten
    watch.go(5)
    assert (ground.open(), ground.shares()) == (0, {})
    assert [record.kind for record in watch.switch.history()] == ["made", "tripped", "canceled", "flat"]


def test_a_clock_that_jumps_is_halted_and_watched_again_after_a_reset(ground, post):
    ground.trade()
    watch = post()
    watch.go(3)
    watch.wall += 3600 * SECOND
    status = watch.go(1)
    assert status.reason == "the wall clock moved by +3600.0 s against the clock that only goes forward"
    watch.go(3)
    assert ground.open() == 0
    watch.switch.reset("Ann", "the clock was set")
    assert not watch.go(20).tripped
    assert watch.said[-1] == "Reset by Ann: the clock was set. Watching again."


def test_a_trip_by_anybody_is_carried_out_and_so_is_the_wish_to_flatten_that_comes_later(ground, post):
    ground.trade()
    watch = post()
    watch.go(3)
    other = KillSwitch(watch.switch.folder)
    other.trip("ann", "by hand", at=watch.wall)
    watch.go(1)
    assert (ground.open(), len(ground.shares())) == (0, 2)
    other.trip("bob", "all of it", flatten=True, at=watch.wall)
    watch.go(3)
    assert (ground.open(), ground.shares()) == (0, {})
    assert [record.kind for record in other.history()] == ["made", "tripped", "canceled", "tripped", "flat"]


def test_a_switch_that_was_deleted_is_carried_out_too(ground, post):
    ground.trade()
    watch = post()
    watch.go(3)
    (watch.switch.folder / "switch.armed").unlink()
    assert watch.go(1).tripped
    assert ground.open() == 0
    assert watch.said[0].startswith("Tripped by nobody known: it was tripped without a record")


def test_a_watcher_that_begins_after_the_trip_carries_it_out(ground, post):
    ground.trade()
    watch = post()
    watch.switch.trip("ann", "by hand", flatten=True, at=NOW - 5 * SECOND)
    watch.watch = watch.manned()
    watch.watch.ready()
    watch.go(3)
    assert (ground.open(), ground.shares()) == (0, {})
    assert watch.switch.history()[2].reason == "no order is open, 6.000 s after the trip"


def test_while_halted_orders_are_looked_for_every_few_seconds_and_a_reset_is_seen_within_one(ground, post):
    watch = post()
    watch.switch.trip("ann", "by hand", at=NOW)
    watch.go(2)
    ground.rest()
    watch.go(12)
    assert ground.open() == 0
    watch.switch.reset("Ann", "fine")
    ground.rest()
    watch.go(10)
    assert ground.open() == 1


def test_a_watcher_that_fails_halts(ground, post):
    class Broken:
        """A venue with a fault that nobody thought of."""

        def account(self):
            raise ZeroDivisionError("by nothing")

        def cancel_all(self):
            canceled.append(1)
            stopping.set()

        def open_orders(self):
            return ()

    canceled, stopping = [], threading.Event()
    watch = post(interval=0.01)
    watch.venue = Broken()
    watch.heart.beat(watch.wall)
    watch.manned().run(stopping)
    assert watch.switch.status().reason == "the watcher itself failed: ZeroDivisionError: by nothing"
    assert canceled == [1]


def test_an_unknown_calendar_is_refused_and_trips_nothing(post):
    watch = post(calendar="XNYZ")
    with pytest.raises(DataError):
        watch.watch.ready()
    assert not watch.switch.status().tripped
