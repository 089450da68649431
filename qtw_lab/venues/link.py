"""A websocket from the first packet to the keys' acceptance, and as it is read and written after that."""

from __future__ import annotations

import base64
import logging
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

import pandas as pd
from pydantic import SecretStr

from qtw_lab.core import DataError, VenueError
from qtw_lab.data.ratelimit import retry_after
from qtw_lab.venues.backoff import Trouble, trouble_of_code
from qtw_lab.venues.subscription import control_messages
from qtw_lab.venues.wire.framing import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Deframer,
    accepted,
    answer_head,
    client_frame,
    close_frame,
    close_reason,
    handshake,
)
from qtw_lab.venues.wire.messages import pack

#: Longest head of an answer to a handshake, in bytes.
_HEAD: Final = 1 << 16

#: For client libraries that log every frame at level DEBUG: one of them has the keys in it.
QUIET: Final = logging.getLogger("qtw_lab.venues.frames")
QUIET.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a `StreamFeed` allows itself and the other side.

    Parameters
    ----------
    connecting : float
        Seconds from the start of an attempt to being signed in.
    ping, pong : float
        Seconds from one ping to the next, and from a ping to the next byte of any kind. Data are a sign of life as good
        as a pong, which waits behind everything that was sent before it.
    answer : float
        Seconds to the answer to a subscription.
    symbols : int
        Symbols of a channel in one subscription message: a stream refuses a message as a whole.
    chunk, message : int
        Bytes taken from the socket at once, and bytes that one message may have.
    """

    connecting: float = 10.0
    ping: float = 10.0
    pong: float = 10.0
    answer: float = 10.0
    symbols: int = 400
    chunk: int = 1 << 20
    message: int = 1 << 24


@dataclass(frozen=True)
class Access:
    """Where a stream is, and the keys to it.

    Parameters
    ----------
    address : str
        Full address, such as wss://stream.data.alpaca.markets/v2/iex.
    key, secret : SecretStr
        Key id and secret key.
    tls : ssl.SSLContext
        For wss; by default the system's certificates.

    Raises
    ------
    DataError
        If the address is no websocket's.
    """

    address: str
    key: SecretStr
    secret: SecretStr
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise DataError(f"{self.place!r} is no address of a stream; one is ws://127.0.0.1:8765/v2/iex.")
        if parts.username or parts.password:
            raise DataError(f"The address of {self.place} has a name or a password in it; give the keys as keys.")

    @property
    def place(self) -> str:
        """The address without anything that may be secret, for sentences."""
        return self.address.partition("?")[0].rpartition("@")[2]

    def sign_in(self) -> bytes:
        """The message that shows the keys."""
        return pack({"action": "auth", "key": self.key.get_secret_value(), "secret": self.secret.get_secret_value()})

    def clean(self, text: str) -> str:
        """What the other side said, without the keys, should it repeat them."""
        for hidden in (self.key, self.secret):
            text = text.replace(hidden.get_secret_value() or "\0", "***")
        return text

    def masked(self, payload: bytes) -> bytes:
        """Messages as they came, as long as they were, with stars in the place of the keys."""
        for hidden in (self.key, self.secret):
            value = hidden.get_secret_value().encode()
            payload = payload.replace(value, b"*" * len(value)) if value else payload
        return payload

    def told(self, message: Mapping[str, Any]) -> Trouble:
        """The trouble an error message tells of."""
        said, code = self.clean(str(message.get("msg", "no reason given")))[:300], message.get("code")
        return trouble_of_code(code if isinstance(code, int) else 0, said)

    def turned_down(self, message: Mapping[str, Any]) -> Trouble:
        """The trouble that an error in answer to the keys tells of: one that says it does not know them is final."""
        trouble = self.told(message)
        return replace(trouble, status=401) if trouble.code == 401 else trouble


class AttemptError(Exception):
    """An attempt came to nothing."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


