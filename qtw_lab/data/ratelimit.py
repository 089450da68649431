"""Asking a venue no more often than its plan allows, however many threads ask with one key."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from qtw_lab.core import Clock, DataError, SystemClock

_MINUTE: Final = 60_000_000_000


@dataclass
class RateLimit:
    """A token bucket: at most `per_minute` requests in any 60 seconds, of which at most `burst` at once.

    The bucket holds `burst` tokens and is refilled at ``(per_minute - burst) / 60`` tokens a second. In any closed
    window of a minute a full bucket and a minute's refill go out at most, which is `per_minute`; the price is a
    sustained rate of ``per_minute - burst`` a minute. Kept as the generic cell rate algorithm (ITU-T I.371, annex A)
    in whole nanoseconds: one theoretical arrival time instead of a count of tokens, so nothing is lost to rounding.

    Parameters
    ----------
    per_minute : int
        Requests the plan allows in a minute; at least 1.
    clock : Clock
        Tells the time and waits.
    burst : int, optional
        A tenth of `per_minute` by default, at least 1, less than `per_minute` (1 if that is 1).

    Raises
    ------
    DataError
        If a figure is out of range.

    Examples
    --------
    >>> from qtw_lab.core import VirtualClock
    >>> clock = VirtualClock(pd.Timestamp("2024-01-02", tz="UTC"))
    >>> limit = RateLimit(60, clock, burst=1)
    >>> [round(limit.acquire(), 3) for _ in range(3)]
    [0.0, 1.017, 1.017]
    """

    per_minute: int
    clock: Clock
    burst: int | None = None
    _due: int = field(default=0, init=False, repr=False)  # theoretical arrival time of the next, ns since 1970
    _hold: tuple[int, int] = field(default=(0, 0), init=False, repr=False)  # told so when, wait until when; ns
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.per_minute < 1:
            raise DataError(f"A rate limit of {self.per_minute} requests a minute allows none; give at least 1.")
        if self.burst is None:
            self.burst = max(1, self.per_minute // 10)
        if not 1 <= self.burst <= max(1, self.per_minute - 1):
            raise DataError(f"A burst of {self.burst} does not fit {self.per_minute} requests a minute; give fewer.")

    @property
    def interval(self) -> int:
        """Nanoseconds in which one token is refilled."""
        refill = self.per_minute - self._burst
        return -(-_MINUTE // refill) if refill else _MINUTE + 1  # one a minute: never two in a closed minute

    @property
    def _burst(self) -> int:
        return self.burst or 1

    def acquire(self) -> float:
        """Wait for a token and take it; return how many seconds that took on the clock.

        Threads are served one after the other: whoever waits, waits for all behind, so that requests leave at the times
        the bucket allows and not bunched up after a sleep.
        """
        with self._lock:
            began = now = self._now()
            while (ready := self._ready(now)) > now:
                self.clock.sleep((ready - now) / 1e9)
                now = self._now()
            self._due = max(self._due, now) + self.interval
        return (now - began) / 1e9

    def hold(self, seconds: float) -> None:
        """Let nobody ask for that long: the venue has said so to one of us, and means all."""
        now = self._now()
        self._hold = (now, max(self._hold[1], now + int(seconds * 1e9)))

    def tighten(self, per_minute: int) -> None:
        """Allow fewer requests a minute from now on; more are never allowed."""
        with self._lock:
            if per_minute < self.per_minute:
                self.per_minute, self.burst = per_minute, max(1, per_minute // 10)

    def _ready(self, now: int) -> int:
        """When the next request may leave."""
        depth = self._burst * self.interval
        self._due = min(self._due, now + depth)  # if the clock was set back: a bucket is not emptier than empty
        told, until = self._hold
        return max(self._due - (self._burst - 1) * self.interval, until if told <= now else now)

    def _now(self) -> int:
        return int(self.clock.now().as_unit("ns").value)


_LIMITS: dict[tuple[str, int], RateLimit] = {}
_LIMITS_LOCK: Final = threading.Lock()


def shared_limit(key: str, per_minute: int, clock: Clock) -> RateLimit:
    """The one limit of this process for an API key, whoever asks for it.

    Parameters
    ----------
    key : str
        The API key; only its SHA-256 is kept.
    per_minute : int
        Requests a minute. If the key already has a limit, the lower of the two stays.
    clock : Clock
        All system clocks count as one; a virtual clock has limits of its own, for time passes differently there.

    Examples
    --------
    >>> a, b = shared_limit("k", 200, SystemClock()), shared_limit("k", 200, SystemClock())
    >>> a is b
    True
    """
    kind = 0 if isinstance(clock, SystemClock) else id(clock)
    place = (hashlib.sha256(key.encode()).hexdigest(), kind)
    with _LIMITS_LOCK:
        limit = _LIMITS.get(place)
        if limit is None:
            limit = _LIMITS[place] = RateLimit(per_minute, clock)
    limit.tighten(per_minute)
    return limit


def retry_after(header: str, now: pd.Timestamp) -> float | None:
    """Seconds a Retry-After header asks to wait (it holds a count of seconds or an HTTP date); None if it is neither.

    Examples
    --------
    >>> now = pd.Timestamp("2015-10-21 07:27:50", tz="UTC")
    >>> retry_after("2", now), retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), retry_after("soon", now)
    (2.0, 10.0, None)
    """
    from email.utils import parsedate_to_datetime

    if header.strip().isdigit():
        return float(header)
    try:
        at = pd.Timestamp(parsedate_to_datetime(header))
    except (ValueError, TypeError):
        return None
    if at.tzinfo is None:
        return None
    return max(0.0, (at - now).total_seconds())
