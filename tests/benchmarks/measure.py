"""One side of one case in a process of its own: run as a script by `run.py`, which reads the line of JSON it prints."""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rules import Results, Size


def peak_mb() -> float:
    """Most memory this process has held, in MB (10^6 bytes).

    Linux counts from the start of this very program; elsewhere `getrusage` is what there is.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return float(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _work(module: str, function: str, size: Size, inputs: Results) -> Callable[[], Results]:
    prepare = getattr(importlib.import_module(module), function)
    work: Callable[[], Results] = prepare(size) if module == "ours" else prepare(size, _cut(inputs, size))
    return work


def _cut(inputs: Results, size: Size) -> Results:
    """The first bars and symbols, for a warm-up."""
    return {
        name: array[: size.bars, : size.symbols] if array.ndim == 2 else array[: size.bars] if array.ndim else array
        for name, array in inputs.items()
    }


def main(module: str, function: str, size_text: str, inputs_file: str, output_file: str, mode: str) -> None:
    """Time one piece of work: `warm` after a tiny one of the same kind, `cold` as the first thing the process does."""
    size = Size.loads(size_text)
    inputs: Results = {}
    if module != "ours":
        with np.load(inputs_file) as stored:
            inputs = dict(stored)
    if mode == "warm":
        _work(module, function, size.tiny(), inputs)()
    work = _work(module, function, size, inputs)
    gc.collect()
    base = peak_mb()
    began, worked = time.perf_counter(), time.process_time()
    results = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    peak = peak_mb()
    np.savez(output_file, allow_pickle=False, **results)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak, "base_mb": base}))


if __name__ == "__main__":
    main(*sys.argv[1:])
