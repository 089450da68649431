"""The client against a real websocket server on loopback, in every situation a link gets into."""

import contextlib
import http
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from qtw_lab.core import DataError
from qtw_lab.venues.backoff import Backoff
from qtw_lab.venues.feeds import Kind
from qtw_lab.venues.link import Access, Limits
from qtw_lab.venues.stream import StreamFeed
from qtw_lab.venues.subscription import control_messages
from qtw_lab.venues.wire.messages import pack

KEY, SECRET = "the-key-id-of-these-tests", "the-secret-of-these-tests"
QUICK = Limits(connecting=1.0, ping=0.2, pong=0.2, answer=0.5)


@dataclass
class Venue:
    """A stream that speaks Alpaca's protocol, until `script` says otherwise for the connections to come."""

    script: list = field(default_factory=list)
    text: bool = False
    limit: int = 10**6
    refuse: frozenset = frozenset()  # symbols that it forgets to confirm
    answers: list = field(default_factory=list)  # HTTP answers to the handshakes to come
    heard: list = field(default_factory=list)  # what clients said, a list for each connection
    requests: list = field(default_factory=list)
    live: list = field(default_factory=list)

    def handle(self, ws) -> None:
        self.heard.append([])
        behave = self.script.pop(0) if self.script else Venue.usual
        with contextlib.suppress(ConnectionClosed, OSError):
            behave(self, ws)

    def respond(self, ws, request):
        self.requests.append(request)
        if not self.answers:
            return None
        status, headers = self.answers.pop(0)
        response = ws.respond(http.HTTPStatus(status), "no")
        response.headers.update(headers)
        return response

    def say(self, ws, *messages) -> None:
        ws.send(json.dumps(messages) if self.text else msgpack.packb(messages))

    def hear(self, ws) -> dict:
        message = msgpack.unpackb(ws.recv())
        self.heard[-1].append(message)
        return message

    def greet(self, ws) -> None:
        self.say(ws, {"T": "success", "msg": "connected"})
        assert self.hear(ws) == {"action": "auth", "key": KEY, "secret": SECRET}
        self.say(ws, {"T": "success", "msg": "authenticated"})
        self.live.append(ws)

    def usual(self, ws) -> None:
        self.greet(ws)
        self.answer(ws)

    def answer(self, ws, questions: float = float("inf")) -> None:
        """Confirm subscriptions: each time with the whole list, as Alpaca does."""
        lists: dict[str, dict] = {}
        while questions > 0:
            questions -= 1
            message = dict(self.hear(ws))
            action = message.pop("action")
            if action == "subscribe" and sum(map(len, [*message.values(), *lists.values()])) > self.limit:
                self.say(ws, {"T": "error", "code": 405, "msg": "symbol limit exceeded"})
                continue
            for channel, symbols in message.items():
                held = lists.setdefault(channel, {})
                for symbol in symbols:
                    held.pop(symbol, None)
                    if action == "subscribe" and symbol not in self.refuse:
                        held[symbol] = None
            self.say(ws, {"T": "subscription", **{channel: list(held) for channel, held in lists.items()}})


def refused(code: int, said: str = "no", times: int = 1):
    """Turn the keys down with an error."""

    def behave(venue: Venue, ws) -> None:
        venue.say(ws, {"T": "success", "msg": "connected"})
        venue.hear(ws)
        venue.say(ws, {"T": "error", "code": code, "msg": said})

    return behave


