"""The error family: one root, split by what the reader of the message can do about it."""

from __future__ import annotations


class LabError(Exception):
    """Root of every error this package raises on purpose.

    The message is one paragraph: what was wrong, what was given, and what would work.
    `exit_code` is what the command line returns for it: 2 for wrong input, 1 for failed work.
    """

    exit_code = 1


class DataError(LabError, ValueError):
    """The input is at fault (a table, a name, a parameter, a date): look at it and call again."""

    exit_code = 2


class SetupError(LabError):
    """Something is not installed, not configured or not writable; the message names the mend."""


class VenueError(LabError):
    """An outside venue did not answer as it should: trying again later may work."""


class RunError(LabError):
    """A notebook run or another long job failed; its log says where."""
