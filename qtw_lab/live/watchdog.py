"""Whether a stream is alive, told from its data and the calendar, because a mute socket looks like a quiet one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError, lookup
from qtw_lab.live.sessions import Sessions

_SECOND: Final = 10**9

#: Silence of that many cadences is an alarm.
TWICE: Final = 2

#: The longest pause of each such slice of time is remembered, for so many slices: five minutes.
_SLICE: Final = 10 * _SECOND
_SLICES: Final = 30


@dataclass(frozen=True, slots=True)
class Liveness:
    """What the watchdog says of a stream.

    Parameters
    ----------
    state : {"alive", "partly silent", "silent", "idle"}
        "partly silent" if some channels are and others not, "idle" if nothing is to be expected: the market is closed
        or halted, the link is known to be down, or nothing is subscribed.
    silent : dict of str to int
        Channels that are silent, and since when (nanoseconds since 1970, UTC).
    reason : str
        One sentence for people.
    """

    state: str
    silent: dict[str, int]
    reason: str

    @property
    def dead(self) -> bool:
        """Whether every channel is silent: the link should be made anew."""
        return self.state == "silent"

    @property
    def since(self) -> int | None:
        """Since when the stream has been silent; None if it is not."""
        return max(self.silent.values()) if self.dead else None


class Cadence:
    """How long a channel has to be silent to be called so: twice the longest pause of the last five minutes.

    The median pause would not do: where events come at random, as trades do, one pause in four is more than twice the
    median, but of n pauses about one in n squared is more than twice the longest.

    Parameters
    ----------
    expected : float
        Seconds within which something comes in a busy market; the learned pause is never taken to be less.
    cap : float
        Nor more than that.

    Examples
    --------
    >>> cadence = Cadence(1.0, cap=10.0)
    >>> cadence.limit / 10**9
    2.0
    >>> cadence.learn(4 * 10**9, at=0)
    >>> cadence.limit / 10**9
    8.0
    """

    def __init__(self, expected: float, cap: float) -> None:
        if not 0 < expected <= cap < float("inf"):
            raise DataError(f"A cadence needs 0 < expected <= cap in seconds, not {expected} and {cap}.")
        self._floor, self._cap = round(expected * _SECOND), round(cap * _SECOND)
        self._longest: deque[tuple[int, int]] = deque(maxlen=_SLICES + 1)
        self._pause = self._floor

    @property
    def limit(self) -> int:
        """Nanoseconds of silence that are an alarm."""
        return TWICE * self._pause

    @property
    def most(self) -> int:
        """The largest `limit` there can be."""
        return TWICE * self._cap

    def learn(self, pause: int, at: int) -> None:
        """Take in a pause that ended at a moment."""
        place = at // _SLICE
        if not self._longest or place > self._longest[-1][0]:
            self._longest.append((place, pause))
            self._forget(place)
        elif pause > self._longest[-1][1]:
            self._longest[-1] = (self._longest[-1][0], pause)
        else:
            return
        longest = max(pause for _, pause in self._longest)
        self._pause = min(max(longest, self._floor), self._cap)

    def _forget(self, place: int) -> None:
        while self._longest[0][0] <= place - _SLICES:
            self._longest.popleft()


class Watchdog:
    """Silence of a stream by channel, where the calendar says that something should come.

    It has no clock and no thread: tell it what came (`heard`), what is subscribed (`watch`), when the link is down or
    the market halted, and ask (`check`) about as often as the shortest cadence. All times are nanoseconds since 1970,
    UTC, of one clock. Silence is counted from the last data, the beginning of the session, the subscription or the end
    of a halt, whichever was last; and if `check` itself was not called for long, once from then, so that a pause of the
    engine is not taken for one of the stream. A link that is made anew for silence and is silent again gets twice the
    time, and so on up to the cap, until something comes: then the market is quiet, or the venue itself is down, and
    more links do not help.

    Parameters
    ----------
    sessions : Sessions
        When to expect something.
    expected : mapping of str to float
        By channel, the seconds within which something comes in a busy market, such as ``{"trades": 1, "bars": 60}``.
    extended : bool
        Whether to expect it before and after the regular session too.
    patience : float
        The learned cadence reaches at most so many times the expected one.
    quiet : float
        Before and after the regular session everything may take so many times as long.

    Examples
    --------
    >>> import pandas as pd
    >>> dog = Watchdog(Sessions("24/7"), {"trades": 1.0})
    >>> start = pd.Timestamp("2026-01-02 15:00", tz="UTC").value
    >>> dog.watch(["trades"], start)
    >>> for second in range(4):
    ...     dog.heard("trades", start + second * 10**9)
    ...     state = dog.check(start + second * 10**9).state
    >>> [dog.check(start + second * 10**9).state for second in (4, 5)]
    ['alive', 'silent']
    """

    def __init__(
        self,
        sessions: Sessions,
        expected: Mapping[str, float],
        *,
        extended: bool = False,
        patience: float = 10.0,
        quiet: float = 10.0,
    ) -> None:
        if not expected:
            raise DataError("A watchdog needs at least one channel, such as {'trades': 1.0}.")
        self._sessions, self._extended, self._quiet = sessions, extended, quiet
        self._cadences = {name: Cadence(seconds, seconds * patience) for name, seconds in expected.items()}
        self._heard: dict[str, int] = {}
        self._counts: dict[str, int] = dict.fromkeys(expected, 0)
        self._since = 0
        self._looked: int | None = None
        self._alarms: dict[str, int] = {}
        self._alarmed: set[str] = set()
        self._forgiven = False
        self._halted = False

    @property
    def counts(self) -> dict[str, int]:
        """How much was heard by channel, in all."""
        return dict(self._counts)

    def watch(self, channels: Iterable[str], now: int) -> None:
        """Expect something on these channels from now on, and on no others: they were just subscribed.

        Raises
        ------
        DataError
            If a channel has no expected cadence.
        """
        names = list(channels)
        for name in names:
            lookup(name, self._cadences, "channel with an expected cadence")
        self._heard = dict.fromkeys(names, now)
        self._alarmed = set()
        self._since, self._looked, self._forgiven = now, now, False

    def down(self) -> None:
        """Expect nothing until `watch`: the link is known to be down."""
        self._heard = {}

    def halt(self, now: int, *, halted: bool) -> None:
        """The whole market was halted, or trades again."""
        self._halted, self._since = halted, now

    def heard(self, channel: str, now: int, count: int = 1) -> None:
        """Something came on a channel; on one that is not watched it is counted only."""
        self._counts[channel] = self._counts.get(channel, 0) + count
        last = self._heard.get(channel)
        if last is None:
            return
        standing = self._sessions.at(now)
        pause = now - max(last, self._since, standing.start)
        # A pause that nobody watched, long enough for an alarm, may have been the reader's own: it teaches nothing.
        unseen = self._looked is not None and now - self._looked >= pause > self._limit(channel)
        if pause > 0 and standing.phase == "open" and not self._halted and not unseen:
            self._cadences[channel].learn(pause, now)
        self._heard[channel] = max(last, now)
        self._forgiven = False
        self._alarms.pop(channel, None)
        self._alarmed.discard(channel)

    def check(self, now: int) -> Liveness:
        """Whether the stream is alive at a moment."""
        looked, self._looked = self._looked, now
        standing = self._sessions.at(now)
        if not self._heard:
            return Liveness("idle", {}, "Nothing is subscribed.")
        if not standing.trading(extended=self._extended):
            return Liveness("idle", {}, f"The market is closed ({standing.phase}).")
        if self._halted:
            return Liveness("idle", {}, "The market is halted.")
        factor = 1.0 if standing.phase == "open" else self._quiet
        limits = {name: factor * self._limit(name) for name in self._heard}
        if looked is not None and now - looked > min(limits.values()) and not self._forgiven:
            self._since, self._forgiven = now, True  # nobody looked: what came meanwhile may still wait to be read
        start = max(self._since, standing.start)
        since = {name: max(last, start) for name, last in self._heard.items()}
        silent = {name: at for name, at in since.items() if now - at >= limits[name]}
        self._count(silent)
        return self._verdict(silent, now)

    def _limit(self, channel: str) -> int:
        """Silence that is an alarm, longer after alarms in vain."""
        cadence = self._cadences[channel]
        vain = self._alarms.get(channel, 0) - (channel in self._alarmed)
        return min(cadence.limit << min(max(vain - 1, 0), 20), cadence.most)

    def _count(self, silent: Iterable[str]) -> None:
        """Count the alarms of each channel since it was heard, one a link at most."""
        for name in set(silent) - self._alarmed:
            self._alarms[name] = self._alarms.get(name, 0) + 1
            self._alarmed.add(name)

    def _verdict(self, silent: dict[str, int], now: int) -> Liveness:
        if not silent:
            return Liveness("alive", {}, "Data comes on every channel.")
        state = "silent" if len(silent) == len(self._heard) else "partly silent"
        shown = ", ".join(f"{name} for {(now - at) / _SECOND:.1f} s" for name, at in silent.items())
        return Liveness(state, silent, f"Nothing came on {shown}.")


class Freshness:
    """When each symbol was last heard of, by its number.

    Examples
    --------
    >>> fresh = Freshness()
    >>> fresh.heard(np.array([0, 2, 0]), np.array([5, 7, 6]) * 10**9)
    >>> fresh.ages(np.array([0, 1, 2]), 10 * 10**9).tolist()
    [4.0, inf, 3.0]
    """

    def __init__(self) -> None:
        self._last = np.full(1024, -1, dtype=np.int64)

    def heard(self, numbers: npt.NDArray[np.integer], times: npt.NDArray[np.int64]) -> None:
        """Events of symbols at times, in nanoseconds since 1970, UTC, in any order."""
        if len(numbers):
            self._reach(int(numbers.max()))
            np.maximum.at(self._last, numbers, times)

    def last(self, numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Time of the last event of each, -1 if there was none."""
        if len(numbers):
            self._reach(int(numbers.max()))
        return np.take(self._last, numbers)

    def ages(self, numbers: npt.NDArray[np.integer], now: int) -> npt.NDArray[np.float64]:
        """Seconds since the last event of each, infinite if there was none."""
        last = self.last(numbers)
        return np.where(last < 0, np.inf, (now - last) / _SECOND)

    def _reach(self, number: int) -> None:
        if number >= len(self._last):
            more = np.full(max(number + 1, 2 * len(self._last)) - len(self._last), -1, dtype=np.int64)
            self._last = np.concatenate([self._last, more])
