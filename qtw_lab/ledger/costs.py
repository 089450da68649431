"""What trading and holding cost: plain scalar functions, which the engine compiles as they stand."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Final

from qtw_lab.core import DataError

_DAYS_PER_YEAR: Final = 365.0
_SECONDS_PER_YEAR: Final = _DAYS_PER_YEAR * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The costs of trading and of holding a position.

    Parameters
    ----------
    commission_bps : float
        Commission in basis points of the traded amount.
    commission_per_share : float
        Commission in account currency per share.
    commission_min : float
        Least commission of a fill that trades at all, in account currency.
    spread_bps : float
        Full bid-ask spread in basis points of the price; a fill pays half.
    slippage_bps : float
        Further adverse move of the fill price, in basis points.
    impact : float
        Coefficient of the square-root law: the price moves against the order by
        ``impact x daily volatility x sqrt(quantity / average daily volume)`` (Almgren, Thum, Hauptmann and Li, 2005,
        "Direct Estimation of Equity Market Impact", with the exponent 1/2 of Barra's handbook of 1997).
    borrow_bps_per_year : float
        Fee on the market value of short positions, in basis points a year of 365 days.
    margin_rate : float
        Interest on negative cash, as a fraction a year of 365 days.

    Raises
    ------
    DataError
        If a figure is negative or not finite.

    Examples
    --------
    >>> Costs(commission_bps=10)
    Costs(commission_bps=10)
    >>> Costs(spread_bps=-1)
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: Costs: spread_bps=-1 must be zero or more, and finite.
    """

    commission_bps: float = 0.0
    commission_per_share: float = 0.0
    commission_min: float = 0.0
    spread_bps: float = 0.0
    slippage_bps: float = 0.0
    impact: float = 0.0
    borrow_bps_per_year: float = 0.0
    margin_rate: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < math.inf:
                raise DataError(f"Costs: {entry.name}={value!r} must be zero or more, and finite.")

    @property
    def free(self) -> bool:
        """Whether trading and holding cost nothing at all."""
        return not any(asdict(self).values())

    def describe(self) -> str:
        """The costs that are not zero, in one line."""
        parts = [f"{name.replace('_', ' ')} {value:g}" for name, value in asdict(self).items() if value]
        return ", ".join(parts) or "none (free trading)"

    def __repr__(self) -> str:
        return f"Costs({', '.join(f'{n}={v!r}' for n, v in asdict(self).items() if v)})"


def commission(amount: float, quantity: float, bps: float, per_share: float, minimum: float) -> float:
    """Commission of one fill in account currency.

    Parameters
    ----------
    amount : float
        Traded amount, ``|quantity| x price``, in account currency.
    quantity : float
        Shares traded, of either sign.
    bps, per_share, minimum : float
        As in `Costs`.

    Examples
    --------
    >>> commission(10_000.0, 100.0, 10.0, 0.0, 1.0)
    10.0
    >>> commission(100.0, 1.0, 10.0, 0.0, 1.0)
    1.0
    """
    if quantity == 0.0:
        return 0.0
    return max(amount * bps * 1e-4 + abs(quantity) * per_share, minimum)


def adverse_move(
    spread_bps: float, slippage_bps: float, impact: float, volatility: float, share_of_volume: float
) -> float:
    """By which fraction of the price a fill is worse than the quoted price; at most all of it.

    Parameters
    ----------
    spread_bps, slippage_bps, impact : float
        As in `Costs`.
    volatility : float
        Standard deviation of daily returns, known before the fill; NaN counts as 0.
    share_of_volume : float
        Quantity over average daily volume, known before the fill; NaN counts as 0.

    Examples
    --------
    >>> round(adverse_move(4.0, 3.0, 0.0, 0.0, 0.0), 10)
    0.0005
    >>> round(adverse_move(0.0, 0.0, 0.5, 0.02, 0.01), 10)
    0.001
    """
    move = (0.5 * spread_bps + slippage_bps) * 1e-4
    if impact > 0.0 and volatility > 0.0 and share_of_volume > 0.0:
        move += impact * volatility * math.sqrt(share_of_volume)
    return min(move, 1.0)


def carry(cash: float, short_value: float, seconds: float, borrow_bps: float, margin_rate: float) -> float:
    """What holding costs over a span of time, in account currency: borrow fees and interest on negative cash.

    Parameters
    ----------
    cash : float
        Cash balance; only its negative part bears interest.
    short_value : float
        Market value of short positions, as a positive amount.
    seconds : float
        Length of the span; a year has 365 days.
    borrow_bps, margin_rate : float
        As in `Costs`.

    Examples
    --------
    >>> round(carry(-1000.0, 5000.0, 365 * 86400.0, 100.0, 0.06), 6)
    110.0
    """
    years = seconds / _SECONDS_PER_YEAR
    owed = -cash if cash < 0.0 else 0.0
    return (short_value * borrow_bps * 1e-4 + owed * margin_rate) * years
