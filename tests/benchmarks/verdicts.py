"""Our side of the validation cases that are given returns: as `ours`, but prepared from the inputs every side gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import rules
from rules import FloatArray, Results, Size

from qtw_lab.stats import significance as g
from qtw_lab.stats.splits import CombinatorialPurgedCV

Work = Callable[[], Results]


def _share(p_value: float, reps: int) -> FloatArray:
    """The share of resamples behind a p-value ``(1 + count) / (1 + reps)``: arch counts without the first 1."""
    return np.array((p_value * (1 + reps) - 1) / reps)


def spa(size: Size, inputs: Results) -> Work:
    """The three p-values of Hansen's test; not studentised, as arch never is."""
    returns = inputs["returns"]

    def work() -> Results:
        found = g.spa_test(returns, reps=size.reps, block=rules.BLOCK, studentize=False)
        return {name: _share(getattr(found, name), size.reps) for name in ("lower", "consistent", "upper")}

    return work


def reality_check(size: Size, inputs: Results) -> Work:
    """White's p-value, which is the upper one of `spa`."""
    returns = inputs["returns"]
    return lambda: {
        "upper": _share(g.reality_check(returns, reps=size.reps, block=rules.BLOCK).p_value, size.reps)
    }  # fmt: skip


def step_m(size: Size, inputs: Results) -> Work:
    """Which strategies are superior, 1 or 0 each."""
    returns = rules.skilled(inputs["returns"])

    def work() -> Results:
        found = g.step_m(returns, reps=size.reps, block=rules.BLOCK, studentize=False)
        return {"superior": rules.members(found.superior, returns.shape[1])}

    return work


def overfitting(size: Size, inputs: Results) -> Work:
    """The probability of backtest overfitting, and the logit of every split."""
    returns = inputs["returns"]

    def work() -> Results:
        found = g.probability_of_backtest_overfitting(returns, size.parts)
        return {"pbo": np.array(found.pbo), "logits": found.logits}

    return work


def combinatorial(size: Size, inputs: Results) -> Work:
    """The bars of every split, and which splits make each path."""
    returns = inputs["returns"]

    def work() -> Results:
        cv = CombinatorialPurgedCV(size.parts, rules.TESTED, label_horizon=rules.HORIZON, embargo=rules.EMBARGO)
        return rules.splits_as_arrays(cv.split(returns), cv.paths())

    return work
