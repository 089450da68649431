"""Parameters chosen on the past and traded on what came after, as somebody would have done who did not know it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.agreement import check
from qtw_lab.backtest.case import Case
from qtw_lab.backtest.engine import backtest, case_of, resolve, run_kernel
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.plan import planned
from qtw_lab.backtest.result import LABELS, Result
from qtw_lab.backtest.sweep import Sweep, check_kind, sweep
from qtw_lab.backtest.terms import Terms
from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.core import Bars, DataError, Fact, Facts, lookup
from qtw_lab.core.facts import Unit
from qtw_lab.ledger import Account, Costs, Entry, Sizing, Stops
from qtw_lab.research.choosing import CRITERIA, ONE_TRIAL, best_row, lead
from qtw_lab.research.studies import Entered, entered, grid_of, study
from qtw_lab.stats import performance as p
from qtw_lab.stats.splits import WalkForward
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
Strategies = Strategy | type[Strategy] | str

#: What the ledger calls such a study.
KIND: Final = "walk_forward"


@dataclass(frozen=True, eq=False, kw_only=True)
class WalkForwardResult:
    """What came of choosing parameters again and again and trading each choice on the bars that followed.

    Parameters
    ----------
    strategy : Strategy
        Gives the parameters that were not chosen.
    bars : Bars
        The whole history.
    terms : Terms
        Costs, sizing, execution, cash and stops.
    metric : str
        What parameters were chosen by.
    windows : pandas.DataFrame
        A row a window: ``train_start``, ``train_end``, ``test_start``, ``test_end`` (bars, all included), the chosen
        parameters by name, ``in_sample`` and ``out_of_sample`` (the metric of one account on the training bars, and on
        the test bars of the joined history), ``trials`` (rows of the sweep).
    result : Result
        The one account that traded all test bars; it begins with the bar before the first test bar, where the first
        decision falls.
    grid : mapping of str to tuple
        The values each parameter was chosen from.
    entered : Entered
        What the ledger knows of walk-forwards on these bars.
    """

    strategy: Strategy
    bars: Bars = field(repr=False)
    terms: Terms
    metric: str
    windows: pd.DataFrame = field(repr=False)
    result: Result = field(repr=False)
    grid: Mapping[str, tuple[Any, ...]]
    entered: Entered = field(default_factory=Entered, repr=False)

    @property
    def trials(self) -> int:
        """How many backtests the parameters were chosen from, all windows together."""
        return int(self.windows["trials"].sum())

    @cached_property
    def equity(self) -> pd.Series:
        """Account value at the close of each test bar, in account currency, compounded across windows."""
        return self.result.equity.iloc[1:]

    @cached_property
    def returns(self) -> pd.Series:
        """Simple return of each test bar; the first is measured from the starting cash."""
        return returns_from_cash(self.result)

    @cached_property
    def efficiency(self) -> float:
        """Mean out-of-sample metric over mean in-sample metric, of the windows where both are defined.

        1 if nothing was lost out of sample, below 0 if a gain became a loss; NaN where the in-sample mean is not above
        0, since no share of it means anything. Pardo, "The Evaluation and Optimization of Trading Strategies" (2008),
        with the metric in place of his annual profit.
        """
        both = self.windows[["in_sample", "out_of_sample"]].dropna()
        promised = float(both["in_sample"].mean()) if len(both) else float("nan")
        return float(both["out_of_sample"].mean()) / promised if promised > 0 else float("nan")

    @cached_property
    def stability(self) -> pd.DataFrame:
        """How steady each parameter's choice was: a row a parameter.

        ``distinct``, how many values were ever chosen; ``changed``, share of window borders at which the choice
        changed; ``step``, mean change at a border in places of the grid, as a fraction of its length (0 if it never
        changed, 1 if it went from end to end each time). NaN with one window.
        """
        rows = {}
        for name, values in self.grid.items():
            places = np.array([values.index(value) for value in self.windows[name]])
            moves = np.abs(np.diff(places))
            length = max(len(values) - 1, 1)
            rows[name] = {
                "distinct": len(set(places.tolist())),
                "changed": float(np.mean(moves > 0)) if len(moves) else float("nan"),
                "step": float(np.mean(moves) / length) if len(moves) else float("nan"),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before believing the figures."""
        return (ONE_TRIAL, *self.entered.remarks, *self.result.notes)

    @cached_property
    def stats(self) -> pd.Series:
        """The figures of `facts` that are numbers, by name."""
        return pd.Series({fact.name: fact.value for fact in self._figures}, dtype=float, name=self.strategy.name)

    def facts(self) -> Facts:
        """The out-of-sample figures and how they were come by; the number of trials comes first."""
        span = f"{self.returns.index[0]:%Y-%m-%d} to {self.returns.index[-1]:%Y-%m-%d}"
        stated = (
            *lead(
                self.trials,
                "training backtests, all windows together",
                self.terms,
                self.bars,
                self.entered.deflated(self.returns),
            ),
            Fact("metric", self.metric, "text", "Chosen by"),
            Fact("symbols", ", ".join(self.bars.symbols), "text", "Symbols"),
            Fact("period", span, "text", "Out-of-sample period"),
        )
        return Facts(f"Walk-forward of {self.strategy.name}", (*stated, *self._figures), self.notes)

    @cached_property
    def _figures(self) -> tuple[Fact, ...]:
        r, year = self.returns.to_numpy(), self.bars.periods_per_year
        whole = self.result.stats
        rows: tuple[tuple[str, float, Unit, str], ...] = (
            ("windows", len(self.windows), "count", "training and test windows"),
            *((name, float(CRITERIA[name](r, year)), unit, p.DEFINITIONS[name]) for name, unit in _UNITS.items()),
            ("volatility", p.volatility(r, year), "fraction", p.DEFINITIONS["volatility"]),
            ("efficiency", self.efficiency, "ratio", f"mean {self.metric} out of sample / mean in sample"),
            ("parameter_changes", float(self.stability["changed"].mean()), "fraction",
             "share of window borders at which a parameter changed, mean of all parameters"),
            ("trades", float(whole["trades"]), "count", "positions opened, the one still open included"),
            ("costs_paid", float(whole["costs_paid"]), "money", "commission, slippage and holding costs"),
            ("final_equity", float(self.equity.iloc[-1]), "money", "cash and positions at the last close"),
            ("benchmark_return", float(whole["benchmark_return"]), "fraction",
             "equal parts of every symbol, bought before the first test bar and held, free of cost"),
        )  # fmt: skip
        return tuple(Fact(name, value, unit, LABELS.get(name, ""), why) for name, value, unit, why in rows)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        s = self.stats
        return (
            f"WalkForwardResult({self.strategy.name}: {len(self.windows)} windows by {self.metric}, {self.trials:,} "
            f"trials; out of sample total return {s['total_return']:.2%}, Sharpe {s['sharpe']:.2f}, "
            f"efficiency {self.efficiency:.2f})"
        )


