"""`Occurrence`: one time that an entry of the schedule was due, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from qtw_lab.runs.process import Process

State = Literal["waiting", "running", "ok", "failed", "skipped", "missed"]

#: States that are the end of the story.
ENDED: Final = ("ok", "failed", "skipped", "missed")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that an entry was due.

    Parameters
    ----------
    id : int
        Its number in the agenda.
    entry : str
        Name of the entry.
    due : pandas.Timestamp
        When, in UTC.
    state : str
        "waiting" to be run, "running", or how it ended: "ok", "failed", "skipped" (what it depends on did not go well,
        or the entry is gone), "missed" (nobody kept time, or a later one overtook it).
    reason : str or None
        Why, where the state does not say it all.
    attempts : int
        How often it was begun.
    not_before : pandas.Timestamp
        When it may be begun (again).
    run_id : str or None
        The recorded run of the last attempt.
    started, ended : pandas.Timestamp or None
        Of the last attempt.
    owner : Process or None
        Who executes it.
    watcher : Process or None
        Who watches over the owner.
    kernel : Process or None
        The kernel that the owner started.
    beat : pandas.Timestamp or None
        When the owner last said that it lives.
    progress : str or None
        How far it has come, as "3/12".
    """

    id: int
    entry: str
    due: pd.Timestamp
    state: State
    reason: str | None = None
    attempts: int = 0
    not_before: pd.Timestamp | None = None
    run_id: str | None = None
    started: pd.Timestamp | None = None
    ended: pd.Timestamp | None = None
    owner: Process | None = None
    watcher: Process | None = None
    kernel: Process | None = None
    beat: pd.Timestamp | None = None
    progress: str | None = None

    @property
    def name(self) -> str:
        """For people: "nightly_report of 2024-01-02 21:30 UTC"."""
        return f"{self.entry} of {self.due:%Y-%m-%d %H:%M:%S} UTC"

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Occurrence:
        """The value that a row of the agenda holds."""
        given: dict[str, Any] = {key: row[key] for key in ("id", "entry", "state", "reason", "attempts", "run_id")}
        given |= {key: moment_of(row[key]) for key in ("not_before", "started", "ended", "beat")}
        given |= {key: process_of(row[key]) for key in ("owner", "watcher", "kernel")}
        return cls(due=pd.Timestamp(row["due"], tz="UTC"), progress=row["progress"], **given)


def nanos(moment: pd.Timestamp) -> int:
    """A moment as the agenda keeps it: nanoseconds since 1970, UTC."""
    return int(moment.as_unit("ns").value)


def moment_of(kept: int | None) -> pd.Timestamp | None:
    """The moment that the agenda keeps as nanoseconds."""
    return None if kept is None else pd.Timestamp(kept, tz="UTC")


def kept_process(process: Process | None) -> str | None:
    """A process as the agenda keeps it.

    Examples
    --------
    >>> process_of(kept_process(Process("here", 7, "boot:42")))
    Process(host='here', pid=7, started='boot:42')
    """
    return None if process is None else json.dumps([process.host, process.pid, process.started])


def process_of(kept: str | None) -> Process | None:
    """The process that the agenda keeps as text."""
    return None if kept is None else Process(*json.loads(kept))
