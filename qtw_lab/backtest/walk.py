"""The compiled inside of a bar: protective stops and working orders along the bar's path. Rules: docs/simulation.md."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.book import (
    AMBIGUOUS,
    AVERAGE,
    BEST,
    BLOCKED,
    CASH,
    CLOSE,
    DUST,
    FILLS,
    GROSS,
    HELD,
    HIGH,
    LEAVING,
    LOW,
    OPEN,
    ROOM,
    VOLATILITY,
    VOLUME,
    WANTED,
    affordable,
    capped,
    limit_met,
    move_of,
    power_of,
    rounded,
    stop_level,
    stop_met,
    target_amount,
    target_level,
    trade,
    trail_level,
)  # fmt: skip
from qtw_lab.backtest.compiled import compiled, inlined
from qtw_lab.backtest.desk import (
    AGE,
    BARS,
    BORN,
    CANCELLED,
    DECISION,
    DONE,
    EXPIRED,
    FILLED,
    FORCE,
    GROUP,
    IDLE,
    LEG,
    LIMIT,
    LIVE,
    OWNER,
    PAID,
    PARENT,
    PEAK,
    QUANTITY,
    REASON,
    REJECTED,
    SIDE,
    STATUS,
    STOP,
    TOUCHED,
    TRAIL,
    TRAIL_FRACTION,
    TYPE,
    WORKING,
)  # fmt: skip
from qtw_lab.backtest.rules import Rules

FloatArray = npt.NDArray[np.float64]

# Types and times in force of a row, by place in `desk.TYPES` and `desk.FORCES`.
_MARKET, _LIMIT, _STOP, _STOP_LIMIT, _TRAILING = range(5)
_GTC, _DAY, _IOC, _FOK, _OPG, _CLS = range(6)


@compiled
def inside(
    t: int,
    j: int,
    bar: FloatArray,
    rows: FloatArray,
    first: int,
    end: int,
    worth: float,
    state: FloatArray,
    book: FloatArray,
    saved: FloatArray,
    kept: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """One symbol's bar from open to close, along both paths if they can differ, going on with the one that counts."""
    saved[: state.shape[0]] = state[:, j]
    saved[state.shape[0] :] = book
    kept[: end - first] = rows[first:end]
    before = int(book[FILLS])
    _walk(t, j, True, bar, rows, first, end, worth, state, book, rules, orders)
    low_held, low_cash = state[HELD, j], book[CASH]
    _restore(j, rows, first, end, state, book, saved, kept)
    _walk(t, j, False, bar, rows, first, end, worth, state, book, rules, orders)
    close = bar[CLOSE]
    high_worth, low_worth = book[CASH] + state[HELD, j] * close, low_cash + low_held * close
    noise = 1e-12 * abs(worth)
    ambiguous = abs(book[CASH] - low_cash) > noise or abs(state[HELD, j] - low_held) * close > noise
    gain = high_worth - low_worth
    if not (ambiguous and (gain > 0.0 if rules.optimistic else gain < 0.0)):
        _restore(j, rows, first, end, state, book, saved, kept)
        _walk(t, j, True, bar, rows, first, end, worth, state, book, rules, orders)
    if ambiguous:
        book[AMBIGUOUS] += 1.0
        for k in range(before, min(int(book[FILLS]), orders.shape[0])):
            orders[k, 7] = 1.0


@inlined
def _restore(
    j: int, rows: FloatArray, first: int, end: int, state: FloatArray, book: FloatArray, saved: FloatArray,
    kept: FloatArray,
) -> None:  # fmt: skip
    """Undo a walk."""
    state[:, j] = saved[: state.shape[0]]
    book[:] = saved[state.shape[0] :]
    rows[first:end] = kept[: end - first]


@inlined
def stops_near(high: float, low: float, j: int, state: FloatArray, rules: Rules) -> bool:
    """Whether this bar can reach the position's stop or target on either path; if not, its best price moves on."""
    if state[HELD, j] == 0.0:
        return False
    side = 1.0 if state[HELD, j] > 0.0 else -1.0
    good, bad = (high, low) if side > 0.0 else (low, high)
    best = side * max(side * state[BEST, j], side * good)
    level = stop_level(side, state[AVERAGE, j], best, rules.stop_loss, rules.trailing, rules.trailing_amount)
    if side * bad <= side * level or side * good >= side * target_level(side, state[AVERAGE, j], rules.take_profit):
        return True
    state[BEST, j] = best
    return False


