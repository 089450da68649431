"""Who lends shares that are hard to borrow: how many there are, at what fee, and what a question for some leads to.

Alpaca says what a question and its answers look like (see `qtw_lab.venues.paper.locates`), but neither what is there to
be lent nor how a fee comes about, other than that it needs a closing price: `Lending` is a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any, Final, NamedTuple

from qtw_lab.core import DataError
from qtw_lab.ledger.amounts import ZERO, price
from qtw_lab.ledger.refusals import RefusedError, forbidden
from qtw_lab.venues.moments import identity
from qtw_lab.venues.paper.locates import LOT, Locate, Wanted, hard, roll, trading_date
from qtw_lab.venues.paper.standing import Paper, Standing

_FINEST_FEE: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Lending:
    """What there is to be borrowed of a name that is hard to borrow.

    Parameters
    ----------
    shares : int
        To be located on a trading date, of each name.
    fee : Decimal
        Of a locate, as a part of the last close; a share costs that, rounded up to a hundredth of a cent.

    Raises
    ------
    DataError
        If one is below zero.
    """

    shares: int = 10_000
    fee: Decimal = Decimal("0.001")

    def __post_init__(self) -> None:
        if self.shares < 0 or self.fee < 0:
            raise DataError(f"Lending: shares={self.shares!r} and fee={self.fee!r} must not be below 0.")


class Offer(NamedTuple):
    """What can be located now: so many shares, at so many dollars each."""

    qty: int
    price: Decimal


def offer(paper: Paper, asset: Mapping[str, Any] | None, lending: Lending, now: int) -> Offer:
    """What can be located of an asset now.

    Raises
    ------
    RefusedError
        422: there is no such asset, it is easy to borrow, or has no closing price.
    """
    if asset is None:
        raise fault("symbol_not_found", "symbol not found")
    symbol = str(asset["symbol"])
    if not hard(asset):
        if asset.get("shortable"):
            raise fault("easy_to_borrow", "symbol is easy to borrow and needs no locate")
        return Offer(0, ZERO)
    closes = paper.market.previous_daily([paper.market.symbols.number(symbol)], now)
    if not len(closes):
        raise fault("quote_unavailable", "there is no closing price to quote from")
    day = trading_date(paper.hours, now)
    given = sum(one.qty for one in paper.state.locates.values() if one.symbol == symbol and one.date == day)
    each = (price(closes[0]["close"]) * lending.fee).quantize(_FINEST_FEE, ROUND_UP)
    return Offer(max(lending.shares - given, 0) // LOT * LOT, each)


def located(paper: Paper, wanted: Wanted, there: Offer, standing: Standing, now: int) -> Locate:
    """The locate that a question leads to, active or rejected; it is not in the book yet.

    Raises
    ------
    RefusedError
        400 for a size that is none; 403 where the account may not sell short; 422 where it cannot pay the fee.
    """
    if wanted.qty <= 0 or wanted.qty % LOT:
        raise fault("invalid_input", f"invalid input: quantity must be in round lots of {LOT}", 400)
    if not standing.shorting:
        raise forbidden("account is not allowed to short")
    dear = wanted.limit is not None and there.price > wanted.limit
    qty = 0 if dear or (wanted.all_or_none and there.qty < wanted.qty) else min(there.qty, wanted.qty)
    if qty * there.price > standing.power - sum((one.reserved() for one in paper.open_orders()), ZERO):
        raise fault("insufficient_buying_power", "insufficient buying power")
    day = trading_date(paper.hours, now)
    name = identity("locate", paper.state.account_id, paper.state.events)
    return Locate(name, wanted, now, roll(day), day, qty, there.price if qty else ZERO)


def again(known: Locate, wanted: Wanted) -> Locate:
    """What a question that was asked before led to.

    Raises
    ------
    RefusedError
        422 where another question was asked under its key.
    """
    if known.wanted != wanted:
        raise fault("idempotency_key_conflict", "Idempotency-Key was used for another request")
    return known


def fault(code: str, message: str, status: int = 422) -> RefusedError:
    """What the locates endpoints answer to a question that cannot be; their codes are words."""
    return RefusedError(status, message, more={"code": code})
