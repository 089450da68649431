"""How time and memory grow with combinations, bars and symbols: slopes of log-log fits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from cases import GROWTH, Side
from processes import Samples, once

SIDE = Side("qtw_lab", "ours", "sma_grid")


@dataclass(frozen=True)
class Slope:
    """The fit along one dimension: 1 is proportional, 0 is not at all."""

    dimension: str
    counts: list[int]
    seconds: list[float]
    peak_mb: list[float]
    time_slope: float
    memory_slope: float

    def asdict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def run(repeats: int, folder: Path, *, quick: bool) -> list[Slope]:
    """Measure the sizes of `GROWTH` and fit; a quick run takes the smaller ones."""
    slopes = []
    for dimension, (count, sizes) in GROWTH.items():
        chosen = sizes[:3] if quick else sizes
        samples = [Samples() for _ in chosen]
        for _ in range(repeats):
            for size, sample in zip(chosen, samples, strict=True):
                once(SIDE, size, folder / "unused.npz", "warm", sample)
        counts = [count(size) for size in chosen]
        # The fastest run, not the median: noise only ever adds, and a slope is fitted to few points.
        seconds = [min(sample.seconds) for sample in samples]
        peaks = [min(sample.peak_mb) for sample in samples]
        slopes.append(Slope(dimension, counts, seconds, peaks, _slope(counts, seconds), _slope(counts, peaks)))
    return slopes


def _slope(counts: list[int], values: list[float]) -> float:
    return float(np.polyfit(np.log(counts), np.log(values), 1)[0])
