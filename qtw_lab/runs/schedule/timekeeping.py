"""Keeping time: the schedule is read again when it changes, and what has become due goes into the agenda."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.runs.schedule.agenda import Agenda, Registered
from qtw_lab.runs.schedule.entries import Entry
from qtw_lab.runs.schedule.marks import Sessions
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.planning import Plan, plan
from qtw_lab.runs.schedule.reading import read_schedule

#: While nothing is due, the agenda is told only so often that time is being kept.
_AT_LEAST: Final = pd.Timedelta(seconds=30)


def plan_all(
    agenda: Agenda, entry_of: Callable[[Registered], Entry], now: pd.Timestamp
) -> tuple[tuple[Registered, Plan], ...]:
    """What one look at the clock decides about every entry of the agenda."""
    waiting: dict[str, list[Occurrence]] = {}
    for one in agenda.waiting():
        waiting.setdefault(one.entry, []).append(one)
    plans = []
    for registered in agenda.entries():
        entry = entry_of(registered)
        made = plan(entry.trigger, entry.policy, registered.planned_until, waiting.get(entry.name, ()), now)
        plans.append((registered, made))
    return tuple(plans)


class Timekeeper:
    """Puts what becomes due into the agenda.

    Any number may do so for the same agenda; what one has entered the others leave alone.

    Parameters
    ----------
    agenda : Agenda
        Where to.
    path : pathlib.Path
        The schedule.
    sessions : callable
        As `qtw_lab.data.calendars.sessions`.
    known : mapping of str to str, optional
        Secrets by name that must not stand in the schedule.
    say : callable, optional
        Told, in a sentence, of a changed schedule.
    """

    def __init__(
        self,
        agenda: Agenda,
        path: Path,
        sessions: Sessions,
        known: Mapping[str, str] | None = None,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._agenda, self._path, self._sessions = agenda, path, sessions
        self._known, self._say = dict(known or {}), say
        self._stamp: tuple[int, int] | None = None
        self._entries: dict[str, Entry] = {}

    def begin(self, now: pd.Timestamp) -> tuple[Entry, ...]:
        """Read the schedule, hand its enabled entries to the agenda, and return them.

        Raises
        ------
        DataError
            As `read_schedule`.
        """
        self._stamp = self._stamped()
        entries = tuple(entry for entry in read_schedule(self._path, self._sessions, self._known) if entry.enabled)
        self._agenda.adopt((entry.registered(now) for entry in entries), now)
        return entries

    def tick(self, now: pd.Timestamp) -> None:
        """Enter what has become due."""
        self._follow(now)
        plans = plan_all(self._agenda, self._entry, now)
        due = any(made.new or made.dropped for _, made in plans)
        if due or any(made.until - registered.planned_until > _AT_LEAST for registered, made in plans):
            self._agenda.enter(plans, now)

    def _follow(self, now: pd.Timestamp) -> None:
        """Read the schedule again if it changed; one with faults changes nothing, and is named once."""
        if self._stamped() == self._stamp:
            return
        try:
            entries = self.begin(now)
        except DataError as err:
            self._say(f"The schedule that was read before stays: {err}")
        else:
            self._say(f"The schedule changed: {counted(entries)}.")

    def _stamped(self) -> tuple[int, int] | None:
        try:
            state = self._path.stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size

    def _entry(self, registered: Registered) -> Entry:
        """The entry as the agenda keeps it, which another scheduler may have changed."""
        kept = self._entries.get(registered.name)
        if kept is None or kept.definition != registered.definition:
            kept = Entry.of(registered, self._sessions)
            self._entries[registered.name] = kept
        return kept


def counted(entries: Iterable[Entry]) -> str:
    """How many entries there are, and their names."""
    names = [entry.name for entry in entries]
    return f"{len(names)} {'entry' if len(names) == 1 else 'entries'} ({', '.join(names) or 'none'})"
