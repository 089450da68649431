"""The executed copy, without a kernel: the engine's states are written by hand."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from qtw_lab.runs.outlet import Sheet
from qtw_lab.runs.secrecy import Leak, Redactor


def notebook(*states, outputs=()):
    cells = [
        new_code_cell(f"cell{n}", metadata={"papermill": {"status": s, "duration": 0.5}}) for n, s in enumerate(states)
    ]
    cells[0].outputs = list(outputs)
    return new_notebook(cells=cells, metadata={"papermill": {"input_path": "NotebookNode object"}})


@pytest.fixture
def sheet(tmp_path):
    return Sheet("notebooks/a.ipynb", tmp_path / "notebook.ipynb", Redactor({"TOKEN": "s3cret-value"}))


def statuses(sheet):
    return [cell.metadata.papermill.status for cell in sheet.read().cells if "papermill" in cell.metadata]


def test_a_secret_printed_in_pieces_is_joined_and_masked(sheet):
    parts = (("stdout", "a s3cret"), ("stderr", "between"), ("stdout", "-value b"))
    pieces = [new_output("stream", name=name, text=text) for name, text in parts]
    whole = notebook("running", outputs=pieces)
    sheet.save(whole)
    assert [output.text for output in sheet.read().cells[0].outputs] == ["a ***TOKEN*** b", "between"]
    assert list(sheet.leaks) == [Leak("TOKEN", "notebook.ipynb", 1)]
    assert len(whole.cells[0].outputs) == 3, "what the engine goes on writing to is left as it is"


def test_what_stands_between_two_pieces_keeps_its_place(sheet):
    picture = new_output("display_data", {"image/png": "aGVsbG8="})
    pieces = [new_output("stream", name="stdout", text=text) for text in ("before", "after")]
    sheet.save(notebook("running", outputs=[pieces[0], picture, pieces[1]]))
    assert [output.output_type for output in sheet.read().cells[0].outputs] == ["stream", "display_data", "stream"]


def test_a_secret_outside_the_cells_is_found_too(sheet):
    whole = notebook("running")
    whole.metadata["widgets"] = {"state": {"value": "s3cret-value"}}
    sheet.save(whole)
    assert list(sheet.leaks) == [Leak("TOKEN", "notebook.ipynb")]
    assert "s3cret" not in sheet.target.read_text()


def test_a_secret_that_was_cleared_again_came_out_all_the_same(sheet):
    sheet.save(notebook("running", outputs=[new_output("stream", name="stdout", text="s3cret-value")]))
    sheet.save(notebook("completed"))
    assert list(sheet.leaks) == [Leak("TOKEN", "notebook.ipynb", 1)]


def test_the_copy_names_the_notebook(sheet):
    sheet.save(notebook("running"))
    assert sheet.read().metadata.papermill == {"input_path": "notebooks/a.ipynb", "output_path": "notebook.ipynb"}
    assert not sheet.leaks


def test_a_failed_copy_says_so_on_top_and_at_the_cell_that_ran(sheet):
    sheet.save(notebook("completed", "running", "pending"))
    sheet.fail("it took too long")
    assert statuses(sheet) == ["completed", "failed", "pending"]
    assert "This run failed: it took too long" in sheet.read().cells[0].source
    assert sheet.read().metadata.papermill["exception"] is True
    assert sheet.stopped_at() == 2
    nbformat.validate(sheet.read())


def test_times_are_those_of_cells_that_ran(sheet):
    assert sheet.times() == ()
    sheet.save(notebook("completed", "running"))
    assert [(time.cell, time.seconds) for time in sheet.times()] == [(1, 0.5), (2, 0.5)]


def test_progress_is_told_once_for_each_cell(sheet):
    told = []
    sheet.progress = lambda *heard: told.append(heard)
    for states in (("pending", "pending"), ("running", "pending"), ("completed", "pending"), ("completed", "pending")):
        sheet.save(notebook(*states))
    assert told == [(1, 2)]


def test_a_run_that_never_began_has_no_copy_and_no_cell(sheet):
    sheet.fail("never began")
    assert sheet.stopped_at() is None
    assert not sheet.target.exists()
