"""Websocket frames, held to the `websockets` library and to RFC 6455's own examples."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from qtw_lab.core import DataError, VenueError
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

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def frame(opcode, content=b"", *, fin=True):
    """A server's frame as the `websockets` library writes it."""
    return Frame(Opcode(opcode), content, fin=fin).serialize(mask=False)


def messages(payload):
    """The messages of a payload of `Kind.DATA`."""
    found, at, data = [], 0, bytes(payload)
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        found.append((data[at + 4], data[at + 5 : at + 5 + size]))
        at += 5 + size
    return found


def fed(deframer, received, cuts):
    """Messages and control frames of bytes that come in pieces, by turns through `take` and `space` with `took`."""
    data, controls, last = [], [], 0
    for turn, cut in enumerate([*sorted(cuts), len(received)]):
        piece = received[last:cut]
        if turn % 2:
            deframer.space(len(piece) + 7)[: len(piece)] = piece
            found = deframer.took(len(piece))
        else:
            found = deframer.take(piece)
        data += messages(found.payload)
        controls += found.controls
        last = cut
    return data, controls


CONTENTS = st.one_of(st.binary(max_size=300), st.integers(0, 200_000).map(bytes))


@settings(max_examples=150, deadline=None)
@given(
    sent=st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING, PONG, CLOSE]), CONTENTS), max_size=8),
    seed=st.integers(0, 2**32),
)
def test_what_a_server_sends_comes_out_however_it_was_cut_and_fragmented(sent, seed):
    chance = random.Random(seed)
    sent = [(opcode, content[:125] if opcode >= CLOSE else content) for opcode, content in sent]
    stream = b""
    for opcode, content in sent:
        if opcode >= CLOSE or chance.random() < 0.5:
            stream += frame(opcode, content)
            continue
        first, second = sorted((chance.randint(0, len(content)), chance.randint(0, len(content))))
        stream += frame(opcode, content[:first], fin=False)
        stream += frame(PING, b"between") if chance.random() < 0.5 else b""
        stream += frame(0, content[first:second], fin=False) + frame(0, content[second:])
    cuts = [chance.randint(0, len(stream)) for _ in range(chance.randint(0, 12))]
    data, controls = fed(Deframer(), stream, cuts)
    assert data == [one for one in sent if one[0] < CLOSE]
    assert [one for one in controls if one != (PING, b"between")] == [one for one in sent if one[0] >= CLOSE]


def test_one_byte_at_a_time_is_enough():
    stream = frame(TEXT, b"a" * 200) + frame(BINARY, b"b" * 70_000) + frame(PING, b"x") + frame(TEXT)
    data, controls = fed(Deframer(), stream, range(1, 300))
    assert data == [(TEXT, b"a" * 200), (BINARY, b"b" * 70_000), (TEXT, b"")]
    assert controls == [(PING, b"x")]


BROKEN = {
    "reserved bits": (b"\xc1\x00", "reserved bits"),
    "a masked frame": (b"\x81\x80\0\0\0\0", "masked"),
    "an unknown opcode": (b"\x83\x00", "opcode"),
    "an unknown control opcode": (b"\x8b\x00", "opcode"),
    "a fragmented ping": (b"\x09\x00", "fragmented"),
    "a long ping": (b"\x89\x7e\x00\x7e", "125"),
    "an orphan": (b"\x80\x00", "without a message"),
    "a message in a message": (b"\x01\x00\x81\x00", "within another"),
    "a long message": (b"\x82\x7e\x03\xe9", "longer than 1000"),
    "a long message of fragments": (b"\x02\x7e\x03\xe8" + bytes(1000) + b"\x80\x01", "longer than 1000"),
    "a length with its highest bit": (b"\x82\x7f" + b"\xff" * 8, "longer than 1000"),
}


