"""In which of five conditions an engine is, told from its status alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from qtw_lab.live.status import Status

State = Literal["running", "reconnecting", "starting", "stale", "stopped", "never"]

#: How old the status of a running engine may be, seconds; as `read_status` has it.
LIMIT: Final = 5.0

#: Seconds that a start may take: on a new machine its code is compiled first.
_PATIENCE: Final = 180.0

#: The link's word for a link that brings what was asked for.
_LIVE: Final = "subscribed"


@dataclass(frozen=True, slots=True)
class Condition:
    """How an engine is, for people.

    Parameters
    ----------
    state : str
        "running"; "reconnecting": it runs, and its link brings nothing now; "starting": it has the lease and has not
        said anything yet; "stale": its last word is older than it may be; "stopped"; "never": none has run here.
    cause : str
        Of "stale" either "hung" (its process lives) or "dead" (it does not); of "reconnecting" the link's own word.
    reason : str
        In the words of the link or of the one that stopped; may be empty.
    age : float or None
        Seconds since its last word; None if there is none.
    pid : int or None
        Its process, where there is one; 0 if it has not said which yet.
    """

    state: State
    cause: str = ""
    reason: str = ""
    age: float | None = None
    pid: int | None = None

    @property
    def alive(self) -> bool:
        """Whether there is a process that can be asked to stop."""
        return self.pid is not None

    @property
    def mood(self) -> Literal["", "good", "bad", "warn", "busy"]:
        """How it is to be taken."""
        moods: Mapping[str, Literal["", "good", "bad", "warn", "busy"]] = {
            "running": "good", "reconnecting": "warn", "starting": "busy", "stale": "bad",
        }  # fmt: skip
        return moods.get(self.state, "")


def condition_of(status: Status, now: float, ended: str = "") -> Condition:
    """The condition that a status tells of.

    Parameters
    ----------
    status : Status
        As `qtw_lab.live.status.read_status` gives it; it knows how old a status may be.
    now : float
        The present time, seconds since 1970.
    ended : str
        Why the last run ended, if the journal says so.

    Examples
    --------
    >>> condition_of(Status("stopped", None, None, {}), 0.0).state
    'never'
    >>> condition_of(Status("dead", 2.0, None, {}), 0.0).cause
    'dead'
    """
    if status.holder is None:
        if status.state == "dead":
            return Condition("stale", "dead", age=status.age)
        return Condition("never") if status.age is None else Condition("stopped", reason=ended, age=status.age)
    pid = status.holder.pid
    since = now - status.holder.since / 1e9
    if since < _PATIENCE and (status.age is None or status.age > since):  # the status is that of the one before it
        return Condition("starting", age=since, pid=pid)
    if status.state == "hung":
        return Condition("stale", "hung", "", status.age, pid)
    link: Mapping[str, Any] = status.content.get("link") or {}
    state = str(link.get("state", ""))
    if state != _LIVE:
        return Condition("reconnecting", state or "connecting", str(link.get("reason") or ""), status.age, pid)
    return Condition("running", age=status.age, pid=pid)
