"""An attempt executed on another machine: what travels there, how it is executed, and what travels back."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.errors import RunError
from qtw_lab.core.files import write_text
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.entries import Entry
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.planning import New, Plan
from qtw_lab.runs.schedule.pools import LocalPool
from qtw_lab.runs.schedule.settling import Records

_STEP: Final = 0.25
_NOTEBOOKS: Final = "notebooks"


@dataclass(frozen=True)
class Errand:
    """What travels to the machine that executes.

    Parameters
    ----------
    name : str
        Name of the entry.
    definition : str
        The entry as JSON.
    file : str
        Name of the notebook.
    source : str
        The notebook itself.
    """

    name: str
    definition: str
    file: str
    source: str

    @classmethod
    def of(cls, entry: Entry, source: str) -> Errand:
        """The errand that executes an entry once."""
        plain = json.loads(entry.definition)
        alone = {"notify": [], "depends_on": [], "retries": 0, "keep": 1, "notebook": entry.notebook.name}
        return cls(entry.name, json.dumps({**plain, **alone}), entry.notebook.name, source)


@dataclass(frozen=True)
class Outcome:
    """What travels back.

    Parameters
    ----------
    status : {"ok", "failed"}
        How it went.
    reason : str or None
        Why it failed.
    manifest : mapping or None
        The manifest of the run, if it came to one.
    files : bytes
        The run's folder as a compressed archive; empty if there is none.
    """

    status: str
    reason: str | None
    manifest: Mapping[str, Any] | None = None
    files: bytes = b""


@dataclass(frozen=True)
class Workshop:
    """How a machine executes errands.

    Parameters
    ----------
    records : callable
        Everything that is kept of one errand, in the folder it is given.
    command : callable
        The words that start the process of an attempt in that folder.
    environment : mapping of str to str
        Its variables.
    """

    records: Callable[[Path], Records]
    command: Callable[[Occurrence, Path], Sequence[str]]
    environment: Mapping[str, str]


def perform(errand: Errand, workshop: Workshop, wanted: Callable[[], bool] = lambda: True) -> Outcome:
    """Execute an errand in a folder of its own, by an agenda of one occurrence, and give back what came of it.

    Parameters
    ----------
    errand : Errand
        What to execute.
    workshop : Workshop
        How this machine does it.
    wanted : callable
        Asked all the time whether anybody still waits for it.

    Raises
    ------
    RunError
        If nobody does any more; everything it had started is gone then.
    """
    with tempfile.TemporaryDirectory(prefix="qtw-errand-") as name:
        place = Path(name)
        write_text(place / _NOTEBOOKS / errand.file, errand.source)
        records = workshop.records(place)
        pool = LocalPool(records, 1, lambda one: workshop.command(one, place), workshop.environment, place / "logs")
        eye = pool.start(_claimed(errand, records, place / _NOTEBOOKS))
        while not eye.look():
            if not wanted():
                eye.end()
                raise RunError(f"Nobody waits for {errand.name} any more.")
            records.clock.sleep(_STEP)
        return _outcome(records, records.agenda.get(eye.one.id))


def _claimed(errand: Errand, records: Records, folder: Path) -> Occurrence:
    """The only occurrence of an agenda, due now and begun."""
    now = records.clock.now()
    entry = Entry.read(errand.name, json.loads(errand.definition), folder, records.sessions)
    records.agenda.adopt([entry.registered(now)], now)
    (registered,) = records.agenda.entries()
    records.agenda.enter([(registered, Plan(now, (New(now, "waiting"),)))], now)
    one = records.agenda.claim(Process.current(), now)
    if one is None:
        raise RunError(f"The errand {errand.name} cannot be begun.")
    return one


def _outcome(records: Records, one: Occurrence) -> Outcome:
    if one.run_id is None:
        return Outcome("failed", one.reason)
    run = records.registry.get(one.run_id)
    status = "ok" if one.state == "ok" else "failed"
    return Outcome(status, one.reason or run.error, run.manifest, b"" if run.folder is None else packed(run.folder))


def packed(folder: Path) -> bytes:
    """The files below a folder as one compressed archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
    return buffer.getvalue()


def unpack(files: bytes, folder: Path) -> None:
    """Put the files of an archive into a folder.

    Raises
    ------
    RunError
        If it is no archive, or a file in it wants to lie elsewhere.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(files), mode="r:gz") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as err:
        raise RunError(f"What came back from the machine that executed cannot be unpacked: {err}") from err
