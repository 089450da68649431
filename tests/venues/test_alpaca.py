"""Questions by alpaca-py to the simulator, and to servers on loopback that misbehave on cue."""

import contextlib
import http.server
import json
import threading
import time
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest
from small_venue import KEY, NAMES, SECOND, SECRET, START, rows, settings_for, simulated

from qtw_lab.core import DataError, SetupError, VenueError, VirtualClock
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.stream import StreamFeed
from qtw_lab.venues.ticks import Symbols

pytest.importorskip("alpaca", reason="needs the live extra")

from qtw_lab.venues.alpaca import AlpacaReference, alpaca_feed, stream_access
from qtw_lab.venues.vendor import PyStreamFeed

# Questions, to the simulator


@pytest.fixture(scope="module")
def asked():
    """A simulator whose market's five minutes are over, and the reference that asks it."""
    with simulated(start=pd.Timestamp(START, tz="UTC") + pd.Timedelta(minutes=10), speed=1.0) as (_, settings):
        reference = AlpacaReference(settings)
        yield reference
        reference.close()


def test_assets_clock_and_calendar_are_those_of_the_market(asked):
    assets = asked.assets()
    assert sorted(asset["symbol"] for asset in assets) == NAMES
    assert all(asset["tradable"] for asset in assets)
    assert asked.clock()["is_open"] is True
    sessions = asked.calendar("2024-01-01", "2024-01-05")  # the first is a holiday
    assert [session["date"] for session in sessions] == ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    assert (sessions[0]["open"], sessions[0]["close"]) == ("09:30", "16:00")


def test_trades_of_a_span_are_those_that_were_made_and_its_end_is_not_in_it(asked):
    table = rows()
    first, last = int(table["time"][30]), int(table["time"][60])
    found = asked.trades(["KO", "AAPL", "KO"], first, last)
    assert list(found) == ["KO", "AAPL"]
    for number, name in ((1, "KO"), (0, "AAPL")):
        wanted = table[(table["symbol"] == number) & (table["time"] >= first) & (table["time"] < last)]
        assert [row["i"] for row in found[name]] == list(wanted["id"])
        assert [row["p"] for row in found[name]] == list(wanted["price"])
        assert [pd.Timestamp(row["t"]).value for row in found[name]] == list(wanted["time"])
    assert asked.trades(["AAPL"], first, first + 1)["AAPL"][0]["i"] == 31
    assert asked.trades(["AAPL"], first + 1, first + 2) == {"AAPL": []}


def test_minute_bars_are_raw_and_start_in_the_span(asked):
    bars = asked.bars(["MSFT"], "1Min", START, START + 180 * SECOND)["MSFT"]
    assert [pd.Timestamp(bar["t"]).value for bar in bars] == [START, START + 60 * SECOND, START + 120 * SECOND]
    table = rows()
    first = table[(table["symbol"] == 2) & (table["time"] < START + 60 * SECOND)]
    assert (bars[0]["h"], bars[0]["v"]) == (first["price"].max(), first["size"].sum())


def test_snapshots_leave_out_what_the_venue_does_not_know(asked):
    found = asked.snapshots(["AAPL", "NOPE"])
    assert list(found) == ["AAPL"]
    assert found["AAPL"]["latestTrade"]["p"] == rows()[rows()["symbol"] == 0]["price"][-1]
    assert asked.snapshots([]) == {}


@pytest.mark.parametrize("question", ["snapshots", "trades", "bars"])
def test_a_single_text_is_no_list_of_symbols(asked, question):
    span = {"snapshots": (), "trades": (0, 1), "bars": ("1Min", 0, 1)}[question]
    with pytest.raises(DataError, match=r"give a list, such as \['AAPL'\]"):
        getattr(asked, question)("AAPL", *span)


def test_an_empty_span_is_refused_before_anything_is_asked(asked):
    with pytest.raises(DataError, match="an end after the start"):
        asked.trades(["AAPL"], 5, 5)


def test_pages_are_followed_to_the_last():
    table = rows(30_000, step=SECOND // 100)
    market = RecordedMarket.from_rows(table, Symbols(NAMES))
    start = pd.Timestamp(START, tz="UTC") + pd.Timedelta(minutes=10)
    with Simulator(market, start=start, keys=(KEY, SECRET), rate_limit=0) as simulator:
        reference = AlpacaReference(settings_for(simulator.url))
        found = reference.trades(NAMES, START, START + 600 * SECOND)
        reference.close()
    for number, name in enumerate(NAMES):
        assert [row["i"] for row in found[name]] == list(table["id"][table["symbol"] == number])


# Questions, to a server that answers as told


class Oracle:
    """Gives the answers of `script` in turn, the last for ever: (status, body[, headers]), or seconds of silence."""

    def __init__(self) -> None:
        self.script: list = []
        self.asked: list[tuple[str, dict[str, str]]] = []


@pytest.fixture
def oracle():
    return Oracle()


@pytest.fixture
def reference(oracle):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlparse(self.path)
            oracle.asked.append((address.path, {name: held[0] for name, held in parse_qs(address.query).items()}))
            cue = oracle.script.pop(0) if len(oracle.script) > 1 else oracle.script[0]
            if isinstance(cue, float):
                time.sleep(cue)
                cue = (200, {})
            status, body, *headers = cue
            text = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **(headers[0] if headers else {})}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    clock = VirtualClock(pd.Timestamp("2024-06-03 12:00", tz="UTC"))
    reference = AlpacaReference(settings_for(f"http://127.0.0.1:{server.server_port}"), clock, timeout=(1.0, 0.3))
    reference.time = clock
    yield reference
    reference.close()
    server.shutdown()
    thread.join()
    server.server_close()


