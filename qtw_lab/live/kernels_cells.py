"""A bar while it can still change: what is added up for it, exactly and in any order. Compiled."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from qtw_lab.live.kernels_compiled import inlined
from qtw_lab.live.rows import Flag

#: What is added up for one bar of one symbol. `before` is the last price before it; the keys of open and close are the
#: time and id of the trades that set them; volume and `weighed` (the volume that the vwap weighs) are millionths of a
#: share, `notional` millionths of a dollar; `head` leads to the newest of the bar's kept trades, -1 without any.
CELL: Final = np.dtype(
    [
        ("before", "f8"), ("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8"),
        ("open_time", "i8"), ("open_id", "i8"), ("close_time", "i8"), ("close_id", "i8"),
        ("volume", "i8"), ("weighed", "i8"), ("notional", "i8"), ("count", "i4"), ("head", "i4"),
        ("flags", "u4"), ("revision", "u4"),
    ]
)  # fmt: skip

#: The last quote and the last status of one bar of one symbol; `status` is twice the status's time, plus 1 for a halt.
QUOTE_CELL: Final = np.dtype([("bid", "f8"), ("ask", "f8"), ("time", "i8"), ("status", "i8")])

#: Later than every trade, and earlier: the keys of open and close while no trade has set them.
LATEST: Final = np.iinfo(np.int64).max
EARLIEST: Final = np.iinfo(np.int64).min

EMPTY: Final = int(Flag.EMPTY)
HOLE: Final = int(Flag.HOLE)
HALTED: Final = int(Flag.HALTED)
PARTIAL: Final = int(Flag.PARTIAL)
#: Flags that a longer bar has if one of its parts has them.
INHERITED: Final = int(Flag.BACKFILL | Flag.HOLE | Flag.HALTED | Flag.PARTIAL)

#: Limits of a trade that is believed: above them its millionths would not fit into 64 bits when added up.
MOST_DOLLARS: Final = 1e9
MOST_SHARES: Final = 1e10
MOST_NOTIONAL: Final = 1e11


@inlined
def reset(cell: Any) -> None:
    """Take every trade out of a bar; what was there before it, its flags and its revision stay."""
    cell.open, cell.close = np.nan, np.nan
    cell.high, cell.low = -np.inf, np.inf
    cell.open_time, cell.open_id = LATEST, LATEST
    cell.close_time, cell.close_id = EARLIEST, EARLIEST
    cell.volume, cell.weighed, cell.notional, cell.count = 0, 0, 0, 0


@inlined
def clear(cell: Any) -> None:
    """Make a bar one that never was."""
    reset(cell)
    cell.before, cell.head, cell.flags, cell.revision = np.nan, -1, 0, 0


@inlined
def believable(price: float, size: float) -> bool:
    """Whether a trade's price and size are positive numbers within the limits."""
    return 0.0 < price <= MOST_DOLLARS and 0.0 < size <= MOST_SHARES and price * size <= MOST_NOTIONAL


@inlined
def millionths(value: float) -> Any:
    """A positive number as whole millionths, rounded."""
    return np.int64(np.rint(value * 1e6))


@inlined
def notional(price: float, shares: int) -> Any:
    """Price by millionths of a share, in millionths of a dollar: exact for up to six decimals, rounded half up."""
    dollars = millionths(price)
    whole, part = shares // 1_000_000, shares % 1_000_000
    worth = dollars * whole
    if part:
        # The price is split too: price by part may exceed 64 bits.
        worth += (dollars // 1_000_000) * part + (dollars % 1_000_000 * part + 500_000) // 1_000_000
    return worth


@inlined
def apply(cell: Any, trade: Any) -> None:
    """Add a kept trade to its bar. The outcome does not depend on the order of trades.

    Open is the price of the first trade by (time, id, price) that may set it, close that of the last.
    """
    effect, price = trade.effect, trade.price
    if effect & 4:
        shares = millionths(trade.size)
        cell.volume += shares
        cell.count += 1
        if effect & 2:
            cell.weighed += shares
            cell.notional += notional(price, shares)
    if effect & 2:
        cell.high = max(cell.high, price)
        cell.low = min(cell.low, price)
    if effect & 1:
        _first_and_last(cell, trade)


@inlined
def _first_and_last(cell: Any, trade: Any) -> None:
    time, number, price = trade.time, trade.id, trade.price
    if time < cell.open_time or (
        time == cell.open_time and (number < cell.open_id or (number == cell.open_id and price < cell.open))
    ):
        cell.open, cell.open_time, cell.open_id = price, time, number
    if time > cell.close_time or (
        time == cell.close_time and (number > cell.close_id or (number == cell.close_id and price > cell.close))
    ):
        cell.close, cell.close_time, cell.close_id = price, time, number


@inlined
def join(longer: Any, part: Any) -> None:
    """Add a bar to the longer bar that it is the next part of."""
    if part.open_time != LATEST:
        if longer.open_time == LATEST:
            longer.open, longer.open_time, longer.open_id = part.open, part.open_time, part.open_id
        longer.close, longer.close_time, longer.close_id = part.close, part.close_time, part.close_id
    longer.high = max(longer.high, part.high)
    longer.low = min(longer.low, part.low)
    longer.volume += part.volume
    longer.weighed += part.weighed
    longer.notional += part.notional
    longer.count += part.count
    longer.flags |= part.flags & INHERITED


@inlined
def show(cell: Any, quote: Any, carry: bool, row: Any) -> None:
    """Write a bar into a row of `ROW`, all but level, symbol and time."""
    if cell.open_time != LATEST:
        row.open, row.close = cell.open, cell.close
        row.high = max(cell.high, cell.open, cell.close)
        row.low = min(cell.low, cell.open, cell.close)
        row.flags = cell.flags
    else:
        price = cell.before if carry else np.nan
        row.open, row.high, row.low, row.close = price, price, price, price
        row.flags = cell.flags | EMPTY
    row.volume = cell.volume / 1e6
    row.vwap = cell.notional / cell.weighed if cell.weighed else np.nan
    row.count, row.revision = cell.count, cell.revision
    row.bid, row.ask = quote.bid, quote.ask


@inlined
def differ(one: Any, other: Any) -> Any:
    """Whether two bars would be shown differently, their revisions aside."""
    return (
        one.volume != other.volume
        or one.count != other.count
        or one.notional != other.notional
        or one.weighed != other.weighed
        or one.flags != other.flags
        or _prices_differ(one, other)
    )


@inlined
def _prices_differ(one: Any, other: Any) -> Any:
    if (one.open_time == LATEST) != (other.open_time == LATEST):
        return True
    if one.open_time == LATEST:
        return one.before != other.before and not (np.isnan(one.before) and np.isnan(other.before))
    return one.open != other.open or one.close != other.close or one.high != other.high or one.low != other.low
