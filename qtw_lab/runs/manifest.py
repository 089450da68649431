"""`manifest.json`: what a run was made from, what came out, and how long it took, in that order of weight.

The part called ``inputs`` holds nothing that differs between two runs of the same thing; its hash is the run's
``fingerprint``. Outputs are hashed. Everything that depends on the moment stands under ``timing``, and what else it
takes to execute the run again, on this machine, under ``execution``.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pandas as pd

import qtw_lab
from qtw_lab.core.files import write_text
from qtw_lab.runs.parameters import seeds_among
from qtw_lab.runs.run import FACTS_FILE, MANIFEST_FILE, REPORT_FILE, DataUse, Run
from qtw_lab.runs.secrecy import Leak
from qtw_lab.runs.sweeping import files_below

SCHEMA: Final = 1

#: Libraries whose version can change a figure.
_LIBRARIES: Final = (
    "numpy", "pandas", "numba", "scipy", "pyarrow", "duckdb", "exchange-calendars", "scikit-learn", "lightgbm",
    "statsmodels", "torch", "gymnasium", "stable-baselines3", "vectorbt", "opencv-python-headless", "bokeh",
    "papermill", "nbclient", "ipykernel",
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """All that a run depends on.

    Parameters
    ----------
    parameters : mapping
        As passed, secrets as ``env:NAME``.
    notebook : str
        Path of the notebook within its project, with forward slashes; empty for other work.
    notebook_sha256 : str
        Hash of the notebook as it was executed, without outputs: of the bytes of ``source.ipynb`` in the run's folder.
    data : tuple of DataUse
        Data read.
    lock_sha256 : str or None
        Hash of the file that pins the environment.
    kernel : str
        Jupyter kernel that executes the notebook. The versions on record are those of this process; they are the
        kernel's too where it is the usual "python3" of the same environment.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    notebook: str = ""
    notebook_sha256: str = ""
    data: tuple[DataUse, ...] = ()
    lock_sha256: str | None = None
    kernel: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON, with the versions of package, Python and libraries in this process."""
        return {
            "notebook": {"path": self.notebook, "sha256": self.notebook_sha256, "kernel": self.kernel}
            if self.notebook
            else None,
            "parameters": dict(self.parameters),
            "seeds": seeds_among(self.parameters),
            "data": sorted((use.as_dict() for use in self.data), key=lambda use: (use["fingerprint"], use["source"])),
            "package": {"version": qtw_lab.__version__, "sha256": package_sha256()},
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "environment": {"lock_sha256": self.lock_sha256, "versions": library_versions()},
        }


@dataclass(frozen=True)
class Execution:
    """How a notebook was executed, as far as no figure depends on it.

    Parameters
    ----------
    folder : str
        Where the kernel worked, on this machine: the notebook's own folder.
    file : str
        Name of the notebook there.
    timeout : int or None
        Seconds that any one cell could take.
    passed : tuple of str
        Names of the parameters that were passed; the others are the notebook's own defaults.
    replay_of : str or None
        The run that this one repeats.
    """

    folder: str
    file: str
    timeout: int | None = None
    passed: tuple[str, ...] = ()
    replay_of: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON, but for `replay_of`, which is said of the run."""
        return {"folder": self.folder, "file": self.file, "timeout": self.timeout, "passed": list(self.passed)}


@dataclass(frozen=True)
class CellTime:
    """How long one cell took.

    Parameters
    ----------
    cell : int
        Its place in the executed notebook, from 1.
    seconds : float
        Wall-clock time.
    """

    cell: int
    seconds: float


def compose(
    run: Run,
    inputs: Inputs,
    execution: Execution | None = None,
    *,
    cells: Iterable[CellTime] = (),
    leaks: Iterable[Leak] = (),
    failed_cell: int | None = None,
) -> dict[str, Any]:
    """The manifest of a run as it stands, ready for JSON.

    Parameters
    ----------
    run : Run
        Its identity, status, times and folder.
    inputs : Inputs
        What it was made from.
    execution : Execution, optional
        How it was executed, if it is a notebook.
    cells : iterable of CellTime
        Time by cell.
    leaks : iterable of Leak
        Where the value of a secret came out and was masked.
    failed_cell : int, optional
        Place of the cell that failed, from 1, in the notebook as it was given.
    """
    plain = inputs.as_dict()
    files = [] if run.folder is None else [_file(path, run.folder) for path in files_below(run.folder)]
    by_path = {entry["path"]: entry for entry in files if entry["path"] != MANIFEST_FILE}
    facts = by_path.get(FACTS_FILE)
    return {
        "schema": SCHEMA,
        "run": {"id": run.id, "kind": run.kind, "name": run.name, "status": run.status, "error": run.error,
                "failed_cell": failed_cell, "replay_of": execution and execution.replay_of},
        "fingerprint": fingerprint_of(plain),
        "inputs": plain,
        "outputs": {
            "facts_sha256": None if facts is None else facts["sha256"],
            "report": REPORT_FILE if REPORT_FILE in by_path else None,
            **_leaked(leaks),
            "files": list(by_path.values()),
        },
        "execution": execution and execution.as_dict(),
        "timing": {
            "started": run.started.isoformat(),
            "finished": None if run.finished is None else run.finished.isoformat(),
            "seconds": run.seconds,
            "cells": [{"cell": time.cell, "seconds": time.seconds} for time in cells],
        },
    }  # fmt: skip


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Replace the manifest in `folder` in one step.

    Raises
    ------
    SetupError
        If the folder cannot be written.
    """
    return write_text(folder / MANIFEST_FILE, json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False))


def amend_failed(
    folder: Path, reason: str, finished: pd.Timestamp, leaks: Iterable[Leak] = ()
) -> dict[str, Any] | None:
    """Let the manifest of a run that can no longer do so itself say that it failed, and return it.

    One that is missing or unreadable is left alone; then there is None.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        manifest["run"] |= {"status": "failed", "error": reason}
        manifest["timing"]["finished"] = finished.isoformat()
        manifest["outputs"] |= _leaked(leaks)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    write_manifest(folder, manifest)
    return manifest


def fingerprint_of(inputs: Mapping[str, Any]) -> str:
    """SHA-256 over inputs, in whatever order they stand.

    Examples
    --------
    >>> fingerprint_of({"a": 1, "b": 2}) == fingerprint_of({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def project_path(path: Path) -> str:
    """The path within the project it belongs to (the nearest folder with a ``pyproject.toml``), else the bare name."""
    whole = path.resolve()
    home = next((parent for parent in whole.parents if (parent / "pyproject.toml").is_file()), whole.parent)
    return whole.relative_to(home).as_posix()


@cache
def package_sha256() -> str:
    """SHA-256 over the source files of this package: their names and contents."""
    root = Path(qtw_lab.__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Installed versions of the libraries whose version can change a figure."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _leaked(leaks: Iterable[Leak]) -> dict[str, Any]:
    found = [asdict(leak) for leak in leaks]
    return {"redacted": sorted({leak["file"] for leak in found}), "leaks": found}


def _file(path: Path, folder: Path) -> dict[str, Any]:
    return {"path": path.relative_to(folder).as_posix(), "sha256": sha256_of(path), "bytes": path.stat().st_size}
