"""Bars side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import columns

YEARS = pd.DataFrame({"strategy": [0.1, -0.05], "market": [0.2, np.nan]}, index=[2023, 2024])


def test_a_missing_number_is_a_missing_bar() -> None:
    made = columns(YEARS, percent=True)
    drawn = {name: made.select_one({"name": name}).data_source.data for name in YEARS}
    assert drawn["strategy"]["value"].tolist() == [0.1, -0.05]
    assert drawn["market"]["group"].tolist() == ["2023"]
    assert list(made.x_range.factors) == ["2023", "2024"]


def test_many_labels_are_turned() -> None:
    made = [columns(pd.DataFrame({"x": np.ones(n)}, index=range(n))) for n in (5, 12, 40)]
    assert [m.xaxis[0].major_label_orientation for m in made] == ["horizontal", 0.9, "vertical"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(), "at least one row"),
        (pd.DataFrame(np.ones((2, 7))), "not 2 x 7"),
        (pd.Series([1.0]), "not Series"),
        (pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "x"]), "the same name"),
        (pd.DataFrame({"a": [np.nan]}), "no value at all"),
        (pd.DataFrame({"a": ["text"]}), "must be numbers"),
    ],
)
def test_tables_that_make_no_bars_are_refused(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        columns(frame)
