"""A result as files for other programs: CSV, Parquet or JSON, to the last digit."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from qtw_lab.core import DataError, Facts, lookup
from qtw_lab.core.files import write_bytes, write_text
from qtw_lab.lab.records import settings_of
from qtw_lab.stats import performance as p

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result

Form = Literal["csv", "parquet"]

#: The form of exported files; a reader may ask for it before reading the rest.
SCHEMA: Final = "qtw-result-1"

#: Key under which a Parquet file carries what made it.
PARQUET_KEY: Final = b"qtw_lab"


def export(result: Result, path: str | Path, form: Form = "csv") -> Path:
    """Write a result as one file or as a folder of tables, to the last digit.

    ==============  ===================================================================================================
    ``.csv``        one row a bar: equity, cash, returns, drawdown, buy and hold, and by symbol position and weight
    ``.parquet``    the same, with what made it in the file's metadata (key ``qtw_lab``, JSON)
    ``.json``       everything in one strict document
    no suffix       a folder: ``bars``, ``positions``, ``weights``, ``orders`` and ``trades`` as CSV or Parquet, and
                    ``stats.json``, ``facts.json`` and ``about.json``, the last one written last
    ==============  ===================================================================================================

    Times are ISO 8601 in UTC. Numbers are written with as many digits as it takes to read the same number back; a
    missing one is an empty field in CSV and null in JSON, where infinity is the text "inf". Every file is replaced in
    one step.

    Parameters
    ----------
    result : Result
        What to write.
    path : str or pathlib.Path
        Where; its suffix decides.
    form : {"csv", "parquet"}
        Of the tables of a folder.

    Returns
    -------
    pathlib.Path
        The path given.

    Raises
    ------
    DataError
        If the suffix or the form is none of these.
    SetupError
        If the files cannot be written.
    """
    place = Path(path)
    lookup(form, _TABLES, "form of tables")
    if place.is_dir() or not place.suffix:
        return _folder(result, place, form)
    if place.suffix.lower() not in _FILES:
        raise DataError(
            f"A result cannot be written as {place.suffix!r}; use {', '.join(_FILES)}, or a folder without a suffix."
        )
    return write_bytes(place, _FILES[place.suffix.lower()](result))


def bars_table(result: Result) -> pd.DataFrame:
    """One row a bar: what the account was worth, held and returned.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``time`` (UTC): ``equity``, ``cash``, ``benchmark`` in account currency; ``returns``, ``drawdown`` as
        fractions; ``position SYMBOL`` in shares and ``weight SYMBOL`` as a fraction of equity.
    """
    columns = {
        "equity": result.equity, "cash": result.cash, "returns": result.returns,
        "drawdown": p.drawdown_series(result.returns), "benchmark": result.benchmark,
    }  # fmt: skip
    columns |= {f"position {symbol}": result.positions[symbol] for symbol in result.bars.symbols}
    columns |= {f"weight {symbol}": result.weights[symbol] for symbol in result.bars.symbols}
    return pd.DataFrame(columns).rename_axis("time")


def about(result: Result) -> dict[str, Any]:
    """What made the result, in plain values: strategy, parameters, terms, and the hashes of data and orders."""
    found = {
        "schema": SCHEMA, **settings_of(result), "order_hash": result.order_hash,
        "data_fingerprint": result.bars.fingerprint, "data_source": result.bars.source,
        "adjustment": result.bars.adjustment, "timeframe": str(result.bars.timeframe),
        "calendar": result.bars.calendar, "periods_per_year": result.bars.periods_per_year, "engine": result.engine,
        "first_bar": result.bars.index[0].isoformat(), "last_bar": result.bars.index[-1].isoformat(),
        "notes": list(result.notes),
    }  # fmt: skip
    return {name: _plain(value) for name, value in found.items()}


def csv_text(table: pd.DataFrame, *, index: bool) -> str:
    """The table as CSV: times in ISO 8601 with their zone, numbers that read back the same, nothing for missing.

    Parameters
    ----------
    table : DataFrame
        To be written.
    index : bool
        Whether its index is a column too.

    Examples
    --------
    >>> print(csv_text(pd.DataFrame({"x": [0.1 + 0.2, None], "n": [1, 2]}), index=False), end="")
    x,n
    0.30000000000000004,1
    ,2
    """
    whole = table.reset_index() if index else table
    shown = {}
    for place, name in enumerate(whole.columns):
        values = whole.iloc[:, place]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            shown[name] = pd.Series([None if pd.isna(t) else t.isoformat() for t in values], dtype=object)
        elif values.dtype.kind == "f":
            # repr is the shortest text that reads back the same number
            shown[name] = pd.Series([None if math.isnan(v) else repr(float(v)) for v in values], dtype=object)
        else:
            shown[name] = values.reset_index(drop=True)
    return pd.DataFrame(shown).to_csv(index=False, lineterminator="\n")


def parquet_bytes(table: pd.DataFrame, described: Mapping[str, Any]) -> bytes:
    """The table as Parquet with `described` as JSON in its metadata; the same table gives the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table)
    extra = {PARQUET_KEY: json.dumps(described, allow_nan=False, ensure_ascii=False).encode()}
    out = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **extra}), out)
    return out.getvalue()


