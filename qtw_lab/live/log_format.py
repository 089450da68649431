"""The bytes of a log, and reading them: whole records only, whatever happened to the file.

A segment is a file ``NAME.000001.log``: a header of 16 bytes (magic ``QTWLOG``, version u16, number u32, CRC-32 of
these 12 bytes), then records. A record is 17 bytes (length of the payload u32, CRC-32 u32, kind u8, received i64) and
the payload; its CRC-32 covers length, kind, received and payload. All numbers are little endian; segments count from 1.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from qtw_lab.core import DataError

#: Kind of a record that stands for bytes nothing could be made of; its payload is JSON: bytes, segment, offset.
DAMAGE: Final = 0

#: Largest payload of one record, in bytes.
LARGEST: Final = 1 << 28

VERSION: Final = 1
HEADER: Final = struct.Struct("<6sHII")
HEAD: Final = struct.Struct("<IIBq")

_MAGIC: Final = b"QTWLOG"
_COVERED: Final = struct.Struct("<IBq")
_CHUNK: Final = 1 << 20
_BLOCK: Final = 1 << 20
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")

#: Records of one segment are taken to lie within this many nanoseconds of each other when a lost place is looked for.
_NEAR: Final = 400 * 86_400 * 10**9


class Place(NamedTuple):
    """A place between two records."""

    segment: int
    offset: int


class Record(NamedTuple):
    """One record.

    Parameters
    ----------
    kind : int
        What it is, 1 to 255; `DAMAGE` (0) stands for unreadable bytes.
    received : int
        When, in nanoseconds since 1970, UTC.
    payload : bytes
        Its content.
    segment, offset : int
        Where it begins.
    end : int
        Where it ends in that segment.
    """

    kind: int
    received: int
    payload: bytes
    segment: int
    offset: int
    end: int

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place(self.segment, self.offset)

    @property
    def after(self) -> Place:
        """Where the next record begins: what to give `read_log` as `start` to go on from here."""
        return Place(self.segment, self.end)


def checked_name(name: str) -> str:
    """The name of a log.

    Raises
    ------
    DataError
        If it is not 1 to 40 of a-z, 0-9, "-" and "_", beginning with a letter.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DataError(
            f"{name!r} is no name for a log: give 1 to 40 of a-z, 0-9, - and _, a letter first, such as 'journal'."
        )
    return name


def segment_path(folder: Path, name: str, number: int) -> Path:
    """The file of one segment."""
    return folder / f"{name}.{number:06d}.log"


def segments(folder: Path, name: str) -> list[int]:
    """The numbers of the segments that a log has, in order; none if there is no such log."""
    pattern = re.compile(re.escape(checked_name(name)) + r"\.(\d{6,})\.log")
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(found.group(1)) for found in map(pattern.fullmatch, names) if found)


def header(number: int) -> bytes:
    """The first bytes of a segment; they follow from its number."""
    start = HEADER.pack(_MAGIC, VERSION, number, 0)[:-4]
    return start + struct.pack("<I", zlib.crc32(start))


def head(kind: int, received: int, payload: bytes | memoryview, size: int) -> bytes:
    """The bytes that come before a payload of `size` bytes."""
    crc = zlib.crc32(payload, zlib.crc32(_COVERED.pack(size, kind, received)))
    return HEAD.pack(size, crc, kind, received)


def read_log(folder: Path, name: str, start: Place | None = None) -> Iterator[Record]:
    """Every whole record from `start` to the end as it is now, in order.

    It takes no lock and may be used while the log is written. Where bytes in the midst cannot be read, one record of
    kind `DAMAGE` stands for them and reading goes on with the next whole record. An end that is not whole (being
    written just now, or torn by a crash) is left out. To follow a log, ask again with the last record's `after`.

    Parameters
    ----------
    folder : pathlib.Path
        Where the segments are.
    name : str
        The log's name.
    start : Place, optional
        Where to begin; at the first record if not given.

    Raises
    ------
    DataError
        If the name is no log's name, or a segment was written by a newer version.

    Examples
    --------
    >>> import tempfile
    >>> from qtw_lab.live.log import LogWriter
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with LogWriter(Path(folder), "notes") as log:
    ...         log.append(1, 1_700_000_000_000_000_000, b"first")
    ...         log.append(2, 1_700_000_000_000_000_001, b"second")
    ...     [(record.kind, record.payload) for record in read_log(Path(folder), "notes")]
    [(1, b'first'), (2, b'second')]
    """
    place = start or Place(0, 0)
    numbers = segments(folder, name)
    while numbers:
        last = numbers[-1]
        for number in numbers:
            if number >= place.segment:
                offset = place.offset if number == place.segment else 0
                for record in records_of(folder, name, number, offset, sealed=number != last):
                    place = record.after
                    yield record
        # A new segment may have come meanwhile; what was written to the old one before that is fetched first.
        numbers = segments(folder, name)
        if numbers[-1:] == [last]:
            return


def records_of(folder: Path, name: str, number: int, offset: int = 0, *, sealed: bool) -> Iterator[Record]:
    """The records of one segment from `offset` on.

    Parameters
    ----------
    sealed : bool
        Whether the segment is never written to again: an end that is not whole is then `DAMAGE`, not work in progress.
    """
    with segment_path(folder, name, number).open("rb", buffering=0) as file:
        if offset < HEADER.size:
            _check_version(file, name, number)
            offset = HEADER.size
        file.seek(offset)
        yield from _records(file, number, offset, sealed=sealed)


