"""How large an order is, given a signal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Final, Literal

from qtw_lab.core import DataError

SizingRule = Literal["all_in", "fixed_cash", "fixed_shares", "fraction"]

#: The rules as numbers, the form the compiled engine takes.
CODES: Final[dict[SizingRule, int]] = {"all_in": 0, "fixed_cash": 1, "fixed_shares": 2, "fraction": 3}


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a signal of -1 to 1 becomes a holding. Build one with the class methods.

    Strategies that give weights state their own size; for them only `rebalance_band` counts.

    Parameters
    ----------
    rule : {"all_in", "fixed_cash", "fixed_shares", "fraction"}
        Which rule.
    amount : float
        The rule's number.
    rebalance_band : float
        Weights only: leave a holding alone while it is within this distance of its target, as a fraction of equity.

    Examples
    --------
    >>> Sizing.fraction(0.5)
    Sizing(rule='fraction', amount=0.5, rebalance_band=0.0)
    """

    rule: SizingRule = "all_in"
    amount: float = 1.0
    rebalance_band: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.rule, str) or self.rule not in CODES:
            raise DataError(f"Sizing rule {self.rule!r} is not known; use one of {', '.join(CODES)}.")
        if not _number(self.amount) or not 0 < self.amount < math.inf:
            raise DataError(f"Sizing: the amount {self.amount!r} must be a positive, finite number.")
        if not _number(self.rebalance_band) or not 0 <= self.rebalance_band < 1:
            raise DataError(f"Sizing: rebalance_band={self.rebalance_band!r} must be at least 0 and below 1.")

    @classmethod
    def all_in(cls) -> Sizing:
        """The whole account, split evenly over the symbols of the book; buying stops where the cash ends."""
        return cls("all_in", 1.0)

    @classmethod
    def fixed_cash(cls, amount: float) -> Sizing:
        """The same amount of account currency in each position."""
        return cls("fixed_cash", amount)

    @classmethod
    def fixed_shares(cls, quantity: float) -> Sizing:
        """The same number of shares in each position."""
        return cls("fixed_shares", quantity)

    @classmethod
    def fraction(cls, share: float) -> Sizing:
        """That fraction of present equity in each position."""
        return cls("fraction", share)

    @classmethod
    def target_weights(cls, rebalance_band: float = 0.0) -> Sizing:
        """Follow the weights a strategy gives, trading only where a holding is off by more than the band."""
        return cls("all_in", 1.0, rebalance_band)


def target_amount(rule: int, amount: float, signal: float, equity: float, symbols: int) -> float:
    """Signed market value that a signal calls for, in account currency; not for `fixed_shares`.

    Parameters
    ----------
    rule : int
        A number of `CODES`.
    amount : float
        The rule's number.
    signal : float
        Stance, -1 to 1.
    equity : float
        Present equity in account currency.
    symbols : int
        How many symbols share the account.

    Examples
    --------
    >>> target_amount(CODES["all_in"], 1.0, 1.0, 100_000.0, 4)
    25000.0
    """
    if rule == 1:
        return signal * amount
    if rule == 3:
        return signal * amount * equity
    return signal * equity / symbols


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