def _document(result: Result) -> dict[str, Any]:
    """Everything as plain values of strict JSON."""
    tables = {
        "bars": bars_table(result).reset_index(), "orders": result.orders, "trades": result.trades,
        "decisions": result.decisions.rename_axis("time").reset_index(),
    }  # fmt: skip
    return {
        "about": about(result),
        "facts": result.verify().facts().as_dict(),
        "stats": {name: _plain(value) for name, value in result.stats.items()},
        **{name: _records(table) for name, table in tables.items()},
    }


def _records(table: pd.DataFrame) -> dict[str, list[Any]]:
    """A table by column."""
    return {str(name): [_plain(value) for value in table[name].tolist()] for name in table.columns}


def _plain(value: Any) -> Any:
    """A value strict JSON can hold: times as ISO 8601, missing as null, infinity as text."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def _json_text(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def _folder(result: Result, place: Path, form: Form) -> Path:
    """A folder of tables; what describes it comes last, so that a folder with it is whole."""
    tables: dict[str, tuple[pd.DataFrame, bool]] = {
        "bars": (bars_table(result)[["equity", "cash", "returns", "drawdown", "benchmark"]], True),
        "positions": (result.positions.rename_axis("time"), True),
        "weights": (result.weights.rename_axis("time"), True),
        "decisions": (result.decisions.rename_axis("time"), True),
        "orders": (result.orders, False),
        "trades": (result.trades, False),
    }
    described = about(result)
    for name, (table, index) in tables.items():
        write_bytes(place / f"{name}.{form}", _TABLES[form](table, index, described))
    stats = {name: _plain(value) for name, value in result.stats.items()}
    write_text(place / "stats.json", _json_text(stats))
    facts: Facts = result.verify().facts()
    write_text(place / "facts.json", facts.to_json(indent=1) + "\n")
    write_text(place / "about.json", _json_text({**described, "tables": [f"{name}.{form}" for name in tables]}))
    return place


def _as_csv(table: pd.DataFrame, index: bool, _described: Mapping[str, Any]) -> bytes:
    return csv_text(table, index=index).encode()


def _as_parquet(table: pd.DataFrame, index: bool, described: Mapping[str, Any]) -> bytes:
    return parquet_bytes(table if index else table.reset_index(drop=True), described)


#: Form of a table -> its bytes.
_TABLES: Final[Mapping[str, Callable[[pd.DataFrame, bool, Mapping[str, Any]], bytes]]] = {
    "csv": _as_csv, "parquet": _as_parquet,
}  # fmt: skip

#: Suffix of a file -> its bytes.
_FILES: Final[Mapping[str, Callable[[Result], bytes]]] = {
    ".csv": lambda result: _as_csv(bars_table(result), True, {}),  # noqa: FBT003  (a table's row)
    ".parquet": lambda result: _as_parquet(bars_table(result), True, about(result)),  # noqa: FBT003  (as above)
    ".json": lambda result: _json_text(_document(result)).encode(),
}
