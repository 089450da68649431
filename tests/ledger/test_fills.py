"""When an order is met and where a stop stands: side by side for buys and sells, longs and shorts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.ledger.fills import limit_met, stop_level, stop_met, target_level, trail_level

PRICES = st.floats(0.01, 1e6)
SIDES = st.sampled_from([1.0, -1.0])


@pytest.mark.parametrize(
    ("side", "price", "limit", "stop"),
    [
        (1.0, 99.0, True, False),
        (1.0, 100.0, True, True),
        (1.0, 101.0, False, True),
        (-1.0, 99.0, False, True),
        (-1.0, 100.0, True, True),
        (-1.0, 101.0, True, False),
    ],
)
def test_a_limit_wants_the_price_or_better_and_a_stop_the_price_or_worse(side, price, limit, stop):
    assert limit_met(side, 100.0, price) is limit
    assert stop_met(side, 100.0, price) is stop


def test_a_missing_price_meets_nothing():
    for met in (limit_met, stop_met):
        assert not met(1.0, 100.0, math.nan)
        assert not met(-1.0, math.nan, 100.0)


@given(SIDES, PRICES, PRICES)
def test_what_is_a_limit_to_the_buyer_is_a_stop_to_the_seller(side, level, price):
    assert limit_met(side, level, price) == stop_met(-side, level, price)


@pytest.mark.parametrize(
    ("side", "best", "amount", "fraction", "level"),
    [(-1.0, 110.0, 5.0, 0.0, 105.0), (-1.0, 110.0, 0.0, 0.1, 99.0), (1.0, 90.0, 5.0, 0.0, 95.0),
     (1.0, 90.0, 0.0, 0.1, 99.0)],
)  # fmt: skip
def test_a_trailing_stop_stands_behind_the_best_price(side, best, amount, fraction, level):
    assert trail_level(side, best, amount, fraction) == pytest.approx(level)


@pytest.mark.parametrize(
    ("side", "average", "best", "given", "level"),
    [
        (1.0, 100.0, 120.0, (0.05, 0.0, 0.0), 95.0),
        (1.0, 100.0, 120.0, (0.0, 0.1, 0.0), 108.0),
        (1.0, 100.0, 120.0, (0.0, 0.0, 7.0), 113.0),
        (1.0, 100.0, 120.0, (0.05, 0.1, 7.0), 113.0),  # the highest
        (1.0, 100.0, 100.0, (0.05, 0.1, 7.0), 95.0),
        (-1.0, 100.0, 80.0, (0.05, 0.0, 0.0), 105.0),
        (-1.0, 100.0, 80.0, (0.0, 0.1, 0.0), 88.0),
        (-1.0, 100.0, 80.0, (0.0, 0.0, 7.0), 87.0),
        (-1.0, 100.0, 80.0, (0.05, 0.1, 7.0), 87.0),  # the lowest
        (-1.0, 100.0, 100.0, (0.05, 0.1, 7.0), 105.0),
    ],
)
def test_the_best_of_a_positions_stops_counts(side, average, best, given, level):
    assert stop_level(side, average, best, *given) == pytest.approx(level)


def test_without_stop_or_target_they_are_never_met():
    for side in (1.0, -1.0):
        assert stop_level(side, 100.0, 120.0, 0.0, 0.0, 0.0) == -side * math.inf
        assert target_level(side, 100.0, 0.0) == side * math.inf
        assert not stop_met(-side, stop_level(side, 100.0, 120.0, 0.0, 0.0, 0.0), 1e-9)
        assert not limit_met(-side, target_level(side, 100.0, 0.0), 1e9)


def test_a_target_lies_beyond_the_average():
    assert target_level(1.0, 100.0, 0.25) == 125.0
    assert target_level(-1.0, 100.0, 0.25) == 75.0
    assert target_level(1.0, 100.0, 2.0) == 300.0


@given(SIDES, PRICES, PRICES, st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0, 100))
def test_a_short_mirrors_a_long_about_the_average(side, average, best, loss, trailing, amount):
    """Measured in the position's own direction no stop is above the best price or the average it comes from."""
    level = side * stop_level(side, average, best, loss, trailing, amount)
    assert level <= max(side * average, side * best)
