"""The spread of histories that come of fitting on every choice of groups of bars and joining what was tested."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.engine import backtest, check_bars, resolve
from qtw_lab.backtest.plan import planned
from qtw_lab.backtest.sweep import check_kind, parse_bytes
from qtw_lab.backtest.terms import Terms
from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.core import Bars, DataError, Fact, Facts, lookup
from qtw_lab.ledger import Account, Costs, Entry, Sizing, Stops
from qtw_lab.research.choosing import CRITERIA, ONE_TRIAL, best_row, lead
from qtw_lab.research.studies import Entered, entered, grid_of, study
from qtw_lab.stats import performance as p
from qtw_lab.stats.splits import CombinatorialPurgedCV
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]
Strategies = Strategy | type[Strategy] | str

#: What the ledger calls such a study.
KIND: Final = "combinatorial"


@dataclass(frozen=True, eq=False, kw_only=True)
class CombinatorialResult:
    """The histories that come of fitting on every choice of groups of bars and joining what was tested.

    Parameters
    ----------
    strategy, bars, terms, metric
        As of `WalkForwardResult`.
    paths : pandas.DataFrame
        Simple returns (T, n_paths) of each joined history; its bars are those from which every combination can decide.
    choices : pandas.DataFrame
        A row a split: ``groups`` tested, the chosen parameters by name, ``in_sample`` (the metric of the training bars)
        and ``out_of_sample`` (of the test bars).
    trials : int
        How many combinations were backtested.
    entered : Entered
        What the ledger knows of such studies on these bars.
    """

    strategy: Strategy
    bars: Bars = field(repr=False)
    terms: Terms
    metric: str
    paths: pd.DataFrame = field(repr=False)
    choices: pd.DataFrame = field(repr=False)
    trials: int
    entered: Entered = field(default_factory=Entered, repr=False)

    @cached_property
    def sharpes(self) -> pd.Series:
        """Sharpe ratio a year of each path; NaN for one that never traded."""
        return pd.Series(p.sharpe_ratio(self.paths, self.bars.periods_per_year), name="sharpe")

    @property
    def middle(self) -> pd.Series:
        """Returns of the path whose Sharpe ratio is the (lower) median; of the first if none is defined."""
        ranked = self.sharpes.sort_values().dropna()
        return self.paths[ranked.index[(len(ranked) - 1) // 2] if len(ranked) else self.paths.columns[0]]

    def facts(self) -> Facts:
        """The spread of the paths' Sharpe ratios; the number of trials comes first."""
        found = self.sharpes.dropna()
        low, middle, high = (float(found.quantile(q)) if len(found) else float("nan") for q in (0.05, 0.5, 0.95))
        stated = lead(
            self.trials, "combinations, each backtested once on all bars", self.terms, self.bars,
            self.entered.deflated(self.middle),
        )  # fmt: skip
        figures = (
            Fact("splits", len(self.choices), "count", "Splits"),
            Fact("paths", self.paths.shape[1], "count", "Paths", "joined histories; they share bars and fits"),
            Fact("median_sharpe", middle, "ratio", "Median Sharpe ratio of the paths"),
            Fact("low_sharpe", low, "ratio", "5% quantile of them"),
            Fact("high_sharpe", high, "ratio", "95% quantile of them"),
            Fact("negative_paths", float((found < 0).mean()) if len(found) else None, "fraction", "Paths below zero"),
        )
        notes = (
            ONE_TRIAL,
            *self.entered.remarks,
            "fits also saw bars after their test: the paths show how sure a choice is, not what could have been earned",
            *(("no costs: real trading is dearer",) if self.terms.costs.free else ()), *self.bars.notes,
        )  # fmt: skip
        return Facts(f"Combinatorial validation of {self.strategy.name}", (*stated, *figures), notes)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**options)


