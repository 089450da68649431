"""What a paper account is charged, and above all what holding costs it from close to close.

Borrow fees and interest are those of the backtest, by its own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from qtw_lab.ledger import Costs
from qtw_lab.ledger.amounts import ZERO, plain
from qtw_lab.ledger.book import Book
from qtw_lab.ledger.costs import borrow_fee, interest
from qtw_lab.venues.moments import SECOND, identity
from qtw_lab.venues.paper.journal import Journal
from qtw_lab.venues.paper.standing import Paper

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


def unpaid(paper: Paper, now: int) -> list[int]:
    """Closes up to now that holding has not been paid for yet; none where it costs nothing."""
    if costs_nothing(paper.model.costs):
        return []
    return [session.closes for session in paper.hours.all if paper.state.carried < session.closes <= now]


def passed_free(paper: Paper) -> int | None:
    """The last close that a book went through while holding cost nothing; None if there is none.

    An account that pays does so before anything else happens after a close. So a close before the last event that was
    not paid for was one of a model that was free.
    """
    found = [close for close in unpaid(paper, paper.state.at) if close < paper.state.at]
    return found[-1] if found else None


def carry(paper: Paper, journal: Journal, close: int) -> None:
    """Pay for what was held since the last close, at the prices of this one."""
    numbers = {symbol: holding.number for symbol, holding in paper.book.holdings.items()}
    seconds = (close - paper.state.carried) / SECOND
    for one in due(paper.book, paper.marks(numbers, close), seconds, paper.model.costs):
        charge(journal, close, one)
    journal.put("carried", close)


def charge(journal: Journal, at: int, one: Due, symbol: str = "") -> None:
    """Let money come or go, on account of a symbol if there is one."""
    name = identity("charge", journal.state.account_id, journal.state.events)
    journal.put("charged", at, id=name, kind=one.kind, amount=plain(one.amount), symbol=symbol, note=one.note)


def _exact(amount: float) -> Decimal:
    return Decimal(repr(amount)).quantize(_MILLIONTH)
