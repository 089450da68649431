"""Pages of history: what a query asks for, and the rows of it that make one answer.

A page token holds the moment of the first question, so that all pages of a query are cut from one and the same state of
the market, whatever arrives while they are fetched. What a query asks for is read in pieces: a long span of trades or
quotes symbol by symbol and five minutes at a time, so that no question makes the simulator read a whole day at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.market import Market
from qtw_lab.venues.moments import DAY, SECOND, instant, midnight
from qtw_lab.venues.simulator.asking import Request
from qtw_lab.venues.simulator.daily_bars import Days, period, periods
from qtw_lab.venues.simulator.kept import Kept
from qtw_lab.venues.simulator.wording import invalid
from qtw_lab.venues.ticks import BAR, TICK, Rows

_LARGEST: Final = 10_000
_USUAL: Final = 1_000
#: A piece of trades or quotes is at most so long; a piece of bars has about so many rows at most.
_SPAN: Final = 300 * SECOND
_ROWS: Final = 200_000
#: Pieces that are kept for the next page.
_KEPT: Final = 4
_LENGTH: Final = re.compile(r"(\d{1,3})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_ADJUSTMENTS: Final = ("raw", "split", "dividend", "all")
#: How many of each unit make a bar, by Alpaca's page on historical bars.
_ALLOWED: Final = {
    "Min": range(1, 60),
    "Hour": range(1, 24),
    "Day": range(1, 2),
    "Week": range(1, 2),
    "Month": (1, 2, 3, 4, 6, 12),
}
_UNITS: Final = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}


@dataclass(frozen=True, slots=True)
class Page:
    """A question for history.

    Parameters
    ----------
    what : {"bars", "trades", "quotes"}
        Of what kind.
    numbers : tuple of int
        Of which symbols, in the order of the answer.
    start, end : int
        From when to when, both included, in nanoseconds since 1970 UTC.
    now : int
        What is known by then.
    limit : int
        Rows of a page at most.
    down : bool
        Whether the latest come first.
    count, unit : int, str
        Length of bars.
    adjustment : str
        Of bars.
    digest : str
        Of the query, so that a token serves no other.
    piece, skip : int
        Where the page begins: in which piece, after how many rows of it.
    """

    what: str
    numbers: tuple[int, ...]
    start: int
    end: int
    now: int
    limit: int
    down: bool
    count: int
    unit: str
    adjustment: str
    digest: str
    piece: int = 0
    skip: int = 0

    @classmethod
    def read(cls, request: Request, what: str, numbers: Sequence[int], now: int) -> Page:
        """The question that a request asks at a moment.

        Raises
        ------
        RefusedError
            400, where a field cannot be what it is.
        """
        limit = request.one("limit") or str(_USUAL)
        if not limit.isdecimal() or not 1 <= int(limit) <= _LARGEST:
            raise invalid("limit", limit, f"it is 1 to {_LARGEST}")
        sort = _choice(request, "sort", ("asc", "desc"))
        adjustment = _choice(request, "adjustment", _ADJUSTMENTS)
        digest = _digest(request)
        token = request.one("page_token")
        known, piece, skip = (now, 0, 0) if token is None else _opened(token, digest, now)
        start, end = _span(request, known)
        count, unit = _length(request.one("timeframe")) if what == "bars" else (0, "")
        return cls(
            what, tuple(numbers), start, end, known, int(limit), sort == "desc", count, unit, adjustment, digest,
            piece, skip,
        )  # fmt: skip

    def token(self, piece: int, skip: int) -> str:
        """The token of a page that begins there."""
        return base64.urlsafe_b64encode(f"{self.digest}|{self.now}|{piece}|{skip}".encode()).decode().rstrip("=")


class Pages:
    """Cuts pages out of a market.

    Parameters
    ----------
    market : Market
        Where rows come from.
    days : Days, optional
        Where daily bars come from, if somebody else keeps them.
    """

    def __init__(self, market: Market, days: Days | None = None) -> None:
        self._market = market
        self.days = Days(market) if days is None else days
        self._kept: Kept[tuple[object, ...], Rows] = Kept(_KEPT)

    def rows(self, page: Page) -> tuple[str | None, Rows]:
        """The token of the next page, or None where this is the last, and the rows of this one."""
        pieces = self._pieces(page)
        found: list[Rows] = [np.zeros(0, BAR if page.what == "bars" else TICK)]
        wanted, place, skip = page.limit, page.piece, page.skip
        while place < len(pieces):
            rows = self._piece(page, *pieces[place])[skip:]
            if len(rows) > wanted:
                found.append(rows[:wanted])
                return page.token(place, skip + wanted), np.concatenate(found)
            found.append(rows)
            wanted, place, skip = wanted - len(rows), place + 1, 0
        return None, np.concatenate(found)

    def _pieces(self, page: Page) -> Pieces:
        """The pieces of a question: of which symbols (by place), from when until when (excluded)."""
        start, end = page.start, min(page.end, page.now) + 1
        if page.what != "bars":
            first, last = self._market.span
            start, end = max(start, first - DAY), min(end, last)
        if start >= end or not page.numbers:
            return Pieces((), (), down=False)
        if page.what == "bars":
            each = max(1, (end - start) // (_seconds(page) * SECOND) + 1)
            size = max(1, _ROWS // each)
            return Pieces(_groups(len(page.numbers), size), ((start, end),), page.down)
        if end - start <= _SPAN:
            return Pieces(_groups(len(page.numbers), 1000), ((start, end),), page.down)
        cuts = range(start, end, _SPAN)
        return Pieces(_groups(len(page.numbers), 1), tuple((at, min(at + _SPAN, end)) for at in cuts), page.down)

    def _piece(self, page: Page, group: slice, start: int, end: int) -> Rows:
        numbers = page.numbers[group]
        key = (page.what, numbers, start, end, page.now, page.down, page.count, page.unit, page.adjustment)
        known = self._kept.get(key)
        if known is not None:
            return known
        rows = self._ask(page, numbers, start, end)
        if page.down and len(rows):
            place = np.empty(max(numbers) + 1, dtype=np.int64)
            place[list(numbers)] = np.arange(len(numbers))
            # Within a symbol the order turns round; symbols keep theirs.
            rows = rows[::-1][np.argsort(place[rows["symbol"][::-1]], kind="stable")]
        self._kept.put(key, rows)
        return rows

    def _ask(self, page: Page, numbers: tuple[int, ...], start: int, end: int) -> Rows:
        if page.what == "trades":
            return self._market.trades(numbers, start, end, page.now)
        if page.what == "quotes":
            return self._market.quotes(numbers, start, end, page.now)
        if page.unit in {"Week", "Month"}:
            begin = period(start, page.count, page.unit)
            days = self.days.bars(numbers, begin, end, page.now, page.adjustment)
            bars = periods(days, page.count, page.unit)
            return bars[(bars["time"] >= start) & (bars["time"] < end)]
        if page.unit == "Day":
            return self.days.bars(numbers, start, end, page.now, page.adjustment)
        return self._market.bars(numbers, _seconds(page), start, end, page.now, page.adjustment)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Every group of symbols with every span, spans turned round where the latest come first."""

    groups: tuple[slice, ...]
    spans: tuple[tuple[int, int], ...]
    down: bool

    def __len__(self) -> int:
        return len(self.groups) * len(self.spans)

    def __getitem__(self, place: int) -> tuple[slice, int, int]:
        if not 0 <= place < len(self):
            raise IndexError(place)
        group, at = divmod(place, len(self.spans))
        return (self.groups[group], *self.spans[-1 - at if self.down else at])


