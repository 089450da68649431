"""The ends of files that others append to, followed with bounded memory."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import Any, Final

#: Bytes that are read at the beginning, and at most by one call.
_NEAR: Final = 1 << 18

#: Longest line that is kept.
_LINE: Final = 4_000


class Tail:
    r"""The last lines of a file that grows, is set aside, or begins anew.

    Parameters
    ----------
    path : Path
        Of the file; nothing there is a file without lines.
    lines : int
        Lines kept.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "log")
    ...     tail = Tail(path, 2)
    ...     _ = path.write_text("one\ntwo\nthree\nfo")
    ...     tail.follow(), list(tail.lines)
    (['one', 'two', 'three'], ['two', 'three'])
    """

    def __init__(self, path: Path, lines: int = 200) -> None:
        self.path = Path(path)
        self.lines: deque[str] = deque(maxlen=lines)
        self._file: int | None = None
        self._at = 0
        self._rest = b""

    def follow(self) -> list[str]:
        """Lines that are whole since the last call; of a file that has grown by much, its last ones."""
        try:
            with self.path.open("rb") as file:
                about = os.fstat(file.fileno())
                if about.st_ino != self._file or about.st_size < self._at:
                    self._file, self._at, self._rest = about.st_ino, 0, b""
                skipped = about.st_size - self._at > _NEAR
                if skipped:
                    self._at, self._rest = about.st_size - _NEAR, b""
                file.seek(self._at)
                content = file.read(_NEAR)
        except OSError:
            return []
        self._at += len(content)
        *whole, self._rest = (self._rest + content).split(b"\n")
        if len(self._rest) > _LINE:
            self._rest = self._rest[:_LINE]
        fresh = [line[:_LINE].decode("utf-8", "replace").rstrip("\r") for line in whole[1 if skipped else 0 :]]
        self.lines.extend(fresh)
        return fresh


class Beats:
    """Rates and delays of an engine, second by second, from its metrics.

    Parameters
    ----------
    path : Path
        Of the metrics.
    beats : int
        Seconds kept.

    Attributes
    ----------
    kept : deque of tuple
        Time in nanoseconds since 1970, UTC; trades and quotes a second; median and 99th percentile of the delay in
        milliseconds, NaN where nothing came.
    count : int
        How many there were so far.
    """

    def __init__(self, path: Path, beats: int = 600) -> None:
        self._tail = Tail(path, 1)
        self.kept: deque[tuple[int, float, float, float, float]] = deque(maxlen=beats)
        self.count = 0

    def follow(self) -> None:
        """Take in what is new."""
        for line in self._tail.follow():
            beat = _beat(line)
            if beat is not None:
                self.kept.append(beat)
                self.count += 1

    def columns(self) -> dict[str, list[float]]:
        """The same by name: ``time`` in milliseconds since 1970, ``trades``, ``quotes``, ``median``, ``p99``."""
        names = ("time", "trades", "quotes", "median", "p99")
        found = {name: [float(beat[place]) for beat in self.kept] for place, name in enumerate(names)}
        return found | {"time": [time / 1e6 for time in found["time"]]}


def _beat(line: str) -> tuple[int, float, float, float, float] | None:
    """What a line of the metrics says, if it is a heartbeat."""
    try:
        said: dict[str, Any] = json.loads(line)
        if said["event"] != "realtime.heartbeat":
            return None
        rates, lag = said["rates"], said["lag"]
        unknown = float("nan")
        return (
            int(said["ts"]), float(rates["trades"]), float(rates["quotes"]), float(lag.get("p50_ms", unknown)),
            float(lag.get("p99_ms", unknown)),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):  # a line that a crash broke off
        return None
