"""Repeated sweeps and backtests in one process, to see that memory does not grow: ``python soak.py [--minutes 5]``."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import ours
from rules import Size

#: Share of the time that is warm-up: caches fill, threads start, the allocator settles.
WARMUP = 0.3
#: What the memory of an hour may grow by, in MB; with it, the least growth over the samples that counts at all.
MB_PER_HOUR = 60.0
NOISE_MB = 4.0


def resident_mb() -> float:
    """Memory this process holds now, in MB (10^6 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the kernel does not say how much memory this process holds")


@dataclass(frozen=True)
class Growth:
    """How memory moved after the warm-up."""

    slope_per_hour: float
    rise: float
    samples: int

    @property
    def held(self) -> bool:
        """Whether memory stayed: the fitted rise is within noise, or slower than the bound."""
        return self.rise <= NOISE_MB or self.slope_per_hour <= MB_PER_HOUR


def fitted(seconds: list[float], memory: list[float]) -> Growth:
    """A straight line through the medians of ten stretches of what followed the warm-up.

    Medians, because a sample may fall inside a sweep that holds its blocks.
    """
    times, held = np.array(seconds), np.array(memory)
    later = times >= times[0] + WARMUP * (times[-1] - times[0])
    times, held = times[later], held[later]
    stretches = [part for part in np.array_split(np.arange(len(times)), 10) if len(part)]
    x = np.array([np.median(times[part]) for part in stretches])
    y = np.array([np.median(held[part]) for part in stretches])
    slope = float(np.polyfit(x, y, 1)[0]) if len(x) > 1 else 0.0
    return Growth(slope * 3600, slope * float(x[-1] - x[0]), len(times))


def main() -> int:
    """Work, sample, fit; 1 if memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as storage:
        os.environ["QTW_STORAGE_DIR"] = storage  # what is tried here must not count as anybody's trials
        return soaked(minutes)


def soaked(minutes: float) -> int:
    """Work for so long; 1 if memory grew."""
    small, book = Size(windows=31), Size(market="synthetic", bars=1000, symbols=30, count=5)
    prepare = (ours.sma_grid, ours.plain_grid, ours.stops_grid, ours.next_open_singly)
    works = [function(small if function is not ours.next_open_singly else Size(windows=6)) for function in prepare]
    works.append(ours.portfolio(book))
    seconds: list[float] = []
    memory: list[float] = []
    rounds, began = 0, time.perf_counter()
    while (now := time.perf_counter() - began) < minutes * 60 or rounds < 20:
        for work in works:
            work()
        gc.collect()
        seconds.append(now)
        memory.append(resident_mb())
        rounds += 1
    growth = fitted(seconds, memory)
    print(
        f"soak: {rounds:,} rounds of {len(works)} kinds of work in {seconds[-1] / 60:.1f} minutes; "
        f"{memory[0]:,.1f} MB first, {memory[-1]:,.1f} MB last, {max(memory):,.1f} MB most\n"
        f"after the warm-up: {growth.rise:+.2f} MB fitted over {growth.samples:,} samples, "
        f"{growth.slope_per_hour:+.1f} MB an hour (bound {MB_PER_HOUR:g} MB an hour once above {NOISE_MB:g} MB)"
    )
    print("memory held" if growth.held else "memory GREW")
    return 0 if growth.held else 1


if __name__ == "__main__":
    sys.exit(main())
