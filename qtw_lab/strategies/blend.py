"""Several strategies in one account."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param
from qtw_lab.strategies.sma_cross import SmaCross
from qtw_lab.strategies.time_series_momentum import TimeSeriesMomentum


class Blend(Strategy):
    """The weights of several strategies added up by share, on request scaled to a steady volatility.

    A member that gives signals is given the account split evenly over the symbols, as with `Sizing.all_in`. A member
    that holds is carried at its last decision, flat before its first. Where another member has no decision, the blend
    has none.

    Parameters
    ----------
    members : tuple of Strategy
        What to blend, in any mix of signals and weights; blends too.
    shares : tuple of float
        Share of each member, above 0, at most 1 in all; empty for equal shares.
    target_volatility : float
        Annual volatility of the account to scale to; 0 leaves the blend as it is.
    window : int
        Bars over which the volatility of the unscaled blend is measured; one quarter of daily bars by default.
    cap : float
        Largest factor the blend is scaled by.

    Notes
    -----
    The scale at bar t is ``min(cap, target / realised)``, where `realised` is the standard deviation of the last
    `window` returns that the unscaled weights of one bar earned over the next: prices up to t, no cost. After Moreira
    and Muir (2017), "Volatility-Managed Portfolios", who scale by variance.

    Examples
    --------
    >>> blend = Blend(members=(SmaCross(), SmaCross(fast=20, slow=100)), target_volatility=0.15)
    >>> blend.warmup, blend.memory
    (162, 163)
    >>> blend.parameters["members"][1]
    {'strategy': 'sma_cross', 'parameters': {'fast': 20, 'slow': 100, 'short': False}}
    """

    scope = "universe"
    members: tuple[Strategy, ...] = (SmaCross(), TimeSeriesMomentum())
    shares: tuple[float, ...] = ()
    target_volatility: float = param(default=0.0, low=0, high=5, label="target volatility a year (0: none)")
    window: int = param(default=63, low=5, high=5000, label="volatility window (bars)")
    cap: float = param(default=1.0, low=0.01, high=10, label="largest scale")

    def check(self) -> None:
        """Refuse members that are no strategies, and shares that do not fit them."""
        members = tuple(self.members) if isinstance(self.members, (tuple, list)) else (self.members,)
        wrong = [member for member in members if not isinstance(member, Strategy)]
        if wrong or not members:
            shown = repr(wrong[0]) if wrong else "none"
            raise DataError(
                f"{self.name}: members must be strategies, such as (SmaCross(), Macd()); one given is {shown}."
            )
        shares = self.shares if isinstance(self.shares, (tuple, list)) else (self.shares,)
        numbers = [s for s in shares if isinstance(s, (int, float)) and not isinstance(s, bool) and 0 < s <= 1]
        if shares and (len(numbers) != len(members) or len(shares) != len(members) or sum(numbers) > 1 + 1e-9):
            raise DataError(
                f"{self.name}: shares={shares!r} must be one number above 0 for each of {len(members)} members, "
                "at most 1 in all; leave them out for equal shares."
            )
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "shares", tuple(float(share) for share in numbers))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters in plain types that JSON takes.

        A member is ``{"strategy": name, "parameters": {...}}``; `qtw_lab.strategies.strategy` reads the form back.
        """
        members = [{"strategy": member.name, "parameters": member.parameters} for member in self.members]
        return {
            "members": members,
            "shares": list(self.shares),
            "target_volatility": self.target_volatility,
            "window": self.window,
            "cap": self.cap,
        }

    def with_columns(self, columns: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Refused: a blend is evaluated one parameter set at a time."""
        raise DataError(f"{self.name} takes no parameter arrays ({', '.join(columns)}): evaluate one set at a time.")

    @property
    def exposure(self) -> float:
        """The members' exposures by share, times the cap if scaled."""
        most = sum(share * member.exposure for share, member in zip(self._shares, self.members, strict=True))
        return most * (self.cap if self.target_volatility else 1.0)

    @property
    def warmup(self) -> int:
        """The longest of the members, and the window of a scale."""
        return max(member.warmup for member in self.members) + (self.window if self.target_volatility else 0)

    @property
    def memory(self) -> int | None:
        """The longest of the members, and the window of a scale; None if a member holds or remembers everything."""
        memories = [None if member.holds else member.memory for member in self.members]
        finite = [memory for memory in memories if memory is not None]
        if len(finite) < len(memories):
            return None
        return max(finite) + (self.window if self.target_volatility else 0)

    def weights(self, prices: Panel) -> FloatArray:
        """The members' weights by share, scaled on request."""
        blend: FloatArray = np.zeros(prices.close.shape)
        for share, member in zip(self._shares, self.members, strict=True):
            blend = blend + share * _weights(member, prices)
        return blend * self._scale(blend, prices) if self.target_volatility else blend

    @property
    def _shares(self) -> tuple[float, ...]:
        return self.shares or (1.0 / len(self.members),) * len(self.members)

    def _scale(self, blend: FloatArray, prices: Panel) -> FloatArray:
        """What to multiply the weights of each bar by, (T, 1)."""
        earned = ind.lag(blend, 1) * ind.returns(prices.close)
        known = np.isfinite(earned)
        account = np.where(known.any(axis=1), np.where(known, earned, 0.0).sum(axis=1), np.nan)
        realised = ind.rolling_std(account, self.window) * math.sqrt(prices.periods_per_year)
        with np.errstate(divide="ignore"):
            return np.minimum(self.cap, self.target_volatility / realised)[:, None]

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in type(self).declared()}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values.items())})"


def _weights(member: Strategy, prices: Panel) -> FloatArray:
    """A member's decisions as weights of the account, a kept stance carried forward."""
    decisions = member.decide(prices)
    if member.holds:
        decisions = _carried(decisions)
        ready = np.cumsum(np.isfinite(prices.close), axis=0) > member.warmup
        decisions = np.where(np.isnan(decisions) & ready, 0.0, decisions)
    return decisions / prices.close.shape[1] if member.kind == "signals" else decisions


def _carried(decisions: FloatArray) -> FloatArray:
    """Each column's last finite value; NaN before the first."""
    rows = np.arange(len(decisions))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(decisions), 0, rows), axis=0)
    return np.take_along_axis(decisions, last, axis=0)
