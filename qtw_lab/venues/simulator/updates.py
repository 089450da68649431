"""The trade-updates stream: what becomes of the account's orders, in Alpaca's words.

Source: Alpaca's document "Websocket Streaming" (docs.alpaca.markets/docs/websocket-streaming): authenticate, listen,
their answers, and JSON in binary frames. Updates are not replayed: who is not listening misses them, as at the venue.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.venues.simulator.faults import Faults
from qtw_lab.venues.simulator.link import BINARY, Link, Message
from qtw_lab.venues.simulator.stream import Terms
from qtw_lab.venues.wire.messages import pack, unpack

#: The streams there are.
_STREAMS: Final = ("trade_updates",)


class UpdateStreams:
    """Every link to the trade-updates stream.

    Parameters
    ----------
    terms : Terms
        Whose keys are known.
    faults : Faults
        What is wrong at the moment.
    """

    def __init__(self, terms: Terms, faults: Faults) -> None:
        self.terms, self.faults = terms, faults
        self.sessions: list[UpdateSession] = []
        self.sent = 0
        self.unheard = 0

    async def serve(self, link: Link, *, binary: bool, key: str | None, secret: str | None) -> None:
        """Talk to a client until its link ends."""
        session = UpdateSession(self, link, binary=binary)
        self.sessions.append(session)
        try:
            await session.run(key, secret)
        finally:
            self.sessions.remove(session)

    def deliver(self, updates: deque[dict[str, Any]]) -> None:
        """Send what the exchange has to say, and take it out."""
        while updates:
            told = updates.popleft()
            listening = [session for session in self.sessions if session.listening]
            self.unheard += not listening
            for session in listening:
                session.say("trade_updates", told)
                self.sent += not session.link.muted

    def plain(self) -> dict[str, Any]:
        """What goes on, for the state page."""
        return {
            "sent": self.sent, "unheard": self.unheard, "links": len(self.sessions),
            "listening": sum(session.listening for session in self.sessions),
        }  # fmt: skip


class UpdateSession:
    """One client of the trade-updates stream."""

    def __init__(self, streams: UpdateStreams, link: Link, *, binary: bool) -> None:
        self.streams, self.link, self.binary = streams, link, binary
        self.authorized = False
        self.heard: list[str] = []

    @property
    def listening(self) -> bool:
        """Whether it has asked for trade updates."""
        return "trade_updates" in self.heard

    async def run(self, key: str | None, secret: str | None) -> None:
        """Answer what comes until the link ends."""
        faults = self.streams.faults
        drip, mute = faults.on("drip", "updates"), faults.on("mute", "updates")
        if drip is not None:
            self.link.drip(drip["bytes_per_second"])
        self.link.muted = mute is not None and mute["fresh"]
        silent = faults.on("silent_accept", "updates") is not None
        if key is not None and not silent:
            self._authenticate({"key_id": key, "secret_key": secret})
        async for message in self.link.messages():
            if not silent:
                self.heed(message)

    def heed(self, message: Message) -> None:
        """Answer one message."""
        try:
            packed = message.opcode == BINARY and self.binary
            content = unpack(message.content) if packed else json.loads(message.content)
            action, data = content["action"], content.get("data")
        except (DataError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.say("error", {"error": "invalid message"})
            return
        if action in ("authenticate", "auth"):
            self._authenticate(data if isinstance(data, Mapping) else content)
        elif action == "listen":
            self._listen(data)
        else:
            self.say("error", {"error": f"unknown action {action}"})

    def say(self, stream: str, data: Mapping[str, Any]) -> None:
        """Send one message, in a binary frame as the paper venue does."""
        message = {"stream": stream, "data": dict(data)}
        content = pack(message) if self.binary else json.dumps(message, separators=(",", ":")).encode()
        self.link.send(BINARY, content)

    def _authenticate(self, data: Mapping[str, Any]) -> None:
        key = data.get("key_id", data.get("key"))
        secret = data.get("secret_key", data.get("secret"))
        refused = self.streams.faults.on("auth", "updates") is not None
        self.authorized = self.streams.terms.known(key, secret) and not refused
        status = "authorized" if self.authorized else "unauthorized"
        self.say("authorization", {"action": "authenticate", "status": status})

    def _listen(self, data: Any) -> None:
        asked = data.get("streams") if isinstance(data, Mapping) else None
        if not self.authorized:
            self.say("authorization", {"action": "listen", "status": "unauthorized"})
        elif not isinstance(asked, list):
            self.say("error", {"error": "listen needs a list of streams"})
        else:
            self.heard = [name for name in _STREAMS if name in asked]
            self.say("listening", {"streams": self.heard})
