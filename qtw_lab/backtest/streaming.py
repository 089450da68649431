"""Runs a plan: blocks go out to threads or a cluster, metrics come in, and nothing else is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest import checkpoints, crew, harvest
from qtw_lab.backtest.checkpoints import Checkpoint, Part, Span
from qtw_lab.backtest.engine import alone, case_of, check_bars
from qtw_lab.backtest.plan import Block, Plan
from qtw_lab.backtest.progress import Progress, ProgressBar
from qtw_lab.backtest.spotcheck import Sampling
from qtw_lab.backtest.swept import Sweep
from qtw_lab.core import Bars, DataError

if TYPE_CHECKING:
    from qtw_lab.backtest.blocks import Job
    from qtw_lab.backtest.terms import Terms

FloatArray = npt.NDArray[np.float64]

#: Combinations of a block that are evaluated one by one: an interrupt need not wait for many.
SINGLES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How a sweep is run, whatever it sweeps.

    Parameters
    ----------
    keep : Keep
        Which rows are kept.
    memory_limit : int
        Most memory to use beyond the bars, in bytes.
    workers : int
        Threads.
    progress : callable, True or None
        Called with (rows done, rows in all); True for a bar on standard error.
    resume : path or None
        Folder of the checkpoint.
    client : dask client, address or None
        The cluster that runs the blocks; None for threads here.
    sampling : Sampling
        Which rows the reference engine runs again.
    """

    keep: harvest.Keep
    memory_limit: int
    workers: int = 2
    progress: Progress | bool | None = None
    resume: str | Path | None = None
    client: Any = None
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        if not isinstance(self.workers, (int, np.integer)) or isinstance(self.workers, bool) or self.workers < 1:
            raise DataError(f"workers={self.workers!r} must be a whole number of threads, 1 or more.")
        if not (self.progress is None or isinstance(self.progress, bool) or callable(self.progress)):
            raise DataError(
                f"progress={self.progress!r} must be True, None, or a function of (rows done, rows in all)."
            )
        if not (self.resume is None or isinstance(self.resume, (str, Path))):
            raise DataError(f"resume={self.resume!r} must be the path of a folder.")


def stream(plan: Plan, bars: Bars, terms: Terms, how: Running, remarks: tuple[str, ...] = ()) -> Sweep:
    """Evaluate a plan and keep what `how` says.

    Raises
    ------
    DataError
        If the bars are too short or lack what the terms need, the memory limit is too small, or the checkpoint is of
        another sweep; before any simulation.
    """
    stage = Stage.of(plan, bars, terms, how)
    record = Record(how.keep, len(plan), len(stage.job.worlds), _checkpoint(plan, bars, terms, how))
    before = record.done
    with shown(how.progress, f"sweep {plan.strategy.name}", before) as show:
        _run(stage, plan, record, how, lambda: show(record.done, record.rows))
    resumed = (f"{before:,} rows come from the checkpoint {how.resume}",) if before else ()
    return stage.sweep(
        plan, how, record.done, record.rows, record.found(), (*remarks, *resumed, *record.remarks), record.spans
    )


@dataclass(frozen=True, eq=False)
class Stage:
    """What is needed to evaluate combinations, checked and in place.

    Parameters
    ----------
    bars, terms
        Of the sweep.
    job : Job
        Evaluates parameter columns.
    columned : bool
        Whether the strategy takes them together.
    size : int
        How many it is given at a time.
    """

    bars: Bars
    terms: Terms
    job: Job
    columned: bool
    size: int

    @classmethod
    def of(cls, plan: Plan, bars: Bars, terms: Terms, how: Running) -> Stage:
        """The stage for a plan, or for any that is no larger and has no longer warm-up.

        Raises
        ------
        DataError
            As `stream`.
        """
        from qtw_lab.backtest.blocks import Job, World

        strategy = plan.strategy
        each = alone(bars) if strategy.scope == "symbol" else [bars]
        for one in each:
            check_bars(plan.longest, one)
        case_of(plan.longest, each[0], terms)  # refuses terms that contradict each other, or the strategy's answer
        worlds = tuple(World.of(one, terms) for one in each)
        job = Job(strategy, worlds, terms, plan.names, how.keep.metrics)
        size, spare = _block_size(plan, job, bars, how)
        job = replace(job, indicator_bytes=min(spare, job.indicator_bytes))
        first = next(plan.blocks(size)).columns
        columned = job.takes_columns(first)
        if columned and how.client is None:
            job.prepare(first)
        return cls(bars, terms, job, columned, size if columned else min(size, SINGLES))

    def sweep(
        self,
        plan: Plan,
        how: Running,
        done: int,
        rows: int,
        found: tuple[npt.NDArray[np.int64], FloatArray],
        remarks: tuple[str, ...],
        spans: tuple[Span, ...] | None = None,
    ) -> Sweep:
        """The outcome: of `rows` in all, `done` were evaluated (those of `spans`; None for all) and these kept."""
        strategy, keep = plan.strategy, how.keep
        symbols = self.bars.symbols if strategy.scope == "symbol" else None
        return Sweep(
            table=harvest.table(plan, symbols, keep.metrics, *found), strategy=strategy, bars=self.bars,
            terms=self.terms, evaluated="columns" if self.columned else "one by one", names=plan.names, trials=done,
            planned=rows, by=keep.by, top=keep.top, sampling=how.sampling, remarks=remarks,
            plan=plan, spans=spans,
        )  # fmt: skip


