"""The indicators a price chart can show, by name: their parameters, and the lines they draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from qtw_lab import indicators as ind
from qtw_lab.core import DataError, lookup
from qtw_lab.core.bars import FIELDS

FloatArray = npt.NDArray[np.float64]

#: One symbol's open, high, low, close and volume, each (T,).
Prices = Mapping[str, FloatArray]

Lines = Mapping[str, FloatArray]


@dataclass(frozen=True)
class Knob:
    """A parameter of a study.

    Parameters
    ----------
    name : str
        Key of its value.
    default, low, high : float
        Where it begins, and its bounds, both allowed.
    whole : bool
        Whether it counts bars.
    """

    name: str
    default: float
    low: float
    high: float
    whole: bool = True


@dataclass(frozen=True)
class Study:
    """One indicator.

    Parameters
    ----------
    label : str
        As traders write it.
    place : {"over", "below"}
        Over the prices, or in a pane of its own.
    knobs : tuple of Knob
        Its parameters.
    lines : callable
        ``lines(prices, **values)`` gives one array a line, by label.
    levels : tuple of float
        Where its pane has marks.
    bars : str
        Label of the line that is drawn as columns; none if empty.
    """

    label: str
    place: Literal["over", "below"]
    knobs: tuple[Knob, ...]
    lines: Callable[..., Lines] = field(repr=False)
    levels: tuple[float, ...] = ()
    bars: str = ""


@dataclass(frozen=True)
class Choice:
    """A study with its parameters.

    Parameters
    ----------
    name : str
        A key of `STUDIES`.
    values : tuple of float
        One for each of its knobs, in their order.

    Raises
    ------
    DataError
        If there is no such study, or a value does not fit.

    Examples
    --------
    >>> Choice.of("sma", window=50).label
    'SMA 50'
    >>> Choice.of("bollinger").label
    'Bollinger 20, 2'
    """

    name: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        knobs = self.study.knobs
        if len(self.values) != len(knobs):
            raise DataError(f"{self.study.label} has {len(knobs)} parameters, not {len(self.values)}.")
        for knob, value in zip(knobs, self.values, strict=True):
            real = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not real or not knob.low <= value <= knob.high or (knob.whole and value != int(value)):
                kind = "a whole number" if knob.whole else "a number"
                raise DataError(
                    f"{self.study.label}: {knob.name} must be {kind} from {knob.low:g} to {knob.high:g}, not {value!r}."
                )
        self.lines(_PROBE)  # which refuses parameters that do not fit each other

    @classmethod
    def of(cls, name: str, **values: float) -> Choice:
        """A study by name; parameters that are not given have their defaults."""
        knobs = lookup(name, STUDIES, "indicator").knobs
        for given in values:
            lookup(given, {knob.name: knob for knob in knobs}, f"parameter of {name}")
        return cls(name, tuple(values.get(knob.name, knob.default) for knob in knobs))

    @property
    def study(self) -> Study:
        """What is drawn."""
        return lookup(self.name, STUDIES, "indicator")

    @property
    def label(self) -> str:
        """Name and parameters."""
        return " ".join([self.study.label, ", ".join(f"{value:g}" for value in self.values)]).strip()

    def lines(self, prices: Prices) -> dict[str, FloatArray]:
        """What it draws, by label, each (T,); NaN until its window is full."""
        given = {
            knob.name: int(value) if knob.whole else value
            for knob, value in zip(self.study.knobs, self.values, strict=True)
        }
        found = self.study.lines(prices, **given)
        return {f"{self.label} {part}".strip(): np.asarray(values, np.float64) for part, values in found.items()}


def _sma(prices: Prices, window: int) -> Lines:
    return {"": ind.sma(prices["close"], window)}


def _ema(prices: Prices, window: int) -> Lines:
    return {"": ind.ema(prices["close"], window)}


def _bands(bands: ind.Bands) -> Lines:
    return {"upper": bands.upper, "middle": bands.middle, "lower": bands.lower}


def _bollinger(prices: Prices, window: int, deviations: float) -> Lines:
    return _bands(ind.bollinger(prices["close"], window, deviations))


def _donchian(prices: Prices, window: int) -> Lines:
    return _bands(ind.donchian(prices["high"], prices["low"], window))


def _keltner(prices: Prices, window: int, multiplier: float) -> Lines:
    return _bands(ind.keltner(prices["high"], prices["low"], prices["close"], window, multiplier))


def _vwap(prices: Prices, window: int) -> Lines:
    return {"": ind.vwap(prices["high"], prices["low"], prices["close"], prices["volume"], window)}


def _rsi(prices: Prices, window: int) -> Lines:
    return {"": ind.rsi(prices["close"], window)}


def _macd(prices: Prices, fast: int, slow: int, signal: int) -> Lines:
    found = ind.macd(prices["close"], fast, slow, signal)
    return {"histogram": found.histogram, "line": found.line, "signal": found.signal}


def _atr(prices: Prices, window: int) -> Lines:
    return {"": ind.atr(prices["high"], prices["low"], prices["close"], window)}


def _stochastic(prices: Prices, window: int, smooth: int, signal: int) -> Lines:
    found = ind.stochastic(prices["high"], prices["low"], prices["close"], window, smooth, signal)
    return {"%K": found.k, "%D": found.d}


def _adx(prices: Prices, window: int) -> Lines:
    found = ind.adx(prices["high"], prices["low"], prices["close"], window)
    return {"ADX": found.adx, "+DI": found.plus_di, "-DI": found.minus_di}


def _volume(prices: Prices) -> Lines:
    return {"": prices["volume"]}


def _window(default: int, low: int = 2) -> Knob:
    return Knob("window", default, low, 1000)


#: Every study: name -> label, place, parameters, lines.
STUDIES: Final[Mapping[str, Study]] = MappingProxyType({
    "sma": Study("SMA", "over", (_window(20),), _sma),
    "ema": Study("EMA", "over", (_window(20),), _ema),
    "bollinger": Study("Bollinger", "over", (_window(20), Knob("deviations", 2.0, 0.1, 10.0, whole=False)), _bollinger),
    "donchian": Study("Donchian", "over", (_window(20),), _donchian),
    "keltner": Study("Keltner", "over", (_window(20), Knob("multiplier", 2.0, 0.1, 10.0, whole=False)), _keltner),
    "vwap": Study("VWAP", "over", (_window(20, 1),), _vwap),
    "volume": Study("Volume", "below", (), _volume),
    "rsi": Study("RSI", "below", (_window(14),), _rsi, levels=(30.0, 70.0)),
    "macd": Study("MACD", "below", (Knob("fast", 12, 1, 500), Knob("slow", 26, 2, 1000), Knob("signal", 9, 1, 500)),
                  _macd, levels=(0.0,), bars="histogram"),
    "atr": Study("ATR", "below", (_window(14),), _atr),
    "stochastic": Study("Stochastic", "below", (_window(14), Knob("smooth", 3, 1, 100), Knob("signal", 3, 1, 100)),
                        _stochastic, levels=(20.0, 80.0)),
    "adx": Study("ADX", "below", (_window(14),), _adx, levels=(25.0,)),
})  # fmt: skip

#: Prices that any study can be tried with.
_PROBE: Final[Prices] = MappingProxyType(dict.fromkeys(FIELDS, np.ones(2)))
