"""Bars and signals as rows of numbers, as the engine hands them on, journals them and reads them back."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import Any, Final

import numpy as np
import numpy.typing as npt

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


#: A change of stance of one symbol, or one that was held back. `level` is the bars' length in seconds, `time` the start
#: of the bar it was decided on, `wanted` the stance that the strategy asks for; `gate` says what held it back, empty if
#: nothing did.
SIGNAL: Final = np.dtype(
    [
        ("level", "i4"), ("symbol", "i4"), ("time", "i8"), ("stance", "f8"), ("previous", "f8"), ("wanted", "f8"),
        ("price", "f8"), ("gate", "S16"),
    ]
)  # fmt: skip

_Column = Sequence[float] | npt.NDArray[Any]


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


def flag_names(flags: int) -> list[str]:
    """The names of a bar's flags.

    Examples
    --------
    >>> flag_names(int(Flag.BACKFILL | Flag.LATE))
    ['backfill', 'late']
    """
    return [str(flag.name).lower() for flag in Flag if flags & flag]


def signal_rows(
    level: int,
    time: int,
    symbols: Sequence[int] | npt.NDArray[Any],
    *,
    stances: _Column,
    previous: _Column,
    wanted: _Column,
    prices: _Column,
    gates: Sequence[str | None],
) -> npt.NDArray[Any]:
    """Rows of `SIGNAL` from columns.

    Examples
    --------
    >>> rows = signal_rows(5, 10**18, [3], stances=[1.0], previous=[0.0], wanted=[1.0], prices=[101.5], gates=[None])
    >>> rows["symbol"].item(), rows["gate"].item()
    (3, b'')
    """
    rows = np.zeros(len(symbols), SIGNAL)
    rows["level"], rows["time"], rows["symbol"] = level, time, symbols
    rows["stance"], rows["previous"], rows["wanted"], rows["price"] = stances, previous, wanted, prices
    rows["gate"] = [(gate or "").encode("ascii", "replace")[:16] for gate in gates]
    return rows


def gate_text(gate: bytes) -> str | None:
    """What held a signal back, in words; None if nothing did.

    Examples
    --------
    >>> gate_text(b"spread"), gate_text(b"")
    ('spread', None)
    """
    return gate.decode("ascii", "replace") or None
