"""Seeded synthetic markets whose true parameters are known, for testing whatever claims to find them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.data.market import Matrix, Model, Path, Shape, shocks, streams

__all__ = ["MODELS", "Garch", "Gbm", "Jumps", "Model", "Regimes", "Shape", "Universe", "synthetic_bars"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gbm(Model):
    """Geometric Brownian motion: normal log returns of constant drift and volatility.

    A bar of ``dt`` years has log return ``(drift - volatility^2 / 2) dt + volatility sqrt(dt) Z``.
    """

    name: ClassVar[str] = "gbm"

    def draw(self, rng: np.random.Generator, bars: int, symbols: int, year: float) -> Path:
        """As `Model.draw`."""
        deviation = self.volatility * math.sqrt(year)
        returns = shocks(rng, bars, symbols, self.correlation)
        returns *= deviation
        returns += self.drift * year - deviation**2 / 2
        return Path(returns, np.full((1, 1), deviation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe(Gbm):
    """Many symbols moving together: geometric Brownian motion with a common factor, or a correlation matrix."""

    name: ClassVar[str] = "universe"
    correlation: float | Matrix = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Garch(Model):
    """GARCH(1, 1): volatility that clusters (Bollerslev, 1986, Journal of Econometrics 31).

    The variance of a bar is ``h = (1 - alpha - beta) v + alpha e^2 + beta h``, with the shock ``e`` and variance ``h``
    of the bar before and ``v`` the long-run variance ``volatility^2 dt``. It starts at ``v``.

    Parameters
    ----------
    alpha, beta : float
        Weights of the last shock and the last variance, per bar; zero or more, together below 1. `volatility` is the
        long-run one.
    """

    name: ClassVar[str] = "garch"
    alpha: float = 0.08
    beta: float = 0.9

    def __post_init__(self) -> None:
        super(Garch, self).__post_init__()
        if self.alpha < 0 or self.beta < 0 or self.alpha + self.beta >= 1:
            raise DataError(
                f"Synthetic market 'garch': alpha={self.alpha!r} and beta={self.beta!r} must be zero or more and add "
                "up to less than 1, or the volatility has no long-run level."
            )

    def draw(self, rng: np.random.Generator, bars: int, symbols: int, year: float) -> Path:
        """As `Model.draw`."""
        level = self.volatility**2 * year
        moves = shocks(rng, bars, symbols, self.correlation)
        variances = np.empty_like(moves)
        variances[0] = level
        moves[0] *= math.sqrt(level)
        for t in range(1, bars):
            variances[t] = (
                (1 - self.alpha - self.beta) * level + self.alpha * moves[t - 1] ** 2 + self.beta * variances[t - 1]
            )
            moves[t] *= np.sqrt(variances[t])
        return Path(moves + (self.drift * year - level / 2), np.sqrt(variances, out=variances))


@dataclass(frozen=True, slots=True, kw_only=True)
class Jumps(Model):
    """Jump diffusion (Merton, 1976, "Option Pricing when Underlying Stock Returns are Discontinuous").

    A Gbm to which jumps are added: normal in log price, at Poisson times of each symbol's own. The drift is
    compensated, so that `drift` is still the growth of the expected price; `volatility` is that of the continuous part.

    Parameters
    ----------
    jumps_per_year : float
        Mean number of jumps a year.
    jump_mean, jump_deviation : float
        Mean and standard deviation of a jump in log price.
    """

    name: ClassVar[str] = "jumps"
    jumps_per_year: float = 5.0
    jump_mean: float = -0.02
    jump_deviation: float = 0.06

    def __post_init__(self) -> None:
        super(Jumps, self).__post_init__()
        if self.jumps_per_year < 0 or self.jump_deviation < 0:
            raise DataError(f"Synthetic market 'jumps': rates and deviations must be zero or more ({self.describe()}).")

    def draw(self, rng: np.random.Generator, bars: int, symbols: int, year: float) -> Path:
        """As `Model.draw`."""
        deviation = self.volatility * math.sqrt(year)
        lift = math.exp(self.jump_mean + self.jump_deviation**2 / 2) - 1
        returns = shocks(rng, bars, symbols, self.correlation) * deviation
        returns += (self.drift - self.jumps_per_year * lift) * year - deviation**2 / 2
        count = rng.poisson(self.jumps_per_year * year, (bars, symbols))
        hit = np.nonzero(count)
        returns[hit] += count[hit] * self.jump_mean + np.sqrt(count[hit]) * self.jump_deviation * rng.standard_normal(
            hit[0].size
        )
        return Path(returns, np.full((1, 1), deviation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimes(Model):
    """Two market states that alternate as a Markov chain common to all symbols (Hamilton, 1989, Econometrica 57).

    Parameters
    ----------
    drift, volatility : float
        In the calm state, a year.
    stormy_drift, stormy_volatility : float
        In the other.
    calm_stays, stormy_stays : float
        Probability, per bar, of staying in the state; between 0 and 1, both excluded. The first state is drawn from the
        chain's stationary distribution.
    """

    name: ClassVar[str] = "regimes"
    drift: float = 0.12
    volatility: float = 0.12
    stormy_drift: float = -0.15
    stormy_volatility: float = 0.35
    calm_stays: float = 0.99
    stormy_stays: float = 0.97

    def __post_init__(self) -> None:
        super(Regimes, self).__post_init__()
        if not (0 < self.calm_stays < 1 and 0 < self.stormy_stays < 1 and self.stormy_volatility > 0):
            raise DataError(
                "Synthetic market 'regimes': calm_stays and stormy_stays must lie between 0 and 1 and "
                f"stormy_volatility above zero ({self.describe()})."
            )

    @property
    def stormy_share(self) -> float:
        """Long-run fraction of bars in the stormy state."""
        leave_calm, leave_storm = 1 - self.calm_stays, 1 - self.stormy_stays
        return leave_calm / (leave_calm + leave_storm)

    def states(self, bars: int, seed: int) -> npt.NDArray[np.bool_]:
        """The true state of each bar that `bars` of the same seed has: whether it is stormy, shape (T,)."""
        return self._chain(streams(seed)[0], bars)

    def _chain(self, rng: np.random.Generator, bars: int) -> npt.NDArray[np.bool_]:
        chances = rng.random(bars)
        states = np.empty(bars, dtype=bool)
        stormy = bool(chances[0] < self.stormy_share)
        for t in range(bars):
            if t:
                stormy = bool(chances[t] < (self.stormy_stays if stormy else 1 - self.calm_stays))
            states[t] = stormy
        return states

    def draw(self, rng: np.random.Generator, bars: int, symbols: int, year: float) -> Path:
        """As `Model.draw`."""
        stormy = self._chain(rng, bars)[:, None]
        deviation = np.where(stormy, self.stormy_volatility, self.volatility) * math.sqrt(year)
        drift = np.where(stormy, self.stormy_drift, self.drift) * year
        return Path(shocks(rng, bars, symbols, self.correlation) * deviation + drift - deviation**2 / 2, deviation)


#: The models by name.
MODELS: Final[dict[str, type[Model]]] = {model.name: model for model in (Gbm, Universe, Garch, Jumps, Regimes)}


def synthetic_bars(model: str = "gbm", shape: Shape | None = None, *, seed: int, **parameters: Any) -> Bars:
    """Bars of the model of that name.

    Parameters
    ----------
    model : str
        A name in `MODELS`.
    shape : Shape, optional
        Size, times and gaps; one symbol and ten years of days by default.
    seed : int
        Zero or more; equal seeds give equal bars.
    **parameters
        The model's own; see its class.

    Raises
    ------
    DataError
        If the model or a parameter is unknown, or parameters do not fit together.

    Examples
    --------
    >>> bars = synthetic_bars("garch", Shape(symbols=2, bars=5), seed=7, volatility=0.3)
    >>> again = synthetic_bars("garch", Shape(symbols=2, bars=5), seed=7, volatility=0.3)
    >>> bars.shape, bars.fingerprint == again.fingerprint
    ((5, 2), True)
    """
    kind = lookup(model, MODELS, "synthetic market")
    declared = {entry.name: entry for entry in fields(kind)}
    for name in parameters:
        lookup(name, declared, f"parameter of synthetic market {model!r}")
    return kind(**parameters).bars(shape or Shape(), seed)
