"""The server around the REST side: keys, the limit, its headers, faults, and the control addresses."""

import http.client
import json
import threading
import time

import pytest
import requests
from simulated import KEYS

from qtw_lab.core import DataError, SetupError
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.simulator.stream import Terms


@pytest.fixture
def session():
    with requests.Session() as opened:
        opened.headers.update(KEYS)
        yield opened


def until(true, seconds=5.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def begun(simulator, entry):
    simulator.fault(entry)
    until(lambda: simulator.state()["faults"]["active"])


def test_data_without_keys_is_403_and_trading_401_as_at_the_venue(served):
    simulator = served()
    for headers in ({}, {**KEYS, "APCA-API-SECRET-KEY": "wrong"}):
        assert requests.get(f"{simulator.url}/v2/stocks/bars", headers=headers, timeout=5).status_code == 403
        assert requests.get(f"{simulator.url}/v2/account", headers=headers, timeout=5).status_code == 401
    answer = requests.get(f"{simulator.url}/v2/account", auth=("sim-key", "sim-secret"), timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")


def test_an_unknown_address_is_404_in_json_and_a_wrong_method_405(served, session):
    simulator = served()
    assert session.get(f"{simulator.url}/v2/nothing", timeout=5).json()["message"] == "endpoint not found."
    assert session.post(f"{simulator.url}/v2/account", timeout=5).status_code == 405


def test_the_limit_is_counted_down_in_headers_and_ends_in_429(served, session):
    simulator = served(rate_limit=3)
    while time.time() % 60 > 57:  # the minute must not turn within this test
        time.sleep(0.2)
    answers = [session.get(f"{simulator.url}/v2/clock", timeout=5) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    reset = int(answers[0].headers["X-RateLimit-Reset"])
    assert reset % 60 == 0
    assert 0 < reset - time.time() <= 60
    assert session.get(f"{simulator.url}/v2/stocks/bars", timeout=5).json() == {"message": "too many requests."}


def test_a_fault_of_429_says_when_to_come_again_and_ends_after_its_times(served, session):
    simulator = served(rate_limit=200)
    begun(simulator, {"kind": "rest_429", "times": 2, "retry_after": 1.5, "match": "/clock"})
    assert session.get(f"{simulator.url}/v2/account", timeout=5).status_code == 200
    refused = [session.get(f"{simulator.url}/v2/clock", timeout=5) for _ in range(2)]
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in refused} == {(429, "2")}
    assert session.get(f"{simulator.url}/v2/clock", timeout=5).status_code == 200


@pytest.mark.parametrize("code", [500, 502, 503, 504])
@pytest.mark.parametrize("when", ["before", "after"])
def test_5xx_comes_before_or_after_the_work_was_done(served, session, code, when):
    simulator = served(hold=False, start="2024-01-02T09:30:02")
    begun(simulator, {"kind": "rest_5xx", "code": code, "when": when, "match": "POST", "times": 1})
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    assert session.post(f"{simulator.url}/v2/orders", json=order, timeout=5).status_code == code
    orders = session.get(f"{simulator.url}/v2/orders", params={"status": "all"}, timeout=5).json()
    assert len(orders) == (1 if when == "after" else 0)


def test_an_error_page_may_be_html_as_that_of_a_proxy_is(served, session):
    simulator = served()
    begun(simulator, {"kind": "rest_5xx", "code": 502, "html": True})
    answer = session.get(f"{simulator.url}/v2/clock", timeout=5)
    assert answer.headers["Content-Type"] == "text/html"
    assert "502 Bad Gateway" in answer.text


def test_a_partial_page_breaks_off_or_is_broken_json(served, session):
    simulator = served()
    whole = session.get(f"{simulator.url}/v2/assets", timeout=5).content
    begun(simulator, {"kind": "partial_page", "what": "cut", "times": 1, "match": "/assets"})
    raw = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    raw.request("GET", "/v2/assets", headers=KEYS)
    answer = raw.getresponse()
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    assert broken.value.partial == whole[: len(whole) // 2]
    raw.close()
    begun(simulator, {"kind": "partial_page", "what": "broken", "times": 1})
    answer = session.get(f"{simulator.url}/v2/assets", timeout=5)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.content)
    assert session.get(f"{simulator.url}/v2/assets", timeout=5).content == whole


def test_a_hanging_request_is_answered_when_the_fault_is_over_and_others_are_not_held_up(served, session):
    simulator = served()
    begun(simulator, {"kind": "rest_hang", "match": "/clock", "for": 0.6})
    start, answers = time.monotonic(), []

    def ask():
        answers.append(requests.get(f"{simulator.url}/v2/clock", headers=KEYS, timeout=5))

    waiting = threading.Thread(target=ask)
    waiting.start()
    assert session.get(f"{simulator.url}/v2/account", timeout=5).status_code == 200
    with pytest.raises(requests.exceptions.ReadTimeout):
        session.get(f"{simulator.url}/v2/clock", timeout=0.1)
    waiting.join()
    assert answers[0].status_code == 200
    assert time.monotonic() - start >= 0.4


def test_a_fault_of_auth_refuses_rest(served, session):
    simulator = served()
    begun(simulator, {"kind": "auth", "on": "rest"})
    assert session.get(f"{simulator.url}/v2/account", timeout=5).status_code == 401
    assert session.get(f"{simulator.url}/v2/stocks/bars", timeout=5).status_code == 403


def test_a_restart_forgets_the_limit_and_keeps_the_account(served, session):
    simulator = served(rate_limit=2, hold=False, start="2024-01-02T09:30:02")
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    assert session.post(f"{simulator.url}/v2/orders", json=order, timeout=5).status_code == 200
    begun(simulator, {"kind": "restart", "for": 0.2})
    until(lambda: not simulator.state()["faults"]["active"])
    orders = session.get(f"{simulator.url}/v2/orders", params={"status": "all"}, timeout=5)
    assert orders.headers["X-RateLimit-Remaining"] == "1"
    assert len(orders.json()) == 1


def test_faults_and_the_clock_can_be_set_by_http(served, session):
    simulator = served(hold=False)
    answer = session.post(f"{simulator.url}/simulator/fault", json={"kind": "mute", "for": 9}, timeout=5)
    assert answer.json() == {"kind": "mute", "at": 0.0, "for": 9.0, "on": "data", "fresh": False}
    until(lambda: session.get(f"{simulator.url}/simulator/state", timeout=5).json()["faults"]["active"])
    session.delete(f"{simulator.url}/simulator/fault", timeout=5)
    until(lambda: not simulator.state()["faults"]["active"])
    clock = session.post(f"{simulator.url}/simulator/clock", json={"speed": 5, "running": False}, timeout=5).json()
    assert (clock["speed"], clock["running"]) == (5, False)
    now = simulator.clock.nanoseconds
    time.sleep(0.05)
    assert simulator.clock.nanoseconds == now


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("fault", b"{", "Expecting"), ("fault", b'{"kind": "flood"}', "flood"), ("clock", b'{"speed": 0}', "speed"),
        ("clock", b'{"tempo": 1}', "running"), ("clock", b"[]", "running"),
    ],
)  # fmt: skip
def test_a_wrong_control_request_is_400_and_says_why(served, path, body, said):
    answer = requests.post(f"{served().url}/simulator/{path}", data=body, timeout=5)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert "GET /simulator/state" in requests.get(f"{served().url}/simulator/nothing", timeout=5).json()["message"]


