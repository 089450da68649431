"""Time as an argument: code asks a `Clock`, never the operating system."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from qtw_lab.core.errors import DataError


class Clock(Protocol):
    """Whatever can tell the time and wait."""

    def now(self) -> pd.Timestamp:
        """The present moment in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return when that many seconds have passed on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> pd.Timestamp:
        """The present moment in UTC."""
        return pd.Timestamp.now(tz="UTC")

    def sleep(self, seconds: float) -> None:
        """Block this thread for that long."""
        time.sleep(max(0.0, seconds))


@dataclass
class VirtualClock:
    """A clock that moves only when told to, for replays and tests.

    Examples
    --------
    >>> clock = VirtualClock(pd.Timestamp("2024-01-02 14:30", tz="UTC"))
    >>> clock.sleep(90)
    >>> str(clock.now())
    '2024-01-02 14:31:30+00:00'
    """

    moment: pd.Timestamp

    def __post_init__(self) -> None:
        if self.moment.tzinfo is None:
            raise DataError(f"Clock time {self.moment} has no time zone; give one, such as UTC.")
        self.moment = self.moment.tz_convert("UTC")

    def now(self) -> pd.Timestamp:
        """The moment this clock stands at, in UTC."""
        return self.moment

    def sleep(self, seconds: float) -> None:
        """Move the clock forward by that many seconds, at once."""
        self.moment += pd.Timedelta(seconds=max(0.0, seconds))
