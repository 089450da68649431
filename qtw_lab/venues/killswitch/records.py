"""The records of a kill switch as lines of text, each of which shows whether it and all before it are whole."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

#: What can have happened: the switch was made, tripped and reset; after a trip the venue confirmed that no order is
#: open, and that nothing is held.
KINDS: Final = ("made", "tripped", "reset", "canceled", "flat")
#: Kinds that arm the switch: what comes after them is a new story.
ARMING: Final = ("made", "reset")

#: The longest text in a record, so that one is always written in one piece.
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened to a switch.

    Parameters
    ----------
    number : int
        Its place, from 0.
    kind : {"made", "tripped", "reset", "canceled", "flat"}
        What happened.
    at : int
        When, nanoseconds since 1970, UTC.
    by, reason : str
        Who did it, and why.
    flatten : bool
        Whether positions are to be closed as well.
    after : str
        The checksum of the record before it, empty for the first.
    """

    number: int
    kind: str
    at: int
    by: str
    reason: str
    flatten: bool = False
    after: str = ""

    @property
    def checksum(self) -> str:
        """CRC-32 of all the rest, in eight hexadecimal digits."""
        return f"{zlib.crc32(_text(asdict(self))):08x}"

    @property
    def line(self) -> bytes:
        """The record as one line of JSON in ASCII, with its checksum as ``crc``.

        Examples
        --------
        >>> Record(0, "made", 5, "ann", "use").line.decode().strip()
        '{"number":0,"kind":"made","at":5,"by":"ann","reason":"use","flatten":false,"after":"","crc":"b82600f7"}'
        """
        return _text({**asdict(self), "crc": self.checksum}) + b"\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the lines of a switch say: its records up to the first fault, and that fault (empty if there is none)."""

    records: Sequence[Record] = ()
    fault: str = ""

    @property
    def arming(self) -> Record | None:
        """The record that armed the switch last; None if there is none."""
        return next((record for record in reversed(self.records) if record.kind in ARMING), None)

    @property
    def trips(self) -> list[Record]:
        """Every trip since then, oldest first."""
        return [record for record in self.since_armed if record.kind == "tripped"]

    @property
    def since_armed(self) -> Sequence[Record]:
        """Every record after the one that armed the switch."""
        arming = self.arming
        return self.records if arming is None else self.records[arming.number + 1 :]

    def following(self, kind: str, at: int, by: str, reason: str, *, flatten: bool = False) -> Record:
        """The record that would come next; long texts are cut."""
        after = self.records[-1].checksum if self.records else ""
        return Record(len(self.records), kind, int(at), _cut(by), _cut(reason), bool(flatten), after)


def read(content: bytes) -> Reading:
    """The records in the content of a file.

    Whatever is not byte for byte what `Record.line` writes, in the order in which it was written, is a fault: a line
    that is torn, changed, missing, doubled, or of a kind that nobody knows.

    Examples
    --------
    >>> first = Record(0, "made", 5, "ann", "first use")
    >>> both = first.line + Record(1, "tripped", 7, "bob", "test", after=first.checksum).line
    >>> [record.kind for record in read(both).records], read(both[:-9]).fault
    (['made', 'tripped'], 'line 2 is damaged')
    """
    *lines, rest = content.split(b"\n")
    records: list[Record] = []
    for place, line in enumerate(lines):
        record = _record(line)
        before = records[-1].checksum if records else ""
        if record is None or (record.number, record.after) != (place, before) or (record.kind == "made") != (not place):
            return Reading(records, f"line {place + 1} is damaged")
        records.append(record)
    if rest:
        return Reading(records, f"line {len(lines) + 1} is damaged")
    return Reading(records, "" if records else "it is empty")


def _record(line: bytes) -> Record | None:
    """The record of a line; None if the line is not exactly what that record is written as."""
    try:
        fields = json.loads(line)
        crc = fields.pop("crc")
        record = Record(**fields)
        whole = record.kind in KINDS and record.checksum == crc and record.line == line + b"\n"
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return record if whole else None


def _text(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _cut(text: object) -> str:
    """A text on one line, of bearable length."""
    return " ".join(str(text).split())[:_LONGEST]
