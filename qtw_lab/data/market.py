"""The frame of a synthetic market: its size, its random streams, and bars around a path of returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, DataError, Timeframe
from qtw_lab.core.bars import FloatArray
from qtw_lab.core.times import moment
from qtw_lab.data import calendars

Matrix = tuple[tuple[float, ...], ...]

_SMALLEST_EIGENVALUE: Final = -1e-10
_OVERNIGHT_SHARE: Final = 0.2
_LAST_YEAR: Final = 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a synthetic market is, and when it trades.

    Parameters
    ----------
    symbols : int or sequence of str
        How many (named S0000, S0001 ...) or their names.
    bars : int
        Bars of the longest history.
    start : date-like
        First session.
    timeframe : str or Timeframe
        "1D" or an intraday length; bars lie where the calendar expects them, half days and clock changes included.
    calendar : str
        Exchange code or "24/7"; with the timeframe it sets how much of a year a bar is.
    first_price : float
        Price before the first bar.
    late_listings : float
        Fraction of symbols, never the first one, that are listed only after a tenth to six tenths of the history.
    holes : float
        Probability that a bar between a symbol's first and last is missing.
    """

    symbols: int | Sequence[str] = 1
    bars: int = 2520
    start: Any = "2010-01-04"
    timeframe: str | Timeframe = "1D"
    calendar: str = "XNYS"
    first_price: float = 100.0
    late_listings: float = 0.0
    holes: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.bars, int) or not isinstance(self.symbols, (int, Sequence)):
            raise DataError(f"A market has a whole number of bars and symbols, not {self.bars!r} and {self.symbols!r}.")
        if self.bars < 1 or not self.names:
            raise DataError(f"A market needs at least one bar and one symbol, not {self.bars} and {self.symbols!r}.")
        for name in ("late_listings", "holes", "first_price"):
            if not isinstance(getattr(self, name), (int, float)):
                raise DataError(f"Synthetic market: {name} must be a number, not {getattr(self, name)!r}.")
            if name != "first_price" and not 0 <= getattr(self, name) < 1:
                raise DataError(f"Synthetic market: {name}={getattr(self, name)!r} must be at least 0 and below 1.")
        if not (math.isfinite(self.first_price) and self.first_price > 0):
            raise DataError(f"Synthetic market: first_price={self.first_price!r} must be a positive, finite price.")

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols."""
        if isinstance(self.symbols, int):
            return tuple(f"S{number:04d}" for number in range(self.symbols))
        return (self.symbols,) if isinstance(self.symbols, str) else tuple(self.symbols)

    @property
    def year(self) -> float:
        """What part of a year one bar is."""
        return 1.0 / Timeframe.parse(self.timeframe).periods_per_year(self.calendar)

    def index(self) -> pd.DatetimeIndex:
        """The first `bars` times the calendar expects from `start` on."""
        span = Timeframe.parse(self.timeframe)
        if not span.intraday and span != Timeframe(1, "D"):
            raise DataError(f"Synthetic bars are daily or intraday, not {span}; resample daily ones.")
        start = moment(self.start, "start")
        days = math.ceil(self.bars * self.year * 366 * 1.1 + 15)
        if start is None or start.year + days / 365 > _LAST_YEAR:
            raise DataError(
                f"{self.bars:,} bars of {span} from {self.start} on end after {_LAST_YEAR}, beyond any calendar. "
                "Ask for fewer or shorter bars, or an earlier start."
            )
        return calendars.expected_index(self.calendar, span, start, start + pd.Timedelta(days=days))[: self.bars]


class Path(NamedTuple):
    """What a model draws: log returns (T, N) and the standard deviation of each bar's continuous part (T, N)."""

    log_returns: FloatArray
    deviations: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Base of the models: drift, volatility and correlation; a subclass says how log returns are drawn.

    Parameters
    ----------
    drift : float
        Growth of the expected price a year, continuously compounded: ``E[S(t)] = S(0) exp(drift t)`` for constant
        volatility.
    volatility : float
        Standard deviation of log returns a year (of their continuous part, where a model says so).
    correlation : float or matrix of shape (N, N)
        Of the symbols' shocks: one number from 0 to below 1 is a one-factor market, in which every pair has that
        correlation; a matrix states each pair.
    """

    name: ClassVar[str] = ""
    drift: float = 0.06
    volatility: float = 0.2
    correlation: float | Matrix = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.correlation, (int, float)):
            object.__setattr__(self, "correlation", _matrix(self.correlation))
        for entry in fields(self):
            value = getattr(self, entry.name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            if not number and not isinstance(value, tuple):
                raise DataError(f"Synthetic market {self.name!r}: {entry.name}={value!r} must be a finite number.")
        if self.volatility <= 0:
            raise DataError(f"Synthetic market {self.name!r}: volatility={self.volatility!r} must be above zero.")

    def draw(self, rng: np.random.Generator, bars: int, symbols: int, year: float) -> Path:
        """Log returns of `bars` bars, each `year` of a year long."""
        raise NotImplementedError  # every model has its own

    def bars(self, shape: Shape, seed: int) -> Bars:
        """The market of that shape; equal seeds give equal bars.

        The open of a bar follows the close before after an overnight move, which takes a fifth of a daily bar's
        variance (none of an intraday or round-the-clock bar's) and is drawn from the Brownian bridge over the whole
        bar. The high and the low are drawn from the exact distributions of the maximum and the minimum of the Brownian
        bridge between open and close (Karatzas and Shreve, 1991, "Brownian Motion and Stochastic Calculus", section
        4.3), one independently of the other, so that the mean squared log range is 2.85 times the variance, not
        4 ln 2 = 2.77. A jump is spread over its bar. Volume is lognormal around a million shares a day and grows with
        the size of the move; it is scenery, not a model.

        Parameters
        ----------
        shape : Shape
            Size, times and gaps.
        seed : int
            Zero or more. Prices, bar shapes, volume and gaps have random streams of their own, so that gaps can be
            switched on without changing a price.

        Raises
        ------
        DataError
            If the parameters do not fit together, or let a price overflow.
        """
        chance = streams(seed)
        index, size = shape.index(), (shape.bars, len(shape.names))
        span = Timeframe.parse(shape.timeframe)
        path = self.draw(chance[0], *size, shape.year)
        gapped = not span.intraday and shape.calendar not in ("24/7", "24/5")
        values = _prices(path, chance[1], shape.first_price, _OVERNIGHT_SHARE if gapped else 0.0)
        values["volume"] = _volume(path, chance[2], shape.year * 252 * 1e6)
        missing = _missing(shape, chance[3])
        kept = np.flatnonzero(~missing.all(axis=1))
        for array in values.values():
            array[missing] = np.nan
        return Bars(
            index=index[kept],
            symbols=shape.names,
            values={field: array[kept] for field, array in values.items()},
            timeframe=span,
            calendar=shape.calendar,
            adjustment="all",
            source=f"synthetic:{self.name}",
            notes=(f"synthetic prices, not a market: {self.describe()}, seed {seed}",),
        )

    def describe(self) -> str:
        """Name and parameters in one line."""
        shown = ((f.name.replace("_", " "), getattr(self, f.name)) for f in fields(self))
        return f"{self.name}, " + ", ".join(f"{n} {v if isinstance(v, float | int) else 'matrix'!s}" for n, v in shown)


def streams(seed: int) -> list[np.random.Generator]:
    """Independent generators for prices, bar shapes, volume and gaps."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise DataError(f"The seed must be a whole number from 0 on, not {seed!r}.")
    return [np.random.default_rng(child) for child in np.random.SeedSequence(int(seed)).spawn(4)]


def shocks(rng: np.random.Generator, bars: int, symbols: int, correlation: float | Matrix) -> FloatArray:
    """Standard normal shocks (T, N) of that correlation."""
    own = rng.standard_normal((bars, symbols))
    if isinstance(correlation, (int, float)):
        if not 0 <= correlation < 1:
            raise DataError(
                f"Synthetic market: correlation={correlation!r} must be at least 0 and below 1, or a matrix."
            )
        if correlation:
            own *= math.sqrt(1 - correlation)
            own += math.sqrt(correlation) * rng.standard_normal((bars, 1))
        return own
    matrix = np.asarray(correlation, dtype=np.float64)
    square = matrix.shape == (symbols, symbols) and bool(np.isfinite(matrix).all())
    if not (square and np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1.0)):
        raise DataError(
            f"The correlation matrix of {symbols} symbols must be {symbols} x {symbols}, symmetric, with ones across."
        )
    eigenvalues, vectors = np.linalg.eigh(matrix)
    if eigenvalues.min() < _SMALLEST_EIGENVALUE * symbols:
        raise DataError(
            f"No market has that correlation matrix: its smallest eigenvalue is {eigenvalues.min():.3g}, below zero."
        )
    return np.asarray(own @ (vectors * np.sqrt(np.maximum(eigenvalues, 0.0))).T, dtype=np.float64)


