"""`qtw doctor` and the pieces of `qtw demo`."""

import pytest

from qtw_lab.cli.house import notebooks_folder
from qtw_lab.core import Settings
from qtw_lab.lab.doctor import examine


def test_the_doctor_tells_the_same_to_people_and_to_programs(qtw, storage):
    answer = qtw("doctor")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith("Everything needed is here.\n")
    told = qtw("doctor", "--json")
    assert told.code == 0
    assert [row["what"] for row in told.json] == [finding.what for finding in examine(Settings.load())]
    assert {row["state"] for row in told.json} <= {"ok", "optional"}
    assert all(row["mend"] for row in told.json if row["state"] != "ok")
    assert all(row["what"] in answer.out for row in told.json)


def test_the_doctor_fits_the_screen_and_keeps_commands_whole(qtw):
    lines = qtw("doctor").out.splitlines()
    assert max(len(line) for line in lines if "mend: " not in line) <= 80
    mends = {row["mend"] for row in qtw("doctor", "--json").json if row["state"] != "ok"}
    assert {line.partition("mend: ")[2] for line in lines if "mend: " in line} == mends


def test_a_storage_folder_that_cannot_be_written_makes_the_doctor_fail(qtw, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path / "file" / "below"))
    answer = qtw("doctor")
    assert answer.code == 1
    assert "missing     storage folder" in answer.out
    assert "mend: set QTW_STORAGE_DIR" in answer.out
    assert "needed thing(s) missing" in answer.out


def test_the_doctor_never_shows_a_key(qtw, monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY_ID", "PK-not-to-be-seen")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "SK-not-to-be-seen")
    assert "not-to-be-seen" not in qtw("doctor").out + qtw("doctor", "--json").out


def test_a_setting_that_cannot_be_used_is_wrong_input(qtw, monkeypatch):
    monkeypatch.setenv("ALPACA_DATA_FEED", "carrier-pigeon")
    for words in (("doctor",), ("data", "list"), ("backtest", "sma_cross")):
        answer = qtw(*words)
        assert (answer.code, answer.out) == (2, "")
        assert "ALPACA_DATA_FEED" in answer.err
        assert answer.err.count("\n") == 1


def test_the_demo_notebook_is_where_the_demo_looks():
    assert (notebooks_folder() / "runs" / "nightly_report.ipynb").is_file()


@pytest.mark.slow
def test_the_demo_runs_offline_and_names_its_report(qtw, storage):
    answer = qtw("demo")
    assert (answer.code, answer.err) == (0, "")
    (report,) = (storage / "runs").glob("*/report.html")
    assert str(report) in answer.out
    assert "Sharpe ratio" in answer.out
    assert {row["kind"] for row in qtw("runs", "list", "--json").json} == {"notebook", "backtest", "sweep"}
