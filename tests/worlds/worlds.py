"""Worlds whose truth is known: markets nobody can beat, and markets with one edge of known strength.

A bar is a gap before the open and eight steps of its session, each lognormal with its own mean taken off, so that the
price is a martingale at every step: whatever is decided beforehand, the expected gain of the next step is exactly 0.
The volatility of a bar is settled before its steps are drawn, so this holds in the fat-tailed and in the clustered
world too. The gap has a fifth of the variance. A planted edge is a drift of the session, so that an order filled at the
open has all of it.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, Timeframe
from qtw_lab.strategies.base import FloatArray, Panel, Strategy, param

NORMAL = NormalDist()
#: Five years of days.
BARS = 1_260
YEAR = 252.0
#: Standard deviation of a bar's return in every world, in the long run.
DEVIATION = 0.01
STEPS = 8
GAP = 0.2
KINDS = ("walk", "heavy", "clustered")
#: The slow drift of a trending world keeps so much of itself from a bar to the next, and has this standard deviation.
KEPT = 0.97
DRIFT = 0.27 * DEVIATION
#: The rule a spiked world is made for trades one weekday in so many.
PERIOD = 20
SPIKE = 0.9 * DEVIATION


def market(kind: str, seed: int, bars: int = BARS) -> Bars:
    """A market without any edge: "walk", "heavy" (Student t, 4 degrees of freedom) or "clustered" (GARCH)."""
    rng = generator(seed)
    shocks = rng.standard_normal((bars, STEPS + 1))
    return _bars(shocks, volatility(kind, rng, shocks @ _roots()), np.zeros(bars))


def trending(seed: int, bars: int = BARS) -> Bars:
    """A market whose sessions drift: normal, and with a memory of `KEPT` from bar to bar."""
    rng = generator(seed)
    shocks, news = rng.standard_normal((bars, STEPS + 1)), rng.standard_normal(bars)
    drift = np.empty(bars)
    drift[0] = DRIFT * news[0]
    for t in range(1, bars):
        drift[t] = KEPT * drift[t - 1] + DRIFT * math.sqrt(1.0 - KEPT**2) * news[t]
    return _bars(shocks, np.full(bars, DEVIATION), drift)


def guided(seed: int, coin: int, sharpe: float, bars: int = BARS) -> Bars:
    """A market that follows one coin: in the session after a toss it drifts to that side, by `sharpe` a year."""
    shocks = generator(seed).standard_normal((bars, STEPS + 1))
    tosses = toss(days(bars).as_unit("ns").asi8, coin)
    drift = np.append(0.0, tosses[:-1]) * sharpe / math.sqrt(YEAR) * DEVIATION
    return _bars(shocks, np.full(bars, DEVIATION), drift)


def spiked(seed: int, phase: int, bars: int = BARS) -> Bars:
    """A market that rises on one weekday in `PERIOD`, and is a random walk on all others."""
    shocks = generator(seed).standard_normal((bars, STEPS + 1))
    chosen = weekday_number(days(bars).as_unit("ns").asi8) % PERIOD == phase
    return _bars(shocks, np.full(bars, DEVIATION), np.where(chosen, SPIKE, 0.0))


def generator(seed: int) -> np.random.Generator:
    """Random numbers of world number `seed`."""
    return np.random.default_rng([20_261_128, seed])


def volatility(kind: str, rng: np.random.Generator, moves: FloatArray) -> FloatArray:
    """Standard deviation (T,) of each bar's return, settled before the bar; `moves` are its standard normal shocks."""
    if kind == "walk":
        return np.full(len(moves), DEVIATION)
    if kind == "heavy":  # a normal over the root of a chi-square is Student's t, of variance 2 for 4 degrees
        return np.minimum(DEVIATION * np.sqrt(2.0 / rng.chisquare(4, len(moves))), 0.1)
    variance = np.empty(len(moves))
    variance[0] = level = DEVIATION**2
    for t in range(1, len(moves)):
        variance[t] = 0.02 * level + (0.08 * moves[t - 1] ** 2 + 0.9) * variance[t - 1]
    return np.sqrt(variance)


def days(bars: int) -> pd.DatetimeIndex:
    """So many weekdays."""
    return pd.bdate_range("2010-01-04", periods=bars, tz="UTC")


def _roots() -> FloatArray:
    """The standard deviation of the gap and of each step, as parts of the bar's."""
    return np.sqrt(np.append(GAP, np.full(STEPS, (1.0 - GAP) / STEPS)))


