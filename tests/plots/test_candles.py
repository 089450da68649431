from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import THEMES, candles


def drawn(layout: Any, name: str) -> Any:
    return layout.select_one({"name": name})


def test_the_bodies_and_wicks_are_the_table(apple: pd.DataFrame) -> None:
    layout = candles(apple)
    data = drawn(layout, "bodies").data_source.data
    for column in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(data[column], apple[column])
    np.testing.assert_array_equal(data["bar"], np.arange(len(apple)))
    glyphs = drawn(layout, "bodies").glyph, drawn(layout, "wicks").glyph
    assert (glyphs[0].top, glyphs[0].bottom, glyphs[1].y0, glyphs[1].y1) == ("open", "close", "high", "low")
    np.testing.assert_array_equal(np.asarray(data["way"]) == "up", apple["close"] >= apple["open"])


def test_a_long_history_opens_on_its_last_year_with_a_strip_of_the_whole(apple: pd.DataFrame) -> None:
    layout = candles(apple)
    top, volume, strip = layout.children
    assert (top.x_range.start, top.x_range.end) == (len(apple) - 260.7, len(apple) - 0.3)
    assert volume.x_range is top.x_range
    assert [tool.x_range for tool in strip.tools if type(tool).__name__ == "RangeTool"] == [top.x_range]
    np.testing.assert_array_equal(drawn(layout, "history").data_source.data["close"], apple["close"])


def test_a_short_history_is_shown_whole_without_a_strip(apple: pd.DataFrame) -> None:
    layout = candles(apple.tail(50))
    assert len(layout.children) == 2
    assert layout.children[0].x_range.start == -0.7


def test_a_hole_in_the_prices_stays_a_hole(apple: pd.DataFrame) -> None:
    holed = apple.tail(20).copy()
    holed.iloc[5, :4] = np.nan
    holed.iloc[9, 1] = np.nan  # a bar without its high has no candle
    data = drawn(candles(holed), "bodies").data_source.data
    assert np.flatnonzero(np.isnan(data["close"])).tolist() == [5, 9]
    assert len(data["bar"]) == 20


@pytest.mark.parametrize("form", ["close alone", "open, high and low equal to the close"])
def test_closes_without_ranges_are_drawn_as_a_line(apple: pd.DataFrame, form: str) -> None:
    close = apple["close"].tail(30)
    table = pd.DataFrame({"close": close})
    if form != "close alone":
        table = table.assign(open=close, high=close, low=close)
    layout = candles(table)
    assert drawn(layout, "bodies") is None
    np.testing.assert_array_equal(drawn(layout, "close").data_source.data["close"], close)


def test_no_known_volume_gives_no_volume_pane(apple: pd.DataFrame) -> None:
    assert len(candles(apple.tail(20).assign(volume=np.nan)).children) == 1
    assert len(candles(apple.tail(20).drop(columns="volume")).children) == 1


def test_an_overlay_lies_on_the_bars_of_its_times(apple: pd.DataFrame) -> None:
    bars = apple.tail(30)
    line = drawn(candles(bars, overlays={"SMA": bars["close"].rolling(5).mean().dropna()}), "overlay SMA")
    np.testing.assert_allclose(line.data_source.data["y"], bars["close"].rolling(5).mean())


def test_both_themes_colour_candles_their_own_way(apple: pd.DataFrame) -> None:
    for name, theme in THEMES.items():
        layout = candles(apple.tail(5), theme=name)
        assert drawn(layout, "bodies").glyph.fill_color.transform.palette == [theme.gain, theme.loss]
        assert layout.children[0].background_fill_color == theme.paper


def test_a_clock_says_its_time_zone(apple: pd.DataFrame) -> None:
    minutes = pd.date_range("2024-03-04 09:30", periods=20, freq="min", tz="America/New_York")
    assert candles(apple.tail(20).set_axis(minutes)).children[-1].xaxis[0].axis_label == "time in America/New_York"
    assert candles(apple.tail(20)).children[-1].xaxis[0].axis_label is None


def test_one_bar_is_enough(apple: pd.DataFrame) -> None:
    assert len(drawn(candles(apple.tail(1)), "bodies").data_source.data["bar"]) == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda bars: bars.rename(columns=str.upper), "column 'close', not \\['OPEN'"),
        (lambda bars: bars.iloc[:0], "no row|no close"),
        (lambda bars: bars.assign(close=np.nan), "no close at all"),
        (lambda bars: bars.assign(close="x"), "close column must be numbers"),
        (lambda bars: bars.iloc[::-1], "unsorted"),
        (lambda bars: bars.reset_index(drop=True), "needs times"),
        (lambda bars: bars.assign(symbol=["A", "B"] * (len(bars) // 2)), "holds 2 symbols"),
        (lambda bars: pd.concat([bars, bars], axis=1), "a column twice"),
        (lambda bars: bars["close"], "not Series"),
    ],
)
def test_a_table_that_is_no_price_table_is_refused(apple: pd.DataFrame, spoil: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        candles(spoil(apple.tail(10)))


def test_an_overlay_of_other_times_is_refused(apple: pd.DataFrame) -> None:
    bars = apple.tail(10)
    with pytest.raises(DataError, match="no value at any time"):
        candles(bars, overlays={"x": apple["close"].head(10)})
    with pytest.raises(DataError, match="both have a time zone"):
        candles(bars, overlays={"x": bars["close"].tz_localize(None)})
