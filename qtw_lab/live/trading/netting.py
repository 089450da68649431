"""What several sessions want of one symbol at one moment, made one order; and what each gets of its fills.

A part of every order belongs to a session. Parts that cancel each other are not sent anywhere: they change hands at the
price at which the rest fills, so that every session gets the same price, and shares and cash add up to the account's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.tickets import FINEST

#: Shares are divided as finely as orders can be.
SHARE: Final = Decimal(1).scaleb(FINEST)
_FEE: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Part:
    """What a session gets of a fill: signed shares, and its part of the fee in dollars."""

    qty: Decimal
    fee: Decimal


def net(parts: Mapping[str, Decimal]) -> Decimal:
    """Signed shares that are left to be sent."""
    return sum(parts.values(), ZERO)


def divided(parts: Mapping[str, Decimal], before: Decimal, qty: Decimal, fee: Decimal) -> dict[str, Part]:
    """What each session gets of one fill of an order.

    Shares are divided in proportion to the parts, those of the other side included; what rounding leaves goes to the
    first. The fills of an order that is wholly filled come to exactly its parts.

    Parameters
    ----------
    parts : mapping of str to Decimal
        Signed shares that each session wanted; they come to the order's.
    before, qty : Decimal
        Signed shares of the order that had filled before, and that fill now.
    fee : Decimal
        What the fill costs, in dollars; divided by the size of the parts.

    Examples
    --------
    >>> got = divided({"a": Decimal(30), "b": Decimal(-10)}, Decimal(0), Decimal(10), Decimal(4))
    >>> [(name, str(part.qty.normalize()), str(part.fee)) for name, part in got.items()]
    [('a', '15', '3.000000'), ('b', '-5', '1.000000')]
    """
    due = _shares(parts, before + qty)
    had = _shares(parts, before)
    sizes = sum((abs(part) for part in parts.values()), ZERO)
    fees = {name: (fee * abs(part) / sizes).quantize(_FEE) for name, part in parts.items()}
    first = next(iter(parts))
    fees[first] += fee - sum(fees.values(), ZERO)
    return {name: Part(due[name] - had[name], fees[name]) for name in parts}


def _shares(parts: Mapping[str, Decimal], filled: Decimal) -> dict[str, Decimal]:
    """What each has once so many signed shares are filled."""
    whole = net(parts)
    if filled == whole:
        return dict(parts)
    shares = {name: (part * filled / whole).quantize(SHARE) for name, part in parts.items()}
    first = next(iter(parts))
    shares[first] += filled - sum(shares.values(), ZERO)
    return shares
