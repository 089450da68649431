"""Real kernels in this process, and in processes that lose their attempt or their parent."""

import os
import subprocess
import sys
import time

import pytest

from qtw_lab.core import SystemClock
from qtw_lab.core.settings import environment
from qtw_lab.data.calendars import sessions
from qtw_lab.runs import Registry
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.settling import Records
from qtw_lab.runs.schedule.trees import lives
from qtw_lab.runs.schedule.working import BEAT, TAKEN_AWAY, work


def until(holds, seconds: float = 240.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


@pytest.fixture
def child(real):
    """Start the process of an attempt by the command line, in the storage folder of the records."""
    started = []

    def start(one, *more: str):
        words = [
            sys.executable,
            "-m",
            "qtw_lab",
            "worker",
            "--only",
            str(one.id),
            "--attempt",
            str(one.attempts),
            *more,
        ]
        store = {"QTW_STORAGE_DIR": str(real.agenda.path.parent)}
        process = subprocess.Popen(words, env={**environment(), **store}, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_an_attempt_is_executed_recorded_published_and_ended(real, due, entry):
    one = due(real, entry(parameters={"fast": 5}))
    assert work(real, one.id, 1)
    now = real.agenda.get(one.id)
    run = real.registry.get(now.run_id)
    assert (now.state, now.owner, run.status, run.name, run.parameters["fast"]) == (
        "ok",
        Process.current(),
        "ok",
        "night",
        5,
    )
    assert (real.root / "published" / "night.html").read_text() == "<p>whole</p>" * 1000
    assert real.agenda.attempts(one.id) == ((1, run.id, None),)
    assert now.kernel.pid != os.getpid()
    assert not lives(now.kernel)


def test_a_notebook_that_fails_fails_its_attempt_and_is_tried_again(real, due, entry, notebook):
    notebook("bad", "1/0")
    one = due(real, entry("bad", notebook="bad.ipynb", retries=1, retry_after="1h"))
    assert not work(real, one.id, 1)
    now = real.agenda.get(one.id)
    assert now.state == "waiting"
    assert "ZeroDivisionError" in now.reason
    assert real.registry.get(now.run_id).status == "failed"


def test_a_notebook_that_is_not_there_any_more_fails_its_attempt_without_a_run(real, due, entry, tmp_path):
    one = due(real, entry())
    (tmp_path / "night.ipynb").unlink()
    assert not work(real, one.id, 1)
    now = real.agenda.get(one.id)
    assert (now.state, now.run_id) == ("failed", None)
    assert "There is no notebook" in now.reason


def test_an_attempt_that_is_not_to_be_executed_is_left_alone(real, due, entry):
    one = due(real, entry())
    assert not work(real, one.id, 2)
    assert real.agenda.take(one, Process("here", 1, "boot:1"), real.clock.now())
    assert not work(real, one.id, 1)  # somebody has it in hand
    assert len(real.registry.list()) == 0


def test_a_process_says_how_far_it_is_and_ends_with_its_kernel_when_its_attempt_was_taken_away(
    real, due, entry, notebook, child, tmp_path
):
    starts = "import subprocess, sys, time; below = subprocess.Popen(['sleep', '60'], start_new_session=True)"
    notebook("long", starts, f"open({str(tmp_path / 'below')!r}, 'w').write(str(below.pid)); time.sleep(60)", "2")
    one = due(real, entry("long", notebook="long.ipynb"))
    process = child(one)
    until(lambda: real.agenda.get(one.id).progress == "3/5")  # with the cell of injected parameters
    first = real.agenda.get(one.id)
    assert first.owner.pid == process.pid
    assert lives(first.kernel)
    until(lambda: real.agenda.get(one.id).beat > first.beat, 30 * BEAT)
    # taken away: somebody declared it dead
    real.agenda.end(first, "failed", "given up", real.clock.now())
    assert process.wait(timeout=60) == TAKEN_AWAY
    until(lambda: start_of(first.kernel.pid) is None, 30)
    assert start_of(int((tmp_path / "below").read_text())) is None  # what the notebook had started is gone too
    real.registry.bury()
    assert real.registry.get(first.run_id).status == "failed"


def test_a_process_that_is_told_to_end_ends_its_attempt_in_order(real, due, entry, notebook, child):
    notebook("long", "import time; time.sleep(60)")
    one = due(real, entry("long", notebook="long.ipynb"))
    process = child(one)
    until(lambda: real.agenda.get(one.id).progress == "2/3")
    process.terminate()
    process.wait(timeout=90)
    now = real.agenda.get(one.id)
    assert (now.state, now.reason) == ("failed", "interrupted")
    assert real.registry.get(now.run_id).status == "failed"
    assert not lives(now.kernel)


def test_work_that_is_bound_ends_with_its_parent_and_leaves_nothing(real, due, entry, notebook, child, tmp_path):
    notebook("long", "import time; time.sleep(60)")
    place = tmp_path / "errand"
    agenda, clock = Agenda(place / "schedule.sqlite"), SystemClock()
    there = Records(agenda, Registry(place / "runs.sqlite", clock), place / "runs", clock, sessions)
    one = due(there, entry("long", notebook="long.ipynb"))
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    process = child(one, "--place", str(place), "--parent", str(parent.pid))
    until(lambda: agenda.get(one.id).progress == "2/3")
    kernel = agenda.get(one.id).kernel
    parent.kill()
    parent.wait()
    assert process.wait(timeout=60) == TAKEN_AWAY
    assert not lives(kernel)
    assert not place.exists()