class Record:
    """What has come in so far, here and in the checkpoint; safe to fill from several threads.

    Parameters
    ----------
    keep : Keep
        Which rows are kept.
    combinations, accounts : int
        Their product is the number of rows.
    checkpoint : Checkpoint, optional
        Whose rows are taken over, and where new ones are saved.
    """

    def __init__(self, keep: harvest.Keep, combinations: int, accounts: int, checkpoint: Checkpoint | None) -> None:
        self.rows, self._accounts, self._keep, self._checkpoint = combinations * accounts, accounts, keep, checkpoint
        self._whole, self._part, self._spans = keep.whole(self.rows), keep.part(), list[Span]()
        self._lock, self._saved = Lock(), time.monotonic()
        self.todo: list[Span] = [(0, combinations)]
        for part in () if checkpoint is None else checkpoint.parts():
            self._take_over(part)
        self.done = self.rows - accounts * sum(stop - start for start, stop in self.todo)
        self._evaluated = checkpoints.missing(self.todo, combinations)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of the checkpoint."""
        count = len(self._checkpoint.damaged) if self._checkpoint is not None else 0
        return (f"{count} damaged part{'s' * (count > 1)} of the checkpoint had to be redone",) if count else ()

    def add(self, block: Block, values: FloatArray) -> None:
        """Take the metrics (K, accounts, M) of a block."""
        numbers = np.arange(block.start * self._accounts, block.stop * self._accounts)
        rows = values.reshape(len(numbers), -1)
        with self._lock:
            self._whole.add(numbers, rows)
            self._evaluated.append((block.start, block.stop))
            if self._checkpoint is not None:
                self._part.add(numbers, rows)
                self._spans.append((block.start, block.stop))
            self.done += len(numbers)

    def save(self, *, now: bool) -> None:
        """Write what has come in since the last time to the checkpoint, if it is time or has to be `now`."""
        due = now or time.monotonic() - self._saved >= checkpoints.SECONDS_A_PART
        if self._checkpoint is None or not due:
            return
        with self._lock:
            part, spans = self._part, _joined(self._spans)
            self._part, self._spans = self._keep.part(), []
        if spans:
            self._checkpoint.save(Part(tuple(spans), *part.found()))
        self._saved = time.monotonic()

    @property
    def spans(self) -> tuple[Span, ...]:
        """Which combinations were evaluated, kept or not."""
        with self._lock:
            return tuple(_joined(self._evaluated))

    def found(self) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """The kept rows in the table's order."""
        with self._lock:
            return self._whole.found()

    def _take_over(self, part: Part) -> None:
        """Take a part of the checkpoint, except what another part had already: two runs may have shared the folder."""
        places = part.numbers // self._accounts
        if not self.todo:
            return
        starts, stops = np.array(self.todo).T
        span = np.searchsorted(starts, places, side="right") - 1
        fresh = (span >= 0) & (places < stops[span])
        self._whole.add(part.numbers[fresh], part.values[fresh])
        self.todo = [piece for gap in self.todo for piece in _without(gap, part.spans)]


def _without(span: Span, spans: tuple[Span, ...]) -> list[Span]:
    """What is left of a span."""
    start, stop = span
    inside = [(max(low, start) - start, min(high, stop) - start) for low, high in spans if low < stop and high > start]
    return [(low + start, high + start) for low, high in checkpoints.missing(inside, stop - start)]


def _joined(spans: list[Span]) -> list[Span]:
    """The same spans, touching ones made one."""
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _run(stage: Stage, plan: Plan, record: Record, how: Running, show: Callable[[], None]) -> None:
    """Evaluate what is to do; on an interrupt, what has come in is kept, unless that is nothing."""

    def tick() -> None:
        record.save(now=False)
        show()

    try:
        if how.client is None:
            blocks = plan.blocks(stage.size, record.todo)
            crew.run(stage.job.evaluate, blocks, record.add, tick, how.workers)
        else:
            from qtw_lab.backtest import cluster

            cluster.run(how.client, stage.job, plan, record.todo, stage.size, record.add, tick)
    except KeyboardInterrupt:
        if not record.done:
            raise
    finally:
        record.save(now=True)


def _checkpoint(plan: Plan, bars: Bars, terms: Terms, how: Running) -> Checkpoint | None:
    if how.resume is None:
        return None
    kept = "all" if how.keep.top is None else f"best {how.keep.top} by {how.keep.by}"
    return Checkpoint(Path(how.resume), checkpoints.identity(plan.strategy, bars, terms, plan, how.keep.metrics, kept))


@contextmanager
def shown(progress: Progress | bool | None, label: str, before: int) -> Iterator[Progress]:
    """What to call with (rows done, rows in all)."""
    if progress is True:
        bar = ProgressBar(label, before)
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield progress if callable(progress) else _silent


def _silent(done: int, total: int) -> None:
    """Show nothing."""


def _block_size(plan: Plan, job: Job, bars: Bars, how: Running) -> tuple[int, int]:
    """How many combinations a block may have, the best for the job or what fits, and how many bytes are left.

    Raises
    ------
    DataError
        If not even blocks of one fit the memory limit; with the number needed.
    """
    rows = len(plan) * len(job.worlds)
    held = how.keep.row_bytes(rows, len(plan.names) + 1)
    cells = len(bars) * (1 if plan.strategy.scope == "symbol" else len(bars.symbols))
    one = how.workers * job.arrays * cells * 8
    fitting = (how.memory_limit - held) // one
    if fitting >= 1:
        size = min(job.block, fitting)
        return size, how.memory_limit - held - one * size
    needed = math.ceil((held + one) / 1e6)
    remedy = "coarsen the grid" if how.keep.top is not None else "keep only the best rows with top="
    raise DataError(
        f"This sweep needs about {needed:,} MB ({rows:,} rows, {len(bars):,} bars), more than the "
        f"memory_limit of {how.memory_limit / 1e6:,.6g} MB. Raise it to at least '{needed}MB', or {remedy}."
    )
