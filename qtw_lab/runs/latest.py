"""The pointer to the last good run of each name: a small file that moves only forward, and only on success."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from filelock import FileLock

from qtw_lab.core.files import write_text
from qtw_lab.runs.run import Run

_FOLDER: Final = "latest"


def point_to(run: Run, root: Path) -> Path:
    """Let ``<root>/latest/<name>.json`` name this run, unless it names a newer one already.

    Raises
    ------
    SetupError
        If the pointer cannot be written; the old one stays.
    """
    pointer = _pointer(root, run.name)
    pointer.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{pointer}.lock"):
        if (named(run.name, root) or "") < run.id and run.folder is not None:
            write_text(pointer, json.dumps({"id": run.id, "folder": run.folder.name}))
    return pointer


def named(name: str, root: Path) -> str | None:
    """The id of the last good run of this name below `root`; None if there is none."""
    found = _read(name, root)
    return None if found is None else found[0]


def latest_folder(name: str, root: Path) -> Path | None:
    """The folder of the last good run of this name below `root`; None if there is none."""
    found = _read(name, root)
    return None if found is None else root / found[1]


def _read(name: str, root: Path) -> tuple[str, str] | None:
    try:
        plain = json.loads(_pointer(root, name).read_text("utf-8"))
        return str(plain["id"]), str(plain["folder"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # a pointer that cannot be read is replaced by the next good run


def _pointer(root: Path, name: str) -> Path:
    return root / _FOLDER / f"{name}.json"
