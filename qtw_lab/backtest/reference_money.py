"""What money allows in the reference engine: buying power, fees, the price paid, the booking of a fill."""

from __future__ import annotations

import math
from typing import Final

from qtw_lab.backtest.case import Case
from qtw_lab.backtest.reference_book import Fill, Holding, Moment, Wish, Working, sign
from qtw_lab.ledger import costs
from qtw_lab.ledger.account import buying_power, rounded

#: An order worth less than this fraction of equity is rounding noise and is not sent.
DUST: Final = 1e-9


class Purse:
    """The cash and the holdings of one account at one time, and the fills they came from."""

    def __init__(self, case: Case) -> None:
        self.case, self.terms, self.market = case, case.terms, case.market
        self.rates, self.rules = case.terms.costs, case.terms.account
        self.cash = self.equity = float(case.terms.cash)
        self.session = 0
        self.unsettled: tuple[tuple[int, float], ...] = ()
        self.holdings = [Holding() for _ in case.bars.symbols]
        self.fills: list[Fill] = []

    @property
    def _reason(self) -> str:
        return "rebalance" if self.case.kind == "weights" else "signal"

    def _has_bar(self, t: int, j: int) -> bool:
        return not math.isnan(self.market.open[t, j])

    def _moment(self, prices: list[float]) -> Moment:
        marks = [h.last if math.isnan(price) else price for h, price in zip(self.holdings, prices, strict=True)]
        equity = self.cash + sum(h.shares * mark for h, mark in zip(self.holdings, marks, strict=True))
        return Moment(prices, marks, equity)

    def _lots(self, j: int, quantity: float) -> float:
        return quantity if quantity == -self.holdings[j].shares else rounded(quantity, self.rules.lot)

    def _short_only_if_allowed(self, j: int, quantity: float) -> float:
        return quantity if self.rules.shorting else max(quantity, -self.holdings[j].shares)

    def _allowed(self, j: int, quantity: float) -> float:
        """The order as far as the bar's volume goes; what it cuts is the end of it for this bar."""
        holding = self.holdings[j]
        if abs(quantity) <= holding.room:
            return quantity
        allowed = self._lots(j, math.copysign(holding.room, quantity))
        holding.room = abs(allowed)
        return allowed

    def _wish(  # noqa: PLR0913  (a trade's terms, keyword-only)
        self, t: int, j: int, quantity: float, quoted: float, reason: str, *, per_order: float, limit: bool = False,
        taking: bool = True, order: int = -1, rest: float = 0.0, closing: bool = False,
    ) -> Wish:  # fmt: skip
        """The trade with its price: limit orders pay what is quoted, all others the spread, slippage and impact."""
        r, volatility, share = self.rates, 0.0, 0.0
        if self.market.volume.size and self.market.volume[t, j] > 0:
            volatility, share = float(self.market.volatility[t, j]), abs(quantity) / float(self.market.volume[t, j])
        move = 0.0 if limit else costs.adverse_move(r.spread_bps, r.slippage_bps, r.impact, volatility, share)
        bps = r.commission_bps if taking or r.maker_bps is None else r.maker_bps
        price = quoted * (1.0 + sign(quantity) * move)
        return Wish(t, j, quantity, price, quoted, reason, bps, per_order, order, rest, closing)

    def _granted(self, wish: Wish, moment: Moment, scale: float) -> float:
        """What the account lets through: what closes a position whole, the part beyond as far as money goes."""
        side, closing = sign(wish.quantity), self._closing(wish)
        beyond = (abs(wish.quantity) - closing) * scale
        if moment.equity <= 0 or (side < 0 and not self.rules.shorting):
            beyond = 0.0
        elif side > 0 or self.rules.buying_power == "gross":
            most = self._affordable(self._power(moment, {wish.symbol: closing}), wish)
            beyond = min(beyond, most if self._gross else max(most - closing, 0.0))
            beyond = beyond if beyond * wish.quoted > DUST * moment.equity else 0.0
        if beyond == abs(wish.quantity) - closing:
            return wish.quantity
        return side * max(abs(self._lots(wish.symbol, side * (closing + beyond))), closing)

    def _closing(self, wish: Wish) -> float:
        """Shares of a wish that close what is held."""
        return min(abs(wish.quantity), max(-sign(wish.quantity) * self.holdings[wish.symbol].shares, 0.0))

    @property
    def _gross(self) -> bool:
        return self.rules.buying_power == "gross"

    def _power(self, moment: Moment, freed: dict[int, float]) -> float:
        """Buying power at this moment, as if the `freed` shares of each symbol were closed already."""
        exposure = sum(abs(h.shares) * mark for h, mark in zip(self.holdings, moment.marks, strict=True))
        exposure -= sum(shares * moment.marks[j] for j, shares in freed.items())
        unsettled = sum(amount for _, amount in self.unsettled)
        return buying_power(self._gross, self.rules.leverage, moment.equity, self.cash, unsettled, exposure)

    def _scale(self, buys: list[Wish], moment: Moment) -> float:
        """By how much the buys of one moment shrink together, covers apart."""
        closing = {wish.symbol: self._closing(wish) for wish in buys}
        sizes = [wish.quantity - (closing[wish.symbol] if self._gross else 0.0) for wish in buys]
        needed = sum(size * wish.price + self._fee(wish, size) for wish, size in zip(buys, sizes, strict=True))
        power = self._power(moment, closing)
        return power / needed if needed > power else 1.0

    def _affordable(self, power: float, wish: Wish) -> float:
        r, price = self.rates, max(wish.price, wish.quoted)  # a short counts at what it is quoted
        return costs.affordable_quantity(
            power, price, wish.bps, r.commission_per_share, r.commission_min, wish.per_order,
            r.commission_max_fraction, r.fees_per_share,
        )  # fmt: skip

    def _fee(self, wish: Wish, quantity: float) -> float:
        r, amount = self.rates, abs(quantity) * wish.price
        fee = costs.commission(
            amount, quantity, wish.bps, r.commission_per_share, r.commission_min, wish.per_order,
            r.commission_max_fraction, r.fees_per_share,
        )  # fmt: skip
        return fee + costs.sale_fees(amount, quantity, r.sell_fee_bps, r.sell_fee_per_share, r.sell_fee_per_share_max)

    def _trade(self, wish: Wish, quantity: float, source: Working | None = None) -> None:
        """Book a fill."""
        fee = self._fee(wish, quantity)
        self.cash -= quantity * wish.price + fee
        if quantity < 0 and self.rules.settlement:
            proceeds = max(-quantity * wish.price - fee, 0.0)
            self.unsettled += ((self.session + self.rules.settlement, proceeds),)
        holding = self.holdings[wish.symbol]
        holding.room -= abs(quantity)
        holding.book(quantity, wish.price, source)
        self.fills.append(
            Fill(wish.bar, wish.symbol, quantity, wish.price, wish.quoted, wish.reason, fee, order=wish.order)
        )
