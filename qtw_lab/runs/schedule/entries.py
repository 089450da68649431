"""`Entry`: one notebook and when it runs, as `schedule.toml` says it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.runs.notices import Channel
from qtw_lab.runs.schedule.agenda import Registered
from qtw_lab.runs.schedule.marks import Sessions
from qtw_lab.runs.schedule.measures import length, size
from qtw_lab.runs.schedule.planning import Missed, Policy
from qtw_lab.runs.schedule.triggers import TRIGGER_KEYS, Trigger, read_trigger

T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z0-9][\w+-]{0,59}")
_POLICIES: Final = ("skip", "once", "all")
_MOST_RETRIES: Final = 20


@dataclass(frozen=True)
class Entry:
    """One notebook and when it runs.

    Parameters
    ----------
    name : str
        What the entry, its runs and its published report are called.
    notebook : pathlib.Path
        The notebook.
    trigger : Trigger
        When it is due.
    parameters : mapping
        Values for its parameters cell; secrets as ``env:NAME``.
    timeout : pandas.Timedelta
        Longest time of one attempt.
    memory : int or None
        Most bytes that its processes may hold together.
    retries : int
        How often a failed attempt is repeated.
    retry_after : pandas.Timedelta
        Pause before the first repetition; it doubles each time.
    policy : Policy
        What is done with occurrences that nobody saw to in time.
    keep : int
        How many runs are kept; the last good one always is.
    notify : tuple of Channel
        Who is told, and of what.
    depends_on : tuple of str
        Entries whose last occurrence has to have gone well before.
    enabled : bool
        Whether it counts.
    definition : str
        All of this as JSON.
    """

    name: str
    notebook: Path
    trigger: Trigger
    parameters: Mapping[str, Any]
    timeout: pd.Timedelta
    memory: int | None
    retries: int
    retry_after: pd.Timedelta
    policy: Policy
    keep: int
    notify: tuple[Channel, ...]
    depends_on: tuple[str, ...]
    enabled: bool
    definition: str

    @classmethod
    def read(cls, name: str, plain: Mapping[str, Any], folder: Path, sessions: Sessions) -> Entry:
        """The entry that a table of the schedule describes.

        Parameters
        ----------
        name : str
            The table's name.
        plain : mapping
            Its keys and values.
        folder : pathlib.Path
            What the notebook's path is relative to.
        sessions : callable
            As `qtw_lab.data.calendars.sessions`.

        Raises
        ------
        DataError
            Naming all faults.
        """
        faults: list[str] = []
        read = _read_keys(name, plain, faults)
        trigger = None
        if "trigger" in plain:
            given = {key: plain[key] for key in TRIGGER_KEYS if key in plain}
            trigger = _tried(faults, "trigger", lambda: read_trigger(plain["trigger"], given, sessions))
        if faults or trigger is None:
            raise DataError("; ".join(fault.rstrip(".") for fault in faults) + ".")
        notebook = (folder / read.pop("notebook")).resolve()
        policy = Policy(cast("Missed", read.pop("missed")), read.pop("grace"))
        definition = json.dumps({**plain, "notebook": str(notebook)}, sort_keys=True, ensure_ascii=False, default=str)
        return cls(name=name, notebook=notebook, trigger=trigger, policy=policy, definition=definition, **read)

    @classmethod
    def of(cls, registered: Registered, sessions: Sessions) -> Entry:
        """The entry as the agenda keeps it."""
        return cls.read(registered.name, json.loads(registered.definition), Path(), sessions)

    def registered(self, now: pd.Timestamp) -> Registered:
        """The entry as the agenda wants it."""
        plain = _listed(json.loads(self.definition).get("notify", []))
        pairs = zip(self.notify, plain, strict=True)
        told = tuple((state, json.dumps(written)) for channel, written in pairs for state in channel.on)
        return Registered(self.name, self.definition, self.trigger.text, self.depends_on, told, now, now)


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of an entry: how its value is read, and what it is if not given."""

    read: Callable[[Any], Any]
    default: Any = None
    needed: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{value!r} must be text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise DataError(f"{value!r} must be a text or a list of texts")
    return tuple(dict.fromkeys(given))


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"{value!r} must be a table of names and values, such as {{ symbols = ['AAPL'] }}")
    return value


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise DataError(f"{value!r} must be true or false")
    return value


def _count(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise DataError(f"{value!r} must be a whole number from {least} to {most}")
        return value

    return read


def _span(value: Any) -> pd.Timedelta:
    span = length(value)
    if not span:
        raise DataError(f"{value!r} must be longer than nothing")
    return span


def _one_of(*names: str) -> Callable[[Any], str]:
    return lambda value: lookup(value, {name: name for name in names}, "choice")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _channels(value: Any) -> tuple[Channel, ...]:
    return tuple(Channel.read(one) for one in _listed(value))


_KEYS: Final[dict[str, _Key]] = {
    "notebook": _Key(_text, needed=True),
    "parameters": _Key(_table, {}),
    "timeout": _Key(_span, "2h"),
    "memory": _Key(size),
    "retries": _Key(_count(0, _MOST_RETRIES), 0),
    "retry_after": _Key(_span, "1m"),
    "missed": _Key(_one_of(*_POLICIES), "once"),
    "grace": _Key(length, "5m"),
    "keep": _Key(_count(1, 100_000), 30),
    "notify": _Key(_channels, []),
    "depends_on": _Key(_texts, []),
    "enabled": _Key(_yes_or_no, True),  # noqa: FBT003  (the value of a key)
}

#: Keys that every entry may have, and those that may stand under [defaults].
KEYS: Final = (*_KEYS, "trigger", *TRIGGER_KEYS)
DEFAULT_KEYS: Final = tuple(key for key in KEYS if key not in ("notebook", "trigger", "parameters", "depends_on"))


def _read_keys(name: str, plain: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """The values of an entry's keys, but for its trigger."""
    if not _NAME.fullmatch(name):
        faults.append(f"{name!r} cannot name an entry: use letters, digits, _ + and -, at most 60")
    faults.extend(_strangers(plain, KEYS))
    faults.extend(f"{key} is missing" for key in ("notebook", "trigger") if key not in plain)
    found = {}
    for key, rule in _KEYS.items():
        value = plain.get(key, rule.default)
        if value is not None and (key in plain or not rule.needed):
            found[key] = _tried(faults, key, partial(rule.read, value))
        else:
            found[key] = None
    return found


def _strangers(plain: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    for key in plain:
        try:
            lookup(key, dict.fromkeys(known), "key")
        except DataError as err:
            yield str(err)


def _tried(faults: list[str], key: str, read: Callable[[], T]) -> T | None:
    """What `read` gives; if it refuses, its reason is put on the list."""
    try:
        return read()
    except DataError as err:
        faults.append(f"{key}: {err}")
        return None
