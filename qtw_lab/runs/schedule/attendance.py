"""Who keeps time and who works: each says so every few seconds, so that a page can tell whether anybody does."""

from __future__ import annotations

import json
import platform
import sqlite3
from dataclasses import dataclass
from typing import Final

import pandas as pd

from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.occurrences import kept_process, nanos

_SILENCE: Final = pd.Timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Attendant:
    """A process that keeps time, works, or both.

    Parameters
    ----------
    process : Process
        Which.
    task : str
        What it does, in words.
    since, beat : pandas.Timestamp
        When it began, and when it last said so.
    """

    process: Process
    task: str
    since: pd.Timestamp
    beat: pd.Timestamp


class Attendance:
    """The services of an agenda.

    Parameters
    ----------
    agenda : Agenda
        Which.
    """

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def attend(self, process: Process, task: str, now: pd.Timestamp) -> None:
        """Say that a service is there."""
        change = (
            "INSERT INTO services VALUES (?1, ?2, ?3, ?3) "
            "ON CONFLICT (process) DO UPDATE SET task = excluded.task, beat = excluded.beat"
        )
        with self._agenda.file.writing() as connection:
            connection.execute(change, (kept_process(process), task, nanos(now)))

    def leave(self, process: Process, now: pd.Timestamp) -> None:
        """Say that a service has ended, and forget those that could not say so themselves."""
        with self._agenda.file.writing() as connection:
            for one in map(_attendant, connection.execute("SELECT * FROM services").fetchall()):
                if one.process == process or not _there(one, now):
                    connection.execute("DELETE FROM services WHERE process = ?", (kept_process(one.process),))

    def present(self, now: pd.Timestamp) -> tuple[Attendant, ...]:
        """The services that are there, the oldest first."""
        with self._agenda.file.reading() as connection:
            rows = connection.execute("SELECT * FROM services ORDER BY since").fetchall()
        return tuple(one for one in map(_attendant, rows) if _there(one, now))


def _attendant(row: sqlite3.Row) -> Attendant:
    return Attendant(
        Process(*json.loads(row["process"])), row["task"],
        pd.Timestamp(row["since"], tz="UTC"), pd.Timestamp(row["beat"], tz="UTC"),
    )  # fmt: skip


def _there(one: Attendant, now: pd.Timestamp) -> bool:
    """Whether a service is there; one of another machine (its name may have changed) as long as it says so."""
    return not one.process.gone and (one.process.host == platform.node() or now - one.beat <= _SILENCE)
