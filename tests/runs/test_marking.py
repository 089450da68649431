"""The failed mark, on notebooks as JSON."""

from __future__ import annotations

import json

import nbformat
import papermill.execute
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from qtw_lab.runs.marking import ERROR_TAG, mark_failed, mark_file_failed, number_of, own_cells


def executed(*states):
    cells = [new_code_cell(f"c{n}", metadata={"papermill": {"status": state}}) for n, state in enumerate(states)]
    cells.insert(1, new_code_cell("x = 2", metadata={"tags": ["injected-parameters"], "papermill": {}}))
    return new_notebook(cells=[new_markdown_cell("# Title"), *cells])


def test_the_cell_that_ran_is_failed_and_the_reason_stands_on_top():
    notebook = executed("completed", "running", "pending")
    mark_failed(notebook, "killed by <the> watchdog:\ntook longer than 30 min")
    notebook = nbformat.from_dict(notebook)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.endswith(
        "This run failed: killed by &lt;the&gt; watchdog: took longer than 30 min</span>"
    )
    assert [c.metadata.papermill.get("status") for c in notebook.cells[2:]] == ["completed", None, "failed", "pending"]
    assert notebook.metadata.papermill.exception is True


def test_the_last_reason_replaces_the_one_before():
    notebook = executed("running")
    mark_failed(notebook, "first")
    mark_failed(notebook, "second")
    assert ["first" in str(cell) for cell in notebook["cells"]] == [False] * 4
    assert "second" in notebook["cells"][0]["source"]


def test_papermill_takes_the_mark_away_before_it_executes_the_copy_again():
    assert papermill.execute.ERROR_MARKER_TAG == ERROR_TAG
    notebook = nbformat.from_dict(executed("running"))
    mark_failed(notebook, "killed")
    again = papermill.execute.remove_error_markers(nbformat.from_dict(notebook))
    assert [cell.source for cell in again.cells] == ["# Title", "c0", "x = 2"]


def test_cells_are_counted_as_in_the_notebook_that_was_given():
    notebook = executed("completed", "completed")
    assert [number_of(notebook, place) for place in range(4)] == [1, 2, 2, 3]
    mark_failed(notebook, "killed")
    assert [number_of(notebook, place) for place in range(4)] == [1, 2, 2, 3]
    assert [cell["source"] for cell in own_cells(notebook)] == ["# Title", "c0", "c1"]


def test_a_file_is_marked_in_one_step_and_again_without_harm(tmp_path):
    path = tmp_path / "notebook.ipynb"
    nbformat.write(executed("running"), path)
    for _ in range(2):
        mark_file_failed(path, "killed")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell.metadata.get("tags") for cell in notebook.cells].count([ERROR_TAG]) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', json.dumps({"cells": [{}]}), "null"])
def test_a_file_that_is_no_notebook_is_left_alone(tmp_path, content):
    path = tmp_path / "notebook.ipynb"
    mark_file_failed(path, "killed")
    assert not path.exists()
    path.write_text(content)
    mark_file_failed(path, "killed")
    assert path.read_text() == content
