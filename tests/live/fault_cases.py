"""What can go wrong between an engine and a venue, and what is asked of the engine then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qtw_lab.venues.simulator.scenario import MALFORMED

#: Seconds: twice the cadence expected of trades in a busy market, and the time that telling takes.
MUTE = 2.5


@dataclass(frozen=True)
class Case:
    """Something that goes wrong on a stream that works.

    Parameters
    ----------
    name : str
        What.
    faults : tuple of mapping
        As entries of a scenario.
    lasting : float
        Seconds until all of it is over.
    detected, recovered : float
        Seconds within which the first word of it must be in the journal, and all must be well after its end.
    gap : bool or None
        Whether the engine must find a gap, must find none, or may do either.
    silent : bool
        Whether nothing need be said: nothing is lost and bars only wait.
    """

    name: str
    faults: tuple[dict[str, Any], ...]
    lasting: float
    detected: float
    recovered: float
    gap: bool | None = True
    silent: bool = False

    def shorter(self, factor: float) -> Case:
        """The same, but for so much of its time."""
        faults = tuple(fault | ({"for": fault["for"] * factor} if "for" in fault else {}) for fault in self.faults)
        return replace(self, faults=faults, lasting=self.lasting * factor)


DROP = {"kind": "drop"}

LINKS = (
    Case("connection reset", (DROP,), 0.0, 0.5, 5.0),
    Case("clean close", ({"kind": "close", "code": 1012},), 0.0, 0.5, 5.0),
    Case("half-open: nothing comes, no close", ({"kind": "mute", "for": 4.0},), 4.0, MUTE, 8.0),
    Case("signs in, then silence", ({"kind": "silent_accept", "for": 3.0}, DROP), 3.0, 0.5, 10.0),
    Case("restart of the server, 3 s", ({"kind": "restart", "for": 3.0},), 3.0, 0.5, 8.0),
    Case(
        "slow drip: 2,000 bytes a second for 3 s",
        ({"kind": "drip", "bytes_per_second": 2000, "for": 3.0},),
        3.0,
        4.0,
        8.0,
        gap=None,
        silent=True,
    ),
    Case("406: the only place is taken, 3 s", ({"kind": "auth", "code": 406, "for": 3.0}, DROP), 3.0, 0.5, 10.0),
    Case("error 500 on the stream", ({"kind": "error", "code": 500},), 0.0, 0.5, 5.0, gap=False),
)

EVENTS = (
    Case(
        "malformed frames of seven kinds",
        tuple({"kind": "malformed", "what": what, "times": 3} for what in MALFORMED),
        0.5,
        0.0,
        5.0,
        gap=False,
        silent=True,
    ),
    Case(
        "half of the events twice",
        ({"kind": "duplicate", "share": 0.5, "for": 3.0},),
        3.0,
        0.0,
        5.0,
        gap=False,
        silent=True,
    ),
    Case(
        "one event in twenty 8 s late",
        ({"kind": "late", "share": 0.05, "seconds": 8.0, "for": 3.0},),
        3.0,
        0.0,
        10.0,
        gap=False,
        silent=True,
    ),
    Case(
        "events out of order by up to 1 s",
        ({"kind": "reorder", "seconds": 1.0, "for": 3.0},),
        3.0,
        0.0,
        5.0,
        gap=False,
        silent=True,
    ),
    Case(
        "events that claim to be 30 s ahead, 1 s",
        ({"kind": "skew", "seconds": 30.0, "for": 1.0},),
        1.0,
        0.0,
        10.0,
        gap=False,
        silent=True,
    ),
)

QUESTIONS = (
    Case(
        "429 to every question about a gap for 3 s",
        ({"kind": "rest_429", "match": "/trades", "retry_after": 1, "for": 3.0}, DROP),
        3.0,
        0.5,
        10.0,
    ),
    Case(
        "503 to every question about a gap for 3 s",
        ({"kind": "rest_5xx", "match": "/trades", "for": 3.0}, DROP),
        3.0,
        0.5,
        10.0,
    ),
    Case(
        "answers about a gap that end in the middle",
        ({"kind": "partial_page", "match": "/trades", "times": 2}, DROP),
        0.0,
        0.5,
        10.0,
    ),
    Case(
        "answers about a gap that are no JSON",
        ({"kind": "partial_page", "match": "/trades", "times": 2, "what": "broken"}, DROP),
        0.0,
        0.5,
        10.0,
    ),
    Case(
        "no answer about a gap for 3 s", ({"kind": "rest_hang", "match": "/trades", "for": 3.0}, DROP), 3.0, 0.5, 12.0
    ),
)

CASES = (*LINKS, *EVENTS, *QUESTIONS)
