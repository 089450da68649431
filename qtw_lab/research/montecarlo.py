"""What else could have happened: trades in another order, returns on another path, dearer costs, later entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.case import Case
from qtw_lab.backtest.engine import run_kernel
from qtw_lab.backtest.result import Result
from qtw_lab.core import DataError
from qtw_lab.ledger import Costs
from qtw_lab.stats import performance as p
from qtw_lab.stats.bootstrap import circular_bootstrap_indices
from qtw_lab.stats.columns import Returns, columns, number, whole

FloatArray = npt.NDArray[np.float64]

#: Which quantiles of an outcome are shown.
LEVELS: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
#: Cells of one portion of shuffles: some ten megabytes.
_CELLS: Final = 1 << 20
#: Charges that grow with a multiple of the costs, and the caps that must grow along lest they undo it.
_CHARGES: Final = (
    "commission_bps", "commission_per_share", "commission_min", "commission_per_order", "maker_bps", "fees_per_share",
    "sell_fee_bps", "sell_fee_per_share", "sell_fee_per_share_max", "spread_bps", "slippage_bps", "impact",
    "borrow_bps_per_year", "margin_rate",
)  # fmt: skip
_FIGURES: Final = (
    "total_return", "cagr", "sharpe", "max_drawdown", "trades", "costs_paid", "cost_drag", "final_equity",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcomes:
    """What came of many resamples.

    Parameters
    ----------
    table : pandas.DataFrame
        A row a resample, a column an outcome.
    observed : pandas.Series
        The same outcomes of what did happen.
    seed : int
        What the random numbers started from.
    block : int or None
        Bars drawn together; None for trades, which are drawn singly.
    """

    table: pd.DataFrame = field(repr=False)
    observed: pd.Series
    seed: int
    block: int | None = None

    @property
    def reps(self) -> int:
        """Number of resamples."""
        return len(self.table)

    @cached_property
    def quantiles(self) -> pd.DataFrame:
        """The `LEVELS` of each outcome, interpolated linearly between resamples; NaN ones are left out."""
        return self.table.quantile(list(LEVELS)).rename_axis("quantile")

    @cached_property
    def as_bad(self) -> pd.Series:
        """For each outcome the share of resamples as bad as what did happen, or worse."""
        bad = self.table.le(self.observed, axis=1)
        return bad.where(self.table.notna()).mean()


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenarios:
    """One backtest run again under other terms.

    Parameters
    ----------
    table : pandas.DataFrame
        A row a scenario: total return, CAGR, Sharpe ratio, deepest drawdown, trades, costs paid and their drag a year,
        final equity, as `Result.stats` defines them.
    results : tuple of Result
        The backtest of each row.
    """

    table: pd.DataFrame
    results: tuple[Result, ...] = field(repr=False)

    @cached_property
    def quantiles(self) -> pd.DataFrame:
        """The `LEVELS` of each figure over the scenarios, each weighed the same."""
        return self.table.quantile(list(LEVELS)).rename_axis("quantile")

    @cached_property
    def break_even(self) -> float:
        """Where the total return falls to zero, between two neighbouring rows, interpolated linearly.

        NaN if it does so nowhere in the table; the first place if in several.
        """
        at, gain = self.table.index.to_numpy(dtype=float), self.table["total_return"].to_numpy(dtype=float)
        falls = np.flatnonzero((gain[:-1] > 0.0) & (gain[1:] <= 0.0))
        if not len(falls):
            return float("nan")
        k = int(falls[0])
        return float(at[k] + (at[k + 1] - at[k]) * gain[k] / (gain[k] - gain[k + 1]))


def resampled_trades(trade_returns: Returns, reps: int = 1000, seed: int = 0) -> Outcomes:
    """Final wealth and deepest drawdown of the same trades in other orders, and of trades drawn with replacement.

    Another order cannot change the final wealth, only the way there; a draw changes both. Trades are taken one after
    the other, each on the whole account: trades that overlap in time, or come in runs, are not as independent as this
    assumes.

    Parameters
    ----------
    trade_returns : array_like or Series
        Return of each trade as a fraction of the account, (K,), from -1 on.
    reps : int
        Number of resamples of either kind.
    seed : int
        What the random numbers start from.

    Returns
    -------
    Outcomes
        Columns ``shuffled_drawdown``, ``drawn_wealth`` and ``drawn_drawdown``: final wealth as a multiple of the
        starting capital, drawdowns as negative fractions after whole trades.

    Raises
    ------
    DataError
        If the returns are not one series of finite numbers from -1 on, or `reps` is not a whole number above 0.

    Examples
    --------
    >>> found = resampled_trades([0.5, -0.5], reps=200, seed=1)
    >>> found.observed.to_dict()
    {'shuffled_drawdown': -0.5, 'drawn_wealth': 0.75, 'drawn_drawdown': -0.5}
    >>> sorted(found.table["drawn_wealth"].unique().tolist())
    [0.25, 0.75, 2.25]
    """
    trades = _losable(trade_returns, "trade_returns")
    rng = np.random.default_rng(_seed(seed))
    parts = []
    for rows in _portions(whole("reps", reps), len(trades)):
        shuffled = rng.permuted(np.broadcast_to(trades, (rows, len(trades))), axis=1).T
        drawn = trades[rng.integers(0, len(trades), (len(trades), rows))]
        parts.append([p.max_drawdown(shuffled), 1.0 + p.total_return(drawn), p.max_drawdown(drawn)])
    names = ["shuffled_drawdown", "drawn_wealth", "drawn_drawdown"]
    fall = float(p.max_drawdown(trades))
    observed = pd.Series([fall, 1.0 + float(p.total_return(trades)), fall], index=names)
    return Outcomes(table=pd.DataFrame(np.hstack(parts).T, columns=names), observed=observed, seed=seed)


def resampled_paths(
    returns: Returns,
    reps: int = 1000,
    block: int | None = None,
    seed: int = 0,
    periods_per_year: float | None = None,
) -> Outcomes:
    """Final wealth, deepest drawdown and Sharpe ratio of histories drawn from the returns in circular blocks.

    Blocks keep what lies near together (volatility that comes in spells) and break what reaches further.
    `stats.bootstrap.circular_bootstrap_indices` draws them.

    Parameters
    ----------
    returns : array_like or Series
        Simple returns of each bar, (T,), from -1 on.
    reps : int
        Number of histories.
    block : int, optional
        Bars of a block, 1 to T; by default the cube root of T, rounded up.
    seed : int
        What the random numbers start from.
    periods_per_year : float, optional
        Bars a year, as for `stats.performance.sharpe_ratio`.

    Returns
    -------
    Outcomes
        Columns ``wealth`` (multiple of the starting capital), ``drawdown`` (negative fraction) and ``sharpe`` (a year).

    Raises
    ------
    DataError
        If the returns are not one series of finite numbers from -1 on, `reps` or `block` is not in its range, or
        nothing says how many bars make a year.

    Examples
    --------
    >>> found = resampled_paths([0.1, -0.1], reps=50, block=2, seed=1, periods_per_year=252)
    >>> found.table["wealth"].round(6).unique().tolist()  # both bars, in one order or the other
    [0.99]
    """
    path = _losable(returns, "returns")
    year = columns(returns).yearly(periods_per_year)
    size = int(np.ceil(np.cbrt(len(path)) - 1e-9)) if block is None else block
    draws = circular_bootstrap_indices(len(path), size, reps, _seed(seed))
    parts = [_outcomes(path[bars.T], year) for bars in draws]
    table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    observed = pd.Series({name: float(value[0]) for name, value in _outcomes(path[:, None], year).items()})
    return Outcomes(table=table, observed=observed, seed=seed, block=size)


def stressed_costs(result: Result, multiples: Sequence[float] = (0.0, 1.0, 2.0, 3.0, 5.0)) -> Scenarios:
    """The backtest run again with every charge multiplied: how much dearer trading may be before the edge is gone.

    Commission, fees, spread, slippage, impact, borrow fees and margin interest grow, and the caps of fees with them;
    interest earned on cash does not. The decisions are those of the result.

    Parameters
    ----------
    result : Result
        A backtest that has costs.
    multiples : sequence of float
        What to multiply by, each at least 0; 1 is the result itself.

    Returns
    -------
    Scenarios
        A row a multiple, in increasing order; `break_even` is the multiple that eats up the total return.

    Raises
    ------
    DataError
        If the result has no costs, or a multiple is not a finite number of at least 0.

    Examples
    --------
    >>> import qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 10.0, 11.0]}, index=pd.date_range("2024-01-02", periods=3))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> result = qtw.backtest("buy_and_hold", bars, costs=qtw.Costs(commission_bps=100))
    >>> stressed_costs(result, [0, 1, 2]).table["total_return"].round(4).tolist()
    [0.1, 0.0891, 0.0784]
    """
    _check_result(result)
    if result.terms.costs.free:
        raise DataError("This result has no costs to multiply; run it with costs=qtw.Costs(...).")
    scales = _sorted([number("multiple", multiple) for multiple in _listed("multiples", multiples)], 0.0)

    def dearer(case: Case, multiple: float) -> Case:
        costs = _multiplied(result.terms.costs, multiple)
        asked = None if case.asked is None else replace(case.asked, costs=costs)
        return replace(case, terms=replace(case.terms, costs=costs), asked=asked)

    return _scenarios(result, scales, dearer, "multiple")


def delayed_entries(result: Result, delays: Sequence[int] = (0, 1, 2, 3, 5)) -> Scenarios:
    """The backtest run again with every decision (entries and exits) coming some bars late.

    An edge that is real for hours or days fades slowly; one that needs the very next bar is often a price the strategy
    should not have known. A delay counts the symbol's own bars. Stops, and orders given by hand, are not delayed.

    Parameters
    ----------
    result : Result
        A backtest of a strategy that decides.
    delays : sequence of int
        Bars, each at least 0; 0 is the result itself.

    Returns
    -------
    Scenarios
        A row a delay, in increasing order; `break_even` is the delay that eats up the total return.

    Raises
    ------
    DataError
        If the strategy decides nothing, or a delay is not a whole number from 0 to below the number of bars.

    Examples
    --------
    >>> import qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 10.0, 11.0, 11.0]}, index=pd.date_range("2024-01-02", periods=4))
    >>> result = qtw.backtest("buy_and_hold", qtw.Bars.from_frame(df, symbol="X"))
    >>> delayed_entries(result, [0, 1]).table["total_return"].round(4).tolist()
    [0.1, 0.0]
    """
    _check_result(result)
    if np.isnan(result.case.decisions).all():
        raise DataError("This result's strategy decided nothing (its orders were given by hand); no entry can be late.")
    lags = _sorted([whole("delay", delay, 0) for delay in _listed("delays", delays)], 0)
    if lags[-1] >= len(result.bars):
        raise DataError(f"A delay of {lags[-1]} bars is the whole history of {len(result.bars)}; give shorter ones.")
    return _scenarios(result, lags, lambda case, lag: replace(case, decisions=_late(case, int(lag))), "delay")


def _losable(returns: Returns, name: str) -> FloatArray:
    """One checked series of returns that lose no more than everything."""
    given = columns(returns, name)
    if not given.single:
        raise DataError(f"{name} must be one series, (K,); call this for each column.")
    if given.values.min() < -1.0:
        bar = int(given.values.argmin())
        raise DataError(
            f"{name} have {given.values.min():g} at place {bar}; no less than -1 (all is lost) can be drawn."
        )
    return given.values[:, 0]


def _outcomes(paths: FloatArray, year: float) -> dict[str, FloatArray]:
    """Outcomes of histories (T, R)."""
    return {
        "wealth": 1.0 + p.total_return(paths),
        "drawdown": p.max_drawdown(paths),
        "sharpe": p.sharpe_ratio(paths, year),
    }


def _portions(reps: int, length: int) -> Iterator[int]:
    """Numbers of resamples that together are `reps` and each fit into memory."""
    rows = max(1, _CELLS // length)
    for start in range(0, reps, rows):
        yield min(rows, reps - start)


def _seed(seed: Any) -> int:
    return whole("seed", seed, 0)


def _listed(name: str, values: Any) -> list[Any]:
    """The scenarios asked for."""
    if isinstance(values, str) or not hasattr(values, "__iter__") or not len(values := list(values)):
        raise DataError(f"{name}={values!r} must be a list of at least one number.")
    return list(values)


def _sorted(values: list[Any], least: float) -> list[Any]:
    """The scenarios in increasing order, each once."""
    if min(values) < least:
        raise DataError(f"{min(values)!r} is below {least:g}; give numbers of at least {least:g}.")
    return sorted(set(values))


def _check_result(result: Any) -> None:
    if not isinstance(result, Result):
        raise DataError(f"A backtest's Result is needed, not {type(result).__name__}; see qtw.backtest.")


def _multiplied(costs: Costs, multiple: float) -> Costs:
    """The costs with every charge multiplied."""
    charges = {name: getattr(costs, name) for name in _CHARGES}
    cap = costs.commission_max_fraction * multiple
    return replace(
        costs,
        **{name: charge * multiple for name, charge in charges.items() if charge is not None},
        commission_max_fraction=cap if cap < 1.0 else 0.0,  # a cap at the whole amount is none
    )


def _late(case: Case, lag: int) -> FloatArray:
    """The decisions `lag` of each symbol's own bars later."""
    late: FloatArray = np.full_like(case.decisions, np.nan)
    for column in range(late.shape[1]):
        own = np.flatnonzero(case.bars.present[:, column])
        late[own[lag:], column] = case.decisions[own[: len(own) - lag], column]
    return late


def _scenarios(result: Result, values: list[Any], changed: Callable[[Case, float], Case], name: str) -> Scenarios:
    """The result's own case, changed and run again by the engine that made it."""
    run = result.again or run_kernel
    found = tuple(replace(run(changed(result.case, v)), again=run, referee=result.referee) for v in values)
    table = pd.DataFrame([{figure: one.stats[figure] for figure in _FIGURES} for one in found])
    return Scenarios(table=table.set_index(pd.Index(values, name=name)), results=found)
