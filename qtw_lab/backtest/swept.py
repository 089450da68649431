"""`Sweep`: the outcome of trying many combinations, and how honestly it was come by."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from qtw_lab.backtest.checkpoints import Span
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.plan import Plan
from qtw_lab.backtest.result import Result
from qtw_lab.backtest.spotcheck import Sampling, SpotCheck, spot_check
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, Fact, Facts, lookup
from qtw_lab.strategies import Strategy

if TYPE_CHECKING:
    from qtw_lab.backtest.trial_ledger import TrialLedger
    from qtw_lab.backtest.tried import Tried

#: Combinations whose parameters are spelled out together.
_STRETCH = 65_536


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """The outcome of a sweep or a search.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a combination (and symbol, for strategies that trade each symbol alone), one column a metric; the index
        levels are the parameters and "symbol". With `top` only the best rows, best first.
    strategy : Strategy
        Defaults for the parameters that did not vary.
    bars : Bars
        What was traded.
    terms : Terms
        Costs, sizing, execution, cash and stops.
    evaluated : {"columns", "one by one"}
        How the strategy was evaluated: as parameter columns, or once a combination.
    names : tuple of str
        The parameters that varied.
    trials : int
        How many rows were evaluated, kept or not; it belongs beside every figure picked from the table.
    planned : int
        How many were to be; more than `trials` if the sweep was interrupted.
    top : int or None
        How many rows were kept; None for all.
    by : str
        The metric that ranks rows where no other is named.
    sampling : Sampling
        Which rows the reference engine runs again.
    remarks : tuple of str
        What a reader must know of how the rows came about.
    ledger : TrialLedger or None
        What counts the trials on these bars; without one, only this sweep's are known.
    plan, spans
        Every combination there was to be, and which of them were evaluated (None for all).
    """

    table: pd.DataFrame
    strategy: Strategy
    bars: Bars
    terms: Terms
    evaluated: str
    names: tuple[str, ...] = field(repr=False)
    trials: int
    planned: int
    by: str
    top: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    remarks: tuple[str, ...] = ()
    plan: Plan = field(repr=False)
    spans: tuple[Span, ...] | None = field(default=None, repr=False)
    ledger: TrialLedger | None = field(default=None, repr=False)

    def tried(self) -> Iterator[tuple[Any, ...]]:
        """The index entry of every row that was evaluated, whether `top` kept it or not."""
        symbols = self.bars.symbols if "symbol" in self.table.index.names else None
        for block in self.plan.blocks(_STRETCH, self.spans):
            codes = self.plan.codes(np.arange(block.start, block.stop))
            for chosen in zip(*(code.tolist() for code in codes), strict=True):
                key = tuple(self.plan.named(chosen).values())
                yield from ((*key, symbol) for symbol in symbols) if symbols else (key,)

    @property
    def partial(self) -> bool:
        """Whether it was interrupted before every row was evaluated."""
        return self.trials < self.planned

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before believing the best row."""
        luck = f"the best of {self.trials:,} looks better than it is: part of it is luck; validate before believing it"
        cut = f"partial: {self.trials:,} of {self.planned:,} rows, the rest was interrupted"
        return (luck, *((cut,) if self.partial else ()), *self.remarks, *self.bars.notes)

    @cached_property
    def agreement(self) -> SpotCheck:
        """Whether a sample of the kept rows, run again by the reference engine, gives the same figures.

        The rows are drawn when the sweep ends and run when this is first asked for, here or by `facts`: the reference
        engine is slow, and always gives the same answer.
        """
        accounts = 1 if "symbol" in self.table.index.names else len(self.bars.symbols)
        return spot_check(self.table, lambda key: self._run(key, "reference"), self.sampling, len(self.bars) * accounts)

    def best(self, metric: str | None = None, count: int = 1) -> pd.DataFrame:
        """The `count` rows with the highest value of `metric` (by default `by`); undefined values never win.

        Rows of equal value come in the order of the table.

        Raises
        ------
        DataError
            If the sweep did not compute that metric, kept only the best rows by another, or it is defined nowhere.
        """
        name = self.by if metric is None else metric
        columns: dict[str, pd.Series] = {str(column): self.table[column] for column in self.table.columns}
        column = lookup(name, columns, "metric of this sweep")
        if self.top is not None and name != self.by:
            raise DataError(
                f"This sweep kept only the best {self.top:,} rows by {self.by}; the best by {name} may not be among "
                f"them. Sweep again with by={name!r}, or without top=."
            )
        defined = column.notna().to_numpy()
        if not defined.any():
            raise DataError(f"{name} is not defined for any row: no combination traded. Widen the grid or the dates.")
        order = np.argsort(-column.to_numpy(dtype=float), kind="stable")  # undefined ones come last
        return self.table.iloc[order[: min(count, int(defined.sum()))]]

    def pareto(self, metrics: Sequence[str]) -> pd.DataFrame:
        """The rows no other row beats: none is at least as high in all of `metrics` and higher in one.

        Rows in which one of them is undefined are left out; of several that are equal in all, each is kept.

        Raises
        ------
        DataError
            If the sweep did not compute them, or kept only the best rows by one.
        """
        if self.top is not None:
            raise DataError(
                f"This sweep kept only the best {self.top:,} rows; a Pareto front needs all. Leave out top=."
            )
        known = {str(column): column for column in self.table.columns}
        if isinstance(metrics, str) or not metrics:
            raise DataError(
                f"A Pareto front needs metrics as a list, such as ['sharpe', 'max_drawdown'], not {metrics!r}."
            )
        chosen = self.table[[lookup(name, known, "metric of this sweep") for name in metrics]].to_numpy(dtype=float)
        return self.table.iloc[undominated(chosen)]

    def result(self, row: Any) -> Result:
        """The full backtest of one row.

        Parameters
        ----------
        row : tuple, scalar or pandas.Series
            An index entry of `table`, such as ``s.best("sharpe").index[0]``, or a row of it.

        Raises
        ------
        DataError
            If there is no such row.
        """
        return self._run(row.name if isinstance(row, pd.Series) else row, "kernel")

    def _run(self, row: Hashable, engine: str) -> Result:
        names = [str(name) for name in self.table.index.names]
        key = row if isinstance(row, tuple) else (row,)
        if len(key) != len(names) or not self._has(key):
            raise DataError(f"{row!r} is not a row of this sweep; its index levels are {names}.")
        values: dict[str, Any] = dict(zip(names, key, strict=True))
        bars = self.bars.select(str(values.pop("symbol"))) if "symbol" in values else self.bars
        found = backtest(self.strategy.replaced(**values), bars, engine=engine, **self.terms.arguments)
        return replace(found, ledger=self.ledger, chosen_on=self.bars.fingerprint)

    def _has(self, key: tuple[Any, ...]) -> bool:
        try:
            return key in self.table.index
        except TypeError:  # something that cannot be looked up, such as a list
            return False

    def returns(self, top: int = 100, metric: str | None = None) -> pd.DataFrame:
        """Per-bar returns of the `top` rows by `metric`, (T, K); NaN where a row's own symbol has no bar.

        By default the metric is the first column, or `by` if only the best rows were kept.

        Raises
        ------
        DataError
            As `best`.
        """
        ranked = metric or (str(self.table.columns[0]) if self.top is None else self.by)
        return self.returns_of(self.best(ranked, top).index)

    def returns_of(self, rows: pd.Index) -> pd.DataFrame:
        """Per-bar returns of rows of the table, (T, K); NaN where a row's own symbol has no bar.

        Parameters
        ----------
        rows : pandas.Index
            Entries of the table's index.

        Raises
        ------
        DataError
            If one is not a row of this sweep.
        """
        from qtw_lab.backtest.equities import returns_of

        keys = [row if isinstance(row, tuple) else (row,) for row in rows]
        if unknown := [key for key in keys if not self._has(key)]:
            raise DataError(
                f"{unknown[0]!r} is not a row of this sweep; its levels are {list(self.table.index.names)}."
            )
        by_symbol = "symbol" in self.table.index.names
        found = np.full((len(self.bars), len(keys)), np.nan)
        for symbol in dict.fromkeys(key[-1] for key in keys) if by_symbol else [None]:
            mine = [k for k, key in enumerate(keys) if symbol is None or key[-1] == symbol]
            bars = self.bars if symbol is None else self.bars.select(symbol)
            strategies = [self._strategy(keys[k]) for k in mine]
            rows_of = np.flatnonzero(self.bars.index.isin(bars.index))
            found[rows_of[:, None], mine] = returns_of(strategies, bars, self.terms)
        return pd.DataFrame(found, index=self.bars.index, columns=rows)

    def _strategy(self, key: tuple[Any, ...]) -> Strategy:
        values = dict(zip(map(str, self.table.index.names), key, strict=True))
        values.pop("symbol", None)
        return self.strategy.replaced(**values)

    @cached_property
    def known(self) -> Tried:
        """What was tried on these bars so far: what the ledger knows, or this sweep alone."""
        from qtw_lab.backtest.batches import batches_of
        from qtw_lab.backtest.tried import Tried

        if self.ledger is not None:
            return self.ledger.tried(self.bars.fingerprint, self.bars.periods_per_year)
        return Tried.of([batches_of(self)[0].known], self.bars.periods_per_year)

    def facts(self, metric: str | None = None) -> Facts:
        """The best row and how it was found; the number of trials comes first.

        Parameters
        ----------
        metric : str, optional
            What is best; `by` if not given.
        """
        name = self.by if metric is None else metric
        winner = self.best(name)
        chosen = ", ".join(f"{n}={v}" for n, v in zip(winner.index.names, winner.index[0], strict=True))
        median = Fact(f"median_{name}", float(self.table[name].median()), "ratio", f"Median {name} of all rows")
        counted = self.ledger is not None
        returns = self.returns_of(winner.index[:1]).iloc[:, 0].dropna()
        lead = (
            *self.known.facts(returns),
            *((Fact("rows", self.trials, "count", "Of these in this sweep"),) if counted else ()),
            *((Fact("planned", self.planned, "count", "Of so many planned"),) if self.partial else ()),
            Fact("costs", self.terms.costs.describe(), "text", "Costs"),
            Fact("execution", self.terms.execution, "text", "Execution"),
            Fact("data_fingerprint", self.bars.fingerprint[:16], "text", "Data fingerprint"),
            Fact("best", chosen, "text", f"Best by {name}"),
            Fact(f"best_{name}", float(winner[name].iloc[0]), "ratio", f"Its {name}"),
            *((median,) if self.top is None else ()),
            Fact("agreement", self.agreement.text, "text", "Agreement of two engines"),
        )
        return Facts(f"Sweep of {self.strategy.name}", lead, self.notes)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        rows = (
            f"{self.trials:,} rows" if self.top is None else f"best {len(self.table):,} of {self.trials:,} by {self.by}"
        )
        cut = f"; partial: {self.trials:,} of {self.planned:,}" if self.partial else ""
        checked = vars(self).get("agreement")  # a repr starts no work
        waits = "none re-run" if self.sampling.verify == 0 else "not re-run yet, see .agreement"
        return (
            f"Sweep({self.strategy.name}: {rows} x {', '.join(map(str, self.table.columns))}{cut}; {checked or waits})"
        )


def undominated(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The rows of `values`, (R, M), that no other row is at least as high as everywhere and higher somewhere.

    Examples
    --------
    >>> undominated(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 1.0], [np.nan, 9.0]])).tolist()
    [0, 1]
    """
    left = np.flatnonzero(~np.isnan(values).any(axis=1))
    left = left[np.lexsort(-values[left].T[::-1])]  # by the first column downwards: what comes later never dominates
    front: list[int] = []
    while len(left):
        first, rest = left[0], left[1:]
        front.append(int(first))
        beaten = (values[rest] <= values[first]).all(axis=1) & (values[rest] < values[first]).any(axis=1)
        left = rest[~beaten]
    return np.sort(np.array(front, dtype=np.int64))
