from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import SPA, StationaryBootstrap

from qtw_lab.stats import contests as c
from qtw_lab.stats import snooping as s
from qtw_lab.stats.resampling import optimal_block_length

TESTS = (s.reality_check, s.spa_test, s.step_m)


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


@pytest.mark.parametrize("block", [1, 2.5, 7, 250])
def test_the_variance_is_that_of_the_resampled_mean(block):
    """Computed over frequencies; against the autocovariances of arch, lag by lag, for whole and odd sizes."""
    for size in (250, 251):
        x = table(3, size=size)
        found = c.contest_of(x, None, 10, block, 0, None).variance()
        if block == int(block):
            np.testing.assert_allclose(np.sqrt(found), long_run_deviation(x, int(block)), rtol=1e-9)
        away = x - x.mean(axis=0)
        kernel = (1 - np.arange(size) / size) * (1 - 1 / block) ** np.arange(size)
        circle = np.array([(away * np.roll(away, -lag, axis=0)).mean(axis=0) for lag in range(size)])
        np.testing.assert_allclose(found, circle[0] + 2 * kernel[1:] @ circle[1:], rtol=1e-9)


def test_portions_of_columns_and_resamples_change_nothing(monkeypatch):
    x = table(1, count=40)
    whole = [test(x, reps=100, block=3) for test in TESTS]
    monkeypatch.setattr(c, "_CELLS", 2500)
    rows = np.concatenate(list(c.stationary_bootstrap_indices(400, 3, 100, 0)))
    for before, test in zip(whole, TESTS, strict=True):
        after = test(x, block=3, indices=rows)
        for field in ("p_value", "lower", "consistent", "upper", "p_values"):
            np.testing.assert_allclose(getattr(after, field, 0), getattr(before, field, 0))


def test_one_block_length_is_the_median_of_the_strategies():
    x = table(2, size=500)
    expected = max(1.0, np.median(optimal_block_length(x).stationary))
    assert expected > 1
    for test in TESTS:
        assert test(x, reps=20).block == expected
