"""One websocket from the server's end, over a stream that can also be made to fail in every way that links do.

The framing is that of RFC 6455. It is written out here because a server that plays half-open, slow and broken links has
to decide byte by byte what goes out, which a websocket library rightly does not offer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from tornado.iostream import IOStream, StreamClosedError

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

#: What RFC 6455 (section 1.3) appends to a client's key.
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: Longest message that a client may send, in bytes; a subscription to 20,000 symbols is a fiftieth of it.
_LONGEST: Final = 16 << 20
#: How often a dripping link lets bytes go, in seconds.
_DRIP: Final = 0.02
#: How long a closing link may take to send what it still holds, in seconds.
_LINGER: Final = 2.0


def accepted(headers: Mapping[str, str]) -> bytes | None:
    """The answer to a websocket's opening handshake; None where the request is not one.

    Parameters
    ----------
    headers : mapping
        Of the request, looked up without regard to case.

    Examples
    --------
    >>> accepted({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}).splitlines()[3]
    b'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    key = headers.get("Sec-WebSocket-Key", "")
    if not key or headers.get("Sec-WebSocket-Version") != "13":
        return None
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def head(opcode: int, size: int) -> bytes:
    """The head of a whole, unmasked frame.

    Examples
    --------
    >>> head(TEXT, 5).hex(), head(BINARY, 300).hex()
    ('8105', '827e012c')
    """
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size))
    if size < 1 << 16:
        return struct.pack(">BBH", first, 126, size)
    return struct.pack(">BBQ", first, 127, size)


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message from the client: `TEXT` or `BINARY`, and its content."""

    opcode: int
    content: bytes


class Link:
    """A websocket that the client has opened.

    Parameters
    ----------
    stream : tornado.iostream.IOStream
        After the handshake.
    limit : int
        How many bytes may wait to be sent; beyond it `backlog` is over and `overrun` is true.

    Attributes
    ----------
    muted : bool
        Whether nothing goes out, pongs included: what a peer sees of a half-open connection. What should have gone out
        meanwhile is lost, and counted in `lost`.
    """

    def __init__(self, stream: IOStream, limit: int = 64 << 20) -> None:
        self._stream = stream
        self._limit = limit
        self._pending = 0
        self._pace = 0.0
        self._held: deque[bytes] = deque()
        self._held_size = 0
        self._dripping: asyncio.Task[None] | None = None
        self._reading = False
        self.muted = False
        self.lost = 0
        self.sent = 0
        self.closing = False
        stream.set_nodelay(True)

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return bool(self._stream.closed())

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        return self._pending + self._held_size

    @property
    def overrun(self) -> bool:
        """Whether more waits than is allowed."""
        return self.backlog > self._limit

    def send(self, opcode: int, content: bytes) -> None:
        """Send one message."""
        self.put(head(opcode, len(content)) + content)

    def put(self, frames: bytes) -> None:
        """Send bytes that are frames already, or that are meant to be none."""
        if self.closing or self.closed:
            return
        if self.muted:
            self.lost += len(frames)
        elif self._pace or self._held:
            self._held.append(frames)
            self._held_size += len(frames)
        else:
            self._write(frames)

    def drip(self, pace: float) -> None:
        """Let only so many bytes a second go out from now on; 0 lets go of everything that was held back."""
        self._pace = pace
        if pace and self._dripping is None:
            self._dripping = asyncio.get_running_loop().create_task(self._let_go())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame, give what is held a moment to go out, then end the connection."""
        if self.closed or self.closing:
            return
        self._pace = 0.0
        self.send(CLOSE, struct.pack(">H", code) + reason.encode()[:123])
        self.closing = True
        # Whoever reads ends the connection on the client's answer, so that the client reads this and not a reset.
        end = asyncio.get_running_loop().time() + _LINGER
        while (self.backlog or self._reading) and not self.closed and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.005)
        self._stream.close()

    def reset(self) -> None:
        """End the connection by a TCP reset, as a crash or a cut cable behind a router does."""
        if self.closed:
            return
        with contextlib.suppress(OSError):
            self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.close()

    async def messages(self) -> AsyncIterator[Message]:
        """What the client says until the connection ends; pings are answered on the way."""
        opcode, parts = CONTINUATION, bytearray()
        with contextlib.suppress(StreamClosedError):
            while True:
                self._reading = True
                try:
                    final, code, content = await self._frame()
                finally:
                    self._reading = False
                if code == CLOSE:
                    await self._closed_by_client(content)
                    return
                if code == PING:
                    self.send(PONG, content)
                if code >= CLOSE:
                    continue
                if (code == CONTINUATION) == (opcode == CONTINUATION):
                    await self.close(1002, "a message was continued that had not begun, or begun anew")
                    return
                opcode = code or opcode
                parts += content
                if len(parts) > _LONGEST:
                    await self.close(1009, f"a message is longer than {_LONGEST} bytes")
                    return
                if final:
                    yield Message(opcode, bytes(parts))
                    opcode, parts = CONTINUATION, bytearray()

    async def _frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._stream.read_bytes(2)
        size = second & 127
        if size == 126:
            size = struct.unpack(">H", await self._stream.read_bytes(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", await self._stream.read_bytes(8))[0]
        code = first & 15
        wrong = first & 0x70 or not second & 0x80 or code not in (0, 1, 2, 8, 9, 10)
        if wrong or size > _LONGEST or (code >= CLOSE and (size > 125 or not first & 0x80)):
            self._reading = False  # there is nothing to wait for after a breach
            await self.close(1009 if size > _LONGEST else 1002, "no frame of RFC 6455 that a client may send")
            raise StreamClosedError
        mask = await self._stream.read_bytes(4)
        content = await self._stream.read_bytes(size) if size else b""
        return bool(first & 0x80), code, _unmasked(content, mask)

    async def _closed_by_client(self, content: bytes) -> None:
        if self.muted or self.closing:
            self._stream.close()
            return
        code = struct.unpack(">H", content[:2])[0] if len(content) >= 2 else 1000
        await self.close(code if 1000 <= code < 5000 and code not in (1005, 1006) else 1002)

    def _write(self, content: bytes) -> None:
        size = len(content)
        try:
            written = self._stream.write(content)
        except StreamClosedError:
            return
        self.sent += size
        self._pending += size
        written.add_done_callback(lambda _: self._flushed(size))

    def _flushed(self, size: int) -> None:
        self._pending -= size

    async def _let_go(self) -> None:
        """Send what is held back at the pace that is set, then all of it."""
        credit = 0.0
        while (self._pace or self._held) and not self.closed:
            credit = credit + self._pace * _DRIP if self._pace else float(self._held_size)
            allowed = int(credit)
            credit -= allowed
            while allowed > 0 and self._held:
                part = self._held.popleft()
                if len(part) > allowed:
                    self._held.appendleft(part[allowed:])
                    part = part[:allowed]
                allowed -= len(part)
                self._held_size -= len(part)
                self._write(part)
            await asyncio.sleep(_DRIP if self._pace else 0)
        self._dripping = None


def _unmasked(content: bytes, mask: bytes) -> bytes:
    """What a client's frame holds (RFC 6455, section 5.3)."""
    if not content:
        return b""
    repeated = np.frombuffer((mask * (len(content) // 4 + 1))[: len(content)], dtype=np.uint8)
    return (np.frombuffer(content, dtype=np.uint8) ^ repeated).tobytes()
