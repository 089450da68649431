"""The market-data stream: who may listen to what, in Alpaca's words.

Source: Alpaca's documents "WebSocket Stream" and "Real-time Stock Data" (docs.alpaca.markets/docs/streaming-market-data
and /real-time-stock-pricing-data): greeting, signing in by message or headers, subscriptions and their
acknowledgements, codes and words of errors, control messages alone in their array. What they leave open is decided
here: links are closed after 404, 406, 407 and 409 and stay open after the others; subscriptions are listed sorted;
`/v2/iex` and `/v2/sip` both carry the market's whole trades and quotes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.venues.feeds import CHANNELS
from qtw_lab.venues.simulator.faults import Faults
from qtw_lab.venues.simulator.link import BINARY, TEXT, Link, Message, head
from qtw_lab.venues.simulator.subscriptions import Subscription, asked_for
from qtw_lab.venues.ticks import Rows, Symbols
from qtw_lab.venues.wire.encoding import encode, encode_bars, plain
from qtw_lab.venues.wire.messages import pack, unpack

#: Feeds that have an address, whether or not this market offers them.
FEEDS: Final = ("iex", "sip", "delayed_sip", "test")
#: Errors by their codes.
ERRORS: Final[Mapping[int, str]] = {
    400: "invalid syntax", 401: "not authenticated", 402: "auth failed", 403: "already authenticated",
    404: "auth timeout", 405: "symbol limit exceeded", 406: "connection limit exceeded", 407: "slow client",
    408: "v2 not enabled", 409: "insufficient subscription", 410: "invalid subscribe action for this feed",
    500: "internal error",
}  # fmt: skip
#: Errors after which the link is closed.
_LAST_WORDS: Final = (404, 406, 407, 409)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the venue grants.

    Parameters
    ----------
    keys : mapping of str to str
        Secrets by key.
    feeds : tuple of str
        Feeds that the keys may listen to; others are refused with 409.
    connections : int
        Links that a key may have to one feed.
    symbol_limit : int, optional
        Most symbols of trades and quotes together, on one link.
    auth_seconds : float
        How long a client may take to sign in.
    batch : int
        Most events in one frame.
    buffer_bytes : int
        How much may wait for a slow client before it is cut off.
    """

    keys: Mapping[str, str] = field(repr=False)
    feeds: tuple[str, ...] = ("iex", "sip", "test")
    connections: int = 1
    symbol_limit: int | None = None
    auth_seconds: float = 10.0
    batch: int = 100
    buffer_bytes: int = 64 << 20

    def known(self, key: Any, secret: Any) -> bool:
        """Whether this is a key and its secret."""
        return isinstance(key, str) and isinstance(secret, str) and key in self.keys and self.keys[key] == secret


