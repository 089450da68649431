"""Published pages, read while they are replaced by processes that may be killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from qtw_lab.core import DataError, SetupError
from qtw_lab.runs.publishing import publish, published
from qtw_lab.runs.run import Run

NOW = pd.Timestamp("2024-01-02 14:30", tz="UTC")

PUBLISHER = """
import sys
from pathlib import Path
import pandas as pd
from qtw_lab.runs.publishing import publish
from qtw_lab.runs.run import Run
root, now = Path(sys.argv[1]), pd.Timestamp("2024-01-02", tz="UTC")
for number in range(int(sys.argv[2]), 10**6):
    folder = root / f"id-{number:06}"
    folder.mkdir(exist_ok=True)
    (folder / "report.html").write_text(f"<p>{number:06}</p>" * 20_000)
    publish(Run(folder.name, "notebook", "a", "ok", now, now, folder, {}), root, "nightly")
    print(number, flush=True)
"""


@pytest.fixture
def run(tmp_path):
    """A good run with this id, and a report that says so."""

    def made(name: str, report: str | None = "", status: str = "ok") -> Run:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        if report is not None:
            (folder / "report.html").write_text(report or f"report of {name}")
        return Run(name, "notebook", "a", status, NOW, NOW, folder, {})

    return made


def test_the_page_is_the_report_of_the_newest_good_run(run, tmp_path):
    page = publish(run("id-1"), tmp_path, "nightly")
    assert (page, page.read_text()) == (tmp_path / "published" / "nightly.html", "report of id-1")
    assert publish(run("id-3"), tmp_path, "nightly") == page
    assert publish(run("id-2"), tmp_path, "nightly") == page
    assert page.read_text() == "report of id-3"
    assert published(tmp_path, "nightly") == "id-3"


def test_names_do_not_disturb_each_other(run, tmp_path):
    for name in ("nightly", "nightly.v2", "nightly v2"):
        publish(run(f"id {name}"), tmp_path, name)
    pages = {path.name: path.read_text() for path in (tmp_path / "published").glob("*.html")}
    assert pages == {
        "nightly.html": "report of id nightly", "nightly.v2.html": "report of id nightly.v2",
        "nightly v2.html": "report of id nightly v2",
    }  # fmt: skip


def test_a_run_without_a_report_leaves_the_page_of_the_one_before(run, tmp_path):
    page = publish(run("id-1"), tmp_path, "nightly")
    assert publish(run("id-2", report=None), tmp_path, "nightly") is None
    assert page.read_text() == "report of id-1"


def test_publishing_again_finishes_what_a_kill_left_undone(run, tmp_path):
    page = publish(run("id-1"), tmp_path, "nightly")
    (tmp_path / "published" / "nightly.json").write_text(json.dumps({"id": "id-2"}))  # its claim, and then the kill
    assert page.read_text() == "report of id-1"
    publish(run("id-2"), tmp_path, "nightly")
    assert page.read_text() == "report of id-2"


@pytest.mark.parametrize("status", ["failed", "running"])
def test_only_a_good_run_is_published(run, tmp_path, status):
    with pytest.raises(DataError, match=f"is {status}"):
        publish(run("id-1", status=status), tmp_path, "nightly")
    assert not (tmp_path / "published").exists()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 61])
def test_a_name_that_cannot_be_a_file_is_refused(run, tmp_path, name):
    with pytest.raises(DataError, match="cannot name a run"):
        publish(run("id-1"), tmp_path, name)


def test_a_folder_that_cannot_be_made_is_a_setup_error(run, tmp_path):
    (tmp_path / "published").write_text("in the way")
    with pytest.raises(SetupError, match="Cannot write to"):
        publish(run("id-1"), tmp_path, "nightly")


def test_a_damaged_claim_is_replaced(run, tmp_path):
    publish(run("id-1"), tmp_path, "nightly")
    (tmp_path / "published" / "nightly.json").write_text("{")
    assert published(tmp_path, "nightly") is None
    publish(run("id-2"), tmp_path, "nightly")
    assert published(tmp_path, "nightly") == "id-2"


def test_a_page_is_whole_at_whatever_moment_its_publisher_is_killed(tmp_path):
    page, number = tmp_path / "published" / "nightly.html", 0
    for turn in range(6):
        words = [sys.executable, "-c", PUBLISHER, tmp_path, str(number)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            number = int(child.stdout.readline())
            time.sleep(0.013 * turn)
            child.send_signal(signal.SIGKILL)
            said = [number, *map(int, child.stdout.read().split())]
        numbers = set(re.findall(r"\d{6}", page.read_text()))
        assert len(numbers) == 1, "a page of two runs"
        assert page.read_text().count("<p>") == 20_000
        assert int(numbers.pop()) >= said[-1]
        number = said[-1]
