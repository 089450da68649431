"""How large an order is, given a signal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Final, Literal

from qtw_lab.core import DataError

SizingRule = Literal[
    "all_in", "fixed_cash", "fixed_shares", "fraction",
    "volatility_target", "atr_risk", "kelly", "equal_risk_contribution",
]  # fmt: skip

#: The rules that need nothing but a signal, as numbers: the form the compiled engine takes.
CODES: Final[dict[SizingRule, int]] = {"all_in": 0, "fixed_cash": 1, "fixed_shares": 2, "fraction": 3}

#: The rules that look at past prices, with the fewest bars their window may have and what else they are told. They
#: become weights or fractions before the engine sees them.
MEASURED: Final[dict[SizingRule, tuple[int, tuple[str, ...]]]] = {
    "volatility_target": (2, ("window", "most")),
    "atr_risk": (1, ("window", "multiple", "most")),
    "kelly": (2, ("window", "most")),
    "equal_risk_contribution": (2, ("window", "shrinkage")),
}


@dataclass(frozen=True, slots=True, repr=False)
class Sizing:
    """How a signal of -1 to 1 becomes a holding. Build one with the class methods.

    Strategies that give weights state their own size; for them only `rebalance_band` counts, and the rules that measure
    past prices are refused.

    Parameters
    ----------
    rule : str
        Which rule; the name of a class method other than `target_weights`.
    amount : float
        The rule's number.
    rebalance_band : float
        Weights only: leave a holding alone while it is within this distance of its target, as a fraction of equity.
    window : int
        Bars a measured rule looks back; 0 for the others.
    multiple : float
        How many average true ranges `atr_risk` allows the price to move against the position.
    most : float
        The largest size a measured rule may give to one symbol, so that a quiet one is not bought on absurd leverage.
    shrinkage : float
        How far `equal_risk_contribution` moves the correlations towards zero, 0 (not at all) to 1.

    Raises
    ------
    DataError
        If the rule is not known or a number does not fit.

    Examples
    --------
    >>> Sizing.fraction(0.5)
    Sizing(rule='fraction', amount=0.5, rebalance_band=0.0)
    >>> Sizing.volatility_target(0.10)
    Sizing(rule='volatility_target', amount=0.1, rebalance_band=0.02, window=20, most=1.0)
    """

    rule: SizingRule = "all_in"
    amount: float = 1.0
    rebalance_band: float = 0.0
    window: int = 0
    multiple: float = 1.0
    most: float = 1.0
    shrinkage: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.rule, str) or self.rule not in (*CODES, *MEASURED):
            raise DataError(
                f"Sizing rule {self.rule!r} is not known; use one of {', '.join(CODES)}, {', '.join(MEASURED)}."
            )
        for name, value in (("amount", self.amount), ("multiple", self.multiple), ("most", self.most)):
            if not _number(value) or not 0 < value < math.inf:
                raise DataError(f"Sizing: the {name} {value!r} must be a positive, finite number.")
        if not _number(self.rebalance_band) or not 0 <= self.rebalance_band < 1:
            raise DataError(f"Sizing: rebalance_band={self.rebalance_band!r} must be at least 0 and below 1.")
        if not _number(self.shrinkage) or not 0 <= self.shrinkage <= 1:
            raise DataError(f"Sizing: shrinkage={self.shrinkage!r} must lie between 0 and 1.")
        fewest = MEASURED[self.rule][0] if self.rule in MEASURED else 0
        if not isinstance(self.window, Integral) or isinstance(self.window, bool) or self.window < fewest:
            raise DataError(f"Sizing: {self.rule} needs a window of at least {fewest} whole bars, not {self.window!r}.")

    @property
    def measured(self) -> bool:
        """Whether the rule looks at past prices."""
        return self.rule in MEASURED

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

    @classmethod
    def volatility_target(
        cls, annual: float, window: int = 20, rebalance_band: float = 0.02, *, most: float = 1.0
    ) -> Sizing:
        """Each symbol's even part of the account, scaled so that the part moves by `annual` volatility a year.

        With one symbol the whole account is scaled; with more, the account moves less than the target, the more so the
        less the symbols move together.

        Parameters
        ----------
        annual : float
            Volatility wanted, as a fraction a year: 0.10 is ten percent.
        window : int
            Bars of the realised volatility (`indicators.volatility`), which is known one bar later.
        rebalance_band : float
            As in `target_weights`.
        most : float
            Largest leverage of a part; above 1 the backtest needs `leverage` too.

        Notes
        -----
        Moskowitz, Ooi and Pedersen (2012), "Time Series Momentum", Journal of Financial Economics 104, with
        a rolling in place of their exponential standard deviation.
        """
        return cls("volatility_target", annual, rebalance_band, window=window, most=most)

    @classmethod
    def atr_risk(cls, risk: float, multiple: float = 2.0, window: int = 14, *, most: float = 1.0) -> Sizing:
        """As many shares as lose the fraction `risk` of equity if the price moves `multiple` true ranges against them.

        ``shares = risk * equity / (multiple * ATR)``, settled when the stance changes and left alone until it changes
        again.

        Parameters
        ----------
        risk : float
            Fraction of equity put at risk in each position: 0.01 is one percent.
        multiple : float
            Distance of the supposed stop, in average true ranges.
        window : int
            Bars of the average true range (`indicators.atr`).
        most : float
            Largest position as a fraction of equity; above 1 the backtest needs `leverage` too.

        Notes
        -----
        The "percent volatility model" of Tharp (1998), "Trade Your Way to Financial Freedom"; the range is Wilder's.
        """
        return cls("atr_risk", risk, window=window, multiple=multiple, most=most)

    @classmethod
    def kelly(cls, fraction: float = 0.5, window: int = 252, cap: float = 1.0, rebalance_band: float = 0.02) -> Sizing:
        """That fraction of the growth-optimal size, mean over variance of the symbol's past returns, in each part.

        The mean counts in the direction of the stance, so that a short position needs a falling symbol. A position
        without a past edge has size 0, never a negative one. A mean over `window` bars is a very noisy thing; half of
        Kelly or less, and a cap, are common caution.

        Parameters
        ----------
        fraction : float
            Part of the full Kelly size to take.
        window : int
            Bars of mean and sample variance.
        cap : float
            Largest leverage of a symbol's even part of the account; above 1 the backtest needs `leverage` too.
        rebalance_band : float
            As in `target_weights`.

        Notes
        -----
        Thorp (2006), "The Kelly Criterion in Blackjack, Sports Betting and the Stock Market", section 7.1:
        ``f = (mean - rate) / variance``, here with no interest rate.
        """
        return cls("kelly", fraction, rebalance_band, window=window, most=cap)

    @classmethod
    def equal_risk_contribution(
        cls, window: int = 60, rebalance_band: float = 0.02, *, gross: float = 1.0, shrinkage: float = 0.0
    ) -> Sizing:
        """The symbols whose stance is not zero, in sizes that share the variance of the book equally.

        Parameters
        ----------
        window : int
            Bars of the sample covariance.
        rebalance_band : float
            As in `target_weights`.
        gross : float
            Sum of the absolute weights; above 1 the backtest needs `leverage` too.
        shrinkage : float
            How far correlations are moved towards zero, 0 to 1; worth having where symbols are many and bars few.

        Notes
        -----
        Maillard, Roncalli and Teiletche (2010), "The Properties of Equally Weighted Risk Contribution Portfolios".
        """
        return cls("equal_risk_contribution", gross, rebalance_band, window=window, shrinkage=shrinkage)

    def __repr__(self) -> str:
        told = ("rule", "amount", "rebalance_band", *(MEASURED[self.rule][1] if self.measured else ()))
        return f"Sizing({', '.join(f'{name}={getattr(self, name)!r}' for name in told)})"


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
