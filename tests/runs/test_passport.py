"""What a record says of how to execute its run again, without executing it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from qtw_lab.core import DataError, SeriesRef
from qtw_lab.runs.manifest import compose, write_manifest
from qtw_lab.runs.passport import Passport, inputs_apart
from qtw_lab.runs.preparing import Options, prepared
from qtw_lab.runs.run import DataUse, Run

NOW = pd.Timestamp("2024-01-02 14:30", tz="UTC")


@pytest.fixture
def run(tmp_path):
    """A run on record, whose notebook lies beside its folder."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    cell = new_code_cell("fast = 10\nslow = 50", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    plan = prepared(tmp_path / "a.ipynb", {"fast": 5}, {}, Options(timeout=60))
    folder = tmp_path / "id-1-a"
    folder.mkdir()
    (folder / "source.ipynb").write_text(plan.source)
    made = Run("id-1", "notebook", "a", "ok", NOW, NOW, folder, plan.inputs.parameters)
    use = DataUse("f" * 64, ("AAPL",), "stocks", (SeriesRef("stocks", "AAPL", "1D", "c1"),))
    manifest = compose(made, replace(plan.inputs, data=(use,)), plan.execution)
    write_manifest(folder, manifest)
    return replace(made, manifest=manifest)


def test_the_record_alone_says_how_to_execute_it_again(run, tmp_path):
    passport = Passport.of(run)
    assert passport.source == run.folder / "source.ipynb"
    assert (passport.parameters, passport.kernel, passport.timeout) == ({"fast": 5}, "python3", 60)
    origin = passport.origin
    assert (origin.folder, origin.file, origin.shown, origin.replay_of) == (tmp_path, "a.ipynb", "a.ipynb", "id-1")


def test_nothing_differs_from_itself(run):
    assert inputs_apart(run, run) == ()


def test_every_input_that_differs_is_named_once(run):
    inputs = dict(run.manifest["inputs"])
    inputs["parameters"] = {"fast": 5, "slow": 60}
    inputs["data"] = [{**inputs["data"][0], "fingerprint": "e" * 64, "series": []}]
    inputs["python"] = "2.7"
    other = replace(run, manifest={**run.manifest, "inputs": inputs})
    assert {one.name: (one.old, one.new) for one in inputs_apart(run, other)} == {
        "parameters.slow": ("50", "60"),
        "data 1 (stocks AAPL)": ("f" * 64, "e" * 64),
        "data 1 (stocks AAPL) AAPL 1D": ("c1", "none"),
        "python": (run.manifest["inputs"]["python"], "2.7"),
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "sweep"}, "is a sweep"),
        ({"status": "running"}, "still running"),
        ({"folder": None}, "are gone; a run"),
        ({"folder": None, "manifest": {"pruned": {"at": "2024-01-02T00:00:00+00:00"}}}, "removed to make room"),
        ({"manifest": {}}, "older version"),
    ],
)
def test_a_run_that_cannot_be_executed_again_says_why(run, change, says):
    with pytest.raises(DataError, match=says):
        Passport.of(replace(run, **change))
