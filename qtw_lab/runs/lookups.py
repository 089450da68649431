"""Looking runs up in the registry's file."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pandas as pd

from qtw_lab.core.errors import DataError
from qtw_lab.core.lookup import near_misses
from qtw_lab.runs.database import Database
from qtw_lab.runs.rows import Rows, table
from qtw_lab.runs.run import Run


class Lookups:
    """The methods of `Registry` that only read.

    Parameters
    ----------
    database : Database
        The registry's file.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(database.path.parent)

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
                return self._rows.run(rows[0])
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
        return table(self._rows.run(row) for row in rows)

    def latest_good(self, name: str) -> Run | None:
        """The newest run of this name that went well; None if there is none yet."""
        query = "SELECT * FROM runs WHERE name = ? AND status = 'ok' ORDER BY id DESC LIMIT 1"
        with self._database.reading() as connection:
            row = connection.execute(query, (name,)).fetchone()
        return None if row is None else self._rows.run(row)

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
        found = pd.DataFrame([tuple(row) for row in rows], columns=list(columns))
        return found.assign(
            started=pd.to_datetime(found["started"], utc=True),
            folder=found["folder"].map(lambda folder: str(self._rows.absolute(folder)), na_action="ignore"),
        )
