"""What may be passed to a notebook, and what may not."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest

from qtw_lab.core import DataError, SetupError
from qtw_lab.runs.parameters import checked, declared_parameters, references, refuse_unfit, seeds_among

CELL = """
symbols = [
    "AAPL",  # a hash in a comment
    "IBM",
]
fast: int = 10
cash = 100_000.0
name = "a#b"
short = allowed = False
end: str = some_function()
anything = None
costs: dict[str, float] = make()
"""


def test_the_parameters_cell_is_read_as_python():
    kinds = {name: entry.kind for name, entry in declared_parameters(CELL).items()}
    assert kinds == {
        "symbols": list, "fast": int, "cash": float, "name": str, "short": bool, "allowed": bool, "end": str,
        "anything": None, "costs": dict,
    }  # fmt: skip
    assert declared_parameters(CELL)["symbols"].value == ["AAPL", "IBM"]


def test_a_parameters_cell_with_magics_is_refused():
    with pytest.raises(DataError, match="not plain Python"):
        declared_parameters("%matplotlib inline\nfast = 10")


@pytest.mark.parametrize(
    "value", [dt.date(2020, 1, 1), Path("x"), np.float64(1), np.array([1]), {1: 2}, {"a", "b"}, b"x", object()]
)
def test_values_json_has_no_word_for_are_refused(value):
    with pytest.raises(DataError, match=r"'x' is a .*Pass text"):
        checked({"x": value}, {})


@pytest.mark.parametrize("value", [math.nan, math.inf, [1, -math.inf]])
def test_numbers_json_cannot_hold_are_refused(value):
    with pytest.raises(DataError, match="finite number"):
        checked({"x": value}, {})


def test_tuples_and_nested_values_become_plain_json():
    assert checked({"x": (1, {"y": (True, None)})}, {}) == {"x": [1, {"y": [True, None]}]}


@pytest.mark.parametrize(
    "given",
    [{"api_key": "abc"}, {"token": 1}, {"broker": {"password": "abc"}}, {"secrets": ["a"]}, {"auth": {"x": "abc"}}],
)
def test_a_secret_by_value_is_refused_and_not_repeated(given):
    with pytest.raises(DataError, match="env:NAME") as caught:
        checked(given, {})
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("value", ["env:BROKER_KEY", None, "", False])
def test_a_reference_or_nothing_is_fine_where_a_secret_belongs(value):
    assert checked({"api_key": value}, {}) == {"api_key": value}


def test_a_known_secret_is_found_under_an_innocent_name():
    with pytest.raises(DataError, match="env:BROKER_KEY") as caught:
        checked({"note": "see s3cret-value"}, {"BROKER_KEY": "s3cret-value"})
    assert "s3cret" not in str(caught.value)


def test_a_url_with_a_password_is_refused():
    with pytest.raises(DataError, match="URL with a password"):
        checked({"cache": "redis://:hunter2@localhost:6379"}, {})
    assert checked({"cache": "redis://localhost:6379/0?mail=a@b"}, {})


def test_references_are_resolved_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("INNOCENT", "value-1")
    assert references({"x": [{"y": "env:INNOCENT"}], "z": "envelope"}) == {"INNOCENT": "value-1"}


def test_an_unset_or_malformed_reference_is_refused(monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(SetupError, match="NOWHERE is not set"):
        references({"x": "env:NOWHERE"})
    with pytest.raises(DataError, match="env:NAME"):
        references({"x": "env:not a name"})


def test_an_unknown_parameter_is_refused_with_near_misses():
    with pytest.raises(DataError, match=r"'fsat'.*'fast'"):
        refuse_unfit({"fsat": 5}, declared_parameters(CELL), "a.ipynb")


@pytest.mark.parametrize(
    "given",
    [{"fast": "ten"}, {"fast": True}, {"symbols": "AAPL"}, {"name": 3}, {"short": 1}, {"costs": [1]}, {"end": 2020}],
)
def test_a_clearly_wrong_type_is_refused(given):
    with pytest.raises(DataError, match="was passed"):
        refuse_unfit(given, declared_parameters(CELL), "a.ipynb")


@pytest.mark.parametrize(
    "given", [{"fast": 5}, {"cash": 5}, {"fast": 5.5}, {"name": None}, {"anything": [1]}, {"symbols": []}]
)
def test_a_fitting_or_missing_value_is_let_through(given):
    refuse_unfit(given, declared_parameters(CELL), "a.ipynb")


def test_parameters_for_a_notebook_without_any_are_refused():
    with pytest.raises(DataError, match="has no parameters"):
        refuse_unfit({"fast": 5}, {}, "a.ipynb")


def test_the_run_folder_is_not_for_callers():
    with pytest.raises(DataError, match="filled in by the run"):
        refuse_unfit({"run_folder": "x"}, declared_parameters("run_folder = None"), "a.ipynb")


def test_seeds_are_recognised_by_name():
    assert seeds_among({"seed": 1, "model_seed": 2, "seeds": 3, "seeded": 4}) == {"seed": 1, "model_seed": 2}