def combinatorial(  # noqa: PLR0913  (the arguments of a backtest, and how to cut)
    strategy: Strategies,
    bars: Bars,
    grid: Mapping[str, Iterable[Any]],
    cv: CombinatorialPurgedCV | None = None,
    *,
    where: Callable[..., bool] | None = None,
    metric: str = "sharpe",
    costs: Costs | None = None,
    sizing: Sizing | None = None,
    execution: str = "next_open",
    cash: float = 100_000.0,
    stops: Stops | None = None,
    leverage: float = 1.0,
    account: Account | None = None,
    entry: Entry | None = None,
    participation: float = 0.0,
    memory_limit: str | int = "1GB",
    ledger: TrialLedger | None = None,
) -> CombinatorialResult:
    """The spread of a strategy's Sharpe ratio over the joined histories of combinatorial purged cross-validation.

    Every combination is backtested once over all bars, in one account for all symbols. In each split the one with the
    best `metric` of its returns on the training bars (the blocks joined) is chosen, and its returns on the test groups
    become part of the paths. A decision depends on the bars up to it alone, so a re-fit is a choice among the same
    histories; what this leaves out is that a live account would trade from one choice's position into the next one's.

    Parameters
    ----------
    strategy, bars, grid, where, metric, costs, sizing, execution, cash, stops, leverage, account, entry, participation
        As in `walk_forward`.
    cv : CombinatorialPurgedCV
        How to cut the bars from which every combination can decide (the longest warm-up is left out). By default six
        groups by two, a label of one bar, since what is decided at a close is earned in the next bar, and an embargo
        of a hundredth.
    memory_limit : str or int
        Most memory for the returns of all combinations, such as "256MB", or bytes.
    ledger : TrialLedger, optional
        As in `walk_forward`.

    Returns
    -------
    CombinatorialResult
        Paths, their Sharpe ratios, and the choice of each split.

    Raises
    ------
    DataError
        If the returns do not fit the memory limit, the bars are too few, or no combination traded in some training set.

    Notes
    -----
    Lopez de Prado, "Advances in Financial Machine Learning" (2018), section 12.4.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> closes = 10 + np.sin(np.arange(80) / 3) + np.arange(80) / 50
    >>> df = pd.DataFrame({"close": closes}, index=pd.date_range("2024-01-02", periods=80))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> combinatorial("sma_cross", bars, {"fast": [1, 2], "slow": [4, 8]}).paths.shape
    (73, 5)
    """
    chosen = resolve(strategy)
    terms = Terms.given(
        costs, sizing, execution, cash, stops, leverage, account=account, entry=entry, participation=participation
    )
    check_kind(bars)
    lookup(metric, CRITERIA, "metric to choose by")
    cuts = CombinatorialPurgedCV(label_horizon=1, embargo=0.01) if cv is None else cv
    if not isinstance(cuts, CombinatorialPurgedCV):
        raise DataError(f"cv={cuts!r:.60} must be made with CombinatorialPurgedCV(...).")
    plan = planned(chosen, grid, where)
    check_bars(plan.longest, bars)
    room, needed = parse_bytes(memory_limit), len(plan) * len(bars) * 8
    if needed > room:
        raise DataError(
            f"The returns of {len(plan):,} combinations over {len(bars):,} bars take {needed / 1e6:,.0f} MB, more than "
            f"memory_limit={memory_limit!r}. Coarsen the grid or raise the limit."
        )
    start = plan.longest.warmup
    tried = [plan.one(place) for place in range(len(plan))]
    returns = np.column_stack([backtest(one, bars, **terms.arguments).returns.to_numpy()[start:] for one in tried])
    paths, rows = _recombined(returns, cuts, metric, bars.periods_per_year)
    choices = pd.DataFrame(
        [
            {"groups": groups} | {n: getattr(tried[best], n) for n in plan.names} | scores
            for groups, best, scores in rows
        ]
    )
    named = pd.DataFrame(paths, index=bars.index[start:], columns=pd.RangeIndex(cuts.n_paths, name="path"))
    found = CombinatorialResult(
        strategy=chosen, bars=bars, terms=terms, metric=metric, paths=named, choices=choices, trials=len(plan)
    )
    said = {"grid": {name: list(map(repr, values)) for name, values in zip(plan.names, plan.values, strict=True)}}
    whole = study(bars, KIND, chosen.name, {**said, "metric": metric, "cuts": repr(cuts)}, found.middle, terms)
    known = entered(bars, KIND, [whole], [grid_of(plan, bars, terms, "combinatorial_grid")], ledger)
    return replace(found, entered=known)


def _recombined(
    returns: FloatArray, cv: CombinatorialPurgedCV, metric: str, year: float
) -> tuple[FloatArray, list[tuple[tuple[int, ...], int, dict[str, float]]]]:
    """The paths (T, n_paths), and for each split its test groups, the column chosen and what that was worth."""
    rows = []
    for (train, test), groups in zip(cv.split(returns), cv.test_groups, strict=True):
        inside = np.asarray(CRITERIA[metric](returns[train], year))
        best = best_row(inside[:, None])
        if best is None:
            raise DataError(
                f"{metric} is not defined for any combination on the training bars of the split that tests groups "
                f"{groups.tolist()}: none traded. Widen the grid or give more bars."
            )
        scores = {
            "in_sample": float(inside[best]), "out_of_sample": float(CRITERIA[metric](returns[test, best], year)),
        }  # fmt: skip
        rows.append((tuple(groups.tolist()), best, scores))
    paths = np.empty((len(returns), cv.n_paths))
    for group, bars in enumerate(cv.groups(returns)):
        for path, split in enumerate(cv.paths()[:, group]):
            paths[bars, path] = returns[bars, rows[split][1]]
    return paths, rows