def test_what_fails_in_the_work_is_500_and_the_server_goes_on(served, session, monkeypatch, caplog):
    simulator = served()
    monkeypatch.setattr(simulator.exchange, "balance", None)
    assert session.get(f"{simulator.url}/v2/account", timeout=5).status_code == 500
    assert "GET /v2/account failed" in caplog.text
    assert session.get(f"{simulator.url}/v2/clock", timeout=5).status_code == 200


def test_a_taken_port_is_said_and_a_stopped_simulator_leaves_it_free(market, served):
    first = served()
    with pytest.raises(SetupError, match="cannot be listened to"):
        Simulator(market, port=first.port).start()
    port = first.port
    first.stop()
    first.stop()
    with Simulator(market, port=port) as second:
        assert second.port == port
    with pytest.raises(SetupError, match="does not run"):
        second.state()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"port": -1}, "port"), ({"port": True}, "port"), ({"speed": 0.0}, "speed"), ({"speed": float("nan")}, "speed"),
        ({"start": "yesterday"}, "moment"), ({"rate_limit": -1}, "rate limit"), ({"rate_limit": 2.5}, "rate limit"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_said_before_anything_is_served(market, options, said):
    with pytest.raises(DataError, match=said):
        Simulator(market, **options)


def test_stopping_does_not_wait_for_clients(market, talk):
    simulator = Simulator(market, hold=True).start()
    client = talk(simulator.stream_url()).enter()
    with requests.Session() as kept:
        kept.get(f"{simulator.url}/v2/clock", headers=KEYS, timeout=5)
        start = time.monotonic()
        simulator.stop()
        assert time.monotonic() - start < 1.5
    assert client.closed() == 1006


def test_two_simulators_do_not_know_of_each_other(market, served, talk):
    for simulator in (served(), served(terms=Terms({"sim-key": "sim-secret"}))):
        talk(simulator.stream_url()).enter()
    assert isinstance(market, RecordedMarket)
