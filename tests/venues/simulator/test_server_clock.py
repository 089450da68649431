"""Market time from wall time: speed, pauses, and the end of what is ready."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.simulator.clock import MarketClock

START = pd.Timestamp("2024-01-02 09:30", tz="America/New_York")


class Wall:
    """A wall clock that is set by hand, in nanoseconds."""

    def __init__(self):
        self.at = 0

    def __call__(self):
        return self.at


@pytest.fixture
def wall():
    return Wall()


def test_market_time_follows_wall_time_at_its_speed(wall):
    clock = MarketClock(START, 60, wall=wall)
    wall.at = 2_500_000_000
    assert clock.now() == START + pd.Timedelta(seconds=150)
    assert str(clock.now().tz) == "UTC"
    clock.run_at(0.5)
    wall.at += 2_000_000_000
    assert clock.now() == START + pd.Timedelta(seconds=151)


def test_a_paused_clock_stands_and_goes_on_where_it_stood(wall):
    clock = MarketClock(0, running=False, wall=wall)
    wall.at = 10**9
    assert (clock.nanoseconds, clock.running) == (0, False)
    clock.resume()
    wall.at += 7
    assert clock.nanoseconds == 7
    clock.pause()
    wall.at += 100
    assert clock.nanoseconds == 7


def test_the_clock_never_passes_what_is_ready_and_owes_no_time_afterwards(wall):
    clock = MarketClock(0, wall=wall)
    clock.allow(100)
    wall.at = 1000
    assert clock.nanoseconds == 100
    clock.allow(5000)
    assert clock.nanoseconds == 100
    wall.at += 30
    assert clock.nanoseconds == 130


def test_a_clock_without_bounds_stands_at_the_end_of_what_is_ready(wall):
    clock = MarketClock(50, math.inf, wall=wall)
    assert clock.nanoseconds == 50
    clock.allow(2000)
    assert clock.nanoseconds == 2000
    clock.pause()
    clock.allow(3000)
    assert clock.nanoseconds == 2000


def test_sleep_returns_when_the_market_got_there():
    clock = MarketClock(0, 1000)
    clock.sleep(5)
    assert clock.nanoseconds >= 5_000_000_000


@pytest.mark.parametrize("speed", [0, -1, math.nan, True, "fast", None])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(DataError, match="speed"):
        MarketClock(0, speed)


def test_a_start_without_a_time_zone_is_refused():
    with pytest.raises(DataError, match="time zone"):
        MarketClock(pd.Timestamp("2024-01-02"))


@given(st.lists(st.tuples(st.sampled_from(("wait", "allow", "pause", "resume", "speed")), st.integers(1, 10**6))))
def test_market_time_never_goes_back_or_beyond_its_bound(deeds):
    wall = Wall()
    clock = MarketClock(0, wall=wall)
    last, bound = 0, None
    for deed, amount in deeds:
        if deed == "wait":
            wall.at += amount
        elif deed == "allow":
            bound = max(bound or 0, last) + amount
            clock.allow(bound)
        elif deed == "speed":
            clock.run_at(amount / 1000)
        else:
            getattr(clock, deed)()
        now = clock.nanoseconds
        assert now >= last
        assert bound is None or now <= bound
        last = now
