"""The registry on a real SQLite file, with real processes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from qtw_lab.core import DataError, Fact, Facts, RunError, SeriesRef, SetupError, SystemClock, VirtualClock
from qtw_lab.runs import DataUse, Registry

START = pd.Timestamp("2024-01-02 14:30", tz="UTC")
FACTS = Facts("T", (Fact("sharpe", 1.5),))

RECORDER = """
import sys
from pathlib import Path
from qtw_lab.core import Fact, Facts, SystemClock
from qtw_lab.runs import DataUse, Registry
registry = Registry(Path(sys.argv[1]), SystemClock())
for number in range(200):
    registry.record("backtest", sys.argv[2], None, {"number": number}, [DataUse("f", ("X",), "s")])
"""
ABANDON = """
import os, signal, sys
from pathlib import Path
from qtw_lab.core import SystemClock
from qtw_lab.runs import Registry
from qtw_lab.runs.manifest import Inputs, compose, write_manifest
registry = Registry(Path(sys.argv[1]), SystemClock())
run = registry.begin("notebook", "nightly", root=Path(sys.argv[1]).parent)
write_manifest(run.folder, compose(run, Inputs()))
print(run.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def registry(tmp_path, clock):
    return Registry(tmp_path / "runs.sqlite", clock)


def _use(content):
    return DataUse("f" * 64, ("AAPL",), "alpaca", (SeriesRef("alpaca", "AAPL", "1D", content),))


def test_a_run_goes_from_running_to_ok(registry, clock, tmp_path):
    run = registry.begin("notebook", "nightly", {"fast": 5}, root=tmp_path / "runs")
    assert (run.status, run.finished, run.seconds) == ("running", None, None)
    assert run.folder == tmp_path / "runs" / f"{run.id}-nightly"
    assert run.folder.is_dir()
    clock.sleep(90)
    done = registry.succeed(run, {"schema": 1}, [_use("c1")])
    assert (done.status, done.seconds, done.manifest, done.parameters) == ("ok", 90.0, {"schema": 1}, {"fast": 5})
    assert registry.get(run.id) == done


def test_a_failed_run_keeps_its_reason(registry):
    failed = registry.fail(registry.begin("notebook", "nightly"), "ZeroDivisionError: division by zero")
    assert (failed.status, failed.error) == ("failed", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_a_run_ends_once(registry, end):
    run = registry.begin("notebook", "nightly")
    registry.fail(run, "first")
    with pytest.raises(RunError, match="is not running"):
        getattr(registry, end)(run, {} if end == "succeed" else "second")
    assert registry.get(run.id).error == "first"


def test_a_failed_success_records_no_data(registry):
    run = registry.begin("notebook", "nightly")
    registry.fail(run, "first")
    with pytest.raises(RunError):
        registry.succeed(run, {}, [_use("c1")])
    assert registry.users_of("alpaca", "AAPL", "1D", "c1").empty


def test_facts_of_a_backtest_without_a_folder_are_kept_in_the_registry(registry):
    run = registry.record("backtest", "sma_cross", FACTS, {"fast": 10}, [_use("c1")])
    assert run.facts() == Facts("T", (Fact("sharpe", 1.5, label="Sharpe"),))
    assert (run.status, run.folder) == ("ok", None)
    assert run.manifest["inputs"]["data"][0]["fingerprint"] == "f" * 64


def test_a_backtest_with_a_folder_gets_facts_and_manifest_there(registry, tmp_path):
    (tmp_path / "out").mkdir()
    run = registry.record("backtest", "sma_cross", FACTS, {}, [], folder=tmp_path / "out")
    assert run.folder == tmp_path / "out"
    assert sorted(p.name for p in run.folder.iterdir()) == ["facts.json", "manifest.json"]
    assert run.facts()["sharpe"] == 1.5
    with pytest.raises(DataError, match="There is no folder"):
        registry.record("backtest", "sma_cross", FACTS, {}, [], folder=tmp_path / "nowhere")


def test_a_run_without_facts_says_so(registry):
    with pytest.raises(DataError, match="recorded no figures"):
        registry.begin("notebook", "a").facts()


def test_what_people_see_of_a_run_is_escaped(registry):
    run = registry.fail(registry.begin("notebook", "a", {"x": "<b>"}), "<script>alert(1)</script>")
    assert "<script>" not in run._repr_html_()
    assert "&lt;b&gt;" in run._repr_html_()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a\nb", "x" * 61, "a\0b"])
def test_a_name_that_cannot_be_a_folder_is_refused_and_nothing_is_recorded(registry, tmp_path, name):
    with pytest.raises(DataError, match="cannot name a run"):
        registry.begin("notebook", name, root=tmp_path / "runs")
    assert registry.list().empty
    assert not (tmp_path / "runs").exists()


def test_a_secret_by_value_is_not_recorded(registry):
    with pytest.raises(DataError, match="env:NAME"):
        registry.begin("notebook", "a", {"api_key": "abc-secret"})
    with pytest.raises(DataError, match="env:NAME"):
        registry.record("backtest", "a", None, {"api_key": "abc-secret"}, [])
    assert b"abc-secret" not in b"".join(p.read_bytes() for p in registry.path.parent.iterdir())


def test_a_secret_of_the_settings_is_known_whatever_its_name(tmp_path, clock):
    registry = Registry(tmp_path / "runs.sqlite", clock, known={"broker": "abc-secret", "short": "on"})
    with pytest.raises(DataError, match="value of broker"):
        registry.begin("notebook", "a", {"note": "the abc-secret"})
    assert registry.begin("notebook", "a", {"note": "on"}).status == "running"


def test_registry_and_folders_can_move_together(registry, clock, tmp_path):
    run = registry.begin("notebook", "a", root=tmp_path)
    registry.succeed(run, {})
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    tmp_path.rename(moved)
    assert Registry(moved / "runs.sqlite", clock).get(run.id).folder == moved / run.folder.name


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, clock, registry):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="Cannot make the registry"):
        Registry(tmp_path / "file" / "runs.sqlite", clock)
    with pytest.raises(SetupError, match="Cannot make the folder"):
        registry.begin("notebook", "a", root=tmp_path / "file")
    assert registry.list().empty