class DataStreams:
    """Every link to the market-data stream.

    Parameters
    ----------
    terms : Terms
        What the venue grants.
    symbols : mapping of str to Symbols
        Numbers of the symbols, by feed.
    faults : Faults
        What is wrong at the moment.
    """

    def __init__(self, terms: Terms, symbols: Mapping[str, Symbols], faults: Faults) -> None:
        self.terms, self.symbols, self.faults = terms, symbols, faults
        self.sessions: list[DataSession] = []
        self.counts = np.zeros(len(CHANNELS) + 1, dtype=np.int64)
        self.errors: dict[int, int] = {}
        self.accepted = 0
        self.lost = 0
        self.subscribed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, link: Link, feed: str, *, binary: bool, key: str | None, secret: str | None) -> None:
        """Talk to a client until its link ends."""
        session = DataSession(self, link, feed, binary=binary)
        self.sessions.append(session)
        self.accepted += 1
        try:
            await session.run(key, secret)
        finally:
            self.sessions.remove(session)
            self.lost += link.lost

    def taken(self, session: DataSession) -> int:
        """How many links the session's key has to its feed already."""
        return sum(
            other is not session and other.feed == session.feed and other.key == session.key and not other.link.closed
            for other in self.sessions
        )

    def deliver(self, rows: Rows, feeds: tuple[str, ...]) -> None:
        """Send events or bars to those who listen to them."""
        if len(rows):
            for session in tuple(self.sessions):
                if session.feed in feeds and session.listening:
                    session.deliver(rows)

    def wanted(self, channels: tuple[str, ...]) -> bool:
        """Whether anybody listens to one of these channels, beside the test stream."""
        return any(
            session.wanted.symbols[channel]
            for session in self.sessions
            if session.feed != "test"
            for channel in channels
        )

    @property
    def backlog(self) -> int:
        """The most that waits to be sent on one link, in bytes."""
        return max((session.link.backlog for session in self.sessions), default=0)

    def apart(self, work: Any) -> None:
        """Do something that takes a while beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def plain(self) -> dict[str, Any]:
        """What goes on, for the state page."""
        names = (*CHANNELS, "other")
        return {
            "sent": {name: int(count) for name, count in zip(names, self.counts, strict=True)},
            "errors": {str(code): count for code, count in sorted(self.errors.items())},
            "accepted": self.accepted,
            "lost_bytes": self.lost + sum(session.link.lost for session in self.sessions),
            "links": [session.plain() for session in self.sessions],
        }


class DataSession:
    """One client of the market-data stream.

    Parameters
    ----------
    streams : DataStreams
        All of them.
    link : Link
        This client's.
    feed : str
        Which it came for.
    binary : bool
        Whether it is spoken to in MessagePack; else JSON.
    """

    def __init__(self, streams: DataStreams, link: Link, feed: str, *, binary: bool) -> None:
        self.streams, self.link, self.feed, self.binary = streams, link, feed, binary
        self.key: str | None = None
        self.wanted = Subscription()
        self.symbols = streams.symbols[feed]
        self._actions: dict[str, Callable[[dict[str, Any]], None]] = {
            "auth": self._auth, "subscribe": self._subscribe, "unsubscribe": self._unsubscribe,
        }  # fmt: skip

    @property
    def listening(self) -> bool:
        """Whether it is signed in and has subscribed to something."""
        return self.key is not None and bool(self.wanted)

    async def run(self, key: str | None, secret: str | None) -> None:
        """Greet, then answer what comes until the link ends."""
        faults = self.streams.faults
        drip = faults.on("drip", "data")
        if drip is not None:
            self.link.drip(drip["bytes_per_second"])
        mute = faults.on("mute", "data")
        self.link.muted = mute is not None and mute["fresh"]
        if faults.on("silent_accept", "data") is not None:
            async for _ in self.link.messages():
                pass
            return
        self.say({"T": "success", "msg": "connected"})
        timer = asyncio.get_running_loop().call_later(self.streams.terms.auth_seconds, self._too_late)
        try:
            if key is not None:
                self._auth({"key": key, "secret": secret})
            async for message in self.link.messages():
                self.heed(message)
        finally:
            timer.cancel()

    def heed(self, message: Message) -> None:
        """Answer one message."""
        try:
            packed = message.opcode == BINARY and self.binary
            content = unpack(message.content) if packed else json.loads(message.content)
        except (DataError, ValueError, RecursionError):
            self.refuse(400)
            return
        action = self._actions.get(str(content.get("action"))) if isinstance(content, dict) else None
        if action is None:
            self.refuse(400)
        else:
            action(content)

    def say(self, message: Mapping[str, Any]) -> None:
        """Send one control message, alone in its array."""
        if self.binary:
            self.link.send(BINARY, pack([message]))
        else:
            self.link.send(TEXT, json.dumps([message], separators=(",", ":")).encode())

    def refuse(self, code: int, message: str = "", *, last: bool | None = None) -> None:
        """Send an error; the link ends after the gravest."""
        self.streams.errors[code] = self.streams.errors.get(code, 0) + 1
        self.say({"T": "error", "code": code, "msg": message or ERRORS.get(code, "error")})
        if code in _LAST_WORDS if last is None else last:
            self.streams.apart(self.link.close(1000))

    def deliver(self, rows: Rows) -> None:
        """Send the rows that are wanted, in frames."""
        rows, counts = self.wanted.chosen(rows, self.symbols)
        if not len(rows):
            return
        self.link.put(self._frames(rows))
        if not self.link.muted:
            self.streams.counts += counts
        if self.link.overrun and not self.link.closing:
            self.refuse(407)

    def plain(self) -> dict[str, Any]:
        """What it is, for the state page; never its key."""
        return {
            "feed": self.feed, "format": "msgpack" if self.binary else "json", "authenticated": self.key is not None,
            "symbols": {name: len(symbols) for name, symbols in self.wanted.symbols.items() if symbols},
            "backlog": self.link.backlog, "bytes": self.link.sent, "muted": self.link.muted,
        }  # fmt: skip

    def _frames(self, rows: Rows) -> bytes:
        batch, parts = self.streams.terms.batch, list[bytes]()
        bars = "open" in (rows.dtype.names or ())
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            if self.binary:
                content = encode_bars(part, self.symbols) if bars else encode(part, self.symbols)
            else:
                content = json.dumps(plain(part, self.symbols), separators=(",", ":")).encode()
            parts += (head(BINARY if self.binary else TEXT, len(content)), content)
        return b"".join(parts)

    def _too_late(self) -> None:
        if self.key is None:
            self.refuse(404)

    def _auth(self, message: dict[str, Any]) -> None:
        terms, faults = self.streams.terms, self.streams.faults
        if self.key is not None:
            self.refuse(403)
            return
        fault = faults.on("auth", "data")
        if fault is not None:
            self.refuse(fault["code"])
            return
        key = message.get("key")
        if not terms.known(key, message.get("secret")):
            self.refuse(402)
        elif self.feed not in terms.feeds:
            self.refuse(409)
        else:
            self.key = key
            if self.streams.taken(self) >= terms.connections:
                self.key = None
                self.refuse(406)
            else:
                self.say({"T": "success", "msg": "authenticated"})

    def _subscribe(self, message: dict[str, Any]) -> None:
        self._settle(self.wanted.added, message)

    def _unsubscribe(self, message: dict[str, Any]) -> None:
        self._settle(self.wanted.without, message)

    def _settle(self, change: Callable[[Mapping[str, set[str]]], Subscription], message: dict[str, Any]) -> None:
        """Change the subscription as a message asks, and say what it is now."""
        asked = asked_for(message) if self.key is not None else 401
        if isinstance(asked, int):
            self.refuse(asked)
            return
        wanted = change(asked)
        fault = self.streams.faults.on("symbol_limit")
        limit = self.streams.terms.symbol_limit if fault is None else fault["limit"]
        if limit is not None and wanted.counted > max(limit, self.wanted.counted):
            self.refuse(405)
            return
        self.wanted = wanted
        self.say({"T": "subscription", **wanted.listed()})
        if self.feed != "test" and wanted:
            self.streams.subscribed.set()
