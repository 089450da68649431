"""What a stream of market data is to those who read it: a `Feed` gives `Inbound` things in the order they came."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Protocol

#: Channels of a stream, by the names the wire has for them.
CHANNELS: Final = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")

#: What turns the processor's clock into time since 1970.
_BEGAN: Final = time.time_ns() - time.monotonic_ns()


class Kind(IntEnum):
    """What came in."""

    #: Messages of a stream, each after its length (4 bytes, little endian) and the websocket opcode (1 byte: 1 text,
    #: 2 binary).
    DATA = 1
    #: News of the link, JSON: see `LINK_STATES`.
    LINK = 2
    #: The answer to a question that was asked by REST, JSON.
    ANSWER = 3
    #: Time passed and nothing came.
    BEAT = 4


#: What a link's news can say in its field `state`:
#: "connecting" (with `attempt`), "up" (authenticated), "subscribed" (with the confirmed `channels`, each the number of
#: its symbols, and `missing`, what was asked for and not confirmed), "down" (with `reason`, was up before), "waiting"
#: (with `seconds` until the next attempt and `reason`), "refused" (406: the slot is taken; with `seconds`), "fatal"
#: (there will be no further attempt; with `reason`), "ended" (a replay is over, or it was closed), "warning" (with
#: `reason`).
LINK_STATES: Final = ("connecting", "up", "subscribed", "down", "waiting", "refused", "fatal", "ended", "warning")


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing that came in.

    Parameters
    ----------
    received : int
        When, in nanoseconds since 1970 on the reader's clock.
    kind : Kind
        What.
    payload : bytes or memoryview
        Its content. A memoryview is good until the feed is read again.
    """

    received: int
    kind: Kind
    payload: bytes | memoryview = b""


class Feed(Protocol):
    """A stream of market data.

    A feed connects, signs in, subscribes and, when the link breaks, does so again by itself, with growing pauses. It
    says so by `Kind.LINK` things among the data. It has no thread that its reader would have to know of, and none of
    its methods blocks longer than it is told to.
    """

    @property
    def name(self) -> str:
        """What the feed is called, such as "alpaca-iex" or "simulator"."""
        ...

    def open(self) -> None:
        """Begin to connect; returns at once."""
        ...

    def read(self, seconds: float) -> Sequence[Inbound]:
        """What has come in; waits for it at most that long, and gives nothing then."""
        ...

    def subscribe(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Make this the whole subscription, symbols by channel ("*" for all); only differences are sent."""
        ...

    def reconnect(self, reason: str) -> None:
        """Give the present connection up and make a new one."""
        ...

    def close(self) -> None:
        """End at once, without waiting for the other side."""
        ...


class Reference(Protocol):
    """Questions a market answers when asked: what `live` needs beside the stream. Every method may take seconds.

    All raise `SetupError` where keys are missing or refused, and `VenueError` where the venue does not answer, or not
    in full.
    """

    def assets(self) -> list[dict[str, Any]]:
        """Every asset that is active and tradable, as the venue describes it: symbol, name, exchange and more."""
        ...

    def snapshots(self, symbols: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By symbol: latestTrade, latestQuote, minuteBar, dailyBar, prevDailyBar, in the wire's words."""
        ...

    def trades(self, symbols: Sequence[str], start: int, end: int) -> dict[str, list[dict[str, Any]]]:
        """Trades with ``start <= time < end`` (nanoseconds), by symbol, in the wire's words; all pages or an error."""
        ...

    def bars(
        self, symbols: Sequence[str], timeframe: str, start: int, end: int, adjustment: str = "raw"
    ) -> dict[str, list[dict[str, Any]]]:
        """The venue's own bars ("1Min", "1Day") that start in that span, by symbol; adjusted: raw, split or all."""
        ...

    def calendar(self, start: str, end: str) -> list[dict[str, Any]]:
        """Sessions from date to date: date, open and close."""
        ...

    def clock(self) -> dict[str, Any]:
        """The venue's time, whether it is open, and when it opens and closes next."""
        ...

    def close(self) -> None:
        """End the connections."""
        ...


def steady() -> int:
    """The time in nanoseconds since 1970, UTC: the system's clock when this process began, counted on since.

    It never jumps when the system's clock is set, and is the same for a feed and for whoever reads it.
    """
    return _BEGAN + time.monotonic_ns()
