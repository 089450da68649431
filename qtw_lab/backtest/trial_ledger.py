"""The ledger of trials: how many configurations were ever evaluated on a set of data, and how alike they were.

The more configurations are tried, the better the best of them looks by luck alone (Bailey and Lopez de Prado 2014, "The
Deflated Sharpe Ratio"). So every backtest and sweep adds what it tried, and every report states the count first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from filelock import FileLock

from qtw_lab.backtest.connections import PATIENCE, connection, keep
from qtw_lab.backtest.trials import STRETCHES, Batch, Known, Trial, WordArray, finite, spelled
from qtw_lab.backtest.tried import Tried
from qtw_lab.core import DataError, SetupError

_TRIALS = """
CREATE TABLE IF NOT EXISTS configurations (
    fingerprint TEXT NOT NULL,
    identity INTEGER NOT NULL,
    kind TEXT NOT NULL,
    strategy TEXT NOT NULL,
    parameters TEXT NOT NULL,
    sharpe REAL,
    summary TEXT NOT NULL,
    sketch BLOB,
    added TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (fingerprint, identity)
) WITHOUT ROWID
"""
_BATCHES = """
CREATE TABLE IF NOT EXISTS batches (
    fingerprint TEXT NOT NULL,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL,
    strategy TEXT NOT NULL,
    fixed TEXT NOT NULL,
    varied TEXT NOT NULL,
    size INTEGER NOT NULL,
    identities BLOB NOT NULL,
    sharpes BLOB NOT NULL,
    sketches BLOB NOT NULL,
    added TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (fingerprint, digest)
)
"""
#: A configuration known from elsewhere gains what it lacked.
_ENTER = """
INSERT INTO configurations (fingerprint, identity, kind, strategy, parameters, sharpe, summary, sketch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET sharpe = coalesce(sharpe, excluded.sharpe), sketch = coalesce(sketch, excluded.sketch)
"""
_KNOWN = "SELECT 1 FROM configurations WHERE fingerprint = ? AND identity = ?"
#: A sweep known from elsewhere gains ratios and sketches if it had none.
_ENTER_BATCH = """
INSERT INTO batches (fingerprint, digest, kind, strategy, fixed, varied, size, identities, sharpes, sketches)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET sharpes = excluded.sharpes, sketches = excluded.sketches, identities = excluded.identities
WHERE length(excluded.sketches) > length(sketches)
"""
_FEW: Final = 16
COLUMNS: Final = ("fingerprint", "strategy", "trials", "best_sharpe", "mean_sharpe", "last")


class TrialLedger:
    """Counts every distinct configuration evaluated on each data fingerprint, in one SQLite file many processes share.

    What `add` has acknowledged outlives the process, however it ends; a power cut can take the last moments, never the
    ledger.

    Parameters
    ----------
    path : pathlib.Path
        The file; made when first needed.

    Examples
    --------
    >>> import tempfile
    >>> ledger = TrialLedger(Path(tempfile.mkdtemp()) / "trials.sqlite")
    >>> ledger.add([Trial("f" * 64, "sma_cross", {"fast": n}) for n in (5, 10, 10)])
    2
    >>> ledger.count("f" * 64)
    2
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, trials: Iterable[Trial]) -> int:
        """Enter trials; a configuration already known for that data counts once. Returns how many were new.

        Raises
        ------
        DataError
            If a parameter is not a plain value; nothing is then entered.
        SetupError
            If the file cannot be written.
        """
        rows = [_row(trial) for trial in trials]
        if not rows:
            return 0
        with self._connection() as db, _writing(db):
            new = 0
            for name in {row[0] for row in rows}:
                mine = [row for row in rows if row[0] == name]
                swept = _among([row[1] for row in mine], _swept(db, name))
                for row, known in zip(mine, swept, strict=True):
                    new += not known and db.execute(_KNOWN, row[:2]).fetchone() is None
                    db.execute(_ENTER, row)
        return new

    def add_batches(self, batches: Iterable[Batch]) -> None:
        """Enter the configurations of a sweep at once; those already known count once.

        Raises
        ------
        DataError
            If a parameter is not a plain value; nothing is then entered.
        SetupError
            If the file cannot be written.
        """
        rows = [_batch_row(batch) for batch in batches]
        if rows:
            with self._connection() as db, _writing(db):
                db.executemany(_ENTER_BATCH, rows)

    def holds(self, batches: Iterable[Batch], sketches: int = 1) -> bool:
        """Whether each was entered before, with so many sketches, as a sweep of just these configurations."""
        keys = [(batch.fingerprint, batch.digest) for batch in batches]
        query = "SELECT 1 FROM batches WHERE fingerprint = ? AND digest = ? AND length(sketches) >= ?"
        least = sketches * STRETCHES * np.dtype(np.float32).itemsize
        with self._connection() as db:
            return all(db.execute(query, (*key, least)).fetchone() for key in keys)

    def count(self, fingerprint: str) -> int:
        """How many distinct configurations were tried on that data."""
        with self._connection() as db:
            if not db.execute("SELECT 1 FROM batches WHERE fingerprint = ? LIMIT 1", (fingerprint,)).fetchone():
                query = "SELECT count(*) FROM configurations WHERE fingerprint = ?"
                return int(db.execute(query, (fingerprint,)).fetchone()[0])
            return len(np.unique(_identities(db, fingerprint)))

    def tried(self, fingerprint: str, periods_per_year: float, kind: str | None = None) -> Tried:
        """What was tried on that data, as far as deflating a Sharpe ratio needs to know it.

        Parameters
        ----------
        fingerprint : str
            `Bars.fingerprint`.
        periods_per_year : float
            What the ratios in the ledger were annualised by.
        kind : str, optional
            Only trials of this kind.
        """
        with self._connection() as db:
            single, batches = _read(db, fingerprint, kind)
        parts = [_known_single(single), *(_known_batch(*batch[2:]) for batch in batches)]
        return Tried.of(parts, periods_per_year)

    def table(self) -> pd.DataFrame:
        """One row for each data fingerprint and strategy: trials, best and mean Sharpe ratio, when the last was added.

        Times are UTC.
        """
        rows = []
        with self._connection() as db:
            names = [name for (name,) in db.execute(
                "SELECT fingerprint FROM configurations UNION SELECT fingerprint FROM batches"
            )]  # fmt: skip
            for name in names:
                single, batches = _read(db, name)
                rows += _summaries(name, single, batches)
        table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"best_sharpe": float, "mean_sharpe": float})
        table["last"] = pd.to_datetime(table["last"], utc=True)
        return table.sort_values("trials", ascending=False, kind="stable", ignore_index=True)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = connection(self.path)
            try:
                db.execute("PRAGMA synchronous = NORMAL")
                if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'batches'").fetchone()[0] == 0:
                    # SQLite does not wait when two connections change the journal at once: one of them would fail
                    with FileLock(f"{self.path}.lock", timeout=PATIENCE):
                        db.execute("PRAGMA journal_mode = WAL")
                        _make(db)
                yield db
            except BaseException:
                db.close()
                raise
            keep(self.path, db)
        except sqlite3.DatabaseError as err:
            if isinstance(err, sqlite3.OperationalError):
                raise SetupError(
                    f"The trial ledger {self.path} cannot be used: {err}. Free some space, permit writing there, or "
                    "set QTW_STORAGE_DIR to a folder that can be written."
                ) from err
            raise DataError(
                f"The trial ledger {self.path} is damaged: {err}. Move it away, with what lies beside it under its "
                "name (-wal, -shm); a new one is started."
            ) from err
        except OSError as err:
            raise SetupError(
                f"The trial ledger {self.path} cannot be written: {err.strerror or err}. Permit writing there, or set "
                "QTW_STORAGE_DIR to a folder that can be written."
            ) from err


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction that writes, begun at once so that what is read in it cannot change under it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _make(db: sqlite3.Connection) -> None:
    """The tables; what a ledger of the first form counted is taken over."""
    with _writing(db):
        db.execute(_TRIALS)
        old = db.execute("SELECT sql FROM sqlite_master WHERE name = 'trials'").fetchone()
        if old is not None:
            found = db.execute("SELECT fingerprint, strategy, parameters, sharpe FROM trials").fetchall()
            trials = (Trial(name, strategy, json.loads(text), sharpe) for name, strategy, text, sharpe in found)
            db.executemany(_ENTER, (_row(trial) for trial in trials))
            db.execute("DROP TABLE trials")
        db.execute(_BATCHES)


