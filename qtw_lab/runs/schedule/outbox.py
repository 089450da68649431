"""Notices that wait to be sent: put into the agenda with the ending they tell of, sent afterwards, tried again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pandas as pd

from qtw_lab.core.clock import Clock
from qtw_lab.core.errors import DataError, LabError, RunError
from qtw_lab.runs.notices import Channel, Notice
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.occurrences import Occurrence, nanos

#: How often a notice is tried, and the pause after the first try, which doubles.
TRIES: Final = 5
_PAUSE: Final = pd.Timedelta(minutes=1)
_EVERY: Final = 1.0

Send = Callable[[Notice, Channel], None]


@dataclass(frozen=True, slots=True)
class Pending:
    """A notice that waits.

    Parameters
    ----------
    id : int
        Its number.
    occurrence : int
        What it tells of.
    state : str
        How that ended.
    channel : mapping
        The channel, as the schedule has it.
    tries : int
        How often it was tried.
    """

    id: int
    occurrence: int
    state: str
    channel: Mapping[str, Any]
    tries: int


class Outbox:
    """The notices of an agenda.

    Parameters
    ----------
    agenda : Agenda
        Which.
    """

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def take(self, now: pd.Timestamp) -> Pending | None:
        """The next notice to be sent, which nobody else gets until it is due to be tried again."""
        query = "SELECT * FROM notices WHERE outcome = 'pending' AND not_before <= ? ORDER BY not_before, id LIMIT 1"
        with self._agenda.file.reading() as connection:
            if connection.execute(query, (nanos(now),)).fetchone() is None:
                return None
        with self._agenda.file.writing() as connection:
            row = connection.execute(query, (nanos(now),)).fetchone()
            if row is None:
                return None
            later = nanos(now + _PAUSE * 2 ** row["tries"])
            change = "UPDATE notices SET tries = tries + 1, not_before = ? WHERE id = ?"
            connection.execute(change, (later, row["id"]))
        return Pending(row["id"], row["occurrence"], row["state"], json.loads(row["channel"]), row["tries"] + 1)

    def sent(self, pending: Pending) -> None:
        """Say that it got through."""
        with self._agenda.file.writing() as connection:
            connection.execute("UPDATE notices SET outcome = 'sent', error = NULL WHERE id = ?", (pending.id,))

    def failed(self, pending: Pending, error: str) -> None:
        """Say that it did not; after the last try it is given up."""
        outcome = "given up" if pending.tries >= TRIES else "pending"
        with self._agenda.file.writing() as connection:
            change = "UPDATE notices SET outcome = ?, error = ? WHERE id = ?"
            connection.execute(change, (outcome, error, pending.id))

    def outcomes(self) -> tuple[tuple[int, str, int, str | None], ...]:
        """Occurrence, outcome, tries and last error of every notice, in order."""
        query = "SELECT occurrence, outcome, tries, error FROM notices ORDER BY id"
        with self._agenda.file.reading() as connection:
            return tuple(tuple(row) for row in connection.execute(query))


def notice(one: Occurrence, state: str, reports: Path) -> Notice:
    """What is told of an ending.

    Parameters
    ----------
    one : Occurrence
        What ended.
    state : str
        How.
    reports : pathlib.Path
        Folder of published reports.
    """
    page = reports / f"{one.entry}.html"
    lines = [f"due {one.due:%Y-%m-%d %H:%M:%S} UTC"]
    lines += [one.reason] if one.reason else []
    lines += [f"attempts: {one.attempts}"] if one.attempts > 1 else []
    lines += [f"run: {one.run_id}"] if one.run_id else []
    report = page if state == "ok" and page.is_file() else None
    moment = one.ended or one.due
    return Notice(f"{one.entry}: {state}", "\n".join(lines), one.entry, state, one.run_id, moment, report)


class Post:
    """A thread that sends what is in the outbox; whatever a channel does, no run waits for it.

    Parameters
    ----------
    agenda : Agenda
        Whose notices.
    clock : Clock
        The time.
    send : callable
        Sends a notice by a channel, or raises a `LabError`.
    reports : pathlib.Path
        Folder of published reports.
    """

    def __init__(self, agenda: Agenda, clock: Clock, send: Send, reports: Path) -> None:
        self._agenda, self._clock, self._send, self._reports = agenda, clock, send, reports
        self._outbox = Outbox(agenda)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="post", daemon=True)

    def deliver(self) -> int:
        """Try everything that is to be tried now, and say how many there were."""
        count = 0
        while (pending := self._outbox.take(self._clock.now())) is not None:
            count += 1
            try:
                one = self._agenda.get(pending.occurrence)
                self._send(notice(one, pending.state, self._reports), Channel.read(pending.channel))
            except (RunError, DataError) as err:
                self._outbox.failed(pending, str(err))
            else:
                self._outbox.sent(pending)
        return count

    def _go_on(self) -> None:
        while not self._stopped.wait(_EVERY):
            try:
                self.deliver()
            except LabError:
                continue  # the agenda is busy: what could not be taken down is tried again

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=30)
