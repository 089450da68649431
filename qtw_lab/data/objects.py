"""A series as bytes: the columns every stored table has, and a Parquet file named by its own SHA-256."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.bars import FIELDS
from qtw_lab.core.files import write_bytes
from qtw_lab.data.revisions import FACTORS

#: Columns of a stored table beside its timestamp: raw prices and volume, and what to multiply raw prices by.
COLUMNS: Final = (*FIELDS, *FACTORS)


def encode(table: pd.DataFrame) -> bytes:
    """The Parquet file of a table: `timestamp` in microseconds UTC, then `COLUMNS` as float64.

    Equal tables give equal bytes (for one release of the Parquet writer).
    """
    import pyarrow as pa
    from pyarrow import parquet

    times = pa.array(pd.DatetimeIndex(table.index).as_unit("us").asi8, type=pa.int64()).cast(
        pa.timestamp("us", tz="UTC")
    )
    arrays = [times, *(pa.array(table[name].to_numpy(np.float64)) for name in COLUMNS)]
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, names=["timestamp", *COLUMNS]), sink, compression="zstd")
    return sink.getvalue()


def decode(content: bytes) -> pd.DataFrame:
    """The table whose file `content` is; times come back as the index, UTC, in nanoseconds."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = parquet.read_table(pa.BufferReader(content), use_threads=False)
    times = pd.DatetimeIndex(columns["timestamp"].cast(pa.int64()).to_numpy().view("M8[us]"), tz="UTC").as_unit("ns")
    values = {name: columns[name].to_numpy() for name in COLUMNS}
    return pd.DataFrame(values, index=times.rename("timestamp"), dtype=np.float64)


def name_of(content: bytes) -> str:
    """SHA-256 of the bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def path_of(folder: Path, name: str) -> Path:
    """Where the object called `name` lies."""
    return folder / f"{name}.parquet"


def save(folder: Path, content: bytes) -> Path:
    """Store the bytes under their own name. An object of that name is replaced: it may have been damaged.

    Raises
    ------
    SetupError
        If the folder cannot be written or the disk is full.
    """
    return write_bytes(path_of(folder, name_of(content)), content)


def load(folder: Path, name: str) -> pd.DataFrame:
    """The table stored under `name`, once its bytes are known to be those that were written.

    Raises
    ------
    DataError
        If the file is missing, truncated or altered; the message names it and the remedy.
    """
    return decode(verified(folder, name))


def verified(folder: Path, name: str) -> bytes:
    """The bytes of the object called `name`, their SHA-256 checked; errors as `load`."""
    path = path_of(folder, name)
    try:
        content = path.read_bytes()
    except FileNotFoundError as err:
        raise DataError(
            f"The stored bars {path} are missing: deleted by hand, or collected as an old version. {_REMEDY}"
        ) from err
    if name_of(content) != name:
        raise DataError(
            f"The stored bars {path} are damaged: {len(content):,} bytes whose SHA-256 begins {name_of(content)[:12]}, "
            f"not {name[:12]} as written. {_REMEDY}"
        )
    return content


_REMEDY: Final = (
    "Restore the file from a backup, or fetch the series again and store it with Store.write(..., afresh=True)."
)
