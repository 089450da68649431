"""Alpaca's answers page by page: asking again where that may help, and never taking a part for the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Clock, DataError, LabError, SetupError, VenueError
from qtw_lab.data.ratelimit import RateLimit, retry_after

#: How often one page is asked for, and how long to wait before asking again if the venue does not say, in seconds.
ATTEMPTS: Final = 5
PAUSES: Final = (1.0, 2.0, 4.0, 8.0)

#: Longest wait a venue may ask for before we say so and stop, in seconds.
PATIENCE: Final = 120.0

#: Bars a page may hold: the most Alpaca allows.
PAGE: Final = 10_000

#: Answers after which the same question may succeed later.
RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that did not come: the HTTP status (None if there was no answer), what was said, and its headers."""

    status: int | None
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def again(self) -> bool:
        """Whether asking again may help."""
        return self.status is None or self.status in RETRIED

    def pause(self, attempt: int, now: pd.Timestamp) -> float:
        """Seconds to wait before attempt `attempt` + 1: what the headers ask for, or the usual pause."""
        asked = retry_after(self.headers["Retry-After"], now) if "Retry-After" in self.headers else None
        reset = self.headers.get("X-RateLimit-Reset", "")
        if asked is None and self.status == 429 and reset.isdigit():
            asked = max(0.0, float(reset) - now.timestamp())
        return PAUSES[min(attempt, len(PAUSES)) - 1] if asked is None else asked

    def error(self) -> LabError:
        """The error for an answer that will not change."""
        kind, mend = _FINAL.get(self.status or 0, (VenueError, "Try again later."))
        return kind(f"Alpaca answered {self.status}: {self.text}. {mend}")


_DISCARDED: Final = "Nothing was kept."

_FINAL: Final[Mapping[int, tuple[type[LabError], str]]] = {
    400: (DataError, "Check the symbols, dates and timeframe."),
    401: (SetupError, "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY."),
    403: (
        SetupError,
        "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY, and that the plan has this feed (recent sip bars cost).",
    ),
    404: (SetupError, "Check ALPACA_DATA_REST_URL."),
    422: (DataError, "Check the symbols, dates and timeframe."),
}

#: One request: parameters to the decoded body, or why there is none.
Ask = Callable[[Parameters], Any]


@dataclass(frozen=True)
class Walk:
    """A walk over all pages of one question.

    Parameters
    ----------
    ask : callable
        Sends one request; gives the decoded JSON body or a `Failure`.
    limit : RateLimit
        Asked for leave before every request.
    clock : Clock
        Waits between attempts.
    """

    ask: Ask
    limit: RateLimit
    clock: Clock

    def bars(self, parameters: Parameters, symbols: tuple[str, ...]) -> dict[str, list[Mapping[str, Any]]]:
        """All bars of all pages by symbol, in order of time.

        Parameters
        ----------
        parameters : mapping
            Query of the first page; `limit` and `page_token` are added.
        symbols : tuple of str
            What may come back.

        Raises
        ------
        VenueError
            If a page stays away after `ATTEMPTS`, or the pages do not make one whole: a token comes twice, a page with
            a token is empty, the token field is missing, bars come twice or out of order, or are of a symbol nobody
            asked for.
        DataError
            If the venue says the question is wrong (400, 422).
        SetupError
            If it refuses the keys or the plan (401, 403).
        """
        found: dict[str, list[Mapping[str, Any]]] = {symbol: [] for symbol in symbols}
        seen: set[str] = set()
        token: str | None = None
        page = 0
        while page == 0 or token is not None:
            page += 1
            asked = {**parameters, "limit": PAGE} | ({"page_token": token} if token else {})
            body = self._page(asked, page, found)
            bars = self._checked(body, page, found)
            for symbol, rows in bars.items():
                found[symbol].extend(rows)
            token = body["next_page_token"]
            if token is not None:
                fault = _token_fault(token, seen, bars)
                if fault:
                    raise VenueError(f"Alpaca's page {page} {fault}. {_fetched(page, found)}")
                seen.add(token)
        return found

    def _page(
        self, parameters: Parameters, page: int, found: Mapping[str, list[Mapping[str, Any]]]
    ) -> Mapping[str, Any]:
        """One page, asked for again while that may help."""
        for attempt in range(1, ATTEMPTS + 1):
            self.limit.acquire()
            answer = self.ask(parameters)
            if not isinstance(answer, Failure):
                fault = _body_fault(answer)
                if not fault:
                    return dict(answer)
                answer = Failure(None, fault)
            if not answer.again:
                raise answer.error()
            pause = answer.pause(attempt, self.clock.now())
            if pause > PATIENCE:
                raise VenueError(
                    f"Alpaca asks to wait {pause:,.0f} s before page {page} ({answer.text}). Try again then. "
                    f"{_fetched(page - 1, found)}"
                )
            if attempt < ATTEMPTS:
                wait = self.limit.hold if answer.status == 429 else self.clock.sleep
                wait(pause)
        raise VenueError(
            f"Alpaca did not give page {page} in {ATTEMPTS} attempts; the last answer was "
            f"{answer.status or 'none'}: {answer.text}. Try again later. {_fetched(page - 1, found)}"
        )

    @staticmethod
    def _checked(
        body: Mapping[str, Any], page: int, found: Mapping[str, list[Mapping[str, Any]]]
    ) -> Mapping[str, list[Mapping[str, Any]]]:
        """The bars of a page, once they are known to follow those before."""
        bars: Mapping[str, list[Mapping[str, Any]]] = body["bars"] or {}
        for symbol, rows in bars.items():
            if symbol not in found:
                raise VenueError(f"Alpaca's page {page} has bars of {symbol}, which was not asked for. {_DISCARDED}")
            times = moments([row["t"] for row in (*found[symbol][-1:], *rows)], symbol)
            wrong = np.flatnonzero(np.diff(times.asi8) <= 0)
            if len(wrong):
                raise VenueError(
                    f"Alpaca's page {page} has {symbol} at {times[wrong[0] + 1]} after {times[wrong[0]]}: a page came "
                    f"twice or out of order. {_fetched(page - 1, found)}"
                )
        return bars


