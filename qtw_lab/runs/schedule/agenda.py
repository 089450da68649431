"""`Agenda`: what was due and what became of it, in one SQLite file that schedulers and workers share."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.runs.database import Database
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.agenda_file import AGENDA
from qtw_lab.runs.schedule.occurrences import Occurrence, State, kept_process, moment_of, nanos
from qtw_lab.runs.schedule.planning import Plan, readiness

#: How long the agenda remembers what ended.
_MEMORY: Final = pd.Timedelta(days=731)


@dataclass(frozen=True, slots=True)
class Registered:
    """An entry as the agenda knows it.

    Parameters
    ----------
    name : str
        Its name.
    definition : str
        The whole of it, as JSON.
    trigger : str
        Its trigger in words.
    depends_on : tuple of str
        Entries that have to go well before.
    notify : tuple of (str, str)
        States of an occurrence, and the channel (as JSON) that is told.
    first_seen, planned_until : pandas.Timestamp
        When it came into the schedule, and up to when its due times have been decided.
    present : bool
        Whether it is still in the schedule.
    """

    name: str
    definition: str
    trigger: str
    depends_on: tuple[str, ...]
    notify: tuple[tuple[str, str], ...]
    first_seen: pd.Timestamp
    planned_until: pd.Timestamp
    present: bool = True


class Agenda:
    """The record of all occurrences.

    Every call is one short transaction on a connection of its own, so any number of processes may share an agenda. What
    must not happen twice happens on a condition that only one of them can meet.

    Parameters
    ----------
    path : pathlib.Path
        The SQLite file; made if missing. It must lie on a local disk.

    Raises
    ------
    SetupError
        If the file cannot be made or used.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.file = Database(self.path, AGENDA)

    # What is in the schedule

    def adopt(self, entries: Iterable[Registered], now: pd.Timestamp) -> None:
        """Let these entries be the schedule.

        A new entry, one that was away, and one whose trigger changed count from now on: nothing is due for the past.
        What waits for an entry that is gone is skipped; what runs goes on.
        """
        given = {entry.name: entry for entry in entries}
        with self.file.writing() as connection:
            rows = {row["name"]: row for row in connection.execute("SELECT * FROM entries")}
            for name, entry in given.items():
                _enter(connection, entry, rows.get(name), now)
            for name in rows.keys() - given.keys():
                connection.execute("UPDATE entries SET present = 0 WHERE name = ?", (name,))
                gone = "SELECT id FROM occurrences WHERE entry = ? AND state = 'waiting'"
                for row in connection.execute(gone, (name,)).fetchall():
                    _end(connection, row["id"], "skipped", "it is no longer in the schedule", now)
            old = "DELETE FROM occurrences WHERE state NOT IN ('waiting', 'running') AND due < ?"
            connection.execute(old, (nanos(now - _MEMORY),))

    def entries(self) -> tuple[Registered, ...]:
        """The entries of the schedule, by name."""
        with self.file.reading() as connection:
            rows = connection.execute("SELECT * FROM entries WHERE present ORDER BY name").fetchall()
        return tuple(_registered(row) for row in rows)

    def entry(self, name: str) -> Registered:
        """The entry of this name, be it still in the schedule or not.

        Raises
        ------
        DataError
            If there never was one.
        """
        with self.file.reading() as connection:
            row = connection.execute("SELECT * FROM entries WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise DataError(f"The agenda knows no entry {name!r}.")
        return _registered(row)

    # What is due

    def waiting(self) -> tuple[Occurrence, ...]:
        """What waits to be run, the oldest first."""
        return self._found("state = 'waiting' ORDER BY due, id")

    def enter(self, plans: Iterable[tuple[Registered, Plan]], now: pd.Timestamp) -> int:
        """Carry out plans made at one look at the clock, all in one transaction, and say how many there were to do.

        A plan that another scheduler carried out first, or whose entry changed meanwhile, is left aside.
        """
        with self.file.writing() as connection:
            return sum(_carried_out(connection, entry, plan, now) for entry, plan in plans)

    def claim(self, watcher: Process, now: pd.Timestamp) -> Occurrence | None:
        """The oldest occurrence that may be run, which from now on is running and in the hands of `watcher`.

        Of one entry only one runs at a time, in the order they were due. What can never be run is skipped on the way.
        """
        ready = (
            "SELECT o.*, e.depends_on AS needs FROM occurrences AS o JOIN entries AS e ON e.name = o.entry "
            "WHERE o.state = 'waiting' AND o.not_before <= ? AND NOT EXISTS ("
            "SELECT 1 FROM occurrences AS other WHERE other.entry = o.entry "
            "AND (other.state = 'running' OR (other.state = 'waiting' AND other.due < o.due))) ORDER BY o.due, o.id"
        )
        with self.file.reading() as connection:
            if connection.execute(f"{ready} LIMIT 1", (nanos(now),)).fetchone() is None:
                return None
        with self.file.writing() as connection:
            for row in connection.execute(ready, (nanos(now),)).fetchall():
                names = json.loads(row["needs"])
                if not all(_decided(connection, name, row["due"]) for name in names):
                    continue  # what it depends on may yet turn out to be due before it
                state = readiness({name: _last(connection, name, row["due"]) for name in names})
                if state.never is not None:
                    _end(connection, row["id"], "skipped", state.never, now)
                elif state.go:
                    return _begin(connection, row["id"], watcher, now)
        return None

    # What there is

    def get(self, id: int) -> Occurrence:  # noqa: A002  (the word for it)
        """The occurrence with this number.

        Raises
        ------
        DataError
            If there is none.
        """
        found = self._found("id = ?", id)
        if not found:
            raise DataError(f"There is no occurrence {id} in {self.path}.")
        return found[0]

    def running(self) -> tuple[Occurrence, ...]:
        """What runs, or is said to."""
        return self._found("state = 'running' ORDER BY id")

    def last(self, entry: str) -> Occurrence | None:
        """The newest occurrence of an entry."""
        found = self._found("entry = ? ORDER BY due DESC LIMIT 1", entry)
        return found[0] if found else None

    def list(self, entry: str | None = None, limit: int = 100) -> tuple[Occurrence, ...]:
        """Occurrences, the newest first."""
        return self._found("(?1 IS NULL OR entry = ?1) ORDER BY due DESC, id DESC LIMIT ?2", entry, limit)

    def missed(self) -> Mapping[str, int]:
        """How many occurrences of each entry were missed; entries without are left out."""
        query = "SELECT entry, count(*) FROM occurrences WHERE state = 'missed' GROUP BY entry"
        with self.file.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def attempts(self, id: int) -> tuple[tuple[int, str | None, str | None], ...]:  # noqa: A002  (the word for it)
        """Number, run id and error of each attempt at an occurrence."""
        query = "SELECT number, run_id, error FROM attempts WHERE occurrence = ? ORDER BY number"
        with self.file.reading() as connection:
            return tuple(tuple(row) for row in connection.execute(query, (id,)))

    def _found(self, where: str, *values: Any) -> tuple[Occurrence, ...]:
        with self.file.reading() as connection:
            rows = connection.execute(f"SELECT * FROM occurrences WHERE {where}", values)  # noqa: S608  (our own text)
            return tuple(Occurrence.of_row(row) for row in rows)

    # While it runs

    def take(self, one: Occurrence, owner: Process, now: pd.Timestamp) -> bool:
        """Let `owner` be who executes a claimed attempt; False if it is not to be executed any more."""
        change = (
            "UPDATE occurrences SET owner = ?, beat = ? WHERE id = ? AND attempts = ? AND state = 'running' "
            "AND owner = watcher"
        )
        with self.file.writing() as connection:
            row = (kept_process(owner), nanos(now), one.id, one.attempts)
            return bool(connection.execute(change, row).rowcount)

    def beat(self, one: Occurrence, now: pd.Timestamp, progress: str | None = None) -> bool:
        """Say that the attempt lives, and how far it has come; False if it was taken away."""
        return self._amend(one, "beat = ?, progress = coalesce(?, progress)", nanos(now), progress)

    def note_run(self, one: Occurrence, run_id: str) -> bool:
        """Say which recorded run the attempt makes."""
        with self.file.writing() as connection:
            history = "UPDATE attempts SET run_id = ? WHERE occurrence = ? AND number = ?"
            connection.execute(history, (run_id, one.id, one.attempts))
            return bool(_amended(connection, one, "run_id = ?", run_id))

    def note_kernel(self, one: Occurrence, kernel: Process) -> bool:
        """Say which process the kernel of the attempt is."""
        return self._amend(one, "kernel = ?", kept_process(kernel))

    def inherit(self, one: Occurrence, watcher: Process) -> Occurrence | None:
        """Watch over an attempt whose watcher is gone; None if another did so first, or it ended.

        One that nobody had taken in hand yet has no owner afterwards, and can get none any more.
        """
        change = (
            "UPDATE occurrences SET watcher = ?, owner = nullif(owner, watcher) "
            "WHERE id = ? AND attempts = ? AND state = 'running' AND watcher = ?"
        )
        with self.file.writing() as connection:
            row = (kept_process(watcher), one.id, one.attempts, kept_process(one.watcher))
            if not connection.execute(change, row).rowcount:
                return None
            return Occurrence.of_row(connection.execute("SELECT * FROM occurrences WHERE id = ?", (one.id,)).fetchone())

    def end(
        self, one: Occurrence, state: State, reason: str | None, now: pd.Timestamp, again: pd.Timestamp | None = None
    ) -> bool:
        """Say how the attempt went; where it is tried `again`, it waits until then. False if it ended before."""
        with self.file.writing() as connection:
            held = "SELECT 1 FROM occurrences WHERE id = ? AND attempts = ? AND state = 'running'"
            if connection.execute(held, (one.id, one.attempts)).fetchone() is None:
                return False
            history = "UPDATE attempts SET ended = ?, error = ? WHERE occurrence = ? AND number = ?"
            connection.execute(history, (nanos(now), reason, one.id, one.attempts))
            if again is None:
                _end(connection, one.id, state, reason, now)
            else:
                change = "UPDATE occurrences SET state = 'waiting', reason = ?, not_before = ?, ended = ? WHERE id = ?"
                connection.execute(change, (reason, nanos(again), nanos(now), one.id))
        return True

    def _amend(self, one: Occurrence, change: str, *values: Any) -> bool:
        with self.file.writing() as connection:
            return bool(_amended(connection, one, change, *values))


def _amended(connection: sqlite3.Connection, one: Occurrence, change: str, *values: Any) -> int:
    """Change a running attempt, if it is still that attempt."""
    query = f"UPDATE occurrences SET {change} WHERE id = ? AND attempts = ? AND state = 'running'"  # noqa: S608  (our own text)
    return connection.execute(query, (*values, one.id, one.attempts)).rowcount


def _enter(connection: sqlite3.Connection, entry: Registered, row: sqlite3.Row | None, now: pd.Timestamp) -> None:
    fresh = row is None or not row["present"] or row["trigger"] != entry.trigger
    connection.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (name) DO UPDATE SET "
        "definition = excluded.definition, trigger = excluded.trigger, depends_on = excluded.depends_on, "
        "notify = excluded.notify, planned_until = excluded.planned_until, present = 1",
        (
            entry.name, entry.definition, entry.trigger, json.dumps(entry.depends_on), json.dumps(entry.notify),
            nanos(now), nanos(now) if row is None or fresh else row["planned_until"],
        ),
    )  # fmt: skip


