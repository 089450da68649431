"""Where attempts are executed: a pool has places, and gives an eye on each attempt it was handed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from qtw_lab.core.errors import SetupError
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.settling import Records
from qtw_lab.runs.schedule.watching import SILENCE, Watch


class Eye(Protocol):
    """Whatever watches over one attempt."""

    one: Occurrence

    def look(self) -> bool:
        """Whether it is over; what has to be done about it is done."""
        ...


class Pool(Protocol):
    """Whatever executes attempts."""

    def places(self) -> int:
        """How many at once."""
        ...

    def start(self, one: Occurrence) -> Eye:
        """Have an attempt executed."""
        ...


class LocalPool:
    """Processes of this machine, each in a session and process group of its own.

    They outlive the one that started them: an attempt ends itself, and another scheduler can watch over it.

    Parameters
    ----------
    records : Records
        Where everything is kept.
    size : int
        How many attempts at once.
    command : callable
        The words that start the process of an attempt, which then calls `qtw_lab.runs.schedule.working.work`.
    environment : mapping of str to str
        Its variables.
    logs : pathlib.Path
        Folder for what it writes: a file for each entry, begun anew by each attempt.
    silence : pandas.Timedelta
        Longest time without a sign of life.
    """

    def __init__(
        self,
        records: Records,
        size: int,
        command: Callable[[Occurrence], Sequence[str]],
        environment: Mapping[str, str],
        logs: Path,
        silence: pd.Timedelta = SILENCE,
    ) -> None:
        self._records, self._size, self._command = records, size, command
        self._environment, self._logs, self._silence = dict(environment), logs, silence

    def places(self) -> int:
        """How many attempts at once."""
        return self._size

    def start(self, one: Occurrence) -> Watch:
        """Start the process of an attempt.

        Raises
        ------
        SetupError
            If it cannot be started.
        """
        path = self._logs / f"{one.entry}.log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as log:  # a file, not a pipe: it must be able to write when we are gone
                child = subprocess.Popen(  # noqa: S603  (our own program)
                    list(self._command(one)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env=self._environment, start_new_session=True,
                )  # fmt: skip
        except OSError as err:
            raise SetupError(f"The process of {one.name} cannot be started: {err}. Free some memory or space.") from err
        return Watch(self._records, one, child, path, self._silence)
