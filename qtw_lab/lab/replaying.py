"""A recorded notebook run executed again and compared, with the parts of a lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab
    from qtw_lab.runs.replay import Replay


def replay(lab: Lab, run: str, progress: Callable[[int, int], None] | None = None) -> Replay:
    """The recorded notebook run with this id, executed again from its record and compared; see `runs.replay.replay`.

    Parameters
    ----------
    lab : Lab
        Whose registry and runs folder.
    run : str
        Its id, or enough of its beginning.
    progress : callable, optional
        Called after each cell with (cells done, cells in all).

    Raises
    ------
    DataError
        If there is no such run, it is of another kind, or its files are gone or changed.
    """
    from qtw_lab.runs.notebook import Watching
    from qtw_lab.runs.replay import replay

    lock = Path(__file__).resolve().parents[2] / "requirements.lock"
    return replay(
        lab.registry.get(run), root=lab.runs_folder, registry=lab.registry, clock=lab.clock,
        environment_lock=lock if lock.is_file() else None, watching=Watching(progress),
    )  # fmt: skip
