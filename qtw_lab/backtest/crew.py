"""Threads that share one queue of blocks: the embedded way to run a sweep."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.plan import Block

if TYPE_CHECKING:
    from qtw_lab.backtest.blocks import Job

FloatArray = npt.NDArray[np.float64]
Evaluate = Callable[[Mapping[str, npt.NDArray[Any]]], FloatArray]
Deliver = Callable[[Block, FloatArray], None]
Tick = Callable[[], None]

#: Seconds between two calls of `tick`.
BEAT: Final = 0.1


def run(evaluate: Evaluate, blocks: Iterable[Block], deliver: Deliver, tick: Tick, workers: int) -> None:
    """Evaluate every block on some thread, and deliver what comes out.

    At most one block a thread is held at any time. After an error or an interrupt the threads finish the block they are
    at, and what they had is delivered.

    Parameters
    ----------
    evaluate : callable
        Gives the metrics, (K, accounts, M), of parameter columns (K,); called on several threads.
    blocks : iterable of Block
        Drawn from by one thread at a time.
    deliver : callable
        Called with each block and its metrics, by one thread at a time.
    tick : callable
        Called by the calling thread every tenth of a second, and once at the end.
    workers : int
        Threads.

    Raises
    ------
    Exception
        The first that `evaluate`, `deliver` or `tick` raises.
    """
    feed, drawing, delivering, stop = iter(blocks), threading.Lock(), threading.Lock(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            with drawing:
                block = next(feed, None)
            if block is None:
                return
            values = evaluate(block.columns)
            with delivering:
                deliver(block, values)

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="sweep") as pool:
        crew = {pool.submit(work) for _ in range(workers)}
        try:
            busy = crew
            while busy:
                ended, busy = wait(crew, timeout=BEAT, return_when=FIRST_EXCEPTION)
                if any(one.exception() for one in ended):
                    break
                tick()
        finally:
            stop.set()
    for one in crew:
        one.result()


def in_pieces(job: Job, columns: Mapping[str, npt.NDArray[Any]], size: int) -> FloatArray:
    """Metrics (K, accounts, M) of any number K of parameter columns, evaluated `size` at a time on this thread."""
    length = len(next(iter(columns.values())))
    cuts = [slice(start, start + size) for start in range(0, length, size)]
    return np.concatenate([job.evaluate({name: column[cut] for name, column in columns.items()}) for cut in cuts])
