"""Small schedules: notebooks of a cell or two, an agenda on disk, and a clock that moves when told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from qtw_lab.core import SystemClock, VirtualClock
from qtw_lab.data.calendars import sessions
from qtw_lab.runs import Registry
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.entries import Entry
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.planning import New, Plan
from qtw_lab.runs.schedule.settling import Records

MORNING = pd.Timestamp("2024-01-02 14:30", tz="UTC")
REPORT = "from pathlib import Path\nPath(run_folder, 'report.html').write_text('<p>whole</p>' * 1000)"


@pytest.fixture
def notebook(tmp_path) -> Callable[..., Path]:
    """Write a notebook with these cells below its parameters cell."""

    def write(name: str, *cells: str, parameters: str = "fast = 10\nrun_folder = ''") -> Path:
        first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=[first, *map(new_code_cell, cells)]), path)
        return path

    return write


@pytest.fixture
def schedule(tmp_path) -> Callable[[str], Path]:
    """Write a schedule beside the notebooks."""

    def write(text: str) -> Path:
        path = tmp_path / "schedule.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MORNING)


@pytest.fixture
def agenda(tmp_path) -> Agenda:
    return Agenda(tmp_path / "store" / "schedule.sqlite")


@pytest.fixture
def entry(tmp_path, notebook) -> Callable[..., Entry]:
    """An entry of a notebook that writes a report, due every hour if nothing else is said."""
    notebook("night", REPORT)

    def make(name: str = "night", **keys: object) -> Entry:
        plain = {"notebook": "night.ipynb", "trigger": "every 1h", **keys}
        return Entry.read(name, plain, tmp_path, sessions)

    return make


@pytest.fixture
def records(tmp_path, agenda, clock) -> Records:
    """Everything that is kept, on the clock that moves when told to."""
    store = tmp_path / "store"
    return Records(agenda, Registry(store / "runs.sqlite", clock), store / "runs", clock, sessions)


@pytest.fixture
def real(tmp_path, agenda) -> Records:
    """Everything that is kept, on the machine's own clock."""
    store = tmp_path / "store"
    clock = SystemClock()
    return Records(agenda, Registry(store / "runs.sqlite", clock), store / "runs", clock, sessions)


@pytest.fixture
def due() -> Callable[..., Occurrence]:
    """Let entries be the schedule and one of them be due now, and claim it."""

    def make(records: Records, *entries: Entry, watcher: Process | None = None) -> Occurrence:
        now = records.clock.now()
        records.agenda.adopt([entry.registered(now) for entry in entries], now)
        registered = records.agenda.entry(entries[0].name)
        records.agenda.enter([(registered, Plan(now, (New(now, "waiting"),)))], now)
        one = records.agenda.claim(watcher or Process.current(), now)
        assert one is not None
        return one

    return make
