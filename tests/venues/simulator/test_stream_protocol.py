"""The market-data stream's greeting, signing in, subscriptions and every error code, over real sockets in JSON."""

import base64
import contextlib
import json
import time

import numpy as np
import pytest
from simulated import KEYS, NAMES, rows_of
from websockets.exceptions import ConnectionClosed, InvalidStatus

from qtw_lab.venues.feeds import CHANNELS
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.stream import ERRORS, Terms
from qtw_lab.venues.ticks import CANCEL, CORRECTION, LIMITS, STATUS, Symbols, packed

GRANTED = {"sim-key": "sim-secret"}


def error(code):
    return [{"T": "error", "code": code, "msg": ERRORS[code]}]


def listed(**channels):
    found = {"T": "subscription"} | {name: [] for name in (*CHANNELS, "corrections", "cancelErrors")} | channels
    return [found | dict.fromkeys(("corrections", "cancelErrors"), found["trades"])]


def test_a_client_is_greeted_signed_in_and_told_its_whole_subscription(served, talk):
    client = talk(served().stream_url()).enter()
    assert client.ask({"action": "subscribe", "trades": ["MSFT", "AAPL"], "bars": ["*"]}) == listed(
        trades=["AAPL", "MSFT"], bars=["*"]
    )
    assert client.ask({"action": "subscribe", "quotes": ["IBM"]}) == listed(
        trades=["AAPL", "MSFT"], bars=["*"], quotes=["IBM"]
    )
    assert client.ask({"action": "unsubscribe", "trades": ["AAPL", "NONE"], "bars": ["*"]}) == listed(
        trades=["MSFT"], quotes=["IBM"]
    )


def test_every_message_of_what_was_subscribed_comes_and_nothing_else(served, talk):
    client = talk(served().stream_url("sip")).enter()
    client.ask({"action": "subscribe", "trades": ["AAPL"], "quotes": ["MSFT"]})
    rows = rows_of(400)
    trades = [row for row in rows if chr(row["kind"]) == "t" and row["symbol"] == 0]
    quotes = [row for row in rows if chr(row["kind"]) == "q" and row["symbol"] == 1]
    seen = client.gather(lambda seen: len(seen) >= len(trades) + len(quotes))
    assert [message["i"] for message in seen if message["T"] == "t"] == [int(row["id"]) for row in trades]
    assert [message["bp"] for message in seen if message["T"] == "q"] == [float(row["price"]) for row in quotes]
    assert {message["S"] for message in seen if message["T"] == "t"} == {"AAPL"}
    assert len(seen) == len(trades) + len(quotes)
    assert next(message for message in seen if message["T"] == "q") == {
        "T": "q", "S": "MSFT", "bx": "V", "bp": 100.04, "bs": 100, "ax": "V", "ap": 100.06, "as": 200, "c": ["@"],
        "z": "C", "t": "2024-01-02T14:30:00.2Z",
    }  # fmt: skip


def test_events_come_at_their_time_and_none_before_it(served, talk):
    simulator = served(speed=1.0)
    client = talk(simulator.stream_url()).enter()
    client.ask({"action": "subscribe", "trades": ["*"]})
    client.gather(lambda seen: len(seen) >= 10)
    now = simulator.clock.nanoseconds
    sent = rows_of(400)
    due = sent[(sent["kind"] == ord("t")) & (sent["time"] < now)]
    assert len(client.seen) <= len(due)
    assert now - int(due["time"][len(client.seen) - 1]) < 200_000_000


def test_keys_may_come_as_headers_or_as_basic_authentication(served, talk):
    simulator = served()
    basic = {"Authorization": "Basic " + base64.b64encode(b"sim-key:sim-secret").decode()}
    for headers in (KEYS, basic):
        client = talk(simulator.stream_url(), headers)
        assert client.hear() == [{"T": "success", "msg": "connected"}]
        assert client.hear() == [{"T": "success", "msg": "authenticated"}]
        client.close()


@pytest.mark.parametrize(
    "message",
    [
        "no JSON", b"\xc1", "[]", "42", '{"action": 7}', {"action": "dance"}, {"deed": "auth"}, "[" * 100_000,
        {"action": "subscribe", "trades": "AAPL"}, {"action": "subscribe", "trades": ["A B$"]},
        {"action": "subscribe", "trades": [1]}, {"action": "subscribe", "trades": {"AAPL": 1}},
    ],
)  # fmt: skip
def test_400_is_for_what_the_protocol_does_not_know(served, talk, message):
    client = talk(served().stream_url()).enter()
    assert client.ask(message) == error(400)
    assert client.ask({"action": "subscribe", "trades": ["IBM"]}) == listed(trades=["IBM"])


def test_401_is_for_subscribing_before_signing_in(served, talk):
    client = talk(served().stream_url())
    client.hear()
    assert client.ask({"action": "subscribe", "trades": ["AAPL"]}) == error(401)
    assert client.ask({"action": "unsubscribe", "trades": ["AAPL"]}) == error(401)


