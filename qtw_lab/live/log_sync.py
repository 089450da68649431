"""Making what was written to a file outlast a power cut, without waiting for the disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from qtw_lab.core.files import flush_folder


class Syncer:
    """Tells the disk now and then, in a thread of its own, to make the file it follows last.

    Parameters
    ----------
    seconds : float or None
        How long after a write at most; 0 does it within `check`, by the thread that wrote; None never but in `wait`.

    Examples
    --------
    >>> import tempfile
    >>> syncer = Syncer(0.01)
    >>> with tempfile.TemporaryFile() as file:
    ...     syncer.follow(os.dup(file.fileno()), None)
    ...     syncer.written()
    ...     syncer.wait()
    ...     syncer.close()
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._handle = -1
        self._old: list[int] = []
        self._folder: Path | None = None
        self._dirty = False
        self._error: OSError | None = None
        self._change = threading.Lock()
        self._work = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, handle: int, folder: Path | None) -> None:
        """Follow an open file from now on; it is closed here when another follows it.

        Parameters
        ----------
        handle : int
            Its descriptor.
        folder : pathlib.Path or None
            Where it is, if it is new there.
        """
        with self._change:
            if self._handle >= 0:
                self._old.append(self._handle)
            self._handle, self._folder, self._dirty = handle, folder or self._folder, True
        if self._seconds and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log-sync", daemon=True)
            self._thread.start()

    def written(self) -> None:
        """Something was written to the file."""
        self._dirty = True

    def check(self) -> None:
        """Raise what went wrong since it was asked last (once).

        Raises
        ------
        OSError
            What the disk said.
        """
        if self._seconds == 0:
            self.wait()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def wait(self) -> None:
        """Make all that was written last, and return when that is done.

        Raises
        ------
        OSError
            If it could not be.
        """
        with self._work:
            self._sync()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """End, and close the file."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        with self._work, self._change:
            for handle in [*self._old, *([self._handle] if self._handle >= 0 else [])]:
                os.close(handle)
            self._old, self._handle = [], -1

    def _run(self) -> None:
        while not self._end.wait(self._seconds):
            with self._work:
                self._sync()

    def _sync(self) -> None:
        with self._change:
            if not self._dirty:
                return
            self._dirty = False
            handle, old, folder = self._handle, self._old, self._folder
            self._old, self._folder = [], None
        try:
            for each in old:
                _to_disk(each)
            _to_disk(handle)
            if folder is not None:
                flush_folder(folder)
        except OSError as err:
            self._error = err
        finally:
            for each in old:
                os.close(each)


def _to_disk(handle: int) -> None:
    getattr(os, "fdatasync", os.fsync)(handle)