@contextlib.contextmanager
def served(venue: Venue, port: int = 0, **options):
    options = {"compression": None, "ping_interval": None, "close_timeout": 0.2, "max_size": None, **options}
    with serve(venue.handle, "127.0.0.1", port, process_request=venue.respond, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            for ws in venue.live:
                with contextlib.suppress(OSError):
                    ws.socket.shutdown(socket.SHUT_RDWR)
            server.shutdown()
            thread.join()


@pytest.fixture
def venue():
    return Venue()


@pytest.fixture
def port(venue):
    with served(venue) as port:
        yield port


class Reader:
    """Reads a feed and keeps what came."""

    def __init__(self, feed: StreamFeed) -> None:
        self.feed = feed
        self.news: list[dict] = []
        self.messages: list[tuple[int, bytes]] = []
        self.reads: list[int] = []

    def read(self, seconds: float = 2.0) -> int:
        found = self.feed.read(seconds)
        for inbound in found:
            if inbound.kind == Kind.LINK:
                self.news.append(json.loads(bytes(inbound.payload)))
            else:
                messages = parted(bytes(inbound.payload))
                self.reads.append(len(messages))
                self.messages += messages
        return len(found)

    def until(self, *states: str, seconds: float = 8.0) -> dict:
        """Read until the states were told in that order; the last of them."""
        wanted, ends, looked = list(states), time.monotonic() + seconds, 0
        while True:
            for news in self.news[looked:]:
                looked += 1
                if news["state"] == wanted[0]:
                    wanted.pop(0)
                    if not wanted:
                        del self.news[:looked]
                        return news
            assert time.monotonic() < ends, f"waited for {wanted}, got {self.news}"
            self.read()

    def data(self, count: int, seconds: float = 8.0) -> list[bytes]:
        """Read until that many messages of data are there."""
        ends = time.monotonic() + seconds
        while len(self.contents()) < count:
            assert time.monotonic() < ends, f"got {len(self.contents())} of {count} messages, {self.news}"
            self.read()
        return self.contents()

    def contents(self) -> list[bytes]:
        return [content for _, content in self.messages if not list(control_messages(framed(content)))]


def framed(content: bytes, opcode: int | None = None) -> bytes:
    opcode = (1 if content[:1] in b"[{" and content else 2) if opcode is None else opcode
    return len(content).to_bytes(4, "little") + bytes([opcode]) + content


def parted(payload: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 4], "little")
        found.append((payload[at + 4], payload[at + 5 : at + 5 + size]))
        at += 5 + size
    assert at == len(payload)
    return found


@pytest.fixture
def reader(port):
    with reading(port) as reader:
        yield reader


@contextlib.contextmanager
def reading(port: int, limits: Limits = QUICK, key: str = KEY, **options):
    access = Access(f"ws://127.0.0.1:{port}/v2/iex", SecretStr(key), SecretStr(SECRET))
    options = {"backoff": Backoff(seed=1, first=0.05, cool_down=0.2), **options}
    feed = StreamFeed(access, name="test", limits=limits, **options)
    try:
        yield Reader(feed)
    finally:
        feed.close()


def trade(number: int, symbol: str = "IBM") -> dict:
    return {
        "T": "t",
        "S": symbol,
        "i": number,
        "x": "N",
        "p": 101.5,
        "s": 100,
        "c": ["@"],
        "t": msgpack.Timestamp(1, 5),
        "z": "A",
    }


def then(*actions):
    """The usual, and after the first subscription these."""

    def behave(venue: Venue, ws) -> None:
        venue.greet(ws)
        venue.answer(ws, 1)
        for action in actions:
            action(ws)
        venue.answer(ws)

    return behave


def started(reader: Reader, symbols=("IBM",)) -> None:
    reader.feed.subscribe({"trades": list(symbols)})
    reader.feed.open()
    reader.until("connecting", "up", "subscribed")


# The way it should go


def test_it_signs_in_subscribes_and_hands_over_whole_messages(venue, reader):
    sent = [msgpack.packb([trade(number)]) for number in range(3)]
    venue.script = [then(*[lambda ws, content=content: ws.send(content) for content in sent])]
    reader.feed.subscribe({"trades": ["IBM", "KO"], "quotes": ["IBM"]})
    reader.feed.open()
    assert reader.until("connecting") == {"state": "connecting", "attempt": 1}
    news = reader.until("up", "subscribed")
    assert news == {"state": "subscribed", "channels": {"trades": 2, "quotes": 1}, "missing": {}}
    assert reader.data(3) == sent
    assert {opcode for opcode, _ in reader.messages} == {2}
    assert venue.heard[0][1] == {"action": "subscribe", "trades": ["IBM", "KO"], "quotes": ["IBM"]}
    headers = venue.requests[0].headers
    assert headers["Content-Type"] == "application/msgpack"
    assert "Sec-WebSocket-Extensions" not in headers
    assert venue.requests[0].path == "/v2/iex"


def test_it_reads_a_stream_of_text_frames(venue, reader):
    venue.text = True
    content = json.dumps([{"T": "t", "S": "IBM", "p": 101.5}])
    venue.script = [then(lambda ws: ws.send(content))]
    started(reader)
    assert reader.data(1) == [content.encode()]
    assert reader.messages[-1][0] == 1


