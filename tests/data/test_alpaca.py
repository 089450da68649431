"""The real alpaca-py client against a real HTTP server on loopback that speaks Alpaca's bars, and misbehaves on cue."""

import contextlib
import http.server
import json
import logging
import threading
import time
import traceback
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest
from pydantic import SecretStr

from qtw_lab.core import DataError, Settings, SetupError, VenueError, VirtualClock
from qtw_lab.data.alpaca import AlpacaSource
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store

pytest.importorskip("alpaca", reason="needs the live extra")

KEY, SECRET = "the-key-id-of-these-tests", "the-secret-of-these-tests"
NOW = pd.Timestamp("2024-06-03 12:00", tz="UTC")  # a Monday, before the New York open
FACTORS = {"raw": 1.0, "split": 0.5, "all": 0.45}


@dataclass
class Exchange:
    """What the server knows and how it shall behave.

    `script` holds one behaviour for each request to come: a status, (status, headers), (status, headers, body), seconds
    to stay silent (a float), or a function that may change the page.
    """

    bars: dict[str, list[str]]
    page: int = 4
    script: list = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    closes: dict[tuple[str, str], float] = field(default_factory=dict)

    def answer(self, query: dict[str, str]) -> dict:
        wanted = query["symbols"].split(",")
        first, last = pd.Timestamp(query["start"]), pd.Timestamp(query["end"])
        rows = [(s, t) for s in sorted(wanted) for t in self.bars.get(s, ()) if first <= pd.Timestamp(t) <= last]
        begin = int(query.get("page_token", "0"))
        bars: dict[str, list] = {}
        for symbol, moment in rows[begin : begin + self.page]:
            bars.setdefault(symbol, []).append(self.bar(symbol, moment, query["adjustment"]))
        more = begin + self.page < len(rows)
        return {"bars": bars, "next_page_token": str(begin + self.page) if more else None}

    def bar(self, symbol: str, moment: str, adjustment: str) -> dict:
        place = self.bars[symbol].index(moment)
        close = self.closes.get((symbol, adjustment), 100.0 + place) * FACTORS[adjustment]
        return {
            "t": moment,
            "o": close,
            "h": close + 1,
            "l": close - 1,
            "c": close,
            "v": 1000 + place,
            "n": 5,
            "vw": close,
        }


@pytest.fixture
def exchange():
    days = pd.bdate_range("2024-01-02", periods=6)
    midnights = [f"{day.tz_localize('America/New_York').tz_convert('UTC'):%Y-%m-%dT%H:%M:%SZ}" for day in days]
    return Exchange({"AAPL": midnights, "IBM": midnights[:3]})


