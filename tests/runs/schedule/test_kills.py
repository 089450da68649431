"""kill -9 at any moment: the scheduler, the process of an attempt, both, or all of the machine's at once."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest

from qtw_lab.core.settings import environment
from qtw_lab.runs.publishing import published
from qtw_lab.runs.schedule.pools import LocalPool
from qtw_lab.runs.schedule.trees import lives

#: A page of many equal lines: half of it, or two halves of different runs, would show.
PAGE = """
import uuid
from pathlib import Path
line = f"<p>{uuid.uuid4()}</p>\\n"
Path(run_folder, "report.html").write_text(line * 5_000)
"""
SCHEDULE = """
[defaults]
retries = 1
retry_after = "1s"
keep = 3

[first]
notebook = "page.ipynb"
trigger = "every 4s"

[second]
notebook = "page.ipynb"
trigger = "every 5s"
"""


class World:
    """A storage folder, its schedule, and the processes that were started on it."""

    def __init__(self, records, file: Path) -> None:
        self.records, self.file = records, file
        self.store = records.agenda.path.parent
        self.pages: set[str] = set()

    def start(self, *words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "qtw_lab", *(words or ("schedule", "start", "--file", str(self.file)))]
        variables = {
            **environment(),
            "QTW_STORAGE_DIR": str(self.store),
            "LOCAL_TASK_WORKERS": "2",
            "DASK_SCHEDULER": "",
        }
        with (self.store / "said").open("ab") as said:
            return subprocess.Popen(command, env=variables, stdout=said, stderr=said)

    def members(self) -> list[psutil.Process]:
        """Every process that works in this storage folder, kernels included."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("QTW_STORAGE_DIR") == str(self.store) and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def look_at_pages(self) -> None:
        """Every page that is published is one whole page of one run."""
        for page in (self.records.root / "published").glob("*.html"):
            lines = page.read_text().splitlines()
            assert len(lines) == 5_000
            assert len(set(lines)) == 1
            assert re.fullmatch(r"<p>[0-9a-f-]{36}</p>", lines[0])

    def settle(self) -> None:
        """Let a last scheduler put everything in order."""
        last = self.start("schedule", "start", "--file", str(self.file), "--max-seconds", "5")
        assert last.wait(timeout=240) == 0, (self.store / "said").read_text()

    def check(self) -> Counter:
        """Nothing runs for ever, nothing is half, everything ended in one way; how often each."""
        self.look_at_pages()
        occurrences = self.records.agenda.list(None, 10_000)
        runs = self.records.registry.list(limit=None).set_index("id")
        assert self.records.agenda.running() == ()
        assert "running" not in set(runs["status"])
        attempts = {one.id: self.records.agenda.attempts(one.id) for one in occurrences}
        named = [run for tries in attempts.values() for _, run, _ in tries if run is not None]
        assert len(named) == len(set(named))
        for one in occurrences:
            assert len(attempts[one.id]) == one.attempts <= 2
            good = [run for _, run, _ in attempts[one.id] if run is not None and runs.loc[run, "status"] == "ok"]
            assert len(good) == (one.state == "ok")
        self._check_folders(runs)
        assert self.members() == []
        return Counter(one.state for one in occurrences)

    def _check_folders(self, runs: pd.DataFrame) -> None:
        for run in runs.index[runs["folder"].notna()]:
            folder = Path(runs.loc[run, "folder"])
            if (folder / "manifest.json").exists():
                manifest = json.loads((folder / "manifest.json").read_text())
                assert manifest["run"]["status"] == runs.loc[run, "status"]
            if runs.loc[run, "status"] == "failed" and (folder / "notebook.ipynb").exists():
                executed = json.loads((folder / "notebook.ipynb").read_text())
                assert executed["metadata"]["papermill"]["exception"] is True
        for name in ("first", "second"):
            told = published(self.records.root, name)
            assert told is None or runs.loc[told, "status"] == "ok"