class Link:
    """A connection that speaks websocket; `begun` holds what came in before it was signed in."""

    def __init__(self, sock: socket.socket, limits: Limits, received: bytes) -> None:
        self.sock = sock
        self.deframer = Deframer(limits.message)
        self.begun = b""
        self.received = received
        self.outbox = bytearray()
        self.since = self.heard = self.pinged = 0.0

    def send(self, frame: bytes) -> None:
        """Send a frame now, or when there is room for it."""
        self.outbox += frame
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as there is room. Whether the link is broken shows when it is read."""
        with suppress(OSError):
            while self.outbox:
                del self.outbox[: self.sock.send(self.outbox)]

    def fill(self, size: int) -> int | None:
        """How many bytes came in, at most `size`: None if there are none yet, 0 if there will be no more.

        They are in the deframer's space then, which has to be told.

        Raises
        ------
        OSError
            If the connection is broken.
        """
        room = self.deframer.space(size)
        try:
            count = self.sock.recv_into(room)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        if isinstance(self.sock, ssl.SSLSocket):  # gives one record, 16 KiB, at a time
            with suppress(OSError):  # shows again at the next call
                while 0 < count < size and (more := self.sock.recv_into(room[count:])):
                    count += more
        return count

    def close(self) -> None:
        """End at once, and tell the other side if there is room to."""
        self.send(close_frame())
        self.sock.close()


class Attempt(threading.Thread):
    """One attempt to connect and sign in, in a thread of its own; calls `done` once `outcome` is there."""

    def __init__(
        self, access: Access, limits: Limits, monotonic: Callable[[], float], done: Callable[[], None]
    ) -> None:
        super().__init__(name="stream connecting", daemon=True)
        self.outcome: Link | Trouble | None = None
        self.ends = float("inf")
        self._access, self._limits, self._monotonic, self._done = access, limits, monotonic, done
        self._lock = threading.Lock()
        self._cancelled = False
        self._sock: socket.socket | None = None

    def run(self) -> None:
        """Connect."""
        outcome: Link | Trouble
        compile_framing()
        self.ends = self._monotonic() + self._limits.connecting
        try:
            outcome = self._signed_in()
        except AttemptError as err:
            outcome = err.trouble
        except TimeoutError:
            outcome = self.too_slow()
        except (OSError, DataError, VenueError) as err:
            outcome = Trouble(f"no connection to {self._access.place} ({type(err).__name__}: {err})")
        with self._lock:
            if self._sock is not None and (self._cancelled or isinstance(outcome, Trouble)):
                self._sock.close()
            self.outcome = outcome
        self._done()

    def cancel(self) -> None:
        """Stop soon, and leave nothing open."""
        with self._lock:
            self._cancelled = True
            if isinstance(self.outcome, Link):
                self.outcome.close()
            elif self._sock is not None:
                with suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)  # wakes who waits on it

    def too_slow(self) -> Trouble:
        """The trouble of an attempt that took too long."""
        return Trouble(f"{self._access.place} did not let us sign in within {self._limits.connecting:g} s")

    def _patient(self, sock: socket.socket) -> socket.socket:
        """The socket, set to wait for as long as there is time."""
        left = self.ends - self._monotonic()
        if left <= 0 or self._cancelled:
            raise TimeoutError
        sock.settimeout(left)
        return sock

    def _signed_in(self) -> Link:
        link = self._upgraded()
        while True:
            for message in self._messages(link):
                match message["T"], message.get("msg"), message.get("code"):
                    case "success", "connected", _:
                        self._patient(link.sock).sendall(client_frame(BINARY, self._access.sign_in()))
                    case ("success", "authenticated", _) | ("error", _, 403):
                        link.sock.settimeout(0.0)
                        return link
                    case "error", _, _:
                        raise AttemptError(self._access.turned_down(message))

    def _messages(self, link: Link) -> Iterator[dict[str, Any]]:
        """The stream's messages about itself among the next bytes, and only then what ended it, if anything did."""
        received, link.received = link.received, b""
        if not (received or (received := self._patient(link.sock).recv(1 << 16))):
            raise AttemptError(Trouble("the other side ended the connection before it accepted the keys"))
        found = link.deframer.take(received)
        payload = bytes(found.payload)
        link.begun += payload
        for opcode, content in found.controls:
            if opcode == PING:
                self._patient(link.sock).sendall(client_frame(PONG, content))
        yield from control_messages(payload)
        for opcode, content in found.controls:
            if opcode == CLOSE:
                raise AttemptError(closed(content, self._access))
        if link.deframer.problem:
            raise AttemptError(Trouble(link.deframer.problem))

    def _upgraded(self) -> Link:
        parts = urlsplit(self._access.address)
        secure, host = parts.scheme == "wss", parts.hostname or ""
        sock = socket.create_connection(
            (host, parts.port or (443 if secure else 80)), timeout=max(0.001, self.ends - self._monotonic())
        )
        self._sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            sock = self._sock = self._access.tls.wrap_socket(self._patient(sock), server_hostname=host)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = handshake(parts.netloc, path, key, {"Content-Type": "application/msgpack"})
        self._patient(sock).sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            more = self._patient(sock).recv(4096)
            received += more
            if not more or len(received) > _HEAD:
                raise AttemptError(Trouble(f"{self._access.place} did not answer the handshake as a websocket does"))
        head, end, rest = received.partition(b"\r\n\r\n")
        check_answer(head + end, key)
        return Link(sock, self._limits, rest)


def check_answer(head: bytes, key: str) -> None:
    """Raise `AttemptError` unless the other side has agreed to speak websocket."""
    if accepted(head, key):
        return
    status, headers = answer_head(head)
    said = head.partition(b"\r\n")[0].decode("latin-1")[:80]
    wait = retry_after(headers.get("retry-after", ""), pd.Timestamp.now(tz="UTC"))
    raise AttemptError(Trouble(f"the handshake was answered with {said!r}", status=status, wait=wait or 0.0))


def closed(content: bytes, access: Access) -> Trouble:
    """The trouble that the content of a close frame tells of."""
    code, reason = close_reason(content)
    reason = access.clean(reason)
    return Trouble(f"the other side closed the stream with {code}{f' ({reason[:120]})' if reason else ''}")


def compile_framing() -> None:
    """Have everything compiled that compiles at its first use, which takes seconds once on a machine."""
    greeting = b'[{"T":"success"}]'
    list(control_messages(Deframer().take(bytes([0x80 | TEXT, len(greeting)]) + greeting).payload))
