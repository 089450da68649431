"""Market data by REST: what the simulator's market knows by now, in Alpaca's paths and words.

Every answer is what could be known at the clock's moment and no more. All feeds say the same; the only currency is USD,
and `asof` (which symbol a company had when) changes nothing, for symbols do not change here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from qtw_lab.core import Clock
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.market import Market
from qtw_lab.venues.moments import DAY, SECOND, instant, midnight
from qtw_lab.venues.simulator import wording_codes, wording_rows
from qtw_lab.venues.simulator.asking import Answer, Handler, Request, Route
from qtw_lab.venues.simulator.daily_bars import Days
from qtw_lab.venues.simulator.paging import Page, Pages
from qtw_lab.venues.simulator.wording import invalid, refusal
from qtw_lab.venues.ticks import BAR, Rows
from qtw_lab.venues.wire.values import moment_text

_FEEDS: Final = ("sip", "iex", "delayed_sip", "otc", "boats", "overnight", "test", "simulator")
_SYMBOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,15}")
_ONE: Final = r"/v2/stocks/(?P<symbol>[^/]+)"
_WORDS: Final = {"trades": wording_rows.trades, "quotes": wording_rows.quotes, "bars": wording_rows.bars}
#: How far back the last minute bar is looked for, first and further.
_LOOKS: Final = (120 * SECOND, 600 * SECOND, 3600 * SECOND, 16 * 3600 * SECOND, 5 * DAY)
_WEEK: Final = 12 * DAY
_MOST: Final = {"actives": 100, "movers": 50}


def routes(market: Market, clock: Clock, days: Days | None = None) -> list[Route]:
    """What the market-data side answers.

    Parameters
    ----------
    market : Market
        What is known.
    clock : Clock
        What the time is in it.
    days : Days, optional
        Where daily bars come from, if somebody else keeps them.
    """
    answers = MarketAnswers(market, clock, days)
    found = [
        Route("GET", r"/v2/stocks/snapshots", _kept(answers.snapshots)),
        Route("GET", _ONE + "/snapshot", _kept(answers.snapshot)),
        Route("GET", r"/v2/stocks/meta/exchanges", _kept(answers.exchanges)),
        Route("GET", r"/v2/stocks/meta/conditions/(?P<kind>[^/]+)", _kept(answers.conditions)),
        Route("GET", r"/v1beta1/screener/stocks/most-actives", _kept(answers.most_actives)),
        Route("GET", r"/v1beta1/screener/(?P<kind>[^/]+)/movers", _kept(answers.movers)),
    ]
    for what in _WORDS:
        found.append(Route("GET", rf"/v2/stocks/(?P<what>{what})/latest", _kept(answers.latest)))
        found.append(Route("GET", rf"{_ONE}/(?P<what>{what})/latest", _kept(answers.latest_of_one)))
        found.append(Route("GET", rf"/v2/stocks/(?P<what>{what})", _kept(answers.history)))
        found.append(Route("GET", rf"{_ONE}/(?P<what>{what})", _kept(answers.history_of_one)))
    return found


def _kept(handler: Handler) -> Handler:
    """A handler whose refusals are answers."""

    def answer(request: Request) -> Answer:
        try:
            return handler(request)
        except RefusedError as refused:
            return refusal(refused)

    return answer


class MarketAnswers:
    """Handlers of the market-data side; each takes a `Request` and gives an `Answer`, or raises `RefusedError`."""

    def __init__(self, market: Market, clock: Clock, days: Days | None = None) -> None:
        self._market, self._clock = market, clock
        self._names = [str(asset["symbol"]) for asset in market.assets()]
        self._pages = Pages(market, days)

    def history(self, request: Request) -> Answer:
        """Bars, trades or quotes of several symbols, a page of them."""
        symbols = self._symbols(request)
        page, rows = self._page(request, symbols)
        words = _WORDS[request.place["what"]]
        by_symbol = {name: words(rows[begin:end]) for name, begin, end in self._runs(rows)}
        return Answer(200, {request.place["what"]: by_symbol, "next_page_token": page})

    def history_of_one(self, request: Request) -> Answer:
        """Bars, trades or quotes of one symbol."""
        symbol = self._known(request.place["symbol"])
        page, rows = self._page(request, [symbol])
        said = _WORDS[request.place["what"]](rows)
        return Answer(200, {request.place["what"]: said or None, "symbol": symbol, "next_page_token": page})

    def latest(self, request: Request) -> Answer:
        """The last trade, quote or minute bar of several symbols."""
        _checked_feed(request)
        what = request.place["what"]
        return Answer(200, {what: self._last(what, self._symbols(request))})

    def latest_of_one(self, request: Request) -> Answer:
        """The last trade, quote or minute bar of one symbol."""
        _checked_feed(request)
        what, symbol = request.place["what"], self._known(request.place["symbol"])
        found = self._last(what, [symbol])
        if symbol not in found:
            raise RefusedError(404, f"no {what[:-1]} found for {symbol}")
        return Answer(200, {"symbol": symbol, what[:-1]: found[symbol]})

    def snapshots(self, request: Request) -> Answer:
        """Last trade, quote, minute bar, the day's bar and the one before, of several symbols."""
        _checked_feed(request)
        found = self._snapshots(self._symbols(request))
        return Answer(200, found)

    def snapshot(self, request: Request) -> Answer:
        """The same of one symbol."""
        _checked_feed(request)
        symbol = self._known(request.place["symbol"])
        found = self._snapshots([symbol])
        if symbol not in found:
            raise RefusedError(404, f"no snapshot found for {symbol}")
        return Answer(200, {"symbol": symbol, **found[symbol]})

    def exchanges(self, request: Request) -> Answer:  # noqa: ARG002  (a handler takes the question, though this one needs nothing of it)
        """Exchange letters and names."""
        return Answer(200, dict(wording_codes.EXCHANGES))

    def conditions(self, request: Request) -> Answer:
        """Conditions of trades or quotes on a tape."""
        kind, tape = request.place["kind"], request.one("tape")
        found = wording_codes.conditions(kind, tape or "")
        if found is None:
            raise invalid("ticktype or tape", f"{kind}, {tape}", "ask for trade or quote, with tape A, B or C")
        return Answer(200, found)

    def most_actives(self, request: Request) -> Answer:
        """Symbols with the day's largest volume or count of trades."""
        by, top = request.one("by") or "volume", _top(request, "actives")
        if by not in {"volume", "trades"}:
            raise invalid("by", by, "ask for volume or trades")
        now = self._now()
        bars = self._today(range(len(self._names)), now)
        order = np.argsort(-bars["volume" if by == "volume" else "count"], kind="stable")[:top]
        active = [
            {
                "symbol": self._names[int(bar["symbol"])],
                "volume": _whole(bar["volume"]),
                "trade_count": int(bar["count"]),
            }
            for bar in bars[order]
        ]
        return Answer(200, {"most_actives": active, "last_updated": moment_text(now)})

    def movers(self, request: Request) -> Answer:
        """Symbols that rose and fell most since the last session's close."""
        kind, top = request.place["kind"], _top(request, "movers")
        if kind != "stocks":
            raise invalid("market type", kind, "this market has stocks")
        now = self._now()
        numbers = range(len(self._names))
        bars, before = self._today(numbers, now), self._market.previous_daily(list(numbers), now)
        close = np.full(len(self._names), np.nan)
        close[before["symbol"]] = before["close"]
        base = close[bars["symbol"]]
        bars, base = bars[np.isfinite(base)], base[np.isfinite(base)]
        change = bars["close"] / base - 1
        order = np.argsort(change, kind="stable")
        said = [
            {
                "symbol": self._names[int(bars["symbol"][at])],
                "percent_change": round(100 * float(change[at]), 2),
                "change": round(float(bars["close"][at] - base[at]), 4),
                "price": round(float(bars["close"][at]), 4),
            }
            for at in order
        ]
        gainers = said[::-1][: min(top, int((change > 0).sum()))]
        losers = said[: min(top, int((change < 0).sum()))]
        body = {"gainers": gainers, "losers": losers, "market_type": "stocks", "last_updated": moment_text(now)}
        return Answer(200, body)

    def _now(self) -> int:
        return self._clock.now().as_unit("ns").value

    def _page(self, request: Request, symbols: Sequence[str]) -> tuple[str | None, Rows]:
        _checked_feed(request)
        numbers = [self._market.symbols.number(name) for name in symbols if name in self._market.symbols]
        page = Page.read(request, request.place["what"], numbers, self._now())
        return self._pages.rows(page)

    def _runs(self, rows: Rows) -> list[tuple[str, int, int]]:
        """Where each symbol's rows begin and end."""
        if not len(rows):
            return []
        cuts = np.flatnonzero(np.diff(rows["symbol"])) + 1
        begins, ends = [0, *cuts.tolist()], [*cuts.tolist(), len(rows)]
        return [
            (self._market.symbols.names[int(rows["symbol"][begin])], begin, end)
            for begin, end in zip(begins, ends, strict=True)
        ]

    def _last(self, what: str, symbols: Sequence[str]) -> dict[str, Any]:
        now = self._now()
        numbers = [self._market.symbols.number(name) for name in symbols if name in self._market.symbols]
        find: dict[str, Callable[[list[int], int], Rows]] = {
            "trades": self._market.latest_trades,
            "quotes": self._market.latest_quotes,
            "bars": self._last_minutes,
        }
        rows = find[what](numbers, now) if numbers else np.zeros(0, BAR)
        return self._by_name(what, rows)

    def _by_name(self, what: str, rows: Any) -> dict[str, Any]:
        if not len(rows):
            return {}
        said = _WORDS[what](rows)
        return {
            self._market.symbols.names[number]: one for number, one in zip(rows["symbol"].tolist(), said, strict=True)
        }

    def _last_minutes(self, numbers: list[int], now: int) -> Rows:
        """Of each symbol its last minute bar, looked for ever further back."""
        parts, missing = [np.zeros(0, BAR)], numbers
        until = now + 1
        for look in _LOOKS:
            bars = self._market.bars(missing, 60, now - look, until, now)
            parts.append(_last_of_each(bars))
            got = set(parts[-1]["symbol"].tolist())
            missing, until = [number for number in missing if number not in got], now - look
            if not missing:
                break
        return np.concatenate(parts)

    def _snapshots(self, symbols: Sequence[str]) -> dict[str, Any]:
        now = self._now()
        numbers = [self._market.symbols.number(name) for name in symbols if name in self._market.symbols]
        if not numbers:
            return {}
        days = self._pages.days.bars(numbers, now - _WEEK, now + 1, now)
        last = _last_of_each(days)
        before = _last_of_each(days[~np.isin(np.arange(len(days)), _places_of_last(days))])
        parts = {
            "latestTrade": self._by_name("trades", self._market.latest_trades(numbers, now)),
            "latestQuote": self._by_name("quotes", self._market.latest_quotes(numbers, now)),
            "minuteBar": self._by_name("bars", self._last_minutes(numbers, now)),
            "dailyBar": self._by_name("bars", last),
            "prevDailyBar": self._by_name("bars", before),
        }
        known = [name for name in symbols if any(name in part for part in parts.values())]
        return {name: {field: part.get(name) for field, part in parts.items()} for name in known}

    def _today(self, numbers: Sequence[int], now: int) -> Rows:
        begun = midnight(now)
        return self._pages.days.bars(list(numbers), begun, now + 1, now)

    def _symbols(self, request: Request) -> list[str]:
        given = request.several("symbols")
        if not given:
            raise RefusedError(400, "symbols is required")
        return sorted({self._known(name) for name in given})

    def _known(self, name: str) -> str:
        if _SYMBOL.fullmatch(name) is None:
            raise invalid("symbol", name)
        return name.upper()


def _checked_feed(request: Request) -> None:
    feed, currency = request.one("feed"), request.one("currency")
    if feed is not None and feed not in _FEEDS:
        raise invalid("feed", feed)
    if currency not in {None, "USD"}:
        raise invalid("currency", currency, "this market has USD only")
    asof = request.one("asof")
    if asof not in {None, "-"} and instant(str(asof)) is None:
        raise invalid("asof", asof)


def _places_of_last(rows: Rows) -> Any:
    """The place of the last row of each symbol, where rows stand by symbol."""
    return np.flatnonzero(np.append(rows["symbol"][1:] != rows["symbol"][:-1], True)) if len(rows) else []


def _last_of_each(rows: Rows) -> Rows:
    return rows[_places_of_last(rows)] if len(rows) else rows


def _top(request: Request, what: str) -> int:
    text = request.one("top") or "10"
    if not text.isdigit() or not 1 <= int(text) <= _MOST[what]:
        raise invalid("top", text, f"it is 1 to {_MOST[what]}")
    return int(text)


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else round(float(value), 6)
