"""The trade-updates stream's words, over real sockets, in JSON and MessagePack."""

import json
import time

import msgpack
import pytest
import requests
from simulated import KEYS
from websockets.sync.client import connect

LISTEN = {"action": "listen", "data": {"streams": ["trade_updates", "moods"]}}
AUTH = {"action": "authenticate", "data": {"key_id": "sim-key", "secret_key": "sim-secret"}}


def unauthorized(action):
    return {"stream": "authorization", "data": {"action": action, "status": "unauthorized"}}


def test_answers_are_json_in_binary_frames_as_from_the_paper_venue(served):
    with connect(served().updates_url) as client:
        client.send(json.dumps(AUTH))
        answer = client.recv(timeout=3)
        assert isinstance(answer, bytes)
        status = {"action": "authenticate", "status": "authorized"}
        assert json.loads(answer) == {"stream": "authorization", "data": status}


@pytest.mark.parametrize(
    "first",
    [
        AUTH, {"action": "auth", "key": "sim-key", "secret": "sim-secret"},
        {"action": "authenticate", "key_id": "sim-key", "secret_key": "sim-secret"},
    ],
)  # fmt: skip
def test_whoever_signs_in_may_listen_and_is_told_to_what(served, talk, first):
    client = talk(served().updates_url)
    assert client.ask(LISTEN) == unauthorized("listen")
    assert client.ask({"action": "auth", "key": "sim-key", "secret": "wrong"}) == unauthorized("authenticate")
    assert client.ask(first)["data"]["status"] == "authorized"
    assert client.ask(LISTEN) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    silent = {"action": "listen", "data": {"streams": []}}
    assert client.ask(silent) == {"stream": "listening", "data": {"streams": []}}


def test_keys_in_headers_sign_in(served, talk):
    assert talk(served().updates_url, KEYS).hear()["data"]["status"] == "authorized"


@pytest.mark.parametrize("message", ["no json", "[]", "{}", '{"action":"dance"}', b"\xff\xfe", '"text"'])
def test_what_is_no_message_is_said(served, talk, message):
    client = talk(served().updates_url)
    client.say(message)
    assert client.hear()["stream"] == "error"
    assert client.ask(AUTH)["data"]["status"] == "authorized"
    assert client.ask({"action": "listen", "data": {"streams": "trade_updates"}})["stream"] == "error"


def test_a_fault_of_auth_refuses(served, talk):
    simulator = served()
    simulator.fault({"kind": "auth", "on": "updates"})
    assert talk(simulator.updates_url).ask(AUTH) == unauthorized("authenticate")


def test_every_listener_hears_of_an_order_and_msgpack_is_spoken_to_who_asks_for_it(served, talk):
    simulator = served(hold=False, speed=1.0, start="2024-01-02T09:30:02")
    first = talk(simulator.updates_url)
    first.ask(AUTH)
    first.ask(LISTEN)
    headers = {"Content-Type": "application/msgpack"}
    with connect(simulator.updates_url, additional_headers=headers, compression=None) as second:
        for message in (AUTH, LISTEN):
            second.send(msgpack.packb(message))
            assert msgpack.unpackb(second.recv(timeout=3))["stream"] in ("authorization", "listening")
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        assert requests.post(f"{simulator.url}/v2/orders", json=order, headers=KEYS, timeout=5).status_code == 200
        heard = [first.hear(), first.hear()]
        assert [msgpack.unpackb(second.recv(timeout=3)) for _ in heard] == heard
    assert [update["data"]["event"] for update in heard] == ["new", "fill"]
    assert simulator.state()["updates"]["sent"] == 4


def test_a_muted_listener_misses_updates_for_good(served, talk):
    simulator = served(hold=False, speed=1.0, start="2024-01-02T09:30:02")
    client = talk(simulator.updates_url)
    client.ask(AUTH)
    client.ask(LISTEN)
    simulator.fault({"kind": "mute", "on": "updates"})
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    requests.post(f"{simulator.url}/v2/orders", json=order, headers=KEYS, timeout=5)
    end = time.monotonic() + 5
    while not requests.get(f"{simulator.url}/v2/positions", headers=KEYS, timeout=5).json():
        assert time.monotonic() < end
    time.sleep(0.1)
    simulator.clear()
    with pytest.raises(TimeoutError):
        client.hear(0.3)
    assert simulator.state()["updates"]["sent"] == 0
