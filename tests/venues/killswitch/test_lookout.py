"""Alarms at the right time and never at night: clocks are set by hand, the account is a served one."""

import math
import os
from decimal import Decimal

import pandas as pd
import pytest

from qtw_lab.core import DataError, VenueError
from qtw_lab.ledger.limits import Limits
from qtw_lab.venues.killswitch.heartbeat import Heartbeat
from qtw_lab.venues.killswitch.lookout import Lookout, Terms
from qtw_lab.venues.killswitch.peak import Peak
from qtw_lab.venues.killswitch.venue import Account

SECOND = 10**9


def at(text):
    return pd.Timestamp(text, tz="America/New_York").value


class Clocks:
    """A wall clock and one that only goes forward, set by hand."""

    def __init__(self, wall):
        self.wall, self.steady = wall, 5 * SECOND

    def go(self, seconds):
        self.wall += round(seconds * SECOND)
        self.steady += round(seconds * SECOND)

    def to(self, text):
        self.go((at(text) - self.wall) / SECOND)


class Bank:
    """A venue with an account as it is told; an error where it is told none."""

    def __init__(self, equity="1000", last="1000"):
        self.account_, self.asked = Account(Decimal(equity), Decimal(last)), 0

    def account(self):
        self.asked += 1
        if self.account_ is None:
            raise VenueError("The venue did not answer.")
        return self.account_


class Post:
    """A lookout with all it looks at."""

    def __init__(self, folder, start="2026-11-25 10:00", venue=None, **terms):
        self.folder, self.clocks, self.venue = folder, Clocks(at(start)), venue or Bank()
        self.heart, self.terms = Heartbeat(folder / "heartbeat.json"), Terms(**terms)
        self.lookout = self.manned()

    def manned(self):
        clocks, peak = self.clocks, Peak(self.folder / "peak.json")
        return Lookout(self.heart, self.venue, peak, self.terms, lambda: clocks.wall, lambda: clocks.steady)

    def beat(self):
        self.heart.beat(self.clocks.wall)

    def alarm(self, armed=1):
        return self.lookout.alarm(armed)


@pytest.fixture
def post(tmp_path):
    return lambda **more: Post(tmp_path, **more)


def test_all_is_well_while_the_engine_beats(post):
    watch = post()
    for _ in range(100):
        watch.beat()
        assert watch.alarm() == ""
        watch.clocks.go(1)


def test_a_heartbeat_may_be_as_old_as_its_limit_and_no_older(post):
    watch = post(heartbeat=10.0)
    watch.beat()
    watch.clocks.go(10)
    assert watch.alarm() == ""
    watch.clocks.go(0.1)
    assert watch.alarm() == f"no heartbeat of process {os.getpid()} for 10.1 s"


@pytest.mark.parametrize(
    ("last", "until"),
    [
        ("2026-11-24 16:00", "2026-11-25 09:30:10"),  # a night
        ("2026-11-25 16:00", "2026-11-27 09:30:10"),  # Thanksgiving
        ("2026-11-27 13:00", "2026-11-30 09:30:10"),  # the afternoon of a half day, and a weekend
        ("2026-11-25 03:00", "2026-11-25 09:30:10"),  # before the opening
    ],
)
@pytest.mark.parametrize("readable", [True, False])
def test_there_is_no_alarm_outside_sessions_and_time_begins_at_the_opening(post, last, until, readable):
    watch = post(start=last, heartbeat=10.0, unread=10.0)
    if readable:
        watch.beat()
    while watch.clocks.wall < at(until):
        assert watch.alarm() == "", pd.Timestamp(watch.clocks.wall, tz="America/New_York")
        watch.clocks.go(min(600, (at(until) - watch.clocks.wall) / SECOND))
    assert watch.alarm() == "" or not readable
    watch.clocks.go(0.5)
    assert ("no heartbeat" if readable else "the heartbeat could not be read for") in watch.alarm()


def test_an_engine_that_starts_after_its_watcher_gets_the_usual_time(post):
    watch = post(heartbeat=10.0)
    watch.heart.beat(at("2026-11-25 09:31"))  # of a run before
    watch.clocks.go(9)
    assert watch.alarm() == ""
    watch.clocks.go(2)
    assert "for 11.0 s" in watch.alarm()


def test_a_heartbeat_that_cannot_be_read_for_too_long_is_an_alarm(post):
    watch = post(unread=30.0)
    assert watch.alarm() == ""
    watch.clocks.go(30)
    assert watch.alarm() == ""
    watch.beat()
    assert watch.alarm() == ""
    watch.heart.forget()
    for _ in range(4):
        assert watch.alarm() == ""
        watch.clocks.go(10)
    assert watch.alarm().startswith("the heartbeat could not be read for 40.0 s: heartbeat.json cannot be read")


def test_a_heartbeat_from_the_future_is_no_sign_of_life(post):
    watch = post(heartbeat=10.0)
    watch.heart.beat(watch.clocks.wall + 11 * SECOND)
    assert watch.alarm() == f"the heartbeat of process {os.getpid()} is 11.0 s ahead of the clock"


