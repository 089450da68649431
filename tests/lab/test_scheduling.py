"""The schedule's parts put together, and runs spread over a real Dask cluster whose processes are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.core.settings import environment
from qtw_lab.lab import Lab, scheduling
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.attendance import Attendance
from qtw_lab.runs.schedule.planning import New, Plan

NOON = pd.Timestamp("2024-07-02 16:00", tz="UTC")
SCHEDULE = """
[night]
notebook = "night.ipynb"
trigger = "close+10m"

[early]
notebook = "night.ipynb"
trigger = "30 2 * * *"
timezone = "Europe/London"

[hourly]
notebook = "night.ipynb"
trigger = "every 12h"

[off]
notebook = "night.ipynb"
trigger = "open"
enabled = false
"""


def until(holds, seconds: float = 240.0):
    """Wait until something is so, and return it."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)
    return found


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings.load(qtw_storage_dir=tmp_path / "store", dask_scheduler=None)


@pytest.fixture
def write(tmp_path):
    """Write a notebook and a schedule beside it."""

    def make(text: str, *cells: str) -> Path:
        first = new_code_cell("run_folder = ''", metadata={"tags": ["parameters"]})
        nbformat.write(new_notebook(cells=[first, *map(new_code_cell, cells)]), tmp_path / "night.ipynb")
        (tmp_path / "schedule.toml").write_text(text)
        return tmp_path / "schedule.toml"

    return make


# Tables


def test_the_table_of_the_schedule_says_how_every_entry_stands(settings, write):
    file = write(SCHEDULE)
    table = scheduling.schedule_table(settings, file, NOON)
    assert list(table["entry"]) == ["night", "early", "hourly", "off"]
    assert list(table["next"].dt.strftime("%m-%d %H:%M").fillna("")) == [
        "07-02 20:10",
        "07-03 01:30",
        "07-03 00:00",
        "",
    ]
    assert table[["last_due", "status", "run", "reason", "running_since", "progress"]].isna().all(axis=None)
    assert (table["missed"] == 0).all()


def test_what_became_of_an_entry_is_in_both_tables(settings, write):
    file = write('[night]\nnotebook = "night.ipynb"\ntrigger = "every 1s"\nmissed = "skip"\n')
    agenda = scheduling.agenda_of(settings)
    now = pd.Timestamp.now(tz="UTC")
    agenda.adopt(
        [entry.registered(now - pd.Timedelta(minutes=10)) for entry in scheduling.entries(settings, file)], now
    )
    plan = Plan(now, (New(now - pd.Timedelta(minutes=9), "missed", "nobody kept time"), New(now, "waiting")))
    agenda.enter([(agenda.entry("night"), plan)], now)
    one = agenda.claim(Process.current(), now)
    agenda.beat(one, now, "3/7")
    (row,) = scheduling.schedule_table(settings, file).itertuples(index=False)
    assert (row.status, row.missed, row.progress, row.running_since) == ("running", 1, "3/7", now)
    history = scheduling.occurrences(settings, "night")
    assert list(history["state"]) == ["running", "missed"]
    assert history["reason"][1] == "nobody kept time"
    assert len(scheduling.occurrences(settings, limit=1)) == 1
    assert len(scheduling.occurrences(settings, "another")) == 0


def test_what_comes_next_is_told_in_utc_and_on_the_clocks_it_is_thought_in(settings, write):
    table = scheduling.coming(settings, write(SCHEDULE), count=4, now=NOON)
    assert [tuple(row) for row in table[["entry", "there", "zone"]].itertuples(index=False)] == [
        ("night", "2024-07-02 16:10:00", "America/New_York"),
        ("hourly", "2024-07-03 00:00:00", "UTC"),
        ("early", "2024-07-03 02:30:00", "Europe/London"),
        ("hourly", "2024-07-03 12:00:00", "UTC"),
    ]
    half_day = scheduling.coming(
        settings, write(SCHEDULE), count=9, until=pd.Timestamp("2024-07-03 18:00", tz="UTC"), now=NOON
    )
    assert list(half_day["entry"]).count("night") == 2
    assert half_day["there"].iloc[-1] == "2024-07-03 13:10:00"  # the early close of 3 July


def test_tables_without_rows_have_their_columns(settings, write):
    file = write("")
    assert list(scheduling.schedule_table(settings, file)["next"]) == []
    assert list(scheduling.coming(settings, file)["due"]) == []
    assert str(scheduling.occurrences(settings)["due"].dtype).startswith("datetime64")


