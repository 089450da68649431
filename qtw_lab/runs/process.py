"""Which process does a run, told apart from a later one that happens to get the same number."""

from __future__ import annotations

import importlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of some machine.

    Parameters
    ----------
    host : str
        Name of the machine.
    pid : int
        Process number there.
    started : str
        When it started, in the system's own terms; empty where the system does not say.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> Process:
        """The process this code runs in.

        Examples
        --------
        >>> Process.current().gone
        False
        """
        return cls(platform.node(), os.getpid(), start_of(os.getpid()) or "")

    @property
    def gone(self) -> bool:
        """Whether the process has certainly ended. One on another machine, or one we cannot see, may still live."""
        if self.host != platform.node() or not self.started:
            return False
        return start_of(self.pid) != self.started


def start_of(pid: int) -> str | None:
    """When the living process `pid` started, in the system's own terms; None if there is none, or it is a zombie.

    On Linux the kernel says (field 22 of ``/proc/PID/stat``, in clock ticks since the boot whose id is put before it);
    elsewhere psutil does, which every Jupyter kernel brings along.

    Examples
    --------
    >>> start_of(os.getpid()) == start_of(os.getpid())
    True
    """
    return _from_proc(pid) if (_PROC / "self" / "stat").exists() else _from_psutil(pid)


def _from_proc(pid: int) -> str | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program stands in parentheses and may hold anything; the fields after it are well behaved.
    state, *fields = stat.rpartition(")")[2].split()
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return None if state in ("Z", "X") else f"{boot}:{fields[18]}"


def _from_psutil(pid: int) -> str | None:
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None
