"""What `validate` says where there is nothing but luck."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import worlds as w
from figures import CROSSES, DEAR, LEVEL, LOOKBACKS, LUCK, REPS, Figure, at_most, evidence, gates, kinds, rate

from qtw_lab.backtest.counting import counted_sweep
from qtw_lab.backtest.sweep import sweep
from qtw_lab.research import validate
from qtw_lab.research.checks import Evidence
from qtw_lab.research.trials import TrialLedger


def false_alarms(count: int = 200) -> list[Figure]:
    """How often each gate, and all together, let the best row of a sweep pass that is nothing but luck."""
    cases = {
        "63 crossings, free": ("sma_cross", CROSSES, None), "63 crossings, with costs": ("sma_cross", CROSSES, DEAR),
        "60 lookbacks, free": ("time_series_momentum", LOOKBACKS, None),
    }  # fmt: skip
    figures = []
    for what, (name, grid, costs) in cases.items():
        answers = []
        for kind, seed in kinds(count):
            made = sweep(name, w.market(kind, seed), grid=grid, costs=costs, verify=0)
            answers.append(gates(evidence(made, seed)))
        figures += _alarms(what, answers)
    return figures


def false_alarms_alone(count: int = 200) -> list[Figure]:
    """The same for the best row taken by itself, with a ledger that counted the sweep it came from."""
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, seed in kinds(count):
            ledger = TrialLedger(Path(folder) / f"{seed}.sqlite")
            made = counted_sweep(sweep("sma_cross", w.market(kind, seed), grid=CROSSES, verify=0), ledger)
            best = made.result(made.best().index[0])
            alone = Evidence(result=best, returns=best.returns.to_frame(), level=LEVEL, reps=REPS, seed=seed)
            answers.append(gates(alone))
    return _alarms("best of 63 crossings alone, with its ledger", answers)


def false_alarms_of_copies(count: int = 400, tries: int = 20, own: float = 0.05) -> list[Figure]:
    """How often the deflated Sharpe ratio lets the best of tries pass that are nearly one and the same."""
    passed, alike = [], []
    for kind, seed in kinds(count):
        made = sweep(w.Coin(own=own), w.market(kind, seed), grid={"seed": range(1, tries + 1)}, verify=0)
        best = made.returns_of(made.best().index[:1]).to_numpy()[:, 0]
        passed.append(made.known.deflated(best) >= 1.0 - LEVEL)
        alike.append(made.known.correlation)
    what = f"best of {tries} coins that differ on 1 day in 20, free: passes deflation"
    return [
        rate(what, passed, at_most(LEVEL, count), "level 5%, two standard errors"),
        Figure("their mean correlation", float(np.mean(alike)), 0.85, 0.97, f"{(1.0 - own) ** 2:.2f} by construction"),
    ]


def _alarms(what: str, answers: Sequence[dict[str, bool]]) -> list[Figure]:
    count = len(answers)
    figures = [rate(f"{what}: passes {name}", [one[name] for one in answers]) for name in answers[0]]
    every = [all(one.values()) for one in answers]
    return [*figures, rate(f"{what}: passes all", every, at_most(LEVEL, count), "level 5%, two standard errors")]


def verdicts_without_edge(count: int = 200) -> list[Figure]:
    """How often the whole of `validate` says anything but luck, of sweeps and of single results with their ledger."""
    swept, alone = [], []
    with tempfile.TemporaryDirectory() as folder:
        for kind, seed in kinds(count):
            ledger = TrialLedger(Path(folder) / f"{seed}.sqlite")
            name, grid = (("sma_cross", CROSSES), ("time_series_momentum", LOOKBACKS))[seed % 2]
            made = counted_sweep(sweep(name, w.market(kind, seed), grid=grid, verify=0), ledger)
            swept.append(validate(made, reps=REPS, most=100, seed=seed).verdict != LUCK)
            best = made.result(made.best().index[0])
            alone.append(validate(best, reps=REPS, seed=seed).verdict != LUCK)
    bound = at_most(LEVEL, count)
    basis = "level 5%, two standard errors"
    return [
        rate("best of a sweep: called anything but luck", swept, bound, basis),
        rate("the same alone, with its ledger: called anything but luck", alone, bound, basis),
    ]
