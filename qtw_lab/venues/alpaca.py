"""Alpaca: the addresses of its streams, the questions it answers by REST, and its own client of a stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import pandas as pd

from qtw_lab.core import Clock, DataError, Settings, SetupError, SystemClock, VenueError
from qtw_lab.core.extras import need
from qtw_lab.data.alpaca import DATA, NO_HISTORY, TIMEOUT, TRADING, Client, imported
from qtw_lab.data.pages import BARS, TRADES, Parameters, RowNames, Walk, answer, moments, rows_fault
from qtw_lab.data.ratelimit import RateLimit, retry_after, shared_limit
from qtw_lab.venues.backoff import Backoff, Trouble
from qtw_lab.venues.feeds import steady
from qtw_lab.venues.link import QUIET, Access, Limits
from qtw_lab.venues.stream import StreamFeed
from qtw_lab.venues.subscription import control_messages

_EXTRA: Final = "live"

#: Where Alpaca's market-data streams are; a feed's name follows.
STREAMS: Final = "wss://stream.data.alpaca.markets/v2/"

#: Requests a minute that the trading side allows an account. Source: Alpaca's documentation, "usage limits".
TRADING_PER_MINUTE: Final = 200

#: Symbols in one question: for rows by time, and for snapshots. The address of a request is limited in length: 500
#: symbols make about 4 kB, and servers take 8 kB.
_SYMBOLS: Final = 100
_SNAPSHOTS: Final = 500


def stream_access(settings: Settings) -> Access:
    """Address and keys of the market-data stream that the settings name.

    `alpaca_data_ws_url` is a full address, or the root of a server, to which /v2/ and the feed's name are added.

    Raises
    ------
    SetupError
        If the keys are not set.
    DataError
        If `alpaca_data_ws_url` is no address of a stream.

    Examples
    --------
    >>> keys = {"alpaca_api_key_id": "k", "alpaca_api_secret_key": "s", "_env_file": None}
    >>> stream_access(Settings(**keys)).address
    'wss://stream.data.alpaca.markets/v2/iex'
    >>> stream_access(Settings(alpaca_data_ws_url="ws://127.0.0.1:8765", alpaca_data_feed="sip", **keys)).address
    'ws://127.0.0.1:8765/v2/sip'
    """
    address = settings.alpaca_data_ws_url or STREAMS + settings.alpaca_data_feed
    if urlsplit(address).path in {"", "/"}:
        address = f"{address.rstrip('/')}/v2/{settings.alpaca_data_feed}"
    return Access(address, settings.secret("ALPACA_API_KEY_ID"), settings.secret("ALPACA_API_SECRET_KEY"))


def alpaca_feed(
    settings: Settings,
    *,
    limits: Limits | None = None,
    backoff: Backoff | None = None,
    now: Callable[[], int] = steady,
) -> StreamFeed:
    """The market-data stream that the settings name, by the client of this package; errors as `stream_access`."""
    name = f"alpaca-{settings.alpaca_data_feed}"
    return StreamFeed(stream_access(settings), name=name, limits=limits or Limits(), backoff=backoff, now=now)


class AlpacaReference:
    """What Alpaca answers when asked; satisfies `feeds.Reference`. Requests go out through alpaca-py, one at a time.

    Every question is asked again while that may help, after the pause that the answer asks for, and never more often
    than the plan allows; whatever comes in parts is whole or an error. Prices are raw.

    Parameters
    ----------
    settings : Settings
        Keys, feed, addresses, and requests a minute of the market-data side.
    clock : Clock
        Waits.
    timeout : pair of float
        Seconds to wait for a connection, and for the next bytes of an answer.

    Raises
    ------
    SetupError
        If alpaca-py or the keys are missing.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None, timeout: tuple[float, float] = TIMEOUT) -> None:
        clock = SystemClock() if clock is None else clock
        key = settings.secret("ALPACA_API_KEY_ID").get_secret_value()
        self._feed = settings.alpaca_data_feed
        limit = shared_limit(key, settings.alpaca_requests_per_minute, clock)
        self._data = _Side(Client(DATA, settings, timeout), limit, clock)
        limit = shared_limit(f"trading {key}", TRADING_PER_MINUTE, clock)
        self._trading = _Side(Client(TRADING, settings, timeout), limit, clock)

    def assets(self) -> list[dict[str, Any]]:
        """Every active and tradable US equity, as Alpaca describes it."""
        asked = {"status": "active", "asset_class": "us_equity"}
        found = self._trading.answer("/assets", asked, lambda body: rows_fault(body, ("symbol", "tradable")))
        if not found:
            raise VenueError("Alpaca named no asset at all, which cannot be. Try again later.")
        return [asset for asset in found if asset["tradable"]]

    def calendar(self, start: str, end: str) -> list[dict[str, Any]]:
        """Sessions from date to date, both included: date, open and close in New York time."""
        asked = {"start": start, "end": end}
        found: list[dict[str, Any]] = self._trading.answer(
            "/calendar", asked, lambda body: rows_fault(body, ("date", "open", "close"))
        )
        return found

    def clock(self) -> dict[str, Any]:
        """Alpaca's time, whether the market is open, and when it opens and closes next."""
        wanted = ("timestamp", "is_open", "next_open", "next_close")
        return dict(self._trading.answer("/clock", {}, lambda body: rows_fault([body], wanted)))

    def snapshots(self, symbols: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Snapshots by symbol; symbols that Alpaca does not know, or has nothing of, are not in it."""
        found: dict[str, dict[str, Any]] = {}
        for some in _groups(symbols, _SNAPSHOTS):
            body = self._known(some)
            found |= {symbol: dict(snapshot) for symbol, snapshot in body.items() if snapshot}
        return found

    def trades(self, symbols: Sequence[str], start: int, end: int) -> dict[str, list[dict[str, Any]]]:
        """Trades with ``start <= time < end`` (nanoseconds since 1970, UTC) by symbol, in order of time, all of them.

        Raises
        ------
        DataError
            If the span is empty, or Alpaca says that the question is wrong.
        SetupError
            If Alpaca refuses the keys, or the plan does not have the feed or so recent data.
        VenueError
            If Alpaca does not answer, or not in full.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        walk = self._data.walk("/stocks/trades", TRADES)
        for some in _groups(symbols, _SYMBOLS):
            found |= _within(walk.rows(self._span(some, start, end), tuple(some)), start, end)
        return found

    def bars(
        self, symbols: Sequence[str], timeframe: str, start: int, end: int, adjustment: str = "raw"
    ) -> dict[str, list[dict[str, Any]]]:
        """Bars that start in that span, by symbol in order of time; errors as `trades`."""
        walk = self._data.walk("/stocks/bars", BARS)
        found: dict[str, list[dict[str, Any]]] = {}
        for some in _groups(symbols, _SYMBOLS):
            asked = {**self._span(some, start, end), "timeframe": timeframe, "adjustment": adjustment}
            found |= {symbol: [dict(row) for row in rows] for symbol, rows in walk.rows(asked, tuple(some)).items()}
        return found

    def close(self) -> None:
        """End the connections."""
        self._data.client.close()
        self._trading.client.close()

    def _span(self, symbols: Sequence[str], start: int, end: int) -> dict[str, Any]:
        """A question about a span of time, whose end Alpaca includes."""
        if not 0 <= start < end:
            raise DataError(f"No time lies from {start} to before {end} ns; give an end after the start.")
        if self._feed == "test":
            raise SetupError(NO_HISTORY)
        times = {name: pd.Timestamp(time, tz="UTC").isoformat() for name, time in (("start", start), ("end", end - 1))}
        return {**times, "symbols": ",".join(symbols), "feed": self._feed, "sort": "asc"}

    def _known(self, symbols: list[str]) -> dict[str, Any]:
        """Snapshots of those of the symbols that Alpaca knows: it refuses a whole question for one it does not."""
        if self._feed == "test":
            raise SetupError("Alpaca's test feed has no snapshots. Set ALPACA_DATA_FEED to iex or sip.")
        allowed = frozenset(symbols)
        while symbols:
            asked = {"symbols": ",".join(symbols), "feed": self._feed}
            try:
                body = self._data.answer("/stocks/snapshots", asked, lambda found: _symbols_fault(found, allowed))
            except DataError as err:
                named = set(re.findall(r"[\w/-]+(?:\.\w+)*", str(err).partition("invalid symbol")[2])) & set(symbols)
                if not named:
                    raise
                symbols = [symbol for symbol in symbols if symbol not in named]
            else:
                return dict(body)
        return {}


def _groups(symbols: Sequence[str], size: int) -> Iterator[list[str]]:
    """The symbols, each once, in groups."""
    if isinstance(symbols, str):
        raise DataError(f"The symbols are the text {symbols!r}; give a list, such as [{symbols!r}].")
    unique = list(dict.fromkeys(symbols))
    for begin in range(0, len(unique), size):
        yield unique[begin : begin + size]


def _within(rows: Mapping[str, Sequence[Mapping[str, Any]]], start: int, end: int) -> dict[str, list[dict[str, Any]]]:
    """The trades, once they are known to lie in the span."""
    for symbol, trades in rows.items():
        ends = moments([row["t"] for row in (*trades[:1], *trades[-1:])], symbol, "trades")
        if len(ends) and not start <= ends[0].value <= ends[-1].value < end:
            raise VenueError(f"Alpaca gave trades of {symbol} of another time. Nothing was kept.")
    return {symbol: [dict(row) for row in trades] for symbol, trades in rows.items()}


def _symbols_fault(body: Any, symbols: Collection[str]) -> str:
    whole = isinstance(body, Mapping) and all(one is None or isinstance(one, Mapping) for one in body.values())
    if not whole:
        return "the body is no object by symbol"
    return "" if body.keys() <= set(symbols) else "the body has symbols that were not asked for"


class _Side:
    """One of Alpaca's two REST servers: a client that sends one request at a time, and the limit of its requests."""

    def __init__(self, client: Client, limit: RateLimit, clock: Clock) -> None:
        self.client, self.limit, self._clock = client, limit, clock

    def answer(self, path: str, parameters: Parameters, fault: Callable[[Any], str]) -> Any:
        """The body of a good answer; as `qtw_lab.data.pages.answer`."""
        return answer(lambda: self.client.ask(path, parameters), self.limit, self._clock, fault, path)

    def walk(self, path: str, names: RowNames) -> Walk:
        """All pages of a question."""
        return Walk(lambda parameters: self.client.ask(path, parameters), self.limit, self._clock, names)


def stream_class() -> Any:  # noqa: C901  (a class in a function: its methods are counted together)
    """alpaca-py's client of the stock stream, taken apart for `vendor.PyStreamFeed`."""
    live = imported("alpaca.data.live.stock")
    closed = need("websockets.exceptions", _EXTRA)

    class Stream(live.StockDataStream):  # type: ignore[misc, name-defined]  # a class found at run time
        """alpaca-py's stream client, taken apart: begin, take frames, ask, drop."""

        def __init__(self, access: Access, limits: Limits) -> None:
            parameters = {
                "ping_interval": limits.ping, "ping_timeout": limits.pong, "max_queue": 1024, "compression": None,
                "max_size": limits.message, "close_timeout": 0.2, "open_timeout": limits.connecting,
                "logger": QUIET,
            }  # fmt: skip  # alpaca-py drops its own where any are given
            super().__init__(
                access.key.get_secret_value(), access.secret.get_secret_value(), raw_data=True,
                websocket_params=parameters, url_override=access.address,
            )  # fmt: skip
            self._access, self._limits = access, limits

        async def begin(self) -> Trouble | None:
            """Connect and sign in; the trouble if that failed."""
            try:
                await asyncio.wait_for(self._start_ws(), self._limits.connecting)
            except TimeoutError:
                return Trouble(f"{self._access.place} did not let us sign in within {self._limits.connecting:g} s")
            except closed.InvalidStatusCode as err:
                wait = retry_after(err.headers.get("Retry-After", ""), pd.Timestamp.now(tz="UTC"))
                return Trouble(
                    f"the handshake was answered with {err.status_code}", status=err.status_code, wait=wait or 0.0
                )
            except (OSError, ValueError, closed.WebSocketException) as err:
                return Trouble(f"no connection to {self._access.place} ({type(err).__name__}: {err})")
            return self.refusal

        refusal: Trouble | None = None

        async def _auth(self) -> None:
            """Show the keys; `refusal` says why they were turned down, with the code that alpaca-py would lose."""
            await self._ws.send(self._access.sign_in())
            for message in control_messages(framed(await self._ws.recv())):
                if message["T"] == "error" and message.get("code") != 403:
                    self.refusal = self._access.turned_down(message)

        async def frame(self) -> bytes | Trouble:
            """The next message, framed as in `Kind.DATA`, or why there is none."""
            try:
                return framed(await self._ws.recv())
            except closed.ConnectionClosed as err:
                return Trouble(self._access.clean(f"the connection ended ({err})"))

        async def ask(self, question: bytes) -> None:
            """Send a message."""
            with suppress(closed.ConnectionClosed):  # receiving tells
                await self._ws.send(question)

        async def drop(self) -> None:
            """End the connection without waiting for the other side."""
            if self._ws is not None:
                with suppress(OSError, TimeoutError, closed.WebSocketException):
                    await asyncio.wait_for(self._ws.close(), 0.3)
                self._ws.transport.abort()

    return Stream


def framed(message: str | bytes) -> bytes:
    """A message as in a payload of `Kind.DATA`."""
    content, opcode = (message.encode(), 1) if isinstance(message, str) else (message, 2)
    return len(content).to_bytes(4, "little") + bytes([opcode]) + content
