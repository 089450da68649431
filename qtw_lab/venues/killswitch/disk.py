"""What a kill switch asks of the disk: locks that end with the process, and writing that is whole or was not done.

It stands apart from `qtw_lab.core.files` because a switch must work where nothing else can be loaded.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: How often a lock that somebody has is asked for again, in seconds.
_POLL: Final = 0.005


@contextlib.contextmanager
def held(path: Path, seconds: float) -> Iterator[bool]:
    """Hold the lock on a folder, or on a file that is there, in this block; whether it was got within some seconds.

    It is got at once or not at all where `seconds` is 0. A lock on a folder needs no file and no space.

    Raises
    ------
    OSError
        If there is no such folder or file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, held(Path(folder), 0) as mine, held(Path(folder), 0) as too:
    ...     mine, too
    (True, False)
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        yield _got(handle, time.monotonic() + seconds)
    finally:
        os.close(handle)


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file that is there, and flush it; what cannot be written in full is taken back.

    Raises
    ------
    OSError
        If it was not done.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        before = os.fstat(handle).st_size
        written = os.write(handle, content)
        if written < len(content):
            if os.fstat(handle).st_size == before + written:  # nobody has written behind it
                os.ftruncate(handle, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, content: bytes) -> None:
    """Let a file have this content, in one step, and flush it.

    Raises
    ------
    OSError
        If it was not done; what was there is untouched.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        flush(path.parent)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def flush(folder: Path) -> None:
    """Make names that were made, changed or removed in a folder outlive a power cut.

    Raises
    ------
    OSError
        If it was not done.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _got(handle: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL)
        except OSError:  # this file system has no locks, so nobody has one
            return True
        else:
            return True
