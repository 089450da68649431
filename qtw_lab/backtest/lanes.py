"""The fast lane: K accounts over one symbol, from decisions straight to moments and counts, without an equity path.

The fills are those of `kernel.simulate`, by the same money rules in the same order, for the accounts that `fits` names.
What makes the lane fast is what lies between fills: decisions are compared 64 at a time until one changes, and cash and
shares do not change until the next fill, so that equity is ``cash + shares x close``, written into the room of one path
and summed there by `paths`. No equity is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.book import DUST, remaining
from qtw_lab.backtest.compiled import compiled, inlined
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.metrics import Measured
from qtw_lab.backtest.paths import SUMS, Paper, paper_for, sums_of, write_sums
from qtw_lab.backtest.rules import EXECUTIONS, Rules
from qtw_lab.indicators.moving import averages
from qtw_lab.ledger import costs as _costs
from qtw_lab.ledger import sizing as _sizing
from qtw_lab.stats.moments import Moments
from qtw_lab.strategies.crossings import Crossing

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]

_commission = inlined(_costs.commission)
_sale_fees = inlined(_costs.sale_fees)
_affordable = inlined(_costs.affordable_quantity)
_adverse_move = inlined(_costs.adverse_move)
_target_amount = inlined(_sizing.target_amount)

#: What is written for each account, in this order.
FIGURES: Final = (*SUMS, "orders", "trades", "traded", "costs", "exposed")

#: Terms the lane knows how to apply, whatever their value.
_APPLIED: Final = frozenset({
    "cash", "execution", "sizing", "amount", "band", "commission_bps", "commission_per_share", "commission_min",
    "spread_bps", "slippage_bps", "commission_per_order", "commission_max_fraction", "maker_bps", "fees_per_share",
    "sell_fee_bps", "sell_fee_per_share", "sell_fee_most", "optimistic",
})  # fmt: skip
#: Terms that must have this value; any term in neither table must be off (zero or False), so that a new one is refused.
_REQUIRED: Final[Mapping[str, float]] = {"leverage": 1.0, "shorting": True}
#: The execution mode in which decisions fill at the bar they are made at.
_AT_ONCE: Final = EXECUTIONS.index("same_close")
#: Sizing rules the lane knows, by `ledger.sizing.CODES`.
_SIZINGS: Final = tuple(_sizing.CODES[rule] for rule in ("all_in", "fixed_cash", "fixed_shares", "fraction"))

#: Places of single bits in a word: ``_PLACES[(bit * _SEQUENCE) >> 58]``, a de Bruijn sequence (Leiserson, Prokop and
#: Randall, 1998, "Using de Bruijn Sequences to Index a 1 in a Computer Word").
_SEQUENCE: Final = np.uint64(0x03F79D71B4CB0A89)
_PLACES: Final = np.empty(64, dtype=np.int64)
for _place in range(64):
    _PLACES[((int(_SEQUENCE) << _place) & (2**64 - 1)) >> 58] = _place
_ONE, _TOP, _ALL = np.uint64(1), np.uint64(58), np.uint64(2**64 - 1)


class _Plan(NamedTuple):
    """The terms the lane applies."""

    cash: float
    execution: int
    sizing: int
    amount: float
    bps: float
    per_share: float
    minimum: float
    per_order: float
    max_fraction: float
    fees_per_share: float
    sell_bps: float
    sell_per_share: float
    sell_most: float
    move: float


@dataclass(frozen=True, slots=True)
class Tape:
    """One symbol's prices as the lane reads them.

    Parameters
    ----------
    prices : dict of int to ndarray (T,)
        What market orders fill at, by execution mode; NaN where the symbol has no bar.
    last : ndarray, (T,)
        Close or last known close of each bar; 0 before the first, when nothing can be held.
    """

    prices: Mapping[int, FloatArray]
    last: FloatArray

    @classmethod
    def of(cls, market: Market) -> Tape:
        """The first symbol of a market."""
        close = _fixed(market.close[:, 0])
        known = np.maximum.accumulate(np.where(np.isnan(close), 0, np.arange(close.shape[0])))
        average = market.average if market.average.size else market.close
        return cls(
            dict(
                enumerate(_fixed(array[:, 0]) for array in (market.open, market.close, market.close, average, average))
            ),
            _fixed(np.nan_to_num(close[known], nan=0.0)),
        )


def fits(rules: Rules, market: Market, kind: str) -> bool:
    """Whether accounts of one symbol under these rules may take the lane; else the kernel has to simulate them.

    They may if the strategy gives signals, orders are market orders without stops or market impact, nothing is paid for
    holding, and nothing is borrowed. A rule that the lane has never heard of must be off.

    Parameters
    ----------
    rules : Rules
        The terms as the kernel takes them.
    market : Market
        Prices of one account.
    kind : {"signals", "weights"}
        What the strategy gives.
    """
    given = rules._asdict()
    return (
        kind == "signals"
        and market.close.shape[1] == 1
        and not market.split.size
        and not market.dividend.size
        and rules.sizing in _SIZINGS
        and all(given[name] == value for name, value in _REQUIRED.items())
        and not any(value for name, value in given.items() if name not in _APPLIED and name not in _REQUIRED)
    )


def measured(decisions: FloatArray, tape: Tape, rules: Rules, periods_per_year: float) -> Measured:
    """What K accounts over one symbol come to by the fast lane.

    Parameters
    ----------
    decisions : ndarray, (K, T)
        Signals of each account; NaN keeps. Without a close they must be NaN.
    tape : Tape
        Prices of the symbol.
    rules : Rules
        Terms that `fits` has passed.
    periods_per_year : float
        Bars a year.
    """
    figures = np.empty((len(FIGURES), decisions.shape[0])).T
    simulate(_fixed(decisions), tape.prices[rules.execution], tape.last, _plan(rules), figures)
    return _read(figures, decisions.shape[1], rules.cash, periods_per_year)


def crossed(crossing: Crossing, tape: Tape, rules: Rules, periods_per_year: float) -> Measured:
    """What K accounts over one symbol come to that are long while one average is above another.

    Each distinct average is computed once, and no array of decisions is made: the accounts compare rows.

    Parameters
    ----------
    crossing : Crossing
        The rule of each account.
    tape, rules, periods_per_year
        As for `measured`.
    """
    rows, places = rows_of(crossing)
    otherwise = np.broadcast_to(np.asarray(crossing.otherwise, dtype=np.float64), places.shape[1:])
    figures = np.empty((len(FIGURES), otherwise.shape[0])).T
    simulate_crossings(
        _fixed(rows), places, _fixed(otherwise), tape.prices[rules.execution], tape.last, _plan(rules),
        figures,
    )  # fmt: skip
    return _read(figures, tape.last.shape[0], rules.cash, periods_per_year)


def rows_of(crossing: Crossing) -> tuple[FloatArray, IntArray]:
    """The distinct averages of a crossing, (R, T), and which are the fast and the slow one of each account, (2, K)."""
    windows = np.broadcast_arrays(np.atleast_1d(crossing.fast), np.atleast_1d(crossing.slow))
    rows, places = averages(crossing.average, crossing.x, np.concatenate(windows))
    return rows, places.reshape(2, -1)


def paths(decisions: FloatArray, tape: Tape, rules: Rules) -> FloatArray:
    """Equity (K, T) of K accounts over one symbol at each close, that of `kernel.simulate` to the last bit.

    Parameters are those of `measured`.
    """
    equity = np.empty(decisions.shape)
    simulate_paths(_fixed(decisions), tape.prices[rules.execution], tape.last, _plan(rules), equity)
    return equity


def walked(equity: FloatArray, counts: Mapping[str, FloatArray], start: float, periods_per_year: float) -> Measured:
    """What K accounts come to, given their equity paths.

    Parameters
    ----------
    equity : ndarray, (K, T)
        Equity at each close.
    counts : mapping of str to ndarray (K,)
        The `FIGURES` from ``orders`` on, as far as they were counted; the others become NaN.
    start : float
        Starting cash.
    periods_per_year : float
        Bars a year.
    """
    figures = np.full((len(FIGURES), equity.shape[0]), np.nan).T
    sums_of(_fixed(equity), start, figures)
    for name, values in counts.items():
        figures[:, FIGURES.index(name)] = values
    return _read(figures, equity.shape[1], start, periods_per_year)


def _read(figures: FloatArray, bars: int, start: float, periods_per_year: float) -> Measured:
    """The named form of `FIGURES` (K, 11)."""
    named: dict[str, Any] = dict(zip(FIGURES, figures.T, strict=True))
    moments = Moments(bars=bars, start=start, **{name: named.pop(name) for name in SUMS})
    return Measured(moments, **named, periods_per_year=periods_per_year)


def _plan(rules: Rules) -> _Plan:
    """The rules the lane applies, taken out of the kernel's record."""
    return _Plan(
        cash=rules.cash, execution=rules.execution, sizing=rules.sizing, amount=rules.amount,
        bps=rules.commission_bps, per_share=rules.commission_per_share, minimum=rules.commission_min,
        per_order=rules.commission_per_order, max_fraction=rules.commission_max_fraction,
        fees_per_share=rules.fees_per_share, sell_bps=rules.sell_fee_bps, sell_per_share=rules.sell_fee_per_share,
        sell_most=rules.sell_fee_most,
        move=float(_costs.adverse_move(rules.spread_bps, rules.slippage_bps, 0.0, 0.0, 0.0)),
    )  # fmt: skip


