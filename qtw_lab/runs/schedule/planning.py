"""What becomes due, what was missed, what has to wait: decisions about the agenda, without touching it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from qtw_lab.runs.schedule.occurrences import Occurrence, State
from qtw_lab.runs.schedule.triggers import Trigger

Missed = Literal["skip", "once", "all"]

#: Occurrences of one entry planned at a time; what is beyond comes with the next look, a second later.
MOST: Final = 2_000
#: A scheduler that looked at the clock so lately was there.
_PRESENT: Final = pd.Timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done with occurrences that nobody saw to in time.

    Parameters
    ----------
    missed : {"skip", "once", "all"}
        Leave them out, make up for them by one run, or run every one.
    grace : pandas.Timedelta
        Up to so late is in time.
    """

    missed: Missed
    grace: pd.Timedelta


@dataclass(frozen=True, slots=True)
class New:
    """An occurrence to enter."""

    due: pd.Timestamp
    state: State
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A waiting occurrence that will not be run (again)."""

    id: int
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look at the clock decides about one entry.

    Parameters
    ----------
    until : pandas.Timestamp
        Everything due up to here has been decided.
    new : tuple of New
        What became due.
    dropped : tuple of Dropped
        What was waiting and is not any more.
    """

    until: pd.Timestamp
    new: tuple[New, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def due_times(trigger: Trigger, since: pd.Timestamp, until: pd.Timestamp) -> Iterator[pd.Timestamp]:
    """Every time the trigger is due later than `since`, up to `until`."""
    moment = trigger.after(since)
    while moment is not None and moment <= until:
        yield moment
        moment = trigger.after(moment)


def plan(
    trigger: Trigger, policy: Policy, since: pd.Timestamp, waiting: Iterable[Occurrence], now: pd.Timestamp
) -> Plan:
    """What has become due since the last look, and what is to be done about it.

    Whether it is in time is judged by its lateness alone, so it does not matter how often one looks. Under the policies
    "skip" and "once" an occurrence that is still waiting when the next one comes gives way to it: an entry never
    gathers a queue.

    Parameters
    ----------
    trigger, policy
        Of the entry.
    since : pandas.Timestamp
        Everything due up to here was decided before.
    waiting : iterable of Occurrence
        The entry's occurrences that wait to be run or run again.
    now : pandas.Timestamp
        The present.
    """
    dues = []
    for due in due_times(trigger, since, now):
        dues.append(due)
        if len(dues) == MOST:
            break
    until = dues[-1] if len(dues) == MOST else max(since, now)
    new = tuple(_entered(dues, policy, now))
    latest = next((one.due for one in reversed(new) if one.state == "waiting"), None)
    away = now - since > max(policy.grace, _PRESENT)
    dropped = (_dropped(one, policy, latest, now, away) for one in waiting)
    return Plan(until, new, tuple(one for one in dropped if one is not None))


def _entered(dues: list[pd.Timestamp], policy: Policy, now: pd.Timestamp) -> Iterator[New]:
    for place, due in enumerate(dues):
        if policy.missed == "all":
            yield New(due, "waiting")
        elif policy.missed == "skip" and now - due > policy.grace:
            yield New(due, "missed", "nobody kept time when it was due")
        elif place < len(dues) - 1:
            yield New(due, "missed", f"the one due {dues[-1]:%Y-%m-%d %H:%M:%S} UTC makes up for it")
        else:
            yield New(due, "waiting")


def _dropped(
    one: Occurrence, policy: Policy, latest: pd.Timestamp | None, now: pd.Timestamp, away: bool
) -> Dropped | None:
    if policy.missed == "all":
        return None
    if latest is not None:
        overtaken = f"overtaken by the one due {latest:%Y-%m-%d %H:%M:%S} UTC"
        if one.attempts:
            return Dropped(one.id, "failed", f"{one.reason or 'it failed'} ({overtaken} before it was tried again)")
        return Dropped(one.id, "missed", overtaken)
    if policy.missed == "skip" and away and not one.attempts and now - one.due > policy.grace:
        return Dropped(one.id, "missed", "nobody worked while it waited")
    return None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a waiting occurrence may be run.

    Parameters
    ----------
    go : bool
        Now.
    never : str or None
        Why it never can be.
    """

    go: bool = False
    never: str | None = None


def readiness(needed: Mapping[str, Occurrence | None]) -> Readiness:
    """Whether what an occurrence depends on went well.

    Parameters
    ----------
    needed : mapping of str to Occurrence or None
        For each entry it depends on, that one's last occurrence due no later than this one.

    Examples
    --------
    >>> readiness({"nightly": None}).never
    'it depends on nightly, which has not been due yet'
    """
    for name, last in needed.items():
        if last is None:
            return Readiness(never=f"it depends on {name}, which has not been due yet")
        if last.state in ("failed", "skipped", "missed"):
            return Readiness(never=f"it depends on {last.name}, which {_WENT[last.state]}")
    return Readiness(go=all(last is not None and last.state == "ok" for last in needed.values()))


_WENT: Final[Mapping[str, str]] = {"failed": "failed", "skipped": "was skipped", "missed": "was missed"}


def retry_at(attempts: int, retries: int, pause: pd.Timedelta, now: pd.Timestamp) -> pd.Timestamp | None:
    """When what failed is tried again; None if it is not. The pause doubles each time, up to a day.

    Examples
    --------
    >>> now, minute = pd.Timestamp("2024-01-02 22:00", tz="UTC"), pd.Timedelta(minutes=1)
    >>> str(retry_at(2, 3, minute, now)), retry_at(4, 3, minute, now)
    ('2024-01-02 22:02:00+00:00', None)
    """
    if attempts > retries:
        return None
    longest = max(pause, pd.Timedelta(days=1))
    return now + pd.Timedelta(min(pause * 2 ** min(attempts - 1, 20), longest))
