"""`qtw schedule` and `qtw worker`, in this process; their long-lived side is in tests/lab and tests/runs/schedule."""

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

TEXT = """
[night]
notebook = "night.ipynb"
trigger = "close+10m"
days = "half"

[hourly]
notebook = "night.ipynb"
trigger = "every 1s"
"""


@pytest.fixture
def file(tmp_path):
    """A schedule of two entries."""
    nbformat.write(new_notebook(cells=[new_code_cell("1 + 1")]), tmp_path / "night.ipynb")
    (tmp_path / "schedule.toml").write_text(TEXT)
    return tmp_path / "schedule.toml"


def test_list_shows_every_entry_and_that_nobody_keeps_time(qtw, file):
    answer = qtw("schedule", "list", "--file", file)
    assert answer.code == 0
    assert "close+10m (XNYS, half)" in answer.out
    assert "every 1s" in answer.out
    assert "Nobody keeps time. Start it with: qtw schedule start" in answer.out


def test_list_in_json_has_the_whole_table(qtw, file):
    told = qtw("schedule", "list", "--file", file, "--json").json
    assert [entry["entry"] for entry in told["entries"]] == ["night", "hourly"]
    assert told["entries"][0] | {"next": ""} == {
        "entry": "night", "notebook": "night.ipynb", "trigger": "close+10m (XNYS, half)", "enabled": True, "next": "",
        "last_due": None, "status": None, "run": None, "reason": None, "missed": 0, "running_since": None,
        "progress": None,
    }  # fmt: skip
    assert told["services"] == []


def test_next_shows_what_is_due_soonest_first(qtw, file):
    told = qtw("schedule", "next", "--file", file, "--count", 3, "--json").json
    assert [row["entry"] for row in told] == ["hourly"] * 3
    dues = [pd.Timestamp(row["due"]) for row in told]
    assert dues == sorted(dues)
    shown = qtw("schedule", "next", "--file", file, "--count", 2)
    assert shown.out.splitlines()[0].split() == ["entry", "here", "there", "zone"]
    assert len(shown.out.splitlines()) == 3


def test_next_up_to_a_date_that_is_past_shows_nothing(qtw, file):
    assert qtw("schedule", "next", "--file", file, "--until", "2020-01-01").out == "Nothing is due.\n"
    assert qtw("schedule", "next", "--file", file, "--until", "soon").code == 2


def test_start_keeps_time_for_a_while_and_a_worker_does_what_waits(qtw, file):
    answer = qtw("schedule", "start", "--file", file, "--no-work", "--max-seconds", 2.5)
    assert answer.code == 0
    assert "2 entries (night, hourly)" in answer.out
    answer = qtw("worker", "--once")
    assert answer.code == 0
    assert answer.out.splitlines()[-1].endswith(": ok")
    assert qtw("schedule", "list", "--file", file, "--json").json["entries"][1]["status"] == "ok"
    assert qtw("runs", "list", "--json").json[0]["name"] == "hourly"


def test_a_worker_without_work_ends_at_once(qtw):
    assert (qtw("worker", "--once").code, qtw("worker", "--max-seconds", 0).code) == (0, 0)


def test_a_schedule_with_faults_is_refused_with_all_of_them(qtw, file):
    file.write_text(TEXT.replace("close+10m", "noon").replace("every 1s", "every day"))
    answer = qtw("schedule", "start", "--file", file)
    assert answer.code == 2
    assert "has 2 faults: [night] trigger: 'noon' is no trigger" in answer.err


def test_an_attempt_that_is_not_to_be_executed_is_refused(qtw):
    answer = qtw("worker", "--only", 7)
    assert answer.code == 2
    assert "There is no occurrence 7" in answer.err
