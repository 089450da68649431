"""The faults of a scenario as time goes by: which begin now, which are on, and what they do to a row of events."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.simulator.clock import MarketClock
from qtw_lab.venues.simulator.link import BINARY, TEXT
from qtw_lab.venues.simulator.scenario import KINDS, Fault, Scenario, begins
from qtw_lab.venues.ticks import TICK, Rows
from qtw_lab.venues.wire.messages import pack

#: Kinds that change the events of the data stream.
_DISTORTING: Final = ("duplicate", "late", "reorder", "skew")


@dataclass
class _Running:
    fault: Fault
    until: float | None
    left: int | None


@dataclass
class Faults:
    """What is wrong at the moment.

    Parameters
    ----------
    scenario : Scenario
        What will be.
    clock : MarketClock
        The market's time, for faults that begin by it.
    wall : callable
        Seconds of a clock that only goes forward.

    Examples
    --------
    >>> seconds = iter([0.0, 1.0, 4.0]).__next__
    >>> scenario = Scenario.of([{"kind": "mute", "at": 0.5, "for": 3}])
    >>> faults = Faults(scenario, MarketClock(0), wall=seconds)
    >>> [fault.kind for fault in faults.turn()[0]], faults.on("mute", "data") is not None
    (['mute'], True)
    >>> [fault.kind for fault in faults.turn()[1]], faults.on("mute", "data")
    (['mute'], None)
    """

    scenario: Scenario
    clock: MarketClock
    wall: Callable[[], float] = time.monotonic
    begun: int = 0
    _waiting: list[tuple[float | int, bool, Fault]] = field(default_factory=list)
    _running: list[_Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._start = self.wall()
        for fault in self.scenario.faults:
            self._await(fault, self._start)

    def add(self, fault: Fault) -> None:
        """Add a fault; seconds in its `at` count from now."""
        self._await(fault, self.wall())

    def clear(self) -> None:
        """End every fault and forget those that were to come."""
        self._waiting.clear()
        for running in self._running:
            running.until = -1.0

    def turn(self) -> tuple[list[Fault], list[Fault]]:
        """What begins and what ends now. Faults that last are on between the two."""
        now, market = self.wall(), self.clock.nanoseconds
        due = [entry for entry in self._waiting if (market if entry[1] else now) >= entry[0]]
        for entry in due:
            self._waiting.remove(entry)
        begun = [fault for _, _, fault in due]
        self.begun += len(begun)
        for fault in begun:
            if KINDS[fault.kind].lasts:
                until = None if fault.seconds is None else now + fault.seconds
                self._running.append(_Running(fault, until, fault.arguments.get("times")))
        over = [one for one in self._running if (one.until is not None and now >= one.until) or one.left == 0]
        self._running = [one for one in self._running if one not in over]
        return begun, [one.fault for one in over]

    def on(self, kind: str, links: str | None = None) -> Fault | None:
        """The fault of that kind that is on (the latest, of several), for that sort of links."""
        for running in reversed(self._running):
            fault = running.fault
            if fault.kind == kind and (links is None or fault["on"] in (links, "all")):
                return fault
        return None

    def take(self, kind: str, asked: str) -> Fault | None:
        """The fault of that kind that a request meets; one of its `times` is then used up."""
        for running in self._running:
            fault = running.fault
            if fault.kind != kind or running.left == 0 or re.search(fault["match"], asked) is None:
                continue
            if running.left is not None:
                running.left -= 1
            return fault
        return None

    def running(self, kind: str) -> list[Fault]:
        """Every fault of that kind that is on."""
        return [running.fault for running in self._running if running.fault.kind == kind]

    @property
    def distorting(self) -> bool:
        """Whether events are changed at the moment."""
        return any(running.fault.kind in _DISTORTING for running in self._running)

    def plain(self) -> dict[str, Any]:
        """What is on and what is to come, as entries of a scenario file."""
        return {
            "active": [running.fault.plain() for running in self._running],
            "waiting": [fault.plain() for _, _, fault in self._waiting],
            "begun": self.begun,
        }

    def _await(self, fault: Fault, start: float) -> None:
        if isinstance(fault.at, str):
            self._waiting.append((begins(fault.at, self.clock.start), True, fault))
        else:
            self._waiting.append((start + fault.at, False, fault))


class Distortion:
    """Events as the faults make them: twice, late, out of order, or with wrong times.

    Parameters
    ----------
    faults : Faults
        What is on.
    seed : int
        Of the choices.
    """

    def __init__(self, faults: Faults, seed: int = 0) -> None:
        self._faults = faults
        self._chance = np.random.default_rng(seed)
        self._held = np.empty(0, dtype=TICK)
        self._due = np.empty(0, dtype=np.int64)

    @property
    def idle(self) -> bool:
        """Whether events pass unchanged and none is held back."""
        return not self._faults.distorting and not len(self._held)

    def apply(self, rows: Rows, arrivals: npt.NDArray[np.int64], now: int) -> Rows:
        """The events to send now, of those that arrive and those that were held back.

        Parameters
        ----------
        rows : TICK rows
            In order of arrival.
        arrivals : int64 array (N,)
            The instant of each, in nanoseconds.
        now : int
            Market time.
        """
        due = arrivals.copy()
        late, reorder = self._faults.on("late"), self._faults.on("reorder")
        if late is not None:
            chosen = self._chance.random(len(rows)) < late["share"]
            due[chosen] += int(late["seconds"] * 1e9)
        if reorder is not None:
            due += (self._chance.random(len(rows)) * reorder["seconds"] * 1e9).astype(np.int64)
        rows = self._skewed(rows)
        double = self._faults.on("duplicate")
        if double is not None:
            again = self._chance.random(len(rows)) < double["share"]
            rows, due = np.concatenate([rows, rows[again]]), np.concatenate([due, due[again]])
        rows, due = np.concatenate([self._held, rows]), np.concatenate([self._due, due])
        ready = due <= now
        self._held, self._due = rows[~ready], due[~ready]
        order = np.argsort(due[ready], kind="stable")
        return rows[ready][order]

    def _skewed(self, rows: Rows) -> Rows:
        skew = self._faults.on("skew")
        if skew is None:
            return rows
        rows = rows.copy()
        rows["time"] = np.maximum(rows["time"] + int(skew["seconds"] * 1e9), 0)  # the wire knows no time before 1970
        return rows


def malformed(what: str, *, binary: bool) -> tuple[int, bytes]:
    """A frame that cannot be read, or not whole: its opcode and content.

    Parameters
    ----------
    what : str
        One of `scenario.MALFORMED`. "partly" is an array whose middle message is wrong and whose others are good.
    binary : bool
        Whether the client speaks MessagePack.

    Examples
    --------
    >>> malformed("number", binary=True)
    (2, b'*')
    """
    good = {"T": "t", "S": "BAD", "i": 1, "x": "V", "p": 1.0, "s": 1, "c": ["@"], "t": "2024-01-02T14:30:00Z", "z": "A"}
    wrong: dict[str, Any] = {"T": "t", "S": ["no", "symbol"], "p": "ten", "s": None, "t": {}}
    content: dict[str, Any] = {"types": [wrong], "partly": [good, wrong, good], "number": 42, "truncated": [good, good]}
    if what == "garbage":
        return BINARY, bytes(range(193, 256)) * 3
    if what == "empty":
        return BINARY, b""
    if what == "text":
        return (TEXT, b"this is no message") if binary else (BINARY, b"\x00\x01\x02")
    whole = pack(content[what]) if binary else json.dumps(content[what]).encode()
    return (BINARY if binary else TEXT), whole[: len(whole) * 2 // 3] if what == "truncated" else whole
