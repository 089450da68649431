"""The folder of a run that was killed, as whoever finds it leaves it."""

from __future__ import annotations

import dataclasses
import json
import platform
import signal
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from qtw_lab.runs.burying import bury
from qtw_lab.runs.manifest import Inputs, compose, write_manifest
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.run import Run
from qtw_lab.runs.secrecy import Redactor

NOW = pd.Timestamp("2024-01-02 14:30", tz="UTC")


@pytest.fixture
def folder(tmp_path):
    run = Run("id-1", "notebook", "a", "running", NOW, None, tmp_path, {})
    write_manifest(tmp_path, compose(run, Inputs()))
    cell = new_code_cell("time.sleep(60)", metadata={"papermill": {"status": "running"}})
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "notebook.ipynb")
    return tmp_path


def test_notebook_and_manifest_say_that_the_run_failed_and_why(folder):
    reason, manifest = bury(folder, "killed", NOW, Redactor({"TOKEN": "s3cret-value"}))
    assert reason == "killed"
    assert manifest == json.loads((folder / "manifest.json").read_text())
    assert (manifest["run"]["status"], manifest["run"]["error"]) == ("failed", "killed")
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
    assert "This run failed: killed" in notebook.cells[0].source
    assert notebook.cells[1].metadata.papermill.status == "failed"


def test_secrets_left_in_files_are_masked_and_named(folder):
    (folder / "log.txt").write_text("key s3cret-value")
    reason, manifest = bury(folder, "killed", NOW, Redactor({"TOKEN": "s3cret-value"}))
    assert reason == "killed; leaked: the value of TOKEN came out in log.txt"
    assert manifest["outputs"]["leaks"] == [{"name": "TOKEN", "file": "log.txt", "cell": None}]
    assert (folder / "log.txt").read_text() == "key ***TOKEN***"


def test_what_was_half_written_goes(folder):
    (folder / ".notebook.ipynb.123-abcdef01.part").write_text("{")
    bury(folder, "killed", NOW, Redactor({}))
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "notebook.ipynb"]


def kernel(process):
    return json.dumps(dataclasses.asdict(process))


def test_a_kernel_that_lives_on_is_ended(folder):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        mine = Process(platform.node(), child.pid, start_of(child.pid))
        (folder / ".kernel.json").write_text(kernel(mine))
        bury(folder, "killed", NOW, Redactor({}))
        assert child.wait(10) == -signal.SIGKILL
    assert not (folder / ".kernel.json").exists()


@pytest.mark.parametrize("change", [{"started": "another boot"}, {"started": ""}, {"host": "elsewhere"}])
def test_a_process_that_merely_has_its_number_is_left_alone(folder, change):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        other = dataclasses.replace(Process(platform.node(), child.pid, start_of(child.pid)), **change)
        (folder / ".kernel.json").write_text(kernel(other))
        bury(folder, "killed", NOW, Redactor({}))
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
        child.kill()


@pytest.mark.parametrize("content", ["", "{", "3", '{"pid": 1}'])
def test_word_of_a_kernel_that_cannot_be_read_is_no_obstacle(folder, content):
    (folder / ".kernel.json").write_text(content)
    assert bury(folder, "killed", NOW, Redactor({}))[0] == "killed"


def test_a_folder_that_is_gone_or_empty_is_no_obstacle(tmp_path):
    assert bury(tmp_path / "gone", "killed", NOW, Redactor({"T": "abcdef"})) == ("killed", None)
    assert bury(tmp_path, "killed", NOW, Redactor({})) == ("killed", None)
    assert list(tmp_path.iterdir()) == []