def _registered(row: sqlite3.Row) -> Registered:
    first, until = moment_of(row["first_seen"]), moment_of(row["planned_until"])
    if first is None or until is None:
        raise DataError(f"The agenda's entry {row['name']} has no times.")
    return Registered(
        row["name"], row["definition"], row["trigger"], tuple(json.loads(row["depends_on"])),
        tuple((state, channel) for state, channel in json.loads(row["notify"])), first, until, bool(row["present"]),
    )  # fmt: skip


def _carried_out(connection: sqlite3.Connection, entry: Registered, plan: Plan, now: pd.Timestamp) -> bool:
    """Carry out one plan, on the condition that nobody did."""
    move = "UPDATE entries SET planned_until = ? WHERE name = ? AND planned_until = ? AND definition = ? AND present"
    was = (nanos(plan.until), entry.name, nanos(entry.planned_until), entry.definition)
    if not connection.execute(move, was).rowcount:
        return False
    for left in plan.dropped:
        _end(connection, left.id, left.state, left.reason, now)
    missed = [one for one in plan.new if one.state == "missed"]
    new = "INSERT OR IGNORE INTO occurrences (entry, due, state, reason, not_before, ended) VALUES (?, ?, ?, ?, ?, ?)"
    for one in plan.new:
        ended = None if one.state == "waiting" else nanos(now)
        made = connection.execute(new, (entry.name, nanos(one.due), one.state, one.reason, nanos(one.due), ended))
        if missed and one is missed[-1] and made.rowcount and made.lastrowid is not None:
            _announce(connection, made.lastrowid, "missed", now)  # one word for all of them
    return True


