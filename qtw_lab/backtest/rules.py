"""The terms of a simulation as one flat record of numbers, and the codes its arrays speak in."""

from __future__ import annotations

from typing import Final, NamedTuple

#: Columns of the order list the kernel writes.
ORDER_COLUMNS: Final = ("bar", "symbol", "quantity", "price", "quoted", "commission", "reason", "ambiguous", "order")
#: Reason codes, by place.
REASONS: Final = ("signal", "rebalance", "stop_loss", "take_profit", "trailing_stop", "margin_call", "order")
#: Execution modes, by place.
EXECUTIONS: Final = ("next_open", "next_close", "same_close", "next_typical", "next_vwap")


class Rules(NamedTuple):
    """Every scalar the simulation needs; 0 is off for stops, caps and limits."""

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
    trailing_amount: float
    commission_per_order: float
    commission_max_fraction: float
    maker_bps: float
    fees_per_share: float
    sell_fee_bps: float
    sell_fee_per_share: float
    sell_fee_most: float
    cash_rate: float
    gross: bool
    maintenance: float
    maintenance_short: float
    shorting: bool
    settlement: int
    lot: float
    min_notional: float
    participation: float
    optimistic: bool
    entry: int
    entry_offset: float
    entry_limit_offset: float
    entry_bars: int
    entry_day: bool
