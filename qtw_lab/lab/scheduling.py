"""The schedule of this machine: its parts put together, and what there is to see of it as tables."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from qtw_lab.backtest.cluster import joined, still_wanted
from qtw_lab.core import Settings, SetupError
from qtw_lab.core.places import CHECKOUT, environment_lock
from qtw_lab.core.settings import environment
from qtw_lab.data import calendars
from qtw_lab.lab.front import Lab
from qtw_lab.live.running import signalled
from qtw_lab.runs import Registry
from qtw_lab.runs.notices import Terms, send
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.schedule import errands
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.attendance import Attendance
from qtw_lab.runs.schedule.entries import Entry
from qtw_lab.runs.schedule.errands import Errand, Outcome, Workshop
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.outbox import Post
from qtw_lab.runs.schedule.pools import LocalPool, Pool
from qtw_lab.runs.schedule.reading import read_schedule
from qtw_lab.runs.schedule.service import Service, Stop
from qtw_lab.runs.schedule.settling import Records
from qtw_lab.runs.schedule.spreading import Promise, SpreadPool
from qtw_lab.runs.schedule.timekeeping import Timekeeper, counted
from qtw_lab.runs.schedule.working import Bound, work
from qtw_lab.runs.secrecy import Redactor

_AGENDA: Final = "schedule.sqlite"
_PUBLISHED: Final = "published"

Say = Callable[[str], object]


def schedule_file(given: Path | None = None) -> Path:
    """The schedule that was named, or the one of the checkout this package runs from."""
    return (CHECKOUT / "notebooks" / "runs" / "schedule.toml") if given is None else Path(given)


def entries(settings: Settings, file: Path | None = None) -> tuple[Entry, ...]:
    """The entries of the schedule; see `qtw_lab.runs.schedule.reading.read_schedule`."""
    return read_schedule(schedule_file(file), calendars.sessions, settings.secrets())


def agenda_of(settings: Settings) -> Agenda:
    """What was due and what became of it."""
    return Agenda(settings.qtw_storage_dir / _AGENDA)


def records_of(lab: Lab, place: Path | None = None) -> Records:
    """Where everything about scheduled runs is kept: in the lab's storage folder, or apart from it in another place."""
    if place is None:
        return Records(agenda_of(lab.settings), lab.registry, lab.runs_folder, lab.clock, calendars.sessions)
    registry = Registry(place / "runs.sqlite", lab.clock, known=lab.settings.secrets())
    return Records(Agenda(place / _AGENDA), registry, place / "runs", lab.clock, calendars.sessions)


@dataclass(frozen=True)
class Duty:
    """What a service is to do.

    Parameters
    ----------
    keeps_time, works : bool
        Put what is due into the agenda; execute it.
    seconds : float or None
        End after so long.
    once : bool
        End when nothing waits.
    cluster : str or None
        Address of a Dask cluster that executes; the settings' by default, else this machine does.
    """

    keeps_time: bool = True
    works: bool = True
    seconds: float | None = None
    once: bool = False
    cluster: str | None = None


def serve(lab: Lab, duty: Duty, file: Path | None = None, say: Say = lambda _: None) -> None:
    """Keep time, work, or both, until SIGTERM or Ctrl-C; the first waits for what runs, the second does not.

    Parameters
    ----------
    lab : Lab
        Settings, clock and registry.
    duty : Duty
        What to do.
    file : pathlib.Path, optional
        The schedule.
    say : callable
        Told, in a sentence, what happens.

    Raises
    ------
    DataError
        If the schedule has faults.
    SetupError
        If the storage folder cannot be used, or the cluster does not answer.
    """
    records, stop = records_of(lab), Stop()
    keeper = None
    if duty.keeps_time:
        path = schedule_file(file)
        keeper = Timekeeper(records.agenda, path, calendars.sessions, lab.settings.secrets(), say)
        found = keeper.begin(lab.clock.now())
        say(f"{path}: {counted(found)}.")
    with contextlib.ExitStack() as stack:
        pool = _pool(lab, records, duty.cluster, stack, say) if duty.works else None
        stack.enter_context(signalled(lambda name: _asked(stop, name, say)))
        stack.enter_context(_post(lab, records))
        until = None if duty.seconds is None else lab.clock.now() + pd.Timedelta(seconds=duty.seconds)
        Service(records, keeper, pool, say).run(stop, until=until, once=duty.once)


