"""Allocators that traded the same bars on the same terms, compared with equal weight and counted as tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.result import DEFINITIONS, LABELS, Result
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, Fact, Facts
from qtw_lab.core.facts import Unit
from qtw_lab.research.allocation import Allocator
from qtw_lab.research.choosing import CRITERIA, lead
from qtw_lab.research.rebalancing import BENCHMARK
from qtw_lab.research.studies import Entered
from qtw_lab.research.walkforward import returns_from_cash
from qtw_lab.stats import performance as p
from qtw_lab.stats.bootstrap import bootstrap_interval, optimal_block_length
from qtw_lab.stats.significance import reality_check, spa_test

FloatArray = npt.NDArray[np.float64]

#: What the number of allocators leaves out.
MORE_TRIALS: Final = (
    "every other allocator, option, window or list of symbols tried on these bars is a further trial, which the "
    "deflated Sharpe ratio counts as far as the ledger knows of it"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Portfolio:
    """One allocator's history.

    Parameters
    ----------
    allocator : Allocator
        What divided the money.
    result : Result
        The account that followed it; it begins with the bar of the first decision.
    weights : pandas.DataFrame
        Target weights at each rebalance, decided at that bar's close (times UTC), a column a symbol; a row of NaN where
        none were found and the holdings stayed.
    rebalances : pandas.DataFrame
        A row a rebalance: ``symbols`` in the fit; ``effective``, effective number of holdings (1 / sum of squared
        weights); ``largest`` weight; ``traded``, half of what was traded before the next one, over equity at the
        decision; ``ex_ante``, volatility a year of these weights in their training window; ``realised``, that of the
        account until the next rebalance.
    notes : tuple of str
        Rebalances without weights and symbols left out, with dates.
    """

    allocator: Allocator
    result: Result = field(repr=False)
    weights: pd.DataFrame = field(repr=False)
    rebalances: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def returns(self) -> pd.Series:
        """Simple return of each traded bar; the first is measured from the starting cash."""
        return returns_from_cash(self.result).rename(self.allocator.label)

    @cached_property
    def figures(self) -> dict[str, float]:
        """The history's row of `PortfolioComparison.table`, less what needs the benchmark."""
        r, year, table = self.returns.to_numpy(), self.result.bars.periods_per_year, self.rebalances
        realised, promised = float(p.volatility(r, year)), float(np.sqrt((table["ex_ante"] ** 2).mean()))
        return {
            **{name: float(CRITERIA[name](r, year)) for name in ("sharpe", "cagr", "max_drawdown")},
            "volatility": realised,
            "ex_ante": promised,
            "risk_ratio": realised / promised,
            "turnover": float(self.result.stats["turnover"]),
            "cost_drag": float(self.result.stats["cost_drag"]),
            "effective": float(table["effective"].mean()),
            "kept": float(self.weights.isna().all(axis=1).sum()),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class PortfolioComparison:
    """Allocators that traded the same bars on the same terms, each beside equal weight.

    Parameters
    ----------
    bars : Bars
        The whole history.
    terms : Terms
        Costs, execution, cash, account and band.
    train, rebalance, anchored
        As of `portfolio_walk_forward`.
    portfolios : mapping of str to Portfolio
        By the allocator's label; equal weight comes first.
    confidence : float
        Of the intervals.
    reps, seed : int
        Resamples of intervals and tests, and what their random numbers start from.
    entered : Entered
        What the ledger knows of such studies on these bars.
    """

    bars: Bars = field(repr=False)
    terms: Terms
    train: int
    rebalance: int
    anchored: bool
    portfolios: Mapping[str, Portfolio] = field(repr=False)
    confidence: float = 0.95
    reps: int = 1000
    seed: int = 0
    entered: Entered = field(default_factory=Entered, repr=False)

    def __getitem__(self, label: str) -> Portfolio:
        return self.portfolios[label]

    @property
    def trials(self) -> int:
        """How many allocators were compared, the benchmark included."""
        return len(self.portfolios)

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Simple return of each traded bar, a column an allocator."""
        return pd.concat([portfolio.returns for portfolio in self.portfolios.values()], axis=1)

    @cached_property
    def equity(self) -> pd.DataFrame:
        """Account value at each close from the first decision on, in account currency, a column an allocator."""
        return pd.DataFrame({label: portfolio.result.equity for label, portfolio in self.portfolios.items()})

    @property
    def latest(self) -> pd.DataFrame:
        """Target weights of the last rebalance, a row a symbol and a column an allocator; NaN where none were found."""
        return pd.DataFrame({label: portfolio.weights.iloc[-1] for label, portfolio in self.portfolios.items()})

    @property
    def effective(self) -> pd.DataFrame:
        """Effective number of holdings at each rebalance, a column an allocator; NaN where no weights were found."""
        return pd.DataFrame({label: made.rebalances["effective"] for label, made in self.portfolios.items()})

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row an allocator, after costs.

        ``sharpe``, ``cagr``, ``max_drawdown``, ``volatility``; ``ex_ante``, root mean square of the volatilities the
        weights had in their training windows; ``risk_ratio``, volatility over that; ``turnover`` and ``cost_drag`` a
        year; ``effective``, mean effective number of holdings; ``kept``, rebalances without new weights;
        ``difference``, Sharpe ratio less that of equal weight, with the bounds ``low`` and ``high`` of its bootstrap
        interval, in which both histories are resampled together (NaN for equal weight itself).
        """
        rows = {label: portfolio.figures for label, portfolio in self.portfolios.items()}
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("allocator")
        bounds = {label: self._difference(label) for label in self._others}
        apart = pd.DataFrame.from_dict(bounds, orient="index", columns=["difference", "low", "high"])
        return table.join(apart.reindex(table.index)).astype({"kept": int})

    @property
    def _others(self) -> list[str]:
        return [label for label in self.portfolios if label != BENCHMARK]

    def _difference(self, label: str) -> tuple[float, float, float]:
        """Sharpe ratio of one allocator less that of equal weight, and bounds of it."""
        both, year = self.returns[[label, BENCHMARK]].to_numpy(), self.bars.periods_per_year

        def apart(places: FloatArray) -> FloatArray:
            rows = places.astype(np.intp)
            mine, theirs = (p.sharpe_ratio(both[rows, column], year) for column in (0, 1))
            return np.asarray(mine - theirs)

        # Bar numbers are resampled in place of returns, so that both histories are drawn at the same bars.
        found = bootstrap_interval(
            np.arange(len(both), dtype=np.float64), apart, self.confidence, self.reps, self.block,
            seed=self.seed,
        )  # fmt: skip
        return found.estimate, found.low, found.high

    @cached_property
    def block(self) -> float:
        """Mean length of the blocks that intervals and tests draw, in bars; NaN with no other allocator.

        A Sharpe ratio is made of the mean and the spread, so the length is the longer of two medians: that for the
        differences to equal weight, and that for the squares of all returns, which come in clusters.
        """
        if not self._others:
            return float("nan")
        returns = self.returns.to_numpy()
        lengths = [optimal_block_length(part).stationary for part in (returns[:, 1:] - returns[:, :1], returns**2)]
        varied = [found[np.isfinite(found)] for found in lengths]  # none for what never differs from equal weight
        return max([1.0, *(float(np.median(found)) for found in varied if found.size)])

    @cached_property
    def tests(self) -> Mapping[str, float]:
        """P-values of there being no allocator better than equal weight, with all of them counted as tries.

        ``reality_check`` (White, 2000) and ``spa`` (Hansen, 2005, consistent) of the mean return; ``spa_same_risk``,
        the latter with every history scaled to the volatility of equal weight, which is known only afterwards: the test
        of the Sharpe ratio. NaN with no other allocator.
        """
        if not self._others:
            return dict.fromkeys(("reality_check", "spa", "spa_same_risk"), float("nan"))
        mine, theirs = self.returns[self._others], self.returns[BENCHMARK]
        drawn: dict[str, Any] = {"reps": self.reps, "block": self.block, "seed": self.seed}
        level = mine * (p.volatility(theirs.to_numpy(), 1.0) / p.volatility(mine.to_numpy(), 1.0))
        return {
            "reality_check": reality_check(mine, theirs, **drawn).p_value,
            "spa": spa_test(mine, theirs, **drawn).consistent,
            "spa_same_risk": spa_test(level, theirs, **drawn).consistent,
        }

    @property
    def best(self) -> str:
        """The label of the highest Sharpe ratio."""
        return str(self.table["sharpe"].idxmax())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before believing the figures."""
        common = dict.fromkeys(note for made in self.portfolios.values() for note in made.result.notes)
        own = [f"{label}: {note}" for label, made in self.portfolios.items() for note in made.notes]
        return (MORE_TRIALS, *self.entered.remarks, *common, *own)

    def facts(self) -> Facts:
        """The comparison with equal weight, then each allocator; how many were compared comes first."""
        figures = self.table.to_dict("index")
        rows = [
            Fact(f"{name}_{label}", float(figures[label][name]), unit, f"{title}, {label}", why)
            for label in self.portfolios
            for name, unit, title, why in _FIGURES
        ]
        return self._verdict.adding(rows)

    @cached_property
    def _verdict(self) -> Facts:
        """The facts that are of no single allocator."""
        index, best = self.returns.index, self.best
        row = self.table.to_dict("index")[best]
        stated = (
            *lead(
                self.trials,
                "allocators compared on these bars, equal weight included",
                self.terms,
                self.bars,
                self.entered.deflated(self.portfolios[best].returns),
            ),
            Fact("symbols", ", ".join(self.bars.symbols), "text", "Symbols"),
            Fact("period", f"{index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}", "text", "Out-of-sample period"),
            Fact("window", f"{self.train} bars, {'growing' if self.anchored else 'rolling'}", "text", "Fitted on"),
            Fact("rebalance", self.rebalance, "bars", "Fitted anew every (bars)"),
            Fact("best", best, "text", "Highest Sharpe ratio"),
        )
        interval = [Fact(name, float(row[name]), "ratio", label, why) for name, label, why in _INTERVAL]
        tests = [Fact(name, self.tests[name], "fraction", label, why) for name, label, why in _TESTS]
        return Facts("Portfolios against equal weight", (*stated, *interval, *tests), self.notes)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        # People have `table` for the allocators; machines get every figure.
        return {**self.facts()._repr_mimebundle_(**options), "text/html": self._verdict.to_html()}

    def __repr__(self) -> str:
        sharpes = ", ".join(f"{label} {sharpe:.2f}" for label, sharpe in self.table["sharpe"].items())
        return f"PortfolioComparison({len(self.bars.symbols)} symbols, {self.trials} allocators; Sharpe {sharpes})"


_INTERVAL: Final = (
    ("difference", "Its Sharpe ratio less that of equal weight", "of the out-of-sample returns after costs"),
    ("low", "Lower bound of the difference",
     "stationary bootstrap, both histories drawn together; too high for the best, which was chosen afterwards"),
    ("high", "Upper bound of the difference",
     "stationary bootstrap, both histories drawn together; too high for the best, which was chosen afterwards"),
)  # fmt: skip
_TESTS: Final = (
    ("reality_check", "Reality check, p-value", "White (2000): no allocator has a higher mean return"),
    ("spa", "Superior predictive ability, p-value", "Hansen (2005), consistent: the same question, studentised"),
    ("spa_same_risk", "The same at equal volatility, p-value",
     "histories scaled to the volatility of equal weight, as known afterwards: no allocator has a higher Sharpe ratio"),
)  # fmt: skip
_FIGURES: Final[tuple[tuple[str, Unit, str, str], ...]] = (
    ("sharpe", "ratio", LABELS["sharpe"], p.DEFINITIONS["sharpe"]),
    ("cagr", "fraction", LABELS["cagr"], p.DEFINITIONS["cagr"]),
    ("max_drawdown", "fraction", LABELS["max_drawdown"], p.DEFINITIONS["max_drawdown"]),
    ("turnover", "ratio", LABELS["turnover"], DEFINITIONS["turnover"]),
    ("cost_drag", "fraction", LABELS["cost_drag"], DEFINITIONS["cost_drag"]),
    ("effective", "ratio", "Effective holdings", "1 / sum of squared target weights, mean of all rebalances"),
    ("risk_ratio", "ratio", "Realised over expected volatility",
     "volatility realised / root mean square of those the weights had in their training windows"),
)  # fmt: skip
