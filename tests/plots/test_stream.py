"""Figures that somebody streams into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.plots import THEMES, Section, candle_columns, report_html, stream_candles, stream_lines
from qtw_lab.plots.stream import moments_of

TIMES = pd.Series(pd.date_range("2024-01-05 14:30", periods=4, freq="5s", tz="UTC"))
BARS = pd.DataFrame(
    {
        "time": TIMES, "open": [1.0, 2.0, 3.0, 3.0], "high": [2.5, 3.0, 3.5, 3.0], "low": [0.5, 1.5, 2.0, 3.0],
        "close": [2.0, 3.0, 2.5, 3.0], "volume": [10, 20, 30, 0], "flags": "",
    }
)  # fmt: skip


def test_lines_draw_whatever_comes_into_the_source() -> None:
    made = stream_lines({"trades": "Trades", "quotes": "Quotes $$"}, "Rates", y_label="a second")
    assert made.source.data == {"time": [], "trades": [], "quotes": []}
    for second in range(5):
        made.source.stream({"time": [second], "trades": [1.0], "quotes": [2.0]}, rollover=3)
    assert made.source.data["time"] == [2, 3, 4]
    drawn = [renderer.data_source is made.source for renderer in made.figure.renderers]
    assert drawn == [True, True]
    assert next(item.label.value for item in made.figure.legend[0].items) == "Trades"
    assert made.figure.y_range.start == 0
    assert made.figure.yaxis[0].axis_label == "a second"


def test_a_figure_may_go_on_with_the_source_of_the_one_before() -> None:
    for first, again in (
        (stream_lines({"a": "A"}), lambda source: stream_lines({"a": "A"}, theme="dark", source=source)),
        (stream_candles(5), lambda source: stream_candles(60, line=True, source=source)),
    ):
        made = again(first.source)
        assert made.source is first.source
        assert made.figure is not first.figure


@pytest.mark.parametrize("names", [{}, {"time": "Time"}, {f"c{n}": "x" for n in range(25)}])
def test_lines_of_nothing_or_too_many_are_refused(names: dict[str, str]) -> None:
    with pytest.raises(DataError, match="1 to 24 columns"):
        stream_lines(names)


def test_bars_become_columns_of_plain_numbers() -> None:
    columns = candle_columns(BARS)
    assert columns["way"] == ["up", "up", "down", "up"]
    assert columns["time"][1] - columns["time"][0] == 5000.0
    assert columns["volume"] == [10.0, 20.0, 30.0, 0.0]
    assert set(columns) == set(stream_candles(5).source.data)
    assert candle_columns(BARS.iloc[:0])["time"] == []


def test_times_are_those_of_their_own_wall_clock() -> None:
    shifted = TIMES.dt.tz_convert("America/New_York")
    assert moments_of(TIMES)[0] - moments_of(shifted)[0] == 5 * 3600 * 1000


@pytest.mark.parametrize(("line", "names"), [(False, {"wicks", "bodies"}), (True, {"close"})])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_candles_or_a_line_stand_over_the_volume(line: bool, names: set[str], theme: str) -> None:
    made = stream_candles(60, "AAA", theme, line=line, volume="Shares")
    top, below = made.figure.children
    assert {renderer.name for renderer in top.renderers} == names
    assert [renderer.name for renderer in below.renderers] == ["volume"]
    assert below.yaxis[0].axis_label == "Shares"
    assert top.x_range is below.x_range
    assert top.background_fill_color == THEMES[theme].paper
    assert below.renderers[0].glyph.width == pytest.approx(0.7 * 60_000)


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_bar_without_length_is_refused(seconds: int) -> None:
    with pytest.raises(DataError, match="length in seconds"):
        stream_candles(seconds)


@pytest.mark.parametrize("line", [False, True])
def test_a_browser_draws_them_without_a_complaint(browser: Any, tmp_path: Path, line: bool) -> None:
    made = stream_candles(5, "AAA", line=line)
    made.source.stream(candle_columns(BARS), rollover=10)
    lines = stream_lines({"trades": "Trades"})
    lines.source.stream({"time": moments_of(TIMES), "trades": [1.0, 5.0, float("nan"), 2.0]}, rollover=10)
    path = tmp_path / "live.html"
    sections = [Section("Candles", made.figure), Section("Rates", lines.figure)]
    path.write_text(report_html("Live", Facts("Basis", (Fact("trials", 1, "count"),)), sections), encoding="utf-8")
    window = browser.open(path)
    window.page.wait_for_selector("html[data-ready]", timeout=20_000)
    window.page.wait_for_timeout(700)
    assert min(window.painted()[:2]) > 100
    assert (window.outside, window.complaints) == ([], [])
    window.page.close()
