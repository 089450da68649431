"""What holding costs a paper account from close to close: borrow fees and interest, by the backtest's own code."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from qtw_lab.ledger import Costs
from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.book import Book
from qtw_lab.ledger.costs import borrow_fee, interest

_MILLIONTH: Final = Decimal("0.000001")


class Due(NamedTuple):
    """Money that is due: its kind by Alpaca's types of activities, dollars (negative: to be paid), and why."""

    kind: str
    amount: Decimal
    note: str


def costs_nothing(costs: Costs) -> bool:
    """Whether holding never costs or earns anything."""
    return not (costs.borrow_bps_per_year or costs.margin_rate or costs.cash_rate)


def due(book: Book, marks: Mapping[str, Decimal], seconds: float, costs: Costs) -> list[Due]:
    """What is due for a span of time, to the millionth of a dollar.

    Proceeds of short sales earn no interest, as in the backtest.

    Parameters
    ----------
    book : Book
        Cash and holdings at its end.
    marks : mapping of str to Decimal
        Last prices; a holding without one counts at its entry price.
    seconds : float
        Its length.
    costs : Costs
        The rates.

    Examples
    --------
    >>> book = Book(Decimal(-36_500))
    >>> [(one.kind, str(one.amount)) for one in due(book, {}, 86_400.0, Costs(margin_rate=0.05))]
    [('INT', '-5.000000')]
    """
    short = {symbol: holding for symbol, holding in book.holdings.items() if holding.qty < 0}
    shorts = sum((-one.qty * marks.get(symbol, one.entry) for symbol, one in short.items()), ZERO)
    bearing = book.cash if book.cash < 0 else max(book.cash - shorts, ZERO)
    fee = borrow_fee(float(shorts), seconds, costs.borrow_bps_per_year)
    paid = interest(float(bearing), seconds, costs.margin_rate, costs.cash_rate)
    found = [Due("FEE", -_exact(fee), "borrow fee"), Due("INT", -_exact(paid), "interest")]
    return [one for one in found if one.amount]


def _exact(amount: float) -> Decimal:
    return Decimal(repr(amount)).quantize(_MILLIONTH)
