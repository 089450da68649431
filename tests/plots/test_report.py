from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.plots import Section, candles, equity, heatmap, histogram, lines, report_html, return_calendar
from qtw_lab.plots.theme import THEMES

LEAD = Facts(
    "What this rests on",
    (
        Fact("sharpe", 1.2),
        Fact("data_fingerprint", "ab12", "text"),
        Fact("costs", "10 bps", "text"),
        Fact("trials", 4950, "count"),
    ),
    ("One of 4,950 tries.",),
)
EVIL = "</script><img src=x onerror=\"document.title='broken'\"><b>&$$x$$"


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def sections(bars: pd.DataFrame, theme: str = "light") -> list[Section]:
    returns = bars["close"].pct_change().dropna()
    by_month = (1 + returns).groupby([returns.index.year, returns.index.month]).prod() - 1
    months = by_month.unstack()  # noqa: PD010  (a pivot of a Series is its unstack)
    cells = pd.DataFrame(
        [[0.1, -0.2], [0.3, None]], index=pd.Index([5, 10], name="fast"), columns=pd.Index([20, 40], name="slow")
    )
    return [
        Section("Text", "First.\n\nSecond."),
        Section("Figures", Facts("Figures", (Fact("cagr", 0.1, "fraction", definition="per year"),))),
        Section("Candles", candles(bars, overlays={"SMA": bars["close"].rolling(50).mean()}, theme=theme)),
        Section("Equity", equity(bars["close"], title="Holding", theme=theme)),
        Section("Map", heatmap(cells, theme=theme)),
        Section("Months", return_calendar(months, theme=theme)),
        Section("Returns", histogram(returns, theme=theme)),
        Section("Lines", lines(bars[["open", "close"]], theme=theme)),
        Section("Table", bars.tail(3)),
    ]


@pytest.fixture(scope="module")
def report(apple: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_html("Holding AAPL", LEAD, sections(apple), ["A note."]), encoding="utf-8")
    return path


def test_trials_costs_and_fingerprint_come_before_anything_else(report: Path) -> None:
    body = report.read_text(encoding="utf-8").partition("<body>")[2]
    order = ["Trials", "4,950", "Costs", "10 bps", "Data fingerprint", "ab12", "Sharpe", "One of 4,950 tries.", "<h1>"]
    places = [body.index(word) for word in order]
    assert places == sorted(places)


def test_nothing_in_the_page_points_outside(report: Path) -> None:
    tags = Tags(report.read_text(encoding="utf-8"))
    assert tags.named("script")
    for tag, attributes in tags.found:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert not re.match(r"\s*(https?:)?//", attributes.get(name) or ""), (tag, attributes)
    styles = re.findall(r"<style>(.*?)</style>", report.read_text(encoding="utf-8"), re.DOTALL)
    assert not any("url(" in style or "@import" in style for style in styles)


def test_the_page_says_its_language_and_names_its_parts(report: Path) -> None:
    tags = Tags(report.read_text(encoding="utf-8"))
    assert tags.named("html")[0]["lang"] == "en"
    assert len(tags.named("h1")) == 1
    assert len(tags.named("h2")) == 11  # nine sections, the notes, the definitions
    assert all(figure["aria-label"] for figure in tags.named("figure"))
    assert len(tags.named("caption")) == len(tags.named("table")) == 2
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_text_from_outside_stays_text(browser: Any, apple: pd.DataFrame, tmp_path: Path) -> None:
    bars = apple.tail(30)
    frame = pd.DataFrame({EVIL: [EVIL]}, index=pd.Index([EVIL], name=EVIL))
    cells = pd.DataFrame([[1.0]], index=pd.Index([EVIL], name=EVIL), columns=pd.Index([EVIL], name=EVIL))
    made = [
        Section(EVIL, candles(bars, overlays={EVIL: bars["close"]}, title=EVIL), note=EVIL, label=EVIL),
        Section(EVIL, lines(bars[["close"]].rename(columns={"close": EVIL}), EVIL, y_label=EVIL)),
        Section(EVIL, equity(bars["close"].rename(EVIL), bars["open"].rename(EVIL), EVIL)),
        Section(EVIL, heatmap(cells, EVIL)),
        Section(EVIL, frame),
        Section(EVIL, EVIL),
        Section(EVIL, Facts(EVIL, (Fact("x", EVIL, "text", EVIL, EVIL),), (EVIL,))),
    ]
    path = tmp_path / "evil.html"
    path.write_text(
        report_html(EVIL, Facts(EVIL, (Fact("x", EVIL, "text", EVIL, EVIL),), (EVIL,)), made, [EVIL]), encoding="utf-8"
    )
    window = browser.open(path)
    window.page.wait_for_selector("html[data-ready]", timeout=20_000)
    assert window.page.title() == EVIL
    assert window.page.evaluate("document.querySelectorAll('img, b').length") == 0
    assert (window.outside, window.complaints) == ([], [])
    window.page.close()


