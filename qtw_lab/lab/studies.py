"""The research a lab does: each method passes the lab's own ledger on and writes down what came of it."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from qtw_lab.core import Bars, Facts
from qtw_lab.lab import records, remaking

if TYPE_CHECKING:
    import pandas as pd

    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep
    from qtw_lab.backtest.trial_ledger import TrialLedger
    from qtw_lab.research.combinatorial import CombinatorialResult
    from qtw_lab.research.factors import FactorStudy
    from qtw_lab.research.portfolio_comparison import PortfolioComparison
    from qtw_lab.research.screener import Movers, Screen
    from qtw_lab.research.validation import ValidationReport
    from qtw_lab.research.walkforward import WalkForwardResult
    from qtw_lab.runs import Registry
    from qtw_lab.strategies import Strategy


class Studies(abc.ABC):
    """The methods of `Lab` that ask whether an edge is real."""

    @property
    @abc.abstractmethod
    def trials(self) -> TrialLedger:
        """The ledger that counts every configuration tried."""

    @property
    @abc.abstractmethod
    def registry(self) -> Registry:
        """The record of every run."""

    @abc.abstractmethod
    def bars(self, symbols: str | Iterable[str], start: Any = None, end: Any = None, *args: Any, **kwargs: Any) -> Bars:
        """Prices."""

    def validate(self, subject: Result | Sweep | str, **options: Any) -> ValidationReport:
        """The verdict on a backtest or sweep: supported, fragile, or not distinguishable from luck.

        What is judged counts as tried from now on if it did not before; the verdict is recorded as a run of its own.

        Parameters
        ----------
        subject : Result, Sweep or str
            What to judge; a text is the id of a recorded backtest or sweep, which is made again first.
        **options
            As `research.validate`.

        Raises
        ------
        DataError
            As `research.validate`, or if a recorded run cannot be made again.
        """
        from qtw_lab.research.validation import validate

        run = self.registry.get(subject) if isinstance(subject, str) else None
        made = remaking.made_again(run, self.bars) if run is not None else subject
        chosen = {"ledger": self.trials} | options
        report = validate(_entered(made, chosen["ledger"]), **chosen)
        said = {"verdict": report.verdict, "judged": None if run is None else run.id, "options": _said(options)}
        settings = records.settings_of(report.result) | said
        name = report.result.strategy.name
        self.registry.record("validation", name, report.facts(), settings, records.uses(report.result.bars))
        return report

    def made_again(self, run: str) -> Result | Sweep:
        """The recorded backtest or sweep with this id, made again from its record.

        Raises
        ------
        DataError
            If there is no such run, or it cannot be made again: its bars changed, or its strategy is not bundled.
        """
        return remaking.made_again(self.registry.get(run), self.bars)

    def walk_forward(self, strategy: str | Strategy | type[Strategy], bars: Bars, **options: Any) -> WalkForwardResult:
        """Parameters chosen on the past and traded on what came after, as `research.walkforward.walk_forward`."""
        from qtw_lab.research.walkforward import walk_forward

        found = walk_forward(strategy, bars, **{"ledger": self.trials} | options)
        self._keep("walk_forward", found.strategy.name, found.facts(), bars)
        return found

    def combinatorial(
        self,
        strategy: str | Strategy | type[Strategy],
        bars: Bars,
        grid: Mapping[str, Iterable[Any]],
        cv: Any = None,
        **options: Any,
    ) -> CombinatorialResult:
        """The spread of histories of combinatorial cross-validation, as `research.combinatorial.combinatorial`."""
        from qtw_lab.research.combinatorial import combinatorial

        found = combinatorial(strategy, bars, grid, cv, **{"ledger": self.trials} | options)
        self._keep("combinatorial", found.strategy.name, found.facts(), bars)
        return found

    def factor_study(self, factor: Any, bars: Bars, **options: Any) -> FactorStudy:
        """A factor from end to end, as `research.factors.factor_study`."""
        from qtw_lab.research.factors import factor_study

        found = factor_study(factor, bars, **{"ledger": self.trials} | options)
        self._keep("factor", found.name, found.facts(), bars)
        return found

    def portfolios(self, bars: Bars, allocators: Any = None, **options: Any) -> PortfolioComparison:
        """Ways to divide money, fitted on the past and traded, as `research.portfolios.portfolio_walk_forward`."""
        from qtw_lab.research.portfolios import portfolio_walk_forward

        chosen = {} if allocators is None else {"allocators": allocators}
        found = portfolio_walk_forward(bars, **{"ledger": self.trials} | chosen | options)
        self._keep("portfolio", "allocators", found.facts(), bars)
        return found

    def _keep(self, kind: str, name: str, facts: Facts, bars: Bars) -> None:
        """Write a study down as a run."""
        self.registry.record(kind, name, facts, {"symbols": list(bars.symbols)}, records.uses(bars))

    def screen(self, bars: Bars, columns: Any = None, **options: Any) -> Screen:
        """Symbols ranked by what the market pages show, as `research.screener.screen`."""
        from qtw_lab.research.screener import screen

        return screen(bars, columns, **options)

    def top_movers(self, bars: Bars, count: int = 10, window: int = 1, **options: Any) -> Movers:
        """Gainers, losers, most active, gaps and new extremes, as `research.screener.top_movers`."""
        from qtw_lab.research.screener import top_movers

        return top_movers(bars, count, window, **options)

    def tried(self) -> pd.DataFrame:
        """Every configuration ever tried, counted by data and strategy."""
        return self.trials.table()


def _entered(made: Any, ledger: TrialLedger | None) -> Any:
    """The backtest or sweep, counted in the ledger; anything else as it is, for `validate` to refuse."""
    from qtw_lab.backtest.counting import counted_sweep
    from qtw_lab.backtest.recording import counted
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep

    if ledger is not None and isinstance(made, Result):
        return counted(made, ledger)
    return counted_sweep(made, ledger) if ledger is not None and isinstance(made, Sweep) else made


def _said(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options in plain values, for the record."""
    return {name: remaking.plain(value) for name, value in options.items() if name != "ledger"}
