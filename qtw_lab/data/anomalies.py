"""Oddities in one symbol's prices: spikes, unadjusted splits, stale and untraded stretches, impossible bars.

Whatever is unusual is unusual against the past only: scale is the median absolute deviation of the log returns before,
times 1.4826, which makes it the standard deviation of normal returns (Hampel, 1974, JASA 69) and is not moved by the
outliers that are looked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Timeframe
from qtw_lab.core.bars import FloatArray
from qtw_lab.data.findings import Finding, Severity

BoolArray = npt.NDArray[np.bool_]

_NORMAL_MAD: Final = 1.4826
_WINDOW: Final = 63
_LEAST_PAST: Final = 20
_LEAST_SCALE: Final = 1e-3
_SPIKE_SCORE: Final = 10.0
_SPLIT_SCORE: Final = 5.0
_ROUNDING: Final = 1e-6
#: Smallest log return that counts as a spike, by the unit of the timeframe; across a session break that of a day.
_LEAST_SPIKE: Final = {"s": 0.02, "min": 0.02, "h": 0.04, "D": 0.10, "W": 0.25, "ME": 0.40}
#: New shares for one old share in the splits that occur.
_SPLITS: Final = (
    "3:2",
    "2:1",
    "3:1",
    "4:1",
    "5:1",
    "7:1",
    "10:1",
    "20:1",
    "1:2",
    "1:3",
    "1:4",
    "1:5",
    "1:8",
    "1:10",
    "1:15",
    "1:20",
)
_SPLIT_AT_OPEN: Final = 0.03
_SPLIT_AT_CLOSE: Final = 0.10
_NEWS_VOLUME: Final = 4.0


@dataclass(frozen=True)
class Track:
    """One symbol's bars in order, every close positive and finite.

    Parameters
    ----------
    symbol : str
        Whose.
    index : pandas.DatetimeIndex
        UTC, strictly increasing, length T.
    open, high, low, close, volume : ndarray
        Float64 (T,); NaN where not known, `close` never.
    timeframe : Timeframe
        Length of a bar.
    sessions : ndarray
        Number of the session each bar belongs to, (T,), where bars are intraday; else 0, 1, 2 ...
    crowd : pandas.DatetimeIndex, optional
        Times at which most symbols of the table moved out of the ordinary; a spike in a crowd is the market's.
    """

    symbol: str
    index: pd.DatetimeIndex
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    timeframe: Timeframe
    sessions: npt.NDArray[np.int64]
    crowd: pd.DatetimeIndex | None = None

    @classmethod
    def of(
        cls,
        symbol: str,
        index: pd.DatetimeIndex,
        values: Mapping[str, FloatArray],
        timeframe: Timeframe,
        sessions: npt.NDArray[np.int64],
    ) -> Track:
        """A track from its fields by name."""
        prices = (values["open"], values["high"], values["low"], values["close"])
        return cls(symbol, index, *prices, values["volume"], timeframe, sessions)

    @cached_property
    def returns(self) -> FloatArray:
        """Log return of each close over the close before, (T,), NaN first."""
        return np.diff(np.log(self.close), prepend=np.nan)

    @cached_property
    def overnight(self) -> BoolArray:
        """Whether an intraday bar is the first of its session, (T,); False throughout for longer bars."""
        first = np.diff(self.sessions, prepend=self.sessions[:1]) != 0
        return first if self.timeframe.intraday else np.zeros(len(self.index), dtype=bool)

    @cached_property
    def scale(self) -> FloatArray:
        """Robust standard deviation of the returns before each bar, (T,), NaN until 20 are known.

        Intraday, overnight returns are measured against overnight returns and the others against the others.
        """
        scale = np.full(len(self.index), np.nan)
        for kind in (self.overnight, ~self.overnight):
            returns = pd.Series(self.returns[kind])
            middle = returns.rolling(_WINDOW, min_periods=_LEAST_PAST).median().shift()
            off = (returns - middle.fillna(0.0)).abs()
            scale[kind] = _NORMAL_MAD * off.rolling(_WINDOW, min_periods=_LEAST_PAST).median().shift().to_numpy()
        return np.asarray(np.maximum(scale, _LEAST_SCALE), dtype=np.float64)

    @cached_property
    def splits(self) -> dict[int, str]:
        """Suspected splits: row and ratio; see `suspected_splits`."""
        return _splits(self)


def impossible_bars(track: Track) -> list[Finding]:
    """Bars whose open or close lies outside their own low and high."""
    top = np.fmax(track.open, track.close)
    bottom = np.fmin(track.open, track.close)
    with np.errstate(invalid="ignore"):
        excess = np.fmax(top / track.high - 1, 1 - bottom / track.low)
        wrong = excess > _ROUNDING
    if not wrong.any():
        return []
    detail = (
        f"open or close outside the bar's low and high, by up to {np.nanmax(excess):.2%}; stops and fills may be wrong"
    )
    return [Finding.at("ohlc_order", "warning", track.symbol, track.index[wrong], detail)]


def suspected_splits(track: Track) -> list[Finding]:
    """Returns near a split ratio that look like a split and not like news, one finding each.

    A split shows at the open: the price opens within 3% of the ratio to the close before, is still near it at that
    close and at the next, and as many shares change hands as the ratio explains (at most four times that). A crash
    overshoots, and its volume explodes. Where there are closes only, this cannot be told, and the finding says so.
    """
    found = []
    for row, ratio in track.splits.items():
        sure = _has_opens(track) or np.isfinite(_volume_ratio(track)[row])
        change = math.expm1(track.returns[row])
        detail = f"close moved {change:+.1%}, as a {ratio} split would" + (
            "; use adjusted prices, or adjust for it"
            if sure
            else "; with closes only, a split cannot be told from news"
        )
        severity: Severity = "warning" if sure else "info"
        found.append(Finding.at("suspected_split", severity, track.symbol, track.index[[row]], detail))
    return found


def spikes(track: Track) -> list[Finding]:
    """Returns of more than ten past robust deviations, suspected splits left out; apart, those the next bar undoes."""
    returns = track.returns
    least = np.where(track.overnight, _LEAST_SPIKE["D"], _LEAST_SPIKE[track.timeframe.unit])
    with np.errstate(invalid="ignore"):
        far = (np.abs(returns) > _SPIKE_SCORE * track.scale) & (np.abs(returns) > least)
        undone = far & (np.abs(returns + np.append(returns[1:], np.nan)) < 0.3 * np.abs(returns))
    far[list(track.splits)] = False
    if track.crowd is not None:
        far &= ~track.index.isin(track.crowd)
    undone &= far
    after_undone = np.append(False, undone[:-1])
    found = []
    if undone.any():
        detail = f"{_largest(track, undone)}, undone by the next bar: a bad print, or a panic"
        found.append(Finding.at("bad_print", "warning", track.symbol, track.index[undone], detail))
    lasting = far & ~undone & ~after_undone
    if lasting.any():
        detail = f"{_largest(track, lasting)}: news, or a wrong price"
        found.append(Finding.at("spike", "info", track.symbol, track.index[lasting], detail))
    return found


def stale_runs(track: Track) -> list[Finding]:
    """Stretches in which the close does not change: from 5 bars on, or from 30 for intraday bars."""
    least = 30 if track.timeframe.intraday else 5
    same = track.returns == 0.0
    lengths = _run_lengths(same)
    rows = lengths >= least
    if not rows.any():
        return []
    longest = int(lengths.max())
    runs = int((np.diff(rows.astype(np.int8), prepend=0) == 1).sum())
    severity: Severity = "warning" if longest >= 2 * least else "info"
    detail = (
        f"close unchanged in {runs} run(s) of {least} bars or more, the longest {longest} bars: not traded, or rounded"
    )
    return [Finding.at("stale_run", severity, track.symbol, track.index[rows], detail)]


def untraded_bars(track: Track) -> list[Finding]:
    """Bars of zero volume, with the longest run of them; or that volume is not known at all."""
    if np.isnan(track.volume).all():
        return [
            Finding.at(
                "no_volume", "info", track.symbol, track.index, "volume is not known: liquidity cannot be judged"
            )
        ]
    zero = track.volume == 0.0
    if not zero.any():
        return []
    longest = int(_run_lengths(zero).max())
    severity: Severity = "warning" if longest >= 5 or zero.mean() > 0.05 else "info"
    detail = (
        f"zero volume in {zero.mean():.1%} of the bars, at most {longest} in a row: those prices could not be traded"
    )
    return [Finding.at("zero_volume", severity, track.symbol, track.index[zero], detail)]


#: Every check of one symbol's prices.
CHECKS: Final = (impossible_bars, suspected_splits, spikes, stale_runs, untraded_bars)


def _splits(track: Track) -> dict[int, str]:
    """Row and ratio of every return that looks like a split."""
    if len(track.index) < 2:
        return {}
    returns, scale = track.returns, np.where(np.isnan(track.scale), 0.02, track.scale)
    opens = _has_opens(track)
    moves = np.log(track.open) - np.append(np.nan, np.log(track.close[:-1])) if opens else returns
    following = returns + np.append(returns[1:], 0.0)
    volume = _volume_ratio(track)
    found: dict[int, str] = {}
    nearest = np.full(len(returns), np.inf)
    for ratio in _SPLITS if opens else _SPLITS[1:]:  # closes alone make every bad day a 3:2 split
        new, old = (float(part) for part in ratio.split(":"))
        factor = math.log(new / old)
        tolerance = _SPLIT_AT_OPEN if opens else np.clip(3 * scale, _SPLIT_AT_OPEN, _SPLIT_AT_CLOSE)
        with np.errstate(invalid="ignore"):
            off = np.abs(moves + factor)
            stays = np.maximum(np.abs(returns + factor), np.abs(following + factor) / 2) <= np.maximum(0.15, 4 * scale)
            quiet = np.isnan(volume) | (volume <= _NEWS_VOLUME * max(new / old, 1.0))
            hit = (off <= tolerance) & (off < nearest) & stays & quiet & (np.abs(returns) > _SPLIT_SCORE * scale)
        nearest[hit] = off[hit]
        found.update(dict.fromkeys(np.flatnonzero(hit).tolist(), ratio))
    return dict(sorted(found.items()))


def _has_opens(track: Track) -> bool:
    """Whether opens are opens, and not closes standing for them."""
    return bool((np.isfinite(track.open) & (track.open != track.close)).mean() > 0.5)


def _volume_ratio(track: Track) -> FloatArray:
    """Volume over the median of the 20 bars before, (T,); NaN where not known."""
    volume = pd.Series(track.volume)
    typical = volume.rolling(_LEAST_PAST, min_periods=5).median().shift()
    return np.asarray(volume / typical.where(typical > 0), dtype=np.float64)


def _largest(track: Track, rows: BoolArray) -> str:
    """How many moves, and the three largest with their dates."""
    places = np.flatnonzero(rows)
    top = places[np.argsort(-np.abs(track.returns[places]), kind="stable")][:3]
    shown = ", ".join(
        f"{math.expm1(track.returns[p]):+.1%} at {track.index[p]:%Y-%m-%d %H:%M}".removesuffix(" 00:00") for p in top
    )
    return f"{len(places)} unusual move(s), the largest {shown}"


def _run_lengths(flags: BoolArray) -> npt.NDArray[np.int64]:
    """For each True the length of the run it stands in, else 0."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    lengths = np.zeros(len(flags), dtype=np.int64)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        lengths[start:stop] = stop - start
    return lengths
