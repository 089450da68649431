"""An account in exact amounts: cash, holdings, and everything that moved them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.margin import INITIAL, LEAST_MARGIN_EQUITY, maintenance


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: `at` in nanoseconds since 1970 UTC, `leaves` of its order is left, `cumulative` of it is done.

    `fee` is what it cost beside the price, in dollars.
    """

    id: str
    order: str
    symbol: str
    number: int
    side: str
    at: int
    price: Decimal
    qty: Decimal
    leaves: Decimal
    cumulative: Decimal
    status: str
    fee: Decimal = ZERO

    @property
    def signed(self) -> Decimal:
        """Shares that come (positive) or go."""
        return self.qty if self.side == "buy" else -self.qty


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that came (positive) or went without a trade.

    Parameters
    ----------
    id : str
        Of the entry.
    at : int
        Nanoseconds since 1970, UTC.
    kind : str
        By Alpaca's types of activities, such as DIV, FEE, INT, JNLC.
    amount : Decimal
        Dollars.
    symbol : str
        What it is about, if anything.
    note : str
        Why, for people.
    """

    id: str
    at: int
    kind: str
    amount: Decimal
    symbol: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """Shares that became `ratio` times as many at a moment (nanoseconds since 1970, UTC)."""

    id: str
    at: int
    symbol: str
    ratio: Decimal


Entry = Fill | Charge | Split


@dataclass(slots=True)
class Holding:
    """Shares held (negative: sold short) and what those still held cost, of the same sign."""

    number: int
    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def entry(self) -> Decimal:
        """Average price of those still held."""
        return self.cost / self.qty if self.qty else ZERO


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account is worth and may spend, in dollars; `short` is not above zero, `most` the highest multiplier."""

    cash: Decimal
    long: Decimal
    short: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    most: int = 2

    @property
    def equity(self) -> Decimal:
        """Cash and holdings."""
        return self.cash + self.long + self.short

    @property
    def multiplier(self) -> int:
        """How much may be bought for a dollar of equity."""
        return min(self.most, 2 if self.equity >= LEAST_MARGIN_EQUITY else 1)

    @property
    def buying_power(self) -> Decimal:
        """What may be opened before what open orders reserve; never below zero.

        Alpaca's description of an account: twice what equity exceeds the initial margin by, or the cash without margin.
        """
        return max(ZERO, (self.equity - self.initial_margin) * 2 if self.multiplier == 2 else self.own)

    @property
    def own(self) -> Decimal:
        """Cash that is not needed to buy back what was sold short; below zero where money is owed."""
        return self.cash + self.short


@dataclass
class Book:
    """Cash, holdings and everything that moved them, of one account.

    Parameters
    ----------
    cash : Decimal
        Dollars at the start, and from then on.

    Attributes
    ----------
    holdings : dict of str to Holding
        By symbol; none of them is empty.
    entries : list of Fill, Charge or Split
        In the order in which they were taken in.

    Examples
    --------
    >>> book = Book(Decimal(1000))
    >>> book.record(Fill("f", "o", "AAPL", 0, "buy", 1, Decimal(10), Decimal(5), ZERO, Decimal(5), "filled"))
    >>> book.cash, book.holdings["AAPL"].entry, book.balance({"AAPL": Decimal(12)}).equity
    (Decimal('950'), Decimal('10'), Decimal('1010'))
    """

    cash: Decimal
    holdings: dict[str, Holding] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    @property
    def fills(self) -> list[Fill]:
        """Every execution, oldest first."""
        return [entry for entry in self.entries if isinstance(entry, Fill)]

    def record(self, entry: Entry) -> None:
        """Take an entry in."""
        if isinstance(entry, Fill):
            self._trade(entry)
        elif isinstance(entry, Charge):
            self.cash += entry.amount
        elif entry.symbol in self.holdings:
            self.holdings[entry.symbol].qty *= entry.ratio
        self.entries.append(entry)

    def _trade(self, fill: Fill) -> None:
        """Money and shares move; the average entry price changes only where a holding grows, or turns."""
        holding = self.holdings.setdefault(fill.symbol, Holding(fill.number))
        change, before = fill.signed, holding.qty
        after = before + change
        if before * change >= 0:
            holding.cost += fill.price * change
        elif before * after >= 0:
            holding.cost += holding.entry * change
        else:  # it turned: what is held now cost what was paid last
            holding.cost = fill.price * after
        holding.qty = after
        self.cash -= fill.price * change + fill.fee
        if not holding.qty:
            del self.holdings[fill.symbol]

    def held(self, symbol: str) -> Decimal:
        """Shares held of a symbol, negative where sold short."""
        holding = self.holdings.get(symbol)
        return holding.qty if holding else ZERO

    def balance(self, marks: Mapping[str, Decimal], most: int = 2) -> Balance:
        """What it is all worth at these prices; a holding without one counts at its entry price."""
        long = short = kept = ZERO
        for symbol, holding in self.holdings.items():
            mark = marks.get(symbol, holding.entry)
            value = holding.qty * mark
            long, short = long + max(value, ZERO), short + min(value, ZERO)
            kept += maintenance(holding.qty, mark)
        return Balance(self.cash, long, short, (long - short) * INITIAL, kept, most)
