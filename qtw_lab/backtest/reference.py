"""A second, slow engine in plain Python, written from the rules alone, that the compiled kernel is checked against.

It shares with the kernel the market's arrays and the cost functions of `ledger`, and no line of the simulation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.market import Market
from qtw_lab.backtest.result import Result
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars
from qtw_lab.ledger import costs
from qtw_lab.strategies.base import Kind, Strategy

#: An order worth less than this fraction of equity is rounding noise and is not sent.
DUST: Final = 1e-9


class Fill(NamedTuple):
    """One trade: bar and symbol by place, signed shares, price paid and quoted, why, and the commission paid."""

    bar: int
    symbol: int
    quantity: float
    price: float
    quoted: float
    reason: str
    commission: float = 0.0


@dataclass
class Holding:
    """All that is known of one symbol: the position, its last price, and what the strategy said of it."""

    shares: float = 0.0
    average: float = 0.0
    best: float = 0.0
    last: float = 0.0
    heard: float = 0.0
    waiting: float | None = None
    blocked: int = 0

    def book(self, quantity: float, price: float) -> None:
        """Take a fill: the average is that of adding fills, and an opening or a flip starts average and best anew."""
        side, after = _sign(self.shares), self.shares + quantity
        if side == _sign(quantity):
            self.average = (self.shares * self.average + quantity * price) / after
        elif _sign(after) != side:
            self.average = self.best = price
        self.shares = after

    def hear(self, decision: float, *, always: bool) -> None:
        """Remember a decision, and let it wait to be filled if it counts and no earlier stop forbids it."""
        if _sign(decision) != self.blocked:
            self.blocked = 0
        if (always or decision != self.heard) and not self.blocked:
            self.waiting = decision
        self.heard = decision


class Account:
    """The money and the holdings at one time, and the history they leave: fills, and (equity, cash, shares) by bar."""

    def __init__(self, terms: Terms, kind: Kind, market: Market) -> None:
        self.terms, self.rates, self.kind, self.market = terms, terms.costs, kind, market
        self.cash, self.holding_costs, self.ruined = float(terms.cash), 0.0, False
        self.holdings = [Holding() for _ in range(market.close.shape[1])]
        self.fills: list[Fill] = []
        self.path: list[tuple[float, float, list[float]]] = []

    def live(self, t: int, decisions: Sequence[float]) -> None:
        """Bar `t` from its first event to its mark."""
        opens, closes = self.market.open[t].tolist(), self.market.close[t].tolist()
        self._pay_for_holding(float(self.market.seconds[t]))  # no span lies before the first bar
        if not self.ruined:
            if self.terms.execution == "next_open":
                self._fill_waiting(t, opens)
            self._leave_on_stops(t)
            if self.terms.execution == "next_close":
                self._fill_waiting(t, closes)
            for holding, decision in zip(self.holdings, decisions, strict=True):
                if not math.isnan(decision):
                    holding.hear(decision, always=self.kind == "weights")
            if self.terms.execution == "same_close":
                self._fill_waiting(t, closes)
        self._mark(t, closes)

    def _pay_for_holding(self, seconds: float) -> None:
        short_value = sum(-h.shares * h.last for h in self.holdings if h.shares < 0)
        paid = costs.carry(self.cash, short_value, seconds, self.rates.borrow_bps_per_year, self.rates.margin_rate)
        self.cash, self.holding_costs = self.cash - paid, self.holding_costs + paid

    def _worth(self, prices: Sequence[float]) -> float:
        pairs = zip(self.holdings, prices, strict=True)
        return self.cash + sum(h.shares * (h.last if math.isnan(price) else price) for h, price in pairs)

    def _mark(self, t: int, closes: Sequence[float]) -> None:
        for holding, close in zip(self.holdings, closes, strict=True):
            holding.last = holding.last if math.isnan(close) else close
        if not self.ruined and self._worth(closes) <= 0:
            self.ruined = True
            for j, holding in enumerate(self.holdings):
                if holding.shares != 0:
                    self._trade(Fill(t, j, -holding.shares, holding.last, holding.last, "margin_call"))
        self.path.append((self._worth(closes), self.cash, [h.shares for h in self.holdings]))

    def _fill_waiting(self, t: int, prices: Sequence[float]) -> None:
        """Sells first, then buys, scaled down together to the buying power; a short is covered whatever it costs."""
        equity = self._worth(prices)
        orders = list(self._orders(t, prices, equity))
        for order in [order for order in orders if order.quantity < 0]:
            self._trade(order)
        buys = [order for order in orders if order.quantity > 0]
        total = sum(order.quantity * order.price + self._commission(order.quantity, order.price) for order in buys)
        scale = min(1.0, self._power(equity) / total) if len(buys) > 1 else 1.0
        for order in buys:
            covering = min(order.quantity, max(-self.holdings[order.symbol].shares, 0.0))
            left = self._affordable(self._power(equity) - covering * order.price, order.price)
            beyond = min((order.quantity - covering) * scale, left)
            quantity = covering + (beyond if beyond * order.quoted > DUST * equity else 0.0)
            if quantity > 0:
                self._trade(order._replace(quantity=quantity))

    def _orders(self, t: int, prices: Sequence[float], equity: float) -> Iterator[Fill]:
        """The waiting orders that have a price at this moment, all sized before any of them fills."""
        reason = "rebalance" if self.kind == "weights" else "signal"
        for j, (holding, price) in enumerate(zip(self.holdings, prices, strict=True)):
            if holding.waiting is None or math.isnan(price):
                continue
            decision, holding.waiting = holding.waiting, None
            quantity = self._quantity(decision, holding.shares, price, equity)
            if quantity != 0 and (decision == 0 or abs(quantity) * price > DUST * equity):
                yield Fill(t, j, quantity, price * (1.0 + _sign(quantity) * self._move(t, j, quantity)), price, reason)

    def _quantity(self, decision: float, held: float, price: float, equity: float) -> float:
        """How many shares a decision calls for beside those held."""
        sizing = self.terms.sizing
        if decision == 0:
            return -held
        if equity <= 0:
            return 0.0
        if self.kind == "weights":
            value = decision * equity
            return 0.0 if abs(value - held * price) <= sizing.rebalance_band * equity else value / price - held
        if sizing.rule == "fixed_shares":
            return decision * sizing.amount - held
        if sizing.rule == "fixed_cash":
            return decision * sizing.amount / price - held
        share = sizing.amount if sizing.rule == "fraction" else 1.0 / len(self.holdings)
        return decision * share * equity / price - held

    def _leave_on_stops(self, t: int) -> None:
        for j, holding in enumerate(self.holdings):
            side, opening = _sign(holding.shares), float(self.market.open[t, j])
            if side == 0 or math.isnan(opening):
                continue
            good, bad = (float(self.market.high[t, j]), float(self.market.low[t, j]))[::side]  # a short likes the low
            quoted, reason = self._exit(holding, side, opening, good, bad)
            if reason:
                move = 0.0 if reason == "take_profit" else self._move(t, j, holding.shares)
                self._trade(Fill(t, j, -holding.shares, quoted * (1.0 - side * move), quoted, reason))
                holding.blocked = side
            else:
                holding.best = max(holding.best, good) if side > 0 else min(holding.best, good)

    def _exit(self, holding: Holding, side: int, opening: float, good: float, bad: float) -> tuple[float, str]:
        """At which price and why a position is left; no reason if it is kept. Of equal levels the first counts."""
        stops = self.terms.stops
        anchors = ((holding.average, stops.stop_loss, "stop_loss"), (holding.best, stops.trailing, "trailing_stop"))
        levels = [(anchor * (1.0 - side * loss), reason) for anchor, loss, reason in anchors if loss is not None]
        level, reason = max(levels, key=lambda pair: side * pair[0], default=(-side * math.inf, ""))
        if side * bad <= side * level:
            return side * min(side * opening, side * level), reason
        if stops.take_profit is not None:
            target = holding.average * (1.0 + side * stops.take_profit)
            if side * good >= side * target:
                return side * max(side * opening, side * target), "take_profit"
        return 0.0, ""

    def _trade(self, fill: Fill) -> None:
        fee = self._commission(fill.quantity, fill.price)
        self.cash -= fill.quantity * fill.price + fee
        self.holdings[fill.symbol].book(fill.quantity, fill.price)
        self.fills.append(fill._replace(commission=fee))

    def _commission(self, quantity: float, price: float) -> float:
        rates = (self.rates.commission_bps, self.rates.commission_per_share, self.rates.commission_min)
        return costs.commission(abs(quantity) * price, quantity, *rates)

    def _move(self, t: int, j: int, quantity: float) -> float:
        volatility = share = 0.0
        if self.market.volume.size and self.market.volume[t, j] > 0:
            volatility, share = float(self.market.volatility[t, j]), abs(quantity) / float(self.market.volume[t, j])
        return costs.adverse_move(self.rates.spread_bps, self.rates.slippage_bps, self.rates.impact, volatility, share)

    def _power(self, equity: float) -> float:
        return max(self.cash + (self.terms.leverage - 1.0) * equity, 0.0)

    def _affordable(self, power: float, price: float) -> float:
        """How many shares `power` buys, commission included."""
        quantity = power / (price * (1.0 + self.rates.commission_bps * 1e-4) + self.rates.commission_per_share)
        if self._commission(quantity, price) <= self.rates.commission_min:
            quantity = min(quantity, (power - self.rates.commission_min) / price)
        return max(quantity, 0.0)


def simulate(bars: Bars, terms: Terms, decisions: npt.NDArray[np.float64], kind: Kind) -> Account:
    """The account after every bar, for (T, N) signals or weights as `kind` says; NaN keeps what was decided before.

    Raises `DataError` if market impact is asked for and the bars have no volume.
    """
    account = Account(terms, kind, Market.of(bars, terms.costs))
    for t, row in enumerate(decisions.tolist()):
        account.live(t, row)
    return account


def run(strategy: Strategy, bars: Bars, terms: Terms, decisions: npt.NDArray[np.float64]) -> Result:
    """The result of `simulate` in the form `qtw.backtest` gives; arguments and errors as there.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 11.0, 12.0]}, index=pd.date_range("2024-01-02", periods=3))
    >>> bars, terms = Bars.from_frame(df, symbol="X"), Terms.given(None, None, "next_open", 1100.0, None)
    >>> run(qtw.strategies.BuyAndHold(), bars, terms, np.ones((3, 1))).equity.round(6).tolist()
    [1100.0, 1100.0, 1200.0]
    """
    from qtw_lab.backtest.kernel import ORDER_COLUMNS, REASONS

    account = simulate(bars, terms, decisions, strategy.kind)
    table = [(*fill[:5], fill.commission, REASONS.index(fill.reason)) for fill in account.fills]
    equity, cash, positions = (np.array(path, dtype=float) for path in zip(*account.path, strict=True))
    return Result.from_arrays(
        strategy, bars, terms, decisions, equity=equity, cash=cash, positions=positions,
        orders=np.array(table, dtype=float).reshape(-1, len(ORDER_COLUMNS)), holding_costs=account.holding_costs,
        engine="reference",
    )  # fmt: skip


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
