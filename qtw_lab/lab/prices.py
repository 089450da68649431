"""Prices on their way into the store, under inspection, and under suspicion of revision."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from qtw_lab.core import Bars
from qtw_lab.data import QualityReport, check, read_bars, read_table
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store
from qtw_lab.data.writing import WriteReport

if TYPE_CHECKING:
    from qtw_lab.runs import Registry

#: File endings that tell a path from a list of symbols.
_FILES: Final = (".csv", ".csv.gz", ".tsv", ".txt", ".parquet", ".pq")


def import_file(
    store: Store, path: Path, symbol: str | None, *, source: str, timeframe: str | None, tz: str | None
) -> tuple[WriteReport, ...]:
    """Merge the prices of a file into the store, one series a symbol.

    Everything is read and checked before the first series is written. An ``Adj Close`` column becomes the adjustment
    factor; the raw prices are stored as they are.
    """
    raw = read_bars(path, symbol, timeframe=timeframe, tz=tz)
    adjusted = any("Adj Close" in note for note in raw.notes)
    factors = read_bars(path, symbol, timeframe=timeframe, tz=tz, adjust=True).close / raw.close if adjusted else None
    notes = tuple(note for note in raw.notes if "Adj Close" not in note)
    written = []
    for place, name in enumerate(raw.symbols):
        frame = pd.DataFrame({field: array[:, place] for field, array in raw.values.items()}, index=raw.index)
        if factors is not None:
            frame["factor"] = factors[name]
        key = SeriesKey(source, name.upper(), str(raw.timeframe))
        kept = frame[raw.present[:, place]]
        written.append(store.write(key, kept, calendar=raw.calendar, origin=Path(path).name, notes=notes))
    return tuple(written)


def is_file(text: str) -> bool:
    """Whether the text names a price file rather than symbols."""
    return text.lower().endswith(_FILES)


def inspect(what: str | Path | pd.DataFrame | Bars, timeframe: str | None) -> QualityReport:
    """The quality report of a price file, a table or bars."""
    if isinstance(what, (pd.DataFrame, Bars)):
        return check(what, timeframe=timeframe)
    return check(read_table(what), symbol=Path(what).name.partition(".")[0], timeframe=timeframe)


def affected_runs(registry: Registry, written: Iterable[WriteReport]) -> pd.DataFrame:
    """Saved runs that used a stored version whose bars these writes changed."""
    parts = [
        registry.users_of(one.key.source, one.key.symbol, one.key.timeframe, one.revision.affected).assign(
            symbol=one.key.symbol, changed_bars=one.revision.changed_bars
        )
        for one in written
        if one.revision is not None and one.revision.alarm
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def revisions(store: Store, registry: Registry) -> pd.DataFrame:
    """One row for each time a vendor changed the past of a stored series, with the saved runs on the old bars."""
    rows = []
    stored = store.keys()
    for key in stored:
        for report in store.revisions(key):
            if report.alarm:
                users = registry.users_of(key.source, key.symbol, key.timeframe, report.affected)
                rows.append(
                    {
                        "series": str(key), "found": report.written_at, "changed_bars": report.changed_bars,
                        "changed_values": report.changed, "runs": ", ".join(users.get("id", pd.Series(dtype=str))),
                        "message": report.message,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
