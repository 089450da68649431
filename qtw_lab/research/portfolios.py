"""Money divided over symbols anew every few weeks, by what was known then, and traded with costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.agreement import check
from qtw_lab.backtest.case import Case
from qtw_lab.backtest.engine import check_bars, run_kernel
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.result import Result
from qtw_lab.backtest.terms import Terms
from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.core import Bars, DataError
from qtw_lab.ledger import Account, Costs, Sizing
from qtw_lab.research.allocation import Allocator
from qtw_lab.research.portfolio_comparison import Portfolio, PortfolioComparison
from qtw_lab.research.rebalancing import BENCHMARK, Allocation, Fit, laid_out
from qtw_lab.research.studies import entered, study
from qtw_lab.research.walkforward import case_from
from qtw_lab.stats import performance as p
from qtw_lab.stats.columns import number, whole

FloatArray = npt.NDArray[np.float64]

#: What the ledger calls such a study.
KIND: Final = "portfolio"
#: Fewest bars traded of which anything can be said: a block length needs as many.
_LEAST_TRADED: Final = 11


def portfolio_walk_forward(  # noqa: PLR0913  (the terms of a backtest, where to cut, and how to test)
    bars: Bars,
    allocators: Sequence[str | Allocator] = (BENCHMARK, "inverse_volatility", "minimum_variance", "risk_parity", "hrp"),
    *,
    train: int = 252,
    rebalance: int = 21,
    anchored: bool = False,
    costs: Costs | None = None,
    cash: float = 100_000.0,
    execution: str = "next_open",
    band: float = 0.0,
    account: Account | None = None,
    participation: float = 0.0,
    confidence: float = 0.95,
    reps: int = 1000,
    seed: int = 0,
    ledger: TrialLedger | None = None,
) -> PortfolioComparison:
    """The histories of several ways to divide money, each fitted on the past and traded on what came after.

    At the close of every `rebalance`-th bar each allocator sees the `train` returns up to that bar. Its weights are
    orders for the next bar, filled with costs by the same engine as every other backtest, one account an allocator.
    Between two rebalances holdings drift with their prices.

    Parameters
    ----------
    bars : Bars
        (T, N) prices of at least two symbols. Symbols listed later join later; see `rebalancing.Allocation`.
    allocators : sequence of str or Allocator
        Names for rules with their own options, or `Allocator` objects. Equal weight is added if it is missing.
    train, rebalance : int
        Returns of a training window (of the first, if `anchored`), and bars from one fit to the next.
    anchored : bool
        Whether training windows grow from the first bar instead of rolling.
    costs, cash, execution, account, participation
        As in `backtest`.
    band : float
        Trade a symbol at a rebalance only if its weight is further than this from its target, as a fraction of equity.
        What is left untraded keeps its size, so that a band may leave some cash idle or some buys short of their size.
    confidence : float
        Of the intervals of the difference to equal weight, strictly between 0 and 1.
    reps, seed : int
        Resamples of intervals and tests, and what their random numbers start from.
    ledger : TrialLedger, optional
        Where each allocator is counted as tried; by default that of this machine.

    Returns
    -------
    PortfolioComparison
        Histories, weights and the comparison with equal weight.

    Raises
    ------
    DataError
        If there are fewer than two symbols or too few bars, an allocator is unknown or named twice, a term does not
        fit, or an allocator finds no weights at any rebalance.
    SetupError
        If skfolio is not installed.

    Notes
    -----
    A symbol whose bars end cannot be sold: its last value stays in the account, and buys share the cash there is.
    DeMiguel, Garlappi and Uppal, "Optimal Versus Naive Diversification" (2009), on why equal weight is the benchmark.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> r = np.random.default_rng(5).normal(0.0004, [0.01, 0.02, 0.03], (160, 3))
    >>> days = pd.date_range("2024-01-01", periods=160)
    >>> df = pd.DataFrame(50 * np.cumprod(1 + r, axis=0), index=days, columns=[*"ABC"])
    >>> bars = qtw.Bars.from_frame(pd.concat({"close": df}, axis=1))
    >>> found = portfolio_walk_forward(bars, ["inverse_volatility"], train=60, rebalance=20)
    >>> found.trials, found["inverse_volatility"].weights.mean().round(2).to_dict()
    (2, {'A': 0.54, 'B': 0.26, 'C': 0.2})
    """
    terms = Terms.given(
        costs, Sizing.target_weights(band), execution, cash, account=account, participation=participation
    )
    rules = _rules(allocators)
    followed = [Allocation.of(rule, train, rebalance, anchored=anchored) for rule in rules]
    _refuse_short(bars, followed[0])
    if not 0.0 < number("confidence", confidence) < 1.0:
        raise DataError(f"confidence={confidence!r} must lie strictly between 0 and 1, such as 0.95.")
    whole("reps", reps, 2)
    market, close = Market.of(bars, terms), bars.values["close"]
    fits = [[fit for fit in strategy.fitted(close) if fit.bar < len(bars) - 1] for strategy in followed]
    _refuse_empty(rules, fits)
    first = min(fit.bar for made in fits for fit in made if not fit.reason)
    portfolios = {}
    for rule, strategy, made in zip(rules, followed, fits, strict=True):
        case = Case(strategy, bars, terms, laid_out(made, close, rebalance), "weights", market, bars)
        result = replace(run_kernel(case_from(case, first)), again=run_kernel, referee=check)
        _refuse_idle(rule, result)
        portfolios[rule.label] = _portfolio(rule, result, [fit for fit in made if fit.bar >= first], bars)
    trials = [
        study(bars, KIND, made.result.strategy.name, made.result.strategy.parameters, made.returns, terms)
        for made in portfolios.values()
    ]
    return PortfolioComparison(
        bars=bars, terms=terms, train=train, rebalance=rebalance, anchored=anchored, portfolios=portfolios,
        confidence=confidence, reps=reps, seed=seed, entered=entered(bars, KIND, trials, (), ledger),
    )  # fmt: skip


def _rules(allocators: Any) -> tuple[Allocator, ...]:
    """Equal weight, then the other allocators in their order."""
    given = [allocators] if isinstance(allocators, (str, Allocator)) else list(allocators)
    rules = [one if isinstance(one, Allocator) else Allocator(name=one) for one in given]
    labels = [rule.label for rule in rules]
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise DataError(f"The allocator {twice} is named twice; a second try of the same would count as a trial.")
    plain = Allocator(name=BENCHMARK)
    return (plain, *(rule for rule in rules if rule.label != BENCHMARK))


def _refuse_short(bars: Any, strategy: Allocation) -> None:
    """Refuse bars of one symbol, and too few of them."""
    check_bars(strategy, bars)
    if len(bars.symbols) < 2:
        raise DataError(f"A portfolio needs at least two symbols; these bars have only {bars.symbols[0]}.")
    least = strategy.train + 1 + _LEAST_TRADED
    if len(bars) < least:
        raise DataError(
            f"train={strategy.train} leaves {len(bars) - strategy.train - 1} of {len(bars)} bars to trade; at least "
            f"{_LEAST_TRADED} are needed. Give a longer history or a shorter window."
        )


def _refuse_empty(rules: Sequence[Allocator], fits: Sequence[Sequence[Fit]]) -> None:
    """Refuse an allocator that never found weights."""
    for rule, made in zip(rules, fits, strict=True):
        if all(fit.reason for fit in made):
            raise DataError(
                f"{rule.label} found weights at none of {len(made)} rebalances; at the last: {made[-1].reason}"
            )


def _refuse_idle(rule: Allocator, result: Result) -> None:
    """Refuse an account that never traded."""
    if result.orders.empty:
        terms = result.terms
        raise DataError(
            f"{rule.label} never traded with band={terms.sizing.rebalance_band:g}, cash={terms.cash:g} and "
            f"{terms.account!r}. Give a band below its weights, and cash for whole lots of them."
        )


def _portfolio(rule: Allocator, result: Result, fits: Sequence[Fit], bars: Bars) -> Portfolio:
    """The tables and notes of one history."""
    times = bars.index[[fit.bar for fit in fits]]
    weights = pd.DataFrame([fit.weights for fit in fits], index=times, columns=pd.Index(bars.symbols, name="symbol"))
    squares, held = (weights**2).sum(axis=1, skipna=False), weights.notna().all(axis=1)
    own, year = result.returns, bars.periods_per_year
    at = result.bars.index.get_indexer(times)
    ends = np.append(at[1:], len(own) - 1)
    spans = [own.to_numpy()[start + 1 : end + 1] for start, end in zip(at, ends, strict=True)]
    table = pd.DataFrame(
        {
            "symbols": [fit.symbols for fit in fits],
            "effective": 1.0 / squares,
            "largest": weights.max(axis=1).where(held),
            "traded": _traded(result, at),
            "ex_ante": np.array([fit.expected for fit in fits]) * np.sqrt(year),
            "realised": [float(p.volatility(span, year)) if len(span) > 1 else float("nan") for span in spans],
        },
        index=times,
    )
    return Portfolio(allocator=rule, result=result, weights=weights, rebalances=table, notes=_notes(fits, bars))


def _traded(result: Result, at: npt.NDArray[np.intp]) -> FloatArray:
    """Half of what was traded from each rebalance to the next, over equity at the decision."""
    orders, equity = result.orders, result.equity.to_numpy()
    bar = result.bars.index.get_indexer(pd.DatetimeIndex(orders["time"]))
    after = bar if result.terms.execution == "same_close" else bar - 1  # the close of the decision at the earliest
    place = np.clip(np.searchsorted(at, after, side="right") - 1, 0, None)
    amount = np.bincount(place, (orders["quantity"] * orders["price"]).to_numpy(), minlength=len(at))
    return np.asarray(amount / 2.0 / equity[at])


def _notes(fits: Sequence[Fit], bars: Bars) -> tuple[str, ...]:
    """Every kind of rebalance without weights, and every symbol left out, once and with its dates."""
    failed = [(fit.reason, bars.index[fit.bar]) for fit in fits if fit.reason]
    still = [(bars.symbols[column], bars.index[fit.bar]) for fit in fits for column in fit.still]
    return tuple(
        text.format(name=name, count=len(dates), first=f"{dates[0]:%Y-%m-%d}", last=f"{dates[-1]:%Y-%m-%d}")
        for text, found in ((_KEPT, failed), (_STILL, still))
        for name, dates in _gathered(found)
    )


_KEPT: Final = "holdings were kept at {count} rebalances from {first} to {last}: {name}"
_STILL: Final = "{name} was left out of {count} rebalances from {first} to {last}: its price did not move"


def _gathered(pairs: Sequence[tuple[str, pd.Timestamp]]) -> list[tuple[str, list[pd.Timestamp]]]:
    """Dates by name, in order of name."""
    ranked = sorted(pairs)
    return [(name, [date for _, date in group]) for name, group in groupby(ranked, key=lambda pair: pair[0])]
