"""Ranges of parameters: what they hold, what is refused, and what is suggested."""

import math

import pytest

from qtw_lab.core import DataError
from qtw_lab.lab.workbench_axes import MOST_CELLS, Axis, suggested
from qtw_lab.lab.workbench_fields import Field, fields
from qtw_lab.strategies import STRATEGIES


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        (Axis("x", 1, 10, 4), (1, 5, 9)),
        (Axis("x", 3, 3, 1), (3,)),
        (Axis("x", 0.1, 0.5, 0.1), (0.1, 0.2, 0.3, 0.4, 0.5)),
        (Axis("x", 1.0, 3.0, 1.0), (1, 2, 3)),
    ],
)
def test_an_axis_has_its_values(axis, values):
    assert axis.values == values


@pytest.mark.parametrize(
    ("low", "high", "step"), [(5, 4, 1), (1, 5, 0), (1, 5, -1), (None, 5, 1), (1, math.inf, 1), (1, True, 1)]
)
def test_an_axis_that_leads_nowhere_is_refused(low, high, step):
    with pytest.raises(DataError, match=r"fast cannot run from .* give a first value that is not above the last"):
        Axis("fast", low, high, step)


def test_an_axis_of_too_many_values_is_refused():
    with pytest.raises(DataError, match="Take a wider step"):
        Axis("fast", 1, MOST_CELLS + 1, 1)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_suggested_range_lies_within_the_bounds_and_has_about_a_dozen_values(name):
    for field in fields(name):
        if field.number:
            axis = suggested(field)
            assert field.low <= axis.values[0] <= axis.values[-1] <= field.high
            assert 2 <= len(axis.values) <= 30, axis


@pytest.mark.parametrize(
    "field",
    [
        Field("x", "", "float", -5.0, -1.0, -2.0), Field("x", "", "int", -9, -3, -4),
        Field("x", "", "float", 0.0, 1.0, 0.0), Field("x", "", "int", 0, 100, 0),
        Field("x", "", "float", default=-0.5), Field("x", "", "int", -3, 0, 0),
        Field("x", "", "float", -1.0, 0.0, 0.0),
    ],
)  # fmt: skip
def test_a_suggested_range_lies_within_any_bounds(field):
    axis = suggested(field)
    assert field.low <= axis.values[0] <= axis.values[-1] <= field.high
