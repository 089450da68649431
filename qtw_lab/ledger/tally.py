"""What the fills of an account add up to, and what its open orders may still fill."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.exposure import order_prices
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.ledger.unknowns import positive

#: What an amount is that nobody knows.
UNKNOWN: Final = Decimal("NaN")


class Tally:
    """Sums of fills, kept up one by one, so that none of them is added up again at each order.

    Attributes
    ----------
    positions : dict of str to Decimal
        Shares by symbol, negative where sold short; symbols of which nothing is left are not in it.
    traded : Decimal
        Dollars bought and sold by the fills that count as turnover.
    filled, spent : dict of str to Decimal
        Shares and dollars filled, by the id of the order.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.fill("a", "X", Decimal(5), Decimal(10))
    >>> tally.fill("b", "X", Decimal(-2), Decimal(11), counts=False)
    >>> tally.adjust("Y", Decimal(1))
    >>> tally.positions, tally.traded, tally.filled["b"]
    ({'X': Decimal('3'), 'Y': Decimal('1')}, Decimal('50'), Decimal('2'))
    """

    def __init__(self) -> None:
        self.positions: dict[str, Decimal] = {}
        self.traded = ZERO
        self.filled: dict[str, Decimal] = {}
        self.spent: dict[str, Decimal] = {}

    def fill(self, order: str, symbol: str, shares: Decimal, price: Decimal, *, counts: bool = True) -> None:
        """Add a fill.

        Parameters
        ----------
        order : str
            Id of its order.
        symbol : str
            Of what.
        shares : Decimal
            How many came (positive) or went.
        price : Decimal
            Dollars for one.
        counts : bool
            Whether it is turnover: one of an earlier session is not.
        """
        self.adjust(symbol, shares)
        dollars = abs(shares) * price
        self.filled[order] = self.filled.get(order, ZERO) + abs(shares)
        self.spent[order] = self.spent.get(order, ZERO) + dollars
        if counts:
            self.traded += dollars

    def adjust(self, symbol: str, shares: Decimal) -> None:
        """Add shares that came or went by no fill."""
        left = self.positions.get(symbol, ZERO) + shares
        if left:
            self.positions[symbol] = left
        else:
            self.positions.pop(symbol, None)


def still_open(
    ticket: Ticket, mark: Decimal | None, filled: Decimal = ZERO, spent: Decimal = ZERO
) -> tuple[Decimal, Decimal]:
    """Signed shares that an open order may still fill, and the most that one may cost, as `Standing.working` has them.

    Of an order in dollars it is as many shares as they can come to. Two exits of which one cancels the other count as
    one order at the higher of their prices.

    Parameters
    ----------
    ticket : Ticket
        The order.
    mark : Decimal or None
        The last price, dollars.
    filled, spent : Decimal
        Shares and dollars that it has filled.

    Returns
    -------
    (Decimal, Decimal)
        NaN is what is not known; the price of an order at the market is 0.

    Examples
    --------
    >>> sale = Ticket("X", "sell", "limit", "day", qty=Decimal(5), limit_price=Decimal(12))
    >>> still_open(sale, Decimal(10), filled=Decimal(2))
    (Decimal('-3'), Decimal('12'))
    >>> still_open(Ticket("X", "buy", "market", "day", notional=Decimal(50)), Decimal(10), Decimal(1), Decimal(10))
    (Decimal('4'), Decimal('0'))
    """
    prices = order_prices(ticket, mark)
    shares, dollars = positive(ticket.qty), positive(ticket.notional)
    left = UNKNOWN
    if shares is not None:
        left = max(ZERO, shares - filled)
    elif dollars is not None and prices:
        left = max(ZERO, dollars - spent) / min(prices)
    if ticket.shape == "oco":
        return _signed(ticket, left), _dearest((ticket, *ticket.exits()), mark)
    return _signed(ticket, left), ZERO if ticket.kind == "market" else _dearest((ticket,), mark)


def exits_open(
    ticket: Ticket, mark: Decimal | None, opened: Decimal, closed: Decimal = ZERO
) -> tuple[Decimal, Decimal]:
    """Signed shares that the exits of an order may still fill, and the most that one may cost; as `still_open`.

    Parameters
    ----------
    ticket : Ticket
        The order whose exits they are.
    mark : Decimal or None
        The last price, dollars.
    opened, closed : Decimal
        Shares that there were to close, and that exits have closed.

    Examples
    --------
    >>> from qtw_lab.ledger.tickets import Exit
    >>> entry = Ticket("X", "buy", "market", "gtc", qty=Decimal(5), shape="bracket",
    ...                target=Exit(limit=Decimal(12)), stop_loss=Exit(stop=Decimal(9)))
    >>> exits_open(entry, Decimal(10), Decimal(5), Decimal(1))
    (Decimal('-4'), Decimal('12'))
    """
    exits = ticket.exits()
    return _signed(exits[0], max(ZERO, opened - closed)), _dearest(exits, mark)


def _signed(ticket: Ticket, shares: Decimal) -> Decimal:
    return shares if ticket.buys else -shares


def _dearest(tickets: Iterable[Ticket], mark: Decimal | None) -> Decimal:
    """The highest price of any of these; NaN where one is not known."""
    named = [order_prices(ticket, mark) for ticket in tickets]
    return max(price for prices in named for price in prices) if all(named) else UNKNOWN
