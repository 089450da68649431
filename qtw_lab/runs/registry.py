"""`Registry`: every run there ever was, in one SQLite file that many processes share."""

from __future__ import annotations

import json
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from qtw_lab.core.clock import Clock
from qtw_lab.core.errors import DataError, RunError, SetupError
from qtw_lab.core.facts import Facts
from qtw_lab.core.files import write_text
from qtw_lab.core.lookup import near_misses
from qtw_lab.runs.database import Database
from qtw_lab.runs.manifest import Inputs, amend_failed, compose, write_manifest
from qtw_lab.runs.parameters import checked
from qtw_lab.runs.process import Process
from qtw_lab.runs.run import FACTS_FILE, DataUse, Run
from qtw_lab.runs.secrecy import ambient_secrets

_KILLED: Final = "killed"
_NAME: Final = re.compile(r"[\w][\w .+-]{0,59}")


class Registry:
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
        self._database = Database(self.path)
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
            connection.executemany("INSERT INTO data_used VALUES (?, ?, ?, ?, ?, ?)", _data_rows(run.id, data))
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
        run = Run(self._new_id(moment), kind, _named(name), "ok", moment, moment, folder and Path(folder), plain)
        if facts is not None and run.folder is not None:
            write_text(run.folder / FACTS_FILE, facts.to_json(indent=1))
        manifest = compose(run, Inputs(parameters=plain, data=uses))
        if facts is not None and run.folder is None:
            manifest["facts"] = facts.as_dict()
        if run.folder is not None:
            write_manifest(run.folder, manifest)
        with self._database.writing() as connection:
            self._write(connection, replace(run, manifest=manifest))
            connection.executemany("INSERT INTO data_used VALUES (?, ?, ?, ?, ?, ?)", _data_rows(run.id, uses))
        return self.get(run.id)

    def get(self, id: str) -> Run:  # noqa: A002  (the public word for it)
        """The run with this id, or the only one whose id starts so.

        Raises
        ------
        DataError
            If there is none (with near misses), or several.
        """
        with self._database.reading() as connection:
            # A half-open range, not LIKE: what is given may hold % or _.
            query = "SELECT * FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT 6"
            rows = connection.execute(query, (id, id + "\U0010ffff")).fetchall() if id else []
            if rows and (len(rows) == 1 or rows[0]["id"] == id):
                return self._run(rows[0])
            known = [row["id"] for row in connection.execute("SELECT id FROM runs ORDER BY id DESC LIMIT 2000")]
        if rows:
            raise DataError(
                f"Several runs start with {id!r}: {', '.join(row['id'] for row in rows[:5])}. Give more of the id."
            )
        close = near_misses(id, known) or known[:3]
        hint = f"Did you mean {' or '.join(close)}?" if close else "None has been recorded yet."
        raise DataError(f"There is no run {id!r}. {hint}")

    def list(
        self, kind: str | None = None, status: str | None = None, name: str | None = None, limit: int | None = 100
    ) -> pd.DataFrame:
        """Recorded runs, newest first.

        Parameters
        ----------
        kind, status, name : str, optional
            Only runs that match.
        limit : int, optional
            At most so many; None for all.

        Returns
        -------
        pandas.DataFrame
            Columns id, kind, name, status, started, finished (UTC, NaT while running), seconds, error, folder and
            parameters.

        Raises
        ------
        DataError
            If the status is not one of "running", "ok", "failed", or the limit is below one.
        """
        if status not in (None, "running", "ok", "failed"):
            raise DataError(f"There is no status {status!r}; use 'running', 'ok' or 'failed'.")
        if limit is not None and limit < 1:
            raise DataError(f"limit={limit} asks for no runs; give at least 1, or None for all.")
        query = (
            "SELECT * FROM runs WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR status = ?2) "
            "AND (?3 IS NULL OR name = ?3) ORDER BY id DESC LIMIT ?4"
        )
        with self._database.reading() as connection:
            rows = connection.execute(query, (kind, status, name, -1 if limit is None else limit)).fetchall()
        return _table(self._run(row) for row in rows)

    def latest_good(self, name: str) -> Run | None:
        """The newest run of this name that went well; None if there is none yet."""
        query = "SELECT * FROM runs WHERE name = ? AND status = 'ok' ORDER BY id DESC LIMIT 1"
        with self._database.reading() as connection:
            row = connection.execute(query, (name,)).fetchone()
        return None if row is None else self._run(row)

    def users_of(self, source: str, symbol: str, timeframe: str, contents: str | Iterable[str]) -> pd.DataFrame:
        """Runs that used one of these stored versions of a series: whom a vendor's revision concerns.

        Parameters
        ----------
        source, symbol, timeframe : str
            Which series.
        contents : str or iterable of str
            Hashes of the stored versions in question.

        Returns
        -------
        pandas.DataFrame
            One row a run and version, newest first: id, kind, name, status, started, folder, content, fingerprint.
        """
        wanted = [contents] if isinstance(contents, str) else list(dict.fromkeys(contents))
        query = (
            "SELECT id, kind, name, status, started, folder, content, fingerprint "
            "FROM data_used JOIN runs ON id = run_id WHERE data_used.source = ? AND symbol = ? AND timeframe = ? "
            "AND content IN (SELECT value FROM json_each(?)) "
            "ORDER BY id DESC, content"
        )
        with self._database.reading() as connection:
            rows = connection.execute(query, (source, symbol, timeframe, json.dumps(wanted))).fetchall()
        columns = ("id", "kind", "name", "status", "started", "folder", "content", "fingerprint")
        table = pd.DataFrame([tuple(row) for row in rows], columns=list(columns))
        return table.assign(
            started=pd.to_datetime(table["started"], utc=True),
            folder=table["folder"].map(lambda folder: str(self._absolute(folder)), na_action="ignore"),
        )

    def bury(self) -> tuple[str, ...]:
        """Mark as failed every run whose process has ended without a word, and return their ids; done on opening."""
        with self._database.reading() as connection:
            running = connection.execute("SELECT * FROM runs WHERE status = 'running'").fetchall()
        dead = [row for row in running if Process(row["host"], row["pid"], row["process_started"]).gone]
        moment = self._clock.now()
        buried = []
        for row in dead:
            with self._database.writing() as connection:
                change = (
                    "UPDATE runs SET status = 'failed', error = ?, finished = ? WHERE id = ? AND status = 'running'"
                )
                changed = connection.execute(change, (_KILLED, moment.isoformat(), row["id"])).rowcount
            if changed:
                buried.append(str(row["id"]))
                if row["folder"] is not None:
                    amend_failed(self._absolute(row["folder"]), _KILLED, moment)
        return tuple(buried)

    def _insert(self, kind: str, name: str, parameters: Mapping[str, Any], root: Path | None) -> Run:
        plain = checked(parameters, self.known_secrets())
        moment = self._clock.now()
        new = self._new_id(moment)
        folder = None if root is None else Path(root).resolve() / f"{new}-{_named(name)}"
        run = Run(new, kind, _named(name), "running", moment, None, folder, plain)
        if folder is not None:
            try:
                folder.mkdir(parents=True)
            except OSError as err:
                raise SetupError(
                    f"Cannot make the folder {folder}: {err.strerror or err}. Free some space, permit writing, or "
                    "choose another folder for runs."
                ) from err
        with self._database.writing() as connection:
            self._write(connection, run)
        return run

    def _new_id(self, moment: pd.Timestamp) -> str:
        return f"{moment:%Y%m%dT%H%M%S%f}-{self._chance(4)}"

    def _write(self, connection: sqlite3.Connection, run: Run) -> None:
        owner = Process.current()
        row = (
            run.id, run.kind, run.name, run.status, run.started.isoformat(),
            None if run.finished is None else run.finished.isoformat(), self._relative(run.folder),
            json.dumps(run.parameters, ensure_ascii=False), run.error, json.dumps(run.manifest, ensure_ascii=False),
            owner.host, owner.pid, owner.started,
        )  # fmt: skip
        connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608  (question marks only)

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

    def _run(self, row: sqlite3.Row) -> Run:
        return Run(
            id=row["id"],
            kind=row["kind"],
            name=row["name"],
            status=row["status"],
            started=pd.Timestamp(row["started"]),
            finished=None if row["finished"] is None else pd.Timestamp(row["finished"]),
            folder=None if row["folder"] is None else self._absolute(row["folder"]),
            parameters=json.loads(row["parameters"]),
            error=row["error"],
            manifest=json.loads(row["manifest"]),
        )

    def _relative(self, folder: Path | None) -> str | None:
        """Folders below the registry are kept relative to it, so that both can move together."""
        if folder is None:
            return None
        whole, home = folder.resolve(), self.path.resolve().parent
        return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else str(whole)

    def _absolute(self, folder: str) -> Path:
        return self.path.resolve().parent / folder


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DataError(
            f"{name!r} cannot name a run: use letters, digits, spaces and . _ + -, at most 60, "
            "starting with a letter or digit."
        )
    return name


def _data_rows(run_id: str, uses: Iterable[DataUse]) -> Iterator[tuple[str, str, str, str, str, str]]:
    for use in uses:
        for ref in use.series:
            yield run_id, use.fingerprint, ref.source, ref.symbol, ref.timeframe, ref.content
        for symbol in () if use.series else use.symbols or ("",):
            yield run_id, use.fingerprint, use.source, symbol, "", ""


def _table(runs: Iterable[Run]) -> pd.DataFrame:
    names = ["id", "kind", "name", "status", "started", "finished", "seconds", "error", "folder", "parameters"]
    rows = [
        (
            r.id,
            r.kind,
            r.name,
            r.status,
            r.started,
            r.finished,
            r.seconds,
            r.error,
            r.folder and os.fspath(r.folder),
            r.parameters,
        )
        for r in runs
    ]
    table = pd.DataFrame(rows, columns=names)
    times = {name: pd.to_datetime(table[name], utc=True) for name in ("started", "finished")}
    return table.assign(**times, seconds=table["seconds"].astype("float64"))
