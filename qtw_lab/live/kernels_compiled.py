"""How this room compiles its kernels, and the parts they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba

from qtw_lab.venues.compiled import stamped

F = TypeVar("F", bound=Callable[..., object])

#: As `qtw_lab.indicators.compiled` has it, but without counting references to arrays: a kernel here is given two dozen,
#: and counting them up and down at each step of an event took nine tenths of its time. In return a kernel must not make
#: an array; Numba refuses to compile one that does.
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(function: F) -> F:
    """Compile a kernel with Numba on its first call and keep the machine code on disk until a source of it changes.

    It runs without the interpreter lock, and a division by zero gives inf or NaN as in NumPy.

    Parameters
    ----------
    function : callable
        A function of the subset of Python that Numba knows, which makes no array.

    Examples
    --------
    >>> from qtw_lab.live.kernels_cells import believable
    >>> believable(10.0, 100.0), believable(10.0, 0.0)
    (True, False)
    """
    return stamped(cast("F", numba.njit(cache=True, **_OPTIONS)(function)))


def inlined(function: F) -> F:
    """Compile a part of kernels, each time into the kernel that calls it.

    Parameters
    ----------
    function : callable
        As for `compiled`.
    """
    return cast("F", numba.njit(forceinline=True, **_OPTIONS)(function))