def _bars(shocks: FloatArray, deviation: FloatArray, drift: FloatArray) -> Bars:
    """Bars along the path of gaps and steps."""
    scale = _roots() * deviation[:, None]
    moves = scale * shocks - 0.5 * scale**2
    moves[:, 1:] += drift[:, None] / STEPS
    path = 100.0 * np.exp(np.cumsum(moves).reshape(moves.shape))  # from the open to the close of each bar
    parts = {"open": path[:, 0], "high": path.max(axis=1), "low": path.min(axis=1), "close": path[:, -1]}
    values = {name: np.ascontiguousarray(part[:, None]) for name, part in parts.items()}
    values["volume"] = np.full((len(path), 1), 1e9)
    return Bars(
        index=days(len(path)), symbols=("X",), values=values, timeframe=Timeframe(1, "D"), calendar="XNYS",
        adjustment="all", source="a world whose truth is known", notes=(),
    )  # fmt: skip


class Coin(Strategy):
    """Long or short by a toss for each day, without regard to prices: in a martingale, a strategy without skill.

    Parameters
    ----------
    seed : int
        Which coin; two of them know nothing of each other.
    own : float
        Share of the days on which this coin is tossed; on the others it shows what coin 0 shows.
    """

    seed: int = param(default=0, low=0, high=1_000_000, label="coin")
    own: float = param(default=1.0, low=0.0, high=1.0, label="share of own tosses")

    def signals(self, prices: Panel) -> FloatArray:
        """1 or -1."""
        tosses = toss(prices.times, self.seed)
        if self.own < 1.0:
            tosses = np.where(uniform(prices.times, self.seed + 2_000_000) < self.own, tosses, toss(prices.times, 0))
        return np.broadcast_to(tosses[:, None], prices.close.shape)


class Phase(Strategy):
    """Long in the session of one weekday in `PERIOD`, flat otherwise."""

    phase: int = param(default=0, low=0, high=PERIOD - 1, label="phase")

    def signals(self, prices: Panel) -> FloatArray:
        """1 on the weekday before the one to be held, so that the order fills at its open; else 0."""
        held = (weekday_number(prices.times) + 1) % PERIOD == self.phase
        return np.broadcast_to(held.astype(np.float64)[:, None], prices.close.shape)


def toss(times: npt.NDArray[np.int64], coin: int) -> FloatArray:
    """1 or -1 for each day (T,), the same for the same day whatever stands before it."""
    return np.where(uniform(times, coin) < 0.5, -1.0, 1.0)


def uniform(times: npt.NDArray[np.int64], salt: int) -> FloatArray:
    """A number from 0 to 1 for each day, (T,): its bits spread by Steele, Lea and Flood's SplitMix finaliser, twice."""
    words = weekday_number(times).astype(np.uint64)
    for part in (np.uint64(salt), np.uint64(0x9E3779B97F4A7C15)):
        words = (words + part) * np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        words ^= words >> np.uint64(31)
    return words / 2.0**64


def weekday_number(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many weekdays lie between the first week of 1970 and each day, given in nanoseconds since 1970."""
    weeks, day = np.divmod(times // 86_400_000_000_000 + 3, 7)  # 1 January 1970 was a Thursday
    return 5 * weeks + np.minimum(day, 4)


def trend_sharpe(lookback: int, bps: float = 0.0) -> float:
    """Sharpe ratio a year of following the sign of the last `lookback` bars' return in a trending world, after costs.

    The sum S of those returns and the next return r are normal, so ``E[sign(S) r] = sqrt(2 / pi) cov(S, r) / sd(S)``.
    With drifts of variance v and memory k, ``cov(S, r) = v (k + ... + k^L)``. The sign turns in a share
    ``arccos(corr) / pi`` of the bars, with the correlation of S and its next value, and each turn trades twice the
    account. Drift of the logarithm and compounding are left out: they are of the order of 1% of the ratio.
    """
    lags = np.arange(lookback + 1)
    covariance = DRIFT**2 * KEPT ** np.arange(lookback + 2)  # of returns so many bars apart, but for the first
    covariance[0] += DEVIATION**2
    ahead = covariance[1 : lookback + 1].sum()
    variance = lookback * covariance[0] + 2.0 * ((lookback - lags[1:]) * covariance[1 : lookback + 1]).sum()
    follows = variance - covariance[:lookback].sum() + ahead  # of S and its next value: one bar goes, one comes
    mean = math.sqrt(2.0 / math.pi) * ahead / math.sqrt(variance)
    turns = math.acos(follows / variance) / math.pi
    return float((mean - 2.0 * bps * 1e-4 * turns) / math.sqrt(covariance[0]) * math.sqrt(YEAR))


def power(sharpe: float, strategies: int, years: float, level: float = 0.05) -> float:
    """Probability that the best of so many independent strategies is called skill, if one has that Sharpe ratio a year.

    The t-values are independent normals; one is shifted by the ratio times the root of the years. The test rejects
    where the largest exceeds c, with ``Phi(c)^n = 1 - level``: ``1 - Phi(c)^(n - 1) Phi(c - shift)``.
    """
    limit = NORMAL.inv_cdf((1.0 - level) ** (1.0 / strategies))
    others = NORMAL.cdf(limit) ** (strategies - 1)
    return 1.0 - others * NORMAL.cdf(limit - sharpe * math.sqrt(years))
