"""`backtest`: one strategy over one set of bars, by the compiled kernel or by a second engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.market import Market
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.ledger import Costs, Sizing, Stops
from qtw_lab.strategies import Panel, Strategy
from qtw_lab.strategies import strategy as strategy_by_name

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result

FloatArray = npt.NDArray[np.float64]


def backtest(
    strategy: Strategy | type[Strategy] | str,
    bars: Bars,
    *,
    costs: Costs | None = None,
    sizing: Sizing | None = None,
    execution: str = "next_open",
    cash: float = 100_000.0,
    stops: Stops | None = None,
    leverage: float = 1.0,
    engine: str = "kernel",
) -> Result:
    """Simulate a strategy on bars: what it decided, what it traded, what it cost and what became of the money.

    All symbols share one account. A decision at bar t uses bars up to t; when it fills is set by `execution`. The exact
    order of events in a bar stands at the head of `qtw_lab.backtest.kernel`.

    Parameters
    ----------
    strategy : Strategy, class of Strategy, or str
        What decides; a class or a name stands for its default parameters.
    bars : Bars
        (T, N) prices; at least two bars, and more than the strategy's warm-up.
    costs : Costs, optional
        None means free trading, and the result says so.
    sizing : Sizing, optional
        Position size for strategies that give signals; all-in by default.
    execution : {"next_open", "next_close", "same_close"}
        When orders fill. "same_close" trades at a price the decision already used; the result is stamped optimistic.
    cash : float
        Starting cash in account currency.
    stops : Stops, optional
        Protective exits.
    leverage : float
        Buying power as a multiple of equity. Proceeds of short sales count as cash.
    engine : {"kernel", "reference", "vectorbt"}
        Which implementation runs. "reference" is a slow engine in plain Python, written from the rules alone, to check
        any result against; "vectorbt" is a stranger's opinion for the settings both know.

    Returns
    -------
    Result
        Equity, orders, trades and statistics.

    Raises
    ------
    DataError
        If an argument does not fit, or there are too few bars; before anything is simulated.
    SetupError
        If the chosen engine is not installed.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 11.0, 12.0, 11.0]}, index=pd.date_range("2024-01-02", periods=4))
    >>> result = qtw.backtest(qtw.strategies.BuyAndHold(), qtw.Bars.from_frame(df, symbol="X"), cash=1100.0)
    >>> result.equity.round(6).tolist()
    [1100.0, 1100.0, 1200.0, 1100.0]
    """
    chosen = resolve(strategy)
    terms = Terms.given(costs, sizing, execution, cash, stops, leverage)
    check_bars(chosen, bars)
    run = lookup(engine, _ENGINES, "engine")
    decisions = chosen.decide(Panel.of(bars))
    return run(chosen, bars, terms, decisions)


def resolve(strategy: Strategy | type[Strategy] | str) -> Strategy:
    """The strategy object that an object, a class or a name stands for.

    Raises
    ------
    DataError
        If it is none of these, or the name is not known.
    """
    if isinstance(strategy, str):
        return strategy_by_name(strategy)
    if isinstance(strategy, type) and issubclass(strategy, Strategy):
        return strategy()
    if isinstance(strategy, Strategy):
        return strategy
    raise DataError(
        f"A strategy is a Strategy object, class or name such as 'sma_cross', not {type(strategy).__name__}."
    )


def check_bars(strategy: Strategy, bars: Bars) -> None:
    """Refuse what is not `Bars`, or is too short for the strategy.

    Raises
    ------
    DataError
        With the number of bars that would do.
    """
    if not isinstance(bars, Bars):
        raise DataError(
            f"Bars are needed, not {type(bars).__name__}. Make them with qtw.Bars.from_frame(df, symbol='X')."
        )
    needed = max(2, strategy.warmup + 2)
    if len(bars) < needed:
        raise DataError(
            f"{strategy.name} needs at least {needed} bars (its warm-up is {strategy.warmup}); there are {len(bars)}. "
            "Give a longer history or shorter windows."
        )


def _run_kernel(strategy: Strategy, bars: Bars, terms: Terms, decisions: FloatArray) -> Result:
    from qtw_lab.backtest.kernel import ORDER_COLUMNS, simulate
    from qtw_lab.backtest.result import Result

    market = Market.of(bars, terms.costs)
    rules = terms.rules(strategy.kind)
    equity, cash_path = np.empty(len(bars)), np.empty(len(bars))
    positions = np.zeros(bars.shape)
    arrays = (
        market.open,
        market.high,
        market.low,
        market.close,
        decisions,
        market.seconds,
        market.volatility,
        market.volume,
    )
    nothing = np.empty((0, len(ORDER_COLUMNS)))
    fills, _, _, _ = simulate(*arrays, rules, equity, np.empty(0), np.empty((0, 0)), nothing)
    orders = np.empty((fills, len(ORDER_COLUMNS)))
    _, _, _, holding_costs = simulate(*arrays, rules, equity, cash_path, positions, orders)
    return Result.from_arrays(
        strategy, bars, terms, decisions, equity=equity, cash=cash_path, positions=positions, orders=orders,
        holding_costs=holding_costs, engine="kernel",
    )  # fmt: skip


def _run_reference(strategy: Strategy, bars: Bars, terms: Terms, decisions: FloatArray) -> Result:
    from qtw_lab.backtest.reference import run

    return run(strategy, bars, terms, decisions)


def _run_vectorbt(strategy: Strategy, bars: Bars, terms: Terms, decisions: FloatArray) -> Result:
    from qtw_lab.backtest.vectorbt_engine import run

    return run(strategy, bars, terms, decisions)


_ENGINES: Final[Mapping[str, Callable[[Strategy, Bars, Terms, FloatArray], Result]]] = {
    "kernel": _run_kernel,
    "reference": _run_reference,
    "vectorbt": _run_vectorbt,
}
