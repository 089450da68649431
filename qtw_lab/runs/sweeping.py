"""A run's folder swept clean of secrets: what can be masked is, what cannot is deleted, and all of it is told."""

from __future__ import annotations

import gzip
import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qtw_lab.core.files import write_bytes
from qtw_lab.runs.secrecy import Leak, Redactor

#: Bytes of an archive that are unpacked to be looked through.
_MOST_UNPACKED: Final = 500_000_000
#: Archives inside archives are opened so often.
_DEEPEST: Final = 3
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Spill:
    """A file or folder in which a secret was found.

    Parameters
    ----------
    path : str
        Where, relative to the folder swept; secrets in it masked.
    names : tuple of str
        The secrets.
    deleted : bool
        Whether it had to go: masking would have broken it, or its own name held the secret.
    """

    path: str
    names: tuple[str, ...]
    deleted: bool

    @property
    def shown(self) -> str:
        """The path, with the ending " (deleted)" where it is no longer there."""
        return f"{self.path} (deleted)" if self.deleted else self.path

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """One for each secret."""
        return tuple(Leak(name, self.shown) for name in self.names)


def sweep(folder: Path, redactor: Redactor) -> tuple[Spill, ...]:
    """Mask every file below `folder`, and say which ones held a secret.

    A text file is rewritten. Another file cannot be masked without breaking it and is deleted, as is whatever has a
    secret in its own name, and a ZIP or gzip file with a secret inside.
    """
    if not redactor.secrets:
        return ()
    found = []
    for path in sorted(folder.rglob("*"), key=lambda one: (-len(one.parts), one)):
        spill = _swept(path, path.relative_to(folder).as_posix(), redactor)
        if spill is not None:
            found.append(spill)
    return tuple(sorted(found, key=lambda spill: spill.path))


def files_below(folder: Path) -> Iterator[Path]:
    """Every regular file below `folder` in order of its path; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _swept(path: Path, name: str, redactor: Redactor) -> Spill | None:
    """What had to be done about one file, link or folder whose contents are swept already."""
    own = redactor.names(name) or (redactor.names(str(path.readlink())) if path.is_symlink() else ())
    if own:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return Spill(redactor.text(name), own, deleted=True)
    if path.is_symlink() or not path.is_file():
        return None
    content = path.read_bytes()
    readable = content.decode("utf-8", errors="surrogateescape")
    masked = redactor.text(readable)
    if masked != readable and _is_text(content):
        write_bytes(path, masked.encode("utf-8"))
        return Spill(redactor.text(name), redactor.names(readable), deleted=False)
    names = redactor.names(readable) or _names_inside(content, redactor)
    if not names:
        return None
    path.unlink()
    return Spill(redactor.text(name), names, deleted=True)


def _names_inside(content: bytes, redactor: Redactor, depth: int = 0) -> tuple[str, ...]:
    """Secrets in what a ZIP or gzip file holds."""
    names: dict[str, None] = {}
    if depth < _DEEPEST:
        for part in _parts(content):
            names |= dict.fromkeys(redactor.names(part.decode("utf-8", errors="surrogateescape")))
            names |= dict.fromkeys(_names_inside(part, redactor, depth + 1))
    return tuple(names)


def _parts(content: bytes) -> Iterator[bytes]:
    """The contents of an archive, names included; nothing where it is none, or is damaged or locked."""
    room = _MOST_UNPACKED
    try:
        if content.startswith(_GZIP):
            with gzip.open(io.BytesIO(content)) as packed:
                yield packed.read(room)
        elif zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield "\n".join(archive.namelist()).encode()
                for entry in archive.infolist():
                    with archive.open(entry) as packed:
                        part = packed.read(room)
                    room -= len(part)
                    yield part
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
