"""Every sentence of docs/simulation.md on bars small enough to work by hand, in both engines.

A bar is a price (nothing happens in it), None (the symbol has none), or open, high, low, close and perhaps volume. An
order given by `_order` is live from the first bar unless it says ``after=``; the account starts with 1000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.actions import Actions
from qtw_lab.core import Order
from qtw_lab.ledger import Account, Entry
from qtw_lab.strategies.order_list import OrderList

NAN = float("nan")
START = pd.Timestamp("2024-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
ENGINES = ("kernel", "reference")
SHARES = qtw.Sizing.fixed_shares
SLIPPING = qtw.Costs(slippage_bps=100)
GROSS = Account(leverage=2.0, buying_power="gross")


@dataclass(frozen=True)
class Rule:
    """A sentence, a small world, and the fills (bar, signed shares, price, and where it matters reason and symbol)."""

    name: str
    bars: Any
    fills: Sequence[tuple[Any, ...]]
    orders: Sequence[Order] = ()
    signals: Sequence[Any] = ()
    weights: Sequence[Any] = ()
    equity: Sequence[float] | None = None
    cash: float | None = None
    states: str | None = None
    filled: Sequence[float] | None = None
    fees: Sequence[float] | None = None
    best: Sequence[tuple[Any, ...]] | None = None
    given: dict[str, Any] = field(default_factory=dict)
    actions: tuple[Sequence[float], Sequence[float]] | None = None


def _order(
    side: str, quantity: float, type: str, *, after: int = -1, symbol: str = "X", **given: Any  # noqa: A002  (a field)
) -> Order:  # fmt: skip
    return Order(symbol, side, quantity, START + after * DAY, type, **given)


def _buy(quantity: float, type: str = "market", **given: Any) -> Order:  # noqa: A002  (a field)
    return _order("buy", quantity, type, **given)


def _sell(quantity: float, type: str = "market", **given: Any) -> Order:  # noqa: A002  (a field)
    return _order("sell", quantity, type, **given)


def _shares(count: float, **given: Any) -> dict[str, Any]:
    """Signals that mean so many shares, filled at the close they are made at."""
    return {"sizing": SHARES(count), "execution": "same_close"} | given


def _closing(**given: Any) -> dict[str, Any]:
    return {"execution": "same_close"} | given


def _columns(rows: Sequence[Any]) -> dict[str, list[float]]:
    whole = [(NAN,) * 4 if row is None else row if isinstance(row, tuple) else (row,) * 4 for row in rows]
    full = [(*row, 1e6)[:5] for row in whole]
    return dict(zip(("open", "high", "low", "close", "volume"), map(list, zip(*full, strict=True)), strict=True))


def _run(engine: str, rule: Rule, bars_of: Any, told: Any, told_weights: Any) -> qtw.Result:
    world = rule.bars if isinstance(rule.bars, dict) else {"X": rule.bars}
    bars = bars_of(**{symbol: _columns(rows) for symbol, rows in world.items()})
    if rule.signals or rule.weights:
        strategy = told(*rule.signals) if rule.signals else told_weights(*rule.weights)
        given = {"orders": rule.orders, **rule.given}
    else:
        strategy, given = OrderList(rule.orders), dict(rule.given)
    if rule.actions is not None:
        given["actions"] = Actions(bars.index, bars.symbols, *(np.array(part, float)[:, None] for part in rule.actions))
    return qtw.backtest(strategy, bars, engine=engine, **{"cash": 1000.0} | given)


def _listed(result: qtw.Result) -> list[tuple[Any, ...]]:
    orders = result.orders
    signed = np.where(orders["side"] == "buy", 1.0, -1.0) * orders["quantity"]
    bars = result.bars.index.get_indexer(orders["time"])
    return list(zip(bars, signed, orders["price"], orders["reason"], orders["symbol"], strict=True))


def _same_fills(result: qtw.Result, expected: Sequence[tuple[Any, ...]]) -> None:
    listed = [fill[: len(wanted)] for fill, wanted in zip(_listed(result), expected, strict=False)]
    assert len(result.orders) == len(expected), _listed(result)
    for fill, wanted in zip(listed, expected, strict=True):
        assert fill[0] == wanted[0], _listed(result)
        assert fill[1:3] == pytest.approx(wanted[1:3]), _listed(result)
        assert fill[3:] == tuple(wanted[3:])


# What the orders of docs/simulation.md do. Row by row: types.
TYPES = [
    # 100 and 1% of slippage.
    Rule("a market order pays the open of its first live bar", [(100, 105, 95, 102), 102], [(0, 5, 101)], [_buy(5)],
         equity=[1005, 1005], given={"costs": SLIPPING}, states="filled"),
    Rule("an order is live from the first bar that starts after it was submitted", [90, 100, 110], [(1, 5, 100)],
         [_buy(5, after=0)]),
    Rule("an order submitted after the last bar stays open", [90, 100], [], [_buy(5, after=1)], states="open"),
    Rule("a limit fills at the limit without slippage", [(100, 101, 96, 99), 99], [(0, 5, 97)],
         [_buy(5, "limit", limit_price=97)], given={"costs": SLIPPING}),
    Rule("a limit fills at the open if the bar opens better", [(100, 101, 96, 99), 99], [(0, 5, 100)],
         [_buy(5, "limit", limit_price=105)], given={"costs": SLIPPING}),
    Rule("a limit waits until it is met, and not for more than its price", [(100, 101, 98, 99), (99, 99, 97, 98)],
         [(1, 5, 97)], [_buy(5, "limit", limit_price=97)]),
    Rule("a sell limit mirrors it", [(100, 106, 99, 101), 101], [(0, -5, 104)], [_sell(5, "limit", limit_price=104)]),
    Rule("a stop fills at the stop with slippage", [(100, 106, 99, 104), 104], [(0, 5, 103 * 1.01)],
         [_buy(5, "stop", stop_price=103)], given={"costs": SLIPPING}),
    Rule("a stop that the bar opens beyond fills at the open", [100, (110, 111, 109, 110)], [(1, 5, 110)],
         [_buy(5, "stop", stop_price=103)]),
    Rule("a sell stop mirrors it", [(100, 101, 94, 97), 97], [(0, -5, 95)], [_sell(5, "stop", stop_price=95)]),
    # Touched at 103 on the way up, filled at 102 on the way down, whichever way the bar went.
    Rule("a stop-limit is a limit from the touch on", [(100, 105, 99, 101), 101], [(0, 5, 102)],
         [_buy(5, "stop_limit", stop_price=103, limit_price=102)]),
    Rule("a stop-limit once touched needs no second touch", [(102, 105, 101.5, 104), (102, 102, 100, 101)],
         [(1, 5, 101)],
         [_buy(5, "stop_limit", stop_price=103, limit_price=101)]),
    Rule("a stop-limit that the bar opens beyond waits for its limit", [100, (110, 111, 105, 108)], [(1, 5, 106)],
         [_buy(5, "stop_limit", stop_price=103, limit_price=106)]),
    Rule("a stop-limit touched below its limit fills at the path's price", [(100, 105, 99, 101), 101], [(0, 5, 103)],
         [_buy(5, "stop_limit", stop_price=103, limit_price=104)]),
    # Best 104: the stop trails at 99.
    Rule("a trailing stop follows the best price by an amount", [(100, 104, 100, 103), (103, 103, 98, 100)],
         [(0, 5, 100), (1, -5, 99)], [_buy(5), _sell(5, "trailing_stop", trail_price=5)]),
    # Best 90: 90 x 1.1 = 99.
    Rule("a buy trails above by percent", [(91, 91, 90, 90), (90, 102, 90, 101)], [(1, 5, 99)],
         [_buy(5, "trailing_stop", trail_percent=10)]),
    # Live from bar 1, whose open of 100 is the best: the 120 of bar 0 does not count.
    Rule("the best price starts at the open of the first live bar", [120, 100, (99, 99, 94, 96)], [(2, -5, 95)],
         [_sell(5, "trailing_stop", trail_price=5, after=0)]),
    Rule("a trailing stop that the bar opens beyond fills at the open", [100, 90], [(1, -5, 90)],
         [_sell(5, "trailing_stop", trail_price=5)]),
    Rule("orders of a symbol act in the order given", [100, 100], [(0, 10, 100), (0, -10, 100), (0, 4, 100)],
         [_buy(10), _sell(10), _buy(4)]),
]  # fmt: skip
# Time in force.
LIVES = [
    Rule("gtc works until filled", [100, 100, 100, (100, 100, 90, 95)], [(3, 5, 95)],
         [_buy(5, "limit", limit_price=95)]),
    Rule("day ends with the session", [100, (100, 100, 90, 95)], [],
         [_buy(5, "limit", limit_price=95, time_in_force="day")], states="expired", filled=[0]),
    # A tenth of 30 shares.
    Rule("ioc takes what it can", [(100, 100, 100, 100, 30), 100], [(0, 3, 100)], [_buy(5, time_in_force="ioc")],
         given={"participation": 0.1}, states="expired", filled=[3]),
    Rule("ioc counts at the open only", [(100, 100, 90, 95), 95], [],
         [_buy(5, "limit", limit_price=95, time_in_force="ioc")], states="expired"),
    Rule("fok fills whole", [100, 100], [(0, 5, 100)], [_buy(5, time_in_force="fok")], states="filled"),
    Rule("fok does not fill a part that the volume allows", [(100, 100, 100, 100, 30), 100], [],
         [_buy(5, time_in_force="fok")], given={"participation": 0.1}, states="expired"),
    Rule("fok does not fill a part that the money buys", [100, 100], [], [_buy(11, time_in_force="fok")],
         states="expired"),
    Rule("market on open", [(100, 110, 90, 105), 105], [(0, 5, 100)], [_buy(5, time_in_force="opg")]),
    Rule("limit on open fills at the open or not at all", [(100, 110, 90, 105), 105], [(0, 4, 100)],
         [_buy(5, "limit", limit_price=99, time_in_force="opg"),
          _buy(4, "limit", limit_price=101, time_in_force="opg")],
         states="expired filled"),
    Rule("market on close", [(100, 110, 90, 105), 105], [(0, 5, 105 * 1.01)], [_buy(5, time_in_force="cls")],
         given={"costs": SLIPPING}),
    Rule("limit on close fills at a close as good as the limit", [(100, 110, 90, 105), 105], [(0, 4, 105)],
         [_buy(5, "limit", limit_price=104, time_in_force="cls"),
          _buy(4, "limit", limit_price=106, time_in_force="cls")],
         states="expired filled"),
    Rule("good_for counts bars", [100, 100, (100, 100, 90, 95)], [], [_buy(5, "limit", limit_price=95, good_for=2)],
         states="expired"),
    Rule("good_for does not count bars the symbol does not have",
         {"X": [100, None, (100, 100, 90, 95)], "Y": [1, 1, 1]}, [(2, 5, 95)],
         [_buy(5, "limit", limit_price=95, good_for=2)]),
    Rule("the first live bar is one with a price", {"X": [None, 100, 100], "Y": [1, 1, 1]}, [(1, 5, 100)],
         [_buy(5, time_in_force="ioc")]),
    # 1000 buy 10; then nothing is left.
    Rule("a buy is cut to what can be paid, and rejected if that is nothing", [100, 100], [(0, 10, 100)],
         [_buy(15), _buy(5)], states="filled rejected", filled=[10, 0]),
    Rule("a sell is cut to the shares held where shorts are not allowed", [100, 100], [(0, 4, 100), (0, -4, 100)],
         [_buy(4), _sell(10), _sell(1)], states="filled filled rejected", given={"account": Account(shorting=False)}),
    # The equity at the close is 1100: twice that, less the 1100 held, buys 10 at 110.
    Rule("an on-close order has the buying power of the close", [(100, 110, 100, 110), 110], [(0, 10, 100),
         (0, 10, 110)],
         [_buy(10), _buy(50, time_in_force="cls")], given={"account": GROSS}),
]  # fmt: skip
# Brackets and one-cancels-other.
GROUPS = [
    Rule("the target of a bracket fills at its price and cancels the stop", [(100, 103, 98, 102), (102, 112, 101, 111),
         (111, 111, 90, 92)], [(0, 5, 100, "signal"), (1, -5, 110, "take_profit")],
         [_buy(5, take_profit=110, stop_loss=95)], states="filled", cash=1050),
    Rule("the stop of a bracket gaps and slips", [100, (90, 91, 90, 90), (111, 112, 111, 111)],
         [(0, 5, 101), (1, -5, 90 * 0.99, "stop_loss")], [_buy(5, take_profit=110, stop_loss=95)],
         given={"costs": SLIPPING}),
    # Bought at the open of 98, better than the limit: 98 x 0.95 = 93.1.
    Rule("relative legs move with the fill", [98, (98, 98, 93, 94)], [(0, 5, 98), (1, -5, 93.1, "stop_loss")],
         [_buy(5, "limit", limit_price=100, take_profit=0.1, stop_loss=0.05, legs_relative=True)]),
    # Paid 101 with slippage, and 101 x 1.1 = 111.1.
    Rule("relative legs count from the price paid", [100, (100, 112, 100, 112)], [(0, 5, 101), (1, -5, 111.1)],
         [_buy(5, take_profit=0.1, legs_relative=True)], given={"costs": SLIPPING}),
    Rule("a sell's relative legs mirror it", [100, (100, 100, 89, 90)], [(0, -5, 100), (1, 5, 90, "take_profit")],
         [_sell(5, take_profit=0.1, stop_loss=0.05, legs_relative=True)]),
    # Low first: bought at 97, sold at 103. High first: bought at 97 and held at 101, which is worth less.
    Rule("legs go live at that point of the path", [(100, 104, 96, 101), 101], [(0, 5, 97)],
         [_buy(5, "limit", limit_price=97, take_profit=103, stop_loss=95)],
         best=[(0, 5, 97), (0, -5, 103, "take_profit")]),
    # 3 at once, 2 at the next open; the volume of that bar is used up, and the target waits for another open.
    Rule("legs wait until the order is wholly filled",
         [(100, 120, 100, 100, 30), (100, 112, 100, 111, 20), (111, 111, 111, 111, 1000)],
         [(0, 3, 100), (1, 2, 100), (2, -5, 111, "take_profit")], [_buy(5, take_profit=110)],
         given={"participation": 0.1}),
    Rule("one filled cancels the other", [(100, 106, 99, 100), (100, 100, 90, 92)], [(0, 5, 105)],
         [_buy(5, "limit", limit_price=95, oco="a"), _buy(5, "stop", stop_price=105, oco="a")],
         states="cancelled filled"),
    # 3 of 5 sold at 104, so that 2 of the other are left, which the stop sells.
    Rule("a part fill reduces the other", [(100, 105, 100, 102, 30), (102, 102, 89, 90, 1000)],
         [(0, -3, 104), (1, -2, 90)],
         [_sell(5, "limit", limit_price=104, oco="a"), _sell(5, "stop", stop_price=90, oco="a")],
         states="cancelled filled", filled=[3, 2], given={"participation": 0.1}),
    Rule("groups of other names are left alone", [100, 100], [(0, 5, 100), (0, 4, 100)],
         [_buy(5, oco="a"), _buy(4, oco="b")]),
]  # fmt: skip
# Inside the bar.
BOTH = (100, 104, 97, 101)
PATHS = [
    # 98 came first, or 103 did.
    Rule("a bar that reaches stop and target counts as the stop, at best as the target", [100, BOTH, 101],
         [(0, 10, 100), (1, -10, 98, "stop_loss")], signals=[1, 1, 1], equity=[1000, 980, 980],
         best=[(0, 10, 100), (1, -10, 103, "take_profit")],
         given=_shares(10, stops=qtw.Stops(stop_loss=0.02, take_profit=0.03))),
    Rule("a short mirrors it", [100, BOTH, 101], [(0, -10, 100), (1, 10, 104, "stop_loss")], signals=[-1, -1, -1],
         best=[(0, -10, 100), (1, 10, 97, "take_profit")],
         given=_shares(10, stops=qtw.Stops(stop_loss=0.04, take_profit=0.03))),
    # High first: 110 x 0.95 = 104.5 is met on the way down. Low first: never, and 108 is better.
    Rule("a trailing stop follows the path", [100, (100, 110, 99, 108), 108], [(0, 10, 100),
         (1, -10, 104.5, "trailing_stop")],
         signals=[1, 1, 1], best=[(0, 10, 100)], given=_shares(10, stops=qtw.Stops(trailing=0.05))),
    Rule("a trailing amount follows the path", [100, (100, 110, 99, 108), 108], [(0, 10, 100),
         (1, -10, 105, "trailing_stop")],
         signals=[1, 1, 1], best=[(0, 10, 100)], given=_shares(10, stops=qtw.Stops(trailing_amount=5))),
    # Best 100: both stops stand at 95.
    Rule("of equal levels stop_loss is named first", [100, (100, 100, 90, 92)], [(0, 10, 100),
         (1, -10, 95, "stop_loss")],
         signals=[1, 1], given=_shares(10, stops=qtw.Stops(stop_loss=0.05, trailing=0.05, trailing_amount=5))),
    Rule("the best of the stops counts", [100, (100, 100, 90, 92)], [(0, 10, 100), (1, -10, 97, "trailing_stop")],
         signals=[1, 1], given=_shares(10, stops=qtw.Stops(stop_loss=0.05, trailing_amount=3))),
    Rule("a stop that the bar opens beyond is met at the open", [100, (90, 99, 88, 95)], [(0, 10, 101), (1, -10, 89.1)],
         signals=[1, 1], given=_shares(10, stops=qtw.Stops(stop_loss=0.05), costs=SLIPPING, cash=2000),
         cash=2000 - 1010 + 891),
    Rule("a target that the bar opens beyond is met at the open", [100, (110, 112, 109, 110)], [(0, 10, 100),
         (1, -10, 110)],
         signals=[1, 1], given=_shares(10, stops=qtw.Stops(take_profit=0.05))),
    # 5 at 100 and 5 at 90 are 95 on average: the stop moves from 80 to 76.
    Rule("stops move with every fill", [100, (100, 100, 79, 85), (85, 85, 75, 80)],
         [(0, 5, 100), (1, 5, 90), (2, -10, 76, "stop_loss")], [_buy(5, "limit", limit_price=90, after=0)],
         signals=[1, 1, 1], given=_shares(5, stops=qtw.Stops(stop_loss=0.2))),
    Rule("stops watch a position opened at this open", [100, (100, 100, 90, 95)], [(1, 10, 100), (1, -10, 95)],
         signals=[1, 1], given={"sizing": SHARES(10), "stops": qtw.Stops(stop_loss=0.05)}),
    # Bought at 96 on the way down; 5% below that is 91.2.
    Rule("stops watch a position opened inside the bar", [(100, 100, 91, 95), 95], [(0, 5, 96),
         (0, -5, 91.2, "stop_loss")],
         [_buy(5, "limit", limit_price=96)], given={"stops": qtw.Stops(stop_loss=0.05)}),
    # Both at 95: the position's own stop is asked first, and the order given by hand then goes short.
    Rule("the position's own stop is met before working orders", [100, (96, 96, 95, 95)],
         [(0, 10, 100), (1, -10, 95, "stop_loss"), (1, -4, 95, "signal")], [_sell(4, "stop", stop_price=95, after=0)],
         signals=[1, 1], given=_shares(10, stops=qtw.Stops(stop_loss=0.05))),
    # Low first: touched at 103, and 101 never comes again. High first: 101 comes after the touch; 104 is worth more.
    Rule("an order that only one path fills", [(100, 105, 100, 104), (104, 104, 100, 102)], [(1, 5, 101)],
         [_buy(5, "stop_limit", stop_price=103, limit_price=101)], best=[(0, 5, 101)]),
    # Both ways end with 5 shares less and 5 x 104 more.
    Rule("a bar with one outcome is not ambiguous", [100, (100, 105, 95, 99)], [(0, 10, 100), (1, -5, 104)],
         [_sell(5, "limit", limit_price=104, after=0)], signals=[1, 1], best=[(0, 10, 100), (1, -5, 104)],
         given=_shares(10)),
    Rule("after a stop, signals of its side send nothing until another is heard", [100,
         (100, 100, 90, 92), 92, 92, 92, 92],
         [(0, 5, 100), (1, -5, 95), (4, 5, 92)], signals=[1, 1, 1, 0, 1, 1],
         given=_shares(5, stops=qtw.Stops(stop_loss=0.05))),
]  # fmt: skip
# Entries.
ENTRIES = [
    # 2% below the close of 100; 1000 at 98.
    Rule("a limit entry waits below the close, sized at its price", [100, (100, 101, 97, 99), 99], [(1, 1000 / 98, 98)],
         signals=[1, 1, 1], given={"entry": Entry.limit(0.02)}),
    Rule("a short's limit entry waits above", [100, (100, 103, 99, 101), 101], [(1, -5, 102)], signals=[-1, -1, -1],
         given={"entry": Entry.limit(0.02), "sizing": SHARES(5)}),
    Rule("a stop entry waits above the close", [100, (100, 103, 97, 99), 99], [(1, 5, 102)], signals=[1, 1, 1],
         given={"entry": Entry.stop(0.02), "sizing": SHARES(5)}),
    # The stop at 102 and its limit 1% beyond, at 103.02: the gap to 105 comes back to it.
    Rule("a stop-limit entry pays at most its limit", [100, (105, 106, 102, 104), 104], [(1, 5, 103.02)],
         signals=[1, 1, 1], given={"entry": Entry.stop_limit(0.02, 0.01), "sizing": SHARES(5)}),
    Rule("an entry that lapses is not tried again until the signal changes", [100, 100, (100, 100, 90, 95), 95, 95,
         (95, 95, 90, 92)],
         [(5, 5, 95 * 0.98)], signals=[1, 1, 1, 0, 1, 1],
         given={"entry": Entry.limit(0.02, good_for=1), "sizing": SHARES(5)}),
    Rule("a day entry lapses with its session", [100, 100, (100, 100, 90, 95)], [], signals=[1, 1, 1],
         given={"entry": Entry.limit(0.02, day=True), "sizing": SHARES(5)}),
    Rule("a signal of zero cancels an entry", [100, 100, (100, 100, 90, 95)], [], signals=[1, 0, 0],
         given={"entry": Entry.limit(0.02), "sizing": SHARES(5)}),
    # A change of size on the same side and the exit are market orders.
    Rule("changes of size and exits are market orders", [100, (100, 100, 98, 99), 99, 99], [(1, 5, 98), (2, 3, 99),
         (3, -8, 99)],
         signals=[0.5, 0.8, 0, 0], given={"entry": Entry.limit(0.02), "sizing": SHARES(10)}),
    Rule("a position of the other side is closed at the market", [100, (100, 100, 98, 100), (100, 103, 100, 101), 101],
         [(1, 5, 98), (2, -5, 100), (2, -5, 102)], signals=[1, -1, -1, -1],
         given={"entry": Entry.limit(0.02), "sizing": SHARES(5)}),
    # Y: 5 bought at 100 open at 120; a fifth of 500 + 600 at 98 is 220 / 98 shares.
    Rule("an entry is sized on equity at the opens", {"X": [100, 100, (100, 100, 97, 97)], "Y": [100, 100,
         (120, 120, 110, 110)]},
         [(0, 5, 100, "signal", "Y"), (2, 220 / 98, 98, "signal", "X")], [_buy(5, symbol="Y")],
         signals=[[NAN, NAN], [1, NAN], [NAN, NAN]],
         given={"entry": Entry.limit(0.02), "sizing": qtw.Sizing.fraction(0.2)}),
]  # fmt: skip
# Prices of one moment, and the bar's volume.
THIN = (100, 100, 100, 100, 30)
VOLUME = [
    # (112 + 98 + 105) / 3 = 105; the low of 98 came before as far as stops go, 105 x 0.95 = 99.75 later.
    Rule("the typical price, whose stops begin with the next bar", [100, (100, 112, 98, 105), (105, 105, 99, 100)],
         [(1, 5, 105), (2, -5, 99.75)], signals=[1, 1, 1],
         given={"execution": "next_typical", "sizing": SHARES(5), "stops": qtw.Stops(stop_loss=0.05)}),
    Rule("what the volume leaves is carried", [100, THIN, (101, 101, 101, 101, 30), (102, 102, 102, 102, 30), 103],
         [(1, 3, 100), (2, 3, 101), (3, 2, 102)], signals=[1] * 5, given={"sizing": SHARES(8), "participation": 0.1}),
    Rule("a bar without volume fills nothing", [100, (100, 100, 100, 100, 0), 101], [(2, 8, 101)], signals=[1] * 3,
         given={"sizing": SHARES(8), "participation": 0.1}),
    Rule("a new order replaces what was carried", [100, THIN, THIN, 100], [(1, 3, 100), (2, -3, 100)],
         signals=[1, 0, 0, 0],
         given={"sizing": SHARES(8), "participation": 0.1}),
    # An order of 800 is 8 shares at 100, and stays 8 shares at 50.
    Rule("a remainder is not sized anew", [100, THIN, (50, 50, 50, 50)], [(1, 3, 100), (2, 5, 50)], signals=[1, 1, 1],
         given={"sizing": qtw.Sizing.fixed_cash(800.0), "participation": 0.1}),
    Rule("a closing remainder is what is still held", [100, THIN, THIN, 100],
         [(0, 8, 100), (1, -3, 100), (2, -2, 100), (2, -1, 100), (3, -2, 100)],
         [_sell(2, after=1)], signals=[1, 0, NAN, NAN], given=_shares(8, participation=0.1)),
    Rule("a protective exit keeps working at the next opens", [100, (100, 100, 94, 94, 30), (93, 99, 93, 93, 30),
         (97, 97, 97, 97, 30)],
         [(0, 8, 100), (1, -3, 95, "stop_loss"), (2, -3, 93, "stop_loss"), (3, -2, 97, "stop_loss")], signals=[1] * 4,
         given=_shares(8, stops=qtw.Stops(stop_loss=0.05), participation=0.1)),
    # The open's 3 use the volume up: the stop is met without a fill, leaves at the next open, and drops the other 5.
    Rule("an exit that finds no volume leaves at the next open and drops the remainder",
         [100, (100, 100, 94, 94, 30), (93, 93, 93, 93, 1000), 93], [(1, 3, 100), (2, -3, 93, "stop_loss")],
         signals=[1] * 4,
         given={"sizing": SHARES(8), "stops": qtw.Stops(stop_loss=0.05), "participation": 0.1}),
    Rule("all fills of a symbol share the bar's volume", [100, THIN, 100], [(1, 3, 100), (2, 5, 100), (2, 2, 100)],
         [_buy(2, "limit", limit_price=100, after=0)], signals=[1, 1, 1],
         given={"sizing": SHARES(8), "participation": 0.1}),
    Rule("the flat fee is for the first fill of an order", [100, THIN, THIN, 100], [(1, 3, 100), (2, 3, 100),
         (3, 1, 100)],
         signals=[1] * 4, fees=[5, 0, 0],
         given={"sizing": SHARES(7), "participation": 0.1, "costs": qtw.Costs(commission_per_order=5)}),
    # 100 bps to make, 200 to take: at its own limit inside the bar, and at the open and at the close.
    Rule("makers pay their own rate inside the bar only", [(100, 101, 96, 99), 99], [(0, 1, 100), (0, 1, 97),
         (0, 1, 99)],
         [_buy(1, "limit", limit_price=100), _buy(1, "limit", limit_price=97),
         _buy(1, "limit", limit_price=99, time_in_force="cls")], fees=[2, 0.97, 1.98],
         given={"costs": qtw.Costs(commission_bps=200, maker_bps=100)}),
    Rule("a target is a maker", [100, (100, 104, 100, 104)], [(0, 5, 100), (1, -5, 103)], signals=[1, 1],
         fees=[10, 5.15],
         given=_shares(5, stops=qtw.Stops(take_profit=0.03), costs=qtw.Costs(commission_bps=200, maker_bps=100))),
    # 1% of 500, and 0.1 a share.
    Rule("sales pay their own fees", [100, 100], [(0, 5, 100), (1, -5, 100)], signals=[1, 0], fees=[0, 5.5],
         given=_shares(5, costs=qtw.Costs(sell_fee_bps=100, sell_fee_per_share=0.1))),
]  # fmt: skip
# What the account allows.
ACCOUNTS = [
    Rule("a cash account borrows by leverage", [100, 100], [(0, 20, 100)], signals=[1, 1],
         given=_shares(30, leverage=2.0), cash=-1000),
    Rule("a cash account sells short without margin", [100, 100], [(0, -30, 100)], signals=[-1, -1], given=_shares(30)),
    Rule("a gross account limits longs", [100, 100], [(0, 20, 100)], signals=[1, 1], given=_shares(30, account=GROSS)),
    Rule("a gross account limits shorts", [100, 100], [(0, -20, 100)], signals=[-1, -1],
         given=_shares(30, account=GROSS)),
    # The close frees 2000 of 2000.
    Rule("a gross account closes whole and turns with what is freed", [100, 100], [(0, 20, 100), (1, -40, 100)],
         signals=[1, -1],
         given=_shares(30, account=GROSS)),
    Rule("a gross account covers whole and turns with what is freed", [100, 100], [(0, -20, 100), (1, 40, 100)],
         signals=[-1, 1],
         given=_shares(30, account=GROSS)),
    # Equity 1000, 1500 long in Y: 500 of power are left for X.
    Rule("gross counts every position", {"X": [100, 100], "Y": [100, 100]}, [(0, 15, 100, "rebalance", "Y"),
         (1, -5, 100, "rebalance", "X")],
         weights=[[0, 1.5], [-1, NAN]], given=_closing(account=GROSS)),
    Rule("no shorts: a sell closes at most", [100, 100, 100], [(0, 5, 100), (1, -5, 100)], signals=[1, -1, -1],
         given=_shares(5, account=Account(shorting=False))),
    # The proceeds of bar 1 are there at bar 2.
    Rule("proceeds settle a session later", {"X": [100] * 3, "Y": [100] * 3},
         [(0, 10, 100, "rebalance", "X"), (1, -10, 100, "rebalance", "X"), (2, 10, 100, "rebalance", "Y")],
         weights=[[1, 0], [0, 1], [0, 1]], given=_closing(account=Account.cash())),
    Rule("proceeds settle two sessions later", {"X": [100] * 4, "Y": [100] * 4},
         [(0, 10, 100, "rebalance", "X"), (1, -10, 100, "rebalance", "X"), (3, 10, 100, "rebalance", "Y")],
         weights=[[1, 0], [0, 1], [0, 1], [0, 1]], given=_closing(account=Account.cash(settlement=2))),
    Rule("whole lots when sized", [100, 100], [(0, 5, 100)], signals=[1, 1],
         given=_closing(sizing=qtw.Sizing.fixed_cash(550.0), account=Account(lot=1))),
    Rule("whole lots after the money", [100, 100], [(0, 10, 100)], signals=[1, 1],
         given=_closing(cash=1050.0, sizing=SHARES(15), account=Account(lot=1))),
    # 8 and 6 cost 1400; 1000 / 1400 of them are 5.71 and 4.29.
    Rule("whole lots after scaling", {"X": [100, 100], "Y": [100, 100]}, [(0, 5, 100, "rebalance", "X"),
         (0, 4, 100, "rebalance", "Y")],
         weights=[[0.8, 0.6], [NAN, NAN]], given=_closing(account=Account(lot=1))),
    Rule("whole lots after participation", [100, (100, 100, 100, 100, 35), 100], [(1, 3, 100), (2, 5, 100)],
         signals=[1, 1, 1],
         given={"sizing": SHARES(8), "participation": 0.1, "account": Account(lot=1)}),
    # 5 become 7.5 by a split, and all of them leave.
    Rule("an odd lot is closed whole", [150, 100, 100], [(0, 5, 150), (2, -7.5, 100)], signals=[1, 1, 0],
         given=_shares(5, account=Account(lot=1)), actions=([1, 1.5, 1], [0, 0, 0])),
    Rule("an order below the least notional is not sent", [100, 100, 100], [(0, 5, 100)], signals=[0.5, 0.7, 0.7],
         given=_shares(10, account=Account(min_notional=300))),
    Rule("an order that closes is sent below the least notional", [100, 50, 50], [(0, 5, 100), (1, -5, 50)],
         signals=[1, 0, 0],
         given=_shares(5, account=Account(min_notional=300))),
    # 20 at 60 are 1200 on an equity of 200, and 25% of that is 300: a third is sold.
    Rule("a margin call cuts by the fraction that is missing", [100, 60, 66], [(0, 20, 100),
         (1, -20 / 3, 60, "margin_call")],
         signals=[1] * 3, given=_shares(30, account=Account.reg_t()), equity=[1000, 200, 280], cash=-600),
    Rule("a margin call rounds lots up", [100, 60, 60], [(0, 20, 100), (1, -7, 60, "margin_call")], signals=[1] * 3,
         given=_shares(30, account=Account.reg_t(lot=1))),
    # 30% of 2800 is 840: 1 - 200 / 840 of 20 are bought back.
    Rule("a margin call covers shorts", [100, 140, 140], [(0, -20, 100), (1, 20 * (1 - 200 / 840), 140, "margin_call")],
         signals=[-1] * 3, given=_shares(30, account=Account.reg_t())),
    # X at 55 and Y at 65, 10 of each on 1000 borrowed: equity 200, needed 300.
    Rule("a margin call is proportional", {"X": [100, 55, 60], "Y": [100, 65, 60]},
         [(0, 10, 100), (0, 10, 100), (1, -10 / 3, 55, "margin_call", "X"), (1, -10 / 3, 65, "margin_call", "Y")],
         weights=[[1, 1], [NAN, NAN], [NAN, NAN]], given=_closing(account=Account.reg_t())),
    # Short 10 at 100, at 250: 2000 - 2500. The signal of bar 2 is not heard.
    Rule("ruin closes everything without slippage, and trading ends", [100, 250, 100, 100],
         [(0, -10, 99), (1, 10, 250, "margin_call")], signals=[-1, -1, 1, 1], given=_shares(10, costs=SLIPPING),
         equity=[990, -510, -510, -510]),
    # Y fell out of the bars at 100 and is closed at that price.
    Rule("ruin closes a symbol without a bar at its last price", {"X": [100, 300], "Y": [100, None]},
         [(0, -10, 100), (0, 10, 100), (1, 10, 300, "margin_call", "X"), (1, -10, 100, "margin_call", "Y")],
         weights=[[-1, 1], [NAN, NAN]], given=_closing(), equity=[1000, -1000]),
]  # fmt: skip
# What time brings.
EVENTS = [
    # 36.5% a year are 0.1% a day.
    Rule("cash earns", [100] * 3, [], signals=[0] * 3, equity=[1000, 1001, 1002.001],
         given={"costs": qtw.Costs(cash_rate=0.365)}),
    # 2000 of cash, 1000 of it from the short: 1 earned, and 0.1 paid for the borrowed shares.
    Rule("proceeds of shorts earn nothing, and borrowing costs", [100] * 2, [(0, -10, 100)], signals=[-1, -1],
         equity=[1000, 1000.9],
         given=_shares(10, costs=qtw.Costs(cash_rate=0.365, borrow_bps_per_year=365))),
    Rule("debt pays", [100] * 2, [(0, 20, 100)], signals=[1, 1], equity=[1000, 999],
         given=_shares(20, leverage=2.0, costs=qtw.Costs(margin_rate=0.365))),
    Rule("a split multiplies shares and divides what is remembered", [100, 50, (50, 50, 47, 48)], [(0, 5, 100),
         (2, -10, 47.5)],
         signals=[1] * 3, equity=[1000, 1000, 975], actions=([1, 2, 1], [0, 0, 0]),
         given=_shares(5, stops=qtw.Stops(stop_loss=0.05))),
    Rule("a split changes a working order", [100, (50, 61, 50, 60)], [(0, 5, 100), (1, -10, 60)],
         [_buy(5), _sell(5, "limit", limit_price=120)], actions=([1, 2], [0, 0])),
    Rule("a split changes the legs and the trail", [100, 50, (50, 50, 46, 47)], [(0, 5, 100), (0, 3, 100),
         (2, -10, 47.5), (2, -6, 46.5)],
         [_buy(5, stop_loss=95), _buy(3), _sell(3, "trailing_stop", trail_price=7)], actions=([1, 2, 1], [0, 0, 0])),
    Rule("a split changes a remainder", [100, THIN, (50, 50, 50, 50)], [(1, 3, 100), (2, 10, 50)], signals=[1] * 3,
         given={"sizing": SHARES(8), "participation": 0.1}, actions=([1, 1, 2], [0, 0, 0])),
    Rule("a dividend is paid on the shares after the split", [100, 50], [(0, 5, 100)], signals=[1, 1],
         equity=[1000, 1010],
         given=_shares(5), actions=([1, 2], [0, 1])),
    Rule("a short pays the dividend", [100, 100], [(0, -5, 100)], signals=[-1, -1], equity=[1000, 995],
         given=_shares(5),
         actions=([1, 1], [0, 1])),
    # The dividend of 500 comes before interest of a thousandth on it.
    Rule("interest counts the dividend", [100, 100], [(0, 10, 100)], signals=[1, 1], equity=[1000, 1500.5], cash=500.5,
         given=_shares(10, costs=qtw.Costs(cash_rate=0.365)), actions=([1, 1], [0, 50])),
    Rule("a hole waits and is marked at the last price", {"X": [100, None, 120, 130], "Y": [1] * 4}, [(0, 5, 100),
         (2, -5, 120)],
         signals=[[1, 0], [NAN, 0], [0, 0], [0, 0]], given=_shares(5), equity=[1000, 1000, 1100, 1100]),
    Rule("an order over a hole fills at the next bar", {"X": [100, None, 120], "Y": [1] * 3}, [(2, 5, 120)],
         signals=[[1, 0], [NAN, 0], [NAN, 0]], given={"sizing": SHARES(5)}),
    Rule("a day order ends in a hole", {"X": [100, None, (100, 100, 90, 95)], "Y": [1] * 3}, [],
         [_buy(5, "limit", limit_price=95, time_in_force="day")], states="expired"),
    Rule("a delisted symbol stays at its last price", {"X": [100, 110, None, None], "Y": [1] * 4}, [(0, 5, 100)],
         signals=[[1, 0], [NAN, 0], [0, 0], [NAN, 0]], given=_shares(5), equity=[1000, 1050, 1050, 1050]),
]  # fmt: skip
RULES = [*TYPES, *LIVES, *GROUPS, *PATHS, *ENTRIES, *VOLUME, *ACCOUNTS, *EVENTS]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_rule_gives_the_numbers_worked_by_hand(bars_of, told, told_weights, rule, engine):
    result = _run(engine, rule, bars_of, told, told_weights)
    _same_fills(result, rule.fills)
    _same_fills(result.optimistic, rule.fills if rule.best is None else rule.best)
    if rule.equity is not None:
        assert result.equity.tolist() == pytest.approx(list(rule.equity))
    if rule.cash is not None:
        assert result.cash.iloc[-1] == pytest.approx(rule.cash)
    if rule.fees is not None:
        assert result.orders["commission"].tolist() == pytest.approx(list(rule.fees))
    if rule.states is not None:
        assert result.submitted["state"].tolist() == rule.states.split()
    if rule.filled is not None:
        assert result.submitted["filled"].tolist() == pytest.approx(list(rule.filled))


# What needs more than a row.


def _hours(*days: Sequence[float]) -> qtw.Bars:
    """One hour for each price, from the open of each session on."""
    index = [pd.Timestamp(f"2024-01-0{2 + place} 14:30", tz="UTC") + pd.Timedelta(hours=hour)
             for place, prices in enumerate(days) for hour in range(len(prices))]  # fmt: skip
    prices = [price for day in days for price in day]
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), prices) | {"volume": 1e6}, index=index)
    return qtw.Bars.from_frame(frame.astype(float), symbol="X", timeframe="1h", calendar="XNYS")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_day_order_lives_through_its_session_and_no_longer(engine):
    bars = _hours([100, 100, 95], [95, 95])
    orders = [
        _order("buy", 1, "limit", limit_price=limit, time_in_force="day", after=0) for limit in (96, 94)
    ] + [Order("X", "buy", 1, bars.index[2], "limit", limit_price=96, time_in_force="day")]  # fmt: skip
    result = qtw.backtest(OrderList(orders), bars, engine=engine)
    assert bars.index.get_indexer(result.orders["time"]).tolist() == [2, 3]
    assert result.submitted["state"].tolist() == ["filled", "expired", "filled"]


@pytest.mark.parametrize("engine", ENGINES)
def test_proceeds_settle_with_the_session_and_not_with_the_bar(engine):
    bars = _hours([100, 100, 100], [100, 100])
    orders = [
        Order("X", side, 10, bars.index[0] - (1 - place) * pd.Timedelta(hours=1), time_in_force="day")
        for place, side in enumerate(("buy", "sell", "buy"))
    ] + [Order("X", "buy", 10, bars.index[2])]  # fmt: skip
    result = qtw.backtest(OrderList(orders), bars, cash=1000.0, account=Account.cash(), engine=engine)
    # Bought, sold, refused for the money is on its way, bought when it has come.
    assert result.submitted["state"].tolist() == ["filled", "filled", "rejected", "filled"]
    assert bars.index.get_indexer(result.orders["time"]).tolist() == [0, 1, 3]


@pytest.mark.parametrize("engine", ENGINES)
def test_next_vwap_fills_at_the_price_given(bars_of, told, engine):
    bars = bars_of(X=_columns([100, (100, 112, 98, 105), 105]))
    vwap = pd.DataFrame({"X": [100.0, 104.0, 105.0]}, index=bars.index)
    given = {"execution": "next_vwap", "vwap": vwap, "sizing": SHARES(5)}
    result = qtw.backtest(told(1, 1, 1), bars, engine=engine, **given)
    _same_fills(result, [(1, 5, 104)])


@pytest.mark.parametrize("engine", ENGINES)
def test_impact_sees_the_size_after_participation_and_before_the_money(bars_of, told, engine):
    closes = np.array([100.0, 101.0] * 15)
    bars = bars_of(X={"close": closes, "open": closes, "volume": np.full(30, 1000.0)})
    script = [0.0] * 24 + [1.0] * 6
    given = {"sizing": SHARES(400), "participation": 0.25, "costs": qtw.Costs(impact=0.5), "engine": engine}
    rich, poor = (qtw.backtest(told(*script), bars, cash=cash, **given) for cash in (100_000.0, 1000.0))
    # A quarter of the 1000 shares traded: the twenty returns before bar 25, and 250 / 1000 of the volume.
    volatility = pd.Series(closes).pct_change().iloc[5:25].std(ddof=1)
    price = 101 * (1 + 0.5 * volatility * 0.5)
    assert rich.orders["quantity"].tolist() == pytest.approx([250, 150])
    assert rich.orders["price"].iloc[0] == poor.orders["price"].iloc[0] == pytest.approx(price)
    assert poor.orders["quantity"].iloc[0] == pytest.approx(1000 / price)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_fills_of_an_ambiguous_bar_are_marked_in_both_results(bars_of, told, engine):
    bars = bars_of(X=_columns([100, BOTH, 101]))
    stops = qtw.Stops(stop_loss=0.02, take_profit=0.03)
    result = qtw.backtest(told(1, 1, 1), bars, engine=engine, **_shares(10, stops=stops))
    assert result.orders["ambiguous"].tolist() == result.optimistic.orders["ambiguous"].tolist() == [False, True]
    assert result.ambiguous_trades == 1.0


@pytest.mark.parametrize("engine", ENGINES)
def test_what_holding_brought_is_told_apart(bars_of, told, engine):
    costs = qtw.Costs(cash_rate=0.365, borrow_bps_per_year=365)
    actions = ([1.0, 1.0], [0.0, 1.0])
    bars = bars_of(X=[100.0, 100.0])
    given = {"actions": Actions(bars.index, bars.symbols, *(np.array(part)[:, None] for part in actions))}
    result = qtw.backtest(told(-1, -1), bars, cash=1000.0, engine=engine, **_shares(10, costs=costs), **given)
    # 10 paid as dividend; a thousandth of 1990 - 1000 earned; a ten-thousandth of 1000 paid for the shares.
    carry = result.carry
    assert (carry.dividends, carry.margin_interest) == (-10.0, 0.0)
    assert (carry.cash_interest, carry.borrow) == pytest.approx((0.99, 0.1))
    assert result.equity.iloc[-1] == pytest.approx(990.89)


def test_an_allowance_smaller_than_a_lot_lets_no_order_of_the_bar_be_tried(bars_of):
    # A tenth of 30 shares is less than a lot of 5: the first order gets nothing and uses the allowance up, so the
    # second, which is smaller than a lot and would be rejected, is not looked at.
    bars = bars_of(X={"open": [10.0] * 3, "close": [10.0] * 3, "volume": [30.0] * 3})
    given = [qtw.Order("X", "buy", quantity, bars.index[0]) for quantity in (10, 2)]
    for engine in ("kernel", "reference"):
        result = qtw.backtest(qtw.OrderList(given), bars, participation=0.1, account=qtw.Account(lot=5), engine=engine)
        assert result.submitted["state"].tolist() == ["open", "open"], engine


def test_the_legs_of_an_order_cut_to_almost_nothing_go_live(bars_of):
    # A third of a hundred buys a third of a share; the order for a billion is cut to that, and its stop at 95 sells it.
    # A remainder of rounding size must not keep the order open and its leg asleep.
    bars = bars_of(X={"open": [100.0, 100.0, 90.0], "close": [100.0, 100.0, 90.0]})
    order = qtw.Order("X", "buy", 1e9 + 0.1, bars.index[0], "limit", limit_price=100.0, stop_loss=95.0)
    for engine in ("kernel", "reference"):
        result = qtw.backtest(qtw.OrderList([order]), bars, cash=100.0 / 3.0, engine=engine)
        assert result.submitted["state"].tolist() == ["filled"], engine
        assert result.orders["side"].tolist() == ["buy", "sell"], engine
