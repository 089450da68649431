"""Amounts that may be unknown: None, and whatever is reckoned with it is unknown as well."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, TypeVar

_Known = TypeVar("_Known")

#: No account has amounts like these; a figure beyond them is a mistake, and below them decimals multiply safely.
BEYOND: Final = Decimal(10) ** 15


def sound(amount: Decimal | None) -> Decimal | None:
    """An amount that can be reckoned with; None for one that is no number, or absurd.

    Examples
    --------
    >>> sound(Decimal(-5)), sound(Decimal("NaN")), sound(Decimal("1e20"))
    (Decimal('-5'), None, None)
    """
    return amount if amount is not None and amount.is_finite() and abs(amount) < BEYOND else None


def positive(amount: Decimal | None) -> Decimal | None:
    """An amount above zero; None for any other.

    Examples
    --------
    >>> positive(Decimal(5)), positive(Decimal(0)), positive(None)
    (Decimal('5'), None, None)
    """
    amount = sound(amount)
    return amount if amount is not None and amount > 0 else None


def product(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """One times the other.

    Examples
    --------
    >>> product(Decimal(2), Decimal(3)), product(Decimal(2), None)
    (Decimal('6'), None)
    """
    return None if one is None or other is None else one * other


def larger(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The larger of two.

    Examples
    --------
    >>> larger(Decimal(2), Decimal(3)), larger(None, Decimal(3))
    (Decimal('3'), None)
    """
    return None if one is None or other is None else max(one, other)


def less(one: Decimal, other: Decimal) -> Decimal | None:
    """One less the other, where both are `sound`.

    Examples
    --------
    >>> less(Decimal(5), Decimal(3)), less(Decimal("NaN"), Decimal(3))
    (Decimal('2'), None)
    """
    return None if sound(one) is None or sound(other) is None else one - other


def all_known(parts: Iterable[_Known | None]) -> list[_Known] | None:
    """The parts; None where one of them is.

    Examples
    --------
    >>> all_known([1, 2]), all_known([1, None])
    ([1, 2], None)
    """
    given = list(parts)
    known = [part for part in given if part is not None]
    return known if len(known) == len(given) else None
