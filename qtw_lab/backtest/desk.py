"""Working orders as rows: how orders given by hand, their legs and entry orders are laid out for the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, Order

if TYPE_CHECKING:
    from qtw_lab.backtest.market import Market
    from qtw_lab.backtest.terms import Terms

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# What a row says.
(
    LIVE,
    SIDE,
    QUANTITY,
    TYPE,
    LIMIT,
    STOP,
    TRAIL,
    TRAIL_FRACTION,
    FORCE,
    BARS,
    GROUP,
    PARENT,
    LEG,
    REASON,
    OWNER,
    DECISION,
) = range(16)
# What has become of it.
STATUS, DONE, PAID, TOUCHED, PEAK, AGE, BORN = range(16, 23)
FIELDS: Final = 23

TYPES: Final = ("market", "limit", "stop", "stop_limit", "trailing_stop")
FORCES: Final = ("gtc", "day", "ioc", "fok", "opg", "cls")
#: States of a row; `IDLE` waits for its bar or its parent.
IDLE, WORKING, FILLED, EXPIRED, CANCELLED, REJECTED = range(6)
#: What people read of an order's end, and which row state means it.
STATES: Final = ("open", "filled", "expired", "cancelled", "rejected")
_MEANS: Final = {IDLE: 0, WORKING: 0, FILLED: 1, EXPIRED: 2, CANCELLED: 3, REJECTED: 4}


class Desk(NamedTuple):
    """Rows of working orders, those of a symbol together.

    Parameters
    ----------
    rows : ndarray, (R, FIELDS)
        One row an order or leg; with entry orders the first row of every symbol is its entry.
    spans : ndarray of int64, (N, 2)
        First row and end of each symbol's rows.
    """

    rows: FloatArray
    spans: IntArray

    @classmethod
    def of(cls, bars: Bars, terms: Terms, orders: Sequence[Order] = ()) -> Desk:
        """The rows for these orders and, if the terms have them, for the symbols' entry orders."""
        starts = bars.index
        made: list[FloatArray] = []
        spans = np.zeros((len(bars.symbols), 2), dtype=np.int64)
        groups: dict[tuple[str, str], int] = {}
        for j, symbol in enumerate(bars.symbols):
            spans[j, 0] = len(made)
            if terms.entry.type != "market":
                made.append(_row(status=CANCELLED, owner=-1))
            for place, order in enumerate(orders):
                if order.symbol == symbol:
                    live = int(starts.searchsorted(pd.Timestamp(order.submitted_at).tz_convert("UTC"), side="right"))
                    group = -1 if order.oco is None else groups.setdefault((symbol, order.oco), len(groups))
                    made.append(_given(order, place, live, group))
                    made.extend(_legs(order, place, live, len(made) - 1))
            spans[j, 1] = len(made)
        return cls(np.array(made, dtype=np.float64).reshape(-1, FIELDS), spans)

    def states(self, rows: FloatArray, count: int, market: Market) -> FloatArray:
        """State (a place in `STATES`), filled quantity and mean price of each order given, (count, 3).

        Parameters
        ----------
        rows : ndarray, (R, FIELDS)
            The rows as a simulation left them.
        count : int
            How many orders were given.
        market : Market
            What they were traded on.
        """
        ends = np.full((count, 3), np.nan)
        for symbol, (first, end) in enumerate(self.spans):
            absent = np.isnan(market.close[-1, symbol])
            for row in rows[first:end]:
                if row[OWNER] < 0 or row[PARENT] >= 0:
                    continue
                status, done = int(row[STATUS]), row[DONE]
                lapsed = row[FORCE] == 1 and row[BORN] != market.sessions[-1]
                if status == WORKING and (lapsed or (absent and 0 < row[BARS] <= row[AGE])):
                    status = EXPIRED  # its time was over before the last bar; nothing has looked at it since
                ends[int(row[OWNER])] = (_MEANS[status], done, row[PAID] / done if done > 0 else np.nan)
        return ends


def _row(**values: float) -> FloatArray:
    row = np.full(FIELDS, np.nan)
    blank = {"status": IDLE, "done": 0, "paid": 0, "touched": 0, "age": 0, "born": -1, "group": -1, "parent": -1}
    blank |= {"live": 0, "bars": 0, "trail": 0, "trail_fraction": 0, "force": 0, "reason": 0, "owner": -1}
    for name, value in (blank | values).items():
        row[_PLACES[name]] = value
    return row


def _given(order: Order, place: int, live: int, group: int) -> FloatArray:
    return _row(
        live=live, side=1 if order.side == "buy" else -1, quantity=float(order.quantity), type=TYPES.index(order.type),
        limit=_or_nan(order.limit_price), stop=_or_nan(order.stop_price), trail=float(order.trail_price or 0.0),
        trail_fraction=float(order.trail_percent or 0.0) / 100.0, force=FORCES.index(order.time_in_force),
        bars=float(order.good_for or 0), group=group, reason=6, owner=place,
    )  # fmt: skip


def _legs(order: Order, place: int, live: int, parent: int) -> list[FloatArray]:
    """The target and stop that follow an order; a leg's own number says how far from the mean fill it lies."""
    side = 1 if order.side == "buy" else -1
    legs = []
    for kind, reason, away, price in (
        ("stop", 2, -side, order.stop_loss), ("limit", 3, side, order.take_profit),
    ):  # fmt: skip
        if price is not None:
            leg = {"leg": away * float(price)} if order.legs_relative else {kind: float(price)}
            legs.append(
                _row(
                    side=-side,
                    type=TYPES.index(kind),
                    live=live,
                    group=-2 - parent,
                    parent=parent,
                    reason=reason,
                    owner=place,
                    **leg,
                )
            )
    return legs


def _or_nan(price: float | None) -> float:
    return float("nan") if price is None else float(price)


_PLACES: Final = {
    "live": LIVE, "side": SIDE, "quantity": QUANTITY, "type": TYPE, "limit": LIMIT, "stop": STOP, "trail": TRAIL,
    "trail_fraction": TRAIL_FRACTION, "force": FORCE, "bars": BARS, "group": GROUP, "parent": PARENT, "leg": LEG,
    "reason": REASON, "owner": OWNER, "decision": DECISION, "status": STATUS, "done": DONE, "paid": PAID,
    "touched": TOUCHED, "peak": PEAK, "age": AGE, "born": BORN,
}  # fmt: skip