@inlined
def rows_near(
    t: int, open_: float, high: float, low: float, session: int, rows: FloatArray, first: int, end: int
) -> bool:
    """Let rows go live and end when their time is there; whether this bar can reach one of those that work."""
    near = False
    for r in range(first, end):
        if rows[r, STATUS] > WORKING:
            continue
        _wake(t, r, open_, session, rows)
        if rows[r, STATUS] == WORKING and rows[r, FORCE] != _CLS:
            kind, side = rows[r, TYPE], rows[r, SIDE]
            good, bad = (low, high) if side > 0.0 else (high, low)
            if kind == _MARKET or rows[r, FORCE] > _DAY:
                near = True
            elif kind == _LIMIT or (kind == _STOP_LIMIT and rows[r, TOUCHED] > 0.0):
                near = near or limit_met(side, rows[r, LIMIT], good)
            elif kind == _TRAILING:
                peak = side * min(side * rows[r, PEAK], side * good)
                level = trail_level(side, peak, rows[r, TRAIL], rows[r, TRAIL_FRACTION])
                near = near or stop_met(side, level, bad)
            else:
                near = near or stop_met(side, rows[r, STOP], bad)
    return near


@inlined
def pass_by(high: float, low: float, rows: FloatArray, first: int, end: int) -> None:
    """A bar that reaches no row: the best prices of trailing stops move on."""
    for r in range(first, end):
        if rows[r, STATUS] == WORKING and rows[r, TYPE] == _TRAILING:
            rows[r, PEAK] = min(rows[r, PEAK], low) if rows[r, SIDE] > 0.0 else max(rows[r, PEAK], high)


@inlined
def lapse(r: int, session: int, rows: FloatArray) -> None:
    """End a working row whose time in force has run out before this bar."""
    over = rows[r, FORCE] == _DAY and rows[r, BORN] != session
    if over or (rows[r, BARS] > 0.0 and rows[r, AGE] >= rows[r, BARS]):
        rows[r, STATUS] = EXPIRED


@inlined
def _wake(t: int, r: int, price: float, session: int, rows: FloatArray) -> None:
    """Let a row go live at its first bar, and end it when its life is over."""
    if rows[r, STATUS] == IDLE and rows[r, PARENT] < 0 and rows[r, LIVE] <= t:
        rows[r, STATUS] = WORKING
        rows[r, BORN] = session
        rows[r, PEAK] = price
    if rows[r, STATUS] == WORKING:
        lapse(r, session, rows)
        rows[r, AGE] += 1.0


