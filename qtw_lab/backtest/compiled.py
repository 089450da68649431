"""The one way this room compiles a function, and why its disk cache never serves old rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

#: Rooms whose functions are compiled into those of this one.
_ROOMS = ("backtest", "ledger")


def compiled(function: F) -> F:
    """Compile `function` with Numba on its first call and keep the machine code on disk.

    Numba keeps one file's machine code until that file changes. Ours contains functions of other files (the money rules
    of `ledger`), so the state of all of them is part of the stamp: after any change everything is compiled anew.
    It runs without the interpreter lock, so that threads work side by side; a division by zero gives inf or NaN as in
    NumPy; sums are not reordered.

    Parameters
    ----------
    function : callable
        A function of the subset of Python that Numba knows.
    """
    dispatcher: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    store = dispatcher._cache._cache_file  # noqa: SLF001  (Numba has no public way; a test watches over it)
    store._source_stamp = (store._source_stamp, sources())  # noqa: SLF001  (as above)
    return cast("F", dispatcher)


def inlined(function: F) -> F:
    """Compile `function` into each of its callers."""
    return cast("F", numba.njit(inline="always", error_model="numpy")(function))


@cache
def sources() -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every file whose functions may be compiled together."""
    house = Path(__file__).parent.parent
    found = sorted(path for room in _ROOMS for path in (house / room).glob("*.py"))
    return tuple((f"{path.parent.name}/{path.name}", path.stat().st_mtime_ns, path.stat().st_size) for path in found)
