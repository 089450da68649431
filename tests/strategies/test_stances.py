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


def by_numpy(*cases, otherwise, given):
    """The definition, one array at a time."""
    result = np.asarray(otherwise, dtype=np.float64)
    for holds, value in reversed(cases):
        result = np.where(holds, value, result)
    for array in given:
        result = np.where(np.isnan(array), np.nan, result)
    return result


@pytest.mark.parametrize("stored", ["by column", "by row"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("known", [0, 1, 2, 3, 4])
def test_however_arrays_are_stored_the_stances_are_the_same(stored, count, known):
    rng = np.random.default_rng(count + 10 * known)
    order = "F" if stored == "by column" else "C"
    tables = [np.array(rng.normal(size=(40, 5)), order=order) for _ in range(4)]
    for table in tables:
        table[rng.random(table.shape) < 0.1] = np.nan
    values = [1.0, np.array([-1.0, 0.0, -1.0, 0.0, 0.5]), 0.5, np.float64(-0.5)]
    cases = [(tables[k] > 0.8 - 0.3 * k, values[k]) for k in range(count)]
    for otherwise in (0.0, np.nan, down(np.array([True, False, True, True, False]))):
        found = stance(*cases, otherwise=otherwise, given=tuple(tables[:known]))
        np.testing.assert_array_equal(found, by_numpy(*cases, otherwise=otherwise, given=tables[:known]))
