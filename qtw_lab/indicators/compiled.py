"""The one way this room compiles a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile `function` with Numba on its first call and keep the machine code on disk.

    It runs without the interpreter lock, so that a sweep's threads work side by side; a division by zero gives inf or
    NaN as in NumPy; sums are not reordered, because compensated summation would be optimised away.

    Parameters
    ----------
    function : callable
        A function of the subset of Python that Numba knows.

    Examples
    --------
    >>> from qtw_lab.indicators.recursions import apart
    >>> apart(0.1 + 0.2, 0.3), apart(1.5, 1.0)
    (0.0, 0.5)
    """
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
