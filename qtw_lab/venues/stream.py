"""A thin client of a market-data websocket: it connects, signs in, subscribes, reads, and begins anew when it must."""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from qtw_lab.core import VenueError
from qtw_lab.venues.backoff import Backoff, Trouble
from qtw_lab.venues.feeds import Inbound, Kind, steady
from qtw_lab.venues.link import Access, Attempt, Limits, Link, closed
from qtw_lab.venues.subscription import Subscription, control_messages
from qtw_lab.venues.wire.framing import BINARY, CLOSE, PING, PONG, client_frame

#: Longest time waited at once, in seconds: an operating system does not know for ever.
_LONGEST: Final = 3600.0


class _Bell:
    """Waits for a socket and for those who ring."""

    def __init__(self) -> None:
        self._ringing, self._rung = socket.socketpair()
        self._ringing.settimeout(0.0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._rung, selectors.EVENT_READ)
        self._watched: tuple[socket.socket, int] | None = None

    def watch(self, sock: socket.socket | None, *, sending: bool = False) -> None:
        """Wait for this socket from now on: for what comes in, and for room to send."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if sending else 0)
        wanted = None if sock is None else (sock, events)
        if wanted == self._watched:
            return
        if self._watched is not None:
            self._selector.unregister(self._watched[0])
        if sock is not None:
            self._selector.register(sock, events)
        self._watched = wanted

    def wait(self, seconds: float) -> None:
        """Return after that time, or as soon as there is something."""
        with suppress(OSError, ValueError):  # closed by a signal's handler in the meantime
            for key, _ in self._selector.select(min(max(0.0, seconds), _LONGEST)):
                if key.fileobj is self._rung:
                    self._rung.recv(4096)

    def ring(self) -> None:
        """End the wait, from any thread."""
        with suppress(OSError):  # closed, or full of calls already
            self._ringing.send(b"\0")

    def close(self) -> None:
        """End."""
        self._selector.close()
        self._ringing.close()
        self._rung.close()


class StreamFeed:
    """A stream of market data over a websocket, in Alpaca's protocol; satisfies `feeds.Feed`.

    One reader calls `read`; the other methods may be called from anywhere. Connecting happens in a thread that lives
    for the attempt only, all else in `read`. A connection counts as lost when it ends, breaks the protocol, gives no
    byte for `limits.pong` seconds after a ping, or no answer to a subscription twice for `limits.answer`; one that is
    alive but silent is for a reader to notice who knows what should come. Compression is not offered.

    Parameters
    ----------
    access : Access
        Address and keys.
    name : str
        What the feed is called.
    limits : Limits
        Times and sizes.
    backoff : Backoff, optional
        Pauses between attempts.
    now : callable
        The time in nanoseconds since 1970, for `Inbound.received`.
    monotonic : callable
        Seconds on a clock that is never set, for all waiting.

    Examples
    --------
    >>> from pydantic import SecretStr
    >>> feed = StreamFeed(Access("ws://127.0.0.1:9/v2/iex", SecretStr("key"), SecretStr("secret")))
    >>> feed.subscribe({"trades": ["AAPL", "MSFT"]})
    >>> feed.close()
    >>> [bytes(inbound.payload) for inbound in feed.read(0)]
    [b'{"state": "ended"}']
    """

    def __init__(
        self,
        access: Access,
        *,
        name: str = "stream",
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        now: Callable[[], int] = steady,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._access, self._limits = name, access, limits or Limits()
        self._backoff = Backoff() if backoff is None else backoff
        self._now, self._monotonic = now, monotonic
        self._link: Link | None = None
        self._attempt: Attempt | None = None
        self._due = float("inf")  # when the next attempt begins
        self._found: list[Inbound] = []
        self._subscription = Subscription()
        self._wishes: deque[dict[str, dict[str, None]]] = deque(maxlen=1)
        self._given_up: deque[str] = deque(maxlen=1)
        self._state = "idle"
        self._reading = threading.RLock()
        self._bell: _Bell | None = None

    @property
    def name(self) -> str:
        """What the feed is called."""
        return self._name

    def open(self) -> None:
        """Begin to connect; returns at once. Does nothing on a feed that is open or was closed."""
        if self._state in {"idle", "fatal"}:
            if self._bell is None:
                self._bell = _Bell()
            self._state, self._due = "open", self._monotonic()
            self._wake()

    def subscribe(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Make this the whole subscription; what comes first among the symbols of a channel is asked for first.

        Raises
        ------
        DataError
            If a channel does not exist, or the symbols of one are a single text.
        """
        self._wishes.append(Subscription.wish(wanted))
        self._wake()

    def reconnect(self, reason: str) -> None:
        """Give the present connection up, if there is one, and make a new one after the usual pause."""
        self._given_up.append(reason)
        self._wake()

    def close(self) -> None:
        """End at once, without waiting for the other side."""
        if self._state == "closed":
            return
        self._state = "closed"
        self._wake()
        with self._reading:
            if self._attempt is not None:
                self._attempt.cancel()
            if self._link is not None:
                self._link.close()
            self._attempt = self._link = None
            self._tell("ended")
            if self._bell is not None:
                self._bell.close()

    def read(self, seconds: float) -> Sequence[Inbound]:
        """What has come in; waits for it at most that long, and gives nothing then.

        Gives what one read of the socket brought, as one `Inbound` of all messages that it made whole. Link news follow
        the data they came with. Before the feed is opened and after it was closed it gives nothing, at once.
        """
        with self._reading:
            until = self._monotonic() + seconds
            while True:
                if self._state != "closed":
                    self._step()
                if self._found:
                    found, self._found = self._found, []
                    return found
                now = self._monotonic()
                if now >= until or self._state == "closed" or self._bell is None:
                    return ()
                self._wait(self._bell, min(until, self._next()) - now)

    def _step(self) -> None:
        """Do what can be done without waiting."""
        now = self._monotonic()
        if self._link is not None:
            self._receive(self._link, now)
            if self._link is not None:
                self._tend(self._link, now)
        elif self._attempt is not None:
            self._conclude(self._attempt, now)
        elif now >= self._due:
            self._due = float("inf")
            self._tell("connecting", attempt=1 + self._backoff.failures + self._backoff.refusals)
            self._attempt = Attempt(self._access, self._limits, self._monotonic, self._wake)
            self._attempt.start()

    def _receive(self, link: Link, now: float) -> None:
        try:
            count = link.fill(self._limits.chunk)
        except OSError as err:
            self._lose(Trouble(f"the connection broke ({type(err).__name__})"), now)
            return
        if count is None:
            if link.heard < link.pinged <= now - self._limits.pong:
                self._lose(Trouble(f"no sign of life for {now - link.heard:.0f} s, a ping unanswered"), now)
            return
        if count == 0:
            self._lose(Trouble("the other side ended the connection"), now)
            return
        received, link.heard = self._now(), now
        try:
            deframed = link.deframer.took(count)
        except VenueError as err:
            self._lose(Trouble(str(err)), now)
            return
        self._deliver(deframed.payload, received, now)
        for opcode, content in deframed.controls:
            if opcode == PING:
                link.send(client_frame(PONG, content))
            elif opcode == CLOSE and self._link is not None:
                self._lose(closed(content, self._access), now)
        if link.deframer.problem and self._link is not None:
            self._lose(Trouble(link.deframer.problem), now)

    def _deliver(self, payload: bytes | memoryview, received: int, now: float) -> None:
        """Hand messages on, and heed those that are about the stream."""
        if not len(payload):
            return
        messages = list(control_messages(payload))
        if any(message["T"] == "error" for message in messages):
            payload = self._access.masked(bytes(payload))
        self._found.append(Inbound(received, Kind.DATA, payload))
        for message in messages:
            if message["T"] == "subscription":
                if self._subscription.confirm(message):
                    self._tell("subscribed", **self._subscription.news())
            elif message["T"] == "error" and self._link is not None:
                self._heed(self._access.told(message), now)

    def _heed(self, trouble: Trouble, now: float) -> None:
        """React to an error that the stream told."""
        if trouble.ends:
            self._lose(trouble, now)
            return
        self._tell("warning", reason=trouble.reason, code=trouble.code)
        if self._subscription.refuse(trouble.code):
            self._tell("subscribed", **self._subscription.news())

    def _tend(self, link: Link, now: float) -> None:
        """Do what a good connection needs."""
        if self._given_up:
            self._lose(Trouble(self._given_up.pop()), now)
            return
        subscription = self._subscription
        if self._wishes:
            subscription.want(self._wishes.pop())
        late = subscription.late(now, self._limits.answer)
        if late and not subscription.ask_again():
            self._lose(Trouble(late), now)
            return
        if late:
            self._tell("warning", reason=late, code=0)
            self._tell("subscribed", **subscription.news())
        for question in subscription.due(now, self._limits.symbols):
            link.send(client_frame(BINARY, question))
        if now - link.pinged >= self._limits.ping and link.heard >= link.pinged:
            link.pinged = now
            link.send(client_frame(PING))
        elif link.outbox:
            link.flush()

    def _conclude(self, attempt: Attempt, now: float) -> None:
        """Take over what an attempt came to, if it has ended."""
        outcome = attempt.outcome
        if outcome is None and now > attempt.ends + 1.0:  # it hangs where it cannot be interrupted: a name server
            attempt.cancel()
            outcome = attempt.too_slow()
        if outcome is None:
            return
        self._attempt = None
        if isinstance(outcome, Trouble):
            self._plan(outcome, now)
            return
        self._link = outcome
        self._given_up.clear()
        outcome.since = outcome.heard = outcome.pinged = now
        self._subscription.renew()
        self._tell("up")
        self._deliver(outcome.begun, self._now(), now)

    def _lose(self, trouble: Trouble, now: float) -> None:
        """End the connection, say why, and plan the next."""
        if self._link is not None:
            if self._bell is not None:
                self._bell.watch(None)
            self._link.close()
            self._backoff.good(now - self._link.since)
            self._link = None
            self._tell("down", reason=trouble.reason)
        self._plan(trouble, now)

    def _plan(self, trouble: Trouble, now: float) -> None:
        seconds, verdict = self._backoff.pause(trouble), trouble.verdict
        self._due = now + seconds
        told = {"reason": trouble.reason, "code": trouble.code, "status": trouble.status}
        if verdict == "fatal":
            self._state = "fatal"
            self._tell("fatal", **told)
        else:
            self._tell(verdict, seconds=round(seconds, 3), **told)

    def _tell(self, state: str, **fields: Any) -> None:
        self._found.append(Inbound(self._now(), Kind.LINK, json.dumps({"state": state, **fields}).encode()))

    def _next(self) -> float:
        """When something is to be done even if nothing comes in."""
        link, subscription = self._link, self._subscription
        if link is None:
            return self._attempt.ends + 1.001 if self._attempt is not None else self._due
        pinging = link.pinged + (self._limits.ping if link.heard >= link.pinged else self._limits.pong)
        return min(pinging, subscription.since + self._limits.answer) if subscription.answers else pinging

    def _wait(self, bell: _Bell, seconds: float) -> None:
        """Wait until something comes in, there is room to send, or somebody calls."""
        link = self._link
        bell.watch(link.sock if link is not None else None, sending=link is not None and bool(link.outbox))
        bell.wait(seconds)

    def _wake(self) -> None:
        if self._bell is not None:
            self._bell.ring()
