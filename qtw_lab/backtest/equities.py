"""Returns of many strategies, without the tables of a full result for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.blocks import World
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]


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


def _returns(strategy: Strategy, world: World, terms: Terms) -> FloatArray:
    from qtw_lab.backtest.book import BOOK
    from qtw_lab.backtest.kernel import simulate_columns

    decisions, kind = strategy.decide(world.panel, copied=False), strategy.kind
    if terms.sizing.measured:
        from qtw_lab.backtest.sized import sized

        decisions, kind, sizing = sized(decisions, kind, terms.sizing, world.panel)
        terms = replace(terms, sizing=sizing)
    equity, books = np.empty((1, len(decisions))), np.empty((1, BOOK))
    runs = np.ascontiguousarray(decisions[None])
    simulate_columns(world.market, runs, world.desk.rows, world.desk.spans, terms.rules(kind), equity, books)
    before = np.concatenate([[terms.cash], equity[0, :-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        change: FloatArray = np.where(before > 0, equity[0] / before - 1.0, 0.0)
    return change