def walk_forward(  # noqa: PLR0913  (the arguments of a sweep, and where to cut)
    strategy: Strategies,
    bars: Bars,
    *,
    grid: Mapping[str, Iterable[Any]],
    where: Callable[..., bool] | None = None,
    splits: WalkForward | None = None,
    train: int | None = None,
    test: int | None = None,
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
    workers: int = 2,
    ledger: TrialLedger | None = None,
) -> WalkForwardResult:
    """The out-of-sample history of a strategy whose parameters are chosen anew before each test window.

    For each window every combination of the grid is swept over the training bars alone, and the best one decides from
    the close of the bar before the test (whose orders fill in the test's first bar, as a live user would place them)
    to the close before the next test. It decides on the history from the first bar of all, so that no indicator starts
    blind, and trades only in test bars.

    All windows are traded by one account, as a live one would be: a position is carried over a border, and the new
    parameters change it only where they want another one. So equity compounds across windows, no window pays for
    entries it did not need, and with a one-point grid the history is that of a plain backtest which begins with
    the first test. Where a border changes the parameters, the account takes the stance (or weights) the new ones last
    decided, flat if they never decided.

    Parameters
    ----------
    strategy, grid, where, costs, sizing, execution, cash, stops, leverage, account, entry, participation
        As in `sweep`. With several symbols one set of parameters trades all of them in one account.
    bars : Bars
        (T, N) prices.
    splits : WalkForward
        Where training and test windows lie; the test blocks must join. Or give `train` and `test`.
    train, test : int
        Bars of a training and of a test window, for ``WalkForward(train, test)``.
    metric : {"sharpe", "sortino", "calmar", "cagr", "total_return", "max_drawdown"}
        What is highest in training is chosen; equal ones in the grid's order. A strategy that trades each symbol alone
        is ranked by the mean over the accounts of the symbols that have enough training bars for the longest warm-up;
        combinations undefined for a symbol that others trade are out.
    memory_limit, workers
        As in `sweep`.
    ledger : TrialLedger, optional
        Where the grid and the walk-forward are counted as tried; by default that of this machine.

    Returns
    -------
    WalkForwardResult
        Returns, equity, windows, trials and figures.

    Raises
    ------
    DataError
        If windows are missing or do not join, the history is too short for one, the metric is not known, or no
        combination traded in some training window.

    Notes
    -----
    Pardo, "The Evaluation and Optimization of Trading Strategies" (2008), chapter 11. A training sweep starts its
    account and its indicators with the first training bar.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> closes = 10 + np.sin(np.arange(80) / 3) + np.arange(80) / 50
    >>> df = pd.DataFrame({"close": closes}, index=pd.date_range("2024-01-02", periods=80))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> wf = walk_forward("sma_cross", bars, grid={"fast": [1, 2], "slow": [4, 8]}, train=40, test=20)
    >>> wf.windows[["fast", "slow", "trials"]].to_numpy().tolist()
    [[1, 4, 4], [1, 4, 4]]
    >>> len(wf.returns), wf.trials
    (40, 8)
    """
    chosen = resolve(strategy)
    terms = Terms.given(
        costs, sizing, execution, cash, stops, leverage, account=account, entry=entry, participation=participation
    )
    check_kind(bars)
    lookup(metric, CRITERIA, "metric to choose by")
    cuts = _joined(_windows(splits, train, test), bars)
    plan = planned(chosen, grid, where)
    listed = dict(zip(plan.names, plan.values, strict=True))
    fits = []
    for span, _ in cuts:
        training = _voters(chosen, _part(bars, *span), plan.longest.warmup)
        tried = sweep(
            chosen, training, grid=listed, where=where, metrics=(metric,), verify=0, memory_limit=memory_limit,
            workers=workers, **terms.arguments,
        )  # fmt: skip
        fits.append(_fit(tried, metric))
    result = _traded(bars, terms, [fit.strategy for fit in fits], [tested for _, tested in cuts])
    table = _table(bars, cuts, fits, metric, result, plan.names)
    said = {"grid": {name: list(map(repr, values)) for name, values in listed.items()}, "metric": metric}
    whole = study(bars, KIND, chosen.name, {**said, "cuts": repr(cuts)}, returns_from_cash(result), terms)
    known = entered(bars, KIND, [whole], [grid_of(plan, bars, terms, "walk_forward_grid")], ledger)
    return WalkForwardResult(
        strategy=chosen, bars=bars, terms=terms, metric=metric, windows=table, result=result, grid=listed,
        entered=known,
    )  # fmt: skip


