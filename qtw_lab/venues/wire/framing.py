"""Websocket frames (RFC 6455) for a client that reads fast: bytes as they come in become messages of a stream."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from qtw_lab.core import DataError, VenueError
from qtw_lab.venues.wire.frames import (
    AT,
    BEGUN,
    CONTROLLED,
    FROM,
    FULL,
    LONGEST,
    OUT,
    PROBLEMS,
    SORT,
    STOP,
    TO,
    frames,
)

#: Opcodes: what continues a message, text, binary, and the three of control frames.
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Deframed(NamedTuple):
    """What received bytes made whole.

    Parameters
    ----------
    payload : memoryview
        Complete messages as a payload of `Kind.DATA`: each after its length (4 bytes, little endian) and its opcode (1
        byte). Good until the deframer is used again; empty when no message was completed.
    controls : tuple of (int, bytes)
        Control frames in order: opcode (`CLOSE`, `PING`, `PONG`) and content.
    """

    payload: memoryview
    controls: tuple[tuple[int, bytes], ...]

    def __repr__(self) -> str:
        return f"Deframed(payload={bytes(self.payload)!r}, controls={self.controls!r})"


def client_frame(opcode: int, payload: bytes = b"", mask: bytes | None = None) -> bytes:
    """A frame from a client, masked as the protocol demands.

    Parameters
    ----------
    opcode : int
        What it is: `TEXT`, `BINARY`, `CLOSE`, `PING` or `PONG`.
    payload : bytes
        Its content.
    mask : bytes, optional
        The four bytes to mask it with; fresh ones of the operating system by default.

    Raises
    ------
    DataError
        If the opcode is none of these, a control frame has more than 125 bytes, or the mask is not four bytes.

    Examples
    --------
    >>> client_frame(TEXT, b"Hello", mask=bytes.fromhex("37fa213d")).hex()
    '818537fa213d7f9f4d5158'
    """
    if opcode not in {TEXT, BINARY, CLOSE, PING, PONG}:
        raise DataError(f"opcode={opcode} is none of 1, 2, 8, 9, 10.")
    if opcode >= CLOSE and len(payload) > 125:
        raise DataError(f"A control frame of {len(payload)} bytes is too long: 125 are the most.")
    key = os.urandom(4) if mask is None else mask
    if len(key) != 4:
        raise DataError(f"A mask has 4 bytes, not {len(key)}.")
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | opcode, 0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | opcode, 0x80 | 126]) + size.to_bytes(2)
    else:
        head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8)
    masked = np.frombuffer(payload, dtype=np.uint8) ^ np.resize(np.frombuffer(key, dtype=np.uint8), size)
    return head + key + masked.tobytes()


def close_frame(code: int = 1000, reason: str = "", mask: bytes | None = None) -> bytes:
    """A client's close frame.

    Examples
    --------
    >>> close_frame(1000, mask=bytes(4)).hex()
    '88820000000003e8'
    """
    return client_frame(CLOSE, code.to_bytes(2) + reason.encode()[:123], mask)


def close_reason(content: bytes) -> tuple[int, str]:
    """Code and reason of a close frame's content; 1005 where it has none (RFC 6455, 7.1.5).

    Examples
    --------
    >>> close_reason(bytes([3, 232]) + b"bye"), close_reason(b"")
    ((1000, 'bye'), (1005, ''))
    """
    return (int.from_bytes(content[:2]), content[2:].decode("utf-8", "replace")) if len(content) > 1 else (1005, "")


def handshake(host: str, path: str, key: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The request that asks a server for a websocket. No extension is offered, so nothing comes compressed.

    Parameters
    ----------
    host : str
        Name of the server, with its port where that is not the usual one.
    path : str
        What is asked for, such as "/v2/iex".
    key : str
        Sixteen random bytes as base64; the answer must know it (`accepted`).
    headers : mapping, optional
        Further headers.

    Raises
    ------
    DataError
        If a part contains a line break, or the key is not sixteen bytes as base64.

    Examples
    --------
    >>> handshake("localhost", "/v2/iex", "dGhlIHNhbXBsZSBub25jZQ==").splitlines()[0]
    b'GET /v2/iex HTTP/1.1'
    """
    lines = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        **(headers or {}),
    }
    text = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    breaks = 1 + len(lines)
    if text.count("\n") != breaks or text.count("\r") != breaks or not path.startswith("/") or " " in path:
        raise DataError("A handshake's path begins with / and has no space, and no part of it has a line break.")
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        size = 0
    if size != 16:
        raise DataError("The key of a handshake is 16 random bytes as base64.")
    return (text + "\r\n").encode()