def test_fragments_become_one_message(venue, reader):
    content = msgpack.packb([trade(number) for number in range(50)])
    pieces = [content[begin : begin + 100] for begin in range(0, len(content), 100)]
    venue.script = [then(lambda ws: ws.send(pieces), lambda ws: ws.send([b"", b"\x90", b""]))]
    started(reader)
    assert reader.data(2) == [content, b"\x90"]


def test_a_ping_of_the_server_is_answered_with_its_own_content(venue, reader):
    answered = []
    venue.script = [then(lambda ws: answered.append(ws.ping(b"are you there").wait(2)))]
    started(reader)
    ends = time.monotonic() + 2
    while not answered and time.monotonic() < ends:
        reader.read(0.05)
    assert answered == [True]


def test_a_thousand_messages_keep_their_order_and_come_in_few_reads(venue, reader):
    sent = [msgpack.packb([trade(number)]) for number in range(1000)]
    venue.script = [then(lambda ws: [ws.send(content) for content in sent])]
    started(reader)
    time.sleep(0.5)
    assert reader.data(1000) == sent
    assert max(reader.reads) > 10


def test_the_time_of_receipt_is_that_of_the_given_clock(venue, port):
    with reading(port, now=lambda: 42) as reader:
        reader.feed.open()
        found = [inbound for _ in range(10) for inbound in reader.feed.read(0.1)]
        assert [inbound.kind for inbound in found] == [Kind.LINK, Kind.LINK, Kind.DATA]
        assert {inbound.received for inbound in found} == {42}


def test_waiting_costs_no_time_of_the_processor(venue, port):
    with reading(port, Limits()) as reader:
        started(reader)
        began = time.thread_time()
        assert reader.feed.read(0.5) == ()
        assert time.thread_time() - began < 0.05


# Subscriptions


def test_thousands_of_symbols_are_asked_for_in_pieces_and_changes_alone_later(venue, reader):
    symbols = [f"S{number}" for number in range(4000)]
    reader.feed.subscribe({"trades": symbols, "quotes": symbols})
    reader.feed.open()
    assert reader.until("up", "subscribed")["channels"] == {"trades": 4000, "quotes": 4000}
    asked = venue.heard[0][1:]
    assert len(asked) == 10
    assert [len(message["trades"]) for message in asked] == [400] * 10
    assert [symbol for message in asked for symbol in message["quotes"]] == symbols
    reader.feed.subscribe({"trades": [*symbols[1:], "NEW"], "quotes": symbols})
    reader.until("subscribed")
    assert venue.heard[0][11:] == [
        {"action": "unsubscribe", "trades": ["S0"]}, {"action": "subscribe", "trades": ["NEW"]}
    ]  # fmt: skip


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sets(st.sampled_from("ABCDEFGH")), st.sets(st.sampled_from("ABCDEFGH"))), max_size=8))
def test_the_last_wish_wins_whatever_came_before(wishes):
    from qtw_lab.venues.subscription import Subscription

    subscription, held = Subscription(), {"trades": set(), "quotes": set()}
    for trades, quotes in wishes:
        subscription.wanted = {"trades": dict.fromkeys(sorted(trades)), "quotes": dict.fromkeys(sorted(quotes))}
        for question in subscription.questions(3):
            message = msgpack.unpackb(question)
            action = message.pop("action")
            for channel, symbols in message.items():
                assert 0 < len(symbols) <= 3
                assert (set(symbols) & held[channel] == set()) == (action == "subscribe")
                held[channel] ^= set(symbols)
            subscription.confirm({channel: sorted(symbols) for channel, symbols in held.items()})
        assert held == {"trades": trades, "quotes": quotes}
        assert subscription.news()["missing"] == {}


def test_what_was_not_confirmed_is_named(venue, reader):
    venue.refuse = frozenset({"KO"})
    reader.feed.subscribe({"trades": ["IBM", "KO"], "quotes": ["*"]})
    reader.feed.open()
    assert reader.until("subscribed") == {
        "state": "subscribed", "channels": {"trades": 1, "quotes": 1}, "missing": {"trades": ["KO"]}
    }  # fmt: skip