@pytest.fixture
def world(real, notebook, schedule):
    notebook("page", PAGE)
    made = World(real, schedule(SCHEDULE))
    yield made
    for process in made.members():
        process.kill()


def until(holds, seconds: float = 240.0):
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)
    return found


def kill_again_and_again(world: World, count: int) -> Counter:
    """Kill so often, each time at another moment of an attempt's life and another part of the whole."""
    scheduler = world.start()
    done = until(lambda: [one for one in world.records.agenda.list() if one.state == "ok"])[0]
    whole = (done.ended - done.started).total_seconds()  # as busy as the machine is
    for number in range(count):
        one = until(world.records.agenda.running)[0]
        time.sleep(1.5 * whole * (number * 0.618 % 1))
        owner = (world.records.agenda.get(one.id).owner or one.watcher).pid  # one that was never begun has no owner
        victims = {
            "scheduler": [scheduler.pid],
            "child": [owner],
            "both": [scheduler.pid, owner],
            "machine": [process.pid for process in world.members()],
        }[("scheduler", "child", "both", "machine")[number % 4]]
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it had ended just before
        if scheduler.pid in victims:
            scheduler.wait()
            scheduler = world.start()
        world.look_at_pages()
    time.sleep(3)
    scheduler.kill()
    scheduler.wait()
    world.settle()
    return world.check()


def test_killed_at_ten_moments_nothing_is_half_and_nothing_runs_for_ever(world):
    ended = kill_again_and_again(world, 10)
    assert ended["ok"] >= 1


@pytest.mark.slow  # some ten minutes
def test_killed_at_a_hundred_moments_nothing_is_half_and_nothing_runs_for_ever(world):
    ended = kill_again_and_again(world, 100)
    assert ended["ok"] >= 5


def test_two_schedulers_and_a_worker_at_once_run_everything_once_though_one_is_killed(world):
    services = [world.start(), world.start(), world.start("worker")]
    until(lambda: any(one.state == "ok" for one in world.records.agenda.list()))
    (one, *_) = until(lambda: [one for one in world.records.agenda.running() if one.kernel])  # not only begun
    (killed,) = (service for service in services if service.pid == one.watcher.pid)
    killed.kill()
    killed.wait()
    until(lambda: world.records.agenda.get(one.id).state == "ok")  # it went on, watched over by another
    assert world.records.agenda.get(one.id).attempts == 1
    time.sleep(6)
    for service in services:
        service.terminate()
    assert [service.wait(timeout=240) for service in services if service is not killed] == [0, 0]
    world.settle()
    assert world.check()["failed"] == 0
    assert {one.attempts for one in world.records.agenda.list() if one.state == "ok"} == {1}


def test_a_process_that_stands_still_is_killed_with_its_kernel_and_its_run_says_so(
    real, due, entry, notebook, tmp_path
):
    notebook("long", "import time; time.sleep(60)")
    one = due(real, entry("long", notebook="long.ipynb"))
    store = real.agenda.path.parent
    pool = LocalPool(
        real, 1, lambda one: [sys.executable, "-m", "qtw_lab", "worker", "--only", str(one.id)],
        {**environment(), "QTW_STORAGE_DIR": str(store)}, tmp_path / "logs", silence=pd.Timedelta(seconds=15),
    )  # fmt: skip
    eye = pool.start(one)
    until(lambda: eye.look() or real.agenda.get(one.id).progress == "2/3")
    now = real.agenda.get(one.id)
    os.kill(now.owner.pid, signal.SIGSTOP)
    until(eye.look)
    assert not lives(now.owner)
    assert not lives(now.kernel)
    run = real.registry.get(now.run_id)
    assert re.fullmatch(r"killed by the watchdog: it gave no sign of life for \d\ds", run.error)
    assert json.loads((run.folder / "notebook.ipynb").read_text())["metadata"]["papermill"]["exception"] is True
    assert json.loads((run.folder / "manifest.json").read_text())["run"]["error"] == run.error
