"""Making room: of the runs of a name the newest keep their files, of the others the record is enough."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Final

from qtw_lab.core.errors import DataError
from qtw_lab.runs.registry import Registry
from qtw_lab.runs.run import Run

_ASIDE: Final = ".pruned-"


def prune(registry: Registry, name: str, keep: int) -> tuple[str, ...]:
    """Remove the folders of all but the newest `keep` finished notebook runs of a name.

    The last good run keeps its files however many failed after it, and so does whatever is running. The record of every
    run stays, with its figures, and says that its files are gone. A folder is renamed before it is deleted, so that a
    kill in between leaves no half folder under its own name; what is left then goes next time. A folder that the
    registry did not make is never touched.

    Parameters
    ----------
    registry : Registry
        Where the runs are on record.
    name : str
        Of the runs.
    keep : int
        How many keep their files; at least 1.

    Returns
    -------
    tuple of str
        Ids of the runs whose files were removed, newest first.

    Raises
    ------
    DataError
        If `keep` is less than 1.
    """
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
        raise DataError(f"keep={keep!r} must be a whole number of runs, at least 1: the last good one always stays.")
    ids = registry.list(kind="notebook", name=name, limit=None)["id"]
    ended = [run for run in map(registry.get, ids) if run.status != "running"]
    good = next((run.id for run in ended if run.status == "ok" and run.folder is not None), None)
    leaving = [run for run in ended[keep:] if run.id != good and _ours(run)]
    for run in leaving:
        registry.prune(run)  # copies the figures out of the folder, so it comes first
    for root in {run.folder.parent for run in (*ended, *leaving) if run.folder is not None}:
        for run in (*leaving, *(run for run in ended if run.pruned)):  # of those, a kill may have left the folder
            _rename(root / f"{run.id}-{run.name}")
        for left in root.glob(f"{_ASIDE}*-{name}"):
            shutil.rmtree(left, ignore_errors=True)
    return tuple(run.id for run in leaving)


def _ours(run: Run) -> bool:
    """Whether the run has a folder, and it is the one that the registry made for it."""
    return run.folder is not None and run.folder.name == f"{run.id}-{run.name}"


def _rename(folder: Path) -> None:
    """Take a folder from its name in one step, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        folder.rename(folder.with_name(f"{_ASIDE}{folder.name}"))
