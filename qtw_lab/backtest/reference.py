"""A second, slow engine in plain Python, written from the rules alone, that the compiled kernel is checked against.

It is the executable form of docs/simulation.md. It shares with the kernel the market's arrays and the money functions
of `ledger`, and no line of the simulation. What it keeps of each symbol is in `reference_book`, how it pays in
`reference_money`; what an account lets through is in `ledger.purse`, which the sessions of paper trading use as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.case import Carry, Case
from qtw_lab.backtest.reference_book import (
    ONE_BAR,
    REASONS,
    STATES,
    Fill,
    Holding,
    Remainder,
    Wish,
    Working,
)  # fmt: skip
from qtw_lab.backtest.reference_money import Money
from qtw_lab.backtest.result import Result
from qtw_lab.ledger import costs
from qtw_lab.ledger.account import requirement
from qtw_lab.ledger.purse import DUST, Moment, sign

#: Differences below this fraction of equity are none.
SAME: Final = 1e-12


class Kept(NamedTuple):
    """What one symbol's orders can change, kept to follow a second path from the same start."""

    cash: float
    unsettled: tuple[tuple[int, float], ...]
    holding: Holding
    fills: tuple[Fill, ...]


class Account(Money):
    """The money and the holdings at one time, and the history they leave: fills, and (equity, cash, shares) by bar."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.ruined = False
        self.borrow = self.margin_interest = self.cash_interest = self.dividends = 0.0
        for place, order in enumerate(case.orders):
            starts = int(case.bars.index.searchsorted(order.submitted_at, side="right"))
            self.holdings[case.bars.symbols.index(order.symbol)].works.append(Working.given(order, place, starts))
        self.path: list[tuple[float, float, list[float]]] = []

    def live(self, t: int, decisions: Sequence[float]) -> None:
        """Bar `t` from its first event to its last."""
        opens, closes = self.market.open[t].tolist(), self.market.close[t].tolist()
        self._corporate_actions(t)
        self._pay_for_holding(float(self.market.seconds[t]))
        self._settle(t)
        if not self.ruined:
            self._begin(t)
            self._market_orders(t, ("next_open",), opens)
            self.equity = self.moment(opens).equity
            for j in range(len(self.holdings)):
                self._inside(t, j)
            if self.market.average.size:
                self._market_orders(t, ("next_typical", "next_vwap"), self.market.average[t].tolist())
            self._on_close(t, closes)
            self._market_orders(t, ("next_close",), closes)
            for j, decision in enumerate(decisions):
                if not math.isnan(decision):
                    self._hear(t, j, decision)
            self._market_orders(t, ("same_close",), closes)
            self._end_lives(t)
        for holding, close in zip(self.holdings, closes, strict=True):
            holding.last = holding.last if math.isnan(close) else close
        if not self.ruined:
            self._margin(t, closes)
        self.path.append((self.moment(closes).equity, self.cash, [h.shares for h in self.holdings]))

    # Events 1 to 3: what happened since the last bar.

    def _corporate_actions(self, t: int) -> None:
        if not self.market.split.size:
            return
        pairs = zip(self.market.split[t].tolist(), self.market.dividend[t].tolist(), strict=True)
        for holding, (ratio, dividend) in zip(self.holdings, pairs, strict=True):
            if ratio != 1.0:
                holding.split(ratio, t)
            self.dividends += holding.shares * dividend
            self.cash += holding.shares * dividend

    def _pay_for_holding(self, seconds: float) -> None:
        shorts = sum(-h.shares * h.last for h in self.holdings if h.shares < 0)
        bearing = self.cash if self.cash < 0 else max(self.cash - shorts, 0.0)
        paid = costs.interest(bearing, seconds, self.rates.margin_rate, self.rates.cash_rate)
        fee = costs.borrow_fee(shorts, seconds, self.rates.borrow_bps_per_year)
        self.borrow += fee
        self.margin_interest += max(paid, 0.0)
        self.cash_interest -= min(paid, 0.0)
        self.cash -= paid + fee

    def _settle(self, t: int) -> None:
        if t > 0 and self.market.sessions[t] != self.market.sessions[t - 1]:
            self.session += 1
            self.unsettled = tuple(pair for pair in self.unsettled if pair[0] > self.session)

    def _begin(self, t: int) -> None:
        """The bar's volume is what may be traded of it; protective exits that are not finished go first."""
        cap = self.terms.participation
        for j, holding in enumerate(self.holdings):
            volume = float(self.market.traded[t, j]) if cap > 0 else math.inf
            holding.room = 0.0 if not volume > 0 else cap * volume if cap > 0 else math.inf
            if holding.leaving and self._has_bar(t, j):
                self._leave(t, j, float(self.market.open[t, j]), holding.leaving, taking=True, first=False)

    # Orders of one moment: events 4, 6 and 7.

    def _market_orders(self, t: int, modes: tuple[str, ...], prices: list[float]) -> None:
        """Sells first, then buys, scaled down together to the buying power."""
        if self.terms.execution not in modes:
            return
        moment = self.moment(prices)
        wishes = [wish for j in range(len(self.holdings)) if (wish := self._market_order(t, j, moment)) is not None]
        for wish, quantity in self.in_turn(wishes, moment):
            self._fill_market(wish, quantity)

    def _market_order(self, t: int, j: int, moment: Moment) -> Wish | None:
        """What waits for this moment, sized, and cut to the bar's volume; None if there is nothing to trade now."""
        holding, price = self.holdings[j], moment.prices[j]
        if math.isnan(price):
            return None
        quantity, closing, charged = 0.0, False, False
        if holding.waiting is not None:
            decision, holding.waiting = holding.waiting, None
            quantity = self.ordered(self.terms.sizing, self.case.kind, j, decision, price, moment.equity)
            closing = quantity == -holding.shares
        elif holding.remainder is not None:
            quantity, closing, charged = holding.remainder
            holding.remainder = None
            quantity = -holding.shares if closing else self.lots(j, self.only_if_allowed(j, quantity))
            if not closing and abs(quantity) * price <= DUST * moment.equity:
                return None
        if quantity == 0:
            return None
        allowed = self._allowed(j, quantity)
        if allowed == 0:
            holding.remainder = Remainder(quantity, closing, charged)
            return None
        return self._wish(
            t, j, allowed, price, self._reason, per_order=0.0 if charged else self.rates.commission_per_order,
            rest=quantity - allowed, closing=closing,
        )  # fmt: skip

    def _fill_market(self, wish: Wish, quantity: float) -> None:
        if quantity != 0:
            self._trade(wish, quantity)
        if wish.rest != 0:
            charged = quantity != 0 or wish.per_order == 0
            self.holdings[wish.symbol].remainder = Remainder(wish.rest, wish.closing, charged)

    def _hear(self, t: int, j: int, decision: float) -> None:
        """Remember a decision, and send an order if it is new and no earlier exit forbids it."""
        holding, entry = self.holdings[j], self.terms.entry
        side = sign(decision)
        if side != holding.blocked:
            holding.blocked = 0
        news = self.case.kind == "weights" or decision != holding.heard
        holding.heard = decision
        if not news or holding.blocked:
            return
        holding.remainder = holding.entry = None
        if entry.type == "market" or side in (0, sign(holding.shares)):
            holding.waiting = decision
            return
        holding.waiting = 0.0 if holding.shares else None
        if self._has_bar(t, j):  # there is no price without one
            holding.entry = Working.entry(entry, decision, float(self.market.close[t, j]), t + 1, self._reason)

    # Event 5: inside the bar.

    def _inside(self, t: int, j: int) -> None:
        """Follow both paths from the same start and go on with the one the terms ask for."""
        holding = self.holdings[j]
        if not self._has_bar(t, j) or not (holding.live(t) or holding.exits(self.terms.stops)):
            return
        opening, high, low, close = (
            float(prices[t, j]) for prices in (self.market.open, self.market.high, self.market.low, self.market.close)
        )
        least = SAME * abs(self.equity)
        before, start = len(self.fills), self._kept(j, len(self.fills))
        self._follow(t, j, (opening, low, high, close))
        low_first = self._kept(j, before)
        self._restore(j, before, start)
        self._follow(t, j, (opening, high, low, close))
        high_first = self._kept(j, before)
        cash, shares = high_first.cash - low_first.cash, high_first.holding.shares - low_first.holding.shares
        gain = cash + shares * close
        better = gain if self.terms.path == "optimistic" else -gain
        ambiguous = abs(cash) > least or abs(shares) * close > least
        end = high_first if ambiguous and better > least else low_first
        marked = tuple(fill._replace(ambiguous=ambiguous) for fill in end.fills)
        self._restore(j, before, end._replace(fills=marked))

    def _kept(self, j: int, before: int) -> Kept:
        return Kept(self.cash, self.unsettled, self.holdings[j].copy(), tuple(self.fills[before:]))

    def _restore(self, j: int, before: int, kept: Kept) -> None:
        self.cash, self.unsettled, self.holdings[j] = kept.cash, kept.unsettled, kept.holding.copy()
        self.fills[before:] = kept.fills

    def _follow(self, t: int, j: int, corners: tuple[float, float, float, float]) -> None:
        """Walk from the open to the close, stopping wherever an order is met."""
        price = corners[0]
        self._arrive(t, j, price, at_open=True)
        for corner in corners[1:]:
            way = sign(corner - price)
            while price != corner:
                holding = self.holdings[j]
                levels = [work.level() for work in holding.live(t) if work.kind != "market"]
                levels += [(level, above) for level, above, _ in holding.exits(self.terms.stops)]
                ahead = [level for level, above in levels if above == way and way * price < way * level < way * corner]
                price = min(ahead, default=corner) if way > 0 else max(ahead, default=corner)
                self._arrive(t, j, price, at_open=False)

    def _arrive(self, t: int, j: int, price: float, *, at_open: bool) -> None:
        """Everything that is met at this price fills, one after the other."""
        again = True
        while again:
            holding = self.holdings[j]
            holding.follow(price)
            working = holding.live(t)
            for work in working:
                work.follow(price)
                work.touch(price)
            again = False
            for level, above, reason in holding.exits(self.terms.stops):
                if above * price >= above * level:
                    resting = reason == "take_profit" and price == level and not at_open
                    self._leave(t, j, price, reason, taking=not resting, first=True)
                    again = True
                    break
            if again or holding.room == 0:
                continue
            met = next((work for work in working if work.met(price, at_open=at_open)), None)
            if met is not None:
                resting = met.kind == "limit" and price == met.limit and not at_open
                moment = self.moment(self.market.open[t].tolist())._replace(equity=self.equity)
                self._attempt(t, j, met, price, moment, taking=not resting)
                again = True

    def _leave(self, t: int, j: int, price: float, reason: str, *, taking: bool, first: bool) -> None:
        """A protective exit: all shares, as far as the bar's volume goes; the rest leaves at the next opens."""
        holding = self.holdings[j]
        holding.blocked = sign(holding.shares)
        if first:
            holding.leaving, holding.leaving_charged = reason, False
        quantity = self._allowed(j, -holding.shares)
        if quantity == 0:
            return
        per_order = 0.0 if holding.leaving_charged else self.rates.commission_per_order
        limit = first and reason == "take_profit"
        self._trade(
            self._wish(t, j, quantity, price, reason, limit=limit, taking=taking, per_order=per_order), quantity
        )
        holding.leaving_charged = True

    def _attempt(self, t: int, j: int, work: Working, price: float, moment: Moment, *, taking: bool) -> None:
        """Fill an order that is met, as far as lots, volume and money go."""
        holding = self.holdings[j]
        wanted = self._left(j, work, price, moment)
        if wanted == 0:
            holding.finish(work, "filled" if work.filled else "rejected")
            return
        allowed = self._allowed(j, wanted)
        if allowed == 0:
            return
        wish = self._wish(
            t, j, allowed, price, work.reason, limit=work.kind == "limit", taking=taking, order=work.order,
            per_order=0.0 if work.charged else self.rates.commission_per_order,
        )  # fmt: skip
        quantity = self.granted(wish, moment, 1.0)
        if work.life == "fok" and quantity != wanted:
            holding.finish(work, "expired")
        elif quantity == 0:
            holding.finish(work, "filled" if work.filled else "rejected")
        else:
            if work.decision is not None:
                holding.waiting = None  # an entry that turns a position closes the old one too
            work.charged, work.decision, work.left = True, None, abs(wanted - allowed)
            work.filled, work.paid = work.filled + abs(quantity), work.paid + abs(quantity) * wish.price
            self._trade(wish, quantity, work)
            self._after_fill(t, j, work, abs(quantity))

    def _left(self, j: int, work: Working, price: float, moment: Moment) -> float:
        """Signed shares an order still wants; zero if it is too small to be sent."""
        if work.decision is not None:
            wanted = self.ordered(self.terms.sizing, self.case.kind, j, work.decision, price, moment.equity)
            return wanted if sign(wanted) == work.side else 0.0
        wanted = self.lots(j, self.only_if_allowed(j, work.side * work.left))
        small = abs(wanted) * price < self.rules.min_notional and wanted != -self.holdings[j].shares
        tested, work.tested = work.tested, True
        return 0.0 if small and not tested and work.order >= 0 else wanted

    def _after_fill(self, t: int, j: int, work: Working, quantity: float) -> None:
        """One cancels other, and the legs of a bracket."""
        holding = self.holdings[j]
        for other in [other for other in holding.works if work.group is not None and other.group == work.group]:
            if other is not work:
                other.left -= quantity
                if work.left == 0 or other.left <= 0:
                    holding.finish(other, "cancelled")
        if work.left == 0:
            place = holding.works.index(work) if work in holding.works else 0
            if not work.leg and work.order >= 0:
                holding.works[place:place] = work.legs(t)
            holding.finish(work, "filled")

    def _on_close(self, t: int, closes: list[float]) -> None:
        """On-close orders, by symbol and in the order given."""
        self.equity = self.moment(closes).equity
        for j, holding in enumerate(self.holdings):
            for work in holding.live(t) if self._has_bar(t, j) else ():
                met = work.kind == "market" or work.side * closes[j] <= work.side * work.limit
                if work.life == "cls" and work.state == "open" and met and holding.room > 0:
                    moment = self.moment(closes)._replace(equity=self.equity)
                    self._attempt(t, j, work, closes[j], moment, taking=True)

    def _end_lives(self, t: int) -> None:
        """Orders whose time in force has run out leave the book."""
        sessions = self.market.sessions
        last = t + 1 == len(sessions)  # what could still work then is open
        ends = not last and sessions[t + 1] != sessions[t]
        for j, holding in enumerate(self.holdings):
            for work in holding.live(t):
                work.age += self._has_bar(t, j)
                over = work.age > 0 and (
                    work.life in ONE_BAR
                    or (work.good_for is not None and work.age >= work.good_for and not last)
                    or (work.life == "day" and ends)
                )
                if over:
                    holding.finish(work, "expired")

    # Events 8 and 9.

    def _margin(self, t: int, closes: list[float]) -> None:
        moment, rules = self.moment(closes), self.rules
        values = [h.shares * h.last for h in self.holdings]
        longs, shorts = sum(v for v in values if v > 0), sum(-v for v in values if v < 0)
        needed = requirement(longs, shorts, rules.maintenance, rules.maintenance_short)
        if moment.equity <= 0:
            self.ruined = True
            for holding in self.holdings:
                for work in [*holding.works, *filter(None, [holding.entry])]:
                    holding.finish(work, "cancelled")
        elif moment.equity >= needed * (1.0 - DUST):
            return
        fraction = 1.0 - moment.equity / needed if not self.ruined else 1.0
        for j, holding in enumerate(self.holdings):
            if not holding.shares or not (self.ruined or self._has_bar(t, j)):
                continue
            cut = abs(holding.shares) * fraction
            if rules.lot > 0:
                cut = min(math.ceil(cut / rules.lot - DUST) * rules.lot, abs(holding.shares))
            quantity = -holding.shares if self.ruined else -sign(holding.shares) * cut
            per_order = self.rates.commission_per_order
            wish = self._wish(t, j, quantity, holding.last, "margin_call", limit=self.ruined, per_order=per_order)
            self._trade(wish, quantity)
        if not self.ruined and self.moment(closes).equity <= 0:
            self._margin(t, closes)  # the cut itself was too dear

    # What the history gives back.

    @property
    def carry(self) -> Carry:
        """What holding cost and brought."""
        return Carry(self.borrow, self.margin_interest, self.cash_interest, self.dividends)

    def states(self) -> npt.NDArray[np.float64]:
        """What became of the orders given by hand, (orders, 3): place in `STATES`, shares filled, mean price."""
        table = np.full((len(self.case.orders), 3), math.nan)
        for holding in self.holdings:
            for work in (*holding.works, *holding.finished):
                if not work.leg:
                    mean = work.paid / work.filled if work.filled else math.nan
                    table[work.order] = STATES.index(work.state), work.filled, mean
        return table


def simulate(case: Case) -> Account:
    """The account after every bar, with all it did on the way."""
    account = Account(case)
    for t, row in enumerate(case.decisions.tolist()):
        account.live(t, row)
    return account


def run(case: Case) -> Result:
    """The result of `simulate` in the form `qtw.backtest` gives.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> df = pd.DataFrame({"close": [10.0, 11.0, 12.0]}, index=pd.date_range("2024-01-02", periods=3))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> qtw.backtest("buy_and_hold", bars, cash=1100.0, engine="reference").equity.round(6).tolist()
    [1100.0, 1100.0, 1200.0]
    """
    account = simulate(case)
    columns = [(*fill[:5], fill.commission, REASONS.index(fill.reason), *fill[7:]) for fill in account.fills]
    equity, cash, positions = (np.array(path, dtype=float) for path in zip(*account.path, strict=True))
    return Result.from_arrays(
        case, equity=equity, cash=cash, positions=positions, orders=np.array(columns, dtype=float).reshape(-1, 9),
        carry=account.carry, states=account.states(), engine="reference",
    )  # fmt: skip
