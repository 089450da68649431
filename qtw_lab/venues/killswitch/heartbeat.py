"""The heartbeat of an engine: a tiny file that says when it was last seen alive, and by which process."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: The usual name of the file, in the folder of the switch.
HEARTBEAT: Final = "heartbeat.json"


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life: when, in nanoseconds since 1970, UTC, and the number of the process."""

    at: int
    pid: int


@dataclass(frozen=True, slots=True)
class Unread:
    """Why there is no sign of life."""

    reason: str


class Heartbeat:
    """The heartbeat of an engine in a file.

    Parameters
    ----------
    path : path-like
        The file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     heart = Heartbeat(Path(folder) / "heartbeat.json")
    ...     heart.beat(10**18)
    ...     heart.last() == Beat(10**18, os.getpid())
    True
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._pid = os.getpid()
        self._part = self.path.with_name(f".{self.path.name}.{self._pid}.part")

    def beat(self, now: int) -> None:
        """Say that the engine is alive, from the loop that is to be watched and not from a thread beside it.

        The file changes in one step, so nobody reads half of it. It is not flushed to the disk: after a power cut there
        is no engine to speak of.

        Parameters
        ----------
        now : int
            The present, nanoseconds since 1970, UTC.

        Raises
        ------
        SetupError
            If it cannot be written; whoever watches will then halt trading before long.
        """
        try:
            self._part.write_bytes(b'{"at":%d,"pid":%d}' % (now, self._pid))
            self._part.replace(self.path)
        except OSError as err:
            from qtw_lab.core.errors import SetupError

            raise SetupError(
                f"The heartbeat {self.path} cannot be written: {err.strerror or err}. Free some space or permit "
                "writing there: without it the kill switch will trip."
            ) from err

    def last(self) -> Beat | Unread:
        """The last sign of life, or why there is none."""
        try:
            content = json.loads(self.path.read_bytes())
            beat = Beat(content["at"], content["pid"])
        except OSError as err:
            return Unread(f"{self.path.name} cannot be read ({err.strerror})")
        except (ValueError, KeyError, TypeError, RecursionError):
            return Unread(f"{self.path.name} is damaged")
        whole = type(beat.at) is int and type(beat.pid) is int
        return beat if whole else Unread(f"{self.path.name} is damaged")

    def forget(self) -> None:
        """Remove the file, as an engine does that ends as it should."""
        with contextlib.suppress(OSError):
            self.path.unlink()
