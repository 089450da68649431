"""Reading `schedule.toml`: every fault of the file in one answer."""

from __future__ import annotations

import graphlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.errors import DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.runs.parameters import checked, listed, refuse_unfit
from qtw_lab.runs.preparing import declared_by
from qtw_lab.runs.schedule.entries import DEFAULT_KEYS, Entry
from qtw_lab.runs.schedule.marks import Sessions
from qtw_lab.runs.schedule.triggers import TRIGGER_KEYS, keys_of

_DEFAULTS: Final = "defaults"


def read_schedule(path: Path, sessions: Sessions, known: Mapping[str, str] | None = None) -> tuple[Entry, ...]:
    """The entries of a schedule, in their order.

    Each table of the file is an entry; the table ``[defaults]`` has what all of them share. Notebooks are relative to
    the file.

    Parameters
    ----------
    path : pathlib.Path
        A TOML file.
    sessions : callable
        As `qtw_lab.data.calendars.sessions`.
    known : mapping of str to str, optional
        Secrets by name that must not stand in the file.

    Raises
    ------
    DataError
        If the file cannot be read, or with every fault of every entry: an unknown key, a value that does not fit, a
        notebook that is not there, a parameter that it does not declare, a secret by value, a dependency that is
        missing, off or circular.
    """
    tables = _tables(path)
    defaults = tables.pop(_DEFAULTS, {})
    faults = list(_faulty_defaults(defaults))
    entries = {}
    for name, plain in tables.items():
        if not isinstance(plain, dict):
            faults.append(f"{name} = {plain!r} stands outside of every entry; put it below its [entry]")
            continue
        try:
            entry = Entry.read(name, {**_fitting(defaults, plain), **plain}, path.parent, sessions)
            check_notebook(entry, known or {})
            entries[name] = entry
        except DataError as err:
            faults.append(f"[{name}] {err}")
    faults.extend(_faulty_dependencies(entries, tables))
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        listed_faults = " ".join(f"{fault.rstrip('.')}." for fault in faults)
        raise DataError(f"The schedule {path} has {count}: {listed_faults}")
    return tuple(entries.values())


def check_notebook(entry: Entry, known: Mapping[str, str]) -> None:
    """Refuse an entry whose notebook is missing or does not take its parameters.

    Raises
    ------
    DataError
        Saying which.
    """
    if not entry.notebook.is_file():
        raise DataError(f"there is no notebook {entry.notebook}. Its path is relative to the schedule's folder.")
    declared = declared_by(entry.notebook)
    refuse_unfit(listed(checked(entry.parameters, known), declared), declared, entry.notebook.name)


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as err:
        raise DataError(f"There is no schedule {path}. Make it (see docs/schedule.md), or name another one.") from err
    except (OSError, UnicodeDecodeError) as err:
        raise DataError(f"The schedule {path} cannot be read: {err}. Permit reading it, and save it as UTF-8.") from err
    except tomllib.TOMLDecodeError as err:
        raise DataError(
            f"The schedule {path} is not TOML: {err}. Text stands in quotes, and a table is [name]."
        ) from err


def _faulty_defaults(defaults: Any) -> Iterator[str]:
    if not isinstance(defaults, dict):
        yield "[defaults] must be a table"
        return
    for key in defaults:
        try:
            lookup(key, dict.fromkeys(DEFAULT_KEYS), "key for all entries")
        except DataError as err:
            yield f"[defaults] {err}"


def _fitting(defaults: Any, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that say something about this entry: a calendar says nothing about cron."""
    own = keys_of(plain.get("trigger"))
    given = defaults if isinstance(defaults, dict) else {}
    return {key: value for key, value in given.items() if key not in TRIGGER_KEYS or key in own}


def _faulty_dependencies(entries: Mapping[str, Entry], tables: Mapping[str, Any]) -> Iterator[str]:
    for entry in entries.values():
        for name in entry.depends_on:
            try:
                lookup(name, tables, "entry")
            except DataError as err:
                yield f"[{entry.name}] depends_on: {err}"
            else:
                if entry.enabled and name in entries and not entries[name].enabled:
                    yield f"[{entry.name}] depends_on: {name} is not enabled"
    try:
        graphlib.TopologicalSorter({entry.name: entry.depends_on for entry in entries.values()}).prepare()
    except graphlib.CycleError as err:
        yield f"these wait for each other in a circle: {' -> '.join(reversed(err.args[1]))}"
