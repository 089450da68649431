"""Alpaca's answers page by page: asking again where that may help, and never taking a part for the whole.

And their rows as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Clock, DataError, LabError, SetupError, Timeframe, VenueError, frames
from qtw_lab.core.bars import FIELDS
from qtw_lab.data.ratelimit import RateLimit, retry_after

#: How often a question is asked, and how long to wait before asking again if the venue does not say, in seconds.
ATTEMPTS: Final = 5
PAUSES: Final = (1.0, 2.0, 4.0, 8.0)

#: Longest wait a venue may ask for before we say so and stop, in seconds.
PATIENCE: Final = 120.0

#: Rows a page may hold: the most Alpaca allows.
PAGE: Final = 10_000

#: Answers after which the same question may succeed later.
RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

#: The calendar by whose days Alpaca stamps daily bars.
CALENDAR: Final = "XNYS"

_COLUMNS: Final = MappingProxyType({"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"})

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that did not come: the HTTP status (None if there was none at all), what was said, and its headers.

    `setting` names the setting that holds the address that was asked, `code` is the venue's own, if it gave one.
    """

    status: int | None
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    setting: str = "ALPACA_DATA_REST_URL"
    code: int | None = None

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
        return kind(f"Alpaca answered {self.status}: {self.text}. {mend.format(setting=self.setting)}")


_DISCARDED: Final = "Nothing was kept."

_FINAL: Final[Mapping[int, tuple[type[LabError], str]]] = {
    400: (DataError, "Check the symbols, dates and timeframe."),
    401: (SetupError, "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY."),
    403: (
        SetupError,
        "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY, and that the plan has this feed (recent sip bars cost).",
    ),
    404: (SetupError, "Check {setting}."),
    422: (DataError, "Check the symbols, dates and timeframe."),
}

#: One request: parameters to the decoded body, or why there is none.
Ask = Callable[[Parameters], Any]


def answer(
    ask: Callable[[], Any],
    limit: RateLimit,
    clock: Clock,
    fault: Callable[[Any], str],
    what: str,
    lost: Callable[[], str] = str,
) -> Any:
    """The body of a good answer to one question, asked for again while that may help.

    Parameters
    ----------
    ask : callable
        Sends one request; gives the decoded JSON body or a `Failure`.
    limit : RateLimit
        Asked for leave before every request.
    clock : Clock
        Waits between attempts.
    fault : callable
        Says what keeps a body from being what was asked for, or nothing.
    what : str
        What is asked for, as errors call it.
    lost : callable
        Says what has come before and is given up with an error.

    Raises
    ------
    VenueError
        If no good answer comes in `ATTEMPTS`, or the venue asks to wait longer than `PATIENCE`.
    DataError
        If the venue says the question is wrong (400, 422).
    SetupError
        If it refuses the keys or the plan (401, 403), or the address is wrong (404).
    """
    said = Failure(None, "")
    for attempt in range(1, ATTEMPTS + 1):
        limit.acquire()
        body = ask()
        if not isinstance(body, Failure):
            wrong = fault(body)
            if not wrong:
                return body
            body = Failure(None, wrong)
        said = body
        if not said.again:
            raise said.error()
        pause = said.pause(attempt, clock.now())
        if pause > PATIENCE:
            asked = f"Alpaca asks to wait {pause:,.0f} s before {what} ({said.text}). Try again then."
            raise VenueError(f"{asked} {lost()}".rstrip())
        if attempt < ATTEMPTS:
            (limit.hold if said.status == 429 else clock.sleep)(pause)
    gave = (
        f"Alpaca did not give {what} in {ATTEMPTS} attempts; the last answer was {said.status or 'none'}: {said.text}."
    )
    raise VenueError(f"{gave} Try again later. {lost()}".rstrip())


@dataclass(frozen=True, slots=True)
class RowNames:
    """What rows are called in a page, the fields each must have, and whether two of a symbol may have one time."""

    name: str
    needed: frozenset[str]
    repeats: bool = False


BARS: Final = RowNames("bars", frozenset("tohlcv"))
TRADES: Final = RowNames("trades", frozenset("tps"), repeats=True)

