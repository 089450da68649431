"""What money does in the reference engine: the price of a trade, the part the bar's volume allows, the booking."""

from __future__ import annotations

import math

from qtw_lab.backtest.case import Case
from qtw_lab.backtest.reference_book import Fill, Holding, Wish, Working
from qtw_lab.ledger import costs
from qtw_lab.ledger.purse import Purse, sign


class Money(Purse):
    """The cash and the holdings of one account at one time, and the fills they came from."""

    def __init__(self, case: Case) -> None:
        self.case, self.terms, self.market = case, case.terms, case.market
        self.holdings = [Holding() for _ in case.bars.symbols]
        super().__init__(float(case.terms.cash), self.holdings, case.terms.costs, case.terms.account)
        self.equity = self.cash
        self.fills: list[Fill] = []

    @property
    def _reason(self) -> str:
        return "rebalance" if self.case.kind == "weights" else "signal"

    def _has_bar(self, t: int, j: int) -> bool:
        return not math.isnan(self.market.open[t, j])

    def _allowed(self, j: int, quantity: float) -> float:
        """The order as far as the bar's volume goes; what it cuts is the end of it for this bar."""
        holding = self.holdings[j]
        if abs(quantity) <= holding.room:
            return quantity
        allowed = self.lots(j, math.copysign(holding.room, quantity))
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

    def _trade(self, wish: Wish, quantity: float, source: Working | None = None) -> None:
        """Book a fill."""
        fee = self.pay(wish, quantity)
        holding = self.holdings[wish.symbol]
        holding.room -= abs(quantity)
        holding.book(quantity, wish.price, source)
        self.fills.append(
            Fill(wish.bar, wish.symbol, quantity, wish.price, wish.quoted, wish.reason, fee, order=wish.order)
        )
