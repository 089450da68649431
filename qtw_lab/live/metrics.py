"""Figures of a running engine: a file of JSON lines that keeps its size, and a histogram of delays."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError, SetupError
from qtw_lab.live.journal_kinds import packed_json

#: Buckets for each doubling: a quantile is off by at most 2.2%, half a bucket.
_FINENESS: Final = 16
#: Delays from 1 µs to about 1,100 s have buckets of their own.
_LOWEST: Final = 1e-6
_DOUBLINGS: Final = 30

#: What may wait in memory while the disk is full.
_WAITING: Final = 1 << 20


class LagHistogram:
    """How long things took, in buckets of equal ratio; a fixed 4 kB, however many there were.

    Examples
    --------
    >>> lags = LagHistogram()
    >>> lags.add(np.array([0.001] * 98 + [0.004, 0.1]))
    >>> lags.count, round(lags.quantile(0.5), 4), round(lags.quantile(0.995), 2)
    (100, 0.001, 0.1)
    """

    def __init__(self) -> None:
        self._buckets = np.zeros(_FINENESS * _DOUBLINGS + 1, dtype=np.int64)
        self._total = 0.0
        #: The longest so far, in seconds; 0 if there was none.
        self.longest = 0.0

    @property
    def count(self) -> int:
        """How many there were."""
        return int(self._buckets.sum())

    @property
    def mean(self) -> float:
        """Their mean in seconds; NaN if there was none."""
        return self._total / self.count if self.count else math.nan

    def add(self, seconds: float | npt.NDArray[np.float64], times: int = 1) -> None:
        """Count delays; negative ones (clocks differ) count as none.

        Parameters
        ----------
        seconds : float or array
            Each delay.
        times : int
            How often each came.

        Raises
        ------
        DataError
            If one is NaN or infinite.
        """
        given = np.maximum(np.atleast_1d(np.asarray(seconds, dtype=float)).ravel(), 0.0)
        if not np.isfinite(given).all():
            raise DataError("A delay is NaN or infinite; give finite seconds.")
        if not len(given):
            return
        places = np.ceil(np.log2(np.maximum(given, _LOWEST) / _LOWEST) * _FINENESS).astype(np.int64)
        self._buckets += times * np.bincount(np.minimum(places, len(self._buckets) - 1), minlength=len(self._buckets))
        self._total += times * float(given.sum())
        self.longest = max(self.longest, float(given.max()))

    def quantile(self, share: float) -> float:
        """The delay that `share` of all do not exceed, in seconds, to 2.2%; NaN if there was none.

        Raises
        ------
        DataError
            If the share is not between 0 and 1.
        """
        if not 0 <= share <= 1:
            raise DataError(f"share is {share}; give a number from 0 to 1, such as 0.99.")
        count = self.count
        if not count:
            return math.nan
        wanted = max(1, math.ceil(share * count))
        place = int(np.searchsorted(np.cumsum(self._buckets), wanted))
        middle = _LOWEST * 2 ** ((place - 0.5) / _FINENESS) if place else _LOWEST
        return min(middle, self.longest)

    def summary(self) -> dict[str, float | int]:
        """Count, and in milliseconds mean, p50, p99, p99.9 and the longest; delays are left out if there was none."""
        if not self.count:
            return {"count": 0}
        quantiles = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}
        figures = {name: round(1e3 * self.quantile(share), 4) for name, share in quantiles.items()}
        return {
            "count": self.count,
            "mean_ms": round(1e3 * self.mean, 4),
            **figures,
            "max_ms": round(1e3 * self.longest, 4),
        }

    def clear(self) -> None:
        """Begin anew."""
        self._buckets[:] = 0
        self._total = self.longest = 0.0


class Metrics:
    r"""A file of JSON lines, one for each event, that is set aside (as ``NAME.1``) when it has grown too large.

    The file set aside before is given up: metrics take at most twice `max_bytes`, and one line. Lines are gathered and
    written by `flush`; if the disk is full they wait, and beyond 1 MiB the newest are dropped and counted.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder is made if missing.
    max_bytes : int
        METRICS_MAX_BYTES.

    Raises
    ------
    DataError
        If `max_bytes` is below 1,024.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     metrics = Metrics(Path(folder) / "metrics.ndjson")
    ...     metrics.record("heartbeat", 10**18, {"bars": 12})
    ...     metrics.flush()
    ...     metrics.path.read_text()
    '{"ts":1000000000000000000,"event":"heartbeat","bars":12}\n'
    """

    def __init__(self, path: Path, max_bytes: int = 5_000_000) -> None:
        if max_bytes < 1024:
            raise DataError(f"METRICS_MAX_BYTES is {max_bytes}; give at least 1024.")
        self.path, self._max_bytes = Path(path), max_bytes
        self._lines: list[bytes] = []
        self._waiting = 0
        #: Lines that were given up because the disk was full for too long.
        self.dropped = 0

    def record(self, event: str, received: int, fields: Mapping[str, Any] | None = None) -> None:
        """Gather one line.

        Parameters
        ----------
        event : str
            What happened.
        received : int
            When, nanoseconds since 1970, UTC.
        fields : mapping, optional
            JSON values.

        Raises
        ------
        DataError
            If a field holds what JSON cannot.
        """
        line = packed_json({"ts": received, "event": event, **(fields or {})}) + b"\n"
        if self._waiting + len(line) > _WAITING:
            self.dropped += 1
            return
        self._lines.append(line)
        self._waiting += len(line)

    def flush(self) -> None:
        """Write what was gathered.

        Raises
        ------
        SetupError
            If it cannot be written now; it waits for the next time.
        """
        if not self._lines:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size + self._waiting > self._max_bytes:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
            append_whole(self.path, b"".join(self._lines))
        except OSError as err:
            raise SetupError(
                f"Cannot write {self.path.name} in {self.path.parent}: {err.strerror or err}. Free some space or "
                "permit writing there."
            ) from err
        self._lines, self._waiting = [], 0


def append_whole(path: Path, content: bytes) -> None:
    """Append to a file all of `content` or nothing, and set aside what a crash left of a last line.

    Raises
    ------
    OSError
        If it cannot be written; the file is as it was.
    """
    with path.open("ab+", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        if before:
            file.seek(before - 1)
            if file.read(1) != b"\n":  # a crash broke off the last line: what comes now begins on one of its own
                content = b"\n" + content
        try:
            view = memoryview(content)
            while view:
                view = view[file.write(view) or 0 :]
        except OSError:
            file.truncate(before)
            raise
