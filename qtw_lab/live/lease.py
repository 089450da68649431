"""`Lease`: at most one engine at a time works in a folder; who it is, and since when."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from filelock import FileLock, Timeout

from qtw_lab.core import SetupError
from qtw_lab.core.files import write_text

_LOCK: Final = "engine.lock"
_HOLDER: Final = "engine.json"

#: Those who only look hold the lock for some microseconds; whoever wants it waits that long for them to be done.
_PATIENCE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease.

    Parameters
    ----------
    pid : int
        Number of the process.
    host : str
        Its machine.
    since : int
        When it took the lease, nanoseconds since 1970, UTC.
    """

    pid: int
    host: str
    since: int


class Lease:
    """The right to be the engine of a folder, held until `release` or until the process ends in whatever way.

    It is a lock of the operating system on ``engine.lock``: after a crash or kill -9 it is free at once, and no number
    of a dead process can be mistaken for it. ``engine.json`` says who holds it.

    Parameters
    ----------
    folder : pathlib.Path
        The engine's folder; made if missing. It must lie on a local disk.
    since : int
        The present time, nanoseconds since 1970, UTC.

    Raises
    ------
    SetupError
        If another engine has it (the message says which process, and since when), or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Lease(Path(folder), since=10**18):
    ...         holder_of(Path(folder)).pid == os.getpid()
    ...     holder_of(Path(folder)) is None
    True
    True
    """

    def __init__(self, folder: Path, since: int) -> None:
        self.folder = Path(folder)
        self.holder = Holder(os.getpid(), platform.node(), since)
        self._lock = FileLock(self.folder / _LOCK, thread_local=False)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=_PATIENCE, poll_interval=0.01)
        except Timeout:
            raise SetupError(_taken(self.folder)) from None
        except OSError as err:
            raise SetupError(
                f"Cannot write to {self.folder}: {err.strerror or err}. Permit writing there, or set "
                "REALTIME_STATE_DIR to another folder."
            ) from err
        try:
            write_text(self.folder / _HOLDER, json.dumps(asdict(self.holder)))
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Give the lease up; a second time does nothing."""
        self._lock.release(force=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(folder: Path) -> Holder | None:
    """Who has the lease of a folder now; None if nobody does.

    A holder that did not say who it is (it is just starting) has process number 0.
    """
    if not (folder / _LOCK).exists():
        return None
    lock = FileLock(folder / _LOCK, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return _said(folder) or Holder(0, "", 0)
    except OSError:  # a folder that may only be read: believe what it says
        return _said(folder)
    lock.release()
    return None


def _said(folder: Path) -> Holder | None:
    try:
        return Holder(**json.loads((folder / _HOLDER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _taken(folder: Path) -> str:
    holder = _said(folder)
    who = "a process that did not say its number"
    if holder is not None:
        import pandas as pd

        since = pd.Timestamp(holder.since, tz="UTC").strftime("%Y-%m-%d %H:%M:%S UTC")
        who = f"process {holder.pid} on {holder.host}, since {since}"
    return (
        f"An engine already works in {folder}: {who}. Stop that one first (SIGTERM ends it cleanly), or give this one "
        "another REALTIME_STATE_DIR."
    )
