"""The executed copy of a notebook: masked before it is written, and replaced in one step after every cell."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.extras import need
from qtw_lab.core.files import write_text
from qtw_lab.runs.manifest import CellTime
from qtw_lab.runs.marking import mark_failed, number_of
from qtw_lab.runs.run import NOTEBOOK_FILE
from qtw_lab.runs.secrecy import Leak, Redactor

#: Told after every cell: how many cells are done, and how many there are.
Progress = Callable[[int, int], None]

_ENDED: Final = ("completed", "failed")


@dataclass
class Sheet:
    """One notebook being executed, and its executed copy on disk.

    Parameters
    ----------
    shown : str
        Its path as the copy records it.
    target : pathlib.Path
        The executed copy, replaced after every cell.
    redactor : Redactor
        Masks secrets in everything that is written.
    progress : callable, optional
        Told after every cell.
    """

    shown: str
    target: Path
    redactor: Redactor
    progress: Progress | None = None
    current: int | None = None  #: place of the cell that runs, or ran last, from 0 in the executed copy
    leaks: dict[Leak, None] = field(default_factory=dict)  #: every secret that had to be masked, in order
    done: int = 0

    def save(self, notebook: Any) -> None:
        """Replace the executed copy by this notebook as it stands, masked; the notebook itself is left as it is."""
        states = [cell.metadata.get("papermill", {}).get("status") for cell in notebook.cells]
        if "running" in states:
            self.current = states.index("running")
        copied = copy.deepcopy(notebook)
        if "papermill" in copied.metadata:
            copied.metadata.papermill.update(input_path=self.shown, output_path=self.target.name)
        self._write(copied)
        done = sum(state in _ENDED for state in states)
        if done > self.done and None not in states:
            self.done = done
            if self.progress is not None:
                self.progress(done, len(states))

    def read(self) -> Any:
        """The executed copy as it is on disk."""
        return need("nbformat", "dashboards").v4.reads(self.target.read_text("utf-8"))

    def times(self) -> tuple[CellTime, ...]:
        """How long each cell took that ran; none if there is no copy."""
        found = []
        for place, cell in enumerate(self.read().cells if self.target.exists() else (), start=1):
            seconds = cell.metadata.get("papermill", {}).get("duration")
            if cell.cell_type == "code" and seconds is not None:
                found.append(CellTime(place, float(seconds)))
        return tuple(found)

    def stopped_at(self) -> int | None:
        """Number of the cell that ran last, from 1 in the notebook as it was given; None if none ran."""
        if self.current is None or not self.target.exists():
            return None
        return number_of(self.read(), self.current)

    def fail(self, reason: str) -> None:
        """Make the copy say that the run failed and why."""
        if self.target.exists():
            notebook = self.read()
            mark_failed(notebook, reason)
            self._write(need("nbformat", "dashboards").from_dict(notebook))

    def _write(self, notebook: Any) -> None:
        nbformat = need("nbformat", "dashboards")
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = _coalesced(cell.outputs)
        plain = self.redactor.tree(notebook)
        if plain != notebook:
            self.leaks |= dict.fromkeys(self._found(notebook))
        write_text(self.target, nbformat.v4.writes(nbformat.from_dict(plain)) + "\n")

    def _found(self, notebook: Any) -> list[Leak]:
        """The secrets in a notebook that is not masked yet, and their cells."""
        found = [
            Leak(name, NOTEBOOK_FILE, number_of(notebook, place))
            for place, cell in enumerate(notebook.cells)
            for name in self.redactor.names(cell)
        ]
        rest = {name: value for name, value in notebook.items() if name != "cells"}
        return found + [Leak(name, NOTEBOOK_FILE) for name in self.redactor.names(rest)]


def _coalesced(outputs: list[Any]) -> list[Any]:
    """Outputs with the pieces of a stream joined up to the next other output: secrets may be printed in parts.

    The two streams arrive in whatever order they were flushed; joined, they are the same in every run.
    """
    joined: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output.output_type != "stream":
            streams = {}
            joined.append(output)
        elif output.name in streams:
            streams[output.name].text += output.text
        else:
            streams[output.name] = output
            joined.append(output)
    return joined
