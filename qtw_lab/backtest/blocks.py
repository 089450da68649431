"""A sweep's work, block by block: parameter columns in, metrics out, nothing kept.

A `Job` holds what every block shares and can be sent to another process; `Job.evaluate` does one block. The strategy's
own code runs on columns of parameters, so that K combinations cost one pass over arrays that stay in the cache. A
strategy whose code takes only single numbers is found out by comparison and run one combination at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba.core.errors import NumbaError

from qtw_lab.backtest import lanes
from qtw_lab.backtest.book import (
    BOOK,
    BORROW,
    COMMISSION,
    FILLS,
    MARGIN_INTEREST,
    OPENED,
    SLIPPAGE,
    TRADED,
)
from qtw_lab.backtest.desk import Desk
from qtw_lab.backtest.kernel import simulate, simulate_columns
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.metrics import METRICS, Measured
from qtw_lab.backtest.rules import ORDER_COLUMNS, Rules
from qtw_lab.backtest.sized import sized
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, lookup
from qtw_lab.indicators.memo import Memo
from qtw_lab.strategies import Panel, Strategy
from qtw_lab.strategies.base import Kind
from qtw_lab.strategies.crossings import Crossing, crossing_of

FloatArray = npt.NDArray[np.float64]
#: Parameter values by name, one for each combination of a block, (K,).
ParameterColumns = Mapping[str, npt.NDArray[Any]]

#: Bytes of indicator columns a job keeps for its blocks unless told otherwise.
INDICATOR_BYTES: Final = 64_000_000

#: Bytes of an array of which several stay near a core, in its second and third cache; smaller was not faster.
_CACHED: Final = 2_200_000
#: Combinations of a block at most.
_MOST: Final = 256
#: Arrays of (T, N) float64 that are held at once for each combination: in general, and where two averages cross.
_ARRAYS: Final = 12
_AVERAGES: Final = 2
#: One array of that many bytes, made and dropped without being written, tells the C library to keep freed memory. It
#: would otherwise hand it back, and the system would clear every block's pages anew, at more than the cost of the work.
#: (glibc raises its limits to the largest array freed, up to 32 MB; elsewhere this does nothing.)
_LARGEST: Final = 31_000_000

#: Combinations of a block that are tried together to find out whether a strategy takes columns.
_TRIED: Final = 16

#: How a rule written for single numbers fails on arrays; run one by one, its real errors show.
_NOT_FOR_COLUMNS: Final = (TypeError, ValueError, AttributeError, IndexError, NumbaError)


@dataclass(frozen=True, eq=False)
class World:
    """What one account trades: a symbol of its own, or a whole universe.

    Parameters
    ----------
    panel : Panel
        What the strategy sees.
    market : Market
        What the account trades at.
    desk : Desk
        Room for the entry orders the terms call for.
    """

    panel: Panel
    market: Market
    desk: Desk

    @classmethod
    def of(cls, bars: Bars, terms: Terms) -> World:
        """The world of these bars under these terms.

        Raises
        ------
        DataError
            If the bars lack something the terms need.
        """
        return cls(Panel.of(bars), Market.of(bars, terms), Desk.of(bars, terms))

    def __getstate__(self) -> dict[str, Any]:
        """Without what each process makes for itself."""
        return {name: value for name, value in vars(self).items() if name not in ("tape", "_fitting")}

    @cached_property
    def tape(self) -> lanes.Tape:
        """The market as the fast lane reads it."""
        return lanes.Tape.of(self.market)

    @cached_property
    def _fitting(self) -> dict[tuple[Rules, Kind], bool]:
        return {}

    def fits(self, rules: Rules, kind: Kind) -> bool:
        """Whether accounts of this world may take the fast lane; asked once for the same rules."""
        found = self._fitting.get((rules, kind))
        if found is None:
            found = self._fitting[rules, kind] = lanes.fits(rules, self.market, kind)
        return found


@dataclass(frozen=True, eq=False)
class Job:
    """What all blocks of a sweep share; frozen, safe to use from several threads, and picklable.

    Parameters
    ----------
    strategy : Strategy
        Gives the parameters that are not columns.
    worlds : tuple of World
        Each an account of its own.
    terms : Terms
        What the accounts trade on.
    names : tuple of str
        The parameters that are columns.
    metrics : tuple of str
        Names of `METRICS`.
    indicator_bytes : int
        Most bytes of indicator columns to keep from block to block.

    Raises
    ------
    DataError
        If a metric is not known.
    """

    strategy: Strategy
    worlds: tuple[World, ...]
    terms: Terms
    names: tuple[str, ...]
    metrics: tuple[str, ...]
    indicator_bytes: int = INDICATOR_BYTES

    def __post_init__(self) -> None:
        for name in self.metrics:
            lookup(name, METRICS, "metric")
        np.empty(_LARGEST, dtype=np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        """Without what each process makes for itself."""
        return {name: value for name, value in vars(self).items() if name not in ("memo", "arrays", "_found", "_rules")}

    @cached_property
    def memo(self) -> Memo | None:
        """The indicator columns kept for the blocks; it lives as long as the job."""
        if self.indicator_bytes <= 0:
            return None
        panels = (world.panel for world in self.worlds)
        arrays = [array for p in panels for array in (p.open, p.high, p.low, p.close, p.volume)]
        return Memo(self.indicator_bytes, arrays, threading.Lock())

    @property
    def block(self) -> int:
        """How many combinations make a good block: few enough for the cache, many enough to repay the overhead."""
        return _MOST if self.arrays == _AVERAGES else min(max(self._good, 8), _MOST)

    @property
    def _good(self) -> int:
        """How many columns of all bars stay in the cache."""
        return _CACHED // (8 * max(len(world.panel.times) for world in self.worlds))

    @cached_property
    def arrays(self) -> int:
        """How many arrays (T, N) of float64 are held at once, at most, for each combination of a block."""
        follows = all(self._crossing(self.strategy, world) is not None for world in self.worlds)
        return _AVERAGES if follows else _ARRAYS

    @property
    def kept_bytes(self) -> int:
        """Bytes of indicator columns kept at present."""
        return 0 if self.memo is None else self.memo.bytes

    @cached_property
    def _found(self) -> dict[str, bool]:
        """Whether the strategy takes columns, once that was found out."""
        return {}

    @cached_property
    def _rules(self) -> Rules:
        """The terms as the kernel takes them, unless sizing changes them."""
        return self.terms.rules(self.strategy.kind)

    def evaluate(self, columns: ParameterColumns) -> FloatArray:
        """The metrics of a block of combinations, (K, worlds, metrics).

        Parameters
        ----------
        columns : mapping of str to ndarray (K,)
            A value of each of `names` for each combination; every combination must be one the strategy accepts.

        Raises
        ------
        DataError
            If the strategy's answer breaks its contract.
        """
        columned = self.takes_columns(columns)
        with self._remembering():
            together = self.strategy.with_columns(columns) if columned else None
            return np.stack([self._world(together, columns, world) for world in self.worlds], axis=1)

    def takes_columns(self, columns: ParameterColumns) -> bool:
        """Whether the strategy's parameter columns give what single evaluations give; found out once.

        Some of the combinations are evaluated together, and the first, middle and last of them alone.

        Parameters
        ----------
        columns : mapping of str to ndarray (K,)
            A block of combinations.
        """
        found = self._found.get("columns")
        if found is None:
            found = self._found["columns"] = self._compared(columns)
        return found

    def prepare(self, columns: ParameterColumns) -> None:
        """Have the averages that this block needs computed once, before several threads ask for them at the same time.

        Parameters
        ----------
        columns : mapping of str to ndarray (K,)
            The first block.
        """
        if self.arrays != _AVERAGES:
            return
        with self._remembering():
            together = self.strategy.with_columns(columns)
            for world in self.worlds:
                crossing = self._crossing(together, world)
                if crossing is not None:
                    lanes.rows_of(crossing)

    def _compared(self, columns: ParameterColumns) -> bool:
        if self.strategy.scope != "symbol" or not columns:
            return False
        length, count = len(next(iter(columns.values()))), max(3, min(_TRIED, self._good))
        tried = np.unique(np.linspace(0, length - 1, count).astype(np.int64))
        columns, size = {name: column[tried] for name, column in columns.items()}, len(tried)
        panel = self.worlds[0].panel
        try:
            together = self.strategy.with_columns(columns).decide(panel)
        except _NOT_FOR_COLUMNS:
            return False
        alone = {k: self._single(columns, k).decide(panel)[:, 0] for k in sorted({0, size // 2, size - 1})}
        return all(np.array_equal(together[:, k], alone[k], equal_nan=True) for k in alone)

    def _remembering(self) -> AbstractContextManager[None]:
        return nullcontext() if self.memo is None else self.memo.used()

    def _single(self, columns: ParameterColumns, k: int) -> Strategy:
        """Combination k as a strategy of its own."""
        return self.strategy.replaced(**{name: columns[name][k : k + 1].tolist()[0] for name in self.names})

    def _world(self, together: Strategy | None, columns: ParameterColumns, world: World) -> FloatArray:
        """Metrics (K, M) in one world."""
        if together is not None:
            crossing = self._crossing(together, world)
            if crossing is not None:
                return self._metrics(lanes.crossed(crossing, world.tape, self._rules, world.panel.periods_per_year))
            return self._figures(together.decide(world.panel, copied=False), world, columned=True)
        count = len(next(iter(columns.values())))
        singles = (self._single(columns, k) for k in range(count))
        return np.concatenate(
            [self._figures(one.decide(world.panel, copied=False), world, columned=False) for one in singles]
        )

    def _crossing(self, strategy: Strategy, world: World) -> Crossing | None:
        """The rule of the strategy if the fast lane can follow it without an array of decisions."""
        if self.terms.sizing.measured or not world.fits(self._rules, strategy.kind):
            return None
        return crossing_of(strategy, world.panel)

    def _figures(self, decisions: FloatArray, world: World, *, columned: bool) -> FloatArray:
        """Metrics (K, M), given decisions (T, K) of K accounts, or (T, N) of one."""
        kind, terms = self.strategy.kind, self.terms
        if terms.sizing.measured:
            decisions, kind, sizing = sized(decisions, kind, terms.sizing, world.panel, columns=columned)
            terms = replace(terms, sizing=sizing)
        return self._metrics(self._run(decisions, world, terms, kind, columned=columned))

    def _metrics(self, run: Measured) -> FloatArray:
        """The metrics (K, M) of K accounts."""
        return np.column_stack([np.asarray(METRICS[name](run), dtype=np.float64) for name in self.metrics])

    def _run(self, decisions: FloatArray, world: World, terms: Terms, kind: Kind, *, columned: bool) -> Measured:
        """What the accounts come to, by the fast lane or through the kernel."""
        rules = self._rules if terms is self.terms else terms.rules(kind)
        year = world.panel.periods_per_year
        if world.fits(rules, kind):
            return lanes.measured(decisions.T, world.tape, rules, year)
        runs = decisions.T[:, :, None] if columned else decisions[None]
        equity, books = np.empty(runs.shape[:2]), np.empty((runs.shape[0], BOOK))
        runs = np.ascontiguousarray(runs)
        counts = {}
        if "exposure" in self.metrics:
            counts["exposed"] = np.array(list(self._exposed(runs, world, rules, equity, books)))
        else:
            simulate_columns(world.market, runs, world.desk.rows, world.desk.spans, rules, equity, books)
        counts |= {"orders": books[:, FILLS], "trades": books[:, OPENED], "traded": books[:, TRADED]}
        counts["costs"] = books[:, [COMMISSION, SLIPPAGE, BORROW, MARGIN_INTEREST]].sum(axis=1)
        return lanes.walked(equity, counts, rules.cash, year)

    @staticmethod
    def _exposed(runs: FloatArray, world: World, rules: Rules, equity: FloatArray, books: FloatArray) -> Iterator[int]:
        """Run each account with its positions written down; how many bars ended with one."""
        bars, symbols = world.market.close.shape
        cash, positions, no_orders = np.empty(bars), np.empty((bars, symbols)), np.empty((0, len(ORDER_COLUMNS)))
        for k in range(len(runs)):
            simulate(
                world.market, runs[k], world.desk.rows.copy(), world.desk.spans, rules, books[k], equity[k], cash,
                positions, no_orders,
            )  # fmt: skip
            yield int((positions != 0.0).any(axis=1).sum())
