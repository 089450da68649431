"""The seam to Optuna: a search that learns from what it has evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest import crew
from qtw_lab.backtest.plan import Allowed, Where, as_array, condition
from qtw_lab.backtest.space import PATIENCE, Dimension, Found, drawn
from qtw_lab.backtest.streaming import Running, Stage, shown
from qtw_lab.backtest.swept import Sweep
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars
from qtw_lab.core.extras import need
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]

#: Combinations asked for before the next answers are given: one generation of "nsga2".
_BATCH: Final[Mapping[str, int]] = {"tpe": 16, "nsga2": 48}
#: Combinations asked for in vain before the search ends.
_FRUITLESS: Final = 500
#: Combinations drawn at random to try the strategy on, before the search begins.
_TRIED: Final = 64


@dataclass(frozen=True, eq=False)
class Aim:
    """What is looked for, and where.

    Parameters
    ----------
    strategy : Strategy
        Gives the parameters outside the space.
    dimensions : sequence of Dimension
        The space.
    where : callable or None
        Which combinations are allowed.
    trials : int
        Distinct combinations to evaluate.
    goals : tuple of str
        Metrics, the higher the better.
    method : {"tpe", "nsga2"}
        How.
    seed : int
        Of the sampler.
    """

    strategy: Strategy
    dimensions: Sequence[Dimension]
    where: Where | None
    trials: int
    goals: tuple[str, ...]
    method: str
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that vary."""
        return tuple(one.name for one in self.dimensions)


def run(aim: Aim, bars: Bars, terms: Terms, how: Running) -> Sweep:
    """Search until `trials` distinct combinations are evaluated, or no new ones turn up.

    Raises
    ------
    DataError
        If nothing in the space can be used, or the bars are too short; before any simulation.
    SetupError
        If Optuna is not installed.
    """
    optuna = need("optuna", "search")
    generator = np.random.default_rng(aim.seed)
    tried, _ = drawn(
        aim.strategy, aim.dimensions, aim.where, lambda count: generator.random((count, len(aim.dimensions))), _TRIED
    )
    stage = Stage.of(tried, bars, terms, how)
    with _quiet(optuna):
        hunt = _Hunt(aim, stage, how, optuna)
        with shown(how.progress, f"search {aim.strategy.name}", 0) as show:
            interrupted = hunt.go(show)
    values = np.concatenate(hunt.values).reshape(-1, len(how.keep.metrics))
    rows = aim.trials * len(stage.job.worlds) if interrupted else len(values)
    plan = hunt.found.plan(aim.strategy, aim.strategy)
    remark = hunt.found.remark(aim.method, aim.seed, len(hunt.found.taken) if interrupted else aim.trials)
    return stage.sweep(plan, how, len(values), rows, (np.arange(len(values)), values), (remark,))


class _Hunt:
    """One search under way."""

    def __init__(self, aim: Aim, stage: Stage, how: Running, optuna: Any) -> None:
        self.found, self.values = Found(aim.names), list[FloatArray]()
        self._aim, self._stage, self._optuna = aim, stage, optuna
        self._goals = [how.keep.metrics.index(goal) for goal in aim.goals]
        self._allowed = Allowed(aim.strategy, aim.names)
        self._reached: list[list[float]] = []
        sampler = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=aim.seed),
            "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=aim.seed, population_size=_BATCH["nsga2"]),
        }[aim.method]()
        self._study = optuna.create_study(directions=["maximize"] * len(aim.goals), sampler=sampler)

    def go(self, show: Any) -> bool:
        """Search to the end; whether it was interrupted with something to show for it."""
        most = max(PATIENCE * self._aim.trials, 1_000)
        accounts = len(self._stage.job.worlds)
        try:
            while len(self.found.taken) < self._aim.trials and self.found.draws < most:
                if not self._batch():
                    break
                show(len(self.found.taken) * accounts, self._aim.trials * accounts)
        except KeyboardInterrupt:
            for choice in list(self.found.taken)[sum(map(len, self.values)) :]:
                del self.found.taken[choice]
            if not self.values:
                raise
            return True
        return False

    def _batch(self) -> bool:
        """Ask for some combinations, evaluate the new ones and tell the sampler; whether the space may hold more."""
        asked, new = [], list[tuple[Any, ...]]()
        before = self.found.draws
        while len(new) < min(_BATCH[self._aim.method], self._aim.trials - len(self.found.taken)):
            if self.found.draws - before >= _FRUITLESS or self.found.everything(self._aim.dimensions):
                break
            trial = self._study.ask()
            choice = tuple(self._suggested(trial, one) for one in self._aim.dimensions)
            self.found.draws += 1
            if not self._usable(choice):
                self.found.refuse(choice)
                self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
                continue
            if choice in self.found.taken or choice in new:
                self.found.repeated += 1
                if choice in self.found.taken:  # its figures are known: nothing new is learnt by running it
                    self._tell(trial, self.found.taken[choice])
                    continue
            else:
                new.append(choice)
            asked.append((trial, choice))
        self._evaluate(new)
        for trial, choice in asked:
            self._tell(trial, self.found.taken[choice])
        return bool(new)

    def _suggested(self, trial: Any, one: Dimension) -> Any:
        if one.choices:
            return one.choices[trial.suggest_categorical(one.name, range(len(one.choices)))]
        suggest = trial.suggest_int if isinstance(one.low, int) else trial.suggest_float
        return suggest(one.name, one.low, one.high, log=one.log)

    def _usable(self, choice: tuple[Any, ...]) -> bool:
        columns = {name: as_array([value]) for name, value in zip(self._aim.names, choice, strict=True)}
        good = np.ones(1, dtype=bool) if self._aim.where is None else condition(self._aim.where, columns)
        self._allowed.narrow(columns, good)
        return bool(good[0])

    def _evaluate(self, new: list[tuple[Any, ...]]) -> None:
        if not new:
            return
        columns = zip(self._aim.names, zip(*new, strict=True), strict=True)
        arrays = {name: as_array(column) for name, column in columns}
        values = crew.in_pieces(self._stage.job, arrays, self._stage.size)
        for choice in new:
            self.found.taken[choice] = len(self.found.taken)
        self.values.append(values)
        # Each combination's goals, as the mean over its accounts.
        self._reached.extend(values.mean(axis=1)[:, self._goals].tolist())

    def _tell(self, trial: Any, place: int) -> None:
        reached = self._reached[place]
        if np.isfinite(reached).all():
            self._study.tell(trial, reached)
        else:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Keep Optuna's log, which names every study, off the screen."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
