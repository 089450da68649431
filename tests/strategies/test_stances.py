"""On paper."""

import numpy as np
import pytest

from qtw_lab.strategies.stances import down, reversion, stance


def test_the_first_case_that_holds_wins():
    x = np.array([1.0, 5.0])
    assert stance((x > 2, 1.0), (x > 0, -1.0), otherwise=0.0, given=(x,)).tolist() == [-1.0, 1.0]


def test_what_is_not_known_is_nan_not_the_other_case():
    x = np.array([np.nan, 1.0])
    np.testing.assert_array_equal(stance((x > 2, 1.0), otherwise=0.0, given=(x,)), [np.nan, 0.0])


def test_a_price_column_meets_parameter_columns():
    x, level, short = np.array([[1.0], [3.0]]), np.array([0.0, 2.0, 9.0]), np.array([True, False, True])
    result = stance((x > level, 1.0), otherwise=down(short), given=(x,))
    assert result.tolist() == [[1.0, 0.0, -1.0], [1.0, 1.0, -1.0]]


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ([0, -3, 3], [np.nan, 1, -1]),  # from one side to the other in a bar
        ([0, 3, 1, 0], [np.nan, -1, np.nan, 0]),  # reaching the middle closes a short
        ([0, -3, -1, 0, 0.5], [np.nan, 1, np.nan, np.nan, 0]),  # a long closes above it
        ([0, -3, np.nan, 1], [np.nan, 1, np.nan, 0]),  # crossed during a hole
    ],
)
def test_a_position_closes_at_the_first_bar_on_the_other_side(score, expected):
    table = np.array(score, dtype=float)[:, None]
    np.testing.assert_array_equal(reversion(table, low=-2, middle=0, high=2, short=True)[:, 0], expected)
