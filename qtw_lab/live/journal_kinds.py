"""What a journal's records are, as bytes and as values."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.live.log_format import DAMAGE, Place, Record
from qtw_lab.live.rows import ROW, SIGNAL

Rows = npt.NDArray[Any]


class Entry(IntEnum):
    """Kinds of entries: JSON objects, but for `ROWS`, `SIGNALS` and `DECISIONS`. Times are nanoseconds since 1970."""

    #: Bytes that could not be read: bytes, segment, offset.
    DAMAGE = 0
    #: The engine began: what it was given (profile, strategy, versions and the like).
    START = 1
    #: The engine ended: reason.
    STOP = 2
    #: Symbols got numbers: first (number of the first), names.
    SYMBOLS = 3
    #: Finished bars, or finished bars that changed: rows of `ROW`.
    ROWS = 4
    #: Changes of stance, and changes held back: rows of `SIGNAL`.
    SIGNALS = 5
    #: Stances from a bar on: rows of `DECISION`.
    DECISIONS = 6
    #: The focus changed: time, focus (symbol and since of each), entered and left (symbol and reason of each).
    FOCUS = 7
    #: The universe was ranked: time, ranked and whatever else its maker tells.
    UNIVERSE = 8
    #: A gap in the stream: state ("open", "filled" or "hole"), start, end (null while it is open), reason.
    GAP = 9
    #: News of the link: state and more, see `qtw_lab.venues.feeds.LINK_STATES`.
    LINK = 10
    #: Something a person should know: message.
    WARNING = 11
    #: Counters, by name.
    COUNTS = 12
    #: All bars that end up to a time are closed: watermark.
    MARK = 13
    #: Where things stood when a segment of the journal began; see `qtw_lab.live.resuming.Standing`.
    STANDING = 14
    #: Anything else worth keeping.
    NOTE = 15


#: A stance of one symbol, from the bar that starts at `time` on.
DECISION: Final = np.dtype([("level", "i4"), ("symbol", "i4"), ("time", "i8"), ("stance", "f8")])

#: The rows that a kind of entry carries.
TABLES: Final[Mapping[Entry, np.dtype[Any]]] = {Entry.ROWS: ROW, Entry.SIGNALS: SIGNAL, Entry.DECISIONS: DECISION}

#: Before rows: size of one, their level if all have the same (else 0), earliest and latest time.
PREFIX: Final = struct.Struct("<iiqq")


class JournalEntry(NamedTuple):
    """One entry of a journal.

    Parameters
    ----------
    kind : Entry or int
        What it is; a bare number if this version does not know it.
    received : int
        When it was entered, nanoseconds since 1970, UTC.
    content : dict, numpy.ndarray or bytes
        A dict, or rows (read only) for the kinds of `TABLES`; bytes for an unknown kind.
    place, after : Place
        Where it begins, and where the next one does.
    """

    kind: Entry | int
    received: int
    content: Any
    place: Place
    after: Place


def packed_rows(kind: Entry, rows: Rows) -> bytes:
    """Rows as the payload of a record.

    Raises
    ------
    DataError
        If they are not one-dimensional rows of the dtype that belongs to the kind.

    Examples
    --------
    >>> rows = np.zeros(2, DECISION)
    >>> rows["time"] = [10, 20]
    >>> unpacked_rows(Entry.DECISIONS, packed_rows(Entry.DECISIONS, rows))["time"].tolist()
    [10, 20]
    """
    wanted = TABLES[kind]
    if not isinstance(rows, np.ndarray) or rows.dtype != wanted or rows.ndim != 1:
        given = f"{rows.dtype} of shape {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise DataError(f"{kind.name} entries hold a one-dimensional array of {wanted.names}; this is {given}.")
    if not len(rows):
        return PREFIX.pack(wanted.itemsize, 0, 0, 0)
    levels, times = rows["level"], rows["time"]
    level = int(levels[0]) if (levels == levels[0]).all() else 0
    return PREFIX.pack(wanted.itemsize, level, int(times.min()), int(times.max())) + rows.tobytes()


def unpacked_rows(kind: Entry, payload: bytes) -> Rows:
    """The rows of a payload, read only.

    Raises
    ------
    DataError
        If it holds rows of another size: it was written by a version with other columns.
    """
    wanted = TABLES[kind]
    size = PREFIX.unpack_from(payload)[0] if len(payload) >= PREFIX.size else 0
    if size != wanted.itemsize or (len(payload) - PREFIX.size) % size:
        raise DataError(
            f"A {kind.name} entry holds rows of {size} bytes, this version's have {wanted.itemsize}. Read the journal "
            "with the version that wrote it."
        )
    return np.frombuffer(payload, wanted, offset=PREFIX.size)


def packed_json(content: Mapping[str, Any]) -> bytes:
    """A JSON object as the payload of a record.

    Raises
    ------
    DataError
        If it holds what JSON cannot, such as NaN.
    """
    try:
        return json.dumps(dict(content), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as err:
        raise DataError(
            f"An entry cannot be written as JSON ({err}); give plain numbers, text, lists and None for what is missing."
        ) from err


def entry_of(record: Record) -> JournalEntry:
    """What a record of a journal says.

    Raises
    ------
    DataError
        If rows in it have another size than this version's.
    """
    kind: Entry | int = Entry(record.kind) if record.kind in _KNOWN else record.kind
    content: Any = record.payload
    if isinstance(kind, Entry):
        content = unpacked_rows(kind, record.payload) if kind in TABLES else json.loads(record.payload)
    return JournalEntry(kind, record.received, content, record.place, record.after)


_KNOWN: Final = {int(kind) for kind in Entry} | {DAMAGE}
