"""Clocks tell UTC, and a virtual one moves only when told to."""

import time

import pandas as pd
import pytest

from qtw_lab.core import Clock, DataError, SystemClock, VirtualClock


def wait(clock: Clock, seconds: float) -> pd.Timedelta:
    before = clock.now()
    clock.sleep(seconds)
    return clock.now() - before


def test_the_system_clock_tells_utc_and_waits():
    clock = SystemClock()
    assert str(clock.now().tz) == "UTC"
    assert abs(clock.now().timestamp() - time.time()) < 5
    assert wait(clock, 0.02) >= pd.Timedelta(milliseconds=19)


def test_no_clock_sleeps_backwards():
    assert wait(SystemClock(), -5.0) < pd.Timedelta(seconds=1)
    assert wait(VirtualClock(pd.Timestamp("2024-01-02", tz="UTC")), -5.0) == pd.Timedelta(0)


def test_a_virtual_clock_moves_only_when_told_to():
    clock = VirtualClock(pd.Timestamp("2024-03-10 01:59:59", tz="America/New_York"))
    assert str(clock.now()) == "2024-03-10 06:59:59+00:00"
    assert clock.now() == clock.now()
    assert wait(clock, 1.5) == pd.Timedelta(seconds=1.5)  # across the change of clocks
    assert str(clock.now()) == "2024-03-10 07:00:00.500000+00:00"


@pytest.mark.parametrize("moment", [pd.Timestamp("2024-01-02"), pd.NaT])
def test_a_virtual_clock_needs_a_zoned_time(moment):
    with pytest.raises(DataError, match="no time zone"):
        VirtualClock(moment)