def accepted(response: bytes, key: str) -> bool:
    r"""Whether a server's answer opens the websocket that `handshake` asked for (RFC 6455, 4.1).

    Parameters
    ----------
    response : bytes
        The answer up to its empty line; more does not matter.
    key : str
        The key that the request had.

    Examples
    --------
    >>> answer = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    ...           b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    >>> accepted(answer, "dGhlIHNhbXBsZSBub25jZQ=="), accepted(answer, "AAAAAAAAAAAAAAAAAAAAAA==")
    (True, False)
    """
    status, headers = answer_head(response)
    wanted = base64.b64encode(hashlib.sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()
    return (
        status == 101
        and headers.get("upgrade", "").lower() == "websocket"
        and "upgrade" in [part.strip().lower() for part in headers.get("connection", "").split(",")]
        and headers.get("sec-websocket-accept") == wanted
        and not headers.get("sec-websocket-extensions")
    )


def answer_head(response: bytes) -> tuple[int, dict[str, str]]:
    r"""Status (0 where there is none) and headers, their names in small letters, of an HTTP answer.

    Examples
    --------
    >>> answer_head(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n\r\n")
    (429, {'retry-after': '3'})
    """
    first, *lines = response.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    words = first.split(" ")
    status = int(words[1]) if len(words) > 1 and words[0].startswith("HTTP/1.") and words[1].isdecimal() else 0
    pairs = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


class Deframer:
    r"""Makes messages of the bytes that a websocket's server sends, wherever the reads cut them.

    Parameters
    ----------
    longest : int
        Most bytes that a message may have. A longer one ends the reading as soon as its length is known.

    Examples
    --------
    >>> deframer = Deframer()
    >>> deframer.take(bytes.fromhex("810548"))
    Deframed(payload=b'', controls=())
    >>> deframer.take(b"ello")
    Deframed(payload=b'\x05\x00\x00\x00\x01Hello', controls=())
    """

    def __init__(self, longest: int = 1 << 24) -> None:
        if not 1 <= longest < 1 << 31:
            raise DataError(f"longest={longest} bytes is no length of a message: 1 to 2147483647 are.")
        self.problem = ""
        self._inbox = np.empty(1 << 16, dtype=np.uint8)
        self._outbox = np.empty(1 << 16, dtype=np.uint8)
        self._state = np.array([0, 0, 0, -1, 0, longest, 0, 0, 0], dtype=np.int64)

    def space(self, size: int = 1 << 20) -> memoryview:
        """Room for that many bytes to be received into, until the deframer is used again; see `took`."""
        at, stop = (int(place) for place in self._state[:2])
        if stop + size > len(self._inbox):
            inbox = self._inbox
            if stop - at + size > len(inbox):
                inbox = np.empty(2 * (stop - at + size), dtype=np.uint8)
            inbox[: stop - at] = self._inbox[at:stop]
            self._inbox, self._state[AT], self._state[STOP] = inbox, 0, stop - at
        stop = int(self._state[STOP])
        return self._inbox[stop : stop + size].data

    def took(self, count: int) -> Deframed:
        """What has become whole now that `count` bytes were received into the last `space`.

        Raises
        ------
        VenueError
            If the bytes break the protocol. Messages before the break are returned first, and the next call raises; so
            does every further one. `problem` says it at once.
        """
        if self.problem:
            raise VenueError(f"The websocket cannot be read on: {self.problem}.")
        self._state[STOP] += count
        self._keep_begun()
        controls: list[tuple[int, bytes]] = []
        result = FULL
        while result in {FULL, CONTROLLED}:
            result = frames(self._inbox, self._state, self._outbox)
            if result == CONTROLLED:
                start, stop = (int(place) for place in self._state[FROM : TO + 1])
                controls.append((int(self._state[SORT]), self._inbox[start:stop].tobytes()))
            elif result == FULL:
                unread = int(self._state[STOP] - self._state[AT])
                self._outbox = np.concatenate([self._outbox, np.empty(len(self._outbox) + 3 * unread, dtype=np.uint8)])
        if result > 0:
            self.problem = PROBLEMS[result].format(longest=int(self._state[LONGEST]))
        begun, out = int(self._state[BEGUN]), int(self._state[OUT])
        payload = self._outbox[: out if begun < 0 else begun].data
        if self.problem and not len(payload) and not controls:
            raise VenueError(f"The websocket cannot be read on: {self.problem}.")
        return Deframed(payload, tuple(controls))

    def take(self, received: bytes | memoryview) -> Deframed:
        """What has become whole with these bytes; as `took`, for bytes that were received elsewhere."""
        size = len(received)
        self.space(size)[:] = received
        return self.took(size)

    def _keep_begun(self) -> None:
        """Move the message that is not whole yet to the front of the outbox."""
        begun, out = int(self._state[BEGUN]), int(self._state[OUT])
        if begun < 0:
            self._state[OUT] = 0
        elif begun:
            self._outbox[: out - begun] = self._outbox[begun:out].copy()
            self._state[OUT], self._state[BEGUN] = out - begun, 0