def _fixed(array: FloatArray) -> FloatArray:
    """A contiguous read-only view: compiled functions then see one kind of array and are compiled once."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@compiled
def simulate(decisions: FloatArray, prices: FloatArray, last: FloatArray, plan: _Plan, figures: FloatArray) -> None:
    """Run K accounts and write their `FIGURES`, (K, 11).

    Parameters
    ----------
    decisions : ndarray, (K, T)
        Signals; NaN keeps.
    prices : ndarray, (T,)
        What orders fill at: opens for the next open, else closes; NaN where the symbol has no bar.
    last : ndarray, (T,)
        Close or last known close of each bar.
    plan : _Plan
        The terms.
    figures : ndarray, (K, 11)
        Written.
    """
    bars = last.shape[0]
    paper = paper_for(bars)
    changes, book = np.empty(bars // 64 + 1, dtype=np.uint64), np.empty(8)
    for k in range(decisions.shape[0]):
        _one(decisions[k], changes, prices, last, plan, book, paper, figures[k])


@compiled
def simulate_crossings(
    rows: FloatArray, places: IntArray, otherwise: FloatArray, prices: FloatArray, last: FloatArray, plan: _Plan,
    figures: FloatArray,
) -> None:  # fmt: skip
    """Run K accounts that are long while row ``places[0, k]`` of `rows` (R, T) is above row ``places[1, k]``.

    Other parameters as for `simulate`; `otherwise` (K,) is the stance while it is not above. Where a row is NaN the
    stance is kept.
    """
    bars = last.shape[0]
    paper = paper_for(bars)
    changes, book, decisions = np.empty(bars // 64 + 1, dtype=np.uint64), np.empty(8), np.empty(bars)
    for k in range(places.shape[1]):
        _compare(rows[places[0, k]], rows[places[1, k]], otherwise[k], decisions)
        _one(decisions, changes, prices, last, plan, book, paper, figures[k])


@compiled
def simulate_paths(
    decisions: FloatArray, prices: FloatArray, last: FloatArray, plan: _Plan, equity: FloatArray
) -> None:
    """Run K accounts and write their equity at each close, (K, T); other parameters as for `simulate`."""
    bars = last.shape[0]
    path = paper_for(bars).path
    changes, book = np.empty(bars // 64 + 1, dtype=np.uint64), np.empty(8)
    for k in range(decisions.shape[0]):
        _mark(decisions[k], changes)
        _account(decisions[k], changes, prices, last, plan, book, path)
        equity[k] = path[1 : bars + 1]


@compiled
def _compare(fast: FloatArray, slow: FloatArray, otherwise: float, decisions: FloatArray) -> None:
    """Write the stance of one crossing."""
    for t in range(decisions.shape[0]):
        level = 1.0 if fast[t] > slow[t] else otherwise
        decisions[t] = level if (fast[t] == fast[t]) & (slow[t] == slow[t]) else np.nan  # NaN alone differs from itself


@inlined
def _one(
    decisions: FloatArray, changes: WordArray, prices: FloatArray, last: FloatArray, plan: _Plan, book: FloatArray,
    paper: Paper, figures: FloatArray,
) -> None:  # fmt: skip
    """Run one account and write its `FIGURES`."""
    _mark(decisions, changes)
    _account(decisions, changes, prices, last, plan, book, paper.path)
    for i in range(5):
        figures[6 + i] = book[2 + i]
    figures[9] += book[7]
    write_sums(paper, last.shape[0], figures)


@compiled
def _mark(row: FloatArray, changes: WordArray) -> None:
    """Set the bit of every bar whose decision is not that of the bar before, 64 bars a word; NaN is no decision."""
    bars = row.shape[0]
    whole = (bars - 1) // 64
    for w in range(whole):
        was, now = row[64 * w : 64 * w + 64], row[64 * w + 1 : 64 * w + 65]
        word = np.uint64(0)
        for i in range(64):
            word |= np.uint64((now[i] != was[i]) & (now[i] == now[i])) << np.uint64(i)
        changes[w] = word
    word = np.uint64(0)
    for t in range(64 * whole + 1, bars):
        word |= np.uint64((row[t] != row[t - 1]) & (row[t] == row[t])) << np.uint64(t - 64 * whole - 1)
    changes[whole] = word


@inlined
def _next_change(row: FloatArray, changes: WordArray, after: int, stance: float) -> int:
    """First bar after `after` (-1: from the first) that decides otherwise than `stance`; the number of bars if none."""
    bars = int(row.shape[0])
    if after < 0:
        if row[0] < stance or row[0] > stance:
            return 0
        after = 0
    w = after // 64
    word = changes[w] & (_ALL << np.uint64(after % 64)) if after < bars else np.uint64(0)
    while True:
        while word != np.uint64(0):
            bit = word & (~word + _ONE)
            t = 64 * w + 1 + int(_PLACES[(bit * _SEQUENCE) >> _TOP])
            if row[t] != stance:
                return t
            word ^= bit
        w += 1
        if 64 * w + 1 >= bars:
            return bars
        word = changes[w]


@compiled
def _account(
    row: FloatArray, changes: WordArray, prices: FloatArray, last: FloatArray, plan: _Plan, book: FloatArray,
    path: FloatArray,
) -> None:  # fmt: skip
    """Run one account from fill to fill; write its book and its equity path, start first, the last value repeated."""
    # What it calls at every fill is inlined: handing the arrays over took a tenth of the time of a whole sweep.
    bars = row.shape[0]
    book[:] = 0.0  # cash, held, orders, trades, traded, commission, bars exposed, slippage
    book[0] = path[0] = plan.cash
    stance, start = 0.0, 0
    delay = 0 if plan.execution == _AT_ONCE else 1
    change = _next_change(row, changes, -1, stance)
    while start < bars:
        wanted = math.nan
        fill = bars
        if change < bars:
            fill = change + delay
            while fill < bars and math.isnan(prices[fill]):
                fill += 1
            while change < bars and change <= fill - delay:  # of the decisions until then, the last one counts
                wanted = stance = float(row[change])
                change = _next_change(row, changes, change, stance)
        ruin = _hold(last, start, fill, book, path)
        if ruin < fill:
            _close(last[ruin], plan, book)
            start = _hold(last, ruin, bars, book, path)
        else:
            start = fill
            if fill < bars:
                _fill(wanted, float(prices[fill]), plan, book)
    for t in range(bars + 1, path.shape[0]):
        path[t] = path[bars]


@inlined
def _hold(last: FloatArray, start: int, stop: int, book: FloatArray, path: FloatArray) -> int:
    """Write the equity of bars `start` to `stop`, in which nothing trades; the bar that leaves nothing, or `stop`."""
    cash, held = book[0], book[1]
    # Places without a sign need no test for negative ones, which would keep the processor from working side by side.
    if held == 0.0:
        for t in range(np.uint64(start), np.uint64(stop)):
            path[t + _ONE] = cash
        return stop
    poor = 0
    for t in range(np.uint64(start), np.uint64(stop)):
        equity = cash + held * last[t]
        path[t + _ONE] = equity
        poor += 1 if equity <= 0.0 else 0
    if poor:
        stop = start
        while path[stop + 1] > 0.0:
            stop += 1
    book[6] += stop - start
    return stop


@inlined
def _fill(wanted: float, price: float, plan: _Plan, book: FloatArray) -> None:
    """Fill one order at `price`, as the kernel's market orders do for an account of one symbol."""
    held = book[1]
    worth = book[0] + held * price
    if wanted == 0.0:
        quantity = -held
    elif worth <= 0.0:
        quantity = 0.0
    elif plan.sizing == 2:
        quantity = wanted * plan.amount - held
    else:
        quantity = _target_amount(plan.sizing, plan.amount, wanted, worth, 1) / price - held
    if quantity == 0.0 or (wanted != 0.0 and abs(quantity) * price <= DUST * worth):
        return
    if quantity < 0.0:
        _trade(quantity, price * (1.0 - plan.move), price, plan, book)
        return
    paid = price * (1.0 + plan.move)
    cover = min(quantity, max(-held, 0.0))
    most = 0.0
    if book[0] > 0.0:
        most = _affordable(
            book[0], paid, plan.bps, plan.per_share, plan.minimum, plan.per_order, plan.max_fraction,
            plan.fees_per_share,
        )  # fmt: skip
    beyond = min(quantity - cover, max(most - cover, 0.0))
    beyond = beyond if beyond * price > DUST * worth else 0.0
    quantity = quantity if beyond == quantity - cover else cover + beyond
    if quantity > 0.0:
        _trade(quantity, paid, price, plan, book)


@compiled
def _close(price: float, plan: _Plan, book: FloatArray) -> None:
    """Close what is held at `price`, when nothing is left."""
    if book[1] != 0.0:
        _trade(-book[1], price, price, plan, book)


@inlined
def _trade(quantity: float, paid: float, quoted: float, plan: _Plan, book: FloatArray) -> None:
    """Book one fill."""
    amount = abs(quantity) * paid
    fee = _commission(
        amount, quantity, plan.bps, plan.per_share, plan.minimum, plan.per_order, plan.max_fraction, plan.fees_per_share
    ) + _sale_fees(amount, quantity, plan.sell_bps, plan.sell_per_share, plan.sell_most)
    before = book[1]
    after = remaining(before, quantity)
    if before == 0.0 or before * after < 0.0:
        book[3] += 1.0
    book[0] -= quantity * paid + fee
    book[1] = after
    book[2] += 1.0
    book[4] += amount
    book[5] += fee
    book[7] += abs(quantity) * abs(paid - quoted)
