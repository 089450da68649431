"""Returns of many strategies, without the tables of a full result for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest import lanes
from qtw_lab.backtest.blocks import World
from qtw_lab.backtest.plan import Plan
from qtw_lab.backtest.rules import Rules
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars
from qtw_lab.strategies import Strategy
from qtw_lab.strategies.base import Kind

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def returns_of(strategies: Sequence[Strategy], bars: Bars, terms: Terms) -> FloatArray:
    """Simple returns (T, K) of the account of each strategy, as `Result.returns`.

    Raises
    ------
    DataError
        If a strategy's answer breaks its contract.
    """
    world = World.of(bars, terms)
    returns: FloatArray = np.empty((len(bars), len(strategies)))
    for column, strategy in enumerate(strategies):
        returns[:, column] = _returns(strategy, world, terms)
    return returns


def returns_at(plan: Plan, places: IntArray, bars: Bars, terms: Terms, *, columned: bool) -> FloatArray:
    """Simple returns (T, K) of the combinations of a plan at `places`.

    Parameters
    ----------
    plan, bars, terms
        Of a sweep.
    places : ndarray of int64, (K,)
        Which combinations.
    columned : bool
        Whether the strategy takes them together, as parameter columns.
    """
    if not columned or terms.sizing.measured:
        codes = plan.codes(places)
        chosen = zip(*(code.tolist() for code in codes), strict=True)
        return returns_of([plan.strategy.replaced(**plan.named(one)) for one in chosen], bars, terms)
    world = World.of(bars, terms)
    together = plan.strategy.with_columns(plan.columns(places))
    runs = together.decide(world.panel, copied=False).T[:, :, None]
    return _simulated(runs, world, terms, plan.strategy.kind)


def _returns(strategy: Strategy, world: World, terms: Terms) -> FloatArray:
    decisions, kind = strategy.decide(world.panel, copied=False), strategy.kind
    if terms.sizing.measured:
        from qtw_lab.backtest.sized import sized

        decisions, kind, sizing = sized(decisions, kind, terms.sizing, world.panel)
        terms = replace(terms, sizing=sizing)
    return _simulated(decisions[None], world, terms, kind)[:, 0]


def _equity(runs: FloatArray, world: World, rules: Rules, kind: Kind) -> FloatArray:
    """Equity (K, T) of the same accounts, by the fast lane where they may take it."""
    if world.fits(rules, kind):
        return lanes.paths(runs[:, :, 0], world.tape, rules)
    from qtw_lab.backtest.book import BOOK
    from qtw_lab.backtest.kernel import simulate_columns

    equity, books = np.empty(runs.shape[:2]), np.empty((len(runs), BOOK))
    ready = np.ascontiguousarray(runs)
    simulate_columns(world.market, ready, world.desk.rows, world.desk.spans, rules, equity, books)
    return equity


def _simulated(runs: FloatArray, world: World, terms: Terms, kind: Kind) -> FloatArray:
    """Returns (T, K) of K accounts, given their decisions (K, T, N)."""
    equity = _equity(runs, world, terms.rules(kind), kind)
    before = np.concatenate([np.full((len(runs), 1), float(terms.cash)), equity[:, :-1]], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        change: FloatArray = np.where(before > 0, equity / before - 1.0, 0.0)
    return change.T
