"""Runs as rows of the registry's tables and back."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from qtw_lab.runs.process import Process
from qtw_lab.runs.run import DataUse, Run


@dataclass(frozen=True)
class Rows:
    """Runs as rows.

    Parameters
    ----------
    home : pathlib.Path
        Where the registry lies: folders below it are kept relative to it, so that both can move together.
    """

    home: Path

    def insert(self, connection: sqlite3.Connection, run: Run) -> None:
        """Enter a new run, owned by this process."""
        owner = Process.current()
        row = (
            run.id, run.kind, run.name, run.status, run.started.isoformat(),
            None if run.finished is None else run.finished.isoformat(), self._relative(run.folder),
            json.dumps(run.parameters, ensure_ascii=False), run.error, json.dumps(run.manifest, ensure_ascii=False),
            owner.host, owner.pid, owner.started,
        )  # fmt: skip
        connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608  (question marks only)

    def run(self, row: sqlite3.Row) -> Run:
        """The run of a row."""
        return Run(
            id=row["id"],
            kind=row["kind"],
            name=row["name"],
            status=row["status"],
            started=pd.Timestamp(row["started"]),
            finished=None if row["finished"] is None else pd.Timestamp(row["finished"]),
            folder=None if row["folder"] is None else self.absolute(row["folder"]),
            parameters=json.loads(row["parameters"]),
            error=row["error"],
            manifest=json.loads(row["manifest"]),
        )

    def absolute(self, folder: str) -> Path:
        """The folder that a row names."""
        return self.home.resolve() / folder

    def _relative(self, folder: Path | None) -> str | None:
        if folder is None:
            return None
        whole, home = folder.resolve(), self.home.resolve()
        return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else str(whole)


def enter_data(connection: sqlite3.Connection, run_id: str, uses: Iterable[DataUse]) -> None:
    """Enter the data a run used."""
    connection.executemany("INSERT INTO data_used VALUES (?, ?, ?, ?, ?, ?)", _data_rows(run_id, uses))


def table(runs: Iterable[Run]) -> pd.DataFrame:
    """Runs as a table: see `Registry.list`."""
    names = ["id", "kind", "name", "status", "started", "finished", "seconds", "error", "folder", "parameters"]
    rows = [
        (
            r.id, r.kind, r.name, r.status, r.started, r.finished, r.seconds, r.error,
            r.folder and os.fspath(r.folder), r.parameters,
        )
        for r in runs
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=names)
    times = {name: pd.to_datetime(frame[name], utc=True) for name in ("started", "finished")}
    return frame.assign(**times, seconds=frame["seconds"].astype("float64"))


def _data_rows(run_id: str, uses: Iterable[DataUse]) -> Iterator[tuple[str, str, str, str, str, str]]:
    for use in uses:
        for ref in use.series:
            yield run_id, use.fingerprint, ref.source, ref.symbol, ref.timeframe, ref.content
        for symbol in () if use.series else use.symbols or ("",):
            yield run_id, use.fingerprint, use.source, symbol, "", ""