def _prices(path: Path, rng: np.random.Generator, first_price: float, overnight: float) -> dict[str, FloatArray]:
    """Open, high, low and close along a path of log returns; see `Model.bars` for the method."""
    returns, deviations = path
    closes = np.cumsum(returns, axis=0)
    if not np.isfinite(closes).all() or np.abs(closes).max() > 500:
        raise DataError("Synthetic market: prices overflow. Lower the drift, the volatility or the number of bars.")
    within = returns
    opens = closes - returns
    if overnight:
        gap = overnight * returns + math.sqrt(overnight * (1 - overnight)) * deviations * rng.standard_normal(
            returns.shape
        )
        opens = opens + gap
        within = returns - gap
    spread = 2 * (1 - overnight) * deviations**2
    with np.errstate(under="ignore"):
        above = (within + np.sqrt(within**2 + spread * rng.standard_exponential(returns.shape))) / 2
        below = (within - np.sqrt(within**2 + spread * rng.standard_exponential(returns.shape))) / 2
    high, low = (first_price * np.exp(opens + reach) for reach in (above, below))
    opening, closing = first_price * np.exp(opens), first_price * np.exp(closes)
    return {
        "open": opening,
        "high": np.maximum(high, np.maximum(opening, closing)),
        "low": np.minimum(low, np.minimum(opening, closing)),
        "close": closing,
    }


