"""Amounts of money and shares: decimals, read from what is written and written as digits."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

ZERO: Final = Decimal(0)


def plain(amount: Decimal) -> str:
    """An amount in plain digits, without zeros at its end.

    Examples
    --------
    >>> plain(Decimal("1E+5")), plain(Decimal("10.500")), plain(Decimal("-0"))
    ('100000', '10.5', '0')
    """
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def number(value: Any) -> Decimal | None:
    """The amount that a JSON number or a text of digits stands for; None where it is no finite number.

    A JSON number is taken by the digits it is written with: 0.1 is one tenth, not the binary fraction next to it.

    Examples
    --------
    >>> number("10.50"), number(0.1), number("ten"), number(True)
    (Decimal('10.50'), Decimal('0.1'), None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def price(value: float) -> Decimal:
    """A market's price as an amount: twelve digits of it, so that its product with a quantity is exact.

    Examples
    --------
    >>> price(10.1), price(0.1 + 0.2)
    (Decimal('10.1'), Decimal('0.3'))
    """
    return Decimal(f"{float(value):.12g}")