_UNITS: Final[Mapping[str, Unit]] = {
    "total_return": "fraction", "cagr": "fraction", "sharpe": "ratio", "sortino": "ratio", "max_drawdown": "fraction",
    "calmar": "ratio",
}  # fmt: skip
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Fit:
    """What one training window chose, what that was worth there, and from how many rows it was chosen."""

    strategy: Strategy
    in_sample: float
    trials: int


def _windows(splits: WalkForward | None, train: int | None, test: int | None) -> WalkForward:
    """The splitter that was asked for, in one of the two ways."""
    if splits is None and train is not None and test is not None:
        return WalkForward(train, test)
    if train is not None or test is not None or not isinstance(splits, WalkForward):
        raise DataError("walk_forward needs splits=WalkForward(...), or train= and test= in bars; one of the two.")
    return splits


def _joined(splits: WalkForward, bars: Bars) -> list[tuple[Span, Span]]:
    """First bar and end of each training window and test block."""
    cuts = [
        ((int(train[0]), int(train[-1]) + 1), (int(test[0]), int(test[-1]) + 1)) for train, test in splits.split(bars)
    ]
    for (_, (_, end)), (_, (start, _)) in pairwise(cuts):
        if start != end:
            raise DataError(
                f"step={splits.step} and test_size={splits.test_size} leave test blocks that overlap or have gaps; one "
                "account cannot trade them. Leave out step, or make it test_size."
            )
    return cuts


def _part(bars: Bars, start: int, end: int) -> Bars:
    return bars.head(end).tail(end - start)


