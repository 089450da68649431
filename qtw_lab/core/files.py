"""Writing a file so that readers see the old one or the new one, never a half."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from qtw_lab.core.errors import SetupError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place, flushed to disk, when the block ends well.

    If the block raises, or the process dies, `path` keeps what it had. Parent folders are made.

    Parameters
    ----------
    path : pathlib.Path
        The file to create or replace.

    Raises
    ------
    SetupError
        If the folder cannot be written or the disk is full; the message names the folder and the mend.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        flush_folder(path.parent)
    except OSError as err:
        raise SetupError(
            f"Cannot write {path.name} in {path.parent}: {err.strerror or err}. Free some space or permit writing "
            "there, or set QTW_STORAGE_DIR to a folder that can be written. What was there before is untouched."
        ) from err
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Replace `path` by `text` (UTF-8) in one step and return the path.

    Raises
    ------
    SetupError
        As `replacing`.
    """
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> Path:
    """Replace `path` by `content` in one step and return the path.

    Raises
    ------
    SetupError
        As `replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def flush_folder(folder: Path) -> None:
    """Make names that are new in `folder` outlive a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