#: Rows by symbol.
Found = Mapping[str, list[Mapping[str, Any]]]


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
    names : RowNames
        Of what the pages hold.
    """

    ask: Ask
    limit: RateLimit
    clock: Clock
    names: RowNames = BARS

    def rows(self, parameters: Parameters, symbols: tuple[str, ...]) -> dict[str, list[Mapping[str, Any]]]:
        """All rows of all pages by symbol, in order of time.

        Parameters
        ----------
        parameters : mapping
            Query of the first page; `limit` and `page_token` are added.
        symbols : tuple of str
            What may come back.

        Raises
        ------
        VenueError
            As `answer`, or if the pages do not make one whole: a token comes twice, a page with a token is empty, the
            token field is missing, rows come twice or out of order, or are of a symbol nobody asked for.
        DataError, SetupError
            As `answer`.
        """
        found: dict[str, list[Mapping[str, Any]]] = {symbol: [] for symbol in symbols}
        seen: set[str] = set()
        token: str | None = None
        page = 0
        while page == 0 or token is not None:
            page += 1
            asked = {**parameters, "limit": PAGE} | ({"page_token": token} if token else {})
            body = self._page(asked, page, found)
            rows = self._checked(body, page, found)
            for symbol, some in rows.items():
                found[symbol].extend(some)
            token = body["next_page_token"]
            if token is not None:
                fault = _token_fault(token, seen, rows)
                if fault:
                    raise VenueError(f"Alpaca's page {page} {fault}. {self._fetched(page, found)}")
                seen.add(token)
        return found

    def bars(self, parameters: Parameters, symbols: tuple[str, ...]) -> dict[str, list[Mapping[str, Any]]]:
        """`rows` where they are bars."""
        return self.rows(parameters, symbols)

    def _page(self, parameters: Parameters, page: int, found: Found) -> Mapping[str, Any]:
        body: Mapping[str, Any] = answer(
            lambda: self.ask(parameters), self.limit, self.clock, lambda body: _body_fault(body, self.names),
            f"page {page}", lambda: self._fetched(page - 1, found),
        )  # fmt: skip
        return body

    def _checked(self, body: Mapping[str, Any], page: int, found: Found) -> Found:
        """The rows of a page, once they are known to follow those before."""
        rows: Found = body[self.names.name] or {}
        for symbol, some in rows.items():
            if symbol not in found:
                raise VenueError(
                    f"Alpaca's page {page} has {self.names.name} of {symbol}, which was not asked for. {_DISCARDED}"
                )
            times = moments([row["t"] for row in (*found[symbol][-1:], *some)], symbol, self.names.name)
            steps = np.diff(times.asi8)
            wrong = np.flatnonzero(steps < 0 if self.names.repeats else steps <= 0)
            if len(wrong):
                raise VenueError(
                    f"Alpaca's page {page} has {symbol} at {times[wrong[0] + 1]} after {times[wrong[0]]}: a page came "
                    f"twice or out of order. {self._fetched(page - 1, found)}"
                )
        return rows

    def _fetched(self, pages: int, found: Found) -> str:
        """What had come before it went wrong, in one sentence."""
        held = [f"{symbol} to {rows[-1]['t']}" for symbol, rows in found.items() if rows]
        count = sum(len(rows) for rows in found.values())
        shown = ", ".join(held[:5]) + (f" and {len(held) - 5} more" if len(held) > 5 else "")
        if not count:
            return _DISCARDED
        return f"{pages} page(s) with {count:,} {self.names.name} ({shown}) had been fetched and were discarded."


def moments(times: list[Any], symbol: str, name: str = "bars") -> pd.DatetimeIndex:
    """Alpaca's times (RFC 3339) of a symbol's rows in UTC, in nanoseconds; VenueError if one is none."""
    try:
        index = pd.DatetimeIndex(pd.to_datetime(times, format="ISO8601", utc=True)).as_unit("ns")
    except (ValueError, TypeError) as err:
        raise VenueError(f"Alpaca stamped {name} of {symbol} with what is no time ({err}). {_DISCARDED}") from err
    if index.hasnans:
        raise VenueError(f"Alpaca gave {name} of {symbol} without a time. {_DISCARDED}")
    return index


def ohlcv(rows: list[Any], symbol: str, timeframe: Timeframe) -> pd.DataFrame:
    """Alpaca's bars as OHLCV by UTC timestamp; VenueError or DataError where they cannot be."""
    times = moments([row["t"] for row in rows], symbol)
    try:
        values = {name: np.array([row[short] for row in rows], dtype=np.float64) for name, short in _COLUMNS.items()}
    except (ValueError, TypeError) as err:
        raise VenueError(
            f"Alpaca's bars of {symbol} have a value that is no number ({err}). Nothing was kept."
        ) from err
    if not all(np.isfinite(column).all() for column in values.values()):
        raise VenueError(f"Alpaca's bars of {symbol} have a value that is missing or infinite. Nothing was kept.")
    if not timeframe.intraday:
        times = frames.session_dates(times, CALENDAR)
        if not bool((times == times.normalize()).all()):
            raise VenueError(
                f"Alpaca stamped a {timeframe} bar of {symbol} away from midnight in New York. Nothing was kept."
            )
    frames.check_prices({name: column[:, None] for name, column in values.items()}, times, (symbol,))
    return pd.DataFrame(values, index=times.rename("timestamp"), columns=list(FIELDS))


def _body_fault(body: Any, names: RowNames) -> str:
    """What keeps a body from being a page of rows, or nothing."""
    if not isinstance(body, Mapping):
        return f"the body is {type(body).__name__}, not an object"
    missing = [name for name in (names.name, "next_page_token") if name not in body]
    if missing:
        return f"the body lacks {' and '.join(missing)}"
    rows, token = body[names.name], body["next_page_token"]
    if token is not None and not (isinstance(token, str) and token):
        return "its next_page_token is neither text nor null"
    if rows is None:
        return ""
    if not isinstance(rows, Mapping) or not all(isinstance(some, list) for some in rows.values()):
        return f"its {names.name} are not lists by symbol"
    return next((fault for some in rows.values() if (fault := rows_fault(some, names.needed))), "")


def rows_fault(rows: Any, needed: Iterable[str]) -> str:
    """What keeps something from being a list of objects with these fields, or nothing."""
    wanted = frozenset(needed)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return "the body is no list of objects"
    return "" if all(row.keys() >= wanted for row in rows) else f"a row lacks one of {', '.join(sorted(wanted))}"


def _token_fault(token: str, seen: set[str], rows: Found) -> str:
    if token in seen:
        return "names a next page that was already fetched: its paging goes in a circle"
    if not any(rows.values()):
        return "is empty, yet names a next page"
    return ""
