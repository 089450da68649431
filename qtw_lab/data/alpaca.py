"""Historical bars from Alpaca: raw prices with the factors of their splits and dividends, whole or not at all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pandas as pd

from qtw_lab.core import (
    Clock,
    DataError,
    Settings,
    SetupError,
    SystemClock,
    Timeframe,
    VenueError,
    frames,
    parse_symbols,
)
from qtw_lab.core.extras import need
from qtw_lab.data.pages import CALENDAR, Failure, Parameters, Walk, ohlcv
from qtw_lab.data.ratelimit import RateLimit, shared_limit
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store
from qtw_lab.data.writing import WriteReport

_EXTRA: Final = "live"
_ZONE: Final = "America/New_York"

#: Our units of time in Alpaca's words.
_UNITS: Final = {"min": "Minute", "h": "Hour", "D": "Day", "W": "Week", "ME": "Month"}

#: How many symbols one question may name: the address of a request is limited in length.
_SYMBOLS: Final = 100

#: Seconds to wait for a connection, and for the next bytes of an answer.
TIMEOUT: Final = (10.0, 30.0)

#: Days before the last stored bar from which a download starts anew, so that old and new bars share some.
_OVERLAP: Final = pd.Timedelta(days=10)

#: Until when on its last day a bar of a day or longer may still change: the end of after-hours trading in New York.
_SETTLED: Final = pd.Timedelta(hours=20)

NO_HISTORY: Final = "Alpaca's test feed has no history. Set ALPACA_DATA_FEED to iex or sip."


@dataclass(frozen=True)
class Span:
    """What to ask for: symbols, both ends included in UTC, and the length of a bar."""

    symbols: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp
    timeframe: Timeframe


@dataclass(frozen=True)
class AlpacaSource:
    """Alpaca's historical stock bars.

    Parameters
    ----------
    settings : Settings
        Keys, feed, `alpaca_data_rest_url` and requests a minute.
    clock : Clock
        Waits, and tells which bars are complete.
    timeout : pair of float
        Seconds to wait for a connection, and for the next bytes of an answer.

    Examples
    --------
    >>> AlpacaSource(Settings(alpaca_data_feed="iex", _env_file=None)).name
    'alpaca-iex'
    """

    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    timeout: tuple[float, float] = TIMEOUT

    @property
    def name(self) -> str:
        """Name of the source in a store: each feed is a source of its own, for its volumes and prices differ."""
        return f"alpaca-{self.settings.alpaca_data_feed}"

    def fetch(
        self, symbols: str | Iterable[str], start: Any, end: Any = None, timeframe: str | Timeframe = "1D"
    ) -> dict[str, pd.DataFrame]:
        """Complete bars by symbol, raw, with `split_factor` and `factor`.

        Every span is asked for three times: raw, adjusted for splits, and adjusted for all corporate actions. A factor
        is the adjusted close over the raw close. A bar that may still change is left out: an intraday bar until it
        ends, a bar of a day or longer until 20:00 New York time on its last day.

        Parameters
        ----------
        symbols : str or iterable of str
            Which.
        start, end : date-like
            Both included; `end` is now by default.
        timeframe : str or Timeframe
            1 to 59 minutes, 1 to 23 hours, a day, a week, or 1, 2, 3, 6 or 12 months.

        Returns
        -------
        dict of str to pandas.DataFrame
            Open, high, low, close, volume, split_factor and factor by UTC timestamp. A bar of a day or longer carries
            its session date at 00:00 UTC.

        Raises
        ------
        DataError
            If a symbol has no bar there, or the question is wrong.
        SetupError
            If alpaca-py or the keys are missing, or Alpaca refuses them.
        VenueError
            If Alpaca does not answer, or its answers do not make one whole. Nothing is then returned.
        """
        span = self._span(parse_symbols(symbols), start, end, timeframe)
        found: dict[str, pd.DataFrame] = {}
        if self.settings.alpaca_data_feed == "test":
            raise SetupError(NO_HISTORY)
        with closing(Client(DATA, self.settings, self.timeout)) as client:
            walk = Walk(lambda parameters: client.ask("/stocks/bars", parameters), self._limit(), self.clock)
            for place in range(0, len(span.symbols), _SYMBOLS):
                some = Span(span.symbols[place : place + _SYMBOLS], span.start, span.end, span.timeframe)
                found |= self._some(walk, some)
        empty = [symbol for symbol, table in found.items() if table.empty]
        if empty:
            raise DataError(
                f"Alpaca ({self.settings.alpaca_data_feed}) has no complete {span.timeframe} bar of "
                f"{', '.join(empty[:20])} between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC. Check "
                f"the spelling and the dates, or leave {'it' if len(empty) == 1 else 'them'} out."
            )
        return found

    def download(
        self,
        store: Store,
        symbols: str | Iterable[str],
        start: Any,
        end: Any = None,
        timeframe: str | Timeframe = "1D",
    ) -> tuple[WriteReport, ...]:
        """Fetch bars and merge them into a store; errors as `fetch`, raised before anything is written.

        A stored series is fetched again from shortly before its last bar where the new span begins later, and to its
        last bar where the new span ends earlier, so that all its bars have factors of one day.

        Returns
        -------
        tuple of WriteReport
            One a symbol, in the order given.
        """
        wanted = self._span(parse_symbols(symbols), start, end, timeframe)
        keys = {symbol: SeriesKey(self.name, symbol, str(wanted.timeframe)) for symbol in wanted.symbols}
        stored = set(store.keys())
        groups: dict[tuple[pd.Timestamp, pd.Timestamp], list[str]] = {}
        for symbol, key in keys.items():
            first, last = wanted.start, wanted.end
            if key in stored:
                held = store.versions(key)[-1]
                first, last = min(first, max(held.first, held.last - _OVERLAP)), max(last, held.last)
            groups.setdefault((first, last), []).append(symbol)
        tables: dict[str, pd.DataFrame] = {}
        for (first, last), names in groups.items():
            tables |= self.fetch(names, first, last, wanted.timeframe)
        return tuple(
            store.write(key, tables[symbol], calendar=CALENDAR, origin=f"Alpaca {self.settings.alpaca_data_feed} feed")
            for symbol, key in keys.items()
        )

    def _span(self, symbols: tuple[str, ...], start: Any, end: Any, timeframe: str | Timeframe) -> Span:
        """The question, checked before anything is asked."""
        first, last, now = frames.moment(start, "start"), frames.moment(end, "end", whole_day=True), self.clock.now()
        if first is None:
            raise DataError("Say from when to fetch bars: start='2020-01-01'.")
        last = now if last is None else min(last, now)
        if first > last:
            raise DataError(f"The start {first} lies after the end {last} (now at the latest); give an earlier start.")
        span = Timeframe.parse(timeframe)
        if span.unit not in _UNITS:
            raise DataError(f"Alpaca has no bars of {span}. Its bars last minutes, hours, a day, a week or months.")
        return Span(symbols, first, last, span)

    def _limit(self) -> RateLimit:
        key = self.settings.secret("ALPACA_API_KEY_ID").get_secret_value()
        return shared_limit(key, self.settings.alpaca_requests_per_minute, self.clock)

    def _some(self, walk: Walk, span: Span) -> dict[str, pd.DataFrame]:
        """The bars of up to `_SYMBOLS` symbols."""
        answers = {}
        for adjustment in ("raw", "split", "all"):
            rows = walk.bars(_question(span, adjustment, self.settings.alpaca_data_feed), span.symbols)
            answers[adjustment] = {
                symbol: self._complete(ohlcv(bars, symbol, span.timeframe), span.timeframe)
                for symbol, bars in rows.items()
            }
        return {
            symbol: _joined(symbol, raw, answers["split"][symbol], answers["all"][symbol])
            for symbol, raw in answers["raw"].items()
        }

    def _complete(self, table: pd.DataFrame, timeframe: Timeframe) -> pd.DataFrame:
        """The bars that can no longer change."""
        now = self.clock.now()
        starts = pd.DatetimeIndex(table.index)
        if timeframe.intraday:
            return table.loc[starts + pd.Timedelta(seconds=timeframe.seconds) <= now]
        spans = {"D": pd.DateOffset(days=1), "W": pd.DateOffset(weeks=1), "ME": pd.DateOffset(months=timeframe.count)}
        last_days = (starts.tz_localize(None) + spans[timeframe.unit] - pd.Timedelta(days=1)).normalize()
        return table.loc[(last_days + _SETTLED) <= now.tz_convert(_ZONE).tz_localize(None)]


def _question(span: Span, adjustment: str, feed: str) -> Parameters:
    """The query of one kind of bars, worded by alpaca-py's own request."""
    requests, enums = need("alpaca.data.requests", _EXTRA), need("alpaca.data.enums", _EXTRA)
    units = need("alpaca.data.timeframe", _EXTRA)
    try:
        length = units.TimeFrame(span.timeframe.count, units.TimeFrameUnit[_UNITS[span.timeframe.unit]])
    except ValueError as err:
        raise DataError(f"Alpaca has no bars of {span.timeframe}: {err}") from err
    request = requests.StockBarsRequest(
        symbol_or_symbols=list(span.symbols),
        start=span.start.floor("us").to_pydatetime(),
        end=span.end.floor("us").to_pydatetime(),
        timeframe=length,
        adjustment=enums.Adjustment(adjustment),
        feed=enums.DataFeed(feed),
    )
    fields: dict[str, Any] = request.to_request_fields()
    plain = {"timeframe": length.value, "adjustment": adjustment, "feed": feed, "sort": "asc"}
    return {**fields, **plain}


