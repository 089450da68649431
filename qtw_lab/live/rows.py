"""Finished bars as rows of numbers, as the engine hands them on, journals them and reads them back."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

import numpy as np

#: One closed bar of one symbol. `level` is its length in seconds, `time` its start in nanoseconds since 1970, UTC;
#: `bid` and `ask` are the last quote at its end, NaN if there was none; `revision` counts how often it changed after it
#: closed.
ROW: Final = np.dtype(
    [
        ("level", "i4"), ("symbol", "i4"), ("time", "i8"), ("open", "f8"), ("high", "f8"), ("low", "f8"),
        ("close", "f8"), ("volume", "f8"), ("vwap", "f8"), ("count", "i8"), ("bid", "f8"), ("ask", "f8"),
        ("flags", "u4"), ("revision", "u4"),
    ]
)  # fmt: skip


class Flag(IntFlag):
    """What is to be known of a bar."""

    #: No trade set a price in it; by rule it repeats the last close or has none.
    EMPTY = 1
    #: Trades of it were fetched after a break of the stream.
    BACKFILL = 2
    #: Trades of it may be missing.
    HOLE = 4
    #: It changed when a trade came after its end.
    LATE = 8
    #: It changed by a correction or a cancel.
    CORRECTED = 16
    #: The symbol was halted in it.
    HALTED = 32
    #: It began before the symbol was listened to.
    PARTIAL = 64
