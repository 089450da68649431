"""What money allows at one moment: how many shares a decision calls for, and what of that the account lets through.

The reference engine of the backtest and the sessions of paper trading size and limit their orders with this code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from qtw_lab.ledger import costs
from qtw_lab.ledger.account import Account, buying_power, rounded
from qtw_lab.ledger.costs import Costs
from qtw_lab.ledger.sizing import CODES, Sizing, target_amount

#: An order worth less than this fraction of equity is rounding noise and is not sent.
DUST: Final = 1e-9

Kind = Literal["signals", "weights"]


class Held(Protocol):
    """A position: signed shares, and the last price known."""

    shares: float
    last: float


class Moment(NamedTuple):
    """Prices at which orders of one moment are valued (NaN: none), the same with last prices there, and equity."""

    prices: Sequence[float]
    marks: Sequence[float]
    equity: float


class Wanted(Protocol):
    """A trade that is wanted now; `Wish` says what each is."""

    @property
    def symbol(self) -> int: ...  # noqa: D102  (as in Wish)
    @property
    def quantity(self) -> float: ...  # noqa: D102  (as in Wish)
    @property
    def price(self) -> float: ...  # noqa: D102  (as in Wish)
    @property
    def quoted(self) -> float: ...  # noqa: D102  (as in Wish)
    @property
    def bps(self) -> float: ...  # noqa: D102  (as in Wish)
    @property
    def per_order(self) -> float: ...  # noqa: D102  (as in Wish)


class Wish(NamedTuple):
    """A trade that is wanted now.

    Parameters
    ----------
    symbol : int
        Place of the symbol among those of the account.
    quantity : float
        Signed shares.
    price, quoted : float
        What is paid for a share, and what is quoted.
    bps, per_order : float
        Commission by amount, in basis points, and by order, in account currency.
    """

    symbol: int
    quantity: float
    price: float
    quoted: float
    bps: float
    per_order: float


W = TypeVar("W", bound=Wanted)


class Purse:
    """The cash and the positions of one account at one time, and what its rules make of them.

    Parameters
    ----------
    cash : float
        In account currency.
    holdings : sequence of Held
        By symbol; they may change while the purse is used.
    charged : Costs
        Fees, and how much worse than quoted a fill is.
    rules : Account
        What the account may do.
    unsettled : tuple of (int, float)
        Parts of the cash that cannot be spent yet, each with the session in which it can.
    session : int
        The present one.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> flat = [SimpleNamespace(shares=0.0, last=10.0), SimpleNamespace(shares=0.0, last=20.0)]
    >>> purse = Purse(1000.0, flat, Costs(), Account())
    >>> moment = purse.moment([10.0, 20.0])
    >>> [purse.ordered(Sizing.all_in(), "signals", j, 1.0, moment.prices[j], moment.equity) for j in (0, 1)]
    [50.0, 25.0]
    """

    def __init__(
        self, cash: float, holdings: Sequence[Held], charged: Costs, rules: Account,
        unsettled: tuple[tuple[int, float], ...] = (), session: int = 0,
    ) -> None:  # fmt: skip
        self.cash, self.rates, self.rules = cash, charged, rules
        self.unsettled, self.session = unsettled, session
        self._held = holdings

    def moment(self, prices: Sequence[float]) -> Moment:
        """The account valued at these prices; a position without one at its last."""
        marks = [h.last if math.isnan(price) else price for h, price in zip(self._held, prices, strict=True)]
        equity = self.cash + sum(h.shares * mark for h, mark in zip(self._held, marks, strict=True))
        return Moment(prices, marks, equity)

    # How large

    def lots(self, j: int, quantity: float) -> float:
        """Signed shares cut down to lots, unless they close the position."""
        return quantity if quantity == -self._held[j].shares else rounded(quantity, self.rules.lot)

    def only_if_allowed(self, j: int, quantity: float) -> float:
        """Signed shares, no more than are held where the account sells nothing short."""
        return quantity if self.rules.shorting else max(quantity, -self._held[j].shares)

    def ordered(self, sizing: Sizing, kind: Kind, j: int, decision: float, price: float, equity: float) -> float:
        """How many shares a decision calls for beside those held: cut to lots, and zero if too little to send.

        Parameters
        ----------
        sizing : Sizing
            One that needs nothing but the decision.
        kind : {"signals", "weights"}
            What the decision is.
        j : int
            Place of the symbol.
        decision : float
            Stance of -1 to 1, or the fraction of equity to hold.
        price, equity : float
            Of this moment, in account currency.
        """
        held = self._held[j].shares
        if decision == 0:
            return -held
        if equity <= 0:
            return 0.0
        wanted = self._wanted(sizing, kind, j, decision, price, equity)
        quantity = self.lots(j, self.only_if_allowed(j, wanted))
        value = abs(quantity) * price
        if value <= DUST * equity or (value < self.rules.min_notional and quantity != -held):
            return 0.0
        return quantity

    def _wanted(self, sizing: Sizing, kind: Kind, j: int, decision: float, price: float, equity: float) -> float:
        held = self._held[j].shares
        if kind == "weights":
            value = decision * equity
            return 0.0 if abs(value - held * price) <= sizing.rebalance_band * equity else value / price - held
        if sizing.rule == "fixed_shares":
            return decision * sizing.amount - held
        value = target_amount(CODES[sizing.rule], sizing.amount, decision, equity, len(self._held))
        return value / price - held

    # How much of it

    def in_turn(self, wishes: Iterable[W], moment: Moment) -> Iterator[tuple[W, float]]:
        """What the account lets through of the trades of one moment: sells first, then buys, scaled down together.

        Whoever asks books each trade before the next is asked for, so that buys can spend what the sells brought.
        """
        wishes = list(wishes)
        for wish in wishes:
            if wish.quantity < 0:
                yield wish, self.granted(wish, moment, 1.0)
        buys = [wish for wish in wishes if wish.quantity > 0]
        scale = self._scale(buys, moment) if len(buys) > 1 else 1.0
        for wish in buys:
            yield wish, self.granted(wish, moment, scale)

    def granted(self, wish: Wanted, moment: Moment, scale: float) -> float:
        """What the account lets through: what closes a position whole, the part beyond as far as money goes."""
        side, closing = sign(wish.quantity), self._closing(wish)
        beyond = (abs(wish.quantity) - closing) * scale
        if moment.equity <= 0 or (side < 0 and not self.rules.shorting):
            beyond = 0.0
        elif side > 0 or self._gross:
            most = self._affordable(self._power(moment, {wish.symbol: closing}), wish)
            beyond = min(beyond, most if self._gross else max(most - closing, 0.0))
            beyond = beyond if beyond * wish.quoted > DUST * moment.equity else 0.0
        if beyond == abs(wish.quantity) - closing:
            return wish.quantity
        return side * max(abs(self.lots(wish.symbol, side * (closing + beyond))), closing)

    def fee(self, wish: Wanted, quantity: float) -> float:
        """What trading that much of a wish costs beside its price."""
        r, amount = self.rates, abs(quantity) * wish.price
        fee = costs.commission(
            amount, quantity, wish.bps, r.commission_per_share, r.commission_min, wish.per_order,
            r.commission_max_fraction, r.fees_per_share,
        )  # fmt: skip
        return fee + costs.sale_fees(amount, quantity, r.sell_fee_bps, r.sell_fee_per_share, r.sell_fee_per_share_max)

    def pay(self, wish: Wanted, quantity: float) -> float:
        """Take a trade's money in or give it out, and say its fee; proceeds of a sale may have to settle first."""
        fee = self.fee(wish, quantity)
        self.cash -= quantity * wish.price + fee
        if quantity < 0 and self.rules.settlement:
            proceeds = max(-quantity * wish.price - fee, 0.0)
            self.unsettled += ((self.session + self.rules.settlement, proceeds),)
        return fee

    def _closing(self, wish: Wanted) -> float:
        """Shares of a wish that close what is held."""
        return min(abs(wish.quantity), max(-sign(wish.quantity) * self._held[wish.symbol].shares, 0.0))

    @property
    def _gross(self) -> bool:
        return self.rules.buying_power == "gross"

    def _power(self, moment: Moment, freed: dict[int, float]) -> float:
        """Buying power at this moment, as if the `freed` shares of each symbol were closed already."""
        exposure = sum(abs(h.shares) * mark for h, mark in zip(self._held, moment.marks, strict=True))
        exposure -= sum(shares * moment.marks[j] for j, shares in freed.items())
        unsettled = sum(amount for _, amount in self.unsettled)
        return buying_power(self._gross, self.rules.leverage, moment.equity, self.cash, unsettled, exposure)

    def _scale(self, buys: Sequence[Wanted], moment: Moment) -> float:
        """By how much the buys of one moment shrink together, covers apart."""
        closing = {wish.symbol: self._closing(wish) for wish in buys}
        sizes = [wish.quantity - (closing[wish.symbol] if self._gross else 0.0) for wish in buys]
        needed = sum(size * wish.price + self.fee(wish, size) for wish, size in zip(buys, sizes, strict=True))
        power = self._power(moment, closing)
        return power / needed if needed > power else 1.0

    def _affordable(self, power: float, wish: Wanted) -> float:
        r, price = self.rates, max(wish.price, wish.quoted)  # a short counts at what it is quoted
        return costs.affordable_quantity(
            power, price, wish.bps, r.commission_per_share, r.commission_min, wish.per_order,
            r.commission_max_fraction, r.fees_per_share,
        )  # fmt: skip


def sign(number: float) -> int:
    """1, 0 or -1."""
    return int(number > 0) - int(number < 0)
