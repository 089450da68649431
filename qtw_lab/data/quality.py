"""Is this price data fit for a backtest? Every fault and oddity in one report; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, SetupError, Timeframe
from qtw_lab.core.bars import FIELDS, FloatArray
from qtw_lab.core.times import infer_timeframe, session_dates
from qtw_lab.data import anomalies, calendars
from qtw_lab.data.anomalies import Track
from qtw_lab.data.faults import RawSeries, read_raw
from qtw_lab.data.findings import SEVERITIES, Finding, QualityReport, Severity

__all__ = ["SEVERITIES", "Finding", "QualityReport", "check"]

_WEEKEND_SHARE: Final = 0.1
_CROWD: Final = 5
_NANOSECOND: Final = pd.Timedelta(1, unit="ns")


def check(
    data: Bars | pd.DataFrame,
    *,
    calendar: str | None = None,
    timeframe: str | Timeframe | None = None,
    symbol: str | None = None,
) -> QualityReport:
    """Everything that is wrong or odd about a price table.

    Found are, as errors: empty tables, missing, unreadable, repeated, unsorted, naive or mixed-zone times, text where
    numbers belong, missing, infinite, zero and negative prices, highs below lows; as warnings or information: sessions
    without a bar, bars outside sessions, an open or close outside its bar, suspected unadjusted splits, spikes,
    unchanged closes, zero volume and histories shorter than the others'. After errors the rest is checked on the rows
    that can be read.

    Parameters
    ----------
    data : Bars or pandas.DataFrame
        Bars, or a raw table of any shape `Bars.from_frame` reads, however broken.
    calendar : str, optional
        Exchange code to check times against. By default that of the bars; for a raw table "24/7" if more than a tenth
        of its bars lie on weekends, else "XNYS".
    timeframe : str or Timeframe, optional
        Length of a bar; for a raw table found from the spacing by default.
    symbol : str, optional
        Name of a raw table without a symbol column.

    Raises
    ------
    DataError
        If `data` is no table, or `calendar` or `timeframe` is not known. Faults in the data are findings, never errors.

    Examples
    --------
    >>> broken = pd.DataFrame({"Date": ["2024-01-02", "2024-01-02", "2024-01-04"], "Close": [10.0, 10.5, -1.0]})
    >>> [(f.kind, f.count) for f in check(broken, symbol="X").of("error")]
    [('duplicate_times', 1), ('nonpositive_price', 1)]
    """
    if calendar is not None:
        calendars.zone(calendar)
    span = Timeframe.parse(timeframe) if timeframe is not None else None
    if isinstance(data, Bars):
        exchange = calendar or data.calendar
        tracks = list(_tracks(data, span or data.timeframe, exchange))
        return _report(tracks, [], data.symbols, int(data.present.sum()), exchange, span or data.timeframe)
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"Bars or a pandas DataFrame can be checked, not {type(data).__name__}.")
    series, found = read_raw(data, symbol)
    found += [finding for one in series for finding in one.findings]
    times = pd.DatetimeIndex(pd.DatetimeIndex([], tz="UTC").append([one.times.dropna() for one in series]))
    exchange = calendar or _likely_calendar(times)
    clocked = [one for one in series if "close" in one.values]
    span = span or _likely_timeframe(clocked)
    tracks = [track for one in clocked if span is not None and (track := _raw_track(one, span, exchange)) is not None]
    return _report(tracks, found, tuple(one.symbol for one in series), len(times), exchange, span, times, series)


def _report(
    tracks: list[Track],
    found: list[Finding],
    symbols: tuple[str, ...],
    bars: int,
    calendar: str,
    span: Timeframe | None,
    times: pd.DatetimeIndex | None = None,
    series: list[RawSeries] | None = None,
) -> QualityReport:
    """The report on clean tracks and on the faults already found."""
    homeless = {one.symbol for one in series or () if not one.zoned}
    findings = list(found)
    tracks, crowd = _in_crowd(tracks)
    findings += crowd
    for track in tracks:
        findings += [finding for test in anomalies.CHECKS for finding in test(track)]
        if track.symbol not in homeless:
            findings += _session_findings(track, calendar)
    findings = _without_volume(findings, tracks) + _short_histories(tracks)
    if times is None:
        times = pd.DatetimeIndex([end for track in tracks for end in (track.index[0], track.index[-1])], tz="UTC")
    first, last = (times.min(), times.max()) if len(times) else (None, None)
    return QualityReport(symbols, bars, first, last, str(span or ""), calendar, tuple(findings))


def _tracks(bars: Bars, span: Timeframe, calendar: str) -> Iterator[Track]:
    """The bars of each symbol that has any."""
    numbers = _session_numbers(bars.index, span, calendar)
    for column, symbol in enumerate(bars.symbols):
        rows = bars.present[:, column]
        if rows.any():
            values = {name: bars.values[name][rows, column] for name in FIELDS}
            yield Track.of(symbol, bars.index[rows], values, span, numbers[rows])


def _raw_track(series: RawSeries, span: Timeframe, calendar: str) -> Track | None:
    """The rows of a raw series that can be read: in order, the last of each time, impossible numbers as NaN."""
    values: dict[str, FloatArray] = {}
    for name in FIELDS:
        array = series.values.get(name, np.full(len(series.times), np.nan))
        least = 0.0 if name == "volume" else np.nextafter(0.0, 1.0)
        values[name] = np.where(np.isfinite(array) & (array >= least), array, np.nan)
    readable = np.asarray(series.times.notna(), dtype=bool) & ~series.times.duplicated(keep="last")
    usable = np.isfinite(values["close"]) & readable
    if usable.sum() < 2:
        return None
    order = np.flatnonzero(usable)[np.argsort(series.times.asi8[usable], kind="stable")]
    index = pd.DatetimeIndex(series.times[order], name="timestamp")
    if not span.intraday and series.zoned:
        index = session_dates(index, calendar)
    numbers = _session_numbers(index, span, calendar)
    picked = {name: array[order] for name, array in values.items()}
    return Track.of(series.symbol, index, picked, span, numbers)


def _session_numbers(
    index: pd.DatetimeIndex, span: Timeframe, calendar: str
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A number for each bar that changes with its session; by UTC date where the calendar does not reach."""
    if not span.intraday:
        return np.arange(len(index), dtype=np.int64)
    try:
        dates = calendars.session_dates(calendar, index)
    except (DataError, SetupError):
        dates = index.normalize()
    return np.asarray(dates.as_unit("s").asi8 // 86_400, dtype=np.int64)


def _session_findings(track: Track, calendar: str) -> list[Finding]:
    """Expected bars that are missing, and bars that are not expected; or why that cannot be said."""
    try:
        return [*_gaps(track, calendar), *_outside(track, calendar)]
    except (DataError, SetupError) as err:
        return [
            Finding.at("unchecked_sessions", "info", track.symbol, track.index, f"not checked against sessions: {err}")
        ]


def _gaps(track: Track, calendar: str) -> list[Finding]:
    """Expected bars between the symbol's first and last that are not there."""
    span, index = track.timeframe, track.index
    anchor = calendars.anchor_of(index, calendar, span)
    if span.intraday:
        there = calendars.bar_starts(calendar, index, span, anchor=anchor)
    else:
        there = calendars.period_starts(index.normalize(), span)
    expected = calendars.expected_index(calendar, span, there[0], index[-1], anchor=anchor)
    gone = np.asarray(~expected.isin(there))
    if not gone.any():
        return []
    lengths = np.diff(np.flatnonzero(np.diff(gone.astype(np.int8), prepend=0, append=0)))[::2]
    share = gone.mean()
    severity: Severity = "info" if span.intraday and share < 0.05 else "warning"
    detail = (
        f"{int(gone.sum())} expected bar(s) missing ({share:.2%}) in {len(lengths)} gap(s), the longest {lengths.max()}"
    )
    return [Finding.at("gap", severity, track.symbol, expected[gone], detail)]


def _outside(track: Track, calendar: str) -> list[Finding]:
    """Bars on days the exchange is closed, and intraday bars wholly outside the hours of a session."""
    span, index = track.timeframe, track.index
    if span.unit in ("W", "ME"):
        return []
    dates = calendars.session_dates(calendar, index) if span.intraday else index.normalize()
    table = calendars.sessions(calendar, dates.min(), dates.max())
    closed = np.asarray(~dates.isin(table.index))
    found = []
    if closed.any():
        detail = (
            f"bars on {dates[closed].nunique()} day(s) on which {calendar} is closed, such as {dates[closed][0].date()}"
        )
        found.append(Finding.at("closed_day", "warning", track.symbol, index[closed], detail))
    if span.intraday:
        begins, ends = index, index + pd.Timedelta(seconds=span.seconds) - _NANOSECOND
        outside = (calendars.containing(table, begins) < 0) & (calendars.containing(table, ends) < 0) & ~closed
        if outside.any():
            detail = (
                f"bars outside the session hours of {calendar} ({outside.mean():.1%}): extended hours, or a wrong zone"
            )
            found.append(Finding.at("outside_hours", "info", track.symbol, index[outside], detail))
    return found


def _in_crowd(tracks: list[Track]) -> tuple[list[Track], list[Finding]]:
    """The tracks, told when half or more of at least five symbols moved three robust deviations the same way."""
    if len(tracks) < _CROWD:
        return tracks, []
    with np.errstate(invalid="ignore"):
        steps = [pd.Series(np.trunc(np.clip(t.returns / t.scale / 3, -1, 1)), index=t.index) for t in tracks]
    table = pd.concat(steps, axis=1).sort_index()
    moved, known = table.to_numpy(), table.notna().sum(axis=1).to_numpy()
    together = (known >= _CROWD) & (np.abs(np.nansum(moved, axis=1)) >= 0.5 * known)
    if not together.any():
        return tracks, []
    days = pd.DatetimeIndex(table.index[together])
    detail = f"most symbols moved far in one direction, last on {days[-1]:%Y-%m-%d}: the market, not an error"
    crowd = [Finding.at("market_move", "info", "", days, detail)]
    return [replace(track, crowd=days) for track in tracks], crowd


def _without_volume(findings: list[Finding], tracks: list[Track]) -> list[Finding]:
    """The findings, with one "no volume" for the whole table instead of one for each of its symbols."""
    silent = [finding for finding in findings if finding.kind == "no_volume"]
    if len(silent) < 2 or len(silent) < len(tracks):
        return findings
    whole = replace(
        silent[0],
        symbol="",
        first=min((f.first for f in silent if f.first is not None), default=None),
        last=max((f.last for f in silent if f.last is not None), default=None),
        count=sum(f.count for f in silent),
    )
    return [*(finding for finding in findings if finding.kind != "no_volume"), whole]


def _short_histories(tracks: list[Track]) -> list[Finding]:
    """Symbols that begin later or end earlier than the others, which a universe study must know."""
    if len(tracks) < 2:
        return []
    first, last = min(track.index[0] for track in tracks), max(track.index[-1] for track in tracks)
    found = []
    for track in tracks:
        missing = [
            text
            for text, short in (
                (f"begins {track.index[0].date()}, the others {first.date()}", track.index[0] > first),
                (f"ends {track.index[-1].date()}, the others {last.date()}", track.index[-1] < last),
            )
            if short
        ]
        if missing:
            found.append(Finding.at("short_history", "info", track.symbol, track.index, "; ".join(missing)))
    return found


def _likely_calendar(times: pd.DatetimeIndex) -> str:
    """Calendar "24/7" where bars lie on weekends as a rule, else the New York Stock Exchange."""
    return "24/7" if len(times) and (times.day_of_week >= 5).mean() > _WEEKEND_SHARE else "XNYS"


def _likely_timeframe(series: list[RawSeries]) -> Timeframe | None:
    """The timeframe that the spacing of the longest series suggests; None if none has two times."""
    indexes = [one.times.dropna().unique().sort_values() for one in series]
    longest = max(indexes, key=len, default=None)
    return infer_timeframe(longest) if longest is not None and len(longest) > 1 else None
