"""Never more than the plan allows, in any minute, from any number of threads."""

import threading
import time

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError, SystemClock, VirtualClock
from qtw_lab.data import ratelimit
from qtw_lab.data.ratelimit import RateLimit, retry_after, shared_limit

START = pd.Timestamp("2024-01-02", tz="UTC")
MINUTE = 60 * 10**9


def busiest_minute(moments: list[int]) -> int:
    """The most moments (ns) in any closed window of a minute; a window that begins at a moment suffices."""
    return max(sum(first <= other <= first + MINUTE for other in moments) for first in moments)


@settings(max_examples=40, deadline=None)
@given(
    per_minute=st.integers(1, 40),
    waits=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0, 20.0, 61.0]), min_size=1, max_size=120),
)
def test_no_minute_has_more_than_the_limit(per_minute, waits):
    clock = VirtualClock(START)
    limit = RateLimit(per_minute, clock)
    moments = []
    for wait in waits:
        clock.sleep(wait)
        limit.acquire()
        moments.append(clock.now().as_unit("ns").value)
    assert busiest_minute(moments) <= per_minute


def test_a_greedy_caller_gets_the_whole_limit_in_the_first_minute_and_nine_tenths_after():
    clock = VirtualClock(START)
    limit = RateLimit(200, clock)
    moments = []
    while clock.now() < START + pd.Timedelta(minutes=3):
        limit.acquire()
        moments.append((clock.now() - START).total_seconds())
    # 20 at once, then 3 a second: 20 + 180 up to second 60, then 180 a minute
    assert sum(at == 0 for at in moments) == 20
    hair = 1e-6  # an interval is rounded up to a whole nanosecond
    assert sum(at <= 60 + hair for at in moments) == 200
    assert sum(60 + hair < at <= 120 + hair for at in moments) == 180


def test_a_rested_bucket_holds_one_burst_and_no_more():
    clock = VirtualClock(START)
    limit = RateLimit(60, clock, burst=5)
    clock.sleep(86_400)
    assert sum(limit.acquire() == 0 for _ in range(10)) == 5


def test_threads_share_one_bucket_in_real_time():
    # 1200 a minute with a burst of 200 refills 1000/60 a second: 210 requests need at least 10 refills, 0.6 s
    limit = RateLimit(1200, SystemClock(), burst=200)
    began = time.monotonic()
    counted = []

    def ask() -> None:
        for _ in range(30):
            limit.acquire()
            counted.append(time.time_ns())

    threads = [threading.Thread(target=ask) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counted) == 210
    assert time.monotonic() - began >= 0.58
    assert busiest_minute(counted) <= 1200


def test_a_hold_binds_everyone_who_shares_the_key():
    clock = VirtualClock(START)
    mine, yours = shared_limit("hold-me", 100, clock), shared_limit("hold-me", 100, clock)
    mine.hold(7)
    assert yours.acquire() == pytest.approx(7)


def test_one_key_has_one_limit_and_the_lower_rate_stays():
    clock = VirtualClock(START)
    first = shared_limit("lower", 200, clock)
    assert shared_limit("lower", 50, clock) is first
    assert shared_limit("lower", 200, clock).per_minute == 50
    assert shared_limit("another", 200, clock) is not first


def test_the_registry_keeps_no_key():
    shared_limit("my-secret-key", 200, SystemClock())
    assert "my-secret-key" not in repr(ratelimit._LIMITS)


def test_a_clock_set_back_does_not_stop_us_for_hours():
    clock = VirtualClock(START)
    limit = RateLimit(60, clock)
    limit.acquire()
    limit.hold(5)
    clock.moment -= pd.Timedelta(hours=2)
    assert limit.acquire() < 60


@pytest.mark.parametrize(("per_minute", "burst"), [(0, None), (-5, None), (10, 0), (10, 10), (10, 11)])
def test_limits_that_cannot_hold_are_refused(per_minute, burst):
    with pytest.raises(DataError):
        RateLimit(per_minute, SystemClock(), burst)


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2015 07:28:00", "nan"])
def test_a_header_that_is_neither_seconds_nor_a_date_asks_for_nothing(header):
    assert retry_after(header, START) is None
