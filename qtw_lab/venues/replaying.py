"""A recorded session as a feed: what came in once comes in again, in the same order and the same pieces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from qtw_lab.core import DataError
from qtw_lab.venues.feeds import Inbound, Kind

_ENDED: Final = {"state": "ended"}


class ReplayFeed:
    """A recording, read as if it came from a venue; satisfies `feeds.Feed`.

    Everything keeps its recorded time of receipt, whatever the speed, so that a reader who goes by it comes to the same
    results. Each `read` gives one thing that was recorded, silence (`Kind.BEAT`) and answers (`Kind.ANSWER`) included.
    After the last comes the news "ended", stamped with the last recorded time, unless the recording ends with it.

    Parameters
    ----------
    recording : iterable of Inbound
        In the order in which it came. It is taken up piece by piece, so it may be longer than memory; a memoryview in
        it need only be good until the next is taken.
    speed : float, optional
        Recorded seconds for each second: 1 as it was, 60 a minute a second. None gives each thing at once.
    name : str
        What the feed is called.
    monotonic, sleep : callable
        A clock in seconds that is never set, and how to wait.

    Raises
    ------
    DataError
        If the speed is no positive number, or the recording is a path or a text.

    Examples
    --------
    >>> recording = [Inbound(1_000, Kind.DATA, b"..."), Inbound(2_000, Kind.BEAT)]
    >>> feed = ReplayFeed(recording)
    >>> feed.open()
    >>> [(inbound.received, inbound.kind.name) for _ in range(4) for inbound in feed.read(0)]
    [(1000, 'DATA'), (2000, 'BEAT'), (2000, 'LINK')]
    """

    def __init__(
        self,
        recording: Iterable[Inbound],
        speed: float | None = None,
        *,
        name: str = "replay",
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if speed is not None and not 0.0 < speed < float("inf"):
            raise DataError(f"A replay at speed {speed!r} makes no sense; give recorded seconds a second, such as 60.")
        if isinstance(recording, (str, bytes, Path)):
            raise DataError(
                f"The recording {str(recording)!r} is a path; give what was recorded: live.recording.read_recording "
                "reads it from there."
            )
        self._name, self._speed = name, speed
        self._monotonic, self._sleep = monotonic, sleep
        self._rest: Iterator[Inbound] = iter(recording)
        self._next: Inbound | None = None  # taken up and not due yet
        self._last = 0  # time of receipt
        self._told_end = False
        self._origin: tuple[float, int] | None = None  # a moment of the clock and the recorded time that it stands for
        self._state = "idle"

    @property
    def name(self) -> str:
        """What the feed is called."""
        return self._name

    def open(self) -> None:
        """Begin."""
        if self._state == "idle":
            self._state = "open"

    def read(self, seconds: float) -> Sequence[Inbound]:
        """The next thing of the recording, if it is due within that many seconds."""
        if self._state != "open":
            return self._ending() if self._state == "closed" else ()
        if self._next is None:
            self._next = next(self._rest, None)
        if self._next is None:
            self._state = "closed"
            return self._ending()
        if not self._wait(self._next.received, seconds):
            return ()
        found, self._next = self._next, None
        self._last = found.received
        self._told_end = found.kind == Kind.LINK and json.loads(bytes(found.payload)).get("state") == "ended"
        return (found,)

    def subscribe(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Do nothing: what was recorded comes, all of it."""

    def reconnect(self, reason: str) -> None:
        """Do nothing: links break where they broke."""

    def close(self) -> None:
        """End here."""
        self._state = "closed"

    def _wait(self, received: int, seconds: float) -> bool:
        """Whether a recorded time has come, or comes within that many seconds, which are then waited for."""
        if self._speed is None:
            return True
        now = self._monotonic()
        if self._origin is None or received < self._last:  # the recorder's clock was set back: no time has passed
            self._origin = (now, received)
        began, first = self._origin
        left = began + (received - first) / 1e9 / self._speed - now
        if left > 0:
            self._sleep(min(left, max(0.0, seconds)))
        return left <= seconds

    def _ending(self) -> Sequence[Inbound]:
        """The news that it is over, once."""
        if self._told_end:
            return ()
        self._told_end = True
        return (Inbound(self._last, Kind.LINK, json.dumps(_ENDED).encode()),)
