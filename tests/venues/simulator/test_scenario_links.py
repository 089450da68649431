"""Every fault of links and of events, seen by a client over a real socket."""

import contextlib
import json
import socket
import time

import pytest
from simulated import NAMES, rows_of
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.scenario import MALFORMED, Scenario
from qtw_lab.venues.ticks import Symbols

ALL = {"action": "subscribe", "trades": ["*"], "quotes": ["*"]}


def identities(seen):
    return [message["i"] for message in seen if message["T"] == "t"]


def ids(rows):
    return rows["id"][rows["kind"] == ord("t")].tolist()


def entered(client):
    client.enter()
    client.ask(ALL)
    return client


def until(true, seconds=5.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def slow(served):
    """A simulator whose 400 events last 4 seconds."""
    return served(speed=5.0)


def test_drop_is_a_reset_without_a_close_frame(slow, talk):
    client = entered(talk(slow.stream_url()))
    slow.fault({"kind": "drop"})
    assert client.closed() == 1006
    raw = socket.create_connection(("127.0.0.1", slow.port))
    raw.sendall(
        b"GET /v2/iex HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    raw.recv(4096)
    until(lambda: slow.state()["data"]["accepted"] == 2)
    slow.fault({"kind": "drop"})
    raw.settimeout(3)
    with pytest.raises(ConnectionResetError):
        list(iter(lambda: raw.recv(4096), b""))
    raw.close()


def test_close_is_a_close_frame_with_code_and_reason(slow, talk):
    client = entered(talk(slow.stream_url()))
    slow.fault({"kind": "close", "code": 1012, "reason": "service restart"})
    assert client.closed() == 1012
    assert client.socket.close_reason == "service restart"
    entered(talk(slow.stream_url()))


def test_mute_sends_nothing_and_no_pong_and_what_should_have_come_is_lost(slow, talk):
    client = entered(talk(slow.stream_url()))
    client.gather(lambda seen: len(seen) > 20)
    slow.fault({"kind": "mute", "for": 0.8})
    until(lambda: slow.state()["faults"]["active"])
    with contextlib.suppress(TimeoutError):
        while True:
            client.seen += client.hear(0.1)
    assert slow.state()["faults"]["active"]  # it is the fault that made it silent
    assert not client.socket.ping().wait(0.2)
    before = len(client.seen)
    until(lambda: not slow.state()["faults"]["active"])
    client.gather(lambda seen: len(seen) > before + 20)
    assert client.socket.ping().wait(1)
    found = identities(client.seen)
    missing = sorted(set(range(1, found[-1], 2)) - set(found))
    assert missing == list(range(missing[0], missing[-1] + 1, 2))  # one gap
    assert 20 <= len(missing) <= 80  # 0.8 s at 5 times 10 trades a second
    assert slow.state()["data"]["lost_bytes"] > 0


def test_a_fresh_link_is_heard_during_a_mute_unless_the_fault_says_otherwise(slow, talk):
    first = entered(talk(slow.stream_url()))
    slow.fault({"kind": "mute", "for": 5})
    until(lambda: slow.state()["faults"]["active"])
    first.close()
    until(lambda: not slow.state()["data"]["links"])
    entered(talk(slow.stream_url())).gather(lambda seen: len(seen) > 5)
    slow.clear()
    slow.fault({"kind": "mute", "for": 5, "fresh": True})
    until(lambda: [fault["fresh"] for fault in slow.state()["faults"]["active"]] == [True])
    second = talk(slow.stream_url("sip"))
    with pytest.raises(TimeoutError):
        second.hear(0.3)


def test_silent_accept_never_says_connected(slow, talk):
    slow.fault({"kind": "silent_accept", "for": 2})
    until(lambda: slow.state()["faults"]["active"])
    client = talk(slow.stream_url())
    client.say({"action": "auth", "key": "sim-key", "secret": "sim-secret"})
    with pytest.raises(TimeoutError):
        client.hear(0.3)
    slow.clear()
    until(lambda: not slow.state()["faults"]["active"])
    entered(talk(slow.stream_url()))


def test_drip_lets_so_many_bytes_a_second_out_and_loses_nothing(served, talk):
    simulator = served(speed=100.0)
    client = talk(simulator.stream_url()).enter()
    simulator.fault({"kind": "drip", "bytes_per_second": 20_000, "for": 1.0})
    until(lambda: simulator.state()["faults"]["active"])
    start = time.monotonic()
    client.say(ALL)
    while time.monotonic() - start < 0.8:
        with contextlib.suppress(TimeoutError):
            client.seen += client.hear(0.1)
    size = len(json.dumps(client.seen, separators=(",", ":")))
    assert 2_000 < size < 25_000  # all of it is 45,000 bytes, and without the fault here after 0.2 s
    client.gather(lambda seen: len(seen) == 401)
    assert identities(client.seen) == ids(rows_of(400))


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_frames_come_among_good_ones(slow, what):
    with connect(slow.stream_url(), compression=None) as client:
        client.recv()
        client.send('{"action":"auth","key":"sim-key","secret":"sim-secret"}')
        client.recv()
        slow.fault({"kind": "malformed", "what": what, "times": 3})
        found = [client.recv(timeout=2) for _ in range(3)]
        client.send('{"action":"subscribe","trades":["*"]}')
        assert json.loads(client.recv())[0]["T"] == "subscription"

    def good(frame):
        if not isinstance(frame, str):
            return False
        with contextlib.suppress(ValueError):
            messages = json.loads(frame)
            return isinstance(messages, list) and all(isinstance(one.get("S"), str) for one in messages)
        return False

    assert not any(map(good, found))


def test_duplicate_sends_events_twice(served, talk):
    simulator = served(speed=100.0, scenario=Scenario.of([{"kind": "duplicate"}]))
    client = entered(talk(simulator.stream_url()))
    client.gather(lambda seen: len(seen) >= 800)
    assert sorted(identities(client.seen)) == sorted(2 * ids(rows_of(400)))
    assert simulator.state()["events"] == 400


def test_a_share_of_duplicates_is_the_same_for_the_same_seed(served, talk):
    def played(seed):
        scenario = Scenario.of([{"kind": "duplicate", "share": 0.3}], seed=seed)
        simulator = served(speed=float("inf"), scenario=scenario)
        client = entered(talk(simulator.stream_url()))
        client.gather(lambda _: simulator.state()["clock"]["ended"])
        with contextlib.suppress(TimeoutError):
            while True:
                client.seen += client.hear(0.3)
        simulator.stop()
        return identities(client.seen)

    first = played(1)
    assert 200 < len(first) < 400
    assert played(1) == first
    assert played(2) != first


def test_late_holds_events_back_by_market_seconds(served, talk):
    scenario = Scenario.of([{"kind": "late", "seconds": 4, "share": 0.5}])
    client = entered(talk(served(speed=10.0, scenario=scenario).stream_url()))
    client.gather(lambda seen: len(seen) >= 400)
    found = identities(client.seen)
    assert sorted(found) == ids(rows_of(400))
    behind = [max(found[: place + 1]) - one for place, one in enumerate(found)]
    assert 60 <= max(behind) <= 120  # 4 s of market time are 80 events, 40 of them trades


def test_reorder_changes_the_order_and_loses_nothing(served, talk):
    client = entered(talk(served(speed=10.0, scenario=Scenario.of([{"kind": "reorder", "seconds": 1}])).stream_url()))
    client.gather(lambda seen: len(seen) >= 400)
    found = identities(client.seen)
    assert sorted(found) == ids(rows_of(400))
    assert found != sorted(found)
    assert max(abs(one - (2 * place + 1)) for place, one in enumerate(found)) <= 30


@pytest.mark.parametrize("seconds", [5.0, -5.0, -3e9])
def test_skew_sets_times_wrong(served, talk, seconds):
    client = entered(
        talk(served(speed=50.0, scenario=Scenario.of([{"kind": "skew", "seconds": seconds}])).stream_url())
    )
    client.gather(lambda seen: len(seen) > 1)
    expected = {5.0: "2024-01-02T14:30:05Z", -5.0: "2024-01-02T14:29:55Z", -3e9: "1970-01-01T00:00:00Z"}
    assert client.seen[0]["t"] == expected[seconds]


@pytest.mark.parametrize("code", [401, 402, 406, 409])
def test_auth_refuses_who_signs_in_with_the_code_that_is_set(slow, talk, code):
    slow.fault({"kind": "auth", "code": code})
    until(lambda: slow.state()["faults"]["active"])
    client = talk(slow.stream_url())
    client.hear()
    assert client.ask({"action": "auth", "key": "sim-key", "secret": "sim-secret"})[0]["code"] == code
    slow.clear()
    until(lambda: not slow.state()["faults"]["active"])
    entered(talk(slow.stream_url()))


def test_symbol_limit_refuses_more_and_leaves_the_subscription(slow, talk):
    client = talk(slow.stream_url()).enter()
    client.ask({"action": "subscribe", "trades": ["AAPL", "IBM"]})
    slow.fault({"kind": "symbol_limit", "limit": 2})
    until(lambda: slow.state()["faults"]["active"])
    assert client.ask({"action": "subscribe", "trades": ["MSFT"]})[0]["code"] == 405
    assert client.ask({"action": "subscribe", "bars": ["MSFT"]})[0]["trades"] == ["AAPL", "IBM"]


def test_restart_refuses_everyone_meanwhile_and_forgets_subscriptions(slow, talk):
    client = entered(talk(slow.stream_url()))
    port = slow.port
    slow.fault({"kind": "restart", "for": 0.5})
    assert client.closed() == 1006
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    until(lambda: not slow.state()["faults"]["active"])
    time.sleep(0.05)
    again = talk(slow.stream_url()).enter()
    assert again.ask({"action": "unsubscribe", "trades": ["IBM"]})[0]["trades"] == []


def test_faults_of_a_scenario_begin_at_their_market_time(served, talk):
    scenario = Scenario.of([{"kind": "close", "at": "09:30:08"}])
    client = entered(talk(served(speed=10.0, scenario=scenario).stream_url()))
    assert client.closed() == 1012
    last = max(message["t"] for message in client.seen)
    assert "2024-01-02T14:30:07.5" < last < "2024-01-02T14:30:09.5"


def test_faults_of_a_scenario_begin_so_many_seconds_after_the_start(served, talk):
    start = time.monotonic()
    simulator = served(hold=False, scenario=Scenario.of([{"kind": "drop", "at": 0.7, "on": "all"}]))
    client = talk(simulator.updates_url)
    assert client.closed() == 1006
    assert 0.6 < time.monotonic() - start < 8


def test_a_stream_of_updates_can_be_muted_alone(slow, talk):
    data, updates = entered(talk(slow.stream_url())), talk(slow.updates_url)
    slow.fault({"kind": "mute", "on": "updates", "for": 5})
    until(lambda: slow.state()["faults"]["active"])
    updates.say({"action": "authenticate", "data": {"key_id": "sim-key", "secret_key": "sim-secret"}})
    with pytest.raises(TimeoutError):
        updates.hear(0.3)
    data.gather(lambda seen: len(seen) > 5)


def test_a_client_that_goes_away_amid_faults_leaves_nothing_behind(slow, talk):
    for kind in ({"kind": "mute", "for": 0.2}, {"kind": "drip", "bytes_per_second": 10, "for": 0.2}):
        client = entered(talk(slow.stream_url()))
        slow.fault(kind)
        until(lambda: slow.state()["faults"]["active"])
        client.socket.socket.close()
        with contextlib.suppress(ConnectionClosed):
            client.close()
        until(lambda: not slow.state()["data"]["links"])
    assert RecordedMarket.from_rows(rows_of(2), Symbols(NAMES)).span  # the market itself is not touched