@compiled
def _walk(
    t: int,
    j: int,
    low_first: bool,
    bar: FloatArray,
    rows: FloatArray,
    first: int,
    end: int,
    worth: float,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """Follow one path from the open over low and high (or high and low) to the close."""
    price = bar[OPEN]
    at_open = True
    _follow(j, price, rows, first, end, state)
    for leg in range(4):
        if leg == 0:
            goal = price
        elif leg == 3:
            goal = bar[CLOSE]
        else:
            goal = bar[LOW] if low_first == (leg == 1) else bar[HIGH]
        while True:
            while _fill_met(t, j, price, at_open, bar, rows, first, end, worth, state, book, rules, orders):
                pass
            if at_open and leg == 0:
                for r in range(first, end):  # what lived only for this open is over
                    if rows[r, STATUS] == WORKING and _IOC <= rows[r, FORCE] <= _OPG:
                        rows[r, STATUS] = EXPIRED
            if price == goal:
                break
            at_open = False
            price = _next_level(j, price, goal, rows, first, end, state, rules)
            _follow(j, price, rows, first, end, state)


@inlined
def _follow(j: int, price: float, rows: FloatArray, first: int, end: int, state: FloatArray) -> None:
    """Best prices follow the path."""
    if state[HELD, j] > 0.0:
        state[BEST, j] = max(state[BEST, j], price)
    elif state[HELD, j] < 0.0:
        state[BEST, j] = min(state[BEST, j], price)
    for r in range(first, end):
        if rows[r, STATUS] == WORKING and rows[r, TYPE] == _TRAILING:
            rows[r, PEAK] = min(rows[r, PEAK], price) if rows[r, SIDE] > 0.0 else max(rows[r, PEAK], price)


@inlined
def _row_level(r: int, rows: FloatArray) -> float:
    """The price at which a row fills, or is triggered."""
    kind = rows[r, TYPE]
    if kind == _LIMIT or (kind == _STOP_LIMIT and rows[r, TOUCHED] > 0.0):
        return float(rows[r, LIMIT])
    if kind == _TRAILING:
        return trail_level(rows[r, SIDE], rows[r, PEAK], rows[r, TRAIL], rows[r, TRAIL_FRACTION])
    return float(rows[r, STOP])


@inlined
def _row_met(r: int, price: float, rows: FloatArray) -> bool:
    """Whether a row fills, or is triggered, at this price."""
    kind = rows[r, TYPE]
    if kind == _MARKET:
        return True
    if kind == _LIMIT or (kind == _STOP_LIMIT and rows[r, TOUCHED] > 0.0):
        return limit_met(rows[r, SIDE], rows[r, LIMIT], price)
    return stop_met(rows[r, SIDE], _row_level(r, rows), price)


@compiled
def _next_level(
    j: int, price: float, goal: float, rows: FloatArray, first: int, end: int, state: FloatArray, rules: Rules
) -> float:
    """The nearest price on the way to `goal` at which something is met, or `goal`."""
    up = goal > price
    near = goal
    if state[HELD, j] != 0.0:
        side = 1.0 if state[HELD, j] > 0.0 else -1.0
        if up == (side < 0.0):
            level = stop_level(
                side, state[AVERAGE, j], state[BEST, j], rules.stop_loss, rules.trailing, rules.trailing_amount
            )
        else:
            level = target_level(side, state[AVERAGE, j], rules.take_profit)
        if (price < level < near) if up else (near < level < price):
            near = level
    for r in range(first, end):
        if rows[r, STATUS] == WORKING and rows[r, FORCE] <= _DAY and rows[r, TYPE] != _MARKET:
            level = _row_level(r, rows)
            if (price < level < near) if up else (near < level < price):
                near = level
    return near


@compiled
def _fill_met(
    t: int,
    j: int,
    price: float,
    at_open: bool,
    bar: FloatArray,
    rows: FloatArray,
    first: int,
    end: int,
    worth: float,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> bool:
    """Fill the first thing that is met at this price; whether there was one (then ask again)."""
    if state[HELD, j] != 0.0 and state[LEAVING, j] == 0.0:
        side = 1.0 if state[HELD, j] > 0.0 else -1.0
        average, best = state[AVERAGE, j], state[BEST, j]
        level = stop_level(side, average, best, rules.stop_loss, rules.trailing, rules.trailing_amount)
        if stop_met(-side, level, price):
            loss = stop_level(side, average, best, rules.stop_loss, 0.0, 0.0)
            leave(
                t, j, price, 2 if loss == level else 4, False, False, True, bar, rows, first, state, book, rules, orders
            )
            return True
        target = target_level(side, average, rules.take_profit)
        if limit_met(-side, target, price):
            leave(
                t,
                j,
                price,
                3,
                True,
                not at_open and price == target,
                True,
                bar,
                rows,
                first,
                state,
                book,
                rules,
                orders,
            )
            return True
    for r in range(first, end):
        if rows[r, STATUS] != WORKING or rows[r, FORCE] == _CLS or not _row_met(r, price, rows):
            continue
        if rows[r, TYPE] == _STOP_LIMIT and rows[r, TOUCHED] == 0.0:
            rows[r, TOUCHED] = 1.0
            return True
        if rows[r, TYPE] == _STOP or rows[r, TYPE] == _TRAILING:
            rows[r, TYPE] = _MARKET  # what the volume does not allow now is for the next opens
        if rules.participation > 0.0 and state[ROOM, j] <= 0.0:
            continue
        if fill_row(t, j, r, price, not at_open, bar, rows, first, end, worth, state, book, rules, orders):
            return True
    return False


@compiled
def leave(
    t: int,
    j: int,
    price: float,
    reason: int,
    limit: bool,
    resting: bool,
    fresh: bool,
    bar: FloatArray,
    rows: FloatArray,
    entry: int,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """Close a position on its stop or target, or as much of it as the volume allows."""
    held = state[HELD, j]
    side = 1.0 if held > 0.0 else -1.0
    quantity = capped(-held, j, state, rules)
    paid = price if limit else price * (1.0 - side * move_of(quantity, bar[VOLATILITY], bar[VOLUME], rules))
    state[BLOCKED, j] = side
    if quantity != 0.0:
        trade(t, j, quantity, paid, price, reason, -1, limit and resting, fresh, state, book, rules, orders)
        book[GROSS] -= abs(quantity) * bar[OPEN]
        drop_entry(j, held, rows, entry, state, rules)
    state[LEAVING, j] = 0.0
    if quantity != -held:
        state[LEAVING, j] = reason + 1.0 if quantity != 0.0 or not fresh else -reason - 1.0


@inlined
def drop_entry(j: int, before: float, rows: FloatArray, entry: int, state: FloatArray, rules: Rules) -> None:
    """What waits of a part-filled entry goes when something else has closed or turned its position."""
    gone = before != 0.0 and before * state[HELD, j] <= 0.0
    if rules.entry > 0 and gone and rows[entry, STATUS] == WORKING and rows[entry, DONE] > 0.0:
        rows[entry, STATUS] = CANCELLED


@compiled
def fill_row(  # noqa: C901, PLR0912  (the arrays of the one loop)
    t: int,
    j: int,
    r: int,
    price: float,
    resting: bool,
    bar: FloatArray,
    rows: FloatArray,
    first: int,
    end: int,
    worth: float,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> bool:
    """Fill a working row as far as money and volume allow; False if the volume allows nothing."""
    side, held = rows[r, SIDE], state[HELD, j]
    fresh = rows[r, DONE] == 0.0
    if fresh and not np.isnan(rows[r, DECISION]):
        size = side * (_wanted_shares(rows[r, DECISION], price, worth, state.shape[1], rules) - held)
        rows[r, QUANTITY] = size if size * price > DUST * worth else 0.0
    left = rows[r, QUANTITY] - rows[r, DONE]
    if side < 0.0 and not rules.shorting:
        left = min(left, max(held, 0.0))
    closes = left == abs(held) and side * held < 0.0
    if not closes:
        left = rounded(left, rules.lot)
    if left <= 0.0 or (fresh and not closes and left * price < rules.min_notional):
        rows[r, STATUS] = REJECTED if fresh else FILLED
        return True
    quantity = capped(side * left, j, state, rules)
    if quantity == 0.0:
        return False
    short_of_volume = abs(quantity) < left
    is_limit = rows[r, TYPE] == _LIMIT or rows[r, TYPE] == _STOP_LIMIT
    paid = price if is_limit else price * (1.0 + side * move_of(quantity, bar[VOLATILITY], bar[VOLUME], rules))
    resting = resting and is_limit and price == rows[r, LIMIT]
    inner = min(abs(quantity), max(-side * held, 0.0))  # the part that closes a position of the other side
    beyond = abs(quantity) - inner
    if worth <= 0.0:
        beyond = 0.0
    if beyond > 0.0 and (side > 0.0 or rules.gross):
        power = power_of(worth, book[GROSS] - inner * bar[OPEN], book, rules)
        most = affordable(power, max(paid, price), resting, fresh, rules)
        if not rules.gross:
            most = max(most - inner, 0.0)
        beyond = min(beyond, most)
        if beyond * price <= DUST * worth:
            beyond = 0.0
    amount = abs(quantity) if beyond == abs(quantity) - inner else inner + beyond  # no rounding crumbs
    if amount != abs(held) or inner == 0.0:
        amount = rounded(amount, rules.lot)
    short_of_money = amount < abs(quantity)
    if rows[r, FORCE] == _FOK and (short_of_money or short_of_volume):
        rows[r, STATUS] = EXPIRED
        return True
    if amount <= 0.0:
        rows[r, STATUS] = REJECTED if fresh else FILLED
        return True
    trade(
        t, j, side * amount, paid, price, int(rows[r, REASON]), int(rows[r, OWNER]), resting, fresh, state, book, rules,
        orders,
    )  # fmt: skip
    book[GROSS] += (abs(state[HELD, j]) - abs(held)) * bar[OPEN]
    if not np.isnan(rows[r, DECISION]):
        state[WANTED, j] = np.nan  # an entry that turns a position has closed the old one too
    elif r != first:
        drop_entry(j, held, rows, first, state, rules)
    rows[r, DONE] += amount
    rows[r, PAID] += amount * paid
    rows[r, QUANTITY] = rows[r, DONE] + (left - abs(quantity))  # what the volume leaves; what money cuts is gone
    _settle_row(r, amount, rows, first, end)
    return True


@compiled
def _settle_row(r: int, amount: float, rows: FloatArray, first: int, end: int) -> None:
    """After a fill: the order may be done, its group shrinks or goes, and its legs go live."""
    done = rows[r, DONE] >= rows[r, QUANTITY] * (1.0 - 1e-12)
    if done:
        rows[r, STATUS] = FILLED
    for k in range(first, end):
        if k == r:
            continue
        if rows[r, GROUP] != -1.0 and rows[k, GROUP] == rows[r, GROUP] and rows[k, STATUS] <= WORKING:
            rows[k, QUANTITY] -= amount
            if done or rows[k, QUANTITY] <= rows[k, DONE]:
                rows[k, STATUS] = CANCELLED
        elif done and rows[k, PARENT] == r and rows[k, STATUS] == IDLE:
            rows[k, STATUS] = WORKING
            rows[k, QUANTITY] = rows[r, DONE]
            rows[k, BORN] = rows[r, BORN]
            if not np.isnan(rows[k, LEG]):
                level = rows[r, PAID] / rows[r, DONE] * (1.0 + rows[k, LEG])
                rows[k, LIMIT if rows[k, TYPE] == _LIMIT else STOP] = level


@inlined
def _wanted_shares(decision: float, price: float, worth: float, symbols: int, rules: Rules) -> float:
    """Signed shares that a signal calls for at this price."""
    if worth <= 0.0:
        return 0.0
    if rules.sizing == 2:
        return decision * rules.amount
    return target_amount(rules.sizing, rules.amount, decision, worth, symbols) / price


@compiled
def at_close(
    t: int,
    j: int,
    bar: FloatArray,
    rows: FloatArray,
    first: int,
    end: int,
    worth: float,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """Orders for the close of their first live bar: filled there or over."""
    price = bar[CLOSE]
    for r in range(first, end):
        if rows[r, STATUS] == WORKING and rows[r, FORCE] == _CLS:
            if _row_met(r, price, rows) and (rules.participation <= 0.0 or state[ROOM, j] > 0.0):
                fill_row(t, j, r, price, False, bar, rows, first, end, worth, state, book, rules, orders)
            if rows[r, STATUS] == WORKING:
                rows[r, STATUS] = EXPIRED


@compiled
def enter(t: int, r: int, decision: float, close: float, rows: FloatArray, rules: Rules) -> None:
    """Write a symbol's entry order for a signal heard at this bar's close."""
    side = 1.0 if decision > 0.0 else -1.0
    rows[r, STATUS] = IDLE
    rows[r, LIVE] = t + 1.0
    rows[r, SIDE] = side
    rows[r, TYPE] = rules.entry
    rows[r, DECISION] = decision
    rows[r, QUANTITY] = 0.0
    rows[r, DONE] = 0.0
    rows[r, PAID] = 0.0
    rows[r, TOUCHED] = 0.0
    rows[r, AGE] = 0.0
    rows[r, BARS] = rules.entry_bars
    rows[r, FORCE] = _DAY if rules.entry_day else _GTC
    if rules.entry == _LIMIT:
        rows[r, LIMIT] = close * (1.0 - side * rules.entry_offset)
    else:
        rows[r, STOP] = close * (1.0 + side * rules.entry_offset)
        rows[r, LIMIT] = rows[r, STOP] * (1.0 + side * rules.entry_limit_offset)
