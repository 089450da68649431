"""The sections of a tear sheet: each figure that of `qtw_lab.stats`, and a reason for each section that is missing."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import Fact, Facts
from qtw_lab.lab import Lab, tearsheet
from qtw_lab.lab import tearsheet_tables as tables
from qtw_lab.lab.report import report


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    return Lab.offline(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def result(lab):
    bars = lab.bars("AAPL", "2005-01-01", "2012-12-31")
    return qtw.backtest(qtw.strategies.SmaCross(fast=10, slow=50), bars, costs=qtw.Costs(commission_bps=5))


@pytest.fixture(scope="module")
def page(result):
    return report(result, None, None, intervals=True, lead=[Fact("extra", 0.8, "fraction", "Further figure")])


class Text(HTMLParser):
    """What people read on a page, and its links and anchors."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.links, self.anchors, self.inside = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [found["href"]] if tag == "a" else []
        self.anchors += [found["id"]] if "id" in found else []
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def read(page) -> Text:
    return Text(page.html)


def test_every_section_is_there_in_reading_order(page):
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page.html)
    assert headings == [
        "Result after costs", "Equity and buy and hold", "Against buy and hold", "Confidence intervals", "Drawdowns",
        "Returns by month", "Returns by calendar year", "Rolling figures", "Distribution of returns", "Crises",
        "Trades on the chart", "Trade statistics", "Excursions of trades", "Exposure and turnover", "Capacity",
        "What costs took", "Last trades", "Notes", "Definitions",
    ]  # fmt: skip


def test_trials_and_the_deflated_sharpe_ratio_come_first(read):
    assert read.text.index("Configurations tried on this data 1") < read.text.index("Deflated Sharpe ratio")
    assert read.text.index("Deflated Sharpe ratio") < read.text.index("Costs commission bps 5")
    assert "Further figure 80.00%" in read.text


def test_the_lead_s_further_figures_are_among_the_facts(page):
    assert page.facts["extra"] == 0.8
    assert page.facts["trials"] == 1


def test_every_link_of_the_page_leads_somewhere_in_it(read):
    assert len(read.links) > 60
    assert {link.removeprefix("#") for link in read.links} <= set(read.anchors)
    assert "def-sharpe" in read.anchors


def test_the_page_is_small_enough_to_mail(page):
    assert len(page.html) < 3_000_000


def frame(*closes: float) -> pd.DataFrame:
    close = pd.Series(closes, pd.bdate_range("2024-01-02", periods=len(closes)), dtype=float)
    return pd.DataFrame({"open": close, "high": close, "low": close, "close": close, "volume": close * 0 + 1_000})


def test_an_intraday_result_rolls_over_days():
    index = pd.date_range("2024-01-01", periods=24 * 60, freq="h", tz="UTC")
    close = 100 * np.exp(np.random.default_rng(4).normal(0, 0.01, len(index)).cumsum())
    table = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close), index=index)
    bars = qtw.Bars.from_frame(table.assign(volume=1.0), symbol="X", calendar="24/7")
    result = qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), bars)
    days = tables.Track.by_day(result)
    assert len(days.returns) == 60
    assert days.yearly == 365
    assert (1 + days.returns).prod() - 1 == pytest.approx(result.stats["total_return"], rel=1e-9)
    assert days.window == 15
    made, _ = tearsheet.sections(tearsheet.Sheet(result, Facts("F")), intervals=False)
    (rolling,) = (section for section in made if section.title == "Rolling figures")
    assert "15 days, compounded from the bars" in rolling.note


def test_what_cannot_be_shown_is_named_with_its_reason():
    result = qtw.backtest("buy_and_hold", qtw.Bars.from_frame(frame(10, 11, 12), symbol="X"))
    text = Text(report(result, None, None).html).text
    for words in ("Rolling figures are not shown: they need 40 days", "Excursions of trades are not shown",
                  "Returns by calendar year are not shown: all bars are of one year."):  # fmt: skip
        assert words in text


def test_a_long_chart_shows_its_last_bars_and_says_so():
    closes = 100 + np.sin(np.arange(6_000) / 30)
    table = frame(*closes)
    table.index = pd.date_range("2024-01-01", periods=6_000, freq="h", tz="UTC")
    result = qtw.backtest("buy_and_hold", qtw.Bars.from_frame(table, symbol="X", calendar="24/7"))
    (section,) = tearsheet.price_charts(tearsheet.Sheet(result, Facts("F")))
    assert section.note == "X; the last 5,000 of 6,000 bars"


def test_figures_of_the_tables_are_on_the_page(result, read):
    worst = tables.worst_drawdowns(tables.Track.of(result)).iloc[0]
    assert f"1 {worst['start']:%Y-%m-%d} {worst['trough']:%Y-%m-%d}" in read.text
    assert f"Beta {tables.against(tables.Track.of(result))['beta']:.3f}" in read.text
    assert "Value at risk, gaussian" in read.text
    assert "1,000 resamples" in read.text
