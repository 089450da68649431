"""The compiled simulation: decisions in, fills and equity out. The money rules are those of `ledger`, compiled.

Order of events in a bar:

1. Holding costs since the last bar are taken from cash.
2. ``next_open``: orders decided at the last bar fill at this open.
3. Stops and targets are tested against this bar's range.
4. ``same_close``: orders decided at this bar fill at its close; ``next_close``: those decided at the last bar do.
5. The account is marked at the close (at the last known price where a symbol has no bar).

Orders of one moment are sized on the equity of that moment; sells fill before buys, each in symbol order; buys
that exceed the buying power are scaled down together. An order whose symbol has no bar waits for its next bar. While
equity is zero or below, orders only close.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from qtw_lab.ledger import costs as _costs
from qtw_lab.ledger import sizing as _sizing

FloatArray = npt.NDArray[np.float64]

commission = njit(inline="always")(_costs.commission)
adverse_move = njit(inline="always")(_costs.adverse_move)
carry = njit(inline="always")(_costs.carry)
target_amount = njit(inline="always")(_sizing.target_amount)

#: Columns of the order list the kernel writes.
ORDER_COLUMNS: Final = ("bar", "symbol", "quantity", "price", "quoted", "commission", "reason")
#: Reason codes, by place.
REASONS: Final = ("signal", "rebalance", "stop_loss", "take_profit", "trailing_stop", "margin_call")
#: Execution modes, by place.
EXECUTIONS: Final = ("next_open", "next_close", "same_close")

#: An order below this fraction of equity is rounding noise and is not sent.
DUST: Final = 1e-9


class Rules(NamedTuple):
    """Every scalar the simulation needs; off is 0 for stops."""

    cash: float
    execution: int
    weights: bool
    sizing: int
    amount: float
    band: float
    leverage: float
    commission_bps: float
    commission_per_share: float
    commission_min: float
    spread_bps: float
    slippage_bps: float
    impact: float
    borrow_bps: float
    margin_rate: float
    stop_loss: float
    take_profit: float
    trailing: float


@njit(cache=True, nogil=True)
def simulate(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917  (one loop; split, it runs 5x slower)
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    decisions: FloatArray,
    seconds: FloatArray,
    volatility: FloatArray,
    volume: FloatArray,
    rules: Rules,
    equity: FloatArray,
    cash_path: FloatArray,
    positions: FloatArray,
    orders: FloatArray,
) -> tuple[int, int, float, float]:
    """Run one account over T bars of N symbols.

    Parameters
    ----------
    open_, high, low, close, decisions : ndarray, (T, N)
        Prices (NaN: no bar) and the strategy's decisions (NaN: keep).
    seconds : ndarray, (T,)
        Time since the bar before.
    volatility, volume : ndarray, (T, N) or (0, 0)
        Daily volatility and average daily volume known before each bar; empty when there is no impact.
    rules : Rules
        Costs, sizing, execution and stops.
    equity : ndarray, (T,)
        Written: equity at each close.
    cash_path : ndarray, (T,) or (0,)
        Written with `positions`: cash at each close.
    positions : ndarray, (T, N) or (0, 0)
        Written unless empty: signed shares at each close.
    orders : ndarray, (capacity, 7)
        Written: the fills by `ORDER_COLUMNS`, as many as there is room for; run once with no room to count them.

    Returns
    -------
    tuple of (int, int, float, float)
        Number of fills, number of positions opened, amount traded, holding costs paid.
    """
    bars, symbols = close.shape
    book = np.zeros(5)  # cash, orders, positions opened, amount traded, holding costs
    book[0] = rules.cash
    held = np.zeros(symbols)
    average = np.zeros(symbols)
    best = np.zeros(symbols)
    last = np.zeros(symbols)
    stance = np.zeros(symbols)
    wanted = np.full(symbols, np.nan)
    stopped = np.zeros(symbols)
    costly = rules.borrow_bps > 0.0 or rules.margin_rate > 0.0
    guarded = rules.stop_loss > 0.0 or rules.take_profit > 0.0 or rules.trailing > 0.0
    waiting = False
    ruined = False
    for t in range(bars):
        if costly and t > 0:
            short_value = 0.0
            for j in range(symbols):
                if held[j] < 0.0:
                    short_value -= held[j] * last[j]
            fee = carry(book[0], short_value, seconds[t], rules.borrow_bps, rules.margin_rate)
            book[0] -= fee
            book[4] += fee
        if waiting and rules.execution == 0:
            _fill_wanted(t, open_, held, average, best, last, wanted, volatility, volume, rules, book, orders)
        if guarded and not ruined:
            _fill_stops(t, open_, high, low, held, average, best, stopped, volatility, volume, rules, book, orders)
        if waiting and rules.execution == 1:
            _fill_wanted(t, close, held, average, best, last, wanted, volatility, volume, rules, book, orders)
        if not ruined:
            waiting = False
            for j in range(symbols):
                decision = decisions[t, j]
                if not np.isnan(decision):
                    if stopped[j] == 0.0 or decision * stopped[j] <= 0.0:
                        stopped[j] = 0.0
                        if rules.weights or decision != stance[j]:
                            wanted[j] = decision
                    stance[j] = decision
                waiting = waiting or not np.isnan(wanted[j])
        if waiting and rules.execution == 2:
            _fill_wanted(t, close, held, average, best, last, wanted, volatility, volume, rules, book, orders)
        worth = book[0]
        for j in range(symbols):
            if not np.isnan(close[t, j]):
                last[j] = close[t, j]
            worth += held[j] * last[j]
        if worth <= 0.0 and not ruined:
            ruined, waiting = True, False
            for j in range(symbols):
                if held[j] != 0.0:
                    _trade(t, j, -held[j], last[j], last[j], 5, held, average, best, rules, book, orders)
            worth = book[0]
        equity[t] = worth
        if positions.shape[0] > 0:
            cash_path[t] = book[0]
            positions[t, :] = held
    return int(book[1]), int(book[2]), book[3], book[4]


@njit(cache=True, nogil=True)
def _fill_wanted(  # noqa: C901, PLR0912, PLR0913, PLR0917  (sells, then buys, on one state)
    t: int,
    prices: FloatArray,
    held: FloatArray,
    average: FloatArray,
    best: FloatArray,
    last: FloatArray,
    wanted: FloatArray,
    volatility: FloatArray,
    volume: FloatArray,
    rules: Rules,
    book: FloatArray,
    orders: FloatArray,
) -> None:
    """Fill every waiting order whose symbol trades now, sells before buys."""
    symbols = held.shape[0]
    waiting = False
    worth = book[0]
    for j in range(symbols):
        price = prices[t, j]
        if np.isnan(price):
            price = last[j]
        elif not np.isnan(wanted[j]):
            waiting = True
        worth += held[j] * price
    if not waiting:
        return
    reason = 1 if rules.weights else 0
    needed = 0.0
    buys = 0
    for j in range(symbols):
        price = prices[t, j]
        if np.isnan(wanted[j]) or np.isnan(price):
            continue
        quantity = _quantity(wanted[j], price, held[j], worth, symbols, rules)
        if quantity == 0.0 or (wanted[j] != 0.0 and abs(quantity) * price <= DUST * worth):
            wanted[j] = np.nan
        elif quantity < 0.0:
            wanted[j] = np.nan
            paid = price * (1.0 - _move(t, j, quantity, volatility, volume, rules))
            _trade(t, j, quantity, paid, price, reason, held, average, best, rules, book, orders)
        else:
            buys += 1
            paid = price * (1.0 + _move(t, j, quantity, volatility, volume, rules))
            needed += quantity * paid + _fee(quantity, paid, rules)
    if buys == 0:
        return
    power = max(book[0] + (rules.leverage - 1.0) * worth, 0.0)
    scale = min(1.0, power / needed) if buys > 1 else 1.0
    for j in range(symbols):
        price = prices[t, j]
        if np.isnan(wanted[j]) or np.isnan(price):
            continue
        quantity = _quantity(wanted[j], price, held[j], worth, symbols, rules)
        wanted[j] = np.nan
        paid = price * (1.0 + _move(t, j, quantity, volatility, volume, rules))
        cover = min(quantity, max(-held[j], 0.0))
        power = max(book[0] + (rules.leverage - 1.0) * worth, 0.0) - cover * paid
        beyond = min((quantity - cover) * scale, _affordable(power, paid, rules))
        quantity = cover + (beyond if beyond * price > DUST * worth else 0.0)
        if quantity > 0.0:
            _trade(t, j, quantity, paid, price, reason, held, average, best, rules, book, orders)


@njit(cache=True, nogil=True, inline="always")
def _quantity(wanted: float, price: float, held: float, worth: float, symbols: int, rules: Rules) -> float:
    """Signed shares to trade so that the holding becomes what is wanted."""
    if wanted == 0.0:
        return -held
    if worth <= 0.0:
        return 0.0
    if rules.weights:
        value = wanted * worth
        if abs(value - held * price) <= rules.band * worth:
            return 0.0
    elif rules.sizing == 2:
        return wanted * rules.amount - held
    else:
        value = target_amount(rules.sizing, rules.amount, wanted, worth, symbols)
    return value / price - held


@njit(cache=True, nogil=True, inline="always")
def _move(t: int, j: int, quantity: float, volatility: FloatArray, volume: FloatArray, rules: Rules) -> float:
    """Fraction of the price by which this fill is worse than the quote."""
    if rules.impact > 0.0 and volume.shape[0] > 0:
        share = abs(quantity) / volume[t, j] if volume[t, j] > 0.0 else 0.0
        return adverse_move(rules.spread_bps, rules.slippage_bps, rules.impact, volatility[t, j], share)
    return adverse_move(rules.spread_bps, rules.slippage_bps, 0.0, 0.0, 0.0)


@njit(cache=True, nogil=True, inline="always")
def _fee(quantity: float, price: float, rules: Rules) -> float:
    """Commission of a fill under the rules."""
    return commission(
        abs(quantity) * price, quantity, rules.commission_bps, rules.commission_per_share, rules.commission_min
    )


@njit(cache=True, nogil=True, inline="always")
def _affordable(power: float, price: float, rules: Rules) -> float:
    """Most shares that can be bought, commission included, with that much money."""
    if power <= 0.0:
        return 0.0
    quantity = power / (price * (1.0 + rules.commission_bps * 1e-4) + rules.commission_per_share)
    if rules.commission_min > 0.0 and _fee(quantity, price, rules) <= rules.commission_min:
        quantity = min(quantity, max(power - rules.commission_min, 0.0) / price)
    return quantity


@njit(cache=True, nogil=True)
def _fill_stops(  # noqa: PLR0913, PLR0917  (state arrays of the one loop above)
    t: int,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    held: FloatArray,
    average: FloatArray,
    best: FloatArray,
    stopped: FloatArray,
    volatility: FloatArray,
    volume: FloatArray,
    rules: Rules,
    book: FloatArray,
    orders: FloatArray,
) -> None:
    """Close positions whose stop or target this bar reached; a stop counts before a target."""
    for j in range(held.shape[0]):
        if held[j] == 0.0 or np.isnan(open_[t, j]):
            continue
        side = 1.0 if held[j] > 0.0 else -1.0
        # Seen from the position: `worst` and `top` are the bar's range with the good direction up.
        start, worst, top = side * open_[t, j], side * low[t, j], side * high[t, j]
        if side < 0.0:
            worst, top = top, worst
        level = -np.inf
        reason = 2
        if rules.stop_loss > 0.0:
            level = side * average[j] * (1.0 - side * rules.stop_loss)
        if rules.trailing > 0.0:
            trail = side * best[j] * (1.0 - side * rules.trailing)
            if trail > level:
                level, reason = trail, 4
        target = side * average[j] * (1.0 + side * rules.take_profit) if rules.take_profit > 0.0 else np.inf
        if worst <= level:
            quoted = side * min(start, level)
            paid = quoted * (1.0 - side * _move(t, j, held[j], volatility, volume, rules))
            stopped[j] = side
            _trade(t, j, -held[j], paid, quoted, reason, held, average, best, rules, book, orders)
        elif top >= target:
            quoted = side * max(start, target)
            stopped[j] = side
            _trade(t, j, -held[j], quoted, quoted, 3, held, average, best, rules, book, orders)
        else:
            best[j] = side * max(side * best[j], top)


@njit(cache=True, nogil=True)
def _trade(  # noqa: PLR0913, PLR0917  (state arrays of the one loop above)
    t: int,
    j: int,
    quantity: float,
    paid: float,
    quoted: float,
    reason: int,
    held: FloatArray,
    average: FloatArray,
    best: FloatArray,
    rules: Rules,
    book: FloatArray,
    orders: FloatArray,
) -> None:
    """Book one fill: cash, position, average price, and the order list when recording."""
    fee = _fee(quantity, paid, rules)
    before = held[j]
    after = before + quantity
    if before == 0.0 or before * after < 0.0:
        book[2] += 1.0
        average[j] = paid
        best[j] = paid
    elif before * quantity > 0.0:
        average[j] = (abs(before) * average[j] + abs(quantity) * paid) / abs(after)
    held[j] = after
    book[0] -= quantity * paid + fee
    book[3] += abs(quantity) * paid
    count = int(book[1])
    if count < orders.shape[0]:
        orders[count, 0] = t
        orders[count, 1] = j
        orders[count, 2] = quantity
        orders[count, 3] = paid
        orders[count, 4] = quoted
        orders[count, 5] = fee
        orders[count, 6] = reason
    book[1] += 1.0


@njit(cache=True, nogil=True)
def simulate_columns(  # noqa: PLR0913, PLR0917  (the arrays of `simulate`)
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    decisions: FloatArray,
    seconds: FloatArray,
    volatility: FloatArray,
    volume: FloatArray,
    rules: Rules,
    equity: FloatArray,
    counts: FloatArray,
) -> None:
    """Run K accounts over one symbol, one for each column of decisions, through `simulate`.

    Parameters
    ----------
    open_, high, low, close : ndarray, (T, 1)
        The symbol's prices.
    decisions : ndarray, (K, T, 1)
        One set of decisions an account.
    seconds, volatility, volume, rules
        As in `simulate`.
    equity : ndarray, (K, T)
        Written: equity paths.
    counts : ndarray, (K, 4)
        Written: orders, positions opened, amount traded, holding costs.
    """
    none = np.empty(0)
    nothing = np.empty((0, 0))
    for k in range(decisions.shape[0]):
        fills, opened, traded, paid = simulate(
            open_, high, low, close, decisions[k], seconds, volatility, volume, rules, equity[k], none, nothing, nothing
        )
        counts[k, 0], counts[k, 1], counts[k, 2], counts[k, 3] = fills, opened, traded, paid