@pytest.fixture
def root(exchange):
    """The address of a running server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlparse(self.path).query).items()}
            exchange.asked.append(query)
            exchange.headers.append(dict(self.headers))
            cue = exchange.script.pop(0) if exchange.script else None
            status, headers, body = 200, {}, None
            if isinstance(cue, float):
                time.sleep(cue)
            elif isinstance(cue, int):
                status, body = cue, json.dumps({"message": f"scripted {cue}"})
            elif isinstance(cue, tuple):
                status, headers, body = (*cue, json.dumps({"message": f"scripted {cue[0]}"}))[:3]
            page = exchange.answer(query) if body is None else None
            if callable(cue):
                page = cue(page)
            text = (body if body is not None else json.dumps(page)).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client of a slow answer has gone
                self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clock():
    return VirtualClock(NOW)


@pytest.fixture
def source(root, clock):
    return AlpacaSource(settings_for(root), clock, timeout=(1.0, 0.5))


def settings_for(root: str, **given) -> Settings:
    return Settings(
        alpaca_api_key_id=SecretStr(KEY), alpaca_api_secret_key=SecretStr(SECRET), alpaca_data_rest_url=root,
        alpaca_data_feed=given.pop("feed", "iex"), _env_file=None, **given,
    )  # fmt: skip


# The way it should go


def test_raw_prices_come_with_the_factors_of_splits_and_dividends(source, exchange):
    table = source.fetch("AAPL", "2024-01-01", "2024-02-01")["AAPL"]
    assert table["close"].tolist() == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    assert table["split_factor"].tolist() == pytest.approx([0.5] * 6)
    assert table["factor"].tolist() == pytest.approx([0.45] * 6)
    assert table["volume"].tolist() == [1000.0, 1001.0, 1002.0, 1003.0, 1004.0, 1005.0]
    assert [query["adjustment"] for query in exchange.asked] == ["raw", "raw", "split", "split", "all", "all"]
    assert {query["feed"] for query in exchange.asked} == {"iex"}
    assert {query["timeframe"] for query in exchange.asked} == {"1Day"}


def test_daily_bars_carry_their_session_date(source):
    index = source.fetch("AAPL", "2024-01-01")["AAPL"].index
    assert index[0] == pd.Timestamp("2024-01-02", tz="UTC")
    assert (index == index.normalize()).all()


def test_intraday_bars_keep_their_time(source, exchange):
    exchange.bars = {"AAPL": ["2024-01-02T14:30:00Z", "2024-01-02T14:35:00Z"]}
    table = source.fetch("AAPL", "2024-01-02", "2024-01-02", "5min")["AAPL"]
    assert table.index[1] == pd.Timestamp("2024-01-02 14:35", tz="UTC")
    assert exchange.asked[0]["timeframe"] == "5Min"


def test_many_symbols_are_joined_over_pages(source, exchange):
    tables = source.fetch("IBM,AAPL", "2024-01-01")
    assert {symbol: len(table) for symbol, table in tables.items()} == {"IBM": 3, "AAPL": 6}
    assert len(exchange.asked) == 9  # 9 bars in pages of 4 make 3 pages, three times


def test_keys_go_in_headers_only(source, exchange):
    source.fetch("AAPL", "2024-01-01")
    assert {headers["APCA-API-KEY-ID"] for headers in exchange.headers} == {KEY}
    assert not any(KEY in str(query) or SECRET in str(query) for query in exchange.asked)


@pytest.mark.parametrize(
    ("moment", "timeframe", "bars", "complete"),
    [
        ("2024-01-09 12:00", "1D", ["2024-01-08T05:00:00Z", "2024-01-09T05:00:00Z"], 1),
        ("2024-01-10 00:59", "1D", ["2024-01-08T05:00:00Z", "2024-01-09T05:00:00Z"], 1),  # 19:59 in New York
        ("2024-01-10 01:00", "1D", ["2024-01-08T05:00:00Z", "2024-01-09T05:00:00Z"], 2),  # 20:00: after hours are over
        ("2024-01-09 15:04", "5min", ["2024-01-09T14:55:00Z", "2024-01-09T15:00:00Z"], 1),
        ("2024-01-09 15:05", "5min", ["2024-01-09T14:55:00Z", "2024-01-09T15:00:00Z"], 2),
        ("2024-01-12 12:00", "1W", ["2024-01-01T05:00:00Z", "2024-01-08T05:00:00Z"], 1),
        ("2024-01-31 12:00", "1ME", ["2023-12-01T05:00:00Z", "2024-01-01T05:00:00Z"], 1),
    ],
)
def test_a_bar_that_may_still_change_is_left_out(root, exchange, moment, timeframe, bars, complete):
    exchange.bars = {"AAPL": bars}
    source = AlpacaSource(settings_for(root), VirtualClock(pd.Timestamp(moment, tz="UTC")))
    assert len(source.fetch("AAPL", "2023-12-01", timeframe=timeframe)["AAPL"]) == complete


# Asking again


def test_a_429_is_waited_out_as_the_header_asks(source, exchange, clock):
    exchange.script = [(429, {"Retry-After": "17"})]
    assert len(source.fetch("AAPL", "2024-01-01")["AAPL"]) == 6
    assert clock.now() - NOW >= pd.Timedelta(seconds=17)
    assert clock.now() - NOW < pd.Timedelta(seconds=20)
    assert exchange.asked[0] == exchange.asked[1]


def test_a_429_is_waited_out_until_the_reset_time(source, exchange, clock):
    exchange.script = [(429, {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 42)})]
    source.fetch("AAPL", "2024-01-01")
    assert pd.Timedelta(seconds=42) <= clock.now() - NOW < pd.Timedelta(seconds=45)


def test_a_server_fault_is_asked_again_page_by_page(source, exchange, clock):
    exchange.script = [None, 500, 503]  # the second page fails twice
    assert len(source.fetch("AAPL", "2024-01-01")["AAPL"]) == 6
    assert [query.get("page_token") for query in exchange.asked[:5]] == [None, "4", "4", "4", None]
    assert clock.now() - NOW == pd.Timedelta(seconds=3)  # 1 s and 2 s


@pytest.mark.parametrize(
    "cue",
    [(200, {}, "<html>"), (200, {}, ""), (200, {}, "[]"), (200, {}, '{"bars": {}'), 0.8, (502, {}, "<html>bad</html>")],
)
def test_one_answer_that_is_no_page_is_asked_again(source, exchange, cue):
    exchange.script = [None, cue]
    assert len(source.fetch("AAPL", "2024-01-01")["AAPL"]) == 6


def test_a_page_that_never_comes_names_what_was_fetched_and_discarded(source, exchange, tmp_path):
    exchange.script = [None, 500, 500, 500, 500, 500]
    store = Store(tmp_path / "store")
    with pytest.raises(VenueError, match=r"page 2 in 5 attempts.*scripted 500.*1 page.*4 bars.*AAPL to 2024-01-05"):
        source.download(store, "AAPL", "2024-01-01")
    assert len(exchange.asked) == 6
    assert not store.folder.exists()


def test_a_mute_server_is_given_up_on(root, exchange, clock):
    exchange.script = [0.3] * 5
    began = time.monotonic()
    with pytest.raises(VenueError, match="no answer within the time allowed"):
        AlpacaSource(settings_for(root), clock, timeout=(1.0, 0.1)).fetch("AAPL", "2024-01-01")
    assert time.monotonic() - began < 5


def test_a_server_that_is_not_there_is_a_venue_error(clock):
    with pytest.raises(VenueError, match="ConnectionError"):
        AlpacaSource(settings_for("http://127.0.0.1:9"), clock).fetch("AAPL", "2024-01-01")


def test_a_wait_of_an_hour_is_not_waited(source, exchange, clock):
    exchange.script = [(429, {"Retry-After": "3600"})]
    with pytest.raises(VenueError, match="wait 3,600 s"):
        source.fetch("AAPL", "2024-01-01")
    assert clock.now() == NOW


# Final answers


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, SetupError, "ALPACA_API_KEY_ID"),
        (403, SetupError, "plan"),
        (422, DataError, "scripted 422"),
        (400, DataError, "symbols, dates"),
        (404, SetupError, "ALPACA_DATA_REST_URL"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(source, exchange, status, kind, words):
    exchange.script = [status]
    with pytest.raises(kind, match=words):
        source.fetch("AAPL", "2024-01-01")
    assert len(exchange.asked) == 1


def test_a_symbol_without_bars_is_named(source):
    with pytest.raises(DataError, match="no complete 1D bar of NOPE"):
        source.fetch("AAPL,NOPE", "2024-01-01")


@pytest.mark.parametrize(
    ("symbols", "start", "end", "timeframe", "words"),
    [
        ("", "2024-01-01", None, "1D", "No symbol"),
        ("AAPL", "yesterday-ish", None, "1D", "not a date"),
        ("AAPL", None, None, "1D", "from when"),
        ("AAPL", "2024-02-01", "2024-01-01", "1D", "after the end"),
        ("AAPL", "2030-01-01", None, "1D", "now at the latest"),
        ("AAPL", "2024-01-01", None, "10s", "no bars of 10s"),
        ("AAPL", "2024-01-01", None, "90min", "no bars of 90min"),
        ("AAPL", "2024-01-01", None, "2D", "no bars of 2D"),
    ],
)
def test_a_question_that_makes_no_sense_is_never_sent(source, exchange, symbols, start, end, timeframe, words):
    with pytest.raises(DataError, match=words):
        source.fetch(symbols, start, end, timeframe)
    assert not exchange.asked


def test_missing_keys_and_the_test_feed_are_told_before_anything_is_sent(root, exchange):
    with pytest.raises(SetupError, match="ALPACA_API_KEY_ID is not set"):
        AlpacaSource(Settings(alpaca_data_rest_url=root, _env_file=None)).fetch("AAPL", "2024-01-01")
    with pytest.raises(SetupError, match="iex or sip"):
        AlpacaSource(settings_for(root, feed="test")).fetch("AAPL", "2024-01-01")
    assert not exchange.asked


# A part is never taken for the whole


def without_token(page):
    return {"bars": page["bars"]}


def token(value):
    return lambda page: {**page, "next_page_token": value}


def empty(page):
    return {"bars": {}, "next_page_token": "8"}


def stranger(page):
    return {**page, "bars": {"TSLA": page["bars"]["AAPL"]}}


def backwards(page):
    return {**page, "bars": {"AAPL": page["bars"]["AAPL"][::-1]}}


def with_bar(**changes):
    return lambda page: {**page, "bars": {"AAPL": [{**page["bars"]["AAPL"][0], **changes}]}}


def nameless(page):
    return {**page, "bars": {"AAPL": [{"t": "2024-01-02T05:00:00Z", "o": 1}]}}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ([None, token("4")], "circle"),
        ([token("0")], "came twice"),
        ([None, empty], "is empty, yet names a next page"),
        ([token(None)], "ended early"),
        ([None, None, token(None)], "ended early"),
        ([without_token] * 5, "lacks next_page_token"),
        ([token(7)] * 5, "neither text nor null"),
        ([stranger], "TSLA, which was not asked for"),
        ([backwards], "out of order"),
        ([with_bar(t="noon")], "no time"),
        ([with_bar(t=None)], "without a time"),
        ([with_bar(c="dear")], "no number"),
        ([with_bar(o=None)], "missing or infinite"),
        ([with_bar(t="2024-01-02T09:30:00Z")], "midnight"),
        ([nameless] * 5, "lacks one of"),
        ([lambda page: {**page, "bars": [1]}] * 5, "not lists by symbol"),
    ],
)
def test_pages_that_do_not_make_one_whole_are_refused(source, exchange, tmp_path, script, words):
    exchange.script = list(script)
    store = Store(tmp_path / "store")
    with pytest.raises(VenueError, match=words):
        source.download(store, "AAPL", "2024-01-01")
    assert not store.folder.exists()


def test_a_price_of_zero_is_refused_before_anything_is_stored(source, exchange, tmp_path):
    exchange.script = [lambda page: {**page, "bars": {"AAPL": [{**bar, "o": 0} for bar in page["bars"]["AAPL"]]}}]
    with pytest.raises(DataError, match="zero or negative"):
        source.download(Store(tmp_path / "store"), "AAPL", "2024-01-01")


# Keys


def test_keys_appear_in_no_error_log_or_repr_even_if_the_venue_repeats_them(source, exchange, caplog):
    caplog.set_level(logging.DEBUG)
    said = [repr(source)]
    for status in (401, 403, 422, 500):
        exchange.script = [(status, {}, json.dumps({"message": f"bad {KEY} / {SECRET}"}))] * 5
        try:
            source.fetch("AAPL", "2024-01-01")
        except (DataError, SetupError, VenueError) as err:
            chain: BaseException | None = err
            while chain is not None:
                said += [str(chain), "".join(traceback.format_exception(chain))]
                chain = chain.__cause__ or chain.__context__
    exchange.script.clear()
    said.append(caplog.text)
    assert len(said) == 10
    assert "bad *** / ***" in said[1]
    assert not any(KEY in text or SECRET in text for text in said)


# Into the store


def test_a_download_is_stored_per_feed_and_extended_without_a_seam(root, exchange, tmp_path):
    store = Store(tmp_path / "store", clock=VirtualClock(NOW))
    early = VirtualClock(pd.Timestamp("2024-01-06", tz="UTC") + pd.Timedelta(hours=12))
    (first,) = AlpacaSource(settings_for(root), early).download(store, "AAPL", "2024-01-01")
    assert (first.key, first.rows) == (SeriesKey("alpaca-iex", "AAPL", "1D"), 4)
    exchange.closes = {("AAPL", "all"): 90.0}
    later = VirtualClock(NOW)
    (second,) = AlpacaSource(settings_for(root), later).download(store, "AAPL", "2024-01-09")
    assert (second.rows, second.added) == (6, 2)
    asked = [query["start"] for query in exchange.asked if query["adjustment"] == "raw"]
    assert asked[-1] < "2024-01-06"  # from before the last stored bar, so that old and new share some
    bars = store.bars("AAPL", source="alpaca-iex")
    assert bars.adjustment == "all"
    assert bars.close["AAPL"].tolist() == pytest.approx([90 * 0.45] * 6)


def test_an_older_span_is_fetched_up_to_the_last_stored_bar(root, exchange, tmp_path, clock):
    store = Store(tmp_path / "store", clock=clock)
    source = AlpacaSource(settings_for(root), clock)
    source.download(store, "AAPL", "2024-01-05", "2024-01-09")
    (report,) = source.download(store, "AAPL", "2024-01-01", "2024-01-03")
    assert (report.rows, report.revision) == (6, None)


def test_a_vendor_revision_is_reported_by_the_download(root, exchange, tmp_path, clock):
    store = Store(tmp_path / "store", clock=clock)
    source = AlpacaSource(settings_for(root), clock)
    source.download(store, "AAPL,IBM", "2024-01-01")
    reports = source.download(store, "AAPL,IBM", "2024-01-01")
    assert [report.changed for report in reports] == [False, False]
    exchange.closes = {("IBM", adjustment): 120.0 for adjustment in FACTORS}  # factors stay as they were
    aapl, ibm = source.download(store, "AAPL,IBM", "2024-01-01")
    assert aapl.revision is None
    assert ibm.revision.alarm
    assert store.revisions()[0].series == "alpaca-iex/IBM 1D"


def test_the_rate_limit_is_kept_across_sources_with_one_key(root, exchange, clock):
    settings = settings_for(root, alpaca_requests_per_minute=10)
    settings = settings.model_copy(update={"alpaca_api_key_id": SecretStr("another-key")})
    exchange.page = 10
    for _ in range(5):  # 15 requests
        AlpacaSource(settings, clock).fetch("AAPL", "2024-01-01")
    # one at once, then nine a minute: the fifteenth leaves after 14 x 60/9 s
    assert (clock.now() - NOW).total_seconds() == pytest.approx(14 * 60 / 9, rel=1e-6)
