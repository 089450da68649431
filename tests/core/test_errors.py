"""One family of errors, split by what can be done about them."""

import pickle

import pytest

from qtw_lab.core import DataError, LabError, RunError, SetupError, VenueError


@pytest.mark.parametrize(
    ("error", "exit_code"), [(LabError, 1), (DataError, 2), (SetupError, 1), (VenueError, 1), (RunError, 1)]
)
def test_every_error_is_of_the_family_and_knows_its_exit_code(error, exit_code):
    assert issubclass(error, LabError)
    assert error("why").exit_code == exit_code
    assert str(error("why")) == "why"


def test_wrong_input_is_a_value_error_for_those_who_know_python_only():
    assert issubclass(DataError, ValueError)
    assert not any(issubclass(error, ValueError) for error in (SetupError, VenueError, RunError))


def test_the_branches_are_strangers():
    branches = (DataError, SetupError, VenueError, RunError)
    assert not [(a, b) for a in branches for b in branches if a is not b and issubclass(a, b)]


@pytest.mark.parametrize("error", [DataError, SetupError, VenueError, RunError])
def test_errors_survive_the_way_from_another_process(error):
    copy = pickle.loads(pickle.dumps(error("why")))
    assert type(copy) is error
    assert str(copy) == "why"