@pytest.mark.parametrize(("sent", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_frame_ends_the_reading_and_says_why(sent, said):
    with pytest.raises(VenueError, match=said):
        Deframer(longest=1000).take(sent)


@pytest.mark.parametrize(("sent", "said"), BROKEN.values(), ids=BROKEN)
def test_messages_before_a_break_are_given_first(sent, said):
    deframer = Deframer(longest=1000)
    assert messages(deframer.take(frame(TEXT, b"good") + sent).payload) == [(TEXT, b"good")]
    assert said in deframer.problem
    with pytest.raises(VenueError, match=said):
        deframer.take(frame(TEXT, b"later"))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_noise_gives_messages_or_an_error_that_says_so(pieces):
    deframer = Deframer(longest=1000)
    for piece in pieces:
        try:
            found = deframer.take(piece)
        except VenueError:
            assert deframer.problem
            return
        assert all(len(content) <= 1000 for _, content in messages(found.payload))


def test_memory_does_not_grow_with_the_number_of_messages():
    deframer = Deframer()
    stream = frame(BINARY, bytes(1000)) * 50
    for _ in range(200):
        deframer.take(stream)
    assert len(deframer._inbox) + len(deframer._outbox) < 1 << 20


@pytest.mark.parametrize("longest", [0, -1, 1 << 31])
def test_a_length_that_is_none_is_refused(longest):
    with pytest.raises(DataError, match="longest"):
        Deframer(longest)


@given(st.sampled_from([TEXT, BINARY, PING, PONG, CLOSE]), st.integers(0, 70_000), st.binary(min_size=4, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_clients_frame_is_what_the_websockets_library_reads(opcode, size, mask):
    content = bytes(number % 251 for number in range(size if opcode < CLOSE else size % 126))
    sent = client_frame(opcode, content, mask)

    def read_exact(count):
        nonlocal sent
        taken, sent = sent[:count], sent[count:]
        return taken
        yield

    parser = Frame.parse(read_exact, mask=True)
    with pytest.raises(StopIteration) as done:
        next(parser)
    assert (done.value.value.opcode, done.value.value.data, done.value.value.fin) == (opcode, content, True)


def test_a_mask_is_fresh_each_time():
    assert client_frame(TEXT, b"x" * 20) != client_frame(TEXT, b"x" * 20)


@pytest.mark.parametrize(
    ("opcode", "content", "mask", "said"),
    [(3, b"", None, "opcode=3"), (PING, bytes(126), None, "too long"), (TEXT, b"", b"abc", "4 bytes")],
)
def test_a_frame_that_the_protocol_does_not_know_is_not_made(opcode, content, mask, said):
    with pytest.raises(DataError, match=said):
        client_frame(opcode, content, mask)


def test_a_close_frame_carries_code_and_reason():
    sent = close_frame(1001, "going away", mask=bytes(4))
    assert close_reason(sent[6:]) == (1001, "going away")
    assert close_reason(b"\x03") == (1005, "")


def test_the_handshake_asks_for_a_websocket_and_offers_no_extension():
    text = handshake("127.0.0.1:80", "/v2/iex", KEY, {"Content-Type": "application/msgpack"})
    lines = text.decode().split("\r\n")
    assert lines[0] == "GET /v2/iex HTTP/1.1"
    assert lines[-2:] == ["", ""]
    assert {"Host: 127.0.0.1:80", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY}",
            "Sec-WebSocket-Version: 13", "Content-Type: application/msgpack"} == set(lines[1:-2])  # fmt: skip


def test_the_websockets_library_accepts_the_handshake_and_we_accept_its_answer():
    from websockets.server import ServerProtocol

    server = ServerProtocol()
    server.receive_data(handshake("127.0.0.1:80", "/v2/iex", KEY))
    (request,) = server.events_received()
    server.send_response(server.accept(request))
    assert accepted(b"".join(server.data_to_send()), KEY)


@pytest.mark.parametrize(
    ("host", "path", "key", "headers"),
    [
        ("h\r\nX: y", "/", KEY, {}), ("h", "v2", KEY, {}), ("h", "/a b", KEY, {}), ("h", "/", "short", {}),
        ("h", "/", KEY, {"X": "a\nb"}), ("h", "/", "!", {}),
    ],
)  # fmt: skip
def test_a_handshake_with_a_break_in_it_is_not_made(host, path, key, headers):
    with pytest.raises(DataError, match="handshake"):
        handshake(host, path, key, headers)


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER.replace(b"101", b"200"), ANSWER.replace(b"xOo=", b"xOO="),
        ANSWER.replace(b"Upgrade: websocket\r\n", b""),
        ANSWER.replace(b"Connection: Upgrade", b"Connection: close"), b"", b"garbage",
        ANSWER[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    ],
)  # fmt: skip
def test_an_answer_that_opens_no_websocket_is_not_accepted(answer):
    assert accepted(ANSWER, KEY)
    assert not accepted(answer, KEY)


def test_the_head_of_an_answer_is_read_without_its_body():
    assert answer_head(b"HTTP/1.1 403 Forbidden\r\nX-A:  b \r\n\r\nbody: no") == (403, {"x-a": "b"})
    assert answer_head(b"SSH-2.0-OpenSSH") == (0, {})
