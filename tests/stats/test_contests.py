from __future__ import annotations

import numpy as np
import pytest

from qtw_lab.stats import contests as c
from qtw_lab.stats import snooping as s
from qtw_lab.stats.resampling import optimal_block_length
from tests.stats.contestants import long_run_deviation, table

TESTS = (s.reality_check, s.spa_test, s.step_m)


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