def perform(lab: Lab, occurrence: int, attempt: int, place: Path | None = None, parent: int | None = None) -> bool:
    """Execute one attempt in this process and say whether it went well; what `qtw worker --only` does.

    Parameters
    ----------
    lab : Lab
        Settings, clock and registry.
    occurrence, attempt : int
        Which.
    place, parent : pathlib.Path and int, optional
        For an errand: the folder that has its agenda, and the process that it ends with.
    """
    bound = None
    if place is not None and parent is not None:
        bound = Bound(Process(platform.node(), parent, start_of(parent) or "gone"), place)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with signalled(interrupt):
        records = records_of(lab, place)
        return work(records, occurrence, attempt, lock=environment_lock(), bound=bound)


def run_errand(errand: Errand) -> Outcome:
    """Execute an errand as a task of a Dask worker, by the settings of its machine."""
    lab = Lab.from_settings()
    # a sweep in the notebook must not wait for the thread that the notebook itself occupies
    alone = {**environment(), "DASK_SCHEDULER": ""}
    workshop = Workshop(lambda place: records_of(lab, place), _bound_command, alone)
    return errands.perform(errand, workshop, still_wanted)


def _asked(stop: Stop, name: str, say: Say) -> None:
    stop.ask()
    say(f"{name}: {'ends now' if stop.at_once else 'begins nothing new and ends when what runs has ended'}.")


def _pool(lab: Lab, records: Records, cluster: str | None, stack: contextlib.ExitStack, say: Say) -> Pool:
    """The cluster that is configured, left when the stack ends, or this machine."""
    address = cluster or lab.settings.dask_scheduler
    if address is None:
        logs = lab.settings.qtw_storage_dir / "schedule-logs"
        return LocalPool(records, lab.settings.local_task_workers, _command, _environment(lab.settings), logs)
    there = _Cluster(address)
    stack.callback(there.leave)
    say(f"Runs are spread over the Dask cluster {address}: {there.places()} at once.")
    return SpreadPool(records, there.submit, there.places)


class _Cluster:
    """A Dask cluster, joined again when it was away."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stack = contextlib.ExitStack()
        self._client = self._stack.enter_context(joined(address))

    def places(self) -> int:
        """How many threads its workers have; none while it is away."""
        try:
            return sum(self._there().nthreads().values())
        except (SetupError, OSError, RuntimeError, ValueError):
            return 0

    def submit(self, errand: Errand) -> Promise:
        """Send an errand out."""
        try:
            promise: Promise = self._there().submit(run_errand, errand, pure=False)
        except (OSError, RuntimeError, ValueError) as err:
            raise SetupError(f"The Dask cluster {self._address} takes nothing: {err}.") from err
        return promise

    def leave(self) -> None:
        """Say goodbye; whether anybody hears it does not matter."""
        with contextlib.suppress(OSError, TimeoutError):
            self._stack.close()

    def _there(self) -> Any:
        if self._client.status == "closed":
            self.leave()
            self._client = self._stack.enter_context(joined(self._address))
        return self._client


def _command(one: Occurrence) -> list[str]:
    return [sys.executable, "-m", "qtw_lab", "worker", "--only", str(one.id), "--attempt", str(one.attempts)]


def _bound_command(one: Occurrence, place: Path) -> list[str]:
    return [*_command(one), "--place", str(place), "--parent", str(os.getpid())]


def _environment(settings: Settings) -> dict[str, str]:
    """The variables of a process that executes; the storage folder is this one's, wherever it was set."""
    return {**environment(), "QTW_STORAGE_DIR": os.fspath(settings.qtw_storage_dir.resolve())}


def _post(lab: Lab, records: Records) -> Post:
    terms = Terms.of(lab.settings, Redactor(records.registry.known_secrets()))
    reports = lab.runs_folder / _PUBLISHED
    return Post(records.agenda, lab.clock, lambda notice, channel: send(notice, channel, terms), reports)


