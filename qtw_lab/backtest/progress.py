"""How far a long piece of work is, on one line of standard error: share, rate and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

Progress = Callable[[int, int], None]

_WIDTH: Final = 30


class ProgressBar:
    """A line that is written over: it works in a terminal and in a notebook, and needs no library.

    Parameters
    ----------
    label : str
        What is under way.
    before : int
        How much an earlier run had done; it does not count in the rate.
    stream : text stream, optional
        Where to write; standard error by default.
    clock : callable
        Seconds that only grow.

    Examples
    --------
    >>> import io
    >>> times, out = iter([0.0, 2.0, 4.0]), io.StringIO()
    >>> bar = ProgressBar("sweep", stream=out, clock=lambda: next(times))
    >>> bar(50, 200)
    >>> bar(200, 200)
    >>> print(out.getvalue().replace(chr(13), chr(10)).strip())
    sweep  25% [########----------------------] 50 of 200 rows, 25 rows/s, 0:06 left
    sweep 100% [##############################] 200 of 200 rows, 50 rows/s, 0:04 in all
    """

    def __init__(
        self,
        label: str,
        before: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._before, self._stream, self._clock = label, before, stream, clock
        self._start = clock()
        self._shown = ""

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` rows are done."""
        spent = self._clock() - self._start
        rate = (done - self._before) / spent if spent > 0 else 0.0
        share = done / total if total else 1.0
        full = int(share * _WIDTH + 0.5)
        if done >= total:
            when = f"{_clocked(spent)} in all"
        else:
            when = f"{_clocked((total - done) / rate)} left" if rate > 0 else "starting"
        self._write(
            f"{self._label} {share:4.0%} [{'#' * full}{'-' * (_WIDTH - full)}] {done:,} of {total:,} rows, "
            f"{rate:,.0f} rows/s, {when}"
        )

    def close(self) -> None:
        """End the line."""
        if self._shown:
            stream = self._stream or sys.stderr
            stream.write("\n")
            stream.flush()

    def _write(self, text: str) -> None:
        if text == self._shown:
            return
        stream = self._stream or sys.stderr
        stream.write("\r" + text.ljust(len(self._shown)))
        stream.flush()
        self._shown = text


def _clocked(seconds: float) -> str:
    """Seconds as 1:05 or 2:03:04."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