def _volume(path: Path, rng: np.random.Generator, typical: float) -> FloatArray:
    """Whole shares: lognormal around `typical`, larger on larger moves."""
    volume = rng.standard_normal(path.log_returns.shape)
    volume *= 0.4
    np.exp(volume, out=volume)
    volume *= typical * (0.6 + 0.5 * np.abs(path.log_returns) / path.deviations)
    return np.asarray(np.ceil(volume, out=volume), dtype=np.float64)


def _missing(shape: Shape, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where a symbol has no bar: before a late listing, and in holes between its first and last bar."""
    size = (shape.bars, len(shape.names))
    first = np.zeros(size[1], dtype=np.int64)
    late = rng.permutation(np.arange(1, size[1]))[: round(shape.late_listings * size[1])]
    first[late] = rng.integers(shape.bars // 10, max(shape.bars * 6 // 10, shape.bars // 10 + 1), late.size)
    rows = np.arange(shape.bars)[:, None]
    missing = np.asarray(rows < first, dtype=bool)
    if shape.holes:
        interior = (rows > first) & (rows < shape.bars - 1)
        missing |= (rng.random(size) < shape.holes) & interior
    return missing


def _matrix(given: Any) -> Matrix:
    """A correlation matrix as nested tuples, which can be compared and hashed."""
    try:
        rows = np.atleast_2d(np.asarray(given, dtype=np.float64)).tolist()
        return tuple(tuple(float(entry) for entry in row) for row in rows)
    except (ValueError, TypeError) as err:
        raise DataError(
            f"Synthetic market: correlation must be a number or a square table of numbers ({err})."
        ) from err