def _row(trial: Trial) -> tuple[Any, ...]:
    """The trial as the ledger keeps it."""
    signed = int(np.uint64(trial.identity).view(np.int64))
    summary = {name: finite(value) for name, value in trial.summary.items()}
    drawn = None if trial.sketch is None else np.asarray(trial.sketch, dtype=np.float32).tobytes()
    about = (trial.kind, trial.strategy, trial.text, finite(trial.sharpe), spelled(summary), drawn)
    return (trial.fingerprint, signed, *about)


def _batch_row(batch: Batch) -> tuple[Any, ...]:
    """The batch as the ledger keeps it; the same set of configurations has the same digest."""
    varied = {name: list(values) for name, values in batch.values.items()}
    return (
        batch.fingerprint, batch.digest, batch.kind, batch.strategy,
        spelled(batch.fixed), spelled(varied), len(batch), batch.identities.tobytes(),
        np.asarray(batch.sharpes, dtype=np.float64).tobytes(), np.asarray(batch.sketches, dtype=np.float32).tobytes(),
    )  # fmt: skip


def _swept(db: sqlite3.Connection, fingerprint: str) -> npt.NDArray[np.int64]:
    """The configurations that batches hold; one in two of them stands there twice."""
    found = db.execute("SELECT identities FROM batches WHERE fingerprint = ?", (fingerprint,)).fetchall()
    return np.frombuffer(b"".join(blob for (blob,) in found), dtype=np.int64)


