"""A figure and its bounds, and what all measures share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import worlds as w

from qtw_lab.backtest.sweep import Sweep
from qtw_lab.ledger import Costs
from qtw_lab.research import luck
from qtw_lab.research.checks import Check, Evidence
from qtw_lab.research.validation import _of_sweep
from qtw_lab.strategies import STRATEGIES

DEAR = Costs(commission_bps=5, spread_bps=4, slippage_bps=1)
CROSSES = {"fast": range(2, 22, 3), "slow": range(25, 115, 10)}
LOOKBACKS = {"lookback": range(5, 65)}
REPS = 299
LEVEL = 0.05
LUCK = "not distinguishable from luck"
#: Every strategy that trades each symbol on its own, in the form the package ships it.
SINGLE = tuple(name for name, kind in STRATEGIES.items() if kind.scope == "symbol" and name != "blend")


@dataclass(frozen=True)
class Figure:
    """One figure, the bounds it is held to, and where they come from."""

    name: str
    measured: float
    low: float
    high: float
    basis: str
    digits: int = 3

    @property
    def bounded(self) -> bool:
        """Whether it can be out of bounds; a share without any is told because the reader will ask for it."""
        return (self.low, self.high) != (0.0, 1.0)

    @property
    def holds(self) -> bool:
        return self.low <= round(self.measured, self.digits) <= self.high


def rate(name: str, hits: Any, high: float = 1.0, basis: str = "for information", low: float = 0.0) -> Figure:
    """A share of worlds."""
    return Figure(name, float(np.mean(hits)), low, high, basis)


def at_most(level: float, count: int) -> float:
    """The share of so many worlds that a test of this size stays below but for two standard errors."""
    return round(level + 2.0 * math.sqrt(level * (1.0 - level) / count), 3)


def t_value(values: Any) -> float:
    """The mean in its standard errors."""
    values = np.asarray(values, dtype=float)
    return float(values.mean() / values.std(ddof=1) * math.sqrt(len(values)))


def kinds(count: int) -> Iterator[tuple[str, int]]:
    """So many worlds without an edge: the three kinds in turn."""
    for seed in range(count):
        yield w.KINDS[seed % len(w.KINDS)], seed


def around(centre: float, values: Any) -> tuple[float, float]:
    error = 3.0 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return round(float(centre - error), 3), round(float(centre + error), 3)


def gates(subject: Evidence) -> dict[str, bool]:
    """Which questions of luck are passed, but for look-ahead, which takes no part in chance."""
    asked: tuple[Callable[[Evidence], Check], ...] = (luck.deflation, luck.beats_cash, luck.beats_holding)
    answers = [question(subject) for question in asked]
    return {answer.name: bool(answer.passed) for answer in answers}


def evidence(made: Sweep, seed: int) -> Evidence:
    """What `validate` puts its questions to."""
    return _of_sweep(made, None, 100, level=LEVEL, reps=REPS, seed=seed)
