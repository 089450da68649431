from __future__ import annotations

import numpy as np
import pytest
from arch import bootstrap as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import resampling as b

NORMAL = 0.0005 + 0.01 * np.random.default_rng(5).standard_normal(400)


def autoregressive(slopes, size, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, len(slopes)))
    for t in range(1, size):
        x[t] += np.asarray(slopes) * x[t - 1]
    return x


@given(st.integers(1, 60), st.floats(0, 1), st.integers(1, 40), st.booleans())
@settings(max_examples=60, deadline=None)
def test_resamples_are_whole_rows_of_bars_that_exist(length, share, reps, stationary):
    block = 1 + share * (length - 1)
    draw = b.stationary_bootstrap_indices if stationary else b.circular_bootstrap_indices
    rows = np.concatenate(list(draw(length, block if stationary else round(block), reps)))
    assert rows.shape == (reps, length)
    assert rows.min() >= 0
    assert rows.max() < length
    counts = b.resample_counts(rows)
    np.testing.assert_array_equal(counts.sum(axis=1), length)
    values = np.arange(length) ** 2.0
    np.testing.assert_allclose(counts @ values, values[rows].sum(axis=1))


def test_memory_is_bounded_and_the_first_resamples_do_not_depend_on_how_many_follow():
    few = np.concatenate(list(b.stationary_bootstrap_indices(3000, 20, 100, seed=4)))
    portions = list(b.stationary_bootstrap_indices(3000, 20, 800, seed=4))
    assert len(portions) > 1
    assert max(part.size for part in portions) <= 1 << 20
    np.testing.assert_array_equal(np.concatenate(portions)[:100], few)
    circular = [np.concatenate(list(b.circular_bootstrap_indices(3000, 20, n, seed=4)))[:100] for n in (100, 800)]
    np.testing.assert_array_equal(*circular)


def test_stationary_blocks_have_geometric_lengths_and_start_anywhere():
    """Of mean 5: a step breaks the block with probability 0.2, less the 1 in 50 that lands on the next bar anyway."""
    rows = np.concatenate(list(b.stationary_bootstrap_indices(50, 5, 4000, seed=1)))
    goes_on = np.diff(rows, axis=1) % 50 == 1
    assert goes_on.mean() == pytest.approx(1 - 0.2 * 49 / 50, abs=0.003)
    counts = np.bincount(rows[:, 0], minlength=50)
    assert stats.chisquare(counts).pvalue > 0.01
    assert stats.chisquare(np.bincount(rows[:, -1], minlength=50)).pvalue > 0.01
    after = goes_on[:, 1:][goes_on[:, :-1]]
    assert after.mean() == pytest.approx(goes_on.mean(), abs=0.004)  # no memory


def test_circular_blocks_have_one_length():
    rows = np.concatenate(list(b.circular_bootstrap_indices(50, 8, 500, seed=1)))
    steps = np.diff(rows, axis=1) % 50
    inside = np.ones(49, dtype=bool)
    inside[7::8] = False
    assert (steps[:, inside] == 1).all()
    assert (steps[:, ~inside] != 1).mean() > 0.95


def test_a_block_of_one_is_drawing_with_replacement():
    """The mean of an independent resample has variance (1 - 1 / T) s ** 2 / T."""
    rows = np.concatenate(list(b.stationary_bootstrap_indices(len(NORMAL), 1, 4000, seed=2)))
    means = b.resample_counts(rows) @ NORMAL / len(NORMAL)
    assert means.std() == pytest.approx(NORMAL.std() / np.sqrt(len(NORMAL)), rel=0.04)
    assert means.mean() == pytest.approx(NORMAL.mean(), abs=4 * means.std() / np.sqrt(4000))


def test_blocks_keep_the_variance_that_single_bars_lose():
    """The mean of an autoregression of slope 0.6 has 2.5 times the deviation that its bars alone would give it."""
    x = autoregressive([0.6], 4000, seed=8)[:, 0]
    truth = 1 / (1 - 0.6) / np.sqrt(4000)
    error = {}
    for block in (1, 60):
        rows = b.stationary_bootstrap_indices(4000, block, 400, seed=2)
        error[block] = np.concatenate([b.resample_counts(part) @ x / 4000 for part in rows]).std()
    assert error[60] == pytest.approx(truth, rel=0.15)
    assert error[1] < 0.6 * truth


@pytest.mark.parametrize(
    ("wrong", "name"),
    [((0, 1, 1), "length"), ((5.0, 1, 1), "length"), ((5, 0.5, 1), "block"), ((5, 6, 1), "block"),
     ((5, np.nan, 1), "block"), ((5, 1, 0), "reps"), ((5, 1, True), "reps")],
)  # fmt: skip
def test_wrong_numbers_are_refused_when_called_and_not_when_drawn(wrong, name):
    for draw in (b.stationary_bootstrap_indices, b.circular_bootstrap_indices):
        with pytest.raises(DataError, match=f"{name}="):
            draw(*wrong)


@pytest.mark.parametrize("wrong", [[[0, 3, 1]], [[-1, 0]], [[0.0, 1.0]], [0, 1], np.empty((0, 3), dtype=int)])
def test_counts_refuse_what_are_no_bars(wrong):
    with pytest.raises(DataError, match="indices"):
        b.resample_counts(wrong)


def test_block_lengths_are_those_of_arch(large_caps):
    tables = [
        autoregressive([0, 0.2, -0.5, 0.6, 0.95], size, seed) for size in (11, 12, 30, 97, 500, 3001) for seed in (1, 2)
    ]
    tables += [large_caps.iloc[:, :5], large_caps.iloc[:2000].abs()]
    for table in tables:
        expected = oracle.optimal_block_length(table)
        found = b.optimal_block_length(table)
        np.testing.assert_allclose(found.stationary, expected["stationary"], rtol=1e-9)
        np.testing.assert_allclose(found.circular, expected["circular"], rtol=1e-9)
    assert list(found.stationary.index) == list(large_caps.columns)


def test_block_lengths_of_one_series_are_floats_and_do_not_depend_on_unit_or_level():
    x = autoregressive([0.7], 500, seed=3)[:, 0]
    found, moved = b.optimal_block_length(x), b.optimal_block_length(5 - 1e-4 * x)
    assert isinstance(found.stationary, float)
    assert moved.stationary == pytest.approx(found.stationary, rel=1e-6)
    assert found.circular == pytest.approx(found.stationary * 1.5 ** (1 / 3))  # 2 over 4 / 3, before the limit


def test_a_series_that_never_varies_has_no_block_length():
    found = b.optimal_block_length(np.column_stack([np.full(50, 0.1), NORMAL[:50]]))
    assert np.isnan(found.stationary[0])
    assert np.isfinite(found.stationary[1])
    with pytest.raises(DataError, match="at least 11"):
        b.optimal_block_length(NORMAL[:10])
