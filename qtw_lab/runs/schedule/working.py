"""The process that executes one attempt: it says that it lives, runs the notebook, and ends the attempt itself."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from qtw_lab.core.errors import LabError, SetupError
from qtw_lab.runs.engine import Pulse
from qtw_lab.runs.notebook import execute
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.registry import Registry
from qtw_lab.runs.run import Run
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.settling import Records, fail, succeed
from qtw_lab.runs.schedule.trees import kill, lives

#: Seconds between two signs of life.
BEAT: Final = 2.0
#: The same, and between two looks at the parent, of work that is bound.
BOUND_BEAT: Final = 0.5
#: Exit code of a process whose attempt was taken away from it.
TAKEN_AWAY: Final = 75


@dataclass(frozen=True, slots=True)
class Bound:
    """Work that ends with the process that wanted it.

    Parameters
    ----------
    parent : Process
        That process.
    place : pathlib.Path
        Its folder for this work, removed when it has ended.
    """

    parent: Process
    place: Path


def work(
    records: Records,
    id: int,  # noqa: A002  (the word for it)
    attempt: int,
    *,
    lock: Path | None = None,
    bound: Bound | None = None,
) -> bool:
    """Execute an attempt in this process and say how it went.

    Parameters
    ----------
    records : Records
        Where everything is kept.
    id, attempt : int
        Which occurrence, and which attempt at it. If it is not to be executed (any more), nothing is done.
    lock : pathlib.Path, optional
        The file that pins the environment.
    bound : Bound, optional
        To whom the work is bound; by default it goes on whoever else ends.

    Returns
    -------
    bool
        Whether it went well.
    """
    one = records.agenda.get(id)
    if one.attempts != attempt or not records.agenda.take(one, Process.current(), records.clock.now()):
        return False
    with Heart(records, one, bound) as heart:
        try:
            entry = records.entry(one)
            registry = _Noting(records, lambda run: records.agenda.note_run(one, run.id))
            run = execute(
                entry.notebook, entry.parameters, root=records.root, registry=registry, clock=records.clock,
                name=entry.name, environment_lock=lock, pulse=heart.felt,
            )  # fmt: skip
        except LabError as err:
            fail(records, one, str(err))
            return False
        except KeyboardInterrupt:
            fail(records, one, "interrupted")
            raise
        succeed(records, one, run)
    return True


class _Noting(Registry):
    """The registry, telling of each run that is begun."""

    def __init__(self, records: Records, tell: Callable[[Run], Any]) -> None:
        self._tell = tell
        super().__init__(records.registry.path, records.clock, known=records.registry.known_secrets())

    def begin(self, *what: Any, **more: Any) -> Run:
        """As `Registry.begin`."""
        run = super().begin(*what, **more)
        self._tell(run)
        return run


class Heart:
    """A thread that says every few seconds that an attempt lives, and how far it has come.

    If the attempt was taken away (this process stood still for so long that it was given up), somebody else may be at
    it by now: everything it started is killed and the process ends on the spot. So it does if it is bound to a process
    that has ended.
    """

    def __init__(self, records: Records, one: Occurrence, bound: Bound | None = None) -> None:
        self._records, self._one, self._bound = records, one, bound
        self._progress: str | None = None
        self._kernel: int | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="heart", daemon=True)

    def felt(self, pulse: Pulse) -> None:
        """Take in a sign of life of the notebook."""
        if pulse.kernel is not None and pulse.kernel != self._kernel:
            self._kernel = pulse.kernel
            kernel = Process(platform.node(), pulse.kernel, start_of(pulse.kernel) or "")
            self._records.agenda.note_kernel(self._one, kernel)
        if pulse.cell is not None:
            self._progress = f"{pulse.cell if pulse.kind == 'end' else pulse.cell - 1}/{pulse.cells}"

    def _go_on(self) -> None:
        while not self._stopped.wait(BEAT if self._bound is None else BOUND_BEAT):
            if self._bound is not None and not lives(self._bound.parent):
                kill([Process.current()])
                _remove(self._bound.place)
                os._exit(TAKEN_AWAY)
            if not self._held() and not self._stopped.is_set():
                kill([Process.current()])  # all below this process, not the process itself
                os._exit(TAKEN_AWAY)

    def _held(self) -> bool:
        try:
            return self._records.agenda.beat(self._one, self._records.clock.now(), self._progress)
        except SetupError:
            return True  # the agenda is busy or its disk is full: the next beat may get through

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()


def _remove(folder: Path) -> None:
    """Remove a folder into which another thread of this process may still write: under its name nothing comes back."""
    gone = folder.with_name(f"{folder.name}.gone")
    with contextlib.suppress(OSError):
        folder.rename(gone)
    for one in (gone, folder):
        shutil.rmtree(one, ignore_errors=True)