def test_a_symbol_limit_is_a_warning_and_what_fitted_stays(venue, port):
    venue.limit = 500
    with reading(port) as reader:
        symbols = [f"S{number}" for number in range(900)]
        reader.feed.subscribe({"trades": symbols})
        reader.feed.open()
        assert "405" in reader.until("warning")["reason"]
        news = reader.until("subscribed")
        assert news["channels"] == {"trades": 500}  # 400, then 400 too many, then the last 100
        assert news["missing"] == {"trades": symbols[400:800]}
        reader.feed.subscribe({"trades": symbols[400:800]})
        assert reader.until("subscribed")["channels"] == {"trades": 400}
        assert len(venue.heard) == 1


def test_what_is_not_answered_is_asked_again_and_then_the_link_is_made_anew(venue, reader):
    venue.script = [lambda venue, ws: (venue.greet(ws), [venue.hear(ws) for _ in range(9)])]
    reader.feed.subscribe({"trades": ["IBM"]})
    reader.feed.open()
    assert "not answered" in reader.until("up", "warning")["reason"]
    assert reader.until("subscribed")["missing"] == {"trades": ["IBM"]}
    assert "not answered" in reader.until("down")["reason"]
    assert reader.until("subscribed")["channels"] == {"trades": 1}
    assert [len(heard) for heard in venue.heard] == [3, 2]  # the keys, and what is asked


def test_one_answer_to_several_questions_is_reported_and_the_link_stays(venue, reader):
    def sparing(venue, ws):
        venue.greet(ws)
        asked = [venue.hear(ws) for _ in range(2)]
        venue.say(ws, {"T": "subscription", "trades": asked[0]["trades"]})
        venue.hear(ws)

    venue.script = [sparing]
    reader.feed.subscribe({"trades": [f"S{number}" for number in range(500)]})
    reader.feed.open()
    assert "not answered" in reader.until("up", "warning")["reason"]
    assert reader.until("subscribed")["channels"] == {"trades": 400}
    assert len(venue.heard) == 1


def test_a_wish_from_another_thread_reaches_a_reader_that_waits(venue, reader):
    started(reader)
    threading.Timer(0.1, reader.feed.subscribe, ({"trades": ["IBM", "KO"]},)).start()
    began = time.monotonic()
    reader.until("subscribed")
    assert time.monotonic() - began < 1
    assert venue.heard[0][-1] == {"action": "subscribe", "trades": ["KO"]}


def test_a_wish_that_is_none_is_refused_before_it_is_sent(reader):
    with pytest.raises(DataError, match="no channel 'trade'"):
        reader.feed.subscribe({"trade": ["IBM"]})
    with pytest.raises(DataError, match=r"give a list, such as \['IBM'\]"):
        reader.feed.subscribe({"trades": "IBM"})


# The other side turns us down


@pytest.mark.parametrize("code", [402, 409, 411])
def test_a_refusal_that_will_not_change_is_final_after_one_attempt(venue, reader, code):
    venue.script = [refused(code, f"no {SECRET} for {KEY}")] * 5
    reader.feed.open()
    news = reader.until("fatal")
    assert str(code) in news["reason"]
    assert KEY not in news["reason"]
    assert SECRET not in news["reason"]
    reader.feed.read(0.5)
    assert len(venue.heard) == 1


def test_a_channel_the_feed_does_not_have_is_final(venue, reader):
    venue.script = [
        lambda v, ws: (v.greet(ws), v.hear(ws), v.say(ws, {"T": "error", "code": 410, "msg": "no"}), v.hear(ws))
    ]
    reader.feed.subscribe({"lulds": ["IBM"]})
    reader.feed.open()
    assert "410" in reader.until("up", "down", "fatal")["reason"]


def test_a_taken_place_is_waited_for_and_not_stormed(venue, reader):
    venue.script = [refused(406), refused(406)]
    reader.feed.open()
    pauses = [reader.until("refused")["seconds"] for _ in range(2)]
    assert pauses == [0.2, 0.4]
    reader.until("up")
    assert len(venue.heard) == 3


def test_an_error_that_may_pass_is_tried_again(venue, reader):
    venue.script = [refused(404), refused(500), refused(408)]
    reader.feed.open()
    codes = [reader.until("waiting")["code"] for _ in range(3)]
    assert codes == [404, 500, 408]
    reader.until("up")


def test_signed_in_already_is_as_good_as_signed_in(venue, reader):
    venue.script = [refused(403)]
    reader.feed.open()
    reader.until("up")


