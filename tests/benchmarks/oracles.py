"""arch, ffn and skfolio: what they compute of the validation lab, from the same returns."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import rules
from rules import Results, Size

Work = Callable[[], Results]


def spa(size: Size, inputs: Results) -> Work:
    """`SPA` of arch, which takes losses; its upper p-value is the reality check."""
    from arch.bootstrap import SPA

    losses = -inputs["returns"]

    def work() -> Results:
        test = SPA(np.zeros(len(losses)), losses, block_size=rules.BLOCK, reps=size.reps, seed=1)
        test.compute()
        return {str(name): np.array(float(share)) for name, share in test.pvalues.items()}

    return work


def step_m(size: Size, inputs: Results) -> Work:
    """`StepM` of arch."""
    from arch.bootstrap import StepM

    losses = -rules.skilled(inputs["returns"])

    def work() -> Results:
        test = StepM(np.zeros(len(losses)), losses, block_size=rules.BLOCK, reps=size.reps, seed=1)
        test.compute()
        return {"superior": rules.members(test.superior_models, losses.shape[1])}

    return work


def overfitting(size: Size, inputs: Results) -> Work:
    """`calc_prob_backtest_overfitting` of ffn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ffn

    returns = pd.DataFrame(inputs["returns"])

    def work() -> Results:
        found = ffn.core.calc_prob_backtest_overfitting(returns, n_blocks=size.parts, full_output=True)
        return {"pbo": np.array(found["pbo"]), "logits": found["logits"].to_numpy()}

    return work


def combinatorial(size: Size, inputs: Results) -> Work:
    """`CombinatorialPurgedCV` of skfolio, whose test groups come as a list."""
    from skfolio.model_selection import CombinatorialPurgedCV

    returns = inputs["returns"]

    def work() -> Results:
        cv = CombinatorialPurgedCV(
            n_folds=size.parts, n_test_folds=rules.TESTED, purged_size=rules.HORIZON, embargo_size=rules.EMBARGO
        )
        splits = ((train, np.concatenate(tests)) for train, tests in cv.split(returns))
        return rules.splits_as_arrays(splits, cv.recombined_paths.T)

    return work