@pytest.mark.parametrize(
    "keys",
    [{"key": "sim-key", "secret": "wrong"}, {"key": "none", "secret": "sim-secret"}, {}, {"key": 1, "secret": None}],
)
def test_402_is_for_wrong_keys_and_the_client_may_try_again(served, talk, keys):
    client = talk(served().stream_url())
    client.hear()
    assert client.ask({"action": "auth"} | keys) == error(402)
    assert client.ask({"action": "auth", "key": "sim-key", "secret": "sim-secret"})[0]["msg"] == "authenticated"


def test_403_is_for_signing_in_twice(served, talk):
    client = talk(served().stream_url()).enter()
    assert client.ask({"action": "auth", "key": "sim-key", "secret": "sim-secret"}) == error(403)


def test_404_is_for_who_does_not_sign_in_in_time(served, talk):
    client = talk(served(terms=Terms(GRANTED, auth_seconds=0.2)).stream_url())
    client.hear()
    assert client.hear() == error(404)
    assert client.closed() == 1000


def test_405_is_for_more_symbols_than_the_plan_has_and_nothing_changes(served, talk):
    client = talk(served(terms=Terms(GRANTED, symbol_limit=3)).stream_url()).enter()
    assert client.ask({"action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL", "IBM"], "bars": ["*"]})[0][
        "trades"
    ]
    assert client.ask({"action": "subscribe", "trades": ["MSFT"]}) == error(405)
    assert client.ask({"action": "subscribe", "quotes": ["*"]}) == error(405)
    assert client.ask({"action": "unsubscribe", "trades": ["AAPL"]})[0]["quotes"] == ["AAPL", "IBM"]
    assert client.ask({"action": "subscribe", "trades": ["MSFT"]})[0]["trades"] == ["MSFT"]


def test_406_is_for_a_second_link_and_the_first_goes_on(served, talk):
    simulator = served()
    first = talk(simulator.stream_url()).enter()
    second = talk(simulator.stream_url())
    second.hear()
    assert second.ask({"action": "auth", "key": "sim-key", "secret": "sim-secret"}) == error(406)
    assert second.closed() == 1000
    assert first.ask({"action": "subscribe", "trades": ["IBM"]}) == listed(trades=["IBM"])
    other_feed = talk(simulator.stream_url("sip")).enter()
    first.close()
    other_feed.close()
    time.sleep(0.1)
    talk(simulator.stream_url()).enter()


