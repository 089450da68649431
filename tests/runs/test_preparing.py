"""What is decided before a kernel starts; see test_notebook for what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from qtw_lab.core import DataError
from qtw_lab.runs.preparing import Options, Origin, declared_by, prepared, source_sha256


@pytest.fixture
def notebook(tmp_path):
    cells = [new_markdown_cell("# T"), new_code_cell("fast = 10\nsymbols = ('A',)", metadata={"tags": ["parameters"]})]
    nbformat.write(new_notebook(cells=[*cells, new_code_cell("fast")]), tmp_path / "a.ipynb")
    return tmp_path / "a.ipynb"


def test_the_source_is_the_notebook_without_outputs(notebook):
    plan = prepared(notebook, {}, {})
    executed = nbformat.read(notebook, as_version=4)
    executed.cells[2].outputs = [new_output("stream", name="stdout", text="s3cret-value")]
    executed.cells[2].execution_count = 7
    executed.cells[2].metadata.execution = {"iopub.execute_input": "2024"}
    executed.metadata.papermill, executed.metadata.widgets = {"duration": 1}, {"state": {}}
    nbformat.write(executed, notebook)
    again = prepared(notebook, {}, {"TOKEN": "s3cret-value"})
    assert again.source == plan.source
    assert again.inputs.notebook_sha256 == plan.inputs.notebook_sha256 == source_sha256(notebook)
    nbformat.validate(nbformat.reads(again.source, as_version=4))


def test_another_source_is_another_hash(notebook):
    before = source_sha256(notebook)
    notebook.write_text(notebook.read_text().replace('"fast"', '"fast + 1"'))
    assert source_sha256(notebook) != before


@pytest.mark.parametrize("minor", [2, 4, 5])
def test_a_notebook_without_cell_ids_has_the_same_source_every_time(notebook, minor):
    plain = json.loads(notebook.read_text())
    for cell in plain["cells"]:
        cell.pop("id")
    notebook.write_text(json.dumps(plain | {"nbformat_minor": minor}))
    first, second = prepared(notebook, {}, {}), prepared(notebook, {}, {})
    assert first.source == second.source
    assert [cell["id"] for cell in json.loads(first.source)["cells"]] == ["cell-1", "cell-2", "cell-3"]


def test_a_source_is_its_own_source(notebook, tmp_path):
    plan = prepared(notebook, {}, {})
    (tmp_path / "source.ipynb").write_text(plan.source)
    assert source_sha256(tmp_path / "source.ipynb") == plan.inputs.notebook_sha256


def test_what_was_passed_is_told_from_what_was_not(notebook):
    plan = prepared(notebook, {"fast": 5}, {}, Options(timeout=1.5, name="my run!"))
    assert plan.inputs.parameters == {"fast": 5, "symbols": ["A"]}
    assert (plan.execution.passed, plan.execution.timeout, plan.name) == (("fast",), 2, "my-run")
    assert (plan.execution.folder, plan.execution.file) == (str(notebook.parent), "a.ipynb")


def test_a_copy_can_be_executed_in_the_place_of_its_origin(notebook, tmp_path):
    origin = Origin(Path("/elsewhere"), "b.ipynb", "notebooks/b.ipynb", "id-1")
    plan = prepared(notebook, {}, {}, Options(origin=origin))
    assert plan.inputs.notebook == "notebooks/b.ipynb"
    assert (plan.execution.folder, plan.execution.replay_of) == ("/elsewhere", "id-1")
    with pytest.raises(DataError, match=r"parameter of b\.ipynb called"):
        prepared(notebook, {"fsat": 1}, {}, Options(origin=origin))


def test_parameters_can_be_asked_for_without_a_run(notebook, tmp_path):
    assert {p.name: p.default for p in declared_by(notebook).values()} == {"fast": "10", "symbols": "('A',)"}
    with pytest.raises(DataError, match="There is no notebook"):
        declared_by(tmp_path / "none.ipynb")


@pytest.mark.parametrize("where", ["source", "metadata"])
def test_a_secret_in_a_cell_is_refused_by_name(notebook, where):
    node = nbformat.read(notebook, as_version=4)
    if where == "source":
        node.cells[0].source = "the key is s3cret-value"
    else:
        node.cells[0].metadata["note"] = "s3cret-value"
    nbformat.write(node, notebook)
    with pytest.raises(DataError, match=r"Cell 1 of a\.ipynb contains the value of TOKEN") as caught:
        prepared(notebook, {}, {"TOKEN": "s3cret-value"})
    assert "s3cret-value" not in str(caught.value)
