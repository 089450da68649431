"""`Registry`: every run there ever was, in one SQLite file that many processes share."""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from qtw_lab.core.clock import Clock
from qtw_lab.core.errors import DataError, RunError, SetupError
from qtw_lab.core.facts import Facts
from qtw_lab.core.files import write_text
from qtw_lab.runs.burying import bury
from qtw_lab.runs.database import Database
from qtw_lab.runs.lookups import Lookups
from qtw_lab.runs.manifest import Inputs, compose, write_manifest
from qtw_lab.runs.parameters import checked, references
from qtw_lab.runs.process import Process
from qtw_lab.runs.rows import enter_data
from qtw_lab.runs.run import FACTS_FILE, DataUse, Run, checked_name
from qtw_lab.runs.secrecy import Redactor, ambient_secrets

_KILLED: Final = "killed"


class Registry(Lookups):
    """The record of all runs.

    Every call is one short transaction on a connection of its own, so threads, processes and forks may share a
    registry. Opening it marks runs as failed ("killed") whose process has ended without saying how they went.

    Parameters
    ----------
    path : pathlib.Path
        The SQLite file; made if missing. It must lie on a local disk (SQLite's write-ahead log needs shared memory).
    clock : Clock
        Tells when runs start and end.
    chance : callable
        Takes a number of bytes and returns as many in hexadecimal; makes ids unique.
    known : mapping of str to str, optional
        Secrets by name that must stay out of every record, such as those of ``.env`` or the keyring. Variables of this
        process whose names look like secrets are known anyway.

    Raises
    ------
    SetupError
        If the file cannot be made or is not a registry.

    Examples
    --------
    >>> import tempfile
    >>> from qtw_lab.core import Fact, VirtualClock
    >>> clock = VirtualClock(pd.Timestamp("2024-01-02 14:30", tz="UTC"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     registry = Registry(Path(folder) / "runs.sqlite", clock, chance=lambda size: "ab" * size)
    ...     run = registry.record("backtest", "sma_cross", Facts("Demo", (Fact("sharpe", 1.5),)), {"fast": 10}, ())
    ...     registry.get("20240102").facts()["sharpe"], run.id
    (1.5, '20240102T143000000000-abababab')
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        chance: Callable[[int], str] = secrets.token_hex,
        known: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        super().__init__(Database(self.path))
        self._clock = clock
        self._chance = chance
        self._known = dict(known or {})
        self.bury()

    def known_secrets(self) -> dict[str, str]:
        """Every secret that must stay out of the record, by name."""
        return ambient_secrets() | ambient_secrets(self._known, any_name=True)

    def begin(
        self, kind: str, name: str, parameters: Mapping[str, Any] | None = None, *, root: Path | None = None
    ) -> Run:
        """A new run with status "running", owned by this process.

        Parameters
        ----------
        kind, name : str
            What is run.
        parameters : mapping, optional
            JSON values; secrets as ``env:NAME``.
        root : pathlib.Path, optional
            Make a folder for the run below this one.

        Raises
        ------
        DataError
            If name or parameters do not fit a record; see `qtw_lab.runs.parameters.checked`.
        """
        return self._insert(kind, name, parameters or {}, root)

    def succeed(self, run: Run, manifest: Mapping[str, Any], data: Iterable[DataUse] = ()) -> Run:
        """Record that the run went well, with its manifest and the data it used, and return it as it now stands.

        A run taken for killed by mistake (its process could not be seen) is put right by this.

        Raises
        ------
        RunError
            If it already ended another way.
        """
        with self._database.writing() as connection:
            self._finish(connection, run, "ok", None, manifest)
            enter_data(connection, run.id, data)
        return self.get(run.id)

    def fail(self, run: Run, reason: str, manifest: Mapping[str, Any] | None = None) -> Run:
        """Record that the run failed and why, and return it as it now stands.

        Raises
        ------
        RunError
            If it already ended another way.
        """
        with self._database.writing() as connection:
            self._finish(connection, run, "failed", reason, manifest or run.manifest)
        return self.get(run.id)

    def record(
        self,
        kind: str,
        name: str,
        facts: Facts | None,
        parameters: Mapping[str, Any],
        data: Iterable[DataUse],
        folder: Path | None = None,
    ) -> Run:
        """Enter a piece of work that is already done, such as a backtest made in a notebook.

        Parameters
        ----------
        kind, name : str
            What was done.
        facts : Facts or None
            Its figures, kept in the folder if there is one, else in the registry.
        parameters : mapping
            JSON values; secrets as ``env:NAME``.
        data : iterable of DataUse
            What it was done on.
        folder : pathlib.Path, optional
            An existing folder with its files; figures and manifest are added to it.

        Raises
        ------
        DataError
            If name or parameters do not fit a record, or the folder does not exist.
        """
        uses = tuple(data)
        if folder is not None and not Path(folder).is_dir():
            raise DataError(f"There is no folder {folder} to record; make it first, or record without one.")
        moment = self._clock.now()
        plain = checked(parameters, self.known_secrets())
        run = Run(self._new_id(moment), kind, checked_name(name), "ok", moment, moment, folder and Path(folder), plain)
        if facts is not None and run.folder is not None:
            write_text(run.folder / FACTS_FILE, facts.to_json(indent=1))
        manifest = compose(run, Inputs(parameters=plain, data=uses))
        if facts is not None and run.folder is None:
            manifest["facts"] = facts.as_dict()
        if run.folder is not None:
            write_manifest(run.folder, manifest)
        with self._database.writing() as connection:
            self._rows.insert(connection, replace(run, manifest=manifest))
            enter_data(connection, run.id, uses)
        return self.get(run.id)

    def bury(self) -> tuple[str, ...]:
        """Mark as failed every run whose process has ended without a word, and return their ids; done on opening.

        The executed notebook in the run's folder says so too.
        """
        with self._database.reading() as connection:
            running = connection.execute("SELECT * FROM runs WHERE status = 'running'").fetchall()
        dead = [row["id"] for row in running if Process(row["host"], row["pid"], row["process_started"]).gone]
        return tuple(run_id for run_id in dead if self._bury(run_id, _KILLED))

    def bury_run(self, id: str, reason: str) -> Run:  # noqa: A002  (as `get`)
        """Mark a run as failed whose process the caller has just ended, and return it as it now stands.

        Its folder is swept of secrets, and the executed notebook and the manifest in it say why it failed. A run that
        ended by itself before is left as it is.

        Parameters
        ----------
        id : str
            The whole id.
        reason : str
            Why, such as "killed by the watchdog: took longer than 30 min".

        Raises
        ------
        DataError
            If there is no such run.
        """
        run = self.get(id)
        self._bury(run.id, reason)
        return self.get(run.id)

    def prune(self, run: Run) -> Run:
        """Record that the files of a run that ended are going, and return it; its figures stay in the record.

        Once that is recorded, doing it again changes nothing.

        Raises
        ------
        RunError
            If it is still running.
        """
        figures: dict[str, Any] = {}
        with contextlib.suppress(DataError, OSError):
            figures = {"facts": run.facts().as_dict()}
        gone = {"at": self._clock.now().isoformat(), "folder": None if run.folder is None else run.folder.name}
        plain = json.dumps({**run.manifest, **figures, "pruned": gone}, ensure_ascii=False, allow_nan=False)
        change = (
            "UPDATE runs SET folder = NULL, manifest = ? WHERE id = ? AND status != 'running' AND folder IS NOT NULL"
        )
        with self._database.writing() as connection:
            connection.execute(change, (plain, run.id))
        now = self.get(run.id)
        if now.status == "running":
            raise RunError(f"Run {run.id} is still running; its files stay.")
        return now

    def _bury(self, run_id: str, reason: str) -> bool:
        """Whether this call marked the run as failed.

        The files come before the row: killed in between, the next one to open the registry does all of it again.
        """
        query = "SELECT * FROM runs WHERE id = ? AND status = 'running'"
        with self._database.reading() as connection:
            row = connection.execute(query, (run_id,)).fetchone()
        if row is None:
            return False
        run, moment = self._rows.run(row), self._clock.now()
        redactor = Redactor({**references(run.parameters, missing_ok=True), **self.known_secrets()})
        said, manifest = redactor.text(reason), None
        if run.folder is not None:
            said, manifest = bury(run.folder, said, moment, redactor)
        plain = json.dumps(manifest or run.manifest, ensure_ascii=False)
        change = (
            "UPDATE runs SET status = 'failed', error = ?, finished = ?, manifest = ? "
            "WHERE id = ? AND status = 'running'"
        )
        with self._database.writing() as connection:
            return connection.execute(change, (said, moment.isoformat(), plain, run_id)).rowcount > 0

    def _insert(self, kind: str, name: str, parameters: Mapping[str, Any], root: Path | None) -> Run:
        plain = checked(parameters, self.known_secrets())
        moment = self._clock.now()
        new = self._new_id(moment)
        folder = None if root is None else Path(root).resolve() / f"{new}-{checked_name(name)}"
        run = Run(new, kind, checked_name(name), "running", moment, None, folder, plain)
        if folder is not None:
            try:
                folder.mkdir(parents=True)
            except OSError as err:
                raise SetupError(
                    f"Cannot make the folder {folder}: {err.strerror or err}. Free some space, permit writing, or "
                    "choose another folder for runs."
                ) from err
        with self._database.writing() as connection:
            self._rows.insert(connection, run)
        return run

    def _new_id(self, moment: pd.Timestamp) -> str:
        return f"{moment:%Y%m%dT%H%M%S%f}-{self._chance(4)}"

    def _finish(
        self, connection: sqlite3.Connection, run: Run, status: str, error: str | None, manifest: Mapping[str, Any]
    ) -> None:
        change = (
            "UPDATE runs SET status = ?, error = ?, finished = ?, manifest = ? "
            "WHERE id = ? AND (status = 'running' OR (status = 'failed' AND error = ?))"
        )
        finished = (run.finished or self._clock.now()).isoformat()
        plain = json.dumps(manifest, ensure_ascii=False, allow_nan=False)
        if connection.execute(change, (status, error, finished, plain, run.id, _KILLED)).rowcount == 0:
            raise RunError(
                f"Run {run.id} cannot be marked {status}: it is not running (it ended before, or was never begun)."
            )