@pytest.mark.parametrize("status", [401, 403])
def test_a_handshake_refused_for_the_keys_is_final(venue, reader, status):
    venue.answers = [(status, {})] * 5
    reader.feed.open()
    assert str(status) in reader.until("fatal")["reason"]
    reader.feed.read(0.3)
    assert len(venue.requests) == 1


def test_a_busy_server_is_given_the_time_it_asks_for(venue, reader):
    venue.answers = [(429, {"Retry-After": "1"}), (503, {})]
    reader.feed.open()
    assert 1.0 <= reader.until("waiting")["seconds"] <= 1.05
    assert "503" in reader.until("waiting")["reason"]
    reader.until("up")


# The link breaks


def test_a_server_that_accepts_and_says_nothing_is_left_in_time(venue, reader):
    venue.script = [lambda venue, ws: time.sleep(1.5)]
    reader.feed.open()
    began = time.monotonic()
    assert "within 1 s" in reader.until("waiting")["reason"]
    assert 0.9 < time.monotonic() - began < 1.4
    reader.until("up")


def test_closing_during_an_attempt_that_hangs_takes_no_time(venue, port):
    venue.script = [lambda venue, ws: time.sleep(1.0)]
    with reading(port, Limits()) as reader:
        reader.feed.open()
        reader.until("connecting")
        reader.feed.read(0.3)
        began = time.monotonic()
        reader.feed.close()
        assert time.monotonic() - began < 0.2
        assert reader.until("ended") == {"state": "ended"}


@pytest.mark.parametrize("code", [1000, 1012])
def test_a_closed_stream_is_opened_again_and_subscribed_again(venue, reader, code):
    venue.script = [then(lambda ws: ws.send(b"\x90"), lambda ws: ws.close(code, "bye"))]
    started(reader)
    assert str(code) in reader.until("down")["reason"]
    reader.until("waiting", "connecting", "up", "subscribed")
    assert venue.heard[1][1] == {"action": "subscribe", "trades": ["IBM"]}
    assert reader.contents() == [b"\x90"]


def reset(ws) -> None:
    time.sleep(0.1)  # let what was sent arrive
    ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ws.socket.close()


def test_a_reset_loses_nothing_that_had_arrived(venue, reader):
    sent = [msgpack.packb([trade(number)]) for number in range(200)]
    venue.script = [then(lambda ws: [ws.send(content) for content in sent], reset)]
    reader.feed.subscribe({"trades": ["IBM"]})
    reader.feed.open()
    reader.until("up")
    reader.feed.read(0)  # sends the subscription
    time.sleep(0.5)  # and all of it comes in, and the reset, before anything is read
    reader.until("subscribed", "down", "up", "subscribed")
    assert reader.contents() == sent
    assert len(venue.heard) == 2


def test_a_vanished_server_is_looked_for_until_it_is_back(venue):
    with served(venue) as port, reading(port) as reader:
        started(reader)
        venue.live[0].socket.shutdown(socket.SHUT_RDWR)
        reader.until("down")
    venue.live.clear()
    with reading(port) as reader:
        reader.feed.open()
        attempts = [reader.until("connecting")["attempt"] for _ in range(4)]
        assert attempts == [1, 2, 3, 4]
        with served(venue, port):
            reader.until("up")


def test_a_message_longer_than_allowed_ends_the_link_before_it_has_come(venue, reader):
    header = bytes([0x82, 127]) + (1 << 40).to_bytes(8)
    venue.script = [then(lambda ws: ws.send(b"\x90"), lambda ws: ws.socket.sendall(header))]
    started(reader)
    assert "longer than" in reader.until("down")["reason"]
    assert reader.contents() == [b"\x90"]
    reader.until("up")


def test_bytes_that_are_no_frame_end_the_link(venue, reader):
    venue.script = [then(lambda ws: ws.socket.sendall(b"\xff" * 40))]
    started(reader)
    assert "reserved" in reader.until("down")["reason"]
    reader.until("up")


def test_a_message_that_cannot_be_decoded_is_handed_on_and_the_link_stays(venue, reader):
    sent = [b"\xc1\xc1", b"\x92\x81\xa1T", b"", b"\x91\x81\xa1T\xacsubscr"]
    venue.script = [then(*[lambda ws, content=content: ws.send(content) for content in sent], lambda ws: ws.send("[{"))]
    started(reader)
    assert reader.data(5) == [*sent, b"[{"]
    assert len(venue.heard) == 1


