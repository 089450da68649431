"""What the engine concludes from what came in, to be carried out and written down by whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.live.answers import Question
from qtw_lab.live.focus import Change
from qtw_lab.venues.ticks import Rows


class Stances(NamedTuple):
    """What the strategy decided on one bar.

    Parameters
    ----------
    level : int
        Length of the bar in seconds.
    time : int
        Its start, nanoseconds since 1970, UTC.
    numbers : int64 array (N,)
        Symbols by number.
    decisions : float64 array (N,)
        What a backtest over the same bars would decide; NaN for "keep".
    stances : float64 array (N,)
        What holds after the gates.
    """

    level: int
    time: int
    numbers: npt.NDArray[np.int64]
    decisions: npt.NDArray[np.float64]
    stances: npt.NDArray[np.float64]


#: Kinds of `Event`.
EVENTS: Final = ("focus", "universe", "gap", "link", "warning")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for the journal and for people.

    Parameters
    ----------
    kind : {"focus", "universe", "gap", "link", "warning"}
        What it is about.
    content : mapping
        What happened, as JSON can hold it.
    change : Change, optional
        Of the focus.
    """

    kind: str
    content: Mapping[str, Any]
    change: Change | None = None


@dataclass(slots=True)
class Outcome:
    """Everything concluded since the last outcome, in order.

    Parameters
    ----------
    steps : list of ROW arrays, `Stances`, SIGNAL arrays and `Event`
        Closed or changed bars, decisions, signals and events in the order in which they came about.
    questions : list of Question
        To be asked.
    wanted : dict of str to sequence of str, optional
        The subscription there is to be, if it changed: symbols by channel.
    reconnect : str, optional
        Why the connection should be made anew.
    fatal : str, optional
        Why the engine cannot go on.
    """

    steps: list[Rows | Stances | Event] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    wanted: dict[str, Sequence[str]] | None = None
    reconnect: str | None = None
    fatal: str | None = None
