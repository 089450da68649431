"""What strategies earn, and what tests of luck say, where there is nothing but luck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import worlds as w
from figures import DEAR, LEVEL, LOOKBACKS, REPS, SINGLE, Figure, around, kinds, rate, t_value
from scipy import stats

from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.sweep import sweep
from qtw_lab.stats import performance as p
from qtw_lab.stats import significance as g
from qtw_lab.strategies import strategy


def centres(count: int = 200, names: Sequence[str] = SINGLE) -> list[Figure]:
    """Net results of the kernel with its costs put back, and the net Sharpe ratio beside that of the costs alone.

    The ratio is that of all worlds together, mean return over root mean variance. The mean of each world's own ratio
    leans: a rule that buys weakness holds on while it loses, so that its bad worlds are its volatile ones, whose ratios
    are the less bad for it.
    """
    figures, leaning = [], []
    for name in names:
        gains, nets, drags, variances, ratios = (np.empty(count) for _ in range(5))
        for kind, seed in kinds(count):
            result = backtest(name, w.market(kind, seed), costs=DEAR)
            paid, returns = float(result.costs["paid"].sum()), result.returns.to_numpy()
            gains[seed] = float(result.equity.iloc[-1]) - result.terms.cash + paid
            nets[seed], variances[seed] = returns.mean(), returns.var(ddof=1)
            drags[seed] = paid / float(result.equity.mean()) / len(returns)
            ratios[seed] = p.sharpe_ratio(returns, w.YEAR)
        scale = math.sqrt(w.YEAR / variances.mean())
        expected = -drags.mean() * scale
        leaning.append(float(ratios.mean() - nets.mean() * scale))
        basis = "the price is a martingale: before costs the mean gain is 0"
        figures += [
            Figure(f"{name}: gain and costs together, in standard errors", t_value(gains), -3.0, 3.0, basis, 2),
            Figure(
                f"{name}: net Sharpe ratio", nets.mean() * scale, *around(expected, (nets + drags) * scale),
                f"its costs alone make {expected:.3f}; three standard errors",
            ),
        ]  # fmt: skip
    lean = max(leaning, key=abs)
    text = "largest difference of the mean of the worlds' own ratios to that of all together"
    return [*figures, Figure(text, lean, -0.15, 0.15, "gains and volatility of a rule go together")]


def engines(count: int = 20, others: Sequence[str] = ("reference", "vectorbt")) -> list[Figure]:
    """The largest difference in final equity, as a fraction, between the kernel and each other engine."""
    figures = []
    for engine in others:
        apart = 0.0
        for kind, seed in kinds(count):
            bars = w.market(kind, seed)
            for name in SINGLE:
                ours, theirs = backtest(name, bars, costs=DEAR), backtest(name, bars, costs=DEAR, engine=engine)
                same = len(ours.orders) == len(theirs.orders)
                relative = np.abs(ours.equity.to_numpy() / theirs.equity.to_numpy() - 1.0).max()
                apart = max(apart, float(relative) if same else math.inf)
        text = f"{engine}: largest difference of equity from the kernel's, as a fraction"
        figures.append(Figure(text, apart, 0.0, 1e-9, "fill by fill the same, so what holds for one holds for all", 9))
    return figures


# What the tests of luck say where there is nothing but luck.


def single_p_values(count: int = 200) -> list[Figure]:
    """Whether p-values of one strategy, run free of cost, are uniform."""
    found: dict[str, list[float]] = {"reality check": [], "SPA, consistent": [], "SPA, upper": []}
    lower = []
    for kind, seed in kinds(count):
        returns = backtest(strategy("time_series_momentum", lookback=20), w.market(kind, seed)).returns.to_numpy()
        _enter(found, lower, returns, seed)
    return [*_uniform("one strategy", found), _small(lower, "one strategy")]


def many_p_values(count: int = 200, strategies: int = 50) -> list[Figure]:
    """The same of the best of many strategies that know nothing of each other."""
    found: dict[str, list[float]] = {"reality check": [], "SPA, consistent": [], "SPA, upper": []}
    lower = []
    for kind, seed in kinds(count):
        swept = sweep(w.Coin, w.market(kind, seed), grid={"seed": range(1, strategies + 1)}, verify=0)
        _enter(found, lower, swept.returns_of(swept.table.index).to_numpy(), seed)
    return [*_uniform(f"{strategies} coins", found), _small(lower, f"{strategies} coins")]


def swept_p_values(count: int = 200) -> list[Figure]:
    """The same of the best row of a sweep, whose rows are much alike."""
    found: dict[str, list[float]] = {"reality check": [], "SPA, consistent": [], "SPA, upper": []}
    lower = []
    for kind, seed in kinds(count):
        swept = sweep("time_series_momentum", w.market(kind, seed), grid=LOOKBACKS, verify=0)
        _enter(found, lower, swept.returns_of(swept.table.index).to_numpy(), seed)
    return [*_uniform("60 lookbacks", found), _small(lower, "60 lookbacks")]


def _enter(found: dict[str, list[float]], lower: list[float], returns: Any, seed: int) -> None:
    spa = g.spa_test(returns, reps=REPS, seed=seed)
    found["reality check"].append(g.reality_check(returns, reps=REPS, seed=seed).p_value)
    found["SPA, consistent"].append(spa.consistent)
    found["SPA, upper"].append(spa.upper)
    lower.append(spa.lower)


def _uniform(what: str, found: dict[str, list[float]]) -> list[Figure]:
    return [
        Figure(
            f"{what}, {name}: Kolmogorov-Smirnov p-value", float(stats.kstest(values, "uniform").pvalue), 0.05, 1.0,
            "p-values of a true null are uniform",
        )
        for name, values in found.items()
    ]  # fmt: skip


def _small(lower: Sequence[float], what: str) -> Figure:
    return rate(
        f"{what}, SPA, lower: share at 5% or less", np.array(lower) <= LEVEL, 0.3,
        "a lower bound only: too small where a poor strategy is left poor",
    )  # fmt: skip


def overfitting(count: int = 200) -> list[Figure]:
    """Mean probability of backtest overfitting where every choice is a lottery."""
    pure, coins, swept = [], [], []
    for kind, seed in kinds(count):
        rng = w.generator(seed)
        pure.append(_pbo(rng.standard_normal((w.BARS, 60))))
        bars = w.market(kind, seed)
        for into, name, grid in (
            (coins, w.Coin, {"seed": range(1, 61)}), (swept, "time_series_momentum", LOOKBACKS),
        ):  # fmt: skip
            made = sweep(name, bars, grid=grid, verify=0)
            into.append(_pbo(made.returns_of(made.table.index).to_numpy()))
    named = {"60 columns of noise": pure, "60 coins": coins, "60 lookbacks": swept}
    return [
        Figure(f"{name}: mean PBO", float(np.mean(values)), 0.4, 0.6, "choosing is a lottery")
        for name, values in named.items()
    ]


def _pbo(returns: Any) -> float:
    return g.probability_of_backtest_overfitting(returns, 8).pbo
