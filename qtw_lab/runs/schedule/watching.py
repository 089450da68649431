"""Watching over an attempt in another process: how long it takes, how much it holds, whether it still lives."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Final

import pandas as pd

from qtw_lab.core.errors import LabError
from qtw_lab.core.files import write_text
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.schedule.entries import Entry
from qtw_lab.runs.schedule.measures import shown_length
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.settling import Records, bury
from qtw_lab.runs.schedule.trees import kill, lives, resident

#: Longest time without a sign of life.
SILENCE: Final = pd.Timedelta(seconds=60)
#: What one look may add to a count of time: while the machine slept, nothing ran.
_LONGEST_STEP: Final = pd.Timedelta(seconds=5)
#: How long a process may take to end once its attempt has.
_FAREWELL: Final = pd.Timedelta(seconds=20)
_LONGEST_WORD: Final = 300


class Watch:
    """An eye on one attempt that another process executes.

    Parameters
    ----------
    records : Records
        Where everything is kept.
    one : Occurrence
        The attempt.
    child : subprocess.Popen, optional
        Its process, if this process started it.
    log : pathlib.Path, optional
        What that process wrote.
    silence : pandas.Timedelta
        Longest time without a sign of life.
    """

    def __init__(
        self,
        records: Records,
        one: Occurrence,
        child: subprocess.Popen[bytes] | None = None,
        log: Path | None = None,
        silence: pd.Timedelta = SILENCE,
    ) -> None:
        self.one = one
        self._records, self._child, self._log = records, child, log
        self._silence = silence
        self._looked = records.clock.now()
        began = one.started or self._looked
        self._spent = max(self._looked - began, pd.Timedelta(0))
        self._silent = pd.Timedelta(0)
        self._parting = pd.Timedelta(0)
        self._entry = _entry(records, one)

    def look(self) -> bool:
        """Whether it is over; what has to be done about it is done."""
        over = self._looked_at()
        if over:
            self._mask_log()
        return over

    def _looked_at(self) -> bool:
        now = self._records.clock.now()
        step = min(max(now - self._looked, pd.Timedelta(0)), _LONGEST_STEP)
        self._looked = now
        before, self.one = self.one, self._records.agenda.get(self.one.id)
        if self.one.attempts != before.attempts or self.one.state != "running":
            self.one = before
            return self._parted(step)
        if self._gone():
            bury(self._records, self.one, self._last_words())
            return True
        self._spent += step
        self._silent = self._silent + step if self.one.beat == before.beat else pd.Timedelta(0)
        if reason := self._intolerable():
            self._kill()
            bury(self._records, self.one, f"killed by the watchdog: {reason}")
            return True
        return False

    def end(self) -> None:
        """Kill the attempt without a word to anybody."""
        self._kill()

    def _gone(self) -> bool:
        if self._child is not None:
            return self._child.poll() is not None
        return not lives(self.one.owner)

    def _parted(self, step: pd.Timedelta) -> bool:
        """Whether the process of an attempt that has ended is gone too; one that lingers is killed."""
        alive = self._child.poll() is None if self._child is not None else lives(self.one.owner)
        self._parting += step
        if alive and self._parting < _FAREWELL:
            return False
        self._kill()
        return True

    def _intolerable(self) -> str | None:
        if self._silent > self._silence:
            return f"it gave no sign of life for {shown_length(self._silent)}"
        if self._entry is None:
            return None
        if self._spent > self._entry.timeout:
            return f"it took longer than {shown_length(self._entry.timeout)}"
        if self._entry.memory is not None:
            held = resident(self._processes())
            if held > self._entry.memory:
                return f"it held {held / 1e6:,.0f} MB of memory, more than {self._entry.memory / 1e6:,.0f} MB"
        return None

    def _processes(self) -> list[Process]:
        known = [self.one.owner if self.one.owner != self.one.watcher else None, self.one.kernel]
        if self._child is not None and self._child.poll() is None:
            known.append(Process(platform.node(), self._child.pid, start_of(self._child.pid) or ""))
        return [process for process in known if process is not None]

    def _kill(self) -> None:
        kill(self._processes())
        if self._child is not None:
            self._child.wait(timeout=10)

    def _mask_log(self) -> None:
        """Keep secrets out of what the process wrote past its notebook."""
        if self._log is not None and self._log.is_file():
            text = self._log.read_text("utf-8", errors="replace")
            masked = self._records.redactor(self.one).text(text)
            if masked != text:
                write_text(self._log, masked)

    def _last_words(self) -> str:
        """Why a process may have ended without a word: the last line that it wrote."""
        reason = "its process ended without a word"
        if self._log is not None and self._log.is_file():
            lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
            reason += f" (its last: {lines[-1][-_LONGEST_WORD:]})" if lines else ""
        return reason


def _entry(records: Records, one: Occurrence) -> Entry | None:
    try:
        return records.entry(one)
    except LabError:
        return None  # without its limits it is watched for its life alone