def picked_records(
    folder: Path, name: str, number: int, kind: int, wanted: Callable[[bytes], bool], peek: int
) -> Iterator[Record]:
    """Records of one kind of a segment, leaving out unread those whose first bytes are not wanted.

    A segment in which one record does not follow upon the other is read in full instead; `DAMAGE` is left out.

    Parameters
    ----------
    wanted : callable
        Says of the first `peek` bytes of a payload whether the record is wanted.
    """
    found = _picked(segment_path(folder, name, number), number, kind, wanted, peek)
    if found is not None:
        yield from found
        return
    for record in records_of(folder, name, number, sealed=False):
        if record.kind == kind and wanted(record.payload[:peek]):
            yield record


def _picked(path: Path, number: int, kind: int, wanted: Callable[[bytes], bool], peek: int) -> list[Record] | None:
    found, at = [], HEADER.size
    with path.open("rb", buffering=0) as file:
        end = file.seek(0, io.SEEK_END)
        while at + HEAD.size <= end:
            file.seek(at)
            start = file.read(HEAD.size + peek)
            length, _, its, _ = HEAD.unpack_from(start)
            size = HEAD.size + length
            if not its or at + size > end:
                return None
            if its == kind and wanted(start[HEAD.size : size]):
                file.seek(at)
                record = _record_at(file.read(size), 0, size, number, at)
                if record is None:
                    return None
                found.append(record)
            at += size
    return found if at == end else None


def _check_version(file: io.RawIOBase, name: str, number: int) -> None:
    content = file.read(HEADER.size) or b""
    if len(content) < HEADER.size or content == header(number):
        return
    magic, version, _, crc = HEADER.unpack(content)
    if magic == _MAGIC and version != VERSION and crc == zlib.crc32(content[:-4]):
        raise DataError(
            f"Segment {number} of the log {name!r} has format {version}; this version of the package reads format "
            f"{VERSION}. Read it with the version that wrote it, or a newer one."
        )


def _records(file: io.RawIOBase, number: int, base: int, *, sealed: bool) -> Iterator[Record]:
    content, at, near, looked = b"", 0, None, -1
    while True:
        size = _size_at(content, at)
        if size <= len(content) - at:
            record = _record_at(content, at, size, number, base)
            if record is not None:
                near, at = record.received, at + size
                yield record
                continue
        elif more := file.read(max(_CHUNK, size - (len(content) - at))):
            content, base, at = content[at:] + more, base + at, 0
            continue
        if looked != base + at:
            # No whole record is there. Its writer may have been at work: look once more, at the file as it is now.
            looked = base + at
            file.seek(looked)
            content, base, at = file.read() or b"", looked, 0
            continue
        lost = _next_whole(content[at:], near)
        if lost is None and not (sealed and content[at:]):
            return
        lost = len(content) - at if lost is None else lost
        yield _damage(number, base + at, lost, near or 0)
        at += lost


def _size_at(content: bytes, at: int) -> int:
    """The size of the record that begins there, by its own word; of its head if that is not there or makes no sense."""
    if len(content) - at < HEAD.size:
        return HEAD.size
    length = int.from_bytes(content[at : at + 4], "little")
    return HEAD.size + length if length <= LARGEST else HEAD.size


def _record_at(content: bytes, at: int, size: int, number: int, base: int) -> Record | None:
    length, crc, kind, received = HEAD.unpack_from(content, at)
    payload = content[at + HEAD.size : at + size]
    if (
        not kind
        or len(payload) != length
        or zlib.crc32(payload, zlib.crc32(_COVERED.pack(length, kind, received))) != crc
    ):
        return None
    return Record(kind, received, payload, number, base + at, base + at + size)


def _next_whole(content: bytes, near: int | None) -> int | None:
    """The first place after 0 where a whole record begins; None if there is none."""
    view = memoryview(content)
    for first in range(1, len(content) - HEAD.size + 1, _BLOCK):
        for at in _likely(content, first, near):
            length, crc, kind, received = HEAD.unpack_from(content, at)
            covered = zlib.crc32(_COVERED.pack(length, kind, received))
            if zlib.crc32(view[at + HEAD.size : at + HEAD.size + length], covered) == crc:
                return at
    return None


def _likely(content: bytes, first: int, near: int | None) -> list[int]:
    """Places from `first` on, a block of them, whose bytes could be the head of a record."""
    count = min(_BLOCK, len(content) - HEAD.size + 1 - first)

    def column(dtype: str, offset: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.ndarray((count,), dtype, content, first + offset, (1,))

    room = len(content) - HEAD.size - first - np.arange(count)
    good = (column("<u4", 0) <= np.minimum(room, LARGEST)) & (column("u1", 8) > 0)
    if near is not None:
        times = column("<i8", 9)
        good &= (times > near - _NEAR) & (times < near + _NEAR)
    return [first + int(place) for place in np.flatnonzero(good)]


def _damage(number: int, offset: int, size: int, received: int) -> Record:
    payload = json.dumps({"bytes": size, "segment": number, "offset": offset}).encode()
    return Record(DAMAGE, received, payload, number, offset, offset + size)
