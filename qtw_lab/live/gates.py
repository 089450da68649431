"""What holds a stance back: the age of what was heard, the spread, and how a stance goes through a gate."""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from qtw_lab.live.rows import Flag
from qtw_lab.strategies.base import FloatArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_SECOND: Final = 10**9

#: What can hold a stance back, by code. The first five bar every change. "spread" and "volume" bar only what opens or
#: enlarges a position: a stance that should end does, however wide the spread is.
GATES: Final = (None, "closed", "halted", "hole", "warm-up", "stale", "spread", "volume")
_SOFT: Final = GATES.index("spread")


class Window(Protocol):
    """The last bars of one length: prices and `flags` (T, N), `times` (T,) of their starts, `numbers` (N,)."""

    @property
    def open(self) -> FloatArray: ...  # noqa: D102  (here and below the class says what it is)
    @property
    def high(self) -> FloatArray: ...  # noqa: D102
    @property
    def low(self) -> FloatArray: ...  # noqa: D102
    @property
    def close(self) -> FloatArray: ...  # noqa: D102
    @property
    def volume(self) -> FloatArray: ...  # noqa: D102
    @property
    def times(self) -> IntArray: ...  # noqa: D102
    @property
    def flags(self) -> npt.NDArray[Any]: ...  # noqa: D102
    @property
    def numbers(self) -> npt.NDArray[Any]: ...  # noqa: D102


def ages(window: Window, heard: IntArray | None, now: int, seconds: int) -> FloatArray:
    """Seconds since each symbol was last heard of, infinite if never."""
    if heard is not None:
        return np.where(heard < 0, np.inf, (now - heard) / _SECOND)
    ages = np.full(len(window.numbers), (now - int(window.times[-1])) / _SECOND - seconds)
    quiet = np.flatnonzero(np.isnan(window.close[-1]) | ((window.flags[-1] & Flag.EMPTY) != 0))
    traded = ~np.isnan(window.close[:, quiet]) & ((window.flags[:, quiet] & Flag.EMPTY) == 0)
    last = len(traded) - 1 - traded[::-1].argmax(axis=0)
    ages[quiet] = np.where(traded.any(axis=0), (now - window.times[last]) / _SECOND - seconds, np.inf)
    return ages


def wide(bid: FloatArray | None, ask: FloatArray | None, most: float, width: int) -> BoolArray:
    """Whether each quote is wider than so many basis points of its midpoint, crossed or not known."""
    if bid is None or ask is None:
        return np.zeros(width, dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (ask - bid) / (0.5 * (ask + bid)) * 1e4
    return np.asarray(~((bid > 0) & (spread >= 0) & (spread <= most)))


def gated(before: FloatArray, target: FloatArray, gate: IntArray) -> FloatArray:
    """The stance after the gates: as before, as wanted, or flat where a reversal may end but not open."""
    opening = (np.abs(target) > np.abs(before)) | (target * before < 0)
    kept = np.where(target * before < 0, 0.0, before)
    soft = np.where(opening, kept, target)
    return np.where(gate == 0, target, np.where(gate >= _SOFT, soft, before))
