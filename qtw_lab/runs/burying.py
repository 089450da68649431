"""What is done to a run that can no longer speak for itself: its kernel ends, and its folder is swept and marked."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from qtw_lab.core.errors import SetupError
from qtw_lab.runs.manifest import amend_failed
from qtw_lab.runs.marking import mark_file_failed
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.run import KERNEL_FILE, NOTEBOOK_FILE
from qtw_lab.runs.secrecy import Redactor, spelled
from qtw_lab.runs.sweeping import sweep


def bury(folder: Path, reason: str, finished: pd.Timestamp, redactor: Redactor) -> tuple[str, Mapping[str, Any] | None]:
    """End the kernel if it lives on, and leave a folder that says its run failed and holds no secret.

    Doing it again changes nothing.

    Parameters
    ----------
    folder : pathlib.Path
        Of a run whose process is gone.
    reason : str
        Why it failed.
    finished : pandas.Timestamp
        When that was found out.
    redactor : Redactor
        Secrets that may have been left in files.

    Returns
    -------
    reason : str
        The reason, with the secrets that were found.
    manifest : mapping or None
        The manifest as it stands now; None if there is none that can be read.
    """
    manifest = None
    _end_kernel(folder / KERNEL_FILE)
    # A full disk or a folder that cannot be written must not keep the run on record as running.
    with contextlib.suppress(SetupError, OSError):
        for half in folder.glob(".*.part"):
            half.unlink()  # what it was writing when it was killed
        leaks = tuple(leak for spill in sweep(folder, redactor) for leak in spill.leaks)
        if leaks:
            reason = f"{reason}; leaked: {spelled(leaks)}"
        mark_file_failed(folder / NOTEBOOK_FILE, reason)
        manifest = amend_failed(folder, reason, finished, leaks)
    return reason, manifest


def _end_kernel(path: Path) -> None:
    """Kill the kernel of the run if it is still that process.

    A kernel ends by itself a second after its run's process, unless it is inside a library that lets no other thread
    have its turn.
    """
    with contextlib.suppress(OSError, ValueError, TypeError):
        kernel = Process(**json.loads(path.read_text("utf-8")))
        if kernel.started and kernel.host == platform.node() and start_of(kernel.pid) == kernel.started:
            os.kill(kernel.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        path.unlink()