def _decided(connection: sqlite3.Connection, entry: str, due: int) -> bool:
    """Whether it is known what this entry is due for up to then."""
    query = "SELECT 1 FROM entries WHERE name = ? AND planned_until < ? AND present"
    return connection.execute(query, (entry, due)).fetchone() is None


def _last(connection: sqlite3.Connection, entry: str, due: int) -> Occurrence | None:
    query = "SELECT * FROM occurrences WHERE entry = ? AND due <= ? ORDER BY due DESC LIMIT 1"
    row = connection.execute(query, (entry, due)).fetchone()
    return None if row is None else Occurrence.of_row(row)


def _begin(connection: sqlite3.Connection, id: int, watcher: Process, now: pd.Timestamp) -> Occurrence:  # noqa: A002  (a column)
    who = kept_process(watcher)
    change = (
        "UPDATE occurrences SET state = 'running', reason = NULL, attempts = attempts + 1, run_id = NULL, started = ?, "
        "ended = NULL, owner = ?, watcher = ?, kernel = NULL, beat = ?, progress = NULL WHERE id = ?"
    )
    connection.execute(change, (nanos(now), who, who, nanos(now), id))
    one = Occurrence.of_row(connection.execute("SELECT * FROM occurrences WHERE id = ?", (id,)).fetchone())
    connection.execute(
        "INSERT INTO attempts (occurrence, number, started) VALUES (?, ?, ?)", (id, one.attempts, nanos(now))
    )
    return one


def _end(connection: sqlite3.Connection, id: int, state: str, reason: str | None, now: pd.Timestamp) -> None:  # noqa: A002  (a column)
    change = "UPDATE occurrences SET state = ?, reason = ?, ended = ? WHERE id = ? AND state IN ('waiting', 'running')"
    if connection.execute(change, (state, reason, nanos(now), id)).rowcount:
        _announce(connection, id, state, now)


def _announce(connection: sqlite3.Connection, id: int, state: str, now: pd.Timestamp) -> None:  # noqa: A002  (a column)
    """Put the notices that an ending calls for into the outbox, in the same transaction."""
    connection.execute(
        "INSERT INTO notices (occurrence, state, channel, not_before) "
        "SELECT o.id, ?2, json_extract(told.value, '$[1]'), ?3 "
        "FROM occurrences AS o JOIN entries AS e ON e.name = o.entry, json_each(e.notify) AS told "
        "WHERE o.id = ?1 AND json_extract(told.value, '$[0]') = ?2",
        (id, state, nanos(now)),
    )