def moments(times: list[Any], symbol: str) -> pd.DatetimeIndex:
    """Alpaca's times (RFC 3339) in UTC, in nanoseconds; VenueError if one is none."""
    try:
        index = pd.DatetimeIndex(pd.to_datetime(times, format="ISO8601", utc=True)).as_unit("ns")
    except (ValueError, TypeError) as err:
        raise VenueError(f"Alpaca stamped a bar of {symbol} with what is no time ({err}). {_DISCARDED}") from err
    if index.hasnans:
        raise VenueError(f"Alpaca gave a bar of {symbol} without a time. {_DISCARDED}")
    return index


def _body_fault(body: Any) -> str:
    """What keeps a body from being a page of bars, or nothing."""
    if not isinstance(body, Mapping):
        return f"the body is {type(body).__name__}, not an object"
    missing = [name for name in ("bars", "next_page_token") if name not in body]
    if missing:
        return f"the body lacks {' and '.join(missing)}"
    bars, token = body["bars"], body["next_page_token"]
    if token is not None and not (isinstance(token, str) and token):
        return "its next_page_token is neither text nor null"
    if bars is None:
        return ""
    if not isinstance(bars, Mapping) or not all(isinstance(rows, list) for rows in bars.values()):
        return "its bars are not lists by symbol"
    whole = all(isinstance(row, Mapping) and row.keys() >= _NEEDED for rows in bars.values() for row in rows)
    return "" if whole else "a bar lacks one of t, o, h, l, c, v"


_NEEDED: Final = frozenset("tohlcv")


def _token_fault(token: str, seen: set[str], bars: Mapping[str, list[Mapping[str, Any]]]) -> str:
    if token in seen:
        return "names a next page that was already fetched: its paging goes in a circle"
    if not any(bars.values()):
        return "is empty, yet names a next page"
    return ""


def _fetched(pages: int, found: Mapping[str, list[Mapping[str, Any]]]) -> str:
    """What had come before it went wrong, in one sentence."""
    held = [f"{symbol} to {rows[-1]['t']}" for symbol, rows in found.items() if rows]
    bars = sum(len(rows) for rows in found.values())
    shown = ", ".join(held[:5]) + (f" and {len(held) - 5} more" if len(held) > 5 else "")
    if not bars:
        return _DISCARDED
    return f"{pages} page(s) with {bars:,} bars ({shown}) had been fetched and were discarded."
