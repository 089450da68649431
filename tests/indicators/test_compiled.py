from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np

from qtw_lab.indicators import recursions, rolling
from qtw_lab.indicators.compiled import compiled


@compiled
def quotient(a, b):
    return a / b


def test_a_division_by_zero_is_that_of_numpy():
    assert quotient(1.0, 0.0) == np.inf
    assert np.isnan(quotient(0.0, 0.0))


def test_compensated_summation_survives_compilation():
    """1e16 leaves a sum of ones no digits; a compensated one keeps them."""
    x = np.array([1e16, 1.0, 1.0, 1.0, 1.0, -1e16])
    found = np.full(6, np.nan)
    rolling.sum_into(x, 0, 6, found, mean=False)
    assert found[-1] == 4.0


def test_kernels_run_without_the_interpreter_lock():
    """While a kernel works in another thread, this one keeps running Python."""
    values, counts = np.random.default_rng(0).normal(size=(1, 1, 100_000)), np.array([100_000])
    out = np.empty((1, 200, 100_000))
    rolling.rolling_mean(values, counts, np.array([[5]]), out[:, :1])
    worker = threading.Thread(target=rolling.rolling_mean, args=(values, counts, np.full((1, 200), 5), out))
    turns = 0
    worker.start()
    while worker.is_alive():
        turns += 1
    assert turns > 100


def test_every_kernel_keeps_its_machine_code_on_disk():
    kernels = [f for module in (rolling, recursions) for f in vars(module).values() if hasattr(f, "py_func")]
    assert len(kernels) > 25
    assert all(kernel.targetoptions["nogil"] and "cache" not in kernel.targetoptions for kernel in kernels)
    assert all(type(kernel._cache).__name__ == "FunctionCache" for kernel in kernels)


def test_importing_the_package_does_not_import_numba():
    code = "import sys, qtw_lab, qtw_lab.stats; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
