"""The record of inputs, outputs and timing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pandas as pd
import pytest

import qtw_lab
from qtw_lab.runs.manifest import CellTime, Execution, Inputs, amend_failed, compose, project_path, write_manifest
from qtw_lab.runs.run import DataUse, Run
from qtw_lab.runs.secrecy import Leak

NOW = pd.Timestamp("2024-01-02 14:30", tz="UTC")
INPUTS = Inputs(
    {"fast": 5, "seed": 7}, "notebooks/a.ipynb", "n" * 64, (DataUse("f", ("X",), "s"), DataUse("e", ("Y",), "s"))
)


@pytest.fixture
def run(tmp_path):
    return Run("id-1", "notebook", "a", "ok", NOW, NOW + pd.Timedelta("90s"), tmp_path, {"fast": 5})


def test_outputs_are_hashed_and_the_manifest_is_not_its_own_output(run):
    (run.folder / "charts").mkdir()
    (run.folder / "charts" / "a.png").write_bytes(b"picture")
    (run.folder / "report.html").write_text("<p>")
    (run.folder / "facts.json").write_text("{}")
    (run.folder / "link").symlink_to(run.folder / "report.html")
    write_manifest(run.folder, {"old": True})
    outputs = compose(run, INPUTS)["outputs"]
    assert [entry["path"] for entry in outputs["files"]] == ["charts/a.png", "facts.json", "report.html"]
    assert outputs["files"][0] == {"path": "charts/a.png", "sha256": hashlib.sha256(b"picture").hexdigest(), "bytes": 7}
    assert outputs["facts_sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert outputs["report"] == "report.html"


def test_two_runs_of_the_same_thing_have_the_same_fingerprint(run):
    first = compose(run, INPUTS, cells=[CellTime(1, 0.5)])
    later = replace(run, id="id-2", started=NOW + pd.Timedelta("1D"), finished=NOW + pd.Timedelta("2D"), folder=None)
    second = compose(later, replace(INPUTS, data=INPUTS.data[::-1], parameters={"seed": 7, "fast": 5}))
    assert first["fingerprint"] == second["fingerprint"]
    assert first["inputs"] == second["inputs"]
    assert first["timing"] != second["timing"]


@pytest.mark.parametrize(
    "change",
    [{"parameters": {"fast": 6, "seed": 7}}, {"notebook_sha256": "m" * 64}, {"data": ()}, {"lock_sha256": "l" * 64}],
)
def test_any_other_input_is_another_fingerprint(run, change):
    assert compose(run, INPUTS)["fingerprint"] != compose(run, replace(INPUTS, **change))["fingerprint"]


def test_what_made_the_run_is_on_record(run):
    manifest = compose(run, INPUTS, cells=[CellTime(2, 0.25)])
    assert manifest["schema"] == 1
    assert manifest["inputs"]["seeds"] == {"seed": 7}
    assert manifest["inputs"]["package"]["version"] == qtw_lab.__version__
    assert len(manifest["inputs"]["package"]["sha256"]) == 64
    assert manifest["inputs"]["environment"]["versions"]["pandas"] == pd.__version__
    assert manifest["timing"]["seconds"] == 90.0
    assert manifest["timing"]["cells"] == [{"cell": 2, "seconds": 0.25}]


def test_a_killed_run_is_amended_and_nothing_else_is_touched(run):
    write_manifest(run.folder, compose(replace(run, status="running", finished=None), INPUTS))
    amend_failed(run.folder, "killed", NOW)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert (manifest["run"]["status"], manifest["run"]["error"]) == ("failed", "killed")
    assert manifest["inputs"] == compose(run, INPUTS)["inputs"]
    assert amend_failed(run.folder, "killed", NOW, [Leak("TOKEN", "log.txt")])["outputs"]["redacted"] == ["log.txt"]
    (run.folder / "manifest.json").write_text("not json")
    assert amend_failed(run.folder, "killed", NOW) is None
    assert (run.folder / "manifest.json").read_text() == "not json"


def test_how_it_was_executed_is_on_record_and_no_part_of_what_it_was_made_from(run):
    first = compose(run, INPUTS, Execution("/folder/a", "a.ipynb", 60, ("fast",), "id-0"))
    second = compose(run, INPUTS, Execution("/folder/b", "a.ipynb"))
    assert first["execution"] == {"folder": "/folder/a", "file": "a.ipynb", "timeout": 60, "passed": ["fast"]}
    assert (first["run"]["replay_of"], second["run"]["replay_of"]) == ("id-0", None)
    assert first["fingerprint"] == second["fingerprint"]
    assert compose(run, INPUTS)["execution"] is None


def test_leaks_are_listed_by_name_and_place(run):
    leaks = [Leak("B", "notebook.ipynb", 3), Leak("A", "notebook.ipynb", 2), Leak("A", "log.txt")]
    outputs = compose(run, INPUTS, leaks=leaks)["outputs"]
    assert outputs["redacted"] == ["log.txt", "notebook.ipynb"]
    assert outputs["leaks"][0] == {"name": "B", "file": "notebook.ipynb", "cell": 3}


def test_a_notebook_is_named_by_its_place_in_the_project_not_on_the_machine(tmp_path):
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    assert project_path(tmp_path / "project" / "notebooks" / "a.ipynb") == "notebooks/a.ipynb"
    assert project_path(tmp_path / "elsewhere" / "b.ipynb") == "b.ipynb"
