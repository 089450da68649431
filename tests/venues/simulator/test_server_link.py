"""The server's end of a websocket, byte by byte."""

import contextlib
import os
import socket
import struct
import time

import pytest

from qtw_lab.venues.simulator.link import BINARY, CLOSE, PING, PONG, TEXT, head
from qtw_lab.venues.simulator.stream import Terms

HANDSHAKE = (
    b"GET /v2/iex HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
AUTH = b'{"action":"auth","key":"sim-key","secret":"sim-secret"}'


def frame(opcode, content=b"", *, final=True, masked=True, reserved=0):
    first = (0x80 if final else 0) | reserved | opcode
    size, bit = len(content), 0x80 if masked else 0
    if size < 126:
        lead = bytes((first, bit | size))
    elif size < 1 << 16:
        lead = struct.pack(">BBH", first, bit | 126, size)
    else:
        lead = struct.pack(">BBQ", first, bit | 127, size)
    mask = os.urandom(4) if masked else b""
    return (
        lead + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(content)) if masked else lead + content
    )


class Raw:
    """A socket that reads frames and nothing more."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=4)
        self.socket.sendall(HANDSHAKE)
        self.held = b""
        while b"\r\n\r\n" not in self.held:
            self.held += self.socket.recv(4096)
        self.answer, _, self.held = self.held.partition(b"\r\n\r\n")
        assert self.read() == (TEXT, b'[{"T":"success","msg":"connected"}]')

    def take(self, size):
        while len(self.held) < size:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.held += more
        found, self.held = self.held[:size], self.held[size:]
        return found

    def read(self):
        first, size = self.take(2)
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        return first & 15, self.take(size)


@pytest.fixture
def raw(served):
    with contextlib.ExitStack() as ends:

        def make(**options):
            client = Raw(served(**options).port)
            ends.callback(client.socket.close)
            return client

        yield make


def test_the_handshake_is_that_of_the_protocols_own_example(raw):
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in raw().answer


def test_a_ping_is_answered_with_what_it_held_even_within_a_message(raw):
    client = raw()
    client.socket.sendall(frame(TEXT, AUTH[:10], final=False) + frame(PING, b"beat") + frame(0, AUTH[10:]))
    assert client.read() == (PONG, b"beat")
    assert b"authenticated" in client.read()[1]
    client.socket.sendall(frame(PONG, b"unasked") + frame(PING))
    assert client.read() == (PONG, b"")


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_message_may_come_in_pieces_of_any_size(raw, size):
    client = raw()
    whole = frame(TEXT, AUTH)
    for start in range(0, len(whole), size):
        client.socket.sendall(whole[start : start + size])
        time.sleep(0.001)
    assert b"authenticated" in client.read()[1]


def test_a_message_of_a_megabyte_in_fragments_is_heard(raw):
    client = raw()
    client.socket.sendall(frame(TEXT, AUTH))
    client.read()
    symbols = ",".join(f'"SYM{number}"' for number in range(100_000))
    whole = f'{{"action":"subscribe","trades":[{symbols}]}}'.encode()
    parts = [whole[start : start + 100_000] for start in range(0, len(whole), 100_000)]
    for place, part in enumerate(parts):
        client.socket.sendall(frame(0 if place else TEXT, part, final=place == len(parts) - 1))
    opcode, content = client.read()
    assert opcode == TEXT
    assert content.count(b"SYM99999") == 3  # trades, corrections, cancelErrors


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"{}", masked=False), 1002),
        (frame(TEXT, b"{}", reserved=0x40), 1002),
        (frame(3, b""), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"x", final=False), 1002),
        (frame(0, b"no beginning"), 1002),
        (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
        (struct.pack(">BBQ", 0x81, 0xFF, 1 << 40), 1009),
        (frame(CLOSE, struct.pack(">H", 1000)), 1000),
        (frame(CLOSE), 1000),
        (frame(CLOSE, struct.pack(">H", 7)), 1002),
    ],
    ids=range(11),  # the frames are masked by chance, and names must not be
)
def test_a_breach_of_the_protocol_ends_the_link_with_its_code(raw, sent, code):
    client = raw()
    client.socket.sendall(sent)
    start = time.monotonic()
    opcode, content = client.read()
    assert (opcode, struct.unpack(">H", content[:2])[0]) == (CLOSE, code)
    with contextlib.suppress(EOFError, ConnectionResetError):
        client.read()
    assert time.monotonic() - start < 1.5


def test_who_leaves_without_a_word_frees_its_slot(served, talk):
    simulator = served()
    client = Raw(simulator.port)
    client.socket.sendall(frame(TEXT, AUTH))
    client.read()
    client.socket.close()
    time.sleep(0.1)
    talk(simulator.stream_url()).enter()


def test_a_close_waits_for_the_client_but_not_for_ever(served):
    simulator = served(terms=Terms({"sim-key": "sim-secret"}, auth_seconds=0.1))
    client = Raw(simulator.port)
    start = time.monotonic()
    client.read()  # 404
    assert client.read()[0] == CLOSE
    with pytest.raises((EOFError, ConnectionResetError)):  # though the client never answers
        client.read()
    assert 1.0 < time.monotonic() - start < 3.5
    client.socket.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_heads_have_the_shortest_form(size):
    lead = head(BINARY, size)
    assert len(lead) == (2 if size < 126 else 4 if size < 65_536 else 10)
    assert lead[0] == 0x82
    assert int.from_bytes(lead[2:] or lead[1:]) == size