def test_who_keeps_time_is_told(settings):
    assert len(scheduling.attendants(settings)) == 0
    now = pd.Timestamp.now(tz="UTC")
    Attendance(scheduling.agenda_of(settings)).attend(Process.current(), "keeps time", now)
    (row,) = scheduling.attendants(settings).itertuples(index=False)
    assert (row.pid, row.task, row.since) == (os.getpid(), "keeps time", now)


def test_the_usual_schedule_is_that_of_the_checkout(settings):
    assert scheduling.schedule_file().name == "schedule.toml"
    assert next(entry.name for entry in scheduling.entries(settings)) == "nightly_report"
    with pytest.raises(DataError, match="There is no schedule"):
        scheduling.entries(settings, Path("none.toml"))


# At work


def test_serving_executes_what_is_due_in_processes_of_its_own(settings, write):
    file = write('[night]\nnotebook = "night.ipynb"\ntrigger = "every 2s"\n', "from pathlib import Path\n"
                 "Path(run_folder, 'report.html').write_text('page')")  # fmt: skip
    said: list[str] = []
    scheduling.serve(Lab(settings), scheduling.Duty(seconds=4), file, said.append)
    assert said[0].endswith("schedule.toml: 1 entry (night).")
    assert (settings.qtw_storage_dir / "runs" / "published" / "night.html").read_text() == "page"
    assert "ok" in set(scheduling.occurrences(settings)["state"])
    assert "running" not in set(scheduling.occurrences(settings)["state"])


def test_one_keeps_time_and_another_works(settings, write):
    file = write('[night]\nnotebook = "night.ipynb"\ntrigger = "every 2s"\n', "1")
    scheduling.serve(Lab(settings), scheduling.Duty(works=False, seconds=3), file)
    assert set(scheduling.occurrences(settings)["state"]) <= {"waiting", "missed"}
    scheduling.serve(Lab(settings), scheduling.Duty(keeps_time=False, once=True))
    assert scheduling.occurrences(settings)["state"][0] == "ok"


def test_a_cluster_that_does_not_answer_is_refused_at_the_start(settings, write, monkeypatch):
    monkeypatch.setattr("qtw_lab.backtest.cluster._PATIENCE", 1.0)
    with pytest.raises(SetupError, match=r"No Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        scheduling.serve(Lab(settings), scheduling.Duty(cluster="tcp://127.0.0.1:9"), write(SCHEDULE))


# Spread over a cluster


class Cluster:
    """A Dask scheduler and its workers, each a process that can be killed."""

    def __init__(self, folder: Path, port: str = "0") -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen] = []
        self.scheduler = self._start("scheduler", "--port", port, "--scheduler-file", str(self.file), "--no-dashboard")
        self.address = until(self._address)

    def _address(self) -> str | None:
        try:
            return json.loads(self.file.read_text())["address"]
        except (FileNotFoundError, ValueError):
            return None

    def _start(self, what: str, *words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *words, "--host", "127.0.0.1"]
        variables = {**environment(), "QTW_STORAGE_DIR": str(self.folder / "there"), "TMPDIR": str(self.folder)}
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(command, env=variables, cwd=self.folder, stdout=said, stderr=said)

    def grow(self, count: int) -> None:
        """Have so many workers of one thread."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        for _ in range(count - len(self.workers)):
            self.workers.append(self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"))

    def worker_above(self, pid: int) -> subprocess.Popen:
        """The worker that a process descends from."""
        above = {parent.pid for parent in psutil.Process(pid).parents()}
        (found,) = (worker for worker in self.workers if worker.pid in above)
        return found

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


#: Leaves its process number when it starts and when it ends.
SLOW = """
import os, time
from pathlib import Path
def tell(word):
    with open({log!r}, "a") as log:
        print(os.getpid(), word, file=log)
