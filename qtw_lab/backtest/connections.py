"""Connections to SQLite files that stay open: opening, and the tidying of closing, cost more than a row."""

from __future__ import annotations

import atexit
import contextlib
import os
import sqlite3
import threading
from pathlib import Path

#: Seconds to wait for another process that writes.
PATIENCE = 60.0


class _Open(threading.local):
    """The connections of one thread by file, each with the state in which it left the file."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.known: dict[str, tuple[sqlite3.Connection, tuple[int, int, int]]] = {}
        atexit.register(self.close)

    def close(self) -> None:
        """Close all of them."""
        for connection, _ in self.known.values():
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        self.known.clear()


_open = _Open()
_inherited: list[object] = []


def _leave_to_the_parent() -> None:
    """After a fork: connections are the parent's, and even closing them here would disturb it."""
    _inherited.append(dict(_open.known))
    _open.known.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)


def connection(path: Path) -> sqlite3.Connection:
    """A connection of this thread to the file, in autocommit mode; the last one if nobody else touched the file since.

    Raises
    ------
    sqlite3.Error
        If it cannot be opened.
    """
    kept = _open.known.pop(str(path), None)
    if kept is not None:
        if _state(path) == kept[1]:
            return kept[0]
        kept[0].close()
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)


def keep(path: Path, used: sqlite3.Connection) -> None:
    """Keep a connection for the next use. One that met an error is to be closed instead."""
    state = _state(path)
    if state is None:
        used.close()
    else:
        _open.known[str(path)] = (used, state)


def forget(path: Path) -> None:
    """Close this thread's connection to a file, which tidies up what lies beside it."""
    kept = _open.known.pop(str(path), None)
    if kept is not None:
        kept[0].close()


def _state(path: Path) -> tuple[int, int, int] | None:
    """Which file it is and in which state; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