def test_407_is_for_a_client_that_does_not_read_and_memory_stays_bounded(served, talk):
    rows = rows_of(60_000, step=1_000)
    simulator = served(
        RecordedMarket.from_rows(rows, Symbols(NAMES)), speed=0.05, terms=Terms(GRANTED, buffer_bytes=200_000)
    )
    client = talk(simulator.stream_url()).enter()
    client.say({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
    end = time.monotonic() + 8
    while "407" not in simulator.state()["data"]["errors"] and time.monotonic() < end:
        assert all(link["backlog"] < 5_000_000 for link in simulator.state()["data"]["links"])
        time.sleep(0.02)
    assert simulator.state()["data"]["errors"] == {"407": 1}
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        while True:
            client.seen += client.hear(3)
    assert len(client.seen) < len(rows)


def test_409_is_for_a_feed_that_the_plan_does_not_have(served, talk):
    client = talk(served(terms=Terms(GRANTED, feeds=("iex",))).stream_url("sip"))
    client.hear()
    assert client.ask({"action": "auth", "key": "sim-key", "secret": "sim-secret"}) == error(409)
    assert client.closed() == 1000


def test_410_is_for_channels_that_the_stream_does_not_have(served, talk):
    client = talk(served().stream_url()).enter()
    assert client.ask({"action": "subscribe", "orderbooks": ["AAPL"]}) == error(410)


@pytest.mark.parametrize("code", [408, 500])
def test_408_and_500_come_when_a_fault_says_so(served, talk, code):
    simulator = served()
    client = talk(simulator.stream_url()).enter()
    simulator.fault({"kind": "error", "code": code})
    assert client.hear() == error(code)
    assert client.ask({"action": "subscribe", "trades": ["IBM"]}) == listed(trades=["IBM"])


def test_control_messages_come_alone_and_data_in_frames_of_the_size_set(served, talk):
    client = talk(served(speed=1000.0, terms=Terms(GRANTED, batch=7)).stream_url()).enter()
    client.say({"action": "subscribe", "quotes": ["*"]})
    frames = []
    with contextlib.suppress(TimeoutError):
        while sum(map(len, frames)) < 201:
            frames.append(client.hear(2))
    assert frames[0][0]["T"] == "subscription"
    assert len(frames[0]) == 1
    assert max(map(len, frames[1:])) == 7


def test_corrections_and_cancels_come_with_trades_statuses_and_price_limits_by_their_own_channels(served, talk):
    rows = rows_of(6)
    rows["kind"] = [ord("t"), CORRECTION, CANCEL, STATUS, LIMITS, ord("t")]
    rows["symbol"], rows["flag"] = 0, [0, 0, ord("C"), ord("H"), ord("B"), 0]
    rows["id"], rows["second_id"] = [1, 1, 2, 0, 0, 3], [0, 2, 0, 0, 0, 0]
    rows["other_price"], rows["other_size"] = 100.5, 10
    rows["conditions"][3] = packed("T1")
    simulator = served(RecordedMarket.from_rows(rows, Symbols(NAMES)))
    client = talk(simulator.stream_url()).enter()
    client.ask({"action": "subscribe", "trades": ["AAPL"], "statuses": ["*"], "lulds": ["AAPL"]})
    seen = client.gather(lambda seen: len(seen) == 6)
    assert [message["T"] for message in seen] == ["t", "c", "x", "s", "l", "t"]
    assert (seen[1]["oi"], seen[1]["ci"], seen[2]["i"]) == (1, 2, 2)
    assert (seen[3]["sc"], seen[3]["rc"], seen[4]["i"]) == ("H", "T1", "B")
    sent = simulator.state()["data"]["sent"]
    assert (sent["trades"], sent["statuses"], sent["lulds"], sent["other"]) == (4, 1, 1, 0)


def test_minute_daily_and_updated_bars_are_the_markets_own_and_come_at_their_time(served, talk):
    rows = rows_of(60, step=10**9)
    late = rows_of(2, start=int(rows["time"][-1]) + 5 * 10**9)  # arrives after the minute's bar, happened within it
    late["time"], late["id"], late["price"] = rows["time"][-1], [0, 900], 200.0
    late["kind"], late["symbol"] = ord("t"), 0
    both = np.concatenate([rows, late])
    arrivals = np.concatenate([rows["time"], late["time"] + 10 * 10**9])
    later = rows_of(1, start=int(rows["time"][0]) + 100 * 10**9)
    market = RecordedMarket.from_rows(
        np.concatenate([both, later]), Symbols(NAMES), arrivals=np.concatenate([arrivals, later["time"]])
    )
    client = talk(served(market, speed=200.0).stream_url()).enter()
    client.ask({"action": "subscribe", "bars": ["*"], "updatedBars": ["*"], "dailyBars": ["AAPL"]})
    seen = client.gather(lambda seen: any(message["T"] == "u" for message in seen))
    bars = market.published(*market.span)
    wanted = [row for row in bars.rows if chr(row["kind"]) != "d" or row["symbol"] == 0][: len(seen)]
    assert [(message["T"], message["S"], message["c"]) for message in seen] == [
        (chr(row["kind"]), NAMES[row["symbol"]], row["close"]) for row in wanted
    ]
    assert {"b", "d", "u"} == {message["T"] for message in seen}


def test_bars_asked_for_in_the_middle_of_a_stretch_come_too(served, talk):
    simulator = served(hold=False, speed=100.0)
    client = talk(simulator.stream_url()).enter()
    client.ask({"action": "subscribe", "bars": ["*"]})
    assert client.gather(lambda seen: len(seen) >= 3)[0]["T"] == "b"


def test_the_test_stream_speaks_of_fakepaca_whatever_the_market_does(served, talk):
    simulator = served(hold=False, speed=50.0)
    client = talk(simulator.stream_url("test")).enter()
    client.ask({"action": "subscribe", "trades": ["FAKEPACA"], "quotes": ["*"], "bars": ["FAKEPACA"]})
    seen = client.gather(lambda seen: any(message["T"] == "b" for message in seen))
    assert {message["S"] for message in seen} == {"FAKEPACA"}
    assert {message["T"] for message in seen} == {"t", "q", "b"}
    assert all(message["bp"] < message["ap"] for message in seen if message["T"] == "q")


def test_a_handshake_for_a_stream_that_is_not_there_is_refused(served, talk):
    simulator = served()
    for path in ("/v2/nothing", "/nowhere"):
        with pytest.raises(InvalidStatus) as refusal:
            talk(simulator.url.replace("http", "ws") + path)
        assert refusal.value.response.status_code == 400


def test_nothing_of_the_keys_is_in_the_state(served, talk):
    simulator = served()
    talk(simulator.stream_url()).enter()
    assert "sim-key" not in json.dumps(simulator.state())
    assert "sim-secret" not in repr(simulator.terms)


def test_a_market_as_fast_as_its_clients_is_complete_and_in_order_even_for_slow_ones(served, talk):
    rows = rows_of(30_000, step=1_000_000)
    simulator = served(RecordedMarket.from_rows(rows, Symbols(NAMES)), speed=float("inf"))
    client = talk(simulator.stream_url()).enter()
    client.ask({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
    time.sleep(0.5)
    seen = client.gather(lambda seen: len(seen) >= len(rows), seconds=20)
    times = np.array([message["t"].rstrip("Z") for message in seen], dtype="datetime64[ns]")
    assert times.astype("i8").tolist() == rows["time"].tolist()
    assert [message["i"] for message in seen if message["T"] == "t"] == rows["id"][rows["kind"] == ord("t")].tolist()