tell("start")
time.sleep({seconds})
Path(run_folder, "report.html").write_text("page")
tell("end")
"""


@pytest.fixture
def spread(settings, write, tmp_path, cluster):
    """Start a scheduler that spreads a slow notebook, due once and then not for a day."""
    log, started = tmp_path / "log", []

    def start(seconds: float, **keys: object) -> subprocess.Popen:
        now = pd.Timestamp.now(tz="UTC")
        anchor = now.floor("s") + pd.Timedelta(seconds=1)
        more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        if not started:
            text = f'[night]\nnotebook = "night.ipynb"\ntrigger = "every 1d"\nanchor = "{anchor}"\n{more}'
            file = write(text, SLOW.format(log=str(log), seconds=seconds))
            # seen before it is due, however long the scheduler takes to come
            known = [entry.registered(now) for entry in scheduling.entries(settings, file)]
            scheduling.agenda_of(settings).adopt(known, now)
        command = [sys.executable, "-m", "qtw_lab", "schedule", "start", "--file", str(tmp_path / "schedule.toml")]
        variables = {
            **environment(),
            "QTW_STORAGE_DIR": str(settings.qtw_storage_dir),
            "DASK_SCHEDULER": cluster.address,
        }
        started.append(subprocess.Popen(command, env=variables))
        return started[-1]

    start.log = lambda: [tuple(line.split()) for line in log.read_text().splitlines()] if log.exists() else []
    yield start
    for process in started:
        process.kill()
        process.wait()


def ended(settings) -> str | None:
    table = scheduling.occurrences(settings)
    return None if table.empty or table["state"][0] in ("waiting", "running") else str(table["state"][0])


def test_a_run_spread_over_the_cluster_is_recorded_and_published_here(settings, spread, cluster):
    cluster.grow(1)
    spread(0)
    assert until(lambda: ended(settings)) == "ok"
    (run,) = map(Lab(settings).registry.get, Lab(settings).registry.list()["id"])
    assert (run.status, run.name) == ("ok", "night")
    assert run.manifest["run"]["id"] == run.id
    assert run.notebook is not None
    assert (settings.qtw_storage_dir / "runs" / "published" / "night.html").read_text() == "page"
    assert list(cluster.folder.glob("qtw-errand-*")) == []


def test_a_run_whose_worker_is_killed_in_the_middle_is_done_by_another_and_recorded_once(settings, spread, cluster):
    cluster.grow(2)
    spread(6)
    kernel = int(until(spread.log)[0][0])
    worker = cluster.worker_above(kernel)
    worker.kill()
    worker.wait()
    assert until(lambda: ended(settings)) == "ok"
    assert [word for _, word in spread.log()] == ["start", "start", "end"]
    assert not psutil.pid_exists(kernel)
    table = Lab(settings).registry.list()
    assert list(table["status"]) == ["ok"]
    assert scheduling.occurrences(settings)["attempts"][0] == 1
    assert [path.name for path in (settings.qtw_storage_dir / "runs").glob(".arriving*")] == []
    assert list(cluster.folder.glob("qtw-errand-*")) == []


def test_when_the_scheduler_that_sent_it_is_killed_it_ends_out_there_and_is_sent_again(settings, spread, cluster):
    cluster.grow(2)
    first = spread(8, retries=1, retry_after="1s")
    kernel = int(until(spread.log)[0][0])
    first.send_signal(signal.SIGKILL)
    first.wait()
    until(lambda: not psutil.pid_exists(kernel), 60)
    spread(8)
    assert until(lambda: ended(settings)) == "ok"
    assert [word for _, word in spread.log()] == ["start", "start", "end"]
    assert sorted(Lab(settings).registry.list()["status"]) == ["failed", "ok"]
    assert scheduling.occurrences(settings)["attempts"][0] == 2


@pytest.mark.slow  # Dask takes its time to give a lost scheduler up
def test_a_cluster_that_went_away_is_joined_again_when_it_is_back(settings, write, tmp_path):
    (tmp_path / "cluster").mkdir()
    first = Cluster(tmp_path / "cluster")
    first.grow(1)
    file = write('[night]\nnotebook = "night.ipynb"\ntrigger = "every 4s"\n', "import time; time.sleep(2)")
    command = [sys.executable, "-m", "qtw_lab", "schedule", "start", "--file", str(file), "--dask", first.address]
    variables = {**environment(), "QTW_STORAGE_DIR": str(settings.qtw_storage_dir)}
    scheduler = subprocess.Popen(command, env=variables)
    second = None
    try:
        until(lambda: "ok" in set(scheduling.occurrences(settings)["state"]))
        until(lambda: "running" in set(scheduling.occurrences(settings)["state"]))
        first.end()
        lost = until(lambda: [row for row in scheduling.occurrences(settings).itertuples() if row.state == "failed"])
        assert "the cluster" in lost[0].reason
        second = Cluster(tmp_path / "cluster", first.address.rpartition(":")[2])
        second.grow(1)
        back = pd.Timestamp.now(tz="UTC")
        until(
            lambda: [
                row for row in scheduling.occurrences(settings).itertuples() if row.state == "ok" and row.due > back
            ]
        )
        scheduler.terminate()
        assert scheduler.wait(timeout=240) == 0
        assert "running" not in set(Lab(settings).registry.list(limit=None)["status"])
    finally:
        for process in (scheduler, first, second):
            if isinstance(process, Cluster):
                process.end()
        scheduler.kill()
        scheduler.wait()
