"""How far a piece of work at the workbench is, and how it is ended early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtw_lab.core import RunError


@dataclass(frozen=True, slots=True)
class Step:
    """What is under way.

    Parameters
    ----------
    name : str
        prices, backtest, intervals, sweep, check or verdict.
    done, total : int
        How much of it; a total of 0 where that cannot be said.
    """

    name: str
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1; None where that cannot be said.

        Examples
        --------
        >>> Step("sweep", 5, 20).share, Step("verdict").share
        (0.25, None)
        """
        return self.done / self.total if self.total else None


#: Is told what is under way, from the thread that does it.
Progress = Callable[[Step], None]
#: Says whether to end early.
Cancel = Callable[[], bool]


class StoppedError(RunError):
    """Somebody ended the work before there was anything to show."""


def silent(step: Step) -> None:
    """Tell nobody."""


def never() -> bool:
    """Go on to the end."""
    return False