def _groups(count: int, size: int) -> tuple[slice, ...]:
    return tuple(slice(at, min(at + size, count)) for at in range(0, count, size))


def _seconds(page: Page) -> int:
    """Length of a question's bars, or what stands for it where it is no fixed time."""
    each = {"Min": 60, "Hour": 3600, "Day": 86_400, "Week": 86_400, "Month": 86_400}[page.unit]
    return each * (page.count if page.unit in {"Min", "Hour"} else 1)


def _length(text: str | None) -> tuple[int, str]:
    if text is None:
        raise RefusedError(400, "timeframe is required")
    found = _LENGTH.fullmatch(text)
    count, unit = (int(found[1]), _UNITS.get(found[2], found[2])) if found else (0, "")
    if not found or count not in _ALLOWED[unit]:
        raise invalid(
            "timeframe", text, "it is 1Min to 59Min, 1Hour to 23Hour, 1Day, 1Week or 1, 2, 3, 4, 6 or 12Month"
        )
    return count, unit


def _span(request: Request, now: int) -> tuple[int, int]:
    """From when to when; without a start from the day's midnight in New York, without an end until now."""
    given = request.one("start"), request.one("end")
    begun = midnight(now)
    start = begun if given[0] is None else instant(given[0])
    end = now if given[1] is None else instant(given[1], last=True)
    if start is None:
        raise invalid("start", given[0], "give RFC 3339 or YYYY-MM-DD")
    if end is None:
        raise invalid("end", given[1], "give RFC 3339 or YYYY-MM-DD")
    if end < start and given[1] is not None:
        raise RefusedError(400, "end should not be before start")
    return start, end


def _choice(request: Request, name: str, known: tuple[str, ...]) -> str:
    value = request.one(name) or known[0]
    if value not in known:
        raise invalid(name, value, f"it is one of {', '.join(known)}")
    return value


def _digest(request: Request) -> str:
    """What makes a query the same query: everything but page and limit."""
    fields = sorted((name, *values) for name, values in request.query.items() if name not in {"page_token", "limit"})
    return hashlib.blake2b(repr((request.path, fields)).encode(), digest_size=6).hexdigest()


def _opened(token: str, digest: str, now: int) -> tuple[int, int, int]:
    """The moment, piece and rows to skip of a token of that query."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        asked, known, piece, skip = text.split("|")
        found = int(known), int(piece), int(skip)
    except (ValueError, binascii.Error, UnicodeDecodeError):
        asked, found = "", (now, 0, 0)
    if asked != digest or found[0] > now or min(found) < 0:
        raise invalid("page_token", token)
    return found
