from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import equity

DAYS = pd.date_range("2024-01-01", periods=5, tz="UTC")
CURVE = pd.Series([100.0, 110.0, 99.0, 121.0, 60.5], index=DAYS)


def data(layout: Any) -> dict[str, Any]:
    return layout.select_one({"name": "equity"}).data_source.data


def test_the_line_is_the_curve_and_the_drawdown_its_distance_from_the_peak() -> None:
    columns = data(equity(CURVE))
    np.testing.assert_array_equal(columns["equity"], CURVE)
    np.testing.assert_allclose(columns["drawdown"], [0, 0, -0.1, 0, -0.5])  # 99/110 - 1 and 60.5/121 - 1


def test_the_benchmark_starts_where_the_curve_starts() -> None:
    columns = data(equity(CURVE, pd.Series([20.0, 21.0, 22.0, 23.0, 24.0], index=DAYS)))
    np.testing.assert_allclose(columns["benchmark"], [100, 105, 110, 115, 120])


def test_a_benchmark_that_begins_later_joins_the_curve_there_and_is_not_filled_backwards() -> None:
    columns = data(equity(CURVE, pd.Series([50.0, 55.0], index=DAYS[[2, 4]])))
    np.testing.assert_allclose(columns["benchmark"], [np.nan, np.nan, 99, 99, 108.9])


def test_a_benchmark_is_not_carried_past_its_end() -> None:
    columns = data(equity(CURVE, pd.Series([50.0, 55.0], index=DAYS[[0, 2]])))
    np.testing.assert_allclose(columns["benchmark"], [100, 100, 110, np.nan, np.nan])


def test_missing_equity_breaks_the_line_but_not_the_peak() -> None:
    holed = CURVE.copy()
    holed.iloc[1] = np.nan
    np.testing.assert_allclose(data(equity(holed))["drawdown"], [0, np.nan, -0.01, 0, -0.5], atol=1e-12)


def test_a_logarithmic_scale_is_one_word_away() -> None:
    assert type(equity(CURVE, log=True).children[0].y_scale).__name__ == "LogScale"


def test_curve_and_benchmark_of_one_name_have_two_legend_entries() -> None:
    top = equity(CURVE.rename("close"), CURVE.rename("close")).children[0]
    assert sorted(item.label.value for item in top.legend[0].items) == ["close", "close (benchmark)"]


def test_the_panes_move_together() -> None:
    top, bottom = equity(CURVE).children
    assert top.x_range is bottom.x_range


@pytest.mark.parametrize(
    ("curve", "benchmark", "log", "message"),
    [
        (CURVE.iloc[:0], None, False, "no rows"),
        (CURVE * np.nan, None, False, "no value at all"),
        (CURVE - 99, None, True, "cannot show an equity of -38.5"),
        (CURVE, CURVE.set_axis(DAYS + pd.Timedelta(days=30)), False, "nowhere known together"),
        (CURVE, CURVE.tz_localize(None), False, "both have a time zone"),
        (CURVE - 100, CURVE, False, "one start"),
        (CURVE, CURVE.astype(str), False, "benchmark must be numbers"),
        (CURVE.to_frame(), None, False, "one column of numbers"),
    ],
)
def test_curves_that_cannot_be_drawn_are_refused(curve: Any, benchmark: Any, log: bool, message: str) -> None:
    with pytest.raises(DataError, match=message):
        equity(curve, benchmark, log=log)
