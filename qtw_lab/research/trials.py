"""The ledger of trials: how many configurations were ever evaluated on a set of data.

The more configurations are tried, the better the best of them looks by luck alone (Bailey and Lopez de Prado 2014, "The
Deflated Sharpe Ratio"). So every backtest and sweep adds what it tried, and every report states the count first.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from qtw_lab.core import DataError, SetupError

_TABLE = """
CREATE TABLE IF NOT EXISTS trials (
    fingerprint TEXT NOT NULL,
    configuration BLOB NOT NULL,
    strategy TEXT NOT NULL,
    parameters TEXT NOT NULL,
    sharpe REAL,
    PRIMARY KEY (fingerprint, configuration)
) WITHOUT ROWID
"""
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration that was evaluated.

    Parameters
    ----------
    fingerprint : str
        `Bars.fingerprint` of the data.
    strategy : str
        Its name.
    parameters : mapping
        Everything that makes the configuration: the strategy's parameters and the terms it was simulated on, as JSON
        values.
    sharpe : float, optional
        Annualised Sharpe ratio it reached; NaN or None if undefined.
    """

    fingerprint: str
    strategy: str
    parameters: Mapping[str, Any]
    sharpe: float | None = None

    def row(self) -> tuple[str, bytes, str, str, float | None]:
        """The trial as the ledger keeps it; equal configurations give equal rows."""
        text = json.dumps(self.parameters, sort_keys=True, default=_plain)
        identity = hashlib.sha256(f"{self.strategy}\n{text}".encode()).digest()
        sharpe = float(self.sharpe) if self.sharpe is not None and math.isfinite(self.sharpe) else None
        return self.fingerprint, identity, self.strategy, text, sharpe


class TrialLedger:
    """Counts every distinct configuration evaluated on each data fingerprint, in one SQLite file many processes share.

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
        SetupError
            If the file cannot be written.
        """
        rows = [trial.row() for trial in trials]
        with self._connection() as db, db:
            before = db.total_changes
            db.executemany("INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?)", rows)
            return db.total_changes - before

    def count(self, fingerprint: str) -> int:
        """How many distinct configurations were tried on that data."""
        with self._connection() as db:
            found = db.execute("SELECT count(*) FROM trials WHERE fingerprint = ?", (fingerprint,)).fetchone()
        return int(found[0])

    def table(self) -> pd.DataFrame:
        """One row for each data fingerprint and strategy: number of trials, best and mean Sharpe ratio."""
        query = (
            "SELECT fingerprint, strategy, count(*) AS trials, max(sharpe) AS best_sharpe, avg(sharpe) AS mean_sharpe "
            "FROM trials GROUP BY fingerprint, strategy ORDER BY trials DESC"
        )
        with self._connection() as db:
            found = db.execute(query)
            table = pd.DataFrame(found.fetchall(), columns=[column[0] for column in found.description])
        return table.astype({"best_sharpe": float, "mean_sharpe": float})

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as db:
                db.execute("PRAGMA synchronous = FULL")
                if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'trials'").fetchone()[0] == 0:
                    # SQLite does not wait when two connections change the journal at once: one of them would fail
                    with FileLock(f"{self.path}.lock", timeout=_PATIENCE):
                        db.execute("PRAGMA journal_mode = WAL")
                        db.execute(_TABLE)
                yield db
        except sqlite3.DatabaseError as err:
            if isinstance(err, sqlite3.OperationalError):
                raise SetupError(
                    f"The trial ledger {self.path} cannot be used: {err}. Free some space, permit writing there, or "
                    "set QTW_STORAGE_DIR to a folder that can be written."
                ) from err
            raise DataError(
                f"The trial ledger {self.path} is damaged: {err}. Move it away; a new one is started."
            ) from err
        except OSError as err:
            raise SetupError(
                f"The trial ledger {self.path} cannot be written: {err.strerror or err}. Permit writing there, or set "
                "QTW_STORAGE_DIR to a folder that can be written."
            ) from err


def _plain(value: Any) -> Any:
    """JSON for the NumPy scalars that grids are full of."""
    if isinstance(value, np.generic):
        return value.item()
    raise DataError(f"A trial's parameters must be plain values, not {type(value).__name__}.")
