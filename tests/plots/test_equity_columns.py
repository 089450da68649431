"""The columns of an equity curve are those that the figure itself is drawn from."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import equity
from qtw_lab.plots.equity_columns import equity_columns


@pytest.mark.parametrize("count", [1, 2, 300, 12_000])
def test_they_are_those_of_the_figure(count):
    values = 100 + np.random.default_rng(1).normal(size=count).cumsum()
    curve = pd.Series(values, index=pd.date_range("2024-01-02", periods=count, freq="min", tz="UTC"))
    source = equity(curve).select_one({"name": "equity"}).data_source
    found = equity_columns(curve)
    assert found.keys() == source.data.keys()
    for name, column in found.items():
        np.testing.assert_array_equal(column, source.data[name])


def test_what_is_no_curve_is_refused():
    days = pd.to_datetime(["2024-01-03", "2024-01-02"])
    with pytest.raises(DataError):
        equity_columns(pd.Series([1.0, 2.0], index=days))
