"""The money of one paper session: its cash and holdings, what it heard, and what it wants to trade now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.book import Book, Charge, Entry, Fill
from qtw_lab.ledger.costs import adverse_move
from qtw_lab.ledger.purse import Purse, Wish
from qtw_lab.live.trading.netting import SHARE
from qtw_lab.live.trading.terms import SessionTerms

#: What a session is: it trades; it keeps what it holds and hears on; it closes what it holds and then ends; it is over.
Status = Literal["running", "paused", "closing", "stopped"]


#: How many sessions of an exchange opened after one moment and up to another.
SessionsSince = Callable[[int, int], int]


class Seen(NamedTuple):
    """A price that a session may trade at, in dollars: the last, and bid and ask; without a quote all are alike.

    Its age is that of the last trade in nanoseconds; None where nobody knows.
    """

    last: float
    bid: float
    ask: float
    age: int | None = 0

    @classmethod
    def at(cls, price: float, age: int | None = 0) -> Seen:
        """A price without a quote."""
        return cls(price, price, price, age)


class Marked(NamedTuple):
    """What a session was worth at a moment (nanoseconds since 1970, UTC), in dollars."""

    at: int
    equity: Decimal
    cash: Decimal


@dataclass(slots=True)
class _Held:
    """A holding in the binary fractions that sizes are worked out in."""

    shares: float
    last: float


@dataclass(slots=True)
class Sleeve:
    """One session's part of an account.

    Parameters
    ----------
    terms : SessionTerms
        What it was opened with.
    book : Book
        Its cash and holdings, exact.
    status : {"running", "paused", "closing", "stopped"}
        Whether it trades.
    heard : dict of str to float
        The last decision of each symbol.
    waiting : dict of str to float
        Decisions that are to be traded at the next price.
    decided : dict of str to int
        Start of the bar that the last decision of each symbol was made on, nanoseconds since 1970, UTC.
    marks : dict of str to Decimal
        Last prices.
    curve : list of Marked
        Its worth at the close of each bar.
    """

    terms: SessionTerms
    book: Book
    status: Status = "running"
    heard: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)
    curve: list[Marked] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the session."""
        return self.terms.name

    @property
    def start(self) -> Decimal:
        """Cash at its beginning."""
        moved = sum((_money(entry) for entry in self.book.entries), ZERO)
        return self.book.cash - moved

    @property
    def equity(self) -> Decimal:
        """Cash and holdings at last prices."""
        return self.book.balance(self.marks).equity

    def news(self, decisions: Mapping[str, float]) -> dict[str, float]:
        """Those of the decisions that call for an order: a stance that is new, and every weight."""
        weights = self.terms.strategy.kind == "weights"
        return {name: one for name, one in decisions.items() if weights or one != self.heard.get(name, 0.0)}

    def hear(self, news: Mapping[str, float], bar: int) -> None:
        """Take decisions on a bar in, to be traded at the next prices."""
        self.heard.update(news)
        self.decided.update(dict.fromkeys(news, bar))
        self.waiting.update(news)

    def wanted(
        self, seen: Mapping[str, Seen], free: Collection[str], sessions_since: SessionsSince, now: int
    ) -> dict[str, Decimal]:  # fmt: skip
        """Signed shares that it wants to trade at these prices, as its money allows.

        Sells come first, and buys are scaled down together, as in the backtest: by the same code.

        Parameters
        ----------
        seen : mapping of str to Seen
            Prices of this moment; what it holds is valued by them.
        free : collection of str
            Symbols that can be traded now, among those with a price.
        sessions_since : callable
            How many sessions of the exchange opened after one moment and up to another; for sales that settle later.
        now : int
            This moment.
        """
        if not self.waiting.keys() & free:
            return {}
        symbols = self.terms.symbols
        prices = [seen[symbol].last if symbol in seen else float("nan") for symbol in symbols]
        held = [_Held(float(self.book.held(name)), float(self.marks.get(name, ZERO))) for name in symbols]
        unsettled = self._unsettled(sessions_since, now)
        purse = Purse(float(self.book.cash), held, self.terms.costs, self.terms.account, unsettled)
        moment = purse.moment(prices)
        wishes = list(self._wishes(purse, prices, moment.equity, seen, free))
        found: dict[str, Decimal] = {}
        for wish, granted in purse.in_turn(wishes, moment):
            symbol = symbols[wish.symbol]
            exact = self._exact(symbol, granted)
            if exact:
                found[symbol] = exact
                purse.pay(wish, granted)
                held[wish.symbol].shares += granted
        return found

    def fills(self) -> list[Fill]:
        """Its own parts of the account's fills, oldest first."""
        return self.book.fills

    def _wishes(
        self, purse: Purse, prices: list[float], equity: float, seen: Mapping[str, Seen], free: Collection[str]
    ) -> Iterator[Wish]:  # fmt: skip
        terms = self.terms
        for j, symbol in enumerate(terms.symbols):
            if symbol not in self.waiting or symbol not in free:
                continue
            quantity = purse.ordered(terms.sizing, terms.strategy.kind, j, self.waiting[symbol], prices[j], equity)
            if quantity:
                yield self._wish(j, quantity, seen[symbol])

    def _wish(self, j: int, quantity: float, seen: Seen) -> Wish:
        costs = self.terms.costs
        quoted = seen.ask if quantity > 0 else seen.bid
        move = adverse_move(costs.spread_bps if seen.bid == seen.ask else 0.0, costs.slippage_bps, 0.0, 0.0, 0.0)
        price = quoted * (1.0 + (move if quantity > 0 else -move))
        return Wish(j, quantity, price, quoted, costs.commission_bps, costs.commission_per_order)

    def _exact(self, symbol: str, quantity: float) -> Decimal:
        """Shares as an order has them: all that is held, or cut towards zero to a billionth."""
        held = self.book.held(symbol)
        if quantity == -float(held):
            return -held
        return Decimal(repr(quantity)).quantize(SHARE, rounding="ROUND_DOWN")

    def _unsettled(self, sessions_since: SessionsSince, now: int) -> tuple[tuple[int, float], ...]:
        """Proceeds of sales that cannot be spent yet, each with the sessions until it can."""
        days = self.terms.account.settlement
        found: list[tuple[int, float]] = []
        for fill in reversed(self.book.fills) if days else ():
            left = days - sessions_since(fill.at, now)
            if left <= 0:
                break
            if fill.side == "sell":
                found.append((left, float(max(fill.qty * fill.price - fill.fee, ZERO))))
        return tuple(found)


def _money(entry: Entry) -> Decimal:
    """Cash that an entry of a book brought (positive) or took."""
    if isinstance(entry, Fill):
        return -(entry.price * entry.signed + entry.fee)
    return entry.amount if isinstance(entry, Charge) else ZERO
