"""Trees of processes: what belongs to a run, how much memory it holds, and its end."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import time
from collections.abc import Iterable
from typing import Any, Final

from qtw_lab.core.extras import need
from qtw_lab.runs.process import Process, start_of

#: How often a tree is looked through for processes born while it was being stopped.
_ROUNDS: Final = 10
#: Seconds that a killed process may take to be gone.
_PATIENCE: Final = 5.0


def lives(process: Process | None) -> bool:
    """Whether this very process lives on this machine; its number may have come round to another.

    Examples
    --------
    >>> lives(Process.current()), lives(Process(platform.node(), os.getpid(), "long ago"))
    (True, False)
    """
    return (
        process is not None
        and bool(process.started)
        and process.host == platform.node()
        and start_of(process.pid) == process.started
    )


def resident(roots: Iterable[Process]) -> int:
    """Bytes of memory that the trees below these processes hold together; a page that two share counts twice."""
    psutil = need("psutil", "dashboards")
    total = 0
    for member in _members(roots).values():
        with contextlib.suppress(psutil.Error):
            total += int(member.memory_info().rss)
    return total


def kill(roots: Iterable[Process]) -> None:
    """End these processes and everything they started, for good.

    A kernel lives in a session of its own, so a process group is not enough. The whole tree is stopped before any of it
    is killed: an orphan's parent is not known any more, and what stands still starts nothing new.
    """
    psutil = need("psutil", "dashboards")
    tops = list(roots)
    members: dict[int, Any] = {}
    for _ in range(_ROUNDS):
        found = {pid: member for pid, member in _members(tops).items() if pid not in members}
        if not found:
            break
        for member in found.values():
            with contextlib.suppress(psutil.Error):
                member.suspend()
        members |= found
    for pid in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)  # with those of its group whose parent had ended before
    for member in members.values():
        with contextlib.suppress(psutil.Error):
            member.kill()
    _await(members.values(), psutil)


def _await(members: Iterable[Any], psutil: Any) -> None:
    """Wait until all are gone; one that is dead and not yet collected by its parent counts as gone."""
    until = time.monotonic() + _PATIENCE
    left = list(members)
    while left and time.monotonic() < until:
        left = [member for member in left if _runs(member, psutil)]
        time.sleep(0.01)


def _runs(member: Any, psutil: Any) -> bool:
    try:
        return bool(member.is_running() and member.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _members(roots: Iterable[Process]) -> dict[int, Any]:
    """The living processes of the trees by number, without the one that asks."""
    psutil = need("psutil", "dashboards")
    found: dict[int, Any] = {}
    for root in filter(lives, roots):
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(root.pid)
            found |= {member.pid: member for member in (top, *top.children(recursive=True))}
    found.pop(os.getpid(), None)
    return found