def test_the_report_draws_every_figure_in_a_real_browser_without_a_request(browser: Any, report: Path) -> None:
    window = browser.open(report)
    window.page.wait_for_selector("html[data-ready]", timeout=20_000)
    window.page.wait_for_timeout(700)
    painted = window.painted()
    assert len(painted) >= 6
    assert min(painted[:6]) > 200  # not one of the six figures is blank
    assert window.outside == []
    assert window.complaints == []
    window.page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_as_wide_as_its_window(browser: Any, report: Path, width: int) -> None:
    window = browser.open(report, width)
    window.page.wait_for_selector("html[data-ready]", timeout=20_000)
    assert window.page.evaluate("document.documentElement.scrollWidth") <= width
    window.page.close()


def test_the_switch_restyles_page_and_figures_and_print_is_light_again(browser: Any, report: Path) -> None:
    window = browser.open(report)
    page = window.page
    page.wait_for_selector("html[data-ready]", timeout=20_000)
    page.click("#theme")
    seen = """() => [...new Set(Bokeh.documents.flatMap((drawn) => [...drawn.all_models])
        .map((model) => model.background_fill_color).filter((colour) => typeof colour == 'string'))]"""
    assert page.evaluate(seen) == [THEMES["dark"].paper]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 29)"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    stills = page.evaluate("[...document.querySelectorAll('figure img')].map((image) => [image.src.length, image.alt])")
    assert len(stills) == 6
    assert all(size > 5000 and label for size, label in stills)
    assert page.evaluate(seen) == [THEMES["light"].paper]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(seen) == [THEMES["dark"].paper]
    assert (window.outside, window.complaints) == ([], [])
    page.close()


def test_a_page_of_words_carries_no_drawing_library() -> None:
    page = report_html("Words", LEAD, [Section("Text", "Nothing to draw.")])
    assert len(page) < 20_000


def test_the_same_figure_may_appear_twice(apple: pd.DataFrame) -> None:
    figure = lines(apple[["close"]].tail(5))
    page = report_html("Twice", LEAD, [Section("One", figure), Section("Two", figure)])
    assert page.count('class="item"') == 2


def test_a_long_table_is_cut_and_says_so(apple: pd.DataFrame) -> None:
    page = report_html("Long", LEAD, [Section("Bars", apple)])
    assert "Bars: the first 200 of 3,270 rows" in page
    assert page.count('<th scope="row">') == 200


def test_cells_are_written_for_people() -> None:
    table = pd.DataFrame(
        {
            "n": [1234567, 2],
            "x": [0.123456789, float("nan")],
            "day": pd.to_datetime(["2024-01-02", None]),
            "flag": [True, False],
        }
    )
    page = report_html("Cells", LEAD, [Section("Table", table)])
    for shown in ("1,234,567", "0.123457", ">–<", ">2024-01-02<", ">True<"):
        assert shown in page


def test_series_and_tables_with_levels_are_tables() -> None:
    index = pd.MultiIndex.from_product([[5], [20, 40]], names=["fast", "slow"])
    page = report_html("Levels", LEAD, [Section("Sharpe", pd.Series([0.1, 0.2], index=index, name="sharpe"))])
    assert "fast / slow" in page
    assert "5 / 40" in page


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Section("", "text"), "needs a title"),
        (lambda: Section("A", 5), "Only a Bokeh figure or layout can be shown, not int"),  # type: ignore[arg-type]
        (lambda: report_html(" ", LEAD, []), "needs a title"),
        (lambda: report_html("A", Facts("empty"), []), "opens with its lead"),
        (lambda: report_html("A", LEAD, [], "one sentence"), "put a single one into a list"),
        (lambda: report_html("A", LEAD, [], theme="black"), "no theme 'black'"),
    ],
)
def test_what_cannot_be_reported_is_refused(build: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build()
