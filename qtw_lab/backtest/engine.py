"""`backtest`: one strategy over one set of bars, by the compiled kernel or by a second engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from qtw_lab.backtest.case import Agreement, Carry, Case
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.rules import ORDER_COLUMNS
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, Order, lookup
from qtw_lab.ledger import Account, Costs, Entry, Sizing, Stops
from qtw_lab.strategies import Panel, Strategy
from qtw_lab.strategies import strategy as strategy_by_name

if TYPE_CHECKING:
    import pandas as pd

    from qtw_lab.backtest.actions import Actions
    from qtw_lab.backtest.result import Result


def backtest(  # noqa: PLR0913  (the public interface; all but two are keyword-only)
    strategy: Strategy | type[Strategy] | str,
    bars: Bars,
    *,
    costs: Costs | None = None,
    sizing: Sizing | None = None,
    execution: str = "next_open",
    cash: float = 100_000.0,
    stops: Stops | None = None,
    leverage: float = 1.0,
    account: Account | None = None,
    entry: Entry | None = None,
    participation: float = 0.0,
    orders: Sequence[Order] = (),
    actions: Actions | None = None,
    vwap: pd.DataFrame | None = None,
    verify: bool = False,
    engine: str = "kernel",
) -> Result:
    """Simulate a strategy on bars: what it decided, what it traded, what it cost and what became of the money.

    All symbols share one account. A decision at bar t uses bars up to t; when it fills is set by `execution`. The exact
    rules, bar by bar and order by order, are the page docs/simulation.md.

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
    execution : {"next_open", "next_close", "same_close", "next_typical", "next_vwap"}
        When and at which price market orders fill. "same_close" trades at a price the decision already used;
        the result is stamped optimistic.
    cash : float
        Starting cash in account currency.
    stops : Stops, optional
        Protective exits.
    leverage : float
        Buying power as a multiple of equity: short for ``account=Account(leverage=...)``.
    account : Account, optional
        Margin, shorts, settlement, lots; by default cash, fractions and unlimited shorts.
    entry : Entry, optional
        The order that opens a position: market by default, or a limit, stop or stop-limit order that waits.
    participation : float
        Most of a bar's volume that its symbol's fills may be, as a fraction; the rest is carried. 0 for no limit.
    orders : sequence of Order
        Orders given by hand, traded beside the strategy's (alone: ``backtest(OrderList(orders), bars)``).
    actions : Actions, optional
        Splits and dividends, when `bars` are raw prices; the strategy then decides on prices adjusted for them.
    vwap : pandas.DataFrame, optional
        Volume-weighted average prices by time and symbol, for ``execution="next_vwap"``.
    verify : bool
        Whether to run the case through the reference engine too; the result's `agreement` says how that went. It can be
        asked for later as well, with ``result.verify()``.
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
    terms = Terms.given(
        costs, sizing, execution, cash, stops, leverage, account=account, entry=entry, participation=participation
    )
    run = lookup(engine, ENGINES, "engine")
    result = run(case_of(chosen, bars, terms, orders=orders, actions=actions, vwap=vwap))
    result = replace(result, again=run, referee=_referee)
    return result.verify() if verify else result


def case_of(
    strategy: Strategy,
    bars: Bars,
    terms: Terms,
    *,
    orders: Sequence[Order] = (),
    actions: Actions | None = None,
    vwap: pd.DataFrame | None = None,
) -> Case:
    """The inputs of one simulation, checked and complete: the strategy has decided.

    Raises
    ------
    DataError
        If the bars are too short or lack something the terms need, or the terms contradict each other.
    """
    check_bars(strategy, bars)
    given = (*getattr(strategy, "orders", ()), *orders)
    if terms.entry.type != "market" and strategy.kind == "weights":
        raise DataError(f"{strategy.name} gives weights; entry orders are for strategies that give signals.")
    events = None if actions is None else actions.for_bars(bars)
    seen = bars if events is None else events.adjusted(bars)
    market = Market.of(bars, terms, actions=events, seen=seen, vwap=vwap)
    panel = Panel.of(seen)
    decisions = strategy.decide(panel)
    if not terms.sizing.measured:
        return Case(strategy, bars, terms, decisions, strategy.kind, market, seen, given)
    from qtw_lab.backtest.sized import sized

    decisions, kind, sizing = sized(decisions, strategy.kind, terms.sizing, panel)
    if kind == "weights" and terms.entry.type != "market":
        raise DataError(f"Sizing.{terms.sizing.rule} follows its target at every bar; entry orders do not fit it.")
    return Case(strategy, bars, replace(terms, sizing=sizing), decisions, kind, market, seen, given, terms)


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


def alone(bars: Bars) -> list[Bars]:
    """The bars of each symbol by itself, at the times it has one."""
    if len(bars.symbols) == 1 and bars.present.all():
        return [bars]  # which selecting would copy, and the copy's fingerprint is no longer known
    return [bars.select(symbol) for symbol in bars.symbols]


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


def run_kernel(case: Case) -> Result:
    """The case through the compiled kernel: once to count the fills, once to write them down."""
    from qtw_lab.backtest.book import BOOK, BORROW, CASH_INTEREST, DIVIDENDS, FILLS, MARGIN_INTEREST
    from qtw_lab.backtest.desk import Desk
    from qtw_lab.backtest.kernel import simulate
    from qtw_lab.backtest.result import Result

    length, rules, desk = len(case.bars), case.rules, Desk.of(case.bars, case.terms, case.orders)
    equity, cash_path, book = np.empty(length), np.empty(length), np.empty(BOOK)
    positions, rows = np.zeros(case.bars.shape), desk.rows.copy()
    none, nothing, no_orders = np.empty(0), np.empty((0, 0)), np.empty((0, len(ORDER_COLUMNS)))
    simulate(case.market, case.decisions, rows, desk.spans, rules, book, equity, none, nothing, no_orders)
    orders, rows = np.empty((int(book[FILLS]), len(ORDER_COLUMNS))), desk.rows.copy()
    simulate(case.market, case.decisions, rows, desk.spans, rules, book, equity, cash_path, positions, orders)
    carry = Carry(*(float(book[place]) for place in (BORROW, MARGIN_INTEREST, CASH_INTEREST, DIVIDENDS)))
    return Result.from_arrays(
        case, equity=equity, cash=cash_path, positions=positions, orders=orders, carry=carry,
        states=desk.states(rows, len(case.orders), case.market), engine="kernel",
    )  # fmt: skip


def _referee(result: Result) -> Agreement:
    from qtw_lab.backtest.agreement import check

    return check(result)


def _run_reference(case: Case) -> Result:
    from qtw_lab.backtest.reference import run

    return run(case)


def _run_vectorbt(case: Case) -> Result:
    from qtw_lab.backtest.vectorbt_engine import run

    return run(case)


#: Every implementation that can run a case.
ENGINES: Final[Mapping[str, Callable[[Case], Result]]] = {
    "kernel": run_kernel,
    "reference": _run_reference,
    "vectorbt": _run_vectorbt,
}
