from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import histogram, lines

DAYS = pd.date_range("2024-01-01", periods=4)


def bins(layout: Any) -> dict[str, Any]:
    return layout.select_one({"name": "bins"}).data_source.data


def test_each_column_is_a_line() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, np.nan, 4.0], "b": 1.0}, index=DAYS)
    layout = lines(frame)
    np.testing.assert_array_equal(layout.select_one({"name": "a"}).data_source.data["value"], frame["a"])
    assert layout.legend[0].click_policy == "hide"


def test_no_two_lines_look_the_same() -> None:
    layout = lines(pd.DataFrame(np.ones((4, 24)), index=DAYS))
    looks = {(r.glyph.line_color, str(r.glyph.line_dash)) for r in layout.renderers}
    assert len(looks) == 24


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(np.ones((4, 25)), index=DAYS), "not 25 columns"),
        (pd.DataFrame(index=DAYS), "not 0 columns"),
        (pd.Series([1.0] * 4, index=DAYS), "not Series"),
        (pd.DataFrame(1.0, index=DAYS, columns=["a", "a"]), "the same name"),
        (pd.DataFrame({"a": np.nan}, index=DAYS), "no value at all"),
    ],
)
def test_tables_that_make_no_lines_are_refused(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        lines(frame)


def test_the_bars_count_every_return_once(apple: pd.DataFrame) -> None:
    returns = apple["close"].pct_change()
    found = bins(histogram(returns))
    assert found["count"].sum() == returns.notna().sum()
    assert 20 < len(found["count"]) <= 122
    assert np.any(np.isclose(found["left"], 0.0))  # no bar mixes gains and losses


@pytest.mark.parametrize("values", [[0.01, 0.01, 0.01], [0.0, 0.0], [-0.5, 0.5], [1e-9, 2e-9, 5.0]])
def test_odd_distributions_are_counted_whole(values: list[float]) -> None:
    assert bins(histogram(pd.Series(values)))["count"].sum() == len(values)


def test_too_few_returns_are_refused() -> None:
    with pytest.raises(DataError, match="at least two returns; there are 1"):
        histogram(pd.Series([0.1, np.nan]))


def test_a_long_table_is_thinned_and_keeps_every_extreme() -> None:
    values = np.zeros(30_000)
    values[[1_234, 20_001]] = 7.0, -7.0
    layout = lines(pd.DataFrame({"a": values}, index=pd.date_range("2000-01-01", periods=30_000, freq="h")))
    drawn = layout.select_one({"name": "a"}).data_source.data["value"]
    assert len(drawn) < 6_000
    assert (drawn.max(), drawn.min()) == (7.0, -7.0)


def test_a_logarithmic_scale_refuses_what_it_cannot_show() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 0.0, 4.0]}, index=DAYS)
    with pytest.raises(DataError, match="cannot show 0; draw the lines with log=False"):
        lines(frame, log=True)
    assert lines(frame + 1, log=True, percent=True, zero=True, above=True).legend[0].visible is False


def test_marks_stand_beside_mean_and_median_and_zeros_can_be_left_out() -> None:
    returns = pd.Series([0.0, 0.0, 0.0, -0.02, 0.01, 0.03])
    layout = histogram(returns, marks={"VaR": -0.02, "none": np.nan}, zeros=False)
    assert bins(layout)["count"].sum() == 3
    labels = [item.label.value for item in layout.legend[0].items]
    assert labels == ["mean 0.33%", "median 0.00%", "VaR -2.00%", "3 zeros not drawn"]
    assert bins(histogram(returns * 0, zeros=False))["count"].sum() == 6  # nothing else to draw
