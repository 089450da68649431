"""One question put to a result, and its answer: the unit of which a verdict is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.result import Result
from qtw_lab.backtest.sweep import Sweep
from qtw_lab.core import Fact, lookup

FloatArray = npt.NDArray[np.float64]


Verdict = Literal["supported", "fragile", "not distinguishable from luck"]

#: What each verdict means, for people.
VERDICTS: Final[dict[Verdict, str]] = {
    "supported": "no test of luck explains it, and it survived everything it was put through",
    "fragile": "no test of luck explains it, but a small change for the worse takes much of it away",
    "not distinguishable from luck": "as much can come of searching in noise, or of holding the market",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Check:
    """The answer to one question.

    Parameters
    ----------
    name : str
        Machine name ("cost_stress").
    title : str
        The question in a few words.
    passed : bool or None
        Whether the answer speaks for the result; None if the question cannot be put to it.
    reason : str
        The answer in one sentence with its figures, or why there is none.
    facts : tuple of Fact
        The figures behind it, each with its definition.
    table : pandas.DataFrame, optional
        What the figures were taken from.
    note : str
        How to read the table.
    """

    name: str
    title: str
    passed: bool | None
    reason: str
    facts: tuple[Fact, ...] = ()
    table: pd.DataFrame | None = field(default=None, repr=False)
    note: str = ""

    @property
    def word(self) -> str:
        """The answer in one word."""
        return {True: "yes", False: "no", None: "not asked"}[self.passed]


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """What is judged, and what all questions need to know of it.

    Parameters
    ----------
    result : Result
        The configuration that is judged.
    sweep : Sweep or None
        What it was chosen from.
    row : hashable or None
        Its place in the table of the sweep.
    returns : pandas.DataFrame
        Simple returns (T, K) of the configurations compared, the judged one first; all vary but perhaps the first.
    compared : int
        How many of the sweep's rows were drawn for that; all, if there are few enough.
    level : float
        How often a worthless strategy may pass a test of luck.
    reps, seed : int
        Number of resamples, and what their random numbers start from.
    """

    result: Result
    sweep: Sweep | None = None
    row: Any = None
    returns: pd.DataFrame = field(repr=False)
    compared: int = 1
    level: float = 0.05
    reps: int = 1000
    seed: int = 0

    @property
    def own(self) -> FloatArray:
        """Returns (T,) of the configuration judged."""
        return self.returns.iloc[:, 0].to_numpy()

    @property
    def moves(self) -> bool:
        """Whether the configuration judged ever had a return."""
        return bool(np.ptp(self.own) > 0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Judgement:
    """The answers to all questions, and the verdict they add up to.

    Parameters
    ----------
    evidence : Evidence
        What was judged.
    gates : tuple of Check
        The questions whose failure means luck, in order.
    stresses : tuple of Check
        The questions whose failure means fragility, in order.
    lead : tuple of Fact
        What every report states first.
    """

    evidence: Evidence = field(repr=False)
    gates: tuple[Check, ...] = field(repr=False)
    stresses: tuple[Check, ...] = field(repr=False)
    lead: tuple[Fact, ...] = field(repr=False)

    @property
    def result(self) -> Result:
        """The configuration that was judged."""
        return self.evidence.result

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every question, those of luck first."""
        return (*self.gates, *self.stresses)

    @property
    def answers(self) -> pd.DataFrame:
        """Every question with its answer and the reason, a row each."""
        rows = [(check.title, check.word, check.reason) for check in self.checks]
        return pd.DataFrame(rows, columns=["question", "answer", "why"], index=[check.name for check in self.checks])

    def check(self, name: str) -> Check:
        """The answer to one question.

        Raises
        ------
        DataError
            If there is no such question.
        """
        return lookup(name, {check.name: check for check in self.checks}, "question")

    @property
    def verdict(self) -> Verdict:
        """One of `VERDICTS`."""
        if any(check.passed is False for check in self.gates):
            return "not distinguishable from luck"
        return "fragile" if any(check.passed is False for check in self.stresses) else "supported"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, the weightiest first: what speaks against it; if nothing does, what speaks for it."""
        against = tuple(check.reason for check in self.checks if check.passed is False)
        return against or tuple(check.reason for check in self.checks if check.passed)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before believing the verdict."""
        rate = (
            f"the tests of luck are made at a level of {self.evidence.level:.0%}, and all must be passed; what that "
            "lets through of worthless strategies was measured (docs/worlds.md)"
        )
        drawn = ""
        if self.evidence.sweep is not None and self.evidence.compared < self.evidence.sweep.trials:
            drawn = (
                f"{self.evidence.compared:,} of {self.evidence.sweep.trials:,} rows were compared, drawn by chance "
                f"(seed {self.evidence.seed}) but for the one judged"
            )
        return tuple(note for note in (rate, drawn, *self.result.notes) if note)


#: Asks one question.
Question = Callable[[Evidence], Check]
