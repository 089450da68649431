"""`KillSwitch`: tripped or not, kept in a folder so that tripping needs no space and any doubt means tripped."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from qtw_lab.venues.killswitch import disk
from qtw_lab.venues.killswitch.records import Reading, Record, read
from qtw_lab.venues.killswitch.status import Status

LOG: Final = "switch.log"
ARMED: Final = "switch.armed"

#: How long a trip and a reading wait for somebody who is writing, in seconds: after that they go on without the lock,
#: for whoever holds it may hang. A reset waits longer and then gives up.
_BRIEFLY: Final = 0.5
_PATIENTLY: Final = 5.0

_MADE: Final = (
    "A kill switch was made in the folder {name} beside this file. While this file is here, a switch that is missing "
    "there counts as tripped.\n"
)

_Stamp = tuple[int, ...]


class KillSwitch:
    """Whether trading is halted, for every process that looks into the same folder; made there at its first use.

    ``switch.log`` has a line for everything that happened, each with a checksum and that of the line before, flushed
    to the disk. ``switch.armed`` has the checksum of the line that armed the switch last. The switch is *not* tripped
    only if both are there, whole, and agree. So whatever happens to one of them (a line torn by a crash, a bit turned
    over, a file cut short, put back or deleted) reads as tripped. A file beside the folder tells that there was a
    switch should the whole folder go. What cannot be noticed: both files put back together from an older copy, and the
    folder deleted together with the file beside it, after which a new switch begins.

    Tripping needs no space on the disk: it *removes* ``switch.armed``, and every process that looks sees that. The
    line that says who and why is written after that, and may fail. Where the disk cannot even remove a file, this
    object still knows (and so does whoever asks it), and the returned status is not `readable`.

    Once tripped it stays so, whatever goes well again, until somebody resets it by name.

    Parameters
    ----------
    folder : path-like
        Where it is kept, on a local disk.

    Examples
    --------
    >>> import tempfile
    >>> place = tempfile.TemporaryDirectory()
    >>> switch = KillSwitch(Path(place.name) / "stop")
    >>> switch.guard()
    >>> switch.trip("ann", "prices look wrong", at=10**18).tripped
    True
    >>> KillSwitch(Path(place.name) / "stop").status().reason
    'prices look wrong'
    >>> switch.reset("Ann Lee", "the feed was mended").tripped
    False
    >>> place.cleanup()
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()
        self._log, self._armed = self.folder / LOG, self.folder / ARMED
        self._witness = self.folder.with_name(f"{self.folder.name}.made")
        self._paths = (str(self._log), str(self._armed))
        self._latch: Status | None = None
        self._story = ""
        self._passed: _Stamp | None = None
        self._trouble = ""
        if not self._there():
            self._make()

    def status(self) -> Status:
        """How it stands; never raises: what cannot be read is tripped.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     switch = KillSwitch(Path(place) / "stop")
        ...     (switch.folder / "switch.armed").unlink()
        ...     found = switch.status()
        >>> found.tripped, found.readable, found.reason
        (True, False, 'it was tripped without a record (a full disk?), or switch.armed was removed')
        """
        found, reading = self._seen()
        if not found.readable:  # somebody may be in the middle of writing: look again when that is done
            with contextlib.suppress(OSError), disk.held(self.folder, _BRIEFLY):
                found, reading = self._seen()
        return self._remembered(found, reading)

    def guard(self) -> None:
        """Return if trading may go on; to be called before each order. It takes microseconds where nothing changed.

        Raises
        ------
        HaltedError
            If the switch is tripped; the message says by whom, when, why, and how to reset it.
        """
        stamp = self._stamp()
        if stamp is not None and stamp == self._passed and self._latch is None:
            return
        found = self.status()
        self._passed = None if found.tripped else stamp
        if found.tripped:
            from qtw_lab.venues.killswitch.halted import HaltedError

            raise HaltedError(found, self.folder)

    def trip(self, by: str, reason: str, *, flatten: bool = False, at: int | None = None) -> Status:
        """Halt trading; never raises, and doing it again changes nothing, except that it may add `flatten`.

        First this object remembers it, then ``switch.armed`` is removed, then the line is written. The first two need
        no space, and none of them waits longer than half a second for another process.

        Parameters
        ----------
        by, reason : str
            Who trips it, and why.
        flatten : bool
            Whether positions are to be closed as well.
        at : int, optional
            The present, nanoseconds since 1970, UTC; by the machine's clock where left out.

        Returns
        -------
        Status
            As everybody sees it now, if it is `readable`; else as much of it as this object knows, because the disk
            did not take the record.
        """
        at = time.time_ns() if at is None else at
        self._remember(Status(tripped=True, since=at, by=by, reason=reason, flatten=flatten, readable=False))
        self._disarm()
        with contextlib.suppress(OSError), disk.held(self.folder, _BRIEFLY):
            self._disarm()  # somebody who was resetting it may have armed it meanwhile
            reading = self._reading()
            told = any(trip.flatten or not flatten for trip in reading.trips)
            if not reading.fault and not told:
                disk.append(self._log, reading.following("tripped", at, by, reason, flatten=flatten).line)
        return self.status()

    def reset(self, by: str, reason: str, *, acknowledge_damage: bool = False, at: int | None = None) -> Status:
        """Let trading go on. Nothing but a person should call this; the name and the reason are recorded.

        Where records are damaged they are kept beside the new ones (``switch.log.damaged-...``).

        Parameters
        ----------
        by, reason : str
            Who resets it, and why; neither may be empty.
        acknowledge_damage : bool
            Needed where the status is not `readable`: the person has seen that it is not known what had happened.
        at : int, optional
            As for `trip`.

        Raises
        ------
        DataError
            If the name or the reason is empty.
        SetupError
            If the status is not readable and that was not acknowledged, or the folder cannot be written. It is tripped
            then as before.
        """
        from qtw_lab.core.errors import DataError, SetupError

        if not any(map(str.isalpha, by)) or not reason.strip():
            raise DataError("A switch is reset by a person, for a reason: give your name and say what was found out.")
        at = time.time_ns() if at is None else at
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with disk.held(self.folder, _PATIENTLY) as mine:
                if not mine:
                    raise SetupError(f"Another process is writing to {self.folder} and does not end. Try again.")
                found = self._remembered(*self._seen())
                if found.tripped and not found.readable and not acknowledge_damage:
                    raise SetupError(
                        f"The kill switch in {self.folder} cannot say what happened: {found.reason}. Look at the "
                        "account and its open orders, then reset it with acknowledge_damage=True "
                        "(--acknowledge-damage)."
                    )
                if found.tripped:
                    self._rearm(at, by, reason, "" if found.readable else found.reason)
        except OSError as err:
            raise SetupError(
                f"The kill switch in {self.folder} cannot be reset: {err.strerror or err}. Free some space or permit "
                "writing there. It is still tripped."
            ) from err
        self._latch = None
        return self.status()

    def confirm(self, kind: str, by: str, reason: str, *, at: int | None = None) -> None:
        """Record that the venue has confirmed something since the trip, once: "canceled" or "flat".

        Where it is not tripped, or the disk does not take the record, nothing is done: the halt itself is not in it.
        """
        with contextlib.suppress(OSError), disk.held(self.folder, _BRIEFLY):
            reading = self._reading()
            known = {record.kind for record in reading.since_armed}
            if not reading.fault and "tripped" in known and kind not in known:
                now = time.time_ns() if at is None else at
                disk.append(self._log, reading.following(kind, now, by, reason).line)

    def history(self) -> Sequence[Record]:
        """Everything that is recorded, oldest first; up to the damage where there is some."""
        return self._reading().records

    # Looking

    def _there(self) -> bool:
        """Whether there is a switch, or was one."""
        return any(os.path.lexists(path) for path in (*self._paths, self._witness))

    def _stamp(self) -> _Stamp | None:
        """What changes when one of the files does; None where one is missing."""
        try:
            log, armed = map(os.stat, self._paths)
        except OSError:
            return None
        return (log.st_ctime_ns, log.st_size, log.st_ino, armed.st_ctime_ns, armed.st_size, armed.st_ino)

    def _reading(self) -> Reading:
        try:
            found = read(self._log.read_bytes())
        except OSError as err:
            return Reading(fault=f"{LOG} cannot be read ({err.strerror}){self._trouble}")
        return replace(found, fault=f"{LOG} is damaged: {found.fault}") if found.fault else found

    def _seen(self) -> tuple[Status, Reading]:
        """What the files say."""
        reading = self._reading()
        trips, arming, fault = reading.trips, reading.arming, reading.fault
        if not fault and arming is not None:
            fault = self._misfit(arming, tripped=bool(trips))
        if trips:
            first, flatten = trips[0], any(trip.flatten for trip in trips)
            reason = f"{first.reason} ({fault})" if fault else first.reason
            return Status(
                tripped=True, since=first.at, by=first.by, reason=reason, flatten=flatten, readable=not fault
            ), reading
        if fault or arming is None:
            return Status(tripped=True, reason=fault, readable=False), reading
        return Status(tripped=False, since=arming.at, by=arming.by, reason=arming.reason), reading

    def _misfit(self, arming: Record, *, tripped: bool) -> str:
        """Why `ARMED` does not fit the log, whose last story begins with this record; empty if it does."""
        try:
            armed = self._armed.read_bytes()
        except FileNotFoundError:
            return "" if tripped else f"it was tripped without a record (a full disk?), or {ARMED} was removed"
        except OSError as err:
            return f"{ARMED} cannot be read ({err.strerror})"
        return "" if armed == _seal(arming) else f"{ARMED} does not fit {LOG}: one of them was changed or put back"

    # Remembering

    def _remember(self, status: Status) -> None:
        """Latch a trip in this object, or add `flatten` to one that is."""
        latch = self._latch
        self._latch = status if latch is None else replace(latch, flatten=latch.flatten or status.flatten)
        arming = self._reading().arming
        self._story = "" if arming is None else arming.checksum

    def _remembered(self, found: Status, reading: Reading) -> Status:
        """What the files say, and what this object knows beside that; it forgets once somebody has armed it anew."""
        latch = self._latch
        if latch is not None and reading.arming is not None and reading.arming.checksum != self._story:
            self._latch = latch = None
        if latch is None:
            return found
        if found.since is not None and found.tripped:
            return replace(found, flatten=found.flatten or latch.flatten)
        why = found.reason if found.tripped else "the disk could not be told"
        return replace(latch, reason=f"{latch.reason} ({why})")

    # Writing

    def _make(self) -> None:
        """Make the switch, unless somebody else has done so meanwhile."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with disk.held(self.folder, _PATIENTLY):
                if not self._there():
                    self._begin([Reading().following("made", time.time_ns(), "KillSwitch", "first use")])
        except OSError as err:  # then it is not there, or not whole, which means that it is tripped
            self._trouble = f", and it could not be made ({err.strerror})"

    def _begin(self, records: Sequence[Record]) -> None:
        """Write the log anew and arm the switch by its last record."""
        with contextlib.suppress(PermissionError):  # who may not write there cannot delete the folder either
            self._witness.write_text(_MADE.format(name=self.folder.name), encoding="utf-8")
            disk.flush(self.folder.parent)
        disk.replace(self._log, b"".join(record.line for record in records))
        disk.replace(self._armed, _seal(records[-1]))

    def _rearm(self, at: int, by: str, reason: str, damage: str) -> None:
        if damage:
            reason = f"{reason} (damage acknowledged: {damage})"
        reading = self._reading()
        if reading.fault:
            if os.path.lexists(self._log):
                self._log.replace(self._log.with_name(f"{LOG}.damaged-{at}"))
            made = Reading().following("made", at, by, "made anew after damage")
            self._begin([made, Reading([made]).following("reset", at, by, reason)])
            return
        record = reading.following("reset", at, by, reason)
        disk.append(self._log, record.line)
        disk.replace(self._armed, _seal(record))

    def _disarm(self) -> None:
        """Remove the file without which the switch is tripped."""
        with contextlib.suppress(OSError):
            self._armed.unlink()
            disk.flush(self.folder)


def _seal(record: Record) -> bytes:
    """What `ARMED` has while this record is the one that armed the switch last."""
    return f"{record.number} {record.checksum}\n".encode("ascii")
