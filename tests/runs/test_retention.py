"""Making room, with kills in between."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from qtw_lab.core import DataError, Fact, Facts, SystemClock, VirtualClock
from qtw_lab.core.files import write_text
from qtw_lab.runs import Registry
from qtw_lab.runs.retention import prune

START = pd.Timestamp("2024-01-02 14:30", tz="UTC")

PRUNER = """
import sys
from pathlib import Path
from qtw_lab.core import SystemClock
from qtw_lab.runs import Registry
from qtw_lab.runs.retention import prune
registry = Registry(Path(sys.argv[1]), SystemClock())
print("ready", flush=True)
prune(registry, "nightly", 1)
"""


@pytest.fixture
def clock():
    return VirtualClock(START)


@pytest.fixture
def registry(tmp_path, clock):
    return Registry(tmp_path / "runs.sqlite", clock)


@pytest.fixture
def made(registry, clock, tmp_path):
    """Runs that ended so, oldest first, each with figures and a file in a folder below its own."""

    def make(*statuses: str, name: str = "nightly", files: int = 1):
        runs = []
        for status in statuses:
            run = registry.begin("notebook", name, root=tmp_path / "runs")
            write_text(run.folder / "facts.json", Facts("T", (Fact("sharpe", 1.5),)).to_json())
            (run.folder / "deep").mkdir()
            for number in range(files):
                (run.folder / "deep" / f"{number}.txt").write_text("some")
            if status != "running":
                run = registry.succeed(run, {}) if status == "ok" else registry.fail(run, "broken")
            runs.append(run)
            clock.sleep(60)
        return runs

    return make


def kept(registry, runs):
    return "".join("x" if registry.get(run.id).folder is not None and run.folder.is_dir() else "-" for run in runs)


def test_the_newest_keep_their_files_and_the_others_their_record(registry, made, tmp_path):
    runs = made("ok", "failed", "ok", "ok")
    assert prune(registry, "nightly", 2) == (runs[1].id, runs[0].id)
    assert kept(registry, runs) == "--xx"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [runs[2].folder.name, runs[3].folder.name]
    gone = registry.get(runs[0].id)
    assert (gone.status, gone.folder, gone.facts()["sharpe"]) == ("ok", None, 1.5)
    assert gone.pruned is not None
    assert prune(registry, "nightly", 2) == ()


def test_the_last_good_run_stays_however_many_failed_after_it(registry, made):
    runs = made("ok", "ok", "failed", "failed", "failed")
    prune(registry, "nightly", 1)
    assert kept(registry, runs) == "-x--x"
    assert registry.latest_good("nightly").folder == runs[1].folder


def test_what_is_running_stays_and_does_not_count(registry, made):
    runs = made("ok", "running", "ok", "running")
    prune(registry, "nightly", 1)
    assert kept(registry, runs) == "-xxx"


def test_other_names_are_left_alone(registry, made):
    others = made("ok", "ok", name="other nightly")
    runs = made("ok", "ok")
    prune(registry, "nightly", 1)
    assert (kept(registry, runs), kept(registry, others)) == ("-x", "xx")


def test_a_folder_that_the_registry_did_not_make_is_never_touched(registry, made, clock, tmp_path):
    (tmp_path / "mine").mkdir()
    own = registry.record("notebook", "nightly", None, {}, [], folder=tmp_path / "mine")
    clock.sleep(60)
    made("ok", "ok")
    prune(registry, "nightly", 1)
    assert registry.get(own.id).folder == tmp_path / "mine"
    assert (tmp_path / "mine" / "manifest.json").is_file()


def test_a_folder_that_somebody_removed_by_hand_is_put_on_record(registry, made):
    runs = made("ok", "ok")
    shutil.rmtree(runs[0].folder)
    assert prune(registry, "nightly", 1) == (runs[0].id,)
    assert registry.get(runs[0].id).pruned is not None


def test_what_a_kill_left_behind_goes_next_time(registry, made, tmp_path):
    runs = made("ok", "ok", "ok")
    registry.prune(runs[0])  # and then the kill: the folder is still there
    runs[1].folder.rename(runs[1].folder.with_name(f".pruned-{runs[1].folder.name}"))  # and here, half deleted
    prune(registry, "nightly", 1)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [runs[2].folder.name]


def test_two_at_once_do_not_disturb_each_other(registry, made, tmp_path):
    runs = made(*["ok"] * 12, files=20)
    words = [sys.executable, "-c", PRUNER, registry.path]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other,
    ):
        assert (one.wait(), other.wait()) == (0, 0)
    assert kept(registry, runs) == "-" * 11 + "x"
    assert all(registry.get(run.id).facts()["sharpe"] == 1.5 for run in runs)
    assert len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.parametrize("keep", [0, -1, 1.5, True, "3"])
def test_keeping_none_is_refused(registry, keep):
    with pytest.raises(DataError, match="at least 1"):
        prune(registry, "nightly", keep)


def test_no_half_folder_stands_under_its_own_name_whenever_the_pruner_is_killed(registry, made, tmp_path):
    runs = made(*["ok"] * 8, files=60)
    for turn in range(6):
        words = [sys.executable, "-c", PRUNER, registry.path]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            child.stdout.readline()
            time.sleep(0.004 * turn)
            child.send_signal(signal.SIGKILL)
        for folder in (tmp_path / "runs").glob("[0-9]*"):
            assert len(list((folder / "deep").iterdir())) == 60, "half a folder"
    prune(Registry(registry.path, SystemClock()), "nightly", 1)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [runs[-1].folder.name]
    assert kept(registry, runs) == "-------x"
    assert all(registry.get(run.id).facts()["sharpe"] == 1.5 for run in runs)
