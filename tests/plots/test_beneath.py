"""Panes of indicators beneath candles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import THEMES, candles
from qtw_lab.plots.beneath import Beneath, beneath


def pane(count: int, title: str = "RSI 14") -> Beneath:
    return Beneath(title, {title: np.linspace(0.0, 100.0, count)}, (30.0, 70.0))


def test_panes_move_with_the_prices_and_the_strip_stays_last(apple: pd.DataFrame) -> None:
    layout = beneath(candles(apple), [pane(len(apple)), pane(len(apple), "ATR 14")])
    top, volume, first, second, strip = layout.children
    assert first.x_range is second.x_range is volume.x_range is top.x_range
    assert strip.select_one({"name": "history"}) is not None
    assert [each.xaxis[0].visible for each in (top, volume, first, second)] == [False, False, False, True]
    np.testing.assert_array_equal(
        first.select_one({"name": "RSI 14"}).data_source.data["y0"], np.linspace(0, 100, len(apple))
    )


def test_the_volume_can_be_left_out(apple: pd.DataFrame) -> None:
    layout = beneath(candles(apple.tail(30)), [pane(30)], volume=False)
    assert [each.title.text for each in layout.children] == ["", "RSI 14"]
    alone = beneath(candles(apple.tail(30)), [], volume=False)
    assert len(alone.children) == 1
    assert alone.children[0].xaxis[0].visible


def test_levels_are_marked_and_columns_stand_on_zero(apple: pd.DataFrame) -> None:
    count = 30
    made = Beneath("MACD", {"h": np.linspace(-1, 1, count), "line": np.full(count, np.nan)}, (0.0,), "h")
    layout = beneath(candles(apple.tail(count)), [made], "dark")
    drawn = layout.children[-1]
    assert [span.location for span in drawn.center if type(span).__name__ == "Span"] == [0.0]
    bars = drawn.select_one({"name": "h"})
    assert type(bars.glyph).__name__ == "VBar"
    assert set(bars.data_source.data["y0way"]) == {"up", "down"}
    assert drawn.background_fill_color == THEMES["dark"].paper


def test_lines_of_another_length_are_refused(apple: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="30 values, one a bar"):
        beneath(candles(apple.tail(30)), [pane(29)])
    with pytest.raises(DataError, match="it has none"):
        beneath(candles(apple.tail(30)), [Beneath("empty", {})])


def test_a_pane_of_missing_values_and_closes_without_ranges_can_be_drawn(apple: pd.DataFrame) -> None:
    close = apple[["close"]].tail(30)
    layout = beneath(candles(close), [Beneath("nothing yet", {"nothing yet": np.full(30, np.nan)})])
    assert len(layout.children) == 2
