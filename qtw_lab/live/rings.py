"""`Rings`: the last bars of many symbols in one array of fixed size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[Any]

#: A bar as it is kept: what people look at. Fields as those of `qtw_lab.live.rows.ROW`.
BAR: Final = np.dtype(
    [
        ("time", "i8"), ("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8"), ("volume", "f8"),
        ("count", "i4"), ("flags", "u4"), ("bid", "f8"), ("ask", "f8"),
    ]
)  # fmt: skip

_SECOND: Final = 10**9


class Rings:
    """The last bars of one length. The time of a bar is its place, so that a revision replaces what it revises.

    Taking bars in costs time proportional to their number. The memory is that of the most symbols held at once; it is
    taken as they come, and none is asked for later.

    Parameters
    ----------
    seconds : int
        Length of a bar.
    length : int
        Bars kept of each symbol.

    Examples
    --------
    >>> from qtw_lab.live.rows import ROW
    >>> rings = Rings(5, 2)
    >>> rings.hold([7])
    >>> rows = np.zeros(3, ROW)
    >>> rows["symbol"], rows["time"], rows["close"] = 7, np.array([10, 15, 20]) * 10**9, [1.0, 2.0, 3.0]
    >>> rings.take(rows)
    >>> rings.of(7)["close"].tolist()
    [2.0, 3.0]
    """

    def __init__(self, seconds: int, length: int) -> None:
        self.length = length
        self._step = seconds * _SECOND
        self._newest = 0
        self._kept = np.zeros((0, length), BAR)
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._slot_of = np.zeros(0, np.int64)

    @staticmethod
    def none() -> Rows:
        """No bars."""
        return np.zeros(0, BAR)

    def hold(self, numbers: Iterable[int]) -> None:
        """Keep bars of symbols by these numbers from now on, and forget those of others."""
        wanted = set(numbers)
        for number in self._slots.keys() - wanted:
            slot = self._slots.pop(number)
            self._kept[slot] = np.zeros((), BAR)
            self._free.append(slot)
        for number in sorted(wanted - self._slots.keys()):
            if not self._free:
                self._grow(len(wanted))
            self._slots[number] = self._free.pop()
        self._slot_of = np.full(max(self._slots, default=-1) + 1, -1, np.int64)
        self._slot_of[list(self._slots)] = list(self._slots.values())

    def _grow(self, least: int) -> None:
        had = len(self._kept)
        count = max(least, had + 1)
        more = np.empty((count, self.length), BAR)
        more[had:] = np.zeros((), BAR)  # written now: pages that are touched later would look like a leak
        more[:had] = self._kept
        self._kept = more
        self._free += range(count - 1, had - 1, -1)

    def take(self, rows: Rows) -> None:
        """Take in bars, rows of `qtw_lab.live.rows.ROW` of this length; those older than what is kept are left out."""
        if not len(rows) or not len(self._slot_of):
            return
        self._newest = max(self._newest, int(rows["time"].max()))
        rows = rows[(rows["time"] > self._horizon) & (rows["symbol"] < len(self._slot_of))]
        slots = self._slot_of[rows["symbol"]]
        rows, slots = rows[slots >= 0], slots[slots >= 0]
        places = rows["time"] // self._step % self.length
        for name in BAR.names or ():  # of entries of one bar the last one wins
            self._kept[name][slots, places] = rows[name]

    @property
    def _horizon(self) -> int:
        return self._newest - self.length * self._step

    def of(self, number: int) -> Rows:
        """The bars of a symbol, oldest first; none if it is not held."""
        slot = self._slots.get(number)
        if slot is None:
            return self.none()
        found = self._kept[slot]
        found = found[found["time"] > max(0, self._horizon)]
        ordered: Rows = found[np.argsort(found["time"])]
        return ordered

    def last(self, numbers: Sequence[int]) -> Rows:
        """The newest bar of each of these symbols; one whose time is 0 where there is none."""
        slots = np.array([self._slots.get(number, -1) for number in numbers], np.int64)
        found = np.zeros(len(numbers), BAR)
        held = slots >= 0
        if held.any():
            times = self._kept["time"][slots[held]]
            times = np.where(times > self._horizon, times, 0)
            newest = times.argmax(axis=1)
            rows = self._kept[slots[held], newest]
            rows[times[np.arange(len(newest)), newest] == 0] = np.zeros((), BAR)
            found[held] = rows
        return found
