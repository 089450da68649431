"""`Recording`: everything that came in during a session, as it came, so that the session can be had again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.live.journal_kinds import packed_json
from qtw_lab.live.log import DAMAGE, LogWriter, Place, read_log, segments
from qtw_lab.live.logged import Logged
from qtw_lab.venues.feeds import Inbound, Kind

#: The name of a recording's log.
NAME: Final = "recording"

#: Kind of the record that opens a session; `qtw_lab.venues.feeds.Kind` has the others.
SESSION: Final = 255

#: More of a recording is synced at once than of a journal: a second of the whole market is 75 MB and more.
_SEGMENT: Final = 256 << 20
_KINDS: Final = {int(kind): kind for kind in Kind}


class Recording(Logged):
    """The recording of one session, written as things come in. One thread may use it.

    Parameters
    ----------
    folder : pathlib.Path
        Where it is to be, one folder for each session; made if missing.
    received : int
        When the session began, nanoseconds since 1970, UTC.
    session : mapping
        What is needed to have it again, as JSON: profile, strategy, symbols, versions.
    segment_bytes, sync_seconds
        As `LogWriter`.

    Raises
    ------
    DataError
        If `session` holds what JSON cannot, or the folder has a recording already.
    SetupError
        If another process writes there, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Recording(Path(folder), 10**18, {"strategy": "momentum"}) as recording:
    ...         recording.write(Inbound(10**18 + 1, Kind.LINK, b'{"state": "up"}'))
    ...     session_of(Path(folder))["strategy"], [each.payload for each in read_recording(Path(folder))]
    ('momentum', [b'{"state": "up"}'])
    """

    def __init__(
        self,
        folder: Path,
        received: int,
        session: Mapping[str, Any],
        segment_bytes: int = _SEGMENT,
        sync_seconds: float | None = 1.0,
    ) -> None:
        self.folder = Path(folder)
        opening = packed_json(session)
        if segments(self.folder, NAME):
            raise DataError(f"There is a recording in {self.folder} already; give each session a folder of its own.")
        super().__init__(LogWriter(self.folder, NAME, segment_bytes, sync_seconds))
        self._log.append(SESSION, received, opening)

    @property
    def refused(self) -> int:
        """Things that were not recorded, because too much waited for the disk."""
        return self._log.refused

    def write(self, inbound: Inbound) -> None:
        """Record one thing that came in.

        Raises
        ------
        SetupError
            If it was not taken: too much waits for the disk, or the recording is closed.
        """
        self._log.append(inbound.kind, inbound.received, inbound.payload)


def session_of(path: Path) -> dict[str, Any]:
    """What a recording says of its session.

    Raises
    ------
    DataError
        If there is no recording, or it does not begin with a session.
    """
    record = next(read_log(_folder(path), NAME), None)
    if record is None or record.kind != SESSION:
        raise DataError(f"The recording in {path} does not begin with a session; it is damaged or was cut.")
    content: dict[str, Any] = json.loads(record.payload)
    return content


def read_recording(path: Path, start: Place | None = None) -> Iterator[Inbound]:
    """Everything that came in, in order, each payload as it was.

    Parameters
    ----------
    path : pathlib.Path
        The recording's folder, or one of its segment files.
    start : Place, optional
        Where to begin.

    Raises
    ------
    DataError
        If there is no recording, or bytes in its midst cannot be read: what would be replayed is not what came.
    """
    folder = _folder(path)
    return _inbounds(folder, start)


def _inbounds(folder: Path, start: Place | None) -> Iterator[Inbound]:
    for record in read_log(folder, NAME, start):
        if record.kind == DAMAGE:
            place = json.loads(record.payload)
            raise DataError(
                f"The recording in {folder} is damaged: {place['bytes']} bytes of segment {place['segment']} from byte "
                f"{place['offset']} on cannot be read, so that it cannot be replayed as it was. What follows can be "
                f"read with start=Place({record.segment}, {record.end})."
            )
        if record.kind in _KINDS:
            yield Inbound(record.received, _KINDS[record.kind], record.payload)


def _folder(path: Path) -> Path:
    folder = Path(path)
    folder = folder.parent if folder.is_file() else folder
    if not segments(folder, NAME):
        raise DataError(f"There is no recording in {folder}; give the folder that a session was recorded to.")
    return folder
