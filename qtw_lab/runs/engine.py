"""An engine of our own behind papermill's interface: the states it writes are true, and it tells how far it is.

papermill's own engine marks every cell as completed once a kernel has died, a cell has taken too long or the run was
interrupted. Ours leaves cells that were not reached pending and marks the one that did not end well as failed. It hands
the notebook to a `Sheet`, which masks secrets before anything is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from qtw_lab.runs.outlet import Sheet

#: Under what name papermill finds the engine.
ENGINE: Final = "qtw"


@dataclass(frozen=True, slots=True)
class Pulse:
    """A sign of life of a notebook being executed.

    Parameters
    ----------
    kind : {"kernel", "start", "end"}
        The kernel lives; a cell starts; a cell has ended.
    kernel : int or None
        The kernel's process number, where it is a process of this machine.
    cell : int or None
        The cell's place in the executed notebook, from 1.
    cells : int
        How many cells that notebook has.
    """

    kind: Literal["kernel", "start", "end"]
    kernel: int | None
    cell: int | None
    cells: int


#: Told of every sign of life, in the thread that executes.
Pulses = Callable[[Pulse], None]


def registered(papermill: Any) -> str:
    """Enter our engine in papermill's table (the library is given: it has one seam) and return its name there."""
    papermill.engines.papermill_engines.register(ENGINE, _engine(papermill))
    return ENGINE


class _Manager:
    """Methods over papermill's `NotebookExecutionManager`: who writes, and what it tells."""

    nb: Any
    sheet: Sheet
    pulse: Pulses | None = None
    kernel: int | None = None

    def save(self, **options: Any) -> None:
        """Hand the notebook as it stands to the sheet."""
        self.nb = options.get("nb") or self.nb
        self.sheet.save(self.nb)
        self.last_save_time = self.now()

    def kernel_start(self, kernel: int | None) -> None:
        """Tell that the kernel lives."""
        self.kernel = kernel
        self._tell("kernel")

    def cell_start(self, cell: Any, cell_index: int | None = None, **options: Any) -> None:
        """Mark the cell as running, and tell."""
        super().cell_start(cell, cell_index, **options)  # type: ignore[misc]  # papermill's
        self._tell("start", cell_index)

    def cell_complete(self, cell: Any, cell_index: int | None = None, **options: Any) -> None:
        """Mark the cell as completed unless it failed, and tell."""
        super().cell_complete(cell, cell_index, **options)  # type: ignore[misc]  # papermill's
        self._tell("end", cell_index)

    def notebook_complete(self, **options: Any) -> None:
        """Write the times of the whole; papermill's own would declare cells completed that were not reached."""
        self.end_time = self.now()
        seconds = (self.end_time - self.start_time).total_seconds()
        self.nb.metadata.papermill.update(end_time=self.end_time.isoformat(), duration=seconds)
        self.save(**options)

    def _tell(self, kind: Literal["kernel", "start", "end"], place: int | None = None) -> None:
        if self.pulse is not None:
            self.pulse(Pulse(kind, self.kernel, None if place is None else place + 1, len(self.nb.cells)))

    now: Callable[[], Any]
    start_time: Any


class _Client:
    """Methods over papermill's notebook client: which cells are executed, and what is said of each."""

    nb: Any
    nb_man: Any
    km: Any
    execute_cell: Callable[[Any, int], Any]

    def papermill_execute_cells(self) -> None:
        """Execute cell after cell, up to one that does not end well."""
        self.nb_man.kernel_start(getattr(getattr(self.km, "provisioner", None), "pid", None))
        for place in range(len(self.nb.cells)):
            if not self._executed(place):
                return

    def _executed(self, place: int) -> bool:
        """Whether the cell ended well and the next one is to follow.

        A cell that raises ends the run. So does ``sys.exit(0)``, but that is meant: such a cell is completed.
        """
        from nbclient.exceptions import CellExecutionError

        self.nb_man.cell_start(self.nb.cells[place], place)
        well = False
        try:
            self.execute_cell(self.nb.cells[place], place)
            well = True
        except CellExecutionError as err:
            well = err.ename == "SystemExit" and err.evalue in ("", "0")
            return False
        finally:  # a dead kernel, a timeout and an interrupt pass through here too
            if not well:
                self.nb_man.cell_exception(self.nb.cells[place], cell_index=place)
            self.nb_man.cell_complete(self.nb.cells[place], cell_index=place)
        return True


class _Engine:
    """Methods over papermill's `NBClientEngine`."""

    manager: Callable[..., Any]
    client: Callable[..., Any]

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        *,
        sheet: Sheet,
        pulse: Pulses | None = None,
        execution_timeout: int | None = None,
        start_timeout: int = 60,
        client: dict[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        """Execute a notebook, write it down after every cell, and return it.

        Parameters
        ----------
        nb : nbformat.NotebookNode
            The notebook, with its parameters.
        kernel_name : str
            What executes it.
        sheet : Sheet
            Who writes it down.
        pulse : callable, optional
            Told of every sign of life.
        execution_timeout, start_timeout : int
            Seconds that a cell, and the start of the kernel, may take.
        client : dict, optional
            More arguments for nbclient.
        **_
            What papermill gives every engine and this one does not need.
        """
        manager = cls.manager(nb, progress_bar=False)
        manager.sheet, manager.pulse = sheet, pulse
        manager.notebook_start()
        try:
            cls.client(
                manager, timeout=execution_timeout, startup_timeout=start_timeout, kernel_name=kernel_name,
                log=logging.getLogger("papermill"), **(client or {}),
            ).execute()  # fmt: skip
        finally:
            manager.notebook_complete()
        return manager.nb


@cache
def _engine(papermill: Any) -> type:
    """The engine, of papermill's classes and our methods."""
    engines, client = papermill.engines, papermill.clientwrap
    parts = {
        "manager": type("Manager", (_Manager, engines.NotebookExecutionManager), {}),
        "client": type("Client", (_Client, client.PapermillNotebookClient), {}),
    }
    return type("Engine", (_Engine, engines.NBClientEngine), parts)
