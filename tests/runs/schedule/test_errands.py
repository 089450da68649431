"""Errands executed in a folder of their own, by a real process with a real kernel."""

import os
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from qtw_lab.core import RunError, SystemClock
from qtw_lab.core.settings import environment
from qtw_lab.data.calendars import sessions
from qtw_lab.runs import Registry
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.errands import Errand, Workshop, packed, perform, unpack
from qtw_lab.runs.schedule.settling import Records


def records_in(place: Path) -> Records:
    clock = SystemClock()
    registry = Registry(place / "runs.sqlite", clock)
    return Records(Agenda(place / "schedule.sqlite"), registry, place / "runs", clock, sessions)


def command(one, place: Path) -> list[str]:
    words = ["worker", "--only", str(one.id), "--attempt", "1", "--place", str(place), "--parent", str(os.getpid())]
    return [sys.executable, "-m", "qtw_lab", *words]


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    return Workshop(records_in, command, {**environment(), "QTW_STORAGE_DIR": str(tmp_path / "there")})


def test_an_errand_comes_back_with_its_files_and_leaves_nothing(entry, workshop, tmp_path):
    made = entry(parameters={"fast": 5}, notify={"desktop": True}, depends_on=["x"], retries=3, memory="4GB")
    outcome = perform(Errand.of(made, made.notebook.read_text()), workshop)
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert outcome.manifest["run"]["status"] == "ok"
    assert outcome.manifest["inputs"]["parameters"]["fast"] == 5
    unpack(outcome.files, tmp_path / "here")
    assert (tmp_path / "here" / "report.html").read_text() == "<p>whole</p>" * 1000
    assert list((tmp_path / "tmp").glob("qtw-errand-*")) == []


def test_an_errand_that_fails_comes_back_with_the_reason_and_the_notebook(entry, workshop, notebook, tmp_path):
    notebook("bad", "1/0")
    made = entry("bad", notebook="bad.ipynb", retries=5)
    outcome = perform(Errand.of(made, made.notebook.read_text()), workshop)
    assert outcome.status == "failed"
    assert "ZeroDivisionError" in outcome.reason
    unpack(outcome.files, tmp_path / "here")
    assert "ZeroDivisionError" in (tmp_path / "here" / "notebook.ipynb").read_text()


def test_an_errand_over_its_limit_is_killed_where_it_runs(entry, workshop, notebook):
    notebook("long", "import time; time.sleep(60)")
    made = entry("long", notebook="long.ipynb", timeout="5s")
    outcome = perform(Errand.of(made, made.notebook.read_text()), workshop)
    assert (outcome.status, outcome.reason) == ("failed", "killed by the watchdog: it took longer than 5s")


def test_an_errand_that_cannot_begin_comes_back_with_the_reason_alone(entry, workshop):
    made = entry()
    outcome = perform(Errand.of(made, "{}"), workshop)
    assert (outcome.status, outcome.manifest, outcome.files) == ("failed", None, b"")
    assert "is not a notebook that can be read" in outcome.reason


def test_an_errand_that_nobody_waits_for_ends_with_everything_it_started(entry, workshop, notebook, tmp_path):
    notebook("long", "import time; time.sleep(60)")
    made, asked = entry("long", notebook="long.ipynb"), time.monotonic()
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(RunError, match="Nobody waits for long any more"):
        perform(Errand.of(made, made.notebook.read_text()), workshop, lambda: time.monotonic() < asked + 4)
    assert set(psutil.Process().children(recursive=True)) <= before
    assert list((tmp_path / "tmp").glob("qtw-errand-*")) == []


def test_files_are_packed_without_links_and_unpacked_as_they_were(tmp_path):
    (tmp_path / "run" / "deep").mkdir(parents=True)
    (tmp_path / "run" / "deep" / "a.bin").write_bytes(bytes(range(256)))
    (tmp_path / "run" / "link").symlink_to("/etc/hostname")
    unpack(packed(tmp_path / "run"), tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()] == ["a.bin"]
    assert (tmp_path / "copy" / "deep" / "a.bin").read_bytes() == bytes(range(256))


def test_what_is_no_archive_or_wants_to_lie_elsewhere_is_refused(tmp_path):
    outside = BytesIO()
    with tarfile.open(fileobj=outside, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), BytesIO())
    for files in (b"nonsense", packed(tmp_path)[:10], outside.getvalue()):
        with pytest.raises(RunError, match="cannot be unpacked"):
            unpack(files, tmp_path / "here")
    assert not (tmp_path / "outside").exists()