def test_giving_a_link_up_makes_a_new_one(venue, reader):
    started(reader)
    reader.feed.reconnect("silent since noon")
    assert reader.until("down")["reason"] == "silent since noon"
    reader.until("up", "subscribed")
    reader.feed.read(0.3)
    assert len(venue.heard) == 2


def test_only_an_answer_that_knows_our_key_opens_the_stream():
    def impostor(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(4096)
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: AAAA\r\n\r\n")  # fmt: skip

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=impostor, args=(listener,))
        thread.start()
        with reading(listener.getsockname()[1]) as reader:
            reader.feed.open()
            assert "101" in reader.until("waiting")["reason"]
        thread.join()


class Relay:
    """Between client and server: passes bytes on, slowly, or not at all while the connections stay."""

    def __init__(self, port: int) -> None:
        self.frozen = threading.Event()
        self.slow: float | None = None  # bytes a second to the client
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._socks: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._socks += [client, server]
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, down: bool) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(65536):
                if self.frozen.is_set():
                    continue
                size = 1 if down and self.slow else len(received)
                for place in range(0, len(received), size):
                    sink.sendall(received[place : place + size])
                    if down and self.slow:
                        time.sleep(size / self.slow)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture
def relay(port):
    relay = Relay(port)
    yield relay
    relay.close()


def test_a_half_open_link_is_found_by_a_ping_without_answer(venue, relay):
    with reading(relay.port) as reader:
        started(reader)
        relay.frozen.set()
        began = time.monotonic()
        assert "ping" in reader.until("down")["reason"]
        assert time.monotonic() - began < QUICK.ping + QUICK.pong + 0.2
        relay.frozen.clear()
        reader.until("up", "subscribed")


def test_a_quiet_link_whose_pings_are_answered_stays(venue, reader):
    started(reader)
    ends = time.monotonic() + 1.0  # four pings
    while time.monotonic() < ends:
        reader.read(0.1)
    assert reader.news == []
    assert len(venue.heard) == 1


def test_a_reader_that_was_busy_for_long_does_not_take_the_link_for_dead(venue, reader):
    started(reader)
    for _ in range(2):
        time.sleep(0.5)
        reader.read(0)
    assert reader.news == []


def test_a_slow_drip_is_a_sign_of_life_and_the_message_comes_whole(venue, relay):
    content = msgpack.packb([trade(1)])
    venue.script = [then(lambda ws: (setattr(relay, "slow", 60.0), ws.send(content)))]
    with reading(relay.port) as reader:
        started(reader)
        assert reader.data(1) == [content]
        assert {news["state"] for news in reader.news} <= {"subscribed"}  # the confirmation may drip as well


def test_a_handshake_that_drips_is_left_in_time(venue, relay):
    relay.slow = 20.0
    with reading(relay.port) as reader:
        reader.feed.open()
        began = time.monotonic()
        assert "within 1 s" in reader.until("waiting")["reason"]
        assert time.monotonic() - began < 1.4


def test_a_server_that_does_not_read_blocks_nobody(venue, port):
    over = threading.Event()

    def deaf(venue: Venue, ws) -> None:
        venue.greet(ws)
        venue.hear(ws)  # and nothing after it, for the library reads no further than this many messages ahead
        over.wait(6)

    venue.script = [deaf]
    with reading(port, Limits(answer=5)) as reader:
        reader.feed.open()
        reader.until("up")
        reader.feed._link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        began = time.monotonic()
        for number in range(5):
            reader.feed.subscribe({"trades": [f"{number}{place:07}" for place in range(50_000)]})
            reader.feed.read(0)
        assert len(reader.feed._link.outbox) > 0
        assert time.monotonic() - began < 5.0
        over.set()


# Ending


def test_closing_ends_a_read_that_waits_in_another_thread(venue, reader):
    started(reader)
    threading.Timer(0.2, reader.feed.close).start()
    began = time.monotonic()
    reader.until("ended")
    assert time.monotonic() - began < 1.0
    assert reader.feed.read(5) == ()
    assert time.monotonic() - began < 1.0


def test_closing_twice_or_before_opening_does_no_harm(reader):
    reader.feed.close()
    reader.feed.close()
    reader.feed.open()
    assert [json.loads(inbound.payload) for inbound in reader.feed.read(0)] == [{"state": "ended"}]
    assert reader.feed.read(0) == ()


