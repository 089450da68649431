"""How many requests a key may make in a minute, and what the answers' headers say of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from qtw_lab.core import DataError


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a key.

    Parameters
    ----------
    granted : bool
        Whether this request may be answered.
    limit, remaining : int
        Requests a minute, and how many are left in this one.
    reset : int
        When the next minute begins, in seconds since 1970.
    """

    granted: bool
    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every answer carries, by Alpaca's names for them."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class RateLimit:
    """Requests counted by key and minute of wall time.

    Alpaca states 200 a minute for trading and for market data of the basic plan, in the headers X-RateLimit-Limit,
    -Remaining and -Reset (seconds since 1970); whether its window is the minute of the clock is not documented, and is
    assumed here.

    Parameters
    ----------
    limit : int
        Requests a minute; 0 for no limit.
    seconds : callable
        Seconds since 1970.

    Raises
    ------
    DataError
        If the limit is no whole number from 0 up.

    Examples
    --------
    >>> limit = RateLimit(2, seconds=lambda: 90.0)
    >>> [limit.ask("key").granted for _ in range(3)], limit.ask("key").reset
    ([True, True, False], 120)
    """

    def __init__(self, limit: int, seconds: Callable[[], float] = time.time) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise DataError(f"A rate limit of {limit!r} is none: give requests per minute, or 0 for no limit.")
        self.limit = limit
        self._seconds = seconds
        self._minute = -1
        self._used: dict[str, int] = {}

    def ask(self, key: str) -> Allowance:
        """Count a request of that key and say whether it is within its minute."""
        minute = math.floor(self._seconds() / 60)
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        used = self._used.get(key, 0) + 1
        if self.limit == 0:
            return Allowance(granted=True, limit=0, remaining=0, reset=(minute + 1) * 60)
        self._used[key] = min(used, self.limit)
        return Allowance(used <= self.limit, self.limit, max(0, self.limit - used), (minute + 1) * 60)

    def forget(self) -> None:
        """Begin anew, as a server does that was started again."""
        self._used.clear()
