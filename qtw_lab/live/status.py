"""How an engine is: a small JSON file that it replaces every second, and what can be told from it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from qtw_lab.core import SetupError
from qtw_lab.live.journal_kinds import packed_json
from qtw_lab.live.lease import Holder, holder_of

_NAME: Final = "status.json"

State = Literal["running", "hung", "stopped", "dead"]


@dataclass(frozen=True, slots=True)
class Status:
    """How an engine is.

    Parameters
    ----------
    state : str
        "running": it has the lease and wrote its status lately. "hung": it has the lease, but its status is old.
        "stopped": nobody has the lease, and the last one said that it stopped, or there never was one. "dead": nobody
        has the lease, and the last one did not say that it stopped.
    age : float or None
        Seconds since the status was written; None if there is none.
    holder : Holder or None
        Who has the lease.
    content : dict
        What the engine wrote; empty if there is nothing.
    """

    state: State
    age: float | None
    holder: Holder | None
    content: dict[str, Any]


def write_status(folder: Path, content: Mapping[str, Any], *, stopped: bool = False) -> Path:
    """Replace the status in one step, so that a reader has the old one or the new one whole; it takes some 50 µs.

    The disk is not waited for: a status is worth nothing after a power cut. Where there is no space for a new one, the
    old one is marked as fresh (its content says when it is from), because the engine does live.

    Parameters
    ----------
    folder : pathlib.Path
        The engine's folder.
    content : mapping
        JSON values.
    stopped : bool
        Whether the engine ends.

    Raises
    ------
    DataError
        If the content holds what JSON cannot.
    SetupError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_status(Path(folder), {"bars": 12}, stopped=True)
    ...     status = read_status(Path(folder))
    >>> status.state, status.content
    ('stopped', {'bars': 12})
    """
    path = Path(folder) / _NAME
    replace_quickly(path, packed_json({"stopped": stopped, "content": dict(content)}))
    return path


def replace_quickly(path: Path, content: bytes) -> None:
    """Replace a file in one step without waiting for the disk; its only writer may call this.

    Raises
    ------
    SetupError
        If it cannot be written; the old file stays, marked as fresh.
    """
    fresh = path.with_name(f".{path.name}.part")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as err:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
            os.utime(path)
        raise SetupError(
            f"Cannot write {path.name} in {path.parent}: {err.strerror or err}. Free some space or permit writing "
            "there; the previous one is untouched."
        ) from err


def read_status(folder: Path, *, fresh_seconds: float = 5.0, now: float | None = None) -> Status:
    """How the engine of a folder is.

    Parameters
    ----------
    folder : pathlib.Path
        The engine's folder.
    fresh_seconds : float
        How old a status may be while its engine counts as running.
    now : float, optional
        The present time in seconds since 1970; the system's if not given.
    """
    folder = Path(folder)
    holder = holder_of(folder)  # asked first: an engine that ends writes its last status before it lets the lease go
    age, said = _said(folder / _NAME, time.time() if now is None else now)
    if holder is None and age is not None and not said.get("stopped"):
        holder = holder_of(folder)  # one may have started since it was asked
    if holder is not None:
        state: State = "running" if age is not None and age <= fresh_seconds else "hung"
    else:
        state = "stopped" if age is None or said.get("stopped") else "dead"
    return Status(state, age, holder, said.get("content", {}))


def _said(path: Path, now: float) -> tuple[float | None, dict[str, Any]]:
    try:
        with path.open("rb") as file:  # age and content of the same file, even if it is replaced meanwhile
            age = max(0.0, now - os.fstat(file.fileno()).st_mtime)
            content = json.loads(file.read())
    except OSError:
        return None, {}
    except ValueError:  # a power cut may leave it empty
        return age, {}
    return age, content if isinstance(content, dict) else {}