# What there is to see


def schedule_table(settings: Settings, file: Path | None = None, now: pd.Timestamp | None = None) -> pd.DataFrame:
    """The entries of the schedule and how they stand.

    Returns
    -------
    pandas.DataFrame
        One row an entry in the order of the file: entry, notebook, trigger, enabled, next (UTC; NaT if never or off),
        last_due (UTC), status, run, reason, missed (how many occurrences were), running_since (UTC) and progress.

    Raises
    ------
    DataError
        If the schedule has faults.
    """
    agenda = agenda_of(settings)
    missed, running = agenda.missed(), {one.entry: one for one in agenda.running()}
    moment = pd.Timestamp.now(tz="UTC") if now is None else now
    rows = []
    for entry in entries(settings, file):
        last = agenda.last(entry.name)
        current = running.get(entry.name)
        rows.append({
            "entry": entry.name, "notebook": entry.notebook.name, "trigger": entry.trigger.text,
            "enabled": entry.enabled, "next": entry.trigger.after(moment) if entry.enabled else None,
            "last_due": last and last.due, "status": last and last.state, "run": last and last.run_id,
            "reason": last and last.reason, "missed": missed.get(entry.name, 0),
            "running_since": current and current.started, "progress": current and current.progress,
        })  # fmt: skip
    names = ["entry", "notebook", "trigger", "enabled", "next", "last_due", "status", "run", "reason", "missed",
             "running_since", "progress"]  # fmt: skip
    return _timed(pd.DataFrame(rows, columns=names), "next", "last_due", "running_since")


def occurrences(settings: Settings, entry: str | None = None, limit: int = 100) -> pd.DataFrame:
    """What was due and what became of it, newest first.

    Returns
    -------
    pandas.DataFrame
        Columns id, entry, due (UTC), state, attempts, run, started, ended (UTC, of the last attempt), progress, reason.
    """
    names = ["id", "entry", "due", "state", "attempts", "run", "started", "ended", "progress", "reason"]
    rows = [
        (one.id, one.entry, one.due, one.state, one.attempts, one.run_id, one.started, one.ended, one.progress,
         one.reason)
        for one in agenda_of(settings).list(entry, limit)
    ]  # fmt: skip
    return _timed(pd.DataFrame(rows, columns=names), "due", "started", "ended")


def coming(
    settings: Settings, file: Path | None = None, *, count: int = 10, until: Any = None, now: pd.Timestamp | None = None
) -> pd.DataFrame:
    """What will be due next, soonest first.

    Returns
    -------
    pandas.DataFrame
        Columns entry, due (UTC), zone, and there (the due time on the clocks of that zone, as text).
    """
    begin = pd.Timestamp.now(tz="UTC") if now is None else now
    found = []
    for entry in entries(settings, file):
        moment = entry.trigger.after(begin) if entry.enabled else None
        for _ in range(count):
            if moment is None or (until is not None and moment > until):
                break
            found.append((moment, entry.name, _zone(entry)))
            moment = entry.trigger.after(moment)
    found.sort()
    rows = [(name, due, zone, f"{due.tz_convert(zone):%Y-%m-%d %H:%M:%S}") for due, name, zone in found[:count]]
    return _timed(pd.DataFrame(rows, columns=["entry", "due", "zone", "there"]), "due")


def attendants(settings: Settings) -> pd.DataFrame:
    """Who keeps time and who works now: columns pid, host, task, since and beat (UTC)."""
    rows = [
        (one.process.pid, one.process.host, one.task, one.since, one.beat)
        for one in Attendance(agenda_of(settings)).present(pd.Timestamp.now(tz="UTC"))
    ]
    return _timed(pd.DataFrame(rows, columns=["pid", "host", "task", "since", "beat"]), "since", "beat")


def _zone(entry: Entry) -> str:
    """The zone a trigger is thought in: its own, or its exchange's."""
    if entry.trigger.zone is not None:
        return entry.trigger.zone
    return "UTC" if entry.trigger.calendar is None else calendars.zone(entry.trigger.calendar)


def _timed(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return table.assign(**{name: pd.to_datetime(table[name], utc=True) for name in columns})
