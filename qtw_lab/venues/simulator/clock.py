"""The simulated market's time: wall time mapped to market time, at any speed, with pauses."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from qtw_lab.core import DataError


class _Course(NamedTuple):
    """How market time runs from a moment on."""

    wall: int
    market: int
    speed: float
    running: bool


class MarketClock:
    """Market time that follows wall time at a speed, and never passes the end of what is ready to be sent.

    It satisfies `core.Clock`. Any thread may ask it.

    Parameters
    ----------
    start : int or pandas.Timestamp
        Market time at the beginning, in nanoseconds since 1970 UTC or as a moment with its time zone.
    speed : float
        Market seconds for each second of wall time, above 0. ``math.inf``: as fast as `allow` lets it.
    running : bool
        Whether it runs from the beginning; else `resume` starts it.
    wall : callable
        Nanoseconds of a clock that only goes forward.

    Raises
    ------
    DataError
        If the start has no time zone or the speed is not above 0.

    Examples
    --------
    >>> wall = iter([0, 2_000_000_000]).__next__
    >>> clock = MarketClock(pd.Timestamp("2024-01-02 14:30", tz="UTC"), speed=30, wall=wall)
    >>> str(clock.now())
    '2024-01-02 14:31:00+00:00'
    """

    def __init__(
        self,
        start: int | pd.Timestamp,
        speed: float = 1.0,
        *,
        running: bool = True,
        wall: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if isinstance(start, pd.Timestamp):
            if start.tzinfo is None:
                raise DataError(f"The market's start {start} has no time zone; give one, such as America/New_York.")
            start = start.as_unit("ns").value
        self._wall = wall
        self._lock = threading.Lock()
        self._limit: int | None = None
        self._course = _Course(wall(), int(start), _checked(speed), running)
        self.start = int(start)

    def __repr__(self) -> str:
        return f"MarketClock({self.now()}, speed={self.speed:g}{'' if self.running else ', paused'})"

    @property
    def nanoseconds(self) -> int:
        """Market time now, in nanoseconds since 1970 UTC."""
        course, limit = self._course, self._limit
        at = course.market
        if course.running:
            if math.isinf(course.speed):
                return at if limit is None else max(at, limit)
            at += int((self._wall() - course.wall) * course.speed)
        return at if limit is None else min(at, max(limit, course.market))

    @property
    def speed(self) -> float:
        """Market seconds for each second of wall time."""
        return self._course.speed

    @property
    def running(self) -> bool:
        """Whether market time moves."""
        return self._course.running

    def now(self) -> pd.Timestamp:
        """Market time now, in UTC."""
        return pd.Timestamp(self.nanoseconds, tz="UTC")

    def sleep(self, seconds: float) -> None:
        """Block this thread until that many market seconds have passed."""
        until = self.nanoseconds + int(max(0.0, seconds) * 1e9)
        while (left := until - self.nanoseconds) > 0:
            speed = self.speed if math.isfinite(self.speed) else 1e6
            time.sleep(min(0.01, left / 1e9 / speed) if self.running else 0.01)

    def allow(self, until: int) -> None:
        """Let time run up to that moment; while it waits there no time is owed, so it never jumps."""
        with self._lock:
            if self._limit is not None and self._free() > self._limit:
                self._course = self._course._replace(wall=self._wall(), market=self.nanoseconds)
            self._limit = until

    def pause(self) -> None:
        """Stop market time."""
        self._change(running=False)

    def resume(self) -> None:
        """Let market time go on."""
        self._change(running=True)

    def run_at(self, speed: float) -> None:
        """Change the speed from now on.

        Raises
        ------
        DataError
            If it is not above 0.
        """
        self._change(speed=_checked(speed))

    def _free(self) -> int:
        """Market time now if nothing held it."""
        course = self._course
        if not course.running or math.isinf(course.speed):
            return course.market
        return course.market + int((self._wall() - course.wall) * course.speed)

    def _change(self, *, speed: float | None = None, running: bool | None = None) -> None:
        with self._lock:
            course, at = self._course, self.nanoseconds
            self._course = _Course(
                self._wall(),
                at,
                course.speed if speed is None else speed,
                course.running if running is None else running,
            )


def _checked(speed: float) -> float:
    if isinstance(speed, bool) or not isinstance(speed, (int, float)) or not speed > 0:
        raise DataError(f"A speed of {speed!r} is none: give market seconds per second above 0, such as 1, 60 or inf.")
    return float(speed)
