"""What everything that keeps a log has in common: when its records are in the file, and how it ends."""

from __future__ import annotations

from qtw_lab.core import SetupError
from qtw_lab.live.log import Closable, LogWriter


class Logged(Closable):
    """Something whose entries are records of one log.

    Parameters
    ----------
    log : LogWriter
        Open; it is closed with this.
    """

    def __init__(self, log: LogWriter) -> None:
        self._log = log

    @property
    def fault(self) -> SetupError | None:
        """Why the last write failed; None if it did not."""
        return self._log.fault

    def flush(self) -> None:
        """Make all entries visible to readers.

        Raises
        ------
        SetupError
            If they cannot be written now; they are kept for the next time.
        """
        self._log.flush()

    def sync(self) -> None:
        """Flush and wait until the disk has it.

        Raises
        ------
        SetupError
            As `flush`.
        """
        self._log.sync()

    def close(self) -> None:
        """Write what is left and end.

        Raises
        ------
        SetupError
            If something could not be written.
        """
        self._log.close()
