"""`LogWriter`: an append-only log in numbered segments, readable after a crash at any byte, and while it is written.

The bytes are described in `qtw_lab.live.log_format`; `read_log` reads them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from filelock import FileLock, Timeout

from qtw_lab.core import DataError, SetupError
from qtw_lab.live.log_format import (
    DAMAGE,
    HEAD,
    HEADER,
    LARGEST,
    Place,
    Record,
    checked_name,
    head,
    header,
    read_log,
    records_of,
    segment_path,
    segments,
)
from qtw_lab.live.log_sync import Syncer

__all__ = ["DAMAGE", "LogWriter", "Place", "Record", "read_log", "segments"]

#: After a write that failed, seconds until `append` tries again by itself.
_PATIENCE: Final = 1.0

#: What begins a segment: nothing, or the kind, time and payload of its first record.
Opening = Callable[[], tuple[int, int, bytes] | None]


@dataclass
class _Batch:
    """Records of one segment that are not yet in its file."""

    content: bytearray = field(default_factory=bytearray)
    ends: list[int] = field(default_factory=list)

    def drop(self, size: int) -> None:
        """Forget the whole records within the first `size` bytes, which are in the file."""
        count = bisect_right(self.ends, size)
        cut = self.ends[count - 1] if count else 0
        self.content = self.content[cut:]  # a new one: a traceback may still hold a view of the old
        self.ends = [end - cut for end in self.ends[count:]]


class Closable:
    """Something that is closed when the block that it was opened for ends."""

    def close(self) -> None:
        """End; what that means is for each to say."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LogWriter(Closable):
    """The writer of a log; there is at most one at a time.

    Opening continues the last segment. What a crash left of a record at its end is cut off; if whole records lie behind
    unreadable bytes, nothing is cut and a new segment begins. Records are gathered in memory and written together.

    When the disk is full (or a quota, or a limit of file size is reached), the file is left ending after its last whole
    record, and what could not be written waits in memory: `flush` raises, and writes it when there is room again.
    `append` raises only if it did not take the record, because what waits has grown to `waiting_bytes`.

    One thread may use it; the disk is told to make things last (fdatasync) in another, so that this never waits for it.

    Parameters
    ----------
    folder : pathlib.Path
        Where the segments are; made if missing.
    name : str
        The log's name, such as "journal".
    segment_bytes : int
        Size from which on a new segment begins.
    sync_seconds : float or None
        What was written outlives a power cut after about this long; 0 waits for the disk in every flush, None leaves it
        to the system. A crash of the process alone loses nothing that was flushed.
    flush_seconds, flush_bytes : float, int
        `append` writes what was gathered when this long has passed since, or so much has come together.
    waiting_bytes : int
        How much may wait in memory.
    opening : callable, optional
        Gives the kind, time and payload of the first record of each new segment.
    monotonic : callable
        Seconds that only grow.

    Raises
    ------
    DataError
        If an argument is no such name or size, or the log was written by a newer version.
    SetupError
        If another writer has the log, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with LogWriter(Path(folder), "notes") as log:
    ...         log.append(7, 1_700_000_000_000_000_000, b"hello")
    ...     [record.payload for record in read_log(Path(folder), "notes")]
    [b'hello']
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        segment_bytes: int = 64 << 20,
        sync_seconds: float | None = 1.0,
        *,
        flush_seconds: float = 0.05,
        flush_bytes: int = 1 << 20,
        waiting_bytes: int = 64 << 20,
        opening: Opening | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.name = Path(folder), checked_name(name)
        _check_sizes(segment_bytes=segment_bytes, flush_bytes=flush_bytes, waiting_bytes=waiting_bytes)
        self._segment_bytes, self._flush_bytes, self._waiting_bytes = segment_bytes, flush_bytes, waiting_bytes
        self._flush_seconds, self._opening, self._monotonic = flush_seconds, opening, monotonic
        #: Why the last write failed; None if it did not.
        self.fault: SetupError | None = None
        #: Records that were refused because too much waited.
        self.refused = 0
        self._batches: deque[_Batch] = deque([_Batch()])
        self._waiting = 0
        self._due = monotonic()
        self._handle, self._number, self._size, self._planned = -1, 0, 0, 0
        self._lock = _locked(self.folder, self.name)
        self._syncer = Syncer(sync_seconds)
        try:
            self._continue()
        except OSError as err:
            self._release()
            raise self._refusal(err) from err
        except BaseException:
            self._release()
            raise

    @property
    def place(self) -> Place:
        """Where the next record will be written; what lies before it is in the file."""
        return Place(self._number, self._size)

    @property
    def waiting(self) -> int:
        """Bytes that are gathered and not yet written."""
        return self._waiting

    def append(self, kind: int, received: int, payload: bytes | bytearray | memoryview) -> None:
        """Take a record; the payload is copied at once.

        Parameters
        ----------
        kind : int
            1 to 255.
        received : int
            Nanoseconds since 1970, UTC.
        payload : bytes-like
            At most 256 MiB.

        Raises
        ------
        DataError
            If the kind or the size is out of bounds.
        SetupError
            If the record was not taken: the log is closed, or too much already waits for the disk.
        """
        view = payload if isinstance(payload, bytes) else memoryview(payload).cast("B")
        size = len(view)
        self._need_open()
        if not 1 <= kind <= 255 or size > LARGEST:
            raise DataError(
                f"A record of kind {kind} with {size} bytes cannot be: kinds are 1 to 255, {LARGEST} bytes the most."
            )
        if self._waiting + size > self._waiting_bytes:
            self._make_room(size)
        self._take(kind, received, view, size)
        if self._waiting >= self._flush_bytes or self._monotonic() >= self._due:
            with contextlib.suppress(SetupError):
                self.flush()

    def flush(self) -> None:
        """Write what was gathered, so that every reader sees it.

        Raises
        ------
        SetupError
            If it could not be written, or an earlier write could not be made to last. What was not written is kept for
            the next time.
        """
        self._need_open()
        try:
            self._write_out()
            self._syncer.check()
        except OSError as err:
            self._due = self._monotonic() + _PATIENCE
            self.fault = self._refusal(err)
            raise self.fault from err
        self._due = self._monotonic() + self._flush_seconds
        self.fault = None

    def sync(self) -> None:
        """Flush, and wait until the disk has it.

        Raises
        ------
        SetupError
            As `flush`.
        """
        self.flush()
        try:
            self._syncer.wait()
        except OSError as err:
            self.fault = self._refusal(err)
            raise self.fault from err

    def close(self) -> None:
        """Write and sync what was gathered, and let the log go, whatever comes of it; a second time does nothing.

        Raises
        ------
        SetupError
            If something could not be written; it is lost then.
        """
        if self._handle < 0:
            return
        try:
            self.sync()
        finally:
            self._release()

    def _take(self, kind: int, received: int, view: bytes | memoryview, size: int) -> None:
        whole = size + HEAD.size
        if self._planned + whole > self._segment_bytes and self._planned > HEADER.size:
            self._batches.append(_Batch())
            self._planned = HEADER.size
            first = self._opening and self._opening()
            if first:
                self._put(first[0], first[1], first[2], len(first[2]))
        self._put(kind, received, view, size)

    def _put(self, kind: int, received: int, view: bytes | memoryview, size: int) -> None:
        batch = self._batches[-1]
        batch.content += head(kind, received, view, size)
        batch.content += view
        batch.ends.append(len(batch.content))
        self._planned += HEAD.size + size
        self._waiting += HEAD.size + size

    def _make_room(self, size: int) -> None:
        """Write, so that a record of that size may wait."""
        if self._monotonic() >= self._due or self.fault is None:
            with contextlib.suppress(SetupError):
                self.flush()
        if self._waiting and self._waiting + size > self._waiting_bytes:
            self.refused += 1
            raise SetupError(
                f"A record for the log {self.name!r} was not taken: {self._waiting} bytes already wait for the disk. "
                f"{self.fault or ''}".strip()
            ) from self.fault

    def _write_out(self) -> None:
        while True:
            batch = self._batches[0]
            if batch.ends:
                self._write(batch)
            if len(self._batches) == 1:
                return
            self._begin(self._number + 1)
            self._batches.popleft()

    def _write(self, batch: _Batch) -> None:
        """Write a batch; if it cannot be written in full, keep what is whole and cut off the rest."""
        done, total = 0, len(batch.content)
        try:
            with memoryview(batch.content) as view:
                while done < total:
                    done += os.pwrite(self._handle, view[done:], self._size + done)
        finally:
            before = len(batch.content)
            batch.drop(done)
            written = before - len(batch.content)
            self._size += written
            self._waiting -= written
            if written < done:
                with contextlib.suppress(OSError):  # the next write begins at the same place whether it was cut or not
                    os.ftruncate(self._handle, self._size)
            self._syncer.written()

    def _continue(self) -> None:
        """Open the last segment for more, or a new one."""
        numbers = segments(self.folder, self.name)
        if not numbers:
            self._begin(1)
        else:
            end = _whole_end(self.folder, self.name, numbers[-1])
            if end is None:
                self._begin(numbers[-1] + 1)
            else:
                self._reopen(numbers[-1], end)
        self._planned = self._size
        if self._size == HEADER.size and self._opening and (first := self._opening()):
            self._put(first[0], first[1], first[2], len(first[2]))

    def _reopen(self, number: int, end: int) -> None:
        path = segment_path(self.folder, self.name, number)
        self._handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        self._syncer.follow(self._handle, None)
        _write_header(self._handle, number)
        os.ftruncate(self._handle, end)
        self._number, self._size = number, end

    def _begin(self, number: int) -> None:
        """Make a segment and write to it from now on; if it cannot be made, all stays as it was."""
        path = segment_path(self.folder, self.name, number)
        handle = -1
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
            _write_header(handle, number)
        except OSError:
            if handle >= 0:
                os.close(handle)
                path.unlink(missing_ok=True)
            raise
        self._handle, self._number, self._size = handle, number, HEADER.size
        self._syncer.follow(handle, self.folder)

    def _release(self) -> None:
        self._syncer.close()
        self._handle = -1
        self._lock.release()

    def _need_open(self) -> None:
        if self._handle < 0:
            raise SetupError(f"The log {self.name!r} in {self.folder} is closed; open it again to write to it.")

    def _refusal(self, err: OSError) -> SetupError:
        return SetupError(
            f"Cannot write the log {self.name!r} in {self.folder}: {err.strerror or err}. It can be read up to its "
            f"last whole record; {self._waiting} bytes wait in memory. Free some space or permit writing there."
        )


def _write_header(handle: int, number: int) -> None:
    if os.pwrite(handle, header(number), 0) != HEADER.size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1024:
            raise DataError(f"{name} is {size!r}; give a whole number of bytes, at least 1024.")


def _locked(folder: Path, name: str) -> FileLock:
    lock = FileLock(folder / f"{name}.lock", thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise SetupError(
            f"The log {name!r} in {folder} is being written by another process (or another writer of this one). Stop "
            "that one first, or give another folder."
        ) from None
    except OSError as err:
        raise SetupError(
            f"Cannot write to {folder}: {err.strerror or err}. Permit writing there, or give another folder."
        ) from err
    return lock


def _whole_end(folder: Path, name: str, number: int) -> int | None:
    """Where the whole records of a segment end; None if there are some behind unreadable bytes."""
    end = HEADER.size
    for record in records_of(folder, name, number, sealed=False):
        if record.kind == DAMAGE:
            return None
        end = record.end
    return end
