"""Round trips out of a list of fills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars

FloatArray = npt.NDArray[np.float64]

#: Columns of the trade table.
TRADE_COLUMNS: Final = (
    "symbol", "side", "status", "entry_time", "exit_time", "bars", "quantity", "entry_price", "exit_price",
    "commission", "pnl", "return", "reason", "ambiguous",
)  # fmt: skip

#: A remainder below this share of the largest holding is rounding, not a position.
_REMAINDER: Final = 1e-12


@dataclass
class _Open:
    """A position being followed from its first fill."""

    side: float
    entry_time: pd.Timestamp
    held: float = 0.0
    bought: float = 0.0
    paid: float = 0.0
    sold: float = 0.0
    received: float = 0.0
    commission: float = 0.0
    ambiguous: bool = False

    def take(self, quantity: float, price: float, commission: float, *, ambiguous: bool = False) -> None:
        """Add a fill in the position's own direction, or a reduction of it."""
        self.ambiguous = self.ambiguous or ambiguous
        self.commission += commission
        self.held += quantity
        if quantity * self.side > 0:
            self.bought += abs(quantity)
            self.paid += abs(quantity) * price
        else:
            self.sold += abs(quantity)
            self.received += abs(quantity) * price


def round_trips(orders: pd.DataFrame, bars: Bars, later_splits: FloatArray | None = None) -> pd.DataFrame:
    """One row for each position from its first share to its last.

    Parameters
    ----------
    orders : pandas.DataFrame
        Fills as in `Result.orders`.
    bars : Bars
        For the closing price that values what is still open, and for counting bars.
    later_splits : ndarray, (T, N), optional
        By how much a share has multiplied from each bar to the end; quantities and prices are then those of shares at
        the end, so that a trade across a split adds up. Dividends are not part of a trade's pnl.

    Returns
    -------
    pandas.DataFrame
        `TRADE_COLUMNS`: side "long" or "short"; status "closed" or "open" (valued at the last close, without exit
        costs); average entry and exit prices; pnl after commission; return on the amount put in; reason of the last
        fill; whether a fill of it depends on the unknown course of its bar.
    """
    rows = sorted(_rows(orders, bars, later_splits), key=lambda row: (row[3], row[0]))
    table = pd.DataFrame(rows, columns=list(TRADE_COLUMNS))
    for name in ("entry_time", "exit_time"):
        table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[ns, UTC]")
    for name in ("symbol", "side", "status", "reason"):
        table[name] = table[name].astype("str")
    numbers = ["quantity", "entry_price", "exit_price", "commission", "pnl", "return"]
    table[numbers] = table[numbers].astype(float)
    return table.astype({"bars": int, "ambiguous": bool})


def _rows(orders: pd.DataFrame, bars: Bars, later_splits: FloatArray | None) -> Iterator[tuple[Any, ...]]:
    closes = bars.close.ffill().iloc[-1]
    for symbol, fills in orders.groupby("symbol", sort=False):
        trade: _Open | None = None
        signed = np.where(fills["side"] == "buy", 1.0, -1.0) * fills["quantity"].to_numpy()
        prices = fills["price"].to_numpy()
        if later_splits is not None:
            places = bars.index.get_indexer(pd.DatetimeIndex(fills["time"]))
            grown = later_splits[:, bars.symbols.index(str(symbol))][places]
            signed, prices = signed * grown, prices / grown
        columns = (fills["time"], signed, prices, fills["commission"], fills["reason"], fills["ambiguous"])
        for at, quantity, price, commission, reason, ambiguous in zip(*columns, strict=True):
            left, fee = float(quantity), float(commission)
            if trade is not None and left * trade.side < 0:
                closing = -trade.side * min(abs(left), abs(trade.held))
                share = fee * closing / left
                trade.take(closing, price, share, ambiguous=bool(ambiguous))
                left, fee = left - closing, fee - share
                if abs(trade.held) <= _REMAINDER * trade.bought:
                    yield _row(str(symbol), trade, at, trade.received / trade.sold, "closed", reason, bars)
                    trade = None
            if abs(left) > 0:
                trade = trade or _Open(float(np.sign(left)), at)
                trade.take(left, price, fee, ambiguous=bool(ambiguous))
        if trade is not None:
            value = trade.received + abs(trade.held) * float(closes[symbol])
            yield _row(str(symbol), trade, bars.index[-1], value / trade.bought, "open", "end of data", bars)


def _row(
    symbol: str, trade: _Open, end: pd.Timestamp, exit_price: float, status: str, reason: str, bars: Bars
) -> tuple[Any, ...]:
    entry = trade.paid / trade.bought
    pnl = trade.side * trade.bought * (exit_price - entry) - trade.commission
    held_for = int(bars.index.searchsorted(end) - bars.index.searchsorted(trade.entry_time))
    return (
        symbol, "long" if trade.side > 0 else "short", status, trade.entry_time, end, held_for, trade.bought, entry,
        exit_price, trade.commission, pnl, pnl / trade.paid, reason, trade.ambiguous,
    )  # fmt: skip
