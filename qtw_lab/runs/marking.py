"""The failed mark inside an executed notebook: which cell did not end well, and why the run failed, on top of it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.files import write_text

#: Tag of the cell on top; papermill knows it, and takes such cells away before it executes a notebook again.
ERROR_TAG: Final = "papermill-error-cell-tag"
_INJECTED: Final = "injected-parameters"
_ID: Final = "qtw-run-failed"


def own_cells(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The cells of an executed notebook that its source has too: without the mark and the parameters passed."""
    return (cell for cell in notebook["cells"] if not {ERROR_TAG, _INJECTED} & set(_tags(cell)))


def number_of(notebook: Mapping[str, Any], place: int) -> int:
    """The number, from 1 in the notebook as it was given, of the cell at this place (from 0) of the executed one.

    The cell of parameters passed has the number of the one that declares them.
    """
    whole = [cell for cell in notebook["cells"] if ERROR_TAG not in _tags(cell)]
    return max(1, sum(_INJECTED not in _tags(cell) for cell in whole[: place + 1]))


def mark_failed(notebook: dict[str, Any], reason: str) -> None:
    """Let an executed notebook say that its run failed and why: on top, in its metadata, and at the cell that ran.

    Parameters
    ----------
    notebook : dict
        The notebook as JSON, changed in place.
    reason : str
        Why; free of secrets.

    Examples
    --------
    >>> cell = {"cell_type": "code", "source": "1/0", "metadata": {"papermill": {"status": "running"}}}
    >>> notebook = {"cells": [cell], "metadata": {}}
    >>> mark_failed(notebook, "killed")
    >>> [one["source"] for one in notebook["cells"]]
    ['<span style="color:red;font-size:1.5em">This run failed: killed</span>', '1/0']
    >>> cell["metadata"]["papermill"]["status"]
    'failed'
    """
    notebook["cells"][:] = [cell for cell in notebook["cells"] if ERROR_TAG not in _tags(cell)]
    for cell in notebook["cells"]:
        record = cell["metadata"].get("papermill", {})
        if record.get("status") == "running":
            record.update(status="failed", exception=True)
    notebook["metadata"].setdefault("papermill", {})["exception"] = True
    said = html.escape(" ".join(reason.split()), quote=False)
    top = {
        "cell_type": "markdown", "id": _ID, "metadata": {"tags": [ERROR_TAG]},
        "source": f'<span style="color:red;font-size:1.5em">This run failed: {said}</span>',
    }  # fmt: skip
    notebook["cells"].insert(0, top)


def mark_file_failed(path: Path, reason: str) -> None:
    """As `mark_failed`, in a file that whoever executed it can no longer change; one that is missing is left alone.

    Raises
    ------
    SetupError
        If the file cannot be written.
    """
    try:
        notebook = json.loads(path.read_text("utf-8"))
        mark_failed(notebook, reason)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # no notebook was executed, or something else lies there: the manifest and the registry say it anyway
    write_text(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", ()))
