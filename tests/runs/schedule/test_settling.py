"""How attempts end, on runs made by hand: no kernel is needed to end one."""

import signal
import subprocess
import sys

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.runs.latest import named
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.schedule.settling import bury, fail, succeed


@pytest.fixture
def made(records):
    """A run of that name with a report, gone well or still running."""

    def make(name: str = "night", page: str = "<p>whole</p>", *, ended: bool = True):
        records.clock.sleep(1)
        run = records.registry.begin("notebook", name, root=records.root)
        (run.folder / "report.html").write_text(page)
        return records.registry.succeed(run, {}) if ended else run

    return make


def page(records, name: str = "night") -> str:
    return (records.root / "published" / f"{name}.html").read_text()


def test_a_run_that_went_well_is_published_pointed_to_and_ends_its_attempt(records, due, entry, made):
    one, run = due(records, entry()), made()
    succeed(records, one, run)
    assert (records.agenda.get(one.id).state, page(records)) == ("ok", "<p>whole</p>")
    assert named("night", records.root) == run.id


def test_doing_it_twice_does_no_harm(records, due, entry, made):
    one, run = due(records, entry()), made()
    succeed(records, one, run)
    succeed(records, one, run)
    assert (records.agenda.get(one.id).state, page(records)) == ("ok", "<p>whole</p>")


def test_older_runs_make_room(records, due, entry, made):
    one = due(records, entry(keep=2))
    runs = [made(page=f"<p>{number}</p>") for number in range(4)]
    succeed(records, one, runs[-1])
    kept = [records.registry.get(run.id).folder is not None for run in runs]
    assert kept == [False, False, True, True]


def test_a_report_that_cannot_be_published_fails_the_attempt_and_leaves_the_run(records, due, entry, made):
    one, run = due(records, entry()), made()
    (records.root / "published").write_text("in the way")
    succeed(records, one, run)
    now = records.agenda.get(one.id)
    assert now.state == "failed"
    assert now.reason.startswith("the run went well, but its report could not be published")
    assert records.registry.get(run.id).status == "ok"


def test_what_failed_is_tried_again_after_a_pause_that_doubles_and_then_no_more(records, due, entry):
    one = due(records, entry(retries=2, retry_after="1m"))
    for pause in (1, 2):
        fail(records, one, "broke")
        waiting = records.agenda.get(one.id)
        assert (waiting.state, waiting.reason) == ("waiting", "broke")
        assert waiting.not_before - records.clock.now() == pd.Timedelta(minutes=pause)
        records.clock.sleep(pause * 60)
        one = records.agenda.claim(one.watcher, records.clock.now())
    fail(records, one, "broke")
    assert records.agenda.get(one.id).state == "failed"
    assert len(records.agenda.attempts(one.id)) == 3


def test_what_is_no_longer_in_the_schedule_is_not_tried_again(records, due, entry):
    one = due(records, entry(retries=2))
    records.agenda.adopt([], records.clock.now())
    fail(records, one, "broke")
    assert records.agenda.get(one.id).state == "failed"


def test_an_entry_that_cannot_be_read_any_more_ends_what_runs_of_it(records, due, entry):
    one = due(records, entry(retries=2))
    with records.agenda.file.writing() as connection:
        connection.execute("UPDATE entries SET definition = '{}'")
    fail(records, one, "broke")
    now = records.agenda.get(one.id)
    assert (now.state, now.reason.startswith("broke (and it cannot be tried again: notebook is missing")) == (
        "failed",
        True,
    )
    with pytest.raises(DataError, match="notebook is missing"):
        records.entry(one)


def test_a_process_killed_after_its_run_went_well_is_buried_by_publishing_it(records, due, entry, made):
    one, run = due(records, entry()), made()
    records.agenda.note_run(one, run.id)
    bury(records, one, "killed")  # told with the attempt as it was before it named its run
    assert (records.agenda.get(one.id).state, page(records)) == ("ok", "<p>whole</p>")


#: Ends an attempt in a process that kills itself just before one of the steps.
DIES = """
import os, signal, sys
from pathlib import Path
from qtw_lab.core import SystemClock
from qtw_lab.data.calendars import sessions
from qtw_lab.runs import Registry, latest, publishing, retention
from qtw_lab.runs.schedule import agenda, settling
store, id, run, where, name = Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
clock = SystemClock()
records = settling.Records(
    agenda.Agenda(store / "schedule.sqlite"), Registry(store / "runs.sqlite", clock), store / "runs", clock, sessions
)
one, good = records.agenda.get(id), records.registry.get(run)
place = {"settling": settling, "publishing": publishing, "latest": latest, "agenda": agenda.Agenda}[where]
setattr(place, name, die)
settling.succeed(records, one, good)
"""


@pytest.mark.parametrize("step", ["settling.point_to", "latest.write_text", "settling.publish", "publishing.write_text",
                                  "publishing.write_bytes", "settling.prune", "agenda.end"])  # fmt: skip
def test_killed_at_any_step_of_its_end_an_attempt_is_ended_by_whoever_finds_it(records, due, entry, made, step):
    before = made(page="<p>old</p>")
    succeed(records, due(records, entry(keep=1)), before)
    records.clock.sleep(60)
    one = due(records, entry(keep=1))
    run = made()
    records.agenda.note_run(one, run.id)
    store = records.agenda.path.parent
    words = [sys.executable, "-c", DIES, str(store), str(one.id), run.id, *step.split(".")]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert page(records) in ("<p>old</p>", "<p>whole</p>")
    assert records.agenda.get(one.id).state == "running"
    bury(records, one, "killed")
    assert (records.agenda.get(one.id).state, page(records)) == ("ok", "<p>whole</p>")
    assert named("night", records.root) == run.id
    assert records.registry.get(before.id).folder is None


def test_a_process_killed_in_the_middle_of_its_run_fails_the_run_with_the_reason(records, due, entry, made):
    one, run = due(records, entry()), made(ended=False)
    records.agenda.note_run(one, run.id)
    bury(records, one, "killed by the watchdog: it took longer than 2h")
    assert records.registry.get(run.id).status == "failed"
    assert records.registry.get(run.id).error == "killed by the watchdog: it took longer than 2h"
    assert records.agenda.get(one.id).reason == "killed by the watchdog: it took longer than 2h"
    assert not (records.root / "published").exists()


def test_a_process_killed_before_it_began_a_run_fails_the_attempt(records, due, entry):
    one = due(records, entry(retries=1))
    bury(records, one, "its process ended without a word")
    assert (records.agenda.get(one.id).state, records.agenda.get(one.id).run_id) == ("waiting", None)


def test_a_secret_in_the_reason_is_masked(records, due, entry, monkeypatch):
    monkeypatch.setenv("BROKER_TOKEN", "hunter22-hunter22")
    one = due(records, entry())
    fail(records, one, "its last words: hunter22-hunter22")
    assert records.agenda.get(one.id).reason == "its last words: ***BROKER_TOKEN***"


def test_what_a_process_that_is_gone_left_running_is_killed_but_never_its_watcher(records, due, entry):
    watcher, kernel = (subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2))
    here = Process.current().host
    one = due(records, entry(), watcher=Process(here, watcher.pid, start_of(watcher.pid)))
    records.agenda.note_kernel(one, Process(here, kernel.pid, start_of(kernel.pid)))
    bury(records, records.agenda.get(one.id), "killed")
    assert kernel.wait() == -signal.SIGKILL
    assert watcher.poll() is None
    watcher.kill()
    watcher.wait()
