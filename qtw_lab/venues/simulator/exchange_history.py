"""The worth of the simulator's account over time, worked out anew from its fills and the market's bars."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.ledger.book import Charge, Entry, Fill, Split
from qtw_lab.ledger.refusals import unprocessable
from qtw_lab.venues.market import Market
from qtw_lab.venues.moments import DAY, SECOND, eastern, instant, midnight
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.hours import Session

_PERIOD: Final = re.compile(r"(\d{1,4})([DWMA])")
_DAYS: Final = {"D": 1, "W": 7, "M": 31, "A": 366}
_STEPS: Final = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3600, "1D": 86_400}


def portfolio_history(market: Market, exchange: PaperBroker, query: dict[str, str]) -> dict[str, Any]:
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
    values = worth(market, exchange, np.array([ends for _, ends in windows], dtype=np.int64), now)
    base = float(worth(market, exchange, np.array([start], dtype=np.int64), now)[0])
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


def worth(market: Market, exchange: PaperBroker, moments: npt.NDArray[np.int64], now: int) -> npt.NDArray[np.float64]:
    """What the account was worth at these moments, holdings at the last minute bar that had ended, or else at cost."""
    entries = exchange.book.entries
    money = [(entry.at, _money(entry)) for entry in entries]
    cash = float(exchange.start_cash) + _summed(money, moments)
    total = np.zeros(len(moments))
    for symbol in dict.fromkeys(entry.symbol for entry in entries if isinstance(entry, Fill)):
        own = [entry for entry in entries if entry.symbol == symbol and isinstance(entry, (Fill, Split))]
        times = np.array([entry.at for entry in own], dtype=np.int64)
        shares, paid = _path(own)
        place = np.searchsorted(times, moments, side="right") - 1
        held = np.where(place >= 0, shares[place], 0.0)
        number = exchange.market.symbols.number(symbol)
        total += held * _prices(market, number, moments, paid[place], int(times[0]), now)
    return cash + total


def _money(entry: Entry) -> float:
    """Dollars that an entry brought."""
    if isinstance(entry, Fill):
        return float(-entry.signed * entry.price - entry.fee)
    return float(entry.amount) if isinstance(entry, Charge) else 0.0


def _summed(money: list[tuple[int, float]], moments: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """What had come by each of the moments."""
    times = np.array([at for at, _ in money], dtype=np.int64)
    order = np.argsort(times, kind="stable")
    amounts = np.array([amount for _, amount in money], dtype=np.float64)[order]
    total = np.concatenate([[0.0], np.cumsum(amounts)])
    found: npt.NDArray[np.float64] = total[np.searchsorted(times[order], moments, side="right")]
    return found


def _path(own: list[Fill | Split]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shares held after each entry of a symbol, and the price last paid, as shares count then."""
    shares, paid = [0.0], [0.0]
    for entry in own:
        if isinstance(entry, Fill):
            shares.append(shares[-1] + float(entry.signed))
            paid.append(float(entry.price))
        else:
            shares.append(shares[-1] * float(entry.ratio))
            paid.append(paid[-1] / float(entry.ratio))
    return np.array(shares[1:]), np.array(paid[1:])


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
    market: Market,
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
    bars = market.bars([number], 60, minute, until, now)
    if not len(bars):
        return paid
    place = np.searchsorted(bars["time"] + 60 * SECOND, moments, side="right") - 1
    return np.where(place >= 0, bars["close"][place], paid)
