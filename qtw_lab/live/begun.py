"""Where an engine stood when a session began, kept beside its recording: the two together are the whole session."""

from __future__ import annotations

import json
import zlib
from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.core.files import replacing
from qtw_lab.live.log_format import Place
from qtw_lab.live.resuming import Resumed, Standing, standing_from
from qtw_lab.live.rows import ROW

_NAME: Final = "begun.npz"


def write_begun(folder: Path, resumed: Resumed) -> Path:
    """Keep what an engine began with in the folder of its recording."""
    path = folder / _NAME
    standing = np.frombuffer(json.dumps(resumed.standing.as_json()).encode(), dtype=np.uint8)
    rows = {f"rows_{level}": some for level, some in resumed.rows.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, standing=standing, **rows)
    return path


def read_begun(folder: Path) -> Resumed:
    """What `write_begun` kept; an engine that began with nothing if there is none.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    path = folder / _NAME
    if not path.exists():
        return Resumed(Standing(), {}, Place(0, 0))
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            standing = standing_from(json.loads(kept["standing"].tobytes()))
            rows = {int(name.removeprefix("rows_")): kept[name] for name in kept.files if name.startswith("rows_")}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as err:
        raise DataError(f"{path.name} in {folder} cannot be read ({err}); the recording is not whole.") from err
    if any(some.dtype != ROW for some in rows.values()):
        raise DataError(f"{path.name} in {folder} was written by a version whose bars have other columns.")
    return Resumed(standing, rows, Place(0, 0))
