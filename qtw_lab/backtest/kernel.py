"""The compiled simulation: decisions and orders in, fills and equity out.

The rules, event by event, are the page docs/simulation.md; `reference` is a second engine written from the same page.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.book import (
    AVERAGE,
    BEST,
    BLOCKED,
    BOOK,
    BORROW,
    CASH,
    CASH_INTEREST,
    CLOSE,
    DIVIDENDS,
    DUST,
    GROSS,
    HEARD,
    HELD,
    HIGH,
    LAST,
    LEAVING,
    LEFT,
    LOW,
    MARGIN_INTEREST,
    OPEN,
    PLAN,
    REST,
    REST_CLOSES,
    ROOM,
    STATES,
    UNCHARGED,
    UNSETTLED,
    VOLATILITY,
    VOLUME,
    WANTED,
    affordable,
    borrow_fee,
    capped,
    fee_of,
    interest,
    move_in,
    power_of,
    requirement,
    rounded,
    target_amount,
    trade,
)  # fmt: skip
from qtw_lab.backtest.compiled import compiled, inlined
from qtw_lab.backtest.desk import CANCELLED, DONE, FORCE, LIMIT, LIVE, PEAK, QUANTITY, STATUS, STOP, TRAIL, WORKING
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.rules import EXECUTIONS, ORDER_COLUMNS, REASONS, Rules
from qtw_lab.backtest.walk import at_close, drop_entry, enter, inside, lapse, leave, pass_by, rows_near, stops_near

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

__all__ = ["BOOK", "DUST", "EXECUTIONS", "ORDER_COLUMNS", "REASONS", "Rules", "simulate", "simulate_columns"]


@compiled
def simulate(  # noqa: C901, PLR0912, PLR0915  (one loop over bars; split, it runs 5x slower)
    market: Market,
    decisions: FloatArray,
    rows: FloatArray,
    spans: IntArray,
    rules: Rules,
    book: FloatArray,
    equity: FloatArray,
    cash_path: FloatArray,
    positions: FloatArray,
    orders: FloatArray,
) -> None:
    """Run one account over T bars of N symbols.

    Parameters
    ----------
    market : Market
        Prices and what else the rules need.
    decisions : ndarray, (T, N)
        The strategy's decisions (NaN: keep).
    rows, spans : ndarray
        Working orders, as `desk.Desk`; written: what became of them.
    rules : Rules
        Costs, sizing, execution, account and stops.
    book : ndarray, (BOOK,)
        Written: cash, counts, costs and amounts, at the places that module `book` names.
    equity : ndarray, (T,)
        Written: equity at each close.
    cash_path : ndarray, (T,) or (0,)
        Written with `positions`: cash at each close.
    positions : ndarray, (T, N) or (0, 0)
        Written unless empty: signed shares at each close.
    orders : ndarray, (capacity, 9)
        Written: the fills by `ORDER_COLUMNS`, as many as there is room for; run once with no room to count them.
    """
    bars, symbols = market.close.shape
    state = np.zeros((STATES, symbols))
    state[WANTED, :] = np.nan
    book[:] = 0.0
    book[CASH] = rules.cash
    saved = np.empty(STATES + BOOK)
    kept = np.empty_like(rows)
    bar = np.zeros(6)
    worth = 0.0
    carried = rules.borrow_bps > 0.0 or rules.margin_rate > 0.0 or rules.cash_rate > 0.0
    guarded = rules.stop_loss > 0.0 or rules.take_profit > 0.0 or rules.trailing > 0.0 or rules.trailing_amount > 0.0
    worked = rows.shape[0] > 0
    closing = worked and np.any(rows[:, FORCE] == 5.0)
    called = rules.maintenance > 0.0 or rules.maintenance_short > 0.0
    waiting = False
    ruined = False
    for t in range(bars):
        if market.split.shape[0] > 0:
            _act(t, market, rows, spans, state, book)
        if carried and t > 0:
            _carry(t, market, state, book, rules)
        if rules.settlement > 0 and t > 0 and market.sessions[t] != market.sessions[t - 1]:
            _release(book, rules.settlement)
        if rules.participation > 0.0:
            for j in range(symbols):
                volume = market.traded[t, j]
                state[ROOM, j] = rules.participation * volume if volume > 0.0 else 0.0
            if not ruined:
                for j in range(symbols):
                    if state[LEAVING, j] != 0.0 and not np.isnan(market.open[t, j]):
                        _leave_rest(t, j, market, rows, spans[j, 0], state, book, rules, orders)
        if waiting and rules.execution == 0:
            waiting = fill_wanted(t, market.open, market, state, book, rules, orders)
        if (guarded or worked) and not ruined:
            valued = False
            for j in range(symbols):
                first, end = spans[j, 0], spans[j, 1]
                if np.isnan(market.open[t, j]) or (state[HELD, j] == 0.0 and end == first):
                    continue
                high, low = market.high[t, j], market.low[t, j]
                near = end > first and rows_near(t, market.open[t, j], high, low, market.sessions[t], rows, first, end)
                if stops_near(high, low, j, state, rules) or near:
                    if not valued:
                        worth = _valued(t, market.open, state, book)
                        valued = True
                    _read_bar(t, j, market, bar, rules)
                    inside(t, j, bar, rows, first, end, worth, state, book, saved, kept, rules, orders)
                elif end > first:
                    pass_by(high, low, rows, first, end)
        if waiting and rules.execution > 2:
            waiting = fill_wanted(t, market.average, market, state, book, rules, orders)
        if closing and not ruined:
            worth = _valued(t, market.close, state, book)
            for j in range(symbols):
                if not np.isnan(market.close[t, j]) and spans[j, 1] > spans[j, 0]:
                    _read_bar(t, j, market, bar, rules)
                    bar[OPEN] = bar[CLOSE]  # the moment's price
                    at_close(t, j, bar, rows, spans[j, 0], spans[j, 1], worth, state, book, rules, orders)
        if waiting and rules.execution == 1:
            waiting = fill_wanted(t, market.close, market, state, book, rules, orders)
        if not ruined:
            for j in range(symbols):
                decision = decisions[t, j]
                if not np.isnan(decision):
                    if state[BLOCKED, j] == 0.0 or decision * state[BLOCKED, j] <= 0.0:
                        state[BLOCKED, j] = 0.0
                        if rules.weights or decision != state[HEARD, j]:
                            waiting = True
                            _hear(t, j, decision, market, rows, spans, state, rules)
                    state[HEARD, j] = decision
        if waiting and rules.execution == 2:
            waiting = fill_wanted(t, market.close, market, state, book, rules, orders)
        worth = book[CASH]
        for j in range(symbols):
            close = market.close[t, j]
            if not np.isnan(close):
                state[LAST, j] = close
            worth += state[HELD, j] * state[LAST, j]
        if called and worth > 0.0 and worth < _needed(state, rules) * (1.0 - DUST):
            _call(t, worth, market, rows, spans, state, book, rules, orders)
            worth = book[CASH]
            for j in range(symbols):
                worth += state[HELD, j] * state[LAST, j]
        if worth <= 0.0 and not ruined:
            ruined, waiting = True, False
            for r in range(rows.shape[0]):
                if rows[r, STATUS] <= WORKING:
                    rows[r, STATUS] = CANCELLED
            for j in range(symbols):
                if state[HELD, j] != 0.0:
                    last = state[LAST, j]
                    trade(t, j, -state[HELD, j], last, last, 5, -1, False, True, state, book, rules, orders)
            worth = book[CASH]
        equity[t] = worth
        if positions.shape[0] > 0:
            cash_path[t] = book[CASH]
            positions[t, :] = state[HELD]


@compiled
def _act(t: int, market: Market, rows: FloatArray, spans: IntArray, state: FloatArray, book: FloatArray) -> None:
    """Splits and dividends before the bar opens."""
    for j in range(state.shape[1]):
        ratio = market.split[t, j]
        if ratio != 1.0:
            state[HELD, j] *= ratio
            state[REST, j] *= ratio
            state[AVERAGE, j] /= ratio
            state[BEST, j] /= ratio
            state[LAST, j] /= ratio
            for r in range(spans[j, 0], spans[j, 1]):
                if rows[r, STATUS] == WORKING:
                    lapse(r, market.sessions[t], rows)
                if rows[r, LIVE] <= t:
                    _split_row(r, ratio, rows)
        if market.dividend[t, j] != 0.0:
            paid = state[HELD, j] * market.dividend[t, j]
            book[CASH] += paid
            book[DIVIDENDS] += paid


@compiled
def _split_row(r: int, ratio: float, rows: FloatArray) -> None:
    """A working order after a split: what it has done counts in new shares, its prices in new money."""
    if rows[r, STATUS] <= WORKING:
        rows[r, QUANTITY] *= ratio
        rows[r, DONE] *= ratio
        rows[r, LIMIT] /= ratio
        rows[r, STOP] /= ratio
        rows[r, TRAIL] /= ratio
        rows[r, PEAK] /= ratio


@compiled
def _carry(t: int, market: Market, state: FloatArray, book: FloatArray, rules: Rules) -> None:
    """Borrow fees and interest since the bar before."""
    short_value = 0.0
    for j in range(state.shape[1]):
        if state[HELD, j] < 0.0:
            short_value -= state[HELD, j] * state[LAST, j]
    fee = borrow_fee(short_value, market.seconds[t], rules.borrow_bps)
    cash = book[CASH]
    earning = cash if cash < 0.0 else max(cash - short_value, 0.0)
    paid = interest(earning, market.seconds[t], rules.margin_rate, rules.cash_rate)
    book[CASH] -= fee + paid
    book[BORROW] += fee
    book[MARGIN_INTEREST if paid > 0.0 else CASH_INTEREST] += abs(paid)


@compiled
def _release(book: FloatArray, settlement: int) -> None:
    """A session passes: the oldest sale proceeds can be spent."""
    for k in range(1, settlement):
        book[UNSETTLED + k] = book[UNSETTLED + k + 1]
    book[UNSETTLED + settlement] = 0.0
    book[UNSETTLED] = 0.0
    for k in range(1, settlement + 1):
        book[UNSETTLED] += book[UNSETTLED + k]


@compiled
def _leave_rest(
    t: int,
    j: int,
    market: Market,
    rows: FloatArray,
    entry: int,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """What a protective exit left unfinished leaves at the open, as far as the volume allows."""
    if state[HELD, j] == 0.0:
        state[LEAVING, j] = 0.0
    else:
        begun = state[LEAVING, j] > 0.0
        reason = int(abs(state[LEAVING, j])) - 1
        bar = np.empty(6)
        _read_bar(t, j, market, bar, rules)
        leave(t, j, market.open[t, j], reason, False, False, not begun, bar, rows, entry, state, book, rules, orders)


@inlined
def _read_bar(t: int, j: int, market: Market, bar: FloatArray, rules: Rules) -> None:
    """One symbol's bar as the walk inside it reads it."""
    bar[OPEN], bar[HIGH], bar[LOW], bar[CLOSE] = (
        market.open[t, j], market.high[t, j], market.low[t, j], market.close[t, j],
    )  # fmt: skip
    if rules.impact > 0.0:
        bar[VOLATILITY], bar[VOLUME] = market.volatility[t, j], market.volume[t, j]


