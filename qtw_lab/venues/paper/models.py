"""How generous a market is to paper orders: what of a quote or a trade an order gets, how soon, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from numbers import Real
from typing import Final

from qtw_lab.core import DataError, lookup
from qtw_lab.ledger import Costs
from qtw_lab.ledger.amounts import price
from qtw_lab.ledger.costs import adverse_move, commission, sale_fees
from qtw_lab.venues.moments import identity

_MILLIONTH: Final = Decimal("0.000001")
_FREE: Final = Costs()


@dataclass(frozen=True, slots=True, kw_only=True)
class FillModel:
    """The rules by which paper orders fill.

    An order that is marketable fills at the quote. One that rests at its limit fills at that price once a quote reaches
    it; where there is a queue, trades at its price fill it as well, once those before it have been served.

    Parameters
    ----------
    sized : bool
        Whether a quote fills no more than the size it shows.
    participation : float
        The part of a quote's or a trade's size that an order gets, above 0 and at most 1.
    queue : float or None
        The part of the size shown at its limit, when it arrives, that an order has to wait for before trades at its
        price fill it; None: trades never fill it.
    latency : float
        Seconds until an order reaches the market.
    partials : float
        How often a fill is cut to a random part of the order.
    costs : Costs
        Commission and fees. The spread is the market's, so its `spread_bps` and `slippage_bps` count only if `adverse`.
    adverse : bool
        Whether market and stop orders pay half of the costs' spread and their slippage beyond the quote: for a market
        whose quotes have no spread of their own.

    Raises
    ------
    DataError
        If a figure is out of its range.

    Examples
    --------
    >>> FillModel.alpaca().partials, FillModel.conservative().sized
    (0.1, True)
    """

    sized: bool = False
    participation: float = 1.0
    queue: float | None = None
    latency: float = 0.0
    partials: float = 0.0
    costs: Costs = _FREE
    adverse: bool = False

    def __post_init__(self) -> None:
        if self.adverse and self.costs.impact:
            raise DataError("FillModel: a quote tells nothing of a day's volume, so there can be no impact; give 0.")
        ranges = {"participation": (0.0, 1.0), "queue": (0.0, 1e9), "latency": (0.0, 60.0), "partials": (0.0, 1.0)}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name not in ranges or (value is None and entry.name == "queue"):
                continue
            low, high = ranges[entry.name]
            least = value > low if entry.name == "participation" else True
            if not isinstance(value, Real) or isinstance(value, bool) or not low <= float(value) <= high or not least:
                raise DataError(f"FillModel: {entry.name}={value!r} must lie between {low:g} and {high:g}.")

    @classmethod
    def alpaca(cls) -> FillModel:
        """As Alpaca's paper account: sizes do not count, and one fill in ten is a random part of the order.

        Source: Alpaca's document "Paper Trading" (docs.alpaca.markets), 2026: neither fees nor dividends nor the size
        of quotes are modelled there.
        """
        return cls(partials=0.1)

    @classmethod
    def conservative(cls, costs: Costs | None = None) -> FillModel:
        """What a real order may expect: half of the size shown, the whole queue before it, 50 ms, and fees.

        Parameters
        ----------
        costs : Costs, optional
            Fees; those of Alpaca by default.
        """
        return cls(
            sized=True, participation=0.5, queue=1.0, latency=0.05,
            costs=Costs.alpaca_equities() if costs is None else costs,
        )  # fmt: skip

    @classmethod
    def backtest(cls, costs: Costs | None = None) -> FillModel:
        """As the backtest fills: all of an order at the price of the bar, made worse by the costs.

        Parameters
        ----------
        costs : Costs, optional
            Those of the backtest; free by default.
        """
        return cls(costs=_FREE if costs is None else costs, adverse=True)

    @classmethod
    def named(cls, name: str) -> FillModel:
        """The model of a name: alpaca, conservative or plain (quotes fill everything, free of charge).

        Raises
        ------
        DataError
            If there is none of that name.
        """
        make: Callable[[], FillModel] = lookup(name, _MODELS, "fill model")
        return make()

    def part(self, order: str, fills: int, quantity: Decimal) -> Decimal:
        """What a fill of this quantity is cut to by chance; the chance is a matter of the order and its fill alone."""
        if not self.partials:
            return quantity
        draw, share = (int(identity(what, order, fills).replace("-", "")[:12], 16) / 16**12 for what in "ab")
        if draw >= self.partials:
            return quantity
        cut = quantity * Decimal(f"{share:.6f}")
        cut = cut.to_integral_value("ROUND_DOWN") if quantity == quantity.to_integral_value() else round(cut, 9)
        return cut if 0 < cut < quantity else quantity

    def paid(self, quoted: Decimal, *, buys: bool) -> Decimal:
        """What an order without a limit pays for a share that is quoted so.

        Examples
        --------
        >>> FillModel.backtest(Costs(spread_bps=20)).paid(Decimal(100), buys=True)
        Decimal('100.1')
        """
        if not self.adverse:
            return quoted
        move = adverse_move(self.costs.spread_bps, self.costs.slippage_bps, 0.0, 0.0, 0.0)
        return price(float(quoted) * (1.0 + (move if buys else -move)))

    def fee(self, quantity: Decimal, paid: Decimal, *, first: bool, resting: bool) -> Decimal:
        """What a fill costs, in dollars to the millionth.

        Parameters
        ----------
        quantity : Decimal
            Signed shares.
        paid : Decimal
            Dollars a share.
        first : bool
            Whether it is the first fill of its order.
        resting : bool
            Whether the order was in the book before.
        """
        c = self.costs
        if c == _FREE:
            return Decimal(0)
        shares, amount = float(quantity), float(abs(quantity) * paid)
        bps = c.maker_bps if resting and c.maker_bps is not None else c.commission_bps
        fee = commission(
            amount, shares, bps, c.commission_per_share, c.commission_min, c.commission_per_order if first else 0.0,
            c.commission_max_fraction, c.fees_per_share,
        )  # fmt: skip
        fee += sale_fees(amount, shares, c.sell_fee_bps, c.sell_fee_per_share, c.sell_fee_per_share_max)
        return Decimal(repr(fee)).quantize(_MILLIONTH)


_MODELS: Final[dict[str, Callable[[], FillModel]]] = {
    "plain": FillModel, "alpaca": FillModel.alpaca, "conservative": FillModel.conservative,
}  # fmt: skip
