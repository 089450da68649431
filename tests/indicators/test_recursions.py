from __future__ import annotations

import numpy as np

from qtw_lab.indicators import recursions


def test_prices_are_apart_by_more_than_rounding_at_any_price():
    for price in (1e-6, 1.0, 1e6):
        assert recursions.apart(price, np.nextafter(price, 2 * price)) == 0.0
        assert recursions.apart(price * (1 + 1e-12), price) > 0.0
    assert recursions.apart(0.0, 0.0) == 0.0
    assert recursions.apart(1e-300, 0.0) == 1e-300


def test_smoothing_starts_with_a_mean_and_approaches_a_level():
    """By hand: mean of 1 and 3, then half of the way to 4 and to 4 again."""
    found = np.full(5, np.nan)
    recursions.smooth_into(np.array([9.0, 1.0, 3.0, 4.0, 4.0]), 1, 2, 2, 0.5, found)
    assert np.array_equal(found, [np.nan, np.nan, 2.0, 3.0, 3.5], equal_nan=True)


def test_smoothing_without_enough_bars_gives_nothing():
    found = np.full(2, np.nan)
    recursions.smooth_into(np.ones(2), 0, 2, 3, 0.5, found)
    assert np.isnan(found).all()


def test_true_ranges_count_a_gap_in():
    found = np.full(3, np.nan)
    recursions.ranges_into(np.array([2.0, 6.0, 5.0]), np.array([1.0, 5.0, 1.0]), np.array([2.0, 5.5, 2.0]), found)
    assert found[1:].tolist() == [4.0, 4.5]
