"""The simulator: a market on one loopback port, with its streams, its REST side, its clock and its faults."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from tornado.httpserver import HTTPServer

from qtw_lab.core import DataError, SetupError
from qtw_lab.venues.market import Market
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.store import MemoryStore, Store
from qtw_lab.venues.paper.terms import AccountTerms
from qtw_lab.venues.simulator.broadcast import Broadcast, fakepaca_symbols
from qtw_lab.venues.simulator.choosing import beginning
from qtw_lab.venues.simulator.clock import MarketClock
from qtw_lab.venues.simulator.daily_bars import Days, keep_ready
from qtw_lab.venues.simulator.door import Door, House
from qtw_lab.venues.simulator.effects import Effects
from qtw_lab.venues.simulator.faults import Distortion, Faults
from qtw_lab.venues.simulator.limits import RateLimit
from qtw_lab.venues.simulator.scenario import Fault, Scenario, fault_of
from qtw_lab.venues.simulator.stream import FEEDS, DataStreams, Terms
from qtw_lab.venues.simulator.trading_rest import routes
from qtw_lab.venues.simulator.updates import UpdateStreams
from qtw_lab.venues.ticks import BAR, MINUTE_BAR, TICK, TRADE, Symbols
from qtw_lab.venues.wire.encoding import encode, encode_bars

_log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
#: The key and secret that work where none are given.
KEYS: Final = ("sim-key", "sim-secret")
#: How often the faults and the exchange are looked after, in seconds.
_TURN: Final = 0.01
#: How often the market's time is noted in the account's book, in seconds.
_MARKING: Final = 1.0


class Simulator:
    """A market that the unmodified clients of Alpaca can talk to, in a thread of its own.

    Parameters
    ----------
    market : Market
        What is played.
    port : int
        On 127.0.0.1; 0 for any that is free.
    speed : float
        Market seconds for each second; ``math.inf``: as fast as the slowest client reads.
    start : str or pandas.Timestamp
        "auto": when the first session of the market opens, or its first event if that is later; else a moment.
    scenario : Scenario, optional
        What goes wrong.
    keys : (str, str)
        A key and its secret.
    rate_limit : int
        Requests a minute by REST; 0 for no limit.
    terms : Terms, optional
        What the venue grants beyond that: feeds, connections, symbols, frames.
    hold : bool
        Whether the market's time stands still until somebody has subscribed.
    account : AccountTerms, optional
        Its cash, where its book is kept, and how orders fill. Where a book is there, the account and the market's time
        go on where they ended.

    Raises
    ------
    DataError
        If the start is no moment, the speed or the port is none; on `start`, if the book is of another market.
    SetupError
        On `start`, if the port is taken or another process has the book open.

    Examples
    --------
    >>> from qtw_lab.venues.simulator.recorded import RecordedMarket
    >>> from qtw_lab.venues.ticks import Symbols
    >>> rows = np.zeros(1, dtype=TICK)
    >>> rows["kind"], rows["time"], rows["price"], rows["size"] = ord("t"), 1_704_205_800 * 10**9, 10.0, 5.0
    >>> with Simulator(RecordedMarket.from_rows(rows, Symbols(["AAPL"]))) as simulator:
    ...     simulator.state()["clock"]["speed"], simulator.url == f"http://127.0.0.1:{simulator.port}"
    (1.0, True)
    """

    def __init__(
        self, market: Market, *, port: int = 0, speed: float = 1.0, start: str | pd.Timestamp = "auto",
        scenario: Scenario | None = None, keys: tuple[str, str] = KEYS, rate_limit: int = 200,
        terms: Terms | None = None, hold: bool = False, account: AccountTerms | None = None,
    ) -> None:  # fmt: skip
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
            raise DataError(f"The port {port!r} is none; give a whole number from 0 (any that is free) to 65535.")
        self.market, self.port = market, port
        self.terms = Terms({keys[0]: keys[1]}) if terms is None else terms
        self._account, self._book = account or AccountTerms(), MemoryStore()
        self.clock = MarketClock(beginning(market, start), speed, running=False)  # until clients can connect
        self.exchange = self._opened(self._book)
        self._hold = hold
        self._scenario = scenario or Scenario()
        self._limit = RateLimit(rate_limit)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._restarting = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of the REST side, market data and trading alike."""
        return f"http://{HOST}:{self.port}"

    def stream_url(self, feed: str = "iex") -> str:
        """Address of a market-data stream."""
        return f"ws://{HOST}:{self.port}/v2/{feed}"

    @property
    def updates_url(self) -> str:
        """Address of the trade-updates stream."""
        return f"ws://{HOST}:{self.port}/stream"

    def start(self) -> Self:
        """Serve from now on, in a thread of its own; returns when clients can connect."""
        if self._thread is not None:
            return self
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="qtw-simulator", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise
        return self

    def stop(self) -> None:
        """End every connection and the thread."""
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself, and its loop with it
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def fault(self, entry: Mapping[str, Any]) -> Fault:
        """Let something go wrong, as an entry of a scenario file describes it; seconds in `at` count from now.

        A fault without `at` is on when this returns.
        """
        fault = fault_of(entry)

        async def begin() -> None:
            self._faults.add(fault)
            await self._effects.turn()

        self._asked(begin)
        return fault

    def clear(self) -> None:
        """End every fault, and forget those to come."""

        async def end() -> None:
            self._faults.clear()
            await self._effects.turn()

        self._asked(end)

    def state(self) -> dict[str, Any]:
        """What goes on: clock, links, what was sent, what is wrong; the same as GET /simulator/state."""
        return dict(self._asked(self._state))

    async def serve(self, ready: Callable[[], None], stopping: asyncio.Event) -> None:
        """Serve on the running loop until `stopping` is set; `ready` is called when clients can connect.

        What fails in the market or the exchange ends the service and is raised.

        Raises
        ------
        SetupError
            If the port is taken, or another process has the account's book open.
        DataError
            If the book is of another market.
        """
        with closing(self._book if self._account.book is None else self._account.opened()) as book:
            if self._account.book is not None:
                self.clock = MarketClock(max(self.clock.nanoseconds, book.moment), self.clock.speed, running=False)
                self.exchange = self._opened(book)
            await self._serve(ready, stopping)

    def _opened(self, book: Store) -> PaperBroker:
        terms = self._account
        return PaperBroker(self.market, self.clock, terms.cash, model=terms.model, rules=terms.rules, store=book)

    async def _serve(self, ready: Callable[[], None], stopping: asyncio.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), stopping
        self._faults = Faults(self._scenario, self.clock)
        symbols = dict.fromkeys(FEEDS, self.market.symbols) | {"test": fakepaca_symbols()}
        self._data = DataStreams(self.terms, symbols, self._faults)
        self._updates = UpdateStreams(self.terms, self._faults)
        desk, days = ThreadPoolExecutor(4, "market-desk"), Days(self.market)
        self._house = House(
            routes(self.market, self.exchange, self.clock, days), self._data, self._updates, self._faults, self._limit,
            desk,
            {
                "GET /simulator/state": lambda _: self._state(),
                "POST /simulator/fault": self._faulted,
                "DELETE /simulator/fault": self._cleared,
                "POST /simulator/clock": self._clocked,
            },
        )  # fmt: skip
        self._effects = Effects(self._faults, self._data, self._updates, self._hang_up, self._reopen)
        self._broadcast = Broadcast(
            self.market, self.clock, self._data, Distortion(self._faults, self._scenario.seed)
        )  # fmt: skip
        await self._loop.run_in_executor(desk, _warm, self.market.symbols)
        self._listen()
        works = [
            asyncio.ensure_future(work)
            for work in (self._broadcast.run(), self._look_after(desk), keep_ready(days, self.clock))
        ]
        for work in works:
            work.add_done_callback(self._ended)
        if not self._hold:
            self.clock.resume()
        ready()
        try:
            await stopping.wait()
        finally:
            for work in works:
                work.cancel()
            outcomes = await asyncio.gather(*works, return_exceptions=True)
            await self._hang_up()
            desk.shutdown(wait=True, cancel_futures=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome

    def _run(self, ready: Future[None]) -> None:
        """The thread: a loop of its own until `stop`."""

        async def alone() -> None:
            await self.serve(lambda: ready.set_result(None), asyncio.Event())

        try:
            asyncio.run(alone())
        except BaseException as err:
            if ready.done():
                raise
            ready.set_exception(err)

    def _ended(self, work: asyncio.Future[None]) -> None:
        """A part of the server that ends by itself has failed: say so and end the rest rather than go on without it."""
        if not work.cancelled() and work.exception() is not None:
            _log.error("The simulator failed.", exc_info=work.exception())
            if self._stopping is not None:
                self._stopping.set()

    def _listen(self) -> None:
        # Tornado's bind_sockets leaves its socket open where the port is taken, so this one is bound by hand.
        listening = socket.socket()
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((HOST, self.port))
            listening.listen(128)
            listening.setblocking(False)  # noqa: FBT003  (the standard library's signature)
        except OSError as err:
            listening.close()
            raise SetupError(
                f"Port {self.port} on {HOST} cannot be listened to: {err}. Give another, or 0 for any."
            ) from err
        self.port = listening.getsockname()[1]
        self._door = Door(self._house)
        self._server = HTTPServer(self._door, max_body_size=1 << 20)
        self._server.add_sockets([listening])

    async def _hang_up(self) -> None:
        self._server.stop()
        await self._door.close()
        await self._server.close_all_connections()

    async def _reopen(self) -> None:
        """Serve again as a process does that was started anew: what it counted is forgotten, the account is not."""
        self._limit.forget()
        self._listen()

    async def _look_after(self, desk: ThreadPoolExecutor) -> None:
        """Begin and end faults, let orders meet the market, and tell what became of them."""
        loop = asyncio.get_running_loop()
        polled: asyncio.Future[int] | None = None
        marked = loop.time()
        while True:
            await self._effects.turn()
            if loop.time() - marked > _MARKING:
                marked = loop.time()
                await loop.run_in_executor(desk, self._keep_time)
            if self._hold and self._data.subscribed.is_set():
                self._hold = False
                self.clock.resume()
            if polled is None or polled.done():
                if polled is not None:
                    self._heed(polled)
                polled = loop.run_in_executor(desk, self.exchange.poll) if self.exchange.open_orders() else None
            self._updates.deliver(self.exchange.updates)
            await asyncio.sleep(_TURN)

    def _heed(self, polled: asyncio.Future[int]) -> None:
        """Go on if the book could not be written, for it may be possible again; fail if anything else went wrong."""
        try:
            polled.result()
        except SetupError as err:
            _log.warning("%s", err)

    def _keep_time(self) -> None:
        """Note in the book how far the market's time has come."""
        try:
            self.exchange.poll()
            self.exchange.mark()
        except SetupError as err:
            _log.warning("%s", err)

    def _asked(self, question: Callable[[], Any]) -> Any:
        """Ask the server's own thread."""
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            raise SetupError("The simulator does not run; start it first.")

        async def answer() -> Any:
            found = question()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(10)

    def _faulted(self, body: Any) -> dict[str, Any]:
        fault = fault_of(body, "request")
        self._faults.add(fault)
        return fault.plain()

    def _cleared(self, _: Any) -> dict[str, Any]:
        self._faults.clear()
        return self._faults.plain()

    def _clocked(self, body: Any) -> dict[str, Any]:
        """Change the clock: ``speed``, and ``running`` true or false."""
        if not isinstance(body, dict) or set(body) - {"speed", "running"}:
            raise DataError('A clock has speed and running: {"speed": 10, "running": true}.')
        if "speed" in body:
            self.clock.run_at(math.inf if body["speed"] == "inf" else body["speed"])
        if "running" in body:
            (self.clock.resume if body["running"] else self.clock.pause)()
        return self._clock_state()

    def _clock_state(self) -> dict[str, Any]:
        speed = self.clock.speed
        return {
            "now": self.clock.now().isoformat(), "speed": speed if math.isfinite(speed) else "inf",
            "running": self.clock.running, "ended": self.clock.nanoseconds >= self.market.span[1],
        }  # fmt: skip

    def _state(self) -> dict[str, Any]:
        return {
            "clock": self._clock_state(), "events": self._broadcast.events, "data": self._data.plain(),
            "updates": self._updates.plain(), "faults": self._faults.plain(),
        }  # fmt: skip


def _warm(symbols: Symbols) -> None:
    """Compile what encodes before the first client waits for it."""
    ticks, bars = np.zeros(1, dtype=TICK), np.zeros(1, dtype=BAR)
    ticks["kind"], bars["kind"] = TRADE, MINUTE_BAR
    encode(ticks, symbols)
    encode_bars(bars, symbols)
