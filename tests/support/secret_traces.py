"""Looks for secrets in every byte of files: plain, in usual encodings, in parts, and inside what is compressed."""

from __future__ import annotations

import base64
import contextlib
import gzip
import html
import io
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from pyarrow import parquet

#: Pieces of so many characters are looked for, one beginning every so many: any run as long as both together is found.
PIECE, STEP = 12, 6


def forms(secret: str) -> dict[str, str]:
    """A secret in every encoding that is looked for, by the encoding's name."""
    raw = secret.encode()
    found = {
        "plain": secret, "backwards": secret[::-1], "URL": quote(secret, safe=""), "HTML": html.escape(secret),
        "JSON": secret.replace("/", "\\/"), "hexadecimal": raw.hex(), "spaced hexadecimal": raw.hex(" "),
        "escaped hexadecimal": "".join(f"\\x{one:02x}" for one in raw), "UTF-16": "\0".join(secret),
    }  # fmt: skip
    for shift in range(3):  # what is encoded together with it, before and after, decides on the first and last letters
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        core = encoded[(0, 2, 3)[shift] : len(encoded) - bool((shift + len(raw)) % 3)]
        found |= {f"base64 {shift}": core, f"base64 for URLs {shift}": core.replace("+", "-").replace("/", "_")}
    return found


def pieces(form: str) -> Iterator[bytes]:
    """Pieces of a form in lower case; its end is one of them."""
    last = max(0, len(form) - PIECE)
    for begin in {*range(0, last, STEP), last}:
        yield form[begin : begin + PIECE].lower().encode()


class Needles:
    """What is looked for.

    Parameters
    ----------
    secrets : mapping of str to str
        By name; each of at least `PIECE` characters.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        assert all(len(secret) >= PIECE for secret in secrets.values())
        self._named: dict[bytes, str] = {}
        for name, secret in secrets.items():
            for encoding, form in forms(secret).items():
                for piece in pieces(form):
                    self._named.setdefault(piece, f"{name} ({encoding})")
        self._begun = np.unique(np.frombuffer(b"".join(piece[:8] for piece in self._named), dtype="<u8"))
        self._likely = np.zeros(1 << 16, dtype=bool)
        self._likely[self._begun & 0xFFFF] = True

    def __len__(self) -> int:
        return len(self._named)

    def found(self, content: bytes) -> set[str]:
        """Names and encodings of what is in there, in upper or lower case."""
        content = content.lower() + bytes(8)  # so that the last eight have a place too
        names = set()
        for shift in range(8):
            words = np.frombuffer(content, dtype="<u8", offset=shift, count=(len(content) - shift) // 8)
            places = np.flatnonzero(self._likely[words & 0xFFFF])
            for place in places[np.isin(words[places], self._begun)].tolist():
                begin = shift + 8 * place
                names.add(self._named.get(content[begin : begin + PIECE], ""))
        return names - {""}


def _sqlite(path: Path, content: bytes) -> Iterator[bytes]:
    """Every value of every table, the write-ahead log included: one that is long lies in pieces in the file."""
    with tempfile.TemporaryDirectory() as folder:  # reading ends the log, whose own bytes are to be looked at too
        for ending in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{path}{ending}", f"{folder}/copy{ending}")
        with contextlib.closing(sqlite3.connect(f"{folder}/copy")) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    yield b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in row)


def _parquet(path: Path, content: bytes) -> Iterator[bytes]:
    """Schema and metadata, and every column: its texts as text, its numbers as they lie in memory."""
    table = parquet.read_table(pa.BufferReader(content))
    yield str(parquet.read_metadata(pa.BufferReader(content)).metadata).encode()
    yield f"{table.schema}".encode()
    for column in table.combine_chunks().columns:
        for chunk in column.chunks:
            yield b"".join(bytes(buffer) for buffer in chunk.buffers() if buffer is not None)
            if not pa.types.is_primitive(chunk.type):
                yield "\n".join(map(str, chunk.to_pylist())).encode()


def _zip(path: Path, content: bytes) -> Iterator[bytes]:
    """Names and content of everything in it, which is how NumPy keeps several arrays."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        for entry in packed.infolist():
            yield entry.filename.encode() + entry.comment + entry.extra
            yield packed.read(entry)


def _gzip(path: Path, content: bytes) -> Iterator[bytes]:
    yield gzip.decompress(content)


def _zlib(path: Path, content: bytes) -> Iterator[bytes]:
    yield zlib.decompress(content)


#: By the first bytes of a file: what it is, and what is inside that its own bytes do not show.
KINDS: Final[tuple[tuple[bytes, str, Callable[[Path, bytes], Iterator[bytes]]], ...]] = (
    (b"SQLite format 3\0", "sqlite", _sqlite),
    (b"PAR1", "parquet", _parquet),
    (b"PK\x03\x04", "zip", _zip),
    (b"\x1f\x8b", "gzip", _gzip),
    (b"x\x9c", "zlib", _zlib),
)

#: First bytes of what is compressed in ways that nobody here undoes: such a file must not be passed over in silence.
UNREADABLE: Final = (b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ", b"\x04\x22\x4d\x18", b"\x89PNG", b"%PDF")


@dataclass(frozen=True)
class Search:
    """What looking through files came to.

    Parameters
    ----------
    found : dict of str to set of str
        Names and encodings of secrets, by path; a path has "name of the file" among them if that holds one.
    read : int
        Bytes looked through, unpacked ones included.
    kinds : dict of str to int
        How many files there were of each kind: those of `KINDS`, and else by the ending of the name.
    unreadable : tuple of str
        Files in which something could hide.
    """

    found: Mapping[str, set[str]]
    read: int
    kinds: Mapping[str, int]
    unreadable: tuple[str, ...]


def search(folder: Path, needles: Needles, passed_over: Iterable[Path] = ()) -> Search:
    """Look through every file below a folder, but for some.

    Nobody may write there meanwhile.
    """
    found: dict[str, set[str]] = {}
    read, kinds, unreadable, left_out = 0, {}, [], set(passed_over)
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path not in left_out):
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        kind, inside = kind_of(path, content)
        kinds[kind] = kinds.get(kind, 0) + 1
        if content.startswith(UNREADABLE):
            unreadable.append(name)
        for part in (name.encode(), content, *inside(path, content)):
            read += len(part)
            found.setdefault(name, set()).update(needles.found(part))
    return Search({name: names for name, names in found.items() if names}, read, kinds, tuple(unreadable))


def kind_of(path: Path, content: bytes) -> tuple[str, Callable[[Path, bytes], Iterable[bytes]]]:
    """What a file is, and what gives its inside."""
    for begins, kind, inside in KINDS:
        if content.startswith(begins):
            return kind, inside
    return path.suffix or path.name, lambda path, content: ()
