"""The seam to Dask: the blocks of a sweep on the workers of a cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest import crew
from qtw_lab.backtest.plan import Block, Plan
from qtw_lab.core import DataError, SetupError
from qtw_lab.core.extras import need

if TYPE_CHECKING:
    from qtw_lab.backtest.blocks import Job

FloatArray = npt.NDArray[np.float64]

#: Tasks on the cluster at once, for each of its threads: enough that none waits for this process.
_AHEAD: Final = 4
#: Most combinations of one task: what a lost worker costs.
_TASK: Final = 2_048
#: How many tasks each thread should have to share, so that all end together.
_SHARES: Final = 8
#: How often one task, or the data it needs, may be lost before the sweep gives up.
_LIVES: Final = 5
#: How Dask calls what was lost with a worker, and not by a fault of ours.
_LOSSES: Final = ("KilledWorker", "FutureCancelledError", "CancelledError")
#: Seconds to wait for a scheduler or a worker, and between two looks at the tasks.
_PATIENCE: Final = 20.0
_BEAT: Final = 0.1


@dataclass
class _Task:
    """A block that is out on the cluster, and how often it was lost."""

    block: Block
    lost: int = 0


def run(
    client: Any,
    job: Job,
    plan: Plan,
    spans: Iterable[tuple[int, int]],
    size: int,
    deliver: Callable[[Block, FloatArray], None],
    tick: Callable[[], None],
) -> None:
    """Evaluate the combinations of `spans` on a cluster, and deliver what comes back.

    The job, with all prices, is sent to every worker once. If a worker dies, what it was doing is done by another.

    Parameters
    ----------
    client : dask.distributed.Client or str
        The cluster, or its scheduler's address, such as "tcp://127.0.0.1:8786".
    job : Job
        What evaluates parameter columns.
    plan : Plan
        The combinations.
    spans : iterable of (int, int)
        Which of them.
    size : int
        Combinations evaluated together.
    deliver : callable
        Called with each block and its metrics, (K, accounts, M).
    tick : callable
        Called about every tenth of a second, and once at the end.

    Raises
    ------
    SetupError
        If Dask is not installed, or no scheduler or worker answers.
    DataError
        If `client` is neither a client nor an address.
    """
    need("distributed", "dask")
    with joined(client) as cluster:
        threads = sum(cluster.nthreads().values())
        if not threads:
            raise SetupError("The Dask cluster has no workers. Start some, such as with LocalCluster(n_workers=2).")
        share = -(-len(plan) // (threads * _SHARES * size)) * size
        blocks = plan.blocks(max(size, min(share, _TASK // size * size)), spans)
        with cluster.as_current():
            _Out(cluster, job, size).work(blocks, _AHEAD * threads, deliver, tick)


class _Out:
    """The tasks that are out on the cluster."""

    def __init__(self, client: Any, job: Job, size: int) -> None:
        self._client, self._job, self._size = client, job, size
        self._tasks: dict[Any, _Task] = {}
        self._sent: Any = None

    def work(
        self,
        blocks: Iterator[Block],
        ahead: int,
        deliver: Callable[[Block, FloatArray], None],
        tick: Callable[[], None],
    ) -> None:
        """Keep `ahead` tasks out until the blocks are used up and all are back."""
        distributed = need("distributed", "dask")
        self._sent = self._scattered()
        try:
            while True:
                for block in itertools.islice(blocks, ahead - len(self._tasks)):
                    self._send(_Task(block))
                if not self._tasks:
                    return
                for future in self._back(distributed):
                    self._take(future, deliver)
                tick()
        finally:
            if self._tasks:
                self._client.cancel(list(self._tasks))
            self._sent = None

    def _send(self, task: _Task) -> None:
        future = self._client.submit(crew.in_pieces, self._sent, task.block.columns, self._size, pure=False)
        self._tasks[future] = task

    def _back(self, distributed: Any) -> list[Any]:
        """The tasks that have ended, waiting a moment for one."""
        try:
            return list(distributed.wait(list(self._tasks), timeout=_BEAT, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []
        except CancelledError:  # some lost what they need; each says so in its status
            return [future for future in self._tasks if future.done()]

    def _take(self, future: Any, deliver: Callable[[Block, FloatArray], None]) -> None:
        """Deliver what a task gave; if it was lost with its worker, send it again."""
        task = self._tasks.pop(future)
        try:
            values = future.result()
        except Exception as fault:  # whatever the work raised there, raised again here
            if type(fault).__name__ not in _LOSSES:
                raise
        else:
            deliver(task.block, values)
            return
        task.lost += 1
        if task.lost >= _LIVES:
            raise SetupError(
                f"Workers of the Dask cluster died {task.lost} times over the same combinations, most likely for want "
                "of memory. Give them more, or sweep without client=."
            )
        if self._sent.status != "finished":  # the last worker that held the data is gone
            self._sent = self._scattered()
        self._send(task)

    def _scattered(self) -> Any:
        """The job, sent to every worker; tried again if one dies meanwhile."""
        for life in range(_LIVES):
            try:
                return self._client.scatter(self._job, broadcast=True, hash=False, timeout=_PATIENCE)
            except OSError as err:
                if isinstance(err, TimeoutError) or life == _LIVES - 1:
                    raise SetupError(f"The Dask cluster takes no data: {err}. Are its workers running?") from err
        raise AssertionError  # the last life returns or raises


@contextmanager
def joined(client: Any) -> Iterator[Any]:
    """The client, or one for an address that is closed afterwards.

    Parameters
    ----------
    client : dask.distributed.Client or str
        As `run`.

    Raises
    ------
    SetupError
        If Dask is not installed, or no scheduler answers.
    DataError
        If `client` is neither a client nor an address.
    """
    distributed = need("distributed", "dask")
    if isinstance(client, str):
        try:
            made = distributed.Client(client, timeout=_PATIENCE, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as err:
            raise SetupError(
                f"No Dask scheduler answers at {client!r}: {err}. Start one, or leave client= out."
            ) from err
        with made:
            yield made
        return
    if not isinstance(client, distributed.Client) or client.asynchronous:
        raise DataError(
            f"client={client!r:.80} must be a (synchronous) dask.distributed.Client or a scheduler's address, such as "
            "'tcp://127.0.0.1:8786'."
        )
    yield client


def still_wanted() -> bool:
    """Whether anybody still waits for the task that this thread of a worker executes.

    A task whose client is gone or has cancelled it is let go by the scheduler; a thread cannot be stopped and has to
    ask.
    """
    worker = need("distributed", "dask").get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state in ("executing", "long-running")
