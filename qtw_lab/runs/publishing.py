"""The report of the last good run at a place of its own that never changes its name and never holds half a page."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final

from filelock import FileLock

from qtw_lab.core.errors import DataError, SetupError
from qtw_lab.core.files import write_bytes, write_text
from qtw_lab.runs.run import Run, checked_name

_FOLDER: Final = "published"


def publish(run: Run, root: Path, name: str) -> Path | None:
    """Let the report of a good run be the page ``<root>/published/<name>.html``, in one step.

    Whoever reads the page gets the whole old one or the whole new one. A page of a newer run stays; doing it again for
    the same run, after a kill in between for one, changes nothing.

    Parameters
    ----------
    run : Run
        A run that went well.
    root : pathlib.Path
        Folder of all runs.
    name : str
        What the page is called.

    Returns
    -------
    pathlib.Path or None
        The page, be it of this run or of a newer one; None if the run wrote no report.

    Raises
    ------
    DataError
        If the run did not go well, or the name cannot be that of a file.
    SetupError
        If the page cannot be written; the old one stays.
    """
    if run.status != "ok":
        raise DataError(f"Run {run.id} is {run.status}; only the report of a run that went well is published.")
    if run.report is None:
        return None
    page = Path(root) / _FOLDER / f"{checked_name(name)}.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{page}.lock")
    except OSError as err:
        raise SetupError(f"Cannot write to {page.parent}: {err.strerror or err}. Permit writing there.") from err
    with lock:
        if (published(root, name) or "") <= run.id:
            # The claim comes first: killed in between, we leave the old page, and no older run can come before it.
            write_text(_claim(page), json.dumps({"id": run.id}))
            write_bytes(page, run.report.read_bytes())
    return page


def published(root: Path, name: str) -> str | None:
    """The id of the run whose report was published last under this name; None if none was."""
    claim = _claim(Path(root) / _FOLDER / f"{checked_name(name)}.html")
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        return str(json.loads(claim.read_text("utf-8"))["id"])
    return None


def _claim(page: Path) -> Path:
    return page.with_suffix(".json")
