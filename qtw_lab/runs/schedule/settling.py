"""How an attempt ends: published and tidied up, tried again, or given up. Whoever does it, twice does no harm."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from qtw_lab.core.clock import Clock
from qtw_lab.core.errors import LabError
from qtw_lab.runs.latest import point_to
from qtw_lab.runs.parameters import references
from qtw_lab.runs.publishing import publish
from qtw_lab.runs.registry import Registry
from qtw_lab.runs.retention import prune
from qtw_lab.runs.run import Run
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.entries import Entry
from qtw_lab.runs.schedule.marks import Sessions
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.planning import retry_at
from qtw_lab.runs.schedule.trees import kill
from qtw_lab.runs.secrecy import Redactor


@dataclass(frozen=True)
class Records:
    """Where everything about scheduled runs is kept, and the parts needed to read it.

    Parameters
    ----------
    agenda : Agenda
        What is due.
    registry : Registry
        What was run.
    root : pathlib.Path
        Folder of all runs.
    clock : Clock
        The time.
    sessions : callable
        As `qtw_lab.data.calendars.sessions`.
    """

    agenda: Agenda
    registry: Registry
    root: Path
    clock: Clock
    sessions: Sessions

    def entry(self, one: Occurrence) -> Entry:
        """The entry of an occurrence, as it stands now.

        Raises
        ------
        DataError
            If the agenda does not know it, or keeps it in a form that cannot be read.
        """
        return Entry.of(self.agenda.entry(one.entry), self.sessions)

    def redactor(self, one: Occurrence) -> Redactor:
        """What masks the secrets that an attempt may have come across."""
        referred: dict[str, str] = {}
        with contextlib.suppress(LabError):
            referred = references(self.entry(one).parameters, missing_ok=True)
        return Redactor({**referred, **self.registry.known_secrets()})


def succeed(records: Records, one: Occurrence, run: Run) -> None:
    """End an attempt whose run went well: its report is published, older runs make room, and then it is said.

    In this order, so that a kill at any point leaves an attempt that still counts as running; whoever finds it does the
    rest.
    """
    try:
        entry = records.entry(one)
        point_to(run, records.root)
        publish(run, records.root, one.entry)
        prune(records.registry, one.entry, entry.keep)
    except (LabError, OSError) as err:
        fail(records, one, f"the run went well, but its report could not be published: {err}")
        return
    records.agenda.end(one, "ok", None, records.clock.now())


def fail(records: Records, one: Occurrence, reason: str) -> None:
    """End an attempt that went wrong; it is tried again if its entry says so."""
    now, again = records.clock.now(), None
    reason = records.redactor(one).text(reason)
    try:
        entry = records.entry(one)
        if records.agenda.entry(one.entry).present:
            again = retry_at(one.attempts, entry.retries, entry.retry_after, now)
    except LabError as err:
        reason = f"{reason} (and it cannot be tried again: {err})"
    records.agenda.end(one, "failed", reason, now, again)


def bury(records: Records, one: Occurrence, reason: str) -> None:
    """End an attempt whose process is gone, by whatever its run came to; what the process left running is killed."""
    kill(process for process in (one.owner, one.kernel) if process is not None and process != one.watcher)
    now = records.agenda.get(one.id)  # it may have said something more before it was gone
    one = now if now.attempts == one.attempts else one
    if one.run_id is None:
        records.registry.bury()  # it may have begun a run without having said which
        fail(records, one, reason)
        return
    run = records.registry.bury_run(one.run_id, reason)
    if run.status == "ok":
        succeed(records, one, run)
    else:
        fail(records, one, run.error or reason)
