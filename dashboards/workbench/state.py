"""What the workbench holds while somebody works at it: the draft of a setup, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from qtw_lab.core import LabError
from qtw_lab.lab import workbench as bench

#: Cards of a setup that can be at fault, and the parts of the draft that stand in each.
CARDS: Final = ("data", "strategy", "terms")


@dataclass
class State:
    """The draft of a setup in plain values, what is wrong with it, and what was made of the last one that was right.

    Parameters
    ----------
    own : mapping of str to class
        Strategies beside the bundled ones.
    draft : dict
        As `Setup.written`; widgets write into it.
    """

    own: Mapping[str, Any]
    draft: dict[str, Any]
    setup: bench.Setup | None = None
    problems: dict[str, str] = field(default_factory=dict)
    outcome: bench.Outcome | None = None
    swept: bench.Swept | None = None
    report: Any = None
    judged: str = ""
    symbol: str = ""
    metric: str = bench.METRICS[0]
    swept_symbol: str = ""
    axes: dict[str, list[list[Any]]] = field(default_factory=dict)
    chosen: dict[str, Any] | None = None
    session: dict[str, Any] = field(default_factory=lambda: {"name": "", "allocation": 0.5, "interval": "1D"})
    sent: str = ""
    step: bench.Step | None = None
    canceled: bool = False

    @classmethod
    def of(cls, setup: bench.Setup, own: Mapping[str, Any]) -> State:
        """The state of a workbench at which a setup was just laid out."""
        made = cls(own, setup.written())
        made.check()
        return made

    def take(self, setup: bench.Setup) -> None:
        """Lay out a setup in place of the draft."""
        self.draft = setup.written()
        self.check()

    def put(self, part: str, name: str, value: Any) -> None:
        """Change one value of a part of the draft."""
        part_of = {**self.draft[part], name: value}
        self.draft = {**self.draft, part: part_of}
        self.check()

    def say(self, name: str, value: Any) -> None:
        """Change a part of the draft as a whole."""
        self.draft = {**self.draft, name: deepcopy(value)}
        self.check()

    def check(self) -> None:
        """Find out whether the draft is a setup, and by card what is wrong with it."""
        self.problems, self.setup = {}, None
        tries = {
            "data": lambda: bench.Prices.read(self.draft["data"]),
            "strategy": lambda: bench.strategy_of(self.draft["strategy"], self.draft["parameters"], self.own),
        }
        for card, made in tries.items():
            try:
                made()
            except LabError as err:
                self.problems[card] = str(err)
        if not self.problems:
            try:
                self.setup = bench.Setup.read(self.draft, self.own)
            except LabError as err:
                self.problems["terms"] = str(err)

    @property
    def stale(self) -> bool:
        """Whether the draft is no longer what the shown result was made of."""
        return self.outcome is not None and self.setup != self.outcome.setup