def test_a_run_whose_process_was_killed_is_found_out_on_opening(tmp_path):
    path = tmp_path / "runs.sqlite"
    child = subprocess.run([sys.executable, "-c", ABANDON, path], capture_output=True, text=True, check=False)
    assert child.returncode == -9, child.stderr
    run = Registry(path, SystemClock()).get(child.stdout.strip())
    assert (run.status, run.error) == ("failed", "killed")
    assert run.finished is not None
    assert '"status": "failed"' in (run.folder / "manifest.json").read_text()
    assert '"error": "killed"' in (run.folder / "manifest.json").read_text()


ABANDONED_NOTEBOOK = """
import nbformat
from nbformat.v4 import new_code_cell, new_notebook
cell = new_code_cell("work()", metadata={"papermill": {"status": "running"}})
nbformat.write(new_notebook(cells=[cell]), run.folder / "notebook.ipynb")
(run.folder / "log.txt").write_text("the key is " + "quite-" + "secret-1")
"""


def abandoned(path, monkeypatch):
    """A run whose process was killed in a cell, after it wrote a secret that its parameters refer to into a file."""
    monkeypatch.setenv("BROKER_TEST", "quite-secret-1")
    code = ABANDON.replace("root=Path", 'parameters={"key": "env:BROKER_TEST"}, root=Path')
    code = code.replace("print(run.id", f"{ABANDONED_NOTEBOOK}\nprint(run.id")
    child = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert child.returncode == -9, child.stderr
    return child.stdout.strip()


def test_a_killed_run_says_so_in_its_notebook_and_keeps_no_secret(tmp_path, monkeypatch):
    name = abandoned(tmp_path / "runs.sqlite", monkeypatch)
    run = Registry(tmp_path / "runs.sqlite", SystemClock()).get(name)
    assert run.error == "killed; leaked: the value of BROKER_TEST came out in log.txt"
    assert "This run failed: killed" in run.notebook.read_text()
    assert '"status": "failed"' in run.notebook.read_text()
    assert (run.folder / "log.txt").read_text() == "the key is ***BROKER_TEST***"
    assert run.manifest["run"]["error"] == run.error


