"""The executed copy, without a kernel: papermill's states are written by hand."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from qtw_lab.runs.outlet import Sheet
from qtw_lab.runs.secrecy import Redactor


def _text(*states, outputs=()):
    cells = [
        new_code_cell(f"cell{n}", metadata={"papermill": {"status": s, "duration": 0.5}}) for n, s in enumerate(states)
    ]
    cells[0].outputs = list(outputs)
    return nbformat.writes(new_notebook(cells=cells, metadata={"papermill": {"input_path": "qtw-run:x"}}))


@pytest.fixture
def sheet(tmp_path):
    return Sheet("", "notebooks/a.ipynb", tmp_path / "notebook.ipynb", Redactor({"TOKEN": "s3cret-value"}))


def _statuses(sheet):
    return [cell.metadata.papermill.get("status") for cell in sheet.read().cells]


def test_a_secret_printed_in_pieces_is_joined_and_masked(sheet):
    pieces = [new_output("stream", name="stdout", text=text) for text in ("a s3cret", "-value b")]
    sheet.save(_text("running", outputs=[*pieces, new_output("stream", name="stderr", text="-value")]))
    assert [output.text for output in sheet.read().cells[0].outputs] == ["a ***TOKEN*** b", "-value"]
    assert sheet.masked


def test_the_copy_names_the_notebook_not_the_address_papermill_used(sheet):
    sheet.save(_text("running"))
    assert sheet.read().metadata.papermill == {"input_path": "notebooks/a.ipynb", "output_path": "notebook.ipynb"}
    assert not sheet.masked


def test_a_copy_that_claims_too_much_is_put_right(sheet):
    sheet.save(_text("completed", "running", "pending"))
    sheet.save(_text("completed", "completed", "completed"))  # what papermill writes after a dead kernel
    sheet.own_up(failed=True)
    assert _statuses(sheet) == ["completed", "failed", "pending"]
    assert sheet.read().metadata.papermill["exception"] is True
    assert sheet.stopped_at() == 2
    assert [time.cell for time in sheet.times()] == [1, 2]


def test_a_copy_of_a_run_that_went_through_is_left_as_it_is(sheet):
    sheet.save(_text("completed", "running"))
    sheet.save(_text("completed", "completed"))
    before = sheet.target.read_text()
    sheet.own_up(failed=False)
    assert sheet.target.read_text() == before


def test_progress_is_told_once_for_each_cell(sheet):
    told = []
    sheet.progress = lambda *heard: told.append(heard)
    for states in (("pending", "pending"), ("running", "pending"), ("completed", "pending"), ("completed", "pending")):
        sheet.save(_text(*states))
    assert told == [(1, 2)]


def test_a_run_that_never_began_has_no_copy_and_no_cell(sheet):
    sheet.own_up(failed=True)
    assert sheet.stopped_at() is None
    assert not sheet.target.exists()
