"""The worth of the simulator's account over time, worked out anew from its fills and the market's bars."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.ledger.book import Fill
from qtw_lab.ledger.refusals import unprocessable
from qtw_lab.venues.moments import DAY, SECOND, eastern, instant, midnight
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.hours import Session

_PERIOD: Final = re.compile(r"(\d{1,4})([DWMA])")
_DAYS: Final = {"D": 1, "W": 7, "M": 31, "A": 366}
_STEPS: Final = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3600, "1D": 86_400}


def portfolio_history(exchange: PaperBroker, query: dict[str, str]) -> dict[str, Any]:
    """The worth of the account over time, worked out anew from its fills and the market's bars.

    Each point is the worth at the end of a window, labelled by its beginning; windows are those of regular sessions.
    The base is the worth before the first window.

    Raises
    ------
    RefusedError
        422 where period, timeframe or dates cannot be.
    """
    now = exchange.poll()
    start, end = _history_span(query, now)
    timeframe = query.get("timeframe") or (
        "1Min" if end - start < 7 * DAY else "15Min" if end - start < 30 * DAY else "1D"
    )
    if timeframe not in _STEPS:
        raise unprocessable(f"invalid timeframe: {timeframe}; it is one of {', '.join(_STEPS)}")
    windows = _windows(exchange, start, end, _STEPS[timeframe])
    labels = [begins for begins, _ in windows]
    values = worth(exchange, np.array([ends for _, ends in windows], dtype=np.int64), now)
    base = float(worth(exchange, np.array([start], dtype=np.int64), now)[0])
    gain = values - base
    return {
        "timestamp": [begins // SECOND for begins in labels],
        "equity": [round(value, 2) for value in values.tolist()],
        "profit_loss": [round(value, 2) for value in gain.tolist()],
        "profit_loss_pct": [round(value / base, 6) if base else None for value in gain.tolist()],
        "base_value": round(base, 2),
        "base_value_asof": eastern(start).date().isoformat(),
        "timeframe": timeframe,
        "cashflow": {},
    }


def worth(exchange: PaperBroker, moments: npt.NDArray[np.int64], now: int) -> npt.NDArray[np.float64]:
    """What the account was worth at these moments, holdings at the last minute bar that had ended, or else at cost."""
    fills = exchange.book.fills
    cash = np.full(len(moments), float(exchange.start_cash))
    total = np.zeros(len(moments))
    by_symbol: dict[str, list[Fill]] = {}
    for fill in fills:
        by_symbol.setdefault(fill.symbol, []).append(fill)
    for own in by_symbol.values():
        times = np.array([fill.at for fill in own], dtype=np.int64)
        shares = np.cumsum([float(fill.signed) for fill in own])
        spent = np.cumsum([float(fill.signed * fill.price) for fill in own])
        place = np.searchsorted(times, moments, side="right") - 1
        cash -= np.where(place >= 0, spent[place], 0.0)
        held = np.where(place >= 0, shares[place], 0.0)
        paid = np.array([float(fill.price) for fill in own])[place]
        total += held * _prices(exchange, own[0].number, moments, paid, int(times[0]), now)
    return cash + total


def _history_span(query: dict[str, str], now: int) -> tuple[int, int]:
    end = now
    if query.get("end") or query.get("date_end"):
        found = instant(query.get("end") or query["date_end"], last=True)
        if found is None:
            raise unprocessable("invalid end: give RFC 3339 or YYYY-MM-DD")
        end = min(now, found)
    if query.get("start") or query.get("date_start"):
        found = instant(query.get("start") or query["date_start"])
        if found is None or found > end:
            raise unprocessable("invalid start: give RFC 3339 or YYYY-MM-DD, not after the end")
        return found, end
    period = query.get("period") or "1M"
    parts = _PERIOD.fullmatch(period)
    if parts is None or not int(parts[1]):
        raise unprocessable(f"invalid period: {period}; it is a number and D, W, M or A")
    back = int(parts[1]) * _DAYS[parts[2]]
    begun = midnight(end)
    return begun - (back - 1) * DAY, end


def _windows(exchange: PaperBroker, start: int, end: int, step: int) -> list[tuple[int, int]]:
    """Windows of the regular sessions since the account began: beginning and end of each, as far as `end`."""
    start = max(start, exchange.started - exchange.started % DAY - DAY)
    sessions = [session for session in exchange.hours.all if session.closes > start and session.opens <= end]
    if step == _STEPS["1D"]:
        return [(session.opens, min(session.closes, end)) for session in sessions]
    return [pair for session in sessions for pair in _cut(session, max(start, 0), end, step * SECOND)]


def _cut(session: Session, start: int, end: int, step: int) -> list[tuple[int, int]]:
    begins = range(session.opens, min(session.closes, end + 1), step)
    return [(at, min(at + step, session.closes, end)) for at in begins if at >= start]


def _prices(
    exchange: PaperBroker,
    number: int,
    moments: npt.NDArray[np.int64],
    paid: npt.NDArray[np.float64],
    since: int,
    now: int,
) -> npt.NDArray[np.float64]:
    """Closes of the last minute bars that had ended; what was last paid where there is none since the first fill."""
    until = int(min(now, moments.max())) + 1 if len(moments) else since
    minute = since // (60 * SECOND) * 60 * SECOND
    if until <= minute:
        return paid
    bars = exchange.market.bars([number], 60, minute, until, now)
    if not len(bars):
        return paid
    place = np.searchsorted(bars["time"] + 60 * SECOND, moments, side="right") - 1
    return np.where(place >= 0, bars["close"][place], paid)
