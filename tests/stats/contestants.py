"""Strategies to compare, and what arch makes of them: for the tests of contests and of snooping."""

import numpy as np
from arch.bootstrap import SPA, StationaryBootstrap


def noise(size, count, seed, scale=0.01):
    return scale * np.random.default_rng(seed).standard_normal((size, count))


def draws(size, block, reps, seed):
    """The resamples that arch draws with this seed."""
    boot = StationaryBootstrap(block, np.arange(size), seed=seed)
    return np.array([args[0] for args, _ in boot.bootstrap(reps)])


def long_run_deviation(x, block):
    """Root of the variance that arch computes lag by lag."""
    spa = SPA(np.zeros(len(x)), -x, block_size=block, reps=1)
    spa.compute()
    return np.sqrt(spa._loss_diff_var)


def table(seed, size=400, count=12):
    """Strategies of different skill, spread and dependence; some much worse than nothing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, count)) + 0.5 * rng.standard_normal((size, 1))
    x[1:, ::3] += 0.4 * x[:-1, ::3]
    return 0.01 * (x * rng.uniform(0.3, 3, count) + rng.normal(0.02, 0.12, count))
