from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import return_calendar

TABLE = pd.DataFrame({1: [0.05, np.nan], 12: [-0.101, 0.0004], "total": [-0.056, 0.0004]}, index=[2023, 2024])


def cells(layout: Any) -> pd.DataFrame:
    return pd.DataFrame(layout.select_one({"name": "cells"}).data_source.data)


def test_every_known_month_is_a_cell_with_its_percent() -> None:
    found = cells(return_calendar(TABLE)).set_index(["year", "column"])["text"]
    assert found.to_dict() == {
        ("2023", "Jan"): "5.0", ("2023", "Dec"): "-10.1", ("2023", "Year"): "-5.6",
        ("2024", "Dec"): "0.0", ("2024", "Year"): "0.0",
    }  # fmt: skip


def test_years_run_down_and_months_across() -> None:
    layout = return_calendar(TABLE)
    assert list(layout.y_range.factors) == ["2024", "2023"]  # the vertical axis counts upwards
    assert list(layout.x_range.factors)[0::11] == ["Jan", "Dec"]
    assert layout.x_range.factors[-1] == "Year"


def test_shades_have_the_sign_of_the_return_and_stay_within_one() -> None:
    found = cells(return_calendar(TABLE))
    assert found["shade"].abs().max() <= 1
    assert (np.sign(found["shade"]) == np.sign(found["return"])).all()


def test_a_tiny_return_is_pale_even_if_nothing_is_larger() -> None:
    found = cells(return_calendar(pd.DataFrame({1: [0.001]}, index=[2024])))
    assert found["shade"].tolist() == [pytest.approx(0.05)]  # 0.1% of the least span of 2%


def test_minus_nothing_is_nothing() -> None:
    assert cells(return_calendar(pd.DataFrame({1: [-0.0001]}, index=[2024])))["text"].tolist() == ["0.0"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame(), "this is empty"),
        (TABLE.rename(columns={12: 13}), "column 13 is neither a month"),
        (TABLE.rename(index={2024: 2023}), "each once"),
        (TABLE.set_axis(["a", "b"], axis=0), "whole numbers"),
        (TABLE.assign(total="x"), "must be numbers"),
        (TABLE[["total"]], "No month"),
        (pd.concat([TABLE[[1]], TABLE[[1]]], axis=1), "twice|column 1"),
    ],
)
def test_what_is_no_calendar_is_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        return_calendar(table)
