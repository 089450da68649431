"""What happened lately, found in a journal without reading its bars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from qtw_lab.live.journal_kinds import Entry, JournalEntry, entry_of
from qtw_lab.live.log_format import HEAD, HEADER, LARGEST, Place, Record, head, segment_path, segments
from qtw_lab.live.resuming import NAME

#: Kinds of entries that tell of something that happened; signals are among them, and rare beside bars.
TOLD: Final = (
    Entry.START, Entry.STOP, Entry.FOCUS, Entry.UNIVERSE, Entry.GAP, Entry.LINK, Entry.WARNING, Entry.NOTE,
)  # fmt: skip

_SOUGHT: Final = frozenset({*TOLD, Entry.SIGNALS})

#: Segments that are looked through at most: of a large focus, two hours.
_SEGMENTS: Final = 16


def earlier(folder: Path, end: Place, wanted: int) -> list[JournalEntry]:
    """Entries that tell of something, and signals, before a place in a journal, in order.

    Bars are passed over unread, so that a whole segment of a large focus takes some milliseconds. What lies behind
    unreadable bytes of a segment is left out.

    Parameters
    ----------
    folder : Path
        Of the journal.
    end : Place
        Where to stop.
    wanted : int
        Once there are so many that tell of something, older segments are not looked through.
    """
    found: list[JournalEntry] = []
    numbers = [number for number in segments(folder, NAME) if number <= end.segment]
    for number in reversed(numbers[-_SEGMENTS:]):
        found = [*_told(folder, number, end), *found]
        if sum(entry.kind in TOLD for entry in found) >= wanted:
            break
    return found


def _told(folder: Path, number: int, end: Place) -> Iterator[JournalEntry]:
    with segment_path(folder, NAME, number).open("rb") as file:
        at = file.seek(HEADER.size)
        while Place(number, at) < end and len(start := file.read(HEAD.size)) == HEAD.size:
            length, _, kind, received = HEAD.unpack(start)
            if not kind or length > LARGEST:
                return
            size = HEAD.size + length
            if kind in _SOUGHT:
                payload = file.read(length)
                if len(payload) < length or head(kind, received, payload, length) != start:
                    return
                yield entry_of(Record(kind, received, payload, number, at, at + size))
            else:
                file.seek(at + size)
            at += size
