"""What must differ between two executions is taken out, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import uuid

import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from qtw_lab.runs.likeness import Difference, cells_apart, files_apart, normal
from qtw_lab.runs.run import Run

NOW = pd.Timestamp("2024-01-02 14:30", tz="UTC")


@pytest.fixture
def runs(tmp_path):
    """Two runs of one notebook, in folders of their own."""

    def run(name):
        folder = tmp_path / f"{name}-a"
        folder.mkdir()
        return Run(name, "notebook", "a", "ok", NOW, NOW, folder, {})

    return run("20240102T143000000000-aaaaaaaa"), run("20240103T143000000000-bbbbbbbb")


@pytest.fixture
def apart(runs):
    """How two lists of outputs differ that the second cell of a notebook gave."""

    def compared(old, new):
        notebooks = []
        for outputs in (old, new):
            injected = new_code_cell("x = 1", metadata={"tags": ["injected-parameters"]})
            cells = [new_markdown_cell("# T"), injected, new_code_cell("work()", outputs=outputs)]
            notebooks.append(json.loads(json.dumps(new_notebook(cells=cells))))
        return cells_apart((runs[0], notebooks[0]), (runs[1], notebooks[1]))

    return compared


def text(value):
    return new_output("execute_result", {"text/plain": value})


def html(value):
    return new_output("display_data", {"text/html": value})


def stream(value, name="stdout"):
    return new_output("stream", name=name, text=value)


def test_equal_outputs_are_no_difference(apart):
    outputs = [stream("a\nb\n"), text("1.5"), html("<b>x</b>"), new_output("display_data", {"image/png": "aGVsbG8="})]
    assert apart(outputs, outputs) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([text("1.21")], [text("1.25")], Difference("cell", "cell 2 (text output)", "1.21", "1.25", 2)),
        ([stream("a 1")], [stream("a 2")], Difference("cell", "cell 2 (stdout)", "a 1", "a 2", 2)),
        ([text("1")], [], Difference("cell", "cell 2 (text output)", "1", "nothing", 2)),
        ([], [stream("w", "stderr")], Difference("cell", "cell 2 (stderr)", "nothing", "w", 2)),
        ([html("<p>")], [html("<b>")], Difference("cell", "cell 2 (HTML output)", "<p>", "<b>", 2)),
    ],
)
def test_another_output_is_told_with_its_cell_and_an_excerpt(apart, old, new, expected):
    assert apart(old, new) == (expected,)


def test_of_a_cell_the_first_output_that_differs_is_told(apart):
    (found,) = apart([stream("same"), text("1"), html("x")], [stream("same"), text("2"), html("y")])
    assert found.name == "cell 2 (text output)"


def test_a_long_text_is_cut_to_where_it_differs(apart):
    (found,) = apart([text("a" * 5000 + "1" + "b" * 5000)], [text("a" * 5000 + "2" + "b" * 5000)])
    assert found.old == f"... {'a' * 15}1{'b' * 44} ..."
    assert found.new == f"... {'a' * 15}2{'b' * 44} ..."


def test_pictures_are_compared_by_their_bytes(apart):
    pictures = [
        [new_output("display_data", {"image/png": content})] for content in ("aGVsbG8=", "aGVsbG8=\n", "aGVsbG9=")
    ]
    assert apart(pictures[0], pictures[1]) == ()
    (found,) = apart(pictures[0], pictures[2])
    assert (found.name, found.old[:7]) == ("cell 2 (image)", "sha256 ")


def test_an_error_is_compared_with_its_traceback(apart):
    errors = [[new_output("error", ename="E", evalue="v", traceback=[line])] for line in ("line 1", "line 2")]
    assert apart(errors[0], errors[1])[0].name == "cell 2 (error)"


@pytest.mark.parametrize(
    "template",
    [
        "saved in {folder}/report.html", "folder {folder.name}", "run {run}", "<function f at 0x{number:012x}>",
        "/tmp/ipykernel_{number}/{number}.py:1: UserWarning: old",
        "CPU times: user {number} ms\nWall time: {number} ms",
    ],
)  # fmt: skip
def test_what_must_differ_in_any_text_is_taken_out(apart, runs, template):
    old, new = (template.format(folder=r.folder, run=r.id, number=10**6 + n) for n, r in enumerate(runs))
    assert old != new
    assert apart([text(old)], [text(new)]) == apart([html(old)], [html(new)]) == ()
    assert apart([text(old)], [text(f"! {new}")]) != ()


def test_ids_drawn_by_bokeh_and_widgets_are_numbered(apart):
    def document():
        one, two = uuid.uuid4(), uuid.uuid4()
        model = uuid.uuid4().hex
        widget = {"application/vnd.jupyter.widget-view+json": {"model_id": model, "version_major": 2}}
        return [
            html(f'<div id="{one}" data-root="{two}"></div> {one} IPY_MODEL_{model}'),
            new_output("display_data", widget),
        ]

    assert apart(document(), document()) == ()
    one, two, three = (str(uuid.uuid4()) for _ in range(3))
    assert apart([html(f"{one} {two} {one}")], [html(f"{one} {two} {three}")]) != (), "another id stands at the end"


@pytest.mark.parametrize("length", ["UUID", 32, 64])
def test_what_a_notebook_prints_is_no_id(apart, length):
    old, new = (str(uuid.uuid4()) if length == "UUID" else digit * length for digit in "ab")
    assert apart([stream(old)], [stream(new)]) != ()
    assert apart([text(f"fingerprint {old}")], [text(f"fingerprint {new}")]) != ()


def test_a_hash_in_a_page_is_no_id(apart):
    assert apart([html("a" * 64)], [html("b" * 64)]) != ()
    assert apart([html("a" * 32)], [html("b" * 32)]) != ()


def files(run, **contents):
    for name, content in contents.items():
        (run.folder / name.replace("_", ".")).write_bytes(content)
    entries = [
        {"path": name.replace("_", "."), "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    ]
    return Run(**{f: getattr(run, f) for f in run.__dataclass_fields__} | {"manifest": {"outputs": {"files": entries}}})


def test_files_are_compared_by_hash_and_texts_without_what_must_differ(runs):
    pages = [f"<p id='{uuid.uuid4()}'>{run.folder}".encode() for run in runs]
    same = {"same_txt": b"x", "binary_bin": b"\0\xff"}
    old = files(runs[0], report_html=pages[0], model_bin=b"\0\xff1", page_html=b"<p>1.21", only_txt=b"",
                facts_json=b"1", notebook_ipynb=b"1", **same)  # fmt: skip
    new = files(runs[1], report_html=pages[1], model_bin=b"\0\xff2", page_html=b"<p>1.25", new_txt=b"",
                facts_json=b"2", notebook_ipynb=b"2", **same)  # fmt: skip
    found = {one.name: (one.old, one.new) for one in files_apart(old, new)}
    assert found.pop("model.bin")[0].startswith("sha256 ")
    assert found == {
        "page.html": ("<p>1.21", "<p>1.25"), "only.txt": ("there", "missing"), "new.txt": ("missing", "there")
    }  # fmt: skip


def test_a_data_file_keeps_its_ids(runs):
    old, new = (files(run, a_csv=str(uuid.uuid4()).encode()) for run in runs)
    assert [one.name for one in files_apart(old, new)] == ["a.csv"]


def test_of_a_run_without_a_folder_the_id_is_taken_out():
    run = Run("20240102T1-ab", "notebook", "a", "ok", NOW, NOW, None, {})
    assert normal("run 20240102T1-ab", run, rich=True) == "run <run>"
