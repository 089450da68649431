"""A server that lets one client sign in and subscribe, and then sends a stream at a pace:

``python realtime_blaster.py PLAN OUTPUT OFFSET CORE`` prints its port, sends, and writes when it sent what.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import numpy as np
from realtime_stream import Plan, Pool, pool

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: Frames sent at once, at most; seconds before the first one, in which the client settles; the wait between looks.
_AT_ONCE, _BEFORE, _PAUSE = 32, 1.0, 0.0002


def upgraded(link: socket.socket) -> None:
    """Answer the request for a websocket."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += link.recv(4096)
    lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
    key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
    proof = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    link.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
    )


def messages(link: socket.socket) -> Iterator[Any]:
    """What a client sends, message by message, fragments put together."""
    stream, content = link.makefile("rb"), b""
    while True:
        first, second = stream.read(2)
        size = second & 127
        if size >= 126:
            size = int.from_bytes(stream.read(2 if size == 126 else 8))
        mask = np.frombuffer(stream.read(4), dtype=np.uint8)
        masked = np.frombuffer(stream.read(size), dtype=np.uint8)
        plain = (masked ^ np.resize(mask, size)).tobytes()
        if first & 15 > 2:
            continue
        content += plain
        if first & 0x80:
            yield msgpack.unpackb(content)
            content = b""


def tell(link: socket.socket, message: dict[str, Any]) -> None:
    """Send one message about the stream."""
    content = msgpack.packb([message])
    size = len(content)
    head = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 1 << 16 else b"\x7f" + size.to_bytes(8)
    link.sendall(b"\x82" + head + content)


def subscribed(link: socket.socket, symbols: int) -> None:
    """Sign the client in, and wait until it has subscribed trades and quotes of that many symbols."""
    tell(link, {"T": "success", "msg": "connected"})
    held: dict[str, list[str]] = {}
    for message in messages(link):
        if message["action"] == "auth":
            tell(link, {"T": "success", "msg": "authenticated"})
            continue
        for channel, wanted in message.items():
            if channel != "action":
                held.setdefault(channel, []).extend(wanted)
        if min(len(held.get("trades", ())), len(held.get("quotes", ()))) >= symbols:
            break
    tell(link, {"T": "subscription", **held})


def paced(link: socket.socket, plan: Plan, sent: Pool, offset: int) -> tuple[Any, Any]:
    """Send a plan. The moment of a frame is when it is due, so that a sender that is late makes the lag no smaller.

    Returns
    -------
    stamps, late : int64 arrays (F,)
        The moment in each frame's messages, and by how much later its last byte was with the kernel.
    """
    stamps, late = np.zeros(plan.frames, np.int64), np.zeros(plan.frames, np.int64)
    schedule = plan.schedule + time.monotonic_ns() + offset + int(_BEFORE * 1e9)
    done = trades = 0
    time.sleep(_BEFORE)
    while done < plan.frames:
        now = time.monotonic_ns() + offset
        place, ahead = done % sent.frames, schedule[done : done + _AT_ONCE]
        due = int(np.searchsorted(ahead, now, side="right"))
        stop = done + min(due, sent.frames - place)
        if stop == done:
            time.sleep(_PAUSE)
            continue
        stamps[done:stop] = schedule[done:stop] if plan.rate else now
        link.sendall(sent.stamp(place, stamps[done:stop], trades))
        late[done:stop] = time.monotonic_ns() + offset - stamps[done:stop]
        trades += int(sent.trades[place + stop - done] - sent.trades[place])
        done = stop
    return stamps, late


def main(text: str, output: str, offset: str, core: str) -> None:
    """Serve one client."""
    os.sched_setaffinity(0, {int(core)})
    plan = Plan.loads(text)
    sent = pool(plan)
    sent.stamp(0, np.zeros(1, np.int64), 0)  # compiles
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        link, _ = server.accept()
        with link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            upgraded(link)
            subscribed(link, plan.symbols)
            stamps, late = paced(link, plan, sent, int(offset))
            np.savez(output, stamps=stamps, late=late)
            print("sent", flush=True)
            sys.stdin.read()  # the link stays until who asked for all this has what it wants


if __name__ == "__main__":
    main(*sys.argv[1:])
