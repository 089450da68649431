"""How this room and `live` compile a function, and why their disk cache never serves code of an earlier version.

Numba keeps the machine code of a function until the file of that function changes. The code also contains functions and
constants of other files, so the contents of all of them are part of the stamp here: every file of the rooms that
compiled code draws on, found by following the imports of the function's own file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from qtw_lab.indicators.compiled import compiled as plainly

F = TypeVar("F", bound=Callable[..., object])

#: Rooms whose functions and numbers may be compiled into others. A test looks for any that is missing.
_ROOMS: Final = ("indicators", "venues", "live")
_HOUSE: Final = Path(__file__).parent.parent
_IMPORT: Final = re.compile(
    r"^[ \t]*(?:from|import) +qtw_lab\.([\w.]+)(?: +import +(\([^)]*\)|[^\n#]*))?", re.MULTILINE
)


def compiled(function: F) -> F:
    """Compile `function` with Numba on its first call, keep the machine code on disk, and forget it in time.

    It is kept until the file of `function`, or any file that its file imports from, has another content; in all else as
    `qtw_lab.indicators.compiled.compiled`.

    Parameters
    ----------
    function : callable
        A function of the subset of Python that Numba knows.

    Examples
    --------
    >>> from qtw_lab.venues.conditions import effects
    >>> effects(0, ord("A"), True)
    7
    """
    return stamped(plainly(function))


def stamped(dispatcher: F) -> F:
    """Make the contents of all that a compiled function may contain part of the stamp of its machine code on disk.

    Parameters
    ----------
    dispatcher : callable
        What ``numba.njit(cache=True)`` made of a function in one of the rooms; anything else is given back as it is.
    """
    found: Any = dispatcher
    kept = getattr(getattr(found, "_cache", None), "_cache_file", None)  # Numba has no public way; a test watches it
    if kept is not None:
        kept._source_stamp = (kept._source_stamp, fingerprint(Path(found.py_func.__code__.co_filename)))  # noqa: SLF001  (as above)
    return cast("F", found)


def fingerprint(path: Path) -> str:
    """SHA-256 of the contents of a file and of all it draws on, as they are now on disk."""
    digest = hashlib.sha256()
    for source in sorted(sources(path)):
        digest.update(_content(source).encode())
    return digest.hexdigest()


@cache
def sources(path: Path) -> frozenset[Path]:
    """A file and every file of the rooms that it imports from, directly or through others.

    Examples
    --------
    >>> from qtw_lab.venues import conditions
    >>> sorted(found.name for found in sources(Path(conditions.__file__)))
    ['compiled.py', 'compiled.py', 'conditions.py', 'ticks.py']
    """
    found, waiting = {path}, [path]
    while waiting:
        fresh = _named(waiting.pop()) - found
        found |= fresh
        waiting += fresh
    return frozenset(found)


@cache
def _named(path: Path) -> frozenset[Path]:
    """The files of the rooms that a file names in its imports."""
    found = set()
    for match in _IMPORT.finditer(_content(path)):
        module, names = match[1].split("."), re.findall(r"\w+", match[2] or "")
        if module[0] in _ROOMS:
            places = [_HOUSE.joinpath(*module, *more) for more in ((), *((name,) for name in names))]
            found |= {place.with_suffix(".py") for place in places} | {place / "__init__.py" for place in places}
    return frozenset(one for one in found if one.is_file())


@cache
def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8")
