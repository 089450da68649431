"""How fast the ledger of trials counts: ``python counting.py FOLDER PLAN`` measures once and prints JSON."""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from processes import HERE, timed
from rules import Size

#: Seconds that a writer waits for the others to start.
_PATIENCE = 300.0


@dataclass(frozen=True)
class Plan:
    """How much is counted.

    Parameters
    ----------
    single : int
        Trials that one process adds, each by itself.
    writers, each : int
        Processes that add at the same time, and how many trials each of them adds by itself.
    windows : tuple of int
        Grids of two averages up to these windows that are entered, the small one first.
    """

    single: int = 1000
    writers: int = 8
    each: int = 1000
    windows: tuple[int, int] = (101, 1001)


FULL, QUICK = Plan(), Plan(single=50, writers=2, each=25, windows=(11, 31))


@dataclass(frozen=True)
class Pace:
    """One line of the figures.

    Parameters
    ----------
    name : str
        What was done.
    seconds : float
        How long all of it took.
    items : int
        How many trials were entered, counted or asked about.
    """

    name: str
    seconds: float
    items: int

    @property
    def rate(self) -> float:
        """Trials a second."""
        return self.items / self.seconds


@contextmanager
def _clock(into: list[Pace], name: str, items: int) -> Iterator[None]:
    began = time.perf_counter()
    yield
    into.append(Pace(name, time.perf_counter() - began, items))


def _expected(ledger: Any, fingerprint: str, wanted: int) -> None:
    """Nothing may be lost or counted twice, or a speed means nothing."""
    found = ledger.count(fingerprint)
    if found != wanted:
        raise RuntimeError(f"the ledger counts {found:,} trials where {wanted:,} were entered")


def _trials(fingerprint: str, writer: int, count: int) -> list[Any]:
    """Trials as a backtest makes them: parameters, terms, a ratio, a summary and a sketch."""
    from qtw_lab.backtest.trials import Trial, sketch

    drawn = sketch(np.random.default_rng(writer).standard_normal(2520))
    terms = {"execution": "next_open", "cash": 100_000.0, "costs": {"commission_bps": 10.0}}
    shared = {"slow": writer, "terms": terms}
    summary = {"orders": 9.0, "total_return": 0.1, "max_drawdown": -0.2}
    return [
        Trial(fingerprint, "sma_cross", {"fast": n, **shared}, 0.5, "backtest", summary, drawn) for n in range(count)
    ]


_gate: Any = None


def _enter(gate: Any) -> None:
    global _gate  # noqa: PLW0603  (a gate can only be handed to a process when it starts)
    _gate = gate


def _write(path: Path, writer: int, count: int) -> tuple[float, float]:
    """Add trials one by one once every writer is there: when it began and ended, by the clock all processes share."""
    from qtw_lab.backtest.trial_ledger import TrialLedger

    ledger, trials = TrialLedger(path), _trials("f" * 64, writer, count)
    _gate.wait(_PATIENCE)
    began = time.monotonic()
    for trial in trials:
        ledger.add([trial])
    return began, time.monotonic()


def _singly(folder: Path, plan: Plan) -> list[Pace]:
    """Single adds by one process and by several, and a count of them."""
    from qtw_lab.backtest.trial_ledger import TrialLedger

    found: list[Pace] = []
    alone, trials = TrialLedger(folder / "alone.sqlite"), _trials("f" * 64, 0, plan.single)
    alone.count("f" * 64)  # the file is made before
    with _clock(found, "adds one by one, one process", plan.single):
        for trial in trials:
            alone.add([trial])
    _expected(alone, "f" * 64, plan.single)

    together, total = TrialLedger(folder / "together.sqlite"), plan.writers * plan.each
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(plan.writers)
    with ProcessPoolExecutor(plan.writers, context, initializer=_enter, initargs=(gate,)) as pool:
        works = [pool.submit(_write, together.path, writer, plan.each) for writer in range(plan.writers)]
        spans = [work.result() for work in works]
    seconds = max(end for _, end in spans) - min(began for began, _ in spans)
    found.append(Pace(f"adds one by one, {plan.writers} processes at once", seconds, total))
    with _clock(found, "count of single adds", total):
        _expected(together, "f" * 64, total)
    return found


def _sweeps(folder: Path, plan: Plan) -> list[Pace]:
    """Finished sweeps entered into one ledger, again, counted, and what a single add takes beside them."""
    import ours

    from qtw_lab.backtest.counting import counted_sweep
    from qtw_lab.backtest.trial_ledger import TrialLedger

    ledger = TrialLedger(folder / "sweeps.sqlite")
    found: list[Pace] = []
    fingerprint = ""
    for windows in plan.windows:
        size = Size(windows=windows)
        swept = ours.sweeping("sma_cross", size, ours.uncounted_sweep)()
        rows, fingerprint = len(swept.table), swept.bars.fingerprint
        ledger.count(fingerprint)
        with _clock(found, "a sweep, new to the ledger", rows):
            counted_sweep(swept, ledger)
        with _clock(found, "the same sweep again", rows):
            counted_sweep(swept, ledger)
        with _clock(found, "count of it", rows):  # the large grid holds the small one
            _expected(ledger, fingerprint, rows)
    few = _trials(fingerprint, 0, 10)
    with _clock(found, f"adds one by one beside {rows:,} swept", len(few)):
        for trial in few:
            ledger.add([trial])
    _expected(ledger, fingerprint, rows + len(few))
    return found


def run(repeats: int, folder: Path, *, quick: bool, say: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """Every pace as a median of so many processes, each with new ledgers.

    Raises
    ------
    Unusable
        If a count was wrong, or it could not be measured.
    """
    plan = QUICK if quick else FULL
    runs = []
    for turn in range(repeats):
        place = folder / f"ledgers{turn}"
        place.mkdir()
        _, printed = timed([sys.executable, str(HERE / "counting.py"), str(place), json.dumps(asdict(plan))])
        runs.append(json.loads(printed.splitlines()[-1]))
        say(f"  ledger: run {turn + 1} of {repeats} done")
    return [median(list(lines)) for lines in zip(*runs, strict=True)]


def median(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The same line of several runs as one, with its fastest and slowest."""
    seconds = [line["seconds"] for line in lines]
    pace = Pace(lines[0]["name"], statistics.median(seconds), lines[0]["items"])
    return asdict(pace) | {"rate": pace.rate, "fastest": min(seconds), "slowest": max(seconds)}


def main(folder: str, plan: str) -> None:
    """Measure once."""
    place, wanted = Path(folder), Plan(**json.loads(plan))
    print(json.dumps([asdict(pace) for pace in (*_singly(place, wanted), *_sweeps(place, wanted))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
