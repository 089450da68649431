"""The compiled account: what its arrays mean, and how one fill changes it. Rules: docs/simulation.md."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.compiled import compiled, inlined
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.rules import Rules
from qtw_lab.ledger import account as _account
from qtw_lab.ledger import costs as _costs
from qtw_lab.ledger import fills as _fills
from qtw_lab.ledger import sizing as _sizing

FloatArray = npt.NDArray[np.float64]

commission = inlined(_costs.commission)
sale_fees = inlined(_costs.sale_fees)
affordable_quantity = inlined(_costs.affordable_quantity)
adverse_move = inlined(_costs.adverse_move)
borrow_fee = inlined(_costs.borrow_fee)
interest = inlined(_costs.interest)
target_amount = inlined(_sizing.target_amount)
rounded = inlined(_account.rounded)
requirement = inlined(_account.requirement)
buying_power = inlined(_account.buying_power)
limit_met = inlined(_fills.limit_met)
stop_met = inlined(_fills.stop_met)
trail_level = inlined(_fills.trail_level)
stop_level = inlined(_fills.stop_level)
target_level = inlined(_fills.target_level)

#: An order below this fraction of equity is rounding noise and is not sent.
DUST: Final = 1e-9
#: A position below this fraction of the fill that left it is a rounding error, and none.
CRUMB: Final = 1e-12

# Rows of a symbol's state: shares, mean price, best price, last price, signal heard last, decision that waits,
# remainder carried and whether it closes, side blocked after a protective exit, reason + 1 of an unfinished exit
# (below zero while nothing of it has filled), volume left, quantity planned and what the
# volume leaves of it, whether the order that waits has had no fill yet.
HELD, AVERAGE, BEST, LAST, HEARD, WANTED, REST, REST_CLOSES, BLOCKED, LEAVING, ROOM, PLAN, LEFT, UNCHARGED = range(14)
STATES: Final = 14

# Places in the book: money and counts.
CASH, FILLS, OPENED, TRADED, COMMISSION, SLIPPAGE, BORROW, MARGIN_INTEREST, CASH_INTEREST, DIVIDENDS, AMBIGUOUS = range(
    11
)
UNSETTLED: Final = 11  # and after it what settles after each session still to come
GROSS: Final = 18  # value of all positions at the prices of the moment, while orders fill inside a bar
BOOK: Final = 19

# A symbol's bar, as the walk inside it reads it.
OPEN, HIGH, LOW, CLOSE, VOLATILITY, VOLUME = range(6)


@inlined
def fee_of(quantity: float, price: float, resting: bool, first: bool, rules: Rules) -> float:
    """Commission of a fill without sale fees; `resting` for a limit filled inside the bar, `first` of its order."""
    return commission(
        abs(quantity) * price, quantity, rules.maker_bps if resting else rules.commission_bps,
        rules.commission_per_share, rules.commission_min, rules.commission_per_order if first else 0.0,
        rules.commission_max_fraction, rules.fees_per_share,
    )  # fmt: skip


@inlined
def affordable(power: float, price: float, resting: bool, first: bool, rules: Rules) -> float:
    """Most shares that can be bought, commission included, with that much money."""
    if power <= 0.0:
        return 0.0
    return affordable_quantity(
        power, price, rules.maker_bps if resting else rules.commission_bps, rules.commission_per_share,
        rules.commission_min, rules.commission_per_order if first else 0.0, rules.commission_max_fraction,
        rules.fees_per_share,
    )  # fmt: skip


@inlined
def move_of(quantity: float, volatility: float, volume: float, rules: Rules) -> float:
    """Fraction of the price by which this fill is worse than the quote."""
    share = abs(quantity) / volume if rules.impact > 0.0 and volume > 0.0 else 0.0
    return adverse_move(rules.spread_bps, rules.slippage_bps, rules.impact, volatility, share)


@inlined
def move_in(t: int, j: int, quantity: float, market: Market, rules: Rules) -> float:
    """`move_of` for a symbol's fill in bar t."""
    if rules.impact > 0.0:
        return move_of(quantity, market.volatility[t, j], market.volume[t, j], rules)
    return move_of(quantity, 0.0, 0.0, rules)


@inlined
def capped(quantity: float, j: int, state: FloatArray, rules: Rules) -> float:
    """The quantity, or what the bar's volume still allows of it in whole lots."""
    if rules.participation <= 0.0 or abs(quantity) <= state[ROOM, j]:
        return quantity
    cut = rounded(state[ROOM, j] if quantity > 0.0 else -state[ROOM, j], rules.lot)
    state[ROOM, j] = abs(cut)  # an allowance that has cut an order is used up by it
    return cut


@inlined
def remaining(held: float, quantity: float) -> float:
    """Shares held after a fill."""
    after = held + quantity
    return after if abs(after) > CRUMB * abs(quantity) else 0.0


@inlined
def power_of(worth: float, exposure: float, book: FloatArray, rules: Rules) -> float:
    """Money that new positions may use now."""
    return buying_power(rules.gross, rules.leverage, worth, book[CASH], book[UNSETTLED], exposure)


@compiled
def trade(
    t: int,
    j: int,
    quantity: float,
    paid: float,
    quoted: float,
    reason: int,
    order: int,
    resting: bool,
    first: bool,
    state: FloatArray,
    book: FloatArray,
    rules: Rules,
    orders: FloatArray,
) -> None:
    """Book one fill: cash, position, average price, counts, and the order list when recording."""
    amount = abs(quantity) * paid
    fee = fee_of(quantity, paid, resting, first, rules)
    fee += sale_fees(amount, quantity, rules.sell_fee_bps, rules.sell_fee_per_share, rules.sell_fee_most)
    before = state[HELD, j]
    after = remaining(before, quantity)
    if before == 0.0 or before * after < 0.0:
        book[OPENED] += 1.0
        state[AVERAGE, j] = paid
        state[BEST, j] = paid
    elif before * quantity > 0.0:
        state[AVERAGE, j] = (abs(before) * state[AVERAGE, j] + abs(quantity) * paid) / abs(after)
    state[HELD, j] = after
    if before != 0.0 and before * after <= 0.0:
        state[LEAVING, j] = 0.0
        state[REST, j] = 0.0
    if rules.participation > 0.0:
        state[ROOM, j] = max(state[ROOM, j] - abs(quantity), 0.0)
    book[CASH] -= quantity * paid + fee
    if rules.settlement > 0 and quantity < 0.0:
        book[UNSETTLED] += max(amount - fee, 0.0)
        book[UNSETTLED + rules.settlement] += max(amount - fee, 0.0)
    book[TRADED] += amount
    book[COMMISSION] += fee
    book[SLIPPAGE] += abs(quantity) * abs(paid - quoted)
    count = int(book[FILLS])
    if count < orders.shape[0]:
        orders[count, 0] = t
        orders[count, 1] = j
        orders[count, 2] = quantity
        orders[count, 3] = paid
        orders[count, 4] = quoted
        orders[count, 5] = fee
        orders[count, 6] = reason
        orders[count, 7] = 0.0
        orders[count, 8] = order
    book[FILLS] += 1.0