def _among(words: list[int], known: npt.NDArray[np.int64]) -> list[bool]:
    """Whether each word is known; a few are looked for one by one, which needs no sorting."""
    if len(words) <= _FEW:
        return [bool((known == word).any()) for word in words]
    found: list[bool] = np.isin(words, known).tolist()
    return found


def _identities(db: sqlite3.Connection, fingerprint: str) -> npt.NDArray[np.int64]:
    """Every configuration, those of several batches several times."""
    single = db.execute("SELECT identity FROM configurations WHERE fingerprint = ?", (fingerprint,)).fetchall()
    return np.concatenate([np.array([word for (word,) in single], dtype=np.int64), _swept(db, fingerprint)])


def _read(db: sqlite3.Connection, fingerprint: str, kind: str | None = None) -> tuple[list[Any], list[Any]]:
    """Single trials and batches of one set of data."""
    where, given = "WHERE fingerprint = :data AND (:kind IS NULL OR kind = :kind)", {"data": fingerprint, "kind": kind}
    single = f"SELECT strategy, added, identity, sharpe, sketch FROM configurations {where}"  # noqa: S608  (our own words)
    batches = f"SELECT strategy, added, identities, sharpes, sketches FROM batches {where}"  # noqa: S608  (as above)
    return db.execute(single, given).fetchall(), db.execute(batches, given).fetchall()


def _known_single(rows: list[Any]) -> Known:
    words = np.array([row[2] for row in rows], dtype=np.int64).view(np.uint64)
    sharpes = np.array([np.nan if row[3] is None else row[3] for row in rows], dtype=np.float64)
    drawn = [np.frombuffer(row[4], dtype=np.float32) for row in rows if row[4] is not None]
    sketches = np.array(drawn, dtype=np.float32).reshape(-1, STRETCHES)
    return Known(words, sharpes, sketches, float(len(rows)))


def _known_batch(identities: bytes, sharpes: bytes, sketches: bytes) -> Known:
    words: WordArray = np.frombuffer(identities, dtype=np.uint64)
    ratios = np.frombuffer(sharpes, dtype=np.float64)
    drawn = np.frombuffer(sketches, dtype=np.float32).reshape(-1, STRETCHES)
    return Known(words, ratios, drawn, float(len(words)))


def _summaries(name: str, single: list[Any], batches: list[Any]) -> list[tuple[Any, ...]]:
    """The rows of `TrialLedger.table` for one set of data."""
    rows = []
    for strategy in sorted({row[0] for row in (*single, *batches)}):
        mine = [row for row in single if row[0] == strategy]
        many = [row for row in batches if row[0] == strategy]
        words, sharpes = Tried.merged([_known_single(mine), *(_known_batch(*row[2:]) for row in many)])
        known = sharpes[np.isfinite(sharpes)]
        best, mean = (known.max(), known.mean()) if len(known) else (np.nan, np.nan)
        rows.append((name, strategy, len(words), best, mean, max(row[1] for row in (*mine, *many))))
    return rows
