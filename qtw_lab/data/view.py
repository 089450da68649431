"""The SQL that shows stored files as one view, `bars`, and then shuts every other door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qtw_lab.data.objects import COLUMNS
from qtw_lab.data.series import SeriesKey

_NUMBERS: Final = ", ".join(COLUMNS)

#: The view of a store without series: the same columns, no rows.
_EMPTY: Final = (
    "SELECT '' AS source, '' AS symbol, '' AS timeframe, now() AS timestamp, "
    + ", ".join(f"0.0::DOUBLE AS {name}" for name in COLUMNS)
    + " WHERE false"
)


def preparation(series: Sequence[tuple[SeriesKey, str]]) -> tuple[str, ...]:
    """DuckDB statements that make the view `bars` and then lock the connection.

    Afterwards only the listed files can be read, no extension loads, and no setting changes. They could still be
    overwritten by COPY, so the caller must let nothing but SELECT pass.

    Parameters
    ----------
    series : sequence of (SeriesKey, str)
        Each series and the absolute path of its Parquet file; several series may share one file.
    """
    files = ", ".join(_literal(path) for path in dict.fromkeys(path for _, path in series))
    rows = ", ".join(
        f"({', '.join(_literal(text) for text in (key.source, key.symbol, key.timeframe, path))})"
        for key, path in series
    )
    filled = (
        f"SELECT source, symbol, timeframe, timestamp, {_NUMBERS} "  # noqa: S608  (every literal is quoted below)
        f"FROM (VALUES {rows}) AS series(source, symbol, timeframe, path) "
        f"JOIN read_parquet([{files}], filename = 'path') USING (path)"
    )
    return (
        "SET TimeZone = 'UTC'",
        "SET temp_directory = ''",
        "SET autoinstall_known_extensions = false",
        "SET python_enable_replacements = false",
        f"CREATE VIEW bars AS {filled if series else _EMPTY}",
        f"SET allowed_paths = [{files}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
