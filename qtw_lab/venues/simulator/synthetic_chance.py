"""Chance by counting: every number is a hash of what it is for, so that any of them can be had again alone."""

from __future__ import annotations

from math import cos, exp, log, pi, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.compiled import compiled

#: Odd constants of SplitMix64 (Steele, Lea & Flood, 2014, "Fast Splittable Pseudorandom Number Generators").
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_30: Final = np.uint64(30)
_27: Final = np.uint64(27)
_31: Final = np.uint64(31)
_11: Final = np.uint64(11)
_16: Final = np.uint64(16)
_32: Final = np.uint64(32)
_48: Final = np.uint64(48)
_LOW: Final = np.uint64(0xFFFF)
_UNIT: Final = 1.0 / 9007199254740992.0  # 2 to the power of -53

#: Above this mean a Poisson number is a rounded normal one.
_MANY: Final = 40.0


@compiled
def mixed(state: np.uint64) -> np.uint64:
    """The next 64 bits of SplitMix64 whose state was that."""
    z = state + _STEP
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@compiled
def keyed(seed: np.uint64, stream: int, first: int, second: int) -> np.uint64:
    """64 bits for a purpose (`stream`) and two counters, such as a symbol and a second.

    Examples
    --------
    >>> keyed(np.uint64(1), 2, 3, 4) == keyed(np.uint64(1), 2, 3, 4), keyed(np.uint64(1), 2, 3, 4) == 0
    (True, False)
    """
    state = mixed(seed ^ (np.uint64(stream) * _SECOND))
    state = mixed(state ^ (np.uint64(first) * _FIRST))
    return mixed(state ^ np.uint64(second))


@compiled
def uniform(bits: np.uint64) -> float:
    """A number at least 0 and below 1 of the upper 53 bits."""
    return float(bits >> _11) * _UNIT


@compiled
def normal(bits: np.uint64) -> float:
    """A standard normal number (Box & Muller, 1958, Annals of Mathematical Statistics 29)."""
    radius = sqrt(-2.0 * log(1.0 - uniform(bits)))
    return radius * cos(2.0 * pi * uniform(mixed(bits)))


@compiled
def rough_normal(bits: np.uint64) -> float:
    """Nearly a standard normal number, between -3.46 and 3.46: the scaled sum of four uniform ones of 16 bits each."""
    total = (bits & _LOW) + ((bits >> _16) & _LOW) + ((bits >> _32) & _LOW) + (bits >> _48)
    return (float(total) / 65536.0 - 2.0 + 4.0 / 131072.0) * 1.7320508075688772


@compiled
def poisson(mean: float, bits: np.uint64) -> int:
    """A Poisson number by inversion; above a mean of 40 the nearest whole number of a normal one."""
    if mean > _MANY:
        return max(0, int(mean + sqrt(mean) * rough_normal(bits) + 0.5))
    left = uniform(bits)
    if left < 1.0 - mean:
        return 0
    chance = exp(-mean)
    count = 0
    while left > chance and count < 200:
        left -= chance
        count += 1
        chance *= mean / count
    return count


@compiled
def normals(seed: np.uint64, stream: int, rows: int, columns: int, out: npt.NDArray[np.float64]) -> None:
    """Fill `out`, shape (rows, columns), with standard normal numbers, each by seed, stream and its place."""
    for i in range(rows):
        for j in range(columns):
            out[i, j] = normal(keyed(seed, stream, i, j))


def normal_table(seed: int, stream: int, rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Standard normal numbers, shape (rows, columns).

    Examples
    --------
    >>> table = normal_table(seed=1, stream=2, rows=100, columns=100)
    >>> bool(abs(table.mean()) < 0.03), bool(abs(table.std() - 1) < 0.03)
    (True, True)
    """
    out = np.empty((rows, columns))
    normals(np.uint64(seed), stream, rows, columns, out)
    return out


def uniform_table(seed: int, stream: int, rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Uniform numbers above 0 and below 1, shape (rows, columns): the normal distribution's values of other normals."""
    out = np.empty((rows, columns))
    _uniforms(np.uint64(seed), stream, rows, columns, out)
    return out


@compiled
def _uniforms(seed: np.uint64, stream: int, rows: int, columns: int, out: npt.NDArray[np.float64]) -> None:
    for i in range(rows):
        for j in range(columns):
            out[i, j] = uniform(keyed(seed, stream, i, j)) + 0.5 * _UNIT