CLOCK = {"timestamp": "t", "is_open": True, "next_open": "o", "next_close": "c"}
TRADE_ROW = {"t": "1970-01-01T00:00:01Z", "p": 1.0, "s": 1}


def page(token=None, **trades) -> tuple:
    return (200, {"trades": trades, "next_page_token": token})


@pytest.mark.parametrize(
    "trouble",
    [
        (500, "oops"), (502, "<html>"), (503, {}), (504, {}), (429, {}), (200, "{broken"), (200, [1]), (200, "{}"), 0.4,
        (200, CLOCK, {"Content-Length": "500"}),
    ],
)  # fmt: skip
def test_a_question_is_asked_again_where_that_may_help(oracle, reference, trouble):
    oracle.script = [trouble, (200, CLOCK)]
    assert reference.clock() == CLOCK
    assert len(oracle.asked) == 2


def test_the_pause_that_was_asked_for_is_kept(oracle, reference):
    began = reference.time.now()
    reset = str(int(began.timestamp()) + 20)
    oracle.script = [(503, {}, {"Retry-After": "7"}), (429, {}, {"X-RateLimit-Reset": reset}), (200, CLOCK)]
    reference.clock()
    assert reference.time.now() - began == pd.Timedelta(seconds=20)


def test_an_endless_pause_is_refused_at_once(oracle, reference):
    oracle.script = [(429, {}, {"Retry-After": "3600"})]
    with pytest.raises(VenueError, match="asks to wait 3,600 s"):
        reference.clock()
    assert len(oracle.asked) == 1


def test_after_five_attempts_it_is_said_and_nothing_made_up(oracle, reference):
    oracle.script = [(503, {"message": "later"})]
    with pytest.raises(VenueError, match=r"5 attempts; the last answer was 503: later"):
        reference.assets()
    assert len(oracle.asked) == 5


@pytest.mark.parametrize(
    ("status", "error"), [(400, DataError), (422, DataError), (401, SetupError), (403, SetupError), (404, SetupError)]
)
def test_what_will_not_change_is_asked_once_and_the_keys_are_not_repeated(oracle, reference, status, error):
    oracle.script = [(status, {"message": f"{KEY} with {SECRET} will not do"})]
    with pytest.raises(error) as caught:
        reference.trades(["AAPL"], 0, 10)
    assert len(oracle.asked) == 1
    chain = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert KEY not in chain
    assert SECRET not in chain


@pytest.mark.parametrize(
    ("question", "setting"),
    [
        (lambda reference: reference.clock(), "ALPACA_TRADING_REST_URL"),
        (lambda reference: reference.snapshots(["IBM"]), "ALPACA_DATA_REST_URL"),
    ],
)
def test_where_nothing_is_found_the_setting_of_that_address_is_named(oracle, reference, question, setting):
    oracle.script = [(404, {"message": "no such page"})]
    with pytest.raises(SetupError, match=f"no such page. Check {setting}"):
        question(reference)


@pytest.mark.parametrize(
    "pages",
    [
        [page("a", IBM=[TRADE_ROW]), page("a", IBM=[TRADE_ROW])],  # in a circle
        [page("a", IBM=[TRADE_ROW]), page("b")],  # empty, and more to come
        [page(KO=[TRADE_ROW])],  # not asked for
        [page(IBM=[{**TRADE_ROW, "t": "1970-01-01T00:00:02Z"}, TRADE_ROW])],  # out of order
        [page("a", IBM=[{**TRADE_ROW, "t": "1970-01-01T00:00:02Z"}]), page(IBM=[TRADE_ROW])],  # and across pages
        [page(IBM=[{**TRADE_ROW, "t": "1970-01-01T00:00:10Z"}])],  # at the end of the span
        [page(IBM=[{**TRADE_ROW, "t": "1970-01-01T00:00:00.999999999Z"}])],  # before it
        [page(IBM=[{**TRADE_ROW, "t": "soon"}])],
        [page(IBM=[{"t": "1970-01-01T00:00:01Z", "p": 1.0}])],
        [page(IBM="no list")],
        [(200, {"trades": {}})],
        [(200, {"trades": {}, "next_page_token": 7})],
    ],
)
def test_trades_that_do_not_make_one_whole_are_an_error_and_never_a_part(oracle, reference, pages):
    oracle.script = pages
    with pytest.raises(VenueError):
        reference.trades(["IBM"], SECOND, 10 * SECOND)