def _joined(symbol: str, raw: pd.DataFrame, split: pd.DataFrame, everything: pd.DataFrame) -> pd.DataFrame:
    """Raw bars with the factors that the adjusted closes imply."""
    for other, what in ((split, "split-adjusted"), (everything, "fully adjusted")):
        if not raw.index.equals(other.index):
            lone = raw.index.symmetric_difference(other.index)
            raise VenueError(
                f"Alpaca gave {len(raw):,} raw and {len(other):,} {what} bars of {symbol} for one span, first apart at "
                f"{lone[0]}: one of the answers ended early. Nothing was kept; try again."
            )
    return raw.assign(split_factor=split["close"] / raw["close"], factor=everything["close"] / raw["close"])


class Side(NamedTuple):
    """One of Alpaca's REST servers: alpaca-py's class for it, and the setting that may hold another address."""

    module: str
    client: str
    setting: str


DATA: Final = Side("alpaca.data.historical.stock", "StockHistoricalDataClient", "ALPACA_DATA_REST_URL")
TRADING: Final = Side("alpaca.trading.client", "TradingClient", "ALPACA_TRADING_REST_URL")


class Client:
    """A real client of alpaca-py with its own retries and paging set aside, and a timeout given to its session.

    alpaca-py waits a fixed 3 s after a 429, asks again only after 429 and 504, and never times out. Its public `get`
    sends one request; the subclass below changes, as subclasses may, the two protected attributes that rule the rest.

    Raises
    ------
    SetupError
        If alpaca-py or the keys are missing.
    """

    def __init__(self, side: Side, settings: Settings, timeout: tuple[float, float] = TIMEOUT) -> None:
        names = ("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY")
        self._side = side
        self._secrets = tuple(settings.secret(name).get_secret_value() for name in names)
        root = getattr(settings, side.setting.lower())
        self._client = _client_class(side)(*self._secrets, root.rstrip("/") if root else None, timeout)

    def ask(self, path: str, parameters: Parameters) -> Any:
        """The decoded body of one request, or a `Failure`.

        Errors become values here, so that no exception with the library's own text, which may repeat what was sent, is
        chained to ours.
        """
        return self._sent(lambda: self._client.get(path, dict(parameters)))

    def send(self, method: str, path: str, body: Parameters | None = None) -> Any:
        """As `ask`, with POST, PATCH or DELETE: one request, which may have done its work though no answer came."""
        ways = {"POST": self._client.post, "PATCH": self._client.patch, "DELETE": self._client.delete}
        return self._sent(lambda: ways[method](path, None if body is None else dict(body)))

    def _sent(self, request: Callable[[], Any]) -> Any:
        api_errors = need("alpaca.common.exceptions", _EXTRA)
        network = need("requests.exceptions", _EXTRA)
        try:
            return request()
        except api_errors.APIError as err:
            response = err.response
            said = self._clean(_words(response))
            return Failure(err.status_code, said, dict(response.headers), self._side.setting, _code(response))
        except network.Timeout:
            return Failure(None, "no answer within the time allowed")
        except network.JSONDecodeError:
            return Failure(None, "the body is not JSON")
        except network.RequestException as err:
            return Failure(None, f"the connection failed ({type(err).__name__})")

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _clean(self, text: str) -> str:
        """The text without the keys, should the venue repeat them, on one line and not too long."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300].rstrip(".")


def _words(response: Any) -> str:
    """What an error answer says: its message if it is Alpaca's JSON, else its beginning."""
    try:
        body = response.json()
    except ValueError:
        return str(response.text) or str(response.reason)
    return str(body.get("message", body)) if isinstance(body, dict) else str(body)


def _code(response: Any) -> int | None:
    """Alpaca's own code of an error, if its answer has one."""
    try:
        code = response.json().get("code")
    except (ValueError, AttributeError):
        return None
    return code if isinstance(code, int) else None


def imported(module: str) -> Any:
    """A module of alpaca-py."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy, which says so loudly
        return need(module, _EXTRA)


def _client_class(side: Side) -> Any:
    kind = getattr(imported(side.module), side.client)

    class Patient(kind):  # type: ignore[misc, valid-type]  # a class found at run time
        """One request at a time: no retry, no redirect, a timeout."""

        def __init__(self, key: str, secret: str, root: str | None, timeout: tuple[float, float]) -> None:
            super().__init__(key, secret, raw_data=True, url_override=root)
            self._retry = 0
            send = self._session.request
            self.close = self._session.close
            self._session.request = lambda *given, **options: send(*given, **{"timeout": timeout, **options})

    return Patient