@pytest.mark.parametrize("step", [2.1, -2.1, 3600, -86_400])
def test_a_wall_clock_that_jumps_is_an_alarm_at_any_hour(post, step):
    for start in ("2026-11-25 10:00", "2026-11-25 20:00"):
        watch = post(start=start, clock=2.0)
        watch.beat()
        watch.clocks.go(3)
        assert watch.alarm() == ""
        watch.clocks.wall += round(step * SECOND)
        assert watch.alarm() == f"the wall clock moved by {step:+.1f} s against the clock that only goes forward"


def test_small_jumps_add_up(post):
    watch = post(start="2026-11-25 20:00", clock=2.0)
    for _ in range(4):
        watch.clocks.go(60)
        watch.clocks.wall += SECOND // 2
        assert watch.alarm() == ""
    watch.clocks.wall += 1
    assert "+2.0 s" in watch.alarm()


def test_after_a_reset_the_clocks_agree_and_the_engine_gets_its_time(post):
    watch = post()
    watch.beat()
    watch.clocks.wall += 3600 * SECOND
    assert watch.alarm()
    watch.lookout.renew()
    assert watch.alarm() == ""
    watch.clocks.go(11)
    assert "no heartbeat" in watch.alarm()


def test_an_account_that_cannot_be_read_for_too_long_is_an_alarm_in_a_session_only(post):
    watch = post(unread=30.0, account=5.0)
    watch.venue.account_ = None
    for _ in range(7):
        watch.beat()
        assert watch.alarm() == ""
        watch.clocks.go(5)
    watch.beat()
    assert watch.alarm() == "the account could not be read for 35.0 s: The venue did not answer."
    watch.clocks.to("2026-11-25 20:00")
    for _ in range(10):
        assert watch.alarm() == ""
        watch.clocks.go(3600)


def test_an_account_that_can_be_read_again_begins_anew(post):
    watch = post(unread=30.0, account=5.0)
    good = watch.venue.account_
    for turn in range(20):
        watch.venue.account_ = good if turn == 5 else None
        watch.beat()
        assert watch.alarm() == "" or turn >= 13
        watch.clocks.go(5)
    assert "the account could not be read" in watch.alarm()


def test_the_account_is_asked_for_now_and_then(post):
    watch = post(account=5.0)
    for _ in range(20):
        watch.beat()
        watch.alarm()
        watch.clocks.go(1)
    assert watch.venue.asked == 4


@pytest.mark.parametrize("equity", ["NaN", "0", "-1", "Infinity"])
@pytest.mark.parametrize("start", ["2026-11-25 10:00", "2026-11-25 20:00"])
def test_an_equity_that_is_no_number_above_zero_is_an_alarm_at_any_hour(post, equity, start):
    watch = post(start=start, venue=Bank(equity))
    watch.beat()
    assert watch.alarm().startswith("The equity is ")


def test_a_loss_of_the_day_is_an_alarm_beyond_its_limit(post):
    watch = post(venue=Bank("980", "1000"), limits=Limits(max_daily_loss="0.02"))
    watch.beat()
    assert watch.alarm() == ""
    watch.clocks.go(5)
    watch.beat()
    watch.venue.account_ = Account(Decimal("979.99"), Decimal(1000))
    assert watch.alarm().startswith("The loss of the session comes to 2.001%, over the limit of 2%.")


def test_an_unknown_start_of_the_session_is_an_alarm_where_the_loss_is_limited(post):
    watch = post(venue=Bank("980", "NaN"), limits=Limits(max_daily_loss="0.02"))
    watch.beat()
    assert "cannot be known" in watch.alarm()


def test_a_drawdown_is_measured_from_the_highest_equity_even_of_a_watcher_before(post):
    watch = post(limits=Limits(max_drawdown="0.1"))
    for equity, wrong in (("1000", False), ("1100", False), ("990", False), ("989", True)):
        watch.venue.account_ = Account(Decimal(equity), Decimal(1000))
        watch.clocks.go(5)
        watch.beat()
        watch.lookout = watch.manned()  # a new process
        assert bool(watch.alarm()) == wrong
    assert watch.alarm(armed=2) == ""  # it was reset: whoever did that goes on from here


def test_equity_and_leverage_of_a_served_account_are_judged(tmp_path, ground, venue):
    ground.trade()  # 10 AAA and 5 BBB short at 100 are 1500 of 99998.5; 1.5 were lost
    for limits, word in (
        (Limits(max_leverage="0.015"), "The gross exposure comes to 0.015 times the equity"),
        (Limits(max_leverage="0.0151"), ""),
        (Limits(max_daily_loss="0.00001"), "The loss of the session comes to 0.0015%"),
        (Limits(max_daily_loss="0.000015"), ""),
    ):
        watch = Post(tmp_path, venue=venue, limits=limits)
        watch.beat()
        assert watch.alarm()[: len(word) or 1] == word


def test_an_unknown_calendar_is_refused_before_anything_is_watched(post):
    with pytest.raises(DataError, match="no exchange calendar"):
        post(calendar="XNYZ").lookout.ready()
    post().lookout.ready()


@pytest.mark.parametrize("name", ["heartbeat", "unread", "clock", "interval", "account"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "5", None])
def test_times_are_numbers_above_zero(name, value):
    with pytest.raises(DataError, match=f"A watch with {name}="):
        Terms(**{name: value})
