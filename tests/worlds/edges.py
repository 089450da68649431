"""What is found where there is something to find."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import worlds as w
from figures import LEVEL, LOOKBACKS, LUCK, REPS, Figure, around, evidence, gates, rate

from qtw_lab.backtest.counting import counted_sweep
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.recording import counted
from qtw_lab.backtest.sweep import Sweep, sweep
from qtw_lab.ledger import Costs
from qtw_lab.research import validate
from qtw_lab.research.trials import TrialLedger
from qtw_lab.stats import performance as p
from qtw_lab.stats import significance as g
from qtw_lab.strategies import strategy


def trend_ratio(count: int = 200) -> list[Figure]:
    """The Sharpe ratio of a trend rule in a trending world, beside the derived one."""
    free, net = [], []
    rule, bps = strategy("time_series_momentum", lookback=20), 5.0
    for seed in range(count):
        bars = w.trending(seed)
        for into, costs in ((free, None), (net, Costs(commission_bps=bps))):
            returns = backtest(rule, bars, costs=costs).returns.to_numpy()[rule.warmup + 1 :]
            into.append(float(p.sharpe_ratio(returns, w.YEAR)))
    figures = []
    for what, values, cost in (("free", free, 0.0), ("at 5 basis points", net, bps)):
        derived = w.trend_sharpe(20, cost)
        basis = f"derived: {derived:.2f}, and three standard errors"
        name = f"trend of 20 bars, {what}: mean Sharpe ratio"
        figures.append(Figure(name, float(np.mean(values)), *around(derived, values), basis, 2))
    return figures


def verdicts_with_edge(count: int = 30, years: int = 10) -> list[Figure]:
    """What `validate` says of sweeps in trending worlds."""
    found = [validate(_trends(seed, years), reps=REPS, most=100, seed=seed).verdict for seed in range(count)]
    what = f"trend of Sharpe ratio {w.trend_sharpe(20, 5):.1f}, {years} years"
    return [
        rate(f"{what}: not called luck", [one != LUCK for one in found], 1.0, "four of five at least", 0.8),
        rate(f"{what}: supported", [one == "supported" for one in found], 1.0, "more often than not", 0.5),
    ]


def gates_with_edge(count: int = 60, years: int = 5) -> list[Figure]:
    """How often the gates let trends through that have half as long to show."""
    answers = [gates(evidence(_trends(seed, years), seed)) for seed in range(count)]
    what = f"trend of Sharpe ratio {w.trend_sharpe(20, 5):.1f}, {years} years"
    each = [rate(f"{what}: passes {name}", [one[name] for one in answers]) for name in answers[0]]
    every = [all(one.values()) for one in answers]
    return [*each, rate(f"{what}: passes all", every, 1.0, "four of five at least", 0.8)]


def _trends(seed: int, years: int) -> Sweep:
    bars = w.trending(seed, round(years * w.YEAR))
    return sweep("time_series_momentum", bars, grid=LOOKBACKS, costs=Costs(commission_bps=5), verify=0)


def verdicts_on_spikes(count: int = 40) -> list[Figure]:
    """What `validate` says of an edge that stands alone among its parameters."""
    found = []
    for seed in range(count):
        made = sweep(w.Phase, w.spiked(seed, seed % w.PERIOD), grid={"phase": range(w.PERIOD)}, verify=0)
        found.append(validate(made, reps=REPS, most=100, seed=seed).verdict)
    return [
        rate("spike: supported", [one == "supported" for one in found], 0.0, "stated: never"),
        rate("spike: not called luck", [one != LUCK for one in found]),
    ]


#: Configurations that a ledger has counted.
TRIALS = (1, 10, 100, 1_000)


def deflations(count: int = 10) -> list[Figure]:
    """The deflated Sharpe ratio of one good result while further trials are counted, of which none has skill.

    It falls in the mean over worlds; in one world ten trials can spread so widely by chance that a hundred cost less.
    """
    own = {share: np.array([_deflated(seed, share) for seed in range(count)]) for share in (1.0, 0.05)}
    figures, high = [], 1.0
    for trials, mean in zip(TRIALS, own[1.0].mean(axis=0).tolist(), strict=True):
        below = "the probabilistic Sharpe ratio" if trials == 1 else "below the figure before"
        text = f"deflated Sharpe ratio after {trials:,} independent trials: mean"
        figures.append(Figure(text, mean, 0.5, high, below))
        high = round(mean, 3) - 0.001
    for place, trials in enumerate(TRIALS[1:], start=1):
        mean, low = own[0.05][:, place].mean(), round(float(own[1.0][:, place].mean()), 3) + 0.001
        text = f"deflated Sharpe ratio after {trials:,} nearly equal trials: mean"
        figures.append(Figure(text, float(mean), low, 1.0, "above the figure for as many independent ones"))
    falls = own[1.0][:, -1] < own[1.0][:, 0]
    less = own[0.05][:, -1] > own[1.0][:, -1]
    return [
        *figures,
        rate("worlds in which 1,000 independent trials lower it", falls, 1.0, "more tries, more luck", 1.0),
        rate("worlds in which 1,000 nearly equal trials lower it less", less, 1.0, "they spread less", 1.0),
    ]


def _deflated(seed: int, own: float) -> list[float]:
    """After each of `TRIALS`, by a ledger that counts coins which toss for themselves on that share of the days."""
    bars, values = w.guided(seed, 3_000, 1.75), []
    with tempfile.TemporaryDirectory() as folder:
        ledger = TrialLedger(Path(folder) / "trials.sqlite")
        judged = counted(backtest(w.Coin(seed=3_000), bars), ledger)
        for trials in TRIALS:
            if trials > 1:
                made = sweep(w.Coin(own=own), bars, grid={"seed": range(1, trials)}, verify=0)
                counted_sweep(made, ledger)
            values.append(judged.tried().deflated(judged.returns.to_numpy()))
    return values


def detection(count: int = 200, sharpe: float = 2.0) -> list[Figure]:
    """How often one good coin among a hundred is found, beside the probability derived for normal t-values."""
    found = {"reality check": [], "SPA, lower": [], "SPA, consistent": [], "SPA, upper": [], "StepM names it": []}
    ordered = []
    for seed in range(count):
        made = sweep(w.Coin, w.guided(seed, 42, sharpe), grid={"seed": range(1, 101)}, verify=0)
        returns = made.returns_of(made.table.index).to_numpy()
        spa = g.spa_test(returns, reps=REPS, seed=seed)
        ordered.append(spa.lower <= spa.consistent <= spa.upper)
        found["reality check"].append(g.reality_check(returns, reps=REPS, seed=seed).p_value <= LEVEL)
        found["StepM names it"].append(41 in g.step_m(returns, reps=REPS, seed=seed).superior)
        for side in ("lower", "consistent", "upper"):
            found[f"SPA, {side}"].append(getattr(spa, side) <= LEVEL)
    derived = w.power(sharpe, 100, w.BARS / w.YEAR)
    error = 2.0 * math.sqrt(derived * (1.0 - derived) / count)
    basis = f"derived: {derived:.2f}, and two standard errors"
    what = f"one coin of Sharpe ratio {sharpe:g} among 100"
    return [
        *(rate(f"{what}, {name}", hits, 1.0, basis, round(derived - error, 3)) for name, hits in found.items()),
        rate(f"{what}: lower, consistent and upper p-value in order", ordered, 1.0, "by definition", 1.0),
    ]
