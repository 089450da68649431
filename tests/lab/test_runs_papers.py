"""What a run left to be read, and nothing beside it."""

import re

import nbformat
import pytest

from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.lab.runs_papers import file_of, notebook_of, report_of


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "store" / "runs" / "one"
    (folder / "deep").mkdir(parents=True)
    (folder / "report.html").write_text("<h1>Report</h1>")
    (folder / "deep" / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "store" / "secret.txt").write_text("not yours")
    (folder / "link.txt").symlink_to(tmp_path / "store" / "secret.txt")
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n$x^2$\n\n```mermaid\ngraph TD; A-->B\n```"),
        nbformat.v4.new_code_cell("1 + 1"),
    ]
    cells[1]["outputs"] = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"widgets": {}}), folder / "notebook.ipynb")
    return Lab.offline(tmp_path / "store").registry.record("notebook", "nightly", None, {}, (), folder)


def test_the_report_is_given_as_it_was_written(run):
    paper = report_of(run)
    assert (paper.content, paper.kind) == (b"<h1>Report</h1>", "text/html; charset=utf-8")


def test_the_executed_notebook_becomes_a_page_that_asks_nobody_for_anything(run):
    page = notebook_of(run).content.decode()
    assert "1 + 1" in re.sub(r"<[^>]+>", "", page)
    assert "<title>nightly, run" in page
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?!data:)[^\"' >]+", page) == []
    assert "cdnjs" not in page
    assert "unpkg" not in page
    assert "jsdelivr" not in page


def test_a_file_is_given_by_the_path_that_is_listed(run):
    paper = file_of(run, "deep/table.csv")
    assert (paper.name, paper.kind, paper.content) == ("table.csv", "text/csv", b"a,b\n1,2\n")


@pytest.mark.parametrize(
    "path",
    ["../../secret.txt", "deep/../../../secret.txt", "link.txt", "/etc/passwd", "deep", "", ".", "..",
     "deep\\table.csv", "report.html/..", "%2e%2e/secret.txt", "deep/table.csv\0"],
)  # fmt: skip
def test_nothing_else_is_given_wherever_the_path_leads(run, path):
    with pytest.raises(DataError, match="no such file"):
        file_of(run, path)


def test_what_is_not_there_is_said(run, tmp_path):
    lab = Lab.offline(tmp_path / "store")
    bare = lab.registry.record("backtest", "sma_cross", None, {}, ())
    for paper, said in ((report_of, "no report"), (notebook_of, "no executed notebook")):
        with pytest.raises(DataError, match=said):
            paper(bare)
    (run.folder / "notebook.ipynb").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        notebook_of(run)
    pruned = lab.registry.prune(run)
    with pytest.raises(DataError, match=r"removed .* to make room"):
        report_of(pruned)