def test_the_place_is_free_for_the_next_as_soon_as_a_feed_is_closed(venue, port):
    gone = threading.Event()

    def watched(venue: Venue, ws) -> None:
        with contextlib.suppress(ConnectionClosed):
            venue.usual(ws)
        gone.set()
        assert ws.close_code == 1000

    venue.script = [watched]
    with reading(port) as reader:
        started(reader)
    assert gone.wait(1.0)


# Over TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for this machine and its key, in files."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")]),
    )
    now, folder = dt.datetime.now(dt.UTC), tmp_path_factory.mktemp("tls")
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


def test_it_reads_over_tls_and_only_from_a_server_it_can_trust(venue, certificate):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    sent = [msgpack.packb([trade(number) for number in range(1000)]) for _ in range(20)]
    venue.script = [then(lambda ws: [ws.send(content) for content in sent])]
    with served(venue, ssl=context) as port:
        keys = SecretStr(KEY), SecretStr(SECRET)
        address = f"wss://127.0.0.1:{port}/v2/iex"
        feed = StreamFeed(Access(address, *keys), limits=QUICK)
        feed.open()
        assert "CERTIFICATE_VERIFY_FAILED" in Reader(feed).until("waiting")["reason"]
        feed.close()
        trusted = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        feed = StreamFeed(Access(address, *keys, trusted), limits=QUICK)
        reader = Reader(feed)
        try:
            started(reader)
            assert reader.data(20) == sent
        finally:
            feed.close()


# The parts


def open_files() -> set[str]:
    """What this process holds open, as number and target (the listing itself left out)."""
    held = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            held.add(f"{entry.name} {entry.readlink()}")
    return {name for name in held if not name.endswith("/fd")}


def test_attempts_that_fail_leave_no_thread_and_nothing_open():
    # Threads and files of earlier tests may end meanwhile: only what is new counts.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    files, threads = open_files(), set(threading.enumerate())
    with reading(port, backoff=Backoff(seed=1, first=0.001, most=0.002)) as reader:
        reader.feed.open()
        for _ in range(50):
            reader.until("waiting")
    time.sleep(0.1)
    assert not open_files() - files
    assert not set(threading.enumerate()) - threads


def test_an_address_with_a_password_is_refused_and_not_repeated():
    with pytest.raises(DataError, match="host/v2") as caught:
        Access("wss://me:hush@host/v2/iex", SecretStr(KEY), SecretStr(SECRET))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1/v2/iex", "127.0.0.1:80", "ws://", ""])
def test_an_address_of_no_stream_is_refused(address):
    with pytest.raises(DataError, match="no address of a stream"):
        Access(address, SecretStr(KEY), SecretStr(SECRET))


@settings(max_examples=50)
@given(
    st.recursive(
        st.text(max_size=40),
        lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
        max_leaves=20,
    )
)
def test_the_msgpack_library_reads_what_we_send(value):
    assert msgpack.unpackb(pack(value)) == value


def test_long_texts_and_lists_are_sent_as_the_msgpack_library_would():
    for value in ["x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 70_000, ["a"] * 15, ["a"] * 16, ["a"] * 70_000]:
        assert pack(value) == msgpack.packb(value)


@given(st.binary(max_size=300))
def test_nothing_that_comes_in_makes_the_search_for_control_messages_fail(content):
    list(control_messages(content))
    list(control_messages(framed(content, 2) + framed(content, 1)))


def test_control_messages_are_found_wherever_their_type_stands_and_data_are_not_taken_for_one():
    control = [
        msgpack.packb([{"T": "error", "code": 406, "msg": "x"}]),
        msgpack.packb([{"code": 406, "msg": "x", "T": "error"}]),
        json.dumps([{"code": 1, "T": "success"}], separators=(" , ", " : ")).encode(),
        json.dumps([{"T": "subscription", "trades": ["IBM"]}]).encode(),
    ]
    data = [
        msgpack.packb([{"T": "t", "S": "T", "x": "T"}]),
        msgpack.packb([{"S": "T", "x": "T", "T": "t"}, {"S": "error", "T": "t"}]),
        msgpack.packb([{"T": "t", "x": "T"}, {"T": "t"}]),
        b'[{"T":"t","S":"error"},{"S":"success","T":"q"}]',
        b"",
    ]
    payload = b"".join(framed(content) for content in [*data, *control, *data])
    assert [message["T"] for message in control_messages(payload)] == ["error", "error", "success", "subscription"]
