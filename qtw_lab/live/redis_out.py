"""`RedisOut`: events also go to Redis Streams, from a thread of its own that the engine never waits for."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.live.exports import bar_lines, level_name, signal_lines
from qtw_lab.live.journal_kinds import Rows

#: Names of the streams.
SIGNALS: Final = "qtw:signals"
FOCUS: Final = "qtw:focus"
STATUS: Final = "qtw:status"

#: What goes out: a stream, and what gives its entries when the thread comes to it.
_Item = tuple[str, int, Callable[[], Iterable[str]]]

_AT_ONCE: Final = 1000


def bars_stream(level: int) -> str:
    """The name of the stream of bars of a level, such as ``qtw:bars:5s``."""
    return f"qtw:bars:{level_name(level)}"


class RedisOut:
    """Sends events to Redis Streams: ``qtw:bars:5s`` and the like, ``qtw:signals``, ``qtw:focus``, ``qtw:status``.

    Every entry has one field, ``json``. Its methods never block and never fail: what finds the queue full, or a server
    that cannot be reached, is dropped and counted. The journal has it all.

    Parameters
    ----------
    url : str
        REDIS_URL, such as ``redis://127.0.0.1:6379/0``.
    length : int
        About how many entries a stream keeps.
    waiting : int
        How many calls may wait.

    Raises
    ------
    SetupError
        If redis is not installed.
    DataError
        If the address is none; it is not repeated, for it may hold a password.
    """

    def __init__(self, url: str, length: int = 100_000, waiting: int = 1000) -> None:
        redis = need("redis", "redis")
        try:
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=2.0, socket_connect_timeout=2.0, health_check_interval=15
            )
        except (ValueError, TypeError):
            raise DataError(
                "REDIS_URL is no address of a Redis server; give one such as redis://127.0.0.1:6379/0."
            ) from None
        self._failures: tuple[type[Exception], ...] = (redis.exceptions.RedisError, OSError)
        self._length = length
        self._queue: queue.Queue[_Item | None] = queue.Queue(waiting)
        self._end = threading.Event()
        #: Entries that Redis has taken.
        self.sent = 0
        self._refused = self._failed = 0  # each counted by one thread alone
        #: Why the last attempt failed; None if it did not.
        self.fault: str | None = None
        self._thread = threading.Thread(target=self._run, name="redis-out", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Entries that were given up."""
        return self._refused + self._failed

    def bars(self, rows: Rows, names: Sequence[str]) -> None:
        """Finished or changed bars, an entry each in the stream of their level."""
        for level in np.unique(rows["level"]).tolist():
            chosen = rows[rows["level"] == level]
            self._put((bars_stream(level), len(chosen), partial(bar_lines, chosen, names)))

    def signals(self, rows: Rows, names: Sequence[str]) -> None:
        """Changes of stance, an entry each."""
        if len(rows):
            self._put((SIGNALS, len(rows), partial(signal_lines, rows.copy(), names)))

    def focus(self, content: Mapping[str, Any]) -> None:
        """The focus after a change."""
        self._plain(FOCUS, content)

    def status(self, content: Mapping[str, Any]) -> None:
        """How the engine is."""
        self._plain(STATUS, content)

    def close(self, seconds: float = 1.0) -> None:
        """End; what waits has that long to go out, the rest is dropped and counted."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self._end.set()
        self._thread.join(seconds)
        self._end.set()
        self._thread.join(3.0)
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            self._refused += item[1] if item else 0
        self._client.close()

    def _plain(self, stream: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(dict(content), separators=(",", ":"), default=str)
        self._put((stream, 1, lambda: (text,)))

    def _put(self, item: _Item) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._refused += item[1]

    def _run(self) -> None:
        pause = 0.0
        while not self._end.wait(pause):
            item = self._queue.get()
            if item is None:
                return
            stream, count, entries = item
            try:
                self._send(stream, entries())
            except self._failures as err:
                # What waits behind it goes out or is dropped too: old news is not worth holding the newest up for.
                self.fault, self._failed = type(err).__name__, self._failed + count
                pause = min(5.0, 2 * pause or 0.1)
            else:
                self.fault, self.sent, pause = None, self.sent + count, 0.0

    def _send(self, stream: str, entries: Iterable[str]) -> None:
        lines = list(entries)
        for first in range(0, len(lines), _AT_ONCE):
            with self._client.pipeline(transaction=False) as pipe:
                for line in lines[first : first + _AT_ONCE]:
                    pipe.xadd(stream, {"json": line}, maxlen=self._length, approximate=True)
                pipe.execute()
