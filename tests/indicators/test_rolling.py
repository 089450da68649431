"""The kernels themselves, where a public function does not show what they must withstand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from qtw_lab.indicators import rolling


def test_moments_of_a_stretch_equal_exact_arithmetic():
    x = 1e6 + np.random.default_rng(1).normal(0, 1e-3, 60)
    mean, squares = rolling.moments(x, 10, 50)
    exact = [Fraction(float(v)) for v in x[10:50]]
    middle = sum(exact) / 40
    assert mean == pytest.approx(float(middle), rel=1e-15)
    assert squares == pytest.approx(float(sum((v - middle) ** 2 for v in exact)), rel=1e-9)


def test_sliding_moments_of_a_small_move_on_a_high_price_keep_their_digits():
    x = 1e6 + np.random.default_rng(2).normal(0, 1e-2, 400)
    found, exact = np.full(400, np.nan), np.lib.stride_tricks.sliding_window_view(x, 25).std(axis=1)
    rolling.deviation_into(x, 25, 0, found)
    np.testing.assert_allclose(found[24:], exact, rtol=1e-6)


def test_the_queue_of_candidates_keeps_equal_values():
    x = np.array([2.0, 2.0, 1.0, 1.0, 2.0, 0.0])
    found = np.full(6, np.nan)
    rolling.extreme_into(x, 2, 1.0, found)
    assert found[1:].tolist() == [2.0, 2.0, 1.0, 2.0, 2.0]


def test_a_sum_may_start_after_a_warm_up():
    found = np.full(5, np.nan)
    rolling.sum_into(np.array([np.nan, np.nan, 1.0, 2.0, 4.0]), 2, 2, found, mean=True)
    assert np.array_equal(found, [np.nan, np.nan, np.nan, 1.5, 3.0], equal_nan=True)


@pytest.mark.parametrize("window", [2, 3, 10, 50])
def test_slopes_on_a_high_price_keep_their_digits(window):
    """A line of slope 0.001 through a million, and its weighted mean at two thirds of the window."""
    x = 1e6 + 1e-3 * np.arange(200)
    slope, mean = np.full(200, np.nan), np.full(200, np.nan)
    rolling.ramp_into(x, window, slope, slope=True)
    rolling.ramp_into(x, window, mean, slope=False)
    np.testing.assert_allclose(slope[window - 1 :], 1e-3, rtol=1e-6)
    np.testing.assert_allclose(mean[window - 1 :], x[window - 1 :] - 1e-3 * (window - 1) / 3, rtol=1e-14)
