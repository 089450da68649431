"""Sides run in fresh processes: started, timed from outside, their results read back and compared."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cases import Case, Side
from rules import FloatArray, Results, Size, relative, standard_errors

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = ROOT / ".venv-bench" / "bin" / "python"


class Unusable(Exception):  # noqa: N818  (an answer, not a fault of the program)
    """A side that cannot be measured, and why."""


@dataclass
class Samples:
    """What was measured of one side, a value a process."""

    seconds: list[float] = field(default_factory=list)
    cold_seconds: list[float] = field(default_factory=list)
    #: Of all threads; on a busy machine it says more than the clock.
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    base_mb: list[float] = field(default_factory=list)

    def medians(self) -> dict[str, float]:
        """The median of each figure."""
        return {name: statistics.median(values) for name, values in vars(self).items() if values}

    def range(self) -> tuple[float, float]:
        """Fastest and slowest run."""
        return min(self.seconds), max(self.seconds)


def apart_from_people(folder: str) -> dict[str, str]:
    """An environment whose storage is this folder: what a benchmark tries must not count as anybody's trials."""
    return os.environ | {"QTW_STORAGE_DIR": folder}


def timed(command: Sequence[str]) -> tuple[float, str]:
    """Seconds from start to exit of a program, and what it printed; it has a new storage folder of its own.

    Raises
    ------
    Unusable
        If it failed; with its last line.
    """
    with tempfile.TemporaryDirectory() as storage:
        environment = apart_from_people(storage)
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE, env=environment)
        seconds = time.perf_counter() - began
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Unusable(lines[-1] if lines else f"ended with code {done.returncode}")
    return seconds, done.stdout


def once(side: Side, size: Size, inputs: Path, mode: str, into: Samples) -> Results:
    """Run one side once, note its figures and give back its results.

    Raises
    ------
    Unusable
        If it failed.
    """
    if side.peer and not PEERS.exists():
        raise Unusable("its environment could not be made (tools/bench_setup.sh)")
    python = str(PEERS) if side.peer else sys.executable
    output = inputs.with_name("output.npz")
    work = (side.module, side.function, size.dumps(), str(inputs), str(output), mode)
    whole, printed = timed([python, str(HERE / "measure.py"), *work])
    figures = json.loads(printed.splitlines()[-1])
    if mode == "cold":
        into.cold_seconds.append(whole)
    else:
        for name, value in figures.items():
            getattr(into, name).append(value)
    with np.load(output) as stored:
        return dict(stored)


@dataclass(frozen=True)
class Comparison:
    """How far the results of one side lie from those of the first."""

    side: str
    worst: dict[str, float]
    tolerance: float
    unit: str = ""

    @property
    def equal(self) -> bool:
        """Whether every figure agrees."""
        return bool(self.worst) and all(distance <= self.tolerance for distance in self.worst.values())

    def text(self) -> str:
        """One line for people."""
        far = ", ".join(f"{name} {distance:{'.1f' if self.unit else '.1e'}}" for name, distance in self.worst.items())
        bound = f"{self.tolerance:g} {self.unit}" if self.unit else f"{self.tolerance:.0e}"
        return f"{self.side}: {'equal' if self.equal else 'NOT equal'} ({far}; tolerance {bound})"


def compare(
    side: str,
    found: Results,
    reference: Results,
    tolerance: float,
    apart: Callable[[FloatArray, FloatArray, Size], FloatArray] = relative,
    size: Size | None = None,
) -> Comparison:
    """Largest distance of each shared figure, by `apart`; infinite where only one is defined."""
    worst = {}
    for name in [name for name in reference if name in found]:
        one, other = reference[name], found[name]
        if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
            worst[name] = float("inf")
            continue
        worst[name] = float(np.nanmax(apart(one, other, size or Size()), initial=0.0))
    return Comparison(side, worst, tolerance, "standard errors" if apart is standard_errors else "")


@dataclass
class Outcome:
    """A case after it was run."""

    case: Case
    size: Size
    samples: dict[str, Samples]
    comparisons: list[Comparison]
    absent: dict[str, str]
    #: Results of the first side.
    reference: Results = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether all results agree, so that ratios mean something."""
        return all(comparison.equal for comparison in self.comparisons)

    def medians(self) -> dict[str, Mapping[str, float]]:
        """Medians of every side that ran."""
        return {label: samples.medians() for label, samples in self.samples.items() if samples.seconds}


def run_case(
    case: Case, size: Size, repeats: int, folder: Path, extra: tuple[Side, ...], say: Callable[[str], None]
) -> Outcome:
    """Run every side of a case `repeats` times in turns, then once cold."""
    inputs = folder / "inputs.npz"
    timed([sys.executable, str(HERE / "inputs.py"), size.dumps(), str(inputs)])
    sides = [*case.sides, *extra]
    outcome = Outcome(case, size, {side.label: Samples() for side in sides}, [], {})
    for turn in range(repeats + 1):
        mode = "cold" if turn == repeats else "warm"
        for side in list(sides):
            if side.slow and turn:
                continue
            try:
                found = once(side, size, inputs, mode, outcome.samples[side.label])
            except Unusable as err:
                outcome.absent[side.label] = str(err)
                sides.remove(side)
                say(f"  {side.label}: not measured, {err}")
                continue
            if turn == 0 and side is case.sides[0]:
                outcome.reference = found
            elif turn == 0 and side.compared:
                outcome.comparisons.append(
                    compare(side.label, found, outcome.reference, case.tolerance, case.apart, size)
                )
    return outcome
