"""A day of a synthetic market: its hours, the pattern of activity and volatility, the paths of prices, and its halts.

The pattern is assumed, since the bundled data are daily. Volume and volatility are high after the opening, low at
midday and, for volume above all, high before the close (Wood, McInish & Ord, 1985, Journal of Finance 40; Jain & Joh,
1988, Journal of Financial and Quantitative Analysis 23).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.data import calendars
from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.simulator.market_events import CALENDAR, ZONE
from qtw_lab.venues.simulator.synthetic_chance import keyed, normal, normal_table, rough_normal, uniform_table

FloatArray = npt.NDArray[np.float64]

#: Trading begins at 04:00 in New York and ends four hours after the close.
_EARLY_HOUR: Final = 4
_AFTER_CLOSE: Final = 4 * 3600

#: Assumed shape of the session's activity: a floor, a decay after the opening, a burst at it, a rise towards the close,
#: as heights and seconds; and the level outside hours.
_FLOOR, _EARLY, _BURST, _LATE = 0.6, (1.6, 1500.0), (8.0, 20.0), (1.6, 1200.0)
_BEFORE, _BEFORE_OPENING, _AFTER = 0.02, (0.10, 1800.0), (0.12, 900.0)
#: Assumed: log-normal bursts that all symbols share, second by second.
_BUSTLE: Final = 0.4
#: Assumed shape of the session's variance.
_VARIANCE_FLOOR, _VARIANCE_EARLY, _VARIANCE_LATE = 0.7, (2.0, 1200.0), (0.4, 900.0)
#: Assumed: of the overnight variance, how much is a jump before 04:00, before the opening, and after the close.
_JUMP, _PREMARKET, _POSTMARKET = 0.55, 0.35, 0.10

#: Assumed: of so many symbols one is paused for volatility in a day, and one halted for news.
_PAUSED: Final = 500
_NEWS: Final = 1500
_PAUSE_SECONDS: Final = 300
_PAUSE_JUMP: Final = 0.06

_STREAM_BUSTLE: Final = 201
_STREAM_PATH: Final = 202
_STREAM_FACTOR: Final = 203
_STREAM_HALT: Final = 204


@dataclass(frozen=True, slots=True)
class Hours:
    """When a day trades.

    Parameters
    ----------
    begin : int
        04:00 in New York, nanoseconds since 1970.
    opens, closes, ends : int
        Seconds after that: the session's opening and close (early on half days), and the end of trading.
    half_day : bool
        Whether the session closes early.
    """

    begin: int
    opens: int
    closes: int
    ends: int
    half_day: bool

    @property
    def minutes(self) -> int:
        """Of the whole day."""
        return self.ends // 60


def hours_of(date: Any) -> Hours:
    """The hours of a session of the New York Stock Exchange.

    Raises
    ------
    DataError
        If there is no session on that date.

    Examples
    --------
    >>> hours_of("2012-11-23").closes // 3600, hours_of("2012-11-23").half_day
    (9, True)
    """
    table = calendars.sessions(CALENDAR, date, date)
    if not len(table):
        raise DataError(f"There is no session on {date}; choose another date, such as 2024-01-05.")
    day = table.index[0]
    begin = day.tz_localize(None).tz_localize(ZONE) + pd.Timedelta(hours=_EARLY_HOUR)
    opens, closes = (int((table[name].iloc[0] - begin).total_seconds()) for name in ("open", "close"))
    start = int(begin.tz_convert("UTC").as_unit("ns").value)
    return Hours(start, opens, closes, closes + _AFTER_CLOSE, bool(table["half_day"].iloc[0]))


def activity(hours: Hours, seed: int) -> FloatArray:
    """Activity of each second of the day, shape (S,); its mean over the session is 1.

    Examples
    --------
    >>> hours = hours_of("2012-11-21")
    >>> curve = activity(hours, seed=1)
    >>> round(float(curve[hours.opens : hours.closes].mean()), 9), bool(curve[0] < 0.1)
    (1.0, True)
    """
    since, until, after = _clocks(hours, 1)
    inside = _FLOOR + _decay(_EARLY, since) + _decay(_BURST, since) + _decay(_LATE, until)
    before = _BEFORE + _decay(_BEFORE_OPENING, -since)
    curve = np.where(since < 0, before, np.where(after >= 0, _BEFORE + _decay(_AFTER, after), inside))
    bustle = normal_table(seed, _STREAM_BUSTLE, hours.ends, 1)[:, 0]
    curve = curve * np.exp(_BUSTLE * bustle)
    made: FloatArray = curve / curve[hours.opens : hours.closes].mean()
    return made


def pace(hours: Hours, overnight: float) -> FloatArray:
    """Standard deviation of each minute as a part of the day's, shape (M,); a variance of `overnight` is outside hours.

    Examples
    --------
    >>> hours = hours_of("2012-11-21")
    >>> variances = pace(hours, overnight=0.36) ** 2
    >>> round(float(variances[hours.opens // 60 : hours.closes // 60].sum()), 9)
    0.64
    """
    since, until, after = _clocks(hours, 60)
    inside = (since >= 0) & (after < 0)
    shape = _VARIANCE_FLOOR + _decay(_VARIANCE_EARLY, since) + _decay(_VARIANCE_LATE, until)
    variance = np.where(inside, shape / shape[inside].sum() * (1.0 - overnight), 0.0)
    for place, share in ((since < 0, _PREMARKET), (after >= 0, _POSTMARKET)):
        variance[place] = overnight * share / place.sum()
    made: FloatArray = np.sqrt(variance)
    return made


def widening(hours: Hours) -> FloatArray:
    """How many times its calm self the spread is in each second: 3 at the opening, falling fast; 3 outside hours."""
    since, _, after = _clocks(hours, 1)
    made: FloatArray = np.where((since < 0) | (after >= 0), 3.0, 1.0 + 2.0 * np.exp(-np.abs(since) / 120.0))
    return made


def paths(
    hours: Hours, seed: int, volatility: FloatArray, overnight: float, correlation: float
) -> npt.NDArray[np.float32]:
    """Log prices at each minute relative to the close before, shape (M + 1, N): normal steps with one common factor.

    Examples
    --------
    >>> made = paths(hours_of("2012-11-21"), 1, np.full(3, 0.02), overnight=0.36, correlation=0.4)
    >>> made.shape
    (961, 3)
    """
    steps = np.concatenate([[sqrt(overnight * _JUMP)], pace(hours, overnight)])
    made = np.empty((len(steps), len(volatility)), dtype=np.float32)
    _walk(np.uint64(seed), steps, volatility, correlation, made)
    return made


@compiled
def _walk(
    seed: np.uint64, steps: FloatArray, volatility: FloatArray, correlation: float, out: npt.NDArray[np.float32]
) -> None:
    """Running sums of the steps; those of minutes are rough normal numbers, the jump before them a true one."""
    shared, own = sqrt(correlation), sqrt(1.0 - correlation)
    level = np.zeros(len(volatility))
    for minute in range(len(steps)):
        factor = shared * normal(keyed(seed, _STREAM_FACTOR, minute, 0))
        for symbol in range(len(volatility)):
            bits = keyed(seed, _STREAM_PATH, minute, symbol)
            chance = normal(bits) if minute == 0 else rough_normal(bits)
            level[symbol] += steps[minute] * volatility[symbol] * (factor + own * chance)
            out[minute, symbol] = level[symbol]


@dataclass(frozen=True, eq=False, slots=True)
class Halts:
    """The day's halts, at most one a symbol, arrays of shape (H,), by symbol.

    Parameters
    ----------
    symbol, start, end : int64
        Number; first second of the halt, and of trading after it.
    news : bool
        Whether it is for news (else a pause because the price left its limits).
    jump : float64
        By how much the log price moves at its start.
    """

    symbol: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    news: npt.NDArray[np.bool_]
    jump: FloatArray


def halts_of(hours: Hours, seed: int, count: int) -> Halts:
    """Halts among `count` symbols: one in 500 paused for five minutes, one in 1,500 halted for up to an hour.

    Any market of ten symbols or more has one of each.

    Examples
    --------
    >>> len(halts_of(hours_of("2012-11-21"), seed=1, count=3000).symbol)
    8
    """
    enough = count >= 10
    pauses, news = (max(int(enough), count // share) for share in (_PAUSED, _NEWS))
    total = pauses + news
    draws = uniform_table(seed, _STREAM_HALT, 4, max(count, 1))
    chosen = np.sort(np.argsort(draws[0], kind="stable")[:total])
    if not len(chosen):
        none = np.zeros(0, dtype=np.int64)
        return Halts(none, none, none, none.astype(bool), none.astype(float))
    for_news = np.zeros(total, dtype=bool)
    for_news[np.argsort(draws[1, :total], kind="stable")[:news]] = True
    session = hours.closes - hours.opens
    start = hours.opens + (session * (0.03 + 0.75 * draws[2, :total])).astype(np.int64)
    lasting = np.where(for_news, 600 + 2400 * draws[3, :total], _PAUSE_SECONDS).astype(np.int64)
    jump = _PAUSE_JUMP * np.where(draws[3, :total] < 0.5, -1.0, 1.0) * np.where(for_news, 0.5, 1.0)
    return Halts(chosen, start, np.minimum(start + lasting, hours.closes - 60), for_news, jump)


def jumped(path: npt.NDArray[np.float32], halts: Halts) -> None:
    """Move the paths of halted symbols, from the minute after their halt on."""
    for symbol, start, jump in zip(halts.symbol, halts.start, halts.jump, strict=True):
        path[start // 60 + 1 :, symbol] += np.float32(jump)


def _clocks(hours: Hours, step: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Seconds since the opening, until the close, and since the close, every `step` seconds of the day."""
    at = np.arange(0, hours.ends, step, dtype=np.float64)
    return at - hours.opens, hours.closes - at, at - hours.closes


def _decay(shape: tuple[float, float], seconds: FloatArray) -> FloatArray:
    """A height that falls by a factor of e each so many seconds."""
    height, length = shape
    made: FloatArray = height * np.exp(-np.maximum(seconds, 0.0) / length)
    return made
