"""What trading and holding cost: plain scalar functions, which the engine compiles as they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import date
from numbers import Real
from typing import Final

from qtw_lab.core import DataError
from qtw_lab.ledger import presets

_DAYS_PER_YEAR: Final = 365.0
_SECONDS_PER_YEAR: Final = _DAYS_PER_YEAR * 86_400.0

#: Fields that charge nothing by themselves: upper limits of fees, and interest earned.
_NOT_CHARGES: Final = frozenset({"commission_max_fraction", "sell_fee_per_share_max", "cash_rate"})
#: Fields that a market or a lender sets, not a fee schedule.
_NOT_FEES: Final = frozenset(
    {"spread_bps", "slippage_bps", "impact", "borrow_bps_per_year", "margin_rate", "cash_rate"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The costs of trading and of holding a position.

    Presets: `alpaca_equities`, `alpaca_crypto`, `interactive_brokers_tiered` and `crypto`. A preset knows fees, not
    markets: add spread, slippage and impact with ``dataclasses.replace(Costs.alpaca_equities(), spread_bps=2)``.

    Parameters
    ----------
    commission_bps : float
        Commission in basis points of the traded amount.
    commission_per_share : float
        Commission in account currency per share.
    commission_min : float
        Least commission of a fill that trades at all, in account currency.
    commission_per_order : float
        Flat commission of an order in account currency, charged with its first fill.
    commission_max_fraction : float
        Most commission of a fill, as a fraction of the traded amount; 0 for no such limit. Where the minimum is more
        than this, this counts.
    maker_bps : float, optional
        Stands for `commission_bps` in the fill of a limit order that rested in the book; None for the same rate.
    fees_per_share : float
        Fees that the broker passes on for buys and sales alike (clearing, audit trail), in account currency per share.
        Minimum and maximum of the commission do not touch them.
    sell_fee_bps : float
        Fee on sales in basis points of the traded amount (Section 31 in the United States).
    sell_fee_per_share : float
        Fee on sales in account currency per share (the Trading Activity Fee in the United States).
    sell_fee_per_share_max : float
        Most that `sell_fee_per_share` takes of a fill, in account currency; 0 for no limit.
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
    cash_rate : float
        Interest earned on positive cash, as a fraction a year of 365 days.

    Raises
    ------
    DataError
        If a figure is negative or not finite, or the most commission is the whole amount or more.

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
    commission_per_order: float = 0.0
    commission_max_fraction: float = 0.0
    maker_bps: float | None = None
    fees_per_share: float = 0.0
    sell_fee_bps: float = 0.0
    sell_fee_per_share: float = 0.0
    sell_fee_per_share_max: float = 0.0
    spread_bps: float = 0.0
    slippage_bps: float = 0.0
    impact: float = 0.0
    borrow_bps_per_year: float = 0.0
    margin_rate: float = 0.0
    cash_rate: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is None and entry.default is None:
                continue
            if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) < math.inf:
                raise DataError(f"Costs: {entry.name}={value!r} must be zero or more, and finite.")
        if self.commission_max_fraction >= 1:
            raise DataError(
                f"Costs: commission_max_fraction={self.commission_max_fraction!r} must lie below 1: it is a fraction "
                "of the traded amount, so 1% is 0.01."
            )

    @classmethod
    def alpaca_equities(cls, as_of: str | date | None = None) -> Costs:
        """Fees of United States shares and funds at Alpaca: no commission, regulators' fees passed on.

        Today (2026-11): Section 31 at $20.60 a million sold (SEC Release 34-104909, since 2026-04-04); Trading Activity
        Fee $0, for FINRA pauses it from 2026-10-01 to 2026-12-31 (SR-FINRA-2026-021), before which it was $0.000195 a
        share sold and at most $9.79 a trade; audit trail $0.000003 a share bought or sold. Source of the broker's part:
        Alpaca's Brokerage Fee Schedule as revised on 2026-10-01. For a quarter without the pause, ask for
        ``as_of="2026-09-30"``; the other days of change are in `qtw_lab.ledger.presets.REGULATORY`.

        Not modelled: Alpaca adds up each kind of fee over the day and rounds it up to the cent, which is less than
        three cents a day; the audit trail fee before July 2026, which was higher by less than $0.00005 a share.

        Parameters
        ----------
        as_of : str or datetime.date, optional
            Trade date whose rates count for the whole test, 2024-05-22 to 2026-12-31; 2026-11-22 if not given.

        Raises
        ------
        DataError
            If the date is not one, or its rates are not known.

        Examples
        --------
        >>> Costs.alpaca_equities().describe()
        'Alpaca equities (fees of 2026-10-01): fees per share 3e-06, sell fee bps 0.206'
        """
        return cls(**presets.alpaca_equities(as_of))

    @classmethod
    def interactive_brokers_tiered(cls, as_of: str | date | None = None) -> Costs:
        """Fees of United States shares and funds at Interactive Brokers Pro, tiered, up to 300,000 shares a month.

        Commission $0.0035 a share, at least $0.35 and at most 1% of the traded amount (the 1% wins), clearing $0.00020
        a share, and the regulators' fees of `alpaca_equities`. Source: the broker's page of commissions for shares,
        tiered, with its third party fees; commission and clearing have stood since 2020 at the latest and were last
        seen confirmed in 2026.

        Not modelled: exchange fees and rebates (they go by venue and by adding or taking liquidity, about $0.003 a
        share for taking); the pass-through of 0.0735% of the commission; the limit of clearing at 0.5% of the amount
        (below $0.04 a share); that the least commission is one an order, where a test charges it on each fill.

        Parameters
        ----------
        as_of : str or datetime.date, optional
            As in `alpaca_equities`.

        Raises
        ------
        DataError
            If the date is not one, or its rates are not known.

        Examples
        --------
        >>> Costs.interactive_brokers_tiered().commission_min
        0.35
        """
        return cls(**presets.interactive_brokers_tiered(as_of))

    @classmethod
    def crypto(cls, *, maker_bps: float, taker_bps: float) -> Costs:
        """Fees of a venue that charges resting orders (makers) one rate and all others (takers) another.

        Parameters
        ----------
        maker_bps, taker_bps : float
            Rates in basis points of the traded amount, from the venue's own schedule.

        Raises
        ------
        DataError
            If a rate is negative or not finite.

        Examples
        --------
        >>> Costs.crypto(maker_bps=10, taker_bps=20)
        Costs(commission_bps=20, maker_bps=10)
        """
        return cls(commission_bps=taker_bps, maker_bps=maker_bps)

    @classmethod
    def alpaca_crypto(cls) -> Costs:
        """Fees of crypto at Alpaca in tier 1, up to $100,000 in 30 days: maker 15, taker 25 basis points.

        Source: Alpaca's support page on maker and taker fees, counting from 2023-03-13; last seen confirmed in
        2026-08. Not modelled: that the fee is taken from what one receives, so that a buy pays it in coins; other tiers
        (use `crypto`).

        Examples
        --------
        >>> Costs.alpaca_crypto().describe()
        'Alpaca crypto, tier 1 (from 2023-03-13): commission bps 25, maker bps 15'
        """
        return cls(**presets.alpaca_crypto())

    @property
    def free(self) -> bool:
        """Whether trading and holding cost nothing at all."""
        return not any(getattr(self, entry.name) for entry in fields(self) if entry.name not in _NOT_CHARGES)

    def describe(self) -> str:
        """The costs that are not zero, in one line, after the name of the fee schedule they come from, if any."""
        parts = [f"{name.replace('_', ' ')} {value:g}" for name, value in self._stated()]
        schedule = presets.name_of({name: value for name, value in self._stated() if name not in _NOT_FEES})
        return (f"{schedule}: " if schedule else "") + (", ".join(parts) or "none (free trading)")

    def __repr__(self) -> str:
        return f"Costs({', '.join(f'{name}={value!r}' for name, value in self._stated())})"

    def _stated(self) -> list[tuple[str, float]]:
        pairs = [(entry.name, getattr(self, entry.name), entry.default) for entry in fields(self)]
        return [(name, value) for name, value, default in pairs if value != default]


def commission(
    amount: float,
    quantity: float,
    bps: float,
    per_share: float,
    minimum: float,
    per_order: float = 0.0,
    max_fraction: float = 0.0,
    fees_per_share: float = 0.0,
) -> float:
    """Commission of one fill in account currency, with the fees that buys and sales pay alike.

    Parameters
    ----------
    amount : float
        Traded amount, ``|quantity| x price``, in account currency.
    quantity : float
        Shares traded, of either sign.
    bps : float
        `Costs.commission_bps`, or `Costs.maker_bps` for the fill of a resting limit order.
    per_share, minimum, max_fraction, fees_per_share : float
        As in `Costs`.
    per_order : float
        `Costs.commission_per_order` for the first fill of an order, 0 for its later ones.

    Examples
    --------
    >>> commission(10_000.0, 100.0, 10.0, 0.0, 1.0)
    10.0
    >>> commission(100.0, 1.0, 10.0, 0.0, 1.0)
    1.0
    >>> commission(20.0, 1.0, 0.0, 0.0035, 0.35, 0.0, 0.01)
    0.2
    """
    if quantity == 0.0:
        return 0.0
    fee = max(per_order + amount * bps * 1e-4 + abs(quantity) * per_share, minimum)
    if max_fraction > 0.0:
        fee = min(fee, amount * max_fraction)
    return fee + abs(quantity) * fees_per_share


def sale_fees(amount: float, quantity: float, bps: float, per_share: float, most: float) -> float:
    """Fees of one fill that only sales pay, in account currency; 0 for a buy.

    Parameters
    ----------
    amount : float
        Traded amount, ``|quantity| x price``, in account currency.
    quantity : float
        Shares traded; below 0 for a sale, a short sale included.
    bps, per_share, most : float
        `Costs.sell_fee_bps`, `Costs.sell_fee_per_share` and `Costs.sell_fee_per_share_max`.

    Examples
    --------
    >>> round(sale_fees(10_000.0, -100.0, 0.206, 0.000195, 9.79), 6)
    0.2255
    >>> sale_fees(10_000.0, 100.0, 0.206, 0.000195, 9.79)
    0.0
    """
    if quantity >= 0.0:
        return 0.0
    by_share = -quantity * per_share
    if most > 0.0:
        by_share = min(by_share, most)
    return amount * bps * 1e-4 + by_share


def affordable_quantity(
    power: float,
    price: float,
    bps: float,
    per_share: float,
    minimum: float,
    per_order: float = 0.0,
    max_fraction: float = 0.0,
    fees_per_share: float = 0.0,
) -> float:
    """Most shares that an amount of money buys with `commission` included; 0 if it buys none.

    What q shares cost, commission included, is ``min(max(a, b), c)`` of three lines rising in q: the fee by rates, the
    least fee, the most fee. So its inverse is ``max(min(1/a, 1/b), 1/c)`` of their inverses.

    Parameters
    ----------
    power : float
        Money to spend, in account currency.
    price : float
        Price paid for a share, above 0.
    bps, per_share, minimum, per_order, max_fraction, fees_per_share : float
        As in `commission`.

    Examples
    --------
    >>> round(affordable_quantity(1001.0, 10.0, 10.0, 0.0, 0.0), 9)
    100.0
    >>> affordable_quantity(1001.0, 10.0, 0.0, 0.0, 1.0)
    100.0
    >>> affordable_quantity(101.0, 10.0, 0.0, 0.0, 5.0, 0.0, 0.01)
    10.0
    """
    by_rates = (power - per_order) / (price * (1.0 + bps * 1e-4) + per_share + fees_per_share)
    quantity = min(by_rates, (power - minimum) / (price + fees_per_share))
    if max_fraction > 0.0:
        quantity = max(quantity, power / (price * (1.0 + max_fraction) + fees_per_share))
    return max(quantity, 0.0)


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


def borrow_fee(short_value: float, seconds: float, bps: float) -> float:
    """What borrowing the shares of short positions costs over a span of time, in account currency.

    Parameters
    ----------
    short_value : float
        Market value of short positions, as a positive amount.
    seconds : float
        Length of the span; a year has 365 days.
    bps : float
        `Costs.borrow_bps_per_year`.

    Examples
    --------
    >>> borrow_fee(5000.0, 365 * 86400.0, 100.0)
    50.0
    """
    return short_value * bps * 1e-4 * (seconds / _SECONDS_PER_YEAR)


def interest(cash: float, seconds: float, margin_rate: float, cash_rate: float) -> float:
    """Interest on a cash balance over a span of time, in account currency: positive when paid, negative when earned.

    Parameters
    ----------
    cash : float
        Cash balance; below 0 it pays `margin_rate`, above 0 it earns `cash_rate`.
    seconds : float
        Length of the span; a year has 365 days. Interest is simple within a span and compounds from span to span.
    margin_rate, cash_rate : float
        As in `Costs`.

    Examples
    --------
    >>> interest(-1000.0, 365 * 86400.0, 0.06, 0.03)
    60.0
    >>> interest(1000.0, 365 * 86400.0, 0.06, 0.03)
    -30.0
    """
    return -cash * (margin_rate if cash < 0.0 else cash_rate) * (seconds / _SECONDS_PER_YEAR)


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