def _voters(strategy: Strategy, bars: Bars, warmup: int) -> Bars:
    """The symbols with enough training bars for every combination; all of them if none has."""
    enough = bars.present.sum(axis=0) >= max(2, warmup + 2)
    if strategy.scope != "symbol" or enough.all() or not enough.any():
        return bars
    return bars.select([symbol for symbol, known in zip(bars.symbols, enough, strict=True) if known])


def _fit(tried: Sweep, metric: str) -> _Fit:
    """The best combination of a training sweep."""
    if tried.partial:
        raise KeyboardInterrupt  # the sweep was told to stop; half a walk-forward would be another one
    place = best_row(tried.table[metric].to_numpy(dtype=float).reshape(len(tried.plan), -1))
    if place is None:
        raise DataError(
            f"{metric} is not defined for any combination from {tried.bars.index[0]:%Y-%m-%d} to "
            f"{tried.bars.index[-1]:%Y-%m-%d}: none traded. Widen the grid or lengthen the training windows."
        )
    chosen = tried.plan.one(place)
    returns = backtest(chosen, tried.bars, **tried.terms.arguments).returns.to_numpy()
    return _Fit(chosen, float(CRITERIA[metric](returns, tried.bars.periods_per_year)), tried.trials)


def _traded(bars: Bars, terms: Terms, chosen: Sequence[Strategy], tests: Sequence[Span]) -> Result:
    """One account that trades every test block by its own parameters, from the bar before the first."""
    first, end = tests[0][0] - 1, tests[-1][1]
    decisions = np.full((end, len(bars.symbols)), np.nan)
    before: Strategy | None = None
    for strategy, (start, stop) in zip(chosen, tests, strict=True):
        case = case_of(strategy, bars.head(stop), terms)
        last = stop if stop == end else stop - 1  # the close of a block's last bar belongs to the next choice
        decisions[start - 1 : last] = case.decisions[start - 1 : last]
        if before is None or strategy.parameters != before.parameters:
            _take_over(decisions[start - 1 : last], case.decisions, start - 1, case.bars)
        before = strategy
    result = run_kernel(case_from(replace(case, decisions=decisions), first))
    return replace(result, again=run_kernel, referee=check)


def _take_over(block: FloatArray, decided: FloatArray, start: int, bars: Bars) -> None:
    """Write into the block, at each symbol's first bar, what its parameters last decided: flat if nothing yet."""
    present = bars.present[start : start + len(block)]
    for column in np.flatnonzero(present.any(axis=0)):
        row = int(present[:, column].argmax())
        if np.isnan(block[row, column]):
            past = decided[: start + row, column]
            known = past[~np.isnan(past)]
            block[row, column] = known[-1] if len(known) else 0.0


def case_from(case: Case, first: int) -> Case:
    """The case from its bar `first` on; what the market's arrays know of the bars before stays in them."""
    arrays = {name: array[first:] if array.size else array for name, array in case.market._asdict().items()}
    arrays["seconds"] = arrays["seconds"].copy()
    arrays["seconds"][0] = 0.0  # nobody held anything before
    arrays["seconds"].flags.writeable = False
    tail = case.bars.tail(len(case.bars) - first)
    decisions = np.ascontiguousarray(case.decisions[first:])
    return replace(case, bars=tail, seen=tail, decisions=decisions, market=Market(**arrays))


def returns_from_cash(result: Result) -> pd.Series:
    """Returns without the first bar, whose own (the price of trades at its close) is counted with the next."""
    returns = result.returns.iloc[1:].copy()
    returns.iloc[0] = (1.0 + result.returns.iloc[0]) * (1.0 + returns.iloc[0]) - 1.0
    return returns


def _table(
    bars: Bars, cuts: Sequence[tuple[Span, Span]], fits: Sequence[_Fit], metric: str, result: Result,
    names: Sequence[str],
) -> pd.DataFrame:  # fmt: skip
    """The windows, as `WalkForwardResult` describes them."""
    returns, origin, rows = returns_from_cash(result).to_numpy(), cuts[0][1][0], []
    for ((train, stop), (start, end)), fit in zip(cuts, fits, strict=True):
        outside = CRITERIA[metric](returns[start - origin : end - origin], bars.periods_per_year)
        rows.append(
            {
                "train_start": bars.index[train], "train_end": bars.index[stop - 1],
                "test_start": bars.index[start], "test_end": bars.index[end - 1],
                **{name: getattr(fit.strategy, name) for name in names},
                "in_sample": fit.in_sample, "out_of_sample": float(outside), "trials": fit.trials,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).rename_axis("window")
