"""Every kind of section a tear sheet has, in a real browser: drawn, asked for nowhere, narrow and dark and printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Fact, Facts
from qtw_lab.plots import (
    Banner,
    FactTable,
    Section,
    columns,
    dots,
    equity,
    histogram,
    lines,
    report_html,
    underwater,
)
from qtw_lab.plots.page import script, style
from qtw_lab.plots.theme import THEMES


@pytest.fixture(scope="module")
def sheet(apple: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    close, returns = apple["close"], apple["close"].pct_change().dropna()
    below = close / close.cummax() - 1
    sharpe = Facts("Sharpe", (Fact("sharpe", 1.2, definition="mean over deviation"),))
    names = [f"a strategy of a long name (fast={k}, slow={k})" for k in range(4)]
    trades = pd.DataFrame({"mae": [-0.01, -0.03], "return": [0.02, -0.03], "result": ["won", "lost"]})
    stretches = pd.DataFrame({"start": [close.index[100]], "end": [close.index[400]]})
    sections = [
        Section("Verdict", Banner("Not enough evidence", "warn", ["Only 40 bars.", "One of 4,950 tries."])),
        Section("Figures", (sharpe, FactTable("Side by side", dict.fromkeys(names, sharpe), {"sharpe": names[:1]}))),
        Section("Equity", equity(close, close, "Holding (log scale)", log=True)),
        Section("Drawdowns", (underwater(below, stretches), pd.DataFrame({"depth": [-0.5]}, index=[1]))),
        Section("Years", columns(pd.DataFrame({"a": np.ones(13), "b": -np.ones(13)}, index=range(2000, 2013)))),
        Section("Curves", lines(pd.DataFrame(dict.fromkeys(names, close)), log=True, above=True)),
        Section("Returns", histogram(returns, marks={"VaR 95%": -0.04, "ES 95%": -0.06}, zeros=False)),
        Section("Trades", dots(trades, "mae", "return", "result")),
    ]
    lead = Facts("Basis", (Fact("trials", 4950, "count", definition="all that were tried"),))
    path = tmp_path_factory.mktemp("sheet") / "sheet.html"
    path.write_text(report_html("A tear sheet", lead, sections, ["A note."]), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_every_figure_is_drawn_within_the_window_without_a_request(browser: Any, sheet: Path, width: int) -> None:
    window = browser.open(sheet, width)
    window.page.wait_for_selector("html[data-ready]", timeout=20_000)
    window.page.wait_for_timeout(700)
    assert window.page.evaluate("document.querySelectorAll('figure').length") == 6
    assert min(window.painted()[:6]) > 200
    assert window.page.evaluate("document.documentElement.scrollWidth") <= width
    assert (window.outside, window.complaints) == ([], [])
    window.page.close()


def test_the_keyboard_reaches_links_tables_and_the_switch_and_a_link_leads_to_its_definition(
    browser: Any, sheet: Path
) -> None:
    page = browser.open(sheet).page
    page.wait_for_selector("html[data-ready]", timeout=20_000)
    seen = []
    for _ in range(16):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.getAttribute('href') ?? document.activeElement.id "
                                  "?? document.activeElement.className"))  # fmt: skip
    assert seen[:3] == ["#def-trials", "theme", "#section-1"]
    assert "#def-sharpe" in seen
    page.click("a[href='#def-sharpe'] >> nth=0")
    target = "document.querySelector('#def-sharpe:target').getBoundingClientRect()"
    assert 0 <= page.evaluate(f"{target}.top") < 900
    page.close()


def test_a_verdict_reads_in_both_themes_and_new_figures_are_printed_on_white(browser: Any, sheet: Path) -> None:
    window = browser.open(sheet)
    page = window.page
    page.wait_for_selector("html[data-ready]", timeout=20_000)
    colour = "getComputedStyle(document.querySelector('.banner')).borderLeftColor"
    shown = [page.evaluate(colour)]
    page.click("#theme")
    shown.append(page.evaluate(colour))
    wanted = [tuple(bytes.fromhex(THEMES[name].loss[1:])) for name in ("light", "dark")]
    assert shown == [f"rgb({r}, {g}, {b})" for r, g, b in wanted]
    seen = """() => [...new Set(Bokeh.documents.flatMap((drawn) => [...drawn.all_models])
        .map((model) => model.background_fill_color).filter((colour) => typeof colour == 'string'))]"""
    assert page.evaluate(seen) == [THEMES["dark"].paper]
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    stills = page.evaluate("[...document.querySelectorAll('figure img')].map((image) => image.src.length)")
    assert len(stills) == 6
    assert min(stills) > 5000
    assert page.evaluate(seen) == [THEMES["light"].paper]
    assert (window.outside, window.complaints) == ([], [])
    page.close()


def test_every_variable_the_style_uses_is_set_in_both_themes() -> None:
    used = set(re.findall(r"var\(--([a-z]+)\)", style()))
    for block in re.findall(r":root(?:\[data-theme=dark\])?\{(.*?)\}", style())[:2]:
        assert used <= set(re.findall(r"--([a-z-]+):", block))


def test_print_is_light_whatever_the_screen_shows() -> None:
    rules = style().rpartition("@media print")[2]
    assert ":root[data-theme=dark]" in rules
    assert f"--paper:{THEMES['light'].paper}" in rules
    assert THEMES["dark"].paper not in rules


def test_style_and_script_fit_into_their_elements_and_fetch_nothing() -> None:
    for text in (style(), script()):
        assert "</" not in text
        assert "//" not in re.sub(r"(?m)^\s*//.*$", "", text)
