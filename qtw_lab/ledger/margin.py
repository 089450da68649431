"""What Regulation T, FINRA and Alpaca ask of an account that borrows or sells short, and when trades settle.

The figures are written here once: `qtw_lab.ledger.account` makes presets of them, `qtw_lab.ledger.book` balances.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

#: Regulation T (12 CFR 220.12): half of what is bought, and half on top of what is sold short, must be there.
INITIAL: Final = Decimal("0.5")
#: Below this equity there is no margin (FINRA Rule 4210(b)): nothing can be borrowed, neither money nor shares.
LEAST_MARGIN_EQUITY: Final = Decimal(2000)
#: FINRA Rule 4210(c): the least that must be kept of the value of long and short positions.
FINRA_LONG: Final = Decimal("0.25")
FINRA_SHORT: Final = Decimal("0.30")
#: From this day on there are intraday margin standards in place of pattern day trading (FINRA Regulatory Notice 26-10).
INTRADAY_MARGIN: Final = "2026-06-04"
#: What a margin account of a day trader had to be worth until then (FINRA Rule 4210(f)(8)(B), as it was).
DAY_TRADING_EQUITY: Final = Decimal(25_000)
#: Alpaca's page "Margin and Short Selling", September 2026: what is kept of a position of this price a share.
_LONG: Final = Decimal("0.30")
_LONG_TO_SIX: Final = Decimal("0.5")
_TWO_FIFTY, _FIVE, _SIX = Decimal("2.5"), Decimal(5), Decimal(6)
#: SEC Rule 15c6-1: sessions until a trade settles, by the first date of the trade, latest first.
_SETTLEMENT: Final = (("2024-05-28", 1), ("2017-09-05", 2), ("", 3))


def maintenance(shares: Decimal, mark: Decimal) -> Decimal:
    """Dollars of equity that Alpaca asks to be kept for a position.

    Long: all of its value below $2.50 a share, half of it up to $6, and 30% above. Short: below $5 a share all of its
    value and at least $2.50 a share, from there on 30% and at least $5 a share. Alpaca asks more of leveraged funds and
    of accounts that hold one thing for borrowed money; neither is modelled.

    Parameters
    ----------
    shares : Decimal
        Held, negative where sold short.
    mark : Decimal
        Dollars a share.

    Examples
    --------
    >>> [int(maintenance(Decimal(100), Decimal(price))) for price in (2, 6, 10)]
    [200, 300, 300]
    >>> [int(maintenance(Decimal(-100), Decimal(price))) for price in (2, 4, 10, 100)]
    [250, 400, 500, 3000]
    """
    value = abs(shares) * mark
    if shares > 0:
        return value * (1 if mark < _TWO_FIFTY else _LONG_TO_SIX if mark <= _SIX else _LONG)
    if mark < _FIVE:
        return max(-shares * _TWO_FIFTY, value)
    return max(-shares * _FIVE, value * FINRA_SHORT)


def settlement(traded: str) -> int:
    """Sessions until a US trade of a date (YYYY-MM-DD) settles.

    Examples
    --------
    >>> settlement("2017-09-01"), settlement("2024-05-24"), settlement("2024-05-28")
    (3, 2, 1)
    """
    return next(sessions for first, sessions in _SETTLEMENT if traded >= first)
