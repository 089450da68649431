"""Headlines from a file."""

import json

import pandas as pd
import pytest

from qtw_lab.core import DataError, Settings
from qtw_lab.lab.market_news import mark, news


@pytest.fixture
def settings(tmp_path):
    return Settings.load(qtw_storage_dir=tmp_path)


def written(settings, *lines):
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (settings.qtw_storage_dir / "news.ndjson").write_text("\n".join(text) + "\n", encoding="utf-8")


def line(time="2024-05-02T20:31:00Z", symbol="AAPL", headline="It rose", **more):
    return {"time": time, "symbol": symbol, "headline": headline, "source": "Wire", "url": "https://a.example/1"} | more


def test_without_the_file_no_source_is_configured(settings):
    found = news(settings)
    assert not found.configured
    assert found.table.empty
    assert found.path.name == "news.ndjson"
    assert mark(settings) is None


def test_the_newest_come_first_with_times_in_utc(settings):
    written(settings, line("2024-05-02T16:00:00-04:00", headline="a"), line("2024-05-03", headline="b"))
    table = news(settings).table
    assert table["headline"].tolist() == ["b", "a"]
    assert table["time"].tolist() == [pd.Timestamp("2024-05-03", tz="UTC"), pd.Timestamp("2024-05-02 20:00", tz="UTC")]


def test_only_those_of_the_symbols_asked_for_and_so_many(settings):
    written(settings, line(symbol="aapl"), line(symbol="IBM"), line(symbol=None, headline="all of them"))
    assert news(settings, ["AAPL"]).table["symbol"].tolist() == ["AAPL"]
    assert len(news(settings).table) == 3
    assert len(news(settings, count=2).table) == 2
    assert news(settings, ["MSFT"]).table.empty
    assert news(settings, ["MSFT"]).configured


@pytest.mark.parametrize(
    "wrong",
    ["{", "5", "null", "[]", '{"time": "x", "headline": "y"}', '{"headline": "no time"}', '{"time": "2024-01-01"}',
     '{"time": "2024-01-01", "headline": " "}', '{"time": null, "headline": "y"}', '{"time": "NaT", "headline": "y"}',
     '{"time": [1], "headline": "y"}', '{"time": 1e300, "headline": "y"}', "[" * 100_000, "\x00"],
)  # fmt: skip
def test_a_line_that_is_no_headline_is_counted_and_left_out(settings, wrong):
    written(settings, line(), wrong, "", line())
    found = news(settings)
    assert len(found.table) == 2
    assert found.unread == 1


@pytest.mark.parametrize(
    ("url", "kept"),
    [("https://a.example/x", True), ("http://a.example", True), ("javascript:alert(1)", False), ("//a.example", False),
     ("https://", False), ("http://[", False), (None, False), (5, False), ("file:///etc/passwd", False)],
)  # fmt: skip
def test_only_addresses_of_the_web_are_kept(settings, url, kept):
    written(settings, line(url=url))
    assert news(settings).table["url"].tolist() == [url if kept else ""]


def test_of_a_long_file_the_end_is_read(settings):
    written(settings, *(line(headline=f"headline {n} {'x' * 200}") for n in range(5000)))
    found = news(settings, count=10_000)
    assert 1000 < len(found.table) < 5000
    assert found.unread == 0
    assert found.table["headline"].str.startswith("headline 4999").any()


def test_the_mark_changes_with_the_file(settings):
    written(settings, line())
    one = mark(settings)
    assert mark(settings) == one
    written(settings, line(), line())
    assert mark(settings) != one


def test_a_file_that_cannot_be_read_is_an_error_and_not_nothing(settings):
    (settings.qtw_storage_dir / "news.ndjson").mkdir()
    with pytest.raises(DataError, match=r"news.ndjson cannot be read"):
        news(settings)