def test_files_that_cannot_be_written_do_not_keep_a_run_running(tmp_path, monkeypatch):
    name = abandoned(tmp_path / "runs.sqlite", monkeypatch)
    folder = next(tmp_path.glob(f"{name}-*"))
    (folder / "notebook.ipynb").unlink()
    (folder / "log.txt").unlink()
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()
    assert Registry(tmp_path / "runs.sqlite", SystemClock()).get(name).error == "killed"


def test_whoever_kills_a_run_can_say_why(registry, clock, tmp_path):
    run = registry.begin("notebook", "a", root=tmp_path)
    clock.sleep(60)
    killed = registry.bury_run(run.id, "killed by the watchdog: took longer than 30 min")
    assert (killed.status, killed.error) == ("failed", "killed by the watchdog: took longer than 30 min")
    assert killed.seconds == 60
    assert registry.bury_run(run.id, "again").error == killed.error
    with pytest.raises(RunError, match="is not running"):
        registry.succeed(run, {})
    with pytest.raises(DataError, match="There is no run"):
        registry.bury_run("nothing", "killed")


def test_a_run_that_ended_before_it_could_be_killed_is_left_as_it_is(registry, tmp_path):
    run = registry.begin("notebook", "a", root=tmp_path)
    done = registry.succeed(run, {})
    assert registry.bury_run(run.id, "killed") == done


def test_a_reason_holds_no_secret(tmp_path, clock):
    registry = Registry(tmp_path / "runs.sqlite", clock, known={"broker": "abc-secret"})
    run = registry.begin("notebook", "a", root=tmp_path)
    assert registry.bury_run(run.id, "it said abc-secret").error == "it said ***broker***"


def test_a_run_without_its_files_keeps_its_figures(registry, clock, tmp_path):
    (tmp_path / "out").mkdir()
    run = registry.record("backtest", "sma_cross", FACTS, {}, [_use("c1")], folder=tmp_path / "out")
    clock.sleep(60)
    gone = registry.prune(run)
    assert (gone.folder, gone.pruned, gone.report, gone.notebook) == (None, clock.now(), None, None)
    assert gone.facts() == run.facts()
    assert gone.manifest["inputs"] == run.manifest["inputs"]
    assert registry.get(run.id) == gone
    assert registry.list()["folder"].tolist() == [None]
    assert registry.users_of("alpaca", "AAPL", "1D", "c1")["folder"].isna().all()
    assert "removed 2024-01-02 14:31:00 UTC to make room" in gone._repr_html_()
    with pytest.raises(RunError, match="still running"):
        registry.prune(registry.begin("notebook", "b"))


def test_a_run_of_a_living_process_is_left_alone_on_opening(registry, clock):
    run = registry.begin("notebook", "a")
    assert Registry(registry.path, clock).get(run.id).status == "running"


def test_a_run_wrongly_taken_for_killed_is_put_right_when_it_reports(registry, clock):
    run = registry.begin("notebook", "a")
    with sqlite3.connect(registry.path) as connection:
        connection.execute("UPDATE runs SET process_started = 'another boot'")
    connection.close()
    assert registry.bury() == (run.id,)
    assert registry.bury() == ()
    assert registry.succeed(run, {}).status == "ok"
    assert registry.get(run.id).error is None


def test_two_processes_record_two_hundred_runs_each_at_once(tmp_path):
    path = tmp_path / "deep" / "runs.sqlite"
    children = [subprocess.Popen([sys.executable, "-c", RECORDER, path, name]) for name in ("a", "b")]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    table = Registry(path, SystemClock()).list(limit=None)
    assert len(table) == table["id"].nunique() == 400
    for name in ("a", "b"):
        numbers = [parameters["number"] for parameters in table.loc[table["name"] == name, "parameters"]]
        assert numbers == list(range(199, -1, -1))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM data_used").fetchone() == (400,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_threads_may_open_and_use_one_registry_at_once(tmp_path):
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            registry = Registry(Path(tmp_path / "runs.sqlite"), SystemClock())
            for _ in range(5):
                registry.succeed(registry.begin("notebook", f"n{number}"), {})
        except BaseException as err:  # noqa: BLE001  (a thread's fault must reach the test)
            faults.append(err)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(Registry(tmp_path / "runs.sqlite", SystemClock()).list(status="ok")) == 30