@compiled
def _valued(t: int, prices: FloatArray, state: FloatArray, book: FloatArray) -> float:
    """Equity at these prices, at the last price where there is none; gross exposure goes to the book."""
    worth = book[CASH]
    book[GROSS] = 0.0
    for j in range(state.shape[1]):
        if state[HELD, j] != 0.0:
            price = prices[t, j]
            value = state[HELD, j] * (state[LAST, j] if np.isnan(price) else price)
            worth += value
            book[GROSS] += abs(value)
    return float(worth)


@compiled
def _hear(
    t: int, j: int, decision: float, market: Market, rows: FloatArray, spans: IntArray, state: FloatArray, rules: Rules
) -> None:
    """A decision that counts: it waits as a market order, or goes to the desk as an entry order."""
    state[WANTED, j] = decision
    if rules.entry > 0:
        entry = spans[j, 0]
        rows[entry, STATUS] = CANCELLED
        held = state[HELD, j]
        if decision != 0.0 and decision * held <= 0.0:
            enter(t, entry, decision, market.close[t, j], rows, rules)
            state[WANTED, j] = 0.0 if held != 0.0 else np.nan
            state[REST, j] = 0.0


@compiled
def fill_wanted(  # noqa: C901, PLR0912, PLR0915  (sells, then buys, on one state)
    t: int,
    prices: FloatArray,
    market: Market,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> bool:
    """Fill every waiting order whose symbol trades now, sells before buys; whether anything still waits."""
    symbols = state.shape[1]
    here, left = False, False
    worth, exposure = book[CASH], 0.0
    for j in range(symbols):
        price = prices[t, j]
        due = not np.isnan(state[WANTED, j]) or state[REST, j] != 0.0
        if np.isnan(price):
            price = state[LAST, j]
            left = left or due
        else:
            here = here or due
        if state[HELD, j] != 0.0:
            worth += state[HELD, j] * price
            exposure += abs(state[HELD, j] * price)
    if not here:
        return left
    reason = 1 if rules.weights else 0
    buys = 0
    for j in range(symbols):
        price = prices[t, j]
        state[PLAN, j] = 0.0
        if np.isnan(price) or (np.isnan(state[WANTED, j]) and state[REST, j] == 0.0):
            continue
        fresh = not np.isnan(state[WANTED, j]) or state[UNCHARGED, j] > 0.0
        quantity = _planned(j, price, worth, state, rules)
        state[WANTED, j] = np.nan
        state[REST, j] = 0.0
        state[UNCHARGED, j] = 1.0 if fresh else 0.0
        closes = quantity == -state[HELD, j]
        portion = capped(quantity, j, state, rules)
        if portion != quantity:
            state[LEFT, j] = quantity - portion
            state[REST_CLOSES, j] = 1.0 if closes else 0.0
            left = True
        if portion < 0.0:
            held = state[HELD, j]
            paid = price * (1.0 - move_in(t, j, portion, market, rules))
            if rules.gross:
                inner = min(-portion, max(held, 0.0))
                power = power_of(worth, exposure - inner * price, book, rules)
                beyond = min(-portion - inner, affordable(power, price, False, fresh, rules))
                if beyond < -portion - inner:
                    portion = -inner if beyond * price <= DUST * worth else -rounded(inner + beyond, rules.lot)
            if portion != 0.0:
                trade(t, j, portion, paid, price, reason, -1, False, fresh, state, book, rules, orders)
                state[UNCHARGED, j] = 0.0
                exposure += (abs(state[HELD, j]) - abs(held)) * price
        elif portion > 0.0:
            buys += 1
            state[PLAN, j] = portion if fresh else -portion  # the sign says whether it is an order's first fill
    if buys > 0:
        _buy(t, buys, prices, worth, exposure, reason, market, state, book, rules, orders)
    if rules.participation > 0.0:
        for j in range(symbols):
            if state[LEFT, j] != 0.0:
                state[REST, j], state[LEFT, j] = state[LEFT, j], 0.0
    return left


@compiled
def _buy(  # noqa: C901  (one moment's buys)
    t: int,
    buys: int,
    prices: FloatArray,
    worth: float,
    exposure: float,
    reason: int,
    market: Market,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """Fill the planned buys, scaled down together to the buying power; what covers a short is always bought."""
    symbols = state.shape[1]
    scale = 1.0
    if buys > 1:
        needed, freed = 0.0, 0.0
        for j in range(symbols):
            if state[PLAN, j] != 0.0:
                quantity = abs(state[PLAN, j])
                if rules.gross:
                    cover = min(quantity, max(-state[HELD, j], 0.0))
                    quantity -= cover
                    freed += cover * prices[t, j]
                paid = prices[t, j] * (1.0 + move_in(t, j, abs(state[PLAN, j]), market, rules))
                needed += quantity * paid + fee_of(quantity, paid, False, state[PLAN, j] > 0.0, rules)
        if needed > 0.0:
            scale = min(1.0, power_of(worth, exposure - freed, book, rules) / needed)
    for j in range(symbols):
        quantity, fresh = abs(state[PLAN, j]), state[PLAN, j] > 0.0
        if quantity == 0.0:
            continue
        price, held = prices[t, j], state[HELD, j]
        paid = price * (1.0 + move_in(t, j, quantity, market, rules))
        cover = min(quantity, max(-held, 0.0))
        most = affordable(power_of(worth, exposure - cover * price, book, rules), paid, False, fresh, rules)
        if not rules.gross:
            most = max(most - cover, 0.0)
        beyond = min((quantity - cover) * scale, most)
        beyond = beyond if beyond * price > DUST * worth else 0.0
        bought = quantity if beyond == quantity - cover else cover + beyond  # no rounding crumbs
        if bought != -held:
            bought = rounded(bought, rules.lot)
        if bought > 0.0:
            trade(t, j, bought, paid, price, reason, -1, False, fresh, state, book, rules, orders)
            state[UNCHARGED, j] = 0.0
            exposure += (abs(state[HELD, j]) - abs(held)) * price


@inlined
def _planned(j: int, price: float, worth: float, state: FloatArray, rules: Rules) -> float:
    """Signed shares to trade: what is carried, or what makes the holding what is wanted; 0 if not worth sending."""
    held, wanted = state[HELD, j], state[WANTED, j]
    if np.isnan(wanted):
        quantity = -held if state[REST_CLOSES, j] > 0.0 else state[REST, j]
        if worth <= 0.0 and quantity * held >= 0.0:
            return 0.0
        if worth <= 0.0 and abs(quantity) > abs(held):
            quantity = -held
        wanted = 0.0 if state[REST_CLOSES, j] > 0.0 else 1.0
    else:
        quantity = _difference(wanted, price, held, worth, state.shape[1], rules)
    if not rules.shorting and quantity < -held:
        quantity = -max(held, 0.0)
    if wanted == 0.0 and quantity == -held:
        return float(quantity)
    if abs(quantity) * price <= DUST * worth:
        return 0.0
    if quantity != -held:
        quantity = rounded(quantity, rules.lot)
        if not np.isnan(state[WANTED, j]) and abs(quantity) * price < rules.min_notional:
            return 0.0
    return float(quantity)


@inlined
def _difference(wanted: float, price: float, held: float, worth: float, symbols: int, rules: Rules) -> float:
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


@inlined
def _needed(state: FloatArray, rules: Rules) -> float:
    """Equity that must stand behind the positions, at last prices."""
    longs, shorts = 0.0, 0.0
    for j in range(state.shape[1]):
        value = state[HELD, j] * state[LAST, j]
        longs += max(value, 0.0)
        shorts += max(-value, 0.0)
    return requirement(longs, shorts, rules.maintenance, rules.maintenance_short)


@compiled
def _call(
    t: int,
    worth: float,
    market: Market,
    rows: FloatArray,
    spans: IntArray,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """Below the maintenance requirement every position is cut alike until it is met, costs apart."""
    needed = _needed(state, rules)
    share = 1.0 - worth / needed
    for j in range(state.shape[1]):
        held, price = state[HELD, j], market.close[t, j]
        if held == 0.0 or np.isnan(price):
            continue
        size = abs(held) * share
        if rules.lot > 0.0:
            size = min(np.ceil(size / rules.lot - 1e-9) * rules.lot, abs(held))
        quantity = -size if held > 0.0 else size
        paid = price * (1.0 + (1.0 if quantity > 0.0 else -1.0) * move_in(t, j, quantity, market, rules))
        trade(t, j, quantity, paid, price, 5, -1, False, True, state, book, rules, orders)
        drop_entry(j, held, rows, spans[j, 0], state, rules)


@compiled
def simulate_columns(
    market: Market,
    decisions: FloatArray,
    rows: FloatArray,
    spans: IntArray,
    rules: Rules,
    equity: FloatArray,
    books: FloatArray,
) -> None:
    """Run K accounts over the same market, one for each set of decisions, through `simulate`.

    Parameters
    ----------
    market, rules
        As in `simulate`.
    decisions : ndarray, (K, T, N)
        One set of decisions an account.
    rows, spans : ndarray
        The desk each account starts with.
    equity : ndarray, (K, T)
        Written: equity paths.
    books : ndarray, (K, BOOK)
        Written: each account's book at the end.
    """
    none = np.empty(0)
    nothing = np.empty((0, 0))
    no_orders = np.empty((0, 9))
    for k in range(decisions.shape[0]):
        simulate(market, decisions[k], rows.copy(), spans, rules, books[k], equity[k], none, nothing, no_orders)
