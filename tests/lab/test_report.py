"""The report file: complete, standalone, written whole or not at all, and true to the result."""

import functools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.sweep import sweep as uncounted_sweep
from qtw_lab.core import DataError, Fact, Facts, SetupError
from qtw_lab.lab import Lab, Report
from qtw_lab.lab.report import report
from qtw_lab.runs import DataUse
from qtw_lab.strategies.order_list import OrderList


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    return Lab.offline(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def result(lab):
    bars = lab.bars("AAPL", "2010-01-01", "2012-12-31")
    return lab.backtest("sma_cross", bars, fast=5, slow=20, costs=qtw.Costs(commission_bps=10))


@pytest.fixture(scope="module")
def swept(lab, result):
    return lab.sweep("sma_cross", result.bars, grid={"fast": [5, 10], "slow": [20, 50]}, costs=result.terms.costs)


@pytest.fixture(scope="module")
def small(lab):
    """A result of few bars, where what is asked does not hang on them."""
    bars = qtw.Bars.from_frame(weekdays(*(50 + 10 * np.sin(np.arange(90) / 6))), symbol="SMALL")
    return lab.backtest("sma_cross", bars, fast=5, slow=20)


@pytest.fixture(scope="module")
def page(lab, result, swept):
    return lab.report(result, swept)


def weekdays(*closes: float) -> pd.DataFrame:
    close = pd.Series(closes, pd.bdate_range("2024-01-02", periods=len(closes)), dtype=float)
    return pd.DataFrame({"open": close, "high": close, "low": close, "close": close, "volume": close * 0 + 1})


class Outline(HTMLParser):
    """Addresses a page refers to, the text people read, and the tags left open."""

    VOID = ("meta", "br", "img", "link", "input", "hr", "col")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses, self.words, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [
            value for name, value in attrs if name in ("src", "href", "srcset", "action", "data") and value
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_three_files_are_written_and_the_page_is_named(page, result, tmp_path):
    path = page.save(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "report.html"
    assert {file.name for file in path.parent.iterdir()} == {"report.html", "facts.json", "data.json"}
    assert path.read_text("utf-8") == page.html
    facts = Facts.from_json((path.parent / "facts.json").read_text("utf-8"))
    assert facts["sharpe"] == result.stats["sharpe"]
    (use,) = json.loads((path.parent / "data.json").read_text("utf-8"))
    assert DataUse.from_dict(use) == DataUse.of(result.bars)


def test_the_page_alone_can_be_written(page, tmp_path):
    path = page.write(tmp_path / "a.html")
    assert path.read_text("utf-8") == page.html
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


def test_the_page_refers_to_nothing_outside_itself(page):
    outline = Outline(page.html)
    assert [address for address in outline.addresses if not address.startswith(("#", "data:"))] == []
    styles = " ".join(re.findall(r"<style[^>]*>(.*?)</style>", page.html, re.DOTALL))
    assert "@import" not in styles
    assert not re.findall(r"url\((?!['\"]?(?:data:|#))", styles)
    assert outline.open == []


def test_it_begins_with_what_it_rests_on(page, result):
    text = Outline(page.html).text
    for words in ("commission bps 10", "next_open", result.bars.fingerprint[:16], "2010-01-04 to 2012-12-31"):
        assert words in text
    assert text.index("Configurations tried") < text.index("Sharpe ratio")
    assert page.facts["trials"] == 4  # the sweep's rows; the backtest is one of them


def test_it_ends_with_how_to_make_it_again(page, result):
    text = Outline(page.html).text
    for words in (repr(result.strategy), result.order_hash, result.bars.fingerprint, "hypothesis about the past"):
        assert words in text
    for note in result.notes:
        assert note in text


def test_the_figures_are_those_of_the_result(page, result):
    text = Outline(page.html).text
    for fact in result.facts():
        if fact.name != "trials":
            assert f"{fact.title} {fact.shown}" in text


@pytest.fixture(scope="module")
def counting(small, tmp_path_factory):
    """A lab that knows three other tries on the data, and its reports of a result and of a sweep it has not seen."""
    own = Lab.offline(tmp_path_factory.mktemp("counting"))
    own.sweep("macd", small.bars, grid={"fast": [5, 8, 12]})
    first = own.report(small, title="<script>alert(1)</script> & more")
    swept = uncounted_sweep("sma_cross", small.bars, grid={"fast": [5, 10], "slow": [20, 50], "short": [True, False]})
    return own, first, own.report(small, swept)


def test_what_is_reported_counts_as_tried_beside_all_else_on_the_data(lab, small, counting):
    """Three of another strategy, then the result, then a sweep of eight of which the result is one."""
    own, first, second = counting
    assert first.facts["trials"] == 3 + 1
    assert second.facts["trials"] == 3 + 8
    assert own.trials.count(small.bars.fingerprint) == 3 + 8
    assert lab.trials.count(small.bars.fingerprint) == 1


def test_the_sweep_shows_its_best_rows_and_its_map(page, swept):
    text = Outline(page.html).text
    assert "Best of the sweep" in text
    assert "Parameter map" in text
    assert f"{swept.table['sharpe'].max():.3f}" in text


def test_a_sweep_of_three_parameters_is_told_without_a_map(counting):
    text = Outline(counting[2].html).text
    assert "Best of the sweep" in text
    assert "Parameter map" not in text


KINDS = {
    "no trade": lambda: qtw.Bars.from_frame(weekdays(*(10,) * 80), symbol="FLAT"),
    "three bars of a strange name": lambda: qtw.Bars.from_frame(weekdays(10, 11, 12), symbol="A<b>&"),
    "late listing": lambda: qtw.Bars.from_frame(
        pd.concat({"A": weekdays(*range(10, 40)), "B": weekdays(*[np.nan] * 15, *range(10, 25))}, axis=1), holes="keep"
    ),
    "closes only": lambda: Lab.offline().bars("KO,JNJ", "2020-01-01", "2020-03-31"),
}


@pytest.fixture(scope="module")
def of_kind(lab):
    """A result that no second engine has seen, of one kind of bars and one strategy, and its page; made once."""

    @functools.cache
    def made(kind: str, name: str) -> tuple[qtw.Result, Outline]:
        given = {"fast": 1, "slow": 2} if name == "sma_cross" else {}
        result = lab.backtest(name, KINDS[kind](), verify=False, **given)
        return result, Outline(lab.report(result).html)

    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["buy_and_hold", "sma_cross"])
def test_every_kind_of_result_has_its_report(of_kind, kind, name):
    result, outline = of_kind(kind, name)
    assert result.bars.symbols[0] in outline.text
    assert outline.open == []


def test_a_title_is_shown_as_text(counting):
    page = counting[1]
    assert "<script>alert(1)" not in page.html
    assert "<script>alert(1)</script> & more" in Outline(page.html).text


def test_a_report_says_how_to_save_it(page):
    assert re.fullmatch(r"Report\('.*', \d+\.\d MB; save it with \.save\(folder\) or \.write\(path\)\)", repr(page))


def test_a_folder_that_cannot_be_written_keeps_nothing_half(page, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for write in (lambda: page.save(tmp_path / "file" / "x"), lambda: page.write(tmp_path / "file" / "x.html")):
        with pytest.raises(SetupError, match=r"Cannot write .* permit writing"):
            write()
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


LIMITED = """
import resource, sys
from pathlib import Path
from qtw_lab.core import DataError, Fact, Facts, SetupError
from qtw_lab.lab import Report

folder = Path(sys.argv[1])
Report("<p>old</p>", Facts("old"), ()).save(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # as a disk that is nearly full: Python gets EFBIG
try:
    Report("<p>new</p>" * 20_000, Facts("new"), ()).save(folder)
except SetupError as err:
    print(err)
assert (folder / "report.html").read_text() == "<p>old</p>"
assert sorted(file.name for file in folder.iterdir()) == ["data.json", "facts.json", "report.html"]
"""


def test_a_disk_that_fills_up_leaves_the_old_page_whole(tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "r")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Cannot write report.html" in done.stdout


def test_what_costs_took_is_told_part_by_part(page, result):
    text = Outline(page.html).text
    assert "What costs took" in text
    paid = result.costs.loc["commission", "paid"]
    assert f"commission {paid:,.2f}" in text
    assert "spread" not in text[text.index("What costs took") :].split("Money paid, and drag")[0].split("commission")[1]
    assert "Money paid, and drag: paid over mean equity, a year." in text


def test_free_trading_has_no_table_of_costs(of_kind):
    _, outline = of_kind("three bars of a strange name", "buy_and_hold")
    assert "What costs took" not in outline.text


def _doubtful() -> qtw.Bars:
    """The second bar opens at 100, reaches 97 and 104, and says not which first."""
    frame = weekdays(100, 101, 101, 101)
    frame["open"] = [100.0, 100.0, 101.0, 101.0]
    frame["high"] = [100.0, 104.0, 101.0, 101.0]
    frame["low"] = [100.0, 97.0, 101.0, 101.0]
    return qtw.Bars.from_frame(frame, symbol="X")


def test_the_band_is_shown_where_bars_hide_their_course(lab):
    stops = qtw.Stops(stop_loss=0.02, take_profit=0.03)
    result = lab.backtest("buy_and_hold", _doubtful(), cash=1000.0, stops=stops)
    text = Outline(lab.report(result).html).text
    band = text[text.index("Ambiguity band") :]
    assert "100% of the trades depend on whether a bar's high or its low came first" in band
    assert "total return -2.00% 3.00%" in band
    assert "final equity 980.00 1,030.00" in band


def test_a_band_is_shown_even_if_the_worse_way_has_no_fill_to_mark(lab):
    """A stop-limit that is touched at 103 and finds its limit of 99 again only if the high came first."""
    order = qtw.Order("X", "buy", 1, pd.Timestamp("2024-01-02", tz="UTC"), "stop_limit", stop_price=103, limit_price=99)
    result = qtw.backtest(OrderList([order]), _doubtful())
    assert result.band.loc["final_equity", "optimistic"] > result.band.loc["final_equity", "pessimistic"]
    assert "Ambiguity band" in Outline(lab.report(result).html).text


def test_without_a_hidden_course_there_is_no_band(page):
    assert "Ambiguity band" not in Outline(page.html).text


def test_it_says_whether_the_second_engine_agrees_even_if_nobody_asked(of_kind):
    result, outline = of_kind("three bars of a strange name", "buy_and_hold")
    assert result.agreement is None
    assert "Second engine agrees with the reference engine on the only fill" in outline.text
    assert outline.text.index("Second engine") < outline.text.index("Result after costs")


def test_still_pages_are_written(page, tmp_path):
    assert page.pdf(tmp_path / "new" / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert page.png(tmp_path / "a.png", theme="dark").read_bytes().startswith(b"\x89PNG")
    assert {file.name for file in tmp_path.iterdir()} == {"new", "a.png"}


def test_a_report_of_words_has_no_still_pages(tmp_path):
    with pytest.raises(DataError, match=r"no still pages; make one of a result with lab\.report"):
        Report("<p>old</p>", Facts("old"), ()).pdf(tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_still_page_that_cannot_be_written_leaves_nothing(page, tmp_path, monkeypatch):
    monkeypatch.setattr("qtw_lab.lab.report.still", lambda *given: b"drawn")  # drawing is tried above
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match=r"Cannot write a\.png"):
        page.png(tmp_path / "file" / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_figure_of_the_lead_may_not_be_told_twice(result):
    with pytest.raises(DataError, match="name trials twice"):
        report(result, None, None, lead=[Fact("trials", 5, "count")])
