"""Where papermill reads and writes notebooks: in memory on the way in, masked and in one step on the way out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.extras import need
from qtw_lab.core.files import write_text
from qtw_lab.runs.manifest import CellTime
from qtw_lab.runs.secrecy import Redactor

#: Told after every cell: how many cells are done, and how many there are.
Progress = Callable[[int, int], None]

SCHEME: Final = "qtw-run:"
_ENDED: Final = ("completed", "failed")


@dataclass
class Sheet:
    """One notebook being executed: its source, and its executed copy on disk.

    Parameters
    ----------
    source : str
        The notebook to execute, as text.
    shown : str
        Its path as the copy records it.
    target : pathlib.Path
        The executed copy, replaced after every cell.
    redactor : Redactor
        Masks secrets in everything that is written.
    progress : callable, optional
        Told after every cell.
    """

    source: str
    shown: str
    target: Path
    redactor: Redactor
    progress: Progress | None = None
    current: int | None = None  #: place of the cell that runs, or ran last, from 0 in the executed copy
    masked: bool = False  #: whether a secret had to be masked
    done: int = 0

    def save(self, text: str) -> None:
        """Replace the executed copy by this notebook, masked."""
        notebook = need("nbformat", "dashboards").v4.reads(text)
        states = [cell.metadata.get("papermill", {}).get("status") for cell in notebook.cells]
        if "running" in states:
            self.current = states.index("running")
        if "papermill" in notebook.metadata:
            notebook.metadata.papermill |= {"input_path": self.shown, "output_path": self.target.name}
        self._write(notebook)
        done = sum(state in _ENDED for state in states)
        if done > self.done and None not in states:
            self.done = done
            if self.progress is not None:
                self.progress(done, len(states))

    def read(self) -> Any:
        """The executed copy as it is on disk."""
        return need("nbformat", "dashboards").v4.reads(self.target.read_text("utf-8"))

    def times(self) -> tuple[CellTime, ...]:
        """How long each cell took that ran."""
        found = []
        for place, cell in enumerate(self.read().cells, start=1):
            seconds = cell.metadata.get("papermill", {}).get("duration")
            if cell.cell_type == "code" and seconds is not None:
                found.append(CellTime(place, float(seconds)))
        return tuple(found)

    def stopped_at(self) -> int | None:
        """Place of the cell that ran last, from 1 in the notebook as it was given; None if none ran."""
        if self.current is None or not self.target.exists():
            return None
        own = [cell for cell in self.read().cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
        before = own[: self.current]
        return 1 + sum("injected-parameters" not in cell.metadata.get("tags", []) for cell in before)

    def own_up(self, failed: bool) -> None:
        """Make the copy say that no cell ran after the last one, and if the run failed, that this one did.

        After a dead kernel, a timeout, an interrupt or an early ``sys.exit(0)``, papermill leaves a copy that claims
        every cell completed.
        """
        if not self.target.exists():
            return
        notebook = self.read()
        if failed:
            notebook.metadata.setdefault("papermill", {})["exception"] = True
        own = [cell for cell in notebook.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
        for place, cell in enumerate(own):
            record = cell.metadata.setdefault("papermill", {})
            if self.current is None or place > self.current:
                record |= {
                    "status": "pending",
                    "exception": None,
                    "start_time": None,
                    "end_time": None,
                    "duration": None,
                }
            elif failed and place == self.current:
                record |= {"status": "failed", "exception": True}
        self._write(notebook)

    def _write(self, notebook: Any) -> None:
        nbformat = need("nbformat", "dashboards")
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = _coalesced(cell.outputs)
        plain = self.redactor.tree(notebook)
        self.masked = self.masked or plain != notebook
        write_text(self.target, nbformat.v4.writes(nbformat.from_dict(plain)) + "\n")


def _coalesced(outputs: list[Any]) -> list[Any]:
    """Outputs with neighbouring pieces of one stream joined, as Jupyter shows them: secrets may be printed in parts."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


class Outlet:
    """The input and output handler given to papermill: a table of the notebooks being executed in this process."""

    def __init__(self) -> None:
        self._sheets: dict[str, Sheet] = {}
        self._lock = threading.Lock()
        self._installed = False

    def add(self, name: str, sheet: Sheet, papermill_io: Any) -> str:
        """Take in a notebook and return the address under which papermill (its table of handlers is given) finds it."""
        with self._lock:
            if not self._installed:
                papermill_io.register(SCHEME, self)
                self._installed = True
            address = f"{SCHEME}{name}.ipynb"
            self._sheets[address] = sheet
        return address

    def remove(self, address: str) -> None:
        """Forget a notebook that is done."""
        with self._lock:
            self._sheets.pop(address, None)

    def read(self, path: str) -> str:
        """What papermill asks for a notebook's text."""
        return self._sheets[path].source

    def write(self, buf: str, path: str) -> None:
        """What papermill calls after every cell."""
        self._sheets[path].save(buf)

    def pretty_path(self, path: str) -> str:
        """What papermill prints."""
        return path


OUTLET: Final = Outlet()
