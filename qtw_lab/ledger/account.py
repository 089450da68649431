"""What an account may do: borrow, sell short, trade fractions, and when the broker steps in."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real
from typing import Final, Literal

from qtw_lab.core import DataError
from qtw_lab.ledger.margin import FINRA_LONG, FINRA_SHORT, INITIAL

BuyingPower = Literal["cash", "gross"]

_MOST_SESSIONS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The rules of the account that trades. `Account()` is what most backtesters assume; the presets are real ones.

    Parameters
    ----------
    leverage : float
        Buying power as a multiple of equity, 1 or more: the inverse of the initial margin.
    buying_power : {"cash", "gross"}
        "cash": cash, and with leverage money borrowed on equity; proceeds of short sales count as cash, and short
        sales are not limited. "gross": leverage x equity less the value of all positions, long and short alike.
    maintenance, maintenance_short : float
        Equity that must stand behind long and short positions, as a fraction of their value; 0 for no margin calls.
    shorting : bool
        Whether more may be sold than is held.
    settlement : int
        Sessions until the proceeds of a sale can be spent, in an account that does not borrow.
    lot : float
        Smallest tradable quantity; 0 allows any fraction, 1 means whole shares.
    min_notional : float
        Least value of an order in account currency; an order that closes a position is always sent.

    Raises
    ------
    DataError
        If a figure is out of range, or the rules contradict each other.

    Examples
    --------
    >>> Account.reg_t().leverage
    2.0
    >>> Account.cash(lot=1).describe()
    'shorting False, settlement 1, lot 1'
    """

    leverage: float = 1.0
    buying_power: BuyingPower = "cash"
    maintenance: float = 0.0
    maintenance_short: float = 0.0
    shorting: bool = True
    settlement: int = 0
    lot: float = 0.0
    min_notional: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("leverage", 1.0, math.inf), ("maintenance", 0.0, 1.0), ("maintenance_short", 0.0, 10.0),
            ("settlement", 0, _MOST_SESSIONS + 1), ("lot", 0.0, math.inf), ("min_notional", 0.0, math.inf),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not low <= float(value) < high:
                raise DataError(f"Account: {name}={value!r} must be at least {low:g} and below {high:g}.")
        if self.settlement != int(self.settlement):
            raise DataError(f"Account: settlement={self.settlement!r} must be a whole number of sessions.")
        if self.buying_power not in ("cash", "gross"):
            raise DataError(f"Account: buying_power={self.buying_power!r} must be 'cash' or 'gross'.")
        if not isinstance(self.shorting, bool):
            raise DataError(f"Account: shorting={self.shorting!r} must be True or False.")
        if self.settlement and (self.leverage != 1 or self.shorting or self.buying_power != "cash"):
            raise DataError(
                f"Account: settlement={self.settlement} needs an account that neither borrows nor sells short: use "
                "leverage=1, buying_power='cash' and shorting=False (Account.cash())."
            )
        if self.maintenance * self.leverage >= 1 or (self.maintenance_short * self.leverage >= 1 and self.shorting):
            raise DataError(
                f"Account: with leverage={self.leverage:g} the equity of a full account is {1 / self.leverage:.0%} of "
                "its positions; the maintenance fractions must be below that."
            )

    @classmethod
    def cash(cls, *, settlement: int = 1, lot: float = 0.0, min_notional: float = 0.0) -> Account:
        """A cash account: no borrowing, no shorts; sale proceeds are spendable after `settlement` sessions.

        US equities settle one session after the trade since 2024-05-28 (SEC Rule 15c6-1).
        """
        return cls(shorting=False, settlement=settlement, lot=lot, min_notional=min_notional)

    @classmethod
    def reg_t(cls, *, lot: float = 0.0, min_notional: float = 0.0) -> Account:
        """A US margin account: 50% initial margin, and 25% (long) and 30% (short) to be kept.

        Initial margin after Regulation T of the Federal Reserve (12 CFR 220.12), maintenance after FINRA Rule 4210(c)
        (which asks 100% or dollar amounts for shorts in shares below five dollars: not modelled).
        """
        return cls(
            leverage=float(1 / INITIAL), buying_power="gross", maintenance=float(FINRA_LONG),
            maintenance_short=float(FINRA_SHORT), lot=lot, min_notional=min_notional,
        )  # fmt: skip

    @property
    def plain(self) -> bool:
        """Whether these are the rules most backtesters assume, without leverage."""
        return self == Account()

    def describe(self) -> str:
        """The account in one line: what differs from the plain one."""
        given = [(entry.name, getattr(self, entry.name)) for entry in fields(self) if not _default(self, entry.name)]
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in given) or "cash, fractions allowed"


def _default(account: Account, name: str) -> bool:
    return bool(getattr(account, name) == {entry.name: entry.default for entry in fields(Account)}[name])


def rounded(quantity: float, lot: float) -> float:
    """The quantity cut down (towards zero) to whole lots; a hair below a whole lot counts as whole.

    Parameters
    ----------
    quantity : float
        Shares, of either sign.
    lot : float
        Smallest tradable quantity; 0 leaves the quantity as it is.

    Examples
    --------
    >>> rounded(-17.9, 5.0), rounded(2.9999999999, 1.0), rounded(2.5, 0.0)
    (-15.0, 3.0, 2.5)
    """
    if lot <= 0.0:
        return quantity
    whole = math.floor(abs(quantity) / lot + 1e-9) * lot
    return whole if quantity > 0.0 else -whole


def requirement(longs: float, shorts: float, maintenance: float, maintenance_short: float) -> float:
    """Equity that must stand behind the positions, in account currency.

    Parameters
    ----------
    longs, shorts : float
        Market value of each side, as positive amounts.
    maintenance, maintenance_short : float
        As in `Account`.

    Examples
    --------
    >>> requirement(10_000.0, 2_000.0, 0.25, 0.30)
    3100.0
    """
    return longs * maintenance + shorts * maintenance_short


def buying_power(
    gross_rule: bool, leverage: float, equity: float, cash: float, unsettled: float, exposure: float
) -> float:
    """Money that new positions may use, at least 0, in account currency.

    Parameters
    ----------
    gross_rule : bool
        Whether the account's `buying_power` is "gross".
    leverage : float
        As in `Account`.
    equity, cash, unsettled : float
        The account's money; `unsettled` is the part of the cash that cannot be spent yet.
    exposure : float
        Sum of the absolute values of all positions.

    Examples
    --------
    >>> buying_power(False, 1.0, 100.0, 60.0, 10.0, 40.0), buying_power(True, 2.0, 100.0, 60.0, 0.0, 40.0)
    (50.0, 160.0)
    """
    power = leverage * equity - exposure if gross_rule else cash - unsettled + (leverage - 1.0) * equity
    return max(power, 0.0)
