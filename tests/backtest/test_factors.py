"""Adjustment factors read through the noise of rounding, each step worked out on paper."""

import numpy as np
import pytest

from qtw_lab.backtest.factors import Levels, dividend_of, guessed_split, meant_ratio
from qtw_lab.core import DataError


def test_a_factor_without_noise_steps_where_it_changes():
    factor, closes = np.array([0.49, 0.49, 0.98, 0.98, 1.0]), np.array([20.0, 21.0, 10.0, 10.0, 10.0])
    levels = Levels.of(factor, closes, 0.0)
    assert levels.steps == (2, 4)
    assert levels.level == pytest.approx(factor, rel=1e-9)
    assert levels.step(2)[0] == pytest.approx(2.0)
    assert levels.step(4)[0] == pytest.approx(1 / 0.98)
    assert levels.step(1)[0] == 1.0


def test_cents_leave_a_factor_in_doubt_and_many_bars_less_so():
    # 0.7 x 10.01 = 7.007 is written 7.01: the factor lies in 7.005/10.01 to 7.015/10.01, 0.69980 to 0.70080
    one = Levels.of(np.array([7.01 / 10.01]), np.array([10.01]), 0.01)
    assert one.level[0] - one.error[0] == pytest.approx(7.005 / 10.01, abs=2e-6)
    assert one.level[0] + one.error[0] == pytest.approx(7.015 / 10.01, abs=2e-6)
    # 0.7 x 10.49 = 7.343 is written 7.34: at most 7.345/10.49 = 0.70019
    two = Levels.of(np.array([7.01 / 10.01, 7.34 / 10.49]), np.array([10.01, 10.49]), 0.01)
    assert two.steps == ()
    assert two.level[0] == two.level[1]
    assert two.level[0] + two.error[0] == pytest.approx(7.345 / 10.49, abs=2e-6)
    assert two.error[0] < one.error[0]


def test_a_step_smaller_than_the_rounding_is_not_seen():
    # a dividend of 0.001 on closes of 10 moves adjusted prices by a tenth of a cent
    closes = np.full(6, 10.0)
    adjusted = np.round(closes * np.array([0.9999, 0.9999, 0.9999, 1, 1, 1]), 2)
    assert Levels.of(adjusted / closes, closes, 0.01).steps == ()


@pytest.mark.parametrize(("digits", "tick"), [(2, 0.01), (3, 0.001), (4, 0.0001)])
def test_the_tick_is_found_from_the_prices(digits, tick):
    closes = np.round(np.random.default_rng(3).uniform(10, 90, 300), 2)
    factor = np.round(closes * 0.61803, digits) / closes
    assert Levels.of(factor, closes, None).error == pytest.approx(Levels.of(factor, closes, tick).error)
    assert Levels.of(factor, closes, None).steps == ()


@pytest.mark.parametrize(
    ("step", "error", "wanted"),
    [
        (2.0, 0.0, 2.0),
        (1.9996, 0.001, 2.0),
        (1.4998, 0.001, 1.5),
        (0.10001, 0.0001, 0.1),
        (0.03333, 0.00001, 1 / 30),
        (1.3334, 0.001, 4 / 3),
        (1.046187, 1e-7, 1.046187),  # a spin-off: no simple ratio
        (1.0, 1e-6, 1.0),
    ],
)
def test_a_measured_ratio_means_the_simplest_one_in_reach(step, error, wanted):
    assert meant_ratio(step, error) == pytest.approx(wanted, rel=1e-15)


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (1.0, 1.0),
        (1.005, 1.0),  # a dividend of half a percent
        (1.111, 1.0),  # a special one of a tenth
        (1.19, 1.0),
        (2.0, 2.0),
        (2.01, 2.0),  # and a dividend beside it
        (1.5, 1.5),
        (7.03, 7.0),
        (0.1, 0.1),
        (0.101, 0.1),
        (0.5, 0.5),
    ],
)
def test_a_step_is_guessed_to_be_the_split_it_looks_like(step, wanted):
    assert guessed_split(step, 1e-6, "X") == wanted


def test_a_fall_that_is_no_usual_split_is_refused():
    with pytest.raises(DataError, match=r"the factor of X on 2024-01-02 falls to 0\.95 of itself"):
        guessed_split(0.95, 1e-6, "X on 2024-01-02")


def test_a_dividend_is_the_part_of_the_step_that_the_split_leaves():
    # 90 before, 3 for 1: 30; 0.60 of it: the factor grows 3 / 0.98
    assert dividend_of(3.0, 3 / 0.98, 0.0, 90.0, "X") == pytest.approx(0.6)
    assert dividend_of(1.0, 1.0, 0.0, 90.0, "X") == 0.0
    assert dividend_of(1.0, 1.0004, 0.0005, 90.0, "X") == 0.0  # within the doubt
    assert dividend_of(1.0, 0.9996, 0.0005, 90.0, "X") == 0.0
    with pytest.raises(DataError, match="as if holders had paid a dividend"):
        dividend_of(1.0, 0.9996, 0.0001, 90.0, "X")
