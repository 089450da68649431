"""The one way this room compiles a function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import TypeVar, cast

import numba

#: What Numba looks for when it first compiles, to know whether SciPy's matrix products are there.
_ASKED_FOR = "scipy.linalg.cython_blas"

# Looking for it imports all of scipy.linalg, a tenth of a first backtest's time; no kernel here multiplies matrices.
# While Numba's module is loaded the answer is no; code that does multiply matrices asks again when it is compiled.
if _ASKED_FOR not in sys.modules:
    sys.modules[_ASKED_FOR] = None  # type: ignore[assignment]  # how Python marks a module that is not to be found
    try:
        import_module("numba.np.arraymath")
    finally:
        del sys.modules[_ASKED_FOR]

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
