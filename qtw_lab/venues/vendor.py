"""The market-data stream as alpaca-py's own client reads it."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from qtw_lab.venues.alpaca import stream_class
from qtw_lab.venues.backoff import Backoff, Trouble
from qtw_lab.venues.feeds import Inbound, Kind, steady
from qtw_lab.venues.link import Access, Limits
from qtw_lab.venues.subscription import Subscription, control_messages


class PyStreamFeed:
    """The stream as alpaca-py's own client reads it; satisfies `feeds.Feed`.

    For those who want the vendor's client between them and the venue. It connects, signs in and receives through
    alpaca-py's `StockDataStream`, in a thread with an event loop of its own. What comes in is handed over frame by
    frame, and not decoded there; pauses, refusals and subscriptions are dealt with as in `StreamFeed`, because
    alpaca-py tries for ever where no attempt can succeed. It reads more slowly than `StreamFeed`.

    Parameters
    ----------
    access : Access
        Address and keys.
    name : str
        What the feed is called.
    limits : Limits
        Times and sizes; `chunk` does not matter here.
    backoff : Backoff, optional
        Pauses between attempts.
    now : callable
        The time in nanoseconds since 1970, for `Inbound.received`.

    Raises
    ------
    SetupError
        If alpaca-py is not installed.
    """

    def __init__(
        self, access: Access, *, name: str = "alpaca-py", limits: Limits | None = None, backoff: Backoff | None = None,
        now: Callable[[], int] = steady,
    ) -> None:  # fmt: skip
        self._name, self._access, self._limits, self._now = name, access, limits or Limits(), now
        self._backoff = Backoff() if backoff is None else backoff
        self._kind = stream_class()
        self._found: queue.SimpleQueue[Inbound] = queue.SimpleQueue()
        self._subscription = Subscription()
        self._reason = ""
        self._closed = False
        self._ended = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._call = asyncio.Event()  # somebody wants something
        self._wishes: list[dict[str, dict[str, None]]] = []

    @property
    def name(self) -> str:
        """What the feed is called."""
        return self._name

    def open(self) -> None:
        """Begin to connect; returns at once."""
        if not self._closed and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name=self._name, daemon=True)
            self._thread.start()

    def subscribe(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Make this the whole subscription; errors as `StreamFeed.subscribe`."""
        self._wishes.append(Subscription.wish(wanted))
        self._wake()

    def reconnect(self, reason: str) -> None:
        """Give the present connection up and make a new one."""
        self._reason = reason
        self._wake()

    def close(self) -> None:
        """End at once, without waiting for the other side."""
        if self._closed:
            return
        self._closed = True
        self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(0.9)
        self._tell("ended")

    def read(self, seconds: float) -> Sequence[Inbound]:
        """What has come in; waits for it at most that long. Messages that came one after the other come as one."""
        if self._ended:
            return ()
        found: list[Inbound] = []
        with suppress(queue.Empty):
            found.append(self._found.get(timeout=max(0.0, seconds)))
            while len(found) < _QUEUED:
                found.append(self._found.get_nowait())
        self._ended = self._closed and self._found.empty()
        return _merged(found)

    def _wake(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._call.set)

    def _tell(self, state: str, **fields: Any) -> None:
        self._found.put(Inbound(self._now(), Kind.LINK, json.dumps({"state": state, **fields}).encode()))

    async def _live(self) -> None:
        """Connect again and again until it is over."""
        self._call, self._loop = asyncio.Event(), asyncio.get_running_loop()
        while not self._closed:
            self._reason = ""
            self._tell("connecting", attempt=1 + self._backoff.failures + self._backoff.refusals)
            stream = self._kind(self._access, self._limits)
            trouble = await self._lived(stream)
            await stream.drop()
            if self._closed:
                return
            seconds = self._backoff.pause(trouble)
            told = {"reason": trouble.reason, "code": trouble.code, "status": trouble.status}
            if trouble.verdict == "fatal":
                self._tell("fatal", **told)
                return
            self._tell(trouble.verdict, seconds=round(seconds, 3), **told)
            ends = self._loop.time() + seconds
            while not self._closed and (left := ends - self._loop.time()) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._call.wait(), left)
                self._call.clear()

    async def _lived(self, stream: Any) -> Trouble:
        """One connection from its beginning to its end; why it ended."""
        beginning = asyncio.ensure_future(stream.begin())
        trouble = await self._until(beginning)
        if trouble is not None:
            return trouble
        began = time.monotonic()
        self._tell("up")
        self._subscription.renew()
        receiving = asyncio.ensure_future(self._receive(stream))
        tending = asyncio.ensure_future(self._tend(stream))
        trouble = await self._until(receiving, tending)
        self._backoff.good(time.monotonic() - began)
        if not self._closed:
            self._tell("down", reason=trouble.reason if trouble else "")
        return trouble or Trouble("the stream ended")

    async def _until(self, *tasks: asyncio.Future[Any]) -> Trouble | None:
        """What the first of the tasks that ends comes to; the others are given up, as are all when somebody closes."""
        pending = set(tasks)
        while not any(task.done() for task in tasks) and not self._closed:
            await asyncio.wait(pending, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        troubles = [one for one in ended if isinstance(one, Trouble)]
        unknown = [one for one in ended if isinstance(one, Exception)]
        if unknown:
            troubles.append(Trouble(f"alpaca-py failed ({type(unknown[0]).__name__})"))
        return troubles[0] if troubles else None

    async def _receive(self, stream: Any) -> Trouble:
        """Hand over what comes in until nothing comes any more."""
        while True:
            frame = await stream.frame()
            if isinstance(frame, Trouble):
                return frame
            while self._found.qsize() > _QUEUED:  # the reader is slow: let the other side notice
                await asyncio.sleep(0.001)
            messages = list(control_messages(frame))
            if any(message["T"] == "error" for message in messages):
                frame = self._access.masked(frame)
            self._found.put(Inbound(self._now(), Kind.DATA, frame))
            for message in messages:
                trouble = self._heed(message)
                if trouble is not None:
                    return trouble

    def _heed(self, message: Mapping[str, Any]) -> Trouble | None:
        """React to a message of the stream about itself; the trouble if it ends the connection."""
        settled = False
        if message["T"] == "subscription":
            settled = self._subscription.confirm(message)
        elif message["T"] == "error":
            trouble = self._access.told(message)
            if trouble.ends:
                return trouble
            self._tell("warning", reason=trouble.reason, code=trouble.code)
            settled = self._subscription.refuse(trouble.code)
        if settled:
            self._tell("subscribed", **self._subscription.news())
        return None

    async def _tend(self, stream: Any) -> Trouble:
        """Send what is wished for, until the connection is given up."""
        loop, subscription = asyncio.get_running_loop(), self._subscription
        while not self._reason:
            if self._wishes:
                subscription.want(self._wishes.pop())
                self._wishes.clear()
            late = subscription.late(loop.time(), self._limits.answer)
            if late and not subscription.ask_again():
                return Trouble(late)
            if late:
                self._tell("warning", reason=late, code=0)
                self._tell("subscribed", **subscription.news())
            for question in subscription.due(loop.time(), self._limits.symbols):
                await stream.ask(question)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._call.wait(), 0.05 if subscription.answers else 1.0)
            self._call.clear()
        return Trouble(self._reason)


#: Frames that wait for a slow reader at most, and that one read gives at most.
_QUEUED: Final = 10_000


def _merged(found: list[Inbound]) -> list[Inbound]:
    """Data that follow each other made one, with the time of the last."""
    merged: list[Inbound] = []
    pieces: list[Inbound] = []
    for inbound in [*found, None]:
        if inbound is not None and inbound.kind == Kind.DATA:
            pieces.append(inbound)
            continue
        if pieces:
            merged.append(Inbound(pieces[-1].received, Kind.DATA, b"".join(piece.payload for piece in pieces)))
            pieces = []
        if inbound is not None:
            merged.append(inbound)
    return merged