def test_trades_at_one_time_across_pages_are_all_kept(oracle, reference):
    oracle.script = [page("a", IBM=[{**TRADE_ROW, "i": 1}]), page("b", IBM=[{**TRADE_ROW, "i": 2}]), page(IBM=None)]
    oracle.script[-1] = (200, {"trades": None, "next_page_token": None})
    assert [row["i"] for row in reference.trades(["IBM"], SECOND, 2 * SECOND)["IBM"]] == [1, 2]
    assert [query.get("page_token") for _, query in oracle.asked] == [None, "a", "b"]
    assert oracle.asked[0][1] | {"limit": "", "page_token": ""} == {
        "symbols": "IBM", "start": "1970-01-01T00:00:01+00:00", "end": "1970-01-01T00:00:01.999999999+00:00",
        "feed": "iex", "sort": "asc", "limit": "", "page_token": "",
    }  # fmt: skip


def test_many_symbols_are_asked_about_in_groups(oracle, reference):
    oracle.script = [(200, {})]
    names = [f"S{number}" for number in range(1201)]
    assert reference.snapshots(names) == {}
    assert [len(query["symbols"].split(",")) for _, query in oracle.asked] == [500, 500, 201]


def test_one_symbol_that_the_venue_refuses_does_not_cost_the_others(oracle, reference):
    oracle.script = [(400, {"message": "invalid symbol: BAD.X"}), (200, {"KO": {"latestTrade": {}}, "IBM": None})]
    assert list(reference.snapshots(["KO", "BAD.X", "IBM"])) == ["KO"]
    assert oracle.asked[1][1]["symbols"] == "KO,IBM"
    oracle.script = [(400, {"message": "invalid feed"})]
    with pytest.raises(DataError, match="invalid feed"):
        reference.snapshots(["KO"])


@pytest.mark.parametrize("body", [{}, [{"symbol": "IBM"}], ["IBM"], []])
def test_a_list_of_assets_that_is_none_is_an_error(oracle, reference, body):
    oracle.script = [(200, body)]
    with pytest.raises(VenueError):
        reference.assets()


def test_assets_that_cannot_be_traded_are_left_out(oracle, reference):
    oracle.script = [(200, [{"symbol": "IBM", "tradable": True}, {"symbol": "OLD", "tradable": False}])]
    assert [asset["symbol"] for asset in reference.assets()] == ["IBM"]
    assert oracle.asked[0] == ("/v2/assets", {"status": "active", "asset_class": "us_equity"})


def test_no_connection_at_all_is_an_error_of_the_venue():
    settings, clock = settings_for("http://127.0.0.1:9"), VirtualClock(pd.Timestamp("2024-06-03", tz="UTC"))
    reference = AlpacaReference(settings, clock)
    with pytest.raises(VenueError, match="the connection failed"):
        reference.clock()
    reference.close()


def test_without_keys_the_variable_is_named_and_the_test_feed_has_no_history():
    with pytest.raises(SetupError, match="ALPACA_API_KEY_ID is not set"):
        AlpacaReference(settings_for("http://127.0.0.1:9", alpaca_api_key_id=None))
    reference = AlpacaReference(settings_for("http://127.0.0.1:9", alpaca_data_feed="test"))
    for question in (lambda: reference.trades(["FAKEPACA"], 0, 1), lambda: reference.snapshots(["FAKEPACA"])):
        with pytest.raises(SetupError, match="test feed"):
            question()
    reference.close()


# Addresses


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "wss://stream.data.alpaca.markets/v2/iex"),
        ({"alpaca_data_feed": "sip"}, "wss://stream.data.alpaca.markets/v2/sip"),
        ({"alpaca_data_ws_url": "ws://127.0.0.1:8765/", "alpaca_data_feed": "test"}, "ws://127.0.0.1:8765/v2/test"),
        ({"alpaca_data_ws_url": "wss://host/v1beta1/overnight"}, "wss://host/v1beta1/overnight"),
    ],
)
def test_the_settings_name_the_stream(given, address):
    assert stream_access(settings_for("", **given)).address == address


def test_a_feed_that_is_never_opened_leaves_nothing_open():
    assert isinstance(alpaca_feed(settings_for("")), StreamFeed)
    PyStreamFeed(stream_access(settings_for("")))


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(DataError, match="no address of a stream"):
        stream_access(settings_for("", alpaca_data_ws_url="https://host/v2/iex"))


def test_keys_do_not_show_in_the_representation_of_an_access():
    assert SECRET not in repr(stream_access(settings_for("")))
